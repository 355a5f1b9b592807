"""Depth as pictures: what an auxiliary panel shows of a driver (docs/depth.md).

Near is light and far is dark, black the farthest, on one scale for all of a clip: a figure that comes nearer grows
lighter, and who passes in front is lighter than who is passed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diptych.media.frame import MID_GREY, Pixels, View, view
from diptych.method.depth import DepthRange, Nearness
from diptych.types import Frames


def draw_depth(nearness: Nearness) -> Frames:
    """Draws nearness as grey.

    Args:
        nearness: in [0, 1], ``(t, h, w)``; 1 is nearest.

    Returns:
        uint8, ``(t, h, w, 3)``: 255 nearest, 0 farthest.
    """
    grey = np.rint(255 * np.clip(nearness, 0, 1)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def draw_whole_clip(nearness: NDArray[np.float32] | NDArray[np.uint8]) -> Frames:
    """Draws the nearness of a whole clip, in whatever unit, on the clip's own scale.

    Args:
        nearness: larger is nearer, ``(t, h, w)``.
    """
    return draw_depth(DepthRange.of(nearness).normalised(nearness))


def read_depth(frames: Frames) -> Nearness:
    """The inverse of :func:`draw_depth`, up to its 256 levels: nearness in [0, 1], ``(t, h, w)``."""
    return frames.mean(axis=-1, dtype=np.float32) / np.float32(255)


def depth_in_view(drawn: Pixels, shown: View, height: int, width: int) -> Pixels:
    """Drawn depth where a panel shows its picture, and mid-grey, as of an empty panel, where it shows none.

    Args:
        drawn: uint8, ``(h, w, 3)`` or ``(t, h, w, 3)``.
        shown: where the picture lies in the panel.
        height: of the panel.
        width: of the panel.

    Returns:
        uint8, ``(height, width, 3)`` with the leading axes of ``drawn``.
    """
    out = view(drawn, shown, height, width)
    rows, columns = (
        (np.arange(size) >= start) & (np.arange(size) < start + max(1, round(side * shown.scale)))
        for size, start, side in zip((height, width), (shown.top, shown.left), drawn.shape[-3:-1], strict=True)
    )
    return np.where((rows[:, None] & columns)[..., None], out, np.uint8(MID_GREY))
