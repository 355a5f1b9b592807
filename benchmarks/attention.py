"""HunyuanVideo-1.5's attention with the stock mask and without it: time, peak memory, and whether they agree.

    python benchmarks/attention.py [--tokens 6400 25600] [--layers 2]

Each way runs in a process of its own, on the same random weights at the real head size; memory is the rise of the
peak over the loaded process. Ratios of one run; other work on the machine moves both alike.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch


def run(way: str, tokens: int, layers: int, out: Path) -> None:
    from diffusers import HunyuanVideo15Transformer3DModel

    from diptych.models.attention import MaskFreeAttention, without_padding

    torch.manual_seed(0)
    network = HunyuanVideo15Transformer3DModel(num_attention_heads=2, num_layers=layers, num_refiner_layers=1).eval()
    side = round((tokens / 16) ** 0.5)
    told = {
        "encoder_hidden_states": torch.randn(1, 256, 3584),
        "encoder_attention_mask": (torch.arange(256) < 90).float()[None],
        "encoder_hidden_states_2": torch.randn(1, 64, 1472),
        "encoder_attention_mask_2": torch.zeros(1, 64),
        "image_embeds": torch.randn(1, 64, 1152),
    }
    x = torch.randn(1, 65, 16, side, side)
    if way == "free":
        told = without_padding(told) or told
        for block in network.transformer_blocks:
            block.attn.set_processor(MaskFreeAttention())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    with torch.no_grad():
        made = network(hidden_states=x, timestep=torch.tensor([500.0]), return_dict=False, **told)[0]
    seconds = time.perf_counter() - began
    rise = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    torch.save(made, out)
    print(json.dumps({"seconds": seconds, "rise_mib": rise, "tokens": 16 * side * side}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, nargs="+", default=[6400, 25600])
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--way", choices=("stock", "free"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        run(args.way, args.tokens[0], args.layers, args.out)
        return
    with tempfile.TemporaryDirectory() as room:
        for tokens in args.tokens:
            found, made = {}, {}
            for way in ("stock", "free"):
                out = Path(room) / f"{way}.pt"
                words = ["--way", way, "--tokens", str(tokens), "--layers", str(args.layers), "--out", str(out)]
                ended = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=True)
                found[way] = json.loads(ended.stdout.splitlines()[-1])
                made[way] = torch.load(out, weights_only=True)
            stock, free = found["stock"], found["free"]
            apart = (made["stock"] - made["free"]).abs().max().item()
            print(
                f"{free['tokens']} video tokens, {args.layers} layers: stock {stock['seconds']:.2f} s and "
                f"{stock['rise_mib']:.0f} MiB, mask-free {free['seconds']:.2f} s and {free['rise_mib']:.0f} MiB; "
                f"{stock['seconds'] / free['seconds']:.2f} times as fast, {stock['rise_mib'] / free['rise_mib']:.2f} "
                f"times less memory, largest difference {apart:.1e}"
            )


if __name__ == "__main__":
    main()
