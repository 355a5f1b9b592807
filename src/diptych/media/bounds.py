"""How large a picture may be before it is refused."""

from __future__ import annotations

from pathlib import Path

from diptych.types import InputError

MAX_SIDE = 16_384
"""Longest side in pixels: what H.264 encoders take, and far above any camera."""

MAX_PIXELS = 100_000_000
"""Largest area in pixels: 300 MB as RGB. A file of a few kilobytes can claim more, which is a decompression bomb."""


def check_size(path: Path, width: int, height: int) -> None:
    """Refuse a picture whose decoded pixels would not reasonably fit in memory.

    Args:
        path: the file, for the message.
        width: pixels.
        height: pixels.

    Raises:
        InputError: a side is below 1 or above ``MAX_SIDE``, or the area is above ``MAX_PIXELS``.
    """
    if width < 1 or height < 1:
        raise InputError(f"{path} has no pixels ({width} x {height}); give a file with a picture in it.")
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise InputError(
            f"{path} is too large ({width} x {height} pixels); scale it to at most {MAX_SIDE} pixels a side and "
            f"{MAX_PIXELS // 1_000_000} megapixels."
        )
