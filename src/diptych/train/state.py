"""The exact state of a training run in one safetensors file, so that a resumed run goes on to the last digit.

Nothing is pickled. What is trained, its moving average and the optimisers' tensors stand under dotted names; the few
plain numbers (step, optimiser counters) stand as JSON in the header. What is frozen is not written: whoever trains an
adapter has its backbone beside it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from diptych.files import replacing, save_tensors, writing_errors
from diptych.types import InputError

_HEADER = "diptych.training"
_NAME = re.compile(r"checkpoint-(\d+)\.safetensors")


def checkpoints(folder: Path) -> list[Path]:
    """Checkpoints of a run, oldest first."""
    found = [(int(m[1]), p) for p in folder.glob("checkpoint-*.safetensors") if (m := _NAME.fullmatch(p.name))]
    return [path for _, path in sorted(found)]


def kept_of(module: nn.Module) -> dict[str, Tensor]:
    """What a checkpoint keeps of a module: its state but for frozen weights, by name."""
    frozen = {name for name, weight in module.named_parameters() if not weight.requires_grad}
    return {name: value for name, value in module.state_dict().items() if name not in frozen}


def save_state(
    folder: Path,
    step: int,
    groups: dict[str, dict[str, Tensor]],
    optimizers: dict[str, torch.optim.Optimizer],
    facts: dict[str, Any],
    keep: int = 2,
    *,
    writes: bool = True,
) -> Path:
    """Writes a checkpoint atomically and drops all but the newest ``keep``.

    Args:
        folder: of the run.
        step: optimiser steps done.
        groups: tensors by group and name, each kept in its own precision; those that lie in parts on several processes
            are put together, so all processes have to come here then.
        optimizers: by name.
        facts: plain values that must be the same for the run to go on (seed, sizes, data).
        keep: how many checkpoints stay.
        writes: whether this process is the one that writes.
    """
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for group, named in groups.items():
        tensors |= {f"module.{group}.{key}": value for key, value in named.items()}
    for name, optimizer in optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            for slot, value in slots.items():
                key = f"optimizer.{name}.{index}.{slot}"
                if isinstance(value, Tensor):
                    tensors[key] = value
                else:
                    numbers[key] = value
    path = folder / f"checkpoint-{step:08d}.safetensors"
    # Clones part tensors that share memory, which the format refuses.
    whole = {key: whole_of(value).detach().cpu().contiguous().clone() for key, value in tensors.items()}
    if not writes:
        return path
    header = {_HEADER: json.dumps({"step": step, "facts": facts, "numbers": numbers})}
    with writing_errors(path), replacing(path) as draft:
        save_tensors(whole, draft, header)
    for old in checkpoints(folder)[:-keep]:
        old.unlink()
    return path


def load_state(
    path: Path,
    groups: dict[str, dict[str, Tensor]],
    optimizers: dict[str, torch.optim.Optimizer],
    facts: dict[str, Any],
) -> int:
    """Fills tensors in place, and optimisers, from a checkpoint.

    Returns:
        The step it was written at.

    Raises:
        InputError: if it is damaged, lacks something, or was written by a run with other facts.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})[_HEADER])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} is not a training checkpoint ({error}); delete it to go on from an older one."
        ) from None
    # Facts pass through JSON, so compare what comes out of it.
    wanted = json.loads(json.dumps(facts))
    changed = sorted(k for k in {*wanted, *header["facts"]} if wanted.get(k) != header["facts"].get(k))
    if changed:
        name = changed[0]
        raise InputError(
            f"{path} was written with {name} = {header['facts'].get(name)!r}, not {wanted.get(name)!r}; "
            "train into another folder, or restore that setting to go on."
        )
    with torch.no_grad():
        for group, named in groups.items():
            for key, mine in named.items():
                theirs = tensors.get(f"module.{group}.{key}")
                if theirs is None or theirs.shape != mine.shape:
                    raise InputError(f"{path} lacks {key} of that size; delete it to go on from an older one.")
                mine.copy_(parted(theirs, mine))
    for name, optimizer in optimizers.items():
        state: dict[int, dict[str, Any]] = {}
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        for key, value in _below({**tensors, **header["numbers"]}, f"optimizer.{name}.").items():
            index, slot = key.split(".", 1)
            like = weights[int(index)]
            part = isinstance(value, Tensor) and value.shape == like.shape
            state.setdefault(int(index), {})[slot] = parted(value, like) if part else value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(header["step"])


def whole_of(value: Tensor) -> Tensor:
    """A tensor put together from the processes among which it is split; any other as it is."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def parted(value: Tensor, like: Tensor) -> Tensor:
    """A whole tensor split among the processes as another one is, where that one is."""
    if not isinstance(like, DTensor):
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)


def _below(entries: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in entries.items() if key.startswith(prefix)}
