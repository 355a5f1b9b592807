"""Skeletons as pictures: what the motion panel shows of a pose.

The look is the one measured in the paper's overview figure (Fig. 2): sticks in the colours known from OpenPose and
DWPose with red and blue exchanged, dimmed, joints at full brightness on them, feet, hands with coloured fingers and red
dots, faces as white dots, on black. Animals have a palette of the same kind, in which a limb has the hue of the limb of
a person that plays its part. See docs/skeletons.md.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.method.skeleton import CONFIDENT, QUADRUPED, WHOLEBODY, topology_of
from diptych.types import Frames, Skeleton

_RGB = tuple[int, int, int]
_Floats = NDArray[np.float64]

_DIM = 0.6
"""Brightness of sticks; joints have 1, so that they are seen on them."""

_WHITE = (255, 255, 255)
_RED = (255, 0, 0)

_SHIFT = 4
"""Fractional bits of the coordinates handed to the drawing library."""

_FAR = float(1 << 15)
"""Coordinates are cut off here, pixels: far outside any panel, and well inside the library's fixed point."""

_CORNERS = 12
"""Corners of a stick's outline."""

# Sizes as shares of the panel's shorter side, with least sizes in pixels. A stick is twice its half width across.
_STICK, _LEAST_STICK = 0.01, 1.0
_JOINT, _LEAST_JOINT = 0.009, 1.0
_FINE, _LEAST_FINE = 0.004, 0.5
_FINGER = 0.004

_DOTS_ACROSS = 24
"""Dots of faces and hands shrink with them: at least so many radii fit along the diagonal of the part."""

_FACE_DOTTED, _HAND_DOTTED, _FINGERED = 10.0, 24.0, 5.0
"""Least diagonals, in pixels, of a face and of a hand that is drawn with its dots, and of a hand that has fingers.
Below them the dots would be a blot, and the body's joints speak for the part."""

_FINE_PANEL, _FINEST = 256, 8
"""Panels with a shorter side are drawn so many times larger that it is at least this, at most 8 times, and averaged
down: the drawing library's own smoothing makes everything a pixel wider, which is much where a stick has two."""


def _hue(degrees: float) -> _RGB:
    red, green, blue = colorsys.hsv_to_rgb(degrees % 360 / 360, 1.0, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _dimmed(rgb: _RGB) -> _RGB:
    red, green, blue = (round(_DIM * channel) for channel in rgb)
    return red, green, blue


@dataclass(frozen=True)
class _Part:
    """A hand or a face: many points in a small place.

    Attributes:
        points: indices of its joints; a joint between two has indices beyond the topology's.
        bones: near end, far end, colour.
        rgb: of its dots.
        dotted: least diagonal at which it has dots, pixels.
    """

    points: tuple[int, ...]
    bones: tuple[tuple[int, int, _RGB], ...]
    rgb: _RGB
    dotted: float


@dataclass(frozen=True)
class _Look:
    """How one topology is drawn.

    Attributes:
        middles: pairs of joints whose middle is one more joint; it counts on from the topology's.
        sticks: near end, far end, colour at full brightness.
        joints: joint, colour.
        parts: what is drawn finely.
    """

    middles: tuple[tuple[int, int], ...]
    sticks: tuple[tuple[int, int, _RGB], ...]
    joints: tuple[tuple[int, _RGB], ...]
    parts: tuple[_Part, ...]


def _person() -> _Look:
    at = {name: index for index, name in enumerate((*WHOLEBODY.joints, "neck"))}
    # OpenPose's order of joints and of limbs. The known palette walks the hue circle in steps of 20 degrees from red;
    # with red and blue exchanged it walks backwards from blue.
    arms = [f"{side}_{joint}" for side in ("right", "left") for joint in ("shoulder", "elbow", "wrist")]
    legs = [f"{side}_{joint}" for side in ("right", "left") for joint in ("hip", "knee", "ankle")]
    joints = ["nose", "neck", *arms, *legs, "right_eye", "left_eye", "right_ear", "left_ear"]
    limbs = [("neck", "right_shoulder"), ("neck", "left_shoulder")]
    for side in ("right", "left"):
        limbs += [(f"{side}_shoulder", f"{side}_elbow"), (f"{side}_elbow", f"{side}_wrist")]
    for side in ("right", "left"):
        limbs += [("neck", f"{side}_hip"), (f"{side}_hip", f"{side}_knee"), (f"{side}_knee", f"{side}_ankle")]
    limbs += [("neck", "nose")]
    for side in ("right", "left"):
        limbs += [("nose", f"{side}_eye"), (f"{side}_eye", f"{side}_ear")]
    sticks = [(at[near], at[far], _hue(240 - 20 * i)) for i, (near, far) in enumerate(limbs)]
    dots = [(at[name], _hue(240 - 20 * i)) for i, name in enumerate(joints)]
    colours = {limb: _hue(240 - 20 * i) for i, limb in enumerate(limbs)}
    for side in ("right", "left"):
        shin = colours[f"{side}_knee", f"{side}_ankle"]
        feet = [f"{side}_{end}" for end in ("big_toe", "small_toe", "heel")]
        sticks += [(at[f"{side}_ankle"], at[end], shin) for end in feet]
        dots += [(at[end], shin) for end in feet]
    hands = tuple(_hand(at, side) for side in ("left", "right"))
    face = _Part(tuple(at[f"face_{i}"] for i in range(68)), (), _WHITE, _FACE_DOTTED)
    shoulders = (at["left_shoulder"], at["right_shoulder"])
    return _Look((shoulders,), tuple(sticks), tuple(dots), (*hands, face))


def _hand(at: dict[str, int], side: str) -> _Part:
    names = [name for name in at if name.startswith(f"{side}_hand_")]
    points = {at[name] for name in names}
    bones = [(near, far) for near, far in WHOLEBODY.bones if near in points and far in points]
    # Once round the circle, as DWPose colours fingers; red and blue exchanged here too.
    coloured = tuple((near, far, _hue(240 - 360 * i / len(bones))) for i, (near, far) in enumerate(bones))
    return _Part(tuple(sorted(points)), coloured, _RED, _HAND_DOTTED)


def _animal() -> _Look:
    at = {name: index for index, name in enumerate(QUADRUPED.joints)}
    # Forelegs as arms, hind legs as legs, nose and eyes as nose and eyes; the spine has a violet that no limb has.
    hues = {("neck", "root_of_tail"): 270, ("neck", "nose"): 0, ("nose", "right_eye"): 340, ("nose", "left_eye"): 300}
    for side, front, back in (("right", 240, 120), ("left", 220, 60)):
        hues["neck", f"{side}_shoulder"] = front
        hues["root_of_tail", f"{side}_hip"] = back
    for side, front, back in (("right", 200, 100), ("left", 160, 40)):
        hues[f"{side}_shoulder", f"{side}_elbow"] = front
        hues[f"{side}_elbow", f"{side}_front_paw"] = front - 20
        hues[f"{side}_hip", f"{side}_knee"] = back
        hues[f"{side}_knee", f"{side}_back_paw"] = back - 20
    sticks = tuple((at[near], at[far], _hue(hue)) for (near, far), hue in hues.items())
    # A joint has the colour of the limb that ends in it; the neck is where all begin.
    dots = tuple((far, rgb) for _, far, rgb in sticks)
    return _Look((), sticks, (*dots, (at["neck"], _hue(220))), ())


_LOOKS: dict[str, _Look] = {WHOLEBODY.name: _person(), QUADRUPED.name: _animal()}


def draw_skeletons(
    poses: Sequence[Skeleton],
    height: int,
    width: int,
    *,
    scale: float = 1.0,
    left: float = 0.0,
    top: float = 0.0,
    threshold: float = CONFIDENT,
    moments: slice | Sequence[int] = slice(None),
) -> Frames:
    """Draws every figure of a clip on black (paper, section 3.3 and Fig. 2).

    Sticks of all figures lie under the joints of all figures, and those under hands and faces. What leaves the panel is
    cut off. Widths follow the panel's shorter side: sticks are 2 % of it across. Dots of hands and faces also follow
    the part they belong to, and very small parts are left out, so that small panels stay legible; both are decided once
    for the clip, by the median over its frames, so that nothing flickers.

    Args:
        poses: one skeleton for every topology, all of t frames; at least one, which may have no figures.
        height: of the panel, pixels.
        width: of the panel, pixels.
        scale: pixels of the panel for one pixel of the poses.
        left: where the poses' left edge lies in the panel, pixels.
        top: where their upper edge lies.
        threshold: joints of less confidence are not drawn, nor are sticks that end in them; absent ones never are.
        moments: which frames of the clip are drawn, for clips that are drawn piece by piece.

    Returns:
        RGB, uint8, ``(moments, height, width, 3)``.

    Raises:
        ValueError: no skeletons, skeletons of different lengths or of no known topology, or a size below 1.
    """
    lengths = {len(skeleton.joints) for skeleton in poses}
    if len(lengths) != 1:
        raise ValueError(f"skeletons of one clip have one length, not {sorted(lengths) or 'none'}")
    if height < 1 or width < 1:
        raise ValueError(f"no panel of {width} x {height} pixels")
    side = min(height, width)
    finer = min(-(-_FINE_PANEL // side), _FINEST)
    floors: list[list[_Layer]] = [[], [], []]
    for skeleton in poses:
        look = _LOOKS[topology_of(skeleton).name]
        at, there = _placed(skeleton, look, scale * finer, left * finer, top * finer, threshold)
        for figure in range(at.shape[1]):
            figures = _layers(look, at[:, figure], there[:, figure], moments, side, finer)
            for floor, layers in zip(floors, figures, strict=True):
                floor += layers
    count = len(np.arange(lengths.pop())[moments])
    frames = np.zeros((count, height, width, 3), np.uint8)
    fine = np.empty((height * finer, width * finer, 3), np.uint8) if finer > 1 else None
    for i, frame in enumerate(frames):
        canvas = frame if fine is None else fine
        canvas.fill(0)
        for layer in (layer for floor in floors for layer in floor):
            layer.draw(canvas, i)
        if fine is not None:
            cv2.resize(fine, (width, height), dst=frame, interpolation=cv2.INTER_AREA)
    return frames


def _placed(
    skeleton: Skeleton, look: _Look, scale: float, left: float, top: float, threshold: float
) -> tuple[_Floats, NDArray[np.bool_]]:
    """Places in the panel ``(t, figures, n, 2)`` and which are drawn ``(t, figures, n)``, middles among them."""
    at = skeleton.joints[..., :2].astype(np.float64)
    confidence = skeleton.joints[..., 2]
    there = (confidence >= threshold) & (confidence > 0) & np.isfinite(at).all(-1)
    # The drawing library counts from the centres of pixels, everybody else from the edge.
    at = np.clip(np.where(there[..., None], at, 0.0) * scale + (left - 0.5, top - 0.5), -_FAR, _FAR)
    pairs = list(look.middles)
    middles = [at[..., pair, :].mean(-2, keepdims=True) for pair in pairs]
    both = [there[..., pair].all(-1, keepdims=True) for pair in pairs]
    return np.concatenate([at, *middles], -2), np.concatenate([there, *both], -1)


def _layers(
    look: _Look, at: _Floats, there: NDArray[np.bool_], moments: slice | Sequence[int], side: int, finer: int
) -> Iterator[list[_Layer]]:
    """Sticks, joints and fine parts of one figure.

    Args:
        look: of its topology.
        at: places on the canvas, ``(t, n, 2)``.
        there: which are drawn, ``(t, n)``.
        moments: frames that are drawn.
        side: the panel's shorter one, pixels.
        finer: pixels of the canvas for one of the panel.
    """
    extents = [_extent(at[:, part.points], there[:, part.points]) / finer for part in look.parts]
    at, there = at[moments], there[moments]
    yield [_Sticks(look.sticks, at, there, finer * max(_STICK * side, _LEAST_STICK))]
    yield [_Dots(look.joints, at, there, finer * max(_JOINT * side, _LEAST_JOINT))]
    fine: list[_Layer] = []
    for part, extent in zip(look.parts, extents, strict=True):
        if part.bones and extent >= _FINGERED:
            fine.append(_Lines(part.bones, at, there, max(1, round(finer * max(_FINGER * side, _LEAST_FINE)))))
        if extent >= part.dotted:
            radius = max(min(_FINE * side, extent / _DOTS_ACROSS), _LEAST_FINE)
            fine.append(_Dots([(joint, part.rgb) for joint in part.points], at, there, finer * radius))
    yield fine


def _extent(at: _Floats, there: NDArray[np.bool_]) -> float:
    """The diagonal of a part's box, pixels: the median over the frames in which it is seen, 0 if it never is."""
    seen = there.sum(1) >= 2
    if not seen.any():
        return 0.0
    shown, among = at[seen], there[seen][..., None]
    box = np.where(among, shown, -np.inf).max(1) - np.where(among, shown, np.inf).min(1)
    return float(np.median(np.hypot(box[:, 0], box[:, 1])))


def _fixed(values: _Floats) -> NDArray[np.int32]:
    return np.rint(values * (1 << _SHIFT)).astype(np.int32)


class _Layer:
    """Shapes of one kind of one figure, ready for the drawing library for all frames of a clip."""

    def draw(self, canvas: NDArray[np.uint8], i: int) -> None:
        """Draws moment i."""
        raise NotImplementedError


class _Sticks(_Layer):
    """Spindles from joint to joint, as DWPose's drawer has them."""

    def __init__(
        self, sticks: Sequence[tuple[int, int, _RGB]], at: _Floats, there: NDArray[np.bool_], half_width: float
    ) -> None:
        near, far = [stick[0] for stick in sticks], [stick[1] for stick in sticks]
        middle, reach = (at[:, near] + at[:, far]) / 2, (at[:, far] - at[:, near]) / 2  # (t, sticks, 2)
        length = np.linalg.norm(reach, axis=-1, keepdims=True)
        across = np.stack([-reach[..., 1], reach[..., 0]], -1) * (half_width / np.maximum(length, 1e-9))
        angles = 2 * np.pi * np.arange(_CORNERS) / _CORNERS
        cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
        # (t, sticks, corners, 2)
        self._outlines = _fixed(middle[..., None, :] + cos * reach[..., None, :] + sin * across[..., None, :])
        self._shown = [np.flatnonzero(row).tolist() for row in there[:, near] & there[:, far]]
        self._colours = [_dimmed(rgb) for _, _, rgb in sticks]

    def draw(self, canvas: NDArray[np.uint8], i: int) -> None:
        outlines, colours = self._outlines[i], self._colours
        for k in self._shown[i]:
            cv2.fillConvexPoly(canvas, outlines[k], colours[k], cv2.LINE_AA, _SHIFT)


class _Dots(_Layer):
    def __init__(self, dots: Sequence[tuple[int, _RGB]], at: _Floats, there: NDArray[np.bool_], radius: float) -> None:
        joints = [joint for joint, _ in dots]
        self._centres = _fixed(at[:, joints]).tolist()
        self._shown = [np.flatnonzero(row).tolist() for row in there[:, joints]]
        self._colours = [rgb for _, rgb in dots]
        self._radius = round(radius * (1 << _SHIFT))

    def draw(self, canvas: NDArray[np.uint8], i: int) -> None:
        centres, colours = self._centres[i], self._colours
        for k in self._shown[i]:
            cv2.circle(canvas, centres[k], self._radius, colours[k], -1, cv2.LINE_AA, _SHIFT)


class _Lines(_Layer):
    def __init__(
        self, bones: Sequence[tuple[int, int, _RGB]], at: _Floats, there: NDArray[np.bool_], thickness: int
    ) -> None:
        near, far = [bone[0] for bone in bones], [bone[1] for bone in bones]
        self._ends = list(zip(_fixed(at[:, near]).tolist(), _fixed(at[:, far]).tolist(), strict=True))
        self._shown = [np.flatnonzero(row).tolist() for row in there[:, near] & there[:, far]]
        self._colours = [rgb for _, _, rgb in bones]
        self._thickness = thickness

    def draw(self, canvas: NDArray[np.uint8], i: int) -> None:
        (near, far), colours = self._ends[i], self._colours
        for k in self._shown[i]:
            cv2.line(canvas, near[k], far[k], colours[k], self._thickness, cv2.LINE_AA, _SHIFT)
