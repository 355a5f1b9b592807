"""Where a picture lies in a panel: fitted, never stretched, padded with mid-grey, and cut out again; or a view of it.

Models work on panels whose sides are multiples of their stride; pictures have any size. A ``Placement`` says where the
one lies in the other, so that what went in can be cut out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.types import Picture, Stand

MID_GREY = 128
"""What padding is made of: nearest 8-bit value to 0 in [-1, 1], the same that an empty panel shows."""

_LONGEST = 2.0
"""A picture's longer side is at most this many times the root of the area it was meant to have."""

_ZOOMED = 4.0
"""A view shows a picture at most so many times larger or smaller than if all of it were shown."""

Pixels = NDArray[np.uint8]
"""RGB, uint8: one picture ``(h, w, 3)`` or frames ``(t, h, w, 3)``."""

Interpolation = Literal["auto", "nearest", "cubic"]
"""``auto``: area mean for shrinking, cubic for enlarging. The others hold for enlarging only."""


@dataclass(frozen=True)
class Placement:
    """The box of a panel that a picture fills. All in pixels; y down, x right, from the panel's top left corner.

    Attributes:
        panel_height: height of the panel.
        panel_width: width of the panel.
        y: upper edge of the box.
        x: left edge of the box.
        height: height of the box.
        width: width of the box.
    """

    panel_height: int
    panel_width: int
    y: int
    x: int
    height: int
    width: int

    def __post_init__(self) -> None:
        inside = self.y >= 0 and self.x >= 0 and self.height >= 1 and self.width >= 1
        inside &= self.y + self.height <= self.panel_height and self.x + self.width <= self.panel_width
        if not inside:
            raise ValueError(f"the box leaves its panel: {self}")


def panel_for(width: int, height: int, area: int, multiple: int = 16) -> Placement:
    """Choose the output size for a picture and the panel that holds it.

    The box has the picture's aspect, even sides and about ``area`` pixels. Very long pictures get fewer: no side of the
    box is longer than twice the root of ``area`` (an aspect of 4 : 1), or attention would pay for a panel of padding.

    Args:
        width: of the picture, pixels.
        height: of the picture, pixels.
        area: wanted pixels of the output, at least 16.
        multiple: the panel's sides are multiples of it; even.

    Returns:
        The box of the output size, centred in the smallest panel that holds it.

    Raises:
        ValueError: a size or the area is too small, or ``multiple`` is odd.
    """
    if width < 1 or height < 1 or area < 16 or multiple < 2 or multiple % 2:
        raise ValueError(f"no panel for {width} x {height} with area {area} and multiple {multiple}")
    scale = min(sqrt(area / (width * height)), _LONGEST * sqrt(area) / max(width, height))
    out_width, out_height = (max(2, 2 * round(side * scale / 2)) for side in (width, height))
    panel_width, panel_height = (-(-side // multiple) * multiple for side in (out_width, out_height))
    return _centred(panel_height, panel_width, out_height, out_width)


def place_in(width: int, height: int, panel_height: int, panel_width: int) -> Placement:
    """The largest centred box of a picture's aspect in a given panel.

    Args:
        width: of the picture, pixels.
        height: of the picture, pixels.
        panel_height: pixels.
        panel_width: pixels.

    Returns:
        A box that touches two opposite sides of the panel; its aspect differs from the picture's by rounding only.
    """
    scale = min(panel_width / width, panel_height / height)
    box_width, box_height = max(1, round(width * scale)), max(1, round(height * scale))
    return _centred(panel_height, panel_width, min(box_height, panel_height), min(box_width, panel_width))


def fit(pixels: Pixels, panel: Placement | tuple[int, int], pad_value: int = MID_GREY) -> tuple[Pixels, Placement]:
    """Put a picture or frames into a panel without stretching, centred, with padding around.

    Args:
        pixels: RGB, uint8, ``(h, w, 3)`` or ``(t, h, w, 3)``.
        panel: height and width of the panel; or a placement, whose box is then filled (made for this aspect, or the
            picture would be stretched).
        pad_value: grey level around the picture.

    Returns:
        The panel, uint8, with the leading axes of ``pixels``; and where the picture lies in it, for ``unfit``.

    Raises:
        ValueError: the placement's box is of another aspect than the picture by more than rounding.
    """
    height, width = pixels.shape[-3:-1]
    if not isinstance(panel, Placement):
        panel = place_in(width, height, *panel)
    elif not _same_aspect(width, height, panel):
        raise ValueError(f"{width} x {height} would be stretched to {panel.width} x {panel.height}")
    out = np.full((*pixels.shape[:-3], panel.panel_height, panel.panel_width, 3), pad_value, np.uint8)
    unfit(out, panel)[...] = resize(pixels, panel.width, panel.height)
    return out, panel


@dataclass(frozen=True)
class View:
    """Which part of a picture a panel shows: a pixel (x, y) of the picture lies at (scale x + left, scale y + top).

    Attributes:
        scale: pixels of the panel for one of the picture.
        left: where the picture's left edge lies, pixels of the panel.
        top: where its upper edge lies.
    """

    scale: float
    left: int
    top: int


def figure_view(reference: Stand, driving: Stand, box: Placement, size: tuple[int, int]) -> View:
    """The view of a driver in which its figure is as large as the reference's and stands in the same place.

    Args:
        reference: where the reference's figure stands, in pixels of its box.
        driving: where the driver's figure stands in the first frame, in pixels of that.
        box: of the reference in its panel; the driver's panel is of the same size.
        size: width and height of the driver's frames, pixels.

    Returns:
        For all of the video. Whatever is said of the figures, the scale differs at most ``_ZOOMED`` times from the one
        at which all of the driver fits into the panel.
    """
    whole = min(box.panel_width / size[0], box.panel_height / size[1])
    scale = min(max(reference.height / driving.height, whole / _ZOOMED), whole * _ZOOMED)
    left, top = box.x + reference.x - scale * driving.x, box.y + reference.y - scale * driving.y
    return View(scale, round(left), round(top))


def located_view(reference: Picture, first: Picture, box: Placement, locate: Callable[[Picture], Stand]) -> View:
    """The view of :func:`figure_view` for a picture and the first frame of a driver in which somebody finds figures.

    Args:
        reference: RGB, uint8, ``(h, w, 3)``, any size.
        first: frame of the driver, likewise; what moves away from where it stands there has moved.
        box: of the reference in its panel.
        locate: says where the figures of a picture stand.
    """
    found = locate(reference).scaled(box.width / reference.shape[1])
    return figure_view(found, locate(first), box, (first.shape[1], first.shape[0]))


def view(pixels: Pixels, shown: View, height: int, width: int) -> Pixels:
    """Show a part of a picture or of frames in a panel; beyond their rim, the rim's pixels go on.

    Args:
        pixels: RGB, uint8, ``(h, w, 3)`` or ``(t, h, w, 3)``.
        shown: which part. One that shows nothing of the picture is moved until it shows its rim.
        height: of the panel.
        width: of the panel.

    Returns:
        uint8, ``(height, width, 3)`` with the leading axes of ``pixels``.
    """
    whole_height, whole_width = (max(1, round(side * shown.scale)) for side in pixels.shape[-3:-1])
    rows, columns = (
        np.clip(np.arange(size) - start, 0, whole - 1)
        for size, start, whole in ((height, shown.top, whole_height), (width, shown.left, whole_width))
    )
    return resize(pixels, whole_width, whole_height)[..., rows[:, None], columns, :]


def unfit(pixels: Pixels, placement: Placement) -> Pixels:
    """Cut the padding away: the box of the placement.

    Args:
        pixels: uint8, ``(..., panel height, panel width, 3)``.
        placement: from ``fit`` or ``panel_for``.

    Returns:
        A view, uint8, ``(..., box height, box width, 3)``.

    Raises:
        ValueError: ``pixels`` are not of the placement's panel.
    """
    if pixels.shape[-3:-1] != (placement.panel_height, placement.panel_width):
        raise ValueError(f"pixels of {pixels.shape} are not the panel of {placement}")
    rows = slice(placement.y, placement.y + placement.height)
    columns = slice(placement.x, placement.x + placement.width)
    return pixels[..., rows, columns, :]


def fill(pixels: Pixels, width: int, height: int) -> Pixels:
    """Cover a rectangle without stretching: scaled until it covers, the surplus cut equally on both sides.

    Args:
        pixels: RGB, uint8, ``(h, w, 3)`` or ``(t, h, w, 3)``.
        width: pixels.
        height: pixels.

    Returns:
        uint8, ``(height, width, 3)`` with the leading axes of ``pixels``.
    """
    old_height, old_width = pixels.shape[-3:-1]
    # Cut first: the same picture for less work.
    box = place_in(width, height, old_height, old_width)
    return resize(unfit(pixels, box), width, height)


def resize(pixels: Pixels, width: int, height: int, interpolation: Interpolation = "auto") -> Pixels:
    """Scale a picture or frames to a size, whatever their aspect. The policies above keep it; this does not.

    Args:
        pixels: RGB, uint8, ``(h, w, 3)`` or ``(t, h, w, 3)``.
        width: pixels.
        height: pixels.
        interpolation: how pixels are enlarged.

    Returns:
        uint8, ``(height, width, 3)`` with the leading axes of ``pixels``; ``pixels`` itself if the size is the same.
    """
    if pixels.shape[-3:-1] == (height, width):
        return pixels
    if pixels.ndim == 4:
        out = np.empty((len(pixels), height, width, 3), np.uint8)
        for frame, scaled in zip(pixels, out, strict=True):
            scaled[...] = resize(frame, width, height, interpolation)
        return out
    shrinks = width * height < pixels.shape[0] * pixels.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST_EXACT if interpolation == "nearest" else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), (width, height), interpolation=method), np.uint8)


def _centred(panel_height: int, panel_width: int, height: int, width: int) -> Placement:
    return Placement(panel_height, panel_width, (panel_height - height) // 2, (panel_width - width) // 2, height, width)


def _same_aspect(width: int, height: int, box: Placement) -> bool:
    """Whether box and picture differ only by rounding each side to an even number, at most 2 pixels."""
    return abs(width * box.height - height * box.width) <= 2 * (width + height)
