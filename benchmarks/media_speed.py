"""Decode and encode speed, and whether memory grows with the length of the clip.

    python benchmarks/media_speed.py [--frames 125 1250] [--size 640 360]

A made clip with sound is decoded and encoded again, frame by frame, each length in a process of its own. Peak memory is
the process's, libraries included. ``--threads`` is the encoder's number, 0 for one per core; decoding always takes one
per core. ``encode_fps`` counts the time inside ``write``, ``both_fps`` everything from the first frame read to the file
closed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FPS = 25


def scene(index: int, width: int, height: int) -> NDArray[np.uint8]:
    """A textured ground that moves and a bright box that crosses it: about as hard to code as plain footage."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 200, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    ground = coarse.repeat(8, 0).repeat(8, 1)[:height, :width]
    frame = np.roll(ground, (index, 2 * index), (0, 1))
    left = (5 * index) % (width - width // 8)
    frame[height // 4 : height // 2, left : left + width // 8] = (230, 40, 90)
    return frame


def made_clip(path: Path, frames: int, width: int, height: int) -> None:
    """A clip with B-frames and sound, as cameras make them."""
    import av

    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.options = {"crf": "20", "preset": "veryfast"}
        audio = container.add_stream("aac", rate=48_000)
        audio.codec_context.layout = "mono"
        tone = (0.3 * np.sin(np.arange(48_000 // FPS) * 0.05)).astype(np.float32)[None]
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(scene(index, width, height), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(frame))
            block = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            block.sample_rate, block.pts, block.time_base = 48_000, index * tone.shape[1], Fraction(1, 48_000)
            container.mux(audio.encode(block))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def measure(path: Path, threads: int) -> dict[str, float]:
    """Decode alone, then decode and encode; in a fresh process, for the memory."""
    import resource

    from diptych.media.video import VideoWriter, probe, read_frames

    info = probe(path)
    began = time.perf_counter()
    count = sum(1 for _ in read_frames(path))
    decoding = time.perf_counter() - began

    def timed() -> Iterator[float]:
        with VideoWriter(
            path.with_name("out.mp4"),
            info.width,
            info.height,
            time_base=info.time_base,
            audio_from=path,
            threads=threads,
        ) as writer:
            for frame in read_frames(path):
                began = time.perf_counter()
                writer.write(frame.pixels, frame.time, frame.duration)
                yield time.perf_counter() - began

    began = time.perf_counter()
    encoding = sum(timed())
    both = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "frames": count,
        "decode_fps": round(count / decoding),
        "encode_fps": round(count / encoding),
        "both_fps": round(count / both),
        "peak_mib": round(peak),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[125, 1250])
    parser.add_argument("--size", type=int, nargs=2, default=[640, 360], metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.threads)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for frames in options.frames:
            path = Path(folder) / "clip.mp4"
            made_clip(path, frames, *options.size)
            command = [sys.executable, __file__, "--threads", str(options.threads), "--measure", str(path)]
            print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


if __name__ == "__main__":
    main()
