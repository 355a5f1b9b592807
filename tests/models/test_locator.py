"""The locator: what it is asked and what it says are inverse, and nothing it says breaks a view."""

import numpy as np
import pytest
import torch

from blocks import random_locator
from diptych.data.draws import pictures
from diptych.method.diffusion import seeded
from diptych.models.locator import SIDE, Locator, LocatorConfig, squared, told
from diptych.train.locator import LocatorTask
from diptych.types import Stand

CONFIG = LocatorConfig(width=8, hidden=16)


class Says(Locator):
    """A locator that has learnt one answer."""

    def __init__(self, answer):
        super().__init__(CONFIG)
        self.answer = torch.tensor(answer)

    def forward(self, pictures):
        mirrored = self.answer * torch.tensor([-1.0, 1.0, 1.0])
        return torch.stack([self.answer, mirrored])


@pytest.mark.parametrize(("width", "height"), [(64, 64), (640, 360), (90, 200)])
def test_what_it_should_say_is_what_locate_reads(width, height):
    stand = Stand(0.3 * width, 0.7 * height, 0.5 * height)
    found = Says(told(stand, width, height)).locate(np.zeros((height, width, 3), np.uint8))
    assert (found.x, found.y, found.height) == pytest.approx((stand.x, stand.y, stand.height), rel=1e-5)


def test_nonsense_is_bounded():
    far = Says((1e9, -1e9, 1e9)).locate(np.zeros((100, 100, 3), np.uint8))
    assert (far.x, far.y, far.height) == pytest.approx((250, -150, 1600))
    assert Says((0.0, 0.0, -1e9)).locate(np.zeros((100, 100, 3), np.uint8)).height == pytest.approx(2)


def test_the_mirror_image_stands_mirrored():
    locator = random_locator(CONFIG)
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    here, there = locator.locate(picture), locator.locate(picture[:, ::-1].copy())
    assert here.x + there.x == pytest.approx(64, abs=1e-3)
    assert (here.y, here.height) == pytest.approx((there.y, there.height), rel=1e-4)


@pytest.mark.parametrize("shape", [(64, 64), (30, 64), (300, 200), (1, 500)])
def test_pictures_of_any_size_are_fitted_with_grey_around(shape):
    seen = squared(np.full((*shape, 3), 255, np.uint8))
    assert seen.shape == (1, 3, SIDE, SIDE)
    white = (seen - 1).abs() < 1e-5
    assert white.float().mean().item() == pytest.approx(max(min(shape) / max(shape), 1 / SIDE), abs=0.01)
    assert (white | (seen == 0)).all()


def test_it_learns_where_figures_stand():
    torch.manual_seed(0)
    drawn = [one for number in range(8) for one in pictures(number, 64 * 64)]
    task = LocatorTask(Locator(CONFIG), CONFIG, 16, lambda rng: drawn, tuple(drawn[:4]))
    optimizer = torch.optim.AdamW(task.module.parameters(), lr=3e-3)
    seen = []
    for step in range(60):
        loss, numbers = task.loss(task.module, step, seeded(0, step))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seen.append(loss.item())
    assert seen[-1] < 0.4 * seen[0]
    assert set(numbers) == {"place", "size"}
    assert 0 < task.preview(task.module, None)["held_out_place"] < 0.3


@pytest.mark.parametrize("sizes", [{"width": 0}, {"hidden": 10**6}, {"blocks": 99}])
def test_sizes_that_no_file_has_are_refused(sizes):
    with pytest.raises(ValueError, match="must be from"):
        LocatorConfig(**sizes)
