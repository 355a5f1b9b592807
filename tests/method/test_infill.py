from __future__ import annotations

import pytest
import torch

from diptych.method.diffusion import seeded
from diptych.method.infill import FROM_FRAME, FROM_HALF, FROM_TEXT, given_region, hidden


def regions(count, t=5, h=4, w=8):
    return torch.stack([given_region(t, h, w, seeded(3, i)) for i in range(count)])


def test_what_is_given_is_kept_and_what_is_not_is_empty():
    target = torch.randn(6, 3, 5, 4, 8, generator=seeded(0))
    condition = hidden(target, seeded(1))
    assert condition.mask.shape == (6, 1, 5, 4, 8)
    given = condition.mask.expand_as(target).bool()
    assert torch.equal(condition.latents[given], target[given])
    assert not condition.latents[~given].any()


def test_samples_of_a_batch_are_asked_for_different_things_and_a_seed_repeats_them():
    target = torch.ones(8, 1, 5, 4, 8)
    first, again = (hidden(target, seeded(5)).mask for _ in range(2))
    assert torch.equal(first, again)
    assert len({tuple(mask.flatten().tolist()) for mask in first}) > 3


def test_something_is_always_left_to_make():
    for shape in ((5, 4, 8), (2, 1, 2), (1, 1, 1), (3, 2, 4)):
        made = torch.stack([given_region(*shape, seeded(i)) for i in range(200)])
        assert not made.flatten(1).all(1).any()
        assert set(made.unique().tolist()) <= {0.0, 1.0}


def test_tasks_come_in_their_shares():
    made = regions(3000)
    nothing = (made.flatten(1).sum(1) == 0).float().mean()
    frame = torch.zeros(5, 4, 8)
    frame[0] = 1
    first_only = (made == frame).flatten(1).all(1).float().mean()
    # A whole half in every frame, as a canvas has it, among the samples that are given a half.
    right, left = made[:, :, :, 4:].flatten(1).all(1), made[:, :, :, :4].flatten(1).all(1)
    assert nothing == pytest.approx(FROM_TEXT, abs=0.03)
    assert first_only == pytest.approx(FROM_FRAME, abs=0.04)
    assert 0.3 * FROM_HALF < (right & ~left).float().mean() < FROM_HALF
    assert (left & ~right).float().mean() > 0.05
