"""The pages on which people check self-made pairs: one for every reviewer, and an overview.

Who holds a link is who it was made for: its token stands in the path of everything that a page asks for, so two
reviewers may share a browser and none speaks for the other. Nothing here knows a path of a file: pairs are asked for by
their id and what is wanted of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, HTTPException, Query, Response
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from diptych.media.reel import PART, SIDES
from diptych.options import ReviewOptions
from diptych.recipes.review import Review, open_review, verdict_lines
from diptych.synth.overview import overview
from diptych.synth.review import REASONS, Answer, Progress, Reviewer, StaleError, Turn
from diptych.synth.viewing import Role
from diptych.types import InputError
from diptych.web.guard import House, links, same
from diptych.web.listen import listen

_PAGES = {
    "look.css": "text/css",
    "review.css": "text/css",
    "review.js": "text/javascript",
    "player.js": "text/javascript",
    "overview.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}

# Whatever a manifest calls a file, it is never served as something that a browser runs or renders.
_MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".gif": "image/gif",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}

_DAMAGED_AT_ONCE = 20

T = TypeVar("T")


def serve_review(options: ReviewOptions) -> None:
    """Serves a review until it is stopped, and prints its links.

    Raises:
        InputError: the pairs cannot be shown, or the address cannot be had.
    """
    review = open_review(options)
    try:
        listen(review_app(review), House(options.host, options.port), lambda house: announce(review, house))
    finally:
        review.reviews.close()


class Said(BaseModel):
    """What a page sends when a reviewer has answered; both questions are None for "cannot tell"."""

    model_config = ConfigDict(extra="forbid")

    ticket: Annotated[str, Field(max_length=100)]
    motion: StrictBool | None
    character: StrictBool | None
    reasons: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=len(REASONS))] = []
    seconds: Annotated[float, Field(ge=0, le=86_400)] = 0


class TakenBack(BaseModel):
    """Which answer a reviewer takes back."""

    model_config = ConfigDict(extra="forbid")

    number: Annotated[int, Field(ge=1, lt=1 << 62)]


PairId = Annotated[str, Query(max_length=200)]


def review_app(review: Review) -> FastAPI:
    """The pages of a review, as an ASGI application to be put behind a guard."""
    # No pages about the pages: those of FastAPI load their scripts from elsewhere.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    reviews, viewing, wanted = review.reviews, review.viewing, review.wanted

    def whose(token: str) -> Reviewer:
        found = [who for who in review.reviewers if same(token, who.token)]
        if not found:
            raise HTTPException(404, "This link is not, or no longer, one of this review.")
        return found[0]

    def only_admin(token: str) -> None:
        if not same(token, review.admin):
            raise HTTPException(404, "This link is not, or no longer, one of this review.")

    @app.get("/pages/{name}")
    def part_of_a_page(name: str) -> Response:
        if name not in _PAGES:
            raise HTTPException(404)
        return Response(_page(name), media_type=_PAGES[name])

    # --- a reviewer's page --------------------------------------------------------------------------------------------

    @app.get("/r/{token}")
    def reviewer_page(token: str) -> Response:
        whose(token)
        return Response(_page("review.html"), media_type="text/html")

    @app.get("/r/{token}/turn")
    def turn(token: str) -> dict[str, Any]:
        return _state(review, whose(token))

    @app.get("/r/{token}/after")
    def after(token: str) -> dict[str, Any]:
        """What may come next, so that the page can fetch its frames while this pair is looked at."""
        coming = reviews.after(whose(token), viewing.candidates, wanted)
        return {"pair": None} if coming is None else coming._asdict()

    @app.get("/r/{token}/frames")
    def frames(
        token: str, pair: PairId, role: Role, part: Annotated[int, Query(ge=0, le=1 << 20)], side: int = SIDES[-1]
    ) -> Response:
        whose(token)
        if side not in SIDES:
            raise HTTPException(422, f"Frames are {', '.join(map(str, SIDES))} pixels large.")
        packed = _seen(lambda: viewing.frames(pair, role, part, side))
        # The page asks with the hash of the pair's contents, so what a browser keeps is never another pair's.
        kept = {"cache-control": "private, max-age=1800"}
        return Response(packed, media_type="application/octet-stream", headers=kept)

    @app.get("/r/{token}/media")
    def media(token: str, pair: PairId, role: Role) -> FileResponse:
        """The file itself, in ranges where the browser asks for ranges."""
        whose(token)
        path = _seen(lambda: viewing.file(pair, role))
        return FileResponse(path, media_type=_MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream"))

    @app.post("/r/{token}/verdicts")
    def verdict(token: str, said: Said) -> dict[str, Any]:
        reviewer = whose(token)
        try:
            answer = Answer(said.motion, said.character, tuple(said.reasons))
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        try:
            reviews.give(reviewer, said.ticket, answer, said.seconds)
        except StaleError:
            raise HTTPException(409, "This pair was answered already, or is no longer asked for.") from None
        return _state(review, reviewer)

    @app.post("/r/{token}/undo")
    def undo(token: str, back: TakenBack) -> dict[str, Any]:
        reviewer = whose(token)
        try:
            given = reviews.undo(reviewer, back.number)
        except StaleError:
            raise HTTPException(409, "That is not the last answer any more.") from None
        return _state(review, reviewer) | {"answer": None if given is None else asdict(given.answer)}

    # --- the overview -------------------------------------------------------------------------------------------------

    @app.get("/o/{token}")
    def overview_page(token: str) -> Response:
        only_admin(token)
        return Response(_page("overview.html"), media_type="text/html")

    @app.get("/o/{token}/figures")
    def figures(token: str) -> dict[str, Any]:
        only_admin(token)
        found = overview(reviews.standing(), reviews.reviewers(), viewing.candidates)
        damaged = list(viewing.damaged.values())
        return asdict(found) | {
            "wanted": wanted,
            "damaged": {"count": len(damaged), "first": damaged[:20]},
            "labels": {name: label for name, (_, label) in REASONS.items()},
            "links": {who.name: f"/r/{who.token}" for who in review.reviewers},
        }

    @app.get("/o/{token}/verdicts.jsonl")
    def verdicts(token: str) -> StreamingResponse:
        only_admin(token)
        return StreamingResponse(
            verdict_lines(reviews.standing()),
            media_type="application/x-ndjson",
            headers={"content-disposition": 'attachment; filename="verdicts.jsonl"'},
        )

    return app


def _state(review: Review, reviewer: Reviewer) -> dict[str, Any]:
    """All that a reviewer's page shows."""
    turn, progress = _asked(review, reviewer)
    return {
        "reviewer": reviewer.name,
        "kind": reviewer.kind,
        "turn": None if turn is None else asdict(turn) | asdict(review.viewing.facts(turn.pair)),
        "progress": asdict(progress),
        "last": review.reviews.last(reviewer),
        "reasons": [{"name": name, "about": about, "label": label} for name, (about, label) in REASONS.items()],
        "part": PART,
        "sides": SIDES,
    }


def _asked(review: Review, reviewer: Reviewer) -> tuple[Turn | None, Progress]:
    """The pair before a reviewer; those whose files turn out to be damaged are passed over."""
    for _ in range(_DAMAGED_AT_ONCE):
        turn, progress = review.reviews.ask(reviewer, review.viewing.candidates, review.wanted)
        if turn is None or review.viewing.check(turn.pair):
            return turn, progress
    raise HTTPException(503, "Many pairs are damaged; ask again, and see the overview.")


def _seen(look: Callable[[], T]) -> T:
    try:
        return look()
    except KeyError:
        raise HTTPException(404, "There is no such pair.") from None
    except InputError as error:
        raise HTTPException(410, str(error)) from None


@cache
def _page(name: str) -> bytes:
    return files("diptych.web").joinpath("pages", name).read_bytes()


def announce(review: Review, house: House, under: str = "") -> None:
    """Prints the links of all reviewers, and that of the overview.

    Args:
        review: what they check.
        house: where its pages are served.
        under: path that they are served under.
    """
    for who in review.reviewers:
        print(f"{who.name} ({who.kind}): {links(house, [f'{under}/r/{who.token}'])[0]}")
    print(f"overview: {links(house, [f'{under}/o/{review.admin}'])[0]}", flush=True)
