"""A judge that asks nobody: the four dimensions by measurement, from pixels and optical flow (paper section 5.2).

It sees what every judge sees, the made video, the reference and the driver, and never the right answer. What it
measures are symptoms (``diptych.experts.symptoms``), each about 0 where nothing is wrong and larger where more is. They
become scores by ``measured_calibration.json``: a weight for every symptom and a falling curve for every dimension,
fitted where the right answer is known exactly (benchmarks/measured_judge.py). How far it agrees there, and where it
does not, is in docs/judging.md. It was fitted on puppets of about 64 x 64 pixels: of real footage it may say which of
two videos is better, and its numbers mean little.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from diptych.experts.symptoms import LARGEST_SIDE, symptoms_of
from diptych.method.judging import DIMENSIONS, HIGHEST, LOWEST, Dimension, Opinion, Performance, Verdict

SYMPTOMS: dict[Dimension, tuple[str, ...]] = {
    "imaging_quality": ("softness", "roughness", "dull_edges", "veil", "stray_colours"),
    "motion_smoothness": ("off_rhythm", "off_pace", "jerk", "stall"),
    "temporal_consistency": ("warp_error", "flicker", "unsteady_flow", "off_rhythm"),
    "appearance_consistency": ("palette", "whole_palette", "foreign_colours"),
}
"""What each dimension is judged by."""

_FILE = "measured_calibration.json"


class Curve(BaseModel):
    """From the symptoms of one dimension to its score.

    Severity is the sum of ``weight * log(1 + symptom / scale)``; the score falls along the line through ``knots``.

    Attributes:
        scales: of each symptom, above which it grows by its logarithm.
        weights: of each symptom, >= 0.
        severity: of the knots, rising.
        score: at the knots, falling, 1..5.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    scales: dict[str, Annotated[float, Field(gt=0)]]
    weights: dict[str, Annotated[float, Field(ge=0)]]
    severity: Annotated[list[float], Field(min_length=2)]
    score: Annotated[list[Annotated[float, Field(ge=LOWEST, le=HIGHEST)]], Field(min_length=2)]

    @model_validator(mode="after")
    def _falls(self) -> Curve:
        if len(self.severity) != len(self.score) or self.scales.keys() != self.weights.keys():
            raise ValueError("every knot has a severity and a score, every symptom a scale and a weight")
        if (np.diff(self.severity) <= 0).any() or (np.diff(self.score) > 0).any():
            raise ValueError("severity rises and scores fall from knot to knot")
        return self

    def severity_of(self, symptoms: Mapping[str, float]) -> float:
        """How bad it is, >= 0 for symptoms >= 0."""
        return sum(w * math.log1p(symptoms[name] / self.scales[name]) for name, w in self.weights.items())

    def score_of(self, symptoms: Mapping[str, float]) -> float:
        """1..5; a larger symptom never makes it better."""
        return float(np.interp(self.severity_of(symptoms), self.severity, self.score))


class Calibration(BaseModel):
    """A curve for every dimension, and how they were fitted.

    Attributes:
        version: of this format.
        curves: by dimension.
        fitted: command, seeds and what else people may want to know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: Literal[1] = 1
    curves: dict[Dimension, Curve]
    fitted: dict[str, Any] = {}

    @model_validator(mode="after")
    def _whole(self) -> Calibration:
        for dimension, names in SYMPTOMS.items():
            if dimension not in self.curves or set(self.curves[dimension].weights) != set(names):
                raise ValueError(f"{dimension} is judged by {', '.join(names)}")
        return self


@dataclass(frozen=True)
class MeasuredJudge:
    """Scores by measurement. The same video gives the same scores, so nothing is asked twice.

    Attributes:
        calibration: from symptoms to scores; None is the one that comes with the package.
    """

    calibration: Calibration | None = None

    def __call__(self, performance: Performance) -> Verdict:
        """Scores one performance; see :class:`diptych.method.judging.Judge`.

        Raises:
            ValueError: if driver and made video differ in length.
        """
        calibration = self.calibration or bundled()
        found = symptoms_of(performance)
        opinions: dict[Dimension, Opinion] = {}
        failed: dict[Dimension, str] = {}
        for dimension in DIMENSIONS:
            if all(name in found for name in SYMPTOMS[dimension]):
                opinions[dimension] = Opinion((calibration.curves[dimension].score_of(found),))
            else:
                failed[dimension] = "The video has too few frames for motion to be measured."
        return Verdict(opinions, failed, {name: round(value, 5) for name, value in found.items()})


@lru_cache(maxsize=1)
def bundled() -> Calibration:
    """The calibration that comes with the package."""
    return Calibration.model_validate_json(_bundled_text())


def settings_of() -> Mapping[str, Any]:
    """Everything but the performance that measured verdicts depend on, as plain data."""
    return {
        "symptoms": {dimension: list(names) for dimension, names in SYMPTOMS.items()},
        "largest_side": LARGEST_SIDE,
        "calibration": hashlib.sha256(_bundled_text().encode()).hexdigest(),
    }


def _bundled_text() -> str:
    return files("diptych.experts").joinpath(_FILE).read_text(encoding="utf-8")


# --- fitting --------------------------------------------------------------------------------------------------------


def fitted_curve(
    names: Sequence[str], symptoms: Sequence[Mapping[str, float]], wanted: Sequence[float], knots: int = 9
) -> Curve:
    """The curve that comes nearest to known scores: weights by least squares, none below zero, then a falling line.

    Args:
        names: of the symptoms.
        symptoms: of every example.
        wanted: score of every example, 1..5.
        knots: of the line, at most.
    """
    table = np.array([[one[name] for name in names] for one in symptoms], np.float64)
    scales = np.maximum(np.median(table, axis=0), 1e-3 + 0.1 * table.mean(axis=0))
    bent, lost = np.log1p(table / scales), HIGHEST - np.asarray(wanted, np.float64)
    # A constant beside the weights, since even a perfect video has symptoms of a kind; the line takes it up.
    columns = np.column_stack([bent, np.ones(len(bent))])
    weights = _least_squares_above_zero(columns, lost)[:-1]
    severity = bent @ weights
    at = np.unique(np.quantile(severity, np.linspace(0, 1, knots)).round(6))
    if len(at) < 2:
        at = np.array([0.0, 1.0])
    heights = _falling_line(at, severity, np.asarray(wanted, np.float64))
    return Curve(
        scales=dict(zip(names, map(float, scales.round(6)), strict=True)),
        weights=dict(zip(names, map(float, weights.round(6)), strict=True)),
        severity=[float(value) for value in at],
        score=[float(value) for value in heights.round(4)],
    )


def _least_squares_above_zero(a: np.ndarray, b: np.ndarray, rounds: int = 20_000) -> np.ndarray:
    """The x >= 0, its last entry free, that makes ``a @ x`` nearest to b; by projected gradients."""
    square, goal = a.T @ a, a.T @ b
    step, x = 1 / float(np.linalg.eigvalsh(square)[-1]), np.zeros(a.shape[1])
    for _ in range(rounds):
        x = x - step * (square @ x - goal)
        x[:-1] = np.maximum(x[:-1], 0)
    return x


def _falling_line(at: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Heights at the knots of the line that comes nearest to the points and never rises, within 1..5."""
    place = np.clip(np.searchsorted(at, x, side="right") - 1, 0, len(at) - 2)
    share = np.clip((x - at[place]) / (at[place + 1] - at[place]), 0, 1)
    # Height k is the first one less so many falls, none below zero.
    hats = np.zeros((len(x), len(at)))
    hats[np.arange(len(x)), place], hats[np.arange(len(x)), place + 1] = 1 - share, share
    falls = np.tril(np.ones((len(at), len(at))), -1)[:, : len(at) - 1]
    found = _least_squares_above_zero(np.column_stack([-hats @ falls, np.ones(len(x))]), y)
    return np.asarray(np.clip(found[-1] - falls @ found[:-1], LOWEST, HIGHEST))
