"""Latents to latents: from noise to a finished canvas, along the predicted velocity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from diptych.method.diffusion import guided
from diptych.method.incontext import Condition, model_input
from diptych.models.protocol import Backbone
from diptych.progress import beat


@dataclass(frozen=True, kw_only=True)
class SamplerSettings:
    """How a canvas is sampled.

    Attributes:
        steps: of the backbone's solver.
        guidance_scale: pull of the prompt; 1 computes no unprompted prediction and costs half.
        continues: whether windows after the first are given the end of what was made, or open anew from the reference.
    """

    steps: int
    guidance_scale: float = 1.0
    continues: bool = True


@torch.no_grad()
def sample(
    backbone: Backbone,
    condition: Condition,
    prompts: list[str],
    settings: SamplerSettings,
    generator: torch.Generator,
    references: Tensor | None = None,
) -> Tensor:
    """Denoises a batch of canvases.

    Args:
        backbone: what predicts, and on which schedule.
        condition: from :func:`diptych.method.incontext.canvas_condition`, b samples.
        prompts: one for each sample.
        settings: steps and guidance.
        generator: on the CPU, so that a seed means the same noise on every device.
        references: the picture of each sample in its panel, in [-1, 1], ``(b, 3, h, w)``.

    Returns:
        Latents of the finished canvases, ``(b, c, t', h', 2w')``; the result is their left half.
    """
    text = backbone.encode_text(prompts, references)
    is_guided = settings.guidance_scale != 1
    plain = backbone.encode_text([""] * len(prompts), references) if is_guided else None
    return denoised(backbone, condition, text, plain, settings, generator)


@torch.no_grad()
def denoised(
    backbone: Backbone,
    condition: Condition,
    text: Any,
    plain: Any,
    settings: SamplerSettings,
    generator: torch.Generator,
) -> Tensor:
    """The same from features of text that were made before, so that nothing has to read it.

    Args:
        backbone: as :func:`sample`.
        condition: likewise.
        text: features of prompts and references.
        plain: of empty prompts, or None without guidance.
        settings: as :func:`sample`.
        generator: likewise.
    """
    is_guided = settings.guidance_scale != 1
    x = torch.randn(condition.latents.shape, generator=generator).to(condition.latents)
    folded = backbone.fold_mask(condition)
    solver = backbone.solver(settings.steps, x.shape)
    for index, sigma in enumerate(solver.sigmas.to(x)):
        beat(index / settings.steps)
        network_input, at = model_input(x, folded), sigma.expand(len(x))
        v = backbone.denoise(network_input, at, text)
        if is_guided:
            v = guided(v, backbone.denoise(network_input, at, plain), settings.guidance_scale)
        x = solver.step(v, index, x)
    return x
