"""What is made once in a process and used for all its pairs: a loaded model, a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Made = TypeVar("Made")

_MADE: dict[Callable[[], Any], Any] = {}


def once(make: Callable[[], Made]) -> Made:
    """What ``make`` makes, made when it is first asked for.

    Args:
        make: compared by what it says, since other processes get copies of it.
    """
    if make not in _MADE:
        _MADE[make] = make()
    made: Made = _MADE[make]
    return made


def let_go() -> None:
    """Closes connections, and gives memory back."""
    for made in _MADE.values():
        if hasattr(made, "close"):
            made.close()
    _MADE.clear()
