"""``diptych puppets``: the made-up world shown, written as clips, and checked against its frozen suites."""

from __future__ import annotations

import os
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np

from diptych.data.draws import box_for
from diptych.data.manifest import Entry, write_manifest
from diptych.files import locked, sha256
from diptych.media.image import write_image
from diptych.media.video import write_clip
from diptych.models.mini import contract
from diptych.options import PuppetsRenderOptions, PuppetsSheetOptions
from diptych.progress import progress
from diptych.puppets.scenes import draw_pair
from diptych.puppets.sheet import contact_sheet
from diptych.types import Clip, InputError

_ROWS, _FPS, _FRAMES, _SIZE = 12, 12, 24, 128


def puppets_sheet(options: PuppetsSheetOptions) -> None:
    """Draws pairs of the made-up world: reference, driver and truth in rows."""
    split = "eval" if options.split else "train"
    rows = options.rows or _ROWS
    write_image(options.output, contact_sheet([draw_pair(options.seed + i, split=split) for i in range(rows)]))
    print(options.output)


def puppets_render(options: PuppetsRenderOptions) -> None:
    """Writes pairs as files with a manifest; a started folder goes on where it stopped.

    Each pair is a folder of its own: ``reference.png``, ``driving.mp4``, ``target.mp4`` and ``truth.safetensors`` with
    the exact mask and joints of the target.

    Raises:
        InputError: if the folder is in use.
    """
    options.output.mkdir(parents=True, exist_ok=True)
    with locked(options.output / "lock"):
        for torn in options.output.glob("*.part"):
            shutil.rmtree(torn)
        seeds = range(options.seed, options.seed + options.count)
        with progress("render", options.count, "pairs") as report:
            for done, seed in enumerate(seeds, start=1):
                folder = options.output / f"{seed:08d}"
                if not folder.exists():
                    _render_pair(folder, seed, options)
                report(done)
        write_manifest(
            options.output / "manifest.jsonl",
            [Entry.model_validate_json((options.output / f"{s:08d}" / "entry.json").read_text()) for s in seeds],
        )
    print(options.output / "manifest.jsonl")


def _render_pair(folder: Path, seed: int, options: PuppetsRenderOptions) -> None:
    from safetensors.numpy import save_file

    pair = draw_pair(seed)
    fps, frames, size = Fraction(options.fps or _FPS), options.frames or _FRAMES, options.size or _SIZE
    shape = contract(panel_area=size * size)
    box, driving_box = box_for(pair.reference_aspect, shape), box_for(pair.driving_aspect, shape)
    times = pair.start + np.arange(frames) / float(fps)
    draft = folder.with_name(folder.name + ".part")
    draft.mkdir()
    truth = pair.truth(times, box.width, box.height)
    write_image(draft / "reference.png", pair.reference(box.width, box.height).frames[0])
    driving = pair.driving(times, driving_box.width, driving_box.height).frames
    write_clip(draft / "driving.mp4", Clip.at_fps(driving, fps))
    write_clip(draft / "target.mp4", Clip.at_fps(truth.frames, fps))
    save_file({"mask": truth.mask, "joints": truth.skeleton.joints}, draft / "truth.safetensors")
    names = {
        "reference": "reference.png",
        "driving": "driving.mp4",
        "target": "target.mp4",
        "truth": "truth.safetensors",
    }
    entry = Entry(
        id=folder.name,
        reference=f"{folder.name}/{names['reference']}",
        driving=f"{folder.name}/{names['driving']}",
        target=f"{folder.name}/{names['target']}",
        truth=f"{folder.name}/{names['truth']}",
        prompt=pair.caption,
        category=pair.category,
        fps=str(fps),
        frames=frames,
        seed=seed,
        sha256={key: sha256(draft / name) for key, name in names.items()},
    )
    (draft / "entry.json").write_text(entry.model_dump_json(exclude_none=True) + "\n")
    for file in draft.iterdir():
        with file.open("rb") as written:
            os.fsync(written.fileno())
    draft.rename(folder)


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
