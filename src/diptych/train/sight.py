"""Training of the mini's sight on cached canvases: where figures and limbs are in what is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.data.cache import Bucket
from diptych.data.canvases import LatentDraw, collate
from diptych.models.sight import Sight, given, to_cells


@dataclass(frozen=True, eq=False)
class SightTask:
    """Cross-entropy of every layer in every part of every cell that is given.

    Attributes:
        module: the network.
        buckets: cached draws by panel shape.
        batch: draws a step.
        held_out: draws that are never trained on.
        made_for: what the cache was made for; a run goes on only with the same.
    """

    module: Sight
    buckets: dict[str, Bucket]
    batch: int
    held_out: tuple[LatentDraw, ...]
    made_for: str

    @property
    def facts(self) -> dict[str, Any]:
        """Sizes and the cache."""
        draws = sum(len(bucket) for bucket in self.buckets.values())
        return {"sight": self.module.layers, "batch": self.batch, "made_for": self.made_for, "draws": draws}

    def matrices(self, module: nn.Module) -> list[nn.Parameter]:
        """Kernels inside the blocks."""
        return [
            p for name, p in module.named_parameters() if name.endswith(("space.weight", "time.weight", "again.weight"))
        ]

    def parts(self, step: int) -> int:
        """The batch is run at once."""
        return 1

    def loss(self, module: nn.Module, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Error on a batch of one panel shape, shapes drawn by how many draws they have."""
        sizes = torch.tensor([len(bucket) for bucket in self.buckets.values()], dtype=torch.float64)
        bucket = list(self.buckets.values())[int(torch.multinomial(sizes, 1, generator=generator))]
        rows = torch.randint(len(bucket), (self.batch,), generator=generator)
        by_layer = _error(module, self.module.layers, bucket.take(rows.tolist()))
        return by_layer.sum(), {"figures": by_layer[0].item(), "limbs": by_layer[1:].sum().item()}

    @torch.no_grad()
    def preview(self, module: nn.Module, path: Path) -> dict[str, float]:
        """Error on held-out draws; nothing is drawn."""
        by_layer = torch.stack([_error(module, self.module.layers, [one]) for one in self.held_out]).mean(0)
        return {"held_out_figures": by_layer[0].item(), "held_out_limbs": by_layer[1:].sum().item()}


def _error(module: nn.Module, layers: int, draws: Sequence[LatentDraw]) -> Tensor:
    """Mean cross-entropy of each layer in the cells that are given, ``(layers,)``."""
    known = collate(draws)[1].latents
    wanted = given(torch.stack([draw.figures for draw in draws if draw.figures is not None]).float())
    device = next(module.parameters()).device
    told = to_cells(module(given(known).to(device)))
    wrong = functional.binary_cross_entropy_with_logits(told.float(), wanted.to(device), reduction="none")
    return wrong.unflatten(1, (layers, -1)).mean(dim=(0, 2, 3, 4, 5))
