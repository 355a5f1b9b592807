"""Poses of every clip: recorded beside the footage, exact, or found by an estimator that the recipe hands in.

A clip in which nobody is found, or nobody in too many of its frames, is dropped, and its record says in how many frames
somebody was. What is missing is not made up here: whoever tracks fills short gaps.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diptych.crew import once
from diptych.data.pose_formats import read_any_poses
from diptych.data.poses import ClipPoses, write_poses
from diptych.files import sha256
from diptych.media.video import read_clip
from diptych.prepare.clips import Source
from diptych.prepare.ledger import Dataset, Record
from diptych.types import Frames, InputError, Skeleton

FindPoses = Callable[[Frames, float], tuple[Skeleton, ...]]
"""Frames of a clip and its frames per second to the skeletons of all its figures, tracked through the clip."""

FOUND_JOINTS = 3
"""A figure is in a frame if at least so many of its joints are."""


@dataclass(frozen=True)
class PoseSettings:
    """When a clip's poses are good enough.

    Attributes:
        min_confidence: of a joint that counts as found, 0..1.
        max_missing: share of a clip's frames in which nobody may be found.
    """

    min_confidence: float = 0.3
    max_missing: float = 0.2


@dataclass(frozen=True)
class PoseItem:
    """A clip whose poses are wanted.

    Attributes:
        clip: its line of the step before.
        source: the footage it is from.
    """

    clip: Record
    source: Source

    def made_from(self) -> Record:
        """What the poses depend on: the clip, and what was recorded of its footage."""
        recorded: Record | None = None
        if self.source.poses is not None:
            stat = self.source.poses.stat()
            recorded = {"file": self.source.poses.name, "bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}
        return {"clip": self.clip["sha256"], "recorded": recorded}


def pose_clip(
    item: PoseItem, dataset: Dataset, settings: PoseSettings, estimator: Callable[[], FindPoses] | None
) -> None:
    """Finds one clip's poses and writes them and its record.

    Args:
        item: which clip.
        dataset: where it lies.
        settings: what is good enough.
        estimator: makes what finds poses in frames, once a process; None where there is none.

    Raises:
        InputError: if the dataset cannot be written or a clip of it not be read.
    """
    name, began = item.clip["id"], time.monotonic()
    about: Record = {"id": name, "source": item.clip["source"], "frames": item.clip["frames"]}
    path = dataset.poses(name)
    try:
        if item.source.poses is not None:
            poses = recorded_poses(item.source.poses, item.clip)
        elif estimator is not None:
            poses = _estimated(dataset, item.clip, once(estimator))
        else:
            raise _NoPosesError(
                "no poses", "no poses were recorded of it and there is no estimator; say --pose-weights"
            )
        about |= _quality(poses, settings)
    except _NoPosesError as dropped:
        path.unlink(missing_ok=True)
        about |= {"kept": False, "reason": dropped.reason, "says": dropped.says, **dropped.numbers}
    else:
        write_poses(path, poses)
        about |= {"kept": True, "from": poses.source, "sha256": sha256(path)}
    seconds = {"pose": time.monotonic() - began}
    dataset.write("poses", name, {"made_from": item.made_from(), "told": about, "seconds": seconds})


class _NoPosesError(Exception):
    """A clip has no poses that are good enough."""

    def __init__(self, reason: str, says: str, **numbers: float) -> None:
        super().__init__(says)
        self.reason, self.says, self.numbers = reason, says, numbers


def _estimated(dataset: Dataset, clip: Record, find: FindPoses) -> ClipPoses:
    read = read_clip(dataset.clip(clip["id"]))
    figures = find(read.frames, float(read.fps))
    if not figures or not sum(skeleton.joints.shape[1] for skeleton in figures):
        raise _NoPosesError("nobody found", f"nobody is found in any of its {len(read.frames)} frames", found=0)
    return ClipPoses(figures, clip["width"], clip["height"], getattr(find, "name", "estimator"))


def recorded_poses(path: Path, clip: Record) -> ClipPoses:
    """The part of recorded poses that belongs to a clip, in the clip's pixels.

    Raises:
        _NoPosesError: if the record is of other footage, or cannot be read.
    """
    size = clip["source_width"], clip["source_height"]
    try:
        whole = _whole(path, size, float(Fraction(clip["fps"])))
    except InputError as error:
        raise _NoPosesError("poses unusable", str(error).replace(str(path), path.name)) from None
    first, frames = clip["first_frame"], clip["frames"]
    shown = np.array(clip.get("shown") or range(first, first + frames))
    if whole.frames <= shown.max():
        says = f"{path.name} has {whole.frames} frames, the clip ends with frame {shown.max() + 1} of its footage"
        raise _NoPosesError("poses unusable", says)
    if not whole.figures or not sum(skeleton.joints.shape[1] for skeleton in whole.figures):
        raise _NoPosesError("nobody found", f"nobody is found in any of its {frames} frames", found=0)
    # A clip that was not scaled lost at most a column and a row.
    kept = max(size[0] - clip["width"], size[1] - clip["height"]) <= 1
    scale = (1.0, 1.0) if kept else (clip["width"] / size[0], clip["height"] / size[1])
    figures = []
    for skeleton in whole.figures:
        joints = skeleton.joints[shown]  # (t, figures, j, 3), a copy
        joints[..., :2] *= np.array(scale, np.float32)
        present = (joints[..., 2] > 0).any((0, 2))
        figures.append(Skeleton(skeleton.names, joints[:, present], skeleton.bones))
    figures = [skeleton for skeleton in figures if skeleton.joints.shape[1]]
    if not figures:
        raise _NoPosesError("nobody found", f"nobody is found in any of its {frames} frames", found=0)
    return ClipPoses(tuple(figures), clip["width"], clip["height"], whole.source or path.name)


@functools.lru_cache(maxsize=2)
def _whole(path: Path, size: tuple[int, int], fps: float) -> ClipPoses:
    """Poses of a whole video, whose clips come one after another."""
    return read_any_poses(path, size=size, fps=fps)


def frames_with_somebody(figures: tuple[Skeleton, ...], min_confidence: float) -> NDArray[np.bool_]:
    """Whether anybody is found in each frame, ``(t,)``."""
    seen = [((s.joints[..., 2] >= min_confidence).sum(-1) >= FOUND_JOINTS).any(-1) for s in figures]
    return np.logical_or.reduce(seen)


def _quality(poses: ClipPoses, settings: PoseSettings) -> Record:
    """How good poses are: frames with somebody, figures, mean confidence of the joints that are there.

    Raises:
        _NoPosesError: too few frames have somebody.
    """
    there = frames_with_somebody(poses.figures, settings.min_confidence)
    found, frames = int(there.sum()), len(there)
    if not found:
        raise _NoPosesError("nobody found", f"nobody is found in any of its {frames} frames", found=0)
    if frames - found > settings.max_missing * frames:
        says = f"somebody is found in only {found} of its {frames} frames"
        raise _NoPosesError("often nobody", says, found=found)
    confidences = np.concatenate([s.joints[..., 2].ravel() for s in poses.figures])
    counted = sum(int((s.joints[..., 2] > 0).any((0, 2)).sum()) for s in poses.figures)
    return {"found": found, "figures": counted, "confidence": round(float(confidences[confidences > 0].mean()), 3)}
