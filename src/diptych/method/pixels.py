"""Between pictures as people store them and pixels as networks take them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from diptych.types import Frames


def to_pixels(frames: Frames) -> Tensor:
    """uint8 ``(t, h, w, 3)`` to float32 ``(1, 3, t, h, w)`` in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2)[None].float() / 127.5 - 1


def to_frames(pixels: Tensor) -> Frames:
    """The inverse of :func:`to_pixels`, rounded and clamped: ``(1, 3, t, h, w)`` to uint8 ``(t, h, w, 3)``."""
    levels = ((pixels[0].float() + 1) * 127.5).round().clamp(0, 255)
    return levels.to(torch.uint8).permute(1, 2, 3, 0).cpu().numpy()
