"""Draws of the pose stage: footage beside its own skeletons, self-supervised (paper sections 3.3 and 5.1).

The window's first frame is the reference, the footage itself is the answer, and its skeletons are the motion: nobody
has to know the same motion on another character. What would let the network copy the figure's build from the skeletons
is taken away by augmentation, which changes the skeletons and not the footage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from diptych.data.draws import Draw, damaged
from diptych.data.windows import WindowSettings, choose
from diptych.media.draw import draw_skeletons
from diptych.media.frame import Placement, fit, panel_for
from diptych.method.contract import Contract
from diptych.method.pose_augment import PoseAugment, augment
from diptych.types import Frames, Skeleton

POSE_DRAWS = 1
"""Counts the changes of what a draw is: latents cached for one count are not those of another."""

Poses = tuple[Skeleton, ...]


@dataclass(frozen=True, kw_only=True)
class PoseDrawSettings(WindowSettings):
    """How windows are drawn from footage that its own skeletons drive.

    Attributes:
        augment: what is done to the skeletons.
    """

    augment: PoseAugment = field(default_factory=PoseAugment)

    @property
    def plain(self) -> PoseDrawSettings:
        """The same for previews: whole openings, and skeletons as they are."""
        return replace(super().plain, augment=PoseAugment(bones_share=0.0, box_share=0.0))


def pose_draw(
    frames: Frames,
    poses: Poses,
    prompt: str,
    contract: Contract,
    rng: np.random.Generator,
    settings: PoseDrawSettings,
    *,
    taken: Sequence[int] = (1,),
    auxiliary: Frames | None = None,
) -> Draw:
    """One window of footage beside its skeletons.

    Args:
        frames: a stretch of one clip, RGB, uint8, ``(n, h, w, 3)``, any size.
        poses: of its figures, frame for frame, joints in pixels of ``frames``.
        prompt: looks and motion in English, or nothing.
        contract: says the panel's size and the windows.
        rng: decides everything that is drawn; the same state draws the same.
        settings: shares and augmentation.
        taken: strides that may be drawn, from :func:`strides`.
        auxiliary: what the third panel shows of every frame, of the size of ``frames``, where the contract has one.

    Returns:
        A draw without layers of figures. Its motion is skeletons on black at the panel's size, and they lie exactly
        over the figures where no augmentation moved them.

    Raises:
        InputError: if the footage is too short.
    """
    n, height, width = frames.shape[:3]
    if any(len(skeleton.joints) != n for skeleton in poses):
        raise ValueError(f"{n} frames have poses of {[len(skeleton.joints) for skeleton in poses]}")
    chosen = choose(n, contract, settings, rng, taken)
    window = chosen.window
    box = panel_for(width, height, contract.panel_area, contract.panel_multiple)
    output = fit(frames[chosen.frames], box)[0]
    # What stands beside skeletons stays where it is, so that they stay there too.
    how = settings.augment if auxiliary is None else replace(settings.augment, box_share=0.0)
    # The box of the whole clip is what joints are normalised by, so frames are chosen afterwards.
    moved = augment(poses, width, height, how, rng)
    motion = drawn(at_frames(moved, chosen.frames[window.lead_in :]), box, width)
    history = damaged(output[1 : 1 + window.history], rng) if window.history else None
    told = "" if rng.random() < settings.text_dropped else prompt
    beside = None if auxiliary is None else fit(auxiliary[chosen.frames[window.lead_in :]], box)[0]
    return Draw(window, output[0], motion, output, history, told, auxiliary=beside)


def drawn(poses: Poses, box: Placement, width: int) -> Frames:
    """Skeletons as the motion panel shows them: where a picture of the box would have its figures.

    Args:
        poses: joints in pixels of a picture.
        box: of that picture in its panel.
        width: of the picture, pixels.

    Returns:
        uint8, ``(t, h, w, 3)`` of the panel.
    """
    return draw_skeletons(
        poses, box.panel_height, box.panel_width, scale=box.width / width, left=float(box.x), top=float(box.y)
    )


def at_frames(poses: Poses, frames: NDArray[np.int64]) -> Poses:
    """Skeletons of the frames of the given indices, ``(n,)``."""
    return tuple(replace(skeleton, joints=skeleton.joints[frames]) for skeleton in poses)
