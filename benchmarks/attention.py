"""HunyuanVideo-1.5's attention with the stock mask and without it: time, peak memory, and whether they agree.

    python benchmarks/attention.py [--tokens 6400 25600] [--layers 2] [--heads 2] [--head-size 128] [--repeat 3]

Each way runs in a process of its own, on the same random weights and inputs, the real head size unless another is
named. A pass over a few tokens comes first, so that starting libraries is nobody's time; memory is the rise of the peak
over the loaded process, seconds are the least of the repeats: other work on the machine only ever adds. Processor time
is said too, which other work moves less. The whole network is timed, so what both ways share counts against the ratio;
the fewer and the smaller the heads, the more of the time is the mask's.
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


def run(way: str, tokens: int, sizes: dict[str, int], repeat: int, out: Path) -> None:
    from diffusers import HunyuanVideo15Transformer3DModel

    from diptych.models.attention import MaskFreeAttention, without_padding

    torch.manual_seed(0)
    side = 7 * sizes["attention_head_dim"] // 32 * 2  # 16, 56, 56 of 128
    axes = (sizes["attention_head_dim"] - 2 * side, side, side)
    network = HunyuanVideo15Transformer3DModel(num_refiner_layers=1, rope_axes_dim=axes, **sizes).eval()
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

    def ask(x: torch.Tensor) -> tuple[torch.Tensor, float, float]:
        began, worked = time.perf_counter(), time.process_time()
        with torch.no_grad():
            made = network(hidden_states=x, timestep=torch.tensor([500.0]), return_dict=False, **told)[0]
        return made, time.perf_counter() - began, time.process_time() - worked

    ask(x[:, :, :1, :4, :4])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    passes = [ask(x) for _ in range(repeat)]
    made, (seconds, worked) = passes[0][0], (min(found[i] for found in passes) for i in (1, 2))
    rise = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    torch.save(made, out)
    print(json.dumps({"seconds": seconds, "worked": worked, "rise_mib": rise, "tokens": 16 * side * side}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, nargs="+", default=[6400, 25600])
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--head-size", type=int, default=128)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--way", choices=("stock", "free"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        sizes = {
            "num_layers": args.layers,
            "num_attention_heads": args.heads,
            "attention_head_dim": args.head_size,
        }
        run(args.way, args.tokens[0], sizes, args.repeat, args.out)
        return
    with tempfile.TemporaryDirectory() as room:
        for tokens in args.tokens:
            found, made = {}, {}
            for way in ("stock", "free"):
                out = Path(room) / f"{way}.pt"
                words = ["--way", way, "--out", str(out)]
                for name in ("layers", "heads", "head_size", "repeat"):
                    words += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
                words += ["--tokens", str(tokens)]
                ended = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=True)
                found[way] = json.loads(ended.stdout.splitlines()[-1])
                made[way] = torch.load(out, weights_only=True)
            stock, free = found["stock"], found["free"]
            apart = (made["stock"] - made["free"]).abs().max().item()
            faster, lighter, less_work = (stock[k] / free[k] for k in ("seconds", "rise_mib", "worked"))
            print(
                f"{free['tokens']} video tokens, {args.layers} layers, {args.heads} heads of {args.head_size}: "
                f"stock {stock['seconds']:.2f} s and {stock['rise_mib']:.0f} MiB, "
                f"mask-free {free['seconds']:.2f} s and {free['rise_mib']:.0f} MiB; "
                f"{faster:.2f} times as fast ({less_work:.2f} by processor time), {lighter:.2f} times less memory, "
                f"largest difference {apart:.1e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
