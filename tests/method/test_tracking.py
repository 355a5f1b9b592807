"""Who is who: laws of the linking first, then puppets with the faults of a detector put in."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diptych.method.skeleton import QUADRUPED, WHOLEBODY
from diptych.method.tracking import (
    FILLED_CONFIDENCE,
    Detections,
    FrameFigures,
    TrackingSettings,
    assign,
    box_around,
    fill_gaps,
    link,
)
from sightings import LEVELS, judged, seen, truth_of


def person(x: float, y: float = 100.0, size: float = 80.0, seed: int = 0, joints: int = 17) -> np.ndarray:
    """A made-up figure of its own build, ``(133, 3)``."""
    shape = np.random.default_rng(seed).uniform(-0.5, 0.5, (joints, 2)) * [0.6, 1.0]
    figure = np.zeros((133, 3), np.float32)
    figure[:joints, :2] = shape * size + [x, y]
    figure[:joints, 2] = 0.9
    return figure


def clip(*frames: list[np.ndarray]) -> list[FrameFigures]:
    return [FrameFigures.of(np.stack(people) if people else None) for people in frames]


def walkers(count: int = 30) -> list[list[np.ndarray]]:
    """Two people who walk through each other."""
    return [[person(40 + 6 * t, seed=1), person(220 - 6 * t, seed=2)] for t in range(count)]


def linked(found: list[FrameFigures], **options) -> np.ndarray:
    return link(found, 260, 200, fps=25, **options)[0][0].joints


# --- laws ----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_order_within_a_frame_means_nothing(seed):
    rng, frames = np.random.default_rng(seed), walkers()
    shuffled = [[figures[i] for i in rng.permutation(len(figures))] for figures in frames]
    np.testing.assert_array_equal(linked(clip(*frames)), linked(clip(*shuffled)))


def test_exact_figures_come_back_as_they_are_from_left_to_right():
    frames = walkers()
    np.testing.assert_array_equal(linked(clip(*frames)), np.stack([np.stack(figures) for figures in frames]))


@pytest.mark.parametrize("scale", [0.25, 1.0, 16.0])
@pytest.mark.parametrize("shift", [0.0, -500.0, 3000.0])
def test_scale_and_place_of_the_picture_mean_nothing(scale, shift):
    truth = truth_of(3, "crossing", 40, 25)
    found = seen(truth, LEVELS["medium"], 1)
    moved = [
        FrameFigures.of(frame.people.joints * np.float32([scale, scale, 1]) + np.float32([shift, shift, 0]))
        for frame in found
    ]
    plain = link(found, 256, 256, fps=25)[0][0].joints
    other = link(moved, round(256 * scale), round(256 * scale), fps=25)[0][0].joints
    assert plain.shape == other.shape
    there = plain[..., 2] > 0
    np.testing.assert_array_equal(there, other[..., 2] > 0)
    np.testing.assert_allclose(other[there][:, :2], plain[there][:, :2] * scale + shift, atol=0.01 * max(scale, 1))


def test_what_is_linked_twice_stays_as_it_is():
    once = linked(seen(truth_of(2, "crossing", 30, 25), LEVELS["mild"], 0))
    again = linked([FrameFigures.of(frame) for frame in once])
    np.testing.assert_array_equal(once, again)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=80, deadline=None)
def test_the_assignment_is_the_cheapest_of_all(rows, columns, seed):
    cost = np.random.default_rng(seed).normal(size=(rows, columns))
    pairs = assign(cost)
    assert len(pairs) == min(rows, columns)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    small, large = min(rows, columns), max(rows, columns)
    square = cost if rows <= columns else cost.T
    best = min(
        sum(square[i, c] for i, c in enumerate(chosen)) for chosen in itertools.permutations(range(large), small)
    )
    assert sum(cost[pair] for pair in pairs) == pytest.approx(best)


def test_nothing_is_assigned_to_nobody():
    assert assign(np.zeros((0, 3))) == []
    assert assign(np.zeros((3, 0))) == []


# --- gaps ----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 14), st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_gaps_are_filled_on_the_straight_line_up_to_a_length_and_never_beyond(missing, longest):
    joints = np.zeros((missing + 6, 1, 2, 3), np.float32)
    t = np.arange(len(joints))
    joints[:, 0, 0] = np.stack([3.0 * t, 10 - 2.0 * t, np.full(len(t), 0.8)], 1)
    whole = joints.copy()
    joints[3 : 3 + missing] = 0
    filled = fill_gaps(joints, longest)
    assert filled == (missing if missing <= longest else 0)
    gap = joints[3 : 3 + missing, 0, 0]
    if missing <= longest:
        np.testing.assert_allclose(gap[:, :2], whole[3 : 3 + missing, 0, 0, :2], atol=1e-4)
        np.testing.assert_allclose(gap[:, 2], 0.8 * FILLED_CONFIDENCE)
    else:
        assert not gap.any()
    assert not joints[:, 0, 1].any()
    np.testing.assert_array_equal(joints[:3], whole[:3])


def test_a_joint_that_is_missing_at_an_end_is_not_invented():
    joints = np.zeros((6, 1, 1, 3), np.float32)
    joints[2:4] = 1
    assert fill_gaps(joints, 10) == 0


@pytest.mark.parametrize(("missing", "filled"), [(10, True), (11, False)])
def test_a_figure_out_of_sight_for_up_to_four_tenths_of_a_second_is_filled(missing, filled):
    frames = [[person(60 + t, seed=1)] for t in range(30)]
    for t in range(8, 8 + missing):
        frames[t] = []
    skeletons, report = link(clip(*frames), 200, 200, fps=25)
    joints = skeletons[0].joints
    assert joints.shape[1] == 1  # one person before and after
    assert report.unseen == tuple(range(8, 8 + missing))
    assert report.nobody == (() if filled else report.unseen)
    assert bool(report.filled) == filled
    assert (joints[8, 0, 0, 2] > 0) == filled


def test_who_comes_back_much_later_is_somebody_new():
    frames = [[person(60, seed=1)] if t < 10 or t >= 40 else [] for t in range(50)]
    skeletons, report = link(clip(*frames), 200, 200, fps=25)
    assert skeletons[0].joints.shape[1] == 2
    assert report.nobody == tuple(range(10, 40))


# --- noise ---------------------------------------------------------------------------------------------------------


def test_short_and_tiny_figures_are_dropped_and_told():
    frames = [[person(100, seed=1), person(30, 30, size=4, seed=2)] for _ in range(30)]
    for t in (11, 12):
        frames[t] = [*frames[t], person(180, 60, seed=3)]
    skeletons, report = link(clip(*frames), 200, 200, fps=25)
    assert skeletons[0].joints.shape[1] == 1
    told = {(dropped.reason, dropped.first, dropped.last, dropped.frames) for dropped in report.dropped}
    assert told == {("tiny", 0, 29, 30), ("short", 11, 12, 2)}
    kept = link(clip(*frames), 200, 200, fps=25, settings=TrackingSettings(shortest_seconds=0, smallest=0))[0]
    assert kept[0].joints.shape[1] == 3


def test_a_clip_of_one_frame_keeps_its_figures():
    skeletons, report = link(clip([person(50, seed=1), person(150, seed=2)]), 200, 200)
    assert skeletons[0].joints.shape == (1, 2, 133, 3)
    assert not report.dropped


def test_a_clip_without_anybody_has_people_of_whom_there_are_none():
    skeletons, report = link(clip([], [], []), 200, 200)
    assert [skeleton.joints.shape for skeleton in skeletons] == [(3, 0, 133, 3)]
    assert report.nobody == report.unseen == (0, 1, 2)
    assert link([], 200, 200)[0][0].joints.shape == (0, 0, 133, 3)


def test_more_figures_than_may_be_kept_are_dropped_and_told():
    frames = [[person(40 * i, seed=i) for i in range(5)] for _ in range(8)]
    frames[0] = frames[0][1:]
    skeletons, report = link(clip(*frames), 200, 200, fps=25, most=4)
    assert skeletons[0].joints.shape[1] == 4
    assert [dropped.reason for dropped in report.dropped] == ["many"]


def test_identities_of_the_source_are_taken_as_they_are():
    frames = []
    for t in range(12):
        figures = np.stack([person(40 + 15 * t, seed=1), person(200, seed=1)])
        ids = [7, 3] if t != 5 else [3, 7]  # they change places for a frame, and nobody is asked
        frames.append(FrameFigures(Detections.of(figures, ids), Detections.of(np.zeros((0, 17, 3)))))
    joints = linked(frames)
    assert joints.shape[1] == 2
    np.testing.assert_array_equal(joints[5, 0], frames[5].people.joints[1])
    np.testing.assert_array_equal(joints[4, 0], frames[4].people.joints[0])


def test_people_and_animals_are_followed_apart():
    animal = np.concatenate([person(150, seed=4)[:17]])
    frames = [FrameFigures.of(person(50 + t, seed=1)[None], animal[None]) for t in range(10)]
    people, animals = link(frames, 200, 200, fps=25)[0]
    assert (people.names, animals.names) == (WHOLEBODY.joints, QUADRUPED.joints)
    assert people.joints.shape[1] == animals.joints.shape[1] == 1


def test_boxes_go_around_the_joints_that_are_there():
    figure = person(100, seed=1)
    figure[3] = [5000, 5000, 0]
    box = box_around(np.stack([figure, np.zeros_like(figure)]))
    there = figure[figure[:, 2] > 0, :2]
    np.testing.assert_array_equal(box[0], [*there.min(0), *there.max(0)])
    assert not box[1].any()


# --- puppets -------------------------------------------------------------------------------------------------------

CLIPS = [(seed, category) for category in ("many_to_many", "crossing") for seed in (0, 1, 4)]


@pytest.mark.parametrize(("level", "switches", "kept"), [("exact", 0, 1.0), ("mild", 0, 0.995), ("medium", 0, 0.98),
                                                         ("strong", 1, 0.9)])  # fmt: skip
def test_puppets_keep_their_identities(level, switches, kept):
    """Jitter, drop-outs, figures behind others, false figures and a new order in every frame are put in."""
    verdicts = []
    for seed, category in CLIPS:
        truth = truth_of(seed, category, 60, 25, side=96)
        if truth.shape[1] < 2:
            continue
        skeletons, _ = link(seen(truth, LEVELS[level], seed), 96, 96, fps=25)
        verdicts.append(judged(truth, skeletons[0].joints))
    assert len(verdicts) >= 4
    assert sum(verdict.switches for verdict in verdicts) <= switches
    assert np.mean([verdict.kept for verdict in verdicts]) >= kept
    assert sum(verdict.extra for verdict in verdicts) == 0


def test_the_count_of_switches_counts():
    truth = truth_of(0, "crossing", 20, 25, side=96)
    swapped = truth.copy()
    swapped[10:] = swapped[10:, ::-1]
    assert judged(truth, truth).switches == 0
    assert judged(truth, swapped).switches == 2
    assert judged(truth, truth).kept == 1
