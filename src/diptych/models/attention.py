"""HunyuanVideo-1.5's joint attention without a mask.

The stock processor builds a mask of all tokens by all tokens in every layer, although only padded text is ever masked:
at 96,720 tokens (a 480p canvas of 121 frames) that is 9 GiB a mask, and no kernel for fast attention takes one. Here
padded text is dropped before the network, and what is left attends to everything.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

Features = dict[str, Tensor]

_MASKED = {
    "encoder_hidden_states": "encoder_attention_mask",
    "encoder_hidden_states_2": "encoder_attention_mask_2",
}


class MaskFreeAttention:
    """A processor for the dual-stream blocks; every token that it is given counts."""

    _attention_backend: Any = None
    _parallel_config: Any = None

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Any = None,
    ) -> tuple[Tensor, Tensor]:
        """Video and text attend to one another.

        Args:
            attn: the block's attention module, whose projections are used.
            hidden_states: video tokens, ``(b, n, d)``.
            encoder_hidden_states: text tokens, ``(b, m, d)``.
            attention_mask: not looked at.
            image_rotary_emb: places of the video tokens.

        Returns:
            Both, as they were shaped.
        """
        from diffusers.models.attention_dispatch import dispatch_attention_fn
        from diffusers.models.embeddings import apply_rotary_emb

        def heads(tokens: Tensor) -> Tensor:
            return tokens.unflatten(2, (attn.heads, -1))

        q = attn.norm_q(heads(attn.to_q(hidden_states)))
        k = attn.norm_k(heads(attn.to_k(hidden_states)))
        v = heads(attn.to_v(hidden_states))
        if image_rotary_emb is not None:
            q, k = (apply_rotary_emb(tokens, image_rotary_emb, sequence_dim=1) for tokens in (q, k))
        text_q = attn.norm_added_q(heads(attn.add_q_proj(encoder_hidden_states)))
        text_k = attn.norm_added_k(heads(attn.add_k_proj(encoder_hidden_states)))
        text_v = heads(attn.add_v_proj(encoder_hidden_states))
        attended = dispatch_attention_fn(
            torch.cat([q, text_q], dim=1),
            torch.cat([k, text_k], dim=1),
            torch.cat([v, text_v], dim=1),
            backend=self._attention_backend,
            parallel_config=self._parallel_config,
        )
        attended = attended.flatten(2, 3).to(q.dtype)  # (b, n + m, d)
        video, text = attended.split([hidden_states.shape[1], encoder_hidden_states.shape[1]], dim=1)
        return attn.to_out[1](attn.to_out[0](video)), attn.to_add_out(text)


def without_padding(features: Features) -> Features | None:
    """The features with padded text dropped, or None where samples differ in what is padding.

    Args:
        features: ``encoder_hidden_states``, ``encoder_attention_mask``, the same with ``_2``, and ``image_embeds``.
    """
    trimmed = dict(features)
    for tokens, mask in _MASKED.items():
        counts = features[mask].bool()
        if not bool((counts == counts[:1]).all()):
            return None
        trimmed[tokens], trimmed[mask] = features[tokens][:, counts[0]], features[mask][:, counts[0]]
    if not bool(features["image_embeds"].any()):
        # The network takes all zeros for "no picture" and would mask their tokens.
        trimmed["image_embeds"] = features["image_embeds"][:, :0]
    return trimmed
