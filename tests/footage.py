"""Made footage for preparing: scenes that move, files with recorded poses, and folders of both."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from diptych.media.video import VideoWriter, write_clip
from diptych.types import Clip, Frames

WIDTH, HEIGHT = 64, 48


def scene(seed: int, frames: int, speed: float = 1.0) -> Frames:
    """A patch that wanders over a patterned ground, both of colours that the seed chooses, ``(t, 48, 64, 3)``."""
    rng = np.random.default_rng(seed)
    ground = cv2.resize(
        rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST
    )
    patch, phase = rng.integers(0, 256, 3), rng.uniform(0, 6)
    out = np.repeat(ground[None], frames, 0)
    for i, frame in enumerate(out):
        x, y = 24 + 20 * np.sin(phase + speed * i / 5), 18 + 12 * np.cos(phase + speed * i / 7)
        frame[int(y) : int(y) + 12, int(x) : int(x) + 14] = patch
    return out


def write(path: Path, frames: Frames, fps: Fraction | int = 25) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_clip(path, Clip.at_fps(frames, fps))
    return path


def write_uneven(path: Path, frames: Frames, milliseconds: list[int]) -> Path:
    """Frames that last so many milliseconds each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, frames.shape[2], frames.shape[1], time_base=Fraction(1, 1000)) as writer:
        now = Fraction(0)
        for frame, lasts in zip(frames, milliseconds, strict=True):
            writer.write(frame, now, Fraction(lasts, 1000))
            now += Fraction(lasts, 1000)
    return path


def write_recorded(path: Path, frames: int, nobody: frozenset[int] = frozenset(), fps: float = 25) -> Path:
    """Poses of one person, recorded; the nose is at x = frame number / 2 and the rest hangs below it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows: list[list[list[float]]] = []
    for i in range(frames):
        body = [[i / 2 + (k % 5), 10.0 + k % 23, 0.9] for k in range(23)]
        rows.append([] if i in nobody else body + [[0.0, 0.0, 0.0]] * 110)
    record = {"format": "coco-wholebody-133", "width": WIDTH, "height": HEIGHT, "fps": fps, "frames": rows}
    path.write_text(json.dumps(record))
    return path


def folder_of_everything(folder: Path) -> Path:
    """Footage of every fate: kept, two shots, short, still, blurred, broken, nobody found, no poses recorded."""
    two_shots = np.concatenate([scene(1, 30), scene(2, 26)])
    write(folder / "two_shots.mp4", two_shots)
    write_recorded(folder / "two_shots.json", 56)
    write(folder / "deep" / "kept.mp4", scene(3, 20), Fraction(30000, 1001))
    write_recorded(folder / "deep" / "poses" / "kept.json", 20)
    write(folder / "short.mp4", scene(4, 12))
    write(folder / "still.mp4", np.repeat(scene(5, 1), 20, 0))
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 6) for frame in scene(6, 24, speed=3)])
    write(folder / "blurred.mp4", blurred)
    (folder / "broken.mp4").write_bytes((folder / "still.mp4").read_bytes()[:900])
    write(folder / "empty.mp4", scene(7, 20))
    write_recorded(folder / "empty.json", 20, frozenset(range(20)))
    write(folder / "rarely.mp4", scene(8, 20))
    write_recorded(folder / "rarely.json", 20, frozenset(range(9)))
    write(folder / "unposed.mp4", scene(9, 20))
    (folder / "notes.txt").write_text("not footage")
    return folder


FATES = {
    "blurred": 1, "no poses": 1, "nobody found": 1, "often nobody": 1, "short": 1, "still": 1, "unreadable": 1
}  # fmt: skip
"""Reasons of the footage above that is dropped, with clips of 17 to 25 frames."""
