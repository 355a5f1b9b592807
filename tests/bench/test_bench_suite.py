"""A suite run on cases of our own: what is measured, how it is averaged, and what the JSON file holds."""

import json
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from capsule_world import draw

from diptych.bench.baselines import BASELINES, still_reference
from diptych.bench.cases import Case, driver_rigs, puppet_case
from diptych.bench.measures import psnr_db
from diptych.bench.report import best_middle_worst, rank_sheet, ranked, table
from diptych.bench.suite import CEILING, MODEL, Scores, mean_scores, run_suite
from diptych.media.psnr import PSNR_CAP_DB
from diptych.puppets.suite import suite_pairs
from diptych.types import InputError, Sample

FPS = Fraction(12)


def case(number: int, category: str = "plain") -> Case:
    looks, pose = 2 * number, 2 * number + 1
    truth = draw(looks, pose, number, frames=6)
    reference, driver = draw(looks, pose + 50, number, frames=1), draw(looks + 1, pose, number + 9, frames=6)
    return Case(
        f"p{number}", category, Sample(reference.frames[0], driver.frames, "moves"), FPS, truth.frames, truth.mask
    )


CASES = [case(0, "gait"), case(1, "dance"), case(2, "gait")]


def oracle(asked):
    """Knows the truth of every case by its driver."""
    return next(entry.truth for entry in CASES if np.array_equal(entry.sample.motion, asked.sample.motion))


@pytest.fixture(scope="module")
def result():
    return run_suite(lambda asked: still_reference(asked.sample), lambda truth: truth // 2 * 2, CASES)


def test_an_oracle_is_perfect_and_baselines_are_not():
    perfect = run_suite(oracle, None, CASES)
    assert perfect.mean(MODEL) == Scores(PSNR_CAP_DB, PSNR_CAP_DB, 1.0, 0.0, 0.0)
    assert all(perfect.mean(name).psnr_db < 30 for name in BASELINES)
    assert CEILING not in perfect.contestants


def test_a_model_that_returns_the_reference_scores_as_the_baseline(result):
    assert result.mean(MODEL) == result.mean("still_reference")
    assert result.mean(MODEL).motion_error == pytest.approx(1)


def test_the_ceiling_is_the_truth_encoded_and_decoded(result):
    values = [psnr_db(entry.truth // 2 * 2, entry.truth) for entry in CASES]
    assert result.mean(CEILING).psnr_db == pytest.approx(np.mean(values))


def test_the_mean_is_of_pairs_and_of_a_category(result):
    by_pair = [pair.scores[MODEL].psnr_db for pair in result.pairs]
    assert result.mean(MODEL).psnr_db == pytest.approx(np.mean(by_pair))
    assert result.mean(MODEL, "gait").psnr_db == pytest.approx((by_pair[0] + by_pair[2]) / 2)
    assert result.categories == ("gait", "dance")


def test_scores_that_are_no_number_leave_only_their_own_mean():
    good = Scores(10, 20, 0.5, 0.1, 0.2)
    mean = mean_scores([good, replace(good, psnr_db=20, motion_error=math.nan)])
    assert mean == Scores(15, 20, 0.5, 0.1, 0.2)
    assert math.isnan(mean_scores([replace(good, ssim=math.nan)]).ssim)


def test_the_json_file_holds_what_it_must(result):
    plain = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert plain["pairs"] == 3
    assert plain["psnr_db"] == pytest.approx(result.mean(MODEL).psnr_db, abs=1e-5)
    assert plain["ceiling_db"] == pytest.approx(result.mean(CEILING).psnr_db, abs=1e-5)
    assert set(plain["baselines"]) == {"still_reference", "driver_copied", "moved_reference"}
    assert plain["best_baseline"] == max(plain["baselines"], key=plain["baselines"].get)
    assert [pair["id"] for pair in plain["per_pair"]] == ["p0", "p1", "p2"]
    assert sum(entry["pairs"] for entry in plain["per_category"].values()) == 3
    measures = {"psnr_db", "masked_psnr_db", "ssim", "identity_error", "motion_error"}
    for group in (plain, *plain["per_category"].values(), *plain["per_pair"]):
        assert set(group["measures"]) == {MODEL, CEILING, *BASELINES}
        assert all(set(scores) == measures for scores in group["measures"].values())


def test_a_value_that_does_not_exist_is_null():
    blind = replace(CASES[0], mask=np.zeros_like(CASES[0].mask))
    plain = run_suite(oracle, None, [blind]).to_json()
    assert plain["ceiling_db"] is None
    assert plain["measures"][MODEL]["masked_psnr_db"] is None
    json.dumps(plain, allow_nan=False)


def test_progress_and_pairs_stream_one_by_one():
    log = []

    def animate(asked):
        log.append("animate")
        return still_reference(asked.sample)

    run_suite(animate, None, CASES, progress=lambda done, total, name: log.append((done, total, name)))
    assert log == ["animate", (1, 3, "p0"), "animate", (2, 3, "p1"), "animate", (3, 3, "p2")]


@pytest.mark.parametrize("bad", [lambda truth: truth[:-1], lambda truth: truth.astype(np.float32), lambda t: t[:, 1:]])
def test_frames_of_the_wrong_shape_name_the_pair(bad):
    with pytest.raises(ValueError, match="pair p0"):
        run_suite(lambda asked: bad(still_reference(asked.sample)), None, CASES)
    with pytest.raises(ValueError, match="encode-decode"):
        run_suite(oracle, bad, CASES)


def test_a_suite_without_pairs_is_refused():
    with pytest.raises(ValueError, match="no pairs"):
        run_suite(oracle, None, [])


def test_the_table_fits_a_terminal_and_names_everybody(result):
    text = table(result)
    assert max(map(len, text.splitlines())) <= 80
    for word in ("model", "ceiling", "still reference", "driver copied", "moved reference", "gait", "dance", "3 pairs"):
        assert word in text
    assert f"{result.mean(MODEL).psnr_db:.2f}" in text


def rescored(result, values):
    pairs = [
        replace(
            result.pairs[0],
            id=name,
            scores={**result.pairs[0].scores, MODEL: replace(result.pairs[0].scores[MODEL], psnr_db=value)},
        )
        for name, value in values
    ]
    return replace(result, pairs=tuple(pairs))


def test_rank_is_by_psnr_and_ties_by_id(result):
    tied = rescored(result, [("b", 10.0), ("c", 20.0), ("a", 10.0)])
    assert [pair.id for pair in ranked(tied)] == ["c", "a", "b"]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 9, 10, 64])
def test_best_middle_and_worst_are_disjoint_and_in_order(result, count):
    many = rescored(result, [(f"{i:02}", float(i)) for i in range(count)])
    groups = best_middle_worst(many, 3)
    values = [int(pair.id) for group in groups for pair in group]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == len(values)
    assert values[0] == count - 1
    if count >= 3:
        assert values[-1] == 0
    if count == 64:
        assert values == [63, 62, 61, 33, 32, 31, 2, 1, 0]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_rank_sheet_shows_every_group_there_is(result, count):
    few = rescored(result, [(str(i), float(i)) for i in range(count)])
    sheet = rank_sheet(few, k=1, columns=3, height=32)
    assert sheet.dtype == np.uint8
    assert sheet.shape[2] == 3
    one = rank_sheet(rescored(result, [("0", 0.0)]), k=1, columns=3, height=32)
    assert sheet.shape == (one.shape[0], count * one.shape[1], 3)


def test_the_rank_sheet_shows_the_pixels_of_the_result(result):
    green = np.full_like(result.pairs[0].strip.result, (0, 255, 0))
    marked = replace(result.pairs[0], strip=replace(result.pairs[0].strip, result=green))
    sheet = rank_sheet(replace(result, pairs=(marked,)), k=1, columns=4, height=64)
    assert np.all(sheet == (0, 255, 0), axis=-1).sum() == 4 * 64 * 64
    assert not np.all(rank_sheet(result, k=1, columns=4, height=64) == (0, 255, 0), axis=-1).any()


def test_a_named_suite_is_drawn_pair_by_pair():
    done = []
    few = run_suite(
        lambda asked: still_reference(asked.sample),
        suite="puppets-v1",
        progress=lambda *report: done.append(report),
        first=2,
    )
    assert few.suite == "puppets-v1, first 2"
    assert done == [(1, 2, few.pairs[0].id), (2, 2, few.pairs[1].id)]
    assert few.mean(MODEL) == few.mean("still_reference")
    with pytest.raises(InputError, match="no evaluation suite"):
        run_suite(lambda asked: still_reference(asked.sample), suite="nonsense")


def test_a_part_of_a_suite_is_called_that():
    part = run_suite(
        lambda asked: still_reference(asked.sample),
        suite="puppets-v1",
        first=1,
        only=lambda pair: set(driver_rigs(pair)) == {"quadruped"},
    )
    assert part.suite == "puppets-v1, 1 chosen pairs, first 1"
    assert part.pairs[0].category == "quadruped"


def test_a_puppet_case_is_the_suites_own_pair():
    pair = suite_pairs("puppets-v1")[5]
    drawn, clips = puppet_case(pair), pair.clips()
    assert np.array_equal(drawn.truth, clips["truth"])
    assert np.array_equal(drawn.sample.motion, clips["driving"])
    assert drawn.skeleton is not None
    assert drawn.skeleton.joints.shape[:2] == (len(clips["driving"]), len(drawn.rigs))
    assert np.array_equal(drawn.sample.reference, clips["reference"][0])
    assert drawn.mask.shape == drawn.truth.shape[:3]
    assert drawn.sample.prompt == pair.pair.caption
    assert np.allclose(np.diff(pair.times), 1 / float(drawn.fps))
