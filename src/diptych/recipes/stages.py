"""The paper's stages as recipes: an adapter on a backbone that stays as it was.

Stage one (section 3.3): footage, driven by its own skeletons. Stage two (section 3.5): footage, driven by videos that a
model of stage one made of it, from whose adapter it sets out. What they share is ``stage_run.py``.
"""

from __future__ import annotations

import sys

from diptych.data.dataset import sources
from diptych.data.pairs import pair_sources
from diptych.models.parallel import rank_and_size
from diptych.options import TrainStageOptions
from diptych.recipes.stage_recipes import stage1_pose, stage2_rgb
from diptych.recipes.stage_run import train_stage
from diptych.recipes.stage_settings import StageKind

POSE = StageKind("stage1_pose", "pose", stage1_pose, sources)
"""Footage, driven by its own skeletons."""

RGB = StageKind("stage2_rgb", "rgb", stage2_rgb, pair_sources)
"""Footage, driven by other footage of the same motion."""


def train_pose(options: TrainStageOptions) -> None:
    """Trains the pose stage's adapter, or goes on with it.

    Raises:
        InputError: as :func:`~diptych.recipes.stage_run.train_stage`.
    """
    train_stage(options, POSE)


def train_rgb(options: TrainStageOptions) -> None:
    """Trains the end-to-end stage's adapter, or goes on with it.

    Raises:
        InputError: as :func:`~diptych.recipes.stage_run.train_stage`.
    """
    trains = options.stage != "cache" and not options.dry_run
    if options.warm_start is None and trains and rank_and_size()[0] == 0:
        print(
            "diptych: the adapter begins with nothing; the paper's second stage sets out from the first one's, "
            "--warm-start POSE/adapter.",
            file=sys.stderr,
        )
    train_stage(options, RGB)
