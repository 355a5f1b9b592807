"""What the training loop costs beside what it has to do: its step against the bare forward and backward.

    python benchmarks/training_overhead.py [--model mini] [--steps 30] [--batch 16] [--rank 64] [--rounds 5]

The same model with the same adapter on the same draws, in one run and in turns: bare steps (forward, loss, backward,
nothing else) and the loop's own (batches from the cache, optimiser, average, clipping, metrics). What an optimiser must
do is no part of the bare step, so the ratio counts it as overhead. Asked: at most 1.10.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from diptych.data.cache import Bucket
from diptych.data.canvases import LatentDraw
from diptych.method.incontext import opening
from diptych.models.adapters import LoraSettings
from diptych.models.store import load_mini, model_folder
from diptych.train.adapter import Adapted, AdapterTask, NoiseSettings, adapt
from diptych.train.loop import LoopSettings, train

PANELS = 64
"""Draws in the cache; what they show is nothing to a clock."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    task = _task(args.model, args.batch, args.rank)
    bare, ours = [], []
    for round_ in range(args.rounds + 1):
        pair = _bare(task, args.steps), _ours(task, args.steps)
        if round_:  # the first of each warms up
            bare.append(pair[0])
            ours.append(pair[1])
        print(f"bare {pair[0]:.1f} ms a step, the loop {pair[1]:.1f} ms: {pair[1] / pair[0]:.3f} times", flush=True)
    ratios = np.array(ours) / np.array(bare)
    print(
        f"the loop takes {np.median(ratios):.3f} times the bare step (from {ratios.min():.3f} to {ratios.max():.3f} in "
        f"{args.rounds} rounds of {args.steps} steps, {torch.get_num_threads()} threads)"
    )
    if args.json:
        args.json.write_text(json.dumps({"bare_ms": bare, "loop_ms": ours, "ratios": ratios.tolist()}) + "\n")


def _task(model: str, batch: int, rank: int) -> AdapterTask:
    mini = load_mini(model_folder(model))
    assert mini.denoiser is not None
    agreed = dataclasses.replace(mini.contract, motion="pose", motion_fit="frame")
    mini = dataclasses.replace(mini, contract=agreed)
    mini.denoiser.requires_grad_(False)
    adapt(mini.networks, mini.facts, "ff", LoraSettings(rank=rank), seed=0)
    g = torch.Generator().manual_seed(0)
    cells = (1 + (agreed.window_frames - 1) // 4, 4, 8)
    target = torch.randn(PANELS, 128, *cells, generator=g).half()
    windows = torch.tensor([(agreed.window_frames, agreed.lead_in, 0)] * PANELS)
    bucket = Bucket(target, target.roll(1, 1), windows, ["a grey cat jumps up and down"] * PANELS)
    held_out = LatentDraw(target[0], target[1], opening(agreed.window_frames, agreed.lead_in), "")
    return AdapterTask(
        module=Adapted(mini, (mini.denoiser,)),
        backbone=mini,
        buckets={"one": bucket},
        batch=batch,
        noise=NoiseSettings(spread=None, pure_share=0.4, floor=0.1, least_weighted=0.35),
        held_out=(held_out,),
        made_for="benchmark",
    )


def _bare(task: AdapterTask, steps: int) -> float:
    """Milliseconds of one forward and backward on a batch that lies ready."""
    batch = task.buckets["one"].take(range(task.batch))
    target = torch.stack([draw.target for draw in batch]).float()
    x = torch.cat([target, target, torch.ones_like(target[:, :1])], dim=1)
    text, sigma = task.backbone.encode_text([draw.prompt for draw in batch]), torch.full((task.batch,), 0.7)
    module = task.module.train()
    began = time.perf_counter()
    for _ in range(steps):
        (module(x, sigma, text) - target).square().mean().backward()
        for weight in module.parameters():
            weight.grad = None
    return 1000 * (time.perf_counter() - began) / steps


def _ours(task: AdapterTask, steps: int) -> float:
    """Milliseconds of a step of the loop, from its own log: between the first lines and the last, so without start."""
    settings = LoopSettings(steps=steps + 5, learning_rate=1e-4, precision="no", log_every=5, checkpoint_every=10**9)
    with tempfile.TemporaryDirectory() as folder:
        train(task, settings, Path(folder), quiet=True)
        lines = [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
    return 1000 * (lines[-1]["seconds"] - lines[0]["seconds"]) / (lines[-1]["step"] - lines[0]["step"])


if __name__ == "__main__":
    main()
