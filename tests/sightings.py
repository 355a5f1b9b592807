"""Puppets as a pose estimator would see them: exact joints with the faults of real detectors put in, and the count of
identities that were mixed up afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from diptych.method.skeleton import WHOLEBODY
from diptych.method.tracking import FrameFigures
from diptych.puppets.pairs import draw_pair
from diptych.puppets.poses import pose_of


@dataclass(frozen=True)
class Faults:
    """Of a detector.

    Attributes:
        jitter: standard deviation of every joint's place, in shares of the figure's size.
        missed: chance that a figure is missed in a frame.
        hidden: chance that a joint is missed.
        covered: figures whose boxes overlap by more than this share are seen as one, the one in front; 1 turns it off.
        ghosts: chance of a figure where nobody is, for one frame.
    """

    jitter: float = 0.0
    missed: float = 0.0
    hidden: float = 0.0
    covered: float = 1.0
    ghosts: float = 0.0


LEVELS = {
    "exact": Faults(),
    "mild": Faults(jitter=0.01, missed=0.02, hidden=0.02),
    "medium": Faults(jitter=0.02, missed=0.05, hidden=0.05, covered=0.8, ghosts=0.02),
    "strong": Faults(jitter=0.04, missed=0.1, hidden=0.15, covered=0.6, ghosts=0.05),
    "severe": Faults(jitter=0.08, missed=0.25, hidden=0.35, covered=0.4, ghosts=0.1),
}


@cache
def truth_of(seed: int, category: str, frames: int, fps: float, side: int = 256) -> NDArray[np.float32]:
    """Exact joints of the drivers of a pair, ``(t, figures, j, 3)``: its people, else its animals, else nobody.

    Not to be changed: who asks again gets the same array.
    """
    pair = draw_pair(seed, category=category)
    times = pair.start + np.arange(frames) / fps
    width, height = (round(side * pair.driving_aspect**power) for power in (0.5, -0.5))
    rigs = [actor.character.rig for actor in pair.driving_scene.actors]
    poses = pose_of(pair.driving(times, width, height).skeleton, rigs)
    return poses[0].joints if poses else np.zeros((frames, 0, len(WHOLEBODY.joints), 3), np.float32)


def seen(truth: NDArray[np.float32], faults: Faults, seed: int) -> list[FrameFigures]:
    """What a detector reports, its figures shuffled in every frame.

    Args:
        truth: exact joints ``(t, figures, j, 3)``; confidence 0 = the figure has no such joint.
        faults: put in.
        seed: of chance.
    """
    rng, found = np.random.default_rng(seed), []
    for frame in truth:
        figures = [_blurred(joints, faults, rng) for joints in frame if rng.random() >= faults.missed]
        figures = _uncovered(figures, faults.covered)
        if figures and rng.random() < faults.ghosts:
            ghost = figures[0].copy()
            ghost[:, :2] = ghost[:, :2].mean(0) + rng.normal(0, 0.1 * _size(ghost), ghost[:, :2].shape)
            ghost[:, :2] += rng.uniform(-2, 2, 2) * _size(ghost)
            figures.append(ghost)
        rng.shuffle(figures)
        joints = np.stack(figures) if figures else np.zeros((0, *frame.shape[1:]))
        found.append(FrameFigures.of(joints) if frame.shape[1] == 133 else FrameFigures.of(None, joints))
    return found


def _size(joints: NDArray[np.float32]) -> float:
    there = joints[joints[:, 2] > 0, :2]
    return float(np.ptp(there, axis=0).sum() / 2)


def _blurred(joints: NDArray[np.float32], faults: Faults, rng: np.random.Generator) -> NDArray[np.float32]:
    blurred = joints.copy()
    blurred[:, :2] += rng.normal(0, faults.jitter * _size(joints), (len(joints), 2))
    blurred[rng.random(len(joints)) < faults.hidden] = 0
    blurred[joints[:, 2] <= 0] = 0
    return blurred


def _uncovered(figures: list[NDArray[np.float32]], share: float) -> list[NDArray[np.float32]]:
    """Figures that are not behind a later one; one figure is never hidden by itself."""
    kept = []
    for i, joints in enumerate(figures):
        there = joints[joints[:, 2] > 0, :2]
        if not len(there):
            continue
        least, most = there.min(0), there.max(0)
        hidden = False
        for other in figures[i + 1 :]:
            around = other[other[:, 2] > 0, :2]
            if len(around):
                inner = np.clip(np.minimum(most, around.max(0)) - np.maximum(least, around.min(0)), 0, None).prod()
                hidden |= share < 1 and inner > share * max(float((most - least).prod()), 1e-6)
        if not hidden:
            kept.append(joints)
    return kept


@dataclass(frozen=True)
class Verdict:
    """How well figures were followed.

    Attributes:
        frames: frames times true figures.
        switches: how often a true figure is continued by another index than before.
        kept: share of the true joints that the figure's own index holds, within a tenth of the figure's size.
        extra: figures more than there are.
    """

    frames: int
    switches: int
    kept: float
    extra: int


def judged(truth: NDArray[np.float32], tracked: NDArray[np.float32]) -> Verdict:
    """Compares followed joints ``(t, n, j, 3)`` with exact ones ``(t, figures, j, 3)``, frame by frame."""
    from diptych.method.tracking import assign

    frames, figures = truth.shape[:2]
    switches, held, last = 0, 0, [-1] * figures
    for exact, found in zip(truth, tracked, strict=True):
        there, got = exact[..., 2] > 0, found[..., 2] > 0
        cost = np.ones((figures, len(found)))
        for i in range(figures):
            far = np.linalg.norm(found[..., :2] - exact[i, :, :2], axis=-1) / _size(exact[i])
            both = got & there[i]
            cost[i] = np.where(both.any(1), (far * both).sum(1) / np.maximum(both.sum(1), 1), 9.0)
        for i, k in assign(cost):
            if cost[i, k] < 0.25:
                switches += last[i] not in (-1, k)
                last[i] = k
                far = np.linalg.norm(found[k, :, :2] - exact[i, :, :2], axis=-1)
                held += int((got[k] & there[i] & (far < 0.1 * _size(exact[i]))).sum())
    total = int((truth[..., 2] > 0).sum())
    return Verdict(frames * figures, switches, held / max(total, 1), max(0, tracked.shape[1] - figures))
