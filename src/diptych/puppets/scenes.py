"""Scenes: who stands where, does what, before which background, seen by which camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diptych.puppets import motions
from diptych.puppets.backgrounds import Background, draw_background
from diptych.puppets.characters import RIG_OF, Character, draw_character
from diptych.puppets.motions import Motion
from diptych.puppets.rigs import Floats, Pose, Solved, channel, grounded_root, solve
from diptych.types import Stand

Rng = np.random.Generator

ASPECTS: tuple[tuple[float, float], ...] = (
    (1.0, 0.5),
    (4 / 3, 0.1),
    (3 / 4, 0.1),
    (16 / 9, 0.1),
    (9 / 16, 0.08),
    (3 / 2, 0.06),
    (2 / 3, 0.06),
)
"""Width over height of pictures and videos, each with its share."""

_PAN_SECONDS = 9.0


@dataclass(frozen=True)
class Camera:
    """What is seen.

    Attributes:
        kind: "static", "tracking" (keeps the figures where they were) or "pan".
        box: left, top, right, bottom in world units: always in view; the rest of the picture is filled around it.
        align: where the box lies in a picture of another shape, 0 (left, top) .. 1 (right, bottom).
        speed: of a pan as it begins, in box heights a second, positive to the right.
        framing: "full", "half" or "face".
    """

    kind: str
    box: tuple[float, float, float, float]
    align: tuple[float, float]
    speed: float
    framing: str

    def view(self, width: int, height: int) -> tuple[float, float, float]:
        """Pixels per world unit, and the world position of the picture's left and top edge, for a picture's size."""
        x0, y0, x1, y1 = self.box
        scale = min(width / (x1 - x0), height / (y1 - y0))
        left = x0 - (width / scale - (x1 - x0)) * self.align[0]
        top = y0 - (height / scale - (y1 - y0)) * self.align[1]
        return scale, left, top


@dataclass(frozen=True)
class Actor:
    """A character in its place.

    Attributes:
        character: who.
        x: world position of its root at the start.
        y: the same for rigs that float (up is negative); the others stand on the ground.
        motion: what it does; in a reference scene, where its still pose is taken from.
    """

    character: Character
    x: float
    y: float
    motion: Motion


@dataclass(frozen=True)
class Scene:
    """Actors from left to right before a background, seen by a camera; ``aspect`` is width over height."""

    actors: tuple[Actor, ...]
    background: Background
    camera: Camera
    aspect: float


@dataclass(frozen=True, eq=False)
class Staged:
    """An actor over time: its pose, its solved body relative to the root, and the root in the world ``(n, 2)``."""

    actor: Actor
    pose: Pose
    solved: Solved
    root: Floats


def stage(actor: Actor, pose: Pose) -> Staged:
    """Put an actor into a pose over time. Travel counts from the actor's place, in its own body heights."""
    c = actor.character
    solved = solve(c.rig, c.build, c.height, pose)
    root = np.empty((len(solved.facing), 2))
    root[:, 0] = actor.x + c.height * channel(pose, "travel_x")
    root[:, 1] = grounded_root(c.rig, solved, c.build, c.height) + actor.y
    root[:, 1] += c.height * (channel(pose, "travel_y") - channel(pose, "lift") + 0.05 * channel(pose, "depth"))
    return Staged(actor, pose, solved, root)


def perform(motion: Motion, times: NDArray[np.float64], start: float) -> dict[str, Floats]:
    """A motion's channels at ``times``, its travel counted from the time ``start``."""
    every = motion.channels(np.append(np.asarray(times, np.float64), start))
    pose = {name: values[:-1] for name, values in every.items()}
    for name in ("travel_x", "travel_y"):
        if name in every:
            pose[name] = every[name][:-1] - every[name][-1]
    return pose


def still(motion: Motion, time: float) -> dict[str, Floats]:
    """One moment of a motion as a pose of length 1, standing in its place."""
    pose = perform(motion, np.array([time]), time)
    pose["pelvis"] = within_half_turn(channel(pose, "pelvis"))
    return pose


def within_half_turn(angle: Floats) -> Floats:
    """The same direction as an angle from -pi to pi."""
    return angle - 2 * np.pi * np.round(angle / (2 * np.pi))


def stand_of(scene: Scene, width: int, height: int) -> Stand:
    """Where the actors of a scene stand at its start, at rest, in pixels of a picture of some size: their mean."""
    scale, left, top = scene.camera.view(width, height)
    roots = [stage(actor, {"travel_x": np.zeros(1)}).root[0] for actor in scene.actors]
    x, y = (np.mean(roots, axis=0) - (left, top)) * scale
    return Stand(float(x), float(y), scale * float(np.mean([actor.character.height for actor in scene.actors])))


def camera_offsets(camera: Camera, staged: Sequence[Staged], seconds: NDArray[np.float64]) -> Floats:
    """How far the camera has moved to the right ``(n,)``, in world units, ``seconds`` after the first frame."""
    if camera.kind == "tracking":
        moved = np.zeros(len(seconds))
        for s in staged:
            moved += s.root[:, 0] - s.actor.x
        return moved / len(staged)
    if camera.kind == "pan":
        # To one side and back again: a pan that never ends would lose everybody.
        swing = np.sin(seconds * (2 * np.pi / _PAN_SECONDS)) * (_PAN_SECONDS / (2 * np.pi))
        return camera.speed * (camera.box[3] - camera.box[1]) * swing
    return np.zeros(len(seconds))


_PAD = {"biped": 0.06, "object": 0.1, "bird": 0.1, "quadruped": 0.08, "fish": 0.24, "snake": 0.1}


def extent(staged: Staged, framing: str, follow: bool) -> tuple[float, float, float, float]:
    """Left, top, right and bottom, in world units, of what a framing wants to show of a figure over time."""
    c, h = staged.actor.character, staged.actor.character.height
    root = staged.root.copy()
    if follow:
        root[:, 0] = staged.actor.x
    joints = staged.solved.joints
    if framing == "full":
        names: tuple[str, ...] = tuple(joints)
    elif framing == "half":
        names = ("head", "neck", "shoulder_r", "shoulder_l")
    else:
        names = ("head",)
    at = np.concatenate([joints[name] + root for name in names])
    head = joints["head"] + root
    r = c.build.head * h
    crown = r * (1.35 if c.parts.hat == "none" else 2.0) if c.parts.ears != "long" or c.kind != "cartoon" else r * 2.3
    pad = _PAD[c.rig] * h + (0.45 * c.build.girth * h if c.rig == "object" else 0.0)
    if framing == "face":
        return (
            head[:, 0].min() - 1.5 * r,
            head[:, 1].min() - crown,
            head[:, 0].max() + 1.5 * r,
            head[:, 1].max() + 1.55 * r,
        )
    if framing == "half":
        pelvis = root[:, 1] + 0.02 * h
        side = 0.5 * c.build.arm * h + c.build.limb * h
        return (at[:, 0].min() - side, head[:, 1].min() - crown, at[:, 0].max() + side, float(pelvis.mean()))
    low, high = at.min(0) - pad, at.max(0) + pad
    if c.rig != "object":
        low[1] = min(low[1], head[:, 1].min() - crown)
        low[0], high[0] = min(low[0], head[:, 0].min() - 1.2 * r), max(high[0], head[:, 0].max() + 1.2 * r)
    if c.rig in ("biped", "bird", "object", "quadruped"):
        high[1] = at[:, 1].max() + 0.06 * h
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def choice(rng: Rng, options: Sequence[str]) -> str:
    """One of the options, each as likely."""
    return options[int(rng.integers(len(options)))]


OBJECTS = tuple(kind for kind, rig in RIG_OF.items() if rig == "object")
QUADRUPEDS = tuple(kind for kind, rig in RIG_OF.items() if rig == "quadruped")
STANDING = tuple(k for k in motions.KINDS["biped"] if k not in ("cartwheel", "push_up", "lunge"))


def draw_backdrop(rng: Rng, characters: Sequence[Character], camera: str) -> Background:
    """A background that suits the characters and from which they stand out."""
    where = {"fish": "water", "snake": "meadow"}.get(characters[0].rig, "any" if camera == "static" else "moving")
    avoid = tuple(c.palette.primary.rgb for c in characters) + tuple(c.palette.secondary.rgb for c in characters)
    return draw_background(rng, avoid, where)


def draw_other(rng: Rng, kind: str, split: str, others: Sequence[Character]) -> Character:
    """Somebody whose main colours differ from everybody else's: copying the driver's pixels must not pay."""
    taken = {c.palette.primary.name for c in others}
    for _ in range(20):
        character = draw_character(rng, kind, split)
        if character.palette.primary.name not in taken:
            break
    return character


def caption_of(characters: Sequence[Character], performed: Sequence[Motion], camera: Camera) -> str:
    """Looks of the characters from left to right and what each does, in English."""
    parts = [f"{c.looks()} {m.text()}" for c, m in zip(characters, performed, strict=True)]
    text = parts[0] if len(parts) == 1 else "from left to right, " + "; ".join(parts)
    ending = {"tracking": "; the camera follows", "static": ""}.get(
        camera.kind, f"; the camera pans slowly to the {'right' if camera.speed > 0 else 'left'}"
    )
    return text[0].upper() + text[1:] + ending + "."
