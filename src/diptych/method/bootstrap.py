"""Pairs that the method makes for itself (paper, section 3.4): whom a clip's motion is given to, and what is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Reviewer = Literal["human", "scripted", "truth"]
"""What kind of reviewer gave a verdict; only the first is a person."""


@dataclass(frozen=True)
class Decision:
    """What reviewers of one kind made of a pair.

    Attributes:
        keep: whether the pair is to be trained on.
        kind: of the reviewers; those of one kind never count as another.
        verdicts: how many of them looked, >= 1.
    """

    keep: bool
    kind: Reviewer
    verdicts: int
