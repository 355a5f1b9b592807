"""Draws: what the canvas is taught. Each follows from its number, and its parts belong to the same moment."""

import dataclasses

import numpy as np
import pytest
import torch

from blocks import Blocks
from diptych.animate.sampler import SamplerSettings
from diptych.animate.session import Session
from diptych.data.canvases import figure_cells
from diptych.data.draws import LAYERS, box_for, damaged, draw, pictures
from diptych.media.frame import located_view, panel_for, view
from diptych.models.mini import FIGURES, contract
from diptych.puppets.pairs import draw_pair
from diptych.types import Stand

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
    assert 1 < len(continued) < 20
    assert 2 <= sum(d.prompt == "" for d in draws) <= 25
    held = [d for d in draws if all(np.array_equal(d.motion[-1], d.motion[-i]) for i in (2, 3, 4))]
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


def test_figures_lie_where_the_canvas_shows_them(draws):
    for d in draws[:20]:
        width = d.reference.shape[1]
        left, right = d.figures[0, ..., :width], d.figures[0, ..., width:]
        assert d.figures.shape == (LAYERS, d.window.frames, d.reference.shape[0], 2 * width)
        assert 0 < left.mean() < 250
        assert right[: d.window.lead_in].max() == 0
        assert right[d.window.lead_in :].max() > 200
    # Where nobody stands and the camera is still, nothing changes; where somebody does, much of it does.
    still = [d for d in draws if "camera" not in d.prompt and d.prompt and not d.window.history]
    changes = [
        (np.ptp(d.output.astype(int), axis=0).max(-1), d.figures[0, ..., : d.reference.shape[1]].max(0)) for d in still
    ]
    inside = np.mean([change[seen > 200].mean() for change, seen in changes])
    outside = np.mean([change[seen == 0].mean() for change, seen in changes])
    assert np.mean(inside) > 8 * np.mean(outside)


def test_limbs_lie_on_figures_and_are_as_many_as_the_rig_has(draws):
    for d in draws[:20]:
        limbs, covered = d.figures[1:] > 0, d.figures[0] > 0
        assert not limbs.any(0)[: d.window.lead_in, ..., d.reference.shape[1] :].any()
        # Lines as thick as four pixels stick out of thin limbs and show where a foreground hides them.
        width = d.reference.shape[1]
        for panel in (slice(None, width), slice(width, None)):
            drawn = limbs.any(0)[..., panel]
            assert (drawn & covered[..., panel]).sum() / max(1, drawn.sum()) > 0.6
    arms = [d for d in draws if d.figures[3].any()]
    tails = [d for d in draws if d.figures[11].any()]
    assert len(draws) > len(arms) > 20
    assert 3 < len(tails) < len(draws) / 2


def test_figure_cells_keep_layer_place_and_moment():
    figures = torch.zeros(2, 9, 32, 64, dtype=torch.uint8)
    figures[1, 6, 20:24, 36:40] = 200  # the second frame of the second cell
    cells = figure_cells(figures, (3, 2, 4))
    assert cells.shape == (2 * FIGURES, 3, 2, 4)
    assert cells.sum() == 1
    parts = cells.reshape(2, 4, 4, 4, 3, 2, 4)
    assert parts[1, 1, 1, 1, 2, 1, 2]
    figures[0, 0] = 128
    cells = figure_cells(figures, (3, 2, 4))
    assert cells[:FIGURES, 0].all()
    assert not cells[FIGURES:, 0].any()


def test_kin_are_drawn_in_their_share_and_only_where_asked():
    changed = [
        n for n in range(40) if not np.array_equal(draw(n, AGREED, kin_share=0.5).motion, draw(n, AGREED).motion)
    ]
    assert 10 < len(changed) < 30
    for n in changed:
        asked, plain = draw(n, AGREED, kin_share=0.5), draw(n, AGREED)
        assert np.array_equal(asked.reference, plain.reference)
        assert np.array_equal(asked.output, plain.output)


def test_history_is_what_was_made_and_is_damaged_in_a_share_of_draws():
    rng = np.random.default_rng(0)
    clean = draw(next(n for n in range(50) if draw(n, AGREED).window.history), AGREED).output[1:5]
    results = [damaged(clean, rng) for _ in range(60)]
    assert all(r.shape == clean.shape and r.dtype == np.uint8 for r in results)
    untouched = sum(np.array_equal(r, clean) for r in results)
    assert 2 <= untouched <= 30
    assert all(np.abs(r.astype(int) - clean).mean() < 40 for r in results)


def middle(layers):
    """Where the limbs of a panel lie on average, pixels ``(2,)``."""
    return np.argwhere(layers.any(axis=(0, 1))).mean(0)


def test_drivers_are_brought_to_the_references_place():
    whole = dataclasses.replace(AGREED, motion_fit="frame")
    gaps = {}
    for agreed in (AGREED, whole):
        gaps[agreed.motion_fit] = []
        for n in range(40):
            d = draw(n, agreed)
            width, new = d.reference.shape[1], slice(d.window.first_new, None)
            left, right = d.figures[1:, new, :, :width], d.figures[1:, new, :, width:]
            if left.any() and right.any():
                gaps[agreed.motion_fit].append(np.abs(middle(left) - middle(right)).max())
    assert np.median(gaps["figure"]) < 2.5
    assert np.median(gaps["frame"]) > 1.5 * np.median(gaps["figure"])


def test_training_and_sampling_place_the_driver_alike():
    def locate(picture):
        found.append(picture)
        return Stand(0.4 * picture.shape[1], 0.6 * picture.shape[0], (0.3 if len(found) % 2 else 0.5) * len(picture))

    for number in range(6):
        found: list[np.ndarray] = []
        made = draw(number, AGREED, locate=locate)
        reference, first = found
        assert len(reference) > len(made.reference) / 2
        session = Session(Blocks(contract=AGREED), SamplerSettings(steps=1), locate)
        box = panel_for(reference.shape[1], reference.shape[0], AGREED.panel_area, AGREED.panel_multiple)
        pair = draw_pair(number)
        times = pair.start + np.array([0.0, 0.5])
        rendered = pair.driving(times, first.shape[1], first.shape[0]).frames
        assert np.array_equal(rendered[0], first)
        placed = np.stack([shown for (shown,) in session._placed(reference, zip(rendered, strict=True), box)])
        assert placed.shape[1:] == made.motion.shape[1:]
        shown = located_view(reference, first, box_for(pair.reference_aspect, AGREED), locate)
        assert np.array_equal(placed, view(rendered, shown, *made.motion.shape[1:3]))


def test_pictures_for_the_locator_come_with_where_their_figures_stand():
    for number in range(12):
        for picture, stand in pictures(number, AGREED.panel_area):
            assert picture.dtype == np.uint8
            assert 0.05 * len(picture) < stand.height < 20 * len(picture)
            assert -2 * picture.shape[1] < stand.x < 3 * picture.shape[1]
