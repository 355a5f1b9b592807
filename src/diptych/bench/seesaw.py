"""Looks and pose measured apart, so that a model that buys one with the other is seen doing it.

Both measures see a clip through one decomposition: the truth and its mask give the scene without figures, and whatever
in a clip differs in colour from that scene is figure, by a weight in [0, 1]. Nothing tells them where in the result a
figure should be, and no pose is estimated, so coarse and blurred clips of 64 pixels can be measured as well as sharp
ones.

- Identity error forgets where: it compares the colours of all figure pixels of the clip, as one palette.
- Motion error forgets the colours: it compares how the figure weight changes over time.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.bench.measures import Mask
from diptych.types import Frames

_Lab = NDArray[np.float32]

OTHER_CHARACTER = 24.0
"""Palette distance of two characters drawn at random, in CIELAB units; what makes an identity error of 1.

Measured by benchmarks/measures_calibration.py.
"""


def identity_error(result: Frames, truth: Frames, mask: Mask) -> float:
    """How far the figures' colours are from the truth's, whatever their pose.

    The earth mover's distance between the palettes of the figure pixels of both clips (sliced: the mean over fixed
    directions of CIELAB space), as a share of the distance between two random characters.

    Blind spots: the same colours in other places (shirt and trousers swapped, a face without eyes), shape and build
    wherever they leave the shares of colours alone, flicker that averages out over the clip, and parts coloured as the
    scene behind them. It is not wholly blind to pose: a turned figure shows other parts, and where the result's
    background is wrong, that background counts as figure.

    Args:
        result: RGB, uint8, ``(t, h, w, 3)``.
        truth: RGB, uint8, of the same shape.
        mask: uint8, ``(t, h, w)``, above zero where the truth shows a figure.

    Returns:
        0 = the truth's palette, about 1 = another character's, or the bare scene's; not bounded. Lower is better.

    Raises:
        ValueError: the shapes do not agree.
    """
    scene = _lab(scene_without_figures(truth, mask))
    shown, right = _lab(_checked(result, truth)), _lab(truth)
    distance = _palette_distance(shown, _figure_weight(shown, scene), right, _figure_weight(right, scene))
    return distance / OTHER_CHARACTER


def motion_error(result: Frames, truth: Frames, mask: Mask) -> float:
    """How far the figures' movement is from the truth's, whatever their colours.

    The figure weight of every pixel, blurred a little, less its mean over time, is what moved. The error is the
    distance of that between result and truth as a share of what both moved: 0 for the truth, about 1 for another
    motion, and exactly 1 for a still picture.

    Blind spots: a limb that moves in front of the body (its outline stays), a pose that is wrong in the same way in
    every frame (its mean is taken off), depth and facial expression, and parts coloured as the scene behind them. It is
    not wholly blind to looks: a wider build moves a wider outline. Clips of a single frame have no motion.

    Args:
        result: RGB, uint8, ``(t, h, w, 3)``.
        truth: RGB, uint8, of the same shape.
        mask: uint8, ``(t, h, w)``, above zero where the truth shows a figure.

    Returns:
        0 to about 1, at most the square root of 2 (the opposite motion); NaN where the truth does not move. Lower is
        better.

    Raises:
        ValueError: the shapes do not agree.
    """
    scene = _lab(scene_without_figures(truth, mask))
    shown = _moved(_figure_weight(_lab(_checked(result, truth)), scene))
    right = _moved(_figure_weight(_lab(truth), scene))
    both = float(np.sum(shown**2) + np.sum(right**2))
    if float(np.mean(right**2)) < _STILL:
        return float("nan")
    return float(np.sqrt(np.sum((shown - right) ** 2) / both))


def scene_without_figures(truth: Frames, mask: Mask) -> Frames:
    """The truth with its figures taken out: every frame as it would be if nobody were there.

    Behind a still camera a figure's pixel is filled from the times at which it was uncovered; what was never uncovered,
    and every figure's pixel behind a moving camera, is painted in from around it.

    Args:
        truth: RGB, uint8, ``(t, h, w, 3)``.
        mask: uint8, ``(t, h, w)``, above zero where the truth shows a figure.

    Returns:
        RGB, uint8, ``(t, h, w, 3)``.

    Raises:
        ValueError: the shapes do not agree.
    """
    if mask.shape != truth.shape[:3]:
        raise ValueError(f"the mask has shape {mask.shape}, the clip {truth.shape}")
    # One pixel more than the mask: its rim is blended with the figure.
    figure = np.stack([cv2.dilate((frame > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) for frame in mask])
    plate = _plate(truth, figure)
    if plate is not None:
        return np.where(figure[..., None] > 0, plate, truth)
    return np.stack([_painted_in(frame, hole) for frame, hole in zip(truth, figure, strict=True)])


_STILL_CAMERA_LEVELS = 3.0
_CALM_DELTA_E = 4.0
_CLEAR_DELTA_E = 12.0
_MOVED_BLUR = 1.0
_STILL = 1e-6
_REACH = 1
_BARE = 1e-6


def _checked(result: Frames, truth: Frames) -> Frames:
    if result.shape != truth.shape:
        raise ValueError(f"result and truth must be clips of one shape, they have {result.shape} and {truth.shape}")
    return result


def _plate(truth: Frames, figure: NDArray[np.uint8]) -> Frames | None:
    """The scene of a still camera, ``(h, w, 3)``, or None if the camera moves."""
    covered = np.broadcast_to(figure[..., None] > 0, truth.shape)
    count = np.sum(figure == 0, axis=0)
    # Covered times sort to the end, so the median of the uncovered ones lies in the middle of the first ``count``.
    middle = np.clip((count - 1) // 2, 0, None)[None, ..., None]
    in_order = np.sort(np.where(covered, 256, truth.astype(np.int16)), axis=0)
    median = np.take_along_axis(in_order, np.broadcast_to(middle, (1, *truth.shape[1:])), axis=0)[0]
    never = count == 0
    plate = np.where(never[..., None], 0, median).astype(np.uint8)
    deviation = np.abs(truth.astype(np.int16) - plate)[~covered]
    if deviation.size == 0 or float(deviation.mean()) > _STILL_CAMERA_LEVELS:
        return None
    return _painted_in(plate, never.astype(np.uint8))


def _painted_in(picture: NDArray[np.uint8], hole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if not hole.any() or hole.all():
        return picture
    return np.asarray(cv2.inpaint(picture, hole, 3, cv2.INPAINT_TELEA), np.uint8)


def _lab(frames: Frames) -> _Lab:
    """CIELAB, float32, ``(t, h, w, 3)``: distances there are about as large as they look."""
    t, h, w, _ = frames.shape
    tall = frames.reshape(t * h, w, 3).astype(np.float32) / 255
    return np.asarray(cv2.cvtColor(tall, cv2.COLOR_RGB2LAB)).reshape(t, h, w, 3)


def _figure_weight(lab: _Lab, scene: _Lab) -> NDArray[np.float32]:
    """0 where a pixel looks like the scene within a pixel's reach, 1 where clearly not, float32, ``(t, h, w)``.

    The reach forgives a background that is blurred or a pixel off; the calm zone forgives compression and a decoder's
    noise.
    """
    h, w = lab.shape[1:3]
    around = np.pad(scene, ((0, 0), (_REACH, _REACH), (_REACH, _REACH), (0, 0)), mode="edge")
    nearest = np.full(lab.shape[:3], np.inf, np.float32)
    for dy in range(2 * _REACH + 1):
        for dx in range(2 * _REACH + 1):
            difference = lab - around[:, dy : dy + h, dx : dx + w]
            np.minimum(nearest, np.einsum("thwc,thwc->thw", difference, difference), out=nearest)
    beyond = np.maximum(np.sqrt(nearest) - _CALM_DELTA_E, 0)
    return np.asarray(1 - np.exp(-((beyond / _CLEAR_DELTA_E) ** 2)), np.float32)


def _moved(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), _MOVED_BLUR) for frame in weight])
    return np.asarray(soft - soft.mean(axis=0))


def _directions(count: int) -> NDArray[np.float32]:
    """Unit vectors spread evenly over the half sphere, ``(count, 3)``."""
    height = (np.arange(count) + 0.5) / count
    turn = np.arange(count) * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1).astype(np.float32)


_SLICES = _directions(16)
_BINS_PER_UNIT = 2
_SPAN = 200


def _palette_distance(a: _Lab, weight_a: NDArray[np.float32], b: _Lab, weight_b: NDArray[np.float32]) -> float:
    """Sliced earth mover's distance in CIELAB units, scaled so that a shift of all colours by d measures d on average.

    A clip without figures is compared by its bare scene: every pixel keeps a trace of weight.
    """
    gaps = []
    for direction in _SLICES:
        shares = []
        for lab, weight in ((a, weight_a), (b, weight_b)):
            place = (lab @ direction + _SPAN) * _BINS_PER_UNIT
            mass = np.bincount(place.astype(np.intp).ravel(), (weight + _BARE).ravel(), 2 * _SPAN * _BINS_PER_UNIT)
            shares.append(np.cumsum(mass / mass.sum()))
        gaps.append(np.abs(shares[0] - shares[1]).sum() / _BINS_PER_UNIT)
    # The mean length of a unit vector's shadow on a direction is one half.
    return 2.0 * float(np.mean(gaps))
