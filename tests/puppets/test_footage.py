from __future__ import annotations

import numpy as np
import pytest

from diptych.puppets.footage import DUET_SHARE, IN_STEP_SHARE, POSED, draw_footage, draw_wide_footage
from diptych.puppets.poses import pose_of
from diptych.puppets.rigs import JOINTS
from diptych.puppets.scenes import perform

TIMES = np.arange(6) / 6


def test_a_seed_is_a_clip_and_splits_share_nobody():
    one, again, other = draw_footage(7), draw_footage(7), draw_footage(7, split="eval")
    assert np.array_equal(one.render(TIMES, 48, 48).frames, again.render(TIMES, 48, 48).frames)
    assert one.caption != other.caption


def test_everybody_in_footage_has_a_skeleton():
    for seed in range(60):
        footage = draw_footage(seed)
        assert set(footage.rigs) <= set(POSED)
        shown = footage.render(TIMES[:1], 64, 64)
        figures = sum(one.joints.shape[1] for one in pose_of(shown.skeleton, footage.rigs))
        assert figures == len(footage.scene.actors)


@pytest.fixture(scope="module")
def wide():
    return [draw_wide_footage(seed) for seed in range(400)]


def is_duet(footage):
    return len(footage.scene.actors) == 2 and footage.scene.camera.box[0] == -footage.scene.camera.box[2]


def test_wide_footage_is_twice_as_wide_and_mostly_two_in_step(wide):
    assert all(footage.aspect >= 9 / 8 for footage in wide)
    duets = [footage for footage in wide if is_duet(footage)]
    assert len(duets) / len(wide) == pytest.approx(DUET_SHARE, abs=0.08)
    assert np.mean([footage.in_step for footage in duets]) == pytest.approx(IN_STEP_SHARE, abs=0.08)


def test_two_in_step_do_the_same_in_the_same_place_of_their_halves(wide):
    people = [footage for footage in wide if is_duet(footage) and set(footage.rigs) == {"biped"} and footage.in_step]
    for footage in people[:30]:
        left, right = footage.scene.actors
        first, second = (perform(actor.motion, TIMES, footage.start) for actor in (left, right))
        assert all(np.array_equal(first[name], second[name]) for name in first)
        width = round(64 * footage.aspect / 2) * 2
        skeleton = footage.render(TIMES, width, 64).skeleton
        root = skeleton.joints[0, :, JOINTS.index("pelvis"), 0]
        assert root[1] - root[0] == pytest.approx(width / 2, abs=1.5)


def test_two_who_are_not_in_step_do_different_things(wide):
    odd = next(footage for footage in wide if is_duet(footage) and not footage.in_step)
    left, right = odd.scene.actors
    assert left.motion != right.motion
