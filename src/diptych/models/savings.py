"""Less memory or less time for foundation backbones, each by diffusers' own means and off until it is asked for."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from diptych.types import InputError

StepCache = Literal["first-block", "taylor"]
Offload = Literal["block", "leaf"]
Storage = Literal["fp8", "int8"]


@dataclass(frozen=True, kw_only=True)
class Savings:
    """What is saved, and how.

    Attributes:
        step_cache: ``first-block`` skips the network where its first block says what it said a step before;
            ``taylor`` computes layers every few steps and extrapolates between. Both change the result a little.
        offload: weights wait in main memory and come to the GPU by blocks or by single layers, just before use.
        storage: weights are kept in 8 bits, as floats that are widened for use or as whole numbers.
        vae_tiling: the VAE works on overlapping tiles; seams are possible.
        compile: the repeated blocks are compiled; the first step takes a minute longer.
        attention: name of one of diffusers' attention back-ends, such as ``flash`` or ``sage``.
    """

    step_cache: StepCache | None = None
    offload: Offload | None = None
    storage: Storage | None = None
    vae_tiling: bool = False
    compile: bool = False
    attention: str | None = None


def save(savings: Savings, networks: Sequence[Any], vae: Any, device: torch.device, cached: Sequence[str]) -> None:
    """Applies savings to loaded networks, adapters included; once.

    Args:
        savings: which.
        networks: of the backbone.
        vae: its VAE.
        device: where they run.
        cached: regular expressions of the layers that ``taylor`` may extrapolate.

    Raises:
        InputError: if a library or a back-end is missing.
    """
    if savings.vae_tiling:
        vae.enable_tiling()
    for network in networks:
        if savings.storage == "int8":
            _to_int8(network)
        elif savings.storage == "fp8":
            network.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=network.dtype)
        if savings.attention is not None:
            _choose_attention(network, savings.attention)
        if savings.step_cache is not None:
            network.enable_cache(step_cache(savings.step_cache, cached))
        if savings.compile:
            network.compile_repeated_blocks(fullgraph=False)
        if savings.offload is not None:
            network.enable_group_offload(
                onload_device=device,
                offload_device=torch.device("cpu"),
                offload_type=f"{savings.offload}_level",
                num_blocks_per_group=1 if savings.offload == "block" else None,
                use_stream=device.type == "cuda",
            )


def register_blocks() -> None:
    """Tells diffusers' step caches what HunyuanVideo-1.5's blocks return, which they do not know by themselves."""
    from diffusers.hooks._helpers import TransformerBlockMetadata, TransformerBlockRegistry
    from diffusers.models.transformers.transformer_hunyuan_video15 import HunyuanVideo15TransformerBlock

    TransformerBlockRegistry.register(
        model_class=HunyuanVideo15TransformerBlock,
        metadata=TransformerBlockMetadata(return_hidden_states_index=0, return_encoder_hidden_states_index=1),
    )


def step_cache(kind: StepCache, cached: Sequence[str]) -> Any:
    """Settings of a step cache for diffusers; ``cached`` are the layers that ``taylor`` may extrapolate."""
    from diffusers import FirstBlockCacheConfig, TaylorSeerCacheConfig

    if kind == "first-block":
        register_blocks()
        return FirstBlockCacheConfig(threshold=0.05)
    return TaylorSeerCacheConfig(cache_interval=4, cache_identifiers=list(cached), taylor_factors_dtype=None)


def _to_int8(network: Any) -> None:
    if importlib.util.find_spec("torchao") is None:
        raise InputError("--storage int8 needs torchao, which is not installed; run pip install 'diptych[int8]'.")
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    quantize_(network, Int8WeightOnlyConfig())


def _choose_attention(network: Any, name: str) -> None:
    try:
        network.set_attention_backend(name)
    except (ValueError, RuntimeError, ImportError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"the attention back-end {name!r} cannot be used here ({reason}); try native.") from None
