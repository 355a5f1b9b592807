"""A small made-up world of capsule figures, so that the measures can be tested without any other room.

Looks (palette, build, background) and pose (joint angles over time) come from separate seeds, as the measures claim to.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = 64
FRAMES = 17
_OVERSAMPLE = 4


@dataclass(frozen=True, eq=False)
class Drawn:
    """Frames uint8 (t, h, w, 3), the figure's mask uint8 (t, h, w), 255 inside, and the bare scene uint8 (h, w, 3)."""

    frames: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    scene: NDArray[np.uint8]


def draw(looks: int, pose: int, scene: int = 0, frames: int = FRAMES, size: int = SIZE, offset: float = 0.0) -> Drawn:
    """One figure that moves its limbs and sways.

    Args:
        looks: seed of palette and build.
        pose: seed of the motion.
        scene: seed of the background.
        frames: number of frames.
        size: pixels a side.
        offset: time of the first frame in frames, to shift the motion.
    """
    body = np.random.default_rng(1000 + looks)
    colours = [tuple(int(c) for c in body.integers(0, 256, 3)) for _ in range(4)]
    height = body.uniform(0.5, 0.62)
    thick = body.uniform(0.035, 0.055)
    motion = np.random.default_rng(2000 + pose)
    base = motion.uniform(-1.2, 1.2, 9)
    swing = motion.uniform(0.3, 1.3, 9)
    phase = motion.uniform(0, 2 * np.pi, 9)
    rate = 2 * np.pi * motion.uniform(0.6, 1.6, 9) / FRAMES
    sway = motion.uniform(0.0, 0.12)
    backdrop = _backdrop(scene, size)
    pictures, masks = [], []
    for t in range(frames):
        angle = base + swing * np.sin(rate * (t + offset) + phase)
        hip = np.array([0.5 + sway * np.sin(rate[8] * (t + offset) + phase[8]), 0.55])
        picture = cv2.resize(backdrop, None, fx=_OVERSAMPLE, fy=_OVERSAMPLE, interpolation=cv2.INTER_LINEAR)
        mask = np.zeros(picture.shape[:2], np.uint8)
        for points, colour, width in _limbs(hip, height, angle, colours, thick):
            scaled = np.round(points * size * _OVERSAMPLE).astype(int)
            pixels = max(1, round(2 * width * size * _OVERSAMPLE))
            for layer, value in ((picture, colour), (mask, 255)):
                cv2.line(layer, tuple(scaled[0].tolist()), tuple(scaled[1].tolist()), value, pixels)
        pictures.append(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA))
        masks.append(cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA))
    return Drawn(np.stack(pictures), np.stack(masks), backdrop)


def _backdrop(scene: int, size: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(3000 + scene)
    coarse = rng.integers(60, 220, (2, 2, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def _limbs(hip, height, angle, colours, thick):
    """Torso, head, two arms and two legs of two bones each, as (ends in units of the picture, colour, half width)."""

    def along(start, direction, length):
        return start + length * height * np.array([np.sin(direction), np.cos(direction)])

    neck = along(hip, np.pi + 0.25 * angle[0], 0.38)
    yield np.stack([hip, neck]), colours[0], 1.8 * thick
    head = along(neck, np.pi + 0.25 * angle[0], 0.16)
    yield np.stack([head, head]), colours[1], 2.2 * thick
    for side, (upper, lower) in enumerate(((1, 2), (3, 4))):
        elbow = along(neck, angle[upper] + (side - 0.5) * 2, 0.22)
        yield np.stack([neck, elbow]), colours[2], thick
        yield np.stack([elbow, along(elbow, angle[upper] + angle[lower] + (side - 0.5) * 2, 0.22)]), colours[1], thick
    for side, (upper, lower) in enumerate(((5, 6), (7, 8))):
        knee = along(hip, 0.5 * angle[upper] + (side - 0.5) * 0.6, 0.26)
        yield np.stack([hip, knee]), colours[3], thick
        yield np.stack([knee, along(knee, 0.5 * angle[upper] - 0.4 * abs(angle[lower]), 0.26)]), colours[3], thick
