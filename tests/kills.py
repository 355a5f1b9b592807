"""Commands of Diptych's in processes of their own, killed with SIGKILL at seeded moments.

A moment is a call to the file system (opening, renaming, removing, making a folder) below the folder that the command
writes to, and a fraction of a second after it: so kills fall before, inside and behind writes as well as between them.
Processes are forked from a server that has loaded the libraries once, or a thousand starts would take an hour.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np

_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "shutil.rmtree"}
_LONGEST = 300.0
_FORKING = get_context("forkserver")
_FORKING.set_forkserver_preload(
    [
        "diptych.cli",
        "diptych.recipes.animate",
        "diptych.recipes.jobs",
        "diptych.recipes.puppets",
        "diptych.recipes.mini",
        "diptych.recipes.prepare",
        "diptych.recipes.synth",
        "accelerate",
        "diffusers.models.transformers.transformer_motif_video",
        "torch.utils.tensorboard",
    ]
)


@dataclass(frozen=True)
class Moment:
    """When a run is killed: ``after`` seconds behind the ``event``-th call to the file system, counted from 1."""

    event: int
    after: float


@dataclass(frozen=True)
class Ran:
    """How a run ended.

    Attributes:
        code: exit code; -9 for a killed one.
        events: calls to the file system below the folder, where it was not killed.
        said: what it wrote to standard error.
    """

    code: int
    events: int
    said: str


@dataclass(frozen=True)
class Started:
    """A run that is under way.

    Attributes:
        words: of its command.
        process: it.
        log: file of what it says.
        count: file of how many calls it made.
    """

    words: Sequence[str]
    process: BaseProcess
    log: Path
    count: Path


def run(words: Sequence[str], folder: Path, moment: Moment | None = None) -> Ran:
    """Runs ``diptych WORDS`` on one thread, to its end or to the moment."""
    return wait(start(words, folder, folder, moment))


def start(words: Sequence[str], folder: Path, notes: Path, moment: Moment | None = None) -> Started:
    """Begins ``diptych WORDS``; what it says and counts comes to lie beside ``notes``."""
    log, count = notes.with_name(notes.name + ".log"), notes.with_name(notes.name + ".count")
    count.unlink(missing_ok=True)
    process = _FORKING.Process(target=_child, args=(list(words), str(folder), moment, str(log), str(count)))
    process.start()
    return Started(words, process, log, count)


def wait(started: Started) -> Ran:
    """Waits for a run to end."""
    process = started.process
    process.join(_LONGEST)
    assert process.pid is not None
    if process.exitcode is None:
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError(f"diptych {' '.join(started.words)} hangs: {started.log.read_text()}")
    _wait_for_orphans(process.pid)
    # A kill may fall between the making of the count's file and the writing of it.
    counted = started.count.read_text() if started.count.exists() else ""
    return Ran(process.exitcode, int(counted or 0), started.log.read_text())


def moments(events: int, count: int, seed: int) -> Iterator[Moment]:
    """Seeded moments of a run that calls the file system so many times, every part of it among them."""
    rng = np.random.default_rng([seed, 0x9])
    for k in range(count):
        event = 1 + int((k + rng.random()) * events / count)
        yield Moment(min(event, events), float(rng.choice([0.0, 0.0005, 0.003, 0.02])))


def _child(words: list[str], folder: str, moment: Moment | None, log: str, count: str) -> None:
    os.setsid()
    with Path(log).open("w") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    import torch

    torch.set_num_threads(1)
    counter = itertools.count(1)
    seen = 0

    def hook(event: str, args: tuple[object, ...]) -> None:
        nonlocal seen
        if event not in _EVENTS or not isinstance(args[0], (str, os.PathLike)) or folder not in os.fspath(args[0]):
            return
        seen = next(counter)
        if moment is not None and seen == moment.event:
            if moment.after == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            threading.Thread(target=lambda: (time.sleep(moment.after), os.kill(os.getpid(), signal.SIGKILL))).start()

    sys.addaudithook(hook)
    from diptych.cli import main

    code = main(words)
    total = seen
    Path(count).write_text(str(total))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _wait_for_orphans(group: int) -> None:
    """Workers must not outlive a killed run."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    os.killpg(group, signal.SIGKILL)
    raise AssertionError("a worker outlived the run that was killed")
