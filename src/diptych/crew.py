"""Items of a long job, done by one process, several processes or threads; a kill wastes no more than those begun.

What items need and is dear to make (a loaded model, a connection) is made once in each process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from threading import Lock, Thread
from typing import Any, TypeVar

from diptych.progress import progress

I = TypeVar("I")  # noqa: E741  an item
Made = TypeVar("Made")


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
    with ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=alone) as pool:
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


def alone() -> None:
    """Makes a worker one of one thread, and one that does not outlive the run, however that ends."""
    import cv2

    cv2.setNumThreads(1)
    # Torch reads this when it is first imported; most steps never do.
    os.environ["OMP_NUM_THREADS"] = "1"
    run = parent_process()
    assert run is not None
    # A killed run closes nothing: its workers would wait for the next item for ever.
    Thread(target=lambda: (wait([run.sentinel]), os._exit(1)), daemon=True).start()


_MADE: dict[Callable[[], Any], Any] = {}
_MAKING = Lock()


def once(make: Callable[[], Made]) -> Made:
    """What ``make`` makes, made when it is first asked for in this process.

    Args:
        make: compared by what it says, since other processes get a copy with every item: a function of a module, or an
            instance of a frozen dataclass. No ``partial``, each of which is only ever equal to itself.
    """
    with _MAKING:
        if make not in _MADE:
            _MADE[make] = make()
    made: Made = _MADE[make]
    return made


def let_go() -> None:
    """Closes connections, and gives memory back."""
    for made in _MADE.values():
        if hasattr(made, "close"):
            made.close()
    _MADE.clear()
