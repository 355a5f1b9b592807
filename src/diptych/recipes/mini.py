"""The mini from nothing: locator, VAE, cache, sight, denoiser. One dial for size; stops and resumes anywhere."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from diptych import __version__
from diptych.data.cache import SHARD, cached_draws, missing_shards, read_cache, shards, write_shard
from diptych.data.canvases import LatentDraw, encode_draw
from diptych.data.draws import DRAWS, KIN_SHARE, LAYERS, draw, pictures
from diptych.data.footage_draws import FOOTAGE_DRAWS, wide_draw
from diptych.files import locked, replacing, sha256, sweep_below, write_json
from diptych.method.contract import Contract
from diptych.method.incontext import motion_panel
from diptych.method.infill import hidden
from diptych.method.pixels import to_pixels
from diptych.models.locator import Locator, LocatorConfig
from diptych.models.mini import Denoiser, DenoiserConfig, MiniBackbone, contract
from diptych.models.patches import PatchConfig, PatchVae
from diptych.models.store import (
    load_denoiser_into,
    load_locator,
    load_part,
    load_vae,
    model_folder,
    save_denoiser,
    save_locator,
    save_part,
    save_vae,
)
from diptych.options import TrainMiniOptions
from diptych.progress import Report, progress
from diptych.recipes.settings import with_overrides
from diptych.recipes.workers import make_shards
from diptych.train.autoencoder import Mending, MendTask
from diptych.train.denoiser import DenoiserTask
from diptych.train.locator import LocatorTask
from diptych.train.loop import LoopSettings, train
from diptych.train.shelves import Shelves
from diptych.train.sight import SightTask
from diptych.train.state import checkpoints
from diptych.train.varied import Varied
from diptych.types import InputError

HELD_OUT = 1 << 40
"""Draw numbers from here on are never trained on."""

_HEARD_BY = 16
"""Times as many held-out draws tell whether the driver is heard as are made: a gap on a handful says nothing."""


@dataclass(frozen=True, kw_only=True)
class MiniRecipe:
    """Everything that decides what the mini becomes.

    Attributes:
        panel_area: pixels of a panel, about.
        locator: its size.
        pictures: a step of the locator.
        locator_loop: how the locator is trained.
        vae: its size.
        fitted: draws that the patches' components are found from.
        clips: clips a step of the VAE.
        vae_loop: how the VAE's mending network is trained.
        draws: canvases cached for the denoiser.
        shard: of them in a file of the cache: what a kill may cost.
        first_draw: number of the first of them, so that a second leg may see others than the first.
        workers: processes that draw and encode them; 0 does it in this one.
        denoiser: its size.
        looks: canvases a step of its sight.
        sight_loop: how its sight is trained, before the rest of it.
        batch: canvases a step.
        pure_share: share of them at pure noise.
        pure_steps: steps at the start in which all of them are.
        denoiser_loop: how the denoiser is trained.
        held_out: draws for previews.
        start_from: ``mini`` or the folder of one: its VAE is taken over and training goes on from its denoiser, with
            new optimisers. None starts from nothing.
        vae_from: the same, but its VAE and locator alone are taken over.
        footage: whether the denoiser learns to fill in footage (``method/infill.py``), as backbones are pre-trained,
            and not to complete canvases of exact pairs.
        varied: whether sight and denoiser learn from draws mirrored and in other colours too (``train/varied.py``),
            which the VAE's code is then fitted for.
    """

    panel_area: int
    locator: LocatorConfig
    pictures: int
    locator_loop: LoopSettings
    vae: PatchConfig
    fitted: int
    clips: int
    vae_loop: LoopSettings
    draws: int
    workers: int
    denoiser: DenoiserConfig
    looks: int
    sight_loop: LoopSettings
    batch: int
    denoiser_loop: LoopSettings
    shard: int = SHARD
    first_draw: int = 0
    pure_share: float = 0.4
    pure_steps: int = 0
    held_out: int = 16
    start_from: str | None = None
    vae_from: str | None = None
    footage: bool = False
    varied: bool = False


def mini_tiny() -> MiniRecipe:
    """Half a minute on two cores: every stage runs, nothing is learnt. For tests."""
    return MiniRecipe(
        panel_area=32 * 32,
        locator=LocatorConfig(width=8, hidden=16),
        pictures=8,
        locator_loop=LoopSettings(steps=6, learning_rate=1e-3, warmup=2, checkpoint_every=4, log_every=2),
        vae=PatchConfig(width=8, blocks=1),
        fitted=24,
        clips=2,
        vae_loop=LoopSettings(steps=6, learning_rate=1e-3, warmup=2, checkpoint_every=4, log_every=2),
        draws=48,
        shard=16,
        workers=0,
        denoiser=DenoiserConfig(heads=2, blocks=1, layers=LAYERS, sight=8, text_width=16),
        looks=2,
        sight_loop=LoopSettings(steps=6, learning_rate=1e-3, warmup=2, checkpoint_every=4, log_every=2),
        batch=4,
        denoiser_loop=LoopSettings(
            steps=12, learning_rate=1e-3, muon_learning_rate=1e-2, warmup=2, checkpoint_every=5, log_every=2, ema=4
        ),
        held_out=2,
    )


def mini_cpu() -> MiniRecipe:
    """The mini that ships: about an hour and a half on two cores with nothing else to do."""
    return MiniRecipe(
        panel_area=64 * 64,
        locator=LocatorConfig(),
        pictures=32,
        locator_loop=LoopSettings(
            steps=2500,
            learning_rate=2e-3,
            muon_learning_rate=1e-2,
            warmup=50,
            decay=0.7,
            ema=100,
            precision="no",
            checkpoint_every=250,
            preview_every=500,
        ),
        vae=PatchConfig(),
        fitted=2000,
        clips=2,
        vae_loop=LoopSettings(
            steps=2000,
            learning_rate=1e-3,
            muon_learning_rate=1e-2,
            warmup=50,
            ema=100,
            checkpoint_every=200,
            preview_every=500,
        ),
        draws=24_576,
        workers=2,
        denoiser=DenoiserConfig(layers=LAYERS, sight=48),
        looks=8,
        sight_loop=LoopSettings(
            steps=4000,
            learning_rate=2e-3,
            muon_learning_rate=1e-2,
            warmup=50,
            decay=0.7,
            ema=100,
            checkpoint_every=500,
            preview_every=500,
        ),
        batch=16,
        pure_steps=11_000,
        denoiser_loop=LoopSettings(
            steps=15_000,
            learning_rate=1e-3,
            muon_learning_rate=1e-2,
            warmup=200,
            decay=0.6,
            ema=500,
            fused=True,
            checkpoint_every=500,
            preview_every=1000,
        ),
    )


def mini_gpu() -> MiniRecipe:
    """The same at 128 pixels with a larger trunk, for one GPU; what it makes still fits the package (30 MB)."""
    small = mini_cpu()
    return dataclasses.replace(
        small,
        panel_area=128 * 128,
        locator_loop=dataclasses.replace(small.locator_loop, steps=8000),
        draws=65_536,
        workers=14,
        denoiser=dataclasses.replace(small.denoiser, heads=8, blocks=5),
        looks=32,
        sight_loop=dataclasses.replace(small.sight_loop, fused=True, checkpoint_every=1000, preview_every=1000),
        batch=64,
        pure_steps=20_000,
        denoiser_loop=dataclasses.replace(
            small.denoiser_loop, steps=28_000, ema=1000, checkpoint_every=2000, log_every=50, preview_every=4000
        ),
        held_out=2,
        varied=True,
    )


def pretraining(recipe: MiniRecipe) -> MiniRecipe:
    """The same, for a mini that stands for a pre-trained backbone: image-to-video, text-to-video and filling in.

    It learns from footage alone and has no sight, which was trained to find limbs: nobody who pre-trains a backbone has
    those labels. That footage tells where its figures are shapes its training, as it does the other's.
    """
    denoiser = dataclasses.replace(recipe.denoiser, sight=0)
    return dataclasses.replace(recipe, denoiser=denoiser, footage=True)


RECIPES = {"tiny": mini_tiny, "cpu": mini_cpu, "gpu": mini_gpu}
PRESETS: dict[str, Callable[[MiniRecipe], MiniRecipe]] = {"canvas": lambda recipe: recipe, "base": pretraining}


def train_mini(options: TrainMiniOptions) -> None:
    """Trains the mini, or goes on with it.

    The folder takes ``vae/`` and ``denoiser/`` (checkpoints, metrics, previews), ``cache/``, and ``mini/`` with the
    two files that ``--model`` loads.

    Raises:
        InputError: on settings that do not exist or do not fit a started folder, or a folder in use.
    """
    recipe = with_overrides(PRESETS[options.preset](RECIPES[options.size]()), options.overrides)
    recipe = dataclasses.replace(
        recipe,
        locator_loop=dataclasses.replace(recipe.locator_loop, seed=options.seed),
        vae_loop=dataclasses.replace(recipe.vae_loop, seed=options.seed),
        sight_loop=dataclasses.replace(recipe.sight_loop, seed=options.seed),
        denoiser_loop=dataclasses.replace(recipe.denoiser_loop, seed=options.seed),
    )
    name = "mini" if options.preset == "canvas" else f"mini-{options.preset}"
    folder = options.output or Path("runs/out") / f"{name}-{options.size}"
    if options.dry_run:
        print(json.dumps({"folder": str(folder), **dataclasses.asdict(recipe)}, indent=2))
        return
    if options.threads:
        torch.set_num_threads(options.threads)
    deadline = time.monotonic() + 60 * options.minutes if options.minutes else None
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        sweep_below(folder)
        write_json(folder / "run.json", _run(options, recipe))
        stages = {
            "locator": _train_locator,
            "vae": _train_vae,
            "cache": _fill_cache,
            "sight": _train_sight,
            "denoiser": _train_denoiser,
        }
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
# Locator
# ---------------------------------------------------------------------------------------------------------------


def _train_locator(recipe: MiniRecipe, folder: Path, deadline: float | None) -> bool:
    path = folder / "mini" / "locator.safetensors"
    if path.exists() or _taken_over(recipe, path):
        return True
    torch.manual_seed(recipe.locator_loop.seed)
    task = LocatorTask(
        module=Locator(recipe.locator),
        config=recipe.locator,
        pictures=recipe.pictures,
        source=lambda rng: pictures(int(rng.integers(1 << 31)), recipe.panel_area),
        held_out=tuple(one for i in range(8 * recipe.held_out) for one in pictures(HELD_OUT + i, recipe.panel_area)),
    )
    averaged, steps = train(task, recipe.locator_loop, folder / "locator", deadline=deadline)
    if steps < recipe.locator_loop.steps:
        return False
    assert isinstance(averaged, Locator)
    notes = {"recipe": dataclasses.asdict(recipe), "steps": steps, "seconds": _seconds(folder / "locator")}
    save_locator(path, averaged, recipe.locator, notes)
    return True


def _taken_over(recipe: MiniRecipe, path: Path) -> bool:
    """Copies a file of the mini that is gone on from, where it has it."""
    taken = recipe.start_from or recipe.vae_from
    if taken is None:
        return False
    source = model_folder(taken) / path.name
    if source.exists() and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft:
            shutil.copyfile(source, draft)
    return path.exists()


# ---------------------------------------------------------------------------------------------------------------
# VAE
# ---------------------------------------------------------------------------------------------------------------


def _train_vae(recipe: MiniRecipe, folder: Path, deadline: float | None) -> bool:
    agreed, path = contract(recipe.panel_area), folder / "mini" / "vae.safetensors"
    if _taken_over(recipe, path):
        return True
    torch.manual_seed(recipe.vae_loop.seed)
    vae = PatchVae(recipe.vae)
    if not checkpoints(folder / "vae"):
        with progress("components", recipe.fitted, "draws") as report:
            vae.fit(_panels(recipe.fitted, agreed, report), varied=recipe.varied)
    task = MendTask(
        module=Mending(vae),
        config=recipe.vae,
        clips=recipe.clips,
        source=lambda rng: _panel(int(rng.integers(1 << 31)), agreed),
        held_out=tuple(_panel(HELD_OUT + i, agreed) for i in range(recipe.held_out)),
    )
    averaged, steps = train(task, recipe.vae_loop, folder / "vae", deadline=deadline)
    if steps < recipe.vae_loop.steps:
        return False
    if not path.exists():
        assert isinstance(averaged, Mending)
        notes = {"recipe": dataclasses.asdict(recipe), "steps": steps, "seconds": _seconds(folder / "vae")}
        save_vae(path, averaged.vae, recipe.vae, notes)
    return True


def _panel(number: int, agreed: Contract) -> Tensor:
    """The left panel of a draw, ``(1, 3, t, h, w)`` in [-1, 1]."""
    return to_pixels(draw(number, agreed).output)


def _panels(count: int, agreed: Contract, report: Report) -> Iterator[Tensor]:
    """Left and right panels of the first draws, and what stands in the left one before anything is made."""
    for number in range(count):
        made = draw(number, agreed)
        yield to_pixels(made.output)
        yield motion_panel(to_pixels(made.motion), made.window)
        report(number + 1)


# ---------------------------------------------------------------------------------------------------------------
# Cache
# ---------------------------------------------------------------------------------------------------------------


def _made_for(recipe: MiniRecipe, folder: Path) -> str:
    """What cached latents depend on, in a word."""
    files = [sha256(folder / "mini" / f"{name}.safetensors") for name in ("vae", "locator")]
    facts = f"{files} {contract(recipe.panel_area).to_json()} {DRAWS} {KIN_SHARE} {recipe.first_draw}"
    if recipe.footage:
        facts = f"{files} {contract(recipe.panel_area).to_json()} footage {FOOTAGE_DRAWS} {recipe.first_draw}"
    if recipe.shard != SHARD:
        facts += f" {recipe.shard}"
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _fill_cache(recipe: MiniRecipe, folder: Path, deadline: float | None) -> bool:
    made_for, cache = _made_for(recipe, folder), folder / "cache"
    missing = missing_shards(cache, recipe.draws, recipe.shard)
    if not missing:
        return True
    make_shards(
        functools.partial(_make_shard, recipe, folder, made_for=made_for),
        missing,
        total=shards(recipe.draws, recipe.shard),
        workers=recipe.workers,
        deadline=deadline,
    )
    return not missing_shards(cache, recipe.draws, recipe.shard)


def _make_shard(recipe: MiniRecipe, folder: Path, index: int, made_for: str) -> None:
    agreed = contract(recipe.panel_area)
    backbone, locator = _worker_models(folder / "mini")

    def make(number: int) -> LatentDraw:
        if recipe.footage:
            with torch.no_grad():
                return wide_draw(recipe.first_draw + number, agreed, backbone.encode_canvas)
        drawn = draw(recipe.first_draw + number, agreed, kin_share=KIN_SHARE, locate=locator.locate)
        with torch.no_grad():
            return encode_draw(drawn, backbone.encode_canvas, backbone.facts.empty)

    write_shard(folder / "cache", index, make, made_for, recipe.shard)


@functools.lru_cache(maxsize=1)
def _worker_models(folder: Path) -> tuple[MiniBackbone, Locator]:
    return load_vae(folder), load_locator(folder)


# ---------------------------------------------------------------------------------------------------------------
# Denoiser: first its sight, then the rest of it
# ---------------------------------------------------------------------------------------------------------------


def _train_sight(recipe: MiniRecipe, folder: Path, deadline: float | None) -> bool:
    module = _begun(recipe, folder)
    path = folder / "sight" / "sight.safetensors"
    if module.sight is None or path.exists():
        return True
    made_for, backbone, locator = _made_for(recipe, folder), *_worker_models(folder / "mini")
    module.sight.begin_with(backbone.vae)
    agreed = contract(recipe.panel_area)
    held_out = [draw(HELD_OUT + i, agreed, locate=locator.locate) for i in range(2 * recipe.held_out)]
    with torch.no_grad():
        encoded = [encode_draw(one, backbone.encode_canvas, backbone.facts.empty) for one in held_out]
    task = SightTask(
        module=module.sight,
        draws=_shelves(recipe, folder, backbone),
        batch=recipe.looks,
        held_out=tuple(encoded),
        made_for=made_for,
    )
    averaged, steps = train(task, recipe.sight_loop, folder / "sight", deadline=deadline)
    if steps < recipe.sight_loop.steps:
        return False
    save_part(path, averaged)
    return True


def _begun(recipe: MiniRecipe, folder: Path) -> Denoiser:
    """The denoiser as its training finds it: new or another mini's, with the sight that was trained for it."""
    torch.manual_seed(recipe.denoiser_loop.seed)
    module = Denoiser(recipe.denoiser)
    if recipe.start_from is not None:
        load_denoiser_into(module, model_folder(recipe.start_from) / "denoiser.safetensors")
    sight = folder / "sight" / "sight.safetensors"
    if module.sight is not None and sight.exists():
        load_part(sight, module.sight)
    return module


def _train_denoiser(recipe: MiniRecipe, folder: Path, deadline: float | None) -> bool:
    made_for, agreed = _made_for(recipe, folder), contract(recipe.panel_area)
    if recipe.footage:
        agreed = dataclasses.replace(agreed, loss_region="canvas")
    module, locate = _begun(recipe, folder), load_locator(folder / "mini").locate
    if module.sight is not None:
        module.sight.requires_grad_(False)
    backbone = load_vae(folder / "mini")
    shelves = _shelves(recipe, folder, backbone)
    task = DenoiserTask(
        module=module,
        config=recipe.denoiser,
        backbone=dataclasses.replace(backbone, contract=agreed),
        draws=shelves,
        batch=recipe.batch,
        pure_share=recipe.pure_share,
        pure_steps=recipe.pure_steps,
        held_out=tuple(draw(HELD_OUT + i, agreed, locate=locate) for i in range(_HEARD_BY * recipe.held_out)),
        made_for=made_for,
        hide=hidden if recipe.footage else None,
    )
    averaged, steps = train(task, recipe.denoiser_loop, folder / "denoiser", deadline=deadline)
    notes = {
        "recipe": dataclasses.asdict(recipe),
        "steps": steps,
        "samples": steps * recipe.batch,
        "draws": shelves.facts["draws"],
        "seconds": _seconds(folder / "denoiser"),
    }
    # Written at every stop: a mini that is half trained animates too.
    save_denoiser(folder / "mini" / "denoiser.safetensors", averaged, recipe.denoiser, agreed, notes)
    return steps >= recipe.denoiser_loop.steps


def _shelves(recipe: MiniRecipe, folder: Path, backbone: MiniBackbone) -> Shelves:
    """What lies in the cache without a gap, up to what the recipe asks for."""
    draws, words = min(recipe.draws, cached_draws(folder / "cache", recipe.shard)), recipe.denoiser
    varied = None
    if recipe.varied:
        try:
            varied = Varied.of(backbone.vae, words.text_buckets)
        except ValueError as error:
            what = folder / "mini" / "vae.safetensors"
            raise InputError(f"{what}: {error}; train one with varied=true, or set varied=false.") from None
    buckets = read_cache(folder / "cache", draws, _made_for(recipe, folder), recipe.shard)
    return Shelves(buckets, words=words.text_length, entries=words.text_buckets, varied=varied)


def _seconds(folder: Path) -> float:
    """Time spent training so far, summed over resumed runs, from the log."""
    total, last, log = 0.0, 0.0, folder / "metrics.jsonl"
    for line in log.read_text().splitlines() if log.exists() else []:  # the time may have been up before the first line
        seconds = json.loads(line).get("seconds")
        if seconds is None:
            continue
        if seconds < last:
            total += last
        last = seconds
    return round(total + last, 1)
