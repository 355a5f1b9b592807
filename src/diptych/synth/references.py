"""The pictures that motions are given to: a folder of them, and what is known of each.

Beside the pictures there may be ``references.jsonl``, one object a line: ``file`` and, where somebody knows them,
``kind``, ``framing``, ``figures``, ``looks``, ``identity`` (who is shown, if more than one picture shows them) and
``source`` (name of the footage it is from). What it does not say is found by whoever looks at pictures.
"""

from __future__ import annotations

import functools
import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from diptych.data.manifest import LONGEST_LINE, RelativePath
from diptych.files import replacing, sha256, writing_errors
from diptych.media.image import read_image
from diptych.method.bootstrap import Candidate, Cast, Framing, Kind, Shown, kind_by_looks
from diptych.progress import progress
from diptych.types import InputError, Picture

SIDECAR = "references.jsonl"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def plain_text(text: str) -> str:
    """A text from outside on one line, without characters that steer anything."""
    spaced = (" " if char.isspace() else char for char in text)
    return " ".join("".join(char for char in spaced if unicodedata.category(char)[0] != "C").split())


Text = Annotated[str, Field(max_length=2000), AfterValidator(plain_text)]
_Name = Annotated[str, Field(min_length=1, max_length=200)]


class Known(BaseModel):
    """What a line of ``references.jsonl`` says of a picture."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    file: RelativePath
    kind: Kind | None = None
    framing: Framing | None = None
    figures: Annotated[int, Field(ge=1, le=64)] | None = None
    looks: Text = ""
    identity: _Name | None = None
    source: _Name | None = None


@dataclass(frozen=True)
class Seen:
    """What somebody found who looked at a picture.

    Attributes:
        shown: who is in it.
        looks: in English.
    """

    shown: Shown
    looks: str = ""


Look = Callable[[Picture], Seen]
"""Looks at a picture, RGB, uint8, ``(h, w, 3)``."""


@dataclass(frozen=True)
class Reference:
    """A picture and what is known of it.

    Attributes:
        name: its path in its folder.
        path: of its file.
        sha256: of its bytes.
        shown: who is in it.
        looks: in English.
        identities: names of who is in it.
    """

    name: str
    path: Path
    sha256: str
    shown: Shown
    looks: str
    identities: tuple[str, ...]

    @property
    def candidate(self) -> Candidate:
        """The picture as the rule sees it."""
        return Candidate(self.name, frozenset(self.identities), self.shown)


@dataclass(frozen=True, eq=False)
class References:
    """All pictures, to be looked up and chosen from.

    Attributes:
        by_name: every picture.
        cast: they, for the rule.
    """

    by_name: dict[str, Reference]
    cast: Cast


@dataclass(frozen=True)
class Found:
    """What there is in a folder of pictures.

    Attributes:
        text: what is known of each, a line of JSON a picture.
        left_out: a sentence for every picture that is left out.
    """

    text: str
    left_out: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Hash of all that is known."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def write(self, told: Path) -> None:
        """Writes it down for :func:`read_references`.

        Raises:
            InputError: if it cannot be written.
        """
        with writing_errors(told), replacing(told) as draft:
            draft.write_text(self.text, encoding="utf-8")


def find_references(folder: Path, look: Look, told: Path, by: str, *, at_once: int = 1, quiet: bool = False) -> Found:
    """Finds the pictures of a folder and what is known of each; those that were looked at before are not again.

    Args:
        folder: of pictures, at any depth.
        look: looks at those of which not everything is known.
        told: what an earlier run wrote down, where there is one.
        by: who looks: with another one pictures are looked at anew.
        at_once: pictures that are looked at at a time, for who is somewhere else and answers slowly.
        quiet: show no progress.

    Raises:
        InputError: if there is no picture, or the file beside them is wrong.
    """
    known = _sidecar(folder)
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    files = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    names = {path.relative_to(folder).as_posix(): path for path in files}
    missing = sorted(set(known) - set(names))
    if missing:
        raise InputError(
            f"{folder / SIDECAR} speaks of {missing[0]}, which is not there; put it back or mend the line."
        )
    before = {(line.get("sha256"), line.get("said")): line for line in _lines(told) if line.get("by") == by}
    digests = {name: sha256(path) for name, path in names.items()}
    first = {digest: name for name, digest in reversed(digests.items())}
    left_out = [f"{name} is the same picture as {first[d]}" for name, d in digests.items() if first[d] != name]
    wanted = [name for name, digest in digests.items() if first[digest] == name]

    def line(name: str) -> dict[str, Any] | str:
        try:
            return _line(names[name], known.get(name, Known(file=name)), digests[name], look, by, before)
        except InputError as error:
            return str(error)

    lines = list[dict[str, Any]]()
    with (
        ThreadPoolExecutor(at_once) as pool,
        progress("references", len(wanted), "pictures", quiet=quiet) as report,
    ):
        for count, told_of in enumerate(pool.map(line, wanted) if at_once > 1 else map(line, wanted), 1):
            (left_out if isinstance(told_of, str) else lines).append(told_of)  # type: ignore[arg-type]
            report(count)
    if not lines:
        raise InputError(f"{folder} holds no picture that can be used; give a folder of PNG, JPEG or WebP files.")
    return Found("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), tuple(left_out))


@functools.lru_cache(maxsize=1)
def read_references(told: Path, folder: Path, digest: str) -> References:
    """The pictures as :meth:`Found.write` wrote them down; read once in a process.

    Raises:
        InputError: if they are not what they were.
    """
    if sha256(told) != digest:
        raise InputError(f"{told} has been changed since this run began; start it again.")
    found = {}
    for line in _lines(told):
        shown = Shown(line["kind"], line["framing"], line["figures"], line["share"])
        found[line["file"]] = Reference(
            line["file"], folder / line["file"], line["sha256"], shown, line["looks"], tuple(line["identities"])
        )
    return References(found, Cast([one.candidate for one in found.values()]))


def _line(
    path: Path, said: Known, digest: str, look: Look, by: str, before: dict[tuple[Any, Any], dict[str, Any]]
) -> dict[str, Any]:
    key = digest, said.model_dump_json(exclude_none=True)
    if key in before:
        return before[key]
    picture = read_image(path)
    seen = look(picture)
    looks = said.looks or plain_text(seen.looks)
    shown = replace(
        seen.shown,
        kind=said.kind or seen.shown.kind or kind_by_looks(looks),
        framing=said.framing or seen.shown.framing,
        figures=said.figures or seen.shown.figures,
    )
    names = [f"bytes:{digest}", f"file:{path.name}", *(f"{key}:{name}" for key, name in _named(said))]
    told = {"file": said.file, "kind": shown.kind, "framing": shown.framing, "figures": shown.figures}
    share = None if shown.share is None else round(shown.share, 2)
    return {
        **told, "share": share, "looks": looks, "identities": names, "sha256": digest, "said": key[1], "by": by
    }  # fmt: skip


def _named(said: Known) -> Iterator[tuple[str, str]]:
    if said.identity is not None:
        yield "who", said.identity
    if said.source is not None:
        yield "footage", said.source


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file that a run before this one wrote; none where it did not."""
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []


def _sidecar(folder: Path) -> dict[str, Known]:
    path = folder / SIDECAR
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give a folder of pictures with --references.")
    if not path.exists():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); write JSON lines in UTF-8.") from None
    found: dict[str, Known] = {}
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise InputError(f"{path}, line {number}: longer than {LONGEST_LINE} characters; write a picture a line.")
        try:
            said = Known.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the line"
            raise InputError(f"{path}, line {number}, {where}: {first['msg']}; mend or remove the line.") from None
        if said.file in found:
            raise InputError(f"{path}, line {number}: {said.file} stands twice; keep one of the lines.")
        found[said.file] = said
    return found
