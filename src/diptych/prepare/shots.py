"""Where footage cuts from one shot to the next, and how sharp and how lively each frame is.

Everything is measured in one pass over the frames, on a small copy of each; what is kept of a frame is a handful of
numbers, so a feature film costs no more memory than a clip. A cut is a frame that differs from the one before in colour
*and* in place, far more than its neighbours do: fast motion changes pixels but keeps colours, a change of light keeps
edges but shifts colours, and both go on for several frames. A jump within one scene keeps most colours; it stands out
only where the scene is quiet. Cross-fades are not looked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.media.frame import resize
from diptych.media.video import TimedFrame
from diptych.types import Picture

Floats = NDArray[np.float32]

CUT_COLOURS = 0.30
"""Histograms of a cut's two sides share at most 1 minus this."""
CUT_PIXELS = 0.055
"""Mean change of a pixel across a cut is at least this share of the range."""
CUT_RISE = 2.5
"""A cut's change is at least so many times the largest within a few frames on its quieter side."""
JUMP_PIXELS = 0.015
"""Mean change of a pixel across a cut within one scene, whose colours stay, is at least this share of the range."""
JUMP_RISE = 4.0
"""Such a cut's change is at least so many times the largest within a few frames on both sides."""
UNDONE = 0.8
"""Of the colours that a flash changed, at least 1 minus this share are what they were once it has gone."""
BLANK = 3.0
"""Levels (0..255) of spread below which a frame shows nothing: black, white, one colour."""

_SMALL = 64  # longer side of the copy that cuts and motion are measured on
_BLUR_SIDE = 480  # longer side of the copy that blur is measured on
_BLUR_EVERY = 4  # frames
_LAG = 6  # frames between the two that motion is measured on
_NEAR = 4  # frames on each side that a cut must rise above
_FLASH = 3  # frames: what is back to what it was by then was a flash, no cut


@dataclass(frozen=True, eq=False)
class Footage:
    """What was measured of every frame of a video, in the order of display; arrays of length t.

    Attributes:
        times: seconds, exact, and one more for the end of the last frame.
        width: pixels, of the frames.
        height: pixels.
        pixels: mean change since the frame before, 0..1.
        colours: distance of colour histograms to the frame before, 0 (same) .. 1 (nothing in common).
        flash: the same to the frame ``3`` before: near 0 where a change was undone at once.
        motion: change of the liveliest twentieth of the picture since ``6`` frames ago, levels 0..255.
        blur: 0 (sharp) .. 1 (nothing but blur), measured on every fourth frame, held in between.
        blank: whether the frame shows nothing.
    """

    times: tuple[Fraction, ...]
    width: int
    height: int
    pixels: Floats
    colours: Floats
    flash: Floats
    motion: Floats
    blur: Floats
    blank: NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.pixels)


def measure(frames: Iterable[TimedFrame]) -> Footage:
    """Looks at every frame once.

    Args:
        frames: in the order of display, all of one size, at least one.
    """
    times: list[Fraction] = []
    rows: list[tuple[float, ...]] = []
    seen: deque[tuple[Picture, Floats]] = deque(maxlen=_LAG + 1)
    end, blurred, size = Fraction(0), 0.0, (0, 0)
    for number, frame in enumerate(frames):
        size, end = frame.pixels.shape[:2], frame.time + frame.duration
        small = _small(frame.pixels, _SMALL)
        seen.appendleft((small, _histogram(small)))
        if number % _BLUR_EVERY == 0:
            blurred = blur(frame.pixels)
        before, earlier, lagged = (seen[min(lag, len(seen) - 1)] for lag in (1, _FLASH, _LAG))
        difference = np.abs(small.astype(np.int16) - lagged[0]).max(-1)
        rows.append(
            (
                float(np.abs(small.astype(np.int16) - before[0]).mean()) / 255,
                _distance(seen[0][1], before[1]),
                _distance(seen[0][1], earlier[1]),
                float(np.sort(difference, None)[-max(1, difference.size // 20) :].mean()),
                blurred,
                float(small.std((0, 1)).max()),
            )
        )
        times.append(frame.time)
    columns = np.asarray(rows, np.float32).T
    pixels, colours, flash, motion, blurs, spread = columns
    return Footage((*times, end), size[1], size[0], pixels, colours, flash, motion, blurs, spread < BLANK)


def cuts(footage: Footage) -> list[int]:
    """Frames that begin a shot, the first of the video excepted, in order."""
    differs = (footage.colours > CUT_COLOURS) & (footage.pixels > CUT_PIXELS)
    found: list[int] = []
    undone = 0
    for i in np.flatnonzero(differs | (footage.pixels > JUMP_PIXELS)).tolist():
        if i <= undone:
            continue
        # Motion that is fast on both sides is one shot; a cut into or out of a fast one is quiet on the other side.
        before = footage.pixels[max(1, i - _NEAR) : i].max(initial=0.0)
        after = footage.pixels[i + 1 : i + 1 + _NEAR].max(initial=0.0)
        if footage.pixels[i] >= JUMP_RISE * max(before, after):
            found.append(i)
            continue
        if not differs[i] or footage.pixels[i] < CUT_RISE * min(before, after):
            continue
        # A flash comes and goes: a second change follows, after which much is as it was before the first.
        goes = differs[i + 1 : i + _FLASH]
        if goes.any() and footage.flash[i + 1 : i + _FLASH].min() < UNDONE * footage.colours[i]:
            undone = i + _FLASH - 1
            continue
        found.append(i)
    return found


def shots(footage: Footage) -> list[range]:
    """Runs of frames between cuts; blank frames, as between fades, belong to none."""
    borders = set(cuts(footage))
    runs: list[range] = []
    start: int | None = None
    for i in range(len(footage) + 1):
        ends = i == len(footage) or i in borders or bool(footage.blank[i])
        if ends and start is not None:
            runs.append(range(start, i))
            start = None
        if i < len(footage) and not footage.blank[i] and start is None:
            start = i
    return runs


def blur(picture: Picture) -> float:
    """How blurred a picture is, whatever it shows: the share of its local contrast that survives blurring it again.

    A sharp picture loses much of the difference between neighbours when it is blurred, a blurred one little (Crete et
    al., "The blur effect", 2007). Large pictures are measured at 480 pixels on their longer side.

    Returns:
        0 (sharp) .. 1; 1 for a picture of one colour.
    """
    grey = cv2.cvtColor(_small(picture, _BLUR_SIDE), cv2.COLOR_RGB2GRAY).astype(np.float32)
    worst = 0.0
    for axis, kernel in ((0, (1, 9)), (1, (9, 1))):
        again = cv2.blur(grey, kernel)
        sharp, soft = np.abs(np.diff(grey, axis=axis)), np.abs(np.diff(again, axis=axis))
        total = float(sharp.sum())
        lost = float(np.maximum(sharp - soft, 0).sum())
        worst = max(worst, 1.0 if total <= 0 else 1 - lost / total)
    return worst


def _small(pixels: Picture, side: int) -> Picture:
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    return np.asarray(resize(pixels, max(1, round(width * scale)), max(1, round(height * scale))))


def _histogram(small: Picture) -> Floats:
    """Colours of the picture's four quarters, 4 x 4 x 4 levels each, every quarter summing to 1, ``(4, 64)``."""
    levels = (small >> 6).astype(np.int64)
    codes = levels[..., 0] * 16 + levels[..., 1] * 4 + levels[..., 2]
    half = codes.shape[0] // 2, codes.shape[1] // 2
    rows, columns = ((slice(h), slice(h, None)) for h in half)
    quarters = [codes[y, x] for y in rows for x in columns]
    return np.stack([np.bincount(q.ravel(), minlength=64) / max(1, q.size) for q in quarters]).astype(np.float32)


def _distance(one: Floats, other: Floats) -> float:
    return float(1 - np.minimum(one, other).sum() / len(one))
