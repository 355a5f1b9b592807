"""Progress of long jobs: a bar with rate and time left on a terminal, a plain line every so often elsewhere.

A program that runs jobs for others, as the web page does, watches them instead (:func:`watched`), and may end them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

_PLAIN_EVERY_S = 15.0


class Report(Protocol):
    """Told how far a job has come."""

    def __call__(self, done: int, note: str = "") -> None:
        """Reports ``done`` of the total and a short note such as a loss."""
        ...


class Stopped(BaseException):
    """Whoever watches a job wants it to end. Nothing failed, so ``except Exception`` lets it through."""


class Watcher(Protocol):
    """Sees how far jobs have come, in the terminal's place. What it raises, such as :class:`Stopped`, ends the job."""

    def report(self, label: str, done: int, total: int, unit: str) -> None:
        """Told what :func:`progress` would show: so many units of a total."""
        ...

    def beat(self, share: float) -> None:
        """Told inside a long unit how much of it is done, 0..1; for foundation models one takes minutes."""
        ...


_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Tells a watcher, and nobody else, of every job of this thread until the block ends."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def beat(share: float) -> None:
    """Called inside a long unit, where a job may be ended without harm; costs nothing where nobody watches."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher.beat(share)


@contextmanager
def progress(label: str, total: int, unit: str, start: int = 0, quiet: bool = False) -> Iterator[Report]:
    """Shows a job of ``total`` units on standard error.

    Args:
        label: what is being done, one or two words.
        total: how many units there are in all.
        unit: plural noun, such as frames.
        start: units that an earlier run had finished; they do not count towards the rate.
        quiet: show nothing; a watcher is told all the same.
    """
    watcher = _watcher.get()
    if watcher is not None:
        watcher.report(label, start, total, unit)
        yield lambda done, note="": watcher.report(label, done, total, unit)
    elif quiet:
        yield lambda done, note="": None
    elif sys.stderr.isatty():
        with _bar(label, total, unit, start) as report:
            yield report
    else:
        yield _Lines(label, total, unit, start)


@contextmanager
def _bar(label: str, total: int, unit: str, start: int) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total, completed=start, note="")

        def report(done: int, note: str = "") -> None:
            rate = (done - start) / max(time.monotonic() - began, 1e-9)
            bar.update(task, completed=done, note=f"{rate:.1f}/s {note}")

        yield report


class _Lines:
    """One line now and then, for logs and pipes."""

    def __init__(self, label: str, total: int, unit: str, start: int) -> None:
        self._label, self._total, self._unit, self._start = label, total, unit, start
        self._began = self._spoke = time.monotonic()

    def __call__(self, done: int, note: str = "") -> None:
        now = time.monotonic()
        if done < self._total and now - self._spoke < _PLAIN_EVERY_S:
            return
        self._spoke = now
        rate = (done - self._start) / max(now - self._began, 1e-9)
        left = f"{(self._total - done) / rate:.0f} s left" if rate > 0 else "time left unknown"
        print(
            f"{self._label}: {done}/{self._total} {self._unit}, {rate:.1f}/s, {left} {note}".rstrip(), file=sys.stderr
        )
