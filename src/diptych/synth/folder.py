"""A folder of self-made pairs: where everything lies, what is done, and who is doing what at the moment.

Several runs may work on one folder, on one machine or on several that share it. Each claims a pair with a lock on a
file of its name, which the system frees however the run ends; a pair is done when its record stands, and that is
written after everything it speaks of. So a kill costs the pairs that were just being made, and nothing is made twice.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from pydantic import ValidationError

from diptych.data.manifest import Entry, write_manifest
from diptych.files import read_record, replacing, sweep_below, write_json, writing_errors
from diptych.types import InputError

Record = dict[str, Any]

MANIFEST = "pairs.jsonl"
"""All pairs of a folder, one line each."""

KINDS: dict[str, str] = {
    "target": "sources/{}.mp4",
    "driving": "driving/{}.mp4",
    "poses": "poses/{}.safetensors",
    "right": "right/{}.mp4",
    "identity": "identities/{}.png",
}
"""Where the files of a pair lie, by the manifest's keys; an identity has a name of its own."""


@dataclass(frozen=True)
class PairsFolder:
    """One folder of pairs.

    Attributes:
        folder: where it is.
    """

    folder: Path

    @property
    def manifest(self) -> Path:
        """All pairs that are made, one line each."""
        return self.folder / MANIFEST

    @property
    def failures(self) -> Path:
        """What could not be made, and why."""
        return self.folder / "synth" / "failures.jsonl"

    @property
    def references(self) -> Path:
        """The pictures that pairs are made with, and what is known of them."""
        return self.folder / "synth" / "references.jsonl"

    def record(self, name: str) -> Path:
        """What became of a pair."""
        return self.folder / "synth" / "items" / f"{name}.json"

    def make(self) -> None:
        """Makes the folders.

        Raises:
            InputError: if they cannot be made.
        """
        with writing_errors(self.folder):
            for path in (*KINDS.values(), "synth/items/x", "synth/claims/x"):
                (self.folder / path).parent.mkdir(parents=True, exist_ok=True)

    # --- who is doing what ------------------------------------------------------------------------------------------

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Takes part in the work on this folder. Who comes alone or leaves last clears away what killed runs left."""
        with (self.folder / "synth" / "lock").open("a") as lock:
            if _lock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                self._sweep()
            _lock(lock, fcntl.LOCK_SH)
            yield
            if _lock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                self._sweep()

    def _sweep(self) -> None:
        sweep_below(self.folder)
        for claim in (self.folder / "synth" / "claims").iterdir():
            claim.unlink()

    @contextmanager
    def claimed(self, name: str, *, wait: bool = False) -> Iterator[bool]:
        """Claims a pair for this process; says whether it could, which with ``wait`` it can in the end."""
        path = self.folder / "synth" / "claims" / name
        lock = _claim(path, wait)
        if lock is None:
            yield False
            return
        with lock:
            try:
                yield True
            finally:
                path.unlink(missing_ok=True)  # while it is still held

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Waits until no other run writes what concerns the whole folder."""
        with (self.folder / "synth" / "whole.lock").open("a") as lock:
            _lock(lock, fcntl.LOCK_EX)
            yield

    # --- what is done -----------------------------------------------------------------------------------------------

    def read(self, name: str) -> Record | None:
        """The record of a pair; None where it has none that can be read."""
        return read_record(self.record(name))

    def write(self, name: str, record: Mapping[str, Any]) -> None:
        """Writes the record of a pair; from now on it is done, or has failed.

        Raises:
            InputError: if it cannot be written.
        """
        write_json(self.record(name), record)

    def agree(self, asked: Record) -> None:
        """Writes down what all pairs of the folder have in common, or compares.

        Raises:
            InputError: if they were begun with something else.
        """
        path = self.folder / "synth" / "settings.json"
        wanted = json.loads(json.dumps(asked, default=str))
        with self.alone():
            if not path.exists():
                write_json(path, wanted)
                return
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
                other = next(_differences(found, wanted), None)
            except (OSError, ValueError, TypeError, AttributeError):
                raise InputError(f"{path} cannot be read; make pairs in another folder, or delete this one.") from None
        if other is not None:
            name, was, now = other[0], *(json.dumps(value)[:80] for value in other[1:])
            raise InputError(
                f"{self.folder} was begun with {name} = {was}, not {now}; make these pairs in another folder."
            )

    def write_manifest(self) -> tuple[list[Entry], list[Record]]:
        """Writes the manifest and the journal of failures from the records of all pairs, in the order of their ids.

        Returns:
            The pairs that are made, and what is told of the others.
        """
        with self.alone():
            items = (self.folder / "synth" / "items").glob("*.json")
            names = sorted(path.stem for path in items if not path.name.startswith("."))  # no drafts
            records = [record for record in map(self.read, names) if record is not None]
            entries = [self._entry(one) for one in records if "entry" in one]
            failed = [one for one in records if "entry" not in one]
            with writing_errors(self.manifest):
                write_manifest(self.manifest, entries)
            with writing_errors(self.failures), replacing(self.failures) as draft:
                draft.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in failed), "utf-8")
        return entries, failed

    def _entry(self, record: Record) -> Entry:
        try:
            return Entry.model_validate_json(json.dumps(record["entry"]))
        except ValidationError:
            where = self.record(str(record.get("id", "?")))
            raise InputError(f"{where} is not as it was written; delete it, and its pair is made again.") from None


def _lock(file: TextIO, how: int) -> bool:
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return False
    return True


def _claim(path: Path, wait: bool) -> TextIO | None:
    """The file of a claim, open and locked; None where somebody else holds it."""
    while True:
        file = path.open("a")
        if not _lock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB)):
            file.close()
            return None
        # Who held it before removed it: a lock on a file that is gone keeps nobody out.
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                return file
        file.close()


def _differences(found: Record, wanted: Record, within: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted names of what differs, and both values."""
    for name in {**found, **wanted}:
        was, now = found.get(name), wanted.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _differences(was, now, f"{within}{name}.")
        elif was != now:
            yield within + name, was, now
