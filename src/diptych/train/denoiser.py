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
from diptych.train.precision import halves
from diptych.train.shelves import Shelves

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
        draws: cached draws.
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
    draws: Shelves
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
        sizes = {"denoiser": asdict(self.config), "batch": self.batch, "pure": [self.pure_share, self.pure_steps]}
        return {**sizes, "made_for": self.made_for, **self.draws.facts}

    def matrices(self, module: nn.Module) -> list[nn.Parameter]:
        """The two-dimensional weights of the transformer's blocks."""
        return [p for name, p in module.named_parameters() if "transformer_blocks." in name and p.ndim == 2]

    def parts(self, step: int) -> int:
        """The batch is run at once."""
        return 1

    def loss(self, module: nn.Module, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Velocity error of a batch of one panel shape, shapes drawn by how many draws they have."""
        device = next(module.parameters()).device
        batch = self.draws.draw(self.batch, generator, device)
        local = _local(generator, device)
        if self.hide is not None:
            batch = dataclasses.replace(batch, condition=self.hide(batch.target, generator))
        target = batch.target
        noise = torch.randn(target.shape, generator=local, device=device)
        sigma = draw_sigmas(self.batch, generator, self.backbone.contract.sigma_shift, spread=None)
        pure_share = 1.0 if step < self.pure_steps else self.pure_share
        pure = torch.rand(self.batch, generator=generator) < pure_share
        sigma = sigma.clamp_min(SIGMA_FLOOR).masked_fill(pure, 1.0)
        there = sigma.to(device, non_blocking=True)
        x = model_input(noised(target, noise, there), batch.condition)
        looked = self._looked(batch.condition.latents)
        predicted, seen = module(x, there, batch.text, *([] if looked is None else [looked]))
        # A velocity's error counts as the clean canvas's error over sigma squared; near sigma 0, where almost nothing
        # is left to decide, that would outweigh all the rest.
        weight = (there / LEAST_WEIGHTED).clamp(max=1).square()
        error = (predicted.float() - velocity(target, noise)).square() * per_sample(weight, predicted)
        losses = region_loss(error, self.backbone.contract.loss_region)
        layers = self.config.layers
        assert batch.figures is not None
        covered = batch.figures[:, : layers * FIGURES].float()
        wrong = functional.binary_cross_entropy_with_logits(seen.float(), covered, reduction="none")
        by_layer = wrong.unflatten(1, (layers, FIGURES)).mean(dim=(0, 2, 3, 4, 5))
        numbers = {**by_sigma(losses.detach(), sigma), "figures": by_layer[0].detach()}
        if layers > 1:
            numbers["limbs"] = by_layer[1:].detach().sum()
        return losses.mean() + self.figures_weight * by_layer.sum(), numbers

    def _looked(self, known: Tensor) -> Tensor | None:
        """What sight says of what is known, where it need not be asked again: the network asks its sight itself else.

        Sight does not learn here, so on a CPU each draw is looked at once. A GPU looks again sooner than it remembers.
        """
        if self.module.sight is None or self.draws.varied is not None or known.device.type != "cpu":
            return None

        def look(shown: Tensor) -> Tensor:
            # Half precision is finer than the levels that are remembered.
            with torch.autocast("cpu", torch.bfloat16, enabled=halves("auto", "cpu")):
                looked = self.module.look(shown)
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


def _local(generator: torch.Generator, device: torch.device) -> torch.Generator:
    """A generator on the device for what is too much to draw elsewhere; on a CPU the given one itself."""
    if device.type == "cpu":
        return generator
    return torch.Generator(device).manual_seed(int(torch.randint(1 << 62, (), generator=generator)))


def by_sigma(losses: Tensor, sigma: Tensor) -> dict[str, Tensor]:
    """Mean loss in four equal ranges of sigma; ranges without a sample are left out.

    Args:
        losses: ``(b,)``, on any device, which is not waited for.
        sigma: in [0, 1], ``(b,)``, on the CPU.
    """
    quarters = functional.one_hot((sigma * 4).long().clamp(max=3), 4).T.float()  # (4, b)
    shares = quarters / quarters.sum(1, keepdim=True).clamp_min(1)
    means = shares.to(losses.device, non_blocking=True) @ losses.float()
    return {f"loss_sigma_{q / 4:.2f}": means[q] for q in range(4) if quarters[q].any()}
