"""Where a review stands: counts by kind of reviewer, decisions so far, agreement, what is found wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import get_args

from diptych.method.bootstrap import Reviewer as Kind
from diptych.synth.agreement import QUESTIONS, Agreement, Question, Verdict, agreement, passes
from diptych.synth.review import Candidate, Given, Reviewer, verdict_of


@dataclass(frozen=True)
class KindOverview:
    """What reviewers of one kind did. Kinds are never added up.

    Attributes:
        verdicts: that stand.
        skips: times that somebody could not tell.
        pairs: that have a verdict.
        kept: of these, as the rule of :func:`diptych.synth.agreement.passes` has it now.
        agreement: by question.
        reasons: how often each was given.
    """

    verdicts: int
    skips: int
    pairs: int
    kept: int
    agreement: dict[Question, Agreement]
    reasons: dict[str, int]


@dataclass(frozen=True)
class ReviewerOverview:
    """What one reviewer did.

    Attributes:
        name: whose.
        kind: of reviewer.
        verdicts: that stand.
        skips: times that this one could not tell.
        motion: yes to the motion.
        character: yes to the character.
        seconds: median time for which a pair was looked at; None before the first.
    """

    name: str
    kind: Kind
    verdicts: int
    skips: int
    motion: int
    character: int
    seconds: float | None


@dataclass(frozen=True)
class Overview:
    """Where a review stands.

    Attributes:
        pairs: that can be shown.
        kinds: by kind of reviewer; those of which there are none are missing.
        reviewers: everybody invited.
    """

    pairs: int
    kinds: dict[Kind, KindOverview]
    reviewers: tuple[ReviewerOverview, ...]


def overview(given: Iterable[Given], reviewers: Sequence[Reviewer], candidates: Iterable[Candidate]) -> Overview:
    """Adds up what was said of the pairs that are there now.

    Args:
        given: answers that stand.
        reviewers: everybody invited.
        candidates: pairs; answers on others, and on what these were before, are left out.
    """
    now = set(candidates)
    current = [answer for answer in given if Candidate(answer.pair, answer.content) in now]
    kinds: dict[Kind, KindOverview] = {}
    for kind in get_args(Kind):
        if any(reviewer.kind == kind for reviewer in reviewers):
            kinds[kind] = _of_kind([answer for answer in current if answer.kind == kind])
    people = tuple(_of_one(who, [answer for answer in current if answer.reviewer == who.name]) for who in reviewers)
    return Overview(len(now), kinds, people)


def _of_kind(given: Sequence[Given]) -> KindOverview:
    verdicts = _verdicts(given)
    by_pair: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_pair.setdefault(verdict.pair, []).append(verdict)
    return KindOverview(
        verdicts=len(verdicts),
        skips=len(given) - len(verdicts),
        pairs=len(by_pair),
        kept=sum(passes(of_one) for of_one in by_pair.values()),
        agreement={question: agreement(verdicts, question) for question in QUESTIONS},
        reasons=dict(Counter(reason for answer in given for reason in answer.answer.reasons).most_common()),
    )


def _of_one(reviewer: Reviewer, given: Sequence[Given]) -> ReviewerOverview:
    verdicts = _verdicts(given)
    return ReviewerOverview(
        name=reviewer.name,
        kind=reviewer.kind,
        verdicts=len(verdicts),
        skips=len(given) - len(verdicts),
        motion=sum(verdict.motion for verdict in verdicts),
        character=sum(verdict.character for verdict in verdicts),
        seconds=median(answer.seconds for answer in given) if given else None,
    )


def _verdicts(given: Iterable[Given]) -> list[Verdict]:
    return [verdict for answer in given if (verdict := verdict_of(answer)) is not None]
