"""In which precision this machine multiplies fast."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["auto", "bf16", "no"]
"""``bf16`` computes under autocast; ``no`` in the weights' own type; ``auto`` is bf16 where the device has it."""


def halves(precision: Precision, device: str) -> bool:
    """Whether to compute in bfloat16.

    Processors without instructions for it emulate it, forty times slower than float32 (docs/log.md has the figures).

    Args:
        precision: what is asked for.
        device: "cuda", "cpu" and the like.
    """
    if precision != "auto":
        return precision == "bf16"
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
