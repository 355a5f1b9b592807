"""Pairs made by Ray Data, on one machine or many that share a file system: same items, same files.

Every actor makes what it needs once and is then handed one item after another, like a process of ``crew``. Claims keep
actors, and other runs, apart.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from diptych.progress import Report
from diptych.synth.staging import Item
from diptych.types import InputError

_CPUS = 0.25
"""Of an actor. Ray keeps no process to the CPUs that it asks for, it only counts them; Ray Data's own tasks ask for a
whole one, and where actors had taken all of them, on two cores, nothing would ever begin."""


def spread_on_ray(
    items: Sequence[Item], work: Callable[[Item], None], report: Report, *, workers: int = 1, gpus: float = 0
) -> None:
    """Has items made by actors.

    Args:
        items: those to be made.
        work: makes one; must be importable by name.
        report: told how many are done.
        workers: actors.
        gpus: of an actor.

    Raises:
        InputError: if Ray is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError:
        raise InputError("--ray needs Ray Data, which is not installed; pip install 'diptych[ray]'.") from None
    if not items:
        return
    started = not ray.is_initialized()
    if started:
        # A cluster is joined where its address is set, as Ray documents it; else one is begun on this machine.
        ray.init(address=os.environ.get("RAY_ADDRESS"), log_to_driver=False, include_dashboard=False)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    try:
        made = ray.data.from_items([{"index": index} for index in range(len(items))]).map(
            _Maker,
            fn_constructor_args=(tuple(items), work),
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=_CPUS,
            num_gpus=gpus,
        )
        for done, _ in enumerate(made.iter_rows(), 1):
            report(done)
    finally:
        if started:
            ray.shutdown()


class _Maker:
    """An actor: makes the items whose places it is told."""

    def __init__(self, items: tuple[Item, ...], work: Callable[[Item], None]) -> None:
        self._items, self._work = items, work

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        self._work(self._items[int(row["index"])])
        return row
