"""Exact poses of puppets in the topologies that skeletons are estimated in, so that they can drive as people do.

Only bodies that such a topology describes have one: bipeds are people, four-legged puppets are animals. Birds, fish,
snakes and things have joints too, but those are truth for measuring and never drive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from diptych.method.skeleton import QUADRUPED, WHOLEBODY, Topology
from diptych.puppets.rigs import EYE_AZIMUTH, JOINTS
from diptych.types import Skeleton

_SIDES = {"left": "l", "right": "r"}
"""A figure's own sides, here and in the rigs."""

_BIPED: dict[str, str] = {
    "nose": "nose",
    **{
        f"{side}_{part}": f"{part}_{letter}"
        for side, letter in _SIDES.items()
        for part in ("eye", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    },
}
_QUADRUPED: dict[str, str] = {
    "nose": "nose",
    "neck": "neck",
    # The tail's first joint is half-way down the tail; it grows from the rump, and the pelvis is nearest to that.
    "root_of_tail": "pelvis",
    **{
        f"{side}_{part}": f"{joint}_{letter}"
        for side, letter in _SIDES.items()
        for part, joint in (
            ("eye", "eye"),
            ("shoulder", "shoulder"),
            ("elbow", "elbow"),
            ("front_paw", "wrist"),
            ("hip", "hip"),
            ("knee", "knee"),
            ("back_paw", "ankle"),
        )
    },
}
_JOINT_OF: dict[str, tuple[Topology, dict[str, str]]] = {
    "biped": (WHOLEBODY, _BIPED),
    "quadruped": (QUADRUPED, _QUADRUPED),
}


def pose_of(skeleton: Skeleton, rigs: Sequence[str], *, within: tuple[int, int] | None = None) -> tuple[Skeleton, ...]:
    """Puppets' joints as an ideal estimator would give them.

    People have nose, eyes, ears, shoulders to wrists and hips to ankles. Ears are where the middle of the head's side
    is, which follows from the eyes: the head is a ball. Feet, hands and faces have no joints in a puppet and stay
    absent.

    Args:
        skeleton: of a rendering, ``JOINTS`` by name; one figure for every rig.
        rigs: of the figures, in their order.
        within: width and height of the picture, pixels; joints outside it become absent, as an estimator sees none
            there. Puppets know where the feet of a face are, and a box around all joints would show them.

    Returns:
        People and then animals, each in the order of the figures, confidence 1; a topology that nobody has is left out,
        so nothing is left of a scene of birds.

    Raises:
        ValueError: the skeleton is no puppets', or has another number of figures.
    """
    if skeleton.names != JOINTS or skeleton.joints.shape[1] != len(rigs):
        raise ValueError(f"{len(rigs)} rigs do not fit a skeleton of {skeleton.joints.shape[1:3]} figures and joints")
    poses = []
    for rig, (topology, joint_of) in _JOINT_OF.items():
        figures = [i for i, name in enumerate(rigs) if name == rig]
        if figures:
            joints = _renamed(skeleton.joints[:, figures], topology, joint_of)
            if topology is WHOLEBODY:
                _add_ears(joints, skeleton.joints[:, figures])
            if within is not None:
                joints[~_inside(joints, within)] = 0.0
            poses.append(topology.skeleton(joints))
    return tuple(poses)


def _inside(joints: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_]:
    at = joints[..., :2]
    return np.all((at >= 0) & (at <= np.array(size, np.float32)), axis=-1, keepdims=False)


def _renamed(joints: NDArray[np.float32], topology: Topology, joint_of: Mapping[str, str]) -> NDArray[np.float32]:
    out = np.zeros((*joints.shape[:2], len(topology.joints), 3), np.float32)
    for name, joint in joint_of.items():
        out[:, :, topology.joints.index(name)] = joints[:, :, JOINTS.index(joint)]
    return out


def _add_ears(people: NDArray[np.float32], puppets: NDArray[np.float32]) -> None:
    head, right, left = (puppets[:, :, JOINTS.index(name), :2] for name in ("head", "eye_r", "eye_l"))
    # Both are on a ball that has turned by some yaw: eyes at sin(yaw -+ azimuth) of its radius, ears at sin(yaw -+ 90
    # degrees), so half the way from ear to ear is radius * cos(yaw), and half that from eye to eye sin(azimuth) of it.
    half = (left - right) / (2 * np.sin(EYE_AZIMUTH))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        ear = people[:, :, WHOLEBODY.joints.index(f"{side}_ear")]
        ear[..., :2] = head + sign * half
        ear[..., 2] = puppets[:, :, JOINTS.index("head"), 2]
