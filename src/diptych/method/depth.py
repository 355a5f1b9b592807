"""Nearness: how near everything in a clip is, on one scale for all of it (docs/depth.md).

Estimators and made-up worlds have units of their own. A clip is brought to [0, 1] as a whole: frame by frame, a figure
that comes nearer would stay as it is and all around it would move away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from diptych.types import Frames

Nearness = NDArray[np.float32]
"""How near everything is, larger is nearer, float32, ``(t, h, w)``."""


class FindDepth(Protocol):
    """Says how near everything in a clip is."""

    def __call__(self, frames: Frames) -> Nearness:
        """Nearness on one scale for all frames of a call.

        Args:
            frames: RGB, uint8, ``(t, h, w, 3)``.

        Returns:
            float32, ``(t, h, w)`` in [0, 1]; 1 is nearest.
        """
        ...


@dataclass(frozen=True)
class DepthRange:
    """What is black and what is white in a clip, in whatever unit its nearness has.

    Attributes:
        low: the farthest.
        high: the nearest; not less.
    """

    low: float
    high: float

    @classmethod
    def of(cls, nearness: NDArray[np.float32] | NDArray[np.uint8], cut: float = 0.0) -> DepthRange:
        """The range of a clip, or of a sample of its frames.

        Args:
            nearness: ``(t, h, w)``, of any real type.
            cut: share of the pixels at either end that may lie beyond: a few wrong ones decide nothing then.
        """
        low, high = np.quantile(nearness, (cut, 1 - cut))
        return cls(float(low), float(high))

    def normalised(self, nearness: NDArray[np.float32] | NDArray[np.uint8]) -> Nearness:
        """Nearness in [0, 1]; all 0 where everything is equally far."""
        if self.high <= self.low:
            return np.zeros(nearness.shape, np.float32)
        share = (nearness.astype(np.float32) - np.float32(self.low)) / np.float32(self.high - self.low)
        return np.clip(share, 0, 1, dtype=np.float32)
