"""A clip seen against its scene: what would be there without figures, and how clearly each pixel differs from that.

The scene comes from the truth and its mask. The result is only ever compared with the scene, never with the mask, so
nothing here says where in a result a figure ought to be.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.bench.measures import Mask
from diptych.types import Frames

Lab = NDArray[np.float32]
"""CIELAB, float32, ``(t, h, w, 3)``: L in 0..100, distances about as large as they look."""


def scene_without_figures(truth: Frames, mask: Mask) -> Frames:
    """The truth with its figures taken out: every frame as it would be if nobody were there.

    Behind a still camera that is one picture, each pixel the median of the times at which no figure covers it: what
    moves with the figures, as their shadows do, is not scene, or a still result would seem to move against it. Pixels
    that are never uncovered, and every figure's pixel behind a moving camera, are painted in from around them.

    Args:
        truth: RGB, uint8, ``(t, h, w, 3)``.
        mask: uint8, ``(t, h, w)``, above zero wherever the truth shows anything of a figure.

    Returns:
        RGB, uint8, ``(t, h, w, 3)``.

    Raises:
        ValueError: the shapes do not agree.
    """
    if mask.shape != truth.shape[:3]:
        raise ValueError(f"the mask has shape {mask.shape}, the clip {truth.shape}")
    # One pixel more than the mask: enlarging and decoding smear a figure's rim.
    figure = np.stack([cv2.dilate((frame > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) for frame in mask])
    plate = _plate(truth, figure)
    if plate is not None:
        return np.broadcast_to(plate, truth.shape)
    return np.stack([_painted_in(frame, hole) for frame, hole in zip(truth, figure, strict=True)])


def to_lab(frames: Frames) -> Lab:
    """RGB, uint8, ``(t, h, w, 3)``, as CIELAB."""
    t, h, w, _ = frames.shape
    tall = frames.reshape(t * h, w, 3).astype(np.float32) / 255
    return np.asarray(cv2.cvtColor(tall, cv2.COLOR_RGB2LAB), np.float32).reshape(t, h, w, 3)


def figure_weight(lab: Lab, scene: Lab) -> NDArray[np.float32]:
    """0 where a pixel looks like the scene within a pixel's reach, towards 1 where it clearly does not.

    The reach forgives a background that is blurred or a pixel off, the calm zone compression and a decoder's noise.

    Args:
        lab: a clip.
        scene: the same frames without figures.

    Returns:
        float32, ``(t, h, w)``, 0 to 1.
    """
    h, w = lab.shape[1:3]
    around = np.pad(scene, ((0, 0), (_REACH, _REACH), (_REACH, _REACH), (0, 0)), mode="edge")
    nearest = np.full(lab.shape[:3], np.inf, np.float32)
    for dy in range(2 * _REACH + 1):
        for dx in range(2 * _REACH + 1):
            difference = lab - around[:, dy : dy + h, dx : dx + w]
            np.minimum(nearest, np.einsum("thwc,thwc->thw", difference, difference), out=nearest)
    beyond = np.maximum(np.sqrt(nearest) - _CALM, 0)
    return np.asarray(1 - np.exp(-((beyond / _CLEAR) ** 2)), np.float32)


# CIELAB units. Little depends on them (benchmarks/measures_calibration.py --sweep): the higher they are, the less blur
# looks like another palette, and the sooner a pale figure is taken for scene.
_CALM, _CLEAR = 8.0, 20.0
_REACH = 1
_STILL_CAMERA_LEVELS = 3.0


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
