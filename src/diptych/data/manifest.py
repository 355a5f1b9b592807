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
from diptych.method.bootstrap import Reviewer
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


class Judged(BaseModel):
    """What a judge found of a made video, dimension by dimension.

    Attributes:
        judge: which: ``measured``, or the name of the model that was asked.
        scores: 1 to 5, by dimension (paper section 5.2); higher is better.
        average: of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    judge: Annotated[str, Field(min_length=1, max_length=200)]
    scores: dict[str, Annotated[float, Field(ge=1, le=5)]]
    average: Annotated[float, Field(ge=1, le=5)]


class Pair(BaseModel):
    """Where a self-made pair comes from and who found it good (paper section 3.4).

    The entry's driver is the made video (V_o), its target the footage whose motion that performs (V_src).

    Attributes:
        identity: picture of the character that the made video shows (I_o).
        source: id of the footage in the dataset it was taken from.
        right: video that the made one should have been, where the made-up world knows it.
        judged: by a judge; None before.
        reviewed: what kind of reviewer kept it; ``no`` where the recipe kept it without one (``--no-review``), None
            before anybody decided.
        verdicts: how many reviewers of that kind looked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    identity: RelativePath
    source: Annotated[str, Field(min_length=1, max_length=200)]
    right: RelativePath | None = None
    judged: Judged | None = None
    reviewed: Reviewer | Literal["no"] | None = None
    verdicts: Annotated[int, Field(ge=0)] = 0


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
        pair: of a self-made pair: whence, and who found it good.
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
    pair: Pair | None = None
    sha256: dict[str, str]

    @property
    def files(self) -> dict[str, str]:
        """Relative paths of the entry's files, by key."""
        named = {key: getattr(self, key) for key in ("reference", "driving", "target", "poses", "truth")}
        if self.pair is not None:
            named |= {"identity": self.pair.identity, "right": self.pair.right}
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
