"""The settings of either stage on any backbone: the paper's where it names them, and a mini's."""

from __future__ import annotations

import dataclasses

from diptych.data.pair_draws import PairDrawSettings
from diptych.data.pose_draws import PoseDrawSettings
from diptych.method.contract import Contract
from diptych.method.pose_augment import PoseAugment
from diptych.recipes.stage_settings import AdapterSettings, StageRecipe
from diptych.train.adapter import NoiseSettings
from diptych.train.loop import LoopSettings

_SHORTEST_WINDOW = 49
"""Canvas frames of the shortest training window (paper section 5.1: clips of 49 to 121 frames)."""


def stage1_pose(backbone: str, plain: Contract) -> StageRecipe:
    """The settings of the pose stage on a backbone.

    For foundation backbones they are the paper's where it names them: rank 256 in the feed-forward layers, AdamW at
    5e-5 with decay 0.01, 50,000 steps, 49 to 121 frames, the first second of the drive masked, bones scaled in 30 % of
    the samples. What it leaves open is listed in docs/deviations.md.

    Args:
        backbone: its name.
        plain: the contract of the backbone without an adapter.
    """
    if backbone == "mini":
        return _on_the_mini(plain)
    return StageRecipe(
        panel_area=plain.panel_area,
        window_frames=plain.window_frames,
        lead_in=plain.lead_in,
        history=plain.history,
        draws=PoseDrawSettings(shortest=min(_SHORTEST_WINDOW, plain.window_frames), augment=PoseAugment()),
        draws_per_clip=2,
        held_out=8,
        workers=0,
        shard=8,
        adapter=AdapterSettings(rank=256),
        noise=NoiseSettings(spread=1.0),
        batch=1,
        accumulated=2,
        checkpointing=True,
        preview_steps=20,
        loop=LoopSettings(
            steps=50_000,
            learning_rate=5e-5,
            weight_decay=0.01,
            warmup=500,
            decay=0.0,
            ema=1000,
            checkpoint_every=250,
            preview_every=1000,
        ),
    )


def _on_the_mini(plain: Contract) -> StageRecipe:
    """The same, sized for a mini on two cores: everything follows from what it was pre-trained with."""
    return StageRecipe(
        panel_area=plain.panel_area,
        window_frames=plain.window_frames,
        lead_in=plain.lead_in,
        history=plain.history,
        draws=PoseDrawSettings(shortest=plain.window_frames),
        draws_per_clip=1,
        cached=16_384,
        held_out=32,
        workers=2,
        shard=64,
        adapter=AdapterSettings(rank=64),
        noise=NoiseSettings(spread=None, pure_share=0.4, floor=0.1, least_weighted=0.35),
        batch=16,
        preview_steps=1,
        loop=LoopSettings(
            steps=8000,
            learning_rate=2e-3,
            weight_decay=0.01,
            warmup=100,
            decay=0.6,
            ema=300,
            fused=True,
            checkpoint_every=250,
            preview_every=1000,
        ),
    )


def stage2_rgb(backbone: str, plain: Contract) -> StageRecipe:
    """The settings of the end-to-end stage on a backbone: those of the pose stage, but for what drives.

    The paper gives both stages the same ones. What it leaves open is listed in docs/deviations.md.

    Args:
        backbone: its name.
        plain: the contract of the backbone without an adapter.
    """
    posed = stage1_pose(backbone, plain)
    draws = PairDrawSettings(shortest=posed.draws.shortest)
    # A backbone that has only ever seen drivers in the reference's place is not asked to find them elsewhere.
    return dataclasses.replace(posed, draws=draws, motion_fit=plain.motion_fit)
