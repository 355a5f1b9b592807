"""Where the pose stage's footage comes from: the clips of a manifest, or the made-up world itself.

Either gives clips by number and draws windows from them. A draw follows from the seed, the clip's name and its own
number alone, so it stays the same whatever stands beside it in the manifest. What every source needs (``pairs.py`` has
those of footage that drives) stands here too.
"""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from diptych.data.draws import NOBODY, Draw, Eyes, box_for
from diptych.data.manifest import Entry, read_manifest
from diptych.data.pose_draws import POSE_DRAWS, PoseDrawSettings, pose_draw
from diptych.data.poses import ClipPoses, read_poses
from diptych.data.windows import WindowSettings, fits, strides
from diptych.media.draw_depth import draw_whole_clip
from diptych.media.video import read_clip
from diptych.method.contract import Contract
from diptych.puppets.footage import draw_footage
from diptych.puppets.poses import pose_of
from diptych.types import Frames, InputError, Skeleton

PUPPETS = "puppets"
"""Names the made-up world where a manifest could be named."""

SPARE = 8
"""Frames of made-up footage beyond a window, so that a continuing window has an earlier reference."""

S = TypeVar("S", bound=WindowSettings, contravariant=True)


class ClipSource(Protocol[S]):
    """Footage with what drives it, clip by clip."""

    @property
    def identity(self) -> str:
        """What the draws depend on, in a word."""
        ...

    @property
    def clips(self) -> int | None:
        """How many clips there are; None where there is no end."""
        ...

    @property
    def left_out(self) -> Mapping[str, int]:
        """How many are not used, by reason."""
        ...

    def draw(self, clip: int, number: int, contract: Contract, settings: S, seed: int, eyes: Eyes = NOBODY) -> Draw:
        """The ``number``-th draw of a clip; ``eyes`` look where the contract asks for what is to be seen alone."""
        ...


@dataclass(frozen=True)
class PuppetSource:
    """Footage of the made-up world: every clip of another scene, at any rate that the contract knows.

    Attributes:
        split: ``train`` or ``eval``: disjoint identities and motions (docs/truth.md).
    """

    split: str = "train"

    @property
    def identity(self) -> str:
        """The split, and which puppets."""
        return f"puppets {self.split} {POSE_DRAWS}"

    @property
    def clips(self) -> int | None:
        """There is no end to them."""
        return None

    @property
    def left_out(self) -> dict[str, int]:
        """Nothing is."""
        return {}

    def draw(
        self,
        clip: int,
        number: int,
        contract: Contract,
        settings: PoseDrawSettings,
        seed: int,
        eyes: Eyes = NOBODY,
    ) -> Draw:
        """A window rendered at a rate of its own."""
        rng = draw_rng(seed, f"{self.identity} {clip}", number)
        footage = draw_footage(clip, self.split)
        box = box_for(footage.aspect, contract)
        fps = float(np.exp(rng.uniform(*np.log(contract.fps))))
        times = rng.uniform(0.0, 1.5) + np.arange(contract.window_frames + SPARE) / fps
        shown = footage.render(times, box.width, box.height)
        poses = pose_of(shown.skeleton, footage.rigs, within=(box.width, box.height))
        beside = None
        if contract.auxiliary == "depth":
            others = footage.with_other_bodies(draw_rng(seed, f"{self.identity} {clip} bodies", number))
            nearness = others.render(times, box.width, box.height, depth=True).nearness
            assert nearness is not None
            beside = draw_whole_clip(nearness)
        return pose_draw(shown.frames, poses, footage.caption, contract, rng, settings, auxiliary=beside)


@dataclass(frozen=True, eq=False)
class ManifestSource:
    """The clips of a manifest that have poses and room for a window.

    Attributes:
        path: of the manifest; files are named relative to it.
        entries: those that are used.
        left_out: how many are not, by reason.
    """

    path: Path
    entries: tuple[Entry, ...]
    left_out: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path, settings: PoseDrawSettings) -> ManifestSource:
        """Reads a manifest and keeps what can be trained on.

        Raises:
            InputError: if it cannot be read, or nothing of it can be used.
        """
        sorts = {"no poses": lambda entry: entry.poses is None, **too_short(settings)}
        remedy = "run diptych prepare on longer footage, or take shorter windows by --set draws.shortest"
        return cls(path, *sifted(path, sorts, remedy))

    def split(self, held_out: int) -> tuple[ManifestSource, ManifestSource]:
        """What is trained on, and some clips that are not: which, follows from their names.

        Raises:
            InputError: if nothing would be left to train on.
        """
        train, rest = parted(self.path, self.entries, held_out)
        return ManifestSource(self.path, train, self.left_out), ManifestSource(self.path, rest, self.left_out)

    @property
    def identity(self) -> str:
        """The clips by their names and contents, and what else a draw depends on."""
        return f"manifest {contents(self.entries)} {POSE_DRAWS}"

    @property
    def clips(self) -> int | None:
        """How many there are."""
        return len(self.entries)

    def draw(
        self,
        clip: int,
        number: int,
        contract: Contract,
        settings: PoseDrawSettings,
        seed: int,
        eyes: Eyes = NOBODY,
    ) -> Draw:
        """A window of a clip.

        Raises:
            InputError: if the clip or its poses cannot be read, or are not what the manifest says.
        """
        entry = self.entries[clip]
        rng = draw_rng(seed, entry.id, number)
        frames, poses = _opened(self.path.parent, entry.target, entry.poses or "", entry.frames)
        rate = float(Fraction(entry.fps))
        return pose_draw(frames, poses, told(entry), contract, rng, settings, taken=strides(rate, contract))


def sources(
    data: str, settings: PoseDrawSettings, held_out: int
) -> tuple[PuppetSource, PuppetSource] | tuple[ManifestSource, ManifestSource]:
    """What is trained on, and what previews show.

    Args:
        data: ``puppets``, or the path of a manifest.
        settings: how long windows are.
        held_out: clips of a manifest that are never trained on.

    Raises:
        InputError: if a manifest cannot be used.
    """
    if data == PUPPETS:
        return PuppetSource("train"), PuppetSource("eval")
    return ManifestSource.of(Path(data), settings).split(held_out)


def clip_of(number: int, clips: int | None, draws_per_clip: int) -> tuple[int, int]:
    """Clip, and number within it, of a draw: all draws of a clip follow each other, and clips come round again."""
    clip, within = divmod(number, draws_per_clip)
    if clips is None:
        return clip, within
    rounds, clip = divmod(clip, clips)
    return clip, within + rounds * draws_per_clip


def told(entry: Entry) -> str:
    """What the model is told of a clip: the fused prompt, or looks and motion where there is none."""
    return entry.prompt or ". ".join(text.rstrip(". ") for text in (entry.looks, entry.motion) if text)


def draw_rng(seed: int, clip: str, number: int) -> np.random.Generator:
    """A generator that follows from a seed, a clip's name and the draw's number."""
    digest = hashlib.sha256(f"{seed} {number} {clip}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32).tolist())


@functools.lru_cache(maxsize=1)
def _opened(folder: Path, target: str, poses: str, frames: int) -> tuple[Frames, tuple[Skeleton, ...]]:
    """A clip and its poses; kept until the next one, since a clip's draws follow each other."""
    clip = read_clip(folder / target)
    found = read_poses(folder / poses)
    refuse_others_poses(found, clip.frames, frames, folder / poses, target)
    return clip.frames, found.figures


def refuse_others_poses(poses: ClipPoses, shown: Frames, frames: int, path: Path, clip: str) -> None:
    """Refuses poses that are not a clip's.

    Args:
        poses: from the file at ``path``.
        shown: the clip.
        frames: that the manifest says it has.
        path: for the message.
        clip: the clip's name, likewise.

    Raises:
        InputError: if frames or size differ.
    """
    shape = (len(shown), shown.shape[2], shown.shape[1])
    if (poses.frames, poses.width, poses.height) != shape or shape[0] != frames:
        raise InputError(
            f"{path} is of {poses.frames} frames of {poses.width} x {poses.height}, and {clip} has "
            f"{shape[0]} of {shape[1]} x {shape[2]}; run diptych prepare again."
        )


def too_short(settings: WindowSettings) -> dict[str, Callable[[Entry], bool]]:
    """Footage without room for a window, as a reason of :func:`sifted`."""
    return {f"shorter than {settings.shortest} frames": lambda entry: not fits(entry.frames, settings)}


def sifted(
    path: Path, reasons: Mapping[str, Callable[[Entry], bool]], remedy: str
) -> tuple[tuple[Entry, ...], dict[str, int]]:
    """Reads a manifest and keeps what can be trained on.

    Args:
        path: of the manifest.
        reasons: why an entry cannot be used, in words that follow "have" (``no ...``) or "are", and whether that is so;
            the first that holds is counted.
        remedy: what to do where nothing is left.

    Returns:
        The entries that are left, and how many are not, by reason.

    Raises:
        InputError: if it cannot be read, or nothing of it can be used.
    """
    usable, left_out = [], Counter[str]()
    for entry in read_manifest(path):
        reason = next((reason for reason, holds in reasons.items() if holds(entry)), None)
        if reason is None:
            usable.append(entry)
        else:
            left_out[reason] += 1
    counted = {reason: left_out[reason] for reason in reasons if left_out[reason]}
    if not usable:
        told = (f"{n} {'have' if reason.startswith('no ') else 'are'} {reason}" for reason, n in counted.items())
        raise InputError(f"{path} has no clip that can be trained on ({', '.join(told) or 'it is empty'}); {remedy}.")
    return tuple(usable), counted


def parted(path: Path, entries: Sequence[Entry], held_out: int) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """What is trained on, and at least so many entries that are not: which, follows from names alone.

    Self-made pairs of one source stay together, or previews would show footage that was trained on.

    Raises:
        InputError: if nothing would be left to train on.
    """

    def source(entry: Entry) -> str:
        return hashlib.sha256((entry.id if entry.pair is None else entry.pair.source).encode()).hexdigest()

    counts, kept, taken = Counter(map(source, entries)), set[str](), 0
    for name in sorted(counts):
        if taken >= held_out:
            break
        kept.add(name)
        taken += counts[name]
    if taken >= len(entries):
        raise InputError(
            f"{path} has {len(entries)} clips that can be trained on, and {taken} are held out; take more clips, or "
            "fewer by --set held_out."
        )
    train, rest = (tuple(e for e in entries if (source(e) in kept) == wanted) for wanted in (False, True))
    return train, rest


def contents(entries: Sequence[Entry]) -> str:
    """Entries by their names and contents, and what else a draw depends on, in a word."""
    told = [(e.id, e.sha256, e.prompt, e.looks, e.motion, e.fps, e.frames) for e in entries]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def hashed(*facts: object) -> str:
    """Some facts in a word."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
