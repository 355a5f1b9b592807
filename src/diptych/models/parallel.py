"""One canvas on several devices: its tokens are split between processes, and each has all the weights.

diffusers splits and gathers by a plan, and its attention hands heads around instead of tokens (Ulysses). Wan brings its
plan. HunyuanVideo-1.5 gets one here, and needs attention without a mask (``attention.py``). Motif masks its text and
reads it in cross-attention too, so its text stays whole in every process, and keys and values are handed around.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor


def rank_and_size() -> tuple[int, int]:
    """Which of how many processes this is, as ``torchrun`` says it; 0 of 1 without."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    return (int(os.environ.get("RANK", "0")), size) if size > 1 else (0, 1)


def join() -> None:
    """Joins the processes that ``torchrun`` started, each with its own device."""
    if torch.distributed.is_initialized():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def hunyuan_plan() -> dict[str, Any]:
    """Video and text are split before the first block, places with the video; the video is put together at the end."""
    from diffusers.models._modeling_parallel import ContextParallelInput, ContextParallelOutput

    tokens = ContextParallelInput(split_dim=1, expected_dims=3, split_output=False)
    places = ContextParallelInput(split_dim=0, expected_dims=2, split_output=True)
    return {
        "transformer_blocks.0": {"hidden_states": tokens, "encoder_hidden_states": tokens},
        "rope": {0: places, 1: places},
        "proj_out": ContextParallelOutput(gather_dim=1, expected_dims=3),
    }


def motif_plan(network: Any) -> dict[str, Any]:
    """The video is split before the first block, and once more before the first decoder block, which begins anew."""
    from diffusers.models._modeling_parallel import ContextParallelInput, ContextParallelOutput

    video = ContextParallelInput(split_dim=1, expected_dims=3, split_output=False)
    places = ContextParallelInput(split_dim=0, expected_dims=2, split_output=True)
    plan: dict[str, Any] = {
        "transformer_blocks.0": {"hidden_states": video},
        "rope": {0: places, 1: places},
        "proj_out": ContextParallelOutput(gather_dim=1, expected_dims=3),
    }
    if network.num_decoder_layers > 0:
        first = len(network.single_transformer_blocks) - network.num_decoder_layers
        plan[f"single_transformer_blocks.{first}"] = {"hidden_states": video}
    return plan


def split_tokens(network: Any, processes: int, plan: dict[str, Any] | None, *, evenly: bool = False) -> None:
    """Splits what a network works on between the processes of the initialised group.

    Args:
        network: the same in every process.
        processes: how many.
        plan: where tokens are split and put together; None is the network's own.
        evenly: whether tokens must divide by the processes.
    """
    from diffusers import ContextParallelConfig

    network.enable_parallelism(
        config=ContextParallelConfig(ulysses_degree=processes, ulysses_anything=not evenly), cp_plan=plan
    )


def exchange_keys(network: Any) -> None:
    """Puts attention that gathers keys and values in the place of Motif's own."""
    singles = list(network.single_transformer_blocks)
    decoders = singles[len(singles) - network.num_decoder_layers :] if network.num_decoder_layers else []
    for block in [*network.transformer_blocks, *singles]:
        # What a decoder block reads beside its own video is the encoder's video, and that is split as well.
        is_split = any(block is decoder for decoder in decoders)
        block.attn.set_processor(GatheringAttention(is_split))
        if block.cross_attn is not None:
            block.cross_attn.set_processor(GatheringCrossAttention(is_split))


class GatheringAttention:
    """Joint attention in which this process's tokens ask and everybody's answer.

    Args:
        context_is_split: whether the second stream is split between processes as the video is, or whole in each.
    """

    def __init__(self, context_is_split: bool) -> None:
        self._context_is_split = context_is_split

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Any = None,
    ) -> tuple[Tensor, Tensor]:
        """This process's part of both streams.

        Args:
            attn: the block's attention module, whose projections are used.
            hidden_states: video tokens of this process, ``(b, n, d)``.
            encoder_hidden_states: ``(b, m, d)``.
            attention_mask: over all video tokens, then the context, ``(b, 1, 1, N + m)``.
            image_rotary_emb: places of this process's video tokens.

        Returns:
            Both, as they were shaped.
        """
        from diffusers.models.embeddings import apply_rotary_emb

        q, k, v = _projected(attn, hidden_states, (attn.to_q, attn.to_k, attn.to_v), (attn.norm_q, attn.norm_k))
        if image_rotary_emb is not None:
            q, k = (apply_rotary_emb(tokens, image_rotary_emb, sequence_dim=1) for tokens in (q, k))
        if attn.add_q_proj is not None:
            layers, norms = (attn.add_q_proj, attn.add_k_proj, attn.add_v_proj), (attn.norm_added_q, attn.norm_added_k)
        else:
            layers, norms = (attn.to_q, attn.to_k, attn.to_v), (attn.norm_q, attn.norm_k)
        context_q, context_k, context_v = _projected(attn, encoder_hidden_states, layers, norms)
        k, v = gathered(k), gathered(v)
        if self._context_is_split:
            context_k, context_v = gathered(context_k), gathered(context_v)
        attended = _attend(
            torch.cat([q, context_q], dim=1),
            torch.cat([k, context_k], dim=1),
            torch.cat([v, context_v], dim=1),
            attention_mask,
        )
        video, context = attended.split([hidden_states.shape[1], encoder_hidden_states.shape[1]], dim=1)
        if attn.to_out is not None:
            video = attn.to_out[1](attn.to_out[0](video))
        if attn.to_add_out is not None:
            context = attn.to_add_out(context)
        return video, context


class GatheringCrossAttention:
    """Cross-attention from this process's video to the text, or to everybody's video in decoder blocks.

    Args:
        context_is_split: as for :class:`GatheringAttention`.
    """

    def __init__(self, context_is_split: bool) -> None:
        self._context_is_split = context_is_split

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Any = None,
        image_embed_seq_len: int = 0,
    ) -> Tensor:
        """This process's video after a look at the context, ``(b, n, d)``."""
        from diffusers.models.embeddings import apply_rotary_emb

        words = encoder_hidden_states[:, image_embed_seq_len:]
        mask = None if attention_mask is None else attention_mask[..., attention_mask.shape[-1] - words.shape[1] :]
        layers = (attn.to_k, attn.to_v)
        q = attn.to_q(hidden_states).unflatten(2, (attn.heads, -1))
        k, v = (layer(words).unflatten(2, (attn.heads, -1)) for layer in layers)
        q = attn.norm_q(q) if attn.norm_q is not None else q
        k = attn.norm_k(k) if attn.norm_k is not None else k
        if image_rotary_emb is not None:
            q = apply_rotary_emb(q, image_rotary_emb, sequence_dim=1)
        if self._context_is_split:
            k, v = gathered(k), gathered(v)
        seen: Tensor = attn.to_out[1](attn.to_out[0](_attend(q, k, v, mask)))
        return seen


def gathered(tokens: Tensor) -> Tensor:
    """The tokens of all processes in their order, ``(b, n, ...)`` to ``(b, processes n, ...)``."""
    everybody = [torch.empty_like(tokens) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(everybody, tokens.contiguous())
    return torch.cat(everybody, dim=1)


def _projected(attn: Any, tokens: Tensor, layers: Any, norms: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values by heads, ``(b, n, heads, d)``."""
    q, k, v = (layer(tokens).unflatten(2, (attn.heads, -1)) for layer in layers)
    q, k = (norm(value) if norm is not None else value for norm, value in zip(norms, (q, k), strict=True))
    return q, k, v


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    from diffusers.models.attention_dispatch import dispatch_attention_fn

    attended: Tensor = dispatch_attention_fn(q, k, v, attn_mask=mask)
    return attended.flatten(2, 3).to(q.dtype)
