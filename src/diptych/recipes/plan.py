"""``diptych plan``: what a foundation backbone needs, and what makes it fit, before anything is fetched or loaded."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from diptych.animate.sampler import SamplerSettings
from diptych.animate.session import Session
from diptych.files import write_json
from diptych.media.frame import panel_for
from diptych.models.adapters import LoraSettings
from diptych.models.budget import GIB, Need, Stage, TrainingNeed
from diptych.models.foundation import Foundation
from diptych.models.load import sketch_backbone
from diptych.models.savings import Savings
from diptych.options import PlanOptions
from diptych.recipes.stage_recipes import stage1_pose
from diptych.types import InputError, Picture

LADDER = (
    Savings(),
    Savings(vae_tiling=True),
    Savings(vae_tiling=True, storage="fp8"),
    Savings(vae_tiling=True, offload="block"),
    Savings(vae_tiling=True, offload="block", storage="fp8"),
    Savings(vae_tiling=True, offload="leaf"),
)
"""What is tried in turn until it fits: what costs least comes first."""

CARDS: dict[int, tuple[str, float]] = {
    12: ("RTX 4070", 58e12),
    24: ("RTX 4090", 165e12),
    48: ("RTX 6000 Ada", 182e12),
    80: ("A100", 312e12),
    141: ("H200", 989e12),
}
"""For times: a card of so many GB, and its makers' figure for dense bfloat16 products, operations a second."""

UTILISATION = (0.2, 0.5)
"""Share of that figure that video transformers reach, from slow to fast; assumed, not measured."""

_MARGIN = 0.96
"""Share of a card that may be planned with: desktops and other programs hold a little."""


@dataclass(frozen=True)
class Fit:
    """How a canvas fits a card.

    Attributes:
        savings: what is needed.
        need: with them.
    """

    savings: Savings
    need: Need


def plan(options: PlanOptions) -> None:
    """Prints what every size needs on every card; writes the figures where asked for.

    Raises:
        InputError: if the configurations cannot be read, or there is no such release.
    """
    sketch = sketch_backbone(
        options.backbone,
        options.weights,
        revision=options.revision,
        release=options.release,
        window_frames=options.window,
    )
    if options.train:
        _plan_training(sketch, options)
        return
    steps = sketch.facts.steps if options.steps is None else options.steps
    scale = sketch.facts.guidance_scale if options.guidance_scale is None else options.guidance_scale
    rows = []
    print(_headline(sketch, options, steps, scale))
    for width, height in options.sizes:
        stage = stage_for(
            sketch, width, height, encoders=encoder_bytes(sketch, options.weights, options.release), guided=scale != 1
        )
        plain = stage.need(Savings())
        print(f"\n{stage.width} x {stage.height} a panel: {plain.tokens:,} tokens a canvas")
        print(
            "  without savings, GiB on the card: "
            + ", ".join(f"{name} {bytes_ / GIB:.1f}" for name, bytes_ in plain.phases.items())
        )
        for card in options.cards:
            fit = fitting(stage, card * 1e9, options.main_memory * 1e9)
            seconds = _seconds(fit.need, steps, card) if fit else None
            print("  " + _row(card, fit, seconds))
            rows.append(_facts(stage, card, fit, seconds))
    print(f"\n{_ARITHMETIC[0].upper()}{_ARITHMETIC[1:]}")
    if options.json:
        write_json(options.json, {"plan": rows, "steps": steps, "guidance_scale": scale})


_MINI = (
    "nothing is predicted for the mini: it held 0.6 GiB and made 19 frames a second on two CPU cores "
    "(benchmarks/animate_speed.py)."
)
_ARITHMETIC = "memory on a card is counted by rehearsal and times are arithmetic; nothing here was measured on a card."


def foreseen(
    session: Session, reference: Picture, savings: Savings, weights: str | None, *, auto: bool
) -> dict[str, Any]:
    """What a dry run says of memory and time.

    Args:
        session: of a sketched backbone, or of the mini.
        reference: whose shape decides that of the panel.
        savings: that were asked for.
        weights: where they lie, as for :func:`encoder_bytes`.
        auto: whether what makes it fit this card is added.

    Raises:
        InputError: as :func:`chosen_savings`.
    """
    backbone = session.backbone
    if not isinstance(backbone, Foundation):
        return {"note": _MINI}
    _, height, width = session.window_shape(reference)
    guided = session.settings.guidance_scale != 1
    stage = stage_for(backbone, width, height, encoders=encoder_bytes(backbone, weights), guided=guided)
    chosen = chosen_savings(stage, savings) if auto else savings
    need, card = stage.need(chosen), None
    if torch.cuda.is_available():
        whole = torch.cuda.mem_get_info()[1] / 1e9
        card = next((size for size in CARDS if abs(whole / size - 1) < 0.1), None)
    return {
        "with": options_of(chosen),
        "panel": [stage.width, stage.height],
        "tokens": need.tokens,
        "card_bytes": need.phases,
        "main_memory_bytes": need.main_memory,
        "operations_a_window": session.settings.steps * need.step_flops + need.vae_flops,
        "seconds_a_window": None if card is None else _seconds(need, session.settings.steps, card),
        "note": _ARITHMETIC,
    }


def _plan_training(sketch: Foundation, options: PlanOptions) -> None:
    """Prints what stage one needs on every card, for every number of them."""
    recipe = stage1_pose(options.backbone, sketch.contract)
    lora = LoraSettings(rank=recipe.adapter.rank)
    print(
        f"{sketch.contract.backbone}, stage one: LoRA of rank {lora.rank}, windows of {sketch.contract.window_frames} "
        f"frames, one draw at a time on every card, results within blocks made again, {recipe.loop.steps:,} steps"
    )
    rows: list[dict[str, Any]] = []
    for width, height in options.sizes:
        stage = stage_for(sketch, width, height, encoders=0, guided=False)
        need = stage.training(lora, checkpointing=recipe.checkpointing)
        print(
            f"\n{stage.width} x {stage.height} a panel: {need.frozen / GIB:.1f} GiB of frozen weights, "
            f"{need.learning / 1e6:.0f} M numbers that learn, {need.results / GIB:.1f} GiB of results, "
            f"{need.flops / 1e15:.1f} PFLOP a draw"
        )
        for processes in options.processes:
            for split in (False, True) if processes > 1 else (False,):
                bytes_ = need.card(processes, split=split)
                fitting_ = [card for card in options.cards if bytes_ <= _MARGIN * card * 1e9]
                rows.append(_training_row(stage, need, processes, split, bytes_, fitting_, recipe.loop.steps))
                print("  " + _said_of_training(rows[-1]))
    print("\nMemory is counted by rehearsal; times are arithmetic, and nothing here was measured on a card.")
    if options.json:
        write_json(options.json, {"plan": rows})


def _training_row(
    stage: Stage, need: TrainingNeed, processes: int, split: bool, bytes_: int, cards: Sequence[float], steps: int
) -> dict[str, Any]:
    known = [card for card in cards if card in CARDS and CARDS[int(card)][1] >= CARDS[80][1]]
    seconds = None
    if known:
        seconds = [need.flops / (CARDS[int(known[0])][1] * share) for share in reversed(UTILISATION)]
    return {
        "width": stage.width,
        "height": stage.height,
        "processes": processes,
        "sharding": "fsdp2" if split else "ddp" if processes > 1 else "none",
        "card_bytes": bytes_,
        "flops_a_draw": need.flops,
        "cards": list(cards),
        "timed_on": CARDS[int(known[0])][0] if known else None,
        "seconds_a_step": seconds,
        "days": None if seconds is None else [steps * one / 86_400 for one in seconds],
    }


def _said_of_training(row: dict[str, Any]) -> str:
    cards = f"{row['processes']} card{'s' if row['processes'] > 1 else ''}"
    how = f", {row['sharding']}" if row["sharding"] != "none" else ""
    text = f"{cards}{how}: {row['card_bytes'] / GIB:.1f} GiB a card"
    if not row["cards"]:
        return text + ", more than the largest"
    text += f", fits {row['cards'][0]:g} GB"
    if row["days"] is not None:
        (fast, slow), (soon, late) = row["seconds_a_step"], row["days"]
        text += f"; {fast:.0f} to {slow:.0f} s a step, {soon:.0f} to {late:.0f} days ({row['timed_on']})"
    return text


def refuse_training_beyond(need: TrainingNeed, free: float, processes: int, *, split: bool) -> None:
    """Refuses a training that a card cannot hold, before anything is loaded.

    Args:
        need: of one process.
        free: bytes of the card.
        processes: cards that work together.
        split: whether weights are split between them.

    Raises:
        InputError: saying what would fit.
    """
    asked = need.card(processes, split=split)
    if asked <= _MARGIN * free:
        return
    ways = ["a smaller panel_area or window_frames by --set", "a smaller backbone"]
    if not split and processes > 1 and need.card(processes, split=True) <= _MARGIN * free:
        ways.insert(0, "--set loop.sharding=fsdp2")
    raise InputError(
        f"training needs {asked / GIB:.1f} GiB on the card, and {free / GIB:.1f} GiB are free; take "
        f"{' or '.join(ways)}; diptych plan --train says what fits."
    )


@functools.lru_cache(maxsize=4)
def stage_for(backbone: Foundation, width: int, height: int, *, encoders: int, guided: bool) -> Stage:
    """A size of panel as a session would choose it for a picture of that size; the last few are remembered."""
    box = panel_for(width, height, width * height, backbone.contract.panel_multiple)
    return Stage(backbone, box.panel_height, box.panel_width, encoders, 2 if guided else 1)


def square_stage(backbone: Foundation, settings: SamplerSettings, weights: str | None) -> Stage:
    """The stage of the contract's area, whatever the picture's shape: what counts is how many tokens there are."""
    side = round(math.sqrt(backbone.contract.panel_area))
    encoders = encoder_bytes(backbone, weights)
    return stage_for(backbone, side, side, encoders=encoders, guided=settings.guidance_scale != 1)


def fitting(stage: Stage, card: float, main_memory: float) -> Fit | None:
    """The least that makes a canvas fit.

    Args:
        stage: backbone and size.
        card: bytes of the card.
        main_memory: bytes beside it.
    """
    for savings in LADDER:
        need = stage.need(savings)
        if need.card <= _MARGIN * card and need.main_memory <= _MARGIN * main_memory:
            return Fit(savings, need)
    return None


def chosen_savings(stage: Stage, asked: Savings) -> Savings:
    """What ``--memory auto`` puts on this machine's card, beside what was asked for.

    Raises:
        InputError: if nothing makes it fit, with the nearest size that would.
    """
    if not torch.cuda.is_available():
        return asked
    free, whole = torch.cuda.mem_get_info()
    fit = fitting(stage, free, _main_memory())
    if fit is None:
        least = stage.need(LADDER[-1])
        share = max(0.05, (_MARGIN * free - (least.card - least.denoising)) / max(1, least.denoising))
        raise InputError(
            f"this canvas needs {least.card / GIB:.1f} GiB on the card at the least, and {free / GIB:.1f} of "
            f"{whole / GIB:.1f} GiB are free; try --panel-area {int(share * stage.height * stage.width)} or a shorter "
            "--window."
        )
    return dataclasses.replace(
        asked,
        offload=asked.offload or fit.savings.offload,
        storage=asked.storage or fit.savings.storage,
        vae_tiling=asked.vae_tiling or fit.savings.vae_tiling,
    )


def _main_memory() -> float:
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def encoder_bytes(backbone: Foundation, weights: str | None, release: str | None = None) -> int:
    """Bytes of the encoders of text and picture: of a folder's files, else as published, in 16 bits."""
    if weights is not None and Path(weights).is_dir():
        ours = ("transformer", "transformer_2", "vae")
        files = [path for path in Path(weights).glob("*/*.safetensors") if path.parent.name not in ours]
        return sum(path.stat().st_size for path in files)
    known = backbone.family.releases
    return int(2 * known[release or next(iter(known))].encoders)


def _seconds(need: Need, steps: int, card: float) -> tuple[float, float] | None:
    """Least and most seconds for a window, for cards that are known."""
    if card not in CARDS:
        return None
    work = steps * need.step_flops + need.vae_flops
    slow, fast = (work / (CARDS[int(card)][1] * share) for share in UTILISATION)
    return fast, slow


def _headline(backbone: Foundation, options: PlanOptions, steps: int, scale: float) -> str:
    contract = backbone.contract
    passes = "two predictions a step" if scale != 1 else "one prediction a step"
    numbers = sum(p.numel() for network in backbone.networks for p in network.parameters()) / 1e9
    source = options.weights or f"published sizes of {contract.backbone}"
    return (
        f"{contract.backbone}, {numbers:.1f} B parameters ({source}), windows of {contract.window_frames} frames, "
        f"{contract.window_frames - contract.lead_in} of them new, {steps} steps, {passes}"
    )


def options_of(savings: Savings) -> str:
    """Savings as they are said on the command line."""
    said = [
        "--vae-tiling" if savings.vae_tiling else "",
        f"--storage {savings.storage}" if savings.storage else "",
        f"--offload {savings.offload}" if savings.offload else "",
        f"--step-cache {savings.step_cache}" if savings.step_cache else "",
    ]
    return " ".join(filter(None, said)) or "nothing"


def _row(card: float, fit: Fit | None, seconds: tuple[float, float] | None) -> str:
    if fit is None:
        return f"{card:5g} GB: does not fit"
    phases = fit.need.phases
    most = max(phases, key=lambda name: phases[name])
    text = (
        f"{card:5g} GB: {phases[most] / GIB:5.1f} GiB ({most}), main memory {fit.need.main_memory / GIB:5.1f} GiB, "
        f"with {options_of(fit.savings)}"
    )
    if seconds is not None:
        text += f"; {_spoken(seconds[0])} to {_spoken(seconds[1])} a window ({CARDS[int(card)][0]})"
    return text


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _facts(stage: Stage, card: float, fit: Fit | None, seconds: tuple[float, float] | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"width": stage.width, "height": stage.height, "card_gb": card, "fits": fit is not None}
    if fit is not None:
        facts |= {
            "savings": json.loads(json.dumps(dataclasses.asdict(fit.savings))),
            "card_bytes": fit.need.phases,
            "main_memory_bytes": fit.need.main_memory,
            "tokens": fit.need.tokens,
            "step_flops": fit.need.step_flops,
            "vae_flops": fit.need.vae_flops,
            "seconds": seconds,
        }
    return facts
