"""The session that a call asks for: which backbone, with what on it, sampled how."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from diptych.animate.sampler import SamplerSettings
from diptych.animate.session import Session
from diptych.models.foundation import Foundation
from diptych.models.load import load_backbone, sketch_backbone
from diptych.models.mini import MiniBackbone
from diptych.models.parallel import join, rank_and_size
from diptych.models.protocol import Facts
from diptych.models.savings import Savings
from diptych.options import AnimateOptions, ModelOptions
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


def savings_of(options: ModelOptions) -> Savings:
    """What a call does to need less memory or time, as it was asked for."""
    return Savings(
        step_cache=options.step_cache,
        offload=options.offload,
        storage=options.storage,
        vae_tiling=options.vae_tiling,
        compile=options.compile,
        attention=options.attention,
    )


def savings_for(options: ModelOptions) -> Savings:
    """The same, with what ``--memory auto`` adds on this machine.

    Raises:
        InputError: if nothing makes it fit.
    """
    asked = savings_of(options)
    if options.memory != "auto" or options.backbone == "mini":
        return asked
    from diptych.recipes.plan import chosen_savings, square_stage

    sketch = _sketch(options)
    settings = _settings(sketch.facts, options.steps, options.guidance_scale, None)
    return chosen_savings(square_stage(sketch, settings, options.weights), asked)


def session_for(options: AnimateOptions) -> Session:
    """The session that a call asks for; for a dry run of a foundation backbone one without weights.

    Raises:
        InputError: as :func:`open_session`, or if ``--memory auto`` finds nothing that fits.
    """
    if options.dry_run and options.backbone != "mini":
        savings_for(options)
        return model_sketch(options, continues=_continues(options))
    return model_session(options, continues=_continues(options))


def model_session(options: ModelOptions, *, continues: bool | None = None) -> Session:
    """A session with the model that is asked for; windows go on or open anew as the model does better, unless said.

    Raises:
        InputError: as :func:`open_session`, or if ``--memory auto`` finds nothing that fits.
    """
    return open_session(
        options.weights or options.model,
        options.steps,
        options.guidance_scale,
        continues=continues,
        backbone=options.backbone,
        revision=options.revision,
        adapter=None if options.adapter is None else str(options.adapter),
        loras=[(str(path), scale) for path, scale in options.loras],
        panel_area=options.panel_area,
        window=options.window,
        savings=savings_for(options),
    )


def model_sketch(options: ModelOptions, *, continues: bool | None = None) -> Session:
    """The same as far as planning needs it: a foundation model without its weights. The mini is small, and is loaded.

    Raises:
        InputError: as :func:`open_session`.
    """
    if options.backbone == "mini":
        return model_session(options, continues=continues)
    sketch = _sketch(options)
    return Session(sketch, _settings(sketch.facts, options.steps, options.guidance_scale, continues))


def _sketch(options: ModelOptions) -> Foundation:
    return sketch_backbone(
        options.backbone,
        options.weights,
        revision=options.revision,
        adapter=None if options.adapter is None else str(options.adapter),
        panel_area=options.panel_area,
        window_frames=options.window,
    )
