"""Depth of a driver, for models that have a panel for it: found while the video streams through.

One look at some frames of the video says what is far and near in it; then every frame is drawn on that scale as it is
asked for, so that a driver of any length needs no more memory than a short one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diptych.files import sha256
from diptych.media.draw_depth import draw_depth
from diptych.method.depth import DepthRange, Nearness
from diptych.types import Frames, InputError, Picture

_CHUNK = 8
"""Frames that are looked at together."""

_LOOKED_AT = 32
"""Frames that say what is far and near, about: from half of them to all, evenly over the video."""


@dataclass(frozen=True)
class ClipDepth:
    """How the depth of one clip is found and drawn.

    Attributes:
        nearness: of some frames, in whatever unit.
        range: of the clip, in the same.
        source: who finds it.
        identity: hashes of its files, or its name where it is a repository's.
    """

    nearness: Callable[[Frames], Nearness]
    range: DepthRange
    source: str
    identity: dict[str, str]

    def frames(self, frames: Iterable[Picture]) -> Iterator[Picture]:
        """Drawn depth of every frame, RGB, uint8, of the frames' size."""
        frames = iter(frames)
        while chunk := list(islice(frames, _CHUNK)):
            yield from draw_depth(self.range.normalised(self.nearness(np.stack(chunk))))

    def described(self) -> dict[str, Any]:
        """What run.json says of it."""
        found_by = {"source": self.source, "identity": self.identity}
        return {"kind": "depth", **found_by, "low": self.range.low, "high": self.range.high}


def depth_of_clip(video: Path, frames: Iterable[Picture], weights: str) -> ClipDepth:
    """Settles the scale of a clip's depth.

    Args:
        video: whose clip it is, for messages.
        frames: all of the clip; gone through once, few of them are kept.
        weights: folder or repository of the network that finds depth.

    Raises:
        InputError: if weights cannot be used, or the clip has no frame.
    """
    estimator = open_depth(weights)
    looked_at = evenly(frames, _LOOKED_AT)
    if not looked_at:
        raise InputError(f"{video} has no frame in that part; choose another --start or --end.")
    parts = [looked_at[start : start + _CHUNK] for start in range(0, len(looked_at), _CHUNK)]
    found = np.concatenate([estimator.nearness(np.stack(part)) for part in parts])
    return ClipDepth(estimator.nearness, estimator.range_of(found), weights, depth_identity(weights))


@functools.lru_cache(maxsize=1)
def open_depth(weights: str) -> Any:
    """A :class:`~diptych.experts.depth.DepthEstimator`, loaded once in a process.

    Raises:
        InputError: if the weights cannot be used.
    """
    from diptych.experts.depth import DepthEstimator
    from diptych.experts.weights import Weights

    return DepthEstimator(Weights(weights), device="cuda" if torch.cuda.is_available() else "cpu")


def depth_identity(weights: str) -> dict[str, str]:
    """What an estimator's answers depend on: hashes of its files, or its name where it is a repository's."""
    folder = Path(weights)
    if not folder.is_dir():
        return {"repository": weights}
    files = [*folder.glob("*.safetensors"), *folder.glob("*.json")]
    return {file.name: sha256(file) for file in sorted(files)}


def evenly(frames: Iterable[Picture], most: int) -> list[Picture]:
    """Frames at even distances of a stream whose length nobody knows.

    Args:
        frames: gone through once; never more than ``most`` are held.
        most: of them, even.

    Returns:
        All where there are at most so many, else from half of ``most`` on, the first among them.
    """
    kept: list[Picture] = []
    every = 1
    for number, frame in enumerate(frames):
        if number % every:
            continue
        if len(kept) == most:
            # Too close together for so long a stream: every other one goes.
            kept, every = kept[::2], 2 * every
        kept.append(frame)
    return kept
