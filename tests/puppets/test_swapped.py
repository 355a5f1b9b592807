"""Pairs with their roles exchanged: everybody in the footage does what somebody in the driver shows."""

import numpy as np
import pytest

from diptych.puppets.footage import POSED
from diptych.puppets.scenes import perform
from diptych.puppets.swapped import draw_swapped


@pytest.mark.parametrize("bodies", ["posed", "all"])
def test_the_footage_moves_as_the_driver_does_figure_by_figure(bodies):
    rigs = set()
    for seed in range(40):
        swapped = draw_swapped(seed, bodies=bodies)
        pair = swapped.pair
        times = pair.start + np.array([0.3, 1.1])
        for index, actor in enumerate(pair.driving_scene.actors):
            wanted, shown = perform(actor.motion, times, pair.start), pair.truth_poses(times)[index]
            assert all(np.array_equal(wanted[name], shown[name]) for name in wanted)
        rigs |= set(swapped.rigs)
    assert (rigs <= set(POSED)) == (bodies == "posed")


def test_the_answer_is_what_drove_and_what_was_the_answer_drives():
    swapped = draw_swapped(5)
    times = swapped.pair.start + np.array([0.0, 0.5])
    assert np.array_equal(swapped.driving(times, 32, 32).frames, swapped.pair.truth(times, 32, 32).frames)
    assert np.array_equal(swapped.target(times, 32, 32).frames, swapped.pair.driving(times, 32, 32).frames)
    assert (swapped.driving_aspect, swapped.target_aspect) == (
        swapped.pair.reference_aspect,
        swapped.pair.driving_aspect,
    )
    assert swapped.caption != swapped.pair.caption


def test_a_seed_is_a_pair_and_the_splits_are_apart():
    assert draw_swapped(3).pair.seed == draw_swapped(3).pair.seed != draw_swapped(4).pair.seed
    assert draw_swapped(3).pair.split == "train"
    assert draw_swapped(3, "eval").pair.split == "eval"
