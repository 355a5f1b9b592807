"""All cached draws of a run, and the batches that it takes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from diptych.data.cache import Bucket
from diptych.train.rows import Batch, Rows
from diptych.train.varied import Varied


@dataclass(frozen=True, eq=False)
class Shelves:
    """All cached draws of a run, brought to the device that trains when it first asks.

    Attributes:
        buckets: by panel shape.
        words: kept of a prompt.
        entries: of the table of words.
        varied: changes draws anew whenever they are asked for; None hands them out as they are.
    """

    buckets: Mapping[str, Bucket]
    words: int = 1
    entries: int = 2
    varied: Varied | None = None
    _there: dict[torch.device, tuple[list[Rows], Varied | None]] = field(default_factory=dict, init=False)

    @property
    def facts(self) -> dict[str, Any]:
        """Plain values that must stay the same for a run to be resumed."""
        draws = {"draws": sum(len(bucket) for bucket in self.buckets.values())}
        return draws if self.varied is None else {**draws, "varied": True}

    def draw(self, count: int, generator: torch.Generator, device: torch.device) -> Batch:
        """A batch of one shape, shapes drawn by how many draws they have.

        Args:
            count: of draws.
            generator: on the CPU.
            device: that trains.
        """
        if device not in self._there:
            rows = [Rows.of(one, device, words=self.words, entries=self.entries) for one in self.buckets.values()]
            self._there[device] = rows, None if self.varied is None else self.varied.to(device)
        shelves, varied = self._there[device]
        sizes = torch.tensor([len(one.kinds) for one in shelves], dtype=torch.float64)
        chosen = shelves[int(torch.multinomial(sizes, 1, generator=generator))]
        batch = chosen.take(torch.randint(len(chosen.kinds), (count,), generator=generator))
        return batch if varied is None else varied(batch, generator)
