"""Safetensors files and what their headers say, read as what they are: from outside, and not to be trusted."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import Tensor

from diptych.types import InputError

_LARGEST_FILE = 16 << 30

T = TypeVar("T")


def read_tensors(path: Path, *, too_large: str, remedy: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a file, and its header.

    Args:
        path: the file; it exists.
        too_large: what is said of a file larger than any of its kind, behind "is larger than any".
        remedy: what to do about a file that cannot be read.

    Raises:
        InputError: if it is too large, or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    if path.stat().st_size > _LARGEST_FILE:
        raise InputError(f"{path} is larger than any {too_large}.")
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path} is not a readable safetensors file ({error}); {remedy}.") from None


def parsed(kind: type[T], text: str, path: Path, name: str = "header") -> T:
    """Strict JSON to a frozen dataclass: unknown keys, wrong types and values that it refuses are told.

    Args:
        kind: the dataclass.
        text: JSON.
        path: of the file, for the message.
        name: of the entry, for the message.

    Raises:
        InputError: naming the first thing that is wrong.
    """
    strict: Any = type(kind.__name__, (kind,), {"__pydantic_config__": ConfigDict(extra="forbid")})
    try:
        found: Any = TypeAdapter(strict).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its header"
        raise InputError(
            f"{path} has a {name} that cannot be used ({where}: {first['msg']}); fetch it again."
        ) from None
    return kind(**{f.name: getattr(found, f.name) for f in dataclasses.fields(kind)})  # type: ignore[arg-type]
