"""Drivers faster than the model was trained for: interleaved phases, or a part of the frames made and the rest filled?

    python benchmarks/fast_drivers.py [--fps 60] [--frames 96] [--pairs 8] [--model mini]

Static pairs of the evaluation split outside the suite, against the exact truth at the driver's rate. `phases` is what
`animate` does; `filled` makes every n-th frame and crossfades between them; `as it is` feeds the model a rate that it
does not know. Flicker is the error of the change from frame to frame, relative to the truth's own changes.
"""

from __future__ import annotations

import argparse
from fractions import Fraction

import numpy as np
from drift import chosen

from diptych.bench.measures import psnr_db
from diptych.data.draws import box_for
from diptych.recipes.driver import phases_for
from diptych.recipes.session import open_session
from diptych.types import Frames


def crossfaded(keys: Frames, every: int, count: int) -> Frames:
    """``count`` frames from every ``every``-th; after the last key it stays."""
    at = np.minimum(np.arange(count) / every, len(keys) - 1)
    low = np.floor(at).astype(int)
    share = (at - low)[:, None, None, None]
    mixed = (1 - share) * keys[low] + share * keys[np.minimum(low + 1, len(keys) - 1)]
    return np.rint(mixed).astype(np.uint8)


def flicker(made: Frames, truth: Frames) -> float:
    """Mean absolute error of the frame-to-frame change over the truth's mean absolute change."""
    steps, right = np.diff(made.astype(float), axis=0), np.diff(truth.astype(float), axis=0)
    return float(np.abs(steps - right).mean() / np.abs(right).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fps", type=int, default=60)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--model", default="mini")
    args = parser.parse_args()
    session = open_session(args.model)
    agreed = session.backbone.contract
    count = max(2, phases_for(Fraction(args.fps), agreed))
    scores: dict[str, list[tuple[float, float]]] = {}
    for pair in chosen(args.pairs):
        times = pair.start + np.arange(args.frames) / args.fps
        box, driving_box = box_for(pair.reference_aspect, agreed), box_for(pair.driving_aspect, agreed)
        truth = pair.truth(times, box.width, box.height).frames
        reference = pair.reference(box.width, box.height).frames[0]
        driving = pair.driving(times, 2 * driving_box.width, 2 * driving_box.height).frames
        keys = np.concatenate(list(session.animate(reference, driving[::count], pair.caption)))
        ways = {
            "phases": np.concatenate(list(session.animate(reference, driving, pair.caption, phases=count))),
            "filled": crossfaded(keys, count, args.frames),
            "as it is": np.concatenate(list(session.animate(reference, driving, pair.caption))),
        }
        for name, made in ways.items():
            scores.setdefault(name, []).append((psnr_db(made, truth), flicker(made, truth)))
    print(f"{args.fps} frames a second, {count} phases, mean of {args.pairs} pairs")
    for name, found in scores.items():
        psnr, flick = np.mean(found, axis=0)
        print(f"{name:9} {psnr:6.2f} dB   flicker {flick:.3f}")


if __name__ == "__main__":
    main()
