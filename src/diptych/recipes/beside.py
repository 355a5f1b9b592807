"""Processes beside a page's own, for what must not bring it down: files from outside, models that fill the memory."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread


@dataclass(frozen=True)
class Refused:
    """Input that cannot be used: one sentence, as the command line prints it."""

    sentence: str


@dataclass(frozen=True, eq=False)
class Worker:
    """A process beside the page's own, and the pipe between them.

    Attributes:
        process: ends when the page's does, however that ends.
        pipe: words of the process come out of it.
    """

    process: BaseProcess
    pipe: Connection

    @classmethod
    def start(cls, life: Callable[..., None], folder: Path, *args: object) -> Worker:
        """Begins a process.

        Args:
            life: what it does, importable by its name; given its end of the pipe and ``args``.
            folder: that relative paths mean in it.
            args: of the life.
        """
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_live, args=(life, theirs, folder, *args), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours)

    def end(self) -> None:
        """Kills it, whatever it does: nothing is lost but the window in the making."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _live(life: Callable[..., None], pipe: Connection, folder: Path, *args: object) -> None:
    """What every process begins with."""
    # Ctrl-C reaches the whole group; only the page's process decides what is to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    page = parent_process()
    assert page is not None
    Thread(target=lambda: (wait([page.sentinel]), os._exit(1)), daemon=True).start()
    # Relative names keep this machine's folders out of every run.json and every sentence.
    os.chdir(folder)
    try:
        life(pipe, *args)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)  # nobody listens any more
