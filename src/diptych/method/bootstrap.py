"""Pairs that the method makes for itself (paper, section 3.4): who gets a motion, what is kept, what is learned of it.

The pose model lets another character perform a clip's motion (Eq. 3); a judge and people keep what came out well; then
the roles are turned round: the made video drives and the footage is the answer (Eq. 4). So whatever is wrong with a
made video is on the input side, and what is learned is always real.

The paper does not say how the other character is chosen. Here is the rule: one that fits, drawn by the seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diptych.method.skeleton import CONFIDENT, WHOLEBODY, topology_of
from diptych.method.text_guidance import kind_of
from diptych.types import Frames, Sample, Skeleton, Triplet

# --- whom a motion is given to --------------------------------------------------------------------------------------

Kind = Literal["person", "animal", "other"]
"""What kind of body is shown: upright people, four-legged animals, or anything else."""

Framing = Literal["full", "half", "face"]
"""How much of a body is shown: all of it, to the hips, or the head."""

FRAMINGS: tuple[Framing, ...] = ("full", "half", "face")

Step = Literal["all fits", "any size", "any kind", "any framing", "anybody"]
"""How far the rule had to give way; each step has given up what the steps before it have."""

STEPS: tuple[Step, ...] = ("all fits", "any size", "any kind", "any framing", "anybody")

SAME_KIND = 0.7
"""Share of references that are to be of the clip's own kind; the others are to be of another, for the sake of drivers
that the targets are not."""

LARGE = 0.6
"""Share of the picture's height from which a figure counts as large."""


@dataclass(frozen=True)
class Shown:
    """Who is in a picture or a clip; None wherever nobody knows.

    Attributes:
        kind: of body.
        framing: how much of it.
        figures: how many, >= 1.
        share: of the picture's height that they fill, 0..1.
    """

    kind: Kind | None = None
    framing: Framing | None = None
    figures: int | None = None
    share: float | None = None

    @property
    def large(self) -> bool | None:
        """Whether the figures fill much of the picture."""
        return None if self.share is None else self.share >= LARGE


@dataclass(frozen=True)
class Candidate:
    """A picture that may be the reference of a pair.

    Attributes:
        name: unique among the candidates.
        identities: every name of who is shown: of the character, of its picture's bytes, of the footage it is from.
        shown: who that is.
    """

    name: str
    identities: frozenset[str]
    shown: Shown


@dataclass(frozen=True)
class Choice:
    """A candidate and how well it fits.

    Attributes:
        name: of the candidate.
        step: the step of the rule that found it.
    """

    name: str
    step: Step


class Cast:
    """All candidates, ready to be chosen from many times."""

    def __init__(self, candidates: Sequence[Candidate], same_kind: float = SAME_KIND) -> None:
        """Puts the candidates in an order of their own, so that the order in which they are given does not matter.

        Args:
            candidates: of different names.
            same_kind: share of choices that are to be of the clip's own kind, 0..1.

        Raises:
            ValueError: if two have one name.
        """
        self._all = sorted(candidates, key=lambda one: one.name)
        if len({one.name for one in self._all}) != len(self._all):
            raise ValueError("two candidates have one name")
        self._same_kind = same_kind
        self._pools: dict[tuple[object, ...], list[int]] = {}

    def choose(self, clip: Shown, identities: Collection[str], seed: Sequence[int], count: int) -> tuple[Choice, ...]:
        """References for a clip, the best first; never one who shares an identity with it, and nobody twice.

        For every place the kind is drawn first: the clip's own, or any other. Then whoever agrees in kind, framing,
        number of figures and size is asked for; where there is nobody, size is given up, then kind, framing, and at
        last the number of figures. Among those that fit the seed decides. What nobody knows of the clip is not asked
        for; a candidate of whom it is not known fits only once it is given up.

        Args:
            clip: who is in it.
            identities: every name of who is in it.
            seed: the choice follows from it and from the candidates.
            count: as many as there are, if there are fewer.
        """
        rng = np.random.default_rng([*seed, 0x0C])
        own, taken, chosen = frozenset(identities), set[int](), list[Choice]()
        while len(chosen) < count:
            found = self._next(clip, bool(rng.random() < self._same_kind), rng, own, taken)
            if found is None:
                break
            taken.add(found[0])
            chosen.append(Choice(self._all[found[0]].name, found[1]))
        return tuple(chosen)

    def _next(
        self, clip: Shown, same: bool, rng: np.random.Generator, own: frozenset[str], taken: set[int]
    ) -> tuple[int, Step] | None:
        for step in STEPS:
            pool = self._fitting(clip, same, step)
            for index in rng.permutation(len(pool)):
                one = pool[index]
                if one not in taken and not own & self._all[one].identities:
                    return one, step
        return None

    def _fitting(self, clip: Shown, same: bool, step: Step) -> list[int]:
        """Candidates that a step leaves, by their places; found once for all clips that ask the same."""
        given_up = STEPS.index(step)
        wanted = (
            clip.large if given_up < 1 else None,
            clip.kind if given_up < 2 else None,
            clip.framing if given_up < 3 else None,
            clip.figures if given_up < 4 else None,
        )
        key = (*wanted, same)
        if key not in self._pools:
            self._pools[key] = [i for i, one in enumerate(self._all) if _fits(one.shown, wanted, same)]
        return self._pools[key]


def _fits(shown: Shown, wanted: tuple[bool | None, Kind | None, Framing | None, int | None], same: bool) -> bool:
    large, kind, framing, figures = wanted
    if kind is not None and (shown.kind is None or (shown.kind == kind) != same):
        return False
    asked = ((large, shown.large), (framing, shown.framing), (figures, shown.figures))
    return all(want is None or want == have for want, have in asked)


# --- who is shown, told by skeletons or words -----------------------------------------------------------------------

_HEAD = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "neck")
_ENDS = ("left_ankle", "right_ankle", "left_back_paw", "right_back_paw")
_LEAST_JOINTS = 3


def shown_by_poses(poses: Sequence[Skeleton], width: int, height: int, threshold: float = CONFIDENT) -> Shown:
    """Who is in a clip or a picture, told by its skeletons.

    A figure counts if it is seen in half the frames. It is shown in full if an ankle or a hind paw lies inside the
    picture in most of them, to the hips if any joint below the shoulders does, else its face is. Several figures are
    framed as the first of them that shows most.

    Args:
        poses: of a clip, joints ``(t, figures, j, 3)`` in pixels; one frame for a picture.
        width: of the picture, pixels.
        height: of it.
        threshold: joints of less confidence are not seen.
    """
    framings, kinds, share = list[Framing](), list[Kind](), 0.0
    for skeleton in poses:
        kind: Kind = "person" if topology_of(skeleton) is WHOLEBODY else "animal"
        for figure in range(skeleton.joints.shape[1]):
            at = skeleton.joints[:, figure]
            seen = _seen(at, width, height, threshold)
            there = seen.sum(-1) >= _LEAST_JOINTS
            if there.mean() < 0.5:
                continue
            kinds.append(kind)
            framings.append(_framing(seen[there], skeleton.names))
            share = max(share, _tall(at[there, :, 1], seen[there]) / height)
    if not kinds:
        return Shown()
    most: Kind = "person" if 2 * kinds.count("person") >= len(kinds) else "animal"
    return Shown(most, min(framings, key=FRAMINGS.index), len(kinds), min(1.0, share))


def _seen(joints: NDArray[np.float32], width: int, height: int, threshold: float) -> NDArray[np.bool_]:
    """Which joints lie inside the picture, ``(t, j)``."""
    x, y, confidence = np.moveaxis(joints, -1, 0)
    sure = (confidence >= threshold) & (confidence > 0)
    return np.asarray(sure & (x >= 0) & (x <= width) & (y >= 0) & (y <= height))


def _framing(seen: NDArray[np.bool_], names: Sequence[str]) -> Framing:
    often = {name for name, share in zip(names, seen.mean(0), strict=True) if share >= 0.5}
    if often & set(_ENDS):
        return "full"
    body = {name for name in often if name.startswith(("left_", "right_", "root")) and name not in _HEAD}
    return "half" if body & {"left_elbow", "right_elbow", "left_hip", "right_hip", "root_of_tail"} else "face"


def _tall(y: NDArray[np.float32], seen: NDArray[np.bool_]) -> float:
    """Median over time of the height of the joints that are seen, pixels."""
    high, low = np.where(seen, y, np.inf).min(-1), np.where(seen, y, -np.inf).max(-1)
    return float(np.median(low - high))


def kind_by_looks(looks: str) -> Kind | None:
    """What kind of body a text on looks speaks of; None where it does not say."""
    found = kind_of(looks)
    if found in ("person", "animal"):
        return "person" if found == "person" else "animal"
    return None if found in ("several", "unknown") else "other"


# --- what is kept ---------------------------------------------------------------------------------------------------

THRESHOLD = 4.5
"""Average score above which the paper keeps a pair (section 3.4)."""

Reviewer = Literal["human", "scripted", "truth"]
"""What kind of reviewer gave a verdict; only the first is a person."""

Fate = Literal["kept", "not judged", "low score", "no verdict", "turned down"]
"""What becomes of a pair."""


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


@dataclass(frozen=True)
class KeepRule:
    """Which pairs are kept.

    Attributes:
        threshold: the average must lie above it; not looked at where a percentile is named.
        percentile: keep so many of a hundred, the best; None goes by the threshold.
        review: whether a pair that nobody looked at is left out.
    """

    threshold: float = THRESHOLD
    percentile: float | None = None
    review: bool = True

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            ValueError: if the percentile is not from above 0 to 100.
        """
        if self.percentile is not None and not 0 < self.percentile <= 100:
            raise ValueError(f"a percentile is above 0 and at most 100, not {self.percentile}")


def fates(
    ids: Sequence[str], averages: Mapping[str, float], decisions: Mapping[str, Decision], rule: KeepRule
) -> dict[str, Fate]:
    """What becomes of every pair: first the judge, then people (paper, section 3.4).

    With a percentile the score of the last one that is kept decides, so equals fare alike. Who is not judged is not
    counted among the hundred. A verdict against a pair counts also where none is asked for.

    Args:
        ids: of all pairs.
        averages: a judge's, by id; higher is better.
        decisions: of reviewers, by id.
        rule: see there.
    """
    good = _good([averages[name] for name in ids if name in averages], rule)
    found: dict[str, Fate] = {}
    for name in ids:
        decision = decisions.get(name)
        if name not in averages:
            found[name] = "not judged"
        elif not good(averages[name]):
            found[name] = "low score"
        elif decision is None:
            found[name] = "no verdict" if rule.review else "kept"
        else:
            found[name] = "kept" if decision.keep else "turned down"
    return found


def _good(averages: Sequence[float], rule: KeepRule) -> Callable[[float], bool]:
    """Whether an average is good enough among others."""
    if rule.percentile is None or not averages:
        return lambda average: average > rule.threshold
    places = max(1, math.floor(len(averages) * rule.percentile / 100 + 0.5))
    last = sorted(averages, reverse=True)[places - 1]
    return lambda average: average >= last


# --- what is learned ------------------------------------------------------------------------------------------------


def reversed_triplet(made: Frames, source: Frames, prompt: str = "") -> Triplet:
    """The pair as it is trained on (paper, Eq. 4): the made video drives, the footage is the answer.

    Args:
        made: V_o, RGB, uint8, ``(t, h', w', 3)``.
        source: V_src, RGB, uint8, ``(t, h, w, 3)``; its first frame is the reference.
        prompt: the source's character in its motion.

    Raises:
        ValueError: if they are not frame for frame.
    """
    if len(made) != len(source) or not len(source):
        raise ValueError(f"a made video of {len(made)} frames for footage of {len(source)}: they must be as many")
    return Triplet(Sample(source[0], made, prompt), source)
