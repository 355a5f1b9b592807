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

from diptych.data.draws import HELD_SHARE, HISTORY_SHARE, TEXT_DROPPED, Draw, damaged
from diptych.media.draw import draw_skeletons
from diptych.media.frame import Placement, fit, panel_for
from diptych.method.contract import Contract
from diptych.method.incontext import Window, continuation, opening
from diptych.method.pose_augment import PoseAugment, augment
from diptych.types import Frames, InputError, Skeleton

POSE_DRAWS = 1
"""Counts the changes of what a draw is: latents cached for one count are not those of another."""

Poses = tuple[Skeleton, ...]


@dataclass(frozen=True, kw_only=True)
class PoseDrawSettings:
    """How windows are drawn from footage.

    Attributes:
        shortest: canvas frames of the shortest window, 1 + 4k; windows are as long as the contract's, or where the
            footage is shorter any length from this on. Equal to the contract's, all are of that length.
        history_share: of windows that continue a video.
        held_share: of windows whose driver ends early, as in the last window of a video; the footage stops with it.
        text_dropped: share of draws without a prompt.
        augment: what is done to the skeletons.
    """

    shortest: int
    history_share: float = HISTORY_SHARE
    held_share: float = HELD_SHARE
    text_dropped: float = TEXT_DROPPED
    augment: PoseAugment = field(default_factory=PoseAugment)


@dataclass(frozen=True)
class Chosen:
    """Which frames of a stretch of footage a window shows.

    Attributes:
        window: its time axis.
        frames: index of the frame that each canvas frame shows, int, ``(t,)``; the first is the reference's.
    """

    window: Window
    frames: NDArray[np.int64]


def strides(fps: float, contract: Contract) -> tuple[int, ...]:
    """Every how many frames of footage may be taken so that the rate is one the contract knows; at least 1."""
    low, high = contract.fps
    most = max(1, int(fps / low * 1.001))
    # As at inference, rates are averages: 30.01 frames a second are not too many.
    return tuple(n for n in range(1, most + 1) if fps / n <= high * 1.05) or (most,)


def fits(length: int, settings: PoseDrawSettings) -> bool:
    """Whether footage of so many frames has room for the shortest window."""
    return length >= settings.shortest


def choose(
    length: int,
    contract: Contract,
    settings: PoseDrawSettings,
    rng: np.random.Generator,
    taken: Sequence[int] = (1,),
) -> Chosen:
    """Chooses a window in footage.

    An opening shows consecutive frames, the first of which is the reference. A window that continues a video shows some
    earlier frame as its reference, then consecutive ones, the first of which are its history.

    Args:
        length: frames there are.
        contract: says how long windows, lead-ins and histories are.
        settings: shares.
        rng: decides.
        taken: strides that may be drawn, rising; those that leave no room are not.

    Raises:
        InputError: if there is no room for the shortest window.
    """
    if not fits(length, settings):
        raise InputError(
            f"footage of {length} frames is too short for windows of {settings.shortest}; take longer clips, or a "
            "shorter window by --set draws.shortest."
        )
    roomy = [n for n in taken if (settings.shortest - 1) * n < length]
    stride = int(rng.choice(roomy)) if roomy else 1
    room = 1 + (length - 1) // stride
    longest = min(contract.window_frames, 1 + (room - 1) // 4 * 4)
    # Long windows are what is made later; the shorter ones are for footage that has no more.
    frames = longest if longest < contract.window_frames else _length(settings.shortest, longest, rng)
    if rng.random() < settings.history_share and contract.history + 1 < frames:
        window = continuation(frames, contract.history)
    else:
        window = opening(frames, min(contract.lead_in, frames - 4))
    first = int(rng.integers(0, length - (frames - 1) * stride))
    shown = first + stride * np.arange(frames)
    if window.history and first > 0:
        shown[0] = rng.integers(0, first + 1)
    if rng.random() < settings.held_share:
        last = int(rng.integers(window.first_new, frames))
        shown[last:] = shown[last]
    return Chosen(window, shown)


def _length(shortest: int, longest: int, rng: np.random.Generator) -> int:
    """The longest window half of the time, else any length between."""
    if shortest == longest or rng.random() < 0.5:
        return longest
    return shortest + 4 * int(rng.integers(0, (longest - shortest) // 4 + 1))


def pose_draw(
    frames: Frames,
    poses: Poses,
    prompt: str,
    contract: Contract,
    rng: np.random.Generator,
    settings: PoseDrawSettings,
    *,
    taken: Sequence[int] = (1,),
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
    # The box of the whole clip is what joints are normalised by, so frames are chosen afterwards.
    moved = augment(poses, width, height, settings.augment, rng)
    motion = drawn(_at(moved, chosen.frames[window.lead_in :]), box, width)
    history = damaged(output[1 : 1 + window.history], rng) if window.history else None
    told = "" if rng.random() < settings.text_dropped else prompt
    return Draw(window, output[0], motion, output, history, told)


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


def _at(poses: Poses, frames: NDArray[np.int64]) -> Poses:
    return tuple(replace(skeleton, joints=skeleton.joints[frames]) for skeleton in poses)
