"""Rendering: scenes over time as pixels, masks and joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.puppets.backgrounds import paint
from diptych.puppets.bodies import draw_figure
from diptych.puppets.palette import shade
from diptych.puppets.rigs import ALL_BONES, GROUNDED, JOINTS, Floats, Pose
from diptych.puppets.scenes import Scene, Staged, camera_offsets, stage
from diptych.puppets.shapes import Figure, round_points
from diptych.types import Frames, Skeleton

_SHIFT = 4
_SUPER = 2
_SMALLEST = 0.7
"""Details smaller than this many pixels are left out."""

_NEAR, _AROUND, _APART, _WITHIN = 0.6, 0.25, 0.12, 0.1
"""Nearness of figures: that of one by itself, how much of it follows from the motion's depth channel (-1 to 1), how far
two are apart at the least, and how far the parts of one; parts of two figures never lie between each other."""


@dataclass(frozen=True, eq=False)
class Rendering:
    """A clip of the made-up world with everything that is known about it.

    Attributes:
        frames: RGB, uint8, ``(t, h, w, 3)``.
        mask: how much of every pixel is covered by figures, uint8 0..255, ``(t, h, w)``.
        skeleton: exact joints in pixels, also of joints outside the picture or behind others (confidence 1); 0 for
            joints that a figure's rig lacks.
        nearness: how near every pixel is, uint8 ``(t, h, w)``: 0 the background, larger is nearer, in the order in
            which figures and their parts cover each other; None where nobody asked for it.
    """

    frames: Frames
    mask: NDArray[np.uint8]
    skeleton: Skeleton
    nearness: NDArray[np.uint8] | None = None


def render_scene(
    scene: Scene,
    poses: Sequence[Pose],
    seconds: NDArray[np.float64],
    width: int,
    height: int,
    *,
    depth: bool = False,
) -> Rendering:
    """Render a scene.

    Args:
        scene: who, where and how seen.
        poses: one for every actor, all of the length of ``seconds``.
        seconds: since the first frame, for cameras that move by themselves.
        width: of the picture, pixels.
        height: of the picture, pixels.
        depth: whether nearness is asked for.
    """
    staged = [stage(actor, pose) for actor, pose in zip(scene.actors, poses, strict=True)]
    scale, left, top = scene.camera.view(width, height)
    offsets = camera_offsets(scene.camera, staged, seconds)
    joints = _joints_in_pixels(staged, offsets, scale, left, top)

    fine = scale * _SUPER
    shifts = np.rint(offsets * fine).astype(np.int64)
    before, after = max(0, -int(shifts.min())), max(0, int(shifts.max()))
    backdrop = paint(scene.background, width * _SUPER, height * _SUPER, before, after, -top * fine)
    # Whole fine pixels for the camera, so that figures and background move as one.
    origin = np.stack([left * fine + shifts, np.full(len(shifts), top * fine)], 1)
    figures = [draw_figure(s.actor.character, s.solved, s.pose) for s in staged]
    drawings = [_Drawing(figure, s, origin, fine) for figure, s in zip(figures, staged, strict=True)]
    depths = np.stack([s.pose["depth"] if "depth" in s.pose else np.zeros(len(shifts)) for s in staged], 1)
    fixed = bool((depths == depths[:, :1]).all())
    shadows = _shadows(scene, staged, origin, fine)

    orders = [range(len(drawings)) if fixed else np.argsort(row, kind="stable").tolist() for row in depths]
    count = len(shifts)
    out = np.empty((count, height, width, 4), np.uint8)
    wide = width * _SUPER
    for i in range(count):
        at = before + int(shifts[i])
        canvas = backdrop[:, at : at + wide].copy()
        for points, rgba in shadows:
            cv2.fillConvexPoly(canvas, points[i], rgba, cv2.LINE_AA, _SHIFT)
        for k in orders[i]:
            drawings[k].draw(canvas, i)
        cv2.resize(canvas, (width, height), dst=out[i], interpolation=cv2.INTER_AREA)
    nearness = _nearness(drawings, orders, depths, width, height) if depth else None
    return Rendering(np.ascontiguousarray(out[..., :3]), np.ascontiguousarray(out[..., 3]), joints, nearness)


def _nearness(
    drawings: Sequence[_Drawing], orders: Sequence[Sequence[int]], depths: Floats, width: int, height: int
) -> NDArray[np.uint8]:
    """The scene once more, every part in a grey that says how near it is."""
    out = np.empty((len(orders), height, width), np.uint8)
    for i, order in enumerate(orders):
        canvas = np.zeros((height * _SUPER, width * _SUPER), np.uint8)
        for rank, k in enumerate(order):
            level = _NEAR + _AROUND * float(np.clip(depths[i, k], -1, 1)) + _APART * (rank - (len(order) - 1) / 2)
            drawings[k].draw_nearness(canvas, i, level)
        cv2.resize(canvas, (width, height), dst=out[i], interpolation=cv2.INTER_AREA)
    return out


def _fixed_point(points: Floats, origin: Floats, fine: float) -> NDArray[np.int32]:
    """World units to fixed-point fine pixels; the drawing library counts from pixel centres."""
    scaled = (points * fine - origin[:, None] - 0.5) * (1 << _SHIFT)
    return np.rint(np.clip(scaled, -(1 << 24), 1 << 24)).astype(np.int32)


class _Drawing:
    """A figure with all its points ready for the drawing library."""

    def __init__(self, figure: Figure, staged: Staged, origin: Floats, fine: float) -> None:
        shapes = {
            name: [s for s in group if s.size * fine >= _SMALLEST * _SUPER] for name, group in figure.groups.items()
        }
        flat = [shape for group in shapes.values() for shape in group]
        points = np.concatenate([shape.points for shape in flat], 1)
        points[..., 0] *= figure.facing[:, None]
        points += staged.root[:, None]
        fixed = _fixed_point(points, origin, fine)
        ends = np.cumsum([shape.points.shape[1] for shape in flat])
        ready = {}
        for shape, end in zip(flat, ends, strict=True):
            ready[id(shape)] = (
                fixed[:, end - shape.points.shape[1] : end],
                (*shape.rgb, 255),
                shape.convex,
                shape.shown,
            )
        self._orders = [
            [ready[id(shape)] for name in order for shape in shapes.get(name, ())] for order in figure.orders
        ]
        self._parts = [
            [part / (len(order) - 1) - 0.5 for part, name in enumerate(order) for _ in shapes.get(name, ())]
            for order in figure.orders
        ]
        self._order = figure.order

    def draw(self, canvas: NDArray[np.uint8], i: int) -> None:
        """Draw the figure at moment i."""
        convex_poly, poly, line = cv2.fillConvexPoly, cv2.fillPoly, cv2.LINE_AA
        for points, rgba, convex, shown in self._orders[self._order[i]]:
            if shown is not None and not shown[i]:
                continue
            if convex:
                convex_poly(canvas, points[i], rgba, line, _SHIFT)
            else:
                poly(canvas, [points[i]], rgba, line, _SHIFT)

    def draw_nearness(self, canvas: NDArray[np.uint8], i: int, level: float) -> None:
        """Draw how near the figure's parts are at moment i, in [0, 1] around a level; edges are sharp."""
        order = self._order[i]
        for (points, _, convex, shown), part in zip(self._orders[order], self._parts[order], strict=True):
            if shown is not None and not shown[i]:
                continue
            grey = round(255 * min(max(level + _WITHIN * part, 0.0), 1.0))
            if convex:
                cv2.fillConvexPoly(canvas, points[i], grey, cv2.LINE_8, _SHIFT)
            else:
                cv2.fillPoly(canvas, [points[i]], grey, cv2.LINE_8, _SHIFT)


def _shadows(
    scene: Scene, staged: Sequence[Staged], origin: Floats, fine: float
) -> list[tuple[NDArray[np.int32], tuple[int, int, int, int]]]:
    """Where the feet are seen, a soft spot of shade on the ground under every figure; not part of the mask."""
    if scene.camera.framing != "full":
        return []
    rgba = (*shade(scene.background.floor, 0.86), 0)
    spots = []
    for s in staged:
        c = s.actor.character
        if c.rig not in GROUNDED:
            continue
        wide = (0.2 if c.rig != "quadruped" else 0.42) * c.height
        centre = s.root.copy()
        centre[:, 1] = 0.0
        spots.append((_fixed_point(centre[:, None] + round_points(16) * [wide, 0.035 * c.height], origin, fine), rgba))
    return spots


def _joints_in_pixels(staged: Sequence[Staged], offsets: Floats, scale: float, left: float, top: float) -> Skeleton:
    table = np.zeros((len(offsets), len(staged), len(JOINTS), 3), np.float32)
    for i, s in enumerate(staged):
        for name, at in s.solved.joints.items():
            j = JOINTS.index(name)
            table[:, i, j, 0] = (at[:, 0] + s.root[:, 0] - left - offsets) * scale
            table[:, i, j, 1] = (at[:, 1] + s.root[:, 1] - top) * scale
            table[:, i, j, 2] = 1.0
    return Skeleton(JOINTS, table, ALL_BONES)
