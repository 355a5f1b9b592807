"""Pictures for people: clips side by side, contact sheets of many clips, and of one clip's poses."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.media.draw import draw_skeletons
from diptych.media.frame import Interpolation, Pixels, resize
from diptych.types import Frames, Picture, Skeleton

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
    sizes = [(clip.shape[-2], clip.shape[-3]) for clip in clips]
    for clip, (_, width) in zip(clips, columns_of(sizes, height, gap), strict=True):
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


def columns_of(sizes: Sequence[tuple[int, int]], height: int, gap: int = _GAP) -> list[tuple[int, int]]:
    """Where :func:`side_by_side` puts each part: its left edge and its width, pixels.

    Args:
        sizes: width and height of each part.
        height: of the joined picture.
        gap: columns between neighbours.
    """
    widths = [max(1, round(width * height / its)) for width, its in sizes]
    return [(sum(widths[:i]) + i * gap, width) for i, width in enumerate(widths)]


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


def pose_sheet(
    rows: Sequence[tuple[str, Sequence[Skeleton]]],
    size: tuple[int, int],
    columns: int,
    height: int,
    frames: Frames | None = None,
) -> Picture:
    """Draw versions of one clip's poses below each other, moments side by side: raw ones, augmented ones.

    Args:
        rows: label and poses of one version, all of t frames; the first is what was found in the footage.
        size: width and height of the picture whose pixels the poses are in.
        columns: moments, spread evenly from the first to the last.
        height: of each drawing, pixels.
        frames: the footage, RGB, uint8, ``(t, h, w, 3)`` of any size; it gets a row of its own at the top, dimmed, with
            the first version drawn over it.

    Returns:
        RGB, uint8, ``(h, w, 3)``: white paper.

    Raises:
        ValueError: no rows, a size below 1, or footage of another length.
    """
    if not rows or min(*size, columns, height) < 1:
        raise ValueError(f"no sheet of {len(rows)} rows, {columns} columns and height {height}")
    scale = height / size[1]
    width = max(1, round(size[0] * scale))
    chosen = _spread(len(rows[0][1][0].joints), columns)
    drawn: list[tuple[str, Pixels]] = []
    for label, poses in rows:
        drawn.append((label, draw_skeletons(poses, height, width, scale=scale, moments=chosen.tolist())))
    if frames is not None:
        if len(frames) != len(rows[0][1][0].joints):
            raise ValueError(f"{len(frames)} frames of footage for {len(rows[0][1][0].joints)} of poses")
        footage = resize(np.ascontiguousarray(frames[chosen]), width, height)
        skeletons = drawn[0][1]
        over = np.where(skeletons.any(-1, keepdims=True), skeletons, footage // 2)
        drawn.insert(0, (f"footage, {rows[0][0]}", over))
    return contact_sheet(drawn, columns, height)


def _spread(length: int, columns: int) -> NDArray[np.intp]:
    """Moments of a clip, evenly from its first to its last, none twice."""
    return np.unique(np.linspace(0, length - 1, columns).round().astype(np.intp))


def _strip(frames: Frames, columns: int, height: int, interpolation: Interpolation) -> Picture:
    chosen = _spread(len(frames), columns)
    pictures = [
        resize(frames[i], max(1, round(frames.shape[2] * height / frames.shape[1])), height, interpolation)
        for i in chosen
    ]
    gap = np.full((height, _GAP, 3), _PAPER, np.uint8)
    return np.concatenate([part for picture in pictures for part in (picture, gap)][:-1], axis=1)
