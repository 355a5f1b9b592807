"""Training of a denoiser on cached canvases: noise, predict the velocity, compare in the loss region."""

from __future__ import annotations

import dataclasses
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.animate.sampler import SamplerSettings, sample
from diptych.data.cache import Bucket
from diptych.data.canvases import LatentDraw, collate, encode_draw
from diptych.data.draws import Draw
from diptych.media.image import write_image
from diptych.media.psnr import decibels
from diptych.media.sheet import contact_sheet
from diptych.method.diffusion import clean_from_velocity, draw_sigmas, noised, per_sample, seeded, velocity
from diptych.method.incontext import Condition, compose, model_input, output_latents, region_loss, split
from diptych.method.pixels import to_frames
from diptych.models.mini import FIGURES, SIGMA_FLOOR, Denoiser, DenoiserConfig, MiniBackbone
from diptych.models.sight import Remembered
from diptych.models.words import tokens
from diptych.train.precision import halves

LEAST_WEIGHTED = 0.35
"""Below this sigma the loss stops growing with one over sigma squared."""


_MADE, _SHOWN = 16, 4
"""Held-out draws that a preview makes and scores, and those of them that it shows."""


@dataclass(frozen=True, eq=False)
class DenoiserTask:
    """The flow-matching loss on cached draws.

    Attributes:
        module: transformer and text encoder.
        config: their size.
        backbone: the VAE with its scale and contract, for previews.
        buckets: cached draws by panel shape.
        batch: draws a step.
        held_out: draws that are never trained on; all of them say whether the driver is heard, the first few are made
            and shown.
        figures_weight: of the error in saying where figures and their limbs are, summed over layers.
        pure_share: share of the samples at sigma 1, where sampling starts and nothing but the motion helps; the others
            are drawn evenly along the contract's schedule.
        pure_steps: steps at the start in which all samples are at sigma 1: what lies beneath less noise gives part of
            the answer away, and the way out to the motion is found later.
        made_for: what the cache was made for; a run goes on only with the same.
        hide: says anew in every step what is given of the finished latents; None takes the draws' own conditions.
    """

    module: Denoiser
    config: DenoiserConfig
    backbone: MiniBackbone
    buckets: dict[str, Bucket]
    batch: int
    held_out: tuple[Draw, ...]
    made_for: str
    figures_weight: float = 1.0
    pure_share: float = 0.0
    pure_steps: int = 0
    hide: Callable[[Tensor, torch.Generator], Condition] | None = None
    _remembered: Remembered = field(default_factory=lambda: Remembered(sys.maxsize))

    @property
    def facts(self) -> dict[str, Any]:
        """Sizes and the cache."""
        draws = sum(len(bucket) for bucket in self.buckets.values())
        sizes = {"denoiser": asdict(self.config), "batch": self.batch, "pure": [self.pure_share, self.pure_steps]}
        return {**sizes, "made_for": self.made_for, "draws": draws}

    def matrices(self, module: nn.Module) -> list[nn.Parameter]:
        """The two-dimensional weights of the transformer's blocks."""
        return [p for name, p in module.named_parameters() if "transformer_blocks." in name and p.ndim == 2]

    def parts(self, step: int) -> int:
        """The batch is run at once."""
        return 1

    def loss(self, module: nn.Module, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Velocity error of a batch of one panel shape, shapes drawn by how many draws they have."""
        sizes = torch.tensor([len(bucket) for bucket in self.buckets.values()], dtype=torch.float64)
        shape = list(self.buckets)[int(torch.multinomial(sizes, 1, generator=generator))]
        bucket = self.buckets[shape]
        rows = torch.randint(len(bucket), (self.batch,), generator=generator)
        draws = bucket.take(rows.tolist())
        target, condition = collate(draws)
        if self.hide is not None:
            condition = self.hide(target, generator)
        noise = torch.randn(target.shape, generator=generator)
        sigma = draw_sigmas(self.batch, generator, self.backbone.contract.sigma_shift, spread=None)
        pure_share = 1.0 if step < self.pure_steps else self.pure_share
        pure = torch.rand(self.batch, generator=generator) < pure_share
        sigma = sigma.clamp_min(SIGMA_FLOOR).masked_fill(pure, 1.0)
        x = model_input(noised(target, noise, sigma), condition)
        text = tokens([draw.prompt for draw in draws], self.config.text_length, self.config.text_buckets)
        device = next(module.parameters()).device
        looked = self._looked(condition.latents)
        predicted, seen = module(
            x.to(device), sigma.to(device), text.to(device), None if looked is None else looked.to(device)
        )
        predicted = predicted.float()
        # A velocity's error counts as the clean canvas's error over sigma squared; near sigma 0, where almost nothing
        # is left to decide, that would outweigh all the rest.
        weight = (sigma / LEAST_WEIGHTED).clamp(max=1).square().to(device)
        error = (predicted - velocity(target, noise).to(device)).square() * per_sample(weight, predicted)
        losses = region_loss(error, self.backbone.contract.loss_region)
        layers = self.config.layers
        known = [draw.figures[: layers * FIGURES] for draw in draws if draw.figures is not None]
        covered = torch.stack(known).to(device, torch.float32)
        wrong = functional.binary_cross_entropy_with_logits(seen.float(), covered, reduction="none")
        by_layer = wrong.unflatten(1, (layers, FIGURES)).mean(dim=(0, 2, 3, 4, 5))
        numbers = {**by_sigma(losses.detach().cpu(), sigma), "figures": by_layer[0].item()}
        if layers > 1:
            numbers["limbs"] = by_layer[1:].sum().item()
        return losses.mean() + self.figures_weight * by_layer.sum(), numbers

    def _looked(self, known: Tensor) -> Tensor | None:
        """What sight says of what is known; it does not learn here, so each draw is looked at once."""
        if self.module.sight is None:
            return None
        device = next(self.module.parameters()).device

        def look(shown: Tensor) -> Tensor:
            # Half precision is finer than the levels that are remembered.
            with torch.autocast(device.type, torch.bfloat16, enabled=halves("auto", device.type)):
                looked = self.module.look(shown.to(device))
            assert looked is not None
            return looked

        return self._remembered(look, known)

    @torch.no_grad()
    def preview(self, module: nn.Module, path: Path) -> dict[str, float]:
        """Held-out draws: driver, truth and what the averaged weights make of them."""
        assert isinstance(module, Denoiser)
        device = next(module.parameters()).device
        backbone = dataclasses.replace(self.backbone, vae=self.backbone.vae.to(device), denoiser=module)
        rows, scores = [], []
        for number, draw in enumerate(self.held_out[:_MADE]):
            made = animate_draw(backbone, draw, SamplerSettings(steps=backbone.facts.steps), seed=number)
            new = slice(draw.window.first_new, None)
            error = np.square(made[new].astype(np.float64) - draw.output[new]).mean() / 255**2
            scores.append(decibels(error))
            if number < _SHOWN:
                first = draw.window.lead_in
                held = np.concatenate([np.full_like(draw.output[:first], 128), draw.motion])
                rows += [(f"{number} driver", held), ("truth", draw.output), (f"{scores[-1]:.1f} dB", made)]
        write_image(path, contact_sheet(rows, columns=9, height=96))
        return {"held_out_psnr_db": float(np.mean(scores)), "held_out_driver_gap": driver_gap(backbone, self.held_out)}


def animate_draw(backbone: MiniBackbone, draw: Draw, settings: SamplerSettings, seed: int) -> np.ndarray:
    """What a backbone makes of one draw: the whole left panel, uint8, ``(t, h, w, 3)``."""
    condition = collate([_encoded(backbone, draw)])[1]
    latents = sample(backbone, condition, [draw.prompt], settings, torch.Generator().manual_seed(seed))
    return to_frames(backbone.decode(output_latents(latents)))


@torch.no_grad()
def driver_gap(backbone: MiniBackbone, draws: Sequence[Draw]) -> float:
    """How much of what is left wrong at pure noise comes back when the driver is taken from another draw.

    The share by which the error in the latents of the new cells grows: 0 where the motion is not heard at all, however
    good the pictures look. Draws without another of their shape are left out.

    Args:
        backbone: with its denoiser.
        draws: at least two of one shape and window.
    """
    alike: dict[tuple[Any, ...], list[LatentDraw]] = defaultdict(list)
    for draw in draws:
        encoded = _encoded(backbone, draw)
        alike[(*encoded.target.shape, encoded.window)].append(encoded)
    errors = [0.0, 0.0]  # with the right driver, with the next draw's
    for group in (group for group in alike.values() if len(group) > 1):
        target, condition = collate(group)
        target = target.to(backbone.device)
        noise = torch.randn(target.shape, generator=seeded(0)).to(target)
        sigma = torch.ones(len(group)).to(target)
        text = backbone.encode_text([""] * len(group))
        new = slice(1 + (group[0].window.first_new - 1) // backbone.facts.temporal_stride, None)
        left, motion = split(condition.latents)
        for shift in (0, 1):
            mixed = dataclasses.replace(condition, latents=compose(left, motion.roll(shift, dims=0)))
            v = backbone.denoise(model_input(noise, mixed).to(target), sigma, text)
            squares = (clean_from_velocity(noise, v, sigma) - target).square()
            errors[shift] += output_latents(squares)[:, :, new].sum().item()
    right, wrong = errors
    return wrong / right - 1 if right else 0.0


def _encoded(backbone: MiniBackbone, draw: Draw) -> LatentDraw:
    """A draw as the backbone sees it, encoded where the backbone is."""
    return encode_draw(draw, lambda pixels: backbone.encode_canvas(pixels.to(backbone.device)), backbone.facts.empty)


def by_sigma(losses: Tensor, sigma: Tensor) -> dict[str, float]:
    """Mean loss in four equal ranges of sigma; ranges without a sample are left out."""
    quarter = (sigma * 4).long().clamp(max=3)
    return {f"loss_sigma_{q / 4:.2f}": losses[quarter == q].mean().item() for q in range(4) if (quarter == q).any()}
