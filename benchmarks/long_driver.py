"""Does memory grow with the driver, and do decoding, generating and encoding overlap?

    python benchmarks/long_driver.py [--frames 125 1250 12500] [--repeats 3] [--model mini] [--steps 1]

Each length runs in a process of its own on a made driver of 96 x 96 pixels at 25 frames a second.
Printed: wall time, the peak of resident memory, and the share of the wall time in which the decoder's, the generator's
and the encoder's thread were at work; shares that add up to more than one overlap. The peak is the median of the
repeats, since one run's depends on how threads happened to meet; its range stands beside it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np


def make_driver(path: Path, frames: int) -> None:
    """A bright bar that walks across a dark ground."""
    from diptych.media.video import VideoWriter

    with VideoWriter(path, 96, 96, time_base=Fraction(1, 25), preset="ultrafast") as writer:
        for i in range(frames):
            pixels = np.full((96, 96, 3), 40, np.uint8)
            pixels[20:80, i % 80 : i % 80 + 12] = (200, 160, 60)
            writer.write(pixels, Fraction(i, 25), Fraction(1, 25))


def measure(folder: Path, model: str, steps: int) -> dict[str, Any]:
    """One run in this process, its parts timed."""
    from diptych.animate.session import Session
    from diptych.media.image import write_image
    from diptych.media.video import VideoWriter
    from diptych.options import AnimateOptions
    from diptych.recipes import driver
    from diptych.recipes.animate import animate_files

    spent = {"decoding": 0.0, "generating": 0.0, "encoding": 0.0}
    lock = threading.Lock()

    def add(name: str, seconds: float) -> None:
        with lock:
            spent[name] += seconds

    write, window, frames = VideoWriter.write, Session._window, driver.read_frames

    def timed_write(*args: Any) -> None:
        began = time.perf_counter()
        write(*args)
        add("encoding", time.perf_counter() - began)

    def timed_window(*args: Any) -> Any:
        began = time.perf_counter()
        made = window(*args)
        add("generating", time.perf_counter() - began)
        return made

    def timed_frames(path: Path) -> Iterator[Any]:
        source = frames(path)
        while True:
            began = time.perf_counter()
            frame = next(source, None)
            add("decoding", time.perf_counter() - began)
            if frame is None:
                return
            yield frame

    VideoWriter.write, Session._window, driver.read_frames = timed_write, timed_window, timed_frames
    write_image(folder / "picture.png", np.full((64, 64, 3), 120, np.uint8))
    options = AnimateOptions(
        folder / "picture.png", folder / "driver.mp4", folder / "out.mp4", model=model, steps=steps, quiet=True
    )
    made = animate_files(options)
    assert made is not None
    return {
        "frames": made.frames,
        "seconds": made.seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **{name: value / made.seconds for name, value in spent.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[125, 1250, 12_500])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one, args.model, args.steps)))
        return
    first = None
    for frames in args.frames:
        with tempfile.TemporaryDirectory() as name:
            make_driver(Path(name) / "driver.mp4", frames)
            words = [sys.executable, __file__, "--one", name, "--model", args.model, "--steps", str(args.steps)]
            runs = []
            for _ in range(args.repeats):
                done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
                runs.append(json.loads(done.stdout.splitlines()[-1]))
        peaks = sorted(run["peak_mib"] for run in runs)
        found = runs[-1]
        peak = float(np.median(peaks))
        first = first or peak
        shares = ", ".join(f"{part} {found[part]:.2f}" for part in ("decoding", "generating", "encoding"))
        print(
            f"{found['frames']:6} frames: {found['seconds']:6.1f} s, peak {peak:.0f} MiB ({peaks[0]:.0f} to "
            f"{peaks[-1]:.0f}, {peak / first - 1:+.1%}); of the time: {shares}",
            flush=True,
        )


if __name__ == "__main__":
    main()
