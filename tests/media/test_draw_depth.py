"""Depth as grey pictures: read back as it was drawn, and laid into a panel where its picture lies."""

import numpy as np
import pytest

from diptych.media.draw_depth import depth_in_view, draw_depth, read_depth
from diptych.media.frame import MID_GREY, View, fit, panel_for


def test_what_is_drawn_is_read_back_to_the_level_and_near_is_light():
    nearness = np.linspace(0, 1, 2 * 5 * 7, dtype=np.float32).reshape(2, 5, 7)
    drawn = draw_depth(nearness)
    assert (drawn.shape, drawn.dtype) == ((2, 5, 7, 3), np.uint8)
    assert (drawn[0, 0, 0].tolist(), drawn[-1, -1, -1].tolist()) == ([0, 0, 0], [255, 255, 255])
    assert np.abs(read_depth(drawn) - nearness).max() <= 0.5 / 255 + 1e-6
    assert np.array_equal(draw_depth(read_depth(drawn)), drawn)


@pytest.mark.parametrize("size", [(64, 64), (48, 96), (96, 96)])
def test_in_a_panel_of_its_own_shape_it_lies_as_a_fitted_picture(size):
    height, width = size
    drawn = draw_depth(np.random.default_rng(0).random((3, height, width), np.float32))
    box = panel_for(width, height, 48 * 48, 16)
    shown = View(box.width / width, box.x, box.y)
    assert np.array_equal(depth_in_view(drawn, shown, box.panel_height, box.panel_width), fit(drawn, box)[0])


def test_where_a_panel_shows_nothing_of_the_picture_it_is_as_an_empty_one():
    drawn = draw_depth(np.ones((1, 10, 20), np.float32))
    out = depth_in_view(drawn, View(0.5, 3, 30), 32, 16)
    inside = np.zeros((32, 16), bool)
    inside[30:35, 3:13] = True
    assert (out[0][inside] == 255).all()
    assert (out[0][~inside] == MID_GREY).all()
    assert np.array_equal(depth_in_view(drawn[0], View(0.5, 3, 30), 32, 16), out[0])
