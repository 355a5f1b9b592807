"""A person and an animal with every joint, for tests that need skeletons and no estimator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diptych.method.skeleton import QUADRUPED, WHOLEBODY
from diptych.types import Skeleton

# In a square of 1 by 1, facing the viewer: the figure's own right is on the left.
_HALF = {
    "eye": (0.02, 0.10),
    "ear": (0.05, 0.11),
    "shoulder": (0.12, 0.25),
    "elbow": (0.22, 0.38),
    "wrist": (0.30, 0.28),
    "hip": (0.08, 0.52),
    "knee": (0.12, 0.72),
    "ankle": (0.10, 0.92),
    "big_toe": (0.14, 0.96),
    "small_toe": (0.17, 0.95),
    "heel": (0.09, 0.95),
}
_PROFILE = {
    "nose": (0.95, 0.30),
    "left_eye": (0.86, 0.26),
    "right_eye": (0.92, 0.20),
    "neck": (0.72, 0.40),
    "root_of_tail": (0.15, 0.42),
    "left_shoulder": (0.76, 0.55),
    "left_elbow": (0.80, 0.70),
    "left_front_paw": (0.84, 0.92),
    "right_shoulder": (0.64, 0.57),
    "right_elbow": (0.60, 0.72),
    "right_front_paw": (0.62, 0.93),
    "left_hip": (0.24, 0.54),
    "left_knee": (0.32, 0.72),
    "left_back_paw": (0.28, 0.92),
    "right_hip": (0.16, 0.56),
    "right_knee": (0.10, 0.74),
    "right_back_paw": (0.08, 0.93),
}


def _person() -> NDArray[np.float64]:
    at = {"nose": (0.5, 0.13)}
    for side, sign in (("left", 1), ("right", -1)):
        for part, (x, y) in _HALF.items():
            at[f"{side}_{part}"] = (0.5 + sign * x, y)
        wrist = np.array(at[f"{side}_wrist"]) - np.array([0.0, 0.01])
        at[f"{side}_hand_wrist"] = tuple(wrist)
        for finger, angle in zip(("thumb", "index", "middle", "ring", "pinky"), (-50, -20, 0, 18, 36), strict=True):
            way = np.array([sign * np.sin(np.radians(angle)), -np.cos(np.radians(angle))])
            for i in range(1, 5):
                at[f"{side}_hand_{finger}_{i}"] = tuple(wrist + way * (0.02 + 0.015 * i))
    for i in range(68):
        turn, radius = 2 * np.pi * i / 34, 0.05 if i < 34 else 0.03
        at[f"face_{i}"] = (0.5 + 0.8 * radius * np.cos(turn), 0.13 + radius * np.sin(turn))
    return np.array([at[name] for name in WHOLEBODY.joints])


PERSON = _person()
"""A person with every joint in a square of 1 by 1, float64, ``(133, 2)``."""

ANIMAL = np.array([_PROFILE[name] for name in QUADRUPED.joints])
"""An animal that walks to the right, float64, ``(17, 2)``."""


def person(size: float, frames: int = 1, figures: int = 1, wobble: float = 0.0, seed: int = 0) -> Skeleton:
    """People who fill a square of ``size`` pixels, every joint shaken by ``wobble`` of it, confidence 1."""
    return WHOLEBODY.skeleton(_moving(PERSON, size, frames, figures, wobble, seed))


def animal(size: float, frames: int = 1, figures: int = 1, wobble: float = 0.0, seed: int = 0) -> Skeleton:
    """The same of animals."""
    return QUADRUPED.skeleton(_moving(ANIMAL, size, frames, figures, wobble, seed))


def _moving(
    points: NDArray[np.float64], size: float, frames: int, figures: int, wobble: float, seed: int
) -> NDArray[np.float32]:
    shaken = np.random.default_rng(seed).uniform(-wobble, wobble, (frames, figures, *points.shape))
    joints = np.ones((frames, figures, len(points), 3), np.float32)
    joints[..., :2] = (points + shaken) * size
    return joints


def without(skeleton: Skeleton, *names: str, frames: slice = slice(None), confidence: float = 0.0) -> Skeleton:
    """The same figures with some joints missing, or of little confidence, in some frames."""
    joints = skeleton.joints.copy()
    for name in names:
        missing = joints[frames, :, skeleton.names.index(name)]
        missing[..., 2] = confidence
        if not confidence:
            missing[..., :2] = 0.0
    return Skeleton(skeleton.names, joints, skeleton.bones)
