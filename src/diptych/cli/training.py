"""``train`` and ``bench``: what learns, and how good it is."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from diptych.cli import values
from diptych.cli.animating import add_pose_fit, add_threads
from diptych.cli.manners import Commands, add_command, add_group, load_recipe
from diptych.options import BenchPuppetsOptions, TrainMiniOptions, TrainStageOptions


def add_train(commands: Commands) -> None:
    """Adds ``diptych train``."""
    recipes = add_group(commands, "train", "train a model by a recipe", "RECIPE")
    mini = add_command(recipes, "mini", "the bundled model, from nothing: VAE, cache, denoiser", _train_mini)
    mini.add_argument(
        "--size", choices=("tiny", "cpu", "gpu"), default="cpu", help="seconds, hours, or a GPU (default cpu)"
    )
    mini.add_argument(
        "--preset",
        choices=("canvas", "base"),
        default="canvas",
        help="complete canvases of exact pairs, or fill in footage as backbones are pre-trained (default canvas)",
    )
    mini.add_argument("-o", "--output", metavar="FOLDER", type=Path, help="a started one is resumed")
    mini.add_argument(
        "--stage",
        choices=("all", "locator", "vae", "cache", "sight", "denoiser"),
        default="all",
        help="one stage alone, or all in order (default all)",
    )
    _add_training(mini)
    pose = add_command(
        recipes, "stage1_pose", "an adapter on a backbone, from footage driven by its own skeletons", _train_pose
    )
    _add_stage(pose, "of a prepared dataset")
    rgb = add_command(recipes, "stage2_rgb", "the same from footage driven by videos that were made of it", _train_rgb)
    _add_stage(rgb, "of kept pairs, or of clips with drivers of their own")
    rgb.add_argument(
        "--warm-start", metavar="ADAPTER", type=Path, help="of the first stage, to set out from (default: from nothing)"
    )
    rgb.add_argument(
        "--depth-weights", metavar="PATH|REPO", help="a Depth Anything that finds drivers' depth, for auxiliary=depth"
    )


def _add_stage(stage: argparse.ArgumentParser, data: str) -> None:
    """What both stages take.

    Args:
        stage: the command.
        data: which manifest it takes.
    """
    stage.add_argument(
        "--backbone", choices=("mini", "hunyuan15", "wan", "motif"), default="mini", help="which one (default mini)"
    )
    stage.add_argument("--weights", metavar="DIR|REPO", help="its weights (default: its makers' own)")
    stage.add_argument("--model", metavar="FOLDER", help="the mini's weights (default: the bundled one)")
    stage.add_argument("--revision", metavar="NAME", help="commit, tag or branch of a repository")
    stage.add_argument("--data", metavar="MANIFEST", required=True, help=f"{data}, or puppets for the made-up world")
    stage.add_argument("-o", "--output", metavar="FOLDER", type=Path, help="a started one is resumed")
    stage.add_argument(
        "--stage",
        choices=("all", "cache", "adapter"),
        default="all",
        help="encode draws, train on them, or both in order (default all)",
    )
    _add_training(stage)


def _add_training(recipe: argparse.ArgumentParser) -> None:
    """What every recipe takes."""
    recipe.add_argument(
        "--seed", metavar="N", type=values.count_from(0), default=0, help="of all that is drawn (default 0)"
    )
    recipe.add_argument("--minutes", metavar="M", type=values.positive, help="stop, ready to resume, after so long")
    add_threads(recipe)
    recipe.add_argument(
        "--set",
        metavar="KEY=VALUE",
        dest="overrides",
        type=values.setting,
        nargs="+",
        action="extend",
        default=[],
        help="change settings of the recipe by name; --dry-run lists them",
    )
    recipe.add_argument("--dry-run", action="store_true", help="print the settings and the plan, and stop")


def _train_pose(args: argparse.Namespace) -> None:
    load_recipe("stages", "train_pose")(_stage_options(args))


def _train_rgb(args: argparse.Namespace) -> None:
    load_recipe("stages", "train_rgb")(
        _stage_options(args, warm_start=args.warm_start, depth_weights=args.depth_weights)
    )


def _stage_options(args: argparse.Namespace, **of_stage_two: Any) -> TrainStageOptions:
    return TrainStageOptions(
        backbone=args.backbone,
        weights=args.weights or args.model,
        revision=args.revision,
        data=args.data,
        output=args.output,
        stage=args.stage,
        seed=args.seed,
        minutes=args.minutes,
        threads=args.threads,
        overrides=tuple(args.overrides),
        dry_run=args.dry_run,
        **of_stage_two,
    )


def _train_mini(args: argparse.Namespace) -> None:
    load_recipe("mini", "train_mini")(
        TrainMiniOptions(
            size=args.size,
            preset=args.preset,
            output=args.output,
            stage=args.stage,
            seed=args.seed,
            minutes=args.minutes,
            threads=args.threads,
            overrides=tuple(args.overrides),
            dry_run=args.dry_run,
        )
    )


def add_bench(commands: Commands) -> None:
    """Adds ``diptych bench``."""
    suites = add_group(commands, "bench", "measure a model", "WORLD")
    puppets = add_command(suites, "puppets", "on made-up pairs whose right answer is known", _bench_puppets)
    puppets.add_argument("--json", metavar="FILE", type=Path, help="file for the figures")
    puppets.add_argument("--sheet", metavar="FILE", type=Path, help="picture of the best, middle and worst pairs")
    puppets.add_argument("--suite", metavar="NAME", help="a frozen suite (default: the newest)")
    puppets.add_argument(
        "--model", metavar="NAME|FOLDER", default="mini", help="a bundled model or a folder (default mini)"
    )
    puppets.add_argument(
        "--steps", metavar="N", type=values.count_from(1), help="denoising steps (default: the model's)"
    )
    puppets.add_argument("--adapter", metavar="PATH", type=Path, help="an adapter that lies on the model")
    puppets.add_argument("--pairs", metavar="N", type=values.count_from(1), help="measure only the first N pairs")
    puppets.add_argument(
        "--posed", action="store_true", help="only pairs whose driver has skeletons, as for models driven by them"
    )
    puppets.add_argument(
        "--scale",
        metavar="N",
        type=values.count_from(1),
        default=1,
        help="draw the pairs N times as wide and high, for models of larger pictures (default 1)",
    )
    add_pose_fit(puppets)


def _bench_puppets(args: argparse.Namespace) -> None:
    load_recipe("bench", "bench_puppets")(
        BenchPuppetsOptions(
            json=args.json,
            sheet=args.sheet,
            suite=args.suite,
            model=args.model,
            adapter=args.adapter,
            steps=args.steps,
            pairs=args.pairs,
            posed=args.posed,
            pose_fit=args.pose_fit,
            scale=args.scale,
        )
    )
