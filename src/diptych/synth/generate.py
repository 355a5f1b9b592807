"""The pose model makes the drivers (paper, section 3.4, Eq. 3): every clip's motion performed by another character.

    V_o = M_pose(P_src, I_o)

The lead-in of what the model makes is cut off, so frame i of V_o answers frame i of V_src. A pair is one item: its
files are written first, its record last. What comes of a run is a function of the records alone: one process or many,
one run or two at a time, broken off or not, the bytes are the same.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Protocol

from diptych.crew import let_go, once, processes, run_items
from diptych.data.manifest import Entry, Pair
from diptych.data.poses import ClipPoses, write_poses
from diptych.files import replacing, sha256, write_json, writing_errors
from diptych.media.image import write_image
from diptych.media.video import VideoWriter
from diptych.progress import Report, progress
from diptych.synth.folder import KINDS, PairsFolder, Record
from diptych.synth.references import Found
from diptych.synth.staging import Item, Staging, UnusableError, Words, only_this_pair
from diptych.types import Frames, Picture


class Animate(Protocol):
    """Lets a picture's character perform poses: the session of stage one."""

    def __call__(self, reference: Picture, poses: ClipPoses, fps: Fraction, prompt: str, seed: int) -> Iterator[Frames]:
        """Makes the video window by window.

        Args:
            reference: RGB, uint8, ``(h, w, 3)``.
            poses: of the clip whose motion is wanted.
            fps: of it.
            prompt: the reference's character in that motion.
            seed: of the noise.

        Returns:
            Frames of one even size, as many as there are poses: the lead-in is cut.
        """
        ...


@dataclass(frozen=True)
class How:
    """What the recipe hands in; all of it is handed on to other processes, so it must be importable by name.

    Attributes:
        animate: makes what makes videos, once a process; None takes what is exactly right in their place.
        words: makes who puts things into words, once a process; None leaves prompts empty.
        comment: what a made video says of itself.
    """

    animate: Callable[[], Animate] | None
    words: Callable[[], Words] | None
    comment: str


Spread = Callable[[Sequence[Item], Callable[[Item], None], Report], None]
"""Has items made somewhere, and tells how many are done."""


@dataclass(frozen=True)
class Outcome:
    """What a run has left.

    Attributes:
        manifest: its path.
        pairs: in it.
        failed: those asked for that could not be made, each with what it is made from and why.
    """

    manifest: Path
    pairs: int
    failed: tuple[Record, ...]


def generate(
    items: Sequence[Item],
    folder: PairsFolder,
    how: How,
    settings: Record,
    *,
    references: Found | None = None,
    workers: int = 1,
    retry: bool = False,
    spread: Spread | None = None,
    quiet: bool = False,
    about: Record | None = None,
) -> Outcome:
    """Makes what is not made yet of the pairs that are asked for. A second run on the folder joins in.

    Args:
        items: the pairs.
        folder: where they come to lie.
        how: who makes them.
        settings: what all pairs of the folder have in common.
        references: the pictures, to be written down for the processes of the run.
        workers: processes, >= 1.
        retry: try again what failed before.
        spread: has the items made elsewhere, in the place of processes of this machine.
        quiet: show no progress.
        about: for ``run.json``.

    Raises:
        InputError: if the folder cannot be written, or was begun with other settings.
    """
    began = time.monotonic()
    folder.make()
    with folder.joined():
        folder.agree(settings)
        if references is not None:
            references.write(folder.references)
        standing = {item.id: folder.read(item.id) for item in items}
        tries = {name: _tries(record) for name, record in standing.items() if retry and _failed(record)}
        left = [item for item in items if _is_open(standing[item.id], tries.get(item.id))]
        work = partial(make_pair, folder=folder, how=how, tries=tries)
        try:
            if spread is None:
                with processes(workers) as crew:
                    run_items("synth", "pairs", left, work, total=len(items), crew=crew, quiet=quiet)
            else:
                done = len(items) - len(left)
                with progress("synth", len(items), "pairs", start=done, quiet=quiet) as report:
                    spread(left, work, lambda count, note="": report(done + count, note))
            for item in left:  # those that another run was making: if it was killed, they are made here
                if _is_open(folder.read(item.id), tries.get(item.id)):
                    work(item, wait=True)
        finally:
            let_go()
            entries, failed = folder.write_manifest()
        counts = {"pairs": len(entries), "failed": len(failed), "begun": len(left), "workers": workers}
        seconds = round(time.monotonic() - began, 2)
        write_json(folder.folder / "run.json", {**(about or {}), "settings": settings, **counts, "seconds": seconds})
    return Outcome(folder.manifest, len(entries), tuple(one for one in failed if one["id"] in standing))


def _failed(record: Record | None) -> bool:
    return record is not None and "entry" not in record


def _tries(record: Record | None) -> int:
    return int((record or {}).get("tries", 0))


def _is_open(record: Record | None, tries: int | None) -> bool:
    """Whether a pair is to be made: for the first time, or again after so many tries."""
    return record is None or (_failed(record) and _tries(record) == tries)


def make_pair(
    item: Item, folder: PairsFolder, how: How, tries: Mapping[str, int] | None = None, *, wait: bool = False
) -> None:
    """Makes one pair, unless somebody has made it or is making it, and writes its record, or that of its failure.

    Args:
        item: which.
        folder: where.
        how: who makes it.
        tries: by id, how often those have failed that are to be tried once more.
        wait: for who is making it; if that one does not bring it to an end, it is made here.

    Raises:
        InputError: if the folder cannot be written.
    """
    with folder.claimed(item.id, wait=wait) as mine:
        record = folder.read(item.id)
        if not mine or not _is_open(record, (tries or {}).get(item.id)):
            return
        try:
            folder.write(item.id, _made(item, folder, how))
        except UnusableError as fault:
            told = {"id": item.id, "about": item.about, "why": str(fault), "tries": _tries(record) + 1}
            folder.write(item.id, told)


def _made(item: Item, folder: PairsFolder, how: How) -> Record:
    """Makes a pair and writes its files; gives its record.

    Raises:
        UnusableError: if it cannot be made.
    """
    staged = item.stage(None if how.words is None else once(how.words))
    video = _performed(item, staged, how)
    names = _names(item, staged)
    paths = {key: folder.folder / name for key, name in names.items()}
    _write_video(paths["driving"], video, staged, {"comment": how.comment})  # first, since it is what may fail
    if isinstance(staged.clip, Path):
        _link(staged.clip, paths["target"])
    else:
        _write_video(paths["target"], iter([staged.clip]), staged, {})
    if not paths["identity"].exists():
        write_image(paths["identity"], staged.reference)
    if staged.poses_file is not None:
        _link(staged.poses_file, paths["poses"])
    elif staged.poses is not None:
        write_poses(paths["poses"], staged.poses)
    if staged.right is not None:
        _write_video(paths["right"], iter([staged.right]), staged, {})
    entry = _entry(item.id, staged, names, {key: sha256(path) for key, path in paths.items()})
    whole = entry.model_dump(mode="json", exclude_none=True)
    return {"id": item.id, "entry": whole, "made_prompt": staged.made_prompt, **staged.chosen}


def _performed(item: Item, staged: Staging, how: How) -> Iterator[Frames]:
    """V_o, window by window.

    Raises:
        UnusableError: if nothing can drive it, or nobody knows what is exactly right.
    """
    if how.animate is None:
        if staged.right is None:
            raise UnusableError("nobody knows what its video would have to be")
        return iter([staged.right])
    if staged.poses is None:
        raise UnusableError("it has no skeletons to drive with")
    animate: Animate = once(how.animate)  # a model that cannot be loaded is no fault of the pair
    with only_this_pair():
        return animate(staged.reference, staged.poses, staged.fps, staged.made_prompt, int(item.id[:15], 16))


def _names(item: Item, staged: Staging) -> dict[str, str]:
    """The files of a pair, relative to its folder, by the manifest's keys. An identity is named by its pixels."""
    picture = staged.reference
    who = hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).hexdigest()[:16]
    there = {"poses": staged.poses is not None, "right": staged.right is not None}
    names = {key: place.format(item.id) for key, place in KINDS.items() if there.get(key, True)}
    return {**names, "identity": KINDS["identity"].format(who)}


def _entry(name: str, staged: Staging, files: dict[str, str], hashes: dict[str, str]) -> Entry:
    return Entry(
        id=name,
        driving=files["driving"],
        target=files["target"],
        poses=files.get("poses"),
        motion=staged.motion,
        looks=staged.looks,
        prompt=staged.prompt,
        category=staged.category,
        fps=str(staged.fps),
        frames=staged.frames,
        width=staged.width,
        height=staged.height,
        seed=staged.seed,
        source=staged.footage,
        pair=Pair(identity=files["identity"], source=staged.source, right=files.get("right")),
        sha256=hashes,
    )


def _link(source: Path, path: Path) -> None:
    """The same file under another name; a copy where the system has no such links."""
    with writing_errors(path):
        path.unlink(missing_ok=True)
        try:
            os.link(source.resolve(), path)
        except OSError:
            with replacing(path) as draft:
                shutil.copyfile(source, draft)


def _write_video(path: Path, chunks: Iterator[Frames], staged: Staging, metadata: dict[str, str]) -> None:
    """Writes a video that is frame for frame with the clip.

    Raises:
        UnusableError: if it has another number of frames, or none is made.
        InputError: if it cannot be written.
    """
    first, written = _next(chunks), 0
    if first is None or not len(first):
        raise UnusableError("no frame of it was made")
    height, width = first.shape[1:3]
    lasts = 1 / staged.fps
    with only_this_pair():
        # One thread: the same bytes on machines of any number of cores.
        opened = VideoWriter(path, width, height, time_base=lasts, metadata=metadata, threads=1)
    with opened as writer:
        chunk: Frames | None = first
        while chunk is not None:
            for pixels in chunk:
                writer.write(pixels, written * lasts, lasts)
                written += 1
            chunk = _next(chunks)
        if written != staged.frames:
            raise UnusableError(f"{written} frames of it were made for the {staged.frames} of its clip")


def _next(chunks: Iterator[Frames]) -> Frames | None:
    with only_this_pair():
        return next(chunks, None)
