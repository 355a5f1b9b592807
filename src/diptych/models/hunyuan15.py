"""HunyuanVideo-1.5: 8.3 billion parameters, text and video in streams of their own in all 54 blocks.

The nearest open relative of the paper's backbone: noise, condition and mask on the channel axis (32 + 32 + 1), clean
latents where something is given and latent zeros where nothing is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from diptych.method.contract import Contract
from diptych.method.diffusion import TIMESTEPS
from diptych.models.attention import MaskFreeAttention, without_padding
from diptych.models.foundation import Family, Features, Foundation, Release, plain_contract, to_bytes
from diptych.models.parallel import hunyuan_plan, split_tokens
from diptych.models.protocol import Facts

FACTS = Facts(
    name="hunyuan15",
    latent_channels=32,
    spatial_stride=16,
    temporal_stride=4,
    empty="latents",
    feed_forward=r"transformer_blocks\.\d+\.ff\.net\.(0\.proj|2)",
    attention=r"transformer_blocks\.\d+\.attn\.(to_q|to_k|to_v|to_out\.0)",
    steps=50,
    guidance_scale=6.0,
)


_QWEN, _BYT5, _SIGLIP = 7.1e9, 0.22e9, 0.43e9
"""Parameters of Qwen2.5-VL's language half, of ByT5-small's encoder and of SigLIP so400m's vision tower."""

_WORDS, _GLYPHS, _PATCHES = 300, 64, 729
"""Tokens of a long prompt, of the text that is to be seen in it, and of a picture."""


class Hunyuan15(Foundation):
    """HunyuanVideo-1.5 image-to-video behind the Backbone protocol."""

    family = Family(
        name="hunyuan15",
        pipelines=("HunyuanVideo15ImageToVideoPipeline", "HunyuanVideo15ModularPipeline"),
        repository="hunyuanvideo-community/HunyuanVideo-1.5-480p_i2v",
        licence=(
            "HunyuanVideo-1.5 comes under Tencent's community licence, which grants nothing in the European Union, the "
            "United Kingdom and South Korea."
        ),
        vae="AutoencoderKLHunyuanVideo15",
        network="HunyuanVideo15Transformer3DModel",
        releases={"hunyuan15": Release(encoders=_QWEN + _BYT5 + _SIGLIP, shift=5.0)},
    )

    facts = FACTS
    _extrapolated = (r"transformer_blocks\.\d+\.(attn|ff|ff_context)",)

    def _plain_contract(self) -> Contract:
        return plain_contract(
            "hunyuan15", FACTS, lead_in=25, history=16, window_frames=121, fps=24.0, sigma_shift=self._shift
        )

    def _attend(self, *, mask_free: bool) -> None:
        """Chooses how the blocks attend: without a mask, or in diffusers' own way where samples are padded apart."""
        if mask_free == isinstance(self.transformer.transformer_blocks[0].attn.processor, MaskFreeAttention):
            return
        from diffusers.models.transformers.transformer_hunyuan_video15 import HunyuanVideo15AttnProcessor2_0

        for block in self.transformer.transformer_blocks:
            old = block.attn.processor
            new: Any = MaskFreeAttention() if mask_free else HunyuanVideo15AttnProcessor2_0()
            new._attention_backend, new._parallel_config = old._attention_backend, old._parallel_config
            block.attn.set_processor(new)

    def _share(self, processes: int) -> None:
        self._attend(mask_free=True)
        split_tokens(self.transformer, processes, hunyuan_plan())

    def _read_prompt(self, prompt: str) -> Features:
        names = (
            "encoder_hidden_states",
            "encoder_attention_mask",
            "encoder_hidden_states_2",
            "encoder_attention_mask_2",
        )
        read = self._encoders.encode_prompt(prompt=prompt, device=self.device, dtype=self.transformer.dtype)
        return dict(zip(names, read, strict=True))

    def _read_reference(self, picture: Tensor) -> Features:
        shown = Image.fromarray(to_bytes(picture).numpy())
        tokens = self._encoders.encode_image(shown, batch_size=1, device=self.device, dtype=self.transformer.dtype)
        return {"image_embeds": tokens}

    def stand_in(self) -> Features:
        """Padded text is dropped before the network, so all of it counts."""
        config, dtype = self.transformer.config, self.transformer.dtype
        return {
            "encoder_hidden_states": torch.ones(1, _WORDS, config.text_embed_dim, dtype=dtype),
            "encoder_attention_mask": torch.ones(1, _WORDS, dtype=dtype),
            "encoder_hidden_states_2": torch.ones(1, _GLYPHS, config.text_embed_2_dim, dtype=dtype),
            "encoder_attention_mask_2": torch.ones(1, _GLYPHS, dtype=dtype),
            "image_embeds": torch.ones(1, _PATCHES, config.image_embed_dim, dtype=dtype),
        }

    def _set_steps(self, scheduler: Any, steps: int, shape: Sequence[int]) -> None:
        # Sigmas are handed in: left to itself, the scheduler would shift its last one twice.
        scheduler.set_timesteps(sigmas=np.linspace(1.0, 0.0, steps + 1)[:-1], device="cpu")

    def _predict(self, x: Tensor, sigma: Tensor, features: Features) -> Tensor:
        trimmed = without_padding(features)
        self._attend(mask_free=trimmed is not None)
        features = trimmed or features
        return self._ask(self.transformer, hidden_states=x, timestep=(sigma * TIMESTEPS).to(x), **features)
