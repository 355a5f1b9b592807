"""What may be seen of self-made pairs: three files of each, found by the pair's id and the file's role, never by path.

The manifest is somebody else's text. A file is shown only if it lies in the manifest's folder after every link is
followed, is an ordinary file, and has the hash that the manifest states.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import Literal

from diptych.data.manifest import Entry
from diptych.files import sha256
from diptych.media.reel import LONGEST, SIDES, Reel
from diptych.synth.review import Candidate, content_of
from diptych.types import InputError

Role = Literal["source", "result", "reference"]
ROLES: tuple[Role, ...] = ("source", "result", "reference")
"""The footage whose motion is performed (V_src), the made video (V_o), the picture of its character (I_o)."""

_KEYS: dict[Role, str] = {"source": "target", "result": "driving", "reference": "identity"}

_HELD_REELS = 24
_HELD_BYTES = 384 << 20


@dataclass(frozen=True)
class Facts:
    """What a page is told of a pair. Not what a judge found of it: people are to see with their own eyes.

    Attributes:
        pair: its id.
        fps: frames a second, 0.01 to 240.
        frames: of the videos as the manifest says, at most as many as are shown.
        width: of the source, pixels, where the manifest knows it.
        height: likewise.
        prompt: what is to be seen, in words.
    """

    pair: str
    fps: float
    frames: int
    width: int | None
    height: int | None
    prompt: str


class Viewing:
    """The pairs of a manifest. Threads may share it."""

    def __init__(self, folder: Path, entries: Iterable[Entry]) -> None:
        """Looks where the files lie; their contents are not read yet.

        Args:
            folder: of the manifest.
            entries: its lines; those that are no pairs are left out.

        Raises:
            InputError: none is a pair that can be shown, or one is no whole pair.
        """
        self._folder = os.path.realpath(folder)
        self._entries = {entry.id: entry for entry in entries if entry.pair is not None}
        self._candidates = [Candidate(pair, content_of(entry)) for pair, entry in self._entries.items()]
        self._damaged: dict[str, str] = {}
        self._checked: dict[tuple[str, Role], tuple[int, int]] = {}
        self._reels: OrderedDict[tuple[str, Role, int], Reel] = OrderedDict()
        self._lock = Lock()
        self._look_for_all()
        if not self._entries or len(self._damaged) == len(self._entries):
            first = next(iter(self._damaged.values()), "it names no pair")
            raise InputError(f"nothing of {folder} can be shown ({first}); make pairs with: diptych synth")

    @property
    def candidates(self) -> Sequence[Candidate]:
        """Pairs that can be shown, in the order of the manifest."""
        if len(self._candidates) + len(self._damaged) != len(self._entries):
            self._candidates = [c for c in self._candidates if c.pair not in self._damaged]
        return self._candidates

    @property
    def damaged(self) -> dict[str, str]:
        """Pairs that cannot, and why."""
        return dict(self._damaged)

    def facts(self, pair: str) -> Facts:
        """Of a pair.

        Raises:
            KeyError: there is none of that id.
        """
        entry = self._entries[pair]
        return Facts(
            pair=pair,
            fps=float(min(max(Fraction(entry.fps), Fraction(1, 100)), Fraction(240))),
            frames=min(entry.frames, LONGEST),
            width=entry.width,
            height=entry.height,
            prompt=entry.prompt,
        )

    def file(self, pair: str, role: Role) -> Path:
        """A file of a pair, checked against its hash if it is another than when it was checked last.

        Raises:
            KeyError: there is no such pair.
            InputError: the file is missing, lies elsewhere or has changed. The pair counts as damaged then.
        """
        entry = self._entries[pair]
        try:
            path, seen = self._find(entry, role)
            if self._checked.get((pair, role)) != seen:
                if sha256(path) != entry.sha256[_KEYS[role]]:
                    raise InputError(f"the {role} of {pair!r} is not the file it was; make the pair again.")
                self._checked[pair, role] = seen
        except (OSError, ValueError, InputError) as error:
            self._damaged[pair] = _said(error)
            raise InputError(_said(error)) from None
        return path

    def check(self, pair: str) -> bool:
        """Whether all three files of a pair are what the manifest says."""
        try:
            for role in ROLES:
                self.file(pair, role)
        except InputError:
            return False
        return True

    def frames(self, pair: str, role: Role, part: int, side: int = SIDES[-1]) -> bytes:
        """Frames of a video, or the picture, as :meth:`diptych.media.reel.Reel.part` gives them.

        Raises:
            KeyError: there is no such pair.
            InputError: as :meth:`file`; or it cannot be decoded. The pair counts as damaged then.
        """
        reel = self._reel(pair, role, side)
        try:
            return reel.part(part)
        except InputError as error:
            with self._lock:
                self._reels.pop((pair, role, side), None)
            self._damaged[pair] = f"the {role} of {pair!r} cannot be shown; make the pair again."
            raise InputError(self._damaged[pair]) from error

    def _reel(self, pair: str, role: Role, side: int) -> Reel:
        path = self.file(pair, role)
        with self._lock:
            reel = self._reels.get((pair, role, side))
            if reel is None:
                reel = self._reels[pair, role, side] = Reel(path, side=side, still=role == "reference")
            self._reels.move_to_end((pair, role, side))
            while len(self._reels) > 1 and (
                len(self._reels) > _HELD_REELS or sum(reel.held for reel in self._reels.values()) > _HELD_BYTES
            ):
                self._reels.popitem(last=False)
        return reel

    def _look_for_all(self) -> None:
        """Finds out what is missing; there may be a hundred thousand pairs, so every folder is resolved once."""
        folders: dict[str, str | None] = {}
        for pair, entry in self._entries.items():
            files = entry.files
            for role in ROLES:
                if self._is_plain(files[_KEYS[role]], folders):
                    continue
                try:
                    self._find(entry, role)
                except (OSError, ValueError, InputError) as error:
                    self._damaged[pair] = _said(error)
                    break

    def _is_plain(self, relative: str, folders: dict[str, str | None]) -> bool:
        """Whether a path is surely an ordinary file in the folder, no link itself."""
        folder, name = os.path.split(relative)
        try:
            if folder not in folders:
                real = os.path.realpath(os.path.join(self._folder, folder))  # noqa: PTH118
                folders[folder] = real if os.path.commonpath([real, self._folder]) == self._folder else None
            real_folder = folders[folder]
            return real_folder is not None and stat.S_ISREG(os.lstat(f"{real_folder}/{name}").st_mode)
        except (OSError, ValueError):
            return False

    def _find(self, entry: Entry, role: Role) -> tuple[Path, tuple[int, int]]:
        """Where a file really lies, with its length and age."""
        relative = entry.files[_KEYS[role]]
        path = os.path.realpath(os.path.join(self._folder, relative))  # noqa: PTH118  three for each of many pairs
        if os.path.commonpath([path, self._folder]) != self._folder:
            raise InputError(f"the {role} of {entry.id!r} lies outside the folder of the pairs; copy it there.")
        try:
            found = os.stat(path)  # noqa: PTH116
        except (OSError, ValueError):
            raise InputError(f"the {role} of {entry.id!r} is missing; put it back or make the pair again.") from None
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"the {role} of {entry.id!r} is no ordinary file; make the pair again.")
        return Path(path), (found.st_size, found.st_mtime_ns)


def _said(error: Exception) -> str:
    """Why, without a path of this machine."""
    return str(error) if isinstance(error, InputError) else "a file cannot be read; see who may read it."
