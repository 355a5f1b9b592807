"""Decibels of an error between pictures: the one place that says what they are of."""

from __future__ import annotations

import math

PSNR_CAP_DB = 100.0
"""What a perfect result scores: below a single error of one level in 17 frames of 64 x 64, which would be 101 dB."""


def decibels(mean_squared_error: float, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio of an error, at most :data:`PSNR_CAP_DB`; higher is better.

    Args:
        mean_squared_error: over frames, pixels and channels, not negative.
        peak: the largest difference two values can have: 1 for pixels in [0, 1], 2 in [-1, 1], 255 for levels.
    """
    if mean_squared_error == 0:
        return PSNR_CAP_DB
    return min(PSNR_CAP_DB, -10 * math.log10(mean_squared_error / peak**2))
