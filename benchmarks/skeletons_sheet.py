"""The picture of docs/skeletons.md: a person with every joint, an animal, and puppets, at two sizes and augmented.

python benchmarks/skeletons_sheet.py [-o docs/skeletons.png]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from diptych.media.draw import draw_skeletons
from diptych.media.image import write_image
from diptych.media.sheet import contact_sheet
from diptych.method.pose_augment import normalise_to_box, scale_bones
from diptych.puppets.pairs import draw_pair
from diptych.puppets.poses import pose_of
from diptych.types import Frames, Skeleton

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import figures

SIDE = 256


def still(*poses: Skeleton, side: int = SIDE) -> Frames:
    """The poses' first figure in a panel, ``(1, side, side, 3)``."""
    return draw_skeletons(poses, side, side, scale=side / SIDE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/skeletons.png"))
    arguments = parser.parse_args()
    person, animal = figures.person(SIDE), figures.animal(SIDE)
    pair = draw_pair(3, category="person_full")
    rendering = pair.driving(pair.start + np.arange(8) / 6, SIDE, SIDE)
    puppet = pose_of(rendering.skeleton, [actor.character.rig for actor in pair.driving_scene.actors])
    drawn = draw_skeletons(puppet, SIDE, SIDE)
    over = np.where(drawn.any(-1, keepdims=True), drawn, rendering.frames // 2)
    rng = np.random.default_rng(0)
    small = np.repeat(np.repeat(still(person, side=64), 4, 1), 4, 2)
    first = [still(person), small, still(animal), *(still(*scale_bones((person,), rng)) for _ in range(3))]
    rows: list[tuple[str, Frames]] = [
        ("a person; in a panel of 64 x 64; an animal; the person's bones scaled, three draws", np.concatenate(first)),
        ("a puppet and its exact pose", over),
        ("bones scaled", draw_skeletons(scale_bones(puppet, rng), SIDE, SIDE)),
        ("normalised by the box of the whole clip", draw_skeletons(normalise_to_box(puppet, SIDE, SIDE), SIDE, SIDE)),
    ]
    write_image(arguments.output, contact_sheet(rows, 6, 160))


if __name__ == "__main__":
    main()
