"""Laws of the canvas: round trips, what is given, what is empty, and that windows answer every frame once."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from diptych.method import incontext as ic

H, W = 16, 32


def pictures(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def block_encode(pixels, stride=4, cell=16):
    """A causal stand-in for a VAE: mean colour of each cell (frame 0 alone, then groups of `stride`)."""
    b, c, t, h, w = pixels.shape
    blocks = pixels.reshape(b, c, t, h // cell, cell, w // cell, cell).mean(dim=(4, 6))
    first, rest = blocks[:, :, :1], blocks[:, :, 1:]
    rest = rest.reshape(b, c, (t - 1) // stride, stride, *rest.shape[3:]).mean(dim=3)
    return torch.cat([first, rest], dim=2)


def test_split_undoes_compose():
    left, right = pictures(2, 3, 5, H, W), pictures(2, 3, 5, H, W, seed=1)
    back = ic.split(ic.compose(left, right))
    assert torch.equal(back[0], left)
    assert torch.equal(back[1], right)


def test_split_undoes_compose_of_three_panels_and_refuses_what_cannot_be_split():
    panels = [pictures(2, 3, 5, H, W, seed=seed) for seed in range(3)]
    canvas = ic.compose(*panels)
    assert all(torch.equal(a, b) for a, b in zip(ic.split(canvas, 3), panels, strict=True))
    assert torch.equal(ic.output_latents(canvas, 3), panels[0])
    with pytest.raises(ValueError, match="does not have 5 panels"):
        ic.split(canvas, 5)


@pytest.mark.parametrize("window", [ic.opening(17, 5), ic.continuation(17, 4)])
def test_a_third_panel_is_laid_out_as_the_motion_and_changes_nothing_of_the_others(window):
    reference, history = pictures(1, 3, H, W), pictures(1, 3, 4, H, W, seed=2) if window.history else None
    motion, beside = (pictures(1, 3, window.motion_frames - 2, H, W, seed=seed) for seed in (1, 3))
    left, right, third = ic.split(ic.condition_canvas(reference, motion, window, history, beside), 3)
    two = ic.split(ic.condition_canvas(reference, motion, window, history))
    assert torch.equal(left, two[0])
    assert torch.equal(right, two[1])
    assert torch.equal(third, ic.motion_panel(beside, window))
    assert (third[:, :, : window.lead_in] == 0).all()
    output = pictures(1, 3, 17, H, W, seed=4)
    target = ic.split(ic.target_canvas(output, motion, window, beside), 3)
    assert torch.equal(target[0], output)
    assert torch.equal(target[2], third)


def test_a_third_panel_is_given_where_the_motion_is_and_empty_where_that_is():
    for window in (ic.opening(17, 5), ic.continuation(17, 4)):
        left, right, third = ic.split(ic.canvas_mask(window, 3, 2, panels=3), 3)
        assert torch.equal(ic.compose(left, right), ic.canvas_mask(window, 3, 2))
        assert (third == 1).all()
        latents = pictures(1, 4, 5, 1, 6) + 5
        blank, old = (ic.split(one, 3) for one in (ic.blank_empty_cells(latents, window, panels=3), latents))
        two = ic.split(ic.blank_empty_cells(ic.compose(*old[:2]), window))
        assert torch.equal(blank[0], two[0])
        assert torch.equal(blank[1], two[1])
        start = ic.cells(window.lead_in, 4)
        assert (blank[2][:, :, :start] == 0).all()
        assert torch.equal(blank[2][:, :, start:], old[2][:, :, start:])


def test_a_third_panel_is_encoded_with_the_others_as_one_clip():
    args = (pictures(1, 3, H, W), pictures(1, 3, 12, H, W, seed=1), ic.opening(17, 5))
    beside = pictures(1, 3, 12, H, W, seed=2)
    made = ic.canvas_condition(block_encode, *args, auxiliary=beside, empty="latents")
    plain = ic.canvas_condition(block_encode, *args, empty="latents")
    assert made.latents.shape == made.mask.expand(-1, 3, -1, -1, -1).shape == (1, 3, 5, 1, 6)
    assert torch.equal(made.latents[..., :4], plain.latents)
    assert torch.equal(made.mask[..., :4], plain.mask)
    with pytest.raises(ValueError, match="do not go with"):
        ic.canvas_condition(block_encode, *args, auxiliary=beside[:, :, 1:], empty="latents")


def test_frame_zero_is_the_reference_beside_nothing_and_later_frames_are_nothing_beside_the_motion():
    window = ic.opening(17, 5)
    reference, motion = pictures(1, 3, H, W), pictures(1, 3, 12, H, W, seed=1)
    left, right = ic.split(ic.condition_canvas(reference, motion, window))
    assert torch.equal(left[:, :, 0], reference)
    assert (left[:, :, 1:] == 0).all()
    assert (right[:, :, :5] == 0).all()
    assert torch.equal(right[:, :, 5:], motion)


def test_history_stands_in_the_left_panel_beside_its_own_motion():
    window = ic.continuation(17, 4)
    reference, motion, history = pictures(1, 3, H, W), pictures(1, 3, 16, H, W, seed=1), pictures(1, 3, 4, H, W, seed=2)
    left, right = ic.split(ic.condition_canvas(reference, motion, window, history))
    assert torch.equal(left[:, :, 1:5], history)
    assert (left[:, :, 5:] == 0).all()
    assert (right[:, :, 0] == 0).all()
    assert torch.equal(right[:, :, 1:], motion)


def test_a_window_with_history_refuses_to_go_on_from_nothing():
    with pytest.raises(ValueError, match="not handed in"):
        ic.condition_canvas(pictures(1, 3, H, W), pictures(1, 3, 16, H, W), ic.continuation(17, 4))


def test_short_motion_is_held_at_its_last_frame():
    window = ic.opening(17, 5)
    motion = pictures(1, 3, 3, H, W)
    panel = ic.motion_panel(motion, window)
    assert torch.equal(panel[:, :, 5:8], motion)
    assert (panel[:, :, 8:] == motion[:, :, -1:]).all()


def test_target_and_condition_share_the_motion_panel():
    window = ic.opening(9, 5)
    motion, output = pictures(1, 3, 4, H, W), pictures(1, 3, 9, H, W, seed=3)
    target = ic.target_canvas(output, motion, window)
    condition = ic.condition_canvas(output[:, :, 0], motion, window)
    assert torch.equal(ic.split(target)[1], ic.split(condition)[1])
    assert torch.equal(ic.split(target)[0][:, :, 0], ic.split(condition)[0][:, :, 0])


@pytest.mark.parametrize(("window", "given_cells"), [(ic.opening(17, 5), 1), (ic.continuation(17, 4), 2)])
def test_mask_is_one_on_all_of_the_motion_and_on_what_is_given_of_the_left(window, given_cells):
    mask = ic.canvas_mask(window, 3, 2)
    left, right = ic.split(mask)
    assert mask.shape == (1, 1, 5, 3, 4)
    assert (right == 1).all()
    assert (left[:, :, :given_cells] == 1).all()
    assert (left[:, :, given_cells:] == 0).all()


@pytest.mark.parametrize(
    "window", [ic.opening(17, 5), ic.opening(17, 1), ic.continuation(17, 4), ic.continuation(17, 8)]
)
def test_every_cell_is_either_given_or_to_be_made_by_the_pixel_rule(window):
    """The latent mask equals the pixel mask reduced by 'all frames of the cell'."""
    pixel_given = torch.zeros(window.frames)
    pixel_given[: 1 + window.history] = 1
    by_rule = torch.cat([pixel_given[:1], pixel_given[1:].reshape(-1, 4).amin(dim=1)])
    assert torch.equal(ic.canvas_mask(window, 1, 1)[0, 0, :, 0, 0], by_rule)


def test_blanking_zeroes_exactly_the_empty_cells():
    window = ic.opening(17, 5)
    latents = pictures(1, 4, 5, 1, 4) + 5  # no zero by chance
    left, right = ic.split(ic.blank_empty_cells(latents, window))
    old_left, old_right = ic.split(latents)
    assert torch.equal(left[:, :, :1], old_left[:, :, :1])
    assert (left[:, :, 1:] == 0).all()
    assert (right[:, :, :2] == 0).all()
    assert torch.equal(right[:, :, 2:], old_right[:, :, 2:])


def test_emptiness_in_pixels_leaves_latents_alone_and_in_latents_blanks_them():
    window = ic.opening(17, 5)
    args = (pictures(1, 3, H, W), pictures(1, 3, 12, H, W, seed=1), window)
    encode = lambda pixels: block_encode(pixels) + 1  # noqa: E731  so that empty pixels are not zero latents
    kept = ic.canvas_condition(encode, *args, empty="pixels")
    blanked = ic.canvas_condition(encode, *args, empty="latents")
    assert torch.equal(kept.latents, encode(ic.condition_canvas(*args)))
    assert torch.equal(blanked.latents, ic.blank_empty_cells(kept.latents, window))
    assert torch.equal(kept.mask, blanked.mask)


def test_the_canvas_is_encoded_as_one_clip():
    seen = []
    ic.canvas_condition(
        lambda pixels: seen.append(pixels.shape) or block_encode(pixels),
        pictures(1, 3, H, W), pictures(1, 3, 12, H, W), ic.opening(17, 5), empty="latents",
    )  # fmt: skip
    assert seen == [(1, 3, 17, H, 2 * W)]


def test_model_input_keeps_noise_condition_and_mask_apart():
    condition = ic.canvas_condition(
        block_encode, pictures(2, 3, H, W), pictures(2, 3, 12, H, W), ic.opening(17, 5), empty="latents"
    )
    noisy = torch.randn(2, 3, 5, 1, 4)
    x = ic.model_input(noisy, condition)
    assert x.shape == (2, 7, 5, 1, 4)
    assert torch.equal(x[:, :3], noisy)
    assert torch.equal(x[:, 3:6], condition.latents)
    assert torch.equal(x[:, 6:], condition.mask.expand(2, -1, -1, -1, -1))


def test_output_loss_ignores_the_motion_panel_and_canvas_loss_does_not():
    error = torch.zeros(2, 3, 5, 1, 4)
    error[..., 2:] = 1
    assert torch.equal(ic.region_loss(error, "output"), torch.zeros(2))
    assert torch.equal(ic.region_loss(error, "canvas"), torch.full((2,), 0.5))
    wide = torch.cat([error, torch.ones(2, 3, 5, 1, 2)], dim=-1)
    assert torch.equal(ic.region_loss(wide, "output", 3), torch.zeros(2))
    assert torch.allclose(ic.region_loss(wide, "canvas", 3), torch.full((2,), 2 / 3))


@given(
    motion_frames=st.integers(1, 400),
    cells=st.integers(3, 8),
    lead_cells=st.integers(0, 1),
    history_cells=st.integers(0, 1),
)
def test_windows_answer_every_driver_frame_once_and_in_order(motion_frames, cells, lead_cells, history_cells):
    plan = ic.WindowPlan(1 + 4 * cells, 1 + 4 * lead_cells, 4 * history_cells).spans(motion_frames)
    answered = [i for span in plan for i in range(span.new_start, span.new_stop)]
    assert answered == list(range(motion_frames))
    for span in plan:
        made = span.new_stop - span.new_start
        assert 1 <= made <= span.window.new_frames
        # The first new canvas frame shows the driver frame that it answers.
        assert span.motion_start + span.window.first_new - span.window.lead_in == span.new_start
    for before, span in itertools.pairwise(plan):
        assert span.window.history == 4 * history_cells
        assert span.motion_start == before.new_stop - span.window.history >= 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: ic.opening(16, 5),
        lambda: ic.opening(17, 4),
        lambda: ic.opening(5, 5),
        lambda: ic.continuation(17, 3),
        lambda: ic.continuation(17, 16),
        lambda: ic.continuation(17, 0),
        lambda: ic.WindowPlan(17, 5, 4).spans(0),
        lambda: ic.WindowPlan(13, 9, 8),
        lambda: ic.motion_panel(torch.zeros(1, 3, 13, 4, 4), ic.opening(17, 5)),
        lambda: ic.target_canvas(torch.zeros(1, 3, 16, 4, 4), torch.zeros(1, 3, 4, 4, 4), ic.opening(17, 5)),
    ],
)
def test_torn_cells_and_impossible_windows_are_refused(make):
    with pytest.raises(ValueError, match=r"."):
        make()
