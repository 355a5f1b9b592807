"""The picture in the README: reference, driving clip, result and right answer of the bundled example.

    python benchmarks/demo_sheet.py out/animate.mp4 docs/result.png [--seed 5019] [--category person_full]

Seed and category are those that `runs/make_assets.sh` drew the bundled files from.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from diptych.media.image import read_image, write_image
from diptych.media.sheet import contact_sheet
from diptych.media.video import read_clip
from diptych.puppets.pairs import draw_pair

ASSETS = Path(__file__).parent.parent / "src" / "diptych" / "assets"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--seed", type=int, default=5019)
    parser.add_argument("--category", default="person_full")
    args = parser.parse_args()
    made, driving = read_clip(args.result), read_clip(ASSETS / "driving.mp4")
    height, width = made.frames.shape[1:3]
    pair = draw_pair(args.seed, category=args.category, split="eval")
    truth = pair.truth(pair.start + np.array([float(t) for t in made.times]), width, height).frames
    rows = [
        ("picture", read_image(ASSETS / "reference.png")[None]),
        ("driving clip", driving.frames),
        ("result", made.frames),
        ("right answer", truth),
    ]
    write_image(args.sheet, contact_sheet(rows, columns=8, height=112))


if __name__ == "__main__":
    main()
