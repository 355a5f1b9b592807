"""Faces: eyes, brows, nose and mouth on a head that turns."""

from __future__ import annotations

import numpy as np

from diptych.puppets.palette import INK, RGB
from diptych.puppets.rigs import EYE_AZIMUTH, Floats, Frame, Pose, channel, face_yaw
from diptych.puppets.shapes import Sketch, ellipse

_MOUTH_X = np.linspace(-1.0, 1.0, 7)
_MOUTH_DARK: RGB = (96, 28, 32)
_WHITE: RGB = (250, 250, 248)


def add_face(
    sketch: Sketch,
    frame: Frame,
    radius: float,
    pose: Pose,
    *,
    ink: RGB = INK,
    eyes: str = "round",
    nose: RGB | None = None,
    glasses: bool = False,
    mouth: bool = True,
    spread: float = 1.0,
) -> None:
    """Draw a face.

    Args:
        sketch: where to.
        frame: the head: origin at its centre.
        radius: of the head, world units.
        pose: expression channels over time.
        ink: colour of brows, pupils and closed mouth.
        eyes: "round" or "dots".
        nose: its colour, or None for no nose.
        glasses: whether to draw a pair.
        mouth: whether there is a mouth (a beak is drawn elsewhere).
        spread: height of the face over its width; objects have long faces.
    """
    yaw = face_yaw(pose)
    drop = np.clip(channel(pose, "head_nod"), -1.0, 1.0) * 0.3 * radius
    brow, smile, opened = channel(pose, "brow"), channel(pose, "smile"), np.clip(channel(pose, "mouth_open"), 0.0, 1.0)
    gaze_x, gaze_y = channel(pose, "gaze_x"), channel(pose, "gaze_y")
    eye_y = drop - 0.12 * radius * spread
    for side, azimuth in (("r", -EYE_AZIMUTH), ("l", EYE_AZIMUTH)):
        at, width = _on_head(yaw + azimuth, radius)
        seen = width > 0.15
        lid = np.maximum(1.0 - np.clip(channel(pose, f"blink_{side}"), 0.0, 1.0), 0.12)
        if eyes == "round":
            white = ellipse(frame, at, eye_y, 0.21 * radius * width, 0.25 * radius * lid, 10)
            sketch.add(white, _WHITE, shown=seen, size=0.45 * radius)
            look_x, look_y = at + 0.09 * radius * gaze_x * width, eye_y + 0.09 * radius * gaze_y
            pupil = ellipse(frame, look_x, look_y, 0.12 * radius * width, 0.15 * radius * lid, 8)
        else:
            look_x, look_y = at + 0.08 * radius * gaze_x * width, eye_y + 0.08 * radius * gaze_y
            pupil = ellipse(frame, look_x, look_y, 0.14 * radius * width, 0.18 * radius * lid, 8)
        sketch.add(pupil, ink, shown=seen, size=0.3 * radius)
        lift = eye_y - (0.36 + 0.1 * brow) * radius
        tilt = (0.16 * np.clip(brow, -1.0, 0.3) - 0.04) * radius * (1.0 if side == "r" else -1.0)
        half = 0.22 * radius * width
        line = np.stack(
            [
                np.stack([at - half, lift + tilt], 1),
                np.stack([at + half, lift - tilt], 1),
                np.stack([at + half, lift - tilt + 0.1 * radius], 1),
                np.stack([at - half, lift + tilt + 0.1 * radius], 1),
            ],
            1,
        )
        sketch.add(frame.place(line), ink, shown=seen, size=0.3 * radius)
        if glasses:
            ring = ellipse(frame, at, eye_y, 0.34 * radius * width, 0.34 * radius, 12)
            hole = ellipse(frame, at, eye_y, 0.25 * radius * width, 0.25 * radius, 12)
            # One outline around and back inside: a ring through which the eye is seen.
            loop = np.concatenate([ring, ring[:, :1], hole[:, :1], hole[:, ::-1]], 1)
            sketch.add(loop, ink, convex=False, shown=seen, size=0.6 * radius)
    if nose is not None:
        at, width = _on_head(yaw, radius * 1.08)
        tip = ellipse(frame, at, drop + 0.14 * radius * spread, 0.11 * radius, 0.13 * radius, 8)
        sketch.add(tip, nose, size=0.25 * radius)
    if mouth:
        _add_mouth(sketch, frame, radius, yaw, drop + 0.48 * radius * spread, smile, opened, ink)


def _on_head(azimuth: Floats, radius: float) -> tuple[Floats, Floats]:
    return 0.96 * radius * np.sin(azimuth), np.maximum(np.cos(azimuth), 0.0)


def _add_mouth(
    sketch: Sketch, frame: Frame, radius: float, yaw: Floats, y: Floats, smile: Floats, opened: Floats, ink: RGB
) -> None:
    centre, width = _on_head(yaw, radius)
    half = (0.34 + 0.08 * smile - 0.06 * opened)[:, None] * radius * np.maximum(width, 0.3)[:, None]
    bow = 1.0 - _MOUTH_X**2
    curve = (0.2 * smile[:, None] * (bow - 0.5)) * radius
    thick = 0.055 * radius
    x = centre[:, None] + half * _MOUTH_X
    upper = np.stack([x, y[:, None] + curve - thick * (0.4 + bow)], 2)
    lower = np.stack([x, y[:, None] + curve + (thick + 0.42 * radius * opened[:, None]) * (0.25 + bow)], 2)
    outline = np.concatenate([upper, lower[:, ::-1]], 1)
    sketch.add(frame.place(outline), _MOUTH_DARK if ink != _WHITE else ink, convex=False, size=0.6 * radius)
