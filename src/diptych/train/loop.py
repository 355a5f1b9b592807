"""One training loop for everything that is trained here.

A task says what a batch is and what its loss; the loop steps, averages, logs, previews, saves and resumes. Batches and
noise follow from the seed and the step alone, so a resumed run sees what the unbroken one would have seen.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from diptych.method.diffusion import seeded
from diptych.progress import progress
from diptych.train.muon import FlatMuon
from diptych.train.precision import Precision, halves
from diptych.train.replay import Replayed
from diptych.train.state import checkpoints, kept_of, load_state, save_state, whole_of

_SHAPES = 64
"""Shapes of batches for which a fused module is made; more than there are kinds of canvases."""


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How long and how fast.

    Attributes:
        steps: optimiser steps in all.
        learning_rate: of AdamW.
        optimizer: ``adamw``, or ``sgd`` without momentum, whose steps are the gradients themselves: for comparisons.
        muon_learning_rate: of Muon for the matrices that the task names; None leaves them to AdamW.
        weight_decay: of both, decoupled.
        warmup: steps of linear rise.
        decay: share of the steps, at the end, over which the rate falls linearly to zero.
        clip: largest gradient norm.
        ema: steps over which the moving average forgets; its weights are what ships.
        precision: ``bf16`` (autocast), ``no``, or ``auto``: bf16 where the device computes in it.
        fused: on a CPU with a C++ compiler, run the module through ``torch.compile``: up to a minute for every shape at
            the start, then about 1.4 times the steps. On a CUDA device, in a single process, record its kernels once
            for every shape and replay them (``train/replay.py``): a small network is over before Python has asked for
            its next kernel.
        sharding: with several processes: ``ddp`` keeps all weights in each of them, ``fsdp2`` splits them.
        idle_parts: whether a step may leave out some of what is trained, as with two experts of which a batch asks one.
        checkpoint_every: steps between checkpoints: at most this much is redone after a kill.
        log_every: steps between lines of metrics.
        preview_every: steps between previews; 0 makes none.
        seed: of everything that is drawn.
    """

    steps: int
    learning_rate: float
    optimizer: Literal["adamw", "sgd"] = "adamw"
    muon_learning_rate: float | None = None
    weight_decay: float = 0.01
    warmup: int = 100
    decay: float = 0.4
    clip: float = 1.0
    ema: int = 500
    precision: Precision = "auto"
    fused: bool = False
    sharding: Literal["ddp", "fsdp2"] = "ddp"
    idle_parts: bool = False
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
        """In how many parts a process runs its batch of a step, their gradients added up."""
        ...

    def loss(
        self, module: nn.Module, step: int, generator: torch.Generator
    ) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Draws one part of the batch of a step and runs ``module`` (wrapped for precision and processes) on it.

        Args:
            module: call this, not :attr:`module`.
            step: from 0.
            generator: on the CPU, for all that is drawn; seeded by run, step and number of the part.

        Returns:
            The scalar loss and further numbers for the log, which are read when a line is written: those on a device
            are best left there.
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

    Started by ``torchrun``, every process runs its own parts of each batch, so that P processes with n parts each do
    what one process does with P n parts.

    Args:
        task: what to train.
        settings: how.
        folder: takes checkpoints, ``metrics.jsonl``, TensorBoard events and previews.
        deadline: ``time.monotonic()`` value after which the run saves and stops.
        quiet: no progress on standard error.

    Returns:
        The task's module, in evaluation mode, with averaged weights in the place of those that were trained; and the
        number of steps done. With ``fsdp2`` its weights stay split.
    """
    from accelerate import Accelerator

    folder.mkdir(parents=True, exist_ok=True)
    # Under autocast a norm with float32 weights meets bfloat16 activations: slower than fused, and meant.
    warnings.filterwarnings("ignore", message="Mismatch dtype between input and weight")
    # Without the word, processes on CPUs would each train alone, and nobody would say so.
    accelerator = Accelerator(mixed_precision="no", cpu=not torch.cuda.is_available())
    rank, processes = accelerator.process_index, accelerator.num_processes
    if processes != int(os.environ.get("WORLD_SIZE", "1")):
        raise RuntimeError(f"this process was started as one of {os.environ['WORLD_SIZE']} and finds {processes}")
    module = task.module.train()
    sharded = settings.sharding == "fsdp2" and processes > 1
    if sharded:
        shard(module, accelerator.device, processes)
    else:
        module.to(accelerator.device)
    average = Average(module)
    optimizers = _optimizers(task, module, settings)
    facts = {**task.facts, "seed": settings.seed, "processes": processes}
    groups = {"model": kept_of(module), "average": average.weights}
    saved = checkpoints(folder)
    start = load_state(saved[-1], groups, optimizers, facts) if saved else 0
    wrapped: nn.Module = _Computed(module, accelerator.device.type, settings.precision)
    if settings.fused and accelerator.device.type == "cuda":
        # Several processes exchange gradients while they are computed, which a recording knows nothing of.
        wrapped = Replayed(wrapped) if processes == 1 else wrapped
    elif settings.fused and _can_fuse():
        torch._dynamo.config.recompile_limit = _SHAPES
        torch._dynamo.config.suppress_errors = True  # where the compiler fails, the run is slower and no more
        wrapped = torch.compile(wrapped, dynamic=False)  # type: ignore[assignment]
    if processes > 1 and not sharded:
        wrapped = _replicated(wrapped, accelerator.device, settings.idle_parts)
    base_rates = {name: [group["lr"] for group in o.param_groups] for name, o in optimizers.items()}
    trained = [weight for weight in module.parameters() if weight.requires_grad]

    log = _Log(folder, start) if rank == 0 else None

    def save(step: int) -> None:
        if rank == 0 or sharded:
            save_state(folder, step, groups, optimizers, facts, writes=rank == 0)

    began, step = time.monotonic(), start
    with progress(folder.name, settings.steps, "steps", start=start, quiet=quiet or rank != 0) as report:
        try:
            while step < settings.steps and not _agreed(deadline, accelerator):
                for name, optimizer in optimizers.items():
                    for group, rate in zip(optimizer.param_groups, base_rates[name], strict=True):
                        group["lr"] = rate * rate_factor(step, settings)
                total, numbers = _backward(task, wrapped, step, settings.seed, rank)
                norm = torch.nn.utils.clip_grad_norm_(trained, settings.clip)
                for optimizer in optimizers.values():
                    optimizer.step()
                    optimizer.zero_grad(set_to_none=True)
                average.follow(step, settings.ema)
                step += 1
                if step % settings.log_every == 0 or step == settings.steps:
                    value = float(accelerator.reduce(total.to(accelerator.device), "mean"))
                    said = {name: float(number) for name, number in numbers.items()}
                    if not math.isfinite(value):
                        raise FloatingPointError(f"the loss of step {step} is {value}; lower the learning rate")
                    passed = time.monotonic() - began
                    if log is not None:
                        log.write(
                            step,
                            {"loss": value, "grad_norm": float(whole_of(norm)), "seconds": passed, **said},
                        )
                    elif sharded:
                        whole_of(norm)  # put together by all processes
                    report(step, f"loss {value:.4f}")
                if settings.preview_every and step % settings.preview_every == 0 and (rank == 0 or sharded):
                    scores = _preview(task, average, folder / f"preview-{step:08d}.png", keeps=rank == 0)
                    if log is not None:
                        log.write(step, scores)
                if step % settings.checkpoint_every == 0 or step == settings.steps:
                    save(step)
        except KeyboardInterrupt:
            if processes == 1 and step > start:
                save(step)
            raise
        if step < settings.steps:
            save(step)
    if log is not None:
        log.close()
    average.take_its_place()
    return module, step


def _agreed(deadline: float | None, accelerator: Any) -> bool:
    """Whether the time is up, for all processes or for none."""
    if deadline is None:
        return False
    if accelerator.num_processes == 1:
        return time.monotonic() >= deadline
    late = torch.tensor(float(time.monotonic() >= deadline), device=accelerator.device)
    return bool(accelerator.reduce(late, "sum") > 0)


class _Computed(nn.Module):
    """A module in the precision that it is trained in; what comes out is float32."""

    def __init__(self, module: nn.Module, device: str, precision: Precision) -> None:
        super().__init__()
        self.module = module
        self._device, self._halved = device, halves(precision, device)

    def forward(self, *inputs: Any) -> Any:
        """As the module's own."""
        # Casts are not kept: a recording (``Replayed``) would find those of the recording before it.
        with torch.autocast(self._device, torch.bfloat16, enabled=self._halved, cache_enabled=self._device != "cuda"):
            told = self.module(*inputs)
        return tree_map_only(Tensor, lambda value: value.float() if value.is_floating_point() else value, told)


def _replicated(module: nn.Module, device: torch.device, idle_parts: bool) -> nn.Module:
    """The same weights in every process, gradients exchanged while they are computed."""
    places = [device.index] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(module, device_ids=places, find_unused_parameters=idle_parts)


def shard(module: nn.Module, device: torch.device, processes: int) -> None:
    """Splits weights among the processes of the initialised group: every block of a stack by itself, then the rest.

    torch's own FSDP2: a block's weights are together only while it runs, and only a block at a time comes to the device
    whole. Frozen weights are split as well, which is what makes room on a card. Each part of the module is split for
    itself, so that it can also be asked by itself, as previews do.

    Args:
        module: with its weights in main memory, the same in all processes.
        device: where its parts are to lie.
        processes: how many there are.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (processes,))

    stacks = [part for part in module.modules() if isinstance(part, nn.ModuleList)]
    within = {id(part) for stack in stacks for block in stack for part in block.modules()}
    for stack in stacks:
        if id(stack) not in within:
            for block in stack:
                fully_shard(block, mesh=mesh)
    for part in module.children():
        if id(part) not in within and not isinstance(part, nn.ModuleList):
            fully_shard(part, mesh=mesh)
    if any(True for _ in module.parameters(recurse=False)):
        fully_shard(module, mesh=mesh)


def _part_again(module: nn.Module) -> None:
    """Lets go of weights that were put together for a prediction and kept: their parts have changed meanwhile."""
    for part in module.modules():
        if hasattr(part, "reshard"):
            part.reshard()  # type: ignore[operator]


class Average:
    """A moving average of what is trained in a module, and of nothing else: a frozen network is never copied.

    Attributes:
        weights: the averages, by the names of the weights.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._mine = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
        self.weights = {name: weight.detach().clone() for name, weight in self._mine.items()}

    @torch.no_grad()
    def follow(self, step: int, memory: int) -> None:
        """Takes a step's weights in, after the step."""
        # Early on the average forgets faster, or it would drag the random start along.
        weight = max(1 / memory, 9 / (step + 10))
        torch._foreach_lerp_([*self.weights.values()], [*self._mine.values()], weight)

    @torch.no_grad()
    def take_its_place(self) -> None:
        """Puts the averages where the trained weights were, for good, and the module in evaluation mode."""
        for name, theirs in self._mine.items():
            theirs.copy_(self.weights[name])
        _part_again(self._module)
        self._module.eval()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[nn.Module]:
        """The module with averages in the place of its weights, in evaluation mode; afterwards as it was."""
        with torch.no_grad():
            before = {name: weight.detach().clone() for name, weight in self._mine.items()}
            self.take_its_place()
            try:
                yield self._module
            finally:
                for name, theirs in self._mine.items():
                    theirs.copy_(before[name])
                _part_again(self._module)
                self._module.train()


def _preview(task: Task, average: Average, path: Path, *, keeps: bool) -> dict[str, float]:
    """Split weights need every process to make a preview; one of them keeps the picture."""
    with average.in_place() as averaged, tempfile.TemporaryDirectory() as elsewhere:
        return task.preview(averaged, path if keeps else Path(elsewhere) / path.name)


def _can_fuse() -> bool:
    return any(shutil.which(compiler) for compiler in ("g++", "clang++"))


def _backward(
    task: Task, wrapped: nn.Module, step: int, seed: int, rank: int
) -> tuple[Tensor, Mapping[str, float | Tensor]]:
    """Adds up the gradients of one step; returns its mean loss here and the numbers of its last part."""
    parts = task.parts(step)
    losses: list[Tensor] = []
    numbers: Mapping[str, float | Tensor] = {}
    for part in range(parts):
        # Numbered through all processes: who runs a part decides nothing.
        generator = seeded(seed, step, rank * parts + part)
        with _exchanging(wrapped, part == parts - 1):
            loss, numbers = task.loss(wrapped, step, generator)
            (loss / parts).backward()
        losses.append(loss.detach().float())
    # Nobody waits for the device here: it works through what it was asked while the next step is put together.
    return torch.stack(losses).mean(), numbers


@contextlib.contextmanager
def _exchanging(wrapped: nn.Module, last: bool) -> Iterator[None]:
    """Processes exchange gradients once a step, with the last part."""
    if isinstance(wrapped, nn.parallel.DistributedDataParallel) and not last:
        with wrapped.no_sync():
            yield
        return
    for part in wrapped.modules():
        if hasattr(part, "set_requires_gradient_sync"):
            part.set_requires_gradient_sync(last)  # type: ignore[operator]
    yield


def _optimizers(task: Task, module: nn.Module, settings: LoopSettings) -> dict[str, torch.optim.Optimizer]:
    matrices = task.matrices(module) if settings.muon_learning_rate is not None else []
    taken = {id(p) for p in matrices}
    rest = [p for p in module.parameters() if p.requires_grad and id(p) not in taken]
    # Vectors (norms, biases, places) are not decayed: shrinking them means nothing.
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if settings.optimizer == "sgd":
        return {"sgd": torch.optim.SGD(groups, lr=settings.learning_rate)}
    found: dict[str, torch.optim.Optimizer] = {
        "adamw": torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.99))
    }
    if matrices:
        found["muon"] = FlatMuon(matrices, settings.muon_learning_rate or 0.0, settings.weight_decay)
    return found


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
