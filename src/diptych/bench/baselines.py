"""What a result must beat: answers that need no model.

Each maps a sample to frames of the reference's size, one a driving frame, and sees no truth. Their order is their order
in reports.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.bench.figure import box_of, figure_in_picture, figures_in_clip
from diptych.types import Box, Frames, Picture, Sample


def still_reference(sample: Sample) -> Frames:
    """The reference, held: right wherever nothing moves.

    Returns:
        RGB, uint8, ``(t, h, w, 3)``, t the driver's, h and w the reference's.
    """
    return np.repeat(sample.reference[None], len(sample.motion), axis=0)


def driver_copied(sample: Sample) -> Frames:
    """The driver's own frames, fitted without stretching; the rest is filled with the reference's rim colour.

    Returns:
        RGB, uint8, ``(t, h, w, 3)``, t the driver's, h and w the reference's.
    """
    height, width = sample.reference.shape[:2]
    tall, wide = sample.motion.shape[1:3]
    scale = min(height / tall, width / wide)
    inner_height, inner_width = min(height, round(tall * scale)), min(width, round(wide * scale))
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    copied = np.empty((len(sample.motion), height, width, 3), np.uint8)
    copied[:] = _rim_colour(sample.reference)
    kernel = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    for frame, driven in zip(copied, sample.motion, strict=True):
        frame[top : top + inner_height, left : left + inner_width] = cv2.resize(
            driven, (inner_width, inner_height), interpolation=kernel
        )
    return copied


def moved_reference(sample: Sample) -> Frames:
    """The reference's figure as a paper cut-out, carried and scaled as the driver's bounding box moves.

    Figure and boxes are found from pixels (``diptych.bench.figure``), the hole behind the cut-out is painted in. What
    the driver's box does about its own mean, in heights of the box, the cut-out does by ``TRAVEL_SHARE`` about its own
    place. Where no figure is found in the reference or in the driver, this is the still reference.

    Returns:
        RGB, uint8, ``(t, h, w, 3)``, t the driver's, h and w the reference's.
    """
    cut_out = figure_in_picture(sample.reference)
    home = box_of(cut_out)
    boxes = _steady([box_of(mask) for mask in figures_in_clip(sample.motion)])
    if home is None or boxes is None:
        return still_reference(sample)
    scene = _scene_behind(sample.reference, cut_out)
    alpha = cv2.GaussianBlur(cut_out.astype(np.float32), (0, 0), 0.7)
    rest = Box(*(float(np.mean([getattr(box, side) for box in boxes])) for side in ("left", "top", "right", "bottom")))
    moved = [_pasted(sample.reference, alpha, scene, _carry(home, rest, box)) for box in boxes]
    return np.stack(moved)


TRAVEL_SHARE = 0.5
"""How much of the driver's box's travel and growth the cut-out takes over.

Not all of it: a raised arm moves the box as well, and a cut-out that follows leaves its place for nothing. On 80
training pairs (benchmarks/measures_calibration.py --travel) the still reference reaches 17.82 dB, all of the travel
17.87, half of it 18.10; a quarter 18.18, by hardly moving any more.
"""

Baseline = Callable[[Sample], Frames]
BASELINES: MappingProxyType[str, Baseline] = MappingProxyType(
    {"still_reference": still_reference, "driver_copied": driver_copied, "moved_reference": moved_reference}
)


def _rim_colour(picture: Picture) -> NDArray[np.uint8]:
    rim = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    return np.median(rim, axis=0).round().astype(np.uint8)


def _steady(boxes: list[Box | None]) -> list[Box] | None:
    """Boxes with gaps filled from their neighbours in time and jitter taken out, or None if most frames have none."""
    known = [index for index, box in enumerate(boxes) if box is not None]
    if 2 * len(known) < len(boxes):
        return None
    sides = np.array([[box.left, box.top, box.right, box.bottom] for box in boxes if box is not None])
    filled = np.stack([np.interp(np.arange(len(boxes)), known, side) for side in sides.T], axis=1)
    padded = np.pad(filled, ((1, 1), (0, 0)), mode="edge")
    middle = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    return [Box(*(float(side) for side in row)) for row in middle]


def _carry(home: Box, rest: Box, now: Box) -> NDArray[np.float32]:
    """The 2 x 3 map from the reference's pixels to where the driver's box has carried and scaled them."""
    unit = TRAVEL_SHARE * home.height / rest.height
    scale = (now.height / rest.height) ** TRAVEL_SHARE
    (x, y), (x0, y0), (x1, y1) = home.centre, rest.centre, now.centre
    shift = np.array([x + unit * (x1 - x0) - scale * x, y + unit * (y1 - y0) - scale * y])
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)


def _scene_behind(reference: Picture, cut_out: NDArray[np.uint8]) -> Picture:
    hole = cv2.dilate(cut_out, np.ones((5, 5), np.uint8))
    return np.asarray(cv2.inpaint(reference, hole, 3, cv2.INPAINT_TELEA), np.uint8)


def _pasted(reference: Picture, alpha: NDArray[np.float32], scene: Picture, carry: NDArray[np.float32]) -> Picture:
    height, width = alpha.shape
    figure = cv2.warpAffine(reference, carry, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(alpha, carry, (width, height), flags=cv2.INTER_LINEAR)[..., None]
    return np.asarray((figure * share + scene * (1 - share)).round(), np.uint8)
