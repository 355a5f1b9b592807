"""`diptych animate` on a 125-frame driver: wall time, peak memory, and where the time goes.

    python benchmarks/animate_speed.py [--frames 125] [--threads 2] [--model mini]

Runs the command in a process of its own, loading included, and reads that process's peak resident memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from diptych.media.image import write_image
from diptych.media.video import VideoWriter
from diptych.puppets.pairs import draw_pair


def make_inputs(folder: Path, frames: int) -> tuple[Path, Path]:
    """A puppet's picture at 512 pixels and another puppet's clip at 256, 25 fps."""
    pair = draw_pair(3, split="eval", category="person_full")
    picture, clip = folder / "picture.png", folder / "clip.mp4"
    write_image(picture, pair.reference(512, 512).frames[0])
    beat = Fraction(1, 25)
    with VideoWriter(clip, 256, 256, time_base=beat) as writer:
        for start in range(0, frames, 50):
            times = np.arange(start, min(start + 50, frames)) / 25
            for i, pixels in enumerate(pair.driving(times, 256, 256).frames, start=start):
                writer.write(pixels, i * beat, beat)
    return picture, clip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=125)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", default="mini")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        picture, clip = make_inputs(Path(name), args.frames)
        command = [sys.executable, "-m", "diptych.cli", "animate", str(picture), str(clip)]
        command += ["-o", f"{name}/out.mp4", "--preview", f"{name}/preview.mp4", "--model", args.model, "--quiet"]
        began = time.monotonic()
        subprocess.run([*command, "--threads", str(args.threads)], check=True)
        wall = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        made = json.loads(Path(f"{name}/out.mp4.run.json").read_text())["result"]
        result = {"frames": args.frames, "threads": args.threads, "wall_s": round(wall, 1)}
        print(json.dumps({**result, "streaming_s": made["seconds"], "peak_mib": round(peak)}))


if __name__ == "__main__":
    main()
