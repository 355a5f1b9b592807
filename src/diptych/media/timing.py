"""Which frames of a driver are taken, and when they are shown: a part of it, or another frame rate.

Times stay exact: sums and multiples of the file's ticks, or of the frame rate that was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from diptych.media.decode import TimedFrame


@dataclass(frozen=True)
class Cut:
    """A part of a video, in seconds since its first frame.

    Attributes:
        start: frames that begin earlier are left out.
        end: frames that begin then or later are left out; None takes all.
    """

    start: Fraction = Fraction(0)
    end: Fraction | None = None

    def __post_init__(self) -> None:
        if self.start < 0 or (self.end is not None and self.end <= self.start):
            raise ValueError(f"a part from {self.start} to {self.end} s holds nothing")


def cut(frames: Iterable[TimedFrame], part: Cut) -> Iterator[TimedFrame]:
    """The frames of a part, their times as they were; the last one ends with the part.

    The source is not read further than the part's end.
    """
    begin: Fraction | None = None
    for frame in frames:
        if begin is None:
            begin = frame.time
        since = frame.time - begin
        if part.end is not None and since >= part.end:
            return
        if since >= part.start:
            rest = frame.duration if part.end is None else min(frame.duration, part.end - since)
            yield replace(frame, duration=rest)


def at_rate(frames: Iterable[TimedFrame], fps: Fraction) -> Iterator[TimedFrame]:
    """The same film at a constant frame rate: every new frame shows what was to be seen at its time.

    The first frame keeps its time; the film ends with the last new frame that begins before its end.

    Args:
        frames: in the order of display.
        fps: frames per second, above 0.
    """
    beat, begin, count = 1 / fps, None, 0
    for frame in frames:
        if begin is None:
            begin = frame.time
        # All new frames that begin before this one ends; of those, earlier ones were given with their own frames.
        until = ceil((frame.time + frame.duration - begin) * fps)
        for index in range(count, until):
            yield TimedFrame(frame.pixels, begin + index * beat, beat)
        count = max(count, until)
