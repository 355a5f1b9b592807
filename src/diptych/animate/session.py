"""A session: a backbone loaded once, animating any number of pictures with drivers of any length.

Nothing here knows whether the motion frames are raw footage or drawn skeletons: that is the thesis of the paper, so it
is the signature.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from diptych.animate.sampler import SamplerSettings, sample
from diptych.media.frame import Placement, fit, panel_for, unfit
from diptych.method.diffusion import seeded
from diptych.method.incontext import WindowPlan, canvas_condition, output_latents
from diptych.method.pixels import to_frames, to_pixels
from diptych.models.protocol import Backbone
from diptych.types import Frames, Picture


@dataclass(frozen=True, eq=False)
class Session:
    """One loaded backbone with its sampler settings.

    Attributes:
        backbone: with its adapter, in evaluation mode.
        settings: steps and guidance.
    """

    backbone: Backbone
    settings: SamplerSettings

    @property
    def plan(self) -> WindowPlan:
        """How drivers are cut into windows, from the contract."""
        contract = self.backbone.contract
        stride = self.backbone.facts.temporal_stride
        return WindowPlan(contract.window_frames, contract.lead_in, contract.history, stride)

    def output_size(self, reference: Picture) -> tuple[int, int]:
        """Width and height of the result: the reference's aspect at the model's area, even numbers."""
        box = self._box(reference)
        return box.width, box.height

    def animate(
        self,
        reference: Picture,
        driving: Iterable[Picture],
        prompt: str = "",
        seed: int = 0,
        *,
        keep_lead_in: bool = False,
    ) -> Iterator[Frames]:
        """Animates a picture window by window, holding one window of the driver at a time.

        Args:
            reference: RGB, uint8, ``(h, w, 3)``, any size.
            driving: frames of one size, RGB, uint8, ``(h', w', 3)``, at least one.
            prompt: looks and motion in English, or nothing.
            seed: of the noise; each window has a stream of its own.
            keep_lead_in: also give the frames of the lead-in, before the first window's.

        Yields:
            The result of each window, uint8, ``(n, h'', w'', 3)`` of :meth:`output_size`; n in all is the number of
            driving frames (plus the lead-in, where kept).

        Raises:
            ValueError: if the driver has no frame.
        """
        box, plan = self._box(reference), self.plan
        placed, _ = fit(reference, box)
        frames = (fit(frame, (box.panel_height, box.panel_width))[0] for frame in driving)
        shown: list[Picture] = []
        finished: Frames | None = None
        for index in itertools.count():
            span = plan.span(index)
            # The history's own motion frames stay; the rest of the window is read.
            shown = shown[len(shown) - span.window.history :] if span.window.history else []
            fresh = list(itertools.islice(frames, span.window.new_frames))
            if not fresh:
                break
            shown += fresh
            made = self._window(index, placed, np.stack(shown), finished, prompt, seed)
            first = 0 if keep_lead_in and index == 0 else span.window.first_new
            stop = span.window.first_new + len(fresh)
            yield unfit(made[first:stop], box)
            if len(fresh) < span.window.new_frames:
                break
            finished = made[stop - plan.history : stop]
        if not shown:
            raise ValueError("the driver has no frame")

    def _window(
        self, index: int, reference: Picture, motion: Frames, finished: Frames | None, prompt: str, seed: int
    ) -> Frames:
        """Makes the whole left panel of one window, uint8 as journalled, ``(t, h, w, 3)``."""
        backbone, window = self.backbone, self.plan.span(index).window
        device = backbone.device
        with torch.no_grad():
            condition = canvas_condition(
                backbone.encode_canvas,
                to_pixels(reference[None])[:, :, 0].to(device),
                to_pixels(motion).to(device),
                window,
                None if finished is None else to_pixels(finished).to(device),
                empty=backbone.facts.empty,
                stride=backbone.facts.temporal_stride,
            )
            latents = sample(backbone, condition, [prompt], self.settings, seeded(seed, index))
            return to_frames(backbone.decode(output_latents(latents)))

    def _box(self, reference: Picture) -> Placement:
        contract = self.backbone.contract
        height, width = reference.shape[:2]
        return panel_for(width, height, contract.panel_area, contract.panel_multiple)
