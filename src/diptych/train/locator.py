"""Training of the mini's locator: one picture, and where the figures in it stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from diptych.models.locator import Locator, LocatorConfig, squared, told
from diptych.types import Picture, Stand

Located = tuple[Picture, Stand]
"""A picture and where its figures stand."""


@dataclass(frozen=True, eq=False)
class LocatorTask:
    """Absolute error of place and of size.

    Attributes:
        module: the network.
        config: its size.
        pictures: of a step, at least.
        source: draws some pictures from a generator.
        held_out: pictures that are never trained on.
    """

    module: Locator
    config: LocatorConfig
    pictures: int
    source: Callable[[np.random.Generator], Sequence[Located]]
    held_out: tuple[Located, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """Sizes."""
        return {"locator": asdict(self.config), "pictures": self.pictures}

    def matrices(self, module: nn.Module) -> list[nn.Parameter]:
        """Kernels of the blocks, and the layer that sees all cells."""
        inside = ("first.weight", "second.weight", "tell.1.weight")
        return [p for name, p in module.named_parameters() if name.endswith(inside)]

    def parts(self, step: int) -> int:
        """The batch is run at once."""
        return 1

    def loss(self, module: nn.Module, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Error on freshly drawn pictures."""
        rng = np.random.default_rng(int(torch.randint(1 << 62, (), generator=generator)))
        drawn: list[Located] = []
        while len(drawn) < self.pictures:
            drawn += self.source(rng)
        pixels, wanted = collate(drawn)
        device = next(module.parameters()).device
        errors = (module(pixels.to(device)).float() - wanted.to(device)).abs()
        return errors.sum(1).mean(), _by_part(errors)

    @torch.no_grad()
    def preview(self, module: nn.Module, path: Path) -> dict[str, float]:
        """Errors on held-out pictures; nothing is drawn."""
        pixels, wanted = collate(self.held_out)
        device = next(module.parameters()).device
        errors = (module(pixels.to(device)).float() - wanted.to(device)).abs()
        return {f"held_out_{name}": value for name, value in _by_part(errors).items()}


def collate(drawn: Sequence[Located]) -> tuple[Tensor, Tensor]:
    """Pictures as the network takes them, ``(b, 3, SIDE, SIDE)``, and what it should say of them, ``(b, 3)``."""
    wanted = [told(stand, picture.shape[1], picture.shape[0]) for picture, stand in drawn]
    return torch.cat([squared(picture) for picture, _ in drawn]), torch.tensor(wanted)


def _by_part(errors: Tensor) -> dict[str, float]:
    """Mean error of the place, in sides of the square, and of the logarithm of the size."""
    return {"place": errors[:, :2].mean().item() / 2, "size": errors[:, 2].mean().item()}
