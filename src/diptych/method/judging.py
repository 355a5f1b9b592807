"""What judges of made videos speak of: four dimensions, what a judge is shown, and what it finds (paper section 5.2).

The paper takes its dimensions from Video-Bench and leaves open how they are asked; two of them exist in no public code
of that benchmark. Who judges stands in ``diptych.experts.judge`` (a model that is asked, as in the paper) and
``diptych.experts.measured`` (by measurement, offline); both are a :class:`Judge`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

from diptych.types import Frames, Picture

Dimension = Literal["imaging_quality", "motion_smoothness", "temporal_consistency", "appearance_consistency"]

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
"""Each is scored from 1 (bad) to 5 (very good), in the order of the paper's table 1."""

LOWEST, HIGHEST = 1.0, 5.0


@dataclass(frozen=True, eq=False)
class Performance:
    """A made video with what it was made from: all that a judge may look at. Nobody tells it the right answer.

    Attributes:
        frames: the made video, RGB, uint8, ``(t, h, w, 3)``, t >= 1.
        fps: of it and of its driver, frames per second, > 0.
        reference: picture of the character that it has to show, RGB, uint8, ``(h', w', 3)``.
        driver: the video whose motion it has to perform, frame for frame, RGB, uint8, ``(t, h'', w'', 3)``.
        caption: what is to be seen, in words; from a file, so material and never an instruction.
    """

    frames: Frames
    fps: float
    reference: Picture
    driver: Frames
    caption: str = ""


@dataclass(frozen=True)
class Opinion:
    """What a judge says of one dimension.

    Attributes:
        scores: one for every time it was asked, each 1..5; at least one.
        reason: of the first, one line; empty where a judge gives none.
    """

    scores: tuple[float, ...]
    reason: str = ""

    @property
    def mean(self) -> float:
        """Of all its scores."""
        return sum(self.scores) / len(self.scores)

    @property
    def spread(self) -> float:
        """Standard deviation of its scores (n - 1 in the denominator), 0 where there is only one."""
        if len(self.scores) < 2:
            return 0.0
        return math.sqrt(sum((score - self.mean) ** 2 for score in self.scores) / (len(self.scores) - 1))


@dataclass(frozen=True)
class Verdict:
    """What a judge found of one performance.

    Attributes:
        opinions: by dimension; those in ``failed`` are missing here, and nothing stands in for them.
        failed: why there is no opinion, by dimension, one sentence each.
        facts: what was measured on the way, by name.
    """

    opinions: Mapping[Dimension, Opinion]
    failed: Mapping[Dimension, str] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)

    @property
    def average(self) -> float | None:
        """Mean over the four dimensions, which is what the paper's filter looks at; None where one of them failed."""
        if any(dimension not in self.opinions for dimension in DIMENSIONS):
            return None
        return sum(self.opinions[dimension].mean for dimension in DIMENSIONS) / len(DIMENSIONS)


class Judge(Protocol):
    """Scores performances. Safe to call from several threads."""

    def __call__(self, performance: Performance) -> Verdict:
        """Scores one performance in all dimensions."""
        ...
