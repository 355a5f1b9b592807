"""Latents to latents: from noise to a finished canvas, by Euler steps along the predicted velocity."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from diptych.method.diffusion import euler_step, guided, sigma_schedule
from diptych.method.incontext import Condition, model_input
from diptych.models.protocol import Backbone


@dataclass(frozen=True, kw_only=True)
class SamplerSettings:
    """How a canvas is sampled.

    Attributes:
        steps: Euler steps.
        guidance_scale: pull of the prompt; 1 computes no unprompted prediction and costs half.
    """

    steps: int
    guidance_scale: float = 1.0


@torch.no_grad()
def sample(
    backbone: Backbone,
    condition: Condition,
    prompts: list[str],
    settings: SamplerSettings,
    generator: torch.Generator,
) -> Tensor:
    """Denoises a batch of canvases.

    Args:
        backbone: its contract gives the schedule's shift.
        condition: from :func:`diptych.method.incontext.canvas_condition`, b samples.
        prompts: one for each sample.
        settings: steps and guidance.
        generator: on the CPU, so that a seed means the same noise on every device.

    Returns:
        Latents of the finished canvases, ``(b, c, t', h', 2w')``; the result is their left half.
    """
    text = backbone.encode_text(prompts)
    is_guided = settings.guidance_scale != 1
    plain = backbone.encode_text([""] * len(prompts)) if is_guided else None
    x = torch.randn(condition.latents.shape, generator=generator).to(condition.latents)
    folded = backbone.fold_mask(condition)
    sigmas = sigma_schedule(settings.steps, backbone.contract.sigma_shift).to(x)
    for sigma, following in itertools.pairwise(sigmas):
        network_input, at = model_input(x, folded), sigma.expand(len(x))
        v = backbone.denoise(network_input, at, text)
        if is_guided:
            v = guided(v, backbone.denoise(network_input, at, plain), settings.guidance_scale)
        x = euler_step(x, v, sigma, following)
    return x
