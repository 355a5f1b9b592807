"""How close a result is to the right answer, pixel by pixel: PSNR, PSNR of the figure, SSIM, and any of them over time.

These three are strict: a figure in the right pose one pixel away counts as wrong, and a blurred average of all poses
counts as nearly right. What they cannot tell apart, looks and pose, is measured in ``diptych.bench.seesaw``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.media.psnr import decibels
from diptych.types import Frames

Mask = NDArray[np.uint8]
"""How much of every pixel is covered by figures, 0 to 255, uint8, shape ``(t, h, w)``."""


def psnr_db(result: Frames, truth: Frames) -> float:
    """Peak signal-to-noise ratio of a whole clip.

    The squared error is averaged over all frames, pixels and channels first and turned into decibels once, so one bad
    frame weighs as much as its error. A figure for several clips is the mean of their decibels, which the caller takes.

    Args:
        result: RGB, uint8, ``(t, h, w, 3)``.
        truth: RGB, uint8, of the same shape.

    Returns:
        Decibels, at most ``PSNR_CAP_DB``. Higher is better.

    Raises:
        ValueError: the shapes differ or hold no frame.
    """
    _same_shape(result, truth)
    return decibels(float(np.mean(_squared_error(result, truth))))


def masked_psnr_db(result: Frames, truth: Frames, mask: Mask) -> float:
    """PSNR of the pixels in which the truth shows a figure, so that a large still background cannot carry the number.

    Args:
        result: RGB, uint8, ``(t, h, w, 3)``.
        truth: RGB, uint8, of the same shape.
        mask: uint8, ``(t, h, w)``; pixels that figures cover by at least half (128) count.

    Returns:
        Decibels, at most ``PSNR_CAP_DB``, higher is better; NaN where no pixel counts.

    Raises:
        ValueError: the shapes do not agree.
    """
    _same_shape(result, truth)
    if mask.shape != truth.shape[:3]:
        raise ValueError(f"the mask has shape {mask.shape}, the clip {truth.shape}")
    inside = mask >= 128
    if not inside.any():
        return float("nan")
    return decibels(float(np.mean(_squared_error(result, truth)[inside])))


def ssim(result: Frames, truth: Frames) -> float:
    """Structural similarity of luma, as Wang et al. (2004): Gaussian window of 11 pixels, sigma 1.5, K1 0.01, K2 0.03.

    Only windows that lie wholly inside the picture count. Measured at the clip's own size: a value at 64 pixels cannot
    be compared with one at 512, where the same window sees finer detail.

    Args:
        result: RGB, uint8, ``(t, h, w, 3)``, h and w at least 11.
        truth: RGB, uint8, of the same shape.

    Returns:
        Mean over windows and frames, at most 1, higher is better.

    Raises:
        ValueError: the shapes differ, or a side is below 11 pixels.
    """
    _same_shape(result, truth)
    if min(truth.shape[1:3]) < _WINDOW:
        raise ValueError(f"SSIM needs at least {_WINDOW} x {_WINDOW} pixels, the clip has shape {truth.shape}")
    return float(np.mean([_ssim_of_luma(_luma(a), _luma(b)) for a, b in zip(result, truth, strict=True)]))


@dataclass(frozen=True)
class WindowValue:
    """A measure over frames ``start`` to ``stop`` (exclusive) of a clip."""

    start: int
    stop: int
    value: float


def by_window(measure: Callable[..., float], window: int, *clips: NDArray[Any]) -> tuple[WindowValue, ...]:
    """A measure along a long clip: does the result hold up, or drift?

    Args:
        measure: takes as many arrays as there are ``clips``, e.g. ``psnr_db`` for a result and its truth.
        window: frames a window; a remainder shorter than half a window joins the window before it.
        clips: arrays of one length t >= 1 along their first axis.

    Returns:
        One value a window, in order of time, the windows covering every frame once.

    Raises:
        ValueError: the clips differ in length, or the window is not positive.
    """
    length = len(clips[0])
    if any(len(clip) != length for clip in clips) or length == 0:
        raise ValueError(f"clips of one length are needed, these have {[len(clip) for clip in clips]} frames")
    if window < 1:
        raise ValueError(f"a window has at least one frame, not {window}")
    starts = list(range(0, length, window))
    if len(starts) > 1 and 2 * (length - starts[-1]) < window:
        starts.pop()
    stops = [*starts[1:], length]
    return tuple(
        WindowValue(start, stop, measure(*(clip[start:stop] for clip in clips)))
        for start, stop in zip(starts, stops, strict=True)
    )


_WINDOW = 11
_SIGMA = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def _same_shape(result: Frames, truth: Frames) -> None:
    if result.shape != truth.shape or truth.ndim != 4 or len(truth) == 0:
        raise ValueError(f"result and truth must be clips of one shape, they have {result.shape} and {truth.shape}")


def _squared_error(result: Frames, truth: Frames) -> NDArray[np.float64]:
    """Squared differences with full scale 1, float64, ``(t, h, w, 3)``."""
    return ((result.astype(np.float64) - truth.astype(np.float64)) / 255.0) ** 2


def _luma(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """BT.601 luma in levels 0 to 255, not rounded."""
    weights = np.array([0.299, 0.587, 0.114])
    return np.asarray(picture.astype(np.float64) @ weights)


def _window_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian mean of every window that lies wholly inside."""
    edge = _WINDOW // 2
    return np.asarray(cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA)[edge:-edge, edge:-edge])


def _ssim_of_luma(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    mean_a, mean_b = _window_mean(a), _window_mean(b)
    var_a = _window_mean(a * a) - mean_a**2
    var_b = _window_mean(b * b) - mean_b**2
    covariance = _window_mean(a * b) - mean_a * mean_b
    structure = (2 * covariance + _C2) / (var_a + var_b + _C2)
    brightness = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    return float(np.mean(structure * brightness))
