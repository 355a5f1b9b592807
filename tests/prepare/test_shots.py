"""Cuts are found where they are and nowhere else; blur and motion mean what they say."""

import cv2
import numpy as np
import pytest

from diptych.media.frame import fill
from diptych.media.video import read_frames
from diptych.prepare.shots import blur, cuts, measure, shots
from diptych.puppets.pairs import draw_pair
from footage import scene, write


def measured(path, frames, fps=25):
    return measure(read_frames(write(path, frames, fps)))


def test_cuts_between_scenes_are_found_to_the_frame(tmp_path):
    lengths = [20, 13, 31, 9]
    film = np.concatenate([scene(seed, n) for seed, n in enumerate(lengths)])
    footage = measured(tmp_path / "film.mp4", film)
    assert cuts(footage) == [20, 33, 64]
    assert shots(footage) == [range(20), range(20, 33), range(33, 64), range(64, 73)]


def test_cuts_between_puppets_are_found(tmp_path):
    pieces = []
    for seed in range(5):
        pair = draw_pair(seed)
        times = pair.start + np.arange(14) / 12
        pieces.append(np.stack([fill(frame, 96, 64) for frame in pair.truth(times, 96, 96).frames]))
    footage = measured(tmp_path / "film.mp4", np.concatenate(pieces), 12)
    assert cuts(footage) == [14, 28, 42, 56]


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_motion_is_no_cut(tmp_path, speed):
    assert cuts(measured(tmp_path / "film.mp4", scene(1, 40, speed))) == []


def test_a_flash_and_a_change_of_light_are_no_cuts(tmp_path):
    film = scene(1, 40).astype(float)
    film[12] = film[12] * 0.2 + 200
    film[20:] *= np.linspace(1, 0.5, 20)[:, None, None, None]
    assert cuts(measured(tmp_path / "film.mp4", film.clip(0, 255).astype(np.uint8))) == []


def test_black_frames_part_shots_and_belong_to_none(tmp_path):
    black = np.zeros((4, 48, 64, 3), np.uint8)
    film = np.concatenate([scene(1, 10), black, scene(2, 12)])
    assert shots(measured(tmp_path / "film.mp4", film)) == [range(10), range(14, 26)]


def test_blur_grows_with_blurring_whatever_the_contrast():
    picture = scene(3, 1)[0]
    softened = [picture, *(cv2.GaussianBlur(picture, (0, 0), sigma) for sigma in (0.7, 1.5, 3))]
    values = [blur(p) for p in softened]
    assert values == sorted(values)
    assert values[0] < 0.3 < 0.6 < values[-1]
    faint = (128 + (picture.astype(int) - 128) // 4).astype(np.uint8)
    assert blur(faint) == pytest.approx(values[0], abs=0.03)
    assert blur(np.full((40, 40, 3), 7, np.uint8)) == 1.0


def test_a_still_has_no_motion_and_a_moving_scene_has(tmp_path):
    still = measured(tmp_path / "a.mp4", np.repeat(scene(1, 1), 30, 0))
    moving = measured(tmp_path / "b.mp4", scene(1, 30))
    assert still.motion[6:].mean() < 2
    assert moving.motion[6:].mean() > 30
