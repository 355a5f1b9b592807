"""``diptych train stage2_rgb`` on foundation backbones in the real format: from pairs to a video made with it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file

from diptych.data.manifest import Entry, write_manifest
from diptych.files import sha256
from diptych.media.image import write_image
from diptych.media.video import read_clip, write_clip
from diptych.models.adapters import adapter_files, read_contract
from diptych.options import AnimateOptions, TrainStageOptions
from diptych.recipes.animate import animate_files
from diptych.recipes.stages import train_rgb
from diptych.types import Clip, InputError

pytestmark = pytest.mark.filterwarnings("ignore")
FAMILIES = {"hunyuan15": "hunyuan15", "wan2.2": "wan"}
SMALL = {
    "panel_area": "1024",
    "window_frames": "9",
    "lead_in": "5",
    "history": "4",
    "draws.shortest": "9",
    "cached": "2",
    "shard": "1",
    "held_out": "1",
    "batch": "2",
    "preview_steps": "1",
    "accumulated": "1",
    "adapter.rank": "8",
    "loop.steps": "4",
    "loop.learning_rate": "0.05",
    "loop.warmup": "1",
    "loop.precision": "no",
    "loop.log_every": "1",
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Two pairs of walls that brighten."""
    folder, entries = tmp_path_factory.mktemp("data"), []
    for n in range(2):
        names = {"target": f"{n}.mp4", "driving": f"{n}.driving.mp4"}
        for key, path in names.items():
            shape, grey = ((32, 48, 3), 60) if key == "target" else ((48, 32, 3), 90)
            frames = np.full((12, *shape), grey + 60 * n, np.uint8) + np.arange(12, dtype=np.uint8)[:, None, None, None]
            write_clip(folder / path, Clip.at_fps(frames, 16))
        hashes = {key: sha256(folder / path) for key, path in names.items()}
        entries.append(Entry(id=f"{n}", **names, prompt="a wall", fps="16", frames=12, sha256=hashes))
    write_manifest(folder / "kept.jsonl", entries)
    return folder / "kept.jsonl"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_second_training_sets_out_from_the_first_and_animates(checkpoint, name, kept, tmp_path):
    options = TrainStageOptions(
        backbone=FAMILIES[name],
        weights=str(checkpoint(name)),
        data=str(kept),
        output=tmp_path / "first",
        overrides=tuple((SMALL | {"cache": str(tmp_path / "draws"), "contrast.weight": "0.1"}).items()),
    )
    train_rgb(replace(options, stage="cache"))
    train_rgb(replace(options, stage="adapter"))
    first = tmp_path / "first" / "adapter"
    lines = (tmp_path / "first" / "training" / "metrics.jsonl").read_text().splitlines()
    assert all("contrast" in line for line in map(json.loads, lines))
    assert (read_contract(first).motion, read_contract(first).rank) == ("rgb", 8)

    still = (*options.overrides, ("loop.learning_rate", "1e-30"), ("loop.weight_decay", "0"), ("loop.steps", "1"))
    second = replace(options, output=tmp_path / "second", overrides=still, warm_start=first)
    train_rgb(second)
    pairs = list(zip(adapter_files(first), adapter_files(tmp_path / "second" / "adapter"), strict=True))
    assert len(pairs) == (2 if name == "wan2.2" else 1)
    for theirs, ours in (map(load_file, pair) for pair in pairs):
        assert theirs.keys() == ours.keys()
        assert all((theirs[key] - ours[key]).abs().max() < 1e-6 for key in theirs)

    with pytest.raises(InputError, match="rank is 8 where 4 is needed"):
        train_rgb(replace(second, overrides=(*still, ("adapter.rank", "4"))))

    rng = np.random.default_rng(1)
    write_image(tmp_path / "r.png", rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    write_clip(tmp_path / "d.mp4", Clip.at_fps(rng.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8), 16))
    made = animate_files(
        AnimateOptions(
            reference=tmp_path / "r.png",
            driving=tmp_path / "d.mp4",
            output=tmp_path / "a.mp4",
            backbone=FAMILIES[name],
            weights=str(checkpoint(name)),
            adapter=tmp_path / "second" / "adapter",
            prompt="a wall",
            steps=1,
            quiet=True,
        )
    )
    assert made.notes == ()
    assert len(read_clip(tmp_path / "a.mp4").frames) == 6
