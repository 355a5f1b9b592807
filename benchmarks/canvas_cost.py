"""What the second panel costs: one denoising step on a canvas against plain image-to-video of the same output size.

    python benchmarks/canvas_cost.py [--layers 3] [--heads 8] [--frames 12] [--side 16] [--repeats 3]

A random HunyuanVideo-1.5 transformer of 100 M parameters at its real head size, without the stock mask; both
sizes in turn, in one run. Beside the ratio stands the arithmetic: linear layers see twice the tokens, attention
four times the pairs. Layouts that keep the motion's tokens out of every step are to bring this number down.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch


def flops(tokens: int, text: int, width: int, layers: int) -> tuple[float, float]:
    """Multiply-adds of linear layers and of attention in one pass; modulations and embeddings are left out."""
    linear = layers * 12 * width**2 * (tokens + text)
    attention = layers * 2 * (tokens + text) ** 2 * width
    return 2.0 * linear, 2.0 * attention


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--side", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    from diffusers import HunyuanVideo15Transformer3DModel

    from diptych.models.attention import MaskFreeAttention

    torch.manual_seed(0)
    network = HunyuanVideo15Transformer3DModel(
        num_attention_heads=args.heads, num_layers=args.layers, num_refiner_layers=1
    ).eval()
    for block in network.transformer_blocks:
        block.attn.set_processor(MaskFreeAttention())
    text = 64
    told = {
        "encoder_hidden_states": torch.randn(1, text, 3584),
        "encoder_attention_mask": torch.ones(1, text),
        "encoder_hidden_states_2": torch.randn(1, 0, 1472),
        "encoder_attention_mask_2": torch.ones(1, 0),
        "image_embeds": torch.randn(1, text, 1152),
    }
    panels = {1: [], 2: []}
    for turn in range(args.repeats + 1):
        for count, seconds in panels.items():
            x = torch.randn(1, 65, args.frames, args.side, count * args.side)
            began = time.perf_counter()
            with torch.no_grad():
                network(hidden_states=x, timestep=torch.tensor([500.0]), return_dict=False, **told)
            if turn:  # the first of each warms up
                seconds.append(time.perf_counter() - began)
    one, two = (float(np.median(seconds)) for seconds in panels.values())
    tokens, width = args.frames * args.side**2, 128 * args.heads
    count = sum(p.numel() for p in network.parameters())
    (l1, a1), (l2, a2) = (flops(n * tokens, 2 * text, width, args.layers) for n in (1, 2))
    print(f"{count / 1e6:.0f} M parameters, {tokens} tokens a panel, {torch.get_num_threads()} threads")
    print(f"one panel {one:.2f} s, canvas {two:.2f} s a pass: {two / one:.2f} times")
    print(
        f"arithmetic: {(l1 + a1) / 1e9:.0f} and {(l2 + a2) / 1e9:.0f} GFLOP, {(l2 + a2) / (l1 + a1):.2f} times "
        f"(linear {l2 / l1:.2f}, attention {a2 / a1:.2f})"
    )
    # At the real size: 54 layers, width 2048, 480p of 121 frames.
    real = [flops(n * 31 * 30 * 52, 300, 2048, 54) for n in (1, 2)]
    print(f"arithmetic at full size, 480 x 832 x 121: {sum(real[1]) / sum(real[0]):.2f} times")


if __name__ == "__main__":
    main()
