"""A chat service on loopback that speaks OpenAI's protocol over real HTTP; every reply is chosen by the test."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image


@dataclass
class Reply:
    """What the server does with one request."""

    body: str | bytes = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0.0
    drip: float = 0.0


def chat(content: str | None, *, usage: Any = (10, 5), finish: str = "stop", **reply: Any) -> Reply:
    tokens = {"prompt_tokens": usage[0], "completion_tokens": usage[1]} if isinstance(usage, tuple) else usage
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content}}
    return Reply(json.dumps({"id": "1", "object": "chat.completion", "choices": [choice], "usage": tokens}), **reply)


def said(text: str = "waves", **more: Any) -> Reply:
    return chat(json.dumps({"text": text}), **more)


def scored(score: Any = 4, reason: str = "sharp throughout", **more: Any) -> Reply:
    """What a judge is asked for."""
    return chat(json.dumps({"reason": reason, "score": score}), **more)


def texts_of(body: dict[str, Any]) -> str:
    """Every word of a request."""
    contents = [message["content"] for message in body["messages"]]
    parts = [part for content in contents if not isinstance(content, str) for part in content]
    return "\n".join([content for content in contents if isinstance(content, str)] + [p.get("text", "") for p in parts])


def pictures_of(body: dict[str, Any]) -> list[Image.Image]:
    """Every picture of a request, decoded."""
    contents = [message["content"] for message in body["messages"] if not isinstance(message["content"], str)]
    urls = [part["image_url"]["url"] for content in contents for part in content if part["type"] == "image_url"]
    return [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) for url in urls]


@dataclass
class Service:
    """A chat service whose every reply is chosen by a test."""

    url: str = ""
    script: Callable[[int, dict[str, Any]], Reply] = lambda n, body: said()
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def plays(self, *replies: Reply) -> None:
        """One reply after the other, the last for ever."""
        self.script = lambda n, body: replies[min(n, len(replies) - 1)]


@contextlib.contextmanager
def serving() -> Iterator[Service]:
    state = Service()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with state.lock:
                number = len(state.bodies)
                state.bodies.append(body)
                state.headers.append({name.lower(): value for name, value in self.headers.items()})
                state.times.append(time.monotonic())
                state.at_once += 1
                state.most_at_once = max(state.most_at_once, state.at_once)
            reply = state.script(number, body)
            time.sleep(reply.wait)
            with state.lock:
                state.at_once -= 1  # before the client can know that it is answered
            try:
                self.answer(reply)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def answer(self, reply: Reply) -> None:
            data = reply.body if isinstance(reply.body, bytes) else reply.body.encode()
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if not reply.drip:
                self.wfile.write(data)
            for i in range(0, len(data) if reply.drip else 0, 8):
                self.wfile.write(data[i : i + 8])
                self.wfile.flush()
                time.sleep(reply.drip)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()
