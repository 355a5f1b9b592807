"""Does a plan predict what a run holds? Peak memory, rehearsed and measured, of mid-size networks on the CPU.

    python benchmarks/plan.py [--json FILE] [--default-malloc]

Each setting runs in a process of its own, on one thread: the network is built with random weights, the process is left
idle, its peak is reset, and it runs once. Measured is how far the resident memory rises. Predicted is A times what the
rehearsal on the meta device finds (with the copies that convolutions make on a CPU) plus B; A and B are fitted on the
first five settings and tested on the other ten, in float32.

Settings were chosen by the rehearsal alone, before any was measured: one of each kind to fit, others of these and of
further kinds to test, all with at least 560 MiB to be found, so that the increase is above 500 MB. With `--json` what
was measured is kept, and the next call goes on from there.

glibc is told to give every tensor back to the system when it is freed (its threshold is held where it starts): left
alone it moves that threshold up to 32 MiB and keeps the pieces, by how much depends on their order; `--default-malloc`
measures that too.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diptych.models.attention import MaskFreeAttention
from diptych.models.rehearsal import META, Rehearsal, rehearse

MIB = 1 << 20
FITTED = 5
LEAST = 500_000_000

Setting = tuple[str, dict[str, int]]

SETTINGS: tuple[Setting, ...] = (
    ("wan", {"batch": 4, "heads": 8, "frames": 10, "height": 32, "width": 48}),
    ("hunyuan15", {"batch": 4, "heads": 8, "frames": 6, "height": 16, "width": 32}),
    ("motif", {"batch": 4, "heads": 8, "frames": 6, "height": 32, "width": 48}),
    ("wan vae decodes", {"width": 48, "frames": 2, "side": 32}),
    ("hunyuan15 vae decodes", {"width": 48, "frames": 2, "side": 20}),
    ("wan", {"batch": 2, "heads": 12, "frames": 7, "height": 64, "width": 48}),
    ("wan", {"batch": 4, "heads": 16, "frames": 5, "height": 32, "width": 48}),
    ("hunyuan15", {"batch": 2, "heads": 12, "frames": 6, "height": 16, "width": 48}),
    ("hunyuan15", {"batch": 4, "heads": 16, "frames": 3, "height": 24, "width": 24}),
    ("motif", {"batch": 2, "heads": 12, "frames": 5, "height": 32, "width": 80}),
    ("motif", {"batch": 4, "heads": 16, "frames": 4, "height": 32, "width": 40}),
    ("wan vae encodes", {"width": 48, "frames": 5, "side": 320}),
    ("wan vae decodes", {"width": 64, "frames": 2, "side": 28}),
    ("hunyuan15 vae encodes", {"width": 48, "frames": 5, "side": 352}),
    ("hunyuan15 vae decodes", {"width": 64, "frames": 2, "side": 18}),
)

RETURNED = {"MALLOC_MMAP_THRESHOLD_": str(128 << 10), "MALLOC_TRIM_THRESHOLD_": str(128 << 10), "MALLOC_ARENA_MAX": "1"}
"""glibc's own starting values, held."""


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
    batch, cells = sizes["batch"], (sizes["frames"], sizes["height"], sizes["width"])
    common = {"num_attention_heads": sizes["heads"], "attention_head_dim": 128, "num_layers": 1}
    network: Any
    if kind == "wan":
        wide = sizes["heads"] * 128 * 27 // 10
        network = diffusers.WanTransformer3DModel(
            in_channels=36, out_channels=16, ffn_dim=wide, text_dim=64, freq_dim=64, **common
        )

        def ask(network: Any, device: torch.device) -> Any:
            x, words = torch.randn(batch, 36, *cells, device=device), torch.randn(batch, 128, 64, device=device)
            return network(x, torch.ones(batch, device=device), words, return_dict=False)

    elif kind == "motif":
        network = diffusers.MotifVideoTransformer3DModel(
            in_channels=33, num_single_layers=1, num_decoder_layers=0, text_embed_dim=64, image_embed_dim=64, **common
        )

        def ask(network: Any, device: torch.device) -> Any:
            x, words = torch.randn(batch, 33, *cells, device=device), torch.randn(batch, 128, 64, device=device)
            picture, heard = torch.randn(batch, 64, 64, device=device), torch.ones(batch, 128, dtype=torch.bool)
            return network(x, torch.ones(batch, device=device), words, heard, image_embeds=picture, return_dict=False)

    else:
        network = diffusers.HunyuanVideo15Transformer3DModel(
            num_refiner_layers=1, text_embed_dim=64, text_embed_2_dim=64, image_embed_dim=64, **common
        )
        for block in network.transformer_blocks:
            block.attn.set_processor(MaskFreeAttention())

        def ask(network: Any, device: torch.device) -> Any:
            x = torch.randn(batch, 65, *cells, device=device)
            words, heard = [torch.ones(batch, 64, 64) for _ in range(3)], torch.ones(batch, 64)
            times = torch.ones(batch, device=device)
            return network(x, times, words[0], heard, None, words[1], heard, words[2], return_dict=False)

    return network, ask


def predict(kind: str, sizes: dict[str, int]) -> Rehearsal:
    """Rehearses one setting."""
    with META:
        sketch, ask = built(kind, sizes)
    return rehearse(lambda: ask(sketch.eval(), META))


def measure(kind: str, sizes: dict[str, int]) -> int:
    """Runs one setting in this process: bytes by which its memory rises."""
    network, ask = built(kind, sizes)
    network.eval()
    gc.collect()
    idle = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    with torch.no_grad():
        ask(network, torch.device("cpu"))
    return _memory("VmHWM") - idle


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"this system does not say {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="keep what was measured, and go on from it")
    parser.add_argument("--default-malloc", action="store_true")
    parser.add_argument("--rehearse", action="store_true", help="measure nothing: what the settings are chosen by")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    if args.one is not None:
        print(measure(*SETTINGS[args.one]))
        return
    if args.rehearse:
        for kind, sizes in SETTINGS:
            found = predict(kind, sizes)
            print(f"{kind} {sizes}: {found.peak_bytes / MIB:.0f} MiB, {found.flops / 1e12:.2f} T operations")
        return
    measured = json.loads(args.json.read_text()) if args.json and args.json.exists() else {}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **({} if args.default_malloc else RETURNED)}
    rows = []
    for index, (kind, sizes) in enumerate(SETTINGS):
        name = f"{kind} {sizes}"
        if name not in measured:
            command = [sys.executable, __file__, "--one", str(index)]
            run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            measured[name] = int(run.stdout.splitlines()[-1])
            print(f"{index + 1}/{len(SETTINGS)} {name}: {measured[name] / MIB:.0f} MiB", file=sys.stderr, flush=True)
            if args.json:
                args.json.write_text(json.dumps(measured, indent=1))
        if measured[name] < LEAST:
            raise SystemExit(f"{name} is too small to count")
        rows.append((name, predict(kind, sizes).reordered_bytes, measured[name]))
    inputs = np.array([[reordered, 1.0] for _, reordered, _ in rows])
    # Relative errors count, so each setting is weighed by its size.
    weights = 1 / np.array([[row[2]] for row in rows[:FITTED]], float)
    (a, b), *_ = np.linalg.lstsq(inputs[:FITTED] * weights, np.ones(FITTED), rcond=None)
    errors = inputs @ (a, b) / [row[2] for row in rows] - 1
    for index, ((name, reordered, rise), error) in enumerate(zip(rows, errors, strict=True)):
        print(
            f"{'fitted' if index < FITTED else 'tested'}  {name:72} rehearsed {reordered / MIB:5.0f} MiB, "
            f"predicted {(1 + error) * rise / MIB:5.0f}, measured {rise / MIB:5.0f}  {error:+.1%}"
        )
    print(f"A = {a:.3f}, B = {b / MIB:.0f} MiB; largest error of the tested: {np.abs(errors[FITTED:]).max():.1%}")


if __name__ == "__main__":
    main()
