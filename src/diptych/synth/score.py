"""A judge scores self-made pairs (paper section 3.4): each made video, with the picture and the footage it came from.

A pair is done when its record stands, which is written after the verdict is there: a killed run goes on with the pairs
that have none. A record says which files and which settings it was made from; where one of them has changed, the pair
is judged again. A pair that failed is tried again by the next run, and has no score until then: none is made up.
"""

from __future__ import annotations

import functools
import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from diptych.crew import let_go, once, processes, run_items, threads
from diptych.data.manifest import Entry, read_manifest
from diptych.files import locked, replacing, sha256, sweep_below, write_json, writing_errors
from diptych.media.image import read_image
from diptych.media.video import read_frames
from diptych.method.judging import Judge, Performance, Verdict
from diptych.synth.folder import MANIFEST
from diptych.synth.verdicts import JudgedFolder, Record, Scored
from diptych.types import Frames, InputError

MOST_BYTES = 1 << 30
"""Decoded pixels of one video of a pair: 121 frames of 720p have a third of it."""

_SPENT_EVERY_S = 1.0


@dataclass(frozen=True)
class Judging:
    """A judge as the recipe hands it in.

    Attributes:
        name: ``measured``, or the model that is asked.
        settings: everything that its verdicts depend on but the pair itself, as plain data.
        make: makes the judge, once a process; must be importable by name where it works in processes. What it raises
            as ``InputError`` ends the run; what it cannot judge it says in its verdict.
        threads: that ask it at a time, where it is somewhere else and answers slowly; 0 where it is here and works in
            the processes of the run.
        spent: what it has used up in this run, by name; None where it costs nothing.
    """

    name: str
    settings: Mapping[str, Any]
    make: Callable[[], Judge]
    threads: int = 0
    spent: Callable[[], Mapping[str, float]] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a run has left.

    Attributes:
        verdicts: file of them.
        judged: pairs with a verdict.
        failed: pairs without one, with the reason.
        spent: what the judge has used up in this run, by name.
    """

    verdicts: Path
    judged: int
    failed: dict[str, str]
    spent: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PairItem:
    """A pair that has to be judged.

    Attributes:
        entry: its line of the manifest.
        made_from: what its verdict will depend on.
    """

    entry: Entry
    made_from: Record


# --- the job --------------------------------------------------------------------------------------------------------


def score(pairs: Path, judging: Judging, *, workers: int = 1, quiet: bool = False, made_with: str = "") -> Outcome:
    """Has every pair judged that is not, and writes the verdicts.

    Args:
        pairs: folder of pairs.
        judging: who judges.
        workers: processes, for a judge that works here, >= 1.
        quiet: show no progress.
        made_with: for ``run.json``: program and version.

    Raises:
        InputError: if the folder holds no pairs, is being judged by another run, or cannot be written; or the judge
            cannot go on, in which case the verdicts so far are written before.
    """
    entries = pairs_of(pairs)
    judged = JudgedFolder(pairs, judging.name)
    with writing_errors(judged.folder):
        judged.record("x").parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with locked(judged.folder / "lock"):
        sweep_below(judged.folder)
        by = _hash(judging.settings)
        items = [PairItem(entry, _made_from(entry, by)) for entry in entries]
        left = [item for item in items if not _is_done(judged.read(item.entry.id), item)]
        account = _Account(judged, judging.spent)
        try:
            _judge_all(left, len(items), judged, judging, workers, quiet, account)
        finally:
            let_go()
            account.write()
            scored, failed = _tell(judged, items)
            facts = {
                "made_with": made_with,
                "judge": judging.name,
                "settings": dict(judging.settings),
                "pairs": len(items),
                "judged": len(scored),
                "failed": len(failed),
                "looked_at_in_this_run": len(left),
                "wall_seconds": round(time.monotonic() - began, 3),
                "spent_in_this_run": account.this_run(),
                "spent_in_all_runs": account.all_runs(),
            }
            write_json(judged.folder / "run.json", facts)
    return Outcome(judged.verdicts, len(scored), failed, account.this_run())


def pairs_of(folder: Path) -> list[Entry]:
    """The pairs of a folder.

    Raises:
        InputError: if it holds none, or an entry is no self-made pair.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise InputError(f"{folder} holds no {MANIFEST}; name a folder that diptych synth made.")
    entries = read_manifest(manifest)
    for entry in entries:
        lacks = "pair" if entry.pair is None else "driving" if entry.driving is None else None
        if lacks is not None:
            raise InputError(
                f"{manifest}, id {entry.id!r}: no self-made pair, it has no {lacks}; mend or remove the line."
            )
    return entries


def _judge_all(
    left: list[PairItem],
    total: int,
    judged: JudgedFolder,
    judging: Judging,
    workers: int,
    quiet: bool,
    account: _Account,
) -> None:
    work = functools.partial(judge_pair, judged=judged, make=judging.make)
    if not judging.threads:
        with processes(workers) as crew:
            run_items("judge", "pairs", left, work, total=total, crew=crew, quiet=quiet)
        return

    def counted(item: PairItem) -> None:
        work(item)
        account.note()

    with threads(judging.threads) as crew:
        run_items("judge", "pairs", left, counted, total=total, crew=crew, quiet=quiet)


def judge_pair(item: PairItem, judged: JudgedFolder, make: Callable[[], Judge]) -> None:
    """Judges one pair and writes its record.

    Args:
        item: which.
        judged: where its record goes.
        make: makes the judge, once a process.

    Raises:
        InputError: if the record cannot be written, or the judge cannot go on.
    """
    began = time.monotonic()
    try:
        performance = read_performance(judged.pairs, item.entry)
    except InputError as error:
        found: Record = {"failed": {"files": str(error)}}
    else:
        found = _found(once(make)(performance), item.entry.id, judged.judge)
    seconds = round(time.monotonic() - began, 3)
    write_json(judged.record(item.entry.id), {"made_from": item.made_from, **found, "seconds": seconds})


def _found(verdict: Verdict, name: str, judge: str) -> Record:
    if verdict.average is None:
        # What was scored is told as well: for people, since an average of fewer dimensions is none.
        scores = {dimension: opinion.mean for dimension, opinion in verdict.opinions.items()}
        return {"failed": dict(verdict.failed), "scores": scores}
    opinions = verdict.opinions
    scored = Scored(
        id=name,
        judge=judge,
        scores={dimension: opinion.mean for dimension, opinion in opinions.items()},
        average=verdict.average,
        spread={dimension: opinion.spread for dimension, opinion in opinions.items()},
        asked={dimension: list(opinion.scores) for dimension, opinion in opinions.items()},
        reasons={dimension: opinion.reason for dimension, opinion in opinions.items() if opinion.reason},
        facts=dict(verdict.facts),
    )
    return {"verdict": scored.model_dump(mode="json")}


# --- what is read ---------------------------------------------------------------------------------------------------


def read_performance(folder: Path, entry: Entry) -> Performance:
    """A pair as a judge sees it: V_o with V_src and I_o. What it should have been is not looked at.

    Raises:
        InputError: if a file is missing, is not the file it was, cannot be decoded, or is too large.
    """
    assert entry.pair is not None  # checked when the manifest was read
    assert entry.driving is not None
    files = {key: folder / entry.files[key] for key in ("driving", "target", "identity")}
    for key, path in files.items():
        if not path.is_file():
            raise InputError(f"{entry.files[key]} is missing; put it back or remove the line.")
        if sha256(path) != entry.sha256.get(key):
            raise InputError(f"{entry.files[key]} is not the file it was; make the pair again.")
    return Performance(
        frames=_frames(files["driving"], entry),
        fps=float(Fraction(entry.fps)),
        reference=read_image(files["identity"]),
        driver=_frames(files["target"], entry),
        caption=entry.prompt,
    )


def _frames(path: Path, entry: Entry) -> Frames:
    kept = []
    size = 0
    for frame in islice(read_frames(path), entry.frames + 1):
        kept.append(frame.pixels)
        size += frame.pixels.nbytes
        if size > MOST_BYTES:
            raise InputError(f"{path} has more than {MOST_BYTES >> 20} MiB of pixels; cut or scale it down.")
    if len(kept) != entry.frames:
        more = "more" if len(kept) > entry.frames else "fewer"
        raise InputError(f"{path} has {more} frames than the {entry.frames} of its pair; make the pair again.")
    return np.stack(kept)


# --- what is written ------------------------------------------------------------------------------------------------


def _made_from(entry: Entry, by: str) -> Record:
    files = {key: entry.sha256.get(key, "") for key in ("driving", "target", "identity")}
    return {"judge": by, **files, "caption": _hash(entry.prompt)}


def _is_done(record: Record | None, item: PairItem) -> bool:
    return record is not None and record.get("made_from") == item.made_from and "verdict" in record


def _tell(judged: JudgedFolder, items: list[PairItem]) -> tuple[list[Record], dict[str, str]]:
    """Writes verdicts and failures from the records of the pairs that are there now."""
    scored: list[Record] = []
    failed: dict[str, str] = {}
    lines: list[Record] = []
    for item in items:
        name, record = item.entry.id, judged.read(item.entry.id)
        if record is None or record.get("made_from") != item.made_from:
            continue
        if "verdict" in record:
            scored.append(record["verdict"])
        else:
            failed[name] = " ".join(record["failed"].values())
            lines.append({"id": name, "failed": record["failed"], "scores": record.get("scores", {})})
    _write_lines(judged.verdicts, scored)
    _write_lines(judged.folder / "failures.jsonl", lines)
    return scored, failed


def _write_lines(path: Path, lines: list[Record]) -> None:
    with writing_errors(path), replacing(path) as draft:
        draft.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


class _Account:
    """What all runs on a folder have spent; on disk while it is being spent, so that a kill loses a second of it."""

    def __init__(self, judged: JudgedFolder, spent: Callable[[], Mapping[str, float]] | None) -> None:
        self._path, self._spent = judged.folder / "spent.json", spent
        self._lock, self._written = threading.Lock(), time.monotonic()
        try:
            before = json.loads(self._path.read_text(encoding="utf-8"))
            self._before = {str(name): float(value) for name, value in before.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self._before = {}

    def this_run(self) -> dict[str, float]:
        return dict(self._spent()) if self._spent is not None else {}

    def all_runs(self) -> dict[str, float]:
        now = self.this_run()
        return {name: self._before.get(name, 0) + now.get(name, 0) for name in [*now, *(self._before.keys() - now)]}

    def note(self) -> None:
        """Something may have been spent."""
        with self._lock:
            due = time.monotonic() - self._written > _SPENT_EVERY_S
            self._written = time.monotonic() if due else self._written
        if due:
            self.write()

    def write(self) -> None:
        if self._spent is not None:
            with self._lock:
                write_json(self._path, self.all_runs())


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:32]
