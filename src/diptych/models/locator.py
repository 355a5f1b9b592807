"""Where figures stand in a picture: a small network of the mini that looks at one picture at a time.

A driver's figure may be anywhere and of any size. Shown as large as the reference's and in the same place, what it does
lies in the same cells of both panels, which is what a small network can follow (docs/decisions.md, 28).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.method.pixels import to_pixels
from diptych.models.patches import refuse_beyond
from diptych.types import Picture, Stand

SIDE = 64
"""Pixels of the square that a picture is fitted into."""

_STAGES = 3
_KEPT = SIDE >> _STAGES  # cells a side that the last stage leaves
_FARTHEST, _SMALLEST, _LARGEST = 4.0, 0.02, 16.0


@dataclass(frozen=True, kw_only=True)
class LocatorConfig:
    """Size of the locator.

    Attributes:
        width: channels of the first stage; each of the three stages halves the sides and doubles the channels.
        blocks: residual blocks in each.
        hidden: channels of the layer that sees all cells.
    """

    width: int = 32
    blocks: int = 1
    hidden: int = 256

    def __post_init__(self) -> None:
        """Refuses sizes that no file of a mini has, before memory is asked for.

        Raises:
            ValueError: naming the size.
        """
        refuse_beyond(self, width=256, blocks=16, hidden=2048)


class Locator(nn.Module):
    """Pictures to stands."""

    def __init__(self, config: LocatorConfig) -> None:
        super().__init__()
        widths = [config.width << stage for stage in range(_STAGES)]
        layers: list[nn.Module] = []
        for before, width in zip([3, *widths], widths, strict=False):
            layers += [nn.Conv2d(before, width, 4, stride=2, padding=1), *(_Block(width) for _ in range(config.blocks))]
        self.see = nn.Sequential(*layers)
        self.fold = nn.Conv2d(widths[-1], 32, 1)
        self.tell = nn.Sequential(nn.SiLU(), nn.Linear(32 * _KEPT**2, config.hidden), nn.SiLU())
        self.out = nn.Linear(config.hidden, 3)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, pictures: Tensor) -> Tensor:
        """Where figures stand.

        Args:
            pictures: fitted into a square, ``(b, 3, SIDE, SIDE)`` in [-1, 1].

        Returns:
            x and y, -1 at the left and upper edge of the square and 1 at the right and lower one, and the natural
            logarithm of the height in sides, ``(b, 3)``.
        """
        return self.out(self.tell(self.fold(self.see(pictures)).flatten(1)))

    @torch.no_grad()
    def locate(self, picture: Picture) -> Stand:
        """Where the figures of a picture stand, in its pixels.

        Args:
            picture: RGB, uint8, ``(h, w, 3)``, any size.
        """
        height, width = picture.shape[:2]
        pixels = squared(picture).to(self.out.weight)
        # The picture and its mirror image should agree; their mean is nearer to the truth than either.
        plain, mirrored = self(torch.cat([pixels, pixels.flip(-1)])).float().tolist()
        x, y, size = (plain[0] - mirrored[0]) / 2, (plain[1] + mirrored[1]) / 2, (plain[2] + mirrored[2]) / 2
        # However wrong it is, what comes out is a place and a size that a view can be made of.
        x, y = (min(max(value, -_FARTHEST), _FARTHEST) for value in (x, y))
        longer = max(width, height)
        tall = longer * math.exp(min(max(size, math.log(_SMALLEST)), math.log(_LARGEST)))
        return Stand((width + longer * x) / 2, (height + longer * y) / 2, tall)


def told(stand: Stand, width: int, height: int) -> tuple[float, float, float]:
    """What the locator should say of a picture of some size: the inverse of :meth:`Locator.locate`."""
    longer = max(width, height)
    return (2 * stand.x - width) / longer, (2 * stand.y - height) / longer, math.log(stand.height / longer)


def squared(picture: Picture) -> Tensor:
    """A picture as the locator sees it: fitted into a square, grey around it, ``(1, 3, SIDE, SIDE)`` in [-1, 1]."""
    height, width = picture.shape[:2]
    tall, wide = (max(1, round(side * SIDE / max(width, height))) for side in (height, width))
    pixels = to_pixels(picture[None])[:, :, 0]
    if (tall, wide) != (height, width):
        pixels = functional.interpolate(pixels, (tall, wide), mode="bilinear", antialias=True)
    left, top = (SIDE - wide) // 2, (SIDE - tall) // 2
    return functional.pad(pixels, (left, SIDE - wide - left, top, SIDE - tall - top))


class _Block(nn.Module):
    """Two convolutions, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8 if width % 8 == 0 else 1, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """``(b, width, h, w)`` to the same shape."""
        return x + self.second(functional.silu(self.first(functional.silu(self.norm(x)))))
