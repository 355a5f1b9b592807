"""The journal: finished windows on disk, so that a killed animation goes on where it was.

A folder beside the output holds one file for each finished window, its pixels as the session made them, and what they
were made from. The next window depends on the pixels of the last, so a resumed animation is the unbroken one: what is
read back is what was written, bit for bit. Windows of other inputs or settings are refused, never mixed in.
"""

from __future__ import annotations

import io
import json
import math
import shutil
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from diptych.files import locked, replacing, write_json, writing_errors
from diptych.types import Frames, InputError

VERSION = 1
"""Of the folder's layout."""

_FACTS, _LOCK = "made_from.json", "lock"
_LARGEST_FACTS = 1 << 20


class Journal:
    """Finished windows by their index; see :func:`opened_journal`.

    Attributes:
        folder: where they lie.
        reused: windows that were read back so far.
        made: windows that were put in so far.
    """

    def __init__(self, folder: Path, shape: tuple[int, int, int]) -> None:
        self.folder = folder
        self.reused = self.made = 0
        self._shape = (*shape, 3)

    @property
    def kept(self) -> int:
        """How many finished windows lie in the folder."""
        return len(list(self.folder.glob("window-*.npz")))

    def get(self, index: int) -> Frames | None:
        """A finished window as :meth:`put` took it, or None; one that cannot be read is made again."""
        try:
            with zipfile.ZipFile(self._path(index)) as archive:
                # A window's size is known, so a folder from elsewhere cannot ask for any amount of memory.
                if sum(entry.file_size for entry in archive.infolist()) > math.prod(self._shape) + 4096:
                    return None
                # Read whole, so that its checksum is compared before numpy looks at a damaged header.
                frames = np.load(io.BytesIO(archive.read("frames.npy")), allow_pickle=False)
        except (OSError, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError, SyntaxError):
            return None
        except (zipfile.BadZipFile, zlib.error, tokenize.TokenError):
            return None
        if frames.dtype != np.uint8 or frames.shape != self._shape:
            return None
        self.reused += 1
        return np.asarray(frames, np.uint8)

    def put(self, index: int, frames: Frames) -> None:
        """Keeps a window, uint8, ``(t, h, w, 3)``; from here on a kill no longer costs it.

        Raises:
            InputError: the disk is full or the folder is gone.
        """
        path = self._path(index)
        with writing_errors(path), replacing(path) as draft, draft.open("wb") as file:
            np.savez_compressed(file, frames=frames)
        self.made += 1

    def forget(self) -> None:
        """Removes all windows: the output is whole."""
        for window in self.folder.glob("window-*.npz"):
            window.unlink()

    def _path(self, index: int) -> Path:
        return self.folder / f"window-{index:06d}.npz"


@contextmanager
def opened_journal(folder: Path, made_from: Mapping[str, Any], shape: tuple[int, int, int]) -> Iterator[Journal]:
    """Opens a journal, or starts one; a folder without windows is removed at the end.

    Args:
        folder: beside the output; its parent exists.
        made_from: everything that decides the windows' pixels, plain values by name.
        shape: frames, height and width of a window.

    Yields:
        The journal, held against any other process until the block ends.

    Raises:
        InputError: another process holds it, it holds windows made from something else, or it cannot be written.
    """
    facts = json.loads(json.dumps({"version": VERSION, **made_from, "window": list(shape)}, default=str))
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}); choose another place for the output.") from None
    with locked(folder / _LOCK):
        journal = Journal(folder, shape)
        try:
            if journal.kept:
                _refuse_others(folder, facts)
            else:
                write_json(folder / _FACTS, facts)
            yield journal
        finally:
            if not journal.kept:
                shutil.rmtree(folder, ignore_errors=True)


def discard_journal(folder: Path) -> None:
    """Removes the journal of an output that is whole; one that another process holds stays."""
    if folder.is_dir():
        with suppress(InputError), locked(folder / _LOCK):
            shutil.rmtree(folder, ignore_errors=True)


def _refuse_others(folder: Path, facts: dict[str, Any]) -> None:
    path = folder / _FACTS
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size <= _LARGEST_FACTS else None
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{folder} does not say what its windows were made from; delete it to begin anew.")
    other = [name for name in {**facts, **found} if found.get(name) != facts.get(name)]
    if other:
        raise InputError(
            f"{folder} holds finished windows of a run with another {other[0].replace('_', ' ')}; repeat that run's "
            "settings to go on with it, delete the folder to begin anew, or give the result another name."
        )
