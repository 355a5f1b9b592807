"""What is known of a video and of each of its frames, whatever reads the file."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from diptych.types import Picture


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says about itself.

    Attributes:
        path: the file.
        width: pixels as displayed: upright and with square pixels.
        height: pixels as displayed.
        time_base: seconds per tick of the file's clock; every frame time is a multiple of it.
        average_fps: frames per second on average, as declared or estimated from the first frames.
        frames: number of frames as declared, None if the file does not say. Not always right: trust a full read.
        duration: length of the picture track in seconds as declared (of the file where the track has none), or None.
        has_audio: whether there is a sound track.
        rotation: degrees clockwise by which the stored picture is turned for display: 0, 90, 180 or 270.
        start: time of the first frame in seconds.
    """

    path: Path
    width: int
    height: int
    time_base: Fraction
    average_fps: Fraction
    frames: int | None
    duration: Fraction | None
    has_audio: bool
    rotation: int
    start: Fraction


@dataclass(frozen=True, eq=False)
class TimedFrame:
    """One frame of a video and when it is shown.

    Attributes:
        pixels: RGB, uint8, ``(h, w, 3)``, upright, square pixels.
        time: seconds, an exact multiple of the file's tick.
        duration: seconds until the next frame; for the last frame as the file says. Above 0, a multiple of the tick.
    """

    pixels: Picture
    time: Fraction
    duration: Fraction
