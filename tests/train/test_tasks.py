"""What is trained: the losses fall on what can be learnt, look where they should, and previews score what they show."""

import numpy as np
import pytest
import torch

from blocks import patch_vae
from diptych.data.cache import Bucket
from diptych.data.canvases import encode_draw
from diptych.data.draws import draw
from diptych.media.image import read_image
from diptych.method.diffusion import seeded
from diptych.method.pixels import to_pixels
from diptych.models.mini import Denoiser, DenoiserConfig, MiniBackbone, contract
from diptych.models.patches import PatchConfig
from diptych.train.autoencoder import Mending, MendTask
from diptych.train.denoiser import DenoiserTask

AGREED = contract(32 * 32)
VAE, DENOISER = PatchConfig(width=8, blocks=1), DenoiserConfig(heads=2, blocks=1)


@pytest.fixture(scope="module")
def draws():
    found = [draw(n, AGREED) for n in range(40)]
    return [d for d in found if d.reference.shape == (32, 32, 3)][:6]


@pytest.fixture
def task(draws):
    torch.manual_seed(0)
    backbone = MiniBackbone(patch_vae(VAE), None, AGREED)
    latent = [encode_draw(d, backbone.encode_canvas, "latents") for d in draws]
    bucket = Bucket(
        torch.stack([d.target for d in latent]).half(),
        torch.stack([d.condition for d in latent]).half(),
        torch.tensor([(d.window.frames, d.window.lead_in, d.window.history) for d in latent]),
        [d.prompt for d in latent],
    )
    return DenoiserTask(
        module=Denoiser(DENOISER),
        config=DENOISER,
        backbone=backbone,
        buckets={"one": bucket},
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
