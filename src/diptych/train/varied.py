"""Draws mirrored and in other colours: made in latents, at no cost of drawing them.

The mini's code of a patch is linear, so what mirroring or an exchange of colours does to pixels, a matrix does to
codes, exactly where the VAE's components were fitted for it. A window takes a tenth of a second to draw, and a GPU a
third of a millisecond to learn from: what would be learnt by heart is seen in many guises instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from diptych.method.incontext import compose, split
from diptych.models.mini import FIGURES
from diptych.models.patches import COLOURS, FRAMES, SIDE, PatchVae, alike
from diptych.models.sight import PART
from diptych.models.words import tokens
from diptych.puppets.limbs import LIMBS
from diptych.puppets.palette import AGED, CLOTHES, FUR, HAIR, SKIN
from diptych.train.rows import Batch

_KEPT = 0.98
"""Share of what a code keeps of white noise that a change must leave in it."""


_NAMES = {word for shades in (CLOTHES, SKIN, HAIR, AGED, FUR) for one in shades for word in one.name.split()}
"""Words of colours."""


def _other_side(limb: str) -> str:
    return limb[:-1] + {"r": "l", "l": "r"}[limb[-1]] if limb.endswith(("_r", "_l")) else limb


_SIDES_EXCHANGED = [0, *(1 + list(LIMBS).index(_other_side(limb)) for limb in LIMBS)]
"""Which layer of figures and limbs a mirror image has in the place of each."""


@dataclass(frozen=True, eq=False)
class Varied:
    """Changes of cached draws; the same for sight and denoiser.

    Attributes:
        first: what each change does to codes of frame 0, ``(changes, c, c)``.
        rest: what it does to codes of later frames.
        sides: what the words left and right are told as, int64, ``(2,)``.
        names: what words of colours are told as, int64.
    """

    first: Tensor
    rest: Tensor
    sides: Tensor
    names: Tensor

    @classmethod
    def of(cls, vae: PatchVae, entries: int = 2) -> Varied:
        """The changes of a VAE's codes.

        Args:
            vae: whose codes are cached.
            entries: of the table of words that prompts are told in.

        Raises:
            ValueError: if its components were not fitted for them, so that a change would lose what the code keeps.
        """
        orders = ((vae.first, alike(1)), (vae.rest, alike(FRAMES)))
        first, rest = (torch.stack([code.recoded(order) for order in found]) for code, found in orders)
        for (code, _), matrices in zip(orders, (first, rest), strict=True):
            # In pixels, where all directions count alike, such a matrix turns the kept directions among themselves.
            turned = code.scale[:, None].reciprocal() * matrices * code.scale
            if ((turned.square().sum((1, 2)) / len(code.scale)) < _KEPT).any():
                raise ValueError("this VAE's code was not fitted for mirrored draws and exchanged colours")
        sides, names = (tokens(words, 1, entries)[:, 0] for words in (("left", "right"), sorted(_NAMES)))
        return cls(first, rest, sides, names)

    def to(self, device: torch.device) -> Varied:
        """The same where the draws are."""
        return Varied(*(one.to(device) for one in (self.first, self.rest, self.sides, self.names)))

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Every draw mirrored or not, its character and its driver each in colours of their own.

        Args:
            batch: canvases of two panels whose empty cells are zeros.
            generator: on the CPU.
        """
        count, device = len(batch.target), batch.target.device
        mirrored = torch.rand(count, generator=generator) < 0.5
        # Half of them keep their colours, which are those that are met later.
        colours = (torch.randint(2 * len(COLOURS) - 2, (2, count), generator=generator) - len(COLOURS) + 2).clamp_min(0)
        changes = (2 * colours + mirrored).to(device, non_blocking=True)
        mirrored, kept = (one.to(device, non_blocking=True) for one in (mirrored, colours[0] == 0))

        def changed(canvas: Tensor) -> Tensor:
            panels = split(_mirrored(canvas, mirrored))
            return compose(*[self._recoded(one, change) for one, change in zip(panels, changes, strict=True)])

        condition = replace(batch.condition, latents=changed(batch.condition.latents))
        figures = None if batch.figures is None else _sides_exchanged(batch.figures, mirrored)
        text = self._retold(batch.text, mirrored, kept)
        return Batch(changed(batch.target), condition, text, figures)

    def _retold(self, text: Tensor, mirrored: Tensor, kept: Tensor) -> Tensor:
        """Prompts of what is seen now: left is right in a mirror, and no colour is what it was called."""
        left, right = self.sides
        other = torch.where(text == left, right, torch.where(text == right, left, text))
        text = torch.where(mirrored[:, None], other, text)
        named = torch.isin(text, self.names)
        return text.masked_fill(named & ~kept[:, None], 0)

    def _recoded(self, panel: Tensor, changes: Tensor) -> Tensor:
        """Codes of a panel, ``(b, c, t', h', w')``, each draw's by a change of its own."""
        moved = []
        for codes, matrices in ((panel[:, :, :1], self.first), (panel[:, :, 1:], self.rest)):
            turned = torch.bmm(matrices[changes].transpose(1, 2), codes.flatten(2))  # (b, c, cells)
            moved.append(turned.view_as(codes))
        return torch.cat(moved, dim=2)


def _mirrored(canvas: Tensor, mirrored: Tensor) -> Tensor:
    """Cells of each panel from right to left, in the rows that are mirrored."""
    turned = compose(*[panel.flip(-1) for panel in split(canvas)])
    return torch.where(mirrored.view(-1, 1, 1, 1, 1), turned, canvas)


def _sides_exchanged(figures: Tensor, mirrored: Tensor) -> Tensor:
    """Layers of figures and limbs, ``(b, layers * FIGURES, t', h', 2w')``, mirrored in and among cells."""
    parts = figures.unflatten(1, (-1, FIGURES // (SIDE // PART), SIDE // PART)).flip(3).flatten(2, 3)
    if parts.shape[1] > 1:
        parts = parts[:, _SIDES_EXCHANGED]
    turned = compose(*[panel.flip(-1) for panel in split(parts.flatten(1, 2))])
    return torch.where(mirrored.view(-1, 1, 1, 1, 1), turned, figures)
