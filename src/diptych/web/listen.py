"""Serving pages until somebody stops it."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import uvicorn
from starlette.types import ASGIApp

from diptych.types import InputError
from diptych.web.guard import Guard, House, is_loopback


def listen(app: ASGIApp, house: House, announce: Callable[[House], None]) -> None:
    """Serves pages behind their guard until SIGINT or SIGTERM, which end it in good order.

    Args:
        app: the pages.
        house: where, and who may come in; port 0 takes a free one.
        announce: told once, when the address is taken, with the port that it is.

    Raises:
        InputError: the address cannot be had.
    """
    with _bound(house) as door:
        house = replace(house, port=door.getsockname()[1])
        if not is_loopback(house.host):
            print(
                f"diptych: served on {house.host} without encryption; only within a network that you trust, or behind "
                "a proxy that speaks HTTPS.",
                file=sys.stderr,
            )
        announce(house)
        config = uvicorn.Config(
            Guard(app, house),
            # Links hold tokens, so requests are not logged.
            access_log=False,
            log_level="warning",
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=3,
        )
        with _terminated_as_interrupted(), suppress(KeyboardInterrupt):  # which is how one ends it
            uvicorn.Server(config).run(sockets=[door])


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Makes SIGTERM what Ctrl-C is: uvicorn sends itself the signal that ended it, which else ends all at once."""
    if threading.current_thread() is not threading.main_thread():  # where signals do not come
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _bound(house: House) -> socket.socket:
    family = socket.AF_INET6 if ":" in house.host else socket.AF_INET
    door = socket.socket(family)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((house.host.strip("[]"), house.port))
        door.listen()  # who opens the link the moment it is printed waits, and is not turned away
    except (OSError, OverflowError) as error:
        door.close()
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"--host {house.host} --port {house.port} cannot be had ({reason}); choose others.") from None
    return door
