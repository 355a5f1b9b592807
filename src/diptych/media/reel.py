"""A video as pictures in parts, for a page that shows exact frames.

Players in browsers seek by seconds, round them as they like and run on clocks of their own; two of them are never in
step for certain. So a page gets the frames themselves, numbered, as JPEG files one behind the other, and draws the ones
it wants. They are decoded as they are asked for, in order, and each only once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from diptych.media.image import read_image
from diptych.media.video import read_frames
from diptych.types import InputError, Picture

PART = 12
"""Frames of a part; the last part of a video has fewer, perhaps none."""

LONGEST = 1800
"""Frames of a video that are shown; of a longer one the first."""

SIDES = (320, 640, 1280)
"""Pixels of the longer side that can be asked for; smaller pictures stay as they are."""

_QUALITY = 92


class Reel:
    """One video, or one picture as a video of one frame. Threads may share it."""

    def __init__(self, path: Path, *, side: int = SIDES[-1], still: bool = False) -> None:
        """Nothing is read before the first part is asked for.

        Args:
            path: a video, or a picture.
            side: most pixels of the longer side; larger frames are scaled down.
            still: it is a picture.
        """
        self._path, self._side, self._lock = path, side, Lock()
        self._pictures: Iterator[Picture] = self._still() if still else self._moving()
        self._parts: list[bytes] = []
        self._ended = False

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return sum(map(len, self._parts))

    def part(self, number: int) -> bytes:
        """Frames ``number * PART`` and following.

        Args:
            number: of the part, >= 0.

        Returns:
            For every frame its length in bytes (four bytes, the highest first) and a JPEG file. Fewer than ``PART``
            frames where the video ends, none behind its end.

        Raises:
            InputError: the file cannot be decoded so far.
        """
        with self._lock:
            while len(self._parts) <= number and not self._ended:
                files = [_jpeg(picture, self._side) for picture in islice(self._pictures, PART)]
                self._ended = len(files) < PART
                self._parts.append(b"".join(len(file).to_bytes(4, "big") + file for file in files))
            return self._parts[number] if number < len(self._parts) else b""

    def _still(self) -> Iterator[Picture]:
        yield read_image(self._path)

    def _moving(self) -> Iterator[Picture]:
        for frame in islice(read_frames(self._path), LONGEST):
            yield frame.pixels


def _jpeg(picture: Picture, side: int) -> bytes:
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    # Full colour resolution: colours of clothes are what a reviewer is asked about.
    settings = [
        cv2.IMWRITE_JPEG_QUALITY,
        _QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    done, file = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), settings)
    if not done:
        raise InputError(f"a picture of {width} x {height} pixels cannot be shown; scale the video down.")
    return file.tobytes()
