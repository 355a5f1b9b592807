"""The nouns that rooms hand to each other. All are frozen; a changed value is a new value."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
"""RGB pixels, uint8, shape ``(t, h, w, 3)``."""

Picture = NDArray[np.uint8]
"""One RGB picture, uint8, shape ``(h, w, 3)``."""


class InputError(Exception):
    """The user's input cannot be used. The message is one sentence that names the file or option and the remedy.

    The command line prints it without a traceback and exits with code 2.
    """


@dataclass(frozen=True, eq=False)
class Clip:
    """A short video held in memory.

    Attributes:
        frames: RGB, uint8, ``(t, h, w, 3)``, t >= 1.
        times: presentation time of every frame in seconds, strictly rising, length t. Exact: sums of ticks of the
            file's time base, never floats.
        duration: seconds from the first frame's time to the end of the last frame.
        audio: the file whose audio belongs to the clip, or None.
    """

    frames: Frames
    times: tuple[Fraction, ...]
    duration: Fraction
    audio: Path | None = None

    @classmethod
    def at_fps(cls, frames: Frames, fps: Fraction | int, audio: Path | None = None) -> Clip:
        """A clip of constant frame rate that starts at time zero.

        Args:
            frames: RGB, uint8, ``(t, h, w, 3)``.
            fps: frames per second, exact.
            audio: the file whose audio belongs to the clip.
        """
        rate = Fraction(fps)
        return cls(frames, tuple(Fraction(i) / rate for i in range(len(frames))), len(frames) / rate, audio)

    @property
    def fps(self) -> Fraction:
        """Average frames per second over the whole clip."""
        return len(self.frames) / self.duration


@dataclass(frozen=True)
class Box:
    """An upright box in a picture, pixels: x right, y down; ``right`` and ``bottom`` are its far edges.

    Fractions of pixels are allowed.
    """

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels from left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        """The middle, x and y."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


@dataclass(frozen=True)
class Stand:
    """Where the figures of a picture stand and how large they are; the mean, where there are several.

    Attributes:
        x: of the root (a biped's pelvis) of a figure at rest in this place, pixels from the picture's left edge; may
            lie outside.
        y: the same from the upper edge.
        height: of the body, pixels, whatever the pose and however much of it is in the picture.
    """

    x: float
    y: float
    height: float

    def scaled(self, scale: float) -> Stand:
        """The same in a picture whose sides are ``scale`` times as long."""
        return Stand(self.x * scale, self.y * scale, self.height * scale)


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Joints of every figure in every frame of a clip.

    Attributes:
        names: joint names, length j. Not every rig has every joint.
        joints: x, y in pixels (x right, y down, 0 at the left or top edge of the picture) and confidence in [0, 1]
            (0 = this figure has no such joint, or it was not found), float32, ``(t, figures, j, 3)``.
        bones: pairs of indices into ``names`` that are joined by a limb.
    """

    names: tuple[str, ...]
    joints: NDArray[np.float32]
    bones: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Sample:
    """What the model is asked for: this reference, in this motion, described by this prompt.

    Attributes:
        reference: RGB, uint8, ``(h, w, 3)``.
        motion: driving frames, RGB, uint8, ``(t, h', w', 3)``: drawn skeletons or raw footage, the model is not told.
        prompt: the fused text of the paper's section 3.3, or an empty string.
    """

    reference: Picture
    motion: Frames
    prompt: str = ""


@dataclass(frozen=True, eq=False)
class Triplet:
    """A sample together with its right answer, for training and for measuring.

    Attributes:
        sample: reference, motion and prompt.
        target: the reference's character in the driver's motion, RGB, uint8, ``(t, h, w, 3)``, frame for frame with
            ``sample.motion``.
    """

    sample: Sample
    target: Frames
