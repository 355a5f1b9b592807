"""All that a pair is made of but the made video, and what may be wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from diptych.data.manifest import Source
from diptych.data.poses import ClipPoses
from diptych.types import Frames, InputError, Picture

LONGEST = 4096
"""Frames of a clip: more is no clip that anything is trained on."""


class UnusableError(Exception):
    """One pair cannot be made; the others can. The message says why."""


@contextmanager
def only_this_pair() -> Iterator[None]:
    """What fails in here is the fault of the pair that is being made, not of the run.

    Raises:
        UnusableError: in the place of what failed.
    """
    try:
        yield
    except (InputError, ValueError, RuntimeError, MemoryError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise UnusableError(said if isinstance(error, InputError) else f"{type(error).__name__}: {said}") from error


class Words(Protocol):
    """Who puts motion and looks into words. A failure that concerns one pair is an :class:`UnusableError`."""

    def motion(self, frames: Callable[[], Frames], fps: float, poses: ClipPoses | None) -> str:
        """What is done in a clip; its frames are read only by who looks at them."""
        ...

    def fuse(self, motion: str, looks: str) -> str:
        """One prompt in which the character of ``looks`` does what ``motion`` says."""
        ...


@dataclass(frozen=True, eq=False)
class Staging:
    """All that a pair is made of but the made video.

    Attributes:
        clip: V_src: its file, or its frames, uint8, ``(t, h, w, 3)``.
        poses: of V_src, or their file beside them; None where nobody has a skeleton.
        poses_file: the file that they were read from.
        width: of V_src, pixels.
        height: of it.
        frames: of it.
        fps: of it.
        reference: I_o, RGB, uint8, ``(h, w, 3)``.
        motion: what is done in V_src, in English.
        looks: who does it there.
        prompt: both, for what is trained on the pair.
        made_prompt: I_o's character in that motion, for who makes V_o.
        category: what kind of clip V_src is.
        source: id of V_src, where it comes from.
        footage: what it was cut from, where it was.
        seed: of the made-up world.
        right: what V_o has to be, frames as of V_src, where that is known exactly.
        chosen: who I_o is and how the rule found them.
    """

    clip: Path | Frames
    poses: ClipPoses | None
    poses_file: Path | None
    width: int
    height: int
    frames: int
    fps: Fraction
    reference: Picture
    motion: str
    looks: str
    prompt: str
    made_prompt: str
    category: str
    source: str
    footage: Source | None
    seed: int | None
    right: Frames | None
    chosen: dict[str, str]


class Item(Protocol):
    """A pair to be made; small, since other processes are handed it."""

    @property
    def id(self) -> str:
        """Follows from what the pair is made of and from the seed."""
        ...

    @property
    def about(self) -> str:
        """What it is made from, for people."""
        ...

    def stage(self, words: Words | None) -> Staging:
        """Reads or draws all that the pair is made of.

        Raises:
            UnusableError: if it cannot be made.
        """
        ...
