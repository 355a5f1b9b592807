"""Other bodies, other places, the same motion: what augmentation of poses keeps and what it changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import figures
from diptych.method.pose_augment import (
    BONE_GROUPS,
    Box,
    PoseAugment,
    augment,
    clip_box,
    fit_to_box,
    normalise_to_box,
    scale_bones,
    with_lengths,
)
from diptych.method.skeleton import QUADRUPED, WHOLEBODY, topology_of
from diptych.types import Skeleton

# Bones by the names of their ends, and the group each belongs to. Middles of two joints are joints.
PERSON_BONES = {
    ("mid_hip", "neck"): "trunk",
    ("neck", "nose"): "trunk",
    **{("nose", f"face_{i}"): "head" for i in (0, 8, 30, 67)},
    ("face_3", "face_50"): "head",
    **{
        (near.format(side), far.format(side)): group
        for side in ("left", "right")
        for near, far, group in (
            ("nose", "{}_eye", "head"),
            ("{}_eye", "{}_ear", "head"),
            ("neck", "{}_shoulder", "shoulders"),
            ("{}_shoulder", "{}_elbow", "upper arms"),
            ("{}_elbow", "{}_wrist", "forearms"),
            ("{}_wrist", "{}_hand_wrist", "hands"),
            ("{}_hand_wrist", "{}_hand_thumb_1", "hands"),
            ("{}_hand_ring_2", "{}_hand_ring_3", "hands"),
            ("{}_hand_thumb_4", "{}_hand_pinky_4", "hands"),
            ("mid_hip", "{}_hip", "hips"),
            ("{}_hip", "{}_knee", "thighs"),
            ("{}_knee", "{}_ankle", "shins"),
            ("{}_ankle", "{}_heel", "feet"),
            ("{}_big_toe", "{}_small_toe", "feet"),
        )
    },
    ("left_shoulder", "right_shoulder"): "shoulders",
    ("left_hip", "right_hip"): "hips",
}
ANIMAL_BONES = {
    ("root_of_tail", "neck"): "trunk",
    ("neck", "nose"): "neck",
    **{
        (near.format(side), far.format(side)): group
        for side in ("left", "right")
        for near, far, group in (
            ("nose", "{}_eye", "head"),
            ("neck", "{}_shoulder", "shoulders"),
            ("{}_shoulder", "{}_elbow", "upper forelegs"),
            ("{}_elbow", "{}_front_paw", "lower forelegs"),
            ("root_of_tail", "{}_hip", "hips"),
            ("{}_hip", "{}_knee", "thighs"),
            ("{}_knee", "{}_back_paw", "shins"),
        )
    },
}


def places(skeleton: Skeleton) -> dict[str, NDArray[np.float64]]:
    """Name to ``(t, figures, 2)``, middles of hips and shoulders among them."""
    at = {name: skeleton.joints[:, :, i, :2].astype(np.float64) for i, name in enumerate(skeleton.names)}
    if len(skeleton.names) == len(WHOLEBODY.joints):
        at["mid_hip"] = (at["left_hip"] + at["right_hip"]) / 2
        at["neck"] = (at["left_shoulder"] + at["right_shoulder"]) / 2
    return at


def bones(skeleton: Skeleton, pairs: dict[tuple[str, str], str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lengths ``(bones, t, figures)`` and directions ``(bones, t, figures, 2)``."""
    at = places(skeleton)
    along = np.stack([at[far] - at[near] for near, far in pairs])
    lengths = np.linalg.norm(along, axis=-1)
    return lengths, along / np.maximum(lengths, 1e-9)[..., None]


def by_group(skeleton: Skeleton, factors: NDArray[np.float64], figure: int = 0) -> dict[str, float]:
    return dict(zip(BONE_GROUPS[topology_of(skeleton).name], factors[figure].tolist(), strict=True))


def drawn_factors(skeleton: Skeleton, seed: int) -> NDArray[np.float64]:
    count = len(BONE_GROUPS[topology_of(skeleton).name])
    return np.random.default_rng(seed).uniform(0.8, 1.2, (skeleton.joints.shape[1], count))


KINDS = [
    pytest.param(figures.person, PERSON_BONES, id="people"),
    pytest.param(figures.animal, ANIMAL_BONES, id="animals"),
]
seeds = st.integers(0, 1 << 30)


@pytest.mark.parametrize(("kind", "pairs"), KINDS)
def test_every_bone_of_every_topology_is_measured_here(kind, pairs) -> None:
    skeleton = kind(100)
    assert set(pairs.values()) == set(BONE_GROUPS[topology_of(skeleton).name])


@pytest.mark.parametrize(("kind", "pairs"), KINDS)
@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_angles_are_kept_and_lengths_are_multiplied_by_their_groups_factor(kind, pairs, seed: int) -> None:
    skeleton = kind(700, frames=3, figures=2, wobble=0.004, seed=seed)
    factors = drawn_factors(skeleton, seed)
    scaled = with_lengths(skeleton, factors)
    (old, way), (new, new_way) = bones(skeleton, pairs), bones(scaled, pairs)
    # Pixels are float32: a direction is known to the rounding of a place over the length of its bone.
    assert (np.abs(new_way - way).max(-1) < np.maximum(1e-4, 2e-4 / old)).all()
    for figure in range(2):
        wanted = [by_group(skeleton, factors, figure)[group] for group in pairs.values()]
        assert new[..., figure] == pytest.approx(old[..., figure] * np.array(wanted)[:, None], abs=4e-4)


@pytest.mark.parametrize(("kind", "pairs"), KINDS)
def test_angles_are_kept_to_a_ten_thousandth_where_bones_are_long(kind, pairs) -> None:
    skeleton = kind(4000, frames=4, figures=2, wobble=0.003)
    scaled = with_lengths(skeleton, drawn_factors(skeleton, 1))
    (old, way), (_, new_way) = bones(skeleton, pairs), bones(scaled, pairs)
    long = old.min((1, 2)) > 60
    assert long.sum() >= 12
    assert np.abs(new_way - way)[long].max() < 1e-4


@pytest.mark.parametrize(("kind", "pairs"), KINDS)
def test_left_and_right_are_changed_alike(kind, pairs) -> None:
    skeleton = kind(500, frames=2, wobble=0.01)
    ratio = bones(scale_bones((skeleton,), np.random.default_rng(5))[0], pairs)[0] / bones(skeleton, pairs)[0]
    measured = dict(zip(pairs, ratio, strict=True))
    for near, far in pairs:
        if "left" in far and "left" in near:
            other = (near.replace("left", "right"), far.replace("left", "right"))
            assert measured[near, far] == pytest.approx(measured[other], rel=2e-3), far


@pytest.mark.parametrize(("kind", "pairs"), KINDS)
def test_factors_of_one_change_nothing(kind, pairs) -> None:
    skeleton = figures.without(kind(600, frames=5, figures=2, wobble=0.05), "left_knee", frames=slice(1, 3))
    same = scale_bones((skeleton,), np.random.default_rng(0), low=1.0, high=1.0)[0]
    assert np.abs(same.joints - skeleton.joints).max() < 1e-4
    assert same.names == skeleton.names
    assert same.bones == skeleton.bones


@pytest.mark.parametrize(("kind", "pairs"), KINDS)
def test_events_keep_their_order_and_stillness_stays_still(kind, pairs) -> None:
    moving = kind(300, frames=6, wobble=0.03)
    factors = drawn_factors(moving, 2)
    backwards = topology_of(moving).skeleton(moving.joints[::-1].copy())
    assert np.allclose(with_lengths(backwards, factors).joints[::-1], with_lengths(moving, factors).joints, atol=1e-3)
    still = with_lengths(kind(300, frames=6), factors).joints
    assert np.abs(still - still[:1]).max() < 1e-5


@given(seeds, st.floats(-500, 500), st.floats(-500, 500), st.floats(0.2, 4))
@settings(max_examples=15, deadline=None)
def test_a_figure_elsewhere_and_of_another_size_becomes_the_same_elsewhere(seed: int, x: float, y: float, size: float):
    skeleton = figures.person(200, frames=2, wobble=0.02, seed=seed)
    factors = drawn_factors(skeleton, seed)

    def moved(joints: NDArray[np.float32]) -> NDArray[np.float32]:
        out = joints.copy()
        out[..., :2] = out[..., :2] * size + (x, y)
        return out

    there = with_lengths(WHOLEBODY.skeleton(moved(skeleton.joints)), factors).joints
    assert np.abs(there - moved(with_lengths(skeleton, factors).joints)).max() < 0.01


def test_the_middle_of_the_hips_stays_where_it_is() -> None:
    skeleton = figures.person(300, frames=4, wobble=0.05)
    scaled = scale_bones((skeleton,), np.random.default_rng(8))[0]
    assert np.abs(places(scaled)["mid_hip"] - places(skeleton)["mid_hip"]).max() < 1e-4


def test_every_figure_and_every_clip_has_factors_of_its_own() -> None:
    pair = figures.person(400, frames=3, figures=2)
    ratios = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        new, old = bones(scale_bones((pair,), rng)[0], PERSON_BONES)[0], bones(pair, PERSON_BONES)[0]
        ratio = new / old
        assert np.abs(ratio - ratio[:, :1]).max() < 1e-3  # one draw for all frames
        ratios.append(ratio[:, 0])
    (first, second), (third, _) = (ratio.T for ratio in ratios)
    assert np.abs(first - second).max() > 0.05
    assert np.abs(first - third).max() > 0.05
    groups = [first[list(PERSON_BONES.values()).index(name)] for name in BONE_GROUPS["wholebody"]]
    assert len({round(float(ratio), 3) for ratio in groups}) == len(groups)


def test_factors_are_even_between_their_bounds() -> None:
    person = figures.person(1000, figures=150)
    ratio = bones(scale_bones((person,), np.random.default_rng(0))[0], PERSON_BONES)[0] / bones(person, PERSON_BONES)[0]
    shins = ratio[list(PERSON_BONES.values()).index("shins"), 0]
    assert 0.799 < shins.min() < 0.82
    assert 1.18 < shins.max() < 1.201
    assert np.quantile(shins, [0.25, 0.5, 0.75]) == pytest.approx([0.9, 1.0, 1.1], abs=0.04)


def test_missing_joints_stay_missing_and_nothing_else_is_lost() -> None:
    names = ("left_elbow", "right_knee", "nose", "face_5", "right_hand_wrist", "left_shoulder")
    skeleton = figures.without(figures.person(300, frames=4, wobble=0.03), *names, frames=slice(0, 3))
    scaled = scale_bones((skeleton,), np.random.default_rng(1))[0]
    assert np.array_equal(scaled.joints[..., 2], skeleton.joints[..., 2])
    assert not scaled.joints[skeleton.joints[..., 2] == 0].any()


@pytest.mark.parametrize("confidence", [0.0, 0.1])
@pytest.mark.parametrize(
    "names", [("left_elbow",), ("left_hip", "right_hip"), ("left_shoulder",), ("nose",), ("left_knee", "right_ankle")]
)
def test_a_joint_that_blinks_out_shakes_nothing(names: tuple[str, ...], confidence: float) -> None:
    whole = figures.person(300, frames=8)
    hops = np.array([0, 5, 20, 60, 30, 80, 90, 85], np.float32)  # about the picture, stiff as it is
    whole.joints[..., :2] += hops[:, None, None, None]
    blinking = figures.without(whole, *names, frames=slice(2, 5), confidence=confidence)
    if confidence:  # a guess that is far off
        for name in names:
            blinking.joints[2:5, :, WHOLEBODY.joints.index(name), :2] += 90.0
    factors = drawn_factors(whole, 4)
    wanted, found = with_lengths(whole, factors).joints, with_lengths(blinking, factors).joints
    others = [i for i, name in enumerate(WHOLEBODY.joints) if name not in names]
    assert np.abs(found[:, :, others] - wanted[:, :, others]).max() < 1e-3


def test_what_hangs_on_a_joint_that_is_never_there_hangs_on_the_next() -> None:
    whole = figures.person(400, frames=2)
    factors = drawn_factors(whole, 6)
    groups = by_group(whole, factors)
    armless = with_lengths(figures.without(whole, "left_elbow"), factors)
    old, new = places(whole), places(armless)
    reach, mean = "left_shoulder", (groups["upper arms"] + groups["forearms"]) / 2
    assert new["left_wrist"] - new[reach] == pytest.approx((old["left_wrist"] - old[reach]) * mean, abs=1e-3)


def test_a_lone_hip_hangs_on_the_neck_by_way_of_the_root() -> None:
    whole = figures.person(400, frames=2)
    factors = drawn_factors(whole, 9)
    groups = by_group(whole, factors)
    old, new = places(whole), places(with_lengths(figures.without(whole, "right_hip"), factors))
    assert new["neck"] == pytest.approx(old["neck"], abs=1e-3)
    mean = (groups["hips"] + groups["trunk"]) / 2
    assert new["left_hip"] - new["neck"] == pytest.approx((old["left_hip"] - old["neck"]) * mean, abs=1e-3)
    thigh = old["left_knee"] - old["left_hip"]
    assert new["left_knee"] - new["left_hip"] == pytest.approx(thigh * groups["thighs"], abs=1e-3)


def test_a_bust_hangs_on_its_neck_and_a_face_on_its_nose() -> None:
    legs = [f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "ankle")]
    bust = figures.without(figures.person(400, frames=2), *legs, *WHOLEBODY.joints[17:23])
    factors = drawn_factors(bust, 7)
    old, new = places(bust), places(with_lengths(bust, factors))
    assert new["neck"] == pytest.approx(old["neck"], abs=1e-3)
    trunk = by_group(bust, factors)["trunk"]
    assert new["nose"] - new["neck"] == pytest.approx((old["nose"] - old["neck"]) * trunk, abs=1e-3)
    face = figures.without(bust, *(name for name in WHOLEBODY.joints if "face" not in name and name != "nose"))
    old, new = places(face), places(with_lengths(face, factors))
    assert new["nose"] == pytest.approx(old["nose"], abs=1e-3)
    head = by_group(bust, factors)["head"]
    assert new["face_9"] - new["nose"] == pytest.approx((old["face_9"] - old["nose"]) * head, abs=1e-3)


def test_nobody_is_nobody_still() -> None:
    empty = WHOLEBODY.skeleton(np.zeros((3, 2, 133, 3), np.float32))
    none = QUADRUPED.skeleton(np.zeros((3, 0, 17, 3), np.float32))
    scaled = scale_bones((empty, none), np.random.default_rng(0))
    assert not scaled[0].joints.any()
    assert scaled[1].joints.shape == (3, 0, 17, 3)


def test_factors_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit factors"):
        with_lengths(figures.person(10), np.ones((1, 3)))


# Boxes


def clip(seed: int, frames: int = 4) -> tuple[Skeleton, ...]:
    """Two people and an animal that move about."""
    people = figures.person(80, frames, 2, 0.05, seed)
    people.joints[:, 1, :, 0] += 130
    animal = figures.animal(60, frames, 1, 0.05, seed)
    animal.joints[..., :2] += 40 + 6 * np.arange(frames, dtype=np.float32)[:, None, None, None]
    return people, animal


def moved(poses: tuple[Skeleton, ...], scale: float, x: float, y: float) -> tuple[Skeleton, ...]:
    out = []
    for skeleton in poses:
        joints = skeleton.joints.copy()
        joints[..., :2] = joints[..., :2] * scale + (x, y)
        out.append(Skeleton(skeleton.names, joints, skeleton.bones))
    return tuple(out)


def farthest(first: tuple[Skeleton, ...], second: tuple[Skeleton, ...]) -> float:
    return max(float(np.abs(a.joints - b.joints).max()) for a, b in zip(first, second, strict=True))


def test_the_box_holds_everything_of_the_whole_clip_and_touches_it() -> None:
    poses = clip(0)
    points = np.concatenate([skeleton.joints[..., :2].reshape(-1, 2) for skeleton in poses])
    box = clip_box(poses)
    assert box is not None
    assert (box.left, box.top) == pytest.approx(tuple(points.min(0)))
    assert (box.right, box.bottom) == pytest.approx(tuple(points.max(0)))


@pytest.mark.parametrize("confidence", [0.0, 0.29])
def test_what_is_not_sure_does_not_widen_the_box(confidence: float) -> None:
    poses = clip(0)
    poses[0].joints[1, 0, WHOLEBODY.joints.index("left_hip")] = (9e5, -9e5, confidence)
    without_it = (figures.without(poses[0], "left_hip", frames=slice(1, 2)), poses[1])
    assert clip_box(poses) == clip_box(without_it)
    poses[0].joints[1, 0, WHOLEBODY.joints.index("left_hip"), 2] = 0.31
    widened = clip_box(poses)
    assert widened is not None
    assert (widened.right, widened.top) == (9e5, -9e5)


def test_there_is_no_box_around_nobody() -> None:
    assert clip_box((figures.without(figures.person(9), *WHOLEBODY.joints),)) is None
    assert clip_box(()) is None


@given(seeds, st.floats(0.1, 9), st.floats(-900, 900), st.floats(-900, 900), st.sampled_from([None, 0.8, 1.0, 1.25]))
@settings(max_examples=30, deadline=None)
def test_where_a_clip_was_and_how_large_is_gone(seed: int, scale: float, x: float, y: float, stretch: float | None):
    poses = clip(seed)
    normal = normalise_to_box(poses, 320, 180, stretch=stretch)
    assert farthest(normal, normalise_to_box(moved(poses, scale, x, y), 320, 180, stretch=stretch)) < 0.02


@given(seeds, st.floats(0, 0.3), st.integers(16, 600), st.integers(16, 600))
@settings(max_examples=30, deadline=None)
def test_once_is_enough_and_the_box_is_in_the_middle(seed: int, margin: float, width: int, height: int) -> None:
    normal = normalise_to_box(clip(seed), width, height, margin=margin)
    assert farthest(normal, normalise_to_box(normal, width, height, margin=margin)) < 1e-2
    box = clip_box(normal)
    assert box is not None
    assert (box.left + box.right, box.top + box.bottom) == pytest.approx((width, height), abs=0.01)
    free = margin * min(width, height)
    gaps = (box.left, box.top)
    assert min(gap - free for gap in gaps) == pytest.approx(0.0, abs=0.01)
    before = clip_box(clip(seed))
    assert before is not None
    assert box.width / box.height == pytest.approx(before.width / before.height, rel=1e-3)


@pytest.mark.parametrize("stretch", [0.8, 1.25])
def test_stretched_figures_are_taller_by_so_much_and_fit(stretch: float) -> None:
    before, box = clip_box(clip(3)), clip_box(normalise_to_box(clip(3), 300, 200, stretch=stretch, margin=0.1))
    assert before is not None
    assert box is not None
    assert box.height / box.width == pytest.approx(stretch * before.height / before.width, rel=1e-3)
    assert min(box.left, box.top, 300 - box.right, 200 - box.bottom) == pytest.approx(20, abs=0.01)


def test_figures_and_moments_keep_their_places_among_each_other() -> None:
    poses = clip(1)
    normal = normalise_to_box(poses, 640, 360)
    old = np.concatenate([skeleton.joints[..., :2].reshape(-1, 2) for skeleton in poses])
    new = np.concatenate([skeleton.joints[..., :2].reshape(-1, 2) for skeleton in normal])
    ratio = np.linalg.norm(new[1:] - new[:1], axis=1) / np.linalg.norm(old[1:] - old[:1], axis=1)
    assert ratio == pytest.approx(np.full_like(ratio, ratio[0]), rel=1e-3)


def test_clips_without_extent_are_centred_and_without_joints_left_alone() -> None:
    point = figures.without(figures.person(50), *WHOLEBODY.joints[1:])
    assert normalise_to_box((point,), 64, 32)[0].joints[0, 0, 0].tolist() == [32.0, 16.0, 1.0]
    upright = figures.without(figures.person(50), *(set(WHOLEBODY.joints) - {"nose", "left_hip"}))
    upright.joints[0, 0, WHOLEBODY.joints.index("left_hip"), 0] = upright.joints[0, 0, 0, 0]
    box = clip_box(normalise_to_box((upright,), 64, 32, margin=0.25))
    assert box == Box(32, 8, 32, 24)
    nobody = figures.without(figures.person(50), *WHOLEBODY.joints)
    assert not normalise_to_box((nobody,), 64, 32)[0].joints.any()


@given(seeds, st.floats(-50, 50), st.floats(-50, 50), st.floats(5, 400), st.floats(5, 400))
@settings(max_examples=30, deadline=None)
def test_one_box_comes_to_lie_on_another(seed: int, left: float, top: float, width: float, height: float) -> None:
    poses, target = clip(seed), Box(left, top, left + width, top + height)
    box = clip_box(poses)
    assert box is not None
    filled = clip_box(fit_to_box(poses, box, target, keep_aspect=False))
    assert filled is not None
    assert (filled.left, filled.top, filled.right, filled.bottom) == pytest.approx(
        (target.left, target.top, target.right, target.bottom), abs=0.01
    )
    kept = clip_box(fit_to_box(poses, box, target))
    assert kept is not None
    assert kept.width / kept.height == pytest.approx(box.width / box.height, rel=1e-3)
    assert min(width - kept.width, height - kept.height) == pytest.approx(0.0, abs=0.01)
    assert kept.left + kept.right == pytest.approx(target.left + target.right, abs=0.01)
    assert kept.top + kept.bottom == pytest.approx(target.top + target.bottom, abs=0.01)
    assert farthest(poses, fit_to_box(poses, box, box)) < 1e-4


@pytest.mark.parametrize(("margin", "stretch"), [(0.5, None), (-0.1, None), (0.1, 0.0), (0.1, float("inf"))])
def test_boxes_that_cannot_be_are_refused(margin: float, stretch: float | None) -> None:
    with pytest.raises(ValueError, match="no box"):
        normalise_to_box(clip(0), 64, 64, margin=margin, stretch=stretch)


# Both


def test_nothing_is_done_where_nothing_is_wanted() -> None:
    poses = clip(0)
    assert augment(poses, 320, 180, PoseAugment(bones_share=0, box_share=0), np.random.default_rng(0)) is poses


def test_draws_differ_and_seeds_do_not() -> None:
    poses = clip(0)
    always = PoseAugment(bones_share=1, box_share=1)
    rng = np.random.default_rng(0)
    draws = [augment(poses, 320, 180, always, rng) for _ in range(4)]
    again = augment(poses, 320, 180, always, np.random.default_rng(0))
    assert farthest(draws[0], again) == 0
    assert all(farthest(draws[i], draws[j]) > 0.5 for i in range(4) for j in range(i))


def test_input_is_never_changed() -> None:
    poses = clip(0)
    before = [skeleton.joints.copy() for skeleton in poses]
    augment(poses, 320, 180, PoseAugment(bones_share=1, box_share=1), np.random.default_rng(0))
    assert all(np.array_equal(a, skeleton.joints) for a, skeleton in zip(before, poses, strict=True))


def test_shares_are_those_of_the_settings() -> None:
    poses = (figures.animal(50),)
    rng = np.random.default_rng(7)
    changed = dict.fromkeys(("bones", "box"), 0)
    for _ in range(1500):
        changed["bones"] += augment(poses, 64, 64, PoseAugment(box_share=0), rng) is not poses
        changed["box"] += augment(poses, 64, 64, PoseAugment(bones_share=0), rng) is not poses
    assert changed["bones"] / 1500 == pytest.approx(0.3, abs=0.04)  # the paper's share; sd 0.012
    assert changed["box"] / 1500 == pytest.approx(PoseAugment().box_share, abs=0.045)


def test_stretch_is_drawn_to_both_sides() -> None:
    poses, rng = (figures.person(100),), np.random.default_rng(0)
    before = clip_box(poses)
    assert before is not None
    drawn = []
    for _ in range(200):
        box = clip_box(augment(poses, 100, 100, PoseAugment(bones_share=0, box_share=1, stretch=1.2), rng))
        assert box is not None
        drawn.append(box.height / box.width / (before.height / before.width))
    assert 1 / 1.21 < min(drawn) < 0.86
    assert 1.17 < max(drawn) < 1.21


@pytest.mark.parametrize(
    "wrong",
    [
        {"bones_share": 1.1},
        {"box_share": -0.1},
        {"bones_low": 0.0},
        {"bones_high": 0.5},
        {"stretch": 0.9},
        {"margin_low": 0.3},
        {"margin_high": 0.5},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no augmentation"):
        PoseAugment(**wrong)
