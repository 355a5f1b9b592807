"""Draws: what the canvas is taught. Each follows from its number, and its parts belong to the same moment."""

import numpy as np
import pytest

from diptych.data.draws import damaged, draw
from diptych.models.mini import contract

AGREED = contract(panel_area=32 * 32)


@pytest.fixture(scope="module")
def draws():
    return [draw(number, AGREED) for number in range(60)]


def test_a_draw_follows_from_its_number(draws):
    again = draw(7, AGREED)
    assert np.array_equal(again.output, draws[7].output)
    assert np.array_equal(again.motion, draws[7].motion)
    assert again.prompt == draws[7].prompt
    assert not np.array_equal(draws[7].output[0], draws[8].output[0])


def test_all_parts_have_the_panels_size_and_the_windows_length(draws):
    for d in draws:
        height, width = d.reference.shape[:2]
        assert height % 16 == width % 16 == 0
        assert d.output.shape == (d.window.frames, height, width, 3)
        assert d.motion.shape == (d.window.motion_frames, height, width, 3)
        assert (d.history is None) == (d.window.history == 0)


def test_frame_zero_is_the_reference(draws):
    assert all(np.array_equal(d.output[0], d.reference) for d in draws)


def test_both_kinds_of_window_held_ends_and_dropped_text_occur(draws):
    continued = [d for d in draws if d.window.history]
    assert 10 < len(continued) < 40
    assert 2 <= sum(d.prompt == "" for d in draws) <= 25
    held = [d for d in draws if np.array_equal(d.motion[-1], d.motion[-2])]
    assert held
    # Where the driver is held, so is the truth.
    assert all(np.array_equal(d.output[-1], d.output[-2]) for d in held if "camera" not in d.prompt and d.prompt)


def test_the_target_is_never_a_copy_of_reference_or_driver(draws):
    def difference(a, b):
        return np.abs(a.astype(int) - b).mean()

    moved = [difference(d.output[d.window.first_new :], d.reference[None]) for d in draws]
    copied = [difference(d.output[d.window.lead_in :], d.motion) for d in draws]
    assert np.median(moved) > 2
    assert np.median(copied) > 20


def test_history_is_what_was_made_and_is_damaged_in_a_share_of_draws():
    rng = np.random.default_rng(0)
    clean = draw(next(n for n in range(50) if draw(n, AGREED).window.history), AGREED).output[1:5]
    results = [damaged(clean, rng) for _ in range(60)]
    assert all(r.shape == clean.shape and r.dtype == np.uint8 for r in results)
    untouched = sum(np.array_equal(r, clean) for r in results)
    assert 2 <= untouched <= 30
    assert all(np.abs(r.astype(int) - clean).mean() < 40 for r in results)
