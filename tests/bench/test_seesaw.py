"""Identity and motion error keep apart: each moves with its own side and stays with the other."""

import cv2
import numpy as np
import pytest
from capsule_world import FRAMES, draw

from diptych.bench.scene import scene_without_figures
from diptych.bench.seesaw import identity_error, motion_error

WORLDS = range(12)


@pytest.fixture(scope="module")
def errors():
    """Identity and motion error, (worlds, 2), of another pose, other looks, both, and half a beat late."""
    cases = {"pose": [], "looks": [], "both": [], "late": []}
    for world in WORLDS:
        own, other = 2 * world, 2 * world + 1
        truth = draw(looks=own, pose=own, scene=world)
        results = {
            "pose": draw(own, other, world),
            "looks": draw(other, own, world),
            "both": draw(other, other, world),
            "late": draw(own, own, world, offset=2.5),
        }
        for name, result in results.items():
            cases[name].append(
                [error(result.frames, truth.frames, truth.mask) for error in (identity_error, motion_error)]
            )
    return {name: np.array(values) for name, values in cases.items()}


def test_the_truth_has_no_error():
    truth = draw(3, 4, 5)
    assert identity_error(truth.frames, truth.frames, truth.mask) == 0
    assert motion_error(truth.frames, truth.frames, truth.mask) == 0


def test_identity_error_follows_looks_and_hardly_pose(errors):
    pose, looks = errors["pose"][:, 0], errors["looks"][:, 0]
    assert np.mean(pose < looks) >= 0.95
    assert np.median(pose) < 0.15 * np.median(looks)


def test_motion_error_follows_pose_and_hardly_looks(errors):
    pose, looks = errors["pose"][:, 1], errors["looks"][:, 1]
    assert np.mean(looks < pose) >= 0.95
    assert np.median(looks) < 0.5 * np.median(pose)
    assert np.median(pose) == pytest.approx(1, abs=0.15)


def test_motion_out_of_time_is_wrong_motion_of_the_right_character(errors):
    assert np.mean(errors["late"][:, 1] > errors["looks"][:, 1]) >= 0.95
    assert np.mean(errors["late"][:, 0] < errors["looks"][:, 0]) >= 0.95


def test_wrong_in_both_is_wrong_in_each(errors):
    assert np.median(errors["both"][:, 0]) > 4 * np.median(errors["pose"][:, 0])
    assert np.median(errors["both"][:, 1]) > 2 * np.median(errors["looks"][:, 1])


@pytest.mark.parametrize("world", [0, 1, 2])
def test_a_still_picture_has_the_looks_and_all_of_the_motion_error(world):
    truth = draw(world, world, world)
    still = np.repeat(truth.frames[:1], FRAMES, axis=0)
    assert motion_error(still, truth.frames, truth.mask) == pytest.approx(1)
    assert identity_error(still, truth.frames, truth.mask) < 0.3


@pytest.mark.parametrize("world", [0, 1, 2])
def test_both_errors_grow_with_blur_and_never_past_the_wrong_answer(world, errors):
    truth = draw(world, world, world)
    grown = []
    for sigma in (0.7, 1.4, 2.8):
        blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in truth.frames])
        grown.append([error(blurred, truth.frames, truth.mask) for error in (identity_error, motion_error)])
    identity, motion = np.array(grown).T
    assert np.all(np.diff(identity) > 0)
    assert np.all(np.diff(motion) > 0)
    assert motion[-1] < 0.8


@pytest.mark.parametrize("world", [0, 1, 2])
def test_an_empty_scene_has_wrong_looks_and_no_motion(world):
    truth = draw(world, world, world)
    empty = scene_without_figures(truth.frames, truth.mask)
    assert identity_error(empty, truth.frames, truth.mask) > 0.5
    assert motion_error(empty, truth.frames, truth.mask) == pytest.approx(1)


def test_the_order_of_frames_is_motion_and_not_looks():
    truth = draw(1, 2, 3)
    backwards = truth.frames[::-1].copy()
    assert identity_error(backwards, truth.frames, truth.mask) < 0.01
    assert motion_error(backwards, truth.frames, truth.mask) > 0.5


def test_a_truth_that_stands_still_has_no_motion_error():
    truth = draw(1, 2, 3)
    frames, mask = np.repeat(truth.frames[:1], 5, axis=0), np.repeat(truth.mask[:1], 5, axis=0)
    assert np.isnan(motion_error(truth.frames[:5], frames, mask))


def test_the_scene_behind_a_still_camera_comes_back():
    truth = draw(1, 2, 3)
    scene = scene_without_figures(truth.frames, truth.mask)
    wrong = np.abs(scene.astype(int) - truth.scene)
    uncovered = (truth.mask == 0).any(axis=0)
    assert np.percentile(wrong[:, uncovered], 98) <= 2
    assert wrong.mean() < 0.1 * np.abs(truth.frames.astype(int) - truth.scene).mean()


def test_the_scene_behind_a_moving_camera_keeps_moving():
    rng = np.random.default_rng(0)
    wide = cv2.resize(rng.integers(0, 256, (6, 12, 3)).astype(np.uint8), (96, 32), interpolation=cv2.INTER_CUBIC)
    frames = np.stack([wide[:, 4 * t : 4 * t + 32] for t in range(6)]).copy()
    mask = np.zeros(frames.shape[:3], np.uint8)
    mask[:, 12:20, 12:20] = 1
    shown = frames.copy()
    shown[mask > 0] = (255, 0, 255)
    scene = scene_without_figures(shown, mask)
    assert np.array_equal(scene[:, :8], frames[:, :8])
    wrong = np.abs(scene.astype(int) - frames)[mask > 0].mean()
    assert wrong < 0.5 * np.abs(shown.astype(int) - frames)[mask > 0].mean()


def test_shapes_that_do_not_agree_are_refused():
    truth = draw(0, 0, 0, frames=3)
    for error in (identity_error, motion_error):
        with pytest.raises(ValueError, match="one shape"):
            error(truth.frames[:2], truth.frames, truth.mask)
        with pytest.raises(ValueError, match="mask"):
            error(truth.frames, truth.frames, truth.mask[:2])
