"""Limbs as layers: each where its bones are, and none that a body lacks."""

import numpy as np

from diptych.puppets.limbs import LIMBS, limb_layers
from diptych.puppets.rigs import JOINTS, RIGS, SKELETON
from diptych.types import Skeleton

NAMES = tuple(LIMBS)


def skeleton(frames=2, **joints):
    table = np.zeros((frames, 1, len(JOINTS), 3), np.float32)
    for name, at in joints.items():
        table[:, 0, JOINTS.index(name)] = (*at, 1.0)
    return Skeleton(JOINTS, table, ())


def test_a_bone_is_drawn_in_its_limbs_layer_and_nowhere_else():
    layers = limb_layers(skeleton(shoulder_l=(10.5, 5.5), elbow_l=(10.5, 25.5)), 32, 32)
    assert layers.shape == (len(LIMBS), 2, 32, 32)
    arm = NAMES.index("upper_arm_l")
    assert layers[arm, :, 6:25, 10].min() == 255
    assert layers[arm, :, :, 14:].max() == 0
    assert np.delete(layers, arm, axis=0).max() == 0


def test_layers_of_another_size_show_the_same_place():
    joints = {"hip_r": (20.5, 10.5), "knee_r": (40.5, 10.5)}
    small = limb_layers(skeleton(**joints), 16, 32, scale=0.5)[NAMES.index("thigh_r"), 0]
    rows, columns = np.nonzero(small)
    assert abs(rows.mean() - 5) < 1
    assert columns.min() <= 10
    assert 20 <= columns.max() < 26


def test_what_leaves_the_picture_is_cut_off_however_far_it_goes():
    layers = limb_layers(skeleton(elbow_r=(8.0, 8.0), wrist_r=(1e9, 8.0)), 16, 16)
    assert layers[NAMES.index("forearm_r"), 0, 8, 8:].min() == 255
    assert limb_layers(skeleton(elbow_r=(-900.0, 8.0), wrist_r=(-800.0, 8.0)), 16, 16).max() == 0


def test_half_a_bone_is_none():
    assert limb_layers(skeleton(elbow_r=(8.0, 8.0)), 16, 16).max() == 0


def test_every_rig_is_told_in_limbs():
    bones = {frozenset(bone) for limb in LIMBS.values() for bone in limb}
    for rig in RIGS:
        missing = {frozenset(bone) for bone in SKELETON[rig]} - bones
        # Shoulders and hips only join limbs to the trunk; half a snake has no more bones than the other half.
        assert all({"neck", "pelvis"} & bone for bone in missing), (rig, missing)
