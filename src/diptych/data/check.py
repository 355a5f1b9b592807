"""Is a manifest fit to train on? Everything that is wrong with it, at once, each with its remedy.

Readers stop at the first fault, as they must; who mends a dataset wants to see all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from pydantic import ValidationError

from diptych.data.manifest import LONGEST_LINE, Entry
from diptych.data.poses import read_poses
from diptych.files import sha256
from diptych.media.image import read_image
from diptych.media.video import read_frames
from diptych.method.skeleton import topology_of
from diptych.types import InputError


def check_manifest(path: Path, *, quick: bool = False) -> list[str]:
    """Looks at every line of a manifest and at every file it names.

    Args:
        path: of the manifest.
        quick: do not decode videos: schema, files, hashes and poses only.

    Returns:
        One sentence for every fault, in the order of lines; empty if there is none.

    Raises:
        InputError: if it cannot be read as text at all.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a manifest ({error}); give a JSONL file in UTF-8.") from None
    found: list[str] = [] if lines else [f"{path.name} has no line; write one JSON object a clip."]
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        faults = list(_schema(line))
        if not faults:
            entry = Entry.model_validate_json(line)
            first = seen.setdefault(entry.id, number)
            if first != number:
                faults.append(f"the id {entry.id!r} stands in line {first} too; give every clip its own")
            faults += _files(path.parent, entry, quick)
        found += [f"line {number}: {fault}." for fault in faults]
    return found


def _schema(line: str) -> Iterator[str]:
    """What is wrong with a line as such."""
    if len(line) > LONGEST_LINE:
        yield f"it is longer than {LONGEST_LINE} characters; write one clip a line"
        return
    try:
        Entry.model_validate_json(line)
    except ValidationError as error:
        for fault in error.errors():
            where = ".".join(str(part) for part in fault["loc"]) or "it"
            yield f"{where}: {fault['msg'][:1].lower()}{fault['msg'][1:]}{_remedy(fault['type'], where, line)}"


def _remedy(kind: str, where: str, line: str) -> str:
    if kind == "extra_forbidden":
        return "; remove it, or mend its spelling"
    if kind == "missing":
        return "; add it"
    if kind.startswith("json") or where == "it":
        return "; write one JSON object"
    try:
        value = json.loads(line).get(where)
    except (ValueError, AttributeError):
        return ""
    return f"; it is {str(value)[:60]!r}"


def _files(folder: Path, entry: Entry, quick: bool) -> Iterator[str]:
    """What is wrong with the files of a line that is well formed."""
    there: dict[str, Path] = {}
    for key, relative in entry.files.items():
        file = folder / relative
        if not file.is_file():
            yield f"{relative} is missing; put it back, or remove the line"
            continue
        there[key] = file
        if key not in entry.sha256:
            yield f"sha256 has no {key}; add the hash of {relative}: {sha256(file)}"
        elif sha256(file) != entry.sha256[key]:
            yield f"{relative} is not the file that was hashed; put that back, or write its hash: {sha256(file)}"
    for key in sorted(set(entry.sha256) - set(entry.files)):
        yield f"sha256 names {key!r}, which the line has not; remove it, or add the file"
    for key in () if quick else ("target", "driving"):
        if key in there:
            yield from _video(there[key], key, entry)
    if "reference" in there and not quick:
        try:
            read_image(there["reference"])
        except InputError as error:
            yield _plain(error, folder)
    if "poses" in there:
        yield from _poses(there["poses"], entry, folder)
    if "driving" not in entry.files and "poses" not in entry.files:
        yield "nothing drives it: it has neither driving nor poses; run diptych prepare, or add one of them"


def _video(path: Path, key: str, entry: Entry) -> Iterator[str]:
    """Frames, size and rate of a video, by decoding it."""
    fps, count = Fraction(entry.fps), 0
    size, steady, start = (0, 0), True, Fraction(0)
    try:
        for frame in read_frames(path):
            if count == 0:
                size, start = (frame.pixels.shape[1], frame.pixels.shape[0]), frame.time
            steady = steady and abs(frame.time - start - count / fps) * fps < Fraction(1, 4)
            count += 1
    except InputError as error:
        yield _plain(error, path.parent)
        return
    name = path.name
    if count != entry.frames:
        yield f"{name} has {count} frames, not {entry.frames}; write frames = {count}, or cut the clip anew"
    elif not steady:
        yield f"{name} is not at {entry.fps} frames a second all through; encode it at that rate, or mend fps"
    declared = entry.width, entry.height
    if key == "target" and any(want is not None and want != have for want, have in zip(declared, size, strict=True)):
        yield f"{name} is of {size[0]} x {size[1]} pixels; write width = {size[0]}, height = {size[1]}"


def _poses(path: Path, entry: Entry, folder: Path) -> Iterator[str]:
    """Whether skeletons are those of the clip."""
    try:
        poses = read_poses(path)
    except InputError as error:
        yield _plain(error, folder)
        return
    if poses.frames != entry.frames:
        yield f"{path.name} has poses of {poses.frames} frames, the clip {entry.frames}; estimate them anew"
    if None not in (entry.width, entry.height) and (poses.width, poses.height) != (entry.width, entry.height):
        yield (
            f"{path.name} has poses in pictures of {poses.width} x {poses.height}, the clip is "
            f"{entry.width} x {entry.height}; estimate them anew"
        )
    for skeleton in poses.figures:
        name, confidence = topology_of(skeleton).name, skeleton.joints[..., 2]
        if confidence.min(initial=0) < 0 or confidence.max(initial=0) > 1:
            yield f"{path.name} has {name} of confidence outside [0, 1]; scale it to that range"
    if not any((skeleton.joints[..., 2] > 0).any() for skeleton in poses.figures):
        yield f"{path.name} has nobody in any frame; remove the line"


def _plain(error: InputError, folder: Path) -> str:
    return str(error).replace(f"{folder}/", "").rstrip(".")
