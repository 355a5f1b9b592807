"""The cache of a stage: every draw through the backbone's encoders once, by as many processes as are asked for."""

from __future__ import annotations

import dataclasses
import functools
import time

import torch
from torch import Tensor

from diptych.data.cache import missing_shards, shard_path, shards, write_shard
from diptych.data.canvases import LatentDraw, encode_draw
from diptych.data.dataset import clip_of
from diptych.data.draws import Draw, Eyes, Locate
from diptych.method.pixels import to_pixels
from diptych.models.load import sketch_backbone
from diptych.models.mini import MiniBackbone
from diptych.models.protocol import Backbone
from diptych.models.store import load_locator, load_mini, model_folder
from diptych.recipes.depth_drive import depth_identity, open_depth
from diptych.recipes.stage_setup import StageRun, opened
from diptych.recipes.workers import make_shards


def fill_cache(stage: StageRun, deadline: float | None) -> bool:
    """Encodes all draws; started by torchrun, every process does its share of the files.

    Args:
        stage: the run.
        deadline: ``time.monotonic()`` value after which no file is begun.

    Returns:
        Whether all of them are there.
    """
    made_for = stage.made_for(weights_of(stage))
    held_out = shard_path(stage.cache / "held-out", 0)
    recipe, total = stage.recipe, shards(stage.draws, stage.recipe.shard)
    missing = missing_shards(stage.cache, stage.draws, recipe.shard)[stage.rank :: stage.processes]
    wanted = [*([-1] if stage.rank == 0 and not held_out.exists() else []), *missing]
    if wanted:
        make = functools.partial(_make_shard, stage, made_for)
        workers = recipe.workers if stage.processes == 1 else 0
        make_shards(make, wanted, total=max(total, len(wanted)), workers=workers, deadline=deadline)

    def whole() -> bool:
        return held_out.exists() and not missing_shards(stage.cache, stage.draws, recipe.shard)

    # The other processes may be longer at theirs.
    while stage.processes > 1 and not whole() and (deadline is None or time.monotonic() < deadline):
        time.sleep(1)
    return whole()


def weights_of(stage: StageRun) -> dict[str, str]:
    """The weights that latents and features depend on."""
    options = stage.options
    depth = {} if options.depth_weights is None else depth_identity(options.depth_weights)
    found_by = {f"depth/{name}": value for name, value in depth.items()}
    if options.backbone == "mini":
        known = load_mini(model_folder(options.weights or "mini")).identity
        looked = ["locator.safetensors"] if stage.contract.motion_fit == "figure" else []
        return {name: known[name] for name in ["vae.safetensors", *looked]} | found_by
    return sketch_backbone(options.backbone, options.weights, revision=options.revision).identity | found_by


def _make_shard(stage: StageRun, made_for: str, index: int) -> None:
    """Makes one file of the cache; -1 is that of the held-out draws."""
    backbone, recipe = worker_backbone(stage), stage.recipe
    eyes = _eyes(stage)
    clips = stage.train.clips

    def make(number: int) -> LatentDraw:
        clip, within = clip_of(number, clips, recipe.draws_per_clip)
        draw = stage.train.draw(clip, within, stage.contract, recipe.draws, recipe.draw_seed, eyes)
        return encoded(draw, backbone)

    def make_held_out(number: int) -> LatentDraw:
        draw = stage.held_out.draw(number, 0, stage.contract, recipe.draws.plain, recipe.draw_seed, eyes)
        return encoded(draw, backbone)

    if index < 0:
        count = recipe.held_out if stage.held_out.clips is None else stage.held_out.clips
        write_shard(stage.cache / "held-out", 0, make_held_out, made_for, count)
    else:
        write_shard(stage.cache, index, make, made_for, recipe.shard)


def _eyes(stage: StageRun) -> Eyes:
    """Who looks at footage for the draws, as far as they ask."""
    options = stage.options
    locate = _locate(options.weights or "mini") if stage.contract.motion_fit == "figure" else None
    return Eyes(locate, None if options.depth_weights is None else open_depth(options.depth_weights))


@functools.lru_cache(maxsize=1)
def _locate(model: str) -> Locate:
    """What finds figures for a mini, loaded once in a process."""
    return load_locator(model_folder(model)).locate


_WORKER: dict[str, Backbone] = {}


def worker_backbone(stage: StageRun) -> Backbone:
    """The backbone in a process that makes shards, loaded once."""
    key = f"{stage.kind.name} {stage.options!r}"
    if key not in _WORKER:
        _WORKER.clear()
        _WORKER[key] = opened(stage)
    return _WORKER[key]


def encoded(draw: Draw, backbone: Backbone) -> LatentDraw:
    """A draw as a training step takes it: latents, and what the backbone reads in text and reference, if it does."""

    def encode(pixels: Tensor) -> Tensor:
        return backbone.encode_canvas(pixels.to(backbone.device)).cpu()

    with torch.no_grad():
        made = encode_draw(draw, encode, backbone.facts.empty)
    if isinstance(backbone, MiniBackbone):
        return made
    picture = to_pixels(draw.reference[None])[0, :, 0]  # (3, h, w)
    read = backbone.features_of(draw.prompt, picture)  # type: ignore[attr-defined]
    return dataclasses.replace(made, features={name: value[0] for name, value in read.items()})
