"""Sight: where figures and limbs are in what is given to the mini, seen by a small convolutional network.

A limb is a few pixels wide, and a cell of the latents is sixteen. Told in pixels again, edges lie beside each other,
and what makes a forearm is learnt once for all places: minutes of it see more than hours of the transformer did
(docs/log.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b

import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.method.incontext import compose, split
from diptych.models.patches import FRAMES, SIDE, PatchVae

PART = 4
"""Pixels a side of the parts that sight tells apart; a cell has ``(SIDE / PART)^2`` in each of its four frames."""

_PARTS = SIDE // PART
_FOLDED = 3 * PART * PART


_BLOCKS = 2


@dataclass(eq=False)
class Remembered:
    """What a frozen network said of inputs, for those that come again, as cached draws do in every epoch.

    Attributes:
        most: inputs that are remembered; any more are looked at whenever they come.
        said: by a hash of the input, in 255 levels.
    """

    most: int
    said: dict[bytes, Tensor] = field(default_factory=dict)

    @torch.compiler.disable
    def __call__(self, look: Callable[[Tensor], Tensor], shown: Tensor) -> Tensor:
        """What ``look`` says, in 255 levels even where it is new: a run that goes on has no memory.

        Args:
            look: batch to batch of numbers in [0, 1], each row by itself; it must never learn.
            shown: ``(b, ...)``.
        """
        rows = shown.detach().float().cpu().numpy()
        keys = [blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
        fresh = [n for n, key in enumerate(keys) if key not in self.said]
        found: dict[bytes, Tensor] = {}
        if fresh:
            levels = (255 * look(shown[fresh]).float()).round().to(torch.uint8).cpu()
            found = dict(zip([keys[n] for n in fresh], levels, strict=True))
        answer = torch.stack([found[key] if key in found else self.said[key] for key in keys])
        for key in list(found)[: max(0, self.most - len(self.said))]:
            self.said[key] = found[key].clone()
        return answer.to(shown) / 255


class Sight(nn.Module):
    """Latents of a panel to layers of figures and limbs.

    Args:
        layers: that it tells: figures, and one for each limb.
        width: channels at four pixels; twice as many at eight.
        channels: of the latents.
    """

    def __init__(self, layers: int, width: int, channels: int) -> None:
        super().__init__()
        self.layers = layers
        # Cells to pixels, folded four by four into channels: the VAE's linear decoder.
        self.first = nn.Linear(channels, _FOLDED * _PARTS**2)
        self.rest = nn.Linear(channels, _FOLDED * _PARTS**2 * FRAMES)
        self.into = nn.Conv2d(_FOLDED, width, 3, padding=1)
        self.place = nn.Parameter(torch.zeros(1, width, _PARTS, _PARTS))
        self.fine = nn.ModuleList(_Block(width) for _ in range(_BLOCKS))
        self.down = nn.Conv2d(width, 2 * width, 2, stride=2)
        self.coarse = nn.ModuleList(_Block(2 * width) for _ in range(_BLOCKS))
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.last = _Block(width)
        self.out = nn.Conv2d(width, layers, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.constant_(self.out.bias, -3.0)  # type: ignore[arg-type]  # a limb is rarely there

    @torch.no_grad()
    def begin_with(self, vae: PatchVae) -> None:
        """Takes over the VAE's linear decoder, for good: it is exact, and only what comes after it has to learn."""
        for linear, code, frames in ((self.first, vae.first, 1), (self.rest, vae.rest, FRAMES)):
            decoder = torch.cat([(code.basis * code.scale).T, code.mean[None]])  # (c + 1, 3 frames 16 16)
            # A patch counts its numbers as (frame, colour, row, column); here (row, column part, frame, colour, in it).
            cut = decoder.reshape(-1, frames, 3, _PARTS, PART, _PARTS, PART).permute(0, 3, 5, 1, 2, 4, 6).flatten(1)
            linear.weight.copy_(cut[:-1].T)
            linear.bias.copy_(cut[-1])
            linear.requires_grad_(False)

    def forward(self, latents: Tensor) -> Tensor:
        """Where figures and limbs are.

        Args:
            latents: of one panel, ``(b, c, t', h', w')``; the first frame may be of another video than the rest.

        Returns:
            Logits, ``(b, layers, 4 t', 4 h', 4 w')``; the first frame stands for four.
        """
        b, _, t, h, w = latents.shape
        cells = latents.permute(0, 2, 3, 4, 1)  # (b, t', h', w', c)
        first = self.first(cells[:, :1]).reshape(b, 1, h, w, _PARTS, _PARTS, 1, _FOLDED)
        rest = self.rest(cells[:, 1:]).reshape(b, t - 1, h, w, _PARTS, _PARTS, FRAMES, _FOLDED)
        frames = torch.cat([move.permute(0, 1, 6, 7, 2, 4, 3, 5).flatten(1, 2) for move in (first, rest)], dim=1)
        n = frames.shape[1]  # (b, n, folded, h', 4, w', 4)
        x = self.into(frames.reshape(b * n, _FOLDED, _PARTS * h, _PARTS * w)) + self.place.repeat(1, 1, h, w)
        for block in self.fine:
            x = block(x, n)
        y = self.down(x)
        for block in self.coarse:
            y = block(y, n)
        x = self.last(x + self.up(y), n)
        told = self.out(functional.silu(x)).reshape(b, n, self.layers, _PARTS * h, _PARTS * w).transpose(1, 2)
        return torch.cat([told[:, :, :1].repeat(1, 1, FRAMES - 1, 1, 1), told], dim=2)


def to_cells(layers: Tensor) -> Tensor:
    """Parts of frames to channels of cells: ``(b, layers, 4 t', 4 h', 4 w')`` to ``(b, 64 layers, t', h', w')``."""
    cut = layers.unflatten(4, (-1, _PARTS)).unflatten(3, (-1, _PARTS)).unflatten(2, (-1, FRAMES))
    return cut.permute(0, 1, 3, 5, 7, 2, 4, 6).flatten(1, 4)


def given(canvas: Tensor, panels: int = 2) -> Tensor:
    """What a canvas's condition gives to be looked at, as one panel: the picture in frame 0, then the motion.

    Args:
        canvas: latents of what is known, ``(b, c, t', h', 2w')``.
        panels: of the canvas; a third one is not looked at.

    Returns:
        ``(b, c, t', h', w')``.
    """
    left, right, *_ = split(canvas, panels)
    return torch.cat([left[:, :, :1], right[:, :, 1:]], dim=2)


def onto_canvas(seen: Tensor, panels: int = 2) -> Tensor:
    """The inverse of :func:`given` for what was seen there; 0 elsewhere."""
    left, right = torch.zeros_like(seen), seen.clone()
    left[:, :, :1] = seen[:, :, :1]
    right[:, :, :1] = 0
    return compose(left, right, *[torch.zeros_like(seen)] * (panels - 2))


class _Block(nn.Module):
    """Space, time and space again, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.space = nn.Conv2d(width, width, 3, padding=1)
        self.time = nn.Conv3d(width, width, (3, 1, 1), padding=(1, 0, 0))
        self.again = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """``(b frames, width, h, w)`` to the same shape."""
        h = self.space(functional.silu(x))
        clip = functional.silu(h).unflatten(0, (-1, frames)).transpose(1, 2)  # (b, width, frames, h, w)
        h = h + self.time(clip).transpose(1, 2).flatten(0, 1)
        return x + self.again(functional.silu(h))
