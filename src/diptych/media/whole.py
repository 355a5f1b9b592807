"""Is a media file whole? Its outermost boxes say how long it should be.

Decoders find a missing tail only when they reach it, Matroska's not even then: the clip just ends early. A ten-minute
driver would be worked on for an hour first. The outer structure of the common containers is a handful of lengths, so
the question can be answered at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from diptych.types import InputError

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = 0x18538067
_MP4_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")


def refuse_if_cut_short(path: Path) -> None:
    """Refuses a file that ends before its container says.

    Raises:
        InputError: with the number of bytes that are missing.
        OSError: the file cannot be read.
    """
    missing = missing_bytes(path)
    if missing:
        raise InputError(f"{path} is cut short, {missing:,} bytes are missing at its end; copy or download it again.")


def missing_bytes(path: Path) -> int:
    """Count the bytes that the container announces and the file does not have.

    Args:
        path: a readable file of any kind.

    Returns:
        0 if the file is as long as announced, longer, or of a kind that announces nothing.
    """
    actual = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(0)
        if head[:4] == _EBML:
            announced = _matroska_length(file)
        elif head[4:8] in _MP4_FIRST_BOXES:
            announced = _mp4_length(file, actual)
        elif head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"WEBP"):
            announced = 8 + int.from_bytes(head[4:8], "little")
        else:
            announced = 0
    return max(0, announced - actual)


def _mp4_length(file: BinaryIO, actual: int) -> int:
    """End of the last outer box; the walk stops at the first box that leaves the file."""
    position = 0
    while position + 8 <= actual:
        file.seek(position)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1 and len(head) == 16:
            size = int.from_bytes(head[8:16], "big")
        elif size == 0:  # reaches to the end of the file, however long that is
            return actual
        if size < 8:  # not a box: bytes that some tool appended
            return position
        position += size
    return position


def _matroska_length(file: BinaryIO) -> int:
    """End of the segment, 0 if its length was left open, as live recorders do."""
    while True:
        identity = _vint(file, keep_marker=True)
        size = _vint(file, keep_marker=False)
        if identity is None or size is None:
            return 0
        if identity == _SEGMENT:
            return file.tell() + size
        file.seek(size, 1)


def _vint(file: BinaryIO, *, keep_marker: bool) -> int | None:
    """A number of 1 to 8 bytes whose first set bit tells its length; None for "unknown" or at the end of the file."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    length = 9 - first[0].bit_length()
    rest = file.read(length - 1)
    if len(rest) < length - 1:
        return None
    value = int.from_bytes(first + rest, "big")
    if keep_marker:
        return value
    value -= 1 << (7 * length)
    return None if value == (1 << (7 * length)) - 1 else value
