"""Poses of puppets: the rig's own joints under the estimators' names, sides included."""

from __future__ import annotations

import numpy as np
import pytest

from diptych.media.draw import draw_skeletons
from diptych.method.skeleton import QUADRUPED, WHOLEBODY
from diptych.puppets.characters import draw_character
from diptych.puppets.motions import draw_motion
from diptych.puppets.pairs import draw_pair
from diptych.puppets.poses import pose_of
from diptych.puppets.render import Rendering
from diptych.puppets.rigs import ALL_BONES, JOINTS, RIGS, face_yaw, solve
from diptych.puppets.scenes import perform
from diptych.types import Skeleton

SIZE = 128


def driven(seed: int, category: str) -> tuple[Rendering, list[str]]:
    pair = draw_pair(seed, category=category)
    rendering = pair.driving(pair.start + np.arange(6) / 8, SIZE, SIZE)
    return rendering, [actor.character.rig for actor in pair.driving_scene.actors]


def numbered(rigs: int, frames: int = 2) -> Skeleton:
    """A skeleton whose every number is another."""
    joints = np.arange(frames * rigs * len(JOINTS) * 3, dtype=np.float32).reshape(frames, rigs, len(JOINTS), 3)
    joints[..., 2] = 1.0
    return Skeleton(JOINTS, joints, ALL_BONES)


BIPED = {"nose": "nose"} | {
    f"{side}_{part}": f"{part}_{side[0]}"
    for side in ("left", "right")
    for part in ("eye", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
}
ANIMAL = {
    "left_eye": "eye_l",
    "right_eye": "eye_r",
    "nose": "nose",
    "neck": "neck",
    "root_of_tail": "pelvis",
    "left_shoulder": "shoulder_l",
    "left_elbow": "elbow_l",
    "left_front_paw": "wrist_l",
    "right_shoulder": "shoulder_r",
    "right_elbow": "elbow_r",
    "right_front_paw": "wrist_r",
    "left_hip": "hip_l",
    "left_knee": "knee_l",
    "left_back_paw": "ankle_l",
    "right_hip": "hip_r",
    "right_knee": "knee_r",
    "right_back_paw": "ankle_r",
}


@pytest.mark.parametrize(("rig", "topology", "names"), [("biped", WHOLEBODY, BIPED), ("quadruped", QUADRUPED, ANIMAL)])
def test_every_joint_is_the_rigs_own(rig, topology, names) -> None:
    skeleton = numbered(1)
    (pose,) = pose_of(skeleton, [rig])
    assert pose.names == topology.joints
    for name, joint in names.items():
        theirs = skeleton.joints[:, :, JOINTS.index(joint)]
        assert np.array_equal(pose.joints[:, :, topology.joints.index(name)], theirs), name
    if topology is QUADRUPED:
        assert set(names) == set(QUADRUPED.joints)


def test_people_have_their_own_right_on_the_left_when_they_face_us() -> None:
    character = draw_character(np.random.default_rng(1), "adult")
    solved = solve("biped", character.build, character.height, {"turn": np.zeros(1)})
    joints = np.zeros((1, 1, len(JOINTS), 3), np.float32)
    for name, at in solved.joints.items():
        joints[:, 0, JOINTS.index(name)] = (*at[0], 1.0)
    (pose,) = pose_of(Skeleton(JOINTS, joints, ALL_BONES), ["biped"])
    x = dict(zip(WHOLEBODY.joints, pose.joints[0, 0, :, 0], strict=True))
    for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        assert x[f"right_{part}"] < x["nose"] < x[f"left_{part}"], part


def test_ears_are_where_the_head_is_a_quarter_of_a_turn_from_the_face() -> None:
    rng = np.random.default_rng(3)
    character = draw_character(rng, "adult")
    motion = draw_motion(rng, "biped")
    pose = {**perform(motion, np.linspace(0, 2, 20), 0.0), "turn": np.linspace(-1, 1, 20)}
    solved = solve("biped", character.build, character.height, pose)
    joints = np.zeros((20, 1, len(JOINTS), 3), np.float32)
    for name, at in solved.joints.items():
        joints[:, 0, JOINTS.index(name), :2] = at
        joints[:, 0, JOINTS.index(name), 2] = 1.0
    (people,) = pose_of(Skeleton(JOINTS, joints, ALL_BONES), ["biped"])
    radius = character.build.head * character.height
    for side, quarter in (("right", -np.pi / 2), ("left", np.pi / 2)):
        ear = solved.frames["head"].at(radius * np.sin(face_yaw(pose) + quarter), 0.0)
        found = people.joints[:, 0, WHOLEBODY.joints.index(f"{side}_ear")]
        assert np.abs(found[:, :2] - ear).max() < 1e-5 * character.height + 1e-5
        assert (found[:, 2] == 1.0).all()


def test_what_puppets_lack_is_absent() -> None:
    (pose,) = pose_of(numbered(1), ["biped"])
    present = {name for name, there in zip(pose.names, pose.joints[0, 0, :, 2] > 0, strict=True) if there}
    assert present == set(WHOLEBODY.joints[:17])
    assert not pose.joints[:, :, 17:].any()


def test_only_people_and_animals_drive() -> None:
    for rig in RIGS:
        assert bool(pose_of(numbered(1), [rig])) == (rig in ("biped", "quadruped")), rig
    assert pose_of(numbered(2), ["bird", "snake"]) == ()


def test_figures_keep_their_order() -> None:
    skeleton = numbered(5)
    people, animals = pose_of(skeleton, ["quadruped", "biped", "fish", "biped", "quadruped"])
    nose = JOINTS.index("nose")
    assert np.array_equal(people.joints[:, :, 0], skeleton.joints[:, [1, 3], nose])
    assert np.array_equal(animals.joints[:, :, 2], skeleton.joints[:, [0, 4], nose])


def test_joints_outside_the_picture_can_be_left_out() -> None:
    rendering, rigs = driven(3, "face")
    (whole,), (seen,) = pose_of(rendering.skeleton, rigs), pose_of(rendering.skeleton, rigs, within=(SIZE, SIZE))
    at = whole.joints[..., :2]
    outside = (at < 0).any(-1) | (at > SIZE).any(-1)
    assert (outside & (whole.joints[..., 2] > 0)).any()
    assert not seen.joints[outside].any()
    assert np.array_equal(seen.joints[~outside], whole.joints[~outside])


@pytest.mark.parametrize("category", ["person_full", "cartoon", "quadruped", "many_to_many"])
def test_drawn_skeletons_lie_on_the_puppets(category: str) -> None:
    inked = covered = 0
    for seed in range(4):
        rendering, rigs = driven(seed, category)
        poses = pose_of(rendering.skeleton, rigs)
        lines = draw_skeletons(poses, SIZE, SIZE).max(-1) > 60 if poses else np.zeros((1, 1, 1), bool)
        inked += int(lines.sum())
        covered += int((lines & (rendering.mask > 0)).sum())
    assert inked > 2000
    assert covered > 0.93 * inked


def test_other_skeletons_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rigs do not fit"):
        pose_of(numbered(1), ["biped", "biped"])
    with pytest.raises(ValueError, match="do not fit"):
        pose_of(WHOLEBODY.skeleton(np.zeros((1, 1, 133, 3), np.float32)), ["biped"])
