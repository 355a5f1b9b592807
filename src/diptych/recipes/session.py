"""The session that a call asks for: which backbone, with what on it, sampled how."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from diptych.animate.sampler import SamplerSettings
from diptych.animate.session import Session
from diptych.models.load import load_backbone, sketch_backbone
from diptych.models.mini import MiniBackbone
from diptych.models.parallel import join, rank_and_size
from diptych.models.protocol import Facts
from diptych.models.savings import Savings
from diptych.options import AnimateOptions
from diptych.types import InputError


def open_session(
    model: str = "mini",
    steps: int | None = None,
    guidance_scale: float | None = None,
    *,
    continues: bool | None = None,
    backbone: str = "mini",
    revision: str | None = None,
    adapter: str | None = None,
    loras: Sequence[tuple[str, float]] = (),
    panel_area: int | None = None,
    window: int | None = None,
    savings: Savings | None = None,
) -> Session:
    """Loads a model once, for any number of pictures and drivers.

    Args:
        model: weights: a folder, a repository, or ``mini`` for those that the backbone comes with.
        steps: sampling steps, or the model's own number.
        guidance_scale: or the model's own.
        continues: whether windows go on from what was made; None is as the model does better.
        backbone: ``mini``, ``hunyuan15``, ``wan`` or ``motif``.
        revision: of a repository.
        adapter: file or folder of an adapter on a foundation backbone.
        loras: files of further LoRA and how much each counts.
        panel_area: pixels of a panel, for foundation backbones.
        window: canvas frames of a window, for foundation backbones.
        savings: of memory and time, for foundation backbones.

    Raises:
        InputError: if there is no such model, or its files cannot be used.
    """
    weights = None if model == "mini" else model
    _, processes = rank_and_size()
    if processes > 1:
        if backbone == "mini":
            raise InputError("the mini is too small for several devices; run it without torchrun.")
        join()
    loaded = load_backbone(
        backbone,
        weights,
        revision=revision,
        adapter=adapter,
        loras=loras,
        panel_area=panel_area,
        window_frames=window,
        savings=savings,
    )
    if processes > 1:
        loaded.share(processes)  # type: ignore[attr-defined]  # the mini has been refused
    settings = _settings(loaded.facts, steps, guidance_scale, continues)
    return Session(loaded, settings, loaded.locate if isinstance(loaded, MiniBackbone) else None)


def _settings(facts: Facts, steps: int | None, guidance_scale: float | None, continues: bool | None) -> SamplerSettings:
    """What is asked for, and where nothing is, what the backbone does best with."""
    return SamplerSettings(
        steps=facts.steps if steps is None else steps,
        guidance_scale=facts.guidance_scale if guidance_scale is None else guidance_scale,
        continues=facts.continues if continues is None else continues,
    )


def _continues(options: AnimateOptions) -> bool | None:
    """Whether windows go on from what was made; None where nothing is asked."""
    return None if options.windows is None else options.windows == "continue"


def settled(session: Session, options: AnimateOptions) -> Session:
    """The same loaded model, sampled as another call asks."""
    settings = _settings(session.backbone.facts, options.steps, options.guidance_scale, _continues(options))
    return dataclasses.replace(session, settings=settings)


def savings_of(options: AnimateOptions) -> Savings:
    """What a call does to need less memory or time."""
    return Savings(
        step_cache=options.step_cache,
        offload=options.offload,
        storage=options.storage,
        vae_tiling=options.vae_tiling,
        compile=options.compile,
        attention=options.attention,
    )


def session_for(options: AnimateOptions) -> Session:
    """The session that a call asks for; for a dry run of a foundation backbone one without weights.

    Raises:
        InputError: as :func:`open_session`, or if ``--memory auto`` finds nothing that fits.
    """
    savings = savings_of(options)
    if options.backbone != "mini" and (options.dry_run or options.memory == "auto"):
        sketch = sketch_backbone(
            options.backbone,
            options.weights,
            revision=options.revision,
            adapter=None if options.adapter is None else str(options.adapter),
            panel_area=options.panel_area,
            window_frames=options.window,
        )
        settings = _settings(sketch.facts, options.steps, options.guidance_scale, _continues(options))
        if options.memory == "auto":
            from diptych.recipes.plan import chosen_savings, square_stage

            savings = chosen_savings(square_stage(sketch, settings, options.weights), savings)
        if options.dry_run:
            return Session(sketch, settings)
    return open_session(
        options.weights or options.model,
        options.steps,
        options.guidance_scale,
        continues=_continues(options),
        backbone=options.backbone,
        revision=options.revision,
        adapter=None if options.adapter is None else str(options.adapter),
        loras=[(str(path), scale) for path, scale in options.loras],
        panel_area=options.panel_area,
        window=options.window,
        savings=savings,
    )
