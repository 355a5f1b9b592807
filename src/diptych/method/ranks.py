"""Whether two rows of numbers put the same things in the same order, as judges are compared with each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's rank correlation, equals sharing the mean of their ranks.

    Returns:
        -1 (opposite order) .. 1 (same order); NaN where one of them is constant or there are fewer than two.

    Raises:
        ValueError: if they differ in length.
    """
    x, y = (_ranks(values) for values in _alike(a, b))
    x, y = x - x.mean() if len(x) else x, y - y.mean() if len(y) else y
    size = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / size if size else math.nan


def kendall(a: Sequence[float], b: Sequence[float]) -> float:
    """Kendall's tau-b: pairs in the same order less pairs in opposite order, corrected for equals.

    Returns:
        As :func:`spearman`.

    Raises:
        ValueError: if they differ in length.
    """
    x, y = (np.sign(values[:, None] - values[None]) for values in _alike(a, b))
    size = math.sqrt(float(np.sum(x * x)) * float(np.sum(y * y)))
    return float(np.sum(x * y)) / size if size else math.nan


def _alike(a: Sequence[float], b: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"two rows of one length are needed, not of {x.shape} and {y.shape}")
    return x, y


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[index], np.float64)
