"""The questions a suite asks, with their right answers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from diptych.bench.measures import Mask
from diptych.media.draw_depth import draw_whole_clip
from diptych.puppets.suite import FPS, SuitePair
from diptych.types import Frames, Sample, Skeleton


@dataclass(frozen=True, eq=False)
class Case:
    """One question with its right answer.

    Attributes:
        id: unique within its suite.
        category: what kind of question it is.
        sample: reference, driving frames and prompt.
        fps: frames per second of the driving frames, exact.
        truth: the reference's character in the driver's motion, RGB, uint8, ``(t, h, w, 3)``, h and w the reference's.
        mask: how much of every pixel the truth's figures cover, uint8, ``(t, h, w)``.
        skeleton: exact joints of the driver's figures, in pixels of the driving frames, for who is driven by them; None
            where nobody knows them.
        rigs: what kind of body each of them has.
        depth: the driver's exact depth, drawn, for models that have a panel for it, uint8, of the driving frames'
            shape; None where nobody knows it.
    """

    id: str
    category: str
    sample: Sample
    fps: Fraction
    truth: Frames
    mask: Mask
    skeleton: Skeleton | None = None
    rigs: tuple[str, ...] = ()
    depth: Frames | None = None


def puppet_case(pair: SuitePair) -> Case:
    """Draw one pair of a puppet suite; the prompt is the pair's caption."""
    truth = pair.pair.truth(pair.times, *pair.reference_size)
    reference = pair.pair.reference(*pair.reference_size).frames[0]
    driver = pair.pair.driving(pair.times, *pair.driving_size, depth=True)
    assert driver.nearness is not None
    return Case(
        id=pair.id,
        category=pair.category,
        sample=Sample(reference, driver.frames, pair.pair.caption),
        fps=Fraction(FPS),
        truth=truth.frames,
        mask=truth.mask,
        skeleton=driver.skeleton,
        rigs=driver_rigs(pair),
        depth=draw_whole_clip(driver.nearness),
    )


def driver_rigs(pair: SuitePair) -> tuple[str, ...]:
    """What kind of body each figure of a pair's driver has, from left to right."""
    return tuple(actor.character.rig for actor in pair.pair.driving_scene.actors)
