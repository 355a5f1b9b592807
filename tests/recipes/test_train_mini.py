"""The mini from nothing at its smallest size: every stage runs, stops and goes on, and what comes out animates."""

import json

import pytest
import torch

from diptych.data.cache import cached_draws
from diptych.models.store import load_mini
from diptych.options import TrainMiniOptions
from diptych.recipes.mini import train_mini
from diptych.types import InputError


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Trained in pieces: stopped at once, then stage by stage."""
    folder = tmp_path_factory.mktemp("mini")
    train_mini(TrainMiniOptions(size="tiny", output=folder, minutes=1e-9))
    assert not (folder / "mini" / "vae.safetensors").exists()
    for stage in ("locator", "vae", "cache", "sight"):
        train_mini(TrainMiniOptions(size="tiny", output=folder, stage=stage))
    train_mini(TrainMiniOptions(size="tiny", output=folder, stage="denoiser", minutes=1e-9))
    assert load_mini(folder / "mini").notes["denoiser"]["steps"] == 0
    train_mini(TrainMiniOptions(size="tiny", output=folder, stage="denoiser"))
    return folder


def test_what_comes_out_is_a_mini_that_says_how_it_was_made(trained):
    mini = load_mini(trained / "mini")
    assert mini.contract.panel_area == 32 * 32
    assert mini.notes["denoiser"]["samples"] == 12 * 4
    assert mini.notes["vae"]["steps"] == 6
    assert mini.notes["denoiser"]["seconds"] > 0
    latents = mini.encode_canvas(torch.zeros(1, 3, 17, 32, 64))
    assert latents.shape == (1, 128, 5, 2, 4)


def test_every_draw_is_cached(trained):
    assert cached_draws(trained / "cache", 16) == 48
    assert load_mini(trained / "mini").notes["denoiser"]["draws"] == 48


def test_training_starts_from_another_minis_weights(trained, tmp_path):
    overrides = (("start_from", str(trained / "mini")), ("denoiser_loop.steps", "1"), ("draws", "16"))
    train_mini(TrainMiniOptions(size="tiny", output=tmp_path, overrides=overrides))
    before, after = load_mini(trained / "mini"), load_mini(tmp_path / "mini")
    assert torch.equal(before.vae.rest.basis, after.vae.rest.basis)
    moved = [
        (a - b).abs().max() for a, b in zip(before.denoiser.parameters(), after.denoiser.parameters(), strict=True)
    ]
    assert 0 < max(moved) < 0.05  # one step away, not a new start
    other = (*overrides, ("denoiser.blocks", "2"))
    with pytest.raises(InputError, match="does not fit"):
        train_mini(TrainMiniOptions(size="tiny", output=tmp_path, stage="denoiser", overrides=other))


def test_draws_are_varied_where_the_vae_was_fitted_for_it_and_nowhere_else(trained, tmp_path):
    small = (("varied", "true"), ("draws", "16"), ("denoiser_loop.steps", "2"), ("sight_loop.steps", "2"))
    train_mini(TrainMiniOptions(size="tiny", output=tmp_path / "own", overrides=small))
    notes = load_mini(tmp_path / "own" / "mini").notes["denoiser"]
    assert notes["recipe"]["varied"]
    assert notes["samples"] == 2 * 4
    taken = (*small, ("vae_from", str(trained / "mini")))
    with pytest.raises(InputError, match=r"vae\.safetensors.*not fitted.*varied=false"):
        train_mini(TrainMiniOptions(size="tiny", output=tmp_path / "taken", overrides=taken))


def test_a_finished_run_has_nothing_left_to_do(trained, capsys):
    before = {path: path.stat().st_mtime_ns for path in (trained / "mini").iterdir()}
    train_mini(TrainMiniOptions(size="tiny", output=trained, stage="vae"))
    train_mini(TrainMiniOptions(size="tiny", output=trained, stage="cache"))
    assert {path: path.stat().st_mtime_ns for path in (trained / "mini").iterdir()} == before


def test_another_recipe_in_the_same_folder_is_refused(trained):
    with pytest.raises(InputError, match="clips"):
        train_mini(TrainMiniOptions(size="tiny", output=trained, stage="vae", overrides=(("clips", "5"),)))


def test_a_dry_run_prints_every_setting_and_touches_nothing(tmp_path, capsys):
    train_mini(TrainMiniOptions(size="cpu", output=tmp_path / "x", dry_run=True, overrides=(("draws", "7"),)))
    printed = json.loads(capsys.readouterr().out)
    assert printed["draws"] == 7
    assert not (tmp_path / "x").exists()


def test_a_base_learns_from_footage_alone_and_takes_over_another_minis_vae(trained, tmp_path, capsys):
    overrides = (("vae_from", str(trained / "mini")), ("denoiser_loop.steps", "2"), ("draws", "16"))
    asked = TrainMiniOptions(size="tiny", preset="base", output=tmp_path, overrides=overrides)
    train_mini(asked)
    made, other = load_mini(tmp_path / "mini"), load_mini(trained / "mini")
    assert made.denoiser.sight is None
    assert made.contract.loss_region == "canvas"
    assert torch.equal(made.vae.rest.basis, other.vae.rest.basis)
    assert made.notes["denoiser"]["recipe"]["footage"] is True
    # The draws of the one are not those of the other.
    with pytest.raises(InputError, match="another VAE or contract"):
        train_mini(TrainMiniOptions(size="tiny", output=tmp_path, stage="sight", overrides=overrides))
