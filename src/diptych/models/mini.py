"""The mini: Diptych's own small backbone, trained here on puppets, running on any CPU.

The network classes are diffusers' own (a Motif transformer with dual-stream blocks only, a HunyuanVideo-1.5 VAE), at a
few million parameters. What is trained is all of it; there is no foundation beneath.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from diptych.method.contract import Contract
from diptych.method.diffusion import TIMESTEPS
from diptych.method.incontext import Condition
from diptych.models.protocol import Facts
from diptych.models.words import WordEncoder, tokens

FACTS = Facts(
    name="mini",
    latent_channels=32,
    spatial_stride=16,
    temporal_stride=4,
    empty="latents",
    feed_forward=r"transformer_blocks\.\d+\.ff\.net\.(0\.proj|2)",
    steps=8,
    guidance_scale=1.0,
)


@dataclass(frozen=True, kw_only=True)
class VaeConfig:
    """Size of the mini's VAE.

    Attributes:
        channels: of the five stages, from pixels to latents.
        layers: residual blocks a stage.
    """

    channels: tuple[int, ...] = (16, 16, 32, 64, 64)
    layers: int = 1


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
        sigma_shift=1.0,
        loss_region="output",
        text=True,
    )


def build_vae(config: VaeConfig) -> Any:
    """A new VAE of the given size, ``AutoencoderKLHunyuanVideo15`` with a mask that works for batches."""
    from diffusers import AutoencoderKLHunyuanVideo15

    vae = AutoencoderKLHunyuanVideo15(
        latent_channels=FACTS.latent_channels,
        block_out_channels=config.channels,
        layers_per_block=config.layers,
        spatial_compression_ratio=FACTS.spatial_stride,
        temporal_compression_ratio=FACTS.temporal_stride,
    )
    # diffusers 0.42's own mask has no axis for heads, so batches above one fail to broadcast, and it is filled row by
    # row in Python; each attention block of this VAE gets one that is right for any batch.
    for module in vae.modules():
        if hasattr(module, "prepare_causal_attention_mask"):
            module.prepare_causal_attention_mask = _causal_frames
    return vae


def _causal_frames(n_frame: int, n_hw: int, dtype: torch.dtype, device: torch.device, **_: object) -> Tensor:
    """Additive mask, ``(1, 1, s, s)``: a cell sees its own frame and earlier ones."""
    frame = torch.arange(n_frame * n_hw, device=device) // n_hw
    future = frame[None, :] > frame[:, None]
    return torch.zeros(future.shape, dtype=dtype, device=device).masked_fill(future, float("-inf"))[None, None]


class Denoiser(nn.Module):
    """Transformer and text encoder: all that the denoising loss trains."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        from diffusers import MotifVideoTransformer3DModel

        self.words = WordEncoder(config.text_width, config.text_length, config.text_buckets)
        self.transformer = MotifVideoTransformer3DModel(
            in_channels=2 * FACTS.latent_channels + 1,
            out_channels=FACTS.latent_channels,
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
            x: model input, ``(b, 65, t', h', 2w')``.
            sigma: in [0, 1], ``(b,)``.
            rows: token rows of the prompts, int64 ``(b, length)``.

        Returns:
            ``(b, 32, t', h', 2w')``.
        """
        return self.transformer(
            hidden_states=x,
            timestep=sigma * TIMESTEPS,
            encoder_hidden_states=self.words(rows),
            return_dict=False,
        )[0]


@dataclass(frozen=True, eq=False)
class LatentScale:
    """Per-channel statistics that bring the VAE's latents to zero mean and unit variance.

    Attributes:
        mean: ``(c,)``.
        std: ``(c,)``, above 0.
    """

    mean: Tensor
    std: Tensor

    def normalise(self, latents: Tensor) -> Tensor:
        """From the VAE's own latents, ``(b, c, ...)``, to the denoiser's."""
        return (latents - self._shaped(self.mean, latents)) / self._shaped(self.std, latents)

    def restore(self, latents: Tensor) -> Tensor:
        """The inverse of :meth:`normalise`."""
        return latents * self._shaped(self.std, latents) + self._shaped(self.mean, latents)

    @staticmethod
    def _shaped(values: Tensor, like: Tensor) -> Tensor:
        return values.to(like).reshape(1, -1, *[1] * (like.ndim - 2))


@dataclass(frozen=True, eq=False)
class MiniBackbone:
    """The mini behind the Backbone protocol.

    Attributes:
        vae: pixels to latents and back, diffusers' class (which ships no types).
        denoiser: transformer and text encoder; None where only the VAE is there yet.
        scale: statistics of the latents.
        contract: what the weights were trained for.
        notes: how the weights came to be (steps, samples, score), for run.json and ``doctor``.
    """

    vae: Any
    denoiser: Denoiser | None
    scale: LatentScale
    contract: Contract
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> Facts:
        """What the mini is."""
        return FACTS

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.vae.parameters()).device

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Token rows, int64 ``(b, length)``; the words' vectors are part of the denoiser."""
        words = self._denoiser.words
        return tokens(prompts, words.length, words.buckets).to(self.device)

    def encode_canvas(self, pixels: Tensor) -> Tensor:
        """Pixels ``(b, 3, t, h, 2w)`` to normalised latents ``(b, 32, t', h', 2w')``, float32."""
        return self.scale.normalise(self.vae.encode(pixels).latent_dist.mode().float())

    def fold_mask(self, condition: Condition) -> Condition:
        """The mini takes the mask as it is, one channel."""
        return condition

    def denoise(self, x: Tensor, sigma: Tensor, text: Tensor) -> Tensor:
        """The velocity, float32."""
        return self._denoiser(x, sigma, text).float()

    def decode(self, latents: Tensor) -> Tensor:
        """Normalised latents of one panel to pixels, float32, clamped to [-1, 1]."""
        return self.vae.decode(self.scale.restore(latents)).sample.float().clamp(-1, 1)

    @property
    def _denoiser(self) -> Denoiser:
        if self.denoiser is None:
            raise ValueError("this mini has a VAE but no denoiser yet")
        return self.denoiser
