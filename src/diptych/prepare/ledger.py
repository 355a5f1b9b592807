"""What has been done to a dataset: one small file for every item of every step, and the run that makes those missing.

An item is finished when its record stands in the folder, and a record is written after everything it speaks of. So a
run that was killed has lost what it was just doing and nothing else, and several processes need no word with each
other. What a record was made from (the source's size and age, a clip's hash) stands in it; where that has changed, the
item is made again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread
from typing import Any, Literal, TypeVar

from diptych.files import write_json, writing_errors
from diptych.progress import progress

Step = Literal["clips", "poses", "captions", "latents"]
STEPS: tuple[Step, ...] = ("clips", "poses", "captions", "latents")

Record = dict[str, Any]
I = TypeVar("I")  # noqa: E741  an item


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
        try:
            found = json.loads(self.record(step, key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

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


@dataclass(frozen=True)
class Crew:
    """Who does the items of a run's steps: this process, others, or threads.

    Attributes:
        pool: of processes or threads; None where this process does everything itself.
        at_once: items that are being done at a time, >= 1.
    """

    pool: Executor | None = None
    at_once: int = 1


@contextmanager
def processes(count: int) -> Iterator[Crew]:
    """So many processes for all steps of a run, since starting one takes as long as many an item."""
    if count <= 1:
        yield Crew()
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_alone) as pool:
        yield Crew(pool, count)


@contextmanager
def threads(count: int) -> Iterator[Crew]:
    """So many threads of this process, for work that waits for others."""
    with ThreadPoolExecutor(count) as pool:
        yield Crew(pool, count)


def run_items(
    label: str,
    unit: str,
    items: Sequence[I],
    work: Callable[[I], None],
    *,
    total: int,
    crew: Crew,
    quiet: bool = False,
) -> None:
    """Does what is still to be done.

    Args:
        label: of the progress.
        unit: plural noun of an item.
        items: those still to be done.
        work: does one and writes its record; for other processes it must be importable by name, as items must.
        total: items in all, those done before included.
        crew: who does them.
        quiet: show no progress.
    """
    done = total - len(items)
    with progress(label, total, unit, start=done, quiet=quiet) as report:
        for _ in _each(items, work, crew):
            done += 1
            report(done)


def _each(items: Sequence[I], work: Callable[[I], None], crew: Crew) -> Iterator[None]:
    if crew.pool is None:
        for item in items:
            work(item)
            yield
        return
    # Only as many items are handed out as are done at a time, so that a kill wastes little.
    waiting = iter(items)
    running = {crew.pool.submit(work, item) for item in islice(waiting, crew.at_once)}
    try:
        while running:
            finished = next(as_completed(running))
            running.remove(finished)
            finished.result()
            yield
            running |= {crew.pool.submit(work, item) for item in islice(waiting, 1)}
    finally:
        for future in running:
            future.cancel()


def _alone() -> None:
    """Makes a worker one of one thread, and one that does not outlive the run, however that ends."""
    import cv2

    cv2.setNumThreads(1)
    # Torch reads this when it is first imported; most steps never do.
    os.environ["OMP_NUM_THREADS"] = "1"
    run = parent_process()
    assert run is not None
    # A killed run closes nothing: its workers would wait for the next item for ever.
    Thread(target=lambda: (wait([run.sentinel]), os._exit(1)), daemon=True).start()
