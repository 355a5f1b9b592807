"""Manifests: one line of strict JSON a clip, paths relative to the manifest, contents named by their hashes.

Jobs meet through these files and nothing else. A reader trusts none of it before it is checked: unknown keys, absolute
paths and paths that leave the folder are refused, with the line's number and the remedy.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from diptych.files import replacing, sha256
from diptych.types import InputError

LONGEST_LINE = 1 << 16
"""Characters of a line: longer ones are no clip's."""


def _inside(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "\\" in text or not path.parts:
        raise ValueError("a path must be relative and stay inside the manifest's folder")
    return text


RelativePath = Annotated[str, AfterValidator(_inside)]


class Source(BaseModel):
    """Which part of which footage a clip was cut from.

    Attributes:
        file: its name, without a folder.
        sha256: of its bytes.
        first_frame: index in the footage of the clip's first frame.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    file: Annotated[str, Field(min_length=1, max_length=255)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    first_frame: Annotated[int, Field(ge=0)] = 0


class Entry(BaseModel):
    """One clip with what belongs to it.

    Attributes:
        version: of this format.
        id: unique within the manifest.
        reference: picture of the character; without one it is the target's first frame (paper section 3.3).
        driving: video whose motion is performed; a clip without one is driven by its poses.
        target: video of the reference's character in that motion, frame for frame with the driver.
        poses: skeletons of the target's figures (``data/poses.py``), frame for frame with it.
        truth: safetensors file with exact ``mask`` and ``joints`` of the target, where there is one.
        motion: what is done, in English (the paper's T_m).
        looks: who does it, in English (the paper's T_a).
        prompt: both in one, as the model is told.
        category: what kind of clip it is.
        fps: frames per second as a fraction, such as ``30000/1001``.
        frames: of driver and target.
        width: of the target, pixels, where it was measured.
        height: of the target, pixels, likewise.
        seed: that the clip follows from, where it was made up.
        source: the footage it was cut from, where it was.
        sha256: of every file named above, by the key that names it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: Literal[1] = 1
    id: Annotated[str, Field(min_length=1, max_length=200)]
    reference: RelativePath | None = None
    driving: RelativePath | None = None
    target: RelativePath
    poses: RelativePath | None = None
    truth: RelativePath | None = None
    motion: Annotated[str, Field(max_length=4000)] = ""
    looks: Annotated[str, Field(max_length=4000)] = ""
    prompt: Annotated[str, Field(max_length=4000)] = ""
    category: str = ""
    fps: Annotated[str, Field(pattern=r"^[1-9]\d{0,8}(/[1-9]\d{0,8})?$")]
    frames: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)] | None = None
    height: Annotated[int, Field(ge=1)] | None = None
    seed: int | None = None
    source: Source | None = None
    sha256: dict[str, str]

    @property
    def files(self) -> dict[str, str]:
        """Relative paths of the entry's files, by key."""
        named = {key: getattr(self, key) for key in ("reference", "driving", "target", "poses", "truth")}
        return {key: path for key, path in named.items() if path is not None}


def write_manifest(path: Path, entries: Iterable[Entry]) -> None:
    """Writes a manifest atomically, one entry a line, in the order given."""
    with replacing(path) as draft:
        draft.write_text("".join(entry.model_dump_json(exclude_none=True) + "\n" for entry in entries), "utf-8")


def read_manifest(path: Path, *, check_files: bool = False) -> list[Entry]:
    """Reads and checks a manifest.

    Args:
        path: of the manifest.
        check_files: also compare every file with its hash.

    Raises:
        InputError: naming the first line that is wrong and how to mend it.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a manifest ({error}); give a JSONL file in UTF-8.") from None
    entries: list[Entry] = []
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        entry = _entry(path, number, line)
        if entry.id in seen:
            raise InputError(f"{path}, line {number}: the id {entry.id!r} stands twice; give every clip its own.")
        seen.add(entry.id)
        if check_files:
            _check_files(path, number, entry)
        entries.append(entry)
    return entries


def _entry(path: Path, number: int, line: str) -> Entry:
    if len(line) > LONGEST_LINE:
        raise InputError(f"{path}, line {number}: longer than {LONGEST_LINE} characters; write one clip a line.")
    try:
        return Entry.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the line"
        raise InputError(f"{path}, line {number}, {where}: {first['msg']}; mend or remove the line.") from None


def _check_files(path: Path, number: int, entry: Entry) -> None:
    for key, relative in entry.files.items():
        file = path.parent / relative
        if not file.is_file():
            raise InputError(f"{path}, line {number}: {relative} is missing; put it back or remove the line.")
        if sha256(file) != entry.sha256.get(key):
            raise InputError(f"{path}, line {number}: {relative} is not the file it was; make it again.")
