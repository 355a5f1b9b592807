"""``diptych train stage1_pose`` on the mini: from the made-up world to an adapter that animates; what is refused."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from blocks import save_random_mini
from diptych.media.image import write_image
from diptych.media.video import read_clip, write_clip
from diptych.models.adapters import read_contract, read_notes
from diptych.models.load import FOUNDATIONS, foundation, load_backbone
from diptych.models.store import load_denoiser_into, load_mini, save_denoiser
from diptych.options import AnimateOptions, TrainStageOptions
from diptych.recipes.animate import animate_files
from diptych.recipes.stage_recipes import stage1_pose
from diptych.recipes.stages import train_pose
from diptych.types import Clip, InputError
from kills import Moment, run

pytestmark = pytest.mark.filterwarnings("ignore")
SMALL = (
    ("cached", "8"),
    ("shard", "4"),
    ("held_out", "2"),
    ("workers", "0"),
    ("batch", "2"),
    ("adapter.rank", "4"),
    ("loop.steps", "4"),
    ("loop.warmup", "1"),
    ("loop.fused", "false"),
    ("loop.log_every", "1"),
    ("loop.checkpoint_every", "2"),
    ("loop.preview_every", "4"),
)


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
    return save_random_mini(tmp_path_factory.mktemp("mini"))


def asked(mini, folder, *more, **options):
    return TrainStageOptions(weights=str(mini), output=folder, overrides=(*SMALL, *more), **options)


@pytest.fixture(scope="module")
def trained(mini, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage")
    train_pose(asked(mini, folder, minutes=1e-9))
    assert not (folder / "adapter").exists()
    train_pose(asked(mini, folder, stage="cache"))
    train_pose(asked(mini, folder, stage="adapter"))
    return folder


def test_what_comes_out_says_what_it_is_and_how_it_was_made(trained, mini):
    agreed, notes = read_contract(trained / "adapter"), read_notes(trained / "adapter")
    base = load_mini(mini)
    assert (agreed.backbone, agreed.motion, agreed.motion_fit, agreed.rank) == ("mini", "pose", "frame", 4)
    assert agreed.targets == base.facts.feed_forward
    assert agreed.panel_area == base.contract.panel_area
    assert notes["base"] == base.identity
    assert (notes["steps"], notes["samples"]) == (4, 8)
    run = json.loads((trained / "run.json").read_text())
    assert run["data"] == {"clips": "endless", "left_out": {}, "draws": 8}
    lines = [json.loads(line) for line in (trained / "training" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]
    assert "held_out_psnr_db" in lines[-1]


def test_the_adapter_changes_what_the_mini_makes(trained, mini, tmp_path):
    rng = np.random.default_rng(0)
    write_image(tmp_path / "r.png", rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    write_clip(tmp_path / "d.mp4", Clip.at_fps(rng.integers(0, 256, (9, 32, 32, 3), dtype=np.uint8), 12))
    options = AnimateOptions(
        reference=tmp_path / "r.png",
        driving=tmp_path / "d.mp4",
        output=tmp_path / "a.mp4",
        model=str(mini),
        motion="rgb",
        quiet=True,
    )
    animate_files(replace(options, adapter=trained / "adapter"))
    run = json.loads((tmp_path / "a.mp4.run.json").read_text())
    assert run["model"]["contract"]["motion"] == "pose"
    assert any(name.startswith("adapter/") for name in run["model"]["identity"])
    assert len(read_clip(tmp_path / "a.mp4").frames) == 9
    x = torch.randn(1, 257, 5, 2, 4, generator=torch.Generator().manual_seed(0))
    plain, adapted = (load_backbone("mini", str(mini), adapter=one) for one in (None, str(trained / "adapter")))
    with torch.no_grad():
        a, b = (one.denoise(x, torch.ones(1), one.encode_text([""])) for one in (plain, adapted))
    assert 0 < (a - b).abs().max() < 1


def test_a_finished_run_has_nothing_left_to_do_and_other_settings_are_refused(trained, mini):
    before = (trained / "training" / "metrics.jsonl").read_text()
    train_pose(asked(mini, trained))
    assert (trained / "training" / "metrics.jsonl").read_text() == before
    with pytest.raises(InputError, match="adapter"):
        train_pose(asked(mini, trained, ("adapter.rank", "8")))
    with pytest.raises(InputError, match="another VAE or contract"):
        train_pose(asked(mini, trained, ("history", "8")))


def test_another_seed_trains_otherwise_on_the_same_draws(trained, mini, tmp_path):
    shared = (("cache", str(trained / "cache")), ("loop.preview_every", "0"))
    train_pose(asked(mini, tmp_path, *shared, seed=1))
    ours, theirs = (adapter_of(folder) for folder in (tmp_path, trained))
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours)


def adapter_of(folder):
    return load_file(folder / "adapter" / "pytorch_lora_weights.safetensors")


def losses(folder):
    lines = [json.loads(line) for line in (folder / "training" / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def test_a_killed_run_goes_on_to_the_last_digit(trained, mini, tmp_path):
    def words(out):
        settings = [f"{name}={value}" for name, value in (*SMALL, ("cache", trained / "cache"), ("loop.steps", 6))]
        common = ["--backbone", "mini", "--model", str(mini), "--data", "puppets", "--threads", "1"]
        return ["train", "stage1_pose", *common, "-o", str(out), "--set", *settings]

    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    for folder in (unbroken, killed):
        folder.mkdir()
    whole = run(words(unbroken), unbroken)
    assert whole.code == 0, whole.said
    died = run(words(killed), killed, Moment(int(0.5 * whole.events), 0.0))
    assert died.code == -9, died.said
    assert len(losses(killed)) < 6
    again = run(words(killed), killed)
    assert again.code == 0, again.said
    assert losses(killed) == losses(unbroken)
    ours, theirs = adapter_of(killed), adapter_of(unbroken)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_another_loss_region_shares_the_draws(trained, mini, tmp_path):
    shared = (("cache", str(trained / "cache")), ("loss_region", "canvas"), ("text", "false"), ("loop.steps", "1"))
    train_pose(asked(mini, tmp_path, *shared))
    agreed = read_contract(tmp_path / "adapter")
    assert (agreed.loss_region, agreed.text) == ("canvas", False)
    assert not (tmp_path / "cache").exists()


def test_an_adapter_of_another_mini_or_size_is_refused(trained, mini, tmp_path):
    base = load_mini(mini)
    for name in ("vae.safetensors", "locator.safetensors"):
        (tmp_path / name).write_bytes((mini / name).read_bytes())
    config = base.denoiser.config
    with torch.no_grad():
        base.denoiser.transformer.proj_out.weight.add_(1)
    save_denoiser(tmp_path / "denoiser.safetensors", base.denoiser, config, base.contract, {})
    with pytest.raises(InputError, match="trained on another mini"):
        load_backbone("mini", str(tmp_path), adapter=str(trained / "adapter"))
    larger = replace(base.contract, panel_area=64 * 64)
    save_denoiser(tmp_path / "denoiser.safetensors", base.denoiser, config, larger, {})
    with pytest.raises(InputError, match="panel_area is 1024 where 4096 is needed"):
        load_backbone("mini", str(tmp_path), adapter=str(trained / "adapter"))


def test_all_of_a_mini_may_learn(trained, mini, tmp_path):
    full = (("cache", str(trained / "cache")), ("adapter.targets", "full"), ("loop.steps", "2"))
    train_pose(asked(mini, tmp_path, *full))
    before, after = load_mini(mini), load_mini(tmp_path / "mini")
    assert after.contract.motion == "pose"
    assert after.contract.rank is None
    load_denoiser_into(before.denoiser, mini / "denoiser.safetensors")
    moved = {
        name
        for (name, a), b in zip(before.denoiser.named_parameters(), after.denoiser.parameters(), strict=True)
        if not torch.equal(a, b)
    }
    assert any("attn" in name for name in moved)
    assert not any(name.startswith("sight.") for name in moved)


def test_a_dry_run_prints_every_setting_and_touches_nothing(mini, tmp_path, capsys):
    train_pose(asked(mini, tmp_path / "x", dry_run=True))
    printed = json.loads(capsys.readouterr().out)
    assert printed["recipe"]["adapter"] == {"targets": "ff", "rank": 4, "alpha": None}
    assert printed["contract"]["motion"] == "pose"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (("draws.shortest", "21"), "windows of 21 to 17"),
        (("panel_area", "4096"), "one size"),
        (("motion_fit", "figure"), "stage1_pose .*motion_fit=figure.*leave it at frame"),
        (("lead_in", "6"), "lead_in"),
        (("adapter.targets", "some"), "adapter.targets"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(mini, tmp_path, setting, message):
    with pytest.raises(InputError, match=message):
        train_pose(asked(mini, tmp_path / "x", setting))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", FOUNDATIONS)
def test_the_papers_settings_are_the_defaults_of_foundation_backbones(name):
    plain = foundation(name).sketched().contract
    recipe = stage1_pose(name, plain)
    assert (recipe.adapter.targets, recipe.adapter.rank) == ("ff", 256)
    assert (recipe.loop.learning_rate, recipe.loop.weight_decay, recipe.loop.steps) == (5e-5, 0.01, 50_000)
    assert recipe.loop.muon_learning_rate is None
    assert recipe.batch * recipe.accumulated == 2
    assert (recipe.draws.shortest, recipe.window_frames) == (49, plain.window_frames)
    assert recipe.draws.augment.bones_share == 0.3
    assert 0.9 < recipe.lead_in / (sum(plain.fps) / 2.5) < 1.2  # a second, or a little more, at the middle rate
    assert asdict(recipe.loop)["optimizer"] == "adamw"


def test_the_result_folder_is_the_only_thing_that_is_needed(trained, mini, tmp_path):
    moved = Path(tmp_path / "elsewhere.safetensors")
    moved.write_bytes((trained / "adapter" / "pytorch_lora_weights.safetensors").read_bytes())
    assert load_backbone("mini", str(mini), adapter=str(moved)).contract.motion == "pose"
