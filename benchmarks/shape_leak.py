"""How far a model that is driven by skeletons takes over the driver's body: 0 not at all, 1 wholly.

    python benchmarks/shape_leak.py --model FOLDER --adapter FOLDER [--pairs 24] [--json FILE]

The same motion is drawn three times before the reference's camera and background, exactly: by the reference (the
truth), by the reference's looks on the driver's build (what a full leak would look like), and as the skeleton of the
latter, which drives. The result's difference from the truth is laid along the difference between the two:

    leak = sum of (result - truth) (leaked - truth) / sum of (leaked - truth)^2

over the pixels of the new frames of a clip; the mean over pairs, each counted by how much its two answers differ. What
is wrong in other ways (blur, a wrong pose) is at right angles to it on average, but a blur between the two bodies
counts as half a leak: read it beside the baseline of a model that is driven by the truth's own skeleton, which is
printed too. Height is the reference's in all three, so that proportions are what is measured, not size.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from diptych.animate.session import Session
from diptych.data.poses import ClipPoses
from diptych.puppets.pairs import Pair, draw_pair
from diptych.puppets.poses import pose_of
from diptych.recipes.pose_drive import placed
from diptych.recipes.session import open_session
from diptych.types import Skeleton

FPS, FRAMES, SIDE = 12, 24, 64
CATEGORIES = ("person_full", "child_elderly", "cartoon", "person_half")


def with_build_of_driver(pair: Pair) -> Pair:
    """The same pair with the reference's looks on the driver's build, as tall as before."""
    scene = pair.reference_scene
    build = pair.driving_scene.actors[0].character.build
    actors = tuple(replace(one, character=replace(one.character, build=build)) for one in scene.actors)
    return replace(pair, reference_scene=replace(scene, actors=actors))


def answer(session: Session, pair: Pair, skeleton: Skeleton, size: tuple[int, int], how: str) -> np.ndarray:
    """What the session makes of the pair's reference, driven by a skeleton that lies in the reference's picture."""
    reference = pair.reference(*size).frames[0]
    rigs = [actor.character.rig for actor in pair.reference_scene.actors]
    poses = ClipPoses(pose_of(skeleton, rigs, within=size), *size, "puppets")
    panel = session.panel(reference)
    frames = placed(poses, panel, how, lambda: session.stand_of(reference)).frames(panel)
    return np.concatenate(list(session.animate(reference, frames, pair.caption)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="mini")
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--pose-fit", choices=("raw", "box", "reference"), default="raw")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    session = open_session(args.model, adapter=None if args.adapter is None else str(args.adapter))
    along, own, whole = [], [], []
    for number in range(args.pairs):
        # Seeds far from the suite's, which takes the first of the same split.
        pair = draw_pair(70_000 + number, category=CATEGORIES[number % len(CATEGORIES)], split="eval")
        width = round(SIDE * SIDE * pair.reference_aspect) ** 0.5
        size = (2 * round(width / 2), 2 * round(width / pair.reference_aspect / 2))
        times = pair.start + np.arange(FRAMES) / FPS
        truth, leaked = pair.truth(times, *size), with_build_of_driver(pair).truth(times, *size)
        apart = leaked.frames.astype(float) - truth.frames
        for found, skeleton in ((along, leaked.skeleton), (own, truth.skeleton)):
            made = answer(session, pair, skeleton, size, args.pose_fit)
            found.append(float(((made - truth.frames.astype(float)) * apart).sum()))
        whole.append(float((apart**2).sum()))
    leak, unled = sum(along) / sum(whole), sum(own) / sum(whole)
    spread = np.std([a / w for a, w in zip(along, whole, strict=True)]) / np.sqrt(len(whole))
    print(f"{args.pairs} pairs, skeletons {args.pose_fit}: leak {leak:.3f} (standard error about {spread:.3f})")
    print(f"driven by the truth's own skeleton: {unled:.3f}; taken over from the driver: {leak - unled:.3f}")
    if args.json:
        args.json.write_text(json.dumps({"pairs": args.pairs, "leak": leak, "own": unled, "standard_error": spread}))


if __name__ == "__main__":
    main()
