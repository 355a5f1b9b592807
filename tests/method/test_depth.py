"""Nearness is brought to [0, 1] as a whole: order is kept, and one scale holds for every frame."""

import numpy as np
import pytest

from diptych.method.depth import DepthRange


def clip(seed=0):
    return np.random.default_rng(seed).normal(3, 7, (4, 6, 8)).astype(np.float32)


def test_the_farthest_is_0_and_the_nearest_1_and_order_is_kept():
    nearness = clip()
    found = DepthRange.of(nearness).normalised(nearness)
    assert (found.dtype, found.min(), found.max()) == (np.float32, 0, 1)
    assert np.array_equal(np.argsort(found, axis=None, kind="stable"), np.argsort(nearness, axis=None, kind="stable"))


def test_parts_of_a_clip_come_out_as_in_the_whole_and_units_do_not_matter():
    nearness = clip()
    span = DepthRange.of(nearness)
    whole = span.normalised(nearness)
    assert np.array_equal(span.normalised(nearness[1:3]), whole[1:3])
    other = 5 * nearness - 40
    assert np.allclose(DepthRange.of(other).normalised(other), whole, atol=1e-5)


def test_a_few_wrong_pixels_decide_nothing_where_they_may_lie_beyond():
    nearness = clip()
    nearness[0, 0, 0] = 1e6
    assert DepthRange.of(nearness).high == pytest.approx(1e6)
    span = DepthRange.of(nearness, cut=0.02)
    assert span.high < 30
    assert span.normalised(nearness)[0, 0, 0] == 1


def test_where_everything_is_equally_far_nothing_is_near():
    flat = np.full((2, 3, 4), 7.0, np.float32)
    assert not DepthRange.of(flat).normalised(flat).any()
