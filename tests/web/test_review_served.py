"""``diptych serve --review``: the review stands under the same roof as the page on which pictures are animated."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from diptych.synth.review import Reviews, decisions
from review_folder import numbered_pairs
from serving import served

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_reviewer_comes_in_by_a_link_and_answers_by_keys(
    tmp_path: Path,
    model: Path,
    page: Callable[..., Page],
) -> None:
    pairs = numbered_pairs(tmp_path / "pairs", 2)
    with served(tmp_path / "runs", model, "--review", str(pairs), "--reviewer", "ann") as server:
        with closing(Reviews(pairs / "reviews.sqlite")) as reviews:
            (ann,) = reviews.reviewers()
        opened = page()
        opened.goto(f"{server.url}review/r/{ann.token}")
        opened.locator("#work").wait_for(state="visible")  # before it nothing is asked yet, and keys mean nothing
        for keys in ("13", "24"):
            opened.locator("#waiting").wait_for(state="hidden")
            before = opened.locator("#mine").inner_text()
            for key in keys:
                opened.keyboard.press(key)
            opened.keyboard.press("Enter")
            opened.wait_for_function("told => document.getElementById('mine').textContent !== told", arg=before)
        opened.locator("#rest").wait_for(state="visible")
        opened.goto(server.url)
        assert opened.get_by_role("heading", level=1).inner_text() == "Let a picture perform a motion"
        assert opened.get_by_role("link", name="Review").count() == 0  # links are personal
        opened.close()  # it asks the server again and again, which ends now
    assert [found.keep for found in decisions(pairs / "reviews.sqlite").values()] == [True, False]
