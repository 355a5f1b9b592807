"""The mini behind the protocol: shapes, batches, round trips to disk, refusals."""

import dataclasses
import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from blocks import patch_vae, random_denoiser, random_locator
from diptych.method import incontext as ic
from diptych.models import store
from diptych.models.locator import LocatorConfig
from diptych.models.mini import (
    FACTS,
    PLACES,
    DenoiserConfig,
    MiniBackbone,
    believed,
    contract,
    places,
)
from diptych.models.patches import PatchConfig
from diptych.models.words import tokens
from diptych.types import InputError

VAE = PatchConfig(width=8, blocks=1)
DENOISER = DenoiserConfig(heads=2, blocks=1, text_width=8, text_length=6, text_buckets=64)


@pytest.fixture(scope="module")
def mini():
    torch.manual_seed(0)
    return MiniBackbone(patch_vae(VAE), random_denoiser(DENOISER), contract())


@pytest.fixture
def folder(mini, tmp_path):
    locator = LocatorConfig(width=8, hidden=8)
    store.save_locator(tmp_path / "locator.safetensors", random_locator(locator), locator, {})
    store.save_vae(tmp_path / "vae.safetensors", mini.vae, VAE, {"steps": 1})
    store.save_denoiser(tmp_path / "denoiser.safetensors", mini.denoiser, DENOISER, mini.contract, {"steps": 2})
    return tmp_path


def canvas(batch=1, seed=0):
    return torch.rand(batch, 3, 9, 32, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@torch.no_grad()
def test_canvas_to_latents_and_panel_back_to_pixels(mini):
    latents = mini.encode_canvas(canvas(2))
    assert latents.shape == (2, FACTS.latent_channels, 3, 2, 4)
    pixels = mini.decode(ic.output_latents(latents))
    assert pixels.shape == (2, 3, 9, 32, 32)
    assert pixels.abs().max() <= 1


@torch.no_grad()
def test_a_batch_is_encoded_and_decoded_as_its_clips_are(mini):
    both = canvas(2)
    codes = mini.encode_canvas(both)
    assert torch.allclose(codes, torch.cat([mini.encode_canvas(both[:1]), mini.encode_canvas(both[1:])]), atol=1e-4)
    alone = torch.cat([mini.decode(codes[:1]), mini.decode(codes[1:])])
    assert torch.allclose(mini.decode(codes), alone, atol=1e-4)


@torch.no_grad()
def test_the_vae_is_causal_in_time(mini):
    changed = canvas()
    changed[:, :, 5:] = 0
    before, after = mini.encode_canvas(canvas()), mini.encode_canvas(changed)
    assert torch.allclose(before[:, :, :2], after[:, :, :2], atol=1e-5)
    assert not torch.allclose(before[:, :, 2], after[:, :, 2], atol=1e-2)


@torch.no_grad()
def test_denoising_hears_noise_level_and_text(mini):
    x = torch.randn(2, 257, 3, 2, 4, generator=torch.Generator().manual_seed(0))
    text = mini.encode_text(["a dog runs", ""])
    v = mini.denoise(x, torch.tensor([0.3, 0.3]), text)
    assert v.shape == (2, 128, 3, 2, 4)
    assert not torch.allclose(v, mini.denoise(x, torch.tensor([0.9, 0.9]), text))
    assert not torch.allclose(v[:1], mini.denoise(x[:1], torch.tensor([0.3]), text[1:]))


@torch.no_grad()
def test_noise_in_cells_that_are_given_changes_nothing_elsewhere(mini):
    x = torch.randn(1, 257, 3, 2, 4, generator=torch.Generator().manual_seed(0))
    x[:, 256] = 0
    x[:, 256, :, :, 2:] = 1
    other = x.clone()
    other[:, :128, :, :, 2:] += 1
    sigma, text = torch.tensor([0.6]), mini.encode_text([""])
    left = ic.output_latents(mini.denoise(x, sigma, text))
    assert torch.allclose(left, ic.output_latents(mini.denoise(other, sigma, text)), atol=1e-5)
    other[:, 128:256, :, :, 2:] += 1
    assert not torch.allclose(left, ic.output_latents(mini.denoise(other, sigma, text)), atol=1e-2)


def test_noisy_latents_are_believed_as_the_best_linear_guess_would():
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 100_000, generator=generator)
    for value in (0.0, 0.3, 0.7, 0.95):
        noisy = (1 - value) * clean + value * noise
        factor = float(noisy @ clean / (noisy @ noisy))
        assert torch.allclose(believed(noisy[None], torch.tensor([value])), factor * noisy, atol=0.05)
    assert believed(noise[None], torch.ones(1)).abs().max() == 0


def test_a_cell_and_its_like_in_the_other_panel_differ_by_their_panel_only():
    told = places(torch.zeros(2, 1, 3, 4, 10))
    assert told.shape == (2, PLACES, 3, 4, 10)
    left, right = ic.split(told)
    same = (left == right).flatten(2).all(-1).all(0)
    assert same.sum() == PLACES - 1
    cells = told[0].flatten(1).T
    assert len(cells.unique(dim=0)) == 3 * 4 * 10


def test_rotary_places_count_from_the_edge_of_either_panel(mini):
    rope = mini.denoiser.transformer.rope
    for width in (2, 5):
        cosines, sines = rope(torch.zeros(1, 1, 3, 4, 2 * width))
        assert cosines.shape == sines.shape == (3 * 4 * 2 * width, 32)
        left, right = torch.cat([cosines, sines], 1).unflatten(0, (3, 4, 2 * width)).split(width, dim=2)
        assert torch.equal(left, right)
        assert len(left.flatten(0, 2).unique(dim=0)) == 3 * 4 * width


def test_words_are_hashed_the_same_way_everywhere():
    rows = tokens(["A dog, a DOG!", ""], length=6, buckets=64)
    assert rows[0, 0] == rows[0, 2]
    assert rows[0, 1] == rows[0, 3]
    assert rows[0, 4:].tolist() == [0, 0]
    assert rows[1].tolist() == [0] * 6
    assert tokens(["dog"], 1, 1 << 20).item() == 803216


@torch.no_grad()
def test_saved_and_loaded_predicts_the_same_up_to_half_precision(mini, folder):
    back = store.load_mini(folder)
    assert back.contract == mini.contract
    assert back.notes == {"vae": {"steps": 1}, "denoiser": {"steps": 2}}
    assert torch.allclose(back.encode_canvas(canvas()), mini.encode_canvas(canvas()), atol=2e-2)
    x, sigma, text = torch.randn(1, 257, 3, 2, 4), torch.tensor([0.5]), mini.encode_text(["a cat jumps"])
    assert torch.allclose(back.denoise(x, sigma, text), mini.denoise(x, sigma, text), atol=2e-2)


def rewrite(path, **header):
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        old = file.metadata()
    save_file(load_file(path), path, metadata={**old, **header})


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "denoiser.safetensors").unlink(), "is missing"),
        (lambda f: (f / "vae.safetensors").write_bytes(b""), "not a readable safetensors"),
        (lambda f: (f / "vae.safetensors").write_bytes(b"\x80\x04K\x01."), "not a readable safetensors"),
        (lambda f: (f / "denoiser.safetensors").write_bytes((f / "vae.safetensors").read_bytes()), "header|say"),
        (lambda f: rewrite(f / "denoiser.safetensors", **{"diptych.config": '{"heads": 4}'}), "does not fit"),
        (lambda f: rewrite(f / "denoiser.safetensors", **{"diptych.config": '{"legs": 4}'}), "legs"),
        (lambda f: rewrite(f / "denoiser.safetensors", **{"diptych.notes": "[]"}), "notes"),
        (
            lambda f: rewrite(
                f / "denoiser.safetensors",
                **{"diptych.contract": json.dumps({**json.loads(contract().to_json()), "backbone": "wan"})},
            ),
            "wan",
        ),
        (
            lambda f: rewrite(
                f / "denoiser.safetensors",
                **{"diptych.contract": json.dumps({**json.loads(contract().to_json()), "layout": "cached"})},
            ),
            "layout is 'cached' where 'full' is needed",
        ),
    ],
)
def test_what_is_not_a_mini_is_refused_in_one_sentence(folder, damage, says):
    damage(folder)
    with pytest.raises(InputError, match=says) as caught:
        store.load_mini(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_training_goes_on_from_a_mini_that_knew_fewer_layers(folder):
    torch.manual_seed(1)
    wider = random_denoiser(dataclasses.replace(DENOISER, layers=3))
    store.load_denoiser_into(wider, folder / "denoiser.safetensors")
    known = load_file(folder / "denoiser.safetensors")["transformer.proj_out.weight"]
    assert torch.equal(wider.transformer.proj_out.weight[: len(known)].half(), known)
    assert wider.transformer.proj_out.weight[len(known) :].abs().max() == 0
    fewer = random_denoiser(DENOISER)
    store.save_denoiser(folder / "w.safetensors", wider, dataclasses.replace(DENOISER, layers=3), contract(), {})
    with pytest.raises(InputError, match="does not fit"):
        store.load_denoiser_into(fewer, folder / "w.safetensors")


def test_a_full_disk_is_told_in_a_sentence_and_leaves_nothing(tmp_path):
    """The largest size of a file stands for the end of a disk: the system refuses the write in the same place."""
    script = f"""
import resource, signal
from pathlib import Path
from diptych.models.mini import Denoiser, DenoiserConfig, contract
from diptych.models.store import save_denoiser
from diptych.types import InputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
config = DenoiserConfig(heads=2, blocks=1)
try:
    save_denoiser(Path({str(tmp_path)!r}) / "denoiser.safetensors", Denoiser(config), config, contract(), {{}})
except InputError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert "denoiser.safetensors cannot be written" in run.stdout
    assert "free some space" in run.stdout
    assert list(tmp_path.iterdir()) == []
