"""Pairs from a prepared dataset: which clips, and for each another character whose picture is not of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diptych.data.manifest import Entry, read_manifest
from diptych.data.poses import ClipPoses, read_poses
from diptych.files import sha256
from diptych.media.frame import resize
from diptych.media.image import read_image
from diptych.media.video import read_clip, read_frames
from diptych.method.bootstrap import shown_by_poses
from diptych.synth.references import Reference, References, read_references
from diptych.synth.staging import LONGEST, Staging, Words, only_this_pair
from diptych.types import Frames, InputError, Picture

_THUMB = 16
_SAME = 3.0
"""Mean difference in levels, of thumbnails of 16 x 16, up to which a picture is a frame of the clip saved elsewhere."""
_SPARE = 8
"""References that are looked at in vain before a clip is given up."""


@dataclass(frozen=True)
class ReferenceFolder:
    """Where pictures and what is known of them lie.

    Attributes:
        folder: of the pictures.
        told: file of what is known.
        digest: of that file.
    """

    folder: Path
    told: Path
    digest: str

    def read(self) -> References:
        """All of it, read once in a process."""
        return read_references(self.told, self.folder, self.digest)


@dataclass(frozen=True)
class FootageItem:
    """A clip's motion, given to its ``number``-th other character.

    Attributes:
        entry: the clip.
        folder: that its paths are relative to.
        references: whom it may be given to.
        seed: of the run.
        number: from 0; no two of a clip get the same reference.
    """

    entry: Entry
    folder: Path
    references: ReferenceFolder
    seed: int
    number: int

    @property
    def id(self) -> str:
        """Of the clip's contents, the seed and the number; where files lie and what they are called is not in it."""
        hashes = [self.entry.sha256.get(key, "") for key in ("target", "poses")]
        return hashlib.sha256(json.dumps([*hashes, self.seed, self.number]).encode()).hexdigest()[:16]

    @property
    def about(self) -> str:
        """The clip."""
        return self.entry.id

    def stage(self, words: Words | None) -> Staging:
        """See :class:`~diptych.synth.staging.Item`."""
        entry, fps = self.entry, Fraction(self.entry.fps)
        with only_this_pair():
            clip, poses_file = self._file("target"), self._file("poses")
            poses = read_poses(poses_file)
            if not 1 <= entry.frames == poses.frames <= LONGEST:
                raise InputError(
                    f"{entry.id} is to have {entry.frames} frames and has poses of {poses.frames} (at most {LONGEST} "
                    "can be used); prepare it anew."
                )
            if not any((one.joints[..., 2] > 0).any() for one in poses.figures):
                raise InputError(f"{entry.id} has poses of nobody; prepare it anew.")
            size, thumbs = _looked_through(clip, entry.frames, fps)
            reference, step, picture = self._reference(poses, thumbs)
        motion = entry.motion
        if words is not None and not motion:
            motion = words.motion(lambda: read_clip(clip, max_frames=LONGEST).frames, float(fps), poses)
        return Staging(
            clip=clip,
            poses=poses,
            poses_file=poses_file,
            width=size[0],
            height=size[1],
            frames=entry.frames,
            fps=fps,
            reference=picture,
            motion=motion,
            looks=entry.looks,
            prompt=entry.prompt or (words.fuse(motion, entry.looks) if words is not None else ""),
            made_prompt=words.fuse(motion, reference.looks) if words is not None else "",
            category=entry.category,
            source=entry.id,
            footage=entry.source,
            seed=None,
            right=None,
            chosen={"reference": reference.name, "fit": step},
        )

    def _file(self, key: str) -> Path:
        path = self.folder / self.entry.files[key]
        if not path.is_file():
            raise InputError(f"{path} is missing; put it back.")
        if sha256(path) != self.entry.sha256.get(key):
            raise InputError(f"{path} is not the file that its manifest was written for; prepare it anew.")
        return path

    def _reference(self, poses: ClipPoses, thumbs: NDArray[np.int16]) -> tuple[Reference, str, Picture]:
        """The picture, how well it fits, and its pixels; frames of the clip itself are passed over."""
        references = self.references.read()
        shown = shown_by_poses(poses.figures, poses.width, poses.height)
        seed = [self.seed, int(self.entry.sha256["target"][:15], 16)]
        passed = 0
        for choice in references.cast.choose(shown, self._identities(), seed, self.number + 1 + _SPARE):
            reference = references.by_name[choice.name]
            if sha256(reference.path) != reference.sha256:
                raise InputError(f"{reference.path} has been changed since this run began; start it again.")
            picture = read_image(reference.path)
            if (np.abs(thumbs - _thumb(picture)).mean((1, 2, 3)) <= _SAME).any():
                continue
            if passed == self.number:
                return reference, choice.step, picture
            passed += 1
        raise InputError(
            f"{self.entry.id} finds no {_ordinal(self.number)} reference of another identity; add pictures."
        )

    def _identities(self) -> list[str]:
        """Every name under which a picture may be known to be of this clip."""
        entry = self.entry
        of = [entry.id] if entry.source is None else [entry.id, entry.source.file]
        names = [f"{key}:{name}" for key in ("footage", "who") for name in of]
        return [*names, *(f"bytes:{digest}" for digest in entry.sha256.values())]


@dataclass(frozen=True)
class Clips:
    """Clips of a dataset that have poses.

    Attributes:
        folder: that their paths are relative to.
        entries: they, in the manifest's order.
        unposed: number of the others.
    """

    folder: Path
    entries: tuple[Entry, ...]
    unposed: int


def read_clips(dataset: Path) -> Clips:
    """The clips of a dataset whose motion can be given to others.

    Args:
        dataset: folder that ``prepare`` wrote, or a manifest.

    Raises:
        InputError: if there is no such manifest, or no clip with poses in it.
    """
    manifest = dataset / "manifest.jsonl" if dataset.is_dir() else dataset
    entries = read_manifest(manifest)
    posed = tuple(one for one in entries if one.poses is not None and one.pair is None and _hashed(one))
    if not posed:
        raise InputError(f"{manifest} has no clip with poses; prepare it with diptych prepare.")
    return Clips(manifest.parent, posed, len(entries) - len(posed))


def footage_items(
    clips: Clips, references: ReferenceFolder, seed: int, *, per_clip: int = 1, limit: int | None = None
) -> list[FootageItem]:
    """The pairs of a dataset: for each number in turn every clip, so that a limit takes many clips before many pairs.

    Args:
        clips: of the dataset.
        references: whom motions may be given to.
        seed: of the choice and of the noise.
        per_clip: pairs of a clip, each with another reference.
        limit: at most so many.
    """
    made = (FootageItem(one, clips.folder, references, seed, k) for k in range(per_clip) for one in clips.entries)
    return list(islice(_each_once(made), limit))


def _hashed(entry: Entry) -> bool:
    return all(len(entry.sha256.get(key, "")) == 64 for key in ("target", "poses"))


def _each_once(items: Iterator[FootageItem]) -> Iterator[FootageItem]:
    """Clips of the same contents are one."""
    seen: set[str] = set()
    for item in items:
        if item.id not in seen:
            seen.add(item.id)
            yield item


def _looked_through(path: Path, frames: int, fps: Fraction) -> tuple[tuple[int, int], NDArray[np.int16]]:
    """Width and height of a clip, and small pictures of its frames ``(t, 16, 16, 3)``.

    Raises:
        InputError: if it has another number of frames than it should, or another rate.
    """
    thumbs, size, start = list[NDArray[np.int16]](), (0, 0), Fraction(0)
    for index, frame in enumerate(islice(read_frames(path), frames + 1)):
        start = start if index else frame.time
        if abs((frame.time - start) * fps - index) >= Fraction(1, 4):
            raise InputError(f"{path} is not at the {fps} frames a second of its manifest; prepare it anew.")
        size = frame.pixels.shape[1], frame.pixels.shape[0]
        thumbs.append(_thumb(frame.pixels))
    if len(thumbs) != frames:
        many = "more" if len(thumbs) > frames else "fewer"
        raise InputError(f"{path} has {many} frames than the {frames} of its manifest; prepare it anew.")
    return size, np.stack(thumbs)


def _thumb(pixels: Picture | Frames) -> NDArray[np.int16]:
    return resize(pixels, _THUMB, _THUMB).astype(np.int16)


def _ordinal(number: int) -> str:
    names: Sequence[str] = ("first", "second", "third")
    return names[number] if number < len(names) else f"{number + 1}th"
