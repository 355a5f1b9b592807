"""What has been done to a dataset: one small file for every item of every step.

An item is finished when its record stands in the folder, and a record is written after everything it speaks of. So a
run that was killed has lost what it was just doing and nothing else, and several processes need no word with each
other. What a record was made from (the source's size and age, a clip's hash) stands in it; where that has changed, the
item is made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from diptych.files import read_record, write_json, writing_errors

Step = Literal["clips", "poses", "captions", "latents"]
STEPS: tuple[Step, ...] = ("clips", "poses", "captions", "latents")

Record = dict[str, Any]


@dataclass(frozen=True)
class Dataset:
    """A folder that is being prepared: where everything in it lies.

    Attributes:
        folder: of the dataset.
    """

    folder: Path

    @property
    def manifest(self) -> Path:
        """The result: one line a clip."""
        return self.folder / "manifest.jsonl"

    @property
    def written(self) -> Path:
        """The manifest as it was written last: what differs from it was edited by hand."""
        return self.folder / "prepare" / "written.jsonl"

    def clip(self, name: str) -> Path:
        """A clip's video."""
        return self.folder / "clips" / f"{name}.mp4"

    def poses(self, name: str) -> Path:
        """A clip's skeletons."""
        return self.folder / "poses" / f"{name}.safetensors"

    def told(self, step: Step) -> Path:
        """What a step kept and dropped, one line an item."""
        return self.folder / "prepare" / f"{step}.jsonl"

    def strip(self, name: str) -> Path:
        """A few small frames of something that was dropped before it became a clip."""
        return self.folder / "prepare" / "dropped" / f"{name}.jpg"

    def record(self, step: Step, key: str) -> Path:
        """The record of an item."""
        return self.folder / "prepare" / "state" / step / f"{key}.json"

    def make(self) -> None:
        """Makes the folders.

        Raises:
            InputError: if they cannot be made.
        """
        with writing_errors(self.folder):
            for step in STEPS:
                self.record(step, "x").parent.mkdir(parents=True, exist_ok=True)
            for path in (self.clip("x"), self.poses("x"), self.strip("x")):
                path.parent.mkdir(parents=True, exist_ok=True)

    def read(self, step: Step, key: str) -> Record | None:
        """An item's record, or None where it has none that can be read."""
        return read_record(self.record(step, key))

    def write(self, step: Step, key: str, record: Record) -> None:
        """Writes an item's record; from now on the item is done.

        Raises:
            InputError: if it cannot be written.
        """
        write_json(self.record(step, key), record)

    def forget(self, step: Step) -> None:
        """Undoes a step: its items are made again by the next run. Words written by hand stay."""
        for path in self.record(step, "x").parent.glob("*.json"):
            if not (step == "captions" and (self.read(step, path.stem) or {}).get("by") == "hand"):
                path.unlink()


def is_done(record: Record | None, made_from: Record) -> bool:
    """Whether an item's record stands, and was made from what is there now."""
    return record is not None and record.get("made_from") == made_from
