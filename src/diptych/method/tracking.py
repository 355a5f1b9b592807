"""Figures found frame by frame become figures that live through a clip: who is who, what is missing, what is noise.

The order in which a frame lists its figures means nothing here. A figure is followed by its joints: where they were and
how they moved say where they should be now, and what is found there is the same figure. All distances are measured in
sizes of the figure, so neither the scale of the picture nor its place counts.

What is missing for a moment is filled on the straight line between its two ends and carries half their confidence; what
is missing for longer stays absent, for nobody saw it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from diptych.method.skeleton import QUADRUPED, WHOLEBODY, Topology
from diptych.types import Frames, Skeleton

Floats = NDArray[np.float32]

FILLED_CONFIDENCE = 0.5
"""What a filled joint's confidence is of the lesser one of its two ends."""
_USUAL_FPS = 25.0
_DAMPING = 0.85
_TOLERANCE = 0.12
_BODY_JOINTS = 17
_DETAIL_WEIGHT = 0.03
_LEAST_SHARED = 0.25


@dataclass(frozen=True, eq=False)
class Detections:
    """Figures of one topology in one frame, in no particular order.

    Attributes:
        joints: x, y in pixels and confidence in [0, 1], 0 = not found, float32, ``(n, j, 3)``.
        boxes: left, top, right, bottom in pixels, float32, ``(n, 4)``.
        scores: how sure it is that each is there, in [0, 1], float32, ``(n,)``.
        ids: the identity that the source gave each, int64, ``(n,)``; None where it gave none.
    """

    joints: Floats
    boxes: Floats
    scores: Floats
    ids: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, joints: NDArray[np.floating], ids: Sequence[int] | None = None) -> Detections:
        """Figures of which only the joints are known: boxes go around them, scores are their mean confidence.

        Args:
            joints: ``(n, j, 3)`` as above; figures without any joint are left out.
            ids: of each figure, n.
        """
        there = (joints[:, :, 2] > 0).any(1)
        kept = joints[there].astype(np.float32)
        seen = kept[:, :, 2] > 0
        scores = kept[:, :, 2].sum(1) / np.maximum(seen.sum(1), 1)
        named = None if ids is None else np.asarray(ids, np.int64)[there]
        return cls(kept, box_around(kept), scores.astype(np.float32), named)


@dataclass(frozen=True, eq=False)
class FrameFigures:
    """What was found in one frame.

    Attributes:
        people: joints of ``WHOLEBODY``.
        animals: joints of ``QUADRUPED``.
    """

    people: Detections
    animals: Detections

    @classmethod
    def of(
        cls, people: NDArray[np.floating] | None = None, animals: NDArray[np.floating] | None = None
    ) -> FrameFigures:
        """Figures by their joints alone, ``(n, 133, 3)`` and ``(m, 17, 3)``; None is nobody."""
        found = [
            Detections.of(np.zeros((0, len(topology.joints), 3)) if joints is None else joints)
            for topology, joints in ((WHOLEBODY, people), (QUADRUPED, animals))
        ]
        return cls(*found)

    @property
    def count(self) -> int:
        """How many figures there are."""
        return len(self.people.joints) + len(self.animals.joints)


FindFigures = Callable[[Frames], list[FrameFigures]]
"""A pose estimator as jobs know it: frames of a clip in, what is in each of them out. Recipes hand one in."""


@dataclass(frozen=True)
class TrackingSettings:
    """How figures are linked.

    Attributes:
        gap_seconds: the longest time for which a missing joint, or a missing figure, is filled.
        memory_seconds: for how long a figure out of sight is still expected; what comes later is somebody new.
        shortest_seconds: figures seen for less are dropped as noise (but never all for want of frames: a clip shorter
            than this keeps who is in every frame of it).
        smallest: figures whose box is never larger than this share of the picture's shorter side are dropped.
        similarity: how alike, in [0, 1], what is expected and what is found must be to be one figure.
    """

    gap_seconds: float = 0.4
    memory_seconds: float = 1.0
    shortest_seconds: float = 0.2
    smallest: float = 0.05
    similarity: float = 0.15


@dataclass(frozen=True)
class Dropped:
    """A figure that was followed and then left out.

    Attributes:
        topology: name of its topology.
        first: frame in which it was first seen.
        last: frame in which it was last seen.
        frames: in how many frames it was seen.
        reason: ``short`` or ``tiny``, or ``many`` where a clip has more figures than a file of poses may hold.
    """

    topology: str
    first: int
    last: int
    frames: int
    reason: str


@dataclass(frozen=True)
class TrackingReport:
    """What linking did to a clip.

    Attributes:
        frames: of the clip.
        nobody: frames in which no figure is left, after filling.
        unseen: frames in which nothing was found, before filling.
        filled: how many joints were filled in all.
        dropped: figures left out.
    """

    frames: int
    nobody: tuple[int, ...]
    unseen: tuple[int, ...]
    filled: int
    dropped: tuple[Dropped, ...]


def link(
    found: Sequence[FrameFigures],
    width: int,
    height: int,
    *,
    fps: float | None = None,
    settings: TrackingSettings | None = None,
    most: int = 64,
) -> tuple[tuple[Skeleton, ...], TrackingReport]:
    """Gives every figure one index through the clip.

    Figures stand in the order from left to right in which each was when it was first seen. Where the source has named
    every figure of a topology, its names are taken as they are: nothing is linked, filled or dropped.

    Args:
        found: per frame, t of them.
        width: of the pictures, pixels.
        height: of them.
        fps: frames a second, for the times in the settings; 25 where nobody knows.
        settings: the usual ones where None.
        most: figures of one topology that are kept, the longest seen ones.

    Returns:
        Skeletons ``(t, figures, j, 3)``, one for each topology that occurs, people first; where nobody is found, people
        with no figures. And what was done.
    """
    settings = settings or TrackingSettings()
    rate = fps if fps and np.isfinite(fps) and fps > 0 else _USUAL_FPS
    skeletons, dropped, filled = list[Skeleton](), list[Dropped](), 0
    for topology, frames in (
        (WHOLEBODY, [frame.people for frame in found]),
        (QUADRUPED, [frame.animals for frame in found]),
    ):
        joints, left_out, count = _link_topology(topology, frames, min(width, height), rate, settings, most)
        dropped += left_out
        filled += count
        if joints.shape[1] or (topology is WHOLEBODY and not any(len(frame.animals.joints) for frame in found)):
            skeletons.append(topology.skeleton(joints))
    if not skeletons:  # animals alone were found, and all of them dropped
        skeletons.append(WHOLEBODY.skeleton(np.zeros((len(found), 0, len(WHOLEBODY.joints), 3), np.float32)))
    there = np.zeros(len(found), bool)
    for skeleton in skeletons:
        there |= (skeleton.joints[..., 2] > 0).any((1, 2))
    unseen = tuple(t for t, frame in enumerate(found) if not frame.count)
    report = TrackingReport(len(found), tuple(np.flatnonzero(~there).tolist()), unseen, filled, tuple(dropped))
    return tuple(skeletons), report


# --- one topology ---------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Track:
    """A figure that is being followed."""

    frames: list[int] = field(default_factory=list)
    seen: list[Floats] = field(default_factory=list)  # (j, 3) each
    last: Floats = field(default_factory=lambda: np.zeros((0, 3), np.float32))  # of every joint the last place known
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))  # pixels a frame
    size: float = 0.0
    bones: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))  # lengths in pixels; nan = not yet seen

    def add(self, t: int, joints: Floats, box: Floats, lengths: NDArray[np.float64]) -> None:
        size = _size(box)
        if not self.frames:
            self.last, self.size, self.bones = joints.copy(), size, lengths.copy()
        else:
            both = (self.last[:, 2] > 0) & (joints[:, 2] > 0)
            steps = t - self.frames[-1]
            if both.any():
                moved = np.median(joints[both, :2] - self.last[both, :2], axis=0) / steps
                self.velocity = 0.5 * self.velocity + 0.5 * moved
            now = joints[:, 2] > 0
            self.last[now] = joints[now]
            shift = self.velocity * steps
            self.last[~now, :2] += shift.astype(np.float32)
            self.size = 0.8 * self.size + 0.2 * size
            known = np.where(np.isnan(self.bones), lengths, 0.85 * self.bones + 0.15 * lengths)
            self.bones = np.where(np.isnan(lengths), self.bones, known)
        self.frames.append(t)
        self.seen.append(joints)

    def expected(self, t: int) -> Floats:
        """Where the joints should be in frame t: as they were, moved on by a velocity that dies away."""
        steps = t - self.frames[-1]
        reach = (1 - _DAMPING**steps) / (1 - _DAMPING) * _DAMPING
        moved = self.last.copy()
        moved[:, :2] += (self.velocity * reach).astype(np.float32)
        return moved


def _link_topology(
    topology: Topology, frames: Sequence[Detections], side: int, fps: float, settings: TrackingSettings, most: int
) -> tuple[Floats, list[Dropped], int]:
    """Joints ``(t, figures, j, 3)`` of one topology, who was dropped, and how many joints were filled."""
    names = [frame.ids for frame in frames if len(frame.joints)]
    named = bool(names) and all(ids is not None and len(np.unique(ids)) == len(ids) for ids in names)
    tracks, dropped = _by_name(frames) if named else _followed(topology, frames, fps, settings), list[Dropped]()
    if not named:
        tracks, dropped = _worth_keeping(topology, tracks, len(frames), side, fps, settings)
    tracks.sort(key=lambda track: -len(track.frames))
    dropped += [_dropped(topology, track, "many") for track in tracks[most:]]
    tracks = sorted(tracks[:most], key=lambda track: _centre_x(track.seen[0]))
    joints = np.zeros((len(frames), len(tracks), len(topology.joints), 3), np.float32)
    for figure, track in enumerate(tracks):
        joints[track.frames, figure] = np.stack(track.seen)
    joints[joints[..., 2] <= 0] = 0
    return joints, dropped, 0 if named else fill_gaps(joints, round(settings.gap_seconds * fps))


def _by_name(frames: Sequence[Detections]) -> list[_Track]:
    tracks: dict[int, _Track] = {}
    for t, frame in enumerate(frames):
        for name, joints in zip([] if frame.ids is None else frame.ids.tolist(), frame.joints, strict=True):
            track = tracks.setdefault(name, _Track())
            track.frames.append(t)
            track.seen.append(joints)
    return list(tracks.values())


def _followed(topology: Topology, frames: Sequence[Detections], fps: float, settings: TrackingSettings) -> list[_Track]:
    weights = _weights(topology)
    memory = max(1, round(settings.memory_seconds * fps))
    tracks: list[_Track] = []
    for t, frame in enumerate(frames):
        # Sorted, so that the order in which a frame lists its figures cannot decide who was there first.
        order = np.lexsort((frame.boxes[:, 1], frame.boxes[:, 0]))
        joints, boxes = frame.joints[order], frame.boxes[order]
        lengths = _bone_lengths(topology, joints, boxes)
        living = [track for track in tracks if t - track.frames[-1] <= memory]
        alike = np.zeros((len(living), len(joints)))
        for i, track in enumerate(living):
            alike[i] = _similarity(track, t, joints, boxes, lengths, weights)
        taken = set()
        for i, k in assign(-np.where(alike >= settings.similarity, alike, 0.0)):
            if alike[i, k] >= settings.similarity:
                living[i].add(t, joints[k], boxes[k], lengths[k])
                taken.add(k)
        for k in range(len(joints)):
            if k not in taken:
                tracks.append(_Track())
                tracks[-1].add(t, joints[k], boxes[k], lengths[k])
    return tracks


def _similarity(
    track: _Track,
    t: int,
    joints: Floats,
    boxes: Floats,
    lengths: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How well each figure of frame t fits what is expected of the track, ``(n,)``, in [0, 1].

    Joints decide (as in the object keypoint similarity of COCO, with one tolerance for all joints that grows with the
    time out of sight), boxes help where few joints are shared, and build tells apart who stands in one place.
    """
    expected = track.expected(t)
    size = max(track.size, 1e-3)
    tolerance = _TOLERANCE * size * (t - track.frames[-1]) ** 0.5
    both = (expected[:, 2] > 0) & (joints[:, :, 2] > 0)  # (n, j)
    squared = ((joints[:, :, :2].astype(np.float64) - expected[:, :2]) ** 2).sum(-1)
    near = np.exp(-squared / (2 * tolerance**2))
    weight = both * weights
    shared = weight.sum(1) / max(float(weights[expected[:, 2] > 0].sum()), 1e-9)
    by_joints = (weight * near).sum(1) / np.maximum(weight.sum(1), 1e-9)
    by_boxes = _overlap(box_around(expected[None])[0], boxes)
    trust = np.clip(shared / _LEAST_SHARED, 0, 1) * 0.8
    place = trust * by_joints + (1 - trust) * by_boxes
    with np.errstate(divide="ignore", invalid="ignore"):
        odd = np.abs(np.log(lengths / track.bones))
    counted = np.isfinite(odd)
    build = np.exp(-2.0 * np.where(counted, odd, 0).sum(1) / np.maximum(counted.sum(1), 1))
    return place * (0.6 + 0.4 * build)


def _worth_keeping(
    topology: Topology, tracks: list[_Track], frames: int, side: int, fps: float, settings: TrackingSettings
) -> tuple[list[_Track], list[Dropped]]:
    shortest = max(1, min(round(settings.shortest_seconds * fps), frames))
    kept, dropped = [], []
    for track in tracks:
        boxes = box_around(np.stack(track.seen))
        largest = float((boxes[:, 2:] - boxes[:, :2]).max(1).max())
        if len(track.frames) < shortest:
            dropped.append(_dropped(topology, track, "short"))
        elif largest < settings.smallest * side:
            dropped.append(_dropped(topology, track, "tiny"))
        else:
            kept.append(track)
    return kept, dropped


def _dropped(topology: Topology, track: _Track, reason: str) -> Dropped:
    return Dropped(topology.name, track.frames[0], track.frames[-1], len(track.frames), reason)


# --- measures of figures --------------------------------------------------------------------------------------------


def box_around(joints: Floats) -> Floats:
    """Left, top, right, bottom of the joints that are there, float32, ``(n, 4)``; zeros where none is.

    Args:
        joints: ``(n, j, 3)``.
    """
    seen = (joints[:, :, 2] > 0)[..., None]
    least = np.where(seen, joints[:, :, :2], np.inf).min(1, initial=np.inf)
    most = np.where(seen, joints[:, :, :2], -np.inf).max(1, initial=-np.inf)
    boxes = np.concatenate([least, most], axis=1)
    return np.where(np.isfinite(boxes), boxes, 0).astype(np.float32)


def _size(box: Floats) -> float:
    """Of a figure: half the sum of its box's sides, which a stretched arm changes less than the area."""
    return float(box[2] - box[0] + box[3] - box[1]) / 2


def _centre_x(joints: Floats) -> float:
    return float(joints[joints[:, 2] > 0, 0].mean())


def _weights(topology: Topology) -> NDArray[np.float64]:
    """Of each joint: the body's count fully; face and fingers, 110 of 133, together as much as three of them."""
    weights = np.ones(len(topology.joints))
    weights[_BODY_JOINTS:] = _DETAIL_WEIGHT
    return weights


def _bone_lengths(topology: Topology, joints: Floats, boxes: Floats) -> NDArray[np.float64]:
    """Lengths of the body's bones in pixels, ``(n, bones)``; nan where an end is missing.

    In pixels, not in sizes of the figure: in one clip two figures of the same build differ by how far away they are.
    """
    bones = [bone for bone in topology.bones if max(bone) < _BODY_JOINTS]
    near, far = (np.array(ends) for ends in zip(*bones, strict=True))
    lengths = np.linalg.norm((joints[:, near, :2] - joints[:, far, :2]).astype(np.float64), axis=-1)
    there = (joints[:, near, 2] > 0) & (joints[:, far, 2] > 0) & (lengths > 0)
    return np.where(there, lengths, np.nan)


def _overlap(box: Floats, boxes: Floats) -> NDArray[np.float64]:
    """Area that a box shares with each of others over the area of both together, ``(n,)``."""
    inner = np.clip(np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0, None).astype(np.float64)
    area = inner[:, 0] * inner[:, 1]
    own, theirs = (np.prod((b[..., 2:] - b[..., :2]).astype(np.float64), axis=-1) for b in (box, boxes))
    return area / np.maximum(own + theirs - area, 1e-9)


def assign(cost: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pairs every row with another column (or every column with another row) at the least total cost.

    Kuhn's Hungarian method with potentials: rows enter one by one, each along the shortest augmenting path.

    Args:
        cost: finite, ``(rows, columns)``.

    Returns:
        Pairs of row and column, ``min(rows, columns)`` of them, by row.
    """
    if not cost.size:
        return []
    if cost.shape[0] > cost.shape[1]:
        return sorted((row, column) for column, row in assign(cost.T))
    rows, columns = cost.shape
    of_row, of_column = np.zeros(rows + 1), np.zeros(columns + 1)
    taken_by = np.zeros(columns + 1, int)  # row of each column, from 1; 0 = free. Column 0 is where a path begins.
    for row in range(1, rows + 1):
        taken_by[0], at = row, 0
        shortest, came_from = np.full(columns + 1, np.inf), np.zeros(columns + 1, int)
        done = np.zeros(columns + 1, bool)
        while True:
            done[at] = True
            current = taken_by[at]
            reduced = cost[current - 1] - of_row[current] - of_column[1:]
            better = ~done[1:] & (reduced < shortest[1:])
            shortest[1:][better], came_from[1:][better] = reduced[better], at
            ahead = int(np.argmin(np.where(done[1:], np.inf, shortest[1:]))) + 1
            step = shortest[ahead]
            of_row[taken_by[done]] += step
            of_column[done] -= step
            shortest[~done] -= step
            at = ahead
            if not taken_by[at]:
                break
        while at:
            taken_by[at] = taken_by[came_from[at]]
            at = came_from[at]
    return sorted((int(taken_by[column]) - 1, column - 1) for column in range(1, columns + 1) if taken_by[column])


def fill_gaps(joints: Floats, longest: int) -> int:
    """Fills short gaps between two sightings of a joint on the straight line between them, in place.

    Args:
        joints: float32, ``(t, figures, j, 3)``; joints with confidence 0 are missing.
        longest: frames that a gap may have to be filled.

    Returns:
        How many joints were filled.
    """
    seen = joints[..., 2] > 0
    filled = 0
    for figure, joint in zip(*np.nonzero(seen.any(0) & ~seen.all(0)), strict=True):
        at = np.flatnonzero(seen[:, figure, joint])
        for before, after in pairwise(at):
            missing = after - before - 1
            if 0 < missing <= longest:
                start, end = joints[before, figure, joint], joints[after, figure, joint]
                share = (np.arange(1, missing + 1) / (missing + 1))[:, None]
                joints[before + 1 : after, figure, joint, :2] = start[:2] * (1 - share) + end[:2] * share
                joints[before + 1 : after, figure, joint, 2] = FILLED_CONFIDENCE * min(start[2], end[2])
                filled += int(missing)
    return filled
