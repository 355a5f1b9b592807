"""Does a plan predict what a run holds? Peak memory, rehearsed and measured, of mid-size networks on the CPU.

    python benchmarks/plan.py [--json FILE]

Each setting runs in a process of its own: the network is built with random weights, the process is left idle, its
peak is reset, and it runs once. Measured is how far the resident memory rises. Predicted is A times what the rehearsal
on the meta device finds (with the copies that convolutions make on a CPU) plus B; A and B are fitted on the first five
settings and tested on the other ten, in float32.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diptych.models.attention import MaskFreeAttention
from diptych.models.rehearsal import META, rehearse

MIB = 1 << 20
FITTED = 5

Setting = tuple[str, dict[str, int]]

SETTINGS: tuple[Setting, ...] = (
    ("wan", {"heads": 8, "frames": 6, "height": 64, "width": 96}),
    ("hunyuan15", {"heads": 8, "frames": 5, "height": 32, "width": 64}),
    ("motif", {"heads": 8, "frames": 4, "height": 64, "width": 96}),
    ("wan vae decodes", {"width": 32, "frames": 3, "side": 40}),
    ("hunyuan15 vae decodes", {"width": 32, "frames": 2, "side": 14}),
    ("wan", {"heads": 12, "frames": 4, "height": 64, "width": 96}),
    ("wan", {"heads": 6, "frames": 9, "height": 64, "width": 96}),
    ("hunyuan15", {"heads": 12, "frames": 4, "height": 32, "width": 48}),
    ("hunyuan15", {"heads": 8, "frames": 3, "height": 48, "width": 64}),
    ("motif", {"heads": 12, "frames": 3, "height": 64, "width": 80}),
    ("motif", {"heads": 8, "frames": 6, "height": 48, "width": 80}),
    ("wan vae encodes", {"width": 32, "frames": 5, "side": 320}),
    ("wan vae decodes", {"width": 48, "frames": 2, "side": 32}),
    ("hunyuan15 vae encodes", {"width": 32, "frames": 5, "side": 256}),
    ("hunyuan15 vae decodes", {"width": 48, "frames": 2, "side": 12}),
)


def built(kind: str, sizes: dict[str, int]) -> tuple[Any, Callable[[Any, torch.device], Any]]:
    """A network and how it is asked."""
    import diffusers

    if kind.endswith(("encodes", "decodes")):
        vae: Any
        if kind.startswith("wan"):
            vae = diffusers.AutoencoderKLWan(base_dim=sizes["width"])
        else:
            wide = tuple(sizes["width"] * factor for factor in (1, 2, 4, 8, 8))
            vae = diffusers.AutoencoderKLHunyuanVideo15(block_out_channels=wide, layers_per_block=1)
        frames, side = sizes["frames"], sizes["side"]
        if kind.endswith("encodes"):
            return vae, lambda network, device: network.encode(torch.randn(1, 3, frames, side, side, device=device))
        channels = 16 if kind.startswith("wan") else 32
        return vae, lambda network, device: network.decode(torch.randn(1, channels, frames, side, side, device=device))
    frames, height, width = sizes["frames"], sizes["height"], sizes["width"]
    common = {"num_attention_heads": sizes["heads"], "attention_head_dim": 128, "num_layers": 1}
    network: Any
    if kind == "wan":
        wide = sizes["heads"] * 128 * 27 // 10
        network = diffusers.WanTransformer3DModel(
            in_channels=36, out_channels=16, ffn_dim=wide, text_dim=64, freq_dim=64, **common
        )

        def ask(network: Any, device: torch.device) -> Any:
            x = torch.randn(1, 36, frames, height, width, device=device)
            words = torch.randn(1, 128, 64, device=device)
            return network(x, torch.ones(1, device=device), words, return_dict=False)

    elif kind == "motif":
        network = diffusers.MotifVideoTransformer3DModel(
            in_channels=33, num_single_layers=1, num_decoder_layers=0, text_embed_dim=64, image_embed_dim=64, **common
        )

        def ask(network: Any, device: torch.device) -> Any:
            x = torch.randn(1, 33, frames, height, width, device=device)
            words, picture = torch.randn(1, 128, 64, device=device), torch.randn(1, 64, 64, device=device)
            heard = torch.ones(1, 128, dtype=torch.bool)
            return network(x, torch.ones(1, device=device), words, heard, image_embeds=picture, return_dict=False)

    else:
        network = diffusers.HunyuanVideo15Transformer3DModel(
            num_refiner_layers=1, text_embed_dim=64, text_embed_2_dim=64, image_embed_dim=64, **common
        )
        for block in network.transformer_blocks:
            block.attn.set_processor(MaskFreeAttention())

        def ask(network: Any, device: torch.device) -> Any:
            x = torch.randn(1, 65, frames, height, width, device=device)
            words = [torch.ones(1, 64, 64) for _ in range(3)]
            heard = torch.ones(1, 64)
            return network(
                x, torch.ones(1, device=device), words[0], heard, None, words[1], heard, words[2], return_dict=False
            )

    return network, ask


def measure(kind: str, sizes: dict[str, int]) -> dict[str, int]:
    """Rehearses and runs one setting in this process."""
    with META:
        sketch, ask = built(kind, sizes)
    found = rehearse(lambda: ask(sketch.eval(), META))
    network, ask = built(kind, sizes)
    network.eval()
    gc.collect()
    idle = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    with torch.no_grad():
        ask(network, torch.device("cpu"))
    return {"alive": found.peak_bytes, "reordered": found.reordered_bytes, "measured": _memory("VmHWM") - idle}


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"this system does not say {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    if args.one is not None:
        print(json.dumps(measure(*SETTINGS[args.one])))
        return
    rows = []
    for index, (kind, sizes) in enumerate(SETTINGS):
        run = subprocess.run(
            [sys.executable, __file__, "--one", str(index)], capture_output=True, text=True, check=True
        )
        rows.append({"kind": kind, "sizes": sizes, **json.loads(run.stdout.splitlines()[-1])})
        print(f"{index + 1}/{len(SETTINGS)} {kind}: {rows[-1]}", file=sys.stderr, flush=True)
    found = np.array([[row["reordered"], 1.0] for row in rows])
    measured = np.array([row["measured"] for row in rows], float)
    # Relative errors count, so each setting is weighed by its size.
    weights = 1 / measured[:FITTED, None]
    (a, b), *_ = np.linalg.lstsq(found[:FITTED] * weights, np.ones(FITTED), rcond=None)
    for index, (row, predicted) in enumerate(zip(rows, found @ (a, b), strict=True)):
        error = predicted / row["measured"] - 1
        row["predicted"] = int(predicted)
        print(
            f"{'fitted' if index < FITTED else 'tested'}  {row['kind']:22} alive {row['alive'] / MIB:6.0f} MiB, "
            f"predicted {predicted / MIB:6.0f}, measured {row['measured'] / MIB:6.0f}  {error:+.1%}"
        )
    print(f"A = {a:.3f}, B = {b / MIB:.0f} MiB; largest error of the tested: {max(_errors(rows[FITTED:])):.1%}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


def _errors(rows: list[dict[str, Any]]) -> list[float]:
    return [abs(row["predicted"] / row["measured"] - 1) for row in rows]


if __name__ == "__main__":
    main()
