"""Sight: begins as the VAE's linear decoder, tells cells as they are labelled, and looks at what is given only."""

import pytest
import torch
from torch.nn import functional

from blocks import bucket_of, patch_vae, random_denoiser
from diptych.data.canvases import encode_draw, figure_cells
from diptych.data.draws import LAYERS, draw
from diptych.method.diffusion import seeded
from diptych.models.mini import DenoiserConfig, MiniBackbone, contract
from diptych.models.patches import PatchConfig
from diptych.models.sight import Sight, given, onto_canvas, to_cells
from diptych.train.shelves import Shelves
from diptych.train.sight import SightTask

AGREED = contract(32 * 32)


@pytest.fixture(scope="module")
def vae():
    return patch_vae(PatchConfig(width=8, blocks=1))


def test_it_sees_what_the_linear_decoder_shows(vae):
    sight, seen = Sight(2, 8, 128), []
    sight.begin_with(vae)
    sight.into.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    codes = torch.randn(2, 128, 3, 2, 4)
    assert sight(codes).shape == (2, 2, 12, 8, 16)
    pixels = vae.decode_linear(codes).transpose(1, 2).flatten(0, 1)
    assert torch.allclose(seen[0], functional.pixel_unshuffle(pixels, 4), atol=1e-5)


def test_cells_are_counted_as_the_labels_are():
    generator = torch.Generator().manual_seed(0)
    parts = torch.rand(3, 9, 8, 16, generator=generator) > 0.5  # 9 frames, four pixels a part
    pixels = (parts.repeat_interleave(4, 2).repeat_interleave(4, 3) * 255).to(torch.uint8)
    held = torch.cat([parts[:, :1].repeat(1, 3, 1, 1), parts], dim=1)
    assert torch.equal(to_cells(held[None])[0], figure_cells(pixels, (3, 2, 4)))


def test_what_is_given_is_the_picture_and_the_motion():
    canvas = torch.arange(2 * 3 * 5 * 2 * 8.0).reshape(2, 3, 5, 2, 8)
    panel = given(canvas)
    assert torch.equal(panel[:, :, 0], canvas[:, :, 0, :, :4])
    assert torch.equal(panel[:, :, 1:], canvas[:, :, 1:, :, 4:])
    back = onto_canvas(panel)
    assert torch.equal(given(back), panel)
    assert not back[:, :, 1:, :, :4].any()
    assert not back[:, :, 0, :, 4:].any()


def test_it_learns_and_the_denoiser_reads_it_without_moving_it(vae):
    backbone = MiniBackbone(vae, None, AGREED)
    drawn = [d for d in (draw(n, AGREED) for n in range(30)) if d.reference.shape == (32, 32, 3)][:4]
    latent = [encode_draw(d, backbone.encode_canvas, "latents") for d in drawn]
    config = DenoiserConfig(heads=2, blocks=1, layers=LAYERS, sight=8)
    torch.manual_seed(0)
    denoiser = random_denoiser(config)
    denoiser.sight.begin_with(vae)
    task = SightTask(denoiser.sight, Shelves({"one": bucket_of(latent)}), 4, tuple(latent[:2]), "test")
    before = task.preview(task.module, None)
    learning = [p for p in task.module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-2)
    for step in range(60):
        loss, numbers = task.loss(task.module, step, seeded(0, step))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    after = task.preview(task.module, None)
    assert after["held_out_limbs"] < 0.8 * before["held_out_limbs"]
    assert numbers["figures"] > 0

    _, condition = (latent[0].target, latent[0].condition)
    x = torch.cat([torch.randn(128, *condition.shape[1:]), condition, torch.zeros(1, *condition.shape[1:])])[None]
    rows = torch.zeros(1, config.text_length, dtype=torch.long)
    v, _ = denoiser(x, torch.ones(1), rows)
    same, _ = denoiser(x, torch.ones(1), rows, denoiser.look(condition[None]))
    assert torch.equal(v, same)
    blind, _ = denoiser(x, torch.ones(1), rows, torch.zeros_like(denoiser.look(condition[None])))
    assert not torch.equal(v, blind)
    task.module.zero_grad()
    v.sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in denoiser.sight.parameters())
