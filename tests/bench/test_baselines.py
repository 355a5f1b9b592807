"""Baselines: shapes of every input, and that each is what its name says."""

import numpy as np
import pytest
from capsule_world import draw

from diptych.bench.baselines import BASELINES, TRAVEL_SHARE, driver_copied, moved_reference, still_reference
from diptych.bench.figure import box_of, figure_in_picture, figures_in_clip
from diptych.bench.measures import psnr_db
from diptych.types import Sample

GREY = (90, 100, 110)


def disc_clip(centres, radius=8, size=(48, 64), colour=(230, 60, 40), ground=GREY):
    """A disc on a plain ground, frames uint8 (t, h, w, 3)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    clip = np.empty((len(centres), *size, 3), np.uint8)
    clip[:] = ground
    for frame, (x, y) in zip(clip, centres, strict=True):
        frame[(columns - x) ** 2 + (rows - y) ** 2 <= radius**2] = colour
    return clip


@pytest.mark.parametrize("name", list(BASELINES))
@pytest.mark.parametrize("reference_size", [(64, 64), (40, 72), (70, 48)])
@pytest.mark.parametrize("driver_size", [(64, 64), (33, 90), (128, 50)])
@pytest.mark.parametrize("length", [1, 5])
def test_every_baseline_answers_in_the_references_size(name, reference_size, driver_size, length):
    rng = np.random.default_rng(0)
    reference = rng.integers(0, 256, (*reference_size, 3)).astype(np.uint8)
    motion = rng.integers(0, 256, (length, *driver_size, 3)).astype(np.uint8)
    frames = BASELINES[name](Sample(reference, motion))
    assert frames.dtype == np.uint8
    assert frames.shape == (length, *reference_size, 3)


def test_the_still_reference_is_the_reference():
    sample = Sample(draw(0, 0).frames[0], draw(1, 1).frames)
    assert all(np.array_equal(frame, sample.reference) for frame in still_reference(sample))


def test_a_copied_driver_of_the_same_size_is_the_driver():
    sample = Sample(draw(0, 0).frames[0], draw(1, 1).frames)
    assert np.array_equal(driver_copied(sample), sample.motion)


def test_a_copied_driver_is_not_stretched_and_its_border_has_the_references_colour():
    driver = disc_clip([(32, 24)] * 3, radius=12, ground=(0, 0, 0))
    reference = np.full((64, 64, 3), GREY, np.uint8)
    copied = driver_copied(Sample(reference, driver))
    assert np.all(copied[:, :8] == GREY)
    assert np.all(copied[:, -8:] == GREY)
    red = box_of((copied[0, ..., 0] > 200).astype(np.uint8))
    assert red is not None
    assert red.width == pytest.approx(red.height, abs=1)


def moved_centres(reference, driver):
    """Centre x and y of the reference's red disc in every frame but the outer two, ``(t - 2, 2)``."""
    moved = moved_reference(Sample(reference, driver))
    boxes = [box_of((frame[..., 0] > 170).astype(np.uint8)) for frame in moved[1:-1]]
    return np.array([box.centre for box in boxes if box is not None])


def test_a_moved_figure_travels_a_share_of_the_drivers_way_about_its_own_place():
    path = np.array([(24 + 3 * t, 30 - t) for t in range(9)])
    reference = disc_clip([(30, 24)])[0]
    centres = moved_centres(reference, disc_clip(path, colour=(20, 200, 60), ground=(0, 0, 0)))
    wanted = (30.5, 24.5) + TRAVEL_SHARE * (path - path.mean(axis=0))[1:-1]
    assert np.abs(centres - wanted).max() <= 1


def test_travel_counts_in_heights_of_the_figure():
    path = np.array([(20 + 3 * t, 20) for t in range(7)])
    centres = moved_centres(disc_clip([(32, 24)], radius=8)[0], disc_clip(path, radius=4))
    wanted = 2 * TRAVEL_SHARE * np.ptp(path[1:-1, 0])
    assert np.ptp(centres[:, 0]) == pytest.approx(wanted, abs=2)


def test_a_driver_that_comes_nearer_enlarges_the_figure():
    driver = np.concatenate([disc_clip([(32, 24)], radius=radius) for radius in (5, 5, 5, 10, 10, 10)])
    moved = moved_reference(Sample(disc_clip([(32, 24)], radius=8)[0], driver))
    first, last = (box_of((frame[..., 0] > 170).astype(np.uint8)) for frame in (moved[1], moved[-2]))
    assert first is not None
    assert last is not None
    assert last.height / first.height == pytest.approx(2**TRAVEL_SHARE, rel=0.12)


def test_the_hole_behind_a_moved_figure_is_filled_with_the_scene():
    reference = disc_clip([(30, 24)], radius=6)[0]
    moved = moved_reference(Sample(reference, disc_clip([(8 + 6 * t, 24) for t in range(9)], radius=6)))
    assert np.abs(moved[1, 20:28, 30:36].astype(int) - GREY).max() <= 3


@pytest.mark.parametrize("blank", ["reference", "driver"])
def test_without_a_figure_the_moved_reference_stands_still(blank):
    plain = np.full((1, 48, 64, 3), GREY, np.uint8)
    clip = disc_clip([(20 + t, 24) for t in range(5)])
    sample = Sample(
        plain[0] if blank == "reference" else clip[0], np.repeat(plain, 5, 0) if blank == "driver" else clip
    )
    assert np.array_equal(moved_reference(sample), still_reference(sample))


def test_the_moved_reference_wins_when_a_figure_travels():
    """Another character travels; the truth is the reference's own figure travelling so."""
    path = [(18 + 3 * t, 24) for t in range(9)]
    sample = Sample(disc_clip([(30, 24)])[0], disc_clip(path, colour=(250, 250, 40), ground=(60, 20, 90)))
    scores = {name: psnr_db(baseline(sample), disc_clip(path)) for name, baseline in BASELINES.items()}
    assert max(scores, key=scores.__getitem__) == "moved_reference"


@pytest.mark.parametrize("world", range(6))
def test_figures_are_found_from_pixels(world):
    drawn = draw(world, world, world)
    for found in (figure_in_picture(drawn.frames[0]), figures_in_clip(drawn.frames)[0]):
        inside = drawn.mask[0] > 127
        assert np.sum(inside & (found > 0)) > 0.6 * inside.sum()
        box, right = box_of(found), box_of(inside.astype(np.uint8))
        assert box is not None
        assert right is not None
        assert box.top == pytest.approx(right.top, abs=5)
        assert box.bottom == pytest.approx(right.bottom, abs=5)
