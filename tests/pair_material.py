"""What pairs are made from, small and real: a dataset of posed footage, pictures of others, a pose model that knows
nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from blocks import save_random_mini
from diptych.data.manifest import Entry, Source, write_manifest
from diptych.data.poses import ClipPoses, write_poses
from diptych.files import sha256
from diptych.media.image import write_image
from diptych.media.video import write_clip
from diptych.models.store import load_mini, save_denoiser
from diptych.puppets.footage import draw_footage
from diptych.puppets.pairs import draw_pair
from diptych.puppets.poses import pose_of
from diptych.types import Clip

FPS = 12


def write_dataset(folder: Path, count: int = 3, frames: int = 9, side: int = 48) -> list[Entry]:
    """A folder as ``diptych prepare`` leaves it: clips of the made-up world with exact poses and words of their own."""
    entries = []
    for seed in range(count):
        footage, name = draw_footage(seed), f"clip-{seed}"
        shown = footage.render(np.arange(frames) / FPS, side, side)
        poses = pose_of(shown.skeleton, footage.rigs, within=(side, side))
        files = {"target": f"clips/{name}.mp4", "poses": f"poses/{name}.safetensors"}
        for file in files.values():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
        write_clip(folder / files["target"], Clip.at_fps(shown.frames, FPS))
        write_poses(folder / files["poses"], ClipPoses(poses, side, side, "puppets"))
        entries.append(
            Entry(
                id=name,
                **files,
                motion="waves the right hand",
                looks="a man in grey",
                prompt="A man in grey waves the right hand.",
                fps=str(Fraction(FPS)),
                frames=frames,
                width=side,
                height=side,
                source=Source(file=f"footage-{seed}.mp4", sha256="0" * 64),
                sha256={key: sha256(folder / file) for key, file in files.items()},
            )
        )
    write_manifest(folder / "manifest.jsonl", entries)
    return entries


def write_pictures(folder: Path, count: int = 4, known: bool = True) -> list[Path]:
    """Pictures of characters, and beside them what is known of each."""
    folder.mkdir(parents=True, exist_ok=True)
    paths, lines = [], []
    for seed in range(count):
        pair = draw_pair(100 + seed, category="person_full")
        paths.append(folder / f"{seed}.png")
        write_image(paths[-1], pair.reference(32, 48).frames[0])
        lines.append({"file": paths[-1].name, "kind": "person", "figures": 1, "looks": f"a red parrot number {seed}"})
    if known:
        (folder / "references.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return paths


def save_pose_mini(folder: Path) -> Path:
    """The files of a small random mini that is driven by skeletons; gives the folder."""
    mini = load_mini(save_random_mini(folder))
    driven = replace(mini.contract, motion="pose", motion_fit="frame")
    save_denoiser(folder / "denoiser.safetensors", mini.denoiser, mini.denoiser.config, driven, {})
    return folder
