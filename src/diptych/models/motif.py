"""Motif-Video: two billion parameters, text and video in streams of their own in the first blocks; for small cards.

Noise, condition and mask on the channel axis (16 + 16 + 1) with Wan's VAE; nothing given is latent zeros. One encoder
reads the text and, in its vision tower, the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diptych.method.contract import Contract
from diptych.method.diffusion import TIMESTEPS
from diptych.models.foundation import Family, Features, Foundation, Release, plain_contract
from diptych.models.parallel import exchange_keys, motif_plan, split_tokens
from diptych.models.protocol import Facts

FACTS = Facts(
    name="motif",
    latent_channels=16,
    spatial_stride=8,
    temporal_stride=4,
    empty="latents",
    feed_forward=r"transformer_blocks\.\d+\.ff\.net\.(0\.proj|2)",
    attention=r"transformer_blocks\.\d+\.attn\.(to_q|to_k|to_v|to_out\.0)",
    steps=50,
    guidance_scale=8.0,
)


_WORDS, _PATCHES = 512, 729
"""Tokens of a prompt with its padding, and of a picture."""

_ENCODER = 4.3e9
"""Parameters of the encoder of text and picture, about."""


class Motif(Foundation):
    """Motif-Video image-to-video behind the Backbone protocol."""

    family = Family(
        name="motif",
        pipelines=("MotifVideoImage2VideoPipeline", "MotifVideoPipeline"),
        repository="Motif-Technologies/Motif-Video-2B",
        licence="Motif-Video comes under the licence that its repository names; read it before you publish.",
        vae="AutoencoderKLWan",
        network="MotifVideoTransformer3DModel",
        releases={
            "motif": Release(
                network={
                    "in_channels": 33,
                    "num_attention_heads": 12,
                    "num_layers": 12,
                    "num_single_layers": 16,
                    "num_decoder_layers": 8,
                    "image_embed_dim": 1152,
                },
                encoders=_ENCODER,
            )
        },
    )

    # Its decoder blocks begin from the first block's input again, which diffusers' cache does not follow.
    _skips_by_first_block = False
    facts = FACTS
    _extrapolated = (r"transformer_blocks\.\d+\.(attn|ff|ff_context)", r"single_transformer_blocks\.\d+\.attn")

    def _plain_contract(self) -> Contract:
        return plain_contract(
            "motif", FACTS, lead_in=25, history=16, window_frames=121, fps=24.0, sigma_shift=self._shift
        )

    def _share(self, processes: int) -> None:
        split_tokens(self.transformer, processes, motif_plan(self.transformer), evenly=True)
        exchange_keys(self.transformer)

    def _read_prompt(self, prompt: str) -> Features:
        read = self._encoders.encode_prompt(prompt, device=self.device, dtype=self.transformer.dtype)
        return {"encoder_hidden_states": read[0], "encoder_attention_mask": read[2]}

    def _read_reference(self, picture: Tensor) -> Features:
        encoders = self._encoders
        tokens = encoders._get_image_embeds(
            image_encoder=encoders.text_encoder.vision_tower,
            feature_extractor=encoders.feature_extractor,
            image=((picture + 1) / 2).clamp(0, 1)[None],
            device=self.device,
        )
        return {"image_embeds": tokens.to(self.transformer.dtype)}

    def stand_in(self) -> Features:
        """Padding is masked, and costs what text costs."""
        config, dtype = self.transformer.config, self.transformer.dtype
        return {
            "encoder_hidden_states": torch.ones(1, _WORDS, config.text_embed_dim, dtype=dtype),
            "encoder_attention_mask": torch.ones(1, _WORDS, dtype=torch.bool),
            "image_embeds": torch.ones(1, _PATCHES, config.image_embed_dim, dtype=dtype),
        }

    def _set_steps(self, scheduler: Any, steps: int, shape: Sequence[int]) -> None:
        # The shift grows with the number of tokens, as in the family's own pipeline.
        from diffusers.pipelines.motif_video.pipeline_motif_video_image2video import calculate_shift

        config, network = scheduler.config, self.transformer.config
        t, h, w = shape[-3:]
        tokens = (t // network.patch_size_t) * (h // network.patch_size) * (w // network.patch_size)
        shift = calculate_shift(
            tokens,
            config.get("base_image_seq_len", 256),
            config.get("max_image_seq_len", 4096),
            config.get("base_shift", 0.5),
            config.get("max_shift", 1.15),
        )
        scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=shift, device="cpu")

    def _predict(self, x: Tensor, sigma: Tensor, features: Features) -> Tensor:
        return self._ask(self.transformer, hidden_states=x, timestep=sigma * TIMESTEPS, **features)
