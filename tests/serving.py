"""``diptych serve`` in a process of its own, and visitors who speak HTTP to it, each with a jar of cookies."""

from __future__ import annotations

import atexit
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import numpy as np
import pytest

from blocks import save_random_mini
from diptych.media.image import write_image
from diptych.media.video import write_clip
from diptych.types import Clip

LONGEST = 120.0


class Served:
    """A server that answers.

    Attributes:
        process: of the command.
        url: that it printed.
        folder: of all runs.
        log: what it says.
    """

    def __init__(self, folder: Path, model: Path, *words: str) -> None:
        self.folder = folder
        self.log = folder.parent / f"{folder.name}.log"
        command = [sys.executable, "-m", "diptych", "serve", "--folder", str(folder), "--model", str(model)]
        with self.log.open("w") as said:
            self.process = subprocess.Popen(
                [*command, "--port", "0", *words],
                stderr=said,
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        until(lambda: "open http" in self.said or self.process.poll() is not None)
        found = re.search(r"open (http\S+)", self.said)
        assert found, self.said
        self.url = found[1]

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self.log.read_text()

    def kill(self) -> None:
        """Takes it off without a word."""
        self.process.kill()
        self.process.wait()

    def interrupt(self) -> int:
        """Ctrl-C, which reaches every process of the group; gives the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(LONGEST)

    def terminate(self) -> int:
        """SIGTERM, which a service's keeper sends to the server alone; gives the exit code."""
        self.process.terminate()
        return self.process.wait(LONGEST)


@contextmanager
def served(folder: Path, model: Path, *words: str) -> Iterator[Served]:
    """A server for the time of the block."""
    server = Served(folder, model, *words)
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mini with random weights at a quarter of the size."""
    return _made("model", tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture, and a driver of 60 frames, five windows, each lighter than the one before."""
    return _made("files", tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """One server for all tests of this page, since starting one takes as long as most of them."""
    # Each module that imports this fixture has it anew, so what it makes is kept apart.
    return _the_server(tmp_path_factory.getbasetemp())


@cache
def _made(what: str, base: Path) -> Path:
    folder = base / f"for-pages-{what}"
    folder.mkdir()
    if what == "model":
        return Path(save_random_mini(folder))
    rng = np.random.default_rng(0)
    write_image(folder / "picture.png", rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))
    frames = rng.integers(0, 40, (60, 64, 48, 3)) + 3 * np.arange(60)[:, None, None, None]
    write_clip(folder / "driver.mp4", Clip.at_fps(frames.astype(np.uint8), Fraction(30000, 1001)))
    return folder


@cache
def _the_server(base: Path) -> Served:
    server = Served(base / "for-pages-runs", _made("model", base), "--max-picture", "1")
    atexit.register(server.kill)
    return server


class Visitor:
    """A browser without a screen: its jar of cookies, and the header that changes need."""

    def __init__(self, url: str) -> None:
        self.url = url.partition("?")[0].rstrip("/")
        self._jar = CookieJar()
        self._opener: OpenerDirector = build_opener(HTTPCookieProcessor(self._jar))
        self.enter(url)

    def enter(self, url: str) -> None:
        """Opens the page."""
        self._opener.open(url).read()

    def forget(self) -> None:
        """Throws the cookies away."""
        self._jar.clear()

    @property
    def cookies(self) -> str:
        """As a request's header has them."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._jar)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        """Status and answer: JSON where it is, bytes otherwise."""
        names = {"X-Diptych": "1", **{name.replace("_", "-"): value for name, value in headers.items()}}
        try:
            answer = self._opener.open(Request(self.url + path, body, names, method=method), timeout=LONGEST)
        except HTTPError as error:
            answer = error
        with answer:
            content = answer.read()
            is_json = answer.headers.get("content-type", "").startswith("application/json")
            return answer.status, json.loads(content) if is_json else content

    def get(self, path: str) -> Any:
        """What lies there."""
        status, answer = self.ask("GET", path)
        assert status == 200, (path, status, answer)
        return answer

    def upload(self, kind: str, path: Path, name: str | None = None) -> tuple[int, Any]:
        """Sends a file."""
        return self.ask("POST", f"/api/uploads/{kind}", path.read_bytes(), X_File_Name=quote(name or path.name))

    def begin(self, picture: Path, video: Path, **wanted: object) -> str:
        """Uploads both and asks for a run; gives its id."""
        ids = {}
        for kind, path in (("picture", picture), ("video", video)):
            status, answer = self.upload(kind, path)
            assert status == 200, answer
            ids[kind] = answer["id"]
        status, run = self.ask("POST", "/api/runs", json.dumps({**ids, "wanted": wanted}).encode())
        assert status == 200, run
        return str(run["id"])

    def run(self, id_: str) -> dict[str, Any]:
        """How a run stands."""
        found: dict[str, Any] = self.get(f"/api/runs/{id_}")
        return found

    def wait(self, id_: str, *states: str) -> dict[str, Any]:
        """A run once it is in one of the states."""
        return until(lambda: (run := self.run(id_))["state"] in states and run)


def until(what: Callable[[], Any]) -> Any:
    """Waits for something that is true, and gives it."""
    deadline = time.monotonic() + LONGEST
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return found
