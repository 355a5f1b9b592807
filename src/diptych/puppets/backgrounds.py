"""Backgrounds: what stands still behind the figures. Low in contrast, so that the figures carry the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.puppets.palette import RGB, distance, mixed, shade

Rng = np.random.Generator

INDOOR: tuple[str, ...] = ("plain", "gradient", "floor", "stripes", "checker", "room")
OUTDOOR: tuple[str, ...] = ("landscape", "city")
KINDS: tuple[str, ...] = (*INDOOR, *OUTDOOR, "water", "meadow")
_WEIGHTS = {
    "plain": 1.5,
    "gradient": 1.2,
    "floor": 2.0,
    "stripes": 0.7,
    "checker": 0.7,
    "room": 1.5,
    "landscape": 1.8,
    "city": 0.8,
}

_WALLS: tuple[RGB, ...] = (
    (236, 228, 212),
    (206, 220, 232),
    (214, 230, 210),
    (238, 214, 206),
    (222, 212, 234),
    (248, 240, 200),
    (180, 190, 200),
    (150, 168, 160),
    (196, 172, 150),
    (120, 132, 156),
    (92, 100, 116),
    (168, 120, 110),
    (244, 244, 244),
    (110, 140, 120),
)
_FLOORS: tuple[RGB, ...] = (
    (176, 140, 104),
    (140, 116, 96),
    (190, 184, 176),
    (120, 130, 126),
    (206, 176, 140),
    (98, 92, 100),
)
_SHIFT = 4


@dataclass(frozen=True)
class Background:
    """What is behind the figures.

    Attributes:
        kind: one of ``KINDS``.
        first: wall or sky.
        second: floor, stripe or far end of the gradient.
        detail: seed of the things in it (windows, trees, weeds).
        drop: how far above the feet the wall meets the floor, as a share of the picture's height; where the feet are
            not in the picture, the height of the horizon.
        vertical: direction of gradients and stripes.
    """

    kind: str
    first: RGB
    second: RGB
    detail: int
    drop: float
    vertical: bool

    @property
    def floor(self) -> RGB:
        """Colour of the ground under the feet."""
        return self.second if self.kind in ("floor", "room", "landscape", "city") else self.first


def draw_background(rng: Rng, avoid: tuple[RGB, ...] = (), where: str = "any") -> Background:
    """Draw a background.

    Args:
        rng: source of all randomness.
        avoid: colours of the figures; the background keeps away from them.
        where: "any" (rooms and landscapes), "moving" (those on which a moving camera shows), "water" (fish) or
            "meadow" (seen from above; snakes).
    """
    names = ("checker", "room", "landscape", "city") if where == "moving" else tuple(_WEIGHTS)
    edges = np.cumsum([_WEIGHTS[name] for name in names])
    kind = (
        where
        if where in ("water", "meadow")
        else names[int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))]
    )
    best: tuple[float, RGB, RGB] | None = None
    for _ in range(12):
        first, second = _colours(rng, kind)
        near = min((min(distance(first, a), distance(second, a)) for a in avoid), default=999.0)
        if best is None or near > best[0]:
            best = (near, first, second)
        if near > 75:
            break
    assert best is not None
    return Background(
        kind, best[1], best[2], int(rng.integers(1 << 30)), float(rng.uniform(0.04, 0.26)), bool(rng.random() < 0.5)
    )


def _colours(rng: Rng, kind: str) -> tuple[RGB, RGB]:
    def pick(options: tuple[RGB, ...]) -> RGB:
        base = options[int(rng.integers(len(options)))]
        r, g, b = (int(np.clip(v + int(m), 0, 255)) for v, m in zip(base, rng.integers(-10, 11, 3), strict=True))
        return (r, g, b)

    if kind == "landscape":
        sky = pick(((150, 200, 236), (196, 222, 240), (250, 214, 170), (120, 140, 190), (214, 206, 230)))
        return sky, pick(((130, 176, 96), (106, 150, 92), (206, 186, 130), (226, 228, 232), (160, 170, 100)))
    if kind == "city":
        return pick(((190, 210, 230), (236, 206, 180), (88, 96, 130))), pick(((128, 128, 134), (150, 144, 136)))
    if kind == "water":
        first = pick(((120, 196, 220), (70, 150, 190), (150, 214, 206), (60, 110, 160), (170, 210, 236)))
        return first, shade(first, 0.7)
    if kind == "meadow":
        first = pick(((150, 186, 112), (216, 196, 146), (176, 164, 130), (120, 160, 110), (200, 206, 190)))
        return first, shade(first, 0.88)
    first = pick(_WALLS)
    if kind in ("stripes", "checker"):
        return first, shade(first, float(rng.uniform(0.84, 0.92)))
    if kind == "gradient":
        return first, mixed(first, pick(_WALLS), 0.75)
    return first, pick(_FLOORS)


def paint(background: Background, width: int, height: int, left: int, right: int, ground: float) -> NDArray[np.uint8]:
    """Paint the background once, wide enough for a moving camera.

    Args:
        background: what.
        width: of the view in pixels.
        height: of the view in pixels.
        left: pixels needed to the left of the view (>= 0).
        right: pixels needed to its right (>= 0).
        ground: where the feet stand, in pixels from the top; outside the picture if they are not seen.

    Returns:
        uint8 ``(height, left + width + right, 4)``, RGB and an alpha of 0; the view starts at column ``left``.
    """
    # Painted in tiles of the view's width, each by itself, so that no pixel depends on how far a clip's camera goes.
    first, last = -(-left // width), -(-right // width)
    tiles = [_paint_tile(background, width, height, -k * width, ground) for k in range(-first, last + 1)]
    whole = tiles[0] if len(tiles) == 1 else np.concatenate(tiles, 1)
    return whole[:, first * width - left : (first + 1) * width + right]


def _paint_tile(background: Background, width: int, height: int, left: int, ground: float) -> NDArray[np.uint8]:
    canvas = np.zeros((height, width, 4), np.uint8)
    seen = 0.3 * height < ground < 1.02 * height
    horizon = ground - background.drop * height if seen else (0.45 + background.drop) * height
    canvas[..., :3] = background.first
    kind = background.kind
    if kind == "gradient":
        _paint_gradient(canvas, background)
    elif kind == "stripes":
        _paint_bands(canvas, background, left, height / 7.0, checker=False)
    elif kind == "checker":
        _paint_bands(canvas, background, left, height / 5.0, checker=True)
    elif kind == "floor" or kind == "room":
        if seen:
            _paint_floor(canvas, background, horizon, height)
        if kind == "room":
            _paint_room(canvas, background, left, horizon if seen else 1.1 * height, height)
    elif kind == "landscape":
        _paint_landscape(canvas, background, left, horizon, height)
    elif kind == "city":
        _paint_city(canvas, background, left, horizon, height)
    elif kind == "water":
        _paint_water(canvas, background, left, height)
    elif kind == "meadow":
        _paint_meadow(canvas, background, left, height)
    return canvas


def _poly(canvas: NDArray[np.uint8], points: list[tuple[float, float]] | NDArray[np.float64], rgb: RGB) -> None:
    scaled = np.rint(np.asarray(points, np.float64) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(canvas, [scaled], (*rgb, 0), cv2.LINE_AA, _SHIFT)


def _box(canvas: NDArray[np.uint8], x0: float, y0: float, x1: float, y1: float, rgb: RGB) -> None:
    _poly(canvas, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)], rgb)


def _disc(canvas: NDArray[np.uint8], x: float, y: float, rx: float, ry: float, rgb: RGB) -> None:
    a = np.arange(16) * (2 * np.pi / 16)
    _poly(canvas, np.stack([x + rx * np.cos(a), y + ry * np.sin(a)], 1), rgb)


def _cells(canvas: NDArray[np.uint8], background: Background, left: int, step: float) -> list[tuple[float, Rng]]:
    """Things stand in cells of a row that has no end; each cell has its own randomness, whatever part is seen."""
    # Three more on either side: wide things reach into the picture from outside it.
    low = int(np.floor(-left / step)) - 3
    high = int(np.ceil((canvas.shape[1] - left) / step)) + 3
    seed = np.random.SeedSequence
    return [(left + i * step, np.random.default_rng(seed([background.detail, i + 1000]))) for i in range(low, high)]


def _paint_gradient(canvas: NDArray[np.uint8], b: Background) -> None:
    first, second = np.array(b.first, np.int64), np.array(b.second, np.int64)
    size = canvas.shape[0] if b.vertical else canvas.shape[1]
    ramp = (first * (size - 1) + (second - first) * np.arange(size)[:, None]) // max(size - 1, 1)
    canvas[..., :3] = ramp[:, None] if b.vertical else ramp[None]


def _paint_bands(canvas: NDArray[np.uint8], b: Background, left: int, step: float, *, checker: bool) -> None:
    x = np.floor((np.arange(canvas.shape[1]) - left) / step).astype(np.int64)
    y = np.floor(np.arange(canvas.shape[0]) / step).astype(np.int64)
    grid = (
        (x[None] + y[:, None]) if checker else (x[None] + 0 * y[:, None]) if b.vertical else (0 * x[None] + y[:, None])
    )
    canvas[grid % 2 == 1, :3] = b.second


def _paint_floor(canvas: NDArray[np.uint8], b: Background, horizon: float, height: int) -> None:
    wide = canvas.shape[1]
    _box(canvas, -2, horizon, wide + 2, height + 2, b.second)
    _box(canvas, -2, horizon - 0.012 * height, wide + 2, horizon + 0.006 * height, shade(b.second, 0.75))


def _paint_room(canvas: NDArray[np.uint8], b: Background, left: int, horizon: float, height: int) -> None:
    for x, rng in _cells(canvas, b, left, 0.62 * height):
        x += float(rng.uniform(0.0, 0.15)) * height
        top = horizon * float(rng.uniform(0.1, 0.3))
        size = float(rng.uniform(0.16, 0.3)) * height
        what = int(rng.integers(4))
        frame = shade(b.first, 0.78)
        if what == 0:
            _box(canvas, x, top, x + size, top + size * 1.2, frame)
            pane = mixed(b.first, (190, 220, 244), 0.8)
            for i in (0, 1):
                for j in (0, 1):
                    x0, y0 = x + (0.07 + 0.46 * i) * size, top + (0.08 + 0.57 * j) * size
                    _box(canvas, x0, y0, x0 + 0.4 * size, y0 + 0.48 * size, pane)
        elif what == 1:
            _box(canvas, x, top, x + size * 0.9, top + size * 0.7, frame)
            tone = mixed(
                b.first, (int(rng.integers(80, 220)), int(rng.integers(80, 220)), int(rng.integers(80, 220))), 0.4
            )
            _box(canvas, x + 0.07 * size, top + 0.07 * size, x + 0.83 * size, top + 0.63 * size, tone)
        elif what == 2:
            low = horizon - float(rng.uniform(0.2, 0.34)) * height
            _box(canvas, x, low, x + size * 1.1, horizon, shade(b.second, 0.85))
            _box(canvas, x, low + 0.1 * height, x + size * 1.1, low + 0.115 * height, shade(b.second, 0.7))


def _paint_landscape(canvas: NDArray[np.uint8], b: Background, left: int, horizon: float, height: int) -> None:
    wide = canvas.shape[1]
    cells = _cells(canvas, b, left, 0.55 * height)
    for x, rng in cells:
        if rng.random() < 0.4:
            y, size = float(rng.uniform(0.08, 0.3)) * horizon, float(rng.uniform(0.05, 0.09)) * height
            cloud = mixed(b.first, (255, 255, 255), 0.55)
            for dx, r in ((-1.0, 0.7), (0.0, 1.0), (1.1, 0.75)):
                _disc(canvas, x + dx * size, y, r * size * 1.1, r * size * 0.6, cloud)
    for x, rng in cells:
        size = float(rng.uniform(0.3, 0.55)) * height
        rise = float(rng.uniform(0.12, 0.3)) * height
        _disc(canvas, x, horizon + 0.02 * height, size, rise, mixed(b.second, b.first, 0.5))
    _box(canvas, -2, horizon, wide + 2, height + 2, b.second)
    for x, rng in cells:
        if rng.random() < 0.45:
            size = float(rng.uniform(0.1, 0.2)) * height
            x += float(rng.uniform(-0.2, 0.2)) * height
            leaf = mixed(shade(b.second, 0.72), b.first, 0.25)
            _box(
                canvas,
                x - 0.1 * size,
                horizon - 0.8 * size,
                x + 0.1 * size,
                horizon + 0.1 * size,
                mixed((110, 84, 60), b.first, 0.3),
            )
            if rng.random() < 0.5:
                _poly(
                    canvas,
                    [
                        (x - 0.6 * size, horizon - 0.4 * size),
                        (x, horizon - 2.0 * size),
                        (x + 0.6 * size, horizon - 0.4 * size),
                    ],
                    leaf,
                )
            else:
                _disc(canvas, x, horizon - 1.25 * size, 0.65 * size, 0.7 * size, leaf)


def _paint_city(canvas: NDArray[np.uint8], b: Background, left: int, horizon: float, height: int) -> None:
    for x, rng in _cells(canvas, b, left, 0.3 * height):
        tall = float(rng.uniform(0.2, 0.6)) * height
        wide = float(rng.uniform(0.22, 0.34)) * height
        tone = mixed(mixed(b.first, b.second, float(rng.uniform(0.3, 0.7))), (200, 150, 120), 0.2)
        _box(canvas, x, horizon - tall, x + wide, horizon, tone)
        rows = int(tall / (0.1 * height))
        for row in range(1, rows):
            for col in (0.2, 0.6):
                y = horizon - tall + (row * 0.1 - 0.03) * height
                lit = (246, 226, 160) if rng.random() < 0.3 else (210, 224, 236)
                _box(canvas, x + col * wide, y, x + (col + 0.2) * wide, y + 0.045 * height, mixed(tone, lit, 0.45))
    _box(canvas, -2, horizon, canvas.shape[1] + 2, height + 2, b.second)
    _box(canvas, -2, horizon, canvas.shape[1] + 2, horizon + 0.02 * height, shade(b.second, 1.3))


def _paint_water(canvas: NDArray[np.uint8], b: Background, left: int, height: int) -> None:
    _paint_gradient(canvas, Background("gradient", b.first, b.second, 0, 0.0, True))
    _box(canvas, -2, 0.9 * height, canvas.shape[1] + 2, height + 2, mixed(b.second, (210, 190, 140), 0.5))
    for x, rng in _cells(canvas, b, left, 0.4 * height):
        kind = rng.random()
        if kind < 0.5:
            tone = mixed(b.second, (60, 140, 90), 0.5)
            for k in range(3):
                x0 = x + 0.05 * k * height
                tall = float(rng.uniform(0.12, 0.35)) * height
                lean = float(rng.uniform(-0.05, 0.05)) * height
                _poly(
                    canvas,
                    [(x0, 0.95 * height), (x0 + lean, 0.95 * height - tall), (x0 + 0.03 * height, 0.95 * height)],
                    tone,
                )
        else:
            for _ in range(3):
                r = float(rng.uniform(0.008, 0.02)) * height
                at = (x + float(rng.uniform(0, 0.2)) * height, float(rng.uniform(0.1, 0.8)) * height)
                _disc(canvas, at[0], at[1], r, r, mixed(b.first, (255, 255, 255), 0.4))


def _paint_meadow(canvas: NDArray[np.uint8], b: Background, left: int, height: int) -> None:
    for x, rng in _cells(canvas, b, left, 0.2 * height):
        for _ in range(4):
            at = (x + float(rng.uniform(0, 0.2)) * height, float(rng.uniform(0, 1)) * height)
            r = float(rng.uniform(0.015, 0.05)) * height
            if rng.random() < 0.7:
                _disc(canvas, at[0], at[1], r * 1.4, r * 0.8, b.second)
            else:
                _disc(canvas, at[0], at[1], r * 0.5, r * 0.5, shade(b.first, 1.35))
