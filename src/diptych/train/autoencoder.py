"""Training of the mini's VAE: single pictures first, then short clips, then the canvases it will serve on.

A picture costs a seventeenth of a clip and teaches the spatial half of the network, so most of the samples are
pictures. The last phase is what inference does: a canvas is encoded as one clip and its left panel decoded alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from diptych.media.image import write_image
from diptych.media.sheet import contact_sheet
from diptych.method.incontext import output_latents, split
from diptych.method.pixels import to_frames
from diptych.models.mini import LatentScale, VaeConfig, build_vae


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of VAE training.

    Attributes:
        steps: how long.
        clips: clips a step.
        at_once: clips run together; on a CPU few long clips at once are faster than many.
        frames: frames a clip, 1 + 4k.
        canvas: whether clips are canvases whose left panel alone is decoded, or single panels.
    """

    steps: int
    clips: int
    at_once: int
    frames: int
    canvas: bool = False


Source = Callable[[Phase, int, np.random.Generator], Sequence[Tensor]]
"""From a phase, a number of clips and a generator to clips ``(1, 3, t, h, w)`` in [-1, 1], all of one shape."""


class Autoencoder(nn.Module):
    """The VAE as one function of pixels, so that precision and processes can wrap it."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.vae = build_vae(config)

    def forward(self, pixels: Tensor, generator: torch.Generator, left_only: bool) -> tuple[Tensor, Tensor]:
        """Encodes, samples, decodes.

        Args:
            pixels: ``(b, 3, t, h, w)`` in [-1, 1].
            generator: for the posterior's noise.
            left_only: decode the left half of the latents alone.

        Returns:
            The reconstruction, and the mean divergence from the unit normal for one latent number.
        """
        posterior = self.vae.encode(pixels).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(posterior.mean)
        latents = posterior.mean + posterior.std * noise
        if left_only:
            latents = output_latents(latents)
        divergence = 0.5 * (posterior.mean.float() ** 2 + posterior.var.float() - 1 - posterior.logvar.float()).mean()
        return self.vae.decode(latents).sample, divergence


@dataclass(frozen=True, eq=False)
class AutoencoderTask:
    """The VAE's loss: absolute and squared error of the pixels, squared error of colours, and a little divergence.

    Attributes:
        module: what learns.
        config: its size.
        phases: in order.
        source: draws clips.
        held_out: clips ``(1, 3, t, h, 2w)`` that are never trained on, for previews.
        divergence_weight: how strongly latents are pulled towards the unit normal.
    """

    module: Autoencoder
    config: VaeConfig
    phases: tuple[Phase, ...]
    source: Source
    held_out: tuple[Tensor, ...]
    divergence_weight: float = 1e-3

    @property
    def steps(self) -> int:
        """Steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    @property
    def facts(self) -> dict[str, Any]:
        """Sizes and phases."""
        return {"vae": asdict(self.config), "phases": [asdict(phase) for phase in self.phases]}

    def matrices(self, module: nn.Module) -> list[nn.Parameter]:
        """Kernels of the blocks' convolutions; what touches pixels and latents stays with AdamW."""
        outer = ("coder.conv_in.", "coder.conv_out.")
        return [p for name, p in module.named_parameters() if p.ndim == 5 and not any(part in name for part in outer)]

    def phase(self, step: int) -> Phase:
        """The phase that a step belongs to."""
        for phase in self.phases:
            if step < phase.steps:
                return phase
            step -= phase.steps
        return self.phases[-1]

    def parts(self, step: int) -> int:
        """Clips of a step over clips at once."""
        phase = self.phase(step)
        return phase.clips // phase.at_once

    def loss(self, module: nn.Module, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Reconstruction error of freshly drawn clips."""
        phase = self.phase(step)
        rng = np.random.default_rng(int(torch.randint(1 << 62, (), generator=generator)))
        pixels = torch.cat(list(self.source(phase, phase.at_once, rng)))
        pixels = pixels.to(next(module.parameters()).device)
        made, divergence = module(pixels, generator, phase.canvas)
        wanted = split(pixels)[0] if phase.canvas else pixels
        error = made.float() - wanted
        squared = error.square().mean()
        # Edges dominate a pixel's error and colours come last; means of 4 x 4 pixels have few edges.
        coarse = torch.nn.functional.avg_pool3d(error, (1, 4, 4)).square().mean()
        loss = error.abs().mean() + 2 * squared + 4 * coarse + self.divergence_weight * divergence
        return loss, {"psnr_db": psnr_db(squared.item()), "divergence": divergence.item(), "frames": phase.frames}

    @torch.no_grad()
    def preview(self, module: nn.Module, path: Path) -> dict[str, float]:
        """Held-out canvases: truth above, encoded and decoded below."""
        rows, errors = [], []
        for i, pixels in enumerate(self.held_out):
            pixels = pixels.to(next(module.parameters()).device)
            made = reconstruct(module.vae, pixels)
            wanted = split(pixels)[0]
            errors.append(psnr_db((made - wanted).square().mean().item()))
            rows += [(f"{i} truth", to_frames(wanted)), (f"{i} {errors[-1]:.1f} dB", to_frames(made))]
        write_image(path, contact_sheet(rows[:12], columns=9, height=96))
        return {"held_out_psnr_db": float(np.mean(errors))}


@torch.no_grad()
def reconstruct(vae: Any, pixels: Tensor) -> Tensor:
    """A canvas encoded as one clip, its left panel decoded alone, clamped to [-1, 1]."""
    latents = vae.encode(pixels).latent_dist.mode()
    return vae.decode(output_latents(latents)).sample.float().clamp(-1, 1)


def psnr_db(mean_squared_error: float) -> float:
    """Decibels of an error between pixels in [-1, 1]."""
    return float(10 * np.log10(4 / max(mean_squared_error, 1e-10)))


@torch.no_grad()
def latent_scale(vae: Any, canvases: Sequence[Tensor]) -> LatentScale:
    """Mean and standard deviation of each latent channel over canvases ``(1, 3, t, h, 2w)``."""
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for pixels in canvases:
        flat = vae.encode(pixels).latent_dist.mode().double().transpose(0, 1).flatten(1)
        count, total, squares = count + flat.shape[1], total + flat.sum(1), squares + flat.square().sum(1)
    mean = total / count
    return LatentScale(mean.float(), (squares / count - mean.square()).clamp_min(1e-8).sqrt().float())
