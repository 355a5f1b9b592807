"""Looks and pose measured apart, so that a model that buys one with the other is seen doing it.

Both see a clip as figure against scene (``diptych.bench.scene``). Nothing tells them where in the result a figure
should be, and no pose is estimated, so coarse and blurred clips of 64 pixels can be measured as well as sharp ones.

- Identity error forgets where and when: all figure pixels of a clip are one palette.
- Motion error forgets the colours: what counts is the rhythm in which the clip resembles itself, and the optical flow.

What was tried instead, and the figures that decided, are in benchmarks/measures_calibration.py and docs/bench.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.bench.measures import Mask
from diptych.bench.scene import Lab, figure_weight, scene_without_figures, to_lab
from diptych.method.rhythm import detrended_distances
from diptych.types import Frames

OTHER_CHARACTER = 31.0
"""Palette distance, in CIELAB units, that counts as 1: the median between two characters drawn at random."""


def identity_error(result: Frames, truth: Frames, mask: Mask) -> float:
    """How far the figures' colours are from the truth's, whatever their pose.

    The earth mover's distance between the palettes of the figure pixels of both clips (sliced: the mean over fixed
    directions of CIELAB space), as a share of the distance between two random characters.

    Blind spots: the same colours in other places (shirt and trousers swapped, a face without eyes), shape and build
    wherever they leave the shares of colours alone, flicker that averages out over the clip, and parts coloured as the
    scene behind them. It is not wholly blind to pose: a turned figure shows other parts. Where the result's background
    is wrong, that background counts as figure.

    Args:
        result: RGB, uint8, ``(t, h, w, 3)``.
        truth: RGB, uint8, of the same shape.
        mask: uint8, ``(t, h, w)``, above zero wherever the truth shows anything of a figure.

    Returns:
        0 = the truth's palette, about 1 = another character's or the bare scene's; no upper bound. Lower is better.

    Raises:
        ValueError: the shapes do not agree.
    """
    shown, right = _against_scene(result, truth, mask)
    return _palette_distance(shown, right) / OTHER_CHARACTER


def motion_error(result: Frames, truth: Frames, mask: Mask) -> float:
    """How far the figures' motion is from the truth's, whatever their colours: the mean of rhythm and flow error.

    Rhythm (``rhythm_error``) knows little of looks and build, but cannot tell a left arm from a right one; flow
    (``flow_error``) can, and pays for it by minding the build. Where one has no value, the other stands alone.

    Blind spots: half of the error is blind to where the motion happens; both miss motion towards the camera, a pose
    that is wrong in the same way in every frame, and parts coloured as the scene behind them. Right motion in the wrong
    place or size counts as half wrong. It is not wholly blind to looks:
    flow follows what contrasts, and another build moves another outline.

    Args:
        result: RGB, uint8, ``(t, h, w, 3)``.
        truth: RGB, uint8, of the same shape.
        mask: uint8, ``(t, h, w)``, above zero wherever the truth shows anything of a figure.

    Returns:
        0 = the truth's motion, about 1 = another motion or, behind a still camera exactly, none; at most the square
        root of 2. Lower is better. NaN where the truth's figures do not move.

    Raises:
        ValueError: the shapes do not agree.
    """
    shown, right = _against_scene(result, truth, mask)
    halves = [half for half in (_rhythm_distance(shown, right), _flow_distance(shown, right)) if not math.isnan(half)]
    return sum(halves) / len(halves) if halves else math.nan


def rhythm_error(result: Frames, truth: Frames, mask: Mask) -> float:
    """Whether the result resembles itself at the times at which the truth resembles itself.

    How much the figure differs between frames i and j, for every i and j, less the mean over all pairs equally far
    apart in time: a table that hardly depends on who moves. The error is the distance of the two tables, each of length
    1. After Junejo et al., View-Independent Action Recognition from Temporal Self-Similarities (2011).

    Arguments and range as for ``motion_error``. NaN also where the truth only glides along, or has under 3 frames: then
    it has no rhythm.
    """
    return _rhythm_distance(*_against_scene(result, truth, mask))


def flow_error(result: Frames, truth: Frames, mask: Mask) -> float:
    """Whether the result's figures move in the same direction at the same place and time.

    The distance between the optical flows of both clips, each where its own figure is and blurred by 4 % of the
    picture's side, as a share of how much both moved.

    Arguments and range as for ``motion_error``.
    """
    return _flow_distance(*_against_scene(result, truth, mask))


@dataclass(frozen=True, eq=False)
class _Seen:
    """A clip against its scene: pixels, their colours, the scene's, and how much each pixel is figure."""

    frames: Frames
    lab: Lab
    scene: Lab
    weight: NDArray[np.float32]

    @cached_property
    def flow(self) -> NDArray[np.float32]:
        """Flow of the figures in pixels a frame, by their weight, float32, ``(t - 1, h, w, 2)``."""
        return _flow(self.frames) * self.weight[1:, ..., None]

    @cached_property
    def moves(self) -> bool:
        """Whether the figures move at all."""
        speed = float(np.sum(np.linalg.norm(self.flow, axis=-1)))
        return speed > _STILL_PIXELS * max(float(np.sum(self.weight[1:])), 1.0)


def _against_scene(result: Frames, truth: Frames, mask: Mask) -> tuple[_Seen, _Seen]:
    if result.shape != truth.shape:
        raise ValueError(f"result and truth must be clips of one shape, they have {result.shape} and {truth.shape}")
    scene = to_lab(scene_without_figures(truth, mask))
    labs = to_lab(result), to_lab(truth)
    shown, right = (
        _Seen(frames, lab, scene, figure_weight(lab, scene)) for frames, lab in zip((result, truth), labs, strict=True)
    )
    return shown, right


# Palettes


def _directions(count: int) -> NDArray[np.float32]:
    """Unit vectors spread evenly over the half sphere, ``(count, 3)``."""
    height = (np.arange(count) + 0.5) / count
    turn = np.arange(count) * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1).astype(np.float32)


_SLICES = _directions(16)
_BINS_PER_UNIT = 2
_SPAN = 200
_TRACE = 1e-6
"""Weight that every pixel keeps, so that a clip without figures is compared by its bare scene."""


def _palette_distance(a: _Seen, b: _Seen) -> float:
    """Sliced earth mover's distance in CIELAB units, scaled so that shifting all colours by d measures d on average."""
    gaps = []
    for direction in _SLICES:
        shares = []
        for seen in (a, b):
            place = ((seen.lab @ direction + _SPAN) * _BINS_PER_UNIT).astype(np.intp)
            mass = np.bincount(place.ravel(), (seen.weight + _TRACE).ravel(), 2 * _SPAN * _BINS_PER_UNIT)
            shares.append(np.cumsum(mass / mass.sum()))
        gaps.append(np.abs(shares[0] - shares[1]).sum() / _BINS_PER_UNIT)
    # The mean length of a unit vector's shadow on a direction is one half.
    return 2.0 * float(np.mean(gaps))


# Motion

_SHADE_BLUR = 1.0
_LEAST_RHYTHM = 0.05
"""Below this share of the self-distances, what is left after taking off their mean over equal lags is noise."""
_FLOW_SIDE = 128
"""Flow is found on pictures at least this wide and high: its patches are 8 pixels."""
_FLOW_BLUR = 0.04
_STILL_PIXELS = 0.01
"""Mean flow below this many pixels a frame, over the truth's figures, is standing still."""


def _rhythm_distance(shown: _Seen, right: _Seen) -> float:
    wanted, wanted_size = _rhythm(right)
    if wanted_size < _LEAST_RHYTHM or not right.moves:
        return math.nan
    made, _ = _rhythm(shown)
    return _share(made, wanted)


def _rhythm(seen: _Seen) -> tuple[NDArray[np.float64], float]:
    """Detrended self-distances of length 1, ``(t, t)``, and which share of the self-distances they were.

    Where that share is below ``_LEAST_RHYTHM`` the table is shorter than 1 in proportion, down to all 0.
    """
    shade = (seen.lab - seen.scene) * seen.weight[..., None]
    rows = np.stack([cv2.GaussianBlur(frame, (0, 0), _SHADE_BLUR) for frame in shade]).reshape(len(shade), -1)
    table, whole = detrended_distances(rows.astype(np.float64) - rows.mean(axis=0))
    left = float(np.linalg.norm(table))
    if whole == 0.0:
        return np.zeros_like(table), 0.0
    return table / max(left, _LEAST_RHYTHM * whole), left / whole


def _flow_distance(shown: _Seen, right: _Seen) -> float:
    if not right.moves:
        return math.nan
    blur = _FLOW_BLUR * math.sqrt(right.weight.shape[1] * right.weight.shape[2])
    made, wanted = (np.stack([cv2.GaussianBlur(frame, (0, 0), blur) for frame in seen.flow]) for seen in (shown, right))
    return _share(made, wanted)


def _flow(frames: Frames) -> NDArray[np.float32]:
    """Optical flow from each frame to the next in pixels, float32, ``(t - 1, h, w, 2)``."""
    h, w = frames.shape[1:3]
    if len(frames) < 2:
        return np.zeros((0, h, w, 2), np.float32)
    enlarge = max(1, math.ceil(_FLOW_SIDE / min(h, w)))
    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    greys = [cv2.resize(grey, (w * enlarge, h * enlarge), interpolation=cv2.INTER_LINEAR) for grey in greys]
    solver = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flows = [solver.calc(first, second, None) for first, second in pairwise(greys)]
    return np.stack([cv2.resize(flow, (w, h), interpolation=cv2.INTER_AREA) / enlarge for flow in flows])


def _share(made: NDArray[np.floating], wanted: NDArray[np.floating]) -> float:
    """Distance of two fields as a share of both: 0 equal, 1 unrelated or nothing made, square root of 2 opposite."""
    both = float(np.sum(made**2) + np.sum(wanted**2))
    return math.sqrt(float(np.sum((made - wanted) ** 2)) / both)
