"""Rigs: named joints, the bones between them, and forward kinematics for whole clips at once.

A pose is a mapping from channel names to arrays over time. Every rig reads the channels it has and takes 0 for the
rest, so the same pose drives a grown man, a cup and a bird: that sharing of names is what makes cross-identity truth.

Coordinates: x right, y down, in world units; a rotation is positive clockwise on the screen. The ground is y = 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Pose = Mapping[str, Floats]
"""Channel name to values over time, every array of one shape ``(n,)``: angles in radians, the rest without unit."""

_ARMS = ("shoulder_r", "elbow_r", "wrist_r", "shoulder_l", "elbow_l", "wrist_l")
_LEGS = ("hip_r", "knee_r", "ankle_r", "hip_l", "knee_l", "ankle_l")
_FACE = ("nose", "eye_r", "eye_l")
_BODY = tuple(f"body_{i}" for i in range(1, 9))

JOINTS: tuple[str, ...] = ("head", *_FACE, "neck", *_ARMS, "pelvis", *_LEGS, "tail_1", "tail_2", *_BODY)
"""Every joint any rig has, in the order of ``Skeleton.names``."""

EXPRESSIONS: tuple[str, ...] = (
    "mouth_open",
    "smile",
    "blink_r",
    "blink_l",
    "brow",
    "gaze_x",
    "gaze_y",
    "head_turn",
    "head_nod",
)
"""Channels of the face. 0 is neutral; mouth_open and blink run 0..1, the others -1..1."""

TRAVEL: tuple[str, ...] = ("travel_x", "travel_y", "lift", "depth", "turn")
"""Channels of the whole body: travel and lift in body heights, depth -1 (far) .. 1 (near), turn -1 (facing the left
edge) .. 0 (facing the viewer) .. 1 (facing the right edge)."""

ANGLES: dict[str, tuple[str, ...]] = {
    "biped": ("pelvis", "spine", "head", *_ARMS, *_LEGS),
    "object": ("pelvis", "spine", *_ARMS, *_LEGS),
    "bird": ("pelvis", "spine", "head", *_ARMS, *_LEGS, "tail_1"),
    "quadruped": ("pelvis", "spine", "neck", "head", *_ARMS, *_LEGS, "tail_1", "tail_2"),
    "fish": ("pelvis", "head", "fin", *_BODY[:4]),
    "snake": ("pelvis", "head", *_BODY),
}
"""The joints that turn, per rig."""

RIGS: tuple[str, ...] = tuple(ANGLES)

_BIPED_BONES = (
    ("head", "neck"),
    ("neck", "shoulder_r"),
    ("shoulder_r", "elbow_r"),
    ("elbow_r", "wrist_r"),
    ("neck", "shoulder_l"),
    ("shoulder_l", "elbow_l"),
    ("elbow_l", "wrist_l"),
    ("neck", "pelvis"),
    ("pelvis", "hip_r"),
    ("hip_r", "knee_r"),
    ("knee_r", "ankle_r"),
    ("pelvis", "hip_l"),
    ("hip_l", "knee_l"),
    ("knee_l", "ankle_l"),
)
_TAIL_BONES = (("pelvis", "tail_1"), ("tail_1", "tail_2"))
_EYE_BONES = (("nose", "eye_r"), ("nose", "eye_l"), ("nose", "head"))


def _chain(count: int) -> tuple[tuple[str, str], ...]:
    names = ("head", *_BODY[:count])
    return tuple(pairwise(names))


SKELETON: dict[str, tuple[tuple[str, str], ...]] = {
    "biped": (*_BIPED_BONES, *_EYE_BONES),
    "object": (*_BIPED_BONES, *_EYE_BONES),
    "bird": (*_BIPED_BONES, *_EYE_BONES, ("pelvis", "tail_1")),
    "quadruped": (*_BIPED_BONES, *_EYE_BONES, *_TAIL_BONES),
    "fish": _chain(4),
    "snake": _chain(8),
}
"""Bones of every rig as pairs of joint names."""

ALL_BONES: tuple[tuple[int, int], ...] = tuple(
    (JOINTS.index(a), JOINTS.index(b)) for a, b in dict.fromkeys(bone for rig in RIGS for bone in SKELETON[rig])
)
"""Bones of all rigs as indices into JOINTS. A bone with an absent end belongs to another rig."""

EYE_AZIMUTH = 0.42
"""How far round the head the eyes of upright rigs are from the middle of the face, radians."""

GROUNDED = frozenset({"biped", "object", "bird", "quadruped"})
"""Rigs that stand: their lowest point touches the ground unless lifted. The others float."""


@dataclass(frozen=True)
class Build:
    """Proportions of a body, as fractions of its height; every rig reads what it needs.

    Attributes:
        head: radius of the head.
        torso: neck to pelvis, or chest to rump.
        shoulders: half the width at the shoulders.
        hips: half the width at the hips.
        arm: shoulder to wrist.
        leg: hip to ankle.
        limb: radius of an upper arm; thighs follow from it.
        girth: half the depth of the trunk (quadruped, fish, snake, bird, object: half its width).
        neck: length of the neck.
        tail: length of the tail.
    """

    head: float
    torso: float
    shoulders: float
    hips: float
    arm: float
    leg: float
    limb: float
    girth: float
    neck: float
    tail: float = 0.0


class Frame:
    """A moving coordinate frame: an origin ``(n, 2)`` and a clockwise angle ``(n,)``."""

    __slots__ = ("angle", "cos", "origin", "sin")

    def __init__(self, origin: Floats, angle: Floats) -> None:
        self.origin, self.angle = origin, angle
        self.cos, self.sin = np.cos(angle), np.sin(angle)

    def at(self, x: float | Floats, y: float | Floats) -> Floats:
        """The world position ``(n, 2)`` of one local point; x and y may vary over time."""
        out = np.empty_like(self.origin)
        out[:, 0] = self.origin[:, 0] + self.cos * x - self.sin * y
        out[:, 1] = self.origin[:, 1] + self.sin * x + self.cos * y
        return out

    def place(self, points: Floats) -> Floats:
        """The world positions ``(n, k, 2)`` of local points ``(k, 2)`` or ``(n, k, 2)``."""
        x, y = points[..., 0], points[..., 1]
        cos, sin = self.cos[:, None], self.sin[:, None]
        out = np.empty((len(self.angle), points.shape[-2], 2))
        out[..., 0] = self.origin[:, None, 0] + cos * x - sin * y
        out[..., 1] = self.origin[:, None, 1] + sin * x + cos * y
        return out

    def child(self, x: float | Floats, y: float | Floats, angle: Floats) -> Frame:
        """A frame whose origin is a point of this one and which is turned further by ``angle``."""
        return Frame(self.at(x, y), self.angle + angle)


@dataclass(frozen=True, eq=False)
class Solved:
    """A body in a pose: where its joints and frames are, relative to its root, over time.

    Attributes:
        joints: name to ``(n, 2)`` world units.
        frames: name to moving frame, for drawing.
        facing: ``(n,)`` horizontal scale: 1 for rigs that turn in depth, else the profile's side in -1..1.
    """

    joints: dict[str, Floats]
    frames: dict[str, Frame]
    facing: Floats


def channel(pose: Pose, name: str) -> Floats:
    """One channel of a pose, zeros where the pose lacks it."""
    values = pose.get(name)
    return np.zeros(pose_length(pose)) if values is None else values


def pose_length(pose: Pose) -> int:
    """Number of moments in a pose."""
    return len(next(iter(pose.values())))


def blend(first: Pose, second: Pose, weight: Floats) -> dict[str, Floats]:
    """Mix two poses channel by channel: weight 0 gives the first, 1 the second; missing channels count as 0."""
    out = {}
    for name in dict.fromkeys((*first, *second)):
        a, b = first.get(name, np.zeros(1)), second.get(name, np.zeros(1))
        out[name] = a + (b - a) * weight
    return out


def solve(rig: str, build: Build, height: float, pose: Pose) -> Solved:
    """Forward kinematics, the root at the origin and not yet on the ground.

    Args:
        rig: one of RIGS.
        build: proportions.
        height: world units.
        pose: channels over time.
    """
    if rig == "quadruped":
        return _solve_quadruped(build, height, pose)
    if rig in ("fish", "snake"):
        return _solve_chain(rig, build, height, pose)
    return _solve_upright(rig, build, height, pose)


def _solve_upright(rig: str, b: Build, h: float, pose: Pose) -> Solved:
    zero = np.zeros((pose_length(pose), 2))
    turn = channel(pose, "turn") * (np.pi / 2)
    cos = np.cos(turn)
    pelvis = Frame(zero, channel(pose, "pelvis"))
    chest = pelvis.child(0.0, -0.3 * b.torso * h, channel(pose, "spine"))
    neck = chest.at(0.0, -0.7 * b.torso * h)
    head = Frame(neck, chest.angle + (channel(pose, "head") if rig != "object" else 0.0))
    reach = b.head + b.neck if rig != "object" else -0.35 * b.torso
    joints = {"pelvis": zero, "neck": neck, "head": head.at(0.0, -reach * h)}
    frames = {"pelvis": pelvis, "chest": chest, "head": Frame(joints["head"], head.angle)}
    drop = 0.62 if rig != "object" else 0.3
    for side, sign in (("r", -1.0), ("l", 1.0)):
        upper = chest.child(sign * b.shoulders * h * cos, -drop * b.torso * h, channel(pose, f"shoulder_{side}"))
        lower = upper.child(0.0, 0.52 * b.arm * h, channel(pose, f"elbow_{side}"))
        hand = lower.child(0.0, 0.48 * b.arm * h, channel(pose, f"wrist_{side}"))
        thigh = pelvis.child(sign * b.hips * h * cos, 0.0, channel(pose, f"hip_{side}"))
        shin = thigh.child(0.0, 0.5 * b.leg * h, channel(pose, f"knee_{side}"))
        ankle = shin.at(0.0, 0.5 * b.leg * h)
        foot = Frame(ankle, 0.4 * shin.angle + channel(pose, f"ankle_{side}"))
        frames.update(
            {f"upper_{side}": upper, f"lower_{side}": lower, f"hand_{side}": hand}
            | {f"thigh_{side}": thigh, f"shin_{side}": shin, f"foot_{side}": foot}
        )
        joints.update({f"shoulder_{side}": upper.origin, f"elbow_{side}": lower.origin, f"wrist_{side}": hand.origin})
        joints.update({f"hip_{side}": thigh.origin, f"knee_{side}": shin.origin, f"ankle_{side}": ankle})
    yaw = face_yaw(pose)
    for name, azimuth, y in (("nose", 0.0, 0.15), ("eye_r", -EYE_AZIMUTH, -0.08), ("eye_l", EYE_AZIMUTH, -0.08)):
        joints[name] = frames["head"].at(b.head * h * np.sin(yaw + azimuth), y * b.head * h)
    if rig == "bird":
        tail = pelvis.child(-0.6 * b.girth * h * np.sin(turn), -0.1 * b.torso * h, channel(pose, "tail_1"))
        frames["tail"] = tail
        joints["tail_1"] = tail.at(-b.tail * h * np.sin(turn), 0.3 * b.tail * h)
    return Solved(joints, frames, np.ones(len(turn)))


def face_yaw(pose: Pose) -> Floats:
    """How far the face is turned from the viewer, radians, at most 80 degrees to either side."""
    return np.clip(channel(pose, "turn") * 1.25 + channel(pose, "head_turn") * 0.7, -1.4, 1.4)


def _profile(pose: Pose) -> Floats:
    """Horizontal scale of a body that is only ever seen from the side.

    It shortens as it turns, but never below a third: a body must not vanish in the middle of turning round.
    """
    side = np.sin(channel(pose, "turn") * (np.pi / 2))
    return np.where(side < 0, -1.0, 1.0) * (0.35 + 0.65 * np.abs(side))


def _solve_quadruped(b: Build, h: float, pose: Pose) -> Solved:
    zero = np.zeros((pose_length(pose), 2))
    pelvis = Frame(zero, channel(pose, "pelvis"))
    middle = pelvis.child(0.5 * b.torso * h, 0.0, channel(pose, "spine"))
    chest = middle.child(0.5 * b.torso * h, 0.0, np.zeros(len(zero)))
    neck = chest.child(0.02 * h, -0.35 * b.girth * h, 0.75 + channel(pose, "neck"))
    head = Frame(neck.at(0.0, -b.neck * h), chest.angle + channel(pose, "head"))
    joints = {"pelvis": zero, "neck": neck.origin, "head": head.origin}
    joints["nose"] = head.at(1.5 * b.head * h, 0.25 * b.head * h)
    joints["eye_r"] = joints["eye_l"] = head.at(0.3 * b.head * h, -0.3 * b.head * h)
    frames = {"pelvis": pelvis, "middle": middle, "chest": chest, "neck": neck, "head": head}
    for side, shift in (("r", -0.02), ("l", 0.03)):
        upper = chest.child((shift - 0.04) * h, 0.35 * b.girth * h, channel(pose, f"shoulder_{side}"))
        lower = upper.child(0.0, 0.5 * b.leg * h, channel(pose, f"elbow_{side}"))
        hoof = lower.child(0.0, 0.5 * b.leg * h, channel(pose, f"wrist_{side}"))
        thigh = pelvis.child((shift + 0.02) * h, 0.3 * b.girth * h, channel(pose, f"hip_{side}") - 0.2)
        shin = thigh.child(0.0, 0.52 * b.leg * h, channel(pose, f"knee_{side}") + 0.4)
        paw = shin.child(0.0, 0.52 * b.leg * h, channel(pose, f"ankle_{side}") - 0.2)
        frames.update(
            {f"upper_{side}": upper, f"lower_{side}": lower, f"hand_{side}": hoof}
            | {f"thigh_{side}": thigh, f"shin_{side}": shin, f"foot_{side}": paw}
        )
        joints.update({f"shoulder_{side}": upper.origin, f"elbow_{side}": lower.origin, f"wrist_{side}": hoof.origin})
        joints.update({f"hip_{side}": thigh.origin, f"knee_{side}": shin.origin, f"ankle_{side}": paw.origin})
    tail = pelvis.child(-0.05 * h, -0.4 * b.girth * h, 0.6 + channel(pose, "tail_1"))
    tip = tail.child(0.0, 0.5 * b.tail * h, channel(pose, "tail_2"))
    frames.update(tail=tail, tip=tip)
    joints.update(tail_1=tip.origin, tail_2=tip.at(0.0, 0.5 * b.tail * h))
    facing = _profile(pose)
    # The pelvis is the root of the chain, but an animal turns about its middle.
    middle_x = 0.5 * b.torso * h
    for frame in frames.values():
        frame.origin = frame.origin - np.array([middle_x, 0.0])
    joints = {
        name: (at - np.array([middle_x, 0.0])) * np.stack([facing, np.ones_like(facing)], 1)
        for name, at in joints.items()
    }
    return Solved(joints, frames, facing)


def _solve_chain(rig: str, b: Build, h: float, pose: Pose) -> Solved:
    count = 4 if rig == "fish" else 8
    zero = np.zeros((pose_length(pose), 2))
    step = b.torso * h / count
    # The root is the middle joint, so that waves swing both ends and the body stays in place.
    middle = count // 2
    heading = channel(pose, "pelvis")
    bends = np.stack([channel(pose, name) for name in _BODY[:count]], 1)
    turns = np.cumsum(bends, 1)
    angles = heading[:, None] + turns - turns[:, middle - 1 : middle]
    points = [zero]
    for k in range(count):
        angle = angles[:, k]
        points.append(points[-1] - step * np.stack([np.cos(angle), np.sin(angle)], 1))
    spine = np.stack(points, 1)
    spine = spine - spine[:, middle : middle + 1]
    head = Frame(spine[:, 0], angles[:, 0] + channel(pose, "head"))
    facing = _profile(pose) if rig == "fish" else np.ones(len(zero))
    joints = {name: spine[:, k] for k, name in enumerate(("head", *_BODY[:count]))}
    frames = {"head": head}
    for k in range(count):
        frames[f"body_{k + 1}"] = Frame(spine[:, k + 1], angles[:, k])
    frames["middle"] = frames[f"body_{middle}"]
    scale = np.stack([facing, np.ones_like(facing)], 1)
    return Solved({name: at * scale for name, at in joints.items()}, frames, facing)


def grounded_root(rig: str, solved: Solved, build: Build, height: float) -> Floats:
    """Height of the root ``(n,)`` above which nothing of the body sinks into the ground (y = 0; up is negative)."""
    if rig not in GROUNDED:
        return np.zeros(len(solved.facing))
    low = [solved.joints[f"ankle_{s}"][:, 1] + 0.035 * height for s in "rl"]
    low += [solved.joints[f"knee_{s}"][:, 1] + build.limb * height for s in "rl"]
    if rig == "quadruped":
        low += [solved.joints[f"wrist_{s}"][:, 1] + 0.035 * height for s in "rl"]
        low.append(solved.joints["pelvis"][:, 1] + build.girth * height)
    else:
        low += [solved.joints[f"wrist_{s}"][:, 1] + build.limb * height for s in "rl"] if rig == "biped" else []
        low.append(solved.joints["pelvis"][:, 1] + (0.06 if rig != "bird" else build.girth * 0.7) * height)
        low.append(solved.joints["head"][:, 1] + build.head * height)
    return -np.max(low, axis=0)
