"""What can be wrong with a made video, measured against its reference and its driver; the right answer is not known.

Every symptom is a number >= 0, about 0 where nothing is wrong. Colours are CIELAB, distances in its units.

- Of pictures: ``softness`` (fine detail that the reference has and the video lacks), ``roughness`` (detail that the
  reference lacks: noise, ringing), ``dull_edges`` (edges of what has moved rise less steeply than the reference's),
  ``veil`` (small differences from the reference all over the scene), ``stray_colours`` (colours that the reference does
  not have, as blur, noise and ghosts mix them).
- Of motion: ``off_rhythm`` (the video does not resemble itself at the times at which the driver does), ``off_pace`` (it
  is not fast when the driver is fast), ``jerk`` (flow that changes along its own path, as a share of it, more than the
  driver's does), ``stall`` (less happens than in the driver).
- Of time: ``warp_error`` (what is left of a frame after the next was carried back along the flow), ``flicker`` (colours
  that change where nothing moves), ``unsteady_flow`` (flow that changes along its own path, in pixels a frame), and the
  rhythm again.
- Of looks: ``palette`` (colours of what has moved against those that it uncovered in the reference, where that is
  worst), ``whole_palette`` (colours of all pixels against the reference's, likewise), ``foreign_colours`` (colours of
  what has moved that the reference does not have at all).

A character is found by the only thing that is known of it: what moves. So one that never leaves its outline in the
reference is hardly looked at, and behind a moving camera the scene counts as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.method.judging import Performance
from diptych.method.rhythm import detrended_distances
from diptych.types import Frames, Picture

Floats = NDArray[np.float32]

LARGEST_SIDE = 256
"""Longer side in pixels to which larger videos are scaled before they are measured; smaller ones stay as they are."""

_LEAST_FRAMES = 3
_FLOW_SIDE = 128
"""Flow is found on pictures at least this wide and high: its patches are 8 pixels."""
_STILL = 0.15
"""Flow in pixels a frame below which a pixel counts as standing still."""
_CALM, _CLEAR = 8.0, 20.0
"""Differences below the first are none, those well above both are certain (the scene of the benchmark has the same)."""
_PARTS = 3
"""Of the video, each measured on its own where the worst counts."""


def symptoms_of(performance: Performance) -> dict[str, float]:
    """Every symptom by name; those of motion and time are missing where there are fewer than three frames.

    Raises:
        ValueError: if driver and made video differ in length.
    """
    if len(performance.driver) != len(performance.frames):
        raise ValueError(f"{len(performance.frames)} frames and {len(performance.driver)} of the driver")
    made, driver = _Seen(_bounded(performance.frames)), _Seen(_bounded(performance.driver))
    height, width = made.frames.shape[1:3]
    # The longer way round is an area mean, so neither enlarging nor reducing invents detail.
    reference = cv2.resize(performance.reference, (width, height), interpolation=cv2.INTER_AREA)
    lab = _lab(np.asarray(reference)[None])[0]
    moved = [_moved(frame, lab) for frame in made.lab]
    found = {**_of_pictures(made, lab, moved), **_of_looks(made, lab, moved)}
    return found if len(made.frames) < _LEAST_FRAMES else {**found, **_of_motion(made, driver), **_of_time(made)}


class _Seen:
    """A clip, and what is measured of it once."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames

    @cached_property
    def lab(self) -> Floats:
        return _lab(self.frames)

    @cached_property
    def flow(self) -> Floats:
        """From each frame to the next, pixels, ``(t - 1, h, w, 2)``."""
        return _flow(self.frames)

    @cached_property
    def speed(self) -> Floats:
        return np.asarray(np.linalg.norm(self.flow, axis=-1), np.float32)

    @cached_property
    def change(self) -> Floats:
        """Of every pixel to the next frame, ``(t - 1, h, w)``."""
        return np.asarray(np.linalg.norm(np.diff(self.lab, axis=0), axis=-1), np.float32)

    @cached_property
    def unsteady(self) -> float:
        """Mean change of the flow along its own path, pixels a frame."""
        changes = [np.linalg.norm(_carried(b, a) - a, axis=-1).mean() for a, b in pairwise(self.flow)]
        return float(np.mean(changes))

    @property
    def jerk(self) -> float:
        """The same as a share of the flow."""
        return self.unsteady / (float(self.speed.mean()) + 0.02)


# --- motion and time ------------------------------------------------------------------------------------------------


def _of_motion(made: _Seen, driver: _Seen) -> dict[str, float]:
    paces = [seen.speed.mean((1, 2)) for seen in (made, driver)]
    paces = [pace / max(float(pace.mean()), 0.02) for pace in paces]
    happens = [float(seen.change.mean()) + 0.05 for seen in (made, driver)]
    return {
        "off_rhythm": _share(_rhythm(made.lab), _rhythm(driver.lab)),
        "off_pace": _share(*paces),
        "jerk": _log_above(made.jerk + 0.05, driver.jerk + 0.05),
        "stall": _log_above(happens[1], happens[0]),
    }


def _of_time(made: _Seen) -> dict[str, float]:
    carried = zip(pairwise(made.lab), made.flow, strict=True)
    left = [np.linalg.norm(_carried(after, flow) - before, axis=-1).mean() for (before, after), flow in carried]
    still = made.speed < _STILL
    return {
        "warp_error": float(np.mean(left)),
        "flicker": float(made.change[still].sum() / max(1, still.sum())),
        "unsteady_flow": made.unsteady,
    }


def _rhythm(lab: Floats) -> NDArray[np.float64]:
    """How much a clip differs from itself between any two frames, less the mean over equal lags, ``(t, t)``, length 1.

    A table that hardly depends on who moves, so that made video and driver can be compared (Junejo et al.,
    View-Independent Action Recognition from Temporal Self-Similarities, 2011; the benchmark's ``rhythm_error`` compares
    with the right answer in the same way). Shorter than 1 where next to nothing but gliding is left.
    """
    blur = max(1.0, 0.016 * math.sqrt(lab.shape[1] * lab.shape[2]))
    shade = lab - np.median(lab, axis=0)
    rows = np.stack([cv2.GaussianBlur(frame, (0, 0), blur) for frame in shade]).reshape(len(lab), -1).astype(np.float64)
    rows -= rows.mean(axis=0)
    table, whole = detrended_distances(rows)
    longest = max(float(np.linalg.norm(table)), 0.05 * whole)
    return table / longest if longest > 0 else table


def _flow(frames: Frames) -> Floats:
    height, width = frames.shape[1:3]
    if len(frames) < 2:
        return np.zeros((0, height, width, 2), np.float32)
    enlarge = max(1, math.ceil(_FLOW_SIDE / min(height, width)))
    size = (width * enlarge, height * enlarge)
    greys = [cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), size) for frame in frames]
    solver = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flows = [solver.calc(first, second, None) for first, second in pairwise(greys)]
    return np.stack([cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) / enlarge for flow in flows])


def _carried(picture: Floats, flow: Floats) -> Floats:
    """What the flow leads to, brought back to where it starts."""
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    there = x + flow[..., 0], y + flow[..., 1]
    return np.asarray(cv2.remap(picture, *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


# --- pictures and looks ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Moved:
    """A frame against the reference.

    Attributes:
        distance: of every pixel to the reference's within a pixel's reach, ``(h, w)``.
        there: how certainly a pixel shows what was not there in the reference, 0..1.
        gone: how certainly the reference shows what is not there now, 0..1.
    """

    distance: Floats
    there: Floats
    gone: Floats


def _moved(frame: Floats, reference: Floats) -> _Moved:
    distance = _nearest(frame, reference)
    return _Moved(distance, _certain(distance), _certain(_nearest(reference, frame)))


def _certain(distance: Floats) -> Floats:
    return np.asarray(1 - np.exp(-((np.maximum(distance - _CALM, 0) / _CLEAR) ** 2)), np.float32)


def _nearest(picture: Floats, other: Floats) -> Floats:
    """Distance of every pixel to the most similar of the other picture's nine around its place."""
    height, width = picture.shape[:2]
    around = np.pad(other, ((1, 1), (1, 1), (0, 0)), mode="edge")
    nearest = np.full((height, width), np.inf, np.float32)
    for dy in range(3):
        for dx in range(3):
            difference = picture - around[dy : dy + height, dx : dx + width]
            np.minimum(nearest, np.einsum("hwc,hwc->hw", difference, difference), out=nearest)
    return np.asarray(np.sqrt(nearest), np.float32)


def _of_pictures(made: _Seen, reference: Floats, moved: list[_Moved]) -> dict[str, float]:
    detail = np.log([(_detail(frame) + 0.05) / (_detail(reference) + 0.05) for frame in made.lab])
    return {
        "softness": float(np.maximum(-detail, 0).mean()),
        "roughness": float(np.maximum(detail, 0).mean()),
        "dull_edges": _log_above(
            _steepness([reference] * len(moved), [one.gone for one in moved]),
            _steepness(made.lab, [one.there for one in moved]),
        ),
        "veil": float(np.mean([np.minimum(one.distance, _CALM).mean() for one in moved])),
        "stray_colours": _foreign(made.lab, np.ones(made.lab.shape[:3], np.float32), reference),
    }


def _detail(lab: Floats) -> float:
    """Mean size of what a blur of one pixel takes away from the lightness."""
    light = lab[..., 0]
    return float(np.abs(light - cv2.GaussianBlur(light, (0, 0), 1.0)).mean())


def _steepness(labs: Floats | list[Floats], weights: list[Floats]) -> float:
    """How steeply edges rise for their height near what has moved: the steepest slope around over the range around."""
    slopes = ranges = 0.0
    for lab, weight in zip(labs, weights, strict=True):
        light = np.ascontiguousarray(lab[..., 0])
        slope = np.hypot(cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1)) / 8
        wide, near = np.ones((7, 7), np.uint8), np.ones((5, 5), np.uint8)
        height = cv2.dilate(light, wide) - cv2.erode(light, wide)
        counts = height * (cv2.dilate(weight, near) + 0.01)
        slopes += float((cv2.dilate(slope, near) * counts).sum())
        ranges += float((height * counts).sum())
    return (slopes + 1e-6) / (ranges + 1e-6)


def _of_looks(made: _Seen, reference: Floats, moved: list[_Moved]) -> dict[str, float]:
    everywhere = np.ones(reference.shape[:2], np.float32)
    shown = np.stack([_palette(frame, one.there + _TRACE) for frame, one in zip(made.lab, moved, strict=True)])
    uncovered = np.stack([_palette(reference, one.gone + _TRACE) for one in moved])
    whole, wanted = np.stack([_palette(frame, everywhere) for frame in made.lab]), _palette(reference, everywhere)
    parts = np.array_split(np.arange(len(moved)), min(_PARTS, len(moved)))
    return {
        "palette": max(_apart(shown[part].sum(0), uncovered[part].sum(0)) for part in parts),
        "whole_palette": max(_apart(whole[part].sum(0), wanted) for part in parts),
        "foreign_colours": _foreign(made.lab, np.stack([one.there for one in moved]), reference),
    }


_TRACE = 1e-4
"""Weight that every pixel keeps, so that a video in which nothing moves is compared by its whole pictures."""
_SPAN = 200
_SAMPLES = 2048


def _directions(count: int) -> Floats:
    """Unit vectors spread evenly over the half sphere, ``(count, 3)``."""
    height = (np.arange(count) + 0.5) / count
    turn = np.arange(count) * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1).astype(np.float32)


_SLICES = _directions(16)


def _palette(lab: Floats, weight: Floats) -> NDArray[np.float64]:
    """Shadows of the weighted colours on each direction, ``(16, 400)``; they add up over frames."""
    place = (lab.reshape(-1, 3) @ _SLICES.T + _SPAN).astype(np.intp)
    return np.stack([np.bincount(column, weight.ravel(), 2 * _SPAN) for column in place.T])


def _apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Sliced earth mover's distance of two palettes: shifting all colours by d measures d on average."""
    shares = [np.cumsum(one / one.sum(axis=1, keepdims=True), axis=1) for one in (a, b)]
    return 2 * float(np.abs(shares[0] - shares[1]).sum(axis=1).mean())


def _foreign(labs: Floats, weight: Floats, reference: Floats) -> float:
    """Mean distance of weighted colours to the nearest colour of the reference."""
    colours, own = labs.reshape(-1, 3), reference.reshape(-1, 3)
    own = own[:: max(1, len(own) // (_SAMPLES // 2))]
    # Evenly along the sum of the weights: pixels as often as they weigh, and nothing drawn at random.
    sums = np.cumsum(weight.ravel().astype(np.float64) + _TRACE)
    colours = colours[np.searchsorted(sums, (np.arange(_SAMPLES) + 0.5) / _SAMPLES * sums[-1])]
    squares = np.sum(colours**2, axis=1)[:, None] + np.sum(own**2, axis=1) - 2 * colours @ own.T
    return float(np.sqrt(np.maximum(squares, 0)).min(axis=1).mean())


# --- small change ---------------------------------------------------------------------------------------------------


def _bounded(frames: Frames) -> Frames:
    height, width = frames.shape[1:3]
    scale = LARGEST_SIDE / max(height, width)
    if scale >= 1:
        return frames
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])


def _lab(frames: Frames | Picture) -> Floats:
    t, height, width, _ = frames.shape
    tall = frames.reshape(t * height, width, 3).astype(np.float32) / 255
    return np.asarray(cv2.cvtColor(tall, cv2.COLOR_RGB2LAB), np.float32).reshape(t, height, width, 3)


def _log_above(value: float, floor: float) -> float:
    """By how much one exceeds the other, as the logarithm of their ratio; 0 where it does not."""
    return max(0.0, math.log(value / floor))


def _share(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Distance of two fields as a share of both: 0 equal, 1 unrelated, square root of 2 opposite."""
    both = float(np.sum(a**2) + np.sum(b**2))
    return math.sqrt(float(np.sum((a - b) ** 2)) / both) if both > 0 else 0.0
