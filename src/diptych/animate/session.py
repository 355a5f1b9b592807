"""A session: a backbone loaded once, animating any number of pictures with drivers of any length.

Nothing here knows whether the motion frames are raw footage or drawn skeletons: that is the thesis of the paper, so it
is the signature.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from diptych.animate.journal import Journal
from diptych.animate.sampler import SamplerSettings, sample
from diptych.media.frame import Placement, View, fit, located_view, panel_for, unfit, view
from diptych.method.diffusion import seeded
from diptych.method.incontext import WindowPlan, canvas_condition, output_latents
from diptych.method.pixels import to_frames, to_pixels
from diptych.models.protocol import Backbone
from diptych.types import Frames, Picture, Stand

Shown = tuple[Picture, ...]
"""What a moment of the driver shows, from left to right: motion, and where the contract has it the auxiliary panel."""


@dataclass(frozen=True, eq=False)
class Session:
    """One loaded backbone with its sampler settings.

    Attributes:
        backbone: with its adapter, in evaluation mode.
        settings: steps and guidance.
        locate: says where figures stand in a picture; for contracts that bring the driver's figure to the reference's
            place, and needed by those.
    """

    backbone: Backbone
    settings: SamplerSettings
    locate: Callable[[Picture], Stand] | None = None

    def __post_init__(self) -> None:
        """Checks that figures can be found where they must be.

        Raises:
            ValueError: if nobody was given to find them.
        """
        if self.locate is None and self.backbone.contract.motion_fit == "figure":
            raise ValueError("this model wants drivers brought to the reference's place; give it a locator")

    @property
    def plan(self) -> WindowPlan:
        """How drivers are cut into windows, from the contract."""
        contract = self.backbone.contract
        stride = self.backbone.facts.temporal_stride
        history = contract.history if self.settings.continues else 0
        return WindowPlan(contract.window_frames, contract.lead_in, history, stride)

    def panel(self, reference: Picture) -> Placement:
        """The panel beside which the reference's motion is shown, and where the reference lies in its own."""
        contract = self.backbone.contract
        height, width = reference.shape[:2]
        return panel_for(width, height, contract.panel_area, contract.panel_multiple)

    def stand_of(self, reference: Picture) -> Stand | None:
        """Where the reference's figures stand, in pixels of its box; None where nobody was given to find them."""
        if self.locate is None:
            return None
        return self.locate(reference).scaled(self.panel(reference).width / reference.shape[1])

    def window_shape(self, reference: Picture) -> tuple[int, int, int]:
        """Frames, height and width of what a window makes, padding included: what a journal holds."""
        box = self.panel(reference)
        return self.backbone.contract.window_frames, box.panel_height, box.panel_width

    def output_size(self, reference: Picture) -> tuple[int, int]:
        """Width and height of the result: the reference's aspect at the model's area, even numbers."""
        box = self.panel(reference)
        return box.width, box.height

    def animate(
        self,
        reference: Picture,
        driving: Iterable[Picture],
        prompt: str = "",
        seed: int = 0,
        *,
        auxiliary: Iterable[Picture] | None = None,
        phases: int = 1,
        keep_lead_in: bool = False,
        journal: Journal | None = None,
    ) -> Iterator[Frames]:
        """Animates a picture window by window, holding one window of the driver at a time.

        Args:
            reference: RGB, uint8, ``(h, w, 3)``, any size.
            driving: frames of one size, RGB, uint8, ``(h', w', 3)``, at least one.
            prompt: looks and motion in English, or nothing.
            seed: of the noise; each window has a stream of its own.
            auxiliary: what the third panel shows of every driving frame, of that frame's size, where the contract has
                such a panel; the session is not told what it is either.
            phases: above the frame rates that the model knows, the driver is split into so many interleaved ones
                (frames 0, n, 2n ..., then 1, n + 1 ...), each at a rate that it knows. All have the same noise.
            keep_lead_in: also give the frames of the lead-in, before the first window's.
            journal: windows that it holds are taken from it, all others are put there as soon as they are made. It must
                be of the same inputs and settings.

        Yields:
            The result of each window, uint8, ``(n, h'', w'', 3)`` of :meth:`output_size`; n in all is the number of
            driving frames (plus the lead-in, where kept).

        Raises:
            ValueError: if the driver has no frame, or auxiliary frames are missing, too many or not asked for.
        """
        wanted = self.backbone.contract.auxiliary
        if (auxiliary is None) != (wanted == "none"):
            raise ValueError(f"this model has {wanted} beside the motion; auxiliary frames must be given just then")
        box, plan = self.panel(reference), self.plan
        placed, _ = fit(reference, box)
        streams = (driving,) if auxiliary is None else (driving, auxiliary)
        frames = self._placed(reference, zip(*streams, strict=True), box)
        shown: list[list[Shown]] = [[] for _ in range(phases)]
        finished: list[Frames | None] = [None] * phases
        for index in itertools.count():
            span = plan.span(index)
            fresh = list(itertools.islice(frames, span.window.new_frames * phases))
            made: list[Frames] = []
            for phase in range(min(phases, len(fresh))):
                mine = fresh[phase::phases]
                # The history's own motion frames stay; the rest of the window is new.
                shown[phase] = [*shown[phase][len(shown[phase]) - span.window.history :], *mine]
                number = index * phases + phase
                window = None if journal is None else journal.get(number)
                if window is None:
                    window = self._window(index, placed, shown[phase], finished[phase], prompt, seed)
                    if journal is not None:
                        journal.put(number, window)
                stop = span.window.first_new + len(mine)
                finished[phase] = window[stop - plan.history : stop]
                made.append(unfit(window[:stop], box))
            if made:
                first = span.window.first_new
                lead_in = made[0][:first] if keep_lead_in and index == 0 else made[0][:0]
                yield np.concatenate([lead_in, _interleaved([window[first:] for window in made])])
            if len(fresh) < span.window.new_frames * phases:
                break
        if not shown[0]:
            raise ValueError("the driver has no frame")

    def _placed(self, reference: Picture, driving: Iterable[Shown], box: Placement) -> Iterator[Shown]:
        """What the driver shows as it stands in its panels: all of them alike."""
        panel = box.panel_height, box.panel_width
        shown: View | None = None
        for pictures in driving:
            if self.backbone.contract.motion_fit == "frame":
                yield tuple(fit(picture, panel)[0] for picture in pictures)
                continue
            if shown is None:
                assert self.locate is not None
                shown = located_view(reference, pictures[0], box, self.locate)
            yield tuple(view(picture, shown, *panel) for picture in pictures)

    def _window(
        self, index: int, reference: Picture, driver: list[Shown], finished: Frames | None, prompt: str, seed: int
    ) -> Frames:
        """Makes the whole left panel of one window, uint8 as journalled, ``(t, h, w, 3)``."""
        backbone, window = self.backbone, self.plan.span(index).window
        device = backbone.device
        with torch.no_grad():
            shown = to_pixels(reference[None])[:, :, 0].to(device)
            motion, *auxiliary = (to_pixels(np.stack(panel)).to(device) for panel in zip(*driver, strict=True))
            condition = canvas_condition(
                backbone.encode_canvas,
                shown,
                motion,
                window,
                None if finished is None or not window.history else to_pixels(finished).to(device),
                auxiliary=auxiliary[0] if auxiliary else None,
                empty=backbone.facts.empty,
                stride=backbone.facts.temporal_stride,
            )
            latents = sample(backbone, condition, [prompt], self.settings, seeded(seed, index), shown)
            return to_frames(backbone.decode(output_latents(latents, backbone.contract.panels)))


def filled(chunks: Iterator[Frames], every: int, count: Callable[[], int], lead_in: int = 0) -> Iterator[Frames]:
    """Frames between made ones: each is faded into the next, and the last one stays.

    Args:
        chunks: what was made of every ``every``-th driving frame, uint8, ``(n, h, w, 3)``.
        every: driving frames for each made one.
        count: how many driving frames there were; asked for when the chunks are at their end.
        lead_in: frames at the start that answer no driving frame; they pass as they are.

    Yields:
        As many frames as there were driving frames, after the lead-in.
    """
    last: Frames | None = None
    told = 0
    for chunk in chunks:
        out = [chunk[:lead_in]]
        for key in chunk[lead_in:]:
            if last is not None:
                share = (np.arange(every) / every)[:, None, None, None]
                out.append(np.rint((1 - share) * last + share * key).astype(np.uint8))
                told += every
            last = key
        lead_in = 0
        ready = np.concatenate(out)
        if len(ready):
            yield ready
    if last is not None:
        yield np.repeat(last[None], count() - told, axis=0)


def _interleaved(parts: list[Frames]) -> Frames:
    """Frames of several phases in the order of display; earlier phases may have one frame more."""
    out = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), np.uint8)
    for phase, part in enumerate(parts):
        out[phase :: len(parts)] = part
    return out
