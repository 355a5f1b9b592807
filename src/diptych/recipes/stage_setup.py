"""A run of a stage, settled before anything is loaded or written: its settings, its contract, its data."""

from __future__ import annotations

import dataclasses
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from diptych import __version__
from diptych.data.dataset import PUPPETS, ClipSource, hashed
from diptych.method.contract import Contract, mismatches
from diptych.models.adapters import read_contract
from diptych.models.load import load_backbone, sketch_backbone
from diptych.models.mini import MiniBackbone
from diptych.models.parallel import rank_and_size
from diptych.models.protocol import Backbone, Facts
from diptych.models.store import load_mini, model_folder, refuse_another_mini
from diptych.options import TrainStageOptions
from diptych.recipes.settings import with_overrides
from diptych.recipes.stage_settings import StageKind, StageRecipe
from diptych.train.adapter import target_layers
from diptych.types import InputError


@dataclass(frozen=True, eq=False)
class StageRun:
    """A run, settled.

    Attributes:
        options: as the user gave them.
        kind: which stage.
        recipe: with what was set by hand.
        contract: of what is trained.
        folder: of the run.
        train: where the draws come from.
        held_out: where those of the previews come from.
        rank: number of this process.
        processes: how many there are.
    """

    options: TrainStageOptions
    kind: StageKind
    recipe: StageRecipe
    contract: Contract
    folder: Path
    train: ClipSource[Any]
    held_out: ClipSource[Any]
    rank: int
    processes: int

    @classmethod
    def of(cls, options: TrainStageOptions, kind: StageKind) -> StageRun:
        """Settles a run.

        Raises:
            InputError: on settings, data or an adapter to set out from that cannot be.
        """
        plain, facts, identity = _plain(options)
        recipe = with_overrides(kind.recipe(options.backbone, plain), options.overrides)
        recipe = dataclasses.replace(recipe, loop=dataclasses.replace(recipe.loop, seed=options.seed))
        if not recipe.text and options.backbone != "mini":  # whose prompts are read on the fly
            recipe = dataclasses.replace(recipe, draws=dataclasses.replace(recipe.draws, text_dropped=1.0))
        whole = recipe.adapter.targets == "full"
        if whole and options.backbone != "mini":
            raise InputError("all of a foundation backbone is not trained here; leave adapter.targets at ff.")
        layers = None if whole else target_layers(facts, recipe.adapter.targets)
        try:
            agreed = agreed_for(recipe, kind, plain, layers)
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
        _refuse_unknown_depth(options, kind, recipe)
        if recipe.motion_fit == "figure" and (kind.motion, plain.motion_fit) != ("rgb", "figure"):
            raise InputError(
                f"{kind.name} on {options.backbone} cannot be trained with motion_fit=figure: footage alone is brought "
                "to the reference's place, by a mini that finds figures; leave it at frame (skeletons have --pose-fit)."
            )
        if recipe.contrast.wrongs and recipe.batch < 2:
            raise InputError(
                "what is wrong for one draw is right for another of its batch, and a batch of 1 has no other; say "
                "--set batch=2, or leave contrast.weight at 0."
            )
        if options.warm_start is not None:
            _refuse_other_start(options.warm_start, agreed, identity)
        train_from, held_out = kind.sources(options.data, recipe.draws, recipe.held_out)
        if train_from.clips is None and recipe.cached is None:
            recipe = dataclasses.replace(recipe, cached=recipe.shard * 256)
        folder = options.output or Path("runs/out") / f"{kind.name}-{options.backbone}"
        rank, processes = rank_and_size()
        return cls(options, kind, recipe, agreed, folder, train_from, held_out, rank, processes)

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
        left_out = dict(self.train.left_out)
        return {
            "command": f"train {self.kind.name}",
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


def _refuse_unknown_depth(options: TrainStageOptions, kind: StageKind, recipe: StageRecipe) -> None:
    """Refuses a panel for depth that nobody can fill, and somebody who would find depth that is not asked for."""
    finds, exact = options.depth_weights is not None, options.data == PUPPETS
    if recipe.auxiliary == "none":
        if finds:
            raise InputError("there is no panel for depth; say --set auxiliary=depth, or leave --depth-weights out.")
        return
    if kind.motion == "pose" and not exact:
        raise InputError(
            f"{kind.name} on {options.data} cannot be trained with auxiliary=depth: the footage's own depth would show "
            "the outline of who is to be made; train it with --data puppets, or train stage2_rgb."
        )
    if exact and finds:
        raise InputError("the made-up world knows its depth; leave --depth-weights out.")
    if not exact and not finds:
        raise InputError(
            "auxiliary=depth needs to be found in the drivers; name an estimator of depth by --depth-weights, such as "
            "depth-anything/Depth-Anything-V2-Small-hf."
        )
    if getattr(recipe.draws, "pose_share", 0):
        raise InputError("a driver's depth does not lie under others' skeletons; leave draws.pose_share at 0.")


def _plain(options: TrainStageOptions) -> tuple[Contract, Facts, dict[str, str]]:
    """Contract and facts of the backbone, and hashes of a mini's files; a large one's weights are not read."""
    if options.backbone == "mini":
        mini = load_mini(model_folder(options.weights or "mini"))
        return mini.contract, mini.facts, mini.identity
    sketch = sketch_backbone(options.backbone, options.weights, revision=options.revision)
    return sketch.contract, sketch.facts, {}


_ALIKE = ("backbone", "layout", "empty", "mask_rule", "panel_multiple", "rank", "targets", "experts")
"""What an adapter that is set out from must have as the one that is trained; windows and sizes may be others."""


def _refuse_other_start(path: Path, agreed: Contract, identity: dict[str, str]) -> None:
    """Says why an adapter cannot be set out from, before anything is loaded or written."""
    if agreed.rank is None:
        raise InputError(
            "with adapter.targets=full there is no adapter to set out from; leave --warm-start out and give the mini "
            "that the first stage made by --model."
        )
    theirs = read_contract(path)
    wrong = mismatches(theirs, dataclasses.replace(theirs, **{name: getattr(agreed, name) for name in _ALIKE}))
    if wrong:
        raise InputError(
            f"{path} cannot be set out from ({'; '.join(wrong)}); say --set adapter.rank or adapter.targets as it has "
            "them, or choose its own backbone."
        )
    if agreed.backbone == "mini":
        refuse_another_mini(path, identity)


def opened(stage: StageRun) -> Backbone:
    """The backbone, to be trained for the stage's contract."""
    options = stage.options
    loaded = load_backbone(options.backbone, options.weights, revision=options.revision)
    if isinstance(loaded, MiniBackbone):
        return dataclasses.replace(loaded, contract=stage.contract, locator=None)
    loaded.train_for(stage.contract)  # type: ignore[attr-defined]  # every other backbone is a foundation
    return loaded


def agreed_for(recipe: StageRecipe, kind: StageKind, plain: Contract, layers: str | None) -> Contract:
    """The contract of what is trained.

    Args:
        recipe: settings.
        kind: which stage.
        plain: of the backbone without an adapter.
        layers: regular expression of the adapted layers, or None where the whole network learns.
    """
    return dataclasses.replace(
        plain,
        motion=kind.motion,
        motion_fit=recipe.motion_fit,
        panel_area=recipe.panel_area,
        window_frames=recipe.window_frames,
        lead_in=recipe.lead_in,
        history=recipe.history,
        loss_region=recipe.loss_region,
        text=recipe.text,
        auxiliary=recipe.auxiliary,
        rank=None if layers is None else recipe.adapter.rank,
        targets=layers,
    )
