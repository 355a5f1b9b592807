"""Where the pose stage's footage comes from: the clips of a manifest, or the made-up world itself.

Either gives clips by number and draws windows from them. A draw follows from the seed, the clip's name and its own
number alone, so it stays the same whatever stands beside it in the manifest.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from diptych.data.draws import Draw, box_for
from diptych.data.manifest import Entry, read_manifest
from diptych.data.pose_draws import POSE_DRAWS, PoseDrawSettings, fits, pose_draw, strides
from diptych.data.poses import read_poses
from diptych.media.video import read_clip
from diptych.method.contract import Contract
from diptych.puppets.footage import draw_footage
from diptych.puppets.poses import pose_of
from diptych.types import Frames, InputError, Skeleton

PUPPETS = "puppets"
"""Names the made-up world where a manifest could be named."""

_SPARE = 8
"""Frames of made-up footage beyond a window, so that a continuing window has an earlier reference."""


class ClipSource(Protocol):
    """Footage with skeletons, clip by clip."""

    @property
    def identity(self) -> str:
        """What the draws depend on, in a word."""
        ...

    @property
    def clips(self) -> int | None:
        """How many clips there are; None where there is no end."""
        ...

    def draw(self, clip: int, number: int, contract: Contract, settings: PoseDrawSettings, seed: int) -> Draw:
        """The ``number``-th draw of a clip."""
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

    def draw(self, clip: int, number: int, contract: Contract, settings: PoseDrawSettings, seed: int) -> Draw:
        """A window rendered at a rate of its own."""
        rng = draw_rng(seed, f"{self.identity} {clip}", number)
        footage = draw_footage(clip, self.split)
        box = box_for(footage.aspect, contract)
        fps = float(np.exp(rng.uniform(*np.log(contract.fps))))
        times = rng.uniform(0.0, 1.5) + np.arange(contract.window_frames + _SPARE) / fps
        shown = footage.render(times, box.width, box.height)
        poses = pose_of(shown.skeleton, footage.rigs, within=(box.width, box.height))
        return pose_draw(shown.frames, poses, footage.caption, contract, rng, settings)


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
        entries, usable = read_manifest(path), []
        left_out = {"no poses": 0, f"shorter than {settings.shortest} frames": 0}
        for entry in entries:
            if entry.poses is None:
                left_out["no poses"] += 1
            elif not fits(entry.frames, settings):
                left_out[f"shorter than {settings.shortest} frames"] += 1
            else:
                usable.append(entry)
        left_out = {reason: count for reason, count in left_out.items() if count}
        if not usable:
            reasons = ", ".join(
                f"{count} have {reason}" if "no" in reason else f"{count} are {reason}"
                for reason, count in left_out.items()
            )
            raise InputError(
                f"{path} has no clip that can be trained on ({reasons or 'it is empty'}); run diptych prepare on "
                "longer footage, or take shorter windows by --set draws.shortest."
            )
        return cls(path, tuple(usable), left_out)

    def split(self, held_out: int) -> tuple[ManifestSource, ManifestSource]:
        """What is trained on, and some clips that are not: which, follows from their names.

        Raises:
            InputError: if nothing would be left to train on.
        """
        ranked = sorted(self.entries, key=lambda entry: hashlib.sha256(entry.id.encode()).hexdigest())
        kept = {entry.id for entry in ranked[:held_out]}
        if len(kept) >= len(self.entries):
            raise InputError(
                f"{self.path} has {len(self.entries)} clips that can be trained on, and {held_out} are held out; take "
                "more clips, or fewer by --set held_out."
            )
        parts = (tuple(entry for entry in self.entries if (entry.id in kept) == wanted) for wanted in (False, True))
        train, rest = (ManifestSource(self.path, part, self.left_out) for part in parts)
        return train, rest

    @property
    def identity(self) -> str:
        """The clips by their names and contents, and what else a draw depends on."""
        told = [(e.id, e.sha256, e.prompt, e.looks, e.motion, e.fps, e.frames) for e in self.entries]
        return f"manifest {hashlib.sha256(repr(told).encode()).hexdigest()} {POSE_DRAWS}"

    @property
    def clips(self) -> int | None:
        """How many there are."""
        return len(self.entries)

    def draw(self, clip: int, number: int, contract: Contract, settings: PoseDrawSettings, seed: int) -> Draw:
        """A window of a clip.

        Raises:
            InputError: if the clip or its poses cannot be read, or are not what the manifest says.
        """
        entry = self.entries[clip]
        rng = draw_rng(seed, entry.id, number)
        frames, poses = _opened(self.path.parent, entry.target, entry.poses or "", entry.frames)
        rate = float(Fraction(entry.fps))
        return pose_draw(frames, poses, told(entry), contract, rng, settings, taken=strides(rate, contract))


Source = PuppetSource | ManifestSource


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
    shape = (len(clip.frames), clip.frames.shape[2], clip.frames.shape[1])
    if (found.frames, found.width, found.height) != shape or shape[0] != frames:
        raise InputError(
            f"{folder / poses} is of {found.frames} frames of {found.width} x {found.height}, and {target} has "
            f"{shape[0]} of {shape[1]} x {shape[2]}; run diptych prepare again."
        )
    return clip.frames, found.figures


def hashed(*facts: object) -> str:
    """Some facts in a word."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
