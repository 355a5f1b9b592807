"""Finding figures from pixels alone, for baselines that may not see the truth.

Deliberately plain: colours that the picture's rim does not show nearby are figure, and so is whatever changes in front
of a camera that stands still. It serves drawn and photographed figures in front of a calm background; where it finds
next to nothing or nearly everything, it says that it found nothing.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.types import Box, Frames, Picture


def figure_in_picture(picture: Picture) -> NDArray[np.uint8]:
    """Pixels whose colour the rim of the picture does not show: uint8 0 or 1, ``(h, w)``; all 0 if nothing was found.

    Args:
        picture: RGB, uint8, ``(h, w, 3)``.
    """
    return _kept(_unlike_rim(_lab(picture)))


def figures_in_clip(frames: Frames) -> NDArray[np.uint8]:
    """Like ``figure_in_picture`` frame by frame, or else what moves before a still scene: uint8 0 or 1, ``(t, h, w)``.

    Args:
        frames: RGB, uint8, ``(t, h, w, 3)``.
    """
    lab = np.stack([_lab(frame) for frame in frames])
    plate = np.median(lab, axis=0)
    change = np.linalg.norm(lab - plate, axis=-1)
    # Behind a moving camera most of the picture changes, and change says nothing about figures.
    still_camera = float(np.mean(change > _DIFFERENT)) < _MOST
    masks = []
    for frame, moved in zip(lab, change, strict=True):
        found = _kept(_unlike_rim(frame))
        masks.append(found if found.any() or not still_camera else _kept(moved))
    return np.stack(masks)


def box_of(mask: NDArray[np.uint8]) -> Box | None:
    """The box that holds all but the outermost hundredth of a mask on each side, or None if the mask is empty."""
    if not mask.any():
        return None
    columns, rows = mask.sum(axis=0), mask.sum(axis=1)
    left, right = _span(columns)
    top, bottom = _span(rows)
    return Box(left, top, right, bottom)


_DIFFERENT = 12.0
"""CIELAB units; two colours closer than this may be one surface in other light."""
_MOST = 0.6
_LEAST = 0.005
_RIM = 2


def _lab(picture: Picture) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _unlike_rim(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """CIELAB distance of every pixel to the nearest colour of the rim, ``(h, w)``.

    The middle half of the bottom edge is left out of the rim: half bodies are cut there.
    """
    quarter = lab.shape[1] // 4
    parts = (lab[:_RIM], lab[:, :_RIM], lab[:, -_RIM:], lab[-_RIM:, :quarter], lab[-_RIM:, -quarter:])
    rim = np.concatenate([part.reshape(-1, 3) for part in parts])
    # The nearest neighbours are searched among distinct colours only, on a grid much finer than the threshold.
    rim = np.unique(np.round(rim / 2) * 2, axis=0)
    flat = lab.reshape(-1, 3)
    squared = np.sum(flat**2, axis=1)[:, None] - 2 * flat @ rim.T + np.sum(rim**2, axis=1)
    nearest = np.sqrt(np.maximum(squared.min(axis=1), 0)).reshape(lab.shape[:2])
    # A ground that shades from side to side shows colours in the middle that neither side has.
    across = np.linspace(0, 1, lab.shape[1])[None, :, None]
    shaded = lab[:, :1] * (1 - across) + lab[:, -1:] * across
    return np.asarray(np.minimum(nearest, np.linalg.norm(lab - shaded, axis=-1)), np.float32)


def _kept(distance: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Threshold, drop specks, and refuse a mask of next to nothing or of nearly everything."""
    found = (distance > _DIFFERENT).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    for index in range(1, count):
        if stats[index, cv2.CC_STAT_AREA] < _LEAST * found.size:
            found[labels == index] = 0
    return found if found.mean() <= _MOST else np.zeros_like(found)


def _span(profile: NDArray[np.int_]) -> tuple[float, float]:
    share = np.cumsum(profile) / np.sum(profile)
    return float(np.searchsorted(share, 0.01)), float(np.searchsorted(share, 0.99) + 1)
