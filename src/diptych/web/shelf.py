"""Uploads and runs on disk, a folder each. Nothing is known only in memory, so a killed server loses nothing.

    FOLDER/uploads/ID/   original.*   view.png   view.mp4   about.json
    FOLDER/runs/ID/      picture.*   video.*   (their views)   record.json
                         result.mp4   beside.mp4   result.mp4.run.json   result.mp4.journal/

Names that people gave their files are shown and never used as paths; what belongs to whom is a hash of a cookie.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from threading import RLock
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from diptych.files import appearing, write_json
from diptych.options import rate_in, seconds_in
from diptych.recipes.uploads import Kind, Seen

State = Literal["waiting", "running", "stopped", "interrupted", "failed", "done"]

ROLES = {
    "picture.png": "picture/view.png",
    "video.png": "video/view.png",
    "video.mp4": "video/view.mp4",
    "beside.mp4": "beside.mp4",
    "result.mp4": "result.mp4",
    "run.json": "result.mp4.run.json",
}
"""What is shown of a run, and the file that it is."""

VIEWS = {"view.png", "view.mp4"}

_UNUSED_AFTER_S = 24 * 3600
_LARGEST_RECORD = 1 << 20
_ID = re.compile(r"[0-9a-f]{24}")


class Wanted(BaseModel):
    """What a page asks for beside picture and video; fields mean what ``diptych animate`` means by them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: Annotated[str, Field(max_length=2000)] | None = None
    seed: Annotated[int, Field(ge=0, lt=1 << 53)] = 0
    steps: Annotated[int, Field(ge=1, le=200)] | None = None
    guidance_scale: Annotated[float, Field(ge=0, le=50, allow_inf_nan=False)] | None = None
    windows: Literal["continue", "anew"] | None = None
    lead_in: Literal["cut", "keep"] = "cut"
    size: Annotated[int, Field(ge=16, le=2048)] | None = None
    fps: Annotated[str, Field(max_length=16)] | None = None
    start: Annotated[str, Field(max_length=16)] = "0"
    end: Annotated[str, Field(max_length=16)] | None = None
    mark: Annotated[str, Field(max_length=60)] | None = None
    motion: Literal["rgb", "pose"] | None = None

    @field_validator("fps")
    @classmethod
    def _rate(cls, text: str | None) -> str | None:
        if text is not None and not 1 <= rate_in(text) <= 120:
            raise ValueError(f"{text!r} is not a frame rate from 1 to 120")
        return text

    @field_validator("start", "end")
    @classmethod
    def _time(cls, text: str | None) -> str | None:
        if text is not None:
            seconds_in(text)
        return text

    @model_validator(mode="after")
    def _in_order(self) -> Wanted:
        if self.end is not None and seconds_in(self.end) <= seconds_in(self.start):
            raise ValueError(f"the end, {self.end}, is not after the start, {self.start}")
        return self


class Upload(BaseModel):
    """A picture or a video that somebody brought.

    Attributes:
        id: of its folder.
        owner: whose it is.
        kind: what it is.
        name: that its owner knows it by; for people only.
        file: its name on disk.
        seen: what is in it.
        at: when it came, seconds since 1970.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    owner: str
    kind: Kind
    name: str
    file: str
    seen: dict[str, Any]
    at: float


class Record(BaseModel):
    """A run, and how far it is.

    Attributes:
        id: of its folder.
        owner: whose it is.
        at: when it was asked for, seconds since 1970.
        picture: the upload that it was made from.
        video: likewise.
        wanted: what was asked for.
        state: where it stands.
        said: a sentence on why it ended, where it is not done.
        done: frames that were finished when it ended.
        total: frames in all, 0 where nobody knows.
        made: facts of the result, once it is done.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    owner: str
    at: float
    picture: Upload
    video: Upload
    wanted: Wanted
    state: State = "waiting"
    said: str = ""
    done: int = 0
    total: int = 0
    made: dict[str, Any] | None = None

    @property
    def folder(self) -> Path:
        """Of the run, relative to the folder of all."""
        return Path("runs") / self.id

    def source(self, kind: Kind) -> Path:
        """The file it is made from, likewise."""
        return self.folder / kind / (self.picture if kind == "picture" else self.video).file

    def named(self, sentence: str) -> str:
        """A sentence with the names that its owner knows, in the place of ours."""
        for kind, upload in (("picture", self.picture), ("video", self.video)):
            sentence = sentence.replace(str(self.folder / kind / upload.file), upload.name)
        return sentence.replace(f"{self.folder}{os.sep}", "")


class Shelf:
    """Every upload and every run of a folder. Methods may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        """Reads what is there; runs that were under way when a server ended are interrupted ones."""
        self.folder = folder
        self._lock = RLock()
        self._records: dict[str, Record] = {}
        for name in ("uploads", "runs"):
            (folder / name).mkdir(parents=True, exist_ok=True)
            for torn in [*(folder / name).glob("*.part"), *(folder / name).glob("*.gone")]:
                shutil.rmtree(torn, ignore_errors=True)
        for path in (folder / "runs").glob("*/record.json"):
            record = _read(Record, path)
            if record is not None and record.id == path.parent.name:
                self._records[record.id] = record
        for record in list(self._records.values()):
            if record.state in ("waiting", "running"):
                self.change(record.id, state="interrupted", said="The server ended before this run did.")

    # --- uploads ---

    @contextmanager
    def arriving(self, kind: Kind, name: str, owner: str) -> Iterator[Arrival]:
        """Takes an upload in; it is there when the block ends without an error, and leaves nothing otherwise."""
        self._forget_unused()
        upload = Upload(
            id=secrets.token_hex(12),
            owner=owner,
            kind=kind,
            name=plain_name(name) or kind,
            file="original" + _suffix(name),
            seen={},
            at=time.time(),
        )
        with appearing(self.folder / "uploads" / upload.id) as draft:
            arrival = Arrival(upload, draft.relative_to(self.folder))
            yield arrival
            write_json(draft / "about.json", arrival.upload.model_dump())

    def upload(self, id_: str, owner: str, kind: Kind | None = None) -> Upload | None:
        """An upload of somebody's, or None."""
        path = self.folder / "uploads" / id_ / "about.json"
        found = _read(Upload, path) if _ID.fullmatch(id_) else None
        if found is None or found.owner != owner or kind not in (None, found.kind):
            return None
        return found

    def view(self, upload: Upload, name: str) -> Path | None:
        """A file for the page to show of an upload, or None."""
        path = self.folder / "uploads" / upload.id / name
        return path if name in VIEWS and path.is_file() else None

    def _forget_unused(self) -> None:
        for folder in (self.folder / "uploads").iterdir():
            with suppress(OSError):
                if folder.stat().st_mtime < time.time() - _UNUSED_AFTER_S:
                    shutil.rmtree(folder, ignore_errors=True)

    # --- runs ---

    def begin(self, picture: Upload, video: Upload, wanted: Wanted, owner: str) -> Record:
        """A new run, waiting; its files are its own from here on."""
        record = Record(
            id=secrets.token_hex(12), owner=owner, at=time.time(), picture=picture, video=video, wanted=wanted
        )
        with appearing(self.folder / record.folder) as draft:
            for upload in (picture, video):
                its = draft / upload.kind
                its.mkdir()
                for name in (upload.file, *VIEWS):
                    source = self.folder / "uploads" / upload.id / name
                    if source.exists():
                        _same_file(source, its / name)
            write_json(draft / "record.json", record.model_dump())
        with self._lock:
            self._records[record.id] = record
        return record

    def change(self, id_: str, **values: Any) -> Record:
        """The run with other values, written down.

        Raises:
            InputError: the disk is full, or the like; the page shows the values all the same.
        """
        with self._lock:
            record = self._records[id_] = self._records[id_].model_copy(update=values)
            write_json(self.folder / record.folder / "record.json", record.model_dump())
            return record

    def record(self, id_: str) -> Record:
        """A run that is known to be there, whose ever it is."""
        return self._records[id_]

    def run(self, id_: str, owner: str) -> Record | None:
        """A run of somebody's, or None."""
        record = self._records.get(id_)
        return record if record is not None and record.owner == owner else None

    def runs(self, owner: str) -> list[Record]:
        """All runs of somebody's, newest first."""
        with self._lock:
            return sorted((r for r in self._records.values() if r.owner == owner), key=lambda r: -r.at)

    def remove(self, record: Record) -> None:
        """Deletes a run and all its files."""
        folder = self.folder / record.folder
        with self._lock:
            self._records.pop(record.id, None)
            # Renamed first, so that a kill on the way does not leave half a run.
            folder.rename(folder.with_name(folder.name + ".gone"))
        shutil.rmtree(folder.with_name(folder.name + ".gone"), ignore_errors=True)

    def file(self, record: Record, role: str) -> Path | None:
        """A file of a run by its role, or None."""
        name = ROLES.get(role)
        path = self.folder / record.folder / name if name else None
        return path if path is not None and path.is_file() else None

    def kept_windows(self, record: Record) -> int:
        """Finished windows that a run can go on from."""
        return sum(1 for _ in (self.folder / record.folder / "result.mp4.journal").glob("window-*.npz"))


class Arrival:
    """An upload on its way in.

    Attributes:
        upload: what is known of it.
        folder: that takes its files, relative to the folder of all.
    """

    def __init__(self, upload: Upload, folder: Path) -> None:
        self.upload, self.folder = upload, folder

    @property
    def path(self) -> Path:
        """Where its bytes go, likewise."""
        return self.folder / self.upload.file

    def examine(self, look: Callable[[Kind, Path, Path], Seen]) -> None:
        """Has it looked at.

        Raises:
            InputError: as the look.
        """
        self.upload = self.upload.model_copy(update={"seen": asdict(look(self.upload.kind, self.path, self.folder))})


def plain_name(name: str) -> str:
    """The last part of a name from somewhere, printable and short."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(char for char in last if char.isprintable()).strip()[-80:]


def _suffix(name: str) -> str:
    """Of a name; readers take it as a hint."""
    found = re.search(r"\.[A-Za-z0-9]{1,5}$", name)
    return found[0].lower() if found else ""


def _same_file(source: Path, target: Path) -> None:
    """A second name for a file, or a copy where the disk knows no second names."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _read(kind: Any, path: Path) -> Any:
    """A file as what it should be; None where it is not."""
    try:
        if path.stat().st_size > _LARGEST_RECORD:
            return None
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
