"""How a clip differs from itself over time: what its motion leaves whoever performs it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def detrended_distances(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Distances between any two moments, less their mean over equal lags.

    Args:
        rows: every moment as numbers, less their mean over time, ``(t, n)``.

    Returns:
        The table, symmetric, ``(t, t)``, and the norm that it had before the means were taken off.
    """
    squares = np.sum(rows**2, axis=1)
    table = np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0))
    whole = float(np.linalg.norm(table))
    for lag in range(len(table)):
        i = np.arange(len(table) - lag)
        table[i, i + lag] -= table[i, i + lag].mean()
        table[i + lag, i] = table[i, i + lag]
    return table, whole
