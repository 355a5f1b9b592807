"""What is trained: the losses fall on what can be learnt, look where they should, and previews score what they show."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blocks import bucket_of, patch_vae, random_denoiser
from diptych.data.canvases import encode_draw
from diptych.data.draws import LAYERS, draw
from diptych.media.image import read_image
from diptych.method.diffusion import seeded
from diptych.method.pixels import to_pixels
from diptych.models.mini import Denoiser, DenoiserConfig, MiniBackbone, contract
from diptych.models.patches import PatchConfig
from diptych.train.autoencoder import Mending, MendTask
from diptych.train.denoiser import DenoiserTask, driver_gap
from diptych.train.shelves import Shelves

AGREED = contract(32 * 32)
VAE, DENOISER = PatchConfig(width=8, blocks=1), DenoiserConfig(heads=2, blocks=1, layers=LAYERS)


@pytest.fixture(scope="module")
def draws():
    found = [draw(n, AGREED) for n in range(40)]
    return [d for d in found if d.reference.shape == (32, 32, 3)][:6]


@pytest.fixture
def task(draws):
    torch.manual_seed(0)
    backbone = MiniBackbone(patch_vae(VAE), None, AGREED)
    latent = [encode_draw(d, backbone.encode_canvas, "latents") for d in draws]
    return DenoiserTask(
        module=random_denoiser(DENOISER).train(),
        config=DENOISER,
        backbone=backbone,
        draws=Shelves({"one": bucket_of(latent)}, words=24, entries=1024),
        batch=4,
        held_out=(draws[0],),
        made_for="test",
    )


def run(task, steps, rate):
    optimizer, seen = torch.optim.AdamW(task.module.parameters(), lr=rate), []
    for step in range(steps):
        loss, _ = task.loss(task.module, step, seeded(0, step))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seen.append(loss.item())
    return np.mean(seen[:10]), np.mean(seen[-10:])


def test_the_denoiser_learns_a_handful_of_canvases(task):
    first, last = run(task, 80, 3e-3)
    assert last < 0.7 * first


def test_the_same_step_has_the_same_loss_and_another_step_another(task):
    a, b, c = (task.loss(task.module, 0, seeded(0, step))[0].item() for step in (3, 3, 4))
    assert a == b != c


def test_gradients_of_the_denoisers_loss_reach_words_and_blocks(task):
    task.loss(task.module, 0, seeded(0, 0))[0].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in task.matrices(task.module)[:2])
    assert task.module.words.word.weight.grad.abs().sum() > 0


def test_a_preview_is_drawn_and_scored(task, tmp_path):
    scores = task.preview(task.module, tmp_path / "p.png")
    assert 0 < scores["held_out_psnr_db"] < 30
    assert read_image(tmp_path / "p.png").shape[2] == 3


def test_the_first_steps_are_all_at_pure_noise_and_later_ones_in_their_share(task):
    early = replace(task, pure_share=0.5, pure_steps=3)
    assert set(early.loss(early.module, 2, seeded(0, 2))[1]) == {"loss_sigma_0.75", "figures", "limbs"}
    later = [early.loss(early.module, 3, seeded(0, n))[1] for n in range(20)]
    assert len({name for numbers in later for name in numbers}) > 2


def test_where_figures_and_limbs_are_is_learnt_and_counts_by_its_weight(task):
    plain = replace(task, figures_weight=0.0).loss(task.module, 0, seeded(0, 0))
    both = replace(task, figures_weight=2.0).loss(task.module, 0, seeded(0, 0))
    seen = float(plain[1]["figures"] + plain[1]["limbs"])
    assert both[0].item() == pytest.approx(plain[0].item() + 2 * seen, rel=1e-4)
    optimizer = torch.optim.AdamW(task.module.parameters(), lr=3e-3)
    for step in range(100):
        loss, numbers = task.loss(task.module, step, seeded(0, step))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert numbers["figures"] < 0.6 * both[1]["figures"]
    assert numbers["limbs"] < 0.3 * both[1]["limbs"]


def test_a_mini_without_limbs_learns_from_the_same_cache(task):
    bare = replace(task.config, layers=1)
    without = replace(task, config=bare, module=random_denoiser(bare).train())
    numbers = without.loss(without.module, 0, seeded(0, 0))[1]
    assert "figures" in numbers
    assert "limbs" not in numbers


def test_the_driver_gap_is_zero_for_the_deaf_and_large_for_who_copies_the_driver(draws):
    backbone = MiniBackbone(patch_vae(VAE), None, AGREED)

    class Deaf(torch.nn.Module):
        words = Denoiser(DENOISER).words

        def forward(self, x, sigma, text, panels=2):
            return x[:, :128] - x[:, 128:256, :1, :, : x.shape[-1] // 2].repeat(1, 1, x.shape[2], 1, 2), None

    class Copies(Deaf):
        def forward(self, x, sigma, text, panels=2):
            motion = x[:, 128:256, :, :, x.shape[-1] // 2 :]
            return x[:, :128] - torch.cat([motion, motion], dim=-1), None

    one_shape = [draw(n, AGREED, kin_share=1.0) for n in range(60)]
    one_shape = [replace(d, output=np.concatenate([d.output[: d.window.lead_in], d.motion])) for d in one_shape]
    one_shape = [d for d in one_shape if d.reference.shape == (32, 32, 3) and not d.window.history][:8]
    assert driver_gap(replace(backbone, denoiser=Deaf()), one_shape) == pytest.approx(0, abs=1e-6)
    assert driver_gap(replace(backbone, denoiser=Copies()), one_shape) > 1
    assert driver_gap(replace(backbone, denoiser=Deaf()), one_shape[:1]) == 0


def test_mending_learns_and_only_the_network_does(draws, tmp_path):
    torch.manual_seed(0)
    clips = [to_pixels(d.output) for d in draws]
    module = Mending(patch_vae(VAE))
    task = MendTask(module, VAE, 1, lambda rng: clips[int(rng.integers(len(clips)))], (clips[0],))
    basis = module.vae.rest.basis.clone()
    first, last = run(task, 40, 3e-3)
    assert last < 0.9 * first
    assert torch.equal(module.vae.rest.basis, basis)
    assert set(task.preview(module, tmp_path / "p.png")) == {"held_out_linear_db", "held_out_psnr_db"}
