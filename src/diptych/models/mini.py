"""The mini: Diptych's own small backbone, trained here on puppets, running on any CPU.

Its denoiser is diffusers' Motif transformer with dual-stream blocks only, at a few million parameters; its VAE codes
patches (``patches.py``). What is trained is all of it; there is no foundation beneath.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from diptych.method.contract import Contract
from diptych.method.diffusion import TIMESTEPS, velocity_to
from diptych.method.incontext import Condition
from diptych.models.patches import PatchVae
from diptych.models.protocol import Facts
from diptych.models.words import WordEncoder, tokens

FACTS = Facts(
    name="mini",
    latent_channels=128,
    spatial_stride=16,
    temporal_stride=4,
    empty="latents",
    feed_forward=r"transformer_blocks\.\d+\.ff\.net\.(0\.proj|2)",
    steps=8,
    guidance_scale=1.0,
)


@dataclass(frozen=True, kw_only=True)
class DenoiserConfig:
    """Size of the mini's transformer and text encoder.

    Attributes:
        heads: attention heads of 32 channels each.
        blocks: dual-stream blocks.
        text_width: channels of a word.
        text_length: words kept of a prompt.
        text_buckets: size of the table of words.
    """

    heads: int = 6
    blocks: int = 3
    text_width: int = 64
    text_length: int = 24
    text_buckets: int = 1024


SIGMA_FLOOR = 0.1
"""Below this sigma the clean canvas is as good as reached; velocities are not divided by less."""


def contract(panel_area: int = 64 * 64) -> Contract:
    """What the mini is trained for, at a given size."""
    return Contract(
        backbone="mini",
        motion="rgb",
        layout="full",
        empty=FACTS.empty,
        mask_rule="all-frames",
        lead_in=5,
        history=4,
        window_frames=17,
        panel_area=panel_area,
        panel_multiple=FACTS.spatial_stride,
        fps=(6.0, 30.0),
        # What is to be made is mostly decided near pure noise, since the motion is given: sigmas crowd there.
        sigma_shift=2.0,
        loss_region="output",
        text=True,
    )


class Denoiser(nn.Module):
    """Transformer and text encoder: all that the denoising loss trains.

    Inside, the network predicts the clean canvas and the velocity follows from it: a canvas has far fewer directions
    than noise has, and a narrow network need not carry the noise through to its output.
    """

    def __init__(self, config: DenoiserConfig, channels: int = FACTS.latent_channels) -> None:
        super().__init__()
        from diffusers import MotifVideoTransformer3DModel

        self.words = WordEncoder(config.text_width, config.text_length, config.text_buckets)
        self.transformer = MotifVideoTransformer3DModel(
            in_channels=2 * channels + 1,
            out_channels=channels,
            patch_size=1,
            num_single_layers=0,
            num_layers=config.blocks,
            num_attention_heads=config.heads,
            attention_head_dim=32,
            text_embed_dim=config.text_width,
            rope_axes_dim=(8, 12, 12),
        )

    def forward(self, x: Tensor, sigma: Tensor, rows: Tensor) -> Tensor:
        """The velocity.

        Args:
            x: model input, ``(b, 2c + 1, t', h', 2w')``.
            sigma: in [0, 1], ``(b,)``.
            rows: token rows of the prompts, int64 ``(b, length)``.

        Returns:
            ``(b, c, t', h', 2w')``.
        """
        clean = self.transformer(
            hidden_states=x,
            timestep=sigma * TIMESTEPS,
            encoder_hidden_states=self.words(rows),
            return_dict=False,
        )[0]
        return velocity_to(clean, x[:, : clean.shape[1]], sigma.clamp_min(SIGMA_FLOOR))


@dataclass(frozen=True, eq=False)
class MiniBackbone:
    """The mini behind the Backbone protocol.

    Attributes:
        vae: pixels to latents and back.
        denoiser: transformer and text encoder; None where only the VAE is there yet.
        contract: what the weights were trained for.
        notes: how the weights came to be (steps, samples, score), for run.json and ``doctor``.
    """

    vae: PatchVae
    denoiser: Denoiser | None
    contract: Contract
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> Facts:
        """What the mini is."""
        return FACTS

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.vae.mend.place.device

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Token rows, int64 ``(b, length)``; the words' vectors are part of the denoiser."""
        words = self._denoiser.words
        return tokens(prompts, words.length, words.buckets).to(self.device)

    def encode_canvas(self, pixels: Tensor) -> Tensor:
        """Pixels ``(b, 3, t, h, 2w)`` to latents ``(b, 128, t', h', 2w')``, float32."""
        return self.vae.encode(pixels).float()

    def fold_mask(self, condition: Condition) -> Condition:
        """The mini takes the mask as it is, one channel."""
        return condition

    def denoise(self, x: Tensor, sigma: Tensor, text: Tensor) -> Tensor:
        """The velocity, float32."""
        return self._denoiser(x, sigma, text).float()

    def decode(self, latents: Tensor) -> Tensor:
        """Latents of one panel to pixels, float32, clamped to [-1, 1]."""
        return self.vae.decode(latents).float().clamp(-1, 1)

    @property
    def _denoiser(self) -> Denoiser:
        if self.denoiser is None:
            raise ValueError("this mini has a VAE but no denoiser yet")
        return self.denoiser
