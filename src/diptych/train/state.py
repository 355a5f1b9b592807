"""The exact state of a training run in one safetensors file, so that a resumed run goes on to the last digit.

Nothing is pickled. Tensors of the modules, their moving averages and the optimisers stand under dotted names; the few
plain numbers (step, optimiser counters) stand as JSON in the header.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diptych.files import replacing, save_tensors, writing_errors
from diptych.types import InputError

_HEADER = "diptych.training"
_NAME = re.compile(r"checkpoint-(\d+)\.safetensors")


def checkpoints(folder: Path) -> list[Path]:
    """Checkpoints of a run, oldest first."""
    found = [(int(m[1]), p) for p in folder.glob("checkpoint-*.safetensors") if (m := _NAME.fullmatch(p.name))]
    return [path for _, path in sorted(found)]


def save_state(
    folder: Path,
    step: int,
    modules: dict[str, nn.Module],
    optimizers: dict[str, torch.optim.Optimizer],
    facts: dict[str, Any],
    keep: int = 2,
) -> Path:
    """Writes a checkpoint atomically and drops all but the newest ``keep``.

    Args:
        folder: of the run.
        step: optimiser steps done.
        modules: by name; every tensor of their state is kept in its own precision.
        optimizers: by name.
        facts: plain values that must be the same for the run to go on (seed, sizes, data).
        keep: how many checkpoints stay.
    """
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for name, module in modules.items():
        tensors |= {f"module.{name}.{key}": value for key, value in module.state_dict().items()}
    for name, optimizer in optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            for slot, value in slots.items():
                key = f"optimizer.{name}.{index}.{slot}"
                if isinstance(value, Tensor):
                    tensors[key] = value
                else:
                    numbers[key] = value
    header = {_HEADER: json.dumps({"step": step, "facts": facts, "numbers": numbers})}
    path = folder / f"checkpoint-{step:08d}.safetensors"
    with writing_errors(path), replacing(path) as draft:
        # Clones part tensors that share memory, which the format refuses.
        save_tensors({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, draft, header)
    for old in checkpoints(folder)[:-keep]:
        old.unlink()
    return path


def load_state(
    path: Path, modules: dict[str, nn.Module], optimizers: dict[str, torch.optim.Optimizer], facts: dict[str, Any]
) -> int:
    """Fills modules and optimisers from a checkpoint.

    Returns:
        The step it was written at.

    Raises:
        InputError: if it is damaged, or was written by a run with other facts.
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
    for name, module in modules.items():
        module.load_state_dict(_below(tensors, f"module.{name}."))
    for name, optimizer in optimizers.items():
        state: dict[int, dict[str, Any]] = {}
        for key, value in _below({**tensors, **header["numbers"]}, f"optimizer.{name}.").items():
            index, slot = key.split(".", 1)
            state.setdefault(int(index), {})[slot] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(header["step"])


def _below(entries: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in entries.items() if key.startswith(prefix)}
