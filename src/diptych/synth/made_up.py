"""Pairs of the made-up world, where it is known exactly what a made video has to be.

They are for measuring what the model makes, and for training on what is exactly right in its place. A pair of puppets
(docs/truth.md) has a driving scene and a reference scene. The driving scene is the footage, the reference scene's
picture the other character, and the rule of truth says what that one does in the other's motion.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, islice

import numpy as np

from diptych.data.poses import ClipPoses
from diptych.puppets.footage import POSED
from diptych.puppets.pairs import Pair, draw_pair
from diptych.puppets.poses import pose_of
from diptych.puppets.scenes import caption_of
from diptych.puppets.sheet import panel_size
from diptych.synth.staging import Staging, UnusableError, Words

FPS = 12
SHORTEST, LONGEST = 24, 32
"""Frames of a clip."""

AREA = 128 * 128
"""Pixels of a picture, about, where no model says how many it sees."""


@dataclass(frozen=True)
class PuppetItem:
    """One pair of the training half of the made-up world.

    Attributes:
        number: of the pair.
        seed: of the noise that its video is made with.
        area: pixels of its pictures, about.
    """

    number: int
    seed: int
    area: int = AREA

    @property
    def id(self) -> str:
        """Of the number, the seed and the size."""
        return hashlib.sha256(json.dumps(["puppets", self.number, self.seed, self.area]).encode()).hexdigest()[:16]

    @property
    def about(self) -> str:
        """The number."""
        return f"puppets-{self.number}"

    def stage(self, words: Words | None) -> Staging:
        """See :class:`~diptych.synth.staging.Item`; the words are the world's own."""
        pair = draw_pair(self.number)
        frames = int(np.random.default_rng([self.number, 0x5E]).integers(SHORTEST, LONGEST + 1))
        times = pair.start + np.arange(frames) / FPS
        shape, source_shape = (panel_size(one, self.area) for one in (pair.reference_aspect, pair.driving_aspect))
        source = pair.driving(times, *source_shape)
        actors = pair.driving_scene.actors
        characters, motions = [actor.character for actor in actors], [actor.motion for actor in actors]
        figures = pose_of(source.skeleton, [one.rig for one in characters], within=source_shape)
        if figures and not any((one.joints[..., 2] > 0).any() for one in figures):
            raise UnusableError(f"the driver of {self.about} is out of the picture")
        return Staging(
            clip=source.frames,
            poses=ClipPoses(figures, *source_shape, "puppets") if figures else None,
            poses_file=None,
            width=source_shape[0],
            height=source_shape[1],
            frames=frames,
            fps=Fraction(FPS),
            reference=pair.reference(*shape).frames[0],
            motion="; ".join(one.text() for one in motions),
            looks="; ".join(one.looks() for one in characters),
            prompt=caption_of(characters, motions, pair.driving_scene.camera),
            made_prompt=pair.caption,
            category=pair.category,
            source=self.about,
            footage=None,
            seed=self.number,
            right=pair.truth(times, *shape).frames,
            chosen={"reference": self.about, "fit": "drawn with its clip"},
        )


def puppet_items(seed: int, limit: int, *, undriven: bool = False, area: int = AREA) -> list[PuppetItem]:
    """The first pairs from a seed on.

    Args:
        seed: number of the first pair that is looked at, and of the noise.
        limit: how many.
        undriven: take drivers of which nobody estimates skeletons too: birds, fish, snakes and things.
        area: pixels of their pictures, about: those of a panel of who makes them.
    """
    return list(islice(_items(seed, undriven, area), limit))


def _items(seed: int, undriven: bool, area: int) -> Iterator[PuppetItem]:
    for number in count(seed):
        if undriven or has_pose_drive(draw_pair(number)):
            yield PuppetItem(number, seed, area)


def has_pose_drive(pair: Pair) -> bool:
    """Whether skeletons show everybody who drives."""
    return all(actor.character.rig in POSED for actor in pair.driving_scene.actors)
