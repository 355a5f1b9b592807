"""``diptych serve``: the pages as one app, and the server that shows them until Ctrl-C."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.types import ASGIApp

from diptych.files import locked
from diptych.options import AnimateOptions, ReviewOptions, ServeOptions, rate_in, seconds_in
from diptych.recipes.review import open_review
from diptych.recipes.serve import examples, start_animator
from diptych.recipes.uploads import Examiner, Kind
from diptych.types import InputError
from diptych.web.animate import (
    MIB,
    RefusalError,
    Studio,
    misunderstood,
    page_routes,
    run_routes,
    told,
    unwritten,
    upload_routes,
)
from diptych.web.guard import House, is_loopback, links, new_token
from diptych.web.listen import listen
from diptych.web.queue import Queue
from diptych.web.review import announce, review_app
from diptych.web.shelf import Record, Shelf


def create_app(studio: Studio, review: ASGIApp | None = None) -> FastAPI:
    """The pages, without the guard that stands before them.

    Args:
        studio: everything behind them.
        review: the pages of a review, to be found under ``/review``.
    """
    app = _empty()
    _furnish(app, studio, review)
    return app


def serve(options: ServeOptions) -> None:
    """Loads the model, serves the pages until Ctrl-C, and keeps what is finished.

    Raises:
        InputError: the address cannot be had, the folder is in use, or the model cannot be loaded.
    """
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{options.folder} cannot be made ({error.strerror}); name another --folder.") from None
    folder = options.folder.resolve()
    limits: dict[Kind, int] = {"picture": options.max_picture * MIB, "video": options.max_video * MIB}
    token = options.token or (None if is_loopback(options.host) else new_token())
    # Twice the limit, so that who exceeds it by little is told of the file, not of a request.
    house = House(options.host, options.port, token, 2 * max(limits.values()))
    with locked(folder / "lock"), ExitStack() as opened:
        review = None
        if options.review is not None:
            review = open_review(ReviewOptions(options.review, options.reviewers))
            opened.callback(review.reviews.close)
        shelf, look = Shelf(folder), Examiner(folder)
        queue = Queue(
            shelf,
            lambda device: start_animator(options.common, folder, device),
            lambda record: options_of(record, options.common),
            options.devices or (None,),
        )
        app = _empty()

        def furnish(bound: House) -> None:
            """Loads the model once the address is had, since that may take minutes."""
            print("diptych: loading the model.", file=sys.stderr, flush=True)
            ready = queue.open()
            poses = options.common.pose_weights is not None
            studio = Studio(shelf, queue, look, ready, limits, poses, tuple(examples(folder)))
            _furnish(app, studio, None if review is None else review_app(review))
            if review is not None:
                announce(review, bound, "/review")
            print(f"diptych: open {links(bound, ['/'])[0]} (Ctrl-C stops)", file=sys.stderr, flush=True)

        try:
            listen(app, house, furnish)
        finally:
            queue.close()
            look.close()
    print(f"\ndiptych: stopped; everything is kept in {options.folder}.", file=sys.stderr)


def _empty() -> FastAPI:
    # The pages of documentation that the framework would add load scripts from elsewhere.
    return FastAPI(openapi_url=None, docs_url=None, redoc_url=None)


def _furnish(app: FastAPI, studio: Studio, review: ASGIApp | None = None) -> None:
    app.include_router(page_routes(studio))
    app.include_router(upload_routes(studio))
    app.include_router(run_routes(studio))
    app.add_exception_handler(RefusalError, told)
    app.add_exception_handler(InputError, unwritten)
    app.add_exception_handler(RequestValidationError, misunderstood)
    if review is not None:
        app.mount("/review", review)


def options_of(record: Record, common: AnimateOptions) -> AnimateOptions:
    """A run as the command line would ask for it, paths relative to the folder of all."""
    wanted = record.wanted
    return replace(
        common,
        reference=record.source("picture"),
        driving=record.source("video"),
        output=record.folder / "result.mp4",
        preview=record.folder / "beside.mp4",
        prompt=wanted.prompt or None,
        seed=wanted.seed,
        steps=wanted.steps,
        guidance_scale=wanted.guidance_scale,
        windows=wanted.windows,
        lead_in=wanted.lead_in,
        size=wanted.size,
        fps=None if wanted.fps is None else rate_in(wanted.fps),
        start=seconds_in(wanted.start),
        end=None if wanted.end is None else seconds_in(wanted.end),
        mark=wanted.mark or None,
        motion=wanted.motion,
        quiet=True,
    )


# --- the server -----------------------------------------------------------------------------------------------------
