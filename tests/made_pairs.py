"""A PAIRS folder as ``diptych synth`` leaves it, small and real: H.264 clips, pictures and poses of the made-up world.

PAIRS/pairs.jsonl            one entry a pair: driving = the made video V_o, target = the footage V_src
PAIRS/sources/ID.mp4         V_src                    PAIRS/driving/ID.mp4   V_o, frame for frame with it
PAIRS/identities/ID.png      I_o, whom V_o shows      PAIRS/poses/ID.safetensors   poses of V_src
PAIRS/right/ID.mp4           what V_o should have been, exactly
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np

from diptych.data.manifest import Entry, Pair, write_manifest
from diptych.data.poses import ClipPoses, write_poses
from diptych.files import sha256
from diptych.media.image import write_image
from diptych.media.video import write_clip
from diptych.puppets.pairs import draw_pair
from diptych.puppets.poses import pose_of
from diptych.puppets.sheet import panel_size
from diptych.types import Clip, Frames

MadeBy = Callable[[int, Frames], Frames]
"""The made video of pair number i, from what it should have been: uint8, ``(t, h, w, 3)``, both of one shape."""


def make_pairs(
    folder: Path,
    count: int = 3,
    *,
    frames: int = 24,
    fps: int = 12,
    side: int = 64,
    seed: int = 0,
    made: MadeBy = lambda number, right: right,
) -> list[Entry]:
    """Writes a folder of pairs and gives its entries; the same arguments give the same pictures.

    Args:
        folder: to write; made where it is missing.
        count: pairs.
        frames: of every clip.
        fps: frames a second.
        side: root of a picture's area, pixels.
        seed: of the first pair; pair number i is training pair seed + i of the made-up world, a person in full.
        made: what the model is taken to have made; by default the exact answer.
    """
    for name in ("sources", "driving", "identities", "poses", "right"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    entries = [_pair(folder, number, seed + number, frames, fps, side * side, made) for number in range(count)]
    write_manifest(folder / "pairs.jsonl", entries)
    return entries


def _pair(folder: Path, number: int, seed: int, frames: int, fps: int, area: int, made: MadeBy) -> Entry:
    pair, name = draw_pair(seed, category="person_full"), f"pair-{seed:03d}"
    size, source_size = panel_size(pair.reference_aspect, area), panel_size(pair.driving_aspect, area)
    times = pair.start + np.arange(frames) / fps
    source, right = pair.driving(times, *source_size), pair.truth(times, *size).frames
    files = {
        "driving": f"driving/{name}.mp4",
        "target": f"sources/{name}.mp4",
        "poses": f"poses/{name}.safetensors",
        "identity": f"identities/{name}.png",
        "right": f"right/{name}.mp4",
    }
    write_image(folder / files["identity"], pair.reference(*size).frames[0])
    clips = {"driving": made(number, right), "target": source.frames, "right": right}
    for key, shown in clips.items():
        write_clip(folder / files[key], Clip.at_fps(np.ascontiguousarray(shown), Fraction(fps)))
    rigs = [actor.character.rig for actor in pair.driving_scene.actors]
    poses = pose_of(source.skeleton, rigs, within=source_size)
    write_poses(folder / files["poses"], ClipPoses(poses, *source_size, "puppets"))
    return Entry(
        id=name,
        driving=files["driving"],
        target=files["target"],
        poses=files["poses"],
        prompt=pair.caption,
        category=pair.category,
        fps=str(fps),
        frames=frames,
        width=source_size[0],
        height=source_size[1],
        seed=seed,
        pair=Pair(identity=files["identity"], source=name, right=files["right"]),
        sha256={key: sha256(folder / file) for key, file in files.items()},
    )
