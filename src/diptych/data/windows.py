"""Which frames of footage a training window shows: how long it is, where it begins, whether it opens or goes on.

The same for every kind of drive, skeletons or footage: a window is what a model is asked for at inference. The paper
gives lengths and the masked first second (section 5.1); the rest is in docs/deviations.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from diptych.data.draws import HELD_SHARE, HISTORY_SHARE, TEXT_DROPPED
from diptych.method.contract import Contract
from diptych.method.incontext import Window, continuation, opening
from diptych.types import InputError

S = TypeVar("S", bound="WindowSettings")


@dataclass(frozen=True, kw_only=True)
class WindowSettings:
    """How windows are drawn from footage.

    Attributes:
        shortest: canvas frames of the shortest window, 1 + 4k; windows are as long as the contract's, or where the
            footage is shorter any length from this on. Equal to the contract's, all are of that length.
        history_share: of windows that continue a video.
        far_share: of openings whose reference is any frame of the footage, before or after the motion's beginning. The
            lead-in goes from it there through the frames between, however fast that is. In all others it is the frame
            before the lead-in, from which no pose is far away, as it may be at inference.
        held_share: of windows whose driver ends early, as in the last window of a video; the footage stops with it.
        text_dropped: share of draws without a prompt.
    """

    shortest: int
    history_share: float = HISTORY_SHARE
    far_share: float = 0.0
    held_share: float = HELD_SHARE
    text_dropped: float = TEXT_DROPPED

    @property
    def plain(self: S) -> S:
        """The same for previews: openings of consecutive frames, with their prompts unless none is ever told."""
        return replace(
            self, history_share=0.0, far_share=0.0, held_share=0.0, text_dropped=float(self.text_dropped == 1)
        )


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


def fits(length: int, settings: WindowSettings) -> bool:
    """Whether footage of so many frames has room for the shortest window."""
    return length >= settings.shortest


def choose(
    length: int,
    contract: Contract,
    settings: WindowSettings,
    rng: np.random.Generator,
    taken: Sequence[int] = (1,),
) -> Chosen:
    """Chooses a window in footage.

    An opening shows consecutive frames, the first of which is the reference; or its reference is far away
    (:attr:`WindowSettings.far_share`). A window that continues a video shows some earlier frame as its reference, then
    consecutive ones, the first of which are its history.

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
    if settings.far_share and not window.history and rng.random() < settings.far_share:
        lead_in = window.first_new
        way = np.linspace(rng.integers(0, length), shown[lead_in], lead_in + 1)
        shown[:lead_in] = np.rint(way[:lead_in]).astype(np.int64)
    return Chosen(window, shown)


def _length(shortest: int, longest: int, rng: np.random.Generator) -> int:
    """The longest window half of the time, else any length between."""
    if shortest == longest or rng.random() < 0.5:
        return longest
    return shortest + 4 * int(rng.integers(0, (longest - shortest) // 4 + 1))
