"""What image-to-video backbones were pre-trained for: videos of which some regions are given and the rest is made.

The paper's backbone makes videos from text, continues a first frame and fills in what is missing (design of its input:
noise, clean or empty latents, mask). The mini's pre-training asks for the same of footage, so that an adapter has a
backbone to lie on. Everything here is about latents whose empty cells are zeros.
"""

from __future__ import annotations

import torch
from torch import Tensor

from diptych.method.incontext import Condition

FROM_TEXT, FROM_FRAME, FROM_HALF = 0.1, 0.25, 0.45
"""Shares of samples in which nothing is given, the first frame, or one half of the picture; in the others boxes are."""

_WITH_FRAME = 0.85
"""Share of the samples with a half or with boxes in which the first frame is given as well."""

_LATE = 0.4
"""Share of the halves that are given from a later moment on only."""

_BESIDE, _LEFT = 0.85, 0.3
"""Share of halves that lie beside each other, since people move beside each other; and of those given on the left."""


def hidden(target: Tensor, generator: torch.Generator) -> Condition:
    """Hides most of finished latents: what is left is given, the rest is to be made.

    Args:
        target: ``(b, c, t', h', w')``.
        generator: draws for every sample which task it is and what is given.

    Returns:
        The given latents, zero elsewhere, and the mask ``(b, 1, t', h', w')``, 1 where given.
    """
    b, _, t, h, w = target.shape
    mask = torch.stack([given_region(t, h, w, generator) for _ in range(b)])[:, None].to(target)
    return Condition(target * mask, mask)


def given_region(t: int, h: int, w: int, generator: torch.Generator) -> Tensor:
    """Which cells of one sample are given, float32 ``(t', h', w')`` of 0 and 1; never all of them."""
    region = torch.zeros(t, h, w)
    task = _draw(generator)
    if task >= FROM_TEXT + FROM_FRAME:
        region = _half(t, h, w, generator) if task < FROM_TEXT + FROM_FRAME + FROM_HALF else _boxes(t, h, w, generator)
    if task >= FROM_TEXT and (task < FROM_TEXT + FROM_FRAME or _draw(generator) < _WITH_FRAME):
        region[0] = 1
    if region.all():
        region[-1] = 0
    return region


def _half(t: int, h: int, w: int, generator: torch.Generator) -> Tensor:
    """One half of the picture, in some samples from a later moment on."""
    region = torch.zeros(t, h, w)
    start = _below(t - 1, generator) if _draw(generator) < _LATE and t > 1 else 0
    if _draw(generator) < _BESIDE or h < 2:
        region[start:, :, w // 2 :] = 1
        return region.flip(2) if _draw(generator) < _LEFT else region
    region[start:, h // 2 :] = 1
    return region.flip(1) if _draw(generator) < 0.5 else region


def _boxes(t: int, h: int, w: int, generator: torch.Generator) -> Tensor:
    """One to three boxes in space and time, or all around them."""
    region = torch.zeros(t, h, w)
    for _ in range(1 + _below(3, generator)):
        (t0, t1), (h0, h1), (w0, w1) = (_stretch(n, generator) for n in (t, h, w))
        region[t0:t1, h0:h1, w0:w1] = 1
    return 1 - region if _draw(generator) < 0.5 else region


def _draw(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))


def _below(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=generator))


def _stretch(n: int, generator: torch.Generator) -> tuple[int, int]:
    """A non-empty stretch of n cells."""
    first, last = sorted((_below(n, generator), _below(n, generator)))
    return first, last + 1
