"""Shapes: what a body is drawn from. Every shape moves over a whole clip at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diptych.puppets.palette import RGB, shade
from diptych.puppets.rigs import Floats, Frame


@dataclass(frozen=True, eq=False)
class Shape:
    """A filled polygon over time.

    Attributes:
        points: ``(n, k, 2)`` world units.
        rgb: its colour.
        convex: whether it is convex at all times (drawn faster).
        shown: ``(n,)`` whether it is drawn at each time, or None for always.
        size: extent of a small detail in world units, infinite for others; details below a pixel are left out. It does
            not depend on the pose, so a frame looks the same in every clip it is part of.
    """

    points: Floats
    rgb: RGB
    convex: bool
    shown: NDArray[np.bool_] | None
    size: float


_ROUND = {k: np.stack([np.cos(a), np.sin(a)], 1) for k in (8, 10, 12, 16, 20) for a in [np.arange(k) * 2 * np.pi / k]}
_CAP = 5
_CAP_COS, _CAP_SIN = (f(np.linspace(np.pi / 2, 3 * np.pi / 2, _CAP)) for f in (np.cos, np.sin))


def round_points(k: int) -> Floats:
    """The unit circle as k points ``(k, 2)``."""
    return _ROUND[k]


def capsule(a: Floats, b: Floats, ra: float, rb: float) -> Floats:
    """A limb with round ends: radius ra at a ``(n, 2)``, rb at b; polygon ``(n, 10, 2)``."""
    along = b - a
    length = np.maximum(np.sqrt((along * along).sum(1)), 1e-9)[:, None]
    u = along / length
    v = np.stack([-u[:, 1], u[:, 0]], 1)
    out = np.empty((len(a), 2 * _CAP, 2))
    out[:, :_CAP] = a[:, None] + ra * (_CAP_COS[:, None] * u[:, None] + _CAP_SIN[:, None] * v[:, None])
    out[:, _CAP:] = b[:, None] - rb * (_CAP_COS[:, None] * u[:, None] + _CAP_SIN[:, None] * v[:, None])
    return out


def ellipse(
    frame: Frame, x: float | Floats, y: float | Floats, rx: float | Floats, ry: float | Floats, k: int = 12
) -> Floats:
    """An ellipse in a frame; centre and radii may vary over time; polygon ``(n, k, 2)``."""
    n = len(frame.angle)
    unit = _ROUND[k]
    local = np.empty((n, k, 2))
    local[..., 0] = np.reshape(x, (-1, 1)) + np.reshape(rx, (-1, 1)) * unit[:, 0]
    local[..., 1] = np.reshape(y, (-1, 1)) + np.reshape(ry, (-1, 1)) * unit[:, 1]
    return frame.place(local)


def grown(points: Floats, by: float) -> Floats:
    """The polygon with every point moved outwards from its centre by a distance."""
    away = points - points.mean(1, keepdims=True)
    length = np.maximum(np.sqrt((away * away).sum(2, keepdims=True)), 1e-9)
    out: Floats = points + away * (by / length)
    return out


class Sketch:
    """Collects the shapes of one figure in named groups, in drawing order within each group.

    Groups let the near arm be drawn over the trunk and the far one behind it, frame by frame.
    """

    def __init__(self, outline: float, shaded: bool, ink: RGB) -> None:
        self.groups: dict[str, list[Shape]] = {}
        self._outline, self._shaded, self._ink = outline, shaded, ink
        self._shapes = self.group("body")

    def group(self, name: str) -> list[Shape]:
        """Start or continue a group; what is added next belongs to it."""
        self._shapes = self.groups.setdefault(name, [])
        return self._shapes

    def add(
        self,
        points: Floats,
        rgb: RGB,
        *,
        convex: bool = True,
        shown: NDArray[np.bool_] | None = None,
        line: bool = False,
        size: float = np.inf,
    ) -> None:
        """Add a polygon ``(n, k, 2)``; ``line`` gives it the figure's outline, if the figure has one."""
        if line and self._outline > 0:
            self._shapes.append(Shape(grown(points, self._outline), self._ink, convex, shown, size))
        self._shapes.append(Shape(points, rgb, convex, shown, size))

    def solid(self, points: Floats, rgb: RGB, *, convex: bool = True, shadow: float = 0.2) -> None:
        """Add an outlined polygon with a darker right side (for rounded, mostly upright parts)."""
        self.add(points, rgb, convex=convex, line=True)
        if self._shaded:
            x = points[..., 0]
            middle = x.mean(1, keepdims=True)
            edge = middle + shadow * (x.max(1, keepdims=True) - middle)
            darker = points.copy()
            darker[..., 0] = np.maximum(x, edge)
            self.add(darker, shade(rgb, 0.8), convex=False)

    def limb(self, a: Floats, b: Floats, ra: float, rb: float, rgb: RGB) -> None:
        """Add an outlined limb with a darker lower or right side."""
        self.add(capsule(a, b, ra, rb), rgb, line=True)
        if self._shaded and ra > 0.02:
            along = b - a
            u = along / np.maximum(np.sqrt((along * along).sum(1)), 1e-9)[:, None]
            v = np.stack([-u[:, 1], u[:, 0]], 1)
            facing = 0.85 * v[:, 0] + 0.53 * v[:, 1]
            v = v * np.sign(facing)[:, None]
            inner = (1.0 - 0.75 * np.abs(facing))[:, None]
            strip = np.stack([a + v * ra * inner, b + v * rb * inner, b + v * rb, a + v * ra], 1)
            self.add(strip, shade(rgb, 0.8))


@dataclass(frozen=True, eq=False)
class Figure:
    """A drawn body: groups of shapes and the order of the groups at every time.

    Attributes:
        groups: name to shapes.
        orders: possible orders of group names, back to front.
        order: ``(n,)`` index into orders.
        facing: ``(n,)`` horizontal scale about the root.
    """

    groups: dict[str, Sequence[Shape]]
    orders: tuple[tuple[str, ...], ...]
    order: NDArray[np.intp]
    facing: Floats
