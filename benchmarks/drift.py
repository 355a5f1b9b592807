"""Does a long result hold up? 300 frames of one driver, measured window by window against the exact truth.

    python benchmarks/drift.py [--frames 300] [--pairs 4] [--windows continue|anew] [--model mini] [--sheet FILE]

Static pairs of the evaluation split that are not in the frozen suite. Each window of 12 new frames stands in a row:
PSNR, identity error and motion error, mean over the pairs, beside the still reference's PSNR in the same frames.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from diptych.bench.measures import by_window, psnr_db
from diptych.bench.seesaw import identity_error, motion_error
from diptych.data.draws import box_for
from diptych.media.image import write_image
from diptych.media.sheet import contact_sheet
from diptych.puppets.pairs import Pair, draw_pair
from diptych.puppets.suite import suite_pairs
from diptych.recipes.session import open_session

WINDOW, FPS = 12, 12


def chosen(count: int) -> list[Pair]:
    """The first static pairs, of different categories, that the suite does not hold."""
    used = {pair.pair.seed for pair in suite_pairs()}
    found = []
    for seed, category in zip(range(9000, 9400), 100 * ["person_full", "cartoon", "object", "quadruped"], strict=True):
        if seed in used or len(found) == count:
            continue
        pair = draw_pair(seed, category=category, split="eval")
        if pair.reference_scene.camera.kind == "static":
            found.append(pair)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--windows", choices=("continue", "anew"))
    parser.add_argument("--sheet", type=Path)
    args = parser.parse_args()
    session = open_session(args.model, continues=None if args.windows is None else args.windows == "continue")
    agreed = session.backbone.contract
    rows: list[list[tuple[float, float, float, float]]] = []
    strips = []
    for pair in chosen(args.pairs):
        times = pair.start + np.arange(args.frames) / FPS
        box, driving_box = box_for(pair.reference_aspect, agreed), box_for(pair.driving_aspect, agreed)
        truth = pair.truth(times, box.width, box.height)
        reference = pair.reference(box.width, box.height).frames
        driving = pair.driving(times, 2 * driving_box.width, 2 * driving_box.height).frames
        made = np.concatenate(list(session.animate(reference[0], driving, pair.caption)))
        still = np.repeat(reference, len(made), axis=0)
        columns = [
            by_window(psnr_db, WINDOW, made, truth.frames),
            by_window(psnr_db, WINDOW, still, truth.frames),
            by_window(identity_error, WINDOW, made, truth.frames, truth.mask),
            by_window(motion_error, WINDOW, made, truth.frames, truth.mask),
        ]
        rows.append([tuple(v.value for v in row) for row in zip(*columns, strict=True)])
        strips += [(f"{pair.category} {pair.seed} driver", driving), ("truth", truth.frames), ("made", made)]
    print(f"{'frames':>9} {'PSNR dB':>9} {'still dB':>9} {'identity':>9} {'motion':>9}   mean of {len(rows)} pairs")
    for i, values in enumerate(zip(*rows, strict=True)):
        means = [np.mean([v[k] for v in values if not math.isnan(v[k])]) for k in range(4)]
        cells = " ".join(f"{m:9.3f}" if k > 1 else f"{m:9.2f}" for k, m in enumerate(means))
        print(f"{i * WINDOW:4d}-{(i + 1) * WINDOW - 1:4d} {cells}")
    if args.sheet:
        write_image(args.sheet, contact_sheet(strips, columns=13, height=96))


if __name__ == "__main__":
    main()
