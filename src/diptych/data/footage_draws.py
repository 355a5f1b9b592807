"""Draws of made-up footage for the mini's pre-training: one picture twice as wide as a panel, and nothing beside it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from diptych.data.canvases import LatentDraw, figure_cells
from diptych.data.draws import FPS_RANGE, LAYERS, TEXT_DROPPED, box_for
from diptych.method.contract import Contract
from diptych.method.incontext import Window
from diptych.method.pixels import to_pixels
from diptych.puppets.footage import draw_wide_footage
from diptych.puppets.limbs import limb_layers

FOOTAGE_DRAWS = 1
"""Counts the changes of what a number draws."""


def wide_draw(number: int, contract: Contract, encode: Callable[[Tensor], Tensor], split: str = "train") -> LatentDraw:
    """The footage of a number, encoded: a window of it, of the size of a canvas; all of it is known.

    Args:
        number: any non-negative integer; it seeds everything.
        contract: says the panel's size and the window's length.
        encode: the backbone's VAE.
        split: of the puppet world, ``train`` or ``eval``.
    """
    rng = np.random.default_rng([number, 0xD2])
    footage = draw_wide_footage(number, split)
    box = box_for(footage.aspect / 2, contract)
    height, width = box.panel_height, 2 * box.panel_width
    fps = float(np.exp(rng.uniform(*np.log(FPS_RANGE))))
    shown = footage.render(rng.uniform(0.0, 1.5) + np.arange(contract.window_frames) / fps, width, height)
    target = encode(to_pixels(shown.frames))[0]
    figures = np.zeros((LAYERS, *shown.mask.shape), np.uint8)
    figures[0], figures[1:] = shown.mask, limb_layers(shown.skeleton, height, width)
    prompt = "" if rng.random() < TEXT_DROPPED else footage.caption
    cells = figure_cells(torch.from_numpy(figures), target.shape[-3:])
    return LatentDraw(target, target, Window(contract.window_frames, 1), prompt, cells)
