"""A suite run: every pair animated, measured against its exact truth, and set beside baselines that learned nothing.

Pairs stream through one at a time, so memory does not grow with the suite; of the pictures only a few frames a pair are
kept, enough for a contact sheet. The model and the VAE are handed in as callables: this room knows arrays only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from diptych.bench.baselines import BASELINES
from diptych.bench.cases import Case, puppet_case
from diptych.bench.measures import masked_psnr_db, psnr_db, ssim
from diptych.bench.seesaw import identity_error, motion_error
from diptych.puppets.suite import SuitePair, suite_pairs
from diptych.types import Frames, Picture

MODEL = "model"
CEILING = "ceiling"
STRIP_FRAMES = 6

Animate = Callable[[Case], Frames]
"""A case, whose truth it does not look at -> frames of the reference's size, one a driving frame, any lead-in cut."""

Progress = Callable[[int, int, str], None]
"""Pairs done, pairs in all, id of the pair just done."""


@dataclass(frozen=True)
class Scores:
    """What one contestant's clip measures, or the mean of several clips.

    Attributes:
        psnr_db: dB of the clip's mean squared error; higher is better.
        masked_psnr_db: the same over the figure's pixels; NaN where no frame shows a figure.
        ssim: structural similarity of luma, at most 1; higher is better.
        identity_error: looks, whatever the pose; 0 = the truth's, about 1 = another character's.
        motion_error: pose, whatever the looks; 0 = the truth's, about 1 = another motion or none.
    """

    psnr_db: float
    masked_psnr_db: float
    ssim: float
    identity_error: float
    motion_error: float


@dataclass(frozen=True, eq=False)
class Strip:
    """A few frames of a pair, evenly spread in time, for people to look at; all uint8, ``(n, h, w, 3)``.

    The reference is one picture ``(h, w, 3)``; the driver's frames may have another size than the rest.
    """

    reference: Picture
    driver: Frames
    truth: Frames
    result: Frames


@dataclass(frozen=True, eq=False)
class PairResult:
    """Everything measured of one pair: scores by contestant (model, ceiling if there is one, each baseline)."""

    id: str
    category: str
    scores: dict[str, Scores]
    strip: Strip


@dataclass(frozen=True, eq=False)
class SuiteResult:
    """A whole run, pairs in the suite's order."""

    suite: str
    pairs: tuple[PairResult, ...]

    @property
    def contestants(self) -> tuple[str, ...]:
        """Names in the order model, ceiling (if measured), baselines."""
        return tuple(self.pairs[0].scores)

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories in the order in which the suite first names them."""
        return tuple(dict.fromkeys(pair.category for pair in self.pairs))

    def mean(self, contestant: str, category: str | None = None) -> Scores:
        """Mean over pairs of every score, of one category or of all; a NaN is left out of its own mean only."""
        chosen = [pair.scores[contestant] for pair in self.pairs if category in (None, pair.category)]
        return mean_scores(chosen)

    def best_baseline(self, category: str | None = None) -> str:
        """The baseline of highest mean PSNR."""
        return max(BASELINES, key=lambda name: self.mean(name, category).psnr_db)

    def to_json(self) -> dict[str, Any]:
        """The result as plain values for a JSON file; a value that does not exist is None."""
        whole = {name: self.mean(name) for name in self.contestants}
        return {
            "suite": self.suite,
            "pairs": len(self.pairs),
            "psnr_db": whole[MODEL].psnr_db,
            "ceiling_db": whole[CEILING].psnr_db if CEILING in whole else None,
            "baselines": {name: whole[name].psnr_db for name in BASELINES},
            "best_baseline": self.best_baseline(),
            "measures": {name: _plain(scores) for name, scores in whole.items()},
            "per_category": {
                category: {
                    "pairs": sum(pair.category == category for pair in self.pairs),
                    "measures": {name: _plain(self.mean(name, category)) for name in self.contestants},
                }
                for category in self.categories
            },
            "per_pair": [
                {
                    "id": pair.id,
                    "category": pair.category,
                    "measures": {name: _plain(scores) for name, scores in pair.scores.items()},
                }
                for pair in self.pairs
            ],
        }


def run_suite(
    animate: Animate,
    ceiling: Callable[[Frames], Frames] | None = None,
    suite: str | Iterable[Case] = "puppets-v1",
    progress: Progress | None = None,
    first: int | None = None,
    only: Callable[[SuitePair], bool] | None = None,
    scale: int = 1,
) -> SuiteResult:
    """Animate and measure every pair of a suite.

    Args:
        animate: the model; see ``Animate``.
        ceiling: a clip encoded and decoded by the model's VAE, frames of the same shape; it is given the truth, so its
            scores are the best that any denoiser on that VAE can reach. None leaves the ceiling out.
        suite: the name of a frozen suite, or cases of one's own.
        progress: called after every pair.
        first: how many pairs, from the suite's start; None for all.
        only: which pairs of a frozen suite are taken; None for all. Figures of a part are not those of the suite.
        scale: how many times as wide and high a frozen suite is drawn, >= 1. Figures of one scale are not another's.

    Returns:
        Scores of the model, the ceiling and every baseline, pair by pair.

    Raises:
        InputError: there is no suite of that name.
        ValueError: there is no pair, or a callable returned frames of the wrong shape or type.
    """
    cases: Iterable[Case]
    if isinstance(suite, str):
        pairs = tuple(pair for pair in suite_pairs(suite) if only is None or only(pair))[:first]
        name = suite if only is None else f"{suite}, {len(pairs)} chosen pairs"
        name = name if scale == 1 else f"{name}, drawn {scale} times as large"
        total, cases = len(pairs), (puppet_case(pair.enlarged(scale)) for pair in pairs)
    else:
        cases = tuple(suite)[:first]
        name, total = "own cases", len(cases)
    if first is not None:
        name = f"{name}, first {total}"
    done: list[PairResult] = []
    for case in cases:
        done.append(measure_case(case, animate, ceiling))
        if progress is not None:
            progress(len(done), total, case.id)
    if not done:
        raise ValueError(f"the suite {name} has no pairs")
    return SuiteResult(name, tuple(done))


def measure_case(case: Case, animate: Animate, ceiling: Callable[[Frames], Frames] | None = None) -> PairResult:
    """Scores of model, ceiling and baselines on one case; arguments as for ``run_suite``."""
    result = _checked(animate(case), case, "the model")
    scores = {MODEL: score(result, case)}
    if ceiling is not None:
        scores[CEILING] = score(_checked(ceiling(case.truth), case, "the encode-decode"), case)
    for name, baseline in BASELINES.items():
        scores[name] = score(baseline(case.sample), case)
    return PairResult(case.id, case.category, scores, _strip(case, result))


def score(result: Frames, case: Case) -> Scores:
    """Every measure of one clip against a case's truth."""
    return Scores(
        psnr_db=psnr_db(result, case.truth),
        masked_psnr_db=masked_psnr_db(result, case.truth, case.mask),
        ssim=ssim(result, case.truth),
        identity_error=identity_error(result, case.truth, case.mask),
        motion_error=motion_error(result, case.truth, case.mask),
    )


def mean_scores(scores: Iterable[Scores]) -> Scores:
    """Mean of every score; NaN values are left out of their own mean, which is NaN if nothing is left."""
    rows = [tuple(vars(entry).values()) for entry in scores]
    columns = [[value for value in column if not math.isnan(value)] for column in zip(*rows, strict=True)]
    return Scores(*(sum(column) / len(column) if column else math.nan for column in columns))


def _checked(frames: Frames, case: Case, who: str) -> Frames:
    if frames.dtype != np.uint8 or frames.shape != case.truth.shape:
        raise ValueError(
            f"{who} returned {frames.dtype} frames of shape {frames.shape} for pair {case.id}, "
            f"needed are uint8 frames of shape {case.truth.shape}"
        )
    return frames


def _strip(case: Case, result: Frames) -> Strip:
    times = np.unique(np.linspace(0, len(result) - 1, STRIP_FRAMES).round().astype(int))
    return Strip(case.sample.reference, case.sample.motion[times], case.truth[times], result[times].copy())


def _plain(scores: Scores) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else round(value, 6) for name, value in vars(scores).items()}
