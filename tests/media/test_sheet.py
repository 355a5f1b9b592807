"""Sheets: everything is on them, in order, unstretched."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import figures
from diptych.media.draw import draw_skeletons
from diptych.media.sheet import contact_sheet, pose_sheet, side_by_side
from diptych.method.skeleton import WHOLEBODY


def plain(colour: tuple[int, int, int], *shape: int) -> NDArray[np.uint8]:
    return np.full((*shape, 3), colour, np.uint8)


RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)


def test_clips_stand_side_by_side_at_one_height() -> None:
    joined = side_by_side(plain(RED, 50, 40), plain(GREEN, 6, 16, 32), plain(BLUE, 6, 8, 8), height=64, gap=4)
    assert joined.shape == (6, 64, 51 + 4 + 128 + 4 + 64 + 1, 3)  # one column more for an even width
    row = joined[3, 32]
    for columns, colour in ((slice(0, 51), RED), (slice(55, 183), GREEN), (slice(187, 251), BLUE)):
        assert (row[columns] == colour).all()
    assert (joined[:, :, 51:55] == 255).all()


def test_pictures_alone_make_a_picture() -> None:
    assert side_by_side(plain(RED, 32, 32), plain(BLUE, 32, 32), height=32, gap=2).shape == (32, 66, 3)


def test_each_frame_is_joined_with_its_own() -> None:
    clip = np.stack([plain((i, i, i), 8, 8) for i in range(5)])
    joined = side_by_side(clip, clip[:3], height=8, gap=0)
    assert joined[:, 4, 4, 0].tolist() == [0, 1, 2, 3, 4]
    assert joined[:, 4, 12, 0].tolist() == [0, 1, 2, 2, 2]
    for index in range(3):
        assert np.array_equal(side_by_side(clip[index], clip[index], height=8, gap=0), joined[index])


def test_nearest_shows_the_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    joined = side_by_side(pixels, height=64, interpolation="nearest")
    assert np.array_equal(joined, pixels.repeat(8, 0).repeat(8, 1))


def test_a_sheet_shows_first_and_last_frame_of_each_row() -> None:
    clip = np.stack([plain((10 * i, 100, 0), 16, 16) for i in range(10)])
    sheet = contact_sheet([("ten frames", clip), ("one picture", plain(BLUE, 16, 32))], columns=4, height=32)
    first_row = [tuple(colour) for colour in np.unique(sheet[: sheet.shape[0] // 2].reshape(-1, 3), axis=0).tolist()]
    assert {(0, 100, 0), (30, 100, 0), (60, 100, 0), (90, 100, 0)} <= set(first_row)
    assert (sheet.reshape(-1, 3) == BLUE).all(-1).sum() == 32 * 64
    assert (sheet[0] == 255).all()


def test_labels_are_drawn_above_their_rows() -> None:
    rows = [("", plain(RED, 3, 16, 16)), ("worst pair 19.4 dB, Ä", plain(GREEN, 3, 16, 16))]
    sheet = contact_sheet(rows, columns=3, height=40)
    dark = (sheet < 120).all(-1).any(1)
    red_rows = (sheet == RED).all(-1).any(1).nonzero()[0]
    green_rows = (sheet == GREEN).all(-1).any(1).nonzero()[0]
    assert not dark[: red_rows[0]].any()
    assert dark[red_rows[-1] + 1 : green_rows[0]].any()


def test_nothing_to_show_is_refused() -> None:
    with pytest.raises(ValueError, match="no sheet"):
        contact_sheet([], columns=3, height=40)
    with pytest.raises(ValueError, match="even height"):
        side_by_side(plain(RED, 8, 8), height=33)


def test_versions_of_poses_lie_below_each_other_moments_side_by_side() -> None:
    raw = (figures.person(100, frames=7, wobble=0.03),)
    wide = (WHOLEBODY.skeleton(raw[0].joints * np.array([0.5, 1, 1], np.float32)),)
    sheet = pose_sheet([("raw", raw), ("narrow", wide)], (100, 100), columns=3, height=50)
    assert sheet.shape == (4 + 2 * (18 + 50 + 4), 3 * 50 + 2 * 4 + 2 * 4, 3)
    for row, poses in enumerate((raw, wide)):
        drawn = draw_skeletons(poses, 50, 50, scale=0.5)[[0, 3, 6]]
        for column in range(3):
            top, left = 4 + row * 72 + 18, 4 + column * 54
            assert np.array_equal(sheet[top : top + 50, left : left + 50], drawn[column])


def test_footage_lies_dimmed_under_the_first_version() -> None:
    raw = (figures.person(40, frames=3),)
    footage = np.full((3, 80, 120, 3), (200, 100, 50), np.uint8)
    sheet = pose_sheet([("raw", raw)], (60, 40), columns=2, height=40, frames=footage)
    assert sheet.shape == (4 + 2 * 62, 2 * 60 + 4 + 8, 3)
    over, bare = sheet[22:62, 4:64], sheet[84:124, 4:64]
    ink = bare.any(-1)
    assert 50 < ink.sum() < 1200
    assert np.array_equal(over[ink], bare[ink])
    assert (over[~ink] == (100, 50, 25)).all()


def test_sheets_of_nothing_and_of_two_lengths_are_refused() -> None:
    raw = (figures.person(40, frames=3),)
    for rows, columns in (([], 2), ([("raw", raw)], 0)):
        with pytest.raises(ValueError, match="no sheet"):
            pose_sheet(rows, (40, 40), columns, 40)
    with pytest.raises(ValueError, match="2 frames of footage for 3"):
        pose_sheet([("raw", raw)], (40, 40), 2, 40, np.zeros((2, 40, 40, 3), np.uint8))
