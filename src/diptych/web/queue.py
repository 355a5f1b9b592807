"""The queue: runs wait for a worker, one worker to a device, first come, first served."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from threading import Condition, Thread

from diptych.options import AnimateOptions
from diptych.recipes.beside import Refused, Worker
from diptych.recipes.serve import STOP, Broke, Halted, Made, Progressed, Ready, Word
from diptych.types import InputError
from diptych.web.shelf import Record, Shelf

PATIENCE_S = 60.0
"""How long a run may take to stop: one denoising step of a large model. Then its process is killed."""

_CLOSING_S = 10.0
_TICK_S = 0.1
_LOST = "Its process ended unexpectedly, most likely for lack of memory; what was finished is kept."
_NO_MODEL = "the model cannot be loaded: its process ended, most likely for lack of memory; choose a smaller one."


@dataclass
class Pace:
    """How far a run is, and how long it still takes. What a journal gives back at once does not count as speed.

    Attributes:
        window: units that are made at a time.
        word: the last that was heard.
    """

    window: int
    word: Progressed = field(default_factory=lambda: Progressed("", 0, 0, ""))
    _from: tuple[float, float] | None = None
    _heard: float = 0.0

    @property
    def done(self) -> float:
        """Units that are finished, parts counted."""
        return self.word.done + self.word.share * self.window

    def hear(self, word: Progressed, now: float) -> None:
        """Takes a word in.

        Args:
            word: of the worker's.
            now: seconds of any clock.
        """
        if word.label != self.word.label:
            self._from = None
        self.word, self._heard = word, now
        if self._from is None and (word.beating or word.label != "animate"):
            self._from = now, self.done

    def seconds_left(self, now: float) -> float | None:
        """Until all is done, or None as long as nobody can tell."""
        if self._from is None or not self.word.total:
            return None
        began, done = self._from
        if self.done <= done or self._heard <= began:
            return None
        left = (self.word.total - self.done) * (self._heard - began) / (self.done - done)
        return max(0.0, left - (now - self._heard))


@dataclass
class _Running:
    id: str
    pace: Pace
    stop: bool = False


class Queue:
    """Hands runs to workers, and takes down how they end. Methods may be called from any thread."""

    def __init__(
        self,
        shelf: Shelf,
        hire: Callable[[str | None], Worker],
        options: Callable[[Record], AnimateOptions],
        devices: Sequence[str | None] = (None,),
        patience: float = PATIENCE_S,
    ) -> None:
        """Takes the parts.

        Args:
            shelf: of the runs.
            hire: starts a worker on a device.
            options: of a run.
            devices: one worker on each.
            patience: seconds in which a run that is told to must stop.
        """
        self._shelf, self._hire, self._options, self._devices = shelf, hire, options, devices
        self._patience = patience
        self._changed = Condition()
        self._waiting: list[str] = []
        self._running: dict[str, _Running] = {}
        self._closing = False
        self._workers: list[Worker] = []
        self._threads: list[Thread] = []
        self._ready = Ready("", 1, "rgb", 1, 1)

    def open(self) -> Ready:
        """Loads the model on every device, and says what it is.

        Raises:
            InputError: it cannot be loaded.
        """
        self._workers = [self._hire(device) for device in self._devices]
        try:
            for worker in self._workers:
                self._ready = _readiness(worker)
        except BaseException:
            for worker in self._workers:
                worker.end()
            raise
        for device, worker in zip(self._devices, self._workers, strict=True):
            thread = Thread(target=self._attend, args=(device, worker), name=f"worker {device or ''}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return self._ready

    def add(self, record: Record) -> None:
        """Puts a run at the end of the queue: a new one, or one that goes on. Twice is once."""
        with self._changed:
            if record.id in self._waiting or record.id in self._running or self._closing:
                return
            self._note(record.id, state="waiting", said="")
            self._waiting.append(record.id)
            self._changed.notify()

    def stop(self, record: Record) -> None:
        """Takes a run out of the queue, or tells its worker to stop; finished windows are kept."""
        with self._changed:
            if record.id in self._waiting:
                self._waiting.remove(record.id)
                self._note(record.id, state="stopped")
            elif record.id in self._running:
                self._running[record.id].stop = True

    def length(self) -> int:
        """Runs that wait."""
        return len(self._waiting)

    def before(self, id_: str) -> int | None:
        """How many runs come before one that waits; None for one that does not."""
        with self._changed:
            return len(self._running) + self._waiting.index(id_) if id_ in self._waiting else None

    def pace(self, id_: str) -> tuple[Pace, bool] | None:
        """How far a run is that is under way, and whether it is being stopped."""
        running = self._running.get(id_)
        return None if running is None else (running.pace, running.stop)

    def close(self) -> None:
        """Stops every run, which keeps what is finished, and ends the workers."""
        with self._changed:
            self._closing = True
            for id_ in self._waiting:
                self._note(id_, state="interrupted", said="The server was stopped before this run began.")
            self._waiting.clear()
            for running in self._running.values():
                running.stop = True
            self._changed.notify_all()
        until = time.monotonic() + _CLOSING_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        for worker in self._workers:
            with suppress(OSError):
                worker.end()
        for thread in self._threads:
            thread.join()

    def _attend(self, device: str | None, worker: Worker) -> None:
        """The life of a thread: one run after the other, in the hands of one worker."""
        while (running := self._next()) is not None:
            try:
                word, lost = self._watched(worker, running)
            except Exception:  # the pipe's end, mostly; the queue outlives whatever it is
                word, lost = Broke(_LOST), True
            self._ended(running, word)
            if lost and not self._closing:
                with suppress(OSError):
                    worker.end()
                worker = self._hired_again(device, worker)

    def _next(self) -> _Running | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if self._closing:
                return None
            id_ = self._waiting.pop(0)
            running = _Running(id_, Pace(self._ready.window))
            self._running[id_] = running
            self._note(id_, state="running", said="")
            return running

    def _watched(self, worker: Worker, running: _Running) -> tuple[Word, bool]:
        """Follows a run to its end; gives the last word, and whether the worker is lost."""
        worker.pipe.send(self._options(self._shelf.record(running.id)))
        told: float | None = None
        while True:
            if running.stop and told is None:
                worker.pipe.send(STOP)
                told = time.monotonic()
            if told is not None and time.monotonic() - told > self._patience:
                return Halted(), True
            if worker.pipe.poll(_TICK_S):
                word = worker.pipe.recv()
                if not isinstance(word, Progressed):
                    return word, False
                running.pace.hear(word, time.monotonic())

    def _ended(self, running: _Running, word: Word) -> None:
        heard = running.pace.word
        far = {"done": heard.done, "total": heard.total} if heard.label == "animate" else {}
        with self._changed:
            if isinstance(word, Made):
                self._note(running.id, state="done", said="", done=word.frames, total=word.frames, made=asdict(word))
            elif isinstance(word, Halted) and self._closing:
                self._note(running.id, state="interrupted", said="The server was stopped.", **far)
            elif isinstance(word, Halted):
                self._note(running.id, state="stopped", said="", **far)
            else:
                said = word.sentence if isinstance(word, Refused) else getattr(word, "reason", _LOST)
                state = "interrupted" if self._closing else "failed"
                self._note(running.id, state=state, said=self._shelf.record(running.id).named(said), **far)
            del self._running[running.id]

    def _note(self, id_: str, **values: object) -> None:
        """Writes down how a run stands; a full disk must not end the queue."""
        with suppress(InputError):
            self._shelf.change(id_, **values)

    def _hired_again(self, device: str | None, lost: Worker) -> Worker:
        worker = self._hire(device)
        self._workers[self._workers.index(lost)] = worker
        # Where the model cannot be loaded again, the next run fails with the pipe that was closed, and says so.
        with suppress(InputError):
            self._ready = _readiness(worker)
        return worker


def _readiness(worker: Worker) -> Ready:
    try:
        word = worker.pipe.recv()
    except (EOFError, OSError):
        raise InputError(_NO_MODEL) from None
    if isinstance(word, Refused):
        raise InputError(word.sentence)
    assert isinstance(word, Ready)
    return word
