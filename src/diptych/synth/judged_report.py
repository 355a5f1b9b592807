"""What judges think of a folder of pairs, for people: scores, their spread, failures, and whether judges agree."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from diptych.method.judging import DIMENSIONS, HIGHEST, LOWEST
from diptych.method.ranks import kendall, spearman
from diptych.synth.verdicts import Scored, read_verdicts
from diptych.types import InputError

_BAR = 32
_BINS = 8
_FEW = 5


def report(pairs: Path) -> str:
    """Everything that was judged in a folder of pairs, as text.

    Args:
        pairs: folder of pairs.

    Raises:
        InputError: if nobody has judged them, or a file of verdicts is broken.
    """
    files = sorted((pairs / "judged").glob("*.jsonl"))
    if not files:
        raise InputError(f"{pairs} has not been judged; run diptych judge {pairs} first.")
    verdicts = {file.stem: read_verdicts(file) for file in files}
    parts = [_of_one(pairs, name, found) for name, found in verdicts.items()]
    parts += [_of_two(a, verdicts[a], b, verdicts[b]) for a, b in itertools.combinations(verdicts, 2)]
    return "\n\n".join(parts)


def _of_one(pairs: Path, name: str, verdicts: Sequence[Scored]) -> str:
    failures = _failures(pairs / "judged" / name / "failures.jsonl")
    lines = [f"{name}: {len(verdicts)} pairs judged, {len(failures)} without a verdict"]
    if verdicts:
        lines.append(f"  {'':24}{'mean':>6}{'sd':>6}{'lowest':>8}{'highest':>9}{'of repeats':>12}")
        for dimension in DIMENSIONS:
            of_repeats = [one.spread[dimension] for one in verdicts if len(one.asked.get(dimension, ())) > 1]
            lines.append(_row(dimension, [one.scores[dimension] for one in verdicts], of_repeats))
        averages = [one.average for one in verdicts]
        lines += [_row("average", averages, []), "", *_histogram(averages)]
    if failures:
        lines += ["", *(f"  {reason}" for reason in failures[:_FEW])]
        lines += [f"  and {len(failures) - _FEW} more in judged/{name}/failures.jsonl"] if len(failures) > _FEW else []
    return "\n".join(lines)


def _row(what: str, scores: Sequence[float], of_repeats: Sequence[float]) -> str:
    low, high = min(scores), max(scores)
    repeats = f"{np.mean(of_repeats):12.2f}" if of_repeats else f"{'-':>12}"
    return f"  {what:24}{np.mean(scores):6.2f}{np.std(scores):6.2f}{low:8.2f}{high:9.2f}{repeats}"


def _histogram(averages: Sequence[float]) -> list[str]:
    counts, edges = np.histogram(averages, _BINS, (LOWEST, HIGHEST))
    most = max(1, int(counts.max()))
    return [
        f"  {low:.1f} to {high:.1f}  {'#' * round(_BAR * count / most):{_BAR}} {count}"
        for count, low, high in zip(counts.tolist(), edges[:-1], edges[1:], strict=True)
    ]


def _failures(path: Path) -> list[str]:
    """A line for each pair without a verdict."""
    found = []
    try:
        for line in path.read_text("utf-8").splitlines():
            told = json.loads(line)
            found.append(f"{told['id']}: " + " ".join(f"{what}: {why}" for what, why in told["failed"].items()))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path} cannot be read; delete it and run diptych judge again.") from None
    return found


def _of_two(one: str, ones: Sequence[Scored], other: str, others: Sequence[Scored]) -> str:
    theirs = {verdict.id: verdict for verdict in others}
    both = [(verdict, theirs[verdict.id]) for verdict in ones if verdict.id in theirs]
    lines = [f"{one} and {other}: {len(both)} pairs judged by both"]
    if len(both) > 1:
        lines.append(f"  {'':24}{'Spearman':>9}{'Kendall':>9}{'difference':>12}")
        rows = {str(name): [(a.scores[name], b.scores[name]) for a, b in both] for name in DIMENSIONS}
        for name, scores in {**rows, "average": [(a.average, b.average) for a, b in both]}.items():
            a, b = zip(*scores, strict=True)
            apart = float(np.mean(np.abs(np.subtract(a, b))))
            lines.append(f"  {name:24}{spearman(a, b):9.2f}{kendall(a, b):9.2f}{apart:12.2f}")
    return "\n".join(lines)
