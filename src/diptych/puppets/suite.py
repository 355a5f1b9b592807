"""The frozen evaluation suite: unseen identities in unseen motions, the same pairs for everybody and for ever.

The committed file holds seeds, categories, sizes and fingerprints. Pictures are drawn again from the seeds; another
version of the drawing library may round a pixel differently, so beside the exact hashes there is a coarse picture of
every clip that must hold everywhere.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diptych.puppets.pairs import CATEGORIES, Pair, draw_pair
from diptych.puppets.sheet import panel_size
from diptych.types import Frames, InputError

FRAMES = 24
FPS = 12
AREA = 64 * 64
PER_CATEGORY = 4
TOLERANCE = 2
"""Levels by which the coarse means may differ on another machine."""
_GRID = 8
_PATIENCE = 30
_FILES = {"puppets-v1": Path(__file__).with_name("suite_puppets_v1.json")}


@dataclass(frozen=True, eq=False)
class SuitePair:
    """One pair of a suite.

    Attributes:
        id: unique name within the suite.
        category: one of ``scenes.CATEGORIES``.
        pair: the pair itself.
        times: of the driver's frames in seconds, ``(24,)``, 12 a second, the first at ``pair.start``.
        reference_size: width and height of reference and answer in pixels.
        driving_size: width and height of the driving video in pixels.
    """

    id: str
    category: str
    pair: Pair
    times: NDArray[np.float64]
    reference_size: tuple[int, int]
    driving_size: tuple[int, int]

    def enlarged(self, scale: int) -> SuitePair:
        """The same pair drawn so many times as wide and as high."""
        width, height = self.reference_size
        wide, high = self.driving_size
        return replace(self, reference_size=(scale * width, scale * height), driving_size=(scale * wide, scale * high))

    def clips(self) -> dict[str, Frames]:
        """Rendered frames: "reference" (one frame), "driving" and "truth"."""
        return {
            "reference": self.pair.reference(*self.reference_size).frames,
            "driving": self.pair.driving(self.times, *self.driving_size).frames,
            "truth": self.pair.truth(self.times, *self.reference_size).frames,
        }


def suite_pairs(name: str = "puppets-v1") -> tuple[SuitePair, ...]:
    """The pairs of a frozen suite, in its order.

    Raises:
        InputError: if there is no such suite.
    """
    return tuple(_pair(entry) for entry in _load(name)["pairs"])


def verify(name: str = "puppets-v1", ids: Sequence[str] | None = None, *, exact: bool = False) -> dict[str, str]:
    """Render a suite again and compare it with what was frozen.

    Args:
        name: of the suite.
        ids: pairs to look at, or None for all.
        exact: whether every byte must agree, as on the machine that froze it; else the coarse means within TOLERANCE.

    Returns:
        Pair id to what differs; empty if nothing does.

    Raises:
        InputError: if there is no such suite.
    """
    wrong = {}
    for entry in _load(name)["pairs"]:
        if ids is not None and entry["id"] not in ids:
            continue
        pair = _pair(entry)
        if pair.pair.caption != entry["caption"]:
            wrong[entry["id"]] = f"the caption is now {pair.pair.caption!r}"
            continue
        for clip, frames in pair.clips().items():
            if exact and _hash(frames) != entry["sha256"][clip]:
                wrong[entry["id"]] = f"the bytes of {clip} differ"
            frozen = np.frombuffer(bytes.fromhex(entry["coarse"][clip]), np.uint8).reshape(-1, 3)
            moved = int(np.abs(_coarse(frames).astype(int) - frozen).max())
            if moved > TOLERANCE:
                wrong[entry["id"]] = f"the colours of {clip} are off by {moved} levels"
    return wrong


def freeze(name: str) -> dict[str, Any]:
    """What the committed file of a suite holds, from nothing: four pairs of every category.

    Within a category seeds are taken in order, and one whose first motion has been seen there is passed over until
    every kind of motion has had its turn: the choice looks at no picture and at no model.

    Args:
        name: of the suite.
    """
    entries = []
    for category, count, seed, pair in _choose():
        entry: dict[str, Any] = {
            "id": f"{category}-{count}",
            "category": category,
            "seed": seed,
            "caption": pair.caption,
            "reference_size": panel_size(pair.reference_aspect, AREA),
            "driving_size": panel_size(pair.driving_aspect, AREA),
        }
        clips = _pair(entry).clips()
        entry["sha256"] = {clip: _hash(frames) for clip, frames in clips.items()}
        entry["coarse"] = {clip: _coarse(frames).tobytes().hex() for clip, frames in clips.items()}
        entries.append(entry)
    return {"name": name, "version": 1, "frames": FRAMES, "fps": FPS, "area": AREA, "pairs": entries}


def _choose() -> Iterator[tuple[str, int, int, Pair]]:
    for category in CATEGORIES:
        seen: set[str] = set()
        count = passed = 0
        for seed in itertools.count():
            pair = draw_pair(seed, category=category, split="eval")
            kind = pair.driving_scene.actors[0].motion.kind
            if kind in seen and passed < _PATIENCE:
                passed += 1
                continue
            seen.add(kind)
            yield category, count, seed, pair
            count, passed = count + 1, 0
            if count == PER_CATEGORY:
                break


def write(contents: dict[str, Any], path: Path) -> None:
    """Write a suite's file, one pair a line."""
    head = json.dumps({key: value for key, value in contents.items() if key != "pairs"})[:-1]
    lines = ",\n".join(json.dumps(entry) for entry in contents["pairs"])
    path.write_text(f'{head}, "pairs": [\n{lines}\n]}}\n', encoding="utf-8")


def _load(name: str) -> dict[str, Any]:
    if name not in _FILES:
        raise InputError(f"there is no evaluation suite {name!r}; choose one of {', '.join(_FILES)}")
    contents: dict[str, Any] = json.loads(_FILES[name].read_text(encoding="utf-8"))
    return contents


def _pair(entry: dict[str, Any]) -> SuitePair:
    pair = draw_pair(entry["seed"], category=entry["category"], split="eval")
    reference, driving = entry["reference_size"], entry["driving_size"]
    return SuitePair(
        id=entry["id"],
        category=entry["category"],
        pair=pair,
        times=pair.start + np.arange(FRAMES) / FPS,
        reference_size=(reference[0], reference[1]),
        driving_size=(driving[0], driving[1]),
    )


def _hash(frames: Frames) -> str:
    return hashlib.sha256(repr(frames.shape).encode() + frames.tobytes()).hexdigest()


def _coarse(frames: Frames) -> NDArray[np.uint8]:
    """Mean colour of an 8 x 8 grid over the whole clip, ``(64, 3)``."""
    _, h, w, _ = frames.shape
    mean = frames.mean(0)
    rows, columns = np.arange(_GRID + 1) * h // _GRID, np.arange(_GRID + 1) * w // _GRID
    cells = [mean[a:b, c:d].mean((0, 1)) for a, b in _pairs(rows) for c, d in _pairs(columns)]
    return np.rint(np.array(cells)).astype(np.uint8)


def _pairs(edges: NDArray[np.int_]) -> list[tuple[int, int]]:
    return list(pairwise(edges.tolist()))
