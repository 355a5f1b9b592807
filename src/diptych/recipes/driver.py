"""The driver as it is asked for: its file, which part, at which rate, and what stands in its frames' place."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from diptych.media.frame import Placement
from diptych.media.timing import Cut, at_rate, cut
from diptych.media.video import TimedFrame, VideoInfo, probe, read_frames
from diptych.method.contract import Contract
from diptych.options import AnimateOptions
from diptych.recipes.pose_drive import Placed
from diptych.types import InputError, Picture


@dataclass(frozen=True)
class Driver:
    """The driver as it is asked for: its file, which part, at which rate.

    Attributes:
        info: what the file says.
        part: seconds of it.
        rate: frames per second asked for, or None for its own frames.
        drawn: what is shown in the place of every frame of the file: its skeletons.
        beside: draws what else is shown of frames of the file, in the auxiliary panel.
    """

    info: VideoInfo
    part: Cut
    rate: Fraction | None
    drawn: Callable[[], Iterator[Picture]] | None = None
    beside: Callable[[Iterable[Picture]], Iterator[Picture]] | None = None

    @classmethod
    def of(cls, options: AnimateOptions) -> Driver:
        """Reads the file's facts.

        Raises:
            InputError: if it cannot be read, or the part begins after its end.
        """
        info = probe(options.driving)
        if info.duration is not None and options.start >= info.duration:
            raise InputError(
                f"{options.driving} lasts {float(info.duration):.2f} s, so nothing is left of it from "
                f"{float(options.start):g} s on; choose an earlier --start."
            )
        return cls(info, Cut(options.start, options.end), options.fps)

    @property
    def fps(self) -> Fraction:
        """Frames per second on average."""
        return self.rate or self.info.average_fps

    @property
    def is_cut(self) -> bool:
        """Whether less than all of it is taken."""
        return self.part != Cut()

    @property
    def end(self) -> Fraction | None:
        """Where the part ends, in the file's time."""
        return None if self.part.end is None else self.info.start + self.part.end

    @property
    def time_base(self) -> Fraction:
        """A tick of which all times and durations are multiples."""
        ticks = [self.info.time_base]
        if self.rate is not None:
            ticks.append(1 / Fraction(self.rate))
        if self.part.end is not None:
            ticks.append(self.part.end)
        return Fraction(1, math.lcm(*(tick.denominator for tick in ticks)))

    @property
    def expected(self) -> int:
        """About how many frames, for the progress line; 0 where nobody knows."""
        if not self.is_cut and self.rate is None:
            return self.info.frames or 0
        length = self.info.duration or Fraction(0)
        length = min(length, self.part.end or length) - self.part.start
        return max(0, round(length * self.fps))

    def frames(self) -> Iterator[TimedFrame]:
        """The frames that are taken, their times as in the file."""
        frames = read_frames(self.info.path)
        if self.drawn is not None:
            frames = self._replaced(frames, self.drawn())
        if self.is_cut:
            frames = cut(frames, self.part)
        return frames if self.rate is None else at_rate(frames, self.rate)

    def auxiliary(self, every: int = 1) -> Iterator[Picture] | None:
        """What the auxiliary panel shows of every n-th frame that is taken; None where there is no such panel.

        The file is read a second time for it, in step with :meth:`frames`: those may be skeletons.
        """
        if self.beside is None:
            return None
        footage = dataclasses.replace(self, drawn=None).frames()
        return self.beside(frame.pixels for frame in itertools.islice(footage, 0, None, every))

    def replaced(self, skeletons: Placed, panel: Placement) -> Driver:
        """The same driver by its skeletons; what is shown beside them lies where their picture lies."""
        beside = self.beside
        return dataclasses.replace(
            self,
            drawn=partial(skeletons.frames, panel),
            beside=None if beside is None else lambda frames: skeletons.beside(beside(frames), panel),
        )

    def _replaced(self, frames: Iterator[TimedFrame], pictures: Iterator[Picture]) -> Iterator[TimedFrame]:
        count = 0
        for count, frame in enumerate(frames, start=1):
            pixels = next(pictures, None)
            if pixels is None:
                raise InputError(
                    f"{self.info.path} has more frames than its poses ({count - 1}); make the poses again."
                )
            yield dataclasses.replace(frame, pixels=pixels)
        if next(pictures, None) is not None:
            raise InputError(f"{self.info.path} has fewer frames ({count}) than its poses; make the poses again.")


def phases_for(fps: Fraction, contract: Contract) -> int:
    """Into how many interleaved drivers one is split so that each has a rate the model was trained for."""
    # Rates are averages: a driver of 30.01 frames a second is not worth two.
    return max(1, math.ceil(float(fps) / (contract.fps[1] * 1.05)))
