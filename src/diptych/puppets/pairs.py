"""Pairs: which scene drives which, and the right answer across identities (docs/truth.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from diptych.puppets import motions
from diptych.puppets.characters import PEOPLE, Character, draw_character
from diptych.puppets.motions import Motion, draw_motion
from diptych.puppets.render import Rendering, render_scene
from diptych.puppets.rigs import Floats, Pose, blend, channel
from diptych.puppets.scenes import (
    ASPECTS,
    OBJECTS,
    QUADRUPEDS,
    STANDING,
    Actor,
    Camera,
    Rng,
    Scene,
    Staged,
    caption_of,
    choice,
    draw_backdrop,
    draw_other,
    extent,
    perform,
    stage,
    still,
    within_half_turn,
)

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

_FRAMED_SECONDS = 6.0


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
            nearest = channel(first, "pelvis") + within_half_turn(channel(last, "pelvis") - channel(first, "pelvis"))
            out.append(blend(first, {**last, "pelvis": nearest}, weight))
        return out

    def reference(self, width: int, height: int) -> Rendering:
        """The reference picture: one frame."""
        return render_scene(self.reference_scene, self.reference_poses(), np.zeros(1), width, height)

    def driving(self, times: NDArray[np.float64], width: int, height: int, *, depth: bool = False) -> Rendering:
        """The driving video at ``times`` (seconds); with ``depth`` also how near everything in it is."""
        poses = [perform(actor.motion, times, self.start) for actor in self.driving_scene.actors]
        seconds = np.asarray(times, np.float64) - self.start
        return render_scene(self.driving_scene, poses, seconds, width, height, depth=depth)

    def truth(self, times: NDArray[np.float64], width: int, height: int, *, depth: bool = False) -> Rendering:
        """The right answer at driver times (seconds): the reference's characters doing what the drivers do."""
        times = np.asarray(times, np.float64)
        poses, seconds = self.truth_poses(times), times - self.start
        return render_scene(self.reference_scene, poses, seconds, width, height, depth=depth)

    def lead_in(self, count: int, start_time: float, width: int, height: int) -> Rendering:
        """The ``count`` frames before ``truth([start_time])``; frame 0 is the reference picture exactly."""
        # A panning camera moves into place together with the figures.
        share = np.arange(count) / count
        seconds = (start_time - self.start) * share * share * (3.0 - 2.0 * share)
        return render_scene(self.reference_scene, self.lead_in_poses(count, start_time), seconds, width, height)


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


def _by_family(rng: Rng, rig: str) -> tuple[str, ...]:
    """The kinds of one family, every family as likely; expressions are for framings that show the face."""
    families = sorted({motions.family(rig, kind) for kind in motions.KINDS[rig]} - {"expression"})
    chosen = choice(rng, families)
    return tuple(kind for kind in motions.KINDS[rig] if motions.family(rig, kind) == chosen)


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


def _draw_actor_looks(rng: Rng, kind: str, split: str, prop: bool) -> Character:
    while True:
        character = draw_character(rng, kind, split)
        if not prop or (character.props and character.pattern != "plain"):
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
