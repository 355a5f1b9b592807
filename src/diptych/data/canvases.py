"""From draws to canvases in latents: what a training step needs, made the same way as at inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from diptych.data.draws import Draw
from diptych.method.incontext import (
    Condition,
    Empty,
    Window,
    canvas_condition,
    canvas_mask,
    target_canvas,
)
from diptych.method.pixels import to_pixels


def target_pixels(draw: Draw) -> Tensor:
    """The finished canvas of a draw, ``(1, 3, t, h, 2w)`` in [-1, 1]."""
    return target_canvas(to_pixels(draw.output), to_pixels(draw.motion), draw.window, _auxiliary(draw))


def _auxiliary(draw: Draw) -> Tensor | None:
    return None if draw.auxiliary is None else to_pixels(draw.auxiliary)


@dataclass(frozen=True, eq=False)
class LatentDraw:
    """A draw after the VAE.

    Attributes:
        target: latents of the finished canvas, ``(c, t', h', 2w')``.
        condition: latents of what is known, empty cells as the backbone wants them, same shape.
        window: the time axis; the mask follows from it.
        prompt: text.
        figures: where figures and their limbs are, from :func:`figure_cells`, bool, ``(FIGURES, t', h', 2w')``; None
            for footage, of which nobody knows.
        features: what the backbone reads in text and reference, by its own names, without the axis of samples; None
            where prompts are read on the fly.
    """

    target: Tensor
    condition: Tensor
    window: Window
    prompt: str
    figures: Tensor | None = None
    features: Mapping[str, Tensor] | None = None


def encode_draw(draw: Draw, encode: Callable[[Tensor], Tensor], empty: Empty) -> LatentDraw:
    """Encodes both canvases of a draw, each as one clip.

    Args:
        draw: in pixels.
        encode: the backbone's VAE, canvases to latents.
        empty: how the backbone marks emptiness.
    """
    history = None if draw.history is None else to_pixels(draw.history)
    condition = canvas_condition(
        encode,
        to_pixels(draw.reference[None])[:, :, 0],
        to_pixels(draw.motion),
        draw.window,
        history,
        auxiliary=_auxiliary(draw),
        empty=empty,
    )
    target = encode(target_pixels(draw))[0]
    figures = None if draw.figures is None else figure_cells(torch.from_numpy(draw.figures), target.shape[-3:])
    return LatentDraw(target, condition.latents[0], draw.window, draw.prompt, figures)


def figure_cells(figures: Tensor, shape: Sequence[int]) -> Tensor:
    """In which parts of a latent cell figures and their limbs are: in its four frames, each in four by four parts.

    The first cell holds one frame, which stands for all four.

    Args:
        figures: layers over the canvas's pixels, uint8, ``(layers, t, h, 2w)``.
        shape: t', h', 2w' of its latents, t = 1 + 4 (t' - 1).

    Returns:
        Whether at least half of the part is covered, bool, ``(64 layers, t', h', 2w')``.
    """
    t, h, w = shape
    parts = functional.adaptive_avg_pool2d(figures.float(), (4 * h, 4 * w)) >= 127.5  # (layers, frames, 4h', 8w')
    parts = torch.cat([parts[:, :1].repeat(1, 3, 1, 1), parts], dim=1)  # (layers, 4t', 4h', 8w')
    cells = parts.reshape(-1, t, 4, h, 4, w, 4).permute(0, 2, 4, 6, 1, 3, 5)
    return cells.reshape(-1, t, h, w)


def collate(draws: Sequence[LatentDraw], panels: int = 2) -> tuple[Tensor, Condition]:
    """Batches draws of one panel shape: targets ``(b, c, t', h', 2w')`` and their condition.

    Args:
        draws: of one shape.
        panels: of their canvases, as their contract has it.
    """
    target = torch.stack([draw.target for draw in draws]).float()
    h, w = target.shape[-2], target.shape[-1] // panels
    masks = torch.cat([canvas_mask(draw.window, h, w, panels=panels) for draw in draws])
    return target, Condition(torch.stack([draw.condition for draw in draws]).float(), masks)
