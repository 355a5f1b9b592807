"""A real Chromium for pages: tests that use ``page`` fail on anything the console complains of.

``tests/web/conftest.py`` gives the fixtures to every test of a page. Where no browser is found, they are skipped and
say so.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_chromium() -> str | None:
    """Path of a Chromium: DIPTYCH_CHROMIUM, one on the PATH, or playwright's own; None where there is none."""
    named = os.environ.get("DIPTYCH_CHROMIUM")
    if named:
        return named
    for name in _NAMES:
        if (found := shutil.which(name)) is not None:
            return found
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as play:
        own = play.chromium.executable_path
    return own if own and Path(own).exists() else None


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless browser for all tests of a run."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install playwright)")
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium was found; install one or set DIPTYCH_CHROMIUM")
    # Chromium refuses its sandbox to root, as in containers; pages here are our own.
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=[*alone, "--disable-dev-shm-usage", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages, each with a jar of cookies of its own: ``page(width=390, height=844)``.

    At the end of the test, every error of a console and every uncaught exception fails it, and so does every request
    to another host.
    """
    contexts = []
    complaints: list[str] = []

    def opened(width: int = 1280, height: int = 800, **settings: object) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": height}, **settings)
        context.set_default_timeout(20_000)
        contexts.append(context)
        new = context.new_page()
        new.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        new.on("pageerror", lambda error: complaints.append(str(error)))
        new.on("request", lambda asked: complaints.append(asked.url) if _elsewhere(asked.url) else None)
        return new

    yield opened
    for context in contexts:
        context.close()
    assert not complaints, complaints


def _elsewhere(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "http://localhost:", "blob:", "data:"))
