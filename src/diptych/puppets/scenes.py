"""Scenes and pairs: who stands where, does what, seen by which camera; and which scene drives which.

A pair is a reference scene, a driving scene and the rule of truth (docs/truth.md) between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.puppets import motions
from diptych.puppets.backgrounds import Background, draw_background
from diptych.puppets.characters import PEOPLE, RIG_OF, Character, draw_character
from diptych.puppets.motions import Motion, draw_motion
from diptych.puppets.rigs import Floats, Pose, Solved, blend, channel, grounded_root, solve
from diptych.types import Stand

if TYPE_CHECKING:
    from diptych.puppets.render import Rendering

Rng = np.random.Generator

CATEGORY_WEIGHTS: dict[str, float] = {
    "person_full": 0.17,
    "person_half": 0.09,
    "face": 0.09,
    "child_elderly": 0.08,
    "cartoon": 0.06,
    "props": 0.05,
    "cross_kind": 0.08,
    "object": 0.04,
    "quadruped": 0.07,
    "bird": 0.04,
    "fish": 0.04,
    "snake": 0.03,
    "one_to_many": 0.05,
    "many_to_many": 0.04,
    "crossing": 0.02,
    "tracking": 0.05,
}
"""The training mix; a little over four fifths is one character before a camera that stands still."""

CATEGORIES: tuple[str, ...] = tuple(CATEGORY_WEIGHTS)
"""Kinds of pairs."""

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

_FRAMED_SECONDS = 6.0
_PAN_SECONDS = 9.0
_UPRIGHT = ("biped", "object", "bird")


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
    pose["pelvis"] = _wrapped(channel(pose, "pelvis"))
    return pose


def _wrapped(angle: Floats) -> Floats:
    return angle - 2 * np.pi * np.round(angle / (2 * np.pi))


@dataclass(frozen=True)
class Pair:
    """A reference scene, a driving scene, and what follows from them.

    Attributes:
        seed: the pair is a pure function of seed, category and split.
        category: one of CATEGORIES.
        rig: the rig of the reference's first character.
        split: "train" or "eval".
        caption: looks of the reference's characters and what they do, in English.
        reference_scene: the reference picture's scene; its motions are where the still poses are taken from.
        still_times: the moment of each still pose.
        driving_scene: the driving video's scene.
        start: time of the first driving frame, in seconds.
    """

    seed: int
    category: str
    rig: str
    split: str
    caption: str
    reference_scene: Scene
    still_times: tuple[float, ...]
    driving_scene: Scene
    start: float

    @property
    def reference_aspect(self) -> float:
        """Width over height of the reference picture, and so of the answer."""
        return self.reference_scene.aspect

    @property
    def driving_aspect(self) -> float:
        """Width over height of the driving video."""
        return self.driving_scene.aspect

    def reference_poses(self) -> list[dict[str, Floats]]:
        """The still pose of every reference character, each of length 1."""
        actors = self.reference_scene.actors
        return [still(actor.motion, time) for actor, time in zip(actors, self.still_times, strict=True)]

    def driver_of(self, index: int) -> int:
        """The driver, counted from the left, that drives reference character ``index``."""
        return index % len(self.driving_scene.actors)

    def truth_poses(self, times: NDArray[np.float64]) -> list[dict[str, Floats]]:
        """What every reference character does at driver times (seconds)."""
        drivers = [perform(actor.motion, times, self.start) for actor in self.driving_scene.actors]
        return [drivers[self.driver_of(i)] for i in range(len(self.reference_scene.actors))]

    def lead_in_poses(self, count: int, start_time: float) -> list[dict[str, Floats]]:
        """From the still poses to the truth at ``start_time`` in ``count`` frames, easing in and out."""
        share = np.arange(count) / count
        weight = share * share * (3.0 - 2.0 * share)
        out = []
        for first, last in zip(self.reference_poses(), self.truth_poses(np.array([start_time])), strict=True):
            # A cartwheel may have turned many times: the nearest of the equal angles is the one to go to.
            nearest = channel(first, "pelvis") + _wrapped(channel(last, "pelvis") - channel(first, "pelvis"))
            out.append(blend(first, {**last, "pelvis": nearest}, weight))
        return out

    def reference(self, width: int, height: int) -> Rendering:
        """The reference picture: one frame."""
        from diptych.puppets.render import render_scene

        return render_scene(self.reference_scene, self.reference_poses(), np.zeros(1), width, height)

    def driving(self, times: NDArray[np.float64], width: int, height: int, *, depth: bool = False) -> Rendering:
        """The driving video at ``times`` (seconds); with ``depth`` also how near everything in it is."""
        from diptych.puppets.render import render_scene

        poses = [perform(actor.motion, times, self.start) for actor in self.driving_scene.actors]
        seconds = np.asarray(times, np.float64) - self.start
        return render_scene(self.driving_scene, poses, seconds, width, height, depth=depth)

    def truth(self, times: NDArray[np.float64], width: int, height: int) -> Rendering:
        """The right answer at driver times (seconds): the reference's characters doing what the drivers do."""
        from diptych.puppets.render import render_scene

        seconds = np.asarray(times, np.float64) - self.start
        return render_scene(
            self.reference_scene, self.truth_poses(np.asarray(times, np.float64)), seconds, width, height
        )

    def lead_in(self, count: int, start_time: float, width: int, height: int) -> Rendering:
        """The ``count`` frames before ``truth([start_time])``; frame 0 is the reference picture exactly."""
        from diptych.puppets.render import render_scene

        # A panning camera moves into place together with the figures.
        share = np.arange(count) / count
        seconds = (start_time - self.start) * share * share * (3.0 - 2.0 * share)
        return render_scene(self.reference_scene, self.lead_in_poses(count, start_time), seconds, width, height)


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


def _framed(rng: Rng, staged: Sequence[Staged], framing: str, kind: str) -> Camera:
    """A camera that has everything in view which the framing promises."""
    boxes = np.array([extent(s, framing, kind == "tracking") for s in staged])
    x0, y0, x1, y1 = (float(v) for v in (*boxes[:, :2].min(0), *boxes[:, 2:].max(0)))
    room = float(rng.uniform(1.0, 1.3 if framing == "full" else 1.15))
    grow_x, grow_y = (x1 - x0) * (room - 1.0), (y1 - y0) * (room - 1.0)
    if kind == "pan":
        grow_x += 0.35 * (y1 - y0)
    # More air above than below: figures stand on the ground, not in it.
    box = (x0 - grow_x / 2, y0 - grow_y * 0.6, x1 + grow_x / 2, y1 + grow_y * 0.4)
    align = (float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.55, 0.9)) if framing == "full" else 1.0)
    speed = float(rng.uniform(0.06, 0.14)) * (1 if rng.random() < 0.5 else -1) if kind == "pan" else 0.0
    if framing == "half":
        align = (align[0], 1.0)
    return Camera(kind, box, align, speed, framing)


@dataclass(frozen=True)
class _Plan:
    """What a category asks for, before anybody is drawn."""

    drivers: tuple[str, ...]
    targets: tuple[str, ...]
    motion_rig: str
    kinds: tuple[str, ...]
    framing: str = "full"
    driver_framing: str = "full"
    travel: str | None = None
    camera: str = "static"
    driver_camera: str = "static"


def choice(rng: Rng, options: Sequence[str]) -> str:
    """One of the options, each as likely."""
    return options[int(rng.integers(len(options)))]


def _by_family(rng: Rng, rig: str) -> tuple[str, ...]:
    """The kinds of one family, every family as likely; expressions are for framings that show the face."""
    families = sorted({motions.family(rig, kind) for kind in motions.KINDS[rig]} - {"expression"})
    chosen = choice(rng, families)
    return tuple(kind for kind in motions.KINDS[rig] if motions.family(rig, kind) == chosen)


OBJECTS = tuple(kind for kind, rig in RIG_OF.items() if rig == "object")
QUADRUPEDS = tuple(kind for kind, rig in RIG_OF.items() if rig == "quadruped")
STANDING = tuple(k for k in motions.KINDS["biped"] if k not in ("cartwheel", "push_up", "lunge"))


def _plan(rng: Rng, category: str) -> _Plan:
    def one(options: Sequence[str]) -> tuple[str, ...]:
        return (choice(rng, options),)

    grown = ("adult", "adult", "elderly", "child", "cartoon")
    full = _by_family(rng, "biped")
    if category == "person_full":
        return _Plan(one(grown), one(("adult",)), "biped", full)
    if category == "person_half":
        shown = "half" if rng.random() < 0.7 else "full"
        return _Plan(one(grown), one((*PEOPLE, "cartoon")), "biped", motions.CLOSE_KINDS, "half", shown)
    if category == "face":
        shown = "face" if rng.random() < 0.75 else "half"
        return _Plan(one(grown), one((*PEOPLE, "cartoon")), "biped", motions.FACE_KINDS, "face", shown)
    if category == "child_elderly":
        return _Plan(one(("adult", "adult", "cartoon")), one(("child", "elderly")), "biped", full)
    if category == "cartoon":
        return _Plan(one(grown), one(("cartoon",)), "biped", full)
    if category == "props":
        return _Plan(one(grown), one((*PEOPLE, "cartoon")), "biped", full)
    if category == "cross_kind":
        return _Plan(
            one(PEOPLE),
            one((*OBJECTS, *OBJECTS, "bird", "bird", "cartoon")),
            "biped",
            tuple(k for k in full if k in STANDING),
        )
    if category == "object":
        return _Plan(one(OBJECTS), one(OBJECTS), "object", tuple(k for k in full if k in STANDING))
    if category == "quadruped":
        return _Plan(one(QUADRUPEDS), one(QUADRUPEDS), "quadruped", motions.KINDS["quadruped"])
    if category in ("bird", "fish", "snake"):
        return _Plan((category,), (category,), category, motions.KINDS[category])
    if category in ("one_to_many", "many_to_many"):
        count = int(rng.integers(2, 4))
        if rng.random() < 0.75:
            pool: Sequence[str] = (*PEOPLE, "adult", "cartoon", *one(OBJECTS))
            rig, kinds = "biped", tuple(k for k in STANDING if k != "hop_dance")
        else:
            rig = choice(rng, ("bird", "fish", "quadruped"))
            pool = QUADRUPEDS if rig == "quadruped" else (rig,)
            kinds = motions.KINDS[rig]
        drivers = 1 if category == "one_to_many" else int(rng.integers(2, 4))
        return _Plan(
            tuple(choice(rng, pool) for _ in range(drivers)),
            tuple(choice(rng, pool) for _ in range(count)),
            rig,
            kinds,
            travel="spot",
        )
    if category == "crossing":
        pool = (*PEOPLE, "cartoon")
        how = "cross" if rng.random() < 0.5 else "circle"
        pair = (choice(rng, pool), choice(rng, pool))
        return _Plan(
            pair, (choice(rng, pool), choice(rng, pool)), "biped", ("walk", "run", "march", "skip"), travel=how
        )
    # tracking: cameras that move
    rig = choice(rng, ("biped", "biped", "biped", "quadruped", "bird", "fish"))
    pool = {"biped": grown, "quadruped": QUADRUPEDS}.get(rig, (rig,))
    camera = "tracking" if rng.random() < 0.7 else "pan"
    going = motions.GOING_KINDS[rig]
    if camera == "pan":
        return _Plan(
            one(pool),
            one(pool),
            rig,
            full if rig == "biped" else motions.KINDS[rig],
            camera=camera,
            driver_camera="static",
        )
    return _Plan(one(pool), one(pool), rig, going, travel="along", camera=camera, driver_camera="tracking")


def draw_pair(seed: int, *, category: str | None = None, split: str = "train") -> Pair:
    """Draw a pair of scenes.

    Args:
        seed: of all randomness; the same pair on every machine.
        category: one of CATEGORIES, or None to draw one by CATEGORY_WEIGHTS.
        split: "train" or "eval": disjoint identities and motions (docs/truth.md).

    Raises:
        ValueError: if the category or the split is unknown.
    """
    if split not in ("train", "eval"):
        raise ValueError(f"split must be train or eval, not {split!r}")
    if category is not None and category not in CATEGORY_WEIGHTS:
        raise ValueError(f"no such category: {category!r}; there are {', '.join(CATEGORIES)}")
    stream = {"train": 0, "eval": 1}[split]
    if category is None:
        # A stream of its own, so that naming the category that would be drawn anyway changes nothing.
        choice = np.random.default_rng(np.random.SeedSequence([seed, stream]))
        edges = np.cumsum(list(CATEGORY_WEIGHTS.values()))
        category = CATEGORIES[int(np.searchsorted(edges, choice.random() * edges[-1], side="right"))]
    rng = np.random.default_rng(np.random.SeedSequence([seed, stream, 1 + CATEGORIES.index(category)]))
    plan = _plan(rng, category)
    targets = [_draw_actor_looks(rng, kind, split, prop=category == "props") for kind in plan.targets]
    drivers = [draw_other(rng, kind, split, targets) for kind in plan.drivers]
    motion = _draw_motions(rng, plan, len(drivers), split)
    start = 0.0 if plan.travel in ("cross", "circle") else float(rng.uniform(0.0, 4.0))
    stills, still_times = _draw_stills(rng, plan, targets, motion, start, split)
    many = max(len(targets), len(drivers)) > 1
    reference = _assemble(
        rng,
        plan,
        targets,
        [motion[i % len(motion)] for i in range(len(targets))],
        start,
        many,
        plan.framing,
        plan.camera,
        list(zip(stills, still_times, strict=True)),
    )
    driving = _assemble(rng, plan, drivers, motion, start, many, plan.driver_framing, plan.driver_camera, None)
    caption = caption_of(targets, [motion[i % len(motion)] for i in range(len(targets))], reference.camera)
    return Pair(seed, category, targets[0].rig, split, caption, reference, tuple(still_times), driving, start)


def with_kin(pair: Pair, seed: int) -> Pair:
    """The same pair with an easier driver: somebody of the reference's own build and place, before its camera.

    Only looks and background differ between the two panels then, so the answer to a cell lies in the same cell of
    the other panel. For training alone: rule 8 of docs/truth.md does not hold for such a pair.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, pair.seed, 0x51]))
    reference = pair.reference_scene
    targets = [actor.character for actor in reference.actors]
    kin = []
    for i, actor in enumerate(reference.actors):
        motion = pair.driving_scene.actors[pair.driver_of(i)].motion
        other = draw_other(rng, actor.character.kind, pair.split, targets)
        other = replace(other, build=actor.character.build, height=actor.character.height)
        kin.append(Actor(other, actor.x, actor.y, motion))
    background = draw_backdrop(rng, [actor.character for actor in kin], reference.camera.kind)
    return replace(pair, driving_scene=replace(reference, actors=tuple(kin), background=background))


def draw_backdrop(rng: Rng, characters: Sequence[Character], camera: str) -> Background:
    """A background that suits the characters and from which they stand out."""
    where = {"fish": "water", "snake": "meadow"}.get(characters[0].rig, "any" if camera == "static" else "moving")
    avoid = tuple(c.palette.primary.rgb for c in characters) + tuple(c.palette.secondary.rgb for c in characters)
    return draw_background(rng, avoid, where)


def _draw_actor_looks(rng: Rng, kind: str, split: str, prop: bool) -> Character:
    while True:
        character = draw_character(rng, kind, split)
        if not prop or (character.props and character.pattern != "plain"):
            return character


def draw_other(rng: Rng, kind: str, split: str, others: Sequence[Character]) -> Character:
    """Somebody whose main colours differ from everybody else's: copying the driver's pixels must not pay."""
    taken = {c.palette.primary.name for c in others}
    for _ in range(20):
        character = draw_character(rng, kind, split)
        if character.palette.primary.name not in taken:
            break
    return character


def _draw_motions(rng: Rng, plan: _Plan, count: int, split: str) -> list[Motion]:
    drawn: list[Motion] = []
    for i in range(count):
        motion = draw_motion(rng, plan.motion_rig, choice(rng, plan.kinds), split, plan.travel)
        if plan.travel in ("cross", "circle"):
            motion = replace(
                motion, side=1 if i == 0 else -1, style=(*drawn[0].style[:3], motion.style[3]) if i else motion.style
            )
        drawn.append(motion)
    return drawn


def _draw_stills(
    rng: Rng, plan: _Plan, targets: Sequence[Character], driving: Sequence[Motion], start: float, split: str
) -> tuple[list[Motion], list[float]]:
    """Poses for the reference, independent of the driver and never one of its frames."""
    times = start + np.arange(0.0, _FRAMED_SECONDS, 1 / 12)
    stills, moments = [], []
    for i, target in enumerate(targets):
        rig = target.rig if target.rig != "object" else "biped"
        kinds = {"face": motions.FACE_KINDS, "half": motions.CLOSE_KINDS}.get(plan.framing)
        options = kinds or tuple(k for k in motions.KINDS[rig] if k not in ("cartwheel", "push_up", "lunge"))
        truth = perform(driving[i % len(driving)], times, start)
        for _ in range(50):
            motion = draw_motion(rng, rig, choice(rng, options), split, "spot")
            moment = float(rng.uniform(0.0, 5.0))
            if pose_gap(still(motion, moment), truth) > 0.2:
                break
        stills.append(motion)
        moments.append(moment)
    return stills, moments


def pose_gap(pose: Pose, others: Pose) -> float:
    """The least, over the moments of ``others``, of the largest difference in any channel but travel."""
    names = [n for n in dict.fromkeys((*pose, *others)) if not n.startswith("travel")]
    gaps = [np.abs(channel(others, name) - channel(pose, name)) for name in names]
    return float(np.max(gaps, axis=0).min())


def _assemble(
    rng: Rng,
    plan: _Plan,
    characters: Sequence[Character],
    performed: Sequence[Motion],
    start: float,
    many: bool,
    framing: str,
    camera: str,
    stills: list[tuple[Motion, float]] | None,
) -> Scene:
    """Put characters side by side, find a background and a camera that keeps them in view while they perform."""
    gap = float(rng.uniform(1.0, 1.25)) if plan.travel in ("cross", "circle") else float(rng.uniform(0.62, 0.8))
    if plan.motion_rig in ("quadruped", "fish", "bird"):
        gap += 0.45
    places = [0.0]
    for a, b in pairwise(characters):
        places.append(places[-1] + gap * 0.5 * (a.height + b.height))
    actors = []
    for i, (character, x) in enumerate(zip(characters, places, strict=True)):
        y = float(rng.uniform(-0.2, 0.2)) * character.height if character.rig in ("fish",) and many else 0.0
        actors.append(Actor(character, x, y, stills[i][0] if stills else performed[i]))
    times = start + np.arange(0.0, _FRAMED_SECONDS, 0.2)
    staged = [stage(actor, perform(motion, times, start)) for actor, motion in zip(actors, performed, strict=True)]
    if stills:
        staged += [stage(a, still(m, t)) for a, (m, t) in zip(actors, stills, strict=True)]
    seen = _framed(rng, staged, framing, camera)
    return Scene(tuple(actors), draw_backdrop(rng, characters, camera), seen, _draw_aspect(rng, seen))


def _draw_aspect(rng: Rng, camera: Camera) -> float:
    """A shape for the picture; narrow ones only where the figures would not become tiny in them."""
    x0, y0, x1, y1 = camera.box
    needed = min(0.62 * (x1 - x0) / (y1 - y0), 4 / 3)
    options = [(aspect, weight) for aspect, weight in ASPECTS if aspect >= needed]
    edges = np.cumsum([weight for _, weight in options])
    return options[int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))][0]


def caption_of(characters: Sequence[Character], performed: Sequence[Motion], camera: Camera) -> str:
    """Looks of the characters from left to right and what each does, in English."""
    parts = [f"{c.looks()} {m.text()}" for c, m in zip(characters, performed, strict=True)]
    text = parts[0] if len(parts) == 1 else "from left to right, " + "; ".join(parts)
    ending = {"tracking": "; the camera follows", "static": ""}.get(
        camera.kind, f"; the camera pans slowly to the {'right' if camera.speed > 0 else 'left'}"
    )
    return text[0].upper() + text[1:] + ending + "."
