"""Precision and recall of scene cuts on films cut together from clips, whose cuts are therefore known.

    python benchmarks/scene_cuts.py FOLDER [FOLDER ...] [--films 40] [--seed 0]

Each film is eight pieces of 12 to 60 frames of the folders' videos, in random order at one size, coded as H.264 at a
middling quality, as footage is: cuts between videos, jump cuts within one video (a quarter of them, at least two
seconds apart), pieces that are sped up three times, flashes of one frame and changes of exposure put in.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from diptych.media.frame import fill
from diptych.media.video import read_clip, read_frames, write_clip
from diptych.prepare.clips import find_videos
from diptych.prepare.shots import cuts, measure
from diptych.types import Clip, Frames

WIDTH, HEIGHT = 320, 192


def film(rng: np.random.Generator, clips: list[Frames]) -> tuple[Frames, list[tuple[int, str]]]:
    """A film and its cuts: frame and kind."""
    pieces: list[Frames] = []
    kinds: list[tuple[int, str]] = []
    length, last, stop = 0, -1, 0
    for number in range(8):
        jump = number > 0 and rng.random() < 0.25 and len(clips[last]) - stop > 60
        which = last if jump else int(rng.choice([i for i in range(len(clips)) if i != last]))
        clip = clips[which]
        start = stop + 48 if jump else int(rng.integers(0, max(1, len(clip) - 24)))
        piece = clip[start :: 3 if rng.random() < 0.2 and len(clip) > start + 45 else 1][: int(rng.integers(12, 61))]
        stop, last = start + len(piece), which
        if number:
            kinds.append((length, "jump" if jump else "cut"))
        piece = piece.astype(np.float32)
        if rng.random() < 0.2 and len(piece) >= 12:
            piece[len(piece) // 2] = piece[len(piece) // 2] * 0.2 + 200
        if rng.random() < 0.2:
            piece *= np.linspace(1, rng.uniform(0.5, 1.4), len(piece))[:, None, None, None]
        pieces.append(piece.clip(0, 255).astype(np.uint8))
        length += len(piece)
    return np.concatenate(pieces), kinds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--films", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    videos = [video for folder in args.folders for video in find_videos(folder)]
    clips = [np.stack([fill(f, WIDTH, HEIGHT) for f in read_clip(video, max_frames=150).frames]) for video in videos]
    rng = np.random.default_rng(args.seed)
    known: dict[str, int] = {}
    hit: dict[str, int] = {}
    false = frames = 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.films):
            made, kinds = film(rng, clips)
            path = Path(folder) / "film.mp4"
            write_clip(path, Clip.at_fps(made, 25), crf=23)
            found = set(cuts(measure(read_frames(path))))
            frames += len(made)
            for at, kind in kinds:
                known[kind] = known.get(kind, 0) + 1
                hit[kind] = hit.get(kind, 0) + (at in found)
            false += len(found - {at for at, _ in kinds})
    right = sum(hit.values())
    print(f"{args.films} films of {len(videos)} videos, {frames} frames, {sum(known.values())} cuts")
    print(f"precision {right / max(1, right + false):.3f} ({false} false)")
    for kind, count in sorted(known.items()):
        print(f"recall of {kind}s {hit[kind] / count:.3f} ({hit[kind]} of {count})")


if __name__ == "__main__":
    main()
