"""Draws from the puppet world: one window of one exact cross-identity pair, as the canvas wants it.

A draw follows from its number alone. It fixes a pair, the driver's frame rate, the moment, whether the window opens a
video or continues one, and in which way the history is damaged: at inference a window is given what the model itself
made, so a model that only ever saw clean history drifts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from diptych.media.frame import Placement, fit, panel_for
from diptych.method.contract import Contract
from diptych.method.incontext import Window, continuation, opening
from diptych.puppets.scenes import Pair, draw_pair
from diptych.types import Frames, Picture

HISTORY_SHARE = 0.4
"""Share of windows that continue a video."""

HELD_SHARE = 0.1
"""Share of windows whose driver ends early: its last frame is held, as in the last window of a video."""

TEXT_DROPPED = 0.15
"""Share of draws without a prompt."""

_FPS = (6.0, 30.0)


@dataclass(frozen=True, eq=False)
class Draw:
    """One window with its right answer; all pictures have the panel's size.

    Attributes:
        window: the time axis.
        reference: RGB, uint8, ``(h, w, 3)``.
        motion: driver frames, uint8, ``(n, h, w, 3)``, n = ``window.motion_frames``.
        output: the left panel in every frame, uint8, ``(t, h, w, 3)``; frame 0 is the reference.
        history: what stands in the left panel as given, damaged, uint8, ``(window.history, h, w, 3)``, or None.
        prompt: looks and motion in English; empty where text was dropped.
    """

    window: Window
    reference: Picture
    motion: Frames
    output: Frames
    history: Frames | None
    prompt: str


def draw(number: int, contract: Contract, *, split: str = "train") -> Draw:
    """The draw of a number.

    Args:
        number: any non-negative integer; it seeds everything.
        contract: says the panel's size and the windows.
        split: of the puppet world, ``train`` or ``eval``.
    """
    rng = np.random.default_rng([number, 0xD1])
    pair = draw_pair(number, split=split)
    fps = float(np.exp(rng.uniform(*np.log(_FPS))))
    if rng.random() < HISTORY_SHARE:
        window = continuation(contract.window_frames, contract.history)
    else:
        window = opening(contract.window_frames, contract.lead_in)
    shown = window.motion_frames
    ends = shown if rng.random() >= HELD_SHARE else int(rng.integers(1 + window.history, shown + 1))
    times = pair.start + rng.uniform(0.0, 1.5) + np.minimum(np.arange(shown), ends - 1) / fps
    reference, motion, output = _render(pair, times, window, contract)
    history = None
    if window.history:
        history = damaged(output[1 : 1 + window.history], rng)
    prompt = "" if rng.random() < TEXT_DROPPED else pair.caption
    return Draw(window, reference, motion, output, history, prompt)


def _render(pair: Pair, times: np.ndarray, window: Window, contract: Contract) -> tuple[Picture, Frames, Frames]:
    box, driving_box = (box_for(aspect, contract) for aspect in (pair.reference_aspect, pair.driving_aspect))
    reference = pair.reference(box.width, box.height).frames
    answer = pair.truth(times, box.width, box.height).frames
    if window.history:
        output = np.concatenate([reference, answer])
    else:
        output = np.concatenate([pair.lead_in(window.lead_in, times[0], box.width, box.height).frames, answer])
    motion = pair.driving(times, driving_box.width, driving_box.height).frames
    placed, _ = fit(motion, (box.panel_height, box.panel_width))
    return fit(reference[0], box)[0], placed, fit(output, box)[0]


def box_for(aspect: float, contract: Contract) -> Placement:
    """The box and the panel of a picture of some aspect (width over height)."""
    return panel_for(round(1000 * aspect), 1000, contract.panel_area, contract.panel_multiple)


def damaged(history: Frames, rng: np.random.Generator) -> Frames:
    """History as a model might have left it: untouched, blurred, noised, shifted in colour or re-encoded.

    Args:
        history: uint8, ``(k, h, w, 3)``.
        rng: decides which and how much.
    """
    kinds: list[Callable[[Frames, np.random.Generator], Frames]] = [_blurred, _noised, _tinted, _recoded]
    result = history
    for kind in kinds:
        if rng.random() < 0.35:
            result = kind(result, rng)
    return result


def _blurred(frames: Frames, rng: np.random.Generator) -> Frames:
    sigma = rng.uniform(0.4, 1.4)
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])


def _noised(frames: Frames, rng: np.random.Generator) -> Frames:
    # Smooth noise: what a decoder leaves is blotches, not grain.
    t, h, w, c = frames.shape
    coarse = rng.normal(0, rng.uniform(2, 10), (t, max(1, h // 4), max(1, w // 4), c)).astype(np.float32)
    smooth = np.stack([cv2.resize(layer, (w, h), interpolation=cv2.INTER_CUBIC) for layer in coarse])
    return np.clip(frames + smooth, 0, 255).astype(np.uint8)


def _tinted(frames: Frames, rng: np.random.Generator) -> Frames:
    gain, offset = rng.uniform(0.92, 1.08, 3), rng.uniform(-8, 8, 3)
    return np.clip(frames * gain + offset, 0, 255).astype(np.uint8)


def _recoded(frames: Frames, rng: np.random.Generator) -> Frames:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 60))]
    coded = [cv2.imdecode(cv2.imencode(".jpg", frame, quality)[1], cv2.IMREAD_COLOR) for frame in frames]
    return np.stack([np.asarray(frame, np.uint8) for frame in coded])
