"""The Animate page in a real Chromium: what people do there, on a desk and on a phone, and what they are shown."""

# ruff: noqa: RUF001  multiplication signs are meant

from __future__ import annotations

import json
import re
from contextlib import contextmanager

import psutil
import pytest

from diptych.media.video import read_frames
from serving import Visitor, until

STEPS = "30"

NAMELESS = """() => [...document.querySelectorAll('button, input, select, textarea, a, img, canvas, progress')]
    .filter((part) => part.checkVisibility())
    .filter((part) => !part.labels?.length && !part.getAttribute('aria-label') && part.alt === undefined)
    .filter((part) => !part.textContent.trim() && !part.querySelector('img[alt]:not([alt=""])'))
    .map((part) => part.outerHTML)"""

LEVEL = """(name) => {
    const shown = document.querySelector(`.of-${name} canvas`);
    const copy = Object.assign(document.createElement('canvas'), { width: shown.width, height: shown.height });
    const drawn = copy.getContext('2d', { willReadFrequently: true });
    drawn.drawImage(shown, 0, 0);
    const { data } = drawn.getImageData(8, 8, copy.width - 16, copy.height - 16);
    let sum = 0;
    for (let i = 0; i < data.length; i += 4) sum += data[i] + data[i + 1] + data[i + 2];
    return sum / (data.length / 4 * 3);
}"""


def wait(tab, expression, argument=None):
    """Until it is true in the page; playwright's own way would evaluate text there, which the page forbids."""
    until(lambda: tab.evaluate(expression, argument))


def choose(tab, files):
    tab.set_input_files("input[aria-label^=Picture]", files / "picture.png")
    tab.set_input_files("input[aria-label^=Video]", files / "driver.mp4")
    tab.wait_for_selector("#run:enabled")


def slow(tab):
    tab.click("summary")
    tab.fill("[name=steps]", STEPS)


@contextmanager
def held(server):
    """The process that animates stands still, so that no browser is too slow to cancel its run."""
    workers = psutil.Process(server.process.pid).children(recursive=True)
    animating = max(workers, key=lambda worker: worker.memory_info().rss)  # the one that holds the model
    animating.suspend()
    try:
        yield
    finally:
        animating.resume()


def shown_frame(tab):
    return int(tab.get_attribute("#stage", "data-frame"))


def test_a_run_is_cancelled_survives_a_reload_goes_on_and_plays_in_step(page, server, files):
    tab = page()
    tab.goto(server.url)
    choose(tab, files)
    assert "about 32 × 32 pixels" in tab.inner_text("#modest")  # this model's own, not the bundled one's
    assert tab.inner_text("#about-picture .facts") == "80 × 60"
    assert tab.inner_text("#about-video .facts") == "48 × 64 · 2 s · 29.97 a second"
    wait(tab, "document.querySelector('video.view').readyState >= 2")  # the driver plays
    slow(tab)
    assert tab.inner_text("#changed") == "1 changed"
    tab.click("#run")
    wait(tab, "/^[1-9]\\d* of 60 frames/.test(document.querySelector('#far').textContent)")
    with held(server):
        tab.reload()
        tab.wait_for_selector("#cancel:visible")
        assert tab.inner_text("#open-title") == "Under way"
        tab.click("#cancel")
        tab.wait_for_selector("#cancel:disabled")
    tab.wait_for_selector("#go-on:visible")
    assert tab.inner_text("#open-title") == "Cancelled"
    assert re.search(r"windows? (is|are) kept", tab.inner_text("#far"))
    tab.click("#go-on")
    tab.wait_for_selector("#stage:visible")
    assert tab.inner_text("#open-title") == "Done"

    run = tab.evaluate("location.hash.slice(1)")
    folder = server.folder / "runs" / run
    wait(tab, "Number(document.querySelector('#stage').dataset.frame) > 3")  # it plays by itself
    seen = shown_frame(tab)
    wait(tab, "(seen) => Number(document.querySelector('#stage').dataset.frame) < seen", seen)  # and loops
    tab.click("[data-do=play]")
    frames = [frame.pixels for frame in read_frames(folder / "beside.mp4")]
    columns = json.loads((folder / "record.json").read_text())["made"]["columns"]
    tab.evaluate("document.querySelector('#stage input').value = 20")
    tab.dispatch_event("#stage input", "input")
    for wanted, key in ((20, None), (21, "ArrowRight"), (22, "ArrowRight"), (21, "ArrowLeft")):
        if key:
            tab.focus("#stage")
            tab.keyboard.press(key)
        wait(tab, "(n) => document.querySelector('#stage').dataset.frame === String(n)", wanted)
        for name, (left, width) in zip(("video", "result"), columns[1:], strict=True):
            right = frames[wanted][8:-8, left + 8 : left + width - 8].mean()
            assert abs(tab.evaluate(LEVEL, name) - right) < 1.5, (wanted, name)

    with tab.expect_download() as saved:
        tab.click("#save")
    assert saved.value.suggested_filename == "picture-animated.mp4"
    assert saved.value.path().read_bytes() == (folder / "result.mp4").read_bytes()
    assert tab.evaluate(NAMELESS) == []
    tab.click(".runs .remove")
    assert folder.exists()
    tab.click(".runs .remove >> text=Really?")
    tab.wait_for_selector("#earlier", state="hidden")
    assert not folder.exists()


def test_two_people_wait_for_each_other_and_see_only_their_own(page, server, files):
    first, second = page(), page(width=390, height=844, color_scheme="dark")
    for tab in (first, second):
        tab.goto(server.url)
        choose(tab, files)
    slow(first)
    first.click("#run")
    wait(first, "/^[1-9]\\d* of 60 frames/.test(document.querySelector('#far').textContent)")
    with held(server):
        second.click("#run")
        wait(second, "document.querySelector('#far').textContent === '1 run is before this one.'")
        assert first.locator(".runs li").count() == second.locator(".runs li").count() == 1
        first.click("#cancel")
        first.wait_for_selector("#cancel:disabled")
    second.wait_for_selector("#stage:visible")
    # The phone: nothing sticks out, and the result comes first.
    assert second.evaluate("document.documentElement.scrollWidth") == 390
    places = [second.locator(f".of-{name}").bounding_box()["y"] for name in ("result", "picture", "video")]
    assert places[0] < places[1] == places[2]
    first.wait_for_selector("#go-on:visible")


def test_wrong_files_are_told_in_the_panel(chromium, server, files, tmp_path):
    context = chromium.new_context()
    tab = context.new_page()
    complaints = []
    tab.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    tab.goto(server.url)
    (tmp_path / "cat.png").write_text("<b>not a picture</b>")
    (tmp_path / "huge.png").write_bytes(bytes((1 << 20) + 1))
    tab.set_input_files("input[aria-label^=Picture]", tmp_path / "cat.png")
    wait(tab, "document.querySelector('#about-picture .bad')")
    assert tab.inner_text("#about-picture").startswith("cat.png is not a picture that can be read")
    assert [said[:68] for said in complaints] == [
        "Failed to load resource: the server responded with a status of 422 ("
    ]
    tab.set_input_files("input[aria-label^=Picture]", tmp_path / "huge.png")
    wait(tab, "document.querySelector('#about-picture').textContent.startsWith('huge.png is larger than 1 MB')")
    assert tab.is_disabled("#run")
    tab.set_input_files("input[aria-label^=Picture]", files / "picture.png")
    tab.wait_for_selector("#about-picture .file")
    assert tab.inner_text("#said") == "Now choose a video."
    assert len(complaints) == 1
    context.close()


def test_the_keyboard_is_enough(page, server):
    tab = page()
    tab.goto(server.url)
    tab.wait_for_selector("#examples button")
    for _ in range(12):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.title") == "Example: cow":
            break
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#run:enabled")
    while tab.evaluate("document.activeElement.id") != "run":
        tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#stage:visible")
    assert tab.evaluate("document.activeElement.id") == "open-title"
    while tab.evaluate("document.activeElement.id") != "stage":
        tab.keyboard.press("Tab")
    wait(tab, "document.querySelector('.play').textContent === 'Pause'")
    tab.keyboard.press(" ")
    wait(tab, "document.querySelector('.play').textContent === 'Play'")


@pytest.mark.parametrize("name", ["animate.js", "ask.js", "panels.js", "stage.js"])
def test_nothing_is_loaded_from_elsewhere(server, name):
    text = Visitor(server.url).get(f"/pages/{name}").decode()
    assert "http" not in text
