"""Wrong drivers and references: nobody gets their own, the answer stays one's own, and the pull has an end."""

import pytest
import torch

from diptych.method.contrast import (
    ContrastSettings,
    counts,
    derangement,
    generated_error,
    missed_margin,
    with_others,
)
from diptych.method.incontext import Condition, canvas_mask, continuation, opening, split

ASKED = ContrastSettings(weight=1.0)


def numbered(value, b=3, window=None):
    """Canvases whose cells say whose they are and on which side: tens for the sample, ones for the side."""
    latents = torch.zeros(b, 2, 5, 2, 4) + 10 * torch.arange(b).reshape(b, 1, 1, 1, 1) + value
    latents[..., 2:] += 1
    mask = canvas_mask(window or opening(17, 5), 2, 2).expand(b, -1, -1, -1, -1)
    return latents, Condition(latents + 100, mask)


@pytest.mark.parametrize("count", [2, 3, 8])
def test_nobody_keeps_their_place_and_everybody_gives_theirs_once(count):
    for seed in range(30):
        order = derangement(count, torch.Generator().manual_seed(seed))
        assert sorted(order.tolist()) == list(range(count))
        assert (order != torch.arange(count)).all()


def test_alone_there_is_nobody_to_change_with():
    with pytest.raises(ValueError, match="a batch of 1"):
        derangement(1, torch.Generator())


def test_a_wrong_driver_is_all_of_anothers_panel_and_nothing_else():
    target, condition = numbered(5)
    order = torch.tensor([1, 2, 0])
    clean, known = with_others(target, condition, order, "motion")
    for before, after in ((target, clean), (condition.latents, known.latents)):
        assert torch.equal(split(after)[0], split(before)[0])
        assert torch.equal(split(after)[1], split(before)[1][order])
    assert torch.equal(known.mask, condition.mask)


@pytest.mark.parametrize(("window", "given"), [(opening(17, 5), 1), (continuation(17, 4), 2)])
def test_a_wrong_reference_is_what_is_given_and_leaves_the_answer(window, given):
    target, condition = numbered(5, window=window)
    order = torch.tensor([2, 0, 1])
    clean, known = with_others(target, condition, order, "identity")
    for before, after in ((target, clean), (condition.latents, known.latents)):
        (left, right), (was, beside) = split(after), split(before)
        assert torch.equal(right, beside)
        assert torch.equal(left[:, :, :given], was[order][:, :, :given])
        assert torch.equal(left[:, :, given:], was[:, :, given:])


def test_only_what_is_generated_is_measured():
    _, condition = numbered(0)
    error = torch.zeros(3, 2, 5, 2, 4)
    error[:, :, 0] = 7  # the reference
    error[..., 2:] = 9  # the driver
    assert generated_error(error, condition.mask).tolist() == [0, 0, 0]
    error[1, :, 1:, :, :2] = 4
    assert generated_error(error, condition.mask[:1]).tolist() == [0, 4, 0]


def test_the_gradient_pulls_the_errors_apart_until_the_margin_and_no_further():
    right = torch.tensor([1.0, 1.0, 1.0], requires_grad=True)
    wrong = torch.tensor([0.8, 1.2, 1.5], requires_grad=True)
    missed = missed_margin(right, wrong, 0.3)
    assert missed.tolist() == pytest.approx([0.5, 0.1, 0.0])
    missed.sum().backward()
    assert wrong.grad.tolist() == [-1, -1, 0]
    assert right.grad.tolist() == pytest.approx([1.3, 1.3, 0])


def test_raising_both_errors_alike_is_no_way_out():
    right, wrong = torch.tensor([1.0]), torch.tensor([1.0])
    assert missed_margin(right + 1, wrong + 1, 0.3) > missed_margin(right, wrong, 0.3)


def test_the_same_draw_another_window_and_little_noise_do_not_count():
    order = torch.tensor([1, 2, 3, 0])
    one, other = opening(17, 5), continuation(17, 4)
    sigma = torch.tensor([1.0, 1.0, 1.0, 0.5])
    assert counts([4, 4, 9, 7], [one, one, one, one], order, sigma, 0.8).tolist() == [False, True, True, False]
    assert counts([1, 2, 3, 4], [one, other, other, one], order, sigma, 0.8).tolist() == [False, True, False, False]


def test_without_weight_nothing_is_asked():
    assert ContrastSettings().wrongs == ()
    assert ASKED.wrongs == ("motion", "identity")
    assert ContrastSettings(weight=0.1, kind="identity").wrongs == ("identity",)


@pytest.mark.parametrize("wrong", ["motion", "identity"])
def test_what_a_third_panel_shows_of_the_driver_goes_with_its_motion(wrong):
    target = torch.randn(3, 2, 5, 2, 6, generator=torch.Generator().manual_seed(0))
    mask = canvas_mask(opening(17, 5), 2, 2, panels=3).expand(3, -1, -1, -1, -1)
    order = torch.tensor([1, 2, 0])
    three, _ = with_others(target, Condition(target, mask), order, wrong, 3)
    two, _ = with_others(target[..., :4], Condition(target[..., :4], mask[..., :4]), order, wrong)
    assert torch.equal(three[..., :4], two)
    third = target[..., 4:]
    assert torch.equal(three[..., 4:], third[order] if wrong == "motion" else third)
