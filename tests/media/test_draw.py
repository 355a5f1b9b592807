"""Skeletons as pictures: colours and places of the paper's figure, whatever the size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import figures
from diptych.media.draw import draw_skeletons
from diptych.method.skeleton import QUADRUPED, WHOLEBODY, Topology
from diptych.types import Skeleton

BODY = WHOLEBODY.joints[:23]


def only(topology: Topology = WHOLEBODY, confidence: float = 1.0, **at: tuple[float, float]) -> Skeleton:
    """One frame with one figure that has these joints and no others."""
    joints = np.zeros((1, 1, len(topology.joints), 3), np.float32)
    for name, place in at.items():
        joints[0, 0, topology.joints.index(name)] = (*place, confidence)
    return topology.skeleton(joints)


def colour(picture: NDArray[np.uint8], x: float, y: float) -> tuple[int, ...]:
    return tuple(picture[int(y), int(x)].tolist())


def body(size: int) -> Skeleton:
    """A person without hands and face."""
    return figures.without(figures.person(size), *WHOLEBODY.joints[23:])


# The known palette with red and blue exchanged, as the paper's figure has it.
STICKS = {
    ("neck", "right_shoulder"): (0, 0, 255),
    ("neck", "left_shoulder"): (0, 85, 255),
    ("right_shoulder", "right_elbow"): (0, 170, 255),
    ("right_elbow", "right_wrist"): (0, 255, 255),
    ("left_shoulder", "left_elbow"): (0, 255, 170),
    ("left_elbow", "left_wrist"): (0, 255, 85),
    ("neck", "right_hip"): (0, 255, 0),
    ("right_hip", "right_knee"): (85, 255, 0),
    ("right_knee", "right_ankle"): (170, 255, 0),
    ("neck", "left_hip"): (255, 255, 0),
    ("left_hip", "left_knee"): (255, 170, 0),
    ("left_knee", "left_ankle"): (255, 85, 0),
    ("neck", "nose"): (255, 0, 0),
    ("nose", "right_eye"): (255, 0, 85),
    ("right_eye", "right_ear"): (255, 0, 170),
    ("nose", "left_eye"): (255, 0, 255),
    ("left_eye", "left_ear"): (170, 0, 255),
}
JOINTS = {
    "nose": (0, 0, 255),
    "right_shoulder": (0, 170, 255),
    "right_wrist": (0, 255, 170),
    "left_wrist": (85, 255, 0),
    "right_ankle": (255, 170, 0),
    "left_ankle": (255, 0, 85),
    "left_ear": (85, 0, 255),
}


@pytest.mark.parametrize("size", [512, 1023])
def test_sticks_and_joints_have_the_papers_colours(size: int) -> None:
    skeleton = body(size)
    picture = draw_skeletons((skeleton,), size, size)[0]
    at = dict(zip(WHOLEBODY.joints, skeleton.joints[0, 0, :, :2], strict=True))
    at["neck"] = (at["left_shoulder"] + at["right_shoulder"]) / 2
    for (near, far), rgb in STICKS.items():
        middle = (at[near] + at[far]) / 2
        assert colour(picture, *middle) == tuple(round(0.6 * channel) for channel in rgb), (near, far)
    for name, rgb in JOINTS.items():
        assert colour(picture, *at[name]) == rgb, name


def test_feet_hands_and_face_are_there() -> None:
    skeleton = figures.person(512)
    picture = draw_skeletons((skeleton,), 512, 512)[0]
    at = dict(zip(WHOLEBODY.joints, skeleton.joints[0, 0, :, :2], strict=True))
    for side, rgb in (("right", (170, 255, 0)), ("left", (255, 85, 0))):
        for end in ("big_toe", "small_toe", "heel"):
            assert colour(picture, *at[f"{side}_{end}"]) == rgb
        assert colour(picture, *at[f"{side}_hand_middle_4"]) == (255, 0, 0)
    assert all(colour(picture, *at[f"face_{i}"]) == (255, 255, 255) for i in range(68))
    # Every finger bone has a colour of its own: they are told apart without their dots.
    bare = draw_skeletons((figures.person(64),), 640, 640, scale=10)[0]
    fingers = {
        colour(bare, *(5 * (figures.PERSON[a] + figures.PERSON[b]) * 64))
        for a, b in WHOLEBODY.bones
        if WHOLEBODY.joints[b].startswith("left_hand")
    }
    assert len(fingers) == 20


def test_the_limbs_of_an_animal_are_told_apart() -> None:
    skeleton = figures.animal(512)
    picture = draw_skeletons((skeleton,), 512, 512)[0]
    middle = [skeleton.joints[0, 0, bone, :2].mean(0) for bone in QUADRUPED.bones]
    colours = {colour(picture, *place) for place in middle}
    assert len(colours) == len(QUADRUPED.bones)
    assert (0, 0, 0) not in colours


def test_left_is_not_right() -> None:
    skeleton = body(128)
    swapped = skeleton.joints.copy()
    for name in BODY:
        if name.startswith("left"):
            pair = [WHOLEBODY.joints.index(name), WHOLEBODY.joints.index(name.replace("left", "right"))]
            swapped[:, :, pair] = swapped[:, :, pair[::-1]]
    other = draw_skeletons((WHOLEBODY.skeleton(swapped),), 128, 128)
    one = draw_skeletons((skeleton,), 128, 128)
    assert np.array_equal(one.any(-1), other[:, :, :].any(-1))
    assert np.abs(one.astype(int) - other).max() > 100


@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 1 << 30), st.sampled_from([1.0, 30.0, 1e3, 1e12]))
@settings(max_examples=40, deadline=None)
def test_any_panel_shows_any_skeleton(height: int, width: int, seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    poses = []
    for topology, count in ((WHOLEBODY, rng.integers(3)), (QUADRUPED, rng.integers(3))):
        joints = rng.normal(scale=spread, size=(2, count, len(topology.joints), 3)).astype(np.float32)
        joints[..., 2] = rng.random(joints.shape[:-1])
        poses.append(topology.skeleton(joints))
    frames = draw_skeletons(poses, height, width, scale=0.7, left=width / 2, top=height / 2)
    assert frames.shape == (2, height, width, 3)
    assert frames.dtype == np.uint8


@given(st.integers(-40, 40), st.integers(-40, 40), st.sampled_from([64, 300]))
@settings(max_examples=20, deadline=None)
def test_a_place_further_on_is_the_same_picture_further_on(x: int, y: int, size: int) -> None:
    poses = (figures.person(size),)
    wide = np.zeros((size + 80, size + 80, 3), np.uint8)
    wide[40 + y : 40 + y + size, 40 + x : 40 + x + size] = draw_skeletons(poses, size, size)[0]
    moved = draw_skeletons(poses, size, size, left=x, top=y)[0]
    rim = slice(3, -3)  # what is cut off at one rim is drawn over the other
    inside = moved[max(0, y) : size + min(0, y), max(0, x) : size + min(0, x)]
    expected = wide[40:-40, 40:-40][max(0, y) : size + min(0, y), max(0, x) : size + min(0, x)]
    assert np.array_equal(inside[rim, rim], expected[rim, rim])


def test_scale_and_place_are_those_of_the_joints() -> None:
    skeleton = figures.person(100)
    moved = skeleton.joints.copy()
    moved[..., :2] = moved[..., :2] * 2.5 + (30, 7)
    placed = draw_skeletons((skeleton,), 300, 300, scale=2.5, left=30, top=7)
    assert np.abs(placed.astype(int) - draw_skeletons((WHOLEBODY.skeleton(moved),), 300, 300)).max() <= 40


def test_the_middle_of_a_joint_is_where_it_is_said_to_be() -> None:
    for size, place in ((64, (20.0, 40.5)), (65, (31.25, 9.75)), (512, (100.5, 300.5)), (777, (400.0, 30.0))):
        picture = draw_skeletons((only(nose=place),), size, size)[0].sum(-1).astype(float)
        rows, columns = np.indices(picture.shape) + 0.5
        centre = (columns * picture).sum() / picture.sum(), (rows * picture).sum() / picture.sum()
        assert np.abs(np.subtract(centre, place)).max() < 0.25, size


def test_sticks_are_two_hundredths_of_the_shorter_side_across_and_never_a_hair() -> None:
    for height, width, wanted in ((512, 512, 10.2), (1024, 1024, 20.5), (400, 900, 8.0), (64, 64, 2.0), (32, 90, 2.0)):
        ends = {"right_hip": (width * 0.1, height / 2), "right_knee": (width * 0.9, height / 2)}
        across = draw_skeletons((only(**ends),), height, width)[0, :, width // 2, 1] / (0.6 * 255)
        assert abs(across.sum() - wanted) < 1.6, (height, width, across.sum())


def test_edges_are_smooth() -> None:
    slanted = only(right_hip=(10.0, 10.0), right_knee=(200.0, 77.0))
    values = np.unique(draw_skeletons((slanted,), 256, 256)[..., 1])
    assert len(values) > 20


def test_what_is_not_sure_is_not_drawn() -> None:
    ends = {"right_hip": (10.0, 10.0), "right_knee": (50.0, 50.0)}
    assert draw_skeletons((only(confidence=0.31, **ends),), 64, 64).any()
    assert not draw_skeletons((only(confidence=0.29, **ends),), 64, 64).any()
    assert draw_skeletons((only(confidence=0.1, **ends),), 64, 64, threshold=0.05).any()
    assert not draw_skeletons((only(confidence=0.0, **ends),), 64, 64, threshold=0.0).any()
    lone = figures.without(only(**ends), "right_knee", confidence=0.2)
    assert not draw_skeletons((lone,), 64, 64)[0, 25:].any()
    assert draw_skeletons((lone,), 64, 64)[0, :25].any()


def test_the_neck_needs_both_shoulders() -> None:
    one = only(right_shoulder=(20.5, 30.5), nose=(32.5, 10.5))
    both = only(right_shoulder=(20.5, 30.5), left_shoulder=(44.5, 30.5), nose=(32.5, 10.5))
    assert not draw_skeletons((one,), 64, 64)[0, 15:28, 25:40].any()
    assert draw_skeletons((both,), 64, 64)[0, 20, 32, 0] > 100


def test_joints_that_are_no_places_are_absent() -> None:
    skeleton = only(nose=(float("nan"), 5.0), right_hip=(float("inf"), 8.0))
    assert not draw_skeletons((skeleton,), 32, 32).any()


def test_what_leaves_the_panel_is_cut_off() -> None:
    inside = draw_skeletons((only(right_hip=(10.0, 32.0), right_knee=(1e7, 32.0)),), 64, 64)[0]
    assert inside[32, 20:].any(-1).all()
    assert not draw_skeletons((only(right_hip=(-90.0, 32.0), right_knee=(-80.0, 32.0)),), 64, 64).any()


def test_everybody_is_drawn_where_and_when_they_are() -> None:
    person, animal = figures.person(100, frames=3, figures=2, wobble=0.02), figures.animal(100, frames=3, wobble=0.02)
    person.joints[:, 1, :, 0] += 110
    animal.joints[..., 0] += 220
    together = draw_skeletons((person, animal), 100, 330)
    alone = [
        draw_skeletons((WHOLEBODY.skeleton(person.joints[:, :1]),), 100, 330),
        draw_skeletons((WHOLEBODY.skeleton(person.joints[:, 1:]),), 100, 330),
        draw_skeletons((animal,), 100, 330),
    ]
    assert np.array_equal(together, np.maximum.reduce(alone))
    assert all((frames[0] != frames[1]).any() and (frames[1] != frames[2]).any() for frames in alone)
    body_only = figures.without(person, *WHOLEBODY.joints[23:])
    whole = draw_skeletons((body_only,), 100, 330)
    for i in range(3):
        moment = WHOLEBODY.skeleton(body_only.joints[i : i + 1])
        assert np.array_equal(draw_skeletons((moment,), 100, 330)[0], whole[i])


def test_small_panels_are_not_swamped_by_faces_and_hands() -> None:
    whole = draw_skeletons((figures.person(64),), 64, 64)[0]
    plain = draw_skeletons((body(64),), 64, 64)[0]
    assert (whole.min(-1) > 200).sum() < 12  # white
    assert (plain.max(-1) > 0).sum() < (whole.max(-1) > 0).sum() < 1.5 * (plain.max(-1) > 0).sum()
    # The same person in a large panel has all dots; a head that fills a small one has them too.
    large = draw_skeletons((figures.person(512),), 512, 512)[0]
    assert (large.min(-1) > 200).sum() > 300
    near = draw_skeletons((figures.person(64),), 64, 64, scale=5, left=-128, top=-12)[0]
    assert (near.min(-1) > 100).sum() > 30


def test_pieces_of_a_clip_are_those_of_the_whole() -> None:
    clip = figures.person(100, frames=8, wobble=0.01)
    clip.joints[:5, :, 23:91, :2] = 50 + (clip.joints[:5, :, 23:91, :2] - 50) * 0.4  # no face for its own sake
    whole = draw_skeletons((clip,), 96, 96)
    pieces = [draw_skeletons((clip,), 96, 96, moments=slice(start, start + 3)) for start in (0, 3, 6)]
    assert [len(piece) for piece in pieces] == [3, 3, 2]
    assert np.array_equal(np.concatenate(pieces), whole)
    assert np.array_equal(draw_skeletons((clip,), 96, 96, moments=[6, 1]), whole[[6, 1]])
    alone = draw_skeletons((WHOLEBODY.skeleton(clip.joints[5:]),), 96, 96)
    assert not np.array_equal(alone, whole[5:])


def test_what_is_small_stays_so_for_the_whole_clip() -> None:
    clip = figures.person(120, frames=9).joints
    clip[4, :, 23:91, :2] = 60.0 + (clip[4, :, 23:91, :2] - 60.0) * 0.2  # one frame in which the face collapses
    counts = (draw_skeletons((WHOLEBODY.skeleton(clip),), 128, 128).min(-1) > 100).sum((1, 2))
    assert counts.min() > 0


def test_clips_without_figures_are_black() -> None:
    assert not draw_skeletons((WHOLEBODY.skeleton(np.zeros((4, 0, 133, 3), np.float32)),), 16, 16).any()


def test_what_cannot_be_drawn_is_refused() -> None:
    one, two = figures.person(64), figures.animal(64, frames=2)
    for poses, height in (((), 16), ((one, two), 16), ((one,), 0)):
        with pytest.raises(ValueError, match=r"skeletons of one clip|no panel"):
            draw_skeletons(poses, height, 16)
    with pytest.raises(ValueError, match="no known topology"):
        draw_skeletons((Skeleton(("a",), np.zeros((1, 1, 1, 3), np.float32), ()),), 16, 16)
