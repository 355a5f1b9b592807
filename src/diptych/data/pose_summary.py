"""What a reader of a report wants to know of a clip's poses: who is there, how sure it is, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from diptych.data.poses import ClipPoses
from diptych.method.skeleton import WHOLEBODY, topology_of

_HANDS = (slice(91, 112), slice(112, 133))


@dataclass(frozen=True)
class PoseSummary:
    """Of one clip.

    Attributes:
        frames: of the clip.
        people: who are in it at any time.
        animals: likewise.
        nobody: frames in which no figure is found.
        confidence: mean over all joints that are found; 0 where none is.
        lost_hands: share of the hands of people that have no joint, over all frames in which the person is found.
    """

    frames: int
    people: int
    animals: int
    nobody: tuple[int, ...]
    confidence: float
    lost_hands: float

    @property
    def usable(self) -> bool:
        """Whether there is anybody at all."""
        return len(self.nobody) < self.frames

    def sentence(self) -> str:
        """For a report."""
        if not self.usable:
            return f"nobody was found in any of {self.frames} frames"
        counts = [(self.people, "person", "people"), (self.animals, "animal", "animals")]
        who = " and ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts if count)
        missing = (
            f", nobody in {len(self.nobody)} of {self.frames} frames ({spans(self.nobody)})" if self.nobody else ""
        )
        hands = f", {100 * self.lost_hands:.0f} % of the hands lost" if self.people and self.lost_hands else ""
        return f"{who}, mean confidence {self.confidence:.2f}{missing}{hands}"


def summarise(poses: ClipPoses) -> PoseSummary:
    """Counts what is there and what is not."""
    there, confidences = np.zeros(poses.frames, bool), [np.zeros(0, np.float32)]
    figures, hands, lost = {True: 0, False: 0}, 0, 0
    for skeleton in poses.figures:
        seen = skeleton.joints[..., 2] > 0  # (t, figures, j)
        present = seen.any(-1)
        there |= present.any(-1)
        confidences.append(skeleton.joints[..., 2][seen])
        is_people = topology_of(skeleton) is WHOLEBODY
        figures[is_people] += int(present.any(0).sum())
        if is_people:
            hands += 2 * int(present.sum())
            lost += sum(int((present & ~seen[..., hand].any(-1)).sum()) for hand in _HANDS)
    sure = np.concatenate(confidences)
    return PoseSummary(
        poses.frames,
        figures[True],
        figures[False],
        tuple(np.flatnonzero(~there).tolist()),
        float(sure.mean()) if len(sure) else 0.0,
        lost / hands if hands else 0.0,
    )


def spans(frames: tuple[int, ...]) -> str:
    """Frame numbers as text, those that follow each other as one span: ``0-3, 7``."""
    edges = [0, *(i for i in range(1, len(frames)) if frames[i] != frames[i - 1] + 1), len(frames)]
    runs = [(frames[start], frames[end - 1]) for start, end in pairwise(edges) if start < end]
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
