"""Pages on a loopback port, by the real server in a thread, and plain HTTP to ask them with."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from diptych.web.guard import Guard, House


@dataclass(frozen=True)
class Answer:
    """What came back; ``body`` is read whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """Pages that can be asked for."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, value: object, **headers: str) -> Answer:
        """As the pages do it: JSON, and the header that other origins cannot send."""
        return self.ask("POST", path, json.dumps(value).encode(), {"x_diptych": "1", **headers})

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Any request; headers are written with underscores."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        named = {"content-type": "application/json", **named} if body is not None else named
        try:
            connection.request(method, path, body, named)
            found = connection.getresponse()
            return Answer(found.status, {k.lower(): v for k, v in found.getheaders()}, found.read())
        finally:
            connection.close()


@contextlib.contextmanager
def served(app: ASGIApp, **house: Any) -> Iterator[Served]:
    """An app behind its guard, until the block ends."""
    door = socket.create_server(("127.0.0.1", 0))
    port = door.getsockname()[1]
    config = uvicorn.Config(
        Guard(app, House(port=port, **house)), log_level="error", access_log=False, lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    try:
        yield Served(port)
    finally:
        server.should_exit = True
        thread.join(20)
        door.close()
    assert not thread.is_alive()
