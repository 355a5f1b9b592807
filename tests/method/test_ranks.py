"""Rank correlations: their known values, and what they do not change under."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.method.ranks import kendall, spearman

Rows = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=2, max_size=12)


def test_known_values():
    a, b = [1, 2, 3, 4, 5], [2, 1, 4, 3, 5]
    assert spearman(a, b) == pytest.approx(0.8)
    assert kendall(a, b) == pytest.approx(0.6)
    # By hand: ranks 1, 2.5, 2.5, 4 and 1, 3, 3, 3; of six pairs five differ in the first, three in the second and both.
    assert spearman([1, 2, 2, 3], [1, 5, 5, 5]) == pytest.approx(3 / math.sqrt(4.5 * 3))
    assert kendall([1, 2, 2, 3], [1, 5, 5, 5]) == pytest.approx(3 / math.sqrt(5 * 3))


@pytest.mark.parametrize("measure", [spearman, kendall])
@given(rows=Rows)
def test_order_is_all_that_counts(measure, rows):
    a, b = (list(map(float, row)) for row in zip(*rows, strict=True))
    value = measure(a, b)
    if len(set(a)) < 2 or len(set(b)) < 2:
        assert math.isnan(value)
        return
    assert -1 - 1e-9 <= value <= 1 + 1e-9
    assert measure(a, a) == pytest.approx(1)
    assert measure(b, a) == pytest.approx(value)
    assert measure([math.exp(x / 9) for x in a], b) == pytest.approx(value)
    assert measure([-x for x in a], b) == pytest.approx(-value)


@pytest.mark.parametrize("measure", [spearman, kendall])
def test_rows_of_other_lengths_are_refused_and_empty_ones_say_nothing(measure):
    with pytest.raises(ValueError, match="one length"):
        measure([1, 2], [1])
    with np.errstate(all="raise"):
        assert math.isnan(measure([], []))
