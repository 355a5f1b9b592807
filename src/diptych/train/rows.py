"""Cached draws where batches are taken from them: on the device that trains, in one step for all rows.

Draw by draw, a batch of 64 takes longer to put together than a GPU needs to learn from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diptych.data.cache import Bucket, unpack_bits
from diptych.method.incontext import Condition, Window, canvas_mask
from diptych.models.words import tokens


@dataclass(frozen=True, eq=False)
class Batch:
    """Draws of one shape.

    Attributes:
        target: latents of finished canvases, float32, ``(b, c, t', h', 2w')``.
        condition: what is known of them.
        text: token rows, int64, ``(b, length)``.
        figures: where figures and limbs are, bool, ``(b, FIGURES, t', h', 2w')``, or None.
    """

    target: Tensor
    condition: Condition
    text: Tensor
    figures: Tensor | None


@dataclass(frozen=True, eq=False)
class Rows:
    """The same for all draws of a shape, packed as they lie on disk; see :class:`Batch`.

    Attributes:
        target: float16, ``(n, c, t', h', 2w')``.
        condition: float16, the same shape.
        masks: of every kind of window there is, ``(kinds, 1, t', h', 2w')``.
        kinds: which of them a draw has, int64, ``(n,)``.
        text: int64, ``(n, length)``.
        figures: eight channels a byte, or None.
    """

    target: Tensor
    condition: Tensor
    masks: Tensor
    kinds: Tensor
    text: Tensor
    figures: Tensor | None

    @classmethod
    def of(cls, bucket: Bucket, device: torch.device, *, words: int = 1, entries: int = 2) -> Rows:
        """A bucket of canvases of two panels, on a device.

        Args:
            bucket: on the CPU.
            device: that trains.
            words: kept of a prompt.
            entries: of the table of words.
        """
        windows, kinds = bucket.windows.unique(dim=0, return_inverse=True)
        h, w2 = bucket.target.shape[-2:]
        masks = torch.cat([canvas_mask(Window(*window), h, w2 // 2) for window in windows.tolist()])
        text, figures = tokens(bucket.prompts, words, entries), bucket.figures
        target = bucket.target.to(device)
        # Where all is known and hidden anew in every step, one lies where the other does.
        condition = target if bucket.condition is bucket.target else bucket.condition.to(device)
        packed = None if figures is None else figures.to(device)
        return cls(target, condition, masks.to(device), kinds.to(device), text.to(device), packed)

    def take(self, rows: Tensor) -> Batch:
        """The draws of the given rows, int64 ``(b,)``."""
        rows = rows.to(self.target.device, non_blocking=True)
        condition = Condition(self.condition[rows].float(), self.masks[self.kinds[rows]])
        figures = None if self.figures is None else unpack_bits(self.figures[rows])
        return Batch(self.target[rows].float(), condition, self.text[rows], figures)
