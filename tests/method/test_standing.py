from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from diptych.method.skeleton import QUADRUPED, WHOLEBODY
from diptych.method.standing import stand_of_poses
from diptych.puppets.pairs import draw_pair
from diptych.puppets.poses import pose_of
from diptych.puppets.scenes import stand_of

SIZE = 128


def told(category: str, seed: int):
    """What skeletons say of where figures stand, what is true, and the skeletons."""
    pair = draw_pair(seed, category=category)
    scene = pair.driving_scene
    shown = pair.driving(pair.start + np.arange(12) / 8, SIZE, SIZE)
    poses = pose_of(shown.skeleton, [actor.character.rig for actor in scene.actors])
    return stand_of_poses(poses), stand_of(scene, SIZE, SIZE), poses


@pytest.mark.parametrize(("category", "off"), [("person_full", 0.12), ("child_elderly", 0.12), ("quadruped", 0.2)])
def test_skeletons_say_how_tall_figures_are_and_where_they_stand(category, off):
    sizes, places = [], []
    for seed in range(24):
        found, true, _ = told(category, seed)
        assert found is not None
        sizes.append(abs(found.height / true.height - 1))
        places.append(abs(found.x - true.x) / true.height)
    assert np.median(sizes) < off / 2
    assert np.quantile(sizes, 0.9) < off
    assert np.median(places) < 0.05


def test_what_is_said_moves_and_grows_with_the_skeletons():
    found, _, poses = told("person_full", 3)
    moved = []
    for skeleton in poses:
        joints = skeleton.joints.copy()
        joints[..., :2] = joints[..., :2] * 2 + (30, -7)
        joints[joints[..., 2] == 0] = 0
        moved.append(replace(skeleton, joints=joints))
    again = stand_of_poses(moved)
    assert (again.x, again.y, again.height) == pytest.approx(
        (2 * found.x + 30, 2 * found.y - 7, 2 * found.height), rel=1e-4
    )


def test_a_body_without_legs_or_hips_still_stands_somewhere():
    found, _, (person,) = told("person_full", 5)
    joints = person.joints.copy()
    for hidden in ("knee", "ankle", "hip"):
        joints[:, :, [i for i, name in enumerate(person.names) if hidden in name]] = 0
    half = stand_of_poses([replace(person, joints=joints)])
    assert half.height == pytest.approx(found.height, rel=0.5)
    assert abs(half.x - found.x) < 0.2 * found.height


def test_nobody_stands_nowhere():
    assert stand_of_poses([]) is None
    for topology in (WHOLEBODY, QUADRUPED):
        assert stand_of_poses([topology.skeleton(np.zeros((4, 2, len(topology.joints), 3), np.float32))]) is None
