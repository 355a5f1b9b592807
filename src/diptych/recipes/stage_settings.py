"""What a stage of the paper's consists of: its settings, and how it differs from the other one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from diptych.data.dataset import ClipSource
from diptych.data.windows import WindowSettings
from diptych.method.contract import Contract
from diptych.method.contrast import ContrastSettings
from diptych.method.incontext import Auxiliary, LossRegion
from diptych.train.adapter import NoiseSettings, Targets
from diptych.train.loop import LoopSettings


@dataclass(frozen=True, kw_only=True)
class AdapterSettings:
    """What learns.

    Attributes:
        targets: ``ff`` as the paper; ``ff+attention`` and ``full`` are for comparisons, ``full`` of the mini alone.
        rank: of LoRA.
        alpha: see :class:`~diptych.models.adapters.LoraSettings`.
    """

    targets: Targets = "ff"
    rank: int = 256
    alpha: float | None = None


@dataclass(frozen=True, kw_only=True)
class StageRecipe:
    """Everything that decides what the adapter becomes.

    Attributes:
        panel_area: pixels of a panel, about.
        window_frames: canvas frames of the longest window, 1 + 4k; the one that is made later.
        lead_in: canvas frames of the lead-in, 1 + 4k.
        history: finished frames that a continuing window is given, 4k.
        loss_region: ``output`` or ``canvas``.
        text: whether prompts are learnt with.
        motion_fit: how drivers come into their panel; ``figure`` is for a mini whose own contract says so.
        auxiliary: what a third panel shows of the driver; ``depth`` is exact of puppets, and of other drivers of the
            second stage found by ``--depth-weights`` (docs/depth.md).
        draws: how windows are drawn, by the kind of settings that the stage has for it.
        draws_per_clip: windows and augmentations of one clip in the cache.
        draw_seed: of the draws; the run's own seed is another, so that runs of several seeds may share a cache.
        cached: draws in all; None takes every clip so many times.
        held_out: clips that are never trained on, for previews.
        cache: folder of the cached draws, so that runs may share them; None is the run's own.
        workers: processes that draw and encode; 0 does it where the backbone lies.
        shard: draws in a file of the cache.
        adapter: what learns.
        noise: which noise levels, and how much each counts.
        contrast: how much wrong drivers and references count; nothing, as in the paper.
        batch: draws that a process runs at once.
        accumulated: so many times a step.
        checkpointing: whether results within blocks are computed again on the way back, and not kept.
        preview_steps: of the solver, in previews.
        loop: how long and how fast.
    """

    panel_area: int
    window_frames: int
    lead_in: int
    history: int
    loss_region: LossRegion = "output"
    text: bool = True
    motion_fit: Literal["frame", "figure"] = "frame"
    auxiliary: Auxiliary = "none"
    draws: WindowSettings
    draws_per_clip: int
    draw_seed: int = 0
    cached: int | None = None
    held_out: int
    cache: str | None = None
    workers: int
    shard: int
    adapter: AdapterSettings
    noise: NoiseSettings
    contrast: ContrastSettings = field(default_factory=ContrastSettings)
    batch: int
    accumulated: int = 1
    checkpointing: bool = False
    preview_steps: int
    loop: LoopSettings


Sources = tuple[ClipSource[Any], ClipSource[Any]]
"""What is trained on, and what previews show."""


@dataclass(frozen=True)
class StageKind:
    """What sets one stage apart from another; the run is the same.

    Attributes:
        name: of its recipe.
        motion: what its motion panel shows.
        recipe: its settings on a backbone, by the backbone's name and its contract without an adapter.
        sources: draws from data, by its name, with the settings of draws and how many clips are held out.
    """

    name: str
    motion: Literal["rgb", "pose"]
    recipe: Callable[[str, Contract], StageRecipe]
    sources: Callable[[str, Any, int], Sources]
