"""Settings changed by name: dotted paths into frozen dataclasses, unknown names refused with the nearest one."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from diptych.types import InputError

T = TypeVar("T")


def with_overrides(config: T, overrides: Iterable[tuple[str, str]]) -> T:
    """A frozen dataclass with some fields replaced.

    Args:
        config: may hold further dataclasses.
        overrides: dotted name and value as text; text is read as JSON where it is JSON, and must fit the field's type.

    Raises:
        InputError: if a name does not exist or a value does not fit.
    """
    for name, text in overrides:
        config = _replaced(config, name.split("."), text, name)
    return config


def names(config: Any, prefix: str = "") -> list[str]:
    """Every dotted name that :func:`with_overrides` takes."""
    found = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            found += names(value, f"{prefix}{field.name}.")
        else:
            found.append(prefix + field.name)
    return found


def _replaced(config: Any, path: list[str], text: str, name: str, whole: Any = None) -> Any:
    whole = config if whole is None else whole
    fields = {field.name for field in dataclasses.fields(config)}
    if path[0] not in fields:
        close = difflib.get_close_matches(name, names(whole), n=1, cutoff=0.3)
        hint = f"; did you mean {close[0]}?" if close else "; --dry-run lists the settings"
        raise InputError(f"--set {name}: there is no such setting{hint}")
    inner = getattr(config, path[0])
    if dataclasses.is_dataclass(inner) and len(path) > 1:
        return dataclasses.replace(config, **{path[0]: _replaced(inner, path[1:], text, name, whole)})
    if len(path) > 1 or dataclasses.is_dataclass(inner):
        raise InputError(f"--set {name}: that is not one setting; --dry-run lists the settings")
    value = _read(type(config), path[0], text, name)
    try:
        return dataclasses.replace(config, **{path[0]: value})
    except ValueError as error:  # bounds that a type does not tell
        raise InputError(f"--set {name}={text}: {error}") from None


def _read(owner: type, field: str, text: str, name: str) -> Any:
    import typing

    wanted = typing.get_type_hints(owner)[field]
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    try:
        return TypeAdapter(wanted).validate_python(value)
    except ValidationError as error:
        raise InputError(f"--set {name}={text}: {error.errors()[0]['msg'].lower()}") from None
