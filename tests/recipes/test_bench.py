"""``bench puppets``: the figures that a reader of the file relies on, from a mini that has learned nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from blocks import patch_vae
from diptych.media.image import read_image
from diptych.models.locator import Locator, LocatorConfig
from diptych.models.mini import Denoiser, DenoiserConfig, contract
from diptych.models.patches import PatchConfig
from diptych.models.store import save_denoiser, save_locator, save_vae
from diptych.options import BenchPuppetsOptions
from diptych.puppets.suite import suite_pairs
from diptych.recipes.bench import bench_puppets
from diptych.types import InputError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    vae, denoiser = PatchConfig(width=8, blocks=1), DenoiserConfig(heads=2, blocks=1)
    locator = LocatorConfig(width=8, hidden=8)
    save_locator(folder / "locator.safetensors", Locator(locator), locator, {})
    save_vae(folder / "vae.safetensors", patch_vae(vae), vae, {})
    save_denoiser(folder / "denoiser.safetensors", Denoiser(denoiser), denoiser, contract(), {})
    return str(folder)


def test_the_file_holds_what_is_promised_and_the_table_and_sheet_are_made(model, tmp_path, capsys):
    bench_puppets(
        BenchPuppetsOptions(json=tmp_path / "b.json", sheet=tmp_path / "b.png", model=model, steps=1, pairs=3)
    )
    figures = json.loads((tmp_path / "b.json").read_text())
    assert figures["pairs"] == 3
    assert set(figures["baselines"]) == {"still_reference", "driver_copied", "moved_reference"}
    assert all(5 < value < 30 for value in [figures["psnr_db"], figures["ceiling_db"], *figures["baselines"].values()])
    # The figure is the mean over pairs of each pair's dB.
    per_pair = [pair["measures"]["model"]["psnr_db"] for pair in figures["per_pair"]]
    assert figures["psnr_db"] == pytest.approx(np.mean(per_pair), abs=1e-4)
    # Random weights make nothing like the truth, and the still reference is better.
    assert figures["psnr_db"] < figures["baselines"]["still_reference"]
    assert "3 pairs" in capsys.readouterr().out
    assert read_image(tmp_path / "b.png").shape[2] == 3


def test_an_unknown_suite_is_refused(model):
    with pytest.raises(InputError, match="puppets-v9"):
        bench_puppets(BenchPuppetsOptions(suite="puppets-v9", model=model))


@pytest.mark.parametrize("scale", [1, 2])
def test_a_model_of_larger_pictures_is_measured_at_the_suites_size(model, tmp_path, scale):
    large = tmp_path / "large"
    large.mkdir()
    for part in ("locator", "vae"):
        (large / f"{part}.safetensors").write_bytes((Path(model) / f"{part}.safetensors").read_bytes())
    config = DenoiserConfig(heads=2, blocks=1)
    save_denoiser(large / "denoiser.safetensors", Denoiser(config), config, contract(128 * 128), {})
    bench_puppets(BenchPuppetsOptions(json=tmp_path / "b.json", model=str(large), steps=1, pairs=1, scale=scale))
    figures = json.loads((tmp_path / "b.json").read_text())
    assert figures["run"]["scale"] == scale
    assert ("drawn 2 times as large" in figures["suite"]) == (scale == 2)
    # The reference is held at whatever size the pair is drawn; the picture is the same one.
    assert 10 < figures["baselines"]["still_reference"] < 30
    assert figures["ceiling_db"] > 10


def test_an_enlarged_pair_is_the_same_pair_drawn_larger():
    pair = suite_pairs()[0]
    large = pair.enlarged(2)
    assert large.reference_size == tuple(2 * side for side in pair.reference_size)
    small, drawn = pair.clips(), large.clips()
    for name, frames in small.items():
        shrunk = drawn[name].reshape(len(frames), frames.shape[1], 2, frames.shape[2], 2, 3).mean((2, 4))
        assert np.abs(shrunk - frames).mean() < 8, name
