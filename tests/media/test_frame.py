"""Fitting: nothing is stretched, nothing is lost, and padding is cut off again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from diptych.media.frame import (
    MID_GREY,
    Placement,
    View,
    figure_view,
    fill,
    fit,
    located_view,
    panel_for,
    place_in,
    resize,
    unfit,
    view,
)
from diptych.types import Stand

SIDES = st.integers(1, 3000)
SMALL = st.integers(1, 80)
AREAS = st.sampled_from([16, 64 * 64, 128 * 128, 480 * 832])
MULTIPLES = st.sampled_from([2, 8, 16, 32])


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(SIDES, SIDES, AREAS, MULTIPLES)
def test_a_panel_holds_its_box_and_no_more(width: int, height: int, area: int, multiple: int) -> None:
    box = panel_for(width, height, area, multiple)
    assert box.width % 2 == box.height % 2 == 0
    assert box.panel_width % multiple == box.panel_height % multiple == 0
    assert 0 <= box.panel_width - box.width < multiple
    assert 0 <= box.panel_height - box.height < multiple
    # Centred: what is left on one side is left on the other.
    assert 2 * box.x + box.width == box.panel_width
    assert 2 * box.y + box.height == box.panel_height


@given(SIDES, SIDES, AREAS)
def test_the_output_keeps_the_aspect_at_about_the_area(width: int, height: int, area: int) -> None:
    box = panel_for(width, height, area)
    longest = 2 * np.sqrt(area)
    assert max(box.width, box.height) <= longest + 1
    if max(width, height) <= 4 * min(width, height):
        ideal = np.sqrt(area / (width * height))
        assert abs(box.width - width * ideal) <= 1
        assert abs(box.height - height * ideal) <= 1
    else:
        assert box.width * box.height <= area + 2 * longest


@pytest.mark.parametrize(
    ("size", "area", "box", "panel"),
    [
        ((512, 512), 64 * 64, (64, 64), (64, 64)),
        ((1920, 1080), 64 * 64, (86, 48), (96, 48)),
        ((1080, 1920), 64 * 64, (48, 86), (48, 96)),
        ((832, 480), 832 * 480, (832, 480), (832, 480)),
        ((1000, 1), 64 * 64, (128, 2), (128, 16)),
    ],
)
def test_panels_of_known_pictures(
    size: tuple[int, int], area: int, box: tuple[int, int], panel: tuple[int, int]
) -> None:
    got = panel_for(*size, area)
    assert ((got.width, got.height), (got.panel_width, got.panel_height)) == (box, panel)


@given(SIDES, SIDES, st.integers(1, 600), st.integers(1, 600))
def test_the_box_in_a_panel_is_the_largest_of_the_aspect(width: int, height: int, tall: int, wide: int) -> None:
    box = place_in(width, height, tall, wide)
    assert box.width == wide or box.height == tall
    scale = min(wide / width, tall / height)
    assert abs(box.width - max(1, width * scale)) <= 0.5 + 1e-9
    assert abs(box.height - max(1, height * scale)) <= 0.5 + 1e-9


@settings(deadline=None)
@given(SMALL, SMALL, SMALL, SMALL)
def test_fitting_changes_nothing_but_the_size(height: int, width: int, tall: int, wide: int) -> None:
    """The box holds the resized picture, the rest is grey, and unfit is the way back."""
    source = picture(height, width)
    panel, placement = fit(source, (tall, wide))
    assert panel.shape == (tall, wide, 3)
    assert np.array_equal(unfit(panel, placement), resize(source, placement.width, placement.height))
    unfit(panel, placement)[...] = MID_GREY
    assert (panel == MID_GREY).all()


@settings(deadline=None)
@given(SMALL, SMALL, st.integers(0, 30), st.integers(0, 30))
def test_a_panel_of_the_same_scale_keeps_every_pixel(height: int, width: int, above: int, beside: int) -> None:
    source = picture(height, width)
    tall, wide = (height + above, width) if above >= beside else (height, width + beside)
    panel, placement = fit(source, (tall, wide))
    assert np.array_equal(unfit(panel, placement), source)


@settings(deadline=None)
@given(SMALL, SMALL, AREAS, MULTIPLES)
def test_the_output_box_is_no_stretch(height: int, width: int, area: int, multiple: int) -> None:
    placement = panel_for(width, height, area, multiple)
    panel, same = fit(picture(height, width), placement)
    assert same == placement
    assert panel.shape == (placement.panel_height, placement.panel_width, 3)


def test_a_circle_stays_a_circle() -> None:
    y, x = np.mgrid[0:300, 0:900]
    disc = np.where((y - 150) ** 2 + (x - 400) ** 2 < 100**2, 255, 0).astype(np.uint8)
    for target in ((64, 64), (128, 100), (400, 900)):
        panel, placement = fit(np.repeat(disc[..., None], 3, -1), target)
        seen = unfit(panel, placement)[..., 0] / 255
        assert abs(seen.sum(0).max() - seen.sum(1).max()) <= 1


def test_a_box_of_another_aspect_is_refused() -> None:
    with pytest.raises(ValueError, match="stretched"):
        fit(picture(480, 640), panel_for(640, 640, 64 * 64))
    with pytest.raises(ValueError, match="not the panel"):
        unfit(picture(64, 64), panel_for(640, 480, 64 * 64))
    with pytest.raises(ValueError, match="leaves its panel"):
        Placement(16, 16, 8, 0, 10, 16)
    with pytest.raises(ValueError, match="no panel"):
        panel_for(0, 480, 64 * 64)


def test_frames_are_fitted_one_by_one() -> None:
    frames = np.stack([picture(30, 50, seed) for seed in range(4)])
    panels, placement = fit(frames, (64, 48))
    assert panels.shape == (4, 64, 48, 3)
    for frame, panel in zip(frames, panels, strict=True):
        assert np.array_equal(fit(frame, (64, 48))[0], panel)
    assert unfit(panels, placement).shape == (4, placement.height, placement.width, 3)


@settings(deadline=None)
@given(SMALL, SMALL, SMALL, SMALL, st.integers(0, 255))
def test_plain_colour_stays_plain(height: int, width: int, tall: int, wide: int, grey: int) -> None:
    for interpolation in ("auto", "nearest", "cubic"):
        resized = resize(np.full((height, width, 3), grey, np.uint8), wide, tall, interpolation)  # type: ignore[arg-type]
        assert resized.shape == (tall, wide, 3)
        assert (resized == grey).all()


def test_shrinking_is_a_mean_and_nearest_repeats() -> None:
    source = picture(32, 48)
    mean = source.reshape(8, 4, 12, 4, 3).mean((1, 3))
    assert np.abs(resize(source, 12, 8).astype(float) - mean).max() <= 0.51
    assert np.array_equal(resize(source, 96, 64, "nearest"), source.repeat(2, 0).repeat(2, 1))
    assert resize(source, 48, 32) is source


def test_filling_covers_and_cuts_the_middle_out() -> None:
    source = picture(40, 60)
    assert np.array_equal(fill(source, 40, 40), source[:, 10:50])
    assert np.array_equal(fill(source, 60, 20), source[10:30])
    assert fill(np.stack([source] * 2), 33, 77).shape == (2, 77, 33, 3)


def test_a_view_brings_a_figure_to_where_another_stands_and_to_its_size() -> None:
    # A red disc of 20 pixels at (90, 30) is to be one of 10 pixels at (20, 40) of the picture in the box.
    rows, columns = np.mgrid[:120, :160]
    source = np.zeros((120, 160, 3), np.uint8)
    source[(rows + 0.5 - 30) ** 2 + (columns + 0.5 - 90) ** 2 < 100] = (255, 0, 0)
    box = panel_for(48, 56, 48 * 56)
    stands = {120: Stand(90, 30, 20), 56: Stand(20, 40, 10)}
    shown = located_view(np.zeros((56, 48, 3), np.uint8), source, box, lambda picture: stands[len(picture)])
    assert shown == figure_view(stands[56], stands[120], box, (160, 120))
    assert shown.scale == 0.5
    panel = view(source, shown, box.panel_height, box.panel_width)
    assert panel.shape == (box.panel_height, box.panel_width, 3)
    disc = panel[..., 0] / 255
    rows, columns = np.mgrid[: box.panel_height, : box.panel_width] + 0.5
    assert disc.sum() == pytest.approx(np.pi * 25, rel=0.1)
    assert (disc * rows).sum() / disc.sum() == pytest.approx(box.y + 40, abs=0.6)
    assert (disc * columns).sum() / disc.sum() == pytest.approx(box.x + 20, abs=0.6)


def test_beyond_a_views_rim_the_rims_pixels_go_on_and_frames_are_alike() -> None:
    source = picture(8, 8)
    moved = view(source, View(1.0, 3, -2), 8, 8)
    assert np.array_equal(moved[:6, 3:], source[2:, :5])
    assert np.array_equal(moved[:6, :3], source[2:, :1].repeat(3, axis=1))
    assert np.array_equal(moved[6:, 3:], source[-1:, :5].repeat(2, axis=0))
    assert np.array_equal(view(source, View(1.0, 0, 0), 8, 8), source)
    assert np.array_equal(view(source, View(1.0, 100, 100), 4, 4), np.broadcast_to(source[0, 0], (4, 4, 3)))
    assert np.array_equal(view(np.stack([source] * 2), View(1.0, 3, -2), 8, 8)[1], moved)


def test_no_view_is_further_from_the_whole_than_four_times() -> None:
    box = panel_for(64, 64, 64 * 64)
    tiny, huge = Stand(32, 32, 0.01), Stand(32, 32, 1e4)
    assert figure_view(huge, tiny, box, (128, 128)).scale == 2.0
    assert figure_view(tiny, huge, box, (128, 128)).scale == 0.125
