"""Pairs with their roles exchanged: the right answer drives, and the footage that drove is the answer (paper Eq. 4).

What self-made pairs would be if whoever made them had made no mistake. The footage shows figures that have skeletons,
since only of those can a pose model make a driver, unless all bodies are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diptych.puppets.footage import POSED
from diptych.puppets.pairs import Pair, draw_pair
from diptych.puppets.render import Rendering
from diptych.puppets.scenes import caption_of

Bodies = Literal["posed", "all"]
"""Whose footage is the answer: figures that have skeletons, or birds, fish, snakes and things too."""

_TRIES = 256


@dataclass(frozen=True)
class SwappedPair:
    """A pair the other way round; times are seconds of the pair's own.

    Attributes:
        pair: as it was drawn.
    """

    pair: Pair

    @property
    def caption(self) -> str:
        """Looks of those in the footage and what they do, in English."""
        scene = self.pair.driving_scene
        actors = scene.actors
        return caption_of([actor.character for actor in actors], [actor.motion for actor in actors], scene.camera)

    @property
    def rigs(self) -> tuple[str, ...]:
        """Of the figures in the footage, from left to right."""
        return tuple(actor.character.rig for actor in self.pair.driving_scene.actors)

    @property
    def driving_aspect(self) -> float:
        """Width over height of the driver."""
        return self.pair.reference_aspect

    @property
    def target_aspect(self) -> float:
        """Width over height of the footage."""
        return self.pair.driving_aspect

    def driving(self, times: NDArray[np.float64], width: int, height: int, *, depth: bool = False) -> Rendering:
        """The driver: others who do what those in the footage do; with ``depth`` also how near everything is."""
        return self.pair.truth(times, width, height, depth=depth)

    def target(self, times: NDArray[np.float64], width: int, height: int) -> Rendering:
        """The footage, which is the answer."""
        return self.pair.driving(times, width, height)


def draw_swapped(seed: int, split: str = "train", bodies: Bodies = "posed") -> SwappedPair:
    """Draws a pair the other way round.

    The driver shows at least as many figures as the footage, or somebody in the answer would do what nobody shows.

    Args:
        seed: of all randomness.
        split: "train" or "eval": disjoint identities and motions (docs/truth.md).
        bodies: whose footage is drawn.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, {"train": 0, "eval": 1}[split], 0x5A]))
    for _ in range(_TRIES):
        swapped = SwappedPair(draw_pair(int(rng.integers(1 << 40)), split=split))
        enough = len(swapped.pair.reference_scene.actors) >= len(swapped.rigs)
        if enough and (bodies == "all" or set(swapped.rigs) <= set(POSED)):
            return swapped
    raise RuntimeError(f"{_TRIES} pairs were drawn and none of them can be swapped")
