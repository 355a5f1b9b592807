"""Flow matching: the noised latent, its velocity, the sigma schedule and one Euler step.

One convention everywhere: sigma in [0, 1], 0 = clean, 1 = noise, on the straight path

    x_sigma = (1 - sigma) * x_0 + sigma * noise        velocity v = d x_sigma / d sigma = noise - x_0

The paper prints an epsilon loss (Eq. 1); its backbone, and every open one we use, was trained on this velocity, and an
adapter has to follow its backbone (docs/deviations.md).
"""

from __future__ import annotations

import torch
from torch import Tensor

TIMESTEPS = 1000.0
"""Backbones of this family take sigma as a number in [0, 1000]."""


def per_sample(sigma: Tensor, like: Tensor) -> Tensor:
    """Shapes one sigma per sample, ``(b,)``, so that it broadcasts over ``like``, ``(b, ...)``."""
    return sigma.reshape(-1, *[1] * (like.ndim - 1)).to(like)


def noised(x0: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """The point at ``sigma`` on the straight path from data to noise.

    Args:
        x0: clean latents, ``(b, ...)``.
        noise: standard normal, same shape.
        sigma: in [0, 1], ``(b,)``.
    """
    s = per_sample(sigma, x0)
    return (1 - s) * x0 + s * noise


def velocity(x0: Tensor, noise: Tensor) -> Tensor:
    """What the network learns to predict: the path's constant direction towards noise."""
    return noise - x0


def clean_from_velocity(x: Tensor, v: Tensor, sigma: Tensor) -> Tensor:
    """The clean latents that a velocity implies; the inverse of :func:`noised` where ``v`` is exact.

    Args:
        x: latents at ``sigma``, ``(b, ...)``.
        v: velocity there, same shape.
        sigma: in [0, 1], ``(b,)``.
    """
    return x - per_sample(sigma, x) * v


def velocity_to(x0: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
    """The velocity that leads from ``x`` at ``sigma`` to the clean latents ``x0``; inverts :func:`clean_from_velocity`.

    Args:
        x0: clean latents, ``(b, ...)``.
        x: latents at ``sigma``, same shape.
        sigma: in (0, 1], ``(b,)``.
    """
    return (x - x0) / per_sample(sigma, x)


def shifted(sigma: Tensor, shift: float) -> Tensor:
    """Moves a schedule towards noise: ``shift * s / (1 + (shift - 1) * s)``, which keeps 0 and 1 where they are.

    Larger canvases keep more signal at equal sigma, so backbones trained on them use a larger shift. It is applied
    here and nowhere else: schedulers that shift again on ``set_timesteps`` are a known trap.
    """
    return shift * sigma / (1 + (shift - 1) * sigma)


def sigma_schedule(steps: int, shift: float = 1.0) -> Tensor:
    """Sigmas of a sampler: from 1 to 0 in ``steps`` Euler steps.

    Returns:
        float32, ``(steps + 1,)``, falling strictly, first 1, last 0.

    Raises:
        ValueError: if ``steps`` is below 1.
    """
    if steps < 1:
        raise ValueError(f"a sampler takes at least one step, not {steps}")
    return shifted(torch.linspace(1, 0, steps + 1, dtype=torch.float32), shift)


def draw_sigmas(count: int, generator: torch.Generator, shift: float = 1.0, spread: float | None = 1.0) -> Tensor:
    """Sigmas for training: logit-normal with the given spread (uniform where it is None), then shifted.

    Returns:
        float32, ``(count,)``, in (0, 1).
    """
    if spread is None:
        sigma = torch.rand(count, generator=generator)
    else:
        sigma = torch.sigmoid(spread * torch.randn(count, generator=generator))
    return shifted(sigma, shift)


def euler_step(x: Tensor, v: Tensor, sigma: Tensor | float, sigma_next: Tensor | float) -> Tensor:
    """One step along the velocity, from ``sigma`` down to ``sigma_next``; exact where the velocity is constant."""
    return x + (sigma_next - sigma) * v


class Euler:
    """The plain solver: Euler steps along a schedule of our own."""

    def __init__(self, steps: int, shift: float = 1.0) -> None:
        self._schedule = sigma_schedule(steps, shift)

    @property
    def sigmas(self) -> Tensor:
        """Where the network is asked, ``(steps,)``."""
        return self._schedule[:-1]

    def step(self, v: Tensor, index: int, x: Tensor) -> Tensor:
        """From the ``index``-th sigma to the next."""
        return euler_step(x, v, *self._schedule[index : index + 2].to(x))


def guided(v_text: Tensor, v_plain: Tensor, guidance_scale: float) -> Tensor:
    """Classifier-free guidance on velocities; scale 1 is the prompted prediction itself."""
    return v_plain + guidance_scale * (v_text - v_plain)


def seeded(seed: int, *numbers: int) -> torch.Generator:
    """A generator on the CPU that follows from a seed and a place (step, process, window) alone.

    So a resumed run, whichever place it resumes at, draws what the unbroken one would have drawn, on every device.
    """
    mixed = seed
    for number in numbers:
        # An odd multiplier spreads neighbouring numbers over all 64 bits.
        mixed = (mixed * 0x9E3779B97F4A7C15 + number + 1) % (1 << 64)
    return torch.Generator().manual_seed(mixed % (1 << 63))
