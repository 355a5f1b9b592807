"""What the Animate page asks of the server: routes, and the studio behind them.

Nothing here touches a pixel: processes of :mod:`diptych.recipes.serve` look at what is uploaded and animate it, the
queue hands runs to them, the shelf keeps everything on disk. Each browser sees its own runs, by a cookie that says
nothing of who sits before it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, ValidationError

from diptych.recipes.serve import Example, Ready
from diptych.recipes.uploads import Examiner, Kind
from diptych.types import InputError
from diptych.web.queue import Queue
from diptych.web.shelf import Record, Shelf, Upload, Wanted

PAGES = Path(__file__).parent / "pages"

MIB = 1 << 20
_SPARE = 1024 * MIB
"""Bytes of the disk that uploads leave free: results need some."""

_MOST_WAITING, _MOST_WAITING_OF_ONE = 100, 10
_CHECK_DISK_EVERY = 32 * MIB
_LONGEST_REQUEST = 64 << 10
_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True)
class Studio:
    """Everything behind the page.

    Attributes:
        shelf: uploads and runs.
        queue: of the runs.
        look: examines uploads.
        ready: the model.
        limits: largest upload of each kind, bytes.
        poses: whether somebody can find skeletons in a video.
        offered: files to begin with.
    """

    shelf: Shelf
    queue: Queue
    look: Examiner
    ready: Ready
    limits: Mapping[Kind, int]
    poses: bool
    offered: tuple[Example, ...]


class RefusalError(Exception):
    """What was asked for is not done; one sentence says why."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    picture: str
    video: str
    wanted: Wanted = Wanted()


# --- routes ---------------------------------------------------------------------------------------------------------


def page_routes(studio: Studio) -> APIRouter:
    """The page itself, its parts, and what it has to know."""
    router = APIRouter()

    @router.get("/")
    def animate(request: Request) -> Response:
        page = FileResponse(PAGES / "animate.html", headers={"cache-control": "no-cache"})
        if not _known(request.cookies.get(_cookie(request))):
            cookie = secrets.token_urlsafe(24)
            page.set_cookie(_cookie(request), cookie, max_age=_YEAR_S, httponly=True, samesite="strict", path="/")
        return page

    @router.get("/pages/{name}")
    def part(name: str) -> Response:
        path = PAGES / name
        if re.fullmatch(r"[a-z_]+\.(css|js|svg)", name) is None or not path.is_file():
            raise RefusalError(404, "There is no such page.")
        return FileResponse(path, headers={"cache-control": "no-cache"})

    @router.get("/favicon.ico")
    def icon() -> Response:
        return FileResponse(PAGES / "icon.svg", headers={"cache-control": "no-cache"})

    @router.get("/api/house")
    def house() -> dict[str, Any]:
        """What the page has to know before anything is asked for."""
        return {
            "model": studio.ready.model,
            "steps": studio.ready.steps,
            "motion": studio.ready.motion,
            "side": round(studio.ready.panel_area**0.5),
            "poses": studio.poses,
            "limits": dict(studio.limits),
            "examples": [example.name for example in studio.offered],
        }

    @router.get("/api/examples/{name}.png")
    def example(name: str) -> Response:
        return FileResponse(_example(studio, name).picture, headers={"cache-control": "max-age=3600"})

    return router


def upload_routes(studio: Studio) -> APIRouter:
    """Pictures and videos that are brought or taken from the examples."""
    router = APIRouter(prefix="/api")

    @router.post("/uploads/{kind}")
    async def upload(kind: Kind, request: Request) -> dict[str, Any]:
        """Takes the body as a file, whose name stands in a header."""
        owner = _owner(request)
        name = unquote(request.headers.get("x-file-name", ""))[:1000]
        try:
            async with contextmanager_in_threadpool(studio.shelf.arriving(kind, name, owner)) as arrival:
                path = studio.shelf.folder / arrival.path
                await _received(request, path, arrival.upload.name, kind, studio.limits[kind])
                try:
                    await run_in_threadpool(arrival.examine, studio.look)
                except InputError as error:
                    # Our name for the file is nothing to its owner.
                    raise RefusalError(422, str(error).replace(str(arrival.path), arrival.upload.name)) from None
        except OSError as error:
            raise RefusalError(507, f"{name} cannot be kept ({(error.strerror or 'disk').lower()}).") from None
        return _shown(arrival.upload)

    @router.post("/examples/{name}")
    def take(name: str, request: Request) -> dict[str, Any]:
        """The picture and the video of an example, as if they had been uploaded."""
        owner, example = _owner(request), _example(studio, name)
        taken: dict[str, Any] = {}
        sources: dict[Kind, Path] = {"picture": example.picture, "video": example.video}
        for kind, source in sources.items():
            with studio.shelf.arriving(kind, name + source.suffix, owner) as arrival:
                shutil.copyfile(source, studio.shelf.folder / arrival.path)
                arrival.examine(studio.look)
            taken[kind] = _shown(arrival.upload)
        return taken

    @router.get("/uploads/{id_}")
    def known(id_: str, request: Request) -> dict[str, Any]:
        found = studio.shelf.upload(id_, _owner(request))
        if found is None:
            raise RefusalError(404, "That file is no longer here; choose it again.")
        return _shown(found)

    @router.get("/uploads/{id_}/{name}")
    def view(id_: str, name: str, request: Request) -> Response:
        found = studio.shelf.upload(id_, _owner(request))
        path = studio.shelf.view(found, name) if found is not None else None
        if path is None:
            raise RefusalError(404, "There is no such file.")
        return FileResponse(path, headers={"cache-control": "private, max-age=3600"})

    return router


def run_routes(studio: Studio) -> APIRouter:
    """Runs: asked for, followed, stopped, gone on with, shown, saved, deleted."""
    router = APIRouter(prefix="/api/runs")
    shelf, queue = studio.shelf, studio.queue

    def mine(id_: str, request: Request) -> Record:
        record = shelf.run(id_, _owner(request))
        if record is None:
            raise RefusalError(404, "That run is not here; it may have been deleted.")
        return record

    @router.get("")
    def listed(request: Request) -> list[dict[str, Any]]:
        return [_status(studio, record) for record in shelf.runs(_owner(request))]

    @router.post("")
    async def begun(request: Request) -> dict[str, Any]:
        try:
            asked = _Asked.model_validate_json(await _body(request))
        except ValidationError as error:
            raise RefusalError(422, _first_fault(error.errors())) from None
        return await run_in_threadpool(begin, asked, _owner(request))

    def begin(asked: _Asked, owner: str) -> dict[str, Any]:
        picture, video = shelf.upload(asked.picture, owner, "picture"), shelf.upload(asked.video, owner, "video")
        if picture is None or video is None:
            missing = "picture" if picture is None else "video"
            raise RefusalError(404, f"The {missing} is no longer here; choose it again.")
        if asked.wanted.motion == "pose" and not studio.poses:
            raise RefusalError(422, "Skeletons cannot be found here; start the server with --pose-weights.")
        _refuse_a_crowd(studio, owner)
        record = shelf.begin(picture, video, asked.wanted, owner)
        queue.add(record)
        return _status(studio, shelf.record(record.id))

    @router.get("/{id_}")
    def shown(id_: str, request: Request) -> dict[str, Any]:
        record = mine(id_, request)
        return {**_status(studio, record), "made": record.made}

    @router.post("/{id_}/stop")
    def stopped(id_: str, request: Request) -> dict[str, Any]:
        queue.stop(mine(id_, request))
        return _status(studio, mine(id_, request))

    @router.post("/{id_}/go-on")
    def gone_on(id_: str, request: Request) -> dict[str, Any]:
        record = mine(id_, request)
        if record.state == "done":
            raise RefusalError(409, "That run is done.")
        if record.state not in ("waiting", "running"):
            _refuse_a_crowd(studio, record.owner)
            queue.add(record)
        return _status(studio, mine(id_, request))

    @router.delete("/{id_}")
    def deleted(id_: str, request: Request) -> dict[str, Any]:
        record = mine(id_, request)
        if record.state in ("waiting", "running"):
            raise RefusalError(409, "That run is under way; cancel it first.")
        shelf.remove(record)
        return {}

    @router.get("/{id_}/{role}")
    def file(id_: str, role: str, request: Request, save: bool = False) -> Response:
        record = mine(id_, request)
        path = shelf.file(record, role)
        if path is None:
            raise RefusalError(404, "There is no such file.")
        kept = {"cache-control": "private, max-age=3600"}
        if not save:
            return FileResponse(path, headers=kept)
        name = re.sub(r"[^\w-]+", "-", Path(record.picture.name).stem).strip("-") or "picture"
        return FileResponse(path, headers=kept, filename=f"{name}-animated.{role.rpartition('.')[2]}")

    return router


# --- what routes have in common -------------------------------------------------------------------------------------


def _owner(request: Request) -> str:
    """Whose request it is: a hash, so that the folder of runs holds nobody's key."""
    cookie = request.cookies.get(_cookie(request))
    if not _known(cookie):
        raise RefusalError(401, "This browser is not known here; load the page again, with cookies allowed.")
    return hashlib.sha256((cookie or "").encode()).hexdigest()[:32]


def _cookie(request: Request) -> str:
    """Name of the cookie by which a browser is known again; browsers keep one jar for all ports of a host."""
    return f"diptych_person_{request.url.port or 80}"


def _known(cookie: str | None) -> bool:
    return cookie is not None and re.fullmatch(r"[\w-]{32}", cookie) is not None


def _example(studio: Studio, name: str) -> Example:
    for example in studio.offered:
        if example.name == name:
            return example
    raise RefusalError(404, "There is no such example.")


async def _body(request: Request) -> bytes:
    """What is asked for, which is never long."""
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > _LONGEST_REQUEST:
            raise RefusalError(413, "That is more than any run is asked for with.")
    return body


async def _received(request: Request, path: Path, name: str, kind: str, limit: int) -> None:
    """Streams a body to disk, and stops where it is too much for the limit or the disk."""
    too_large = RefusalError(413, f"{name} is larger than {limit // MIB} MB, the most that a {kind} may have here.")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise too_large
    size, checked = 0, -_CHECK_DISK_EVERY
    with path.open("wb") as file:
        async for block in request.stream():
            size += len(block)
            if size > limit:
                raise too_large
            if size - checked >= _CHECK_DISK_EVERY:
                checked = size
                _refuse_a_full_disk(path.parent, int(length) - size if length.isdigit() else 0)
            file.write(block)


def _refuse_a_full_disk(folder: Path, more: int = 0) -> None:
    if shutil.disk_usage(folder).free < _SPARE + more:
        raise RefusalError(507, "The server's disk is nearly full; delete earlier runs, or ask whoever runs it.")


def _refuse_a_crowd(studio: Studio, owner: str) -> None:
    _refuse_a_full_disk(studio.shelf.folder)
    waiting = sum(record.state == "waiting" for record in studio.shelf.runs(owner))
    if waiting >= _MOST_WAITING_OF_ONE or studio.queue.length() >= _MOST_WAITING:
        raise RefusalError(429, "The queue is full; wait for a run to end, or cancel one.")


def _shown(upload: Upload) -> dict[str, Any]:
    return {"id": upload.id, "kind": upload.kind, "name": upload.name, **upload.seen}


def _status(studio: Studio, record: Record) -> dict[str, Any]:
    """A run as the page lists it."""
    now: dict[str, Any] = {"done": record.done, "total": record.total}
    followed = studio.queue.pace(record.id)
    if followed is not None:
        pace, stopping = followed
        now = {
            "label": pace.word.label,
            "unit": pace.word.unit,
            "done": pace.word.done,
            "total": pace.word.total,
            "share": pace.done / pace.word.total if pace.word.total else None,
            "left": pace.seconds_left(time.monotonic()),
            "stopping": stopping,
        }
    resumable = record.state in ("stopped", "interrupted", "failed")
    return {
        "id": record.id,
        "at": record.at,
        "state": record.state,
        "said": record.said,
        "picture": _shown(record.picture),
        "video": _shown(record.video),
        "wanted": record.wanted.model_dump(exclude_defaults=True),
        "before": studio.queue.before(record.id),
        "kept": studio.shelf.kept_windows(record) if resumable else 0,
        "progress": now,
        "frames": None if record.made is None else record.made["frames"],
    }


def told(_: Request, refusal: Exception) -> Response:
    """The answer to what is refused."""
    assert isinstance(refusal, RefusalError)
    return JSONResponse({"said": str(refusal)}, refusal.status)


def unwritten(_: Request, error: Exception) -> Response:
    """The answer where a file cannot be written."""
    return JSONResponse({"said": str(error)}, 507)


def misunderstood(_: Request, error: Exception) -> Response:
    """The answer to what cannot be read."""
    assert isinstance(error, RequestValidationError)
    return JSONResponse({"said": _first_fault(error.errors())}, 422)


def _first_fault(errors: Sequence[Any]) -> str:
    """One sentence about the first field that cannot be used."""
    field = next((str(part) for part in reversed(errors[0]["loc"]) if isinstance(part, str)), "")
    reason = str(errors[0]["msg"]).removeprefix("Value error, ")
    said = reason if field in ("", "wanted") else f"{field.replace('_', ' ')}: {reason[:1].lower()}{reason[1:]}"
    return f"{said[:1].upper()}{said[1:]}."
