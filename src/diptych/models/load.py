"""Backbones by name: the mini from its files, foundation backbones from a folder or a repository."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from diptych.models.protocol import Backbone
from diptych.models.savings import Savings
from diptych.models.store import adapted, load_mini, model_folder
from diptych.types import InputError

if TYPE_CHECKING:
    from diptych.models.foundation import Foundation

FOUNDATIONS = {
    "hunyuan15": ("diptych.models.hunyuan15", "Hunyuan15"),
    "wan": ("diptych.models.wan", "Wan"),
    "motif": ("diptych.models.motif", "Motif"),
}
"""Module and class of every foundation backbone; nothing of them is imported before one is asked for."""


def foundation(name: str) -> Any:
    """The class of a foundation backbone.

    Raises:
        InputError: if there is none of that name.
    """
    if name not in FOUNDATIONS:
        raise InputError(f"{name!r} is no foundation backbone; choose one of {', '.join(FOUNDATIONS)}.")
    module, kind = FOUNDATIONS[name]
    return getattr(importlib.import_module(module), kind)


def sketch_backbone(
    name: str,
    weights: str | None = None,
    *,
    revision: str | None = None,
    release: str | None = None,
    adapter: str | None = None,
    panel_area: int | None = None,
    window_frames: int | None = None,
) -> Foundation:
    """A foundation backbone without its weights, on the meta device: enough to plan with.

    Args:
        name: which one.
        weights: folder or repository whose configurations are read; None takes published sizes.
        revision: of a repository.
        release: of the published sizes; the newest where nothing is said.
        adapter: file or folder of an adapter, whose contract is taken over.
        panel_area: as for :func:`load_backbone`.
        window_frames: likewise.

    Raises:
        InputError: if there is no such backbone or release, or something cannot be read.
    """
    from diptych.models.foundation import Source

    family, on_gpu = foundation(name), torch.cuda.is_available()
    source = None if weights is None else Source(weights, revision)
    found: Foundation = family.sketched(source, release, torch.bfloat16 if on_gpu or source is None else torch.float32)
    if adapter is not None:
        found.agree(Path(adapter))
    found.resize(panel_area, window_frames)
    return found


def load_backbone(
    name: str = "mini",
    weights: str | None = None,
    *,
    revision: str | None = None,
    adapter: str | None = None,
    loras: Sequence[tuple[str, float]] = (),
    panel_area: int | None = None,
    window_frames: int | None = None,
    savings: Savings | None = None,
) -> Backbone:
    """Loads a backbone where this machine runs it best: on a GPU in bfloat16, else on the CPU in float32.

    Args:
        name: ``mini``, or a foundation backbone.
        weights: folder or repository; of the mini a folder, or ``mini`` for the bundled one. None takes the bundled
            mini, or the repository that the backbone's makers publish.
        revision: of a repository.
        adapter: file or folder of an adapter that was trained with Diptych on this backbone, and for the mini on this
            very one; its contract holds.
        loras: files of further LoRA and how much each counts.
        panel_area: pixels of one panel, where a foundation backbone is to run at another size than its contract's.
        window_frames: canvas frames of a window, 1 + 4k, likewise.
        savings: of memory and time, for foundation backbones.

    Raises:
        InputError: if there is no such backbone or there are no such weights, the libraries that it needs are missing,
            or the mini is asked for another size than it was trained for.
    """
    if name == "mini":
        if any(asked not in (None, ()) for asked in (panel_area, window_frames, revision, tuple(loras))):
            raise InputError(
                "the mini has one size and no LoRA of others fits it; leave --panel-area, --window, --revision and "
                "--lora out."
            )
        if savings not in (None, Savings()):
            raise InputError("the mini is small enough as it is; leave what saves memory or time out.")
        mini = load_mini(model_folder(weights or "mini"))
        if adapter is None:
            return mini
        if importlib.util.find_spec("peft") is None:
            raise InputError("adapters need peft, which is not installed; run pip install 'diptych[foundation]'.")
        return adapted(mini, Path(adapter))
    if name not in FOUNDATIONS:
        raise InputError(f"there is no backbone {name!r}; there are mini, {', '.join(FOUNDATIONS)}.")
    try:
        importlib.import_module("transformers")
    except ImportError:
        raise InputError(
            f"the backbone {name} needs transformers, which is not installed; run pip install 'diptych[foundation]'."
        ) from None
    from diptych.models.foundation import Source

    family = foundation(name)
    on_gpu = torch.cuda.is_available()
    source = Source(
        weights=weights or family.family.repository,
        revision=revision,
        dtype=torch.bfloat16 if on_gpu else torch.float32,
        device="cuda" if on_gpu else "cpu",
    )
    backbone = family(source)
    if adapter is not None:
        backbone.adapt(Path(adapter))
    for file, scale in loras:
        backbone.stack(Path(file), scale)
    backbone.resize(panel_area, window_frames)
    if savings is not None:
        backbone.save(savings)
    found: Backbone = backbone
    return found
