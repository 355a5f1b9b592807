"""Processes that fill a cache of draws side by side, and end when the run ends, however it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import islice
from multiprocessing import get_context

import torch

from diptych.crew import alone
from diptych.progress import progress


def make_shards(
    make: Callable[[int], None], missing: Sequence[int], *, total: int, workers: int, deadline: float | None
) -> None:
    """Makes the missing shards of a cache, or as many as there is time for.

    Args:
        make: makes and writes the shard of an index; where there are workers, they import it by its name.
        missing: indices still to be made.
        total: shards there will be in the end, for the progress line.
        workers: processes beside this one; 0 makes them here, with the model that lies here.
        deadline: ``time.monotonic()`` value after which no shard is begun.
    """
    with progress("cache", total, "shards", start=total - len(missing)) as report:
        done = total - len(missing)
        if not workers:
            for index in missing:
                if deadline is not None and time.monotonic() >= deadline:
                    return
                make(index)
                done += 1
                report(done)
            return
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_alone) as pool:
            waiting = iter(missing)
            # Only as many shards are handed out as there are workers, so that a deadline or a kill wastes little.
            running = {pool.submit(make, i) for i in islice(waiting, workers)}
            while running:
                finished = next(as_completed(running))
                running.remove(finished)
                finished.result()
                done += 1
                report(done)
                if deadline is None or time.monotonic() < deadline:
                    running |= {pool.submit(make, i) for i in islice(waiting, 1)}


def _alone() -> None:
    """Makes a worker one of one thread, torch's included, which is loaded already."""
    alone()
    torch.set_num_threads(1)
