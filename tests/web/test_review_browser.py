"""The review in a real Chromium: fifty verdicts by keys, two reviewers at once, exact frames, hostile words."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from diptych.options import ReviewOptions
from diptych.recipes.review import Review, open_review
from diptych.web.review import review_app
from pages_served import Served, served
from review_folder import FPS, line, numbered_pairs, write_lines

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Opened = Callable[..., "Page"]

FRAMES = 20

# The numbers that tests/clips.py drew, read from both canvases in one go: -1 for one that shows nothing yet.
NUMBERS = """() => ["source", "result"].map((id) => {
    const canvas = document.getElementById(id);
    if (canvas.width < 2) return -1;
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
    let number = 0;
    for (let bit = 0; bit < 12; bit++) {
        const x = Math.floor((2 * (bit % 4) + 1) * canvas.width / 8);
        const y = Math.floor((2 * Math.floor(bit / 4) + 1) * canvas.height / 6);
        if (pixels[4 * (y * canvas.width + x)] > 127) number |= 1 << bit;
    }
    return number;
})"""

WATCH = """(seconds) => new Promise((done) => {
    const read = NUMBERS, seen = [], began = performance.now();
    const look = (now) => {
        seen.push(read());
        if (now - began < 1000 * seconds) requestAnimationFrame(look); else done(seen);
    };
    requestAnimationFrame(look);
})""".replace("NUMBERS", NUMBERS)


@pytest.fixture
def reviewing(tmp_path: Path) -> Iterator[Callable[..., tuple[Served, Review]]]:
    """Begins the review of a folder of numbered pairs; ``links(review)`` gives the pages."""
    ends = []

    def begin(
        count: int, *names: str, folder: Path | None = None, frames: int = 3, **options: Any
    ) -> tuple[Served, Review]:
        folder = folder or numbered_pairs(tmp_path / "pairs", count, frames=frames)
        review = open_review(ReviewOptions(folder, names, **options))
        pages = served(review_app(review))
        ends.append((pages, closing(review.reviews)))
        return pages.__enter__(), review

    yield begin
    for pages, reviews in ends:
        pages.__exit__(None, None, None)
        reviews.__exit__(None, None, None)


def enter(opened: Page, pages: Served, review: Review, number: int = 0) -> Page:
    """A reviewer's page, with the first frame of the first pair on it."""
    opened.goto(f"{pages.url}/r/{review.reviewers[number].token}")
    shown(opened)
    return opened


def shown(opened: Page) -> None:
    """Waits for both videos."""
    opened.locator("#work").wait_for(state="visible")
    opened.locator("#waiting").wait_for(state="hidden")


def answer(opened: Page, keys: str) -> None:
    """Presses keys, sends, and waits until the answer is taken."""
    before = mine(opened)
    for key in keys:
        opened.keyboard.press(key)
    opened.keyboard.press("Enter")
    until(lambda: mine(opened) == before + 1)


def mine(opened: Page) -> int:
    found = re.match(r"(\d+) /", opened.locator("#mine").inner_text())
    assert found is not None
    return int(found[1])


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_fifty_verdicts_by_keys_with_a_reload_in_the_middle(reviewing: Any, page: Opened) -> None:
    pages, review = reviewing(50, "ann")
    opened = enter(page(), pages, review)
    for number in range(50):
        if number == 25:
            opened.keyboard.press("1")
            opened.reload()  # the answer that was not sent is gone, those that were are not
            shown(opened)
            assert mine(opened) == 25
            assert opened.locator("#motion [aria-pressed=true]").count() == 0
        answer(opened, "13" if number % 3 else "2q4az")
    opened.locator("#rest").wait_for(state="visible")
    assert opened.locator("#rest-title").inner_text() == "All pairs are done"
    given = review.reviews.standing()
    assert [g.pair for g in given] == [f"pair-{i:03d}" for i in range(50)]
    for number, verdict in enumerate(given):
        yes = bool(number % 3)
        assert (verdict.answer.motion, verdict.answer.character) == (yes, yes)
        assert verdict.answer.reasons == (() if yes else ("timing", "face", "flicker"))
    assert len(review.reviews.events()) == 50
    opened.keyboard.press("u")
    shown(opened)
    assert mine(opened) == 49
    assert opened.locator("#motion [aria-pressed=true]").inner_text().startswith("Yes")


def test_two_reviewers_at_once_never_get_the_same_pair(reviewing: Any, page: Opened) -> None:
    pages, review = reviewing(6, "ann", "ben")
    people = [enter(page(), pages, review, 0), enter(page(390, 844), pages, review, 1)]
    for _ in range(3):
        for opened in people:
            answer(opened, "13")
    given = review.reviews.standing()
    assert Counter(g.reviewer for g in given) == {"ann": 3, "ben": 3}
    assert len({g.pair for g in given}) == 6
    for opened in people:
        opened.locator("#rest").wait_for(state="visible")


def test_frames_are_exact_and_in_step(reviewing: Any, page: Opened) -> None:
    pages, review = reviewing(2, "ann", frames=FRAMES)
    opened = enter(page(), pages, review)

    def at_frame(number: int) -> None:
        """Both show it, and so says the page; of the longer video the surplus is never shown."""
        until(lambda: opened.evaluate(NUMBERS) == [number, number])
        assert opened.locator("#frame").inner_text() == f"{number + 1} / {FRAMES}"

    watched = opened.evaluate(WATCH, 2.5)
    assert all(source == result for source, result in watched)
    numbers = [source for source, _ in watched]
    steps = Counter((now - before) % FRAMES for before, now in pairwise(numbers))
    assert set(steps) <= {0, 1}, "a frame was passed over"
    assert steps[1] > 5

    opened.keyboard.press("Home")
    at_frame(0)
    for number in (1, 2, 3):
        opened.keyboard.press("ArrowRight")
        at_frame(number)
    for number in (2, 1, 0, FRAMES - 1):  # around the end
        opened.keyboard.press("ArrowLeft")
        at_frame(number)
    opened.keyboard.press("Home")
    opened.keyboard.press("End")
    at_frame(FRAMES - 1)
    opened.keyboard.press("ArrowRight")
    at_frame(0)
    opened.locator("#scrub").fill("7")
    at_frame(7)


def test_slow_motion_and_loop(reviewing: Any, page: Opened) -> None:
    pages, review = reviewing(2, "ann", frames=FRAMES)
    opened = enter(page(), pages, review)
    opened.keyboard.press("-")
    opened.keyboard.press("-")
    assert opened.locator("[data-speed='0.25'][aria-pressed=true]").count() == 1
    numbers = [source for source, _ in opened.evaluate(WATCH, 2)]
    assert 1 <= sum(a != b for a, b in pairwise(numbers)) <= 2 * FPS / 4 + 2
    opened.keyboard.press("+")
    assert opened.locator("[data-speed='0.5'][aria-pressed=true]").count() == 1
    opened.keyboard.press("+")
    opened.keyboard.press("l")
    until(lambda: opened.locator("#play").get_attribute("aria-label") == "Play")
    assert opened.evaluate(NUMBERS) == [FRAMES - 1] * 2
    opened.keyboard.press("Space")
    until(lambda: 0 < opened.evaluate(NUMBERS)[0] < FRAMES - 1)


def test_keys_reasons_and_help(reviewing: Any, page: Opened) -> None:
    pages, review = reviewing(2, "ann")
    opened = enter(page(), pages, review)
    assert opened.locator("#send").is_disabled()
    opened.keyboard.press("Enter")  # says nothing yet, so nothing is sent
    opened.keyboard.press("?")
    assert opened.locator("#help").is_visible()
    opened.keyboard.press("1")  # answers nothing behind the help
    opened.keyboard.press("?")
    assert not opened.locator("#help").is_visible()
    assert opened.locator("#motion [aria-pressed=true]").count() == 0
    opened.keyboard.press("w")  # a reason is a no
    assert opened.locator("#motion [aria-pressed=true]").inner_text().startswith("No")
    opened.keyboard.press("1")  # and a yes has none
    assert opened.locator("[data-reason][aria-pressed=true]").count() == 0
    opened.locator("#character [data-answer=no]").click()
    opened.locator("[data-reason=build]").click()
    opened.keyboard.press("Enter")
    until(lambda: mine(opened) == 1)
    [given] = review.reviews.standing()
    assert (given.answer.motion, given.answer.character, given.answer.reasons) == (True, False, ("build",))
    opened.keyboard.press("0")
    until(lambda: mine(opened) == 2)
    assert review.reviews.standing()[1].answer.motion is None


def test_an_answer_that_nobody_heard_of_is_sent_again_and_counts_once(
    reviewing: Any,
    chromium: Browser,
) -> None:
    pages, review = reviewing(2, "ann")
    opened = chromium.new_page()  # its console complains of the broken line, as it should
    taken: list[int] = []

    def taken_but_unheard(route: Any) -> None:
        if not taken:
            taken.append(route.fetch().status)
            return route.abort()
        return route.continue_()

    opened.route("**/verdicts", taken_but_unheard)
    enter(opened, pages, review)
    answer(opened, "13")
    opened.close()
    assert taken == [200]
    assert len(review.reviews.events()) == 1


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 720)])
def test_nothing_is_cut_off(reviewing: Any, page: Opened, width: int, height: int) -> None:
    pages, review = reviewing(2, "ann")
    opened = enter(page(width, height), pages, review)
    opened.keyboard.press("2")
    opened.keyboard.press("4")
    assert opened.evaluate("() => document.documentElement.scrollWidth") <= width
    small = opened.evaluate(
        """() => [...document.querySelectorAll("button")].filter((button) => button.offsetParent)
            .map((button) => button.getBoundingClientRect())
            .filter((box) => Math.min(box.width, box.height) < 36 || box.left < 0 || box.right > innerWidth).length"""
    )
    assert small == 0
    send = opened.locator("#send").bounding_box()
    assert send is not None
    assert send["y"] + send["height"] <= height


def test_words_of_a_manifest_stay_words(reviewing: Any, page: Opened, tmp_path: Path) -> None:
    folder = numbered_pairs(tmp_path / "hostile", 0)
    script = "<script>window.taken = 1</script><img src=x onerror='window.taken = 2'>\"'`${window.taken = 3}"
    lines = [
        line(folder, script, 10**10, prompt=script, fps="999999999/1"),
        line(folder, "../../etc/passwd\0", FRAMES, prompt="\u202e" + "x" * 3000),
    ]
    write_lines(folder, lines)
    pages, review = reviewing(0, "<b onclick=alert(1)>ann</b>", folder=folder)
    opened = page()
    opened.on("dialog", lambda dialog: pytest.fail(dialog.message))
    enter(opened, pages, review)
    until(lambda: opened.evaluate(NUMBERS)[0] >= 0)
    assert opened.locator("#prompt").inner_text() == script
    assert opened.locator("#who").inner_text() == "<b onclick=alert(1)>ann</b>"
    until(lambda: opened.locator("#frame").inner_text().endswith(f"/ {FRAMES}"))
    answer(opened, "13")
    shown(opened)
    answer(opened, "2e4")
    assert opened.evaluate("() => window.taken ?? null") is None
    assert {g.pair for g in review.reviews.standing()} == {script, "../../etc/passwd\0"}
    opened.goto(f"{pages.url}/o/{review.admin}")
    opened.locator("#reviewers tbody tr").wait_for()
    assert opened.locator("#reviewers tbody td").first.inner_text() == "<b onclick=alert(1)>ann</b>"
    assert opened.evaluate("() => window.taken ?? null") is None


def test_the_overview_shows_kappa_and_hands_out_verdicts(reviewing: Any, page: Opened) -> None:
    pages, review = reviewing(4, "ann", "ben", wanted=2)
    for who, answers in zip(review.reviewers, ("1100", "1000"), strict=True):
        state = pages.get(f"/r/{who.token}/turn").json
        for said in answers:
            verdict = {"ticket": state["turn"]["ticket"], "motion": said == "1", "character": said == "1"}
            state = pages.post(f"/r/{who.token}/verdicts", verdict).json
    opened = page(1280, 900)
    opened.goto(f"{pages.url}/o/{review.admin}")
    row = opened.locator("#agreement tbody tr")
    row.first.wait_for()
    assert row.first.locator("td").all_inner_texts() == ["ann and ben", "human", "3 / 4", "0.50", "3 / 4", "0.50"]
    assert opened.locator("#kinds h2").all_inner_texts() == ["People"]
    with opened.expect_download() as download:
        opened.locator("#export").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 8
