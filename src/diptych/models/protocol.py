"""What the rest of the house knows of a backbone: a handful of verbs and a page of facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from diptych.method.contract import Contract
from diptych.method.incontext import Condition, Empty


@dataclass(frozen=True)
class Facts:
    """What a backbone is, whatever it was adapted to.

    Attributes:
        name: one word, as on the command line.
        latent_channels: c.
        spatial_stride: pixels per latent cell.
        temporal_stride: frames per latent cell after the first.
        empty: how it was taught that nothing is there.
        feed_forward: regular expression, matched in full, of the feed-forward layers of the video branch.
        attention: the same of its attention's projections, for comparisons: the paper's adapter leaves them alone.
        steps: default number of sampling steps.
        guidance_scale: default; 1 means the unprompted prediction is not computed.
        fast: what is done with drivers above the frame rates it knows: interleaved ``phases``, each made, or every n-th
            frame made and the others a ``fill`` between them.
        continues: whether it does better with the end of what was made, or with each window opened anew.
    """

    name: str
    latent_channels: int
    spatial_stride: int
    temporal_stride: int
    empty: Empty
    feed_forward: str
    attention: str
    steps: int
    guidance_scale: float
    continues: bool = True
    fast: Literal["phases", "fill"] = "phases"


class Solver(Protocol):
    """From noise to latents in a number of steps, on the schedule that a backbone was trained for."""

    @property
    def sigmas(self) -> Tensor:
        """Where the network is asked, falling, in (0, 1], ``(steps,)``."""
        ...

    def step(self, v: Tensor, index: int, x: Tensor) -> Tensor:
        """The latents after a step.

        Args:
            v: velocity at the ``index``-th sigma.
            index: from 0; steps are taken in order, since a solver may remember earlier ones.
            x: latents there, same shape.
        """
        ...


class Backbone(Protocol):
    """A video diffusion transformer with its VAE and text encoder, as everything above sees it.

    Pixels are ``(b, 3, t, h, w)`` in [-1, 1]; latents ``(b, c, t', h', w')``, normalised to about unit variance.
    """

    @property
    def facts(self) -> Facts:
        """What the backbone is."""
        ...

    @property
    def contract(self) -> Contract:
        """What its weights, or the adapter on them, were trained for."""
        ...

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        ...

    @property
    def identity(self) -> dict[str, str]:
        """Which weights these are, by file: what a result can be traced to."""
        ...

    def encode_text(self, prompts: Sequence[str], references: Tensor | None = None) -> Any:
        """Features of the prompts, in whatever form :meth:`denoise` takes them; an empty prompt is the plain one.

        Args:
            prompts: b texts.
            references: the picture of each sample as it stands in its panel, in [-1, 1], ``(b, 3, h, w)``, for
                backbones that also read it as tokens.
        """
        ...

    def encode_canvas(self, pixels: Tensor) -> Tensor:
        """A canvas, always as one clip, to latents (the mode of the posterior, no noise)."""
        ...

    def fold_mask(self, condition: Condition) -> Condition:
        """The condition with its mask in the form the network takes (one channel, or frames folded into channels)."""
        ...

    def denoise(self, x: Tensor, sigma: Tensor, text: Any) -> Tensor:
        """The velocity.

        Args:
            x: from :func:`diptych.method.incontext.model_input`, ``(b, 2c + m, t', h', 2w')``.
            sigma: in [0, 1], ``(b,)``.
            text: from :meth:`encode_text`.

        Returns:
            ``(b, c, t', h', 2w')``.
        """
        ...

    def solver(self, steps: int, shape: Sequence[int]) -> Solver:
        """A fresh solver for latents ``(b, c, t', h', 2w')``: schedule and shift are the backbone's own."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """Latents of one panel to pixels."""
        ...
