"""Answers that are wrong in exactly one way: the right character in another motion, another in the right motion.

They calibrate the measures of ``diptych.bench.seesaw``: identity error has to see the one and pass over the other,
motion error the reverse.
"""

from __future__ import annotations

from dataclasses import replace

from diptych.puppets.pairs import Pair, draw_pair

_STRIDE = 1_000_003
"""Between a pair's seed and its donors' seeds, so that neighbouring pairs have different donors."""
_TRIES = 200


def donor_for(pair: Pair) -> Pair:
    """Another pair of the same category, split and rigs whose driver does something else.

    Raises:
        LookupError: none was found, which no category is known to do.
    """
    motion = pair.driving_scene.actors[0].motion
    for tried in range(1, _TRIES + 1):
        donor = draw_pair(pair.seed + tried * _STRIDE, category=pair.category, split=pair.split)
        theirs = donor.driving_scene.actors[0].motion
        if donor.rig == pair.rig and theirs.rig == motion.rig and theirs.kind != motion.kind:
            return donor
    raise LookupError(f"no pair of category {pair.category} can lend its motion to pair {pair.seed}")


def in_other_motion(pair: Pair, donor: Pair) -> Pair:
    """The same reference with the donor's driving scene: same looks, place, background and camera, another motion.

    The donor's motion begins at the donor's start, so that is where the truth's times have to begin.
    """
    return replace(pair, driving_scene=donor.driving_scene, start=donor.start)


def with_other_looks(pair: Pair, donor: Pair) -> Pair:
    """The same pair played by the donor's characters, each in the height of the one it stands in for.

    Place, background, camera and motion stay; palette, clothes, props and build are the donor's.
    """
    theirs = donor.reference_scene.actors
    actors = tuple(
        replace(actor, character=replace(theirs[i % len(theirs)].character, height=actor.character.height))
        for i, actor in enumerate(pair.reference_scene.actors)
    )
    return replace(pair, reference_scene=replace(pair.reference_scene, actors=actors))


def with_other_colours(pair: Pair, donor: Pair) -> Pair:
    """The same pair in the donor's colours: build, clothes and pattern stay too."""
    theirs = donor.reference_scene.actors
    actors = tuple(
        replace(actor, character=replace(actor.character, palette=theirs[i % len(theirs)].character.palette))
        for i, actor in enumerate(pair.reference_scene.actors)
    )
    return replace(pair, reference_scene=replace(pair.reference_scene, actors=actors))


def with_sides_swapped(pair: Pair) -> Pair:
    """The same pair with every driver's motion done by the other hand, or towards the other edge."""
    actors = tuple(
        replace(actor, motion=replace(actor.motion, side=-actor.motion.side)) for actor in pair.driving_scene.actors
    )
    return replace(pair, driving_scene=replace(pair.driving_scene, actors=actors))
