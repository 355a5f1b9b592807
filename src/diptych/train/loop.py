"""One training loop for everything that is trained here.

A task says what a batch is and what its loss; the loop steps, averages, logs, previews, saves and resumes. Batches and
noise follow from the seed and the step alone, so a resumed run sees what the unbroken one would have seen.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib.util
import json
import math
import shutil
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from diptych.method.diffusion import seeded
from diptych.progress import progress
from diptych.train.muon import FlatMuon
from diptych.train.state import checkpoints, load_state, save_state

_SHAPES = 64
"""Shapes of batches for which a fused module is made; more than there are kinds of canvases."""


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How long and how fast.

    Attributes:
        steps: optimiser steps in all.
        learning_rate: of AdamW.
        muon_learning_rate: of Muon for the matrices that the task names; None leaves them to AdamW.
        weight_decay: of both, decoupled.
        warmup: steps of linear rise.
        decay: share of the steps, at the end, over which the rate falls linearly to zero.
        clip: largest gradient norm.
        ema: steps over which the moving average forgets; its weights are what ships.
        precision: ``bf16`` (autocast) or ``no``.
        fused: run the module through ``torch.compile`` where it can be (a C++ compiler, or Triton on a GPU): up to a
            minute for every shape at the start, then about 1.4 times the steps.
        checkpoint_every: steps between checkpoints: at most this much is redone after a kill.
        log_every: steps between lines of metrics.
        preview_every: steps between previews; 0 makes none.
        seed: of everything that is drawn.
    """

    steps: int
    learning_rate: float
    muon_learning_rate: float | None = None
    weight_decay: float = 0.01
    warmup: int = 100
    decay: float = 0.4
    clip: float = 1.0
    ema: int = 500
    precision: str = "bf16"
    fused: bool = False
    checkpoint_every: int = 500
    log_every: int = 20
    preview_every: int = 0
    seed: int = 0


class Task(Protocol):
    """What is trained."""

    @property
    def module(self) -> nn.Module:
        """Everything that learns."""
        ...

    @property
    def facts(self) -> dict[str, Any]:
        """Plain values that must stay the same for a run to be resumed."""
        ...

    def matrices(self, module: nn.Module) -> list[nn.Parameter]:
        """Weights inside blocks that are linear maps, which Muon may train; may be empty."""
        ...

    def parts(self, step: int) -> int:
        """In how many parts the batch of a step is run, their gradients added up."""
        ...

    def loss(self, module: nn.Module, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Draws one part of the batch of a step and runs ``module`` (wrapped for precision and processes) on it.

        Args:
            module: call this, not :attr:`module`.
            step: from 0.
            generator: on the CPU, for all that is drawn; seeded by run and step, and drawn on by each part in turn.

        Returns:
            The scalar loss and further numbers for the log.
        """
        ...

    def preview(self, module: nn.Module, path: Path) -> dict[str, float]:
        """Draws a contact sheet of what the averaged module can do, and returns its scores."""
        ...


def rate_factor(step: int, settings: LoopSettings) -> float:
    """Share of the full learning rate at a step: warm-up, a plateau, a linear end."""
    rise = min(1.0, (step + 1) / max(1, settings.warmup))
    falling = settings.decay * settings.steps
    fall = min(1.0, (settings.steps - step) / falling) if falling > 0 else 1.0
    return rise * fall


def train(
    task: Task, settings: LoopSettings, folder: Path, *, deadline: float | None = None, quiet: bool = False
) -> tuple[nn.Module, int]:
    """Trains a task, or goes on from its newest checkpoint, until the steps are done or the deadline has passed.

    Args:
        task: what to train.
        settings: how.
        folder: takes checkpoints, ``metrics.jsonl``, TensorBoard events and previews.
        deadline: ``time.monotonic()`` value after which the run saves and stops.
        quiet: no progress on standard error.

    Returns:
        The averaged module and the number of steps done.
    """
    from accelerate import Accelerator
    from accelerate.utils import ProjectConfiguration

    folder.mkdir(parents=True, exist_ok=True)
    # Under autocast a norm with float32 weights meets bfloat16 activations: slower than fused, and meant.
    warnings.filterwarnings("ignore", message="Mismatch dtype between input and weight")
    accelerator = Accelerator(
        mixed_precision=settings.precision, project_config=ProjectConfiguration(project_dir=str(folder))
    )
    module = task.module.train().to(accelerator.device)
    averaged = copy.deepcopy(module).requires_grad_(False).eval().to(accelerator.device)
    optimizers = _optimizers(task, module, settings)
    facts = {**task.facts, "seed": settings.seed, "processes": accelerator.num_processes}
    modules = {"model": module, "average": averaged}
    saved = checkpoints(folder)
    start = load_state(saved[-1], modules, optimizers, facts) if saved else 0
    wrapped = accelerator.prepare(module)
    if settings.fused and _can_fuse(accelerator.device):
        torch._dynamo.config.recompile_limit = _SHAPES
        torch._dynamo.config.suppress_errors = True  # where the compiler fails, the run is slower and no more
        wrapped = torch.compile(wrapped, dynamic=False)
    stepped = {name: accelerator.prepare_optimizer(optimizer) for name, optimizer in optimizers.items()}
    base_rates = {name: [group["lr"] for group in o.param_groups] for name, o in optimizers.items()}

    log = _Log(folder, start) if accelerator.is_main_process else None
    save = functools.partial(save_state, folder, modules=modules, optimizers=optimizers, facts=facts)
    began, step = time.monotonic(), start
    quiet = quiet or not accelerator.is_main_process
    with progress(folder.name, settings.steps, "steps", start=start, quiet=quiet) as report:
        try:
            while step < settings.steps and (deadline is None or time.monotonic() < deadline):
                for name, optimizer in optimizers.items():
                    for group, rate in zip(optimizer.param_groups, base_rates[name], strict=True):
                        group["lr"] = rate * rate_factor(step, settings)
                generator = seeded(settings.seed, step, accelerator.process_index)
                total, numbers = _backward(accelerator, task, wrapped, step, generator)
                norm = accelerator.clip_grad_norm_(wrapped.parameters(), settings.clip)
                for optimizer in stepped.values():
                    optimizer.step()
                    optimizer.zero_grad(set_to_none=True)
                _average(averaged, module, step, settings.ema)
                step += 1
                if log is not None and (step % settings.log_every == 0 or step == settings.steps):
                    value = total.item()
                    if not math.isfinite(value):
                        raise FloatingPointError(f"the loss of step {step} is {value}; lower the learning rate")
                    passed = time.monotonic() - began
                    log.write(step, {"loss": value, "grad_norm": float(norm), "seconds": passed, **numbers})
                    report(step, f"loss {value:.4f}")
                if log is not None and settings.preview_every and step % settings.preview_every == 0:
                    log.write(step, task.preview(averaged, folder / f"preview-{step:08d}.png"))
                if log is not None and (step % settings.checkpoint_every == 0 or step == settings.steps):
                    save(step)
        except KeyboardInterrupt:
            if log is not None and step > start:
                save(step)
            raise
        if log is not None and step < settings.steps:
            save(step)
    if log is not None:
        log.close()
    return averaged, step


def _can_fuse(device: torch.device) -> bool:
    if device.type == "cuda":
        return importlib.util.find_spec("triton") is not None
    return any(shutil.which(compiler) for compiler in ("g++", "clang++"))


def _backward(
    accelerator: Any, task: Task, wrapped: nn.Module, step: int, generator: torch.Generator
) -> tuple[Tensor, dict[str, float]]:
    """Adds up the gradients of one step; returns its mean loss and the numbers of its last part."""
    parts = task.parts(step)
    total, numbers = torch.zeros(()), dict[str, float]()
    for part in range(parts):
        last = part == parts - 1
        # Processes exchange gradients once a step, with the last part.
        with contextlib.nullcontext() if last else accelerator.no_sync(wrapped):
            loss, numbers = task.loss(wrapped, step, generator)
            accelerator.backward(loss / parts)
        total = total + loss.detach().cpu() / parts
    return total, numbers


def _optimizers(task: Task, module: nn.Module, settings: LoopSettings) -> dict[str, torch.optim.Optimizer]:
    matrices = task.matrices(module) if settings.muon_learning_rate is not None else []
    taken = {id(p) for p in matrices}
    rest = [p for p in module.parameters() if p.requires_grad and id(p) not in taken]
    # Vectors (norms, biases, places) are not decayed: shrinking them means nothing.
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    found: dict[str, torch.optim.Optimizer] = {
        "adamw": torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.99))
    }
    if matrices:
        found["muon"] = FlatMuon(matrices, settings.muon_learning_rate or 0.0, settings.weight_decay)
    return found


@torch.no_grad()
def _average(averaged: nn.Module, module: nn.Module, step: int, memory: int) -> None:
    # Early on the average forgets faster, or it would drag the random start along.
    weight = max(1 / memory, 9 / (step + 10))
    for mine, theirs in zip(averaged.parameters(), module.parameters(), strict=True):
        mine.lerp_(theirs, weight)


class _Log:
    """Metrics as JSON lines and as TensorBoard events; lines beyond the resumed step are dropped."""

    def __init__(self, folder: Path, start: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._path = folder / "metrics.jsonl"
        if self._path.exists():
            kept = [line for line in self._path.read_text().splitlines() if _step_of(line) <= start]
            self._path.write_text("".join(line + "\n" for line in kept))
        self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=start + 1)

    def write(self, step: int, numbers: dict[str, float]) -> None:
        if not numbers:
            return
        with self._path.open("a") as file:
            file.write(json.dumps({"step": step, **{k: round(v, 6) for k, v in numbers.items()}}) + "\n")
        for name, value in numbers.items():
            self._events.add_scalar(name, value, step)

    def close(self) -> None:
        self._events.close()


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError):
        return math.inf  # a line torn by a kill
