"""``diptych puppets``: the made-up world shown, written as clips, and checked against its frozen suites."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from diptych import __version__
from diptych.data.draws import box_for
from diptych.data.manifest import Entry, write_manifest
from diptych.data.poses import ClipPoses, write_poses
from diptych.files import appearing, locked, sha256, sweep_below, write_json, writing_errors
from diptych.media.image import write_image
from diptych.media.video import write_clip
from diptych.models.mini import contract
from diptych.options import PuppetsRenderOptions, PuppetsSheetOptions
from diptych.progress import progress
from diptych.puppets.pairs import draw_pair
from diptych.puppets.poses import pose_of
from diptych.puppets.sheet import contact_sheet
from diptych.types import Clip, InputError

_ROWS, _FPS, _FRAMES, _SIZE = 12, 12, 24, 128
_EXAMPLE_FRAMES, _EXAMPLE_SIZE = 24, 192


def puppets_sheet(options: PuppetsSheetOptions) -> None:
    """Draws pairs of the made-up world: reference, driver and truth in rows."""
    split = "eval" if options.split else "train"
    rows = options.rows or _ROWS
    write_image(options.output, contact_sheet([draw_pair(options.seed + i, split=split) for i in range(rows)]))
    print(options.output)


def puppets_render(options: PuppetsRenderOptions) -> None:
    """Writes pairs as files with a manifest; a started folder goes on where it stopped.

    Each pair is a folder of its own: ``reference.png``, ``driving.mp4``, ``target.mp4`` and ``truth.safetensors`` with
    the exact mask and joints of the target; where people or four-legged animals are in it, also ``poses.safetensors``,
    their exact skeletons as an estimator would give them.

    Raises:
        InputError: if the folder is in use, or holds pairs of other settings.
    """
    form = _Form(options.fps or _FPS, options.frames or _FRAMES, options.size or _SIZE)
    options.output.mkdir(parents=True, exist_ok=True)
    with locked(options.output / "lock"):
        sweep_below(options.output)
        for torn in options.output.glob("*.part"):
            shutil.rmtree(torn)  # of a killed run, whichever seeds it was asked for
        _agree_on(form, options.output)
        folders = {seed: options.output / f"{seed:08d}" for seed in range(options.seed, options.seed + options.count)}
        missing = [seed for seed, folder in folders.items() if not folder.exists()]
        done = options.count - len(missing)
        with progress("render", options.count, "pairs", start=done) as report:
            for seed in missing:
                with writing_errors(folders[seed]), appearing(folders[seed]) as draft:
                    _render_pair(draft, folders[seed].name, seed, form)
                done += 1
                report(done)
        write_manifest(
            options.output / "manifest.jsonl",
            [Entry.model_validate_json((folder / "entry.json").read_text()) for folder in folders.values()],
        )
    print(options.output / "manifest.jsonl")


@dataclass(frozen=True)
class _Form:
    """What all pairs of a folder have in common: frames per second, frames, and the root of a picture's area."""

    fps: int
    frames: int
    size: int


def _agree_on(form: _Form, folder: Path) -> None:
    """Writes down what a folder's pairs have in common, or compares.

    Raises:
        InputError: if it was begun with something else.
    """
    path, asked = folder / "run.json", {"made_with": f"diptych {__version__}", **asdict(form)}
    if not path.exists():
        write_json(path, asked)
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        other = [name for name, value in asked.items() if found.get(name) != value]
    except (OSError, ValueError, AttributeError):
        raise InputError(f"{path} cannot be read; render into another folder, or delete this one.") from None
    if other:
        raise InputError(
            f"{folder} holds pairs with {other[0]} = {found.get(other[0])}, not {asked[other[0]]}; "
            "render into another folder."
        )


def _render_pair(folder: Path, name: str, seed: int, form: _Form) -> None:
    """Writes a pair's files into a folder that will have the given name."""
    from safetensors.numpy import save_file

    pair = draw_pair(seed)
    fps, frames = Fraction(form.fps), form.frames
    shape = contract(panel_area=form.size * form.size)
    box, driving_box = box_for(pair.reference_aspect, shape), box_for(pair.driving_aspect, shape)
    times = pair.start + np.arange(frames) / float(fps)
    truth = pair.truth(times, box.width, box.height)
    write_image(folder / "reference.png", pair.reference(box.width, box.height).frames[0])
    driving = pair.driving(times, driving_box.width, driving_box.height).frames
    write_clip(folder / "driving.mp4", Clip.at_fps(driving, fps))
    write_clip(folder / "target.mp4", Clip.at_fps(truth.frames, fps))
    save_file({"mask": truth.mask, "joints": truth.skeleton.joints}, folder / "truth.safetensors")
    files = {
        "reference": "reference.png",
        "driving": "driving.mp4",
        "target": "target.mp4",
        "truth": "truth.safetensors",
    }
    actors = pair.reference_scene.actors
    rigs = [actor.character.rig for actor in actors]
    figures = pose_of(truth.skeleton, rigs, within=(box.width, box.height))
    if any((skeleton.joints[..., 2] > 0).any() for skeleton in figures):
        files["poses"] = "poses.safetensors"
        write_poses(folder / files["poses"], ClipPoses(figures, box.width, box.height, "puppets"))
    performed = [pair.driving_scene.actors[pair.driver_of(i)].motion.text() for i in range(len(actors))]
    entry = Entry(
        id=name,
        reference=f"{name}/{files['reference']}",
        driving=f"{name}/{files['driving']}",
        target=f"{name}/{files['target']}",
        truth=f"{name}/{files['truth']}",
        poses=f"{name}/{files['poses']}" if "poses" in files else None,
        motion="; ".join(performed),
        looks="; ".join(actor.character.looks() for actor in actors),
        prompt=pair.caption,
        category=pair.category,
        fps=str(fps),
        frames=frames,
        width=box.width,
        height=box.height,
        seed=seed,
        sha256={key: sha256(folder / file) for key, file in files.items()},
    )
    (folder / "entry.json").write_text(entry.model_dump_json(exclude_none=True) + "\n")


def render_example(folder: Path, seed: int) -> None:
    """Writes ``reference.png`` and ``driving.mp4`` of a pair, for people to begin with.

    Args:
        folder: that takes them.
        seed: of the pair.
    """
    pair = draw_pair(seed)
    shape = contract(panel_area=_EXAMPLE_SIZE**2)
    box, driving_box = box_for(pair.reference_aspect, shape), box_for(pair.driving_aspect, shape)
    times = pair.start + np.arange(_EXAMPLE_FRAMES) / _FPS
    write_image(folder / "reference.png", pair.reference(box.width, box.height).frames[0])
    driving = pair.driving(times, driving_box.width, driving_box.height).frames
    write_clip(folder / "driving.mp4", Clip.at_fps(driving, _FPS))


def puppets_verify() -> None:
    """Renders the frozen suite again and compares it with its hashes.

    Raises:
        InputError: if a pair is not what was frozen.
    """
    from diptych.puppets.suite import verify

    wrong = verify("puppets-v1")
    if wrong:
        raise InputError(f"the suite puppets-v1 is not what was frozen ({wrong}); restore src/diptych/puppets.")
    print("puppets-v1: every pair is what was frozen.")
