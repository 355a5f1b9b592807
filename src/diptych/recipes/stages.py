"""The paper's stages as recipes: an adapter on a backbone that stays as it was.

Stage one (section 3.3): footage, driven by its own skeletons. Draws are encoded once and cached, by as many processes
as are asked for; training then needs neither encoders nor footage.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import platform
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diptych import __version__
from diptych.animate.sampler import SamplerSettings
from diptych.data.cache import Bucket, Shelf, map_cache, missing_shards, read_cache, shard_path, shards, write_shard
from diptych.data.canvases import LatentDraw, encode_draw
from diptych.data.dataset import ManifestSource, Source, clip_of, hashed, sources
from diptych.data.draws import Draw
from diptych.data.pose_draws import PoseDrawSettings
from diptych.files import locked, replacing, sweep_below, write_json
from diptych.method.contract import Contract
from diptych.method.incontext import LossRegion
from diptych.method.pixels import to_pixels
from diptych.method.pose_augment import PoseAugment
from diptych.models.adapters import LoraSettings, save_adapter
from diptych.models.load import load_backbone, sketch_backbone
from diptych.models.mini import MiniBackbone
from diptych.models.parallel import rank_and_size
from diptych.models.protocol import Backbone
from diptych.models.store import load_mini, model_folder, save_denoiser
from diptych.options import TrainStageOptions
from diptych.recipes.settings import with_overrides
from diptych.recipes.workers import make_shards
from diptych.train.adapter import Adapted, AdapterTask, NoiseSettings, Targets, adapt, target_layers
from diptych.train.loop import LoopSettings, train
from diptych.types import InputError

_SHORTEST_WINDOW = 49
"""Canvas frames of the shortest training window (paper section 5.1: clips of 49 to 121 frames)."""


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
        draws: how windows are drawn from footage.
        draws_per_clip: windows and augmentations of one clip in the cache.
        draw_seed: of the draws; the run's own seed is another, so that runs of several seeds may share a cache.
        cached: draws in all; None takes every clip so many times.
        held_out: clips that are never trained on, for previews.
        cache: folder of the cached draws, so that runs may share them; None is the run's own.
        workers: processes that draw and encode; 0 does it where the backbone lies.
        shard: draws in a file of the cache.
        adapter: what learns.
        noise: which noise levels, and how much each counts.
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
    draws: PoseDrawSettings
    draws_per_clip: int
    draw_seed: int = 0
    cached: int | None = None
    held_out: int
    cache: str | None = None
    workers: int
    shard: int
    adapter: AdapterSettings
    noise: NoiseSettings
    batch: int
    accumulated: int = 1
    checkpointing: bool = False
    preview_steps: int
    loop: LoopSettings


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


def agreed_for(recipe: StageRecipe, plain: Contract, layers: str | None) -> Contract:
    """The contract of what is trained.

    Args:
        recipe: settings.
        plain: of the backbone without an adapter.
        layers: regular expression of the adapted layers, or None where the whole network learns.
    """
    return dataclasses.replace(
        plain,
        motion="pose",
        motion_fit="frame",
        panel_area=recipe.panel_area,
        window_frames=recipe.window_frames,
        lead_in=recipe.lead_in,
        history=recipe.history,
        loss_region=recipe.loss_region,
        text=recipe.text,
        rank=None if layers is None else recipe.adapter.rank,
        targets=layers,
    )


def train_pose(options: TrainStageOptions) -> None:
    """Trains the pose stage's adapter, or goes on with it.

    The folder takes ``cache/``, ``training/`` (checkpoints, metrics, previews), ``run.json``, and in the end
    ``adapter/``, which ``--adapter`` takes, or ``mini/`` where all of a mini learnt, which ``--model`` takes.

    Raises:
        InputError: on settings that do not exist or do not fit a started folder, data that cannot be trained on, or a
            folder in use.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    stage = _Stage.of(options)
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


def _run(stage: _Stage, deadline: float | None) -> None:
    asked = stage.options.stage
    if asked in ("all", "cache") and not _fill_cache(stage, deadline):
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


def _say(stage: _Stage, text: str) -> None:
    if not stage.rank:
        print(text, file=sys.stderr)


@dataclass(frozen=True, eq=False)
class _Stage:
    """A run, settled before anything is loaded or written.

    Attributes:
        options: as the user gave them.
        recipe: with what was set by hand.
        contract: of what is trained.
        folder: of the run.
        train: where the draws come from.
        held_out: where those of the previews come from.
        rank: number of this process.
        processes: how many there are.
    """

    options: TrainStageOptions
    recipe: StageRecipe
    contract: Contract
    folder: Path
    train: Source
    held_out: Source
    rank: int
    processes: int

    @classmethod
    def of(cls, options: TrainStageOptions) -> _Stage:
        """Settles a run.

        Raises:
            InputError: on settings or data that cannot be.
        """
        plain, facts = _plain(options)
        recipe = with_overrides(stage1_pose(options.backbone, plain), options.overrides)
        recipe = dataclasses.replace(recipe, loop=dataclasses.replace(recipe.loop, seed=options.seed))
        if not recipe.text and options.backbone != "mini":  # whose prompts are read on the fly
            recipe = dataclasses.replace(recipe, draws=dataclasses.replace(recipe.draws, text_dropped=1.0))
        whole = recipe.adapter.targets == "full"
        if whole and options.backbone != "mini":
            raise InputError("all of a foundation backbone is not trained here; leave adapter.targets at ff.")
        layers = None if whole else target_layers(facts, recipe.adapter.targets)
        try:
            agreed = agreed_for(recipe, plain, layers)
        except ValueError as error:
            raise InputError(f"that canvas cannot be ({error}); change the setting of that name.") from None
        if options.backbone == "mini" and (agreed.panel_area, agreed.window_frames) != (
            plain.panel_area,
            plain.window_frames,
        ):
            raise InputError("the mini has one size; leave panel_area and window_frames as they are.")
        if recipe.draws.shortest > agreed.window_frames or recipe.draws.shortest % 4 != 1:
            raise InputError(
                f"windows of {recipe.draws.shortest} to {agreed.window_frames} frames cannot be; a window has 1 + 4k, "
                "and draws.shortest is at most window_frames."
            )
        train_from, held_out = sources(options.data, recipe.draws, recipe.held_out)
        if train_from.clips is None and recipe.cached is None:
            recipe = dataclasses.replace(recipe, cached=recipe.shard * 256)
        folder = options.output or Path("runs/out") / f"stage1_pose-{options.backbone}"
        rank, processes = rank_and_size()
        return cls(options, recipe, agreed, folder, train_from, held_out, rank, processes)

    @property
    def cache(self) -> Path:
        """Folder of the draws."""
        return self.folder / "cache" if self.recipe.cache is None else Path(self.recipe.cache)

    @property
    def draws(self) -> int:
        """How many draws are cached."""
        if self.recipe.cached is not None:
            return self.recipe.cached
        assert self.train.clips is not None
        return self.train.clips * self.recipe.draws_per_clip

    def made_for(self, identity: dict[str, str]) -> str:
        """What cached latents depend on, in a word; what only the loss looks at is not in it."""
        agreed = dataclasses.replace(
            self.contract, loss_region="canvas", rank=None, targets=None, sigma_shift=1.0, text=True
        )
        numbers = (self.recipe.draw_seed, self.recipe.draws_per_clip, self.recipe.held_out)
        data = (self.train.identity, self.held_out.identity)
        return hashed(data, numbers, agreed.to_json(), self.recipe.draws, sorted(identity.items()))

    def described(self) -> dict[str, Any]:
        """What run.json says."""
        clips = self.train.clips
        left_out = self.train.left_out if isinstance(self.train, ManifestSource) else {}
        return {
            "command": "train stage1_pose",
            "options": dataclasses.asdict(self.options),
            "recipe": dataclasses.asdict(self.recipe),
            "contract": json.loads(self.contract.to_json()),
            "data": {"clips": "endless" if clips is None else clips, "left_out": left_out, "draws": self.draws},
            "batch_in_all": self.recipe.batch * self.recipe.accumulated * self.processes,
            "processes": self.processes,
            "diptych": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "threads": torch.get_num_threads(),
            "processor": platform.processor() or platform.machine(),
        }


def _plain(options: TrainStageOptions) -> tuple[Contract, Any]:
    """Contract and facts of the backbone, without its weights where it is large."""
    if options.backbone == "mini":
        mini = load_mini(model_folder(options.weights or "mini"))
        return mini.contract, mini.facts
    sketch = sketch_backbone(options.backbone, options.weights, revision=options.revision)
    return sketch.contract, sketch.facts


def _opened(stage: _Stage) -> Backbone:
    """The backbone, to be trained for the stage's contract."""
    options = stage.options
    loaded = load_backbone(options.backbone, options.weights, revision=options.revision)
    if isinstance(loaded, MiniBackbone):
        return dataclasses.replace(loaded, contract=stage.contract, locator=None)
    loaded.train_for(stage.contract)  # type: ignore[attr-defined]  # every other backbone is a foundation
    return loaded


# ---------------------------------------------------------------------------------------------------------------
# Cache
# ---------------------------------------------------------------------------------------------------------------


def _fill_cache(stage: _Stage, deadline: float | None) -> bool:
    """Encodes all draws; started by torchrun, every process does its share of the files."""
    made_for = stage.made_for(_identity(stage))
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


def _identity(stage: _Stage) -> dict[str, str]:
    """The weights that latents and features depend on."""
    options = stage.options
    if options.backbone == "mini":
        known = load_mini(model_folder(options.weights or "mini")).identity
        return {"vae.safetensors": known["vae.safetensors"]}
    return sketch_backbone(options.backbone, options.weights, revision=options.revision).identity


def _make_shard(stage: _Stage, made_for: str, index: int) -> None:
    """Makes one file of the cache; -1 is that of the held-out draws."""
    backbone, recipe = _worker_backbone(stage), stage.recipe
    clips = stage.train.clips

    def make(number: int) -> LatentDraw:
        clip, within = clip_of(number, clips, recipe.draws_per_clip)
        return encoded(stage.train.draw(clip, within, stage.contract, recipe.draws, recipe.draw_seed), backbone)

    def make_held_out(number: int) -> LatentDraw:
        bare = PoseAugment(bones_share=0.0, box_share=0.0)
        plain = dataclasses.replace(recipe.draws, history_share=0.0, held_share=0.0, augment=bare)
        plain = dataclasses.replace(plain, text_dropped=float(recipe.draws.text_dropped == 1))
        return encoded(stage.held_out.draw(number, 0, stage.contract, plain, recipe.draw_seed), backbone)

    if index < 0:
        count = recipe.held_out if stage.held_out.clips is None else stage.held_out.clips
        write_shard(stage.cache / "held-out", 0, make_held_out, made_for, count)
    else:
        write_shard(stage.cache, index, make, made_for, recipe.shard)


_WORKER: dict[str, Backbone] = {}


def _worker_backbone(stage: _Stage) -> Backbone:
    """The backbone in a process that makes shards, loaded once."""
    key = repr(stage.options)
    if key not in _WORKER:
        _WORKER.clear()
        _WORKER[key] = _opened(stage)
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


# ---------------------------------------------------------------------------------------------------------------
# Training
# ---------------------------------------------------------------------------------------------------------------


def _train_adapter(stage: _Stage, deadline: float | None) -> bool:
    recipe, options = stage.recipe, stage.options
    if missing_shards(stage.cache, stage.draws, recipe.shard):
        raise InputError(f"{stage.cache} does not hold all draws yet; fill it first with --stage cache.")
    made_for = stage.made_for(_identity(stage))
    _refuse_beyond_the_card(stage)
    backbone = _worker_backbone(stage)
    networks = _networks(backbone, recipe.adapter.targets)
    lora = LoraSettings(rank=recipe.adapter.rank, alpha=recipe.adapter.alpha)
    adapt(networks, backbone.facts, recipe.adapter.targets, lora, options.seed)
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
        held_out=tuple(_untold(draw, recipe) for shelf in held_out.values() for draw in shelf.take(range(len(shelf)))),
        made_for=made_for,
        settings={"adapter": dataclasses.asdict(recipe.adapter)},
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
        "steps": steps,
        "samples": steps * recipe.batch * recipe.accumulated * stage.processes,
    }
    _write_result(stage, backbone, notes)
    return steps >= recipe.loop.steps


def _refuse_beyond_the_card(stage: _Stage) -> None:
    """Says that a card is too small before the weights are read; it takes a minute where there is a card."""
    options, recipe = stage.options, stage.recipe
    if options.backbone == "mini" or stage.rank or not torch.cuda.is_available():
        return
    from diptych.recipes.plan import refuse_training_beyond, square_stage

    sketch = sketch_backbone(options.backbone, options.weights, revision=options.revision)
    sketch.train_for(stage.contract)
    rehearsed = square_stage(sketch, SamplerSettings(steps=1), options.weights)
    lora = LoraSettings(rank=recipe.adapter.rank)
    need = rehearsed.training(lora, checkpointing=recipe.checkpointing)
    split = recipe.loop.sharding == "fsdp2"
    refuse_training_beyond(need, torch.cuda.mem_get_info()[0], stage.processes, split=split)


def _networks(backbone: Backbone, targets: Targets) -> tuple[Any, ...]:
    """What adapters lie on, or what learns as a whole."""
    if isinstance(backbone, MiniBackbone):
        assert backbone.denoiser is not None
        backbone.denoiser.requires_grad_(False)
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


def _buckets(stage: _Stage, made_for: str) -> dict[str, Bucket] | dict[str, Shelf]:
    """The cached draws: a mini's in memory, a foundation's mapped from their files."""
    read: Any = read_cache if stage.options.backbone == "mini" else map_cache
    found: Any = read(stage.cache, stage.draws, made_for, stage.recipe.shard)
    if not stage.recipe.text and read is read_cache:
        found = {shape: dataclasses.replace(one, prompts=[""] * len(one)) for shape, one in found.items()}
    told: dict[str, Bucket] | dict[str, Shelf] = found
    return told


def _untold(draw: LatentDraw, recipe: StageRecipe) -> LatentDraw:
    return draw if recipe.text else dataclasses.replace(draw, prompt="")


def _write_result(stage: _Stage, backbone: Backbone, notes: dict[str, Any]) -> None:
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


def _write_mini(stage: _Stage, backbone: Backbone, notes: dict[str, Any]) -> None:
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
