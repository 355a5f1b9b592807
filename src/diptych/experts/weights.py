"""Other people's networks: where they come from, and how one is opened through transformers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from diptych.types import InputError


@dataclass(frozen=True)
class Weights:
    """Where a network comes from.

    Attributes:
        name: a folder, or the name of a repository.
        revision: of the repository: a commit, a tag or a branch.
    """

    name: str
    revision: str | None = None


def open_network(
    source: Weights,
    classes: Mapping[str, str],
    what: str,
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Any:
    """A network in evaluation mode, every one of its tensors from the file.

    Args:
        source: where from.
        classes: transformers' class by the kind that a configuration names; other kinds are refused.
        what: it is to be, for messages.
        device: where it runs.
        dtype: of its weights.

    Raises:
        InputError: if it is missing, damaged, not in safetensors, or of another kind, or transformers is missing.
    """
    from safetensors import SafetensorError

    try:
        import transformers
    except ImportError:
        raise InputError(
            f"a {what} needs transformers, which is not installed; run pip install 'diptych[foundation]'."
        ) from None
    try:
        config = transformers.AutoConfig.from_pretrained(source.name, revision=source.revision)
        if config.model_type not in classes:
            raise InputError(f"{source.name} is a {config.model_type}; the {what} has to be a {' or '.join(classes)}.")
        network, told = getattr(transformers, classes[config.model_type]).from_pretrained(
            source.name,
            revision=source.revision,
            config=config,
            use_safetensors=True,
            torch_dtype=dtype,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{source.name} cannot be used as {what} ({reason}); {_remedy(source)}.") from None
    missing = sorted(told["missing_keys"])
    if missing:
        raise InputError(f"{source.name} lacks {missing[0]} and {len(missing) - 1} more; fetch it again.")
    return network.eval().requires_grad_(False).to(device)


def _remedy(source: Weights) -> str:
    folder = Path(source.name)
    if not folder.is_dir():
        return "name a folder that is there, or a repository that this machine can reach"
    if not list(folder.glob("*.safetensors")) and [*folder.glob("*.bin"), *folder.glob("*.pt*")]:
        return "it holds no safetensors and other weights are not read: convert it"
    return "fetch it again"
