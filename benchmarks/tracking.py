"""How well figures keep their identity: identity switches and joints kept, by faults of the detector and by scene.

    python benchmarks/tracking.py [--seeds 12] [--frames 100] [--fps 25]

Puppets give exact joints; jitter, missed figures, missed joints, figures hidden behind others, false figures and a new
order in every frame are put in (the levels stand in tests/sightings.py, from which the tests take them too). A switch
is a true figure that goes on under another index than before. The last column gives each frame's figures their index
from left to right, which is what a reader without tracking would do: its switches.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from diptych.method.tracking import FrameFigures, link
from sightings import LEVELS, judged, seen, truth_of

CATEGORIES = ("many_to_many", "crossing")


def left_to_right(found: list[FrameFigures], joints: int) -> np.ndarray:
    """Figures by their place in each frame, ``(t, n, j, 3)``."""
    frames = [frame.people if joints == 133 else frame.animals for frame in found]
    out = np.zeros((len(frames), max(1, *(len(frame.joints) for frame in frames)), joints, 3), np.float32)
    for t, frame in enumerate(frames):
        order = np.argsort(frame.boxes[:, [0, 2]].mean(1))
        out[t, : len(order)] = frame.joints[order]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--fps", type=float, default=25)
    options = parser.parse_args()
    print("| scene | faults | clips | switches per 100 frames | joints kept | figures too many | left to right |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    linked, spent = 0, 0.0
    for category in CATEGORIES:
        truths = []
        for seed in range(40 * options.seeds):
            truth = truth_of(seed, category, options.frames, options.fps)
            if truth.shape[1] > 1:
                truths.append((seed, truth))
            if len(truths) == options.seeds:
                break
        for level, faults in LEVELS.items():
            verdicts, plain = [], []
            for seed, truth in truths:
                found = seen(truth, faults, seed)
                start = time.perf_counter()
                skeletons, _ = link(found, 256, 256, fps=options.fps)
                spent += time.perf_counter() - start
                linked += len(found)
                verdicts.append(judged(truth, skeletons[0].joints))
                plain.append(judged(truth, left_to_right(found, truth.shape[2])))
            frames = len(truths) * options.frames
            print(
                f"| {category} | {level} | {len(truths)} | {100 * sum(v.switches for v in verdicts) / frames:.2f} "
                f"| {100 * np.mean([v.kept for v in verdicts]):.1f} % | {sum(v.extra for v in verdicts)} "
                f"| {100 * sum(v.switches for v in plain) / frames:.1f} |",
                flush=True,
            )
    print(f"\n{linked / spent:.0f} frames a second are linked on one core.")


if __name__ == "__main__":
    main()
