"""Words for every clip: what is done, who does it, and both in one, from a describer that the recipe hands in.

Made-up footage brings exact words. Words that were written by hand into the manifest are kept: the manifest is where
they are edited, and the next run takes them over before it writes it again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from diptych.crew import once
from diptych.data.manifest import Entry
from diptych.data.poses import ClipPoses, read_poses
from diptych.media.video import read_clip
from diptych.prepare.clips import Source
from diptych.prepare.ledger import Dataset, Record
from diptych.types import Frames, Picture

LONGEST = 4000
"""Characters that a manifest holds of each text."""

KEYS = ("motion", "looks", "prompt")


class UndescribedError(Exception):
    """This clip could not be put into words; others may be, and this one by a later run."""


class Describe(Protocol):
    """Puts footage into words. Whatever it answers is data and never more than text."""

    def motion(self, frames: Frames, fps: float, poses: ClipPoses | None) -> str:
        """What is done in frames of ``(t, h, w, 3)``; ``poses`` are its figures where they are known."""
        ...

    def looks(self, picture: Picture, poses: ClipPoses | None) -> str:
        """Who is seen in a picture ``(h, w, 3)``, the clip's first frame."""
        ...

    def fuse(self, motion: str, looks: str) -> str:
        """Both in one prompt."""
        ...


@dataclass(frozen=True)
class CaptionItem:
    """A clip whose words are wanted.

    Attributes:
        clip: its line of the first step.
        poses: its line of the second step, or None where that was not run.
        source: the footage it is from.
    """

    clip: Record
    poses: Record | None
    source: Source

    def made_from(self) -> Record:
        """What the words depend on."""
        known = self.source.known
        words = {key: getattr(known, key) for key in KEYS} if known is not None and known.prompt else None
        return {"clip": self.clip["sha256"], "poses": self.poses and self.poses["sha256"], "known": words}


def caption_clip(item: CaptionItem, dataset: Dataset, describer: Callable[[], Describe]) -> None:
    """Puts one clip into words and writes its record.

    Args:
        item: which clip.
        dataset: where it lies.
        describer: makes what describes, once a process.

    A clip that cannot be described gets no record, so the next run asks again.

    Raises:
        InputError: if the dataset cannot be written or the clip not be read.
    """
    with contextlib.suppress(UndescribedError):
        _caption(item, dataset, describer)


def _caption(item: CaptionItem, dataset: Dataset, describer: Callable[[], Describe]) -> None:
    name, began, made_from = item.clip["id"], time.monotonic(), item.made_from()
    edited = dataset.read("captions", name)
    if edited is not None and edited.get("by") == "hand":
        words = edited["words"]
        if not words["prompt"]:
            words["prompt"] = _text(once(describer).fuse(words["motion"], words["looks"]))
        by = "hand"
    elif made_from["known"] is not None:
        words, by = made_from["known"], "manifest"
    else:
        words, by = _described(item, dataset, once(describer)), "describer"
    seconds = {"captions": time.monotonic() - began}
    dataset.write("captions", name, {"made_from": made_from, "words": words, "by": by, "seconds": seconds})


def _described(item: CaptionItem, dataset: Dataset, describe: Describe) -> dict[str, str]:
    clip = read_clip(dataset.clip(item.clip["id"]))
    poses = read_poses(dataset.poses(item.clip["id"])) if item.poses is not None else None
    motion = _text(describe.motion(clip.frames, float(clip.fps), poses))
    looks = _text(describe.looks(clip.frames[0], poses))
    return {"motion": motion, "looks": looks, "prompt": _text(describe.fuse(motion, looks))}


def _text(answer: str) -> str:
    """An answer as it may stand in a manifest: one line, without control characters, not too long."""
    plain = "".join(character if character.isprintable() else " " for character in answer)
    return " ".join(plain.split())[:LONGEST]


def adopt_edits(dataset: Dataset, entries: list[Entry], written: list[Entry]) -> int:
    """Takes over words that were changed by hand in the manifest.

    Where motion or looks were changed and the prompt was not, the prompt is fused again by the next captions step.

    Args:
        dataset: the dataset.
        entries: of its manifest as it stands.
        written: of the manifest as a run wrote it last; a run that was killed may have got further than this.

    Returns:
        How many clips were edited.
    """
    before = {entry.id: _words_of(entry) for entry in written}
    count = 0
    for entry in entries:
        words, old = _words_of(entry), before.get(entry.id, dict.fromkeys(KEYS, ""))
        record = dataset.read("captions", entry.id)
        if words == old or (record is not None and words == record["words"]):
            continue
        if words["prompt"] == old["prompt"]:
            words["prompt"] = ""
        # Made from nothing that is there now: the step looks at it once more, and keeps the words.
        dataset.write("captions", entry.id, {"made_from": None, "words": words, "by": "hand", "seconds": {}})
        count += 1
    return count


def _words_of(entry: Entry) -> dict[str, str]:
    return {key: getattr(entry, key) for key in KEYS}
