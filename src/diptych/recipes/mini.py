"""The mini from nothing: VAE, cache of drawn canvases, denoiser. One dial for size; stops and resumes anywhere."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diptych import __version__
from diptych.data.cache import cached_draws, missing_shards, read_cache, write_shard
from diptych.data.canvases import LatentDraw, encode_draw, target_pixels
from diptych.data.draws import box_for, draw
from diptych.files import locked, sha256, write_json
from diptych.method.contract import Contract
from diptych.method.pixels import to_pixels
from diptych.models.mini import Denoiser, DenoiserConfig, VaeConfig, contract
from diptych.models.store import load_vae, save_denoiser, save_vae
from diptych.options import TrainMiniOptions
from diptych.progress import progress
from diptych.puppets.scenes import draw_pair
from diptych.recipes.settings import with_overrides
from diptych.train.autoencoder import Autoencoder, AutoencoderTask, Phase, latent_scale
from diptych.train.denoiser import DenoiserTask
from diptych.train.loop import LoopSettings, train

HELD_OUT = 1 << 40
"""Draw numbers from here on are never trained on."""


@dataclass(frozen=True, kw_only=True)
class MiniRecipe:
    """Everything that decides what the mini becomes.

    Attributes:
        panel_area: pixels of a panel, about.
        vae: its size.
        pictures: first phase, single pictures.
        clips: second phase, short clips.
        canvases: third phase, whole windows as they are used.
        vae_loop: how the VAE is trained; its number of steps is that of the phases.
        draws: canvases cached for the denoiser.
        workers: processes that draw and encode them.
        denoiser: its size.
        batch: canvases a step.
        denoiser_loop: how the denoiser is trained.
        held_out: draws for previews.
    """

    panel_area: int
    vae: VaeConfig
    pictures: Phase
    clips: Phase
    canvases: Phase
    vae_loop: LoopSettings
    draws: int
    workers: int
    denoiser: DenoiserConfig
    batch: int
    denoiser_loop: LoopSettings
    held_out: int = 16


def mini_tiny() -> MiniRecipe:
    """A minute on two cores: every stage runs, nothing is learnt. For tests."""
    return MiniRecipe(
        panel_area=32 * 32,
        vae=VaeConfig(channels=(8, 8, 16, 16, 64)),
        pictures=Phase(steps=4, clips=4, at_once=4, frames=1),
        clips=Phase(steps=3, clips=2, at_once=2, frames=5),
        canvases=Phase(steps=3, clips=2, at_once=1, frames=17, canvas=True),
        vae_loop=LoopSettings(steps=10, learning_rate=1e-3, warmup=2, checkpoint_every=4, log_every=2),
        draws=64,
        workers=1,
        denoiser=DenoiserConfig(heads=2, blocks=1, text_width=16),
        batch=4,
        denoiser_loop=LoopSettings(
            steps=12, learning_rate=1e-3, muon_learning_rate=1e-2, warmup=2, checkpoint_every=5, log_every=2, ema=4
        ),
        held_out=2,
    )


def mini_cpu() -> MiniRecipe:
    """The mini that ships: hours on two cores."""
    return MiniRecipe(
        panel_area=64 * 64,
        vae=VaeConfig(),
        pictures=Phase(steps=2400, clips=8, at_once=8, frames=1),
        clips=Phase(steps=700, clips=4, at_once=4, frames=5),
        canvases=Phase(steps=600, clips=2, at_once=1, frames=17, canvas=True),
        vae_loop=LoopSettings(
            steps=3700,
            learning_rate=1e-3,
            muon_learning_rate=2e-2,
            warmup=100,
            decay=0.4,
            ema=200,
            checkpoint_every=200,
            preview_every=500,
        ),
        draws=16_384,
        workers=2,
        denoiser=DenoiserConfig(),
        batch=32,
        denoiser_loop=LoopSettings(
            steps=30_000,
            learning_rate=1.5e-3,
            muon_learning_rate=2e-2,
            warmup=200,
            ema=1000,
            checkpoint_every=500,
            preview_every=1000,
        ),
    )


def mini_gpu() -> MiniRecipe:
    """The same at 128 pixels with a larger trunk, for one GPU; what it makes still fits the package (40 MB)."""
    return MiniRecipe(
        panel_area=128 * 128,
        vae=VaeConfig(channels=(16, 32, 64, 64, 64)),
        pictures=Phase(steps=8000, clips=64, at_once=64, frames=1),
        clips=Phase(steps=6000, clips=16, at_once=16, frames=5),
        canvases=Phase(steps=6000, clips=8, at_once=1, frames=17, canvas=True),
        vae_loop=LoopSettings(
            steps=20_000, learning_rate=1e-3, muon_learning_rate=2e-2, decay=0.4, ema=500, preview_every=1000
        ),
        draws=131_072,
        workers=12,
        denoiser=DenoiserConfig(heads=8, blocks=5),
        batch=64,
        denoiser_loop=LoopSettings(
            steps=100_000,
            learning_rate=6e-4,
            muon_learning_rate=2e-2,
            warmup=500,
            ema=3000,
            checkpoint_every=1000,
            preview_every=5000,
        ),
    )


RECIPES = {"tiny": mini_tiny, "cpu": mini_cpu, "gpu": mini_gpu}


def train_mini(options: TrainMiniOptions) -> None:
    """Trains the mini, or goes on with it.

    The folder takes ``vae/`` and ``denoiser/`` (checkpoints, metrics, previews), ``cache/``, and ``mini/`` with the
    two files that ``--model`` loads.

    Raises:
        InputError: on settings that do not exist or do not fit a started folder, or a folder in use.
    """
    recipe = with_overrides(RECIPES[options.size](), options.overrides)
    steps = recipe.pictures.steps + recipe.clips.steps + recipe.canvases.steps
    recipe = dataclasses.replace(
        recipe,
        vae_loop=dataclasses.replace(recipe.vae_loop, steps=steps, seed=options.seed),
        denoiser_loop=dataclasses.replace(recipe.denoiser_loop, seed=options.seed),
    )
    folder = options.output or Path("runs/out") / f"mini-{options.size}"
    if options.dry_run:
        print(json.dumps({"folder": str(folder), **dataclasses.asdict(recipe)}, indent=2))
        return
    if options.threads:
        torch.set_num_threads(options.threads)
    deadline = time.monotonic() + 60 * options.minutes if options.minutes else None
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        write_json(folder / "run.json", _run(options, recipe))
        stages = {"vae": _train_vae, "cache": _fill_cache, "denoiser": _train_denoiser}
        for name, stage in stages.items():
            if options.stage in ("all", name) and not stage(recipe, folder, deadline):
                print(f"The time is up during {name}; the same command goes on.", file=sys.stderr)
                return
    print(f"The mini lies in {folder / 'mini'}; --model takes that folder.", file=sys.stderr)


def _run(options: TrainMiniOptions, recipe: MiniRecipe) -> dict[str, Any]:
    return {
        "command": "train mini",
        "options": dataclasses.asdict(options),
        "recipe": dataclasses.asdict(recipe),
        "diptych": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "processor": platform.processor() or platform.machine(),
    }


# ---------------------------------------------------------------------------------------------------------------
# VAE
# ---------------------------------------------------------------------------------------------------------------


def _train_vae(recipe: MiniRecipe, folder: Path, deadline: float | None) -> bool:
    agreed = contract(recipe.panel_area)
    torch.manual_seed(recipe.vae_loop.seed)
    task = AutoencoderTask(
        module=Autoencoder(recipe.vae),
        config=recipe.vae,
        phases=(recipe.pictures, recipe.clips, recipe.canvases),
        source=functools.partial(puppet_clips, agreed=agreed),
        held_out=tuple(target_pixels(draw(HELD_OUT + i, agreed)) for i in range(recipe.held_out)),
    )
    averaged, steps = train(task, recipe.vae_loop, folder / "vae", deadline=deadline)
    if steps < recipe.vae_loop.steps:
        return False
    path = folder / "mini" / "vae.safetensors"
    if not path.exists():
        assert isinstance(averaged, Autoencoder)
        scale = latent_scale(averaged.vae, [target_pixels(draw(HELD_OUT + 1000 + i, agreed)) for i in range(64)])
        notes = {"recipe": _plain(recipe), "steps": steps, "seconds": _seconds(folder / "vae")}
        save_vae(path, averaged.vae, recipe.vae, scale, notes)
    return True


def puppet_clips(phase: Phase, count: int, rng: np.random.Generator, *, agreed: Contract) -> Sequence[Tensor]:
    """Freshly drawn clips for the VAE: whole canvases, or single panels of one common shape.

    Args:
        phase: frames a clip, and whether canvases.
        count: clips; canvases of several panel shapes do not stack, so a phase of canvases takes one at once.
        rng: decides all.
        agreed: panel size.
    """
    numbers = rng.integers(0, 1 << 31, count)
    if phase.canvas:
        return [target_pixels(draw(int(number), agreed)) for number in numbers]
    pairs = [draw_pair(int(number)) for number in numbers]
    box = box_for(pairs[0].reference_aspect, agreed)
    clips = []
    for pair in pairs:
        times = pair.start + rng.uniform(0, 3) + np.arange(phase.frames) / np.exp(rng.uniform(np.log(6), np.log(30)))
        render = (pair.driving, pair.truth)[int(rng.integers(2))]
        clips.append(to_pixels(render(times, box.panel_width, box.panel_height).frames))
    return clips


# ---------------------------------------------------------------------------------------------------------------
# Cache
# ---------------------------------------------------------------------------------------------------------------


def _made_for(recipe: MiniRecipe, folder: Path) -> str:
    """What cached latents depend on, in a word."""
    facts = sha256(folder / "mini" / "vae.safetensors") + contract(recipe.panel_area).to_json()
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _fill_cache(recipe: MiniRecipe, folder: Path, deadline: float | None) -> bool:
    made_for, cache = _made_for(recipe, folder), folder / "cache"
    missing = missing_shards(cache, recipe.draws)
    if not missing:
        return True
    total = -(-recipe.draws // 64)
    with (
        ProcessPoolExecutor(recipe.workers, mp_context=get_context("spawn"), initializer=_alone) as pool,
        progress("cache", total, "shards", start=total - len(missing)) as report,
    ):
        done, waiting = total - len(missing), iter(missing)
        # Only as many shards are handed out as there are workers, so that a deadline or a kill wastes little.
        running = {pool.submit(_make_shard, recipe, folder, i, made_for) for i in _first(waiting, recipe.workers)}
        while running:
            finished = next(as_completed(running))
            running.remove(finished)
            finished.result()
            done += 1
            report(done)
            if deadline is None or time.monotonic() < deadline:
                running |= {pool.submit(_make_shard, recipe, folder, i, made_for) for i in _first(waiting, 1)}
    return not missing_shards(cache, recipe.draws)


def _first(items: Any, count: int) -> list[int]:
    return [item for item, _ in zip(items, range(count), strict=False)]


def _alone() -> None:
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


def _make_shard(recipe: MiniRecipe, folder: Path, index: int, made_for: str) -> None:
    agreed = contract(recipe.panel_area)
    backbone = _worker_vae(folder / "mini")

    def make(number: int) -> LatentDraw:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            return encode_draw(draw(number, agreed), backbone.encode_canvas, backbone.facts.empty)

    write_shard(folder / "cache", index, make, made_for)


@functools.lru_cache(maxsize=1)
def _worker_vae(folder: Path) -> Any:
    return load_vae(folder)


# ---------------------------------------------------------------------------------------------------------------
# Denoiser
# ---------------------------------------------------------------------------------------------------------------


def _train_denoiser(recipe: MiniRecipe, folder: Path, deadline: float | None) -> bool:
    made_for, agreed = _made_for(recipe, folder), contract(recipe.panel_area)
    draws = min(recipe.draws, cached_draws(folder / "cache"))
    torch.manual_seed(recipe.denoiser_loop.seed)
    task = DenoiserTask(
        module=Denoiser(recipe.denoiser),
        config=recipe.denoiser,
        backbone=dataclasses.replace(load_vae(folder / "mini"), contract=agreed),
        buckets=read_cache(folder / "cache", draws, made_for),
        batch=recipe.batch,
        held_out=tuple(draw(HELD_OUT + i, agreed) for i in range(recipe.held_out)),
        made_for=made_for,
    )
    averaged, steps = train(task, recipe.denoiser_loop, folder / "denoiser", deadline=deadline)
    notes = {
        "recipe": _plain(recipe),
        "steps": steps,
        "samples": steps * recipe.batch,
        "draws": draws,
        "seconds": _seconds(folder / "denoiser"),
    }
    # Written at every stop: a mini that is half trained animates too.
    save_denoiser(folder / "mini" / "denoiser.safetensors", averaged, recipe.denoiser, agreed, notes)
    return steps >= recipe.denoiser_loop.steps


def _plain(recipe: MiniRecipe) -> dict[str, Any]:
    return dataclasses.asdict(recipe)


def _seconds(folder: Path) -> float:
    """Time spent training so far, summed over resumed runs, from the log."""
    total, last = 0.0, 0.0
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        seconds = json.loads(line).get("seconds")
        if seconds is None:
            continue
        if seconds < last:
            total += last
        last = seconds
    return round(total + last, 1)
