"""The run of a stage: draws are encoded once and cached, then an adapter is trained on them, or goes on.

Training needs neither encoders nor footage. Which stage it is, only the settings and the source of the draws know
(``stage_settings.py``).
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import time
from typing import Any

import torch
from torch import nn

from diptych.animate.sampler import SamplerSettings
from diptych.data.cache import Bucket, Shelf, map_cache, missing_shards, read_cache
from diptych.data.canvases import LatentDraw
from diptych.files import locked, replacing, sha256, sweep_below, write_json
from diptych.models.adapters import LoraSettings, adapter_files, save_adapter, start_from
from diptych.models.load import sketch_backbone
from diptych.models.mini import MiniBackbone
from diptych.models.protocol import Backbone
from diptych.models.sight import Remembered
from diptych.models.store import model_folder, save_denoiser
from diptych.options import TrainStageOptions
from diptych.recipes.stage_cache import fill_cache, weights_of, worker_backbone
from diptych.recipes.stage_settings import StageKind, StageRecipe
from diptych.recipes.stage_setup import StageRun
from diptych.train.adapter import Adapted, AdapterTask, Targets, adapt
from diptych.train.loop import train
from diptych.types import InputError

_REMEMBERED = 8192
"""Cached draws of which the mini remembers what sight says, which never learns; 245 KB each at 128 pixels."""


def train_stage(options: TrainStageOptions, kind: StageKind) -> None:
    """Trains a stage's adapter, or goes on with it.

    The folder takes ``cache/``, ``training/`` (checkpoints, metrics, previews), ``run.json``, and in the end
    ``adapter/``, which ``--adapter`` takes, or ``mini/`` where all of a mini learnt, which ``--model`` takes.

    Args:
        options: as the user gave them.
        kind: which stage.

    Raises:
        InputError: on settings that do not exist or do not fit a started folder, data that cannot be trained on, an
            adapter that it cannot set out from, or a folder in use.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    stage = StageRun.of(options, kind)
    if options.dry_run:
        print(json.dumps(stage.described(), indent=2, default=str))
        return
    deadline = time.monotonic() + 60 * options.minutes if options.minutes else None
    stage.folder.mkdir(parents=True, exist_ok=True)
    if stage.rank:
        # Another process of the same run holds the folder.
        _run(stage, deadline)
        return
    with locked(stage.folder / "lock"):
        sweep_below(stage.folder)
        write_json(stage.folder / "run.json", stage.described())
        _run(stage, deadline)


def _run(stage: StageRun, deadline: float | None) -> None:
    asked = stage.options.stage
    if asked in ("all", "cache") and not fill_cache(stage, deadline):
        _say(stage, "The time is up during cache; the same command goes on.")
        return
    if asked == "cache":
        return
    if not _train_adapter(stage, deadline):
        _say(stage, "The time is up during training; the same command goes on.")
        return
    result = "mini" if stage.recipe.adapter.targets == "full" else "adapter"
    option = "--model" if result == "mini" else "--adapter"
    _say(stage, f"The result lies in {stage.folder / result}; {option} takes that folder.")


def _say(stage: StageRun, text: str) -> None:
    if not stage.rank:
        print(text, file=sys.stderr)


def _train_adapter(stage: StageRun, deadline: float | None) -> bool:
    recipe, options = stage.recipe, stage.options
    if missing_shards(stage.cache, stage.draws, recipe.shard):
        raise InputError(f"{stage.cache} does not hold all draws yet; fill it first with --stage cache.")
    made_for = stage.made_for(weights_of(stage))
    _refuse_beyond_the_card(stage)
    backbone = worker_backbone(stage)
    networks = _networks(backbone, recipe.adapter.targets)
    lora = LoraSettings(rank=recipe.adapter.rank, alpha=recipe.adapter.alpha)
    adapt(networks, backbone.facts, recipe.adapter.targets, lora, options.seed)
    start = {}
    if options.warm_start is not None:
        start_from(networks, options.warm_start, lora)
        start = {"warm_start": [sha256(file) for file in adapter_files(options.warm_start)]}
    if recipe.checkpointing:
        for network in networks:
            network.enable_gradient_checkpointing()
    held_out = map_cache(stage.cache / "held-out", 1, made_for, 1)
    boundary = stage.contract.boundary
    task = AdapterTask(
        module=Adapted(backbone, _all_of(backbone)),
        backbone=backbone,
        buckets=_buckets(stage, made_for),
        batch=recipe.batch,
        accumulated=recipe.accumulated,
        noise=recipe.noise,
        contrast=recipe.contrast,
        held_out=tuple(_untold(draw, recipe) for shelf in held_out.values() for draw in shelf.take(range(len(shelf)))),
        made_for=made_for,
        settings={"adapter": dataclasses.asdict(recipe.adapter), **start},
        preview_steps=recipe.preview_steps,
        boundary=boundary,
        seed=options.seed,
    )
    loop = dataclasses.replace(recipe.loop, idle_parts=recipe.loop.idle_parts or boundary is not None)
    _, steps = train(task, loop, stage.folder / "training", deadline=deadline)
    notes = {
        "base": backbone.identity,
        "recipe": dataclasses.asdict(recipe),
        "data": stage.train.identity,
        **start,
        "steps": steps,
        "samples": steps * recipe.batch * recipe.accumulated * stage.processes,
    }
    _write_result(stage, backbone, notes)
    return steps >= recipe.loop.steps


def _refuse_beyond_the_card(stage: StageRun) -> None:
    """Says that a card is too small before the weights are read; it takes a minute where there is a card."""
    options, recipe = stage.options, stage.recipe
    if options.backbone == "mini" or stage.rank or not torch.cuda.is_available():
        return
    from diptych.recipes.plan import refuse_training_beyond, square_stage

    sketch = sketch_backbone(options.backbone, options.weights, revision=options.revision)
    sketch.train_for(stage.contract)
    rehearsed = square_stage(sketch, SamplerSettings(steps=1), options.weights)
    lora = LoraSettings(rank=recipe.adapter.rank)
    # A sample of the batch is one prediction, and one more for everything wrong that it is asked with.
    predictions = recipe.batch * (1 + len(recipe.contrast.wrongs))
    need = rehearsed.training(lora, checkpointing=recipe.checkpointing).keeping(predictions)
    split = recipe.loop.sharding == "fsdp2"
    refuse_training_beyond(need, torch.cuda.mem_get_info()[0], stage.processes, split=split)


def _networks(backbone: Backbone, targets: Targets) -> tuple[Any, ...]:
    """What adapters lie on, or what learns as a whole."""
    if isinstance(backbone, MiniBackbone):
        assert backbone.denoiser is not None
        backbone.denoiser.requires_grad_(False)
        if not torch.cuda.is_available():  # a GPU looks again sooner than it remembers
            backbone.denoiser.remembered = Remembered(_REMEMBERED)
        if targets == "full":
            return backbone.denoiser.transformer, backbone.denoiser.words
    networks: tuple[Any, ...] = backbone.networks  # type: ignore[attr-defined]
    return networks


def _all_of(backbone: Backbone) -> tuple[nn.Module, ...]:
    """All that runs in a prediction."""
    if isinstance(backbone, MiniBackbone):
        assert backbone.denoiser is not None
        return (backbone.denoiser,)
    networks: tuple[nn.Module, ...] = backbone.networks  # type: ignore[attr-defined]
    return networks


def _buckets(stage: StageRun, made_for: str) -> dict[str, Bucket] | dict[str, Shelf]:
    """The cached draws: a mini's in memory, a foundation's mapped from their files."""
    read: Any = read_cache if stage.options.backbone == "mini" else map_cache
    found: Any = read(stage.cache, stage.draws, made_for, stage.recipe.shard)
    if not stage.recipe.text and read is read_cache:
        found = {shape: dataclasses.replace(one, prompts=[""] * len(one)) for shape, one in found.items()}
    told: dict[str, Bucket] | dict[str, Shelf] = found
    return told


def _untold(draw: LatentDraw, recipe: StageRecipe) -> LatentDraw:
    return draw if recipe.text else dataclasses.replace(draw, prompt="")


def _write_result(stage: StageRun, backbone: Backbone, notes: dict[str, Any]) -> None:
    """Written at every stop: an adapter that is half trained animates too."""
    writes = stage.rank == 0
    if stage.recipe.adapter.targets == "full":
        if writes:
            _write_mini(stage, backbone, notes)
        return
    folder = stage.folder / "adapter"
    if writes:
        shutil.rmtree(folder, ignore_errors=True)
    save_adapter(folder, backbone.networks, stage.contract, notes, writes=writes)  # type: ignore[attr-defined]


def _write_mini(stage: StageRun, backbone: Backbone, notes: dict[str, Any]) -> None:
    """A mini of its own, all of whose denoiser learnt."""
    assert isinstance(backbone, MiniBackbone)
    assert backbone.denoiser is not None
    source, folder = model_folder(stage.options.weights or "mini"), stage.folder / "mini"
    folder.mkdir(exist_ok=True)
    for name in ("vae.safetensors", "locator.safetensors"):
        if (source / name).is_file():
            with replacing(folder / name) as draft:
                shutil.copyfile(source / name, draft)
    save_denoiser(folder / "denoiser.safetensors", backbone.denoiser, backbone.denoiser.config, stage.contract, notes)
