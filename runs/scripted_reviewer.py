"""A script in the place of a reviewer: a real Chromium opens its page and presses keys until nothing is left.

    python runs/scripted_reviewer.py PAIRS [--refuse-every 5]

It looks at nothing: it says yes to both questions, and no to both of every fifth pair. Its verdicts are stored as
scripted, so ``diptych keep`` takes them only where it is told to, and nobody mistakes them for a person's. For runs
that nobody watches (runs/story_cpu.sh), and to see the page at work. Stopped anywhere, the same command goes on.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

NAME = "script"
PATIENCE = 60.0
"""Seconds that a page may take to answer."""


def main() -> None:
    """Serves the page, answers, and stops."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", metavar="PAIRS", type=Path)
    parser.add_argument("--refuse-every", metavar="N", type=int, default=5)
    args = parser.parse_args()
    with serving(args.pairs) as link, chromium() as browser:
        print(f"{review(browser, link, args.refuse_every)} verdicts", file=sys.stderr)


@contextmanager
def serving(pairs: Path) -> Iterator[str]:
    """Runs ``diptych review`` on a free port and gives the reviewer's link."""
    command = [sys.executable, "-m", "diptych", "review", str(pairs), "--reviewer", NAME, "--kind", "scripted"]
    server = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        for line in server.stdout:
            found = re.match(rf"{NAME} \(scripted\): (http\S+)", line)
            if found:
                yield found[1]
                break
        else:
            raise SystemExit("diptych review gave no link")
    finally:
        server.terminate()
        server.wait()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Starts the browser."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    found = os.environ.get("DIPTYCH_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []  # which Chromium does not give to root
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=[*alone, "--disable-dev-shm-usage", "--disable-gpu"])
        yield browser
        browser.close()


def review(browser: Browser, link: str, refuse_every: int) -> int:
    """Answers for every pair that is left; how many that were."""
    page = browser.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    page.goto(link)
    given = 0
    while True:
        page.wait_for_selector("#work:not([hidden]), #rest:not([hidden])")
        if page.locator("#rest").is_visible():
            return given
        page.locator("#waiting").wait_for(state="hidden")
        told = page.locator("#mine").inner_text()
        number = int(told.split()[0]) + 1
        for key in ("2", "4", "q", "a") if refuse_every and number % refuse_every == 0 else ("1", "3"):
            page.keyboard.press(key)
        page.keyboard.press("Enter")
        given += 1
        deadline = time.monotonic() + PATIENCE
        while page.locator("#rest").is_hidden() and page.locator("#mine").inner_text() == told:
            if time.monotonic() > deadline:
                raise SystemExit("the page does not take an answer")
            time.sleep(0.02)


if __name__ == "__main__":
    main()
