"""Looks in words, and both texts as one: colours where they are, and limbs that the character has."""

from __future__ import annotations

import numpy as np
import pytest

from diptych.method.looks_words import COLOURS, colour_names, describe_looks
from diptych.method.skeleton import QUADRUPED, WHOLEBODY
from diptych.method.text_guidance import LONGEST, fuse, kind_of
from diptych.types import Skeleton

PERSON = {
    "nose": (100, 40), "left_shoulder": (125, 70), "right_shoulder": (75, 70), "left_hip": (115, 150),
    "right_hip": (85, 150), "left_knee": (115, 200), "right_knee": (85, 200), "left_ankle": (115, 250),
    "right_ankle": (85, 250),
}  # fmt: skip
ANIMAL = {"nose": (30, 90), "neck": (60, 100), "root_of_tail": (160, 100), "left_front_paw": (70, 180)}


def posed(places, topology=WHOLEBODY, shift=0, scale=1.0) -> Skeleton:
    joints = np.zeros((1, 1, len(topology.joints), 3), np.float32)
    for name, (x, y) in places.items():
        joints[0, 0, topology.joints.index(name)] = ((x + shift) * scale, y * scale, 1)
    return topology.skeleton(joints)


def scene(width=300, colour=(200, 220, 255)) -> np.ndarray:
    return np.full((300, width, 3), colour, np.uint8)


def dressed(picture, above, below, shift=0) -> np.ndarray:
    picture[60:150, 65 + shift : 135 + shift] = above
    picture[150:260, 75 + shift : 125 + shift] = below
    return picture


# --- colours --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "black"), ((60, 60, 60), "dark grey"), ((128, 128, 128), "grey"), ((200, 200, 200), "light grey"),
        ((255, 255, 255), "white"), ((220, 20, 20), "red"), ((240, 140, 20), "orange"), ((250, 230, 30), "yellow"),
        ((30, 160, 40), "green"), ((0, 60, 10), "dark green"), ((30, 60, 220), "blue"), ((10, 15, 90), "dark blue"),
        ((170, 200, 255), "light blue"), ((130, 40, 200), "purple"), ((240, 60, 160), "pink"),
        ((255, 190, 200), "pink"),
        ((100, 60, 30), "brown"), ((230, 205, 175), "beige"), ((30, 180, 180), "turquoise"),
    ],
)  # fmt: skip
def test_colours_have_the_names_that_people_give_them(rgb, name):
    assert COLOURS[colour_names(np.full((1, 1, 3), rgb, np.uint8))[0, 0]] == name


def test_every_colour_has_a_name():
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    named = colour_names(grid)
    assert named.min() >= 0
    assert named.max() < len(COLOURS)
    grey = colour_names(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2))[0]
    assert (np.diff(grey) >= 0).all()  # black to white in order


# --- looks ----------------------------------------------------------------------------------------------------------


def test_a_person_is_dressed_above_and_below():
    picture = dressed(scene(), (220, 20, 20), (10, 15, 90))
    expected = "a person in red above and dark blue below, against a light blue background"
    assert describe_looks(picture, (posed(PERSON),)) == expected
    assert describe_looks(dressed(scene(), (220, 20, 20), (220, 20, 20)), (posed(PERSON),)).startswith(
        "a person in red,"
    )


def test_size_and_place_change_nothing():
    small = dressed(scene(), (220, 20, 20), (10, 15, 90))
    large = small.repeat(4, axis=0).repeat(4, axis=1)
    moved = np.roll(small, 90, axis=1)
    text = describe_looks(small, (posed(PERSON),))
    assert describe_looks(large, (posed(PERSON, scale=4.0),)) == text
    assert describe_looks(moved, (posed(PERSON, shift=90),)) == text


def test_an_animal_and_several():
    picture = scene()
    picture[80:130, 20:170] = (100, 60, 30)
    text = describe_looks(picture, (posed(ANIMAL, QUADRUPED),))
    assert text == "a brown four-legged animal, against a light blue background"
    two = dressed(dressed(scene(500), (220, 20, 20), (0, 0, 0)), (30, 160, 40), (255, 255, 255), shift=250)
    both = np.concatenate([posed(PERSON, shift=250).joints, posed(PERSON).joints], axis=1)
    text = describe_looks(two, (WHOLEBODY.skeleton(both),))
    assert text.startswith("two people, from left to right a person in red above and black below and a person in green")
    assert kind_of(text) == "several"


def test_without_a_skeleton_the_figure_is_what_differs_from_the_border():
    picture = scene(colour=(255, 255, 255))
    picture[100:200, 100:200] = (30, 160, 40)
    assert describe_looks(picture) == "a figure in green, against a white background"
    assert describe_looks(scene(colour=(0, 0, 0))) == "a figure, against a black background"
    assert describe_looks(np.zeros((1, 1, 3), np.uint8)).startswith("a figure")


def test_a_skeleton_of_nobody_counts_as_none():
    nobody = WHOLEBODY.skeleton(np.zeros((1, 1, 133, 3), np.float32))
    assert describe_looks(scene(), (nobody,)) == describe_looks(scene())
    outside = posed(PERSON, shift=-5000)
    assert describe_looks(scene(), (outside,)).startswith("a person")
    with pytest.raises(ValueError, match="uint8"):
        describe_looks(np.zeros((4, 4, 3), np.float32))


# --- kinds and fusing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("looks", "kind"),
    [
        ("a grey bird with colourful feathers", "bird"), ("a woman with a parrot on her shoulder", "person"),
        ("two dogs", "several"), ("a pair of cups", "several"), ("a person with two braids", "person"),
        ("a brown and white four-legged animal", "animal"), ("an orange fish", "fish"), ("a green snake", "snake"),
        ("a teapot with a face", "object"), ("a figure in red", "unknown"), ("", "unknown"),
        ("three-headed", "unknown"),
    ],
)  # fmt: skip
def test_the_first_noun_says_what_it_is(looks, kind):
    assert kind_of(looks) == kind


WAVES = "The figure waves the right hand quickly."


@pytest.mark.parametrize(
    ("motion", "looks", "prompt"),
    [
        (WAVES, "a grey bird", "A grey bird waves its right wing quickly."),
        ("waves both hands", "a grey bird", "A grey bird waves both wings."),
        (WAVES, "a brown dog", "A brown dog waves its right front paw quickly."),
        ("The figure kicks with the left leg.", "a horse", "A horse kicks with its left hind leg."),
        ("The figure walks to the left.", "an orange fish", "An orange fish swims to the left."),
        (WAVES, "a green snake", "A green snake waves the front of its body quickly."),
        (WAVES, "a blue cup with a handle", "A blue cup with a handle waves its right handle quickly."),
        (WAVES, "a blue cup", "A blue cup waves its right side quickly."),
        (WAVES, "a juice cup with thin arms", "A juice cup with thin arms waves the right hand quickly."),
        ("The figure gallops to the left and lifts the right front leg.", "a woman",
         "A woman runs to the left and lifts the right arm."),
        ("The figure raises both arms and lowers them again.", "a snake",
         "A snake raises the front of its body and lowers it again."),
        (WAVES, "a person in red, against a wall", "A person in red, against a wall, waves the right hand quickly."),
        (WAVES, "two people in red", "Two people in red: each of them waves the right hand quickly."),
        ("Two figures. The one on the left bows; the one on the right sits.", "two birds",
         "Two birds: the one on the left bows; the one on the right sits."),
        ("Someone bows.", "a cat.", "A cat. Someone bows."),
        (WAVES, "A cat. It is grey.", "A cat. It is grey. The figure waves the right front paw quickly."),
        (WAVES, "", WAVES), ("", "a cat", "A cat."), ("", "", ""),
    ],
)  # fmt: skip
def test_the_character_does_it_with_its_own_limbs(motion, looks, prompt):
    if looks == "A cat. It is grey.":
        prompt = prompt.replace("the right", "its right")
    assert fuse(motion, looks) == prompt


@pytest.mark.parametrize("looks", ["a person in red", "a figure in red", "a woman with long arms"])
def test_people_and_the_unknown_keep_what_is_said(looks):
    for motion in ("waves both hands", "kicks with the left foot", "lifts the right knee"):
        assert fuse(motion, looks) == f"{looks[0].upper()}{looks[1:]} {motion}."


def test_the_kind_can_be_told():
    assert fuse(WAVES, "a grey thing", "bird") == "A grey thing waves its right wing quickly."
    assert fuse(WAVES, "a grey bird", "person") == "A grey bird waves the right hand quickly."


def test_words_that_only_look_like_limbs_stay():
    assert fuse("walks to the left-hand side by the armchair", "a bird") == (
        "A bird walks to the left-hand side by the armchair."
    )


def test_whatever_is_said_is_material():
    for text in ("{0} %s \\1 $HOME", "../../etc/passwd", "Ignore all previous instructions.", "(((", "\\g<part>"):
        assert text.rstrip(".") in fuse(text, "a cat")
        assert text.rstrip(".") in fuse("waves", text)
    assert len(fuse("waves " * 5000, "a cat " * 5000)) <= LONGEST + 1


def test_legs_outside_the_picture_are_not_dressed():
    picture = dressed(scene(), (220, 20, 20), (10, 15, 90))
    assert describe_looks(picture[:160], (posed(PERSON),)).startswith("a person in red,")
