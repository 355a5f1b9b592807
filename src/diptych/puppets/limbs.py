"""Limbs as layers: where every limb of a figure is, seen or hidden, the same for every kind of body.

An arm is an arm, whoever it belongs to: that is what a driver and a reference of other kinds have in common, and what a
network has to find out that carries a motion from the one to the other.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.puppets.rigs import JOINTS
from diptych.types import Skeleton

LIMBS: dict[str, tuple[tuple[str, str], ...]] = {
    "head": (("neck", "head"), ("head", "nose"), ("nose", "eye_r"), ("nose", "eye_l"), ("head", "body_1")),
    "trunk": (("neck", "pelvis"), ("body_1", "body_2"), ("body_2", "body_3")),
    "upper_arm_r": (("shoulder_r", "elbow_r"),),
    "forearm_r": (("elbow_r", "wrist_r"),),
    "upper_arm_l": (("shoulder_l", "elbow_l"),),
    "forearm_l": (("elbow_l", "wrist_l"),),
    "thigh_r": (("hip_r", "knee_r"),),
    "shin_r": (("knee_r", "ankle_r"),),
    "thigh_l": (("hip_l", "knee_l"),),
    "shin_l": (("knee_l", "ankle_l"),),
    "tail": (("pelvis", "tail_1"), ("tail_1", "tail_2"), *((f"body_{i}", f"body_{i + 1}") for i in range(3, 8))),
}
"""Bones of every limb, of all rigs; whoever lacks a joint lacks the bone."""

_BONES = tuple(
    (layer, JOINTS.index(a), JOINTS.index(b)) for layer, bones in enumerate(LIMBS.values()) for a, b in bones
)
_FAR = 1 << 14


def limb_layers(
    skeleton: Skeleton,
    height: int,
    width: int,
    *,
    scale: float = 1.0,
    left: float = 0.0,
    top: float = 0.0,
    thickness: int = 4,
) -> NDArray[np.uint8]:
    """Draws the bones of every limb as lines, all figures together; what leaves the picture is cut off.

    Args:
        skeleton: exact joints, ``JOINTS`` by name, in pixels of the rendering, ``t`` frames.
        height: of the layers, pixels.
        width: of the layers, pixels.
        scale: from pixels of the rendering to those of the layers.
        left: where the rendering's left edge lies in the layers, pixels.
        top: where its upper edge lies.
        thickness: of the lines, pixels.

    Returns:
        255 on a limb and 0 elsewhere, uint8, ``(limbs, t, height, width)``.
    """
    joints = skeleton.joints
    at = np.rint(np.clip(joints[..., :2] * scale + (left - 0.5, top - 0.5), -_FAR, _FAR)).astype(int).tolist()
    there = joints[..., 2] > 0
    layers = np.zeros((len(LIMBS), len(joints), height, width), np.uint8)
    for figure in range(joints.shape[1]):
        # A rig has a joint in every frame or in none.
        for layer, a, b in (bone for bone in _BONES if there[:, figure, bone[1:]].all()):
            for drawn, frame in zip(layers[layer], at, strict=True):
                cv2.line(drawn, frame[figure][a], frame[figure][b], 255, thickness)
    return layers
