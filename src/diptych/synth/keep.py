"""Which pairs are trained on: a judge's scores, then people's verdicts (paper, section 3.4).

What is kept carries who judged it and who looked: verdicts of scripts or of the made-up world's truth are never told as
people's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diptych.data.manifest import Entry, Judged, Pair, read_manifest, write_manifest
from diptych.files import writing_errors
from diptych.media.frame import resize
from diptych.media.psnr import decibels
from diptych.media.video import read_frames
from diptych.method.bootstrap import Decision, Fate, KeepRule, fates
from diptych.synth.folder import MANIFEST
from diptych.synth.verdicts import read_verdicts
from diptych.types import InputError

TRUTH = "truth"
"""The judge that compares with what is exactly right; it scores in decibels."""


@dataclass(frozen=True)
class Scores:
    """What a judge found of pairs.

    Attributes:
        averages: by id; higher is better.
        judged: in full by id, where the judge scores from 1 to 5.
    """

    averages: Mapping[str, float]
    judged: Mapping[str, Judged]


@dataclass(frozen=True)
class Kept:
    """What is kept.

    Attributes:
        entries: of the new manifest.
        fates: how many pairs met which fate.
    """

    entries: tuple[Entry, ...]
    fates: Mapping[Fate, int]


def keep(
    pairs: Path,
    output: Path,
    rule: KeepRule,
    scores: Callable[[list[Entry]], Scores],
    decisions: Mapping[str, Decision],
) -> Kept:
    """Writes the manifest of what is kept.

    Args:
        pairs: folder of pairs.
        output: manifest to write; beside that of all pairs, since its paths are relative to it.
        rule: what is good enough.
        scores: gives a judge's of the pairs.
        decisions: of reviewers, by id.

    Raises:
        InputError: if there are no pairs, or the manifest would lie elsewhere.
    """
    if output.parent.resolve() != pairs.resolve() or output.name == MANIFEST:
        raise InputError(f"{output} must be a new file in {pairs}, because its paths are relative to that folder.")
    entries = [entry for entry in read_manifest(pairs / MANIFEST) if entry.pair is not None]
    if not entries:
        raise InputError(f"{pairs / MANIFEST} holds no self-made pair; make some with diptych synth.")
    found = scores(entries)
    fate = fates([entry.id for entry in entries], found.averages, decisions, rule)
    kept = tuple(
        _signed(entry, found.judged.get(entry.id), decisions.get(entry.id))
        for entry in entries
        if fate[entry.id] == "kept"
    )
    with writing_errors(output):
        write_manifest(output, kept)
    return Kept(kept, Counter(fate.values()))


def _signed(entry: Entry, judged: Judged | None, decision: Decision | None) -> Entry:
    """The entry with who found it good."""
    assert entry.pair is not None
    pair = Pair(
        identity=entry.pair.identity,
        source=entry.pair.source,
        right=entry.pair.right,
        judged=judged,
        reviewed="no" if decision is None else decision.kind,
        verdicts=0 if decision is None else decision.verdicts,
    )
    return entry.model_copy(update={"pair": pair})


# --- judges ---------------------------------------------------------------------------------------------------------


def judged_by(pairs: Path, judge: str | None) -> Path:
    """The file of a judge's verdicts; of the only one where none is named.

    Raises:
        InputError: if there is none, or more than one and nobody said which.
    """
    there = sorted((pairs / "judged").glob("*.jsonl"))
    if judge is None:
        if len(there) == 1:
            return there[0]
        names = ", ".join(path.stem for path in there)
        raise InputError(
            f"{pairs} was judged by {names}; say --judge NAME." if there else
            f"{pairs} was not judged yet; run diptych judge {pairs}."
        )  # fmt: skip
    found = [path for path in there if path.stem == judge]
    if not found:
        names = ", ".join(path.stem for path in there) or "nobody"
        raise InputError(f"{pairs} was not judged by {judge!r} but by {names}; run diptych judge, or name another.")
    return found[0]


def read_scores(path: Path) -> Scores:
    """A judge's verdicts.

    Raises:
        InputError: as :func:`~diptych.synth.verdicts.read_verdicts`.
    """
    verdicts = read_verdicts(path)
    return Scores({one.id: one.average for one in verdicts}, {one.id: one.judged() for one in verdicts})


def scores_by_truth(pairs: Path, entries: list[Entry]) -> Scores:
    """How close made videos come to what they should have been, dB; only the made-up world knows that.

    Raises:
        InputError: if a video is missing or cannot be read.
    """
    known = [(entry, entry.pair.right) for entry in entries if entry.pair is not None and entry.pair.right is not None]
    if not known:
        raise InputError(f"{pairs} holds no pair whose right answer is known; name another --judge.")
    return Scores({e.id: _psnr_db(pairs / (e.driving or ""), pairs / right) for e, right in known}, {})


def _psnr_db(made: Path, right: Path) -> float:
    """Of a whole clip, its errors averaged before they are turned into decibels."""
    total = count = 0.0
    for one, other in zip(read_frames(made), read_frames(right), strict=True):
        height, width = other.pixels.shape[:2]
        error = resize(one.pixels, width, height).astype(np.float64) - other.pixels
        total, count = total + float(np.square(error).sum()), count + error.size
    return decibels(total / count, peak=255)
