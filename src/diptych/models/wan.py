"""Wan image-to-video: 2.1 with image tokens, 2.2 with two experts that share the noise levels between them.

Text comes in by cross-attention; the channels are noise 16, mask 4, condition 16. The mask's four channels are the four
frames of a latent cell. Nothing is marked by latent zeros here: what is empty is grey and goes through the VAE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from diptych.method.contract import Contract
from diptych.method.diffusion import TIMESTEPS
from diptych.method.incontext import Condition
from diptych.models.foundation import Family, Features, Foundation, Release, plain_contract, to_bytes
from diptych.models.parallel import split_tokens
from diptych.models.protocol import Facts

FACTS = Facts(
    name="wan",
    latent_channels=16,
    spatial_stride=8,
    temporal_stride=4,
    empty="pixels",
    feed_forward=r"blocks\.\d+\.ffn\.net\.(0\.proj|2)",
    attention=r"blocks\.\d+\.attn1\.(to_q|to_k|to_v|to_out\.0)",
    steps=40,
    guidance_scale=5.0,
)

_LONGEST_PROMPT = 512
_PATCHES = 257
"""Tokens of a picture."""

_UMT5, _CLIP = 5.7e9, 0.63e9
"""Parameters of UMT5-XXL's encoder and of CLIP ViT-H's vision tower."""


class Wan(Foundation):
    """Wan 2.1 I2V or 2.2 I2V-A14B behind the Backbone protocol; the repository says which."""

    family = Family(
        name="wan",
        pipelines=("WanImageToVideoPipeline",),
        repository="Wan-AI/Wan2.2-I2V-A14B-Diffusers",
        licence="Wan comes under the Apache licence, version 2.0.",
        vae="AutoencoderKLWan",
        network="WanTransformer3DModel",
        releases={
            "wan2.2": Release(network={"in_channels": 36}, encoders=_UMT5, shift=3.0, index={"boundary_ratio": 0.9}),
            "wan2.1": Release(
                network={"in_channels": 36, "image_dim": 1280, "added_kv_proj_dim": 5120},
                encoders=_UMT5 + _CLIP,
                shift=3.0,
            ),
        },
    )

    facts = FACTS
    _extrapolated = (r"blocks\.\d+\.(attn1|attn2|ffn)",)

    @property
    def boundary(self) -> float | None:
        """The sigma from which on, upwards, the expert for high noise is asked; None where there is one network."""
        ratio = self._index.get("boundary_ratio")
        return None if ratio is None else float(ratio)

    @property
    def _parts(self) -> tuple[str, ...]:
        """One network, or an expert for high noise and one for low."""
        return ("transformer",) if self.boundary is None else ("transformer", "transformer_2")

    def _plain_contract(self) -> Contract:
        release = "wan2.1" if self.boundary is None else "wan2.2"
        contract = plain_contract(
            release, FACTS, lead_in=17, history=12, window_frames=81, fps=16.0, sigma_shift=self._shift
        )
        experts = None if self.boundary is None else self._parts
        return replace(contract, experts=experts, boundary=self.boundary)

    def _share(self, processes: int) -> None:
        for network in self.networks:
            split_tokens(network, processes, None)

    def _read_prompt(self, prompt: str) -> Features:
        read = self._encoders.encode_prompt(
            prompt, do_classifier_free_guidance=False, max_sequence_length=_LONGEST_PROMPT, device=self.device
        )[0]
        return {"encoder_hidden_states": read.to(self.transformer.dtype)}

    def _read_reference(self, picture: Tensor) -> Features:
        if self.transformer.config.image_dim is None:
            return {}
        shown = Image.fromarray(to_bytes(picture).numpy())
        tokens = self._encoders.encode_image(shown, self.device)
        return {"encoder_hidden_states_image": tokens.to(self.transformer.dtype)}

    def stand_in(self) -> Features:
        """Prompts are padded to one length, and all of it is attended to."""
        config, dtype = self.transformer.config, self.transformer.dtype
        features = {"encoder_hidden_states": torch.ones(1, _LONGEST_PROMPT, config.text_dim, dtype=dtype)}
        if config.image_dim is not None:
            features["encoder_hidden_states_image"] = torch.ones(1, _PATCHES, config.image_dim, dtype=dtype)
        return features

    def fold_mask(self, condition: Condition) -> Condition:
        """Four channels, one for each frame of a latent cell."""
        return fold_by_frames(condition)

    def _set_steps(self, scheduler: Any, steps: int, shape: Sequence[int]) -> None:
        scheduler.set_timesteps(steps, device="cpu")

    def _predict(self, x: Tensor, sigma: Tensor, features: Features) -> Tensor:
        noisy, known, mask = x.split([FACTS.latent_channels, FACTS.latent_channels, FACTS.temporal_stride], dim=1)
        # The schedule is whole timesteps, so half a one below the boundary is below it.
        is_high = self.boundary is None or bool((sigma * TIMESTEPS >= self.boundary * TIMESTEPS - 1e-3).all())
        network = self._networks[0 if is_high else 1]
        return self._ask(
            network, hidden_states=torch.cat([noisy, mask, known], dim=1), timestep=sigma * TIMESTEPS, **features
        )


def fold_by_frames(condition: Condition) -> Condition:
    """The mask in four channels, one for each frame of a cell; borders lie between cells, so all four agree."""
    return replace(condition, mask=condition.mask.expand(-1, FACTS.temporal_stride, -1, -1, -1))
