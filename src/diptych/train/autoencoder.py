"""Training of the mini's VAE: components of patches from many clips, then the network that mends what they leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from diptych.media.image import write_image
from diptych.media.psnr import decibels
from diptych.media.sheet import contact_sheet
from diptych.method.pixels import to_frames
from diptych.models.patches import PatchConfig, PatchVae

CODE_NOISE = 0.2
"""Largest deviation of the noise on codes: a sampled code is never exact, and the decoder should not mind."""


class Mending(nn.Module):
    """The decoder as one function of codes, so that precision and processes can wrap it; only its network learns."""

    def __init__(self, vae: PatchVae) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, codes: Tensor) -> Tensor:
        """Codes of a panel, ``(b, c, t', h', w')``, to pixels."""
        return self.vae.decode(codes)


@dataclass(frozen=True, eq=False)
class MendTask:
    """Absolute and squared error of decoded clips.

    Attributes:
        module: a VAE whose components are fitted.
        config: its size.
        clips: clips a step, one after the other.
        source: draws a clip ``(1, 3, t, h, w)`` in [-1, 1] from a generator.
        held_out: clips that are never trained on, for previews.
    """

    module: Mending
    config: PatchConfig
    clips: int
    source: Callable[[np.random.Generator], Tensor]
    held_out: tuple[Tensor, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """Sizes."""
        return {"vae": asdict(self.config), "clips": self.clips}

    def matrices(self, module: nn.Module) -> list[nn.Parameter]:
        """Kernels inside the mending network's blocks."""
        return [p for name, p in module.named_parameters() if ".blocks." in name and p.ndim == 5]

    def parts(self, step: int) -> int:
        """One clip at once: on a CPU that is faster than a batch."""
        return self.clips

    def loss(self, module: nn.Module, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Error of a freshly drawn clip, decoded from its slightly noised code."""
        rng = np.random.default_rng(int(torch.randint(1 << 62, (), generator=generator)))
        pixels = self.source(rng).to(next(module.parameters()).device)
        codes = self.module.vae.encode(pixels)
        noise = torch.randn(codes.shape, generator=generator).to(codes)
        codes = codes + CODE_NOISE * float(torch.rand((), generator=generator)) * noise
        error = module(codes).float() - pixels
        squared = error.square().mean()
        return error.abs().mean() + 2 * squared, {"psnr_db": decibels(squared.item(), peak=2)}

    @torch.no_grad()
    def preview(self, module: nn.Module, path: Path) -> dict[str, float]:
        """Held-out clips: the truth, the linear decoder, the mended result."""
        assert isinstance(module, Mending)
        rows, scores = [], []
        for pixels in self.held_out:
            pixels = pixels.to(next(module.parameters()).device)
            codes = module.vae.encode(pixels)
            made = [module.vae.decode_linear(codes).clamp(-1, 1), module.vae.decode(codes).clamp(-1, 1)]
            scores.append([decibels((clip - pixels).square().mean().item(), peak=2) for clip in made])
            labels = ("truth", f"linear {scores[-1][0]:.1f} dB", f"mended {scores[-1][1]:.1f} dB")
            rows += [(label, to_frames(clip)) for label, clip in zip(labels, (pixels, *made), strict=True)]
        write_image(path, contact_sheet(rows[:12], columns=9, height=96))
        linear, mended = np.mean(scores, axis=0)
        return {"held_out_linear_db": float(linear), "held_out_psnr_db": float(mended)}
