"""What the rest of the house knows of a backbone: five verbs and a page of facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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
        steps: default number of sampling steps.
        guidance_scale: default; 1 means the unprompted prediction is not computed.
    """

    name: str
    latent_channels: int
    spatial_stride: int
    temporal_stride: int
    empty: Empty
    feed_forward: str
    steps: int
    guidance_scale: float


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

    def encode_text(self, prompts: Sequence[str]) -> Any:
        """Features of the prompts, in whatever form :meth:`denoise` takes them; an empty prompt is the plain one."""
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

    def decode(self, latents: Tensor) -> Tensor:
        """Latents of one panel to pixels."""
        ...
