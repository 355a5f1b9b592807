"""The contract of a trained model: everything it silently assumes, written down where the weights are.

Weights travel; code, settings and habits do not. So what a model was trained for stands in the header of its
safetensors file, and a session that would use it otherwise says which line differs and how to fix it.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any, Literal

from diptych.method.incontext import PANELS, Auxiliary, Empty, LossRegion

HEADER_KEY = "diptych.contract"
"""Name of the entry in a safetensors header that holds the contract as JSON."""

CONTRACT_VERSION = 1

Layout = Literal["full", "cached", "temporal"]
"""How the two panels share the network.

``full``: as the paper, everything attends to everything and is noised together. ``cached``: motion and reference are
clean tokens that attend only to themselves. ``temporal``: the motion is joined in time (the paper's ablation).
"""

_LATER: dict[str, Any] = {"experts": None, "boundary": None, "auxiliary": "none"}
"""Fields that the first contracts did not have, and what they mean where nothing is said."""

_LONGEST_WINDOW = 1 << 12
_LARGEST_PANEL = 1 << 24


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What a trained model or adapter assumes.

    Attributes:
        backbone: name of the backbone it was trained on.
        motion: what the motion panel showed: raw footage or drawn skeletons. Training alone knows; nothing at
            inference branches on it, it only lets a session warn that it is fed the other kind.
        layout: how the panels share the network.
        empty: how emptiness is marked.
        mask_rule: a latent cell is given only if all its frames are.
        lead_in: canvas frames of the lead-in, 1 + 4k.
        history: finished frames that a continuing window is given, 4k.
        window_frames: canvas frames of a window, 1 + 4k.
        panel_area: pixels of one panel's picture, about.
        panel_multiple: panel sides are multiples of this many pixels.
        fps: lowest and highest frame rate of the drivers it was trained on.
        sigma_shift: shift of the sigma schedule it is sampled with.
        loss_region: where its loss was taken.
        text: whether it was trained with prompts.
        motion_fit: how drivers come into their panel: the whole ``frame``, or the view in which the driver's ``figure``
            is as large as the reference's and stands where that one does.
        rank: LoRA rank, or None where the whole network was trained.
        targets: regular expression of the adapted layers, or None.
        experts: of a backbone whose noise levels are shared between networks, those that were trained, by the names of
            their folders; None where there is one network.
        boundary: sigma from which on, upwards, the first of them is asked; None where there is one network.
        auxiliary: what a third panel shows of the driver (beyond the paper); ``none`` has no such panel.
        version: of this description.
    """

    backbone: str
    motion: Literal["rgb", "pose"]
    layout: Layout
    empty: Empty
    mask_rule: Literal["all-frames"]
    lead_in: int
    history: int
    window_frames: int
    panel_area: int
    panel_multiple: int
    fps: tuple[float, float]
    sigma_shift: float
    loss_region: LossRegion
    text: bool
    motion_fit: Literal["frame", "figure"] = "frame"
    rank: int | None = None
    targets: str | None = None
    experts: tuple[str, ...] | None = None
    boundary: float | None = None
    auxiliary: Auxiliary = "none"
    version: int = CONTRACT_VERSION

    def __post_init__(self) -> None:
        """Refuses what no model can be trained for, so that a file from outside cannot ask for any amount of memory.

        Raises:
            ValueError: naming the field.
        """
        sound = {
            "window_frames": 1 < self.window_frames <= _LONGEST_WINDOW and self.window_frames % 4 == 1,
            "lead_in": 0 < self.lead_in < self.window_frames and self.lead_in % 4 == 1,
            "history": 0 <= self.history < self.window_frames - 1 and self.history % 4 == 0,
            "panel_multiple": 2 <= self.panel_multiple <= 256 and self.panel_multiple % 2 == 0,
            "panel_area": 16 <= self.panel_area <= _LARGEST_PANEL,
            "fps": 0 < self.fps[0] <= self.fps[1] < math.inf,
            "sigma_shift": 0 < self.sigma_shift < math.inf,
            "experts": self.experts is None or len(self.experts) == len(set(self.experts)) > 0,
            "boundary": self.boundary is None or 0 < self.boundary < 1,
            "auxiliary": self.auxiliary in PANELS,
        }
        wrong = [name for name, holds in sound.items() if not holds]
        if wrong:
            raise ValueError(f"no model has {wrong[0]} = {getattr(self, wrong[0])!r}")

    @property
    def panels(self) -> int:
        """How many panels a canvas has."""
        return PANELS[self.auxiliary]

    def to_json(self) -> str:
        """One line of JSON with sorted keys, for the header.

        Caches are named after it, so fields that came later are left out where they say nothing.
        """
        said = dataclasses.asdict(self)
        return json.dumps({k: v for k, v in said.items() if k not in _LATER or v != _LATER[k]}, sort_keys=True)


def mismatches(contract: Contract, required: Contract) -> list[str]:
    """What keeps a model of one contract from serving where another is required, a sentence part for each field."""
    return [
        f"{field.name} is {getattr(contract, field.name)!r} where {getattr(required, field.name)!r} is needed"
        for field in dataclasses.fields(Contract)
        if getattr(contract, field.name) != getattr(required, field.name)
    ]
