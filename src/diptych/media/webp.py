"""Animated WebP, which libav cannot read: Pillow decodes it, the file's own chunks give the times."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from diptych.media.bounds import check_size
from diptych.media.timed import TimedFrame, VideoInfo
from diptych.media.whole import refuse_if_cut_short
from diptych.types import InputError

_TICK = Fraction(1, 1000)
_HEAD = 24  # bytes of a frame's own header within its chunk


def is_webp(path: Path) -> bool:
    """Whether the file begins as WebP does; False for what cannot be read."""
    if not path.is_file():  # a pipe would wait for ever
        return False
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def webp_info(path: Path) -> VideoInfo:
    """The facts of an animation.

    Raises:
        InputError: the file is cut short, damaged, too large, or a picture that does not move.
    """
    durations = _durations(path)
    with _opened(path) as image:
        width, height = image.size
    length = sum(durations) * _TICK
    return VideoInfo(
        path=path,
        width=width,
        height=height,
        time_base=_TICK,
        average_fps=len(durations) / length,
        frames=len(durations),
        duration=length,
        has_audio=False,
        rotation=0,
        start=Fraction(0),
    )


def webp_frames(path: Path, background: tuple[int, int, int]) -> Iterator[TimedFrame]:
    """Every frame with its time, one in memory at a time.

    Args:
        path: an animation.
        background: RGB behind transparent pixels.

    Raises:
        InputError: as :func:`webp_info`, and where a frame cannot be decoded.
    """
    durations, clock = _durations(path), 0
    with _opened(path) as image:
        ground = Image.new("RGBA", image.size, (*background, 255))
        for index, duration in enumerate(durations):
            try:
                image.seek(index)
                frame = Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
            except Exception as error:  # Pillow lets out whatever a damaged file makes its decoder trip over
                after = float(clock * _TICK)
                raise InputError(
                    f"{path} is damaged after {after:.2f} s; export it again, or cut it before that point."
                ) from error
            yield TimedFrame(np.array(frame, np.uint8), clock * _TICK, duration * _TICK)
            clock += duration


def _opened(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(path, formats=("WEBP",))
    except Exception as error:
        raise InputError(f"{path} is not a WebP animation that can be read; convert it to an mp4.") from error
    try:
        check_size(path, *image.size)
    except InputError:
        image.close()
        raise
    return image


def _durations(path: Path) -> list[int]:
    """Milliseconds of every frame. None lasts no time: players take nothing for a tenth of a second."""
    refuse_if_cut_short(path)
    durations = []
    with path.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"ANMF" and size >= _HEAD:
                durations.append(int.from_bytes(file.read(16)[12:15], "little") or 100)
                size -= 16
            file.seek(size + size % 2, 1)
    if not durations:
        raise InputError(f"{path} is a picture that does not move; give an animation or a video as the driver.")
    return durations
