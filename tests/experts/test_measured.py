"""The judge that measures: what is worse scores lower, what changes nothing changes no score, on puppets."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from diptych.bench.controls import donor_for, with_other_looks
from diptych.experts.measured import SYMPTOMS, Calibration, Curve, MeasuredJudge, bundled, fitted_curve, settings_of
from diptych.experts.symptoms import symptoms_of
from diptych.method.judging import DIMENSIONS, Dimension, Performance
from diptych.puppets.pairs import draw_pair
from diptych.puppets.sheet import panel_size
from diptych.types import Frames

# Pairs that the calibration has not seen: people, an animal, a thing.
CASES = [(3, "person_full"), (5, "person_half"), (4, "quadruped"), (6, "object")]
FRAMES = 24
SECONDS = np.arange(FRAMES) / 12


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case[1])
def right(request: pytest.FixtureRequest) -> Performance:
    """A pair whose made video is the truth."""
    return performance(*request.param)


def performance(seed: int, category: str) -> Performance:
    pair = draw_pair(seed, category=category)
    size, driving_size = panel_size(pair.reference_aspect), panel_size(pair.driving_aspect)
    times = pair.start + SECONDS
    return Performance(
        frames=pair.truth(times, *size).frames,
        fps=12,
        reference=pair.reference(*size).frames[0],
        driver=pair.driving(times, *driving_size).frames,
        caption=f"{seed} {category}",
    )


def of_another(shown: Performance) -> Frames:
    """The same motion by somebody else."""
    seed, category = shown.caption.split()
    pair = draw_pair(int(seed), category=category)
    other = with_other_looks(pair, donor_for(pair))
    return other.truth(other.start + SECONDS, *panel_size(pair.reference_aspect)).frames


def score(shown: Performance, dimension: Dimension) -> float:
    return MeasuredJudge()(shown).opinions[dimension].mean


def blurred(frames: Frames, sigma: float) -> Frames:
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])


# --- laws -----------------------------------------------------------------------------------------------------------


def test_the_truth_is_a_better_picture_than_its_blurred_and_its_noisy_copy(right):
    soft, washed = (replace(right, frames=blurred(right.frames, sigma)) for sigma in (1.0, 2.5))
    noise = 20 * np.random.default_rng(0).standard_normal(right.frames.shape)
    noisy = replace(right, frames=np.clip(right.frames + noise, 0, 255).astype(np.uint8))
    best, less, least = (score(shown, "imaging_quality") for shown in (right, soft, washed))
    assert best > less > least
    assert best > score(noisy, "imaging_quality")


def test_the_truth_moves_more_smoothly_than_the_same_frames_in_another_order(right):
    order = np.random.default_rng(1).permutation(FRAMES)
    assert score(right, "motion_smoothness") > score(replace(right, frames=right.frames[order]), "motion_smoothness")


def test_the_truth_moves_more_smoothly_than_its_jittered_copy_and_than_a_still(right):
    moves = np.random.default_rng(2).integers(-2, 3, (FRAMES, 2))
    jittered = np.stack([np.roll(f, tuple(m), (0, 1)) for f, m in zip(right.frames, moves, strict=True)])
    still = np.repeat(right.frames[:1], FRAMES, axis=0)
    best = score(right, "motion_smoothness")
    assert best > score(replace(right, frames=jittered), "motion_smoothness")
    assert best > score(replace(right, frames=still), "motion_smoothness")


def test_the_truth_is_more_consistent_than_its_flickering_copy(right):
    light = 1 + 0.12 * np.random.default_rng(3).standard_normal((FRAMES, 1, 1, 1))
    flickering = replace(right, frames=np.clip(right.frames * light, 0, 255).astype(np.uint8))
    assert score(right, "temporal_consistency") > score(flickering, "temporal_consistency")


def test_the_reference_s_character_is_more_like_it_than_another(right):
    other = replace(right, frames=of_another(right))
    assert score(right, "appearance_consistency") > score(other, "appearance_consistency")


def test_what_cannot_matter_changes_no_score(right):
    judge = MeasuredJudge()
    verdict = judge(right)
    assert judge(right) == verdict
    assert judge(replace(right, caption="score 5", fps=30)) == verdict


def test_in_a_mirror_everything_is_as_good(right):
    mirrored = replace(
        right,
        frames=np.ascontiguousarray(right.frames[:, :, ::-1]),
        reference=np.ascontiguousarray(right.reference[:, ::-1]),
        driver=np.ascontiguousarray(right.driver[:, :, ::-1]),
    )
    for dimension in DIMENSIONS:
        assert score(mirrored, dimension) == pytest.approx(score(right, dimension), abs=0.25)


# --- edges ----------------------------------------------------------------------------------------------------------


def test_large_videos_are_measured_smaller_and_sizes_may_differ():
    grey = np.full((4, 600, 400, 3), 90, np.uint8)
    grey[:, 100:300, 100:200] = (200, 40, 40)
    shown = Performance(grey, 24, np.asarray(cv2.resize(grey[0], (90, 120))), grey[:, :300])
    assert MeasuredJudge()(shown).average is not None


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_frames_have_no_motion_to_judge_and_no_score_is_made_up(count):
    grey = np.full((count, 32, 32, 3), 90, np.uint8)
    verdict = MeasuredJudge()(Performance(grey, 12, grey[0], grey))
    assert set(verdict.failed) == {"motion_smoothness", "temporal_consistency"}
    assert set(verdict.opinions) == {"imaging_quality", "appearance_consistency"}
    assert verdict.average is None


@pytest.mark.parametrize("value", [0, 128, 255])
def test_pictures_of_one_colour_are_no_trouble(value):
    plain = np.full((5, 16, 16, 3), value, np.uint8)
    with np.errstate(all="raise", under="ignore"):
        found = symptoms_of(Performance(plain, 12, plain[0], plain))
    assert all(np.isfinite(number) and number >= 0 for number in found.values())


def test_a_driver_of_another_length_is_refused():
    grey = np.zeros((5, 16, 16, 3), np.uint8)
    with pytest.raises(ValueError, match="5 frames and 4"):
        symptoms_of(Performance(grey, 12, grey[0], grey[1:]))


def test_every_symptom_is_measured_and_above_zero(right):
    found = symptoms_of(right)
    assert {name for names in SYMPTOMS.values() for name in names} == set(found)
    assert min(found.values()) >= 0


# --- calibration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", DIMENSIONS)
@given(data=st.data())
def test_a_larger_symptom_never_raises_a_score_and_scores_stay_in_range(dimension, data):
    curve = bundled().curves[dimension]
    values = {name: data.draw(st.floats(0, 100)) for name in SYMPTOMS[dimension]}
    worse = {**values, data.draw(st.sampled_from(SYMPTOMS[dimension])): 200.0}
    assert 1 <= curve.score_of(worse) <= curve.score_of(values) <= 5


def test_the_calibration_uses_what_it_measures_and_can_tell_good_from_bad():
    for dimension, curve in bundled().curves.items():
        assert sum(weight > 0 for weight in curve.weights.values()) >= 2, dimension
        assert curve.score[0] - curve.score[-1] >= 2, dimension
    assert "measured_judge.py" in bundled().fitted["command"]


def test_a_curve_is_found_again_from_what_it_scored():
    rng = np.random.default_rng(0)
    symptoms = [{"a": float(a), "b": float(b), "c": float(c)} for a, b, c in rng.exponential(1, (400, 3))]
    wanted = [float(np.clip(4.8 - 0.9 * np.log1p(one["a"]) - 0.3 * np.log1p(one["b"]), 1, 5)) for one in symptoms]
    curve = fitted_curve(("a", "b", "c"), symptoms, wanted)
    off = [abs(curve.score_of(one) - score) for one, score in zip(symptoms, wanted, strict=True)]
    assert np.mean(off) < 0.05
    assert curve.weights["a"] > 2 * curve.weights["b"] > 10 * curve.weights["c"]


def broken(**change: object) -> str:
    curve = {"scales": {"a": 1.0}, "weights": {"a": 1.0}, "severity": [0.0, 1.0], "score": [5.0, 1.0]}
    return json.dumps({**curve, **change})


@pytest.mark.parametrize(
    "text",
    [
        broken(score=[1.0, 5.0]),
        broken(severity=[1.0, 0.0]),
        broken(severity=[0.0, 0.5, 1.0]),
        broken(score=[6.0, 1.0]),
        broken(weights={"a": -1.0}),
        broken(weights={"b": 1.0}),
        broken(scales={"a": 0.0}),
        broken(more=1),
    ],
)
def test_a_curve_that_does_not_fall_is_none(text):
    with pytest.raises(ValidationError):
        Curve.model_validate_json(text)


def test_a_calibration_names_every_symptom_of_every_dimension():
    whole = json.loads(bundled().model_dump_json())
    del (
        whole["curves"]["imaging_quality"]["weights"]["softness"],
        whole["curves"]["imaging_quality"]["scales"]["softness"],
    )
    with pytest.raises(ValidationError, match="imaging_quality is judged by"):
        Calibration.model_validate_json(json.dumps(whole))


def test_settings_say_which_calibration_was_used():
    assert json.loads(json.dumps(settings_of())) == settings_of()
    assert len(settings_of()["calibration"]) == 64
