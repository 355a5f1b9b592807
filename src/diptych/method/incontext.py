"""Spatiotemporal in-context learning (paper section 3.2): reference and motion side by side on one canvas.

The one home of the canvas: how it is composed and split, which of it is given, where it is empty, how a long video is
cut into windows of the same language, and what the network is handed. Training and sampling both come through
:func:`canvas_condition` and :func:`model_input`; nobody else joins channels.

Letters in shapes: b batch, c latent channels, t frames, h and w one panel's height and width in pixels; t', h', w' the
same in latent cells. Canvases are written 2w wide, as they are; with an auxiliary panel (below) they are 3w.

    frame            0           1 ... lead_in-1    lead_in ...
    left panel       reference   (generated)        (generated)        mask 1 in frame 0, else 0
    right panel      empty       empty              motion             mask 1 everywhere

A window that continues a video has no lead-in; it is given the tail of what was made:

    frame            0           1 ... history      history+1 ...
    left panel       reference   given, mask 1      (generated)
    right panel      empty       motion             motion

Beyond the paper, a third panel may stand to the right of the motion and say something more of the driver, such as how
far everything is (docs/depth.md). It is given where the motion is given and empty where that is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

Empty = Literal["pixels", "latents"]
"""How a backbone was taught that nothing is there: mid-grey pixels encoded with the rest, or latent zeros."""

LossRegion = Literal["canvas", "output"]
"""Where the loss is taken: on all panels, or on the left one only."""

Auxiliary = Literal["none", "depth"]
"""What a third panel shows of the driver: nothing, there is none; or how near everything is."""

PANELS: dict[Auxiliary, int] = {"none": 2, "depth": 3}
"""Panels of a canvas, by what is shown beside the motion."""


# ---------------------------------------------------------------------------------------------------------------
# Windows: which frames of the canvas are lead-in, history, new
# ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """The time axis of one canvas, in frames.

    Attributes:
        frames: length of the canvas, a multiple of the temporal stride plus one.
        lead_in: frames at the start in which the motion panel is empty, frame 0 included.
        history: frames after frame 0 whose left panel is given.
    """

    frames: int
    lead_in: int
    history: int = 0

    @property
    def first_new(self) -> int:
        """The first canvas frame that is a result: after the lead-in, or after the history."""
        return max(self.lead_in, 1 + self.history)

    @property
    def new_frames(self) -> int:
        """How many frames of the driver this window answers."""
        return self.frames - self.first_new

    @property
    def motion_frames(self) -> int:
        """How many frames of the driver this window shows: those it answers and those of its history."""
        return self.frames - self.lead_in


@dataclass(frozen=True)
class Span:
    """One window of a long video and the driver frames it covers.

    Attributes:
        window: its time axis.
        motion_start: index of the first driver frame shown in the motion panel.
        new_start: index of the first driver frame that this window answers.
        new_stop: one past the last; frames of the window beyond it are padding and are cut.
    """

    window: Window
    motion_start: int
    new_start: int
    new_stop: int


def opening(frames: int, lead_in: int, stride: int = 4) -> Window:
    """The first window of a video: the reference, a lead-in, new frames.

    Raises:
        ValueError: if a border would fall inside a latent cell, or nothing new would be made.
    """
    _on_cell_border("the window", frames, stride)
    _on_cell_border("the lead-in", lead_in, stride)
    if lead_in >= frames:
        raise ValueError(f"a lead-in of {lead_in} frames leaves nothing of a window of {frames}")
    return Window(frames, lead_in)


def continuation(frames: int, history: int, stride: int = 4) -> Window:
    """A window that goes on from ``history`` finished frames.

    Raises:
        ValueError: if a border would fall inside a latent cell, or nothing new would be made.
    """
    _on_cell_border("the window", frames, stride)
    _on_cell_border("the end of the history", 1 + history, stride)
    if history < 1 or 1 + history >= frames:
        raise ValueError(f"a history of {history} frames does not fit a window of {frames}")
    return Window(frames, lead_in=1, history=history)


def _on_cell_border(what: str, frames: int, stride: int) -> None:
    # The first latent cell holds one frame and every other one `stride`: borders lie on frames 1 + stride * k.
    if frames < 1 or (frames - 1) % stride:
        raise ValueError(f"{what} must lie on a latent border, 1 + {stride}k frames; {frames} does not")


@dataclass(frozen=True)
class WindowPlan:
    """How a driver of any length is cut into windows that together answer every frame of it exactly once.

    Window 0 opens with a lead-in, every later one continues from the history, or, where there is none, opens anew with
    a lead-in of its own; so a window follows from its index alone, and a stream can be cut without knowing where it
    ends.

    Attributes:
        frames: canvas frames of every window.
        lead_in: canvas frames of the opening's lead-in.
        history: finished frames that each later window is given; 0 gives none.
        stride: temporal stride of the latents.

    Raises:
        ValueError: if a border would fall inside a latent cell, a window would make nothing new, or the opening makes
            fewer frames than the history needs.
    """

    frames: int
    lead_in: int
    history: int
    stride: int = 4

    def __post_init__(self) -> None:
        if self.history > self.opening.new_frames:
            raise ValueError(
                f"the opening makes {self.opening.new_frames} frames, fewer than a history of {self.history}"
            )
        if self.history:
            continuation(self.frames, self.history, self.stride)

    @property
    def opening(self) -> Window:
        """The window of index 0."""
        return opening(self.frames, self.lead_in, self.stride)

    def span(self, index: int) -> Span:
        """The window of the given index and the driver frames it covers, were the driver endless."""
        first = self.opening
        if index == 0:
            return Span(first, 0, 0, first.new_frames)
        window = continuation(self.frames, self.history, self.stride) if self.history else first
        start = first.new_frames + (index - 1) * window.new_frames
        return Span(window, start - self.history, start, start + window.new_frames)

    def spans(self, motion_frames: int) -> list[Span]:
        """All windows of a driver of known length, the last one cut at its end."""
        if motion_frames < 1:
            raise ValueError("a driver has at least one frame")
        result: list[Span] = []
        while not result or result[-1].new_stop < motion_frames:
            result.append(self.span(len(result)))
        result[-1] = replace(result[-1], new_stop=motion_frames)
        return result


# ---------------------------------------------------------------------------------------------------------------
# The canvas in pixels
# ---------------------------------------------------------------------------------------------------------------


def compose(*panels: Tensor) -> Tensor:
    """Joins panels on the width (paper Eq. 2), pixels or latents.

    Args:
        panels: from left to right, each ``(b, c, t, h, w)``: reference and output, motion, and where there is one the
            auxiliary panel.

    Returns:
        ``(b, c, t, h, 2w)``, or 3w.
    """
    return torch.cat(panels, dim=-1)


def split(canvas: Tensor, panels: int = 2) -> tuple[Tensor, ...]:
    """The inverse of :func:`compose`: the panels of a canvas from left to right, pixels or latents.

    Raises:
        ValueError: if the canvas is not so many panels wide.
    """
    if canvas.shape[-1] % panels:
        raise ValueError(f"a canvas {canvas.shape[-1]} wide does not have {panels} panels")
    return canvas.split(canvas.shape[-1] // panels, dim=-1)


def motion_panel(motion: Tensor, window: Window) -> Tensor:
    """The right panel: empty during the lead-in, then the driver, its last frame held to the end of the window.

    Args:
        motion: driver frames in [-1, 1], ``(b, 3, n, h, w)``, 1 <= n <= ``window.motion_frames``.
        window: the time axis.

    Returns:
        ``(b, 3, t, h, w)``; empty is 0, mid-grey.
    """
    shown = motion.shape[2]
    if not 1 <= shown <= window.motion_frames:
        raise ValueError(f"a window that shows {window.motion_frames} driver frames cannot take {shown}")
    empty = torch.zeros_like(motion[:, :, :1]).expand(-1, -1, window.lead_in, -1, -1)
    held = motion[:, :, -1:].expand(-1, -1, window.motion_frames - shown, -1, -1)
    return torch.cat([empty, motion, held], dim=2)


def condition_canvas(
    reference: Tensor,
    motion: Tensor,
    window: Window,
    history: Tensor | None = None,
    auxiliary: Tensor | None = None,
) -> Tensor:
    """What is known before anything is made: reference, history and driver, empty (0) elsewhere.

    Args:
        reference: in [-1, 1], ``(b, 3, h, w)``.
        motion: driver frames in [-1, 1], ``(b, 3, n, h, w)``.
        window: the time axis.
        history: the last finished frames, ``(b, 3, window.history, h, w)``, where the window has a history.
        auxiliary: what the third panel shows, frame for frame with the motion and of its shape; None has no such panel.

    Returns:
        ``(b, 3, t, h, 2w)`` in [-1, 1], or 3w.
    """
    shown = driver_panels(motion, window, auxiliary)
    left = torch.zeros_like(shown[0])
    left[:, :, 0] = reference
    if window.history:
        if history is None or history.shape[2] != window.history:
            raise ValueError(f"this window continues {window.history} finished frames, which were not handed in")
        left[:, :, 1 : 1 + window.history] = history
    return compose(left, *shown)


def driver_panels(motion: Tensor, window: Window, auxiliary: Tensor | None = None) -> tuple[Tensor, ...]:
    """What stands to the right of the output: the motion panel and, where there is one, the auxiliary panel.

    Raises:
        ValueError: if the auxiliary frames are not as many and as large as those of the motion.
    """
    if auxiliary is None:
        return (motion_panel(motion, window),)
    if auxiliary.shape != motion.shape:
        raise ValueError(f"auxiliary frames of {tuple(auxiliary.shape)} do not go with {tuple(motion.shape)} of motion")
    return motion_panel(motion, window), motion_panel(auxiliary, window)


def target_canvas(output: Tensor, motion: Tensor, window: Window, auxiliary: Tensor | None = None) -> Tensor:
    """What the finished canvas looks like: the whole left panel, beside the same panels as the condition's.

    Args:
        output: the left panel in every frame, reference and lead-in included, in [-1, 1], ``(b, 3, t, h, w)``.
        motion: driver frames in [-1, 1], ``(b, 3, n, h, w)``.
        window: the time axis.
        auxiliary: as :func:`condition_canvas`.
    """
    if output.shape[2] != window.frames:
        raise ValueError(f"the left panel of a window has {window.frames} frames, not {output.shape[2]}")
    return compose(output, *driver_panels(motion, window, auxiliary))


# ---------------------------------------------------------------------------------------------------------------
# The canvas in latents: mask, empty cells, the network's input
# ---------------------------------------------------------------------------------------------------------------


def cells(frames: int, stride: int) -> int:
    """Number of latent cells in time that hold ``frames`` frames: one for frame 0, one for every ``stride`` more."""
    return 1 + (frames - 1) // stride


def canvas_mask(window: Window, cell_height: int, cell_width: int, stride: int = 4, panels: int = 2) -> Tensor:
    """The paper's M = [M_r | M_m] on the latent grid: 1 = given, 0 = to be generated. A third panel is given, too.

    A cell counts as given only if all its frames are; with borders on 1 + 4k no cell is torn.

    Args:
        window: the time axis.
        cell_height: h', latent rows.
        cell_width: w', latent columns of one panel.
        stride: temporal stride of the latents.
        panels: of the canvas.

    Returns:
        float32, ``(1, 1, t', h', 2w')``, or 3w'.
    """
    left = torch.zeros(1, 1, cells(window.frames, stride), cell_height, cell_width)
    left[:, :, : cells(1 + window.history, stride)] = 1
    return compose(left, *[torch.ones_like(left)] * (panels - 1))


def blank_empty_cells(condition: Tensor, window: Window, stride: int = 4, panels: int = 2) -> Tensor:
    """Overwrites every empty condition cell with latent 0: left where the mask is 0, elsewhere during the lead-in.

    For backbones whose pre-training marked "nothing here" by latent zeros rather than by encoded grey.

    Args:
        condition: latents of the condition canvas, ``(b, c, t', h', 2w')``.
        window: the time axis.
        stride: temporal stride of the latents.
        panels: of the canvas.
    """
    left, *shown = (panel.clone() for panel in split(condition, panels))
    left[:, :, cells(1 + window.history, stride) :] = 0
    for panel in shown:
        panel[:, :, : cells(window.lead_in, stride)] = 0
    return compose(left, *shown)


@dataclass(frozen=True, eq=False)
class Condition:
    """All that the network is told beside the noise and the text.

    Attributes:
        latents: the condition canvas as one encoded clip, ``(b, c, t', h', 2w')``.
        mask: 1 = given, ``(b or 1, m, t', h', 2w')``, m = 1 unless the backbone folds frames into channels.
    """

    latents: Tensor
    mask: Tensor


def canvas_condition(
    encode: Callable[[Tensor], Tensor],
    reference: Tensor,
    motion: Tensor,
    window: Window,
    history: Tensor | None = None,
    *,
    auxiliary: Tensor | None = None,
    empty: Empty,
    stride: int = 4,
) -> Condition:
    """From pictures to the network's condition; the one way there, for training and for sampling.

    Args:
        encode: the backbone's VAE: pixels ``(b, 3, t, h, 2w)`` in [-1, 1] to latents ``(b, c, t', h', 2w')``. It is
            given the canvas as one clip, because latents of a canvas differ from those of its halves in every column.
        reference: in [-1, 1], ``(b, 3, h, w)``.
        motion: driver frames in [-1, 1], ``(b, 3, n, h, w)``.
        window: the time axis.
        history: finished frames, ``(b, 3, window.history, h, w)``.
        auxiliary: what the third panel shows, as the motion; None has no such panel.
        empty: how the backbone marks emptiness.
        stride: temporal stride of the latents.
    """
    panels = 2 if auxiliary is None else 3
    latents = encode(condition_canvas(reference, motion, window, history, auxiliary))
    if empty == "latents":
        latents = blank_empty_cells(latents, window, stride, panels)
    mask = canvas_mask(window, latents.shape[-2], latents.shape[-1] // panels, stride, panels)
    return Condition(latents, mask.to(latents))


def model_input(noisy: Tensor, condition: Condition) -> Tensor:
    """Channels of the network's input: noised canvas, condition canvas, mask (paper section 3.2).

    Args:
        noisy: latents at some sigma, ``(b, c, t', h', 2w')``; noise covers the whole canvas.
        condition: of the same sample.

    Returns:
        ``(b, 2c + m, t', h', 2w')``.
    """
    mask = condition.mask.expand(noisy.shape[0], -1, -1, -1, -1)
    return torch.cat([noisy, condition.latents.to(noisy), mask.to(noisy)], dim=1)


def output_latents(canvas: Tensor, panels: int = 2) -> Tensor:
    """The result: the left panel of the denoised canvas, ``(b, c, t', h', w')``."""
    return split(canvas, panels)[0]


def region_loss(error: Tensor, region: LossRegion, panels: int = 2) -> Tensor:
    """Mean of an elementwise error over the region that the loss looks at.

    Args:
        error: ``(b, c, t', h', 2w')``, not negative.
        region: ``canvas`` or ``output``.
        panels: of the canvas.

    Returns:
        One number per sample, ``(b,)``.
    """
    seen = error if region == "canvas" else output_latents(error, panels)
    return seen.flatten(1).mean(dim=1)
