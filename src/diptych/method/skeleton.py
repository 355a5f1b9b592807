"""Skeletons as the paper's pose stage knows them: which joints there are, and which of them a bone joins.

Two topologies: people as COCO-WholeBody counts them (133 joints), four-legged animals as AP-10K does (17). Whoever
estimates, reads, draws or augments poses speaks in these, so that a skeleton of either kind is an array and a name.
Left and right are the figure's own.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diptych.types import Skeleton

CONFIDENT = 0.3
"""Joints of less confidence are guesses: they are not drawn, and nothing is measured or hung on them."""


@dataclass(frozen=True)
class Topology:
    """Names of joints and the bones between them.

    Attributes:
        name: as it stands in files.
        joints: their names, in order.
        bones: pairs of indices into ``joints``, from the trunk outwards: the first end is the nearer one.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]

    def skeleton(self, joints: NDArray[np.float32]) -> Skeleton:
        """Figures of this topology.

        Args:
            joints: x, y in pixels and confidence in [0, 1], float32, ``(t, figures, len(self.joints), 3)``.

        Raises:
            ValueError: if the array has another shape.
        """
        if joints.ndim != 4 or joints.shape[2:] != (len(self.joints), 3):
            raise ValueError(f"{self.name} has (t, figures, {len(self.joints)}, 3) numbers, not {joints.shape}")
        return Skeleton(self.joints, joints.astype(np.float32, copy=False), self.bones)


_SIDES = ("left", "right")
_BODY = (
    "nose",
    *(
        f"{side}_{part}"
        for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in _SIDES
    ),
)
_FEET = tuple(f"{side}_{part}" for side in _SIDES for part in ("big_toe", "small_toe", "heel"))
_FACE = tuple(f"face_{i}" for i in range(68))
_HAND = ("wrist", *(f"{finger}_{i}" for finger in ("thumb", "index", "middle", "ring", "pinky") for i in range(1, 5)))
_HANDS = tuple(f"{side}_hand_{joint}" for side in _SIDES for joint in _HAND)

_WHOLEBODY = (*_BODY, *_FEET, *_FACE, *_HANDS)


def _indices(names: tuple[str, ...], bones: list[tuple[str, str]]) -> tuple[tuple[int, int], ...]:
    return tuple((names.index(near), names.index(far)) for near, far in bones)


def _hand_bones(side: str) -> list[tuple[str, str]]:
    wrist = f"{side}_hand_wrist"
    bones = []
    for finger in ("thumb", "index", "middle", "ring", "pinky"):
        chain = [wrist, *(f"{side}_hand_{finger}_{i}" for i in range(1, 5))]
        bones += list(itertools.pairwise(chain))
    return bones


WHOLEBODY = Topology(
    "wholebody",
    _WHOLEBODY,
    _indices(
        _WHOLEBODY,
        [
            *(
                bone
                for side in _SIDES
                for bone in (
                    ("nose", f"{side}_eye"),
                    (f"{side}_eye", f"{side}_ear"),
                    (f"{side}_shoulder", f"{side}_elbow"),
                    (f"{side}_elbow", f"{side}_wrist"),
                    (f"{side}_hip", f"{side}_knee"),
                    (f"{side}_knee", f"{side}_ankle"),
                    (f"{side}_ankle", f"{side}_big_toe"),
                    (f"{side}_ankle", f"{side}_small_toe"),
                    (f"{side}_ankle", f"{side}_heel"),
                    *_hand_bones(side),
                )
            ),
            ("left_shoulder", "right_shoulder"),
            ("left_hip", "right_hip"),
        ],
    ),
)
"""People: 17 joints of the body, 6 of the feet, 68 of the face, 21 of each hand (COCO-WholeBody's order)."""

_QUADRUPED = (
    "left_eye",
    "right_eye",
    "nose",
    "neck",
    "root_of_tail",
    "left_shoulder",
    "left_elbow",
    "left_front_paw",
    "right_shoulder",
    "right_elbow",
    "right_front_paw",
    "left_hip",
    "left_knee",
    "left_back_paw",
    "right_hip",
    "right_knee",
    "right_back_paw",
)

QUADRUPED = Topology(
    "quadruped",
    _QUADRUPED,
    _indices(
        _QUADRUPED,
        [
            ("neck", "root_of_tail"),
            ("neck", "nose"),
            ("nose", "left_eye"),
            ("nose", "right_eye"),
            *(
                bone
                for side in _SIDES
                for bone in (
                    ("neck", f"{side}_shoulder"),
                    (f"{side}_shoulder", f"{side}_elbow"),
                    (f"{side}_elbow", f"{side}_front_paw"),
                    ("root_of_tail", f"{side}_hip"),
                    (f"{side}_hip", f"{side}_knee"),
                    (f"{side}_knee", f"{side}_back_paw"),
                )
            ),
        ],
    ),
)
"""Four-legged animals (AP-10K's order)."""

TOPOLOGIES: dict[str, Topology] = {topology.name: topology for topology in (WHOLEBODY, QUADRUPED)}


def topology_of(skeleton: Skeleton) -> Topology:
    """Which topology a skeleton has.

    Raises:
        ValueError: if its joints are those of neither.
    """
    for topology in TOPOLOGIES.values():
        if skeleton.names == topology.joints:
            return topology
    raise ValueError(f"a skeleton of {len(skeleton.names)} joints is of no known topology")
