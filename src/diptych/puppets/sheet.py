"""Contact sheets: pairs laid out for people to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from diptych.puppets.pairs import Pair, draw_pair
from diptych.puppets.render import Rendering
from diptych.types import Picture

_GAP = 2
_PAPER = 255


def panel_size(aspect: float, area: int = 64 * 64) -> tuple[int, int]:
    """Width and height in pixels, both even, of a picture of this aspect and about this area."""
    height = max(2, 2 * round((area / aspect) ** 0.5 / 2))
    width = max(2, 2 * round((area * aspect) ** 0.5 / 2))
    return width, height


def contact_sheet(
    pairs: Iterable[Pair | int], *, frames: int = 6, seconds: float = 1.5, area: int = 64 * 64, enlarge: int = 2
) -> Picture:
    """One row a pair: reference, ``frames`` moments of the driver, the same moments of the truth.

    Args:
        pairs: pairs, or seeds of training pairs.
        frames: moments shown.
        seconds: time they are spread over.
        area: pixels of a panel before enlarging.
        enlarge: whole factor.

    Returns:
        RGB, uint8, ``(h, w, 3)``.
    """
    rows = []
    for item in pairs:
        pair = item if isinstance(item, Pair) else draw_pair(item)
        times = pair.start + np.linspace(0.0, seconds, frames)
        size, drive_size = panel_size(pair.reference_aspect, area), panel_size(pair.driving_aspect, area)
        panels = [
            *pair.reference(*size).frames,
            *pair.driving(times, *drive_size).frames,
            *pair.truth(times, *size).frames,
        ]
        rows.append(_row(panels))
    width = max(row.shape[1] for row in rows)
    sheet = np.concatenate([_padded(row, width) for row in rows])
    return np.ascontiguousarray(np.repeat(np.repeat(sheet, enlarge, 0), enlarge, 1))


def _row(panels: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    tall = max(panel.shape[0] for panel in panels) + _GAP
    cells = []
    for panel in panels:
        cell = np.full((tall, panel.shape[1] + _GAP, 3), _PAPER, np.uint8)
        cell[: panel.shape[0], : panel.shape[1]] = panel
        cells.append(cell)
    return np.concatenate(cells, 1)


def _padded(row: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    out = np.full((row.shape[0], width, 3), _PAPER, np.uint8)
    out[:, : row.shape[1]] = row
    return out


def render_pairs(
    seeds: Iterable[int],
    times: NDArray[np.float64],
    area: int = 64 * 64,
    *,
    category: str | None = None,
    split: str = "train",
) -> Iterator[tuple[Pair, Rendering, Rendering, Rendering]]:
    """Render pairs one after the other: (pair, reference, driving, truth).

    Args:
        seeds: of the pairs.
        times: seconds after each pair's first driving frame.
        area: pixels of a panel, whatever its shape.
        category: one of ``scenes.CATEGORIES``, or None to draw it.
        split: "train" or "eval".
    """
    for seed in seeds:
        pair = draw_pair(seed, category=category, split=split)
        at = pair.start + np.asarray(times, np.float64)
        size, drive_size = panel_size(pair.reference_aspect, area), panel_size(pair.driving_aspect, area)
        yield pair, pair.reference(*size), pair.driving(at, *drive_size), pair.truth(at, *size)
