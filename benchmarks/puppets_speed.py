"""Frames a second and core of the made-up world, frame, mask and joints together.

Run: ``OMP_NUM_THREADS=1 python benchmarks/puppets_speed.py``
"""

from __future__ import annotations

import time

import cv2
import numpy as np

from diptych.puppets.pairs import Pair, draw_pair

FRAMES = 24
SINGLE = ("person_full", "child_elderly", "cartoon", "props", "cross_kind")


def rate(pairs: list[Pair], side: int) -> float:
    """Frames a second of truth clips of ``FRAMES`` frames, drawing the pair itself not counted."""
    begin = time.perf_counter()
    for pair in pairs:
        pair.truth(pair.start + np.arange(FRAMES) / 12, side, side)
    return FRAMES * len(pairs) / (time.perf_counter() - begin)


def main() -> None:
    cv2.setNumThreads(1)
    mixed = [draw_pair(seed) for seed in range(60)]
    single = [draw_pair(seed, category=SINGLE[seed % len(SINGLE)]) for seed in range(60)]
    people = [draw_pair(seed, category="person_full") for seed in range(60)]
    for side in (64, 128):
        rate(mixed[:5], side)
        for name, pairs in (("one person", people), ("one figure", single), ("training mix", mixed)):
            best = max(rate(pairs, side) for _ in range(3))
            print(f"{side} x {side}  {name:13s} {best:7.0f} frames/s")
    begin = time.perf_counter()
    for seed in range(100, 160):
        draw_pair(seed)
    print(f"drawing a pair: {(time.perf_counter() - begin) / 60 * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
