"""Footage of the made-up world: one scene before one camera, as real videos are, without a right answer beside it.

Pairs (``pairs.py``) exist to know the answer across identities; nobody has such pairs of the real world. What
everybody has is footage: somebody moves, sometimes two move in step. A model that is to stand for a pre-trained one
learns from this and nothing else, and so does the stage that is driven by skeletons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diptych.puppets import motions
from diptych.puppets.characters import PEOPLE, Character
from diptych.puppets.motions import Motion, draw_motion
from diptych.puppets.pairs import draw_pair
from diptych.puppets.render import Rendering, render_scene
from diptych.puppets.scenes import (
    ASPECTS,
    OBJECTS,
    QUADRUPEDS,
    STANDING,
    Actor,
    Camera,
    Rng,
    Scene,
    caption_of,
    choice,
    draw_backdrop,
    draw_other,
    extent,
    perform,
    stage,
)

DUET_SHARE = 0.6
"""Share of wide footage that shows two figures, each in the middle of its half."""

IN_STEP_SHARE = 0.85
"""Share of duets in which both do the same."""

POSED = ("biped", "quadruped")
"""Rigs that skeletons are estimated of; the others have none."""

_SECONDS = 6.0
_POSED_CATEGORIES = (
    "person_full",
    "person_half",
    "face",
    "child_elderly",
    "cartoon",
    "props",
    "quadruped",
    "tracking",
    "many_to_many",
    "crossing",
)
_DUET_RIGS = {"biped": 0.7, "quadruped": 0.14, "bird": 0.06, "fish": 0.06, "snake": 0.04}


@dataclass(frozen=True)
class Footage:
    """A scene, and what everybody in it does.

    Attributes:
        seed: it follows from the seed, the kind and the split.
        split: "train" or "eval".
        caption: looks of the characters and what they do, in English.
        scene: actors from left to right before a background, seen by a camera.
        start: time of the first frame in the motions' own time, seconds.
        in_step: whether two or more do the same at the same time.
    """

    seed: int
    split: str
    caption: str
    scene: Scene
    start: float
    in_step: bool = False

    @property
    def aspect(self) -> float:
        """Width over height of its pictures."""
        return self.scene.aspect

    @property
    def rigs(self) -> tuple[str, ...]:
        """Rig of every figure, from left to right."""
        return tuple(actor.character.rig for actor in self.scene.actors)

    def render(self, times: NDArray[np.float64], width: int, height: int, *, depth: bool = False) -> Rendering:
        """Its frames at ``times``, in seconds after :attr:`start`; with ``depth`` also how near everything is."""
        at = self.start + np.asarray(times, np.float64)
        poses = [perform(actor.motion, at, self.start) for actor in self.scene.actors]
        return render_scene(self.scene, poses, np.asarray(times, np.float64), width, height, depth=depth)

    def with_other_bodies(self, rng: Rng) -> Footage:
        """The same done by others, each of the kind and height of whom they stand for, but of another build.

        Their depth tells who is where and in front of whom, and not the outline of who is to be made: the footage's own
        would, and a model that learns from it would copy outlines.
        """
        actors = tuple(
            replace(one, character=replace(drawn, height=one.character.height))
            for one in self.scene.actors
            for drawn in (draw_other(rng, one.character.kind, self.split, [one.character]),)
        )
        return replace(self, scene=replace(self.scene, actors=actors))


def draw_footage(seed: int, split: str = "train") -> Footage:
    """Footage of figures that have skeletons: people, cartoons, four-legged animals, of any framing, by any camera.

    Args:
        seed: of all randomness.
        split: "train" or "eval": disjoint identities and motions (docs/truth.md).
    """
    rng = _stream(seed, split, 1)
    for attempt in range(64):
        pair = draw_pair(int(rng.integers(1 << 40)) + attempt, category=choice(rng, _POSED_CATEGORIES), split=split)
        if all(actor.character.rig in POSED for actor in pair.driving_scene.actors):
            break
    scene = pair.driving_scene
    characters = [actor.character for actor in scene.actors]
    caption = caption_of(characters, [actor.motion for actor in scene.actors], scene.camera)
    return Footage(seed, split, caption, scene, pair.start)


def draw_wide_footage(seed: int, split: str = "train") -> Footage:
    """Footage twice as wide as pictures are: two figures side by side, mostly in step, or any other scene.

    Args:
        seed: of all randomness.
        split: "train" or "eval".
    """
    rng = _stream(seed, split, 2)
    edges = np.cumsum([weight for _, weight in ASPECTS])
    aspect = ASPECTS[int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))][0]
    if rng.random() < DUET_SHARE:
        return _duet(rng, seed, split, aspect)
    pair = draw_pair(int(rng.integers(1 << 40)), split=split)
    scene = replace(pair.driving_scene, aspect=max(2 * aspect, pair.driving_scene.aspect))
    characters = [actor.character for actor in scene.actors]
    caption = caption_of(characters, [actor.motion for actor in scene.actors], scene.camera)
    return Footage(seed, split, caption, scene, pair.start)


def _stream(seed: int, split: str, kind: int) -> Rng:
    return np.random.default_rng(np.random.SeedSequence([seed, {"train": 0, "eval": 1}[split], 0xF0, kind]))


def _duet(rng: Rng, seed: int, split: str, aspect: float) -> Footage:
    """Two figures, each where it would stand in a picture of its own of half the width."""
    rig = list(_DUET_RIGS)[int(np.searchsorted(np.cumsum(list(_DUET_RIGS.values())), rng.random(), side="right"))]
    framing = "full" if rig != "biped" else ("full", "half", "face")[int(rng.choice(3, p=(0.6, 0.2, 0.2)))]
    pool, kinds = _cast(rng, rig, framing)
    first = draw_other(rng, choice(rng, pool), split, [])
    second = draw_other(rng, choice(rng, pool), split, [first])
    travel = "spot" if rng.random() < 0.6 else None
    motion = draw_motion(rng, rig, choice(rng, kinds), split, travel)
    in_step = bool(rng.random() < IN_STEP_SHARE)
    other = motion if in_step else draw_motion(rng, rig, choice(rng, kinds), split, travel)
    start = float(rng.uniform(0.0, 4.0))
    scene = _side_by_side(rng, (first, second), (motion, other), start, framing, aspect)
    caption = caption_of((first, second), (motion, other), scene.camera)
    return Footage(seed, split, caption, scene, start, in_step)


def _cast(rng: Rng, rig: str, framing: str) -> tuple[Sequence[str], Sequence[str]]:
    """Who may be in a duet, and what they may do."""
    if rig == "biped":
        people = (*PEOPLE, "adult", "cartoon")
        kinds = {"half": motions.CLOSE_KINDS, "face": motions.FACE_KINDS}.get(framing, STANDING)
        return (people if framing != "full" else (*people, choice(rng, OBJECTS))), kinds
    return (QUADRUPEDS if rig == "quadruped" else (rig,)), motions.KINDS[rig]


def _side_by_side(
    rng: Rng,
    characters: tuple[Character, Character],
    performed: tuple[Motion, Motion],
    start: float,
    framing: str,
    aspect: float,
) -> Scene:
    times = start + np.arange(0.0, _SECONDS, 0.2)
    boxes = np.array(
        [
            extent(stage(Actor(c, 0.0, 0.0, m), perform(m, times, start)), framing, False)
            for c, m in zip(characters, performed, strict=True)
        ]
    )
    x0, y0, x1, y1 = (float(v) for v in (*boxes[:, :2].min(0), *boxes[:, 2:].max(0)))
    width = float(rng.uniform(1.02, 1.3)) * max(x1 - x0, (y1 - y0) * aspect)  # of one half
    height = width / aspect
    # Nobody stands in the exact middle of a half; both are off by the same, as two who were placed with care are.
    middle = (x0 + x1) / 2 + float(rng.uniform(-0.5, 0.5)) * (width - (x1 - x0))
    top = y0 - (height - (y1 - y0)) * (float(rng.uniform(0.4, 0.9)) if framing == "full" else 1.0)
    camera = Camera("static", (-width, top, width, top + height), (0.5, 0.5), 0.0, framing)
    actors = tuple(
        Actor(c, place - middle, 0.0, m)
        for c, place, m in zip(characters, (-width / 2, width / 2), performed, strict=True)
    )
    return Scene(actors, draw_backdrop(rng, characters, "static"), camera, 2 * aspect)
