"""From the model's pixels to the result's."""

from __future__ import annotations

from dataclasses import dataclass

from diptych.media.frame import fill, resize
from diptych.options import Fit
from diptych.types import Frames


@dataclass(frozen=True)
class Sizing:
    """From the model's pixels to the result's.

    Attributes:
        width: of the result, even.
        height: of the result, even.
        fit: how the made picture meets it.
        notes: what the user should know of it.
    """

    width: int
    height: int
    fit: Fit
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, made: tuple[int, int], asked: tuple[int, int] | int | None, fit: Fit) -> Sizing:
        """The size of the result: even, as the model makes it, as large as asked for, or exactly what was asked."""
        if asked is None:
            return cls(*made, fit)
        bounds = (asked, asked) if isinstance(asked, int) else asked
        scale = min(bounds[0] / made[0], bounds[1] / made[1])
        if fit == "fit" or isinstance(asked, int):
            width, height = (max(2, 2 * round(side * scale / 2)) for side in made)
            return cls(width, height, "fit")
        width, height = (max(2, 2 * round(side / 2)) for side in bounds)
        notes: tuple[str, ...] = ()
        change = (width / height) / (made[0] / made[1])
        if fit == "stretch" and not 0.98 < change < 1.02:
            times = max(change, 1 / change)
            notes = (f"the result is stretched {'in width' if change > 1 else 'in height'} by {times:.2f}, as asked.",)
        return cls(width, height, fit, notes)

    def __call__(self, frames: Frames) -> Frames:
        """Frames of the model's size to frames of the result's."""
        return (fill if self.fit == "fill" else resize)(frames, self.width, self.height)
