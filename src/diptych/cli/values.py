"""Words of the command line read as numbers, sizes, rates and the like, each refused in a sentence of its own."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from diptych.options import rate_in, seconds_in


def count_from(least: int) -> Callable[[str], int]:
    """Reads whole numbers of at least so many."""

    def whole_number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} up")
        return value

    return whole_number


def port(text: str) -> int:
    """A port, 0 to 65535."""
    value = count_from(0)(text)
    if value > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 0 to 65535")
    return value


def token(text: str) -> str:
    """A word that is hard to guess."""
    if re.fullmatch(r"[A-Za-z0-9_-]{16,200}", text) is None:
        raise argparse.ArgumentTypeError("a token has at least 16 of A-Z a-z 0-9 _ -, or others guess it")
    return text


def device(text: str) -> str:
    """Number of a card, or ``cpu``."""
    if re.fullmatch(r"cpu|\d{1,3}", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is neither the number of a card nor cpu")
    return text


def even_from(least: int) -> Callable[[str], int]:
    """Reads even numbers of at least so many."""

    def even_number(text: str) -> int:
        value = count_from(least)(text)
        if value % 2:
            raise argparse.ArgumentTypeError(f"{text!r} is not even, as videos must be")
        return value

    return even_number


def number(text: str) -> float:
    """A number that is one."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def positive(text: str) -> float:
    """A number above zero."""
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not above zero")
    return value


def share(text: str) -> float:
    """A number from 0 to 1."""
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not from 0 to 1")
    return value


def price(text: str) -> float:
    """A number that is not below zero."""
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is below zero")
    return value


def size(text: str) -> tuple[int, int] | int:
    """Width and height, or the longer side."""
    match = re.fullmatch(r"([1-9]\d*)(?:x([1-9]\d*))?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is neither WIDTHxHEIGHT, as 256x192, nor one number, as 256")
    return (int(match[1]), int(match[2])) if match[2] else int(match[1])


def size_of_panel(text: str) -> tuple[int, int]:
    """Width and height of a panel."""
    asked = size(text)
    if isinstance(asked, int) or not 64 <= min(asked) <= max(asked) <= 8192:
        raise argparse.ArgumentTypeError(f"{text!r} is no WIDTHxHEIGHT from 64 to 8192, as 832x480")
    return asked


def read_by(read: Callable[[str], Fraction]) -> Callable[[str], Fraction]:
    """Lets argparse tell a reader's sentence."""

    def value(text: str) -> Fraction:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return value


def colour(text: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, from #rrggbb."""
    names = {"white": "ffffff", "black": "000000", "grey": "808080", "gray": "808080", "green": "00b140"}
    match = re.fullmatch(r"#?([0-9a-fA-F]{6})", names.get(text.lower(), text))
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a colour, as #20c040, white, black, grey or green")
    red, green, blue = bytes.fromhex(match[1])
    return red, green, blue


def lora(text: str) -> tuple[Path, float]:
    """A file of LoRA and how much it counts."""
    path, equals, scale = text.rpartition("=")
    if not equals:
        return Path(text), 1.0
    try:
        return Path(path), number(scale)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not PATH or PATH=NUMBER") from None


def name(text: str) -> str:
    """Somebody's name."""
    if not (text.isprintable() and len(text.strip()) >= 1 and len(text) <= 60):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name of 1 to 60 letters")
    return text


def setting(text: str) -> tuple[str, str]:
    """A setting's name and its value."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


time, rate = read_by(seconds_in), read_by(rate_in)
"""Seconds, or h:m:s; frames a second."""
