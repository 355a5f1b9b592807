"""``diptych train stage1_pose`` on foundation backbones in the real format: from a manifest to a video."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open

from diptych.data.manifest import Entry, write_manifest
from diptych.data.poses import ClipPoses, write_poses
from diptych.files import sha256
from diptych.media.image import write_image
from diptych.media.video import read_clip, write_clip
from diptych.method.skeleton import WHOLEBODY
from diptych.models.adapters import FILES, read_contract
from diptych.models.load import foundation
from diptych.options import AnimateOptions, TrainStageOptions
from diptych.recipes.animate import animate_files
from diptych.recipes.stages import train_pose
from diptych.types import Clip, InputError

pytestmark = pytest.mark.filterwarnings("ignore")
FAMILIES = {"hunyuan15": "hunyuan15", "wan2.1": "wan", "wan2.2": "wan", "motif": "motif"}
SMALL = {
    "panel_area": "1024",
    "window_frames": "9",
    "lead_in": "5",
    "history": "4",
    "draws.shortest": "9",
    "draws.history_share": "0",
    "cached": "1",
    "shard": "1",
    "held_out": "1",
    "preview_steps": "1",
    "accumulated": "1",
    "adapter.rank": "8",
    "loop.steps": "24",
    "loop.learning_rate": "0.01",
    "loop.warmup": "1",
    "loop.precision": "no",
    "loop.log_every": "1",
    "loop.preview_every": "24",
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Two short clips of a wall that brightens, with one figure each."""
    folder, entries = tmp_path_factory.mktemp("data"), []
    joints = np.zeros((12, 1, len(WHOLEBODY.joints), 3), np.float32)
    for name, at in {"left_shoulder": (8, 12), "left_elbow": (20, 12), "left_hip": (9, 26)}.items():
        joints[:, 0, WHOLEBODY.joints.index(name)] = (*at, 1)
    joints[..., 0] += np.arange(12)[:, None, None] * (joints[..., 2] > 0)
    for n in range(2):
        write_clip(folder / f"{n}.mp4", Clip.at_fps(np.full((12, 32, 48, 3), 60 + 80 * n, np.uint8), 16))
        write_poses(folder / f"{n}.poses.safetensors", ClipPoses((WHOLEBODY.skeleton(joints),), 48, 32, "test"))
        names = {"target": f"{n}.mp4", "poses": f"{n}.poses.safetensors"}
        hashes = {key: sha256(folder / name) for key, name in names.items()}
        entries.append(Entry(id=f"{n}", **names, prompt="a wall", fps="16", frames=12, sha256=hashes))
    write_manifest(folder / "manifest.jsonl", entries)
    return folder / "manifest.jsonl"


def asked(checkpoint, name, manifest, folder, **settings):
    return TrainStageOptions(
        backbone=FAMILIES[name],
        weights=str(checkpoint(name)),
        data=str(manifest),
        output=folder,
        overrides=tuple((SMALL | settings).items()),
    )


def metrics(folder):
    return [json.loads(line) for line in (folder / "training" / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", FAMILIES)
def test_an_adapter_is_trained_saved_and_animates(checkpoint, name, manifest, tmp_path):
    # Two experts take turns, so either needs steps of its own.
    steps = {"loop.steps": "48"} if name == "wan2.2" else {}
    cache = {"cache": str(tmp_path / "draws")}
    train_pose(asked(checkpoint, name, manifest, tmp_path / "run", **steps, **cache))
    still = {"loop.learning_rate": "1e-12", "loop.preview_every": "0"}
    train_pose(asked(checkpoint, name, manifest, tmp_path / "still", **steps, **cache, **still))
    lines = metrics(tmp_path / "run")
    # Noise and its level differ from step to step, so the same steps are compared, with and without learning.
    learnt, not_learnt = (
        [line["loss"] for line in one if "loss" in line] for one in (lines, metrics(tmp_path / "still"))
    )
    assert learnt[0] == pytest.approx(not_learnt[0], rel=1e-4)
    assert np.mean(learnt[-8:]) < 0.97 * np.mean(not_learnt[-8:])
    assert any("held_out_psnr_db" in line for line in lines)
    # Only feed-forward layers of the video branch have learnt, on every network.
    family, adapter = foundation(FAMILIES[name]), tmp_path / "run" / "adapter"
    allowed = re.compile(rf"transformer\.{family.facts.feed_forward}\.lora_[AB]\.weight")
    files = FILES if name == "wan2.2" else FILES[:1]
    assert [path.name for path in sorted(adapter.glob("*.safetensors"))] == list(files)
    for file in files:
        with safe_open(adapter / file, "pt") as held:
            names = list(held.keys())
            assert all(allowed.fullmatch(key) for key in names)
            assert len(names) == 2 * 2 * 2  # two blocks, two layers, two matrices
            assert all(held.get_tensor(key).abs().sum() > 0 for key in names)
    agreed = read_contract(adapter)
    assert (agreed.motion, agreed.rank, agreed.window_frames, agreed.loss_region) == ("pose", 8, 9, "output")

    rng = np.random.default_rng(1)
    write_image(tmp_path / "r.png", rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    write_clip(tmp_path / "d.mp4", Clip.at_fps(rng.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8), 16))
    plain = AnimateOptions(
        reference=tmp_path / "r.png",
        driving=tmp_path / "d.mp4",
        output=tmp_path / "a.mp4",
        backbone=FAMILIES[name],
        weights=str(checkpoint(name)),
        adapter=adapter,
        motion="rgb",
        steps=1,
        quiet=True,
    )
    animate_files(plain)
    animate_files(replace(plain, adapter=None, panel_area=1024, window=9, output=tmp_path / "b.mp4"))
    with_it, without = (read_clip(tmp_path / f"{which}.mp4").frames.astype(int) for which in "ab")
    assert with_it.shape == without.shape
    assert np.abs(with_it - without).mean() > 0.5


def test_training_needs_no_encoders(checkpoint, manifest, tmp_path, monkeypatch):
    options = asked(checkpoint, "motif", manifest, tmp_path / "run", **{"loop.steps": "2", "loop.preview_every": "2"})
    train_pose(replace(options, stage="cache"))
    from diptych.recipes import stage_cache

    stage_cache._WORKER.clear()
    monkeypatch.setattr(foundation("motif"), "_open_encoders", lambda self: pytest.fail("encoders were opened"))
    train_pose(replace(options, stage="adapter"))
    assert (tmp_path / "run" / "adapter").is_dir()


def test_checkpointing_within_blocks_changes_no_loss(checkpoint, manifest, tmp_path):
    shared = {"cache": str(tmp_path / "cache"), "loop.steps": "2", "loop.preview_every": "0"}
    for name in ("true", "false"):
        train_pose(asked(checkpoint, "hunyuan15", manifest, tmp_path / name, checkpointing=name, **shared))
    one, two = ((tmp_path / name / "training" / "metrics.jsonl").read_text().splitlines() for name in ("true", "false"))
    for a, b in zip(one, two, strict=True):
        assert json.loads(a)["loss"] == pytest.approx(json.loads(b)["loss"], abs=1e-5)


def test_all_of_a_foundation_is_not_trained(checkpoint, manifest, tmp_path):
    with pytest.raises(InputError, match=r"leave adapter\.targets at ff"):
        train_pose(asked(checkpoint, "motif", manifest, tmp_path / "x", **{"adapter.targets": "full"}))
