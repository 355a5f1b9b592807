"""Training of the mini's sight on cached canvases: where figures and limbs are in what is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.data.canvases import LatentDraw, collate
from diptych.models.sight import Sight, given, to_cells
from diptych.train.shelves import Shelves


@dataclass(frozen=True, eq=False)
class SightTask:
    """Cross-entropy of every layer in every part of every cell that is given.

    Attributes:
        module: the network.
        draws: cached draws.
        batch: draws a step.
        held_out: draws that are never trained on.
        made_for: what the cache was made for; a run goes on only with the same.
    """

    module: Sight
    draws: Shelves
    batch: int
    held_out: tuple[LatentDraw, ...]
    made_for: str

    @property
    def facts(self) -> dict[str, Any]:
        """Sizes and the cache."""
        return {"sight": self.module.layers, "batch": self.batch, "made_for": self.made_for, **self.draws.facts}

    def matrices(self, module: nn.Module) -> list[nn.Parameter]:
        """Kernels inside the blocks."""
        return [
            p for name, p in module.named_parameters() if name.endswith(("space.weight", "time.weight", "again.weight"))
        ]

    def parts(self, step: int) -> int:
        """The batch is run at once."""
        return 1

    def loss(self, module: nn.Module, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Error on a batch of one panel shape, shapes drawn by how many draws they have."""
        batch = self.draws.draw(self.batch, generator, next(module.parameters()).device)
        assert batch.figures is not None
        by_layer = _error(module, self.module.layers, batch.condition.latents, batch.figures)
        return by_layer.sum(), {"figures": by_layer[0].detach(), "limbs": by_layer[1:].detach().sum()}

    @torch.no_grad()
    def preview(self, module: nn.Module, path: Path) -> dict[str, float]:
        """Error on held-out draws; nothing is drawn."""
        device = next(module.parameters()).device
        errors = []
        for one in self.held_out:
            assert one.figures is not None
            known = collate([one])[1].latents.to(device)
            errors.append(_error(module, self.module.layers, known, one.figures[None].to(device)))
        by_layer = torch.stack(errors).mean(0)
        return {"held_out_figures": by_layer[0].item(), "held_out_limbs": by_layer[1:].sum().item()}


def _error(module: nn.Module, layers: int, known: Tensor, figures: Tensor) -> Tensor:
    """Mean cross-entropy of each layer in the cells that are given, ``(layers,)``.

    Args:
        module: sight.
        layers: that it tells.
        known: latents of what is known, ``(b, c, t', h', 2w')``.
        figures: bool, ``(b, layers * FIGURES, t', h', 2w')``.
    """
    told = to_cells(module(given(known)))
    wrong = functional.binary_cross_entropy_with_logits(told.float(), given(figures).float(), reduction="none")
    return wrong.unflatten(1, (layers, -1)).mean(dim=(0, 2, 3, 4, 5))
