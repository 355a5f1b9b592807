"""Fidelity measures: their laws, and their definitions written out a second way."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diptych.bench.measures import WindowValue, by_window, masked_psnr_db, psnr_db, ssim
from diptych.media.psnr import PSNR_CAP_DB


def noise(seed: int, shape: tuple[int, ...] = (4, 24, 20, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def test_a_clip_scores_best_against_itself():
    clip = noise(0)
    assert psnr_db(clip, clip) == PSNR_CAP_DB
    assert masked_psnr_db(clip, clip, np.full(clip.shape[:3], 255, np.uint8)) == PSNR_CAP_DB
    assert ssim(clip, clip) == pytest.approx(1.0)


def test_one_level_of_error_in_one_value_stays_below_the_cap():
    clip = np.full((17, 64, 64, 3), 100, np.uint8)
    other = clip.copy()
    other[3, 2, 1, 0] += 1
    assert 100 < -10 * math.log10(1 / 255**2 / clip.size) < 102
    assert psnr_db(other, clip) == PSNR_CAP_DB
    other[0, :8] += 1
    assert psnr_db(other, clip) < PSNR_CAP_DB


@given(level=st.integers(0, 255), error=st.integers(1, 255))
@settings(max_examples=30, deadline=None)
def test_psnr_of_a_constant_error_is_its_share_of_full_scale(level, error):
    other = level + error if level + error <= 255 else level - error
    if other < 0:
        return
    a, b = np.full((2, 3, 4, 3), level, np.uint8), np.full((2, 3, 4, 3), other, np.uint8)
    assert psnr_db(a, b) == pytest.approx(min(PSNR_CAP_DB, 20 * math.log10(255 / error)))
    assert psnr_db(a, b) == psnr_db(b, a)


def test_psnr_is_of_the_clips_error_not_the_mean_of_frames():
    truth = np.zeros((2, 8, 8, 3), np.uint8)
    result = truth.copy()
    result[1] = 51
    assert psnr_db(result, truth) == pytest.approx(-10 * math.log10((0 + 0.2**2) / 2))


def test_masked_psnr_sees_only_the_figure():
    truth, mask = noise(1), np.zeros((4, 24, 20), np.uint8)
    mask[:, 4:10, 2:8] = 90
    mask[:, 5:9, 3:7] = 200
    result = truth.copy()
    result[mask < 128] = 255 - result[mask < 128]
    assert masked_psnr_db(result, truth, mask) == PSNR_CAP_DB
    result[mask >= 128] = 0
    expected = -10 * math.log10(np.mean((truth[mask >= 128] / 255.0) ** 2))
    assert masked_psnr_db(result, truth, mask) == pytest.approx(expected)


def test_masked_psnr_without_a_figure_is_no_number():
    clip = noise(2)
    assert math.isnan(masked_psnr_db(clip, clip, np.zeros(clip.shape[:3], np.uint8)))


def test_ssim_is_the_printed_formula_over_every_whole_window():
    a, b = noise(3, (1, 14, 13, 3)), noise(4, (1, 14, 13, 3))
    b = (0.6 * a + 0.4 * b).astype(np.uint8)
    offsets = np.arange(11) - 5
    kernel = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    kernel /= kernel.sum()
    x, y = (clip[0] @ np.array([0.299, 0.587, 0.114]) for clip in (a, b))
    values = []
    for top in range(4):
        for left in range(3):
            u, v = x[top : top + 11, left : left + 11], y[top : top + 11, left : left + 11]
            mu, mv = (kernel * u).sum(), (kernel * v).sum()
            su, sv = (kernel * (u - mu) ** 2).sum(), (kernel * (v - mv) ** 2).sum()
            suv = (kernel * (u - mu) * (v - mv)).sum()
            c1, c2 = 2.55**2, 7.65**2
            values.append((2 * mu * mv + c1) * (2 * suv + c2) / ((mu**2 + mv**2 + c1) * (su + sv + c2)))
    assert ssim(a, b) == pytest.approx(np.mean(values), rel=1e-6)


def test_ssim_falls_with_structure_not_with_a_slight_change_of_brightness():
    truth = noise(5, (2, 32, 32, 3)) // 2
    brighter, shuffled = truth + 6, truth[:, ::-1]
    assert ssim(brighter, truth) > 0.95
    assert ssim(shuffled, truth) < 0.2


@given(length=st.integers(1, 60), window=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_windows_cover_every_frame_once(length, window):
    clip = np.arange(length)
    seen = by_window(lambda part: float(part.sum()), window, clip)
    assert seen[0].start == 0
    assert seen[-1].stop == length
    assert all(a.stop == b.start for a, b in pairwise(seen))
    assert sum(entry.value for entry in seen) == clip.sum()
    assert all(2 * (entry.stop - entry.start) >= min(window, 2 * length) for entry in seen)
    assert all(entry.stop - entry.start < 1.5 * window or len(seen) == 1 for entry in seen)


def test_windows_show_where_a_clip_breaks():
    truth = noise(6, (20, 12, 12, 3))
    result = truth.copy()
    result[10:] = 0
    values = by_window(psnr_db, 5, result, truth)
    assert values[0] == WindowValue(0, 5, PSNR_CAP_DB)
    assert [entry.value < 10 for entry in values] == [False, False, True, True]


@pytest.mark.parametrize("measure", [psnr_db, ssim])
def test_clips_of_other_shapes_are_refused(measure):
    with pytest.raises(ValueError, match="one shape"):
        measure(noise(0), noise(0)[:2])


def test_bad_masks_and_windows_are_refused():
    clip = noise(0)
    with pytest.raises(ValueError, match="mask"):
        masked_psnr_db(clip, clip, np.zeros((4, 24, 21), np.uint8))
    with pytest.raises(ValueError, match="11 x 11"):
        ssim(clip[:, :8], clip[:, :8])
    with pytest.raises(ValueError, match="one length"):
        by_window(psnr_db, 5, clip, clip[:2])
    with pytest.raises(ValueError, match="window"):
        by_window(psnr_db, 0, clip, clip)
