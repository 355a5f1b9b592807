"""Run by test_distributed.py in two processes: short trainings of an adapter whose losses and weights are compared."""

import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import torch
from test_adapter import NOISE, task

from diptych.train.adapter import AdapterTask
from diptych.train.loop import LoopSettings, train

DESCENT = LoopSettings(
    steps=20,
    learning_rate=0.2,
    optimizer="sgd",
    precision="no",
    warmup=1,
    decay=0.0,
    clip=1e9,
    ema=4,
    log_every=1,
    checkpoint_every=5,
)
"""Twenty steps that are the gradients themselves."""

GRADIENTS = replace(DESCENT, steps=1, learning_rate=1.0)
"""After one such step a weight has moved by its gradient."""

RUNS = {"gradients": GRADIENTS, "losses": DESCENT}


def batches(parts: int) -> AdapterTask:
    """Four draws a step in all, as two parts wherever they are run."""
    return task(batch=2, draws=6, accumulated=parts, noise=NOISE)


def main(folder: str) -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    out = Path(folder)
    for name, settings in RUNS.items():
        train(batches(1), settings, out / f"ddp-{name}", quiet=True)
    split = replace(DESCENT, sharding="fsdp2", optimizer="adamw", learning_rate=1e-3, preview_every=10)
    module, _ = train(batches(1), split, out / "fsdp2", quiet=True)
    train(batches(1), replace(split, steps=10), out / "resumed", quiet=True)
    train(batches(1), split, out / "resumed", quiet=True)
    kinds = {type(weight).__name__ for weight in module.parameters()}
    share = sum(weight.to_local().numel() for weight in module.parameters())
    (out / f"rank-{torch.distributed.get_rank()}").write_text(
        f"{torch.distributed.get_world_size()} {' '.join(sorted(kinds))} {share}"
    )
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    os._exit(0)  # gloo's threads may outlive the interpreter


if __name__ == "__main__":
    main(*sys.argv[1:])
