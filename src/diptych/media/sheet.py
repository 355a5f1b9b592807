"""Pictures for people: clips side by side, and contact sheets of many clips."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from diptych.media.frame import Interpolation, Pixels, resize
from diptych.types import Frames, Picture

_PAPER = 255
_GAP = 4
_BAND = 18  # height of a row's label
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_SCALE = 0.42
_INK = (40, 40, 40)


def side_by_side(*clips: Pixels, height: int, gap: int = _GAP, interpolation: Interpolation = "cubic") -> Pixels:
    """Join pictures and clips from left to right, each scaled to one height with its aspect kept.

    Args:
        clips: RGB, uint8; a picture ``(h, w, 3)`` stands still beside clips ``(t, h, w, 3)``. Clips of different
            length show their last frame to the end.
        height: of the result, pixels, even.
        gap: white columns between neighbours.
        interpolation: how small pictures are enlarged; ``nearest`` shows the pixels as they are.

    Returns:
        uint8, ``(t, height, w, 3)`` if any of ``clips`` is a clip, else ``(height, w, 3)``; w is even, so that it can
        be written as a video.

    Raises:
        ValueError: nothing is given, or ``height`` is odd.
    """
    if not clips or height < 2 or height % 2:
        raise ValueError(f"side_by_side needs at least one clip and an even height, not {height}")
    length = max((len(clip) for clip in clips if clip.ndim == 4), default=0)
    columns = []
    for clip in clips:
        width = max(1, round(clip.shape[-2] * height / clip.shape[-3]))
        column = resize(clip, width, height, interpolation)
        if length and column.ndim == 3:
            column = np.broadcast_to(column, (length, *column.shape))
        elif length:
            column = column[np.minimum(np.arange(length), len(column) - 1)]
        columns.append(column)
        columns.append(np.full((*column.shape[:-2], gap, 3), _PAPER, np.uint8))
    columns.pop()
    if sum(column.shape[-2] for column in columns) % 2:
        columns.append(np.full((*columns[0].shape[:-2], 1, 3), _PAPER, np.uint8))
    return np.concatenate(columns, axis=-2)


def contact_sheet(
    rows: Sequence[tuple[str, Pixels]], columns: int, height: int, interpolation: Interpolation = "cubic"
) -> Picture:
    """Draw one row of frames for each clip, its label above.

    Args:
        rows: label and clip ``(t, h, w, 3)`` or picture ``(h, w, 3)``, RGB, uint8. Labels are drawn in plain ASCII
            (other characters become ``?``) and cut where the sheet ends.
        columns: frames of each clip, spread evenly from its first to its last; shorter clips show what they have.
        height: of each frame, pixels.
        interpolation: how small frames are enlarged.

    Returns:
        RGB, uint8, ``(h, w, 3)``: white paper.

    Raises:
        ValueError: no rows, or a size below 1.
    """
    if not rows or columns < 1 or height < 1:
        raise ValueError(f"no sheet of {len(rows)} rows, {columns} columns and height {height}")
    strips = [_strip(clip if clip.ndim == 4 else clip[None], columns, height, interpolation) for _, clip in rows]
    width = max(strip.shape[1] for strip in strips) + 2 * _GAP
    sheet = np.full((_GAP + len(rows) * (_BAND + height + _GAP), width, 3), _PAPER, np.uint8)
    for row, ((label, _), strip) in enumerate(zip(rows, strips, strict=True)):
        top = _GAP + row * (_BAND + height + _GAP)
        text = label.encode("ascii", "replace").decode()
        baseline = top + _BAND - 6
        cv2.putText(sheet, text, (_GAP, baseline), _FONT, _FONT_SCALE, _INK, 1, cv2.LINE_AA)
        sheet[top + _BAND : top + _BAND + height, _GAP : _GAP + strip.shape[1]] = strip
    return sheet


def _strip(frames: Frames, columns: int, height: int, interpolation: Interpolation) -> Picture:
    chosen = np.unique(np.linspace(0, len(frames) - 1, columns).round().astype(int))
    pictures = [
        resize(frames[i], max(1, round(frames.shape[2] * height / frames.shape[1])), height, interpolation)
        for i in chosen
    ]
    gap = np.full((height, _GAP, 3), _PAPER, np.uint8)
    return np.concatenate([part for picture in pictures for part in (picture, gap)][:-1], axis=1)
