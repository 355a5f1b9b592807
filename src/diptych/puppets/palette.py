"""Named colours, so that what is drawn and what is said about it agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Colour:
    """A colour with its English name."""

    name: str
    rgb: RGB


CLOTHES: tuple[Colour, ...] = (
    Colour("red", (208, 48, 44)),
    Colour("orange", (238, 132, 36)),
    Colour("yellow", (246, 208, 62)),
    Colour("green", (72, 164, 72)),
    Colour("dark green", (34, 92, 58)),
    Colour("teal", (34, 152, 152)),
    Colour("light blue", (120, 190, 236)),
    Colour("blue", (46, 96, 200)),
    Colour("navy", (36, 44, 96)),
    Colour("purple", (128, 66, 168)),
    Colour("pink", (240, 140, 178)),
    Colour("brown", (126, 80, 46)),
    Colour("white", (240, 240, 236)),
    Colour("grey", (136, 138, 144)),
    Colour("black", (40, 40, 46)),
)
SKIN: tuple[Colour, ...] = (
    Colour("pale", (250, 220, 196)),
    Colour("fair", (240, 196, 160)),
    Colour("tan", (214, 162, 118)),
    Colour("olive", (190, 144, 98)),
    Colour("brown", (146, 96, 62)),
    Colour("dark", (98, 64, 44)),
)
HAIR: tuple[Colour, ...] = (
    Colour("black", (34, 28, 28)),
    Colour("brown", (96, 58, 32)),
    Colour("blond", (230, 194, 104)),
    Colour("red", (176, 76, 34)),
    Colour("chestnut", (128, 74, 46)),
)
AGED: tuple[Colour, ...] = (Colour("grey", (156, 156, 160)), Colour("white", (236, 236, 238)))
FUR: tuple[Colour, ...] = (
    Colour("brown", (134, 88, 52)),
    Colour("white", (240, 236, 228)),
    Colour("black", (46, 42, 44)),
    Colour("grey", (142, 144, 150)),
    Colour("ginger", (226, 138, 58)),
    Colour("cream", (236, 212, 166)),
    Colour("chestnut", (150, 70, 40)),
    Colour("dark brown", (84, 54, 36)),
)
INK: RGB = (38, 30, 34)


def shade(rgb: RGB, factor: float) -> RGB:
    """The colour darkened (factor < 1) or lightened towards white (factor > 1), in whole levels."""
    if factor <= 1.0:
        r, g, b = (int(c * factor) for c in rgb)
    else:
        r, g, b = (int(c + (255 - c) * (factor - 1.0)) for c in rgb)
    return (r, g, b)


def mixed(first: RGB, second: RGB, share: float) -> RGB:
    """A mix of two colours; share 0 is the first."""
    r, g, b = (round(a + (c - a) * share) for a, c in zip(first, second, strict=True))
    return (r, g, b)


def jittered(rng: np.random.Generator, colour: Colour, amount: int = 12) -> Colour:
    """The colour moved by a few levels, its name kept: one red shirt is not quite another."""
    move = rng.integers(-amount, amount + 1, 3)
    r, g, b = (int(np.clip(c + int(m), 0, 255)) for c, m in zip(colour.rgb, move, strict=True))
    return Colour(colour.name, (r, g, b))


def distance(first: RGB, second: RGB) -> float:
    """Euclidean distance of two colours in levels."""
    return float(np.linalg.norm(np.subtract(first, second, dtype=np.float64)))
