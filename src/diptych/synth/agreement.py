"""What several verdicts on one pair amount to, and how far reviewers agree. Pure arithmetic, no files.

The paper has people check each pair twice over, motion and character (section 3.4), and names neither a rule for
several of them nor a measure of agreement. Ours are here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

Question = Literal["motion", "character"]
QUESTIONS: tuple[Question, ...] = ("motion", "character")


@dataclass(frozen=True)
class Verdict:
    """What one reviewer found of one pair.

    Attributes:
        reviewer: who.
        pair: which.
        motion: whether the made video moves as the footage does.
        character: whether it shows the character of the picture.
    """

    reviewer: str
    pair: str
    motion: bool
    character: bool

    def answer(self, question: Question) -> bool:
        """To one of the two questions."""
        return self.motion if question == "motion" else self.character


@dataclass(frozen=True)
class Between:
    """How far two reviewers agree on one question, over the pairs that both of them saw.

    Attributes:
        first: reviewer.
        second: reviewer.
        both: pairs that both gave a verdict on, >= 1.
        same: of these, to which they gave one answer.
        kappa: Cohen's, -1..1; None where it is not defined (:func:`cohens_kappa`).
    """

    first: str
    second: str
    both: int
    same: int
    kappa: float | None


@dataclass(frozen=True)
class Agreement:
    """How far all reviewers agree on one question.

    Attributes:
        between: every two of them who have pairs in common, in the order of their names.
        kappa: mean of those kappas that are defined, every two reviewers weighing the same; None where none is.
    """

    between: tuple[Between, ...]
    kappa: float | None


def passes(verdicts: Sequence[Verdict]) -> bool:
    """Whether a pair is kept: most reviewers say yes to the motion, and most say yes to the character.

    Each question is counted alone, and half is not most: a tie is a no.
    """
    return all(2 * sum(v.answer(question) for v in verdicts) > len(verdicts) for question in QUESTIONS)


def cohens_kappa(first: Sequence[bool], second: Sequence[bool]) -> float | None:
    """How much of the agreement that chance leaves open two reviewers reach (Cohen 1960).

    Args:
        first: one reviewer's answers.
        second: the other's, pair by pair.

    Returns:
        ``(p - e) / (1 - e)``, where p is the share of equal answers and e the share that two reviewers would reach who
        answer at random as often yes as these did. None without pairs, and where both gave one and the same answer
        throughout: e is 1 then, and nothing can be told from chance.

    Raises:
        ValueError: the two are not of one length.
    """
    count = len(first)
    if count != len(second):
        raise ValueError(f"{count} answers beside {len(second)}")
    yes, yes_too = sum(first), sum(second)
    # Whole numbers until the end, so that "chance alone explains everything" is an exact comparison.
    by_chance = yes * yes_too + (count - yes) * (count - yes_too)
    if by_chance == count * count:
        return None
    same = count * sum(a == b for a, b in zip(first, second, strict=True))
    return (same - by_chance) / (count * count - by_chance)


def agreement(verdicts: Iterable[Verdict], question: Question) -> Agreement:
    """How far reviewers agree on a question, two by two.

    Args:
        verdicts: at most one a reviewer and pair.
        question: which.
    """
    answers: dict[str, dict[str, bool]] = {}
    for verdict in verdicts:
        answers.setdefault(verdict.reviewer, {})[verdict.pair] = verdict.answer(question)
    between = tuple(
        _between(first, answers[first], second, answers[second])
        for first, second in combinations(sorted(answers), 2)
        if answers[first].keys() & answers[second].keys()
    )
    kappas = [two.kappa for two in between if two.kappa is not None]
    return Agreement(between, sum(kappas) / len(kappas) if kappas else None)


def _between(first: str, answers: dict[str, bool], second: str, others: dict[str, bool]) -> Between:
    both = sorted(answers.keys() & others.keys())
    ours, theirs = [answers[pair] for pair in both], [others[pair] for pair in both]
    same = sum(a == b for a, b in zip(ours, theirs, strict=True))
    return Between(first, second, len(both), same, cohens_kappa(ours, theirs))
