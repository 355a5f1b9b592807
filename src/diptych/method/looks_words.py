"""How a picture's characters look, in words, from pixels alone: colours, kind of body, background.

The offline half of the paper's appearance text (section 3.3). It knows no things and no faces: what it says is the
colours of trunk and legs where a skeleton says where those are, else those of whatever differs from the border.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diptych.method.skeleton import QUADRUPED, topology_of
from diptych.types import Picture, Skeleton

_SIDE = 128
"""Pixels of the longer side on which colours are counted."""
_SURE = 0.3
_SHARE = 0.2
"""Part of a region from which a colour is named."""

Mask = NDArray[np.bool_]

_HUES = (
    (15, "red"),
    (42, "orange"),
    (68, "yellow"),
    (165, "green"),
    (195, "turquoise"),
    (258, "blue"),
    (292, "purple"),
    (342, "pink"),
    (361, "red"),
)
"""Upper ends in degrees and their names."""

COLOURS: tuple[str, ...] = (
    "black", "dark grey", "grey", "light grey", "white", "brown", "beige",
    *(f"{tone}{hue}" for hue in ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink")
      for tone in ("dark ", "", "light ")),
)  # fmt: skip
"""Every colour that is named."""

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six")


def describe_looks(picture: Picture, poses: Sequence[Skeleton] = ()) -> str:
    """How the characters of a picture look, as one noun phrase.

    Args:
        picture: RGB, uint8, ``(h, w, 3)``.
        poses: skeletons of its figures, the first frame of each; joints in this picture's pixels.

    Returns:
        For instance ``a person in red above and dark blue below, against a light grey background``.

    Raises:
        ValueError: if ``picture`` is of another shape or type.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise ValueError(f"a picture of {picture.shape} {picture.dtype}, expected (h, w, 3) uint8")
    step = max(1, -(-max(picture.shape[:2]) // _SIDE))
    names = colour_names(picture[::step, ::step])
    figures = _figures(poses, step)
    if not figures:
        return _of_the_unknown(names)
    masks = [_body(joints, names.shape, four_legged) for _, joints, four_legged in figures]
    taken = np.zeros(names.shape, bool)
    for _, joints, _ in figures:
        taken |= _box(joints, names.shape)
    ground = _background(names, ~taken)
    told = [_figure(names, body, four_legged) for body, (_, _, four_legged) in zip(masks, figures, strict=True)]
    if len(told) == 1:
        return f"{told[0]}{ground}"
    nouns = {"animal" if four_legged else "person" for _, _, four_legged in figures}
    many = _NUMBERS[len(told)] if len(told) < len(_NUMBERS) else str(len(told))
    noun = {"person": "people", "animal": "four-legged animals"}[nouns.pop()] if len(nouns) == 1 else "figures"
    return f"{many} {noun}, from left to right {', '.join(told[:-1])} and {told[-1]}{ground}"


def colour_names(pixels: Picture) -> NDArray[np.int64]:
    """Index into :data:`COLOURS` of every pixel.

    Args:
        pixels: RGB, uint8, ``(h, w, 3)``.

    Returns:
        ``(h, w)``.
    """
    rgb = pixels.astype(np.float64) / 255
    high, low = rgb.max(axis=-1), rgb.min(axis=-1)
    chroma, light = high - low, (high + low) / 2
    # Hue in degrees, red at 0; of greys it does not matter.
    safe = np.where(chroma > 0, chroma, 1.0)
    red, green, blue = np.moveaxis(rgb, -1, 0)
    hue = 60 * np.select(
        [high == red, high == green], [((green - blue) / safe) % 6, (blue - red) / safe + 2], (red - green) / safe + 4
    )
    which = np.digitize(hue, [end for end, _ in _HUES])
    bases = np.array([COLOURS.index(f"dark {name}") for _, name in _HUES])
    tone = np.where(light < 0.27, 0, np.where(light > 0.75, 2, 1))
    found = bases[np.minimum(which, len(_HUES) - 1)] + tone
    # Skin, fur, wood and sand: warm hues that are dull are called by names of their own.
    warm = (hue < 50) | (hue > 345)
    found = np.where((hue > 8) & (hue < 50) & (light < 0.42) & (chroma < 0.55), COLOURS.index("brown"), found)
    found = np.where((hue > 8) & (hue < 50) & (chroma < 0.35), COLOURS.index("beige"), found)
    found = np.where(warm & (chroma < 0.35) & (light < 0.55), COLOURS.index("brown"), found)
    # Light that is a little red is pink, not light red.
    found = np.where(found == COLOURS.index("light red"), COLOURS.index("pink"), found)
    grey = (chroma < 0.1) | (high < 0.12)
    return np.where(grey, np.digitize(light, [0.14, 0.36, 0.62, 0.88]), found)


def _named(names: NDArray[np.int64], region: Mask, most: int) -> str:
    """The colours that fill a region, the largest share first, joined by "and"; nothing where the region is empty."""
    inside = names[region]
    if not len(inside):
        return ""
    shares = np.bincount(inside, minlength=len(COLOURS)) / len(inside)
    order = [int(i) for i in np.argsort(-shares, kind="stable")[:most]]
    kept = [i for i in order if shares[i] >= _SHARE] or order[:1]
    told = [COLOURS[i] for i in kept]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def _figures(poses: Sequence[Skeleton], step: int) -> list[tuple[float, dict[str, NDArray[np.float64]], bool]]:
    """Mean x, joints by name in pixels of the counted picture, and whether four-legged; from left to right."""
    found = []
    for skeleton in poses:
        four_legged = topology_of(skeleton) is QUADRUPED
        for values in skeleton.joints[0].astype(np.float64):
            joints = {
                name: value[:2] / step for name, value in zip(skeleton.names, values, strict=True) if value[2] >= _SURE
            }
            if len(joints) >= 3:
                found.append((float(np.mean([place[0] for place in joints.values()])), joints, four_legged))
    return sorted(found, key=lambda figure: figure[0])


def _near(shape: tuple[int, ...], ends: list[tuple[NDArray[np.float64], NDArray[np.float64]]], radius: float) -> Mask:
    """Pixels within ``radius`` of any of the lines."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    places = np.stack([columns, rows], axis=-1) + 0.5  # (h, w, 2), x and y of pixel centres
    mask = np.zeros(shape, bool)
    for start, end in ends:
        along = end - start
        share = np.clip((places - start) @ along / max(float(along @ along), 1e-9), 0, 1)
        mask |= np.hypot(*np.moveaxis(places - start - share[..., None] * along, -1, 0)) <= radius
    return mask


def _lines(
    joints: dict[str, NDArray[np.float64]], pairs: Sequence[tuple[str, str]]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    return [(joints[a], joints[b]) for a, b in pairs if a in joints and b in joints]


_SIDES = ("left", "right")
_TRUNK = (
    *((f"{side}_shoulder", f"{side}_hip") for side in _SIDES),
    ("left_shoulder", "right_hip"),
    ("right_shoulder", "left_hip"),
)
_LEGS = tuple(pair for side in _SIDES for pair in ((f"{side}_hip", f"{side}_knee"), (f"{side}_knee", f"{side}_ankle")))


def _body(joints: dict[str, NDArray[np.float64]], shape: tuple[int, ...], four_legged: bool) -> tuple[Mask, Mask]:
    """Pixels of trunk and legs; of an animal all of it is trunk. Narrow, so that no background comes in."""
    if four_legged:
        lines = _lines(joints, (("neck", "root_of_tail"), ("neck", "nose")))
        length = max((float(np.hypot(*(b - a))) for a, b in lines), default=0.0)
        return _near(shape, lines, max(1.0, 0.12 * length)), np.zeros(shape, bool)
    trunk = _lines(joints, _TRUNK)
    if not trunk and {"left_shoulder", "right_shoulder"} <= set(joints):
        # Cut off above the hips: what lies below the shoulders.
        left, right = joints["left_shoulder"], joints["right_shoulder"]
        down = np.array([0.0, float(np.hypot(*(left - right)))])
        trunk = [(0.7 * left + 0.3 * right + 0.4 * down, 0.3 * left + 0.7 * right + 0.8 * down)]
    # Estimators guess where the legs of one who is cut off at the waist would be: outside the picture.
    height, width = shape
    inside = {name: at for name, at in joints.items() if 0 <= at[0] <= width and 0 <= at[1] <= height}
    legs = _lines(inside, _LEGS)
    length = max((float(np.hypot(*(b - a))) for a, b in trunk), default=0.0)
    return _near(shape, trunk, max(1.0, 0.1 * length)), _near(shape, legs, max(1.0, 0.08 * length))


def _box(joints: dict[str, NDArray[np.float64]], shape: tuple[int, ...]) -> Mask:
    """The box around a figure, with a margin for what lies outside its joints: hair, hands, hems."""
    places = np.stack(list(joints.values()))
    low, high = places.min(axis=0), places.max(axis=0)
    margin = 0.2 * float((high - low).max())
    x0, y0 = np.floor(np.maximum(low - margin, 0)).astype(int)
    x1, y1 = np.ceil(np.maximum(high + margin, 0)).astype(int)
    mask = np.zeros(shape, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def _figure(names: NDArray[np.int64], body: tuple[Mask, Mask], four_legged: bool) -> str:
    above, below = (_named(names, region, 2) for region in body)
    if four_legged:
        return f"{_article(above)} {above} four-legged animal" if above else "a four-legged animal"
    if above and below and above != below:
        return f"a person in {above} above and {below} below"
    return f"a person in {above or below}" if above or below else "a person"


def _article(word: str) -> str:
    return "an" if word[:1] in "aeiou" else "a"


def _background(names: NDArray[np.int64], region: Mask) -> str:
    colours = _named(names, region, 2) if region.mean() > 0.02 else ""
    return f", against {_article(colours)} {colours} background" if colours else ""


def _of_the_unknown(names: NDArray[np.int64]) -> str:
    """A picture in which nobody knows where the figure stands: what is not of the border's colours."""
    rim = np.ones(names.shape, bool)
    edge = max(1, min(names.shape) // 12)
    if min(names.shape) > 2 * edge:
        rim[edge:-edge, edge:-edge] = False
    shares = np.bincount(names[rim], minlength=len(COLOURS)) / rim.sum()
    figure = ~rim & (shares[names] < 0.1)
    colours = _named(names, figure, 3) if figure.mean() > 0.02 else ""
    return f"{f'a figure in {colours}' if colours else 'a figure'}{_background(names, rim)}"
