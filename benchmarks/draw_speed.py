"""Skeletons drawn a second and core: one whole-body person with every joint, who fills most of the panel.

    OMP_NUM_THREADS=1 python benchmarks/draw_speed.py [--frames 240] [--sizes 64 512 1024]

``wall`` is what passes on a clock, ``core`` what the process computes, which other work on the machine does not change.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from diptych.media.draw import draw_skeletons
from diptych.method.pose_augment import PoseAugment, augment
from diptych.types import Skeleton

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import figures


def rate(poses: tuple[Skeleton, ...], side: int) -> tuple[float, float]:
    """Frames a second by the clock and by the process's own time, best of three."""
    wall, core = [], []
    for _ in range(3):
        begin, own = time.perf_counter(), time.process_time()
        draw_skeletons(poses, side, side)
        wall.append(time.perf_counter() - begin)
        core.append(time.process_time() - own)
    frames = len(poses[0].joints)
    return frames / min(wall), frames / min(core)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 512, 1024])
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    for side in arguments.sizes:
        for name, poses in (
            ("person", (figures.person(side, arguments.frames, 1, 0.01),)),
            ("animal", (figures.animal(side, arguments.frames, 1, 0.01),)),
        ):
            wall, core = rate(poses, side)
            print(f"{side:5d} x {side:<5d} {name}  {wall:7.0f} frames/s wall  {core:7.0f} frames/s core")
    poses = (figures.person(512, 121, 1, 0.01),)
    always, rng = PoseAugment(bones_share=1, box_share=1), np.random.default_rng(0)
    begin = time.process_time()
    for _ in range(20):
        augment(poses, 512, 512, always, rng)
    print(f"augmenting 121 frames of a person: {(time.process_time() - begin) / 20 * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
