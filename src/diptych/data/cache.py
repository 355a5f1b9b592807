"""Drawn canvases on disk: the VAE runs once for every draw, and a training step never touches it.

A shard holds a run of consecutive draw numbers; inside, draws of one panel shape are stacked. A shard is written
atomically and is either whole or absent, so a killed run redoes at most one.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diptych.data.canvases import LatentDraw
from diptych.files import replacing, save_tensors, writing_errors
from diptych.method.incontext import Window
from diptych.types import InputError

SHARD = 64
"""Draws in a shard."""

_HEADER = "diptych.cache"
_FEATURES = "features."
_NAME = re.compile(r"draws-(\d{6})\.safetensors")


def shard_path(folder: Path, index: int) -> Path:
    """Where the shard of draws ``index * SHARD`` onwards lies."""
    return folder / f"draws-{index:06d}.safetensors"


def shards(draws: int, size: int = SHARD) -> int:
    """How many shards of ``size`` draws hold at least ``draws`` draws."""
    return -(-draws // size)


def missing_shards(folder: Path, draws: int, size: int = SHARD) -> list[int]:
    """Shards still to be made for a cache of at least ``draws`` draws."""
    return [i for i in range(shards(draws, size)) if not shard_path(folder, i).exists()]


def write_shard(folder: Path, index: int, make: Callable[[int], LatentDraw], made_for: str, size: int = SHARD) -> None:
    """Makes and writes one shard.

    Args:
        folder: of the cache.
        index: of the shard.
        make: draw number to latents.
        made_for: what the latents depend on (VAE weights, contract); a reader refuses another.
        size: draws in a shard; the same for all of a cache. Figures and features are kept where the draws have them.
    """
    grouped: dict[str, list[LatentDraw]] = defaultdict(list)
    for number in range(index * size, (index + 1) * size):
        made = make(number)
        grouped["x".join(str(n) for n in made.target.shape)].append(made)
    tensors: dict[str, Tensor] = {}
    prompts: dict[str, list[str]] = {}
    for shape, draws in grouped.items():
        tensors[f"{shape}.target"] = torch.stack([d.target for d in draws]).to(torch.float16)
        if any(d.condition is not d.target for d in draws):
            tensors[f"{shape}.condition"] = torch.stack([d.condition for d in draws]).to(torch.float16)
        windows = [(d.window.frames, d.window.lead_in, d.window.history) for d in draws]
        figures = [d.figures for d in draws if d.figures is not None]
        if figures:
            tensors[f"{shape}.figures"] = pack_bits(torch.stack(figures))
        for name in draws[0].features or ():
            tensors[f"{shape}.{_FEATURES}{name}"] = torch.stack([(d.features or {})[name] for d in draws])
        tensors[f"{shape}.window"] = torch.tensor(windows, dtype=torch.int32)
        prompts[shape] = [d.prompt for d in draws]
    path = shard_path(folder, index)
    with writing_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft:
            save_tensors(tensors, draft, {_HEADER: json.dumps({"made_for": made_for, "prompts": prompts})})


@dataclass(frozen=True, eq=False)
class Bucket:
    """Cached draws of one shape, in memory or mapped from their files.

    Attributes:
        target: float16, ``(n, c, t', h', 2w')``.
        condition: float16, same shape; the target itself where all of it is known and a task hides what it wants.
        windows: int32, ``(n, 3)``: frames, lead-in, history.
        prompts: n texts.
        figures: eight channels a byte (:func:`pack_bits`), uint8, ``(n, FIGURES / 8, t', h', 2w')``, or None.
        features: of text and reference by name, each ``(n, ...)``, or None.
    """

    target: Tensor
    condition: Tensor
    windows: Tensor
    prompts: list[str]
    figures: Tensor | None = None
    features: dict[str, Tensor] | None = None

    def __len__(self) -> int:
        """Number of draws."""
        return len(self.prompts)

    def take(self, rows: Iterable[int]) -> list[LatentDraw]:
        """The draws of the given rows."""
        rows = list(rows)
        figures = None if self.figures is None else unpack_bits(self.figures[rows])
        return [
            LatentDraw(
                self.target[i],
                self.condition[i],
                Window(*self.windows[i].tolist()),
                self.prompts[i],
                None if figures is None else figures[n],
                None if self.features is None else {name: values[i] for name, values in self.features.items()},
            )
            for n, i in enumerate(rows)
        ]


@dataclass(frozen=True, eq=False)
class Shelf:
    """Cached draws of one shape, shard by shard: too many for the memory, so rows are mapped from the files.

    Attributes:
        buckets: one for each shard, in order.
    """

    buckets: list[Bucket]

    def __len__(self) -> int:
        """Number of draws."""
        return sum(len(bucket) for bucket in self.buckets)

    def take(self, rows: Iterable[int]) -> list[LatentDraw]:
        """The draws of the given rows, counted through all shards."""
        ends = np.cumsum([len(bucket) for bucket in self.buckets])
        found = []
        for row in rows:
            shard = int(np.searchsorted(ends, row, side="right"))
            found += self.buckets[shard].take([row - int(ends[shard]) + len(self.buckets[shard])])
        return found


def pack_bits(values: Tensor) -> Tensor:
    """Eight channels of yes and no in a byte: bool ``(n, 8c, ...)`` to uint8 ``(n, c, ...)``."""
    return torch.from_numpy(np.packbits(values.numpy(), axis=1, bitorder="little"))


def unpack_bits(packed: Tensor) -> Tensor:
    """What was packed, on the device where it lies: uint8 ``(n, c, ...)`` to bool ``(n, 8c, ...)``."""
    bits = torch.arange(8, device=packed.device, dtype=torch.uint8).view(1, 1, 8, *[1] * (packed.ndim - 2))
    return ((packed.unsqueeze(2) >> bits) & 1).flatten(1, 2).bool()


def read_cache(folder: Path, draws: int, made_for: str, size: int = SHARD) -> dict[str, Bucket]:
    """Reads the first ``draws`` draws (rounded up to whole shards) into memory, by shape.

    Raises:
        InputError: if a shard is missing, damaged, or made for another VAE or contract.
    """
    return {shape: _joined(shelf.buckets) for shape, shelf in map_cache(folder, draws, made_for, size).items()}


def map_cache(folder: Path, draws: int, made_for: str, size: int = SHARD) -> dict[str, Shelf]:
    """The same without reading more than headers: the system brings what is asked for, and lets it go again.

    Raises:
        InputError: as :func:`read_cache`.
    """
    from safetensors import SafetensorError, safe_open

    parts: dict[str, list[Bucket]] = defaultdict(list)
    for index in range(shards(draws, size)):
        path = shard_path(folder, index)
        try:
            with safe_open(path, "pt") as file:
                header = json.loads((file.metadata() or {})[_HEADER])
                if header["made_for"] != made_for:
                    raise InputError(f"{path} was made for another VAE or contract; delete the folder {folder}.")
                for shape, prompts in header["prompts"].items():
                    prefix = f"{shape}."
                    held = {
                        key.removeprefix(prefix): file.get_tensor(key)
                        for key in file.keys()  # noqa: SIM118
                        if key.startswith(prefix)
                    }
                    features = {
                        name.removeprefix(_FEATURES): held.pop(name) for name in [*held] if name.startswith(_FEATURES)
                    }
                    target = held["target"]
                    condition = held.get("condition", target)
                    parts[shape].append(
                        Bucket(target, condition, held["window"], prompts, held.get("figures"), features or None)
                    )
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise InputError(f"{path} is not a shard of cached draws ({error}); delete it to have it redone.") from None
    return {shape: Shelf(found) for shape, found in sorted(parts.items())}


def cached_draws(folder: Path, size: int = SHARD) -> int:
    """How many draws lie in the folder without a gap."""
    have = {int(m[1]) for p in folder.glob("draws-*.safetensors") if (m := _NAME.fullmatch(p.name))}
    count = 0
    while count in have:
        count += 1
    return count * size


def _joined(parts: list[Bucket]) -> Bucket:
    target = torch.cat([p.target for p in parts])
    all_known = all(p.condition is p.target for p in parts)
    figures = [p.figures for p in parts if p.figures is not None]
    features = [p.features for p in parts if p.features is not None]
    return Bucket(
        target,
        target if all_known else torch.cat([p.condition for p in parts]),
        torch.cat([p.windows for p in parts]),
        [prompt for p in parts for prompt in p.prompts],
        torch.cat(figures) if figures else None,
        {name: torch.cat([one[name] for one in features]) for name in features[0]} if features else None,
    )
