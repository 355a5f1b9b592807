"""A suite result for people: a table for a terminal, and a contact sheet of the best, middle and worst pairs."""

from __future__ import annotations

import math

import numpy as np

from diptych.bench.baselines import BASELINES
from diptych.bench.suite import CEILING, MODEL, STRIP_FRAMES, PairResult, Scores, SuiteResult
from diptych.media.sheet import contact_sheet
from diptych.types import Frames, Picture

_COLUMNS = ("PSNR dB", "figure dB", "SSIM", "identity", "motion")


def table(result: SuiteResult) -> str:
    """Every contestant's mean scores, then the model against ceiling and best baseline by category.

    Args:
        result: a suite run.

    Returns:
        Lines of at most 80 columns, without a line end after the last.
    """
    lines = [f"{result.suite}: {len(result.pairs)} pairs, mean over pairs", _row("", _COLUMNS)]
    lines += [_row(name.replace("_", " "), _cells(result.mean(name))) for name in result.contestants]
    best = result.best_baseline()
    ahead = result.mean(MODEL).psnr_db - result.mean(best).psnr_db
    lines += [
        "higher is better: PSNR, figure, SSIM; lower is better: identity, motion error",
        f"model against the best baseline, {best.replace('_', ' ')}: {ahead:+.2f} dB",
        "",
        _row("PSNR dB by category", ("pairs", "model", "ceiling", "baseline", "ahead")),
    ]
    lines += [_category_row(result, category) for category in result.categories]
    return "\n".join(line.rstrip() for line in lines)


def ranked(result: SuiteResult) -> tuple[PairResult, ...]:
    """Pairs by the model's PSNR, best first; equal ones by id, so that the order never depends on the run."""
    return tuple(sorted(result.pairs, key=lambda pair: (-pair.scores[MODEL].psnr_db, pair.id)))


def best_middle_worst(result: SuiteResult, k: int = 3) -> tuple[tuple[PairResult, ...], ...]:
    """The ``k`` best, middle and worst pairs by rank, each best first; fewer where the suite has under ``3 * k`` pairs.

    No pair is in two groups.
    """
    order = ranked(result)
    k = min(k, max(1, len(order) // 3))
    best, rest = order[:k], order[k:]
    rest, worst = rest[: max(0, len(rest) - k)], rest[max(0, len(rest) - k) :]
    start = max(0, (len(rest) - k) // 2)
    return best, rest[start : start + k], worst


def _category_row(result: SuiteResult, category: str) -> str:
    pairs = sum(pair.category == category for pair in result.pairs)
    model = result.mean(MODEL, category).psnr_db
    best = max(result.mean(name, category).psnr_db for name in BASELINES)
    ceiling = result.mean(CEILING, category).psnr_db if CEILING in result.contestants else math.nan
    return _row(
        category, (str(pairs), _number(model, 2), _number(ceiling, 2), _number(best, 2), f"{model - best:+.2f}")
    )


def _cells(scores: Scores) -> tuple[str, ...]:
    return (
        _number(scores.psnr_db, 2),
        _number(scores.masked_psnr_db, 2),
        _number(scores.ssim, 3),
        _number(scores.identity_error, 3),
        _number(scores.motion_error, 3),
    )


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _row(name: str, cells: tuple[str, ...]) -> str:
    return f"{name[:28]:28}" + "".join(f"{cell:>10}" for cell in cells)


def rank_sheet(result: SuiteResult, k: int = 3, columns: int = STRIP_FRAMES, height: int = 80) -> Picture:
    """Best, middle and worst pairs by the model's PSNR, as a picture to look at.

    The three groups stand side by side. Every pair has four rows: reference, driver, truth, result.

    Args:
        result: a suite run.
        k: pairs of each group.
        columns: frames shown of each clip, at most ``STRIP_FRAMES``.
        height: of a frame in pixels.

    Returns:
        RGB, uint8, ``(h, w, 3)``.
    """
    rank = {pair.id: place for place, pair in enumerate(ranked(result), 1)}
    groups = zip(("best", "middle", "worst"), best_middle_worst(result, k), strict=True)
    sheets = [
        contact_sheet([row for pair in pairs for row in _rows(group, rank[pair.id], pair)], columns, height)
        for group, pairs in groups
        if pairs
    ]
    tall = max(sheet.shape[0] for sheet in sheets)
    padded = [np.pad(s, ((0, tall - s.shape[0]), (0, 0), (0, 0)), constant_values=255) for s in sheets]
    return np.concatenate(padded, axis=1)


def _rows(group: str, rank: int, pair: PairResult) -> list[tuple[str, Frames]]:
    scores, strip = pair.scores[MODEL], pair.strip
    return [
        (f"{group}, rank {rank}: {pair.id}", strip.reference[None]),
        ("driver", strip.driver),
        ("truth", strip.truth),
        (
            f"result: {scores.psnr_db:.1f} dB, identity {scores.identity_error:.2f}, motion {scores.motion_error:.2f}",
            strip.result,
        ),
    ]
