"""Augmentation of drivers: none at zero shares, a mirror undoes itself, a clip is changed in one way throughout."""

from dataclasses import fields, replace

import numpy as np
import pytest

from diptych.method.rgb_augment import (
    NOTHING,
    Alteration,
    RgbAugment,
    blurred,
    cropped,
    draw_alteration,
    mirrored,
    mirrored_words,
    recoloured,
)

ALL = RgbAugment(crop_share=1.0, stretch_share=1.0, mirror_share=1.0, colour_share=1.0, blur_share=1.0)


def noise(t=3, h=20, w=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (t, h, w, 3), dtype=np.uint8)


def drawn(settings, seed=0):
    return draw_alteration(settings, np.random.default_rng(seed))


def test_nothing_is_done_where_nothing_is_asked():
    frames = noise()
    for seed in range(20):
        assert drawn(NOTHING, seed) == Alteration()
    assert np.array_equal(cropped(frames, Alteration().box), frames)
    assert recoloured(frames, Alteration()) is frames
    assert blurred(frames, 0.0) is frames


def test_the_same_state_draws_the_same_and_another_something_else():
    assert drawn(ALL, 1) == drawn(ALL, 1)
    assert drawn(ALL, 1) != drawn(ALL, 2)


@pytest.mark.parametrize("name", [field.name for field in fields(RgbAugment) if field.name.endswith("_share")])
def test_one_share_changes_one_thing(name):
    """Whatever else is drawn stays what it was, so that comparisons compare one setting."""
    belongs = {"crop": ["box"], "stretch": ["stretch"], "mirror": ["mirrored"], "blur": ["blur"]}
    mine = belongs.get(name.removesuffix("_share"), ["gain", "gamma", "hue"])
    for seed in range(8):
        one, without = drawn(ALL, seed), drawn(replace(ALL, **{name: 0.0}), seed)
        for field in fields(Alteration):
            before, after = getattr(one, field.name), getattr(without, field.name)
            assert (before == after) == (field.name not in mine)


def test_shares_and_bounds_are_kept():
    seen = [drawn(RgbAugment(), seed) for seed in range(600)]
    plain = Alteration()
    for name, share in (("box", 0.5), ("stretch", 0.5), ("mirrored", 0.5), ("hue", 0.3), ("blur", 0.15)):
        assert np.mean([getattr(one, name) != getattr(plain, name) for one in seen]) == pytest.approx(share, abs=0.07)
    for one in seen:
        left, top, right, bottom = one.box
        assert 0 <= left < right <= 1 + 1e-9
        assert 0 <= top < bottom <= 1 + 1e-9
        assert min(right - left, bottom - top) >= 0.75 - 1e-9
        assert 1 / 1.25 <= one.stretch <= 1.25
        assert all(0.85 <= gain <= 1.15 for gain in one.gain)
        assert abs(one.hue) <= np.radians(20)
        assert 0 <= one.blur <= 0.012


def test_a_mirror_undoes_itself_in_pixels_and_in_words():
    frames = noise()
    assert np.array_equal(mirrored(mirrored(frames)), frames)
    assert not np.array_equal(mirrored(frames), frames)
    text = "Left hand up, her RIGHT foot turns clockwise; he steps leftwards, a righteous cup"
    assert mirrored_words(text) == (
        "Right hand up, her LEFT foot turns counterclockwise; he steps rightwards, a righteous cup"
    )
    assert mirrored_words(mirrored_words(text)) == text
    assert mirrored_words("a cup jumps") == "a cup jumps"


def test_frames_are_neither_lost_nor_made_and_all_are_changed_alike():
    still = noise(1).repeat(4, axis=0)
    one = drawn(ALL, 3)
    for changed in (cropped(still, one.box), recoloured(still, one), blurred(still, 0.05), mirrored(still)):
        assert len(changed) == 4
        assert changed.dtype == np.uint8
        assert all(np.array_equal(frame, changed[0]) for frame in changed)
        assert changed.shape != still.shape or not np.array_equal(changed, still)


def test_a_crop_is_a_part_of_the_frame_and_never_empty():
    frames = noise(h=40, w=60)
    part = cropped(frames, (0.25, 0.5, 0.75, 1.0))
    assert np.array_equal(part, frames[:, 20:40, 15:45])
    assert cropped(frames[:, :1, :1], (0.2, 0.2, 0.9, 0.9)).shape == (3, 1, 1, 3)


def test_greys_stay_grey_when_hues_turn_and_a_whole_turn_is_none():
    frames = noise()
    grey = frames[..., :1].repeat(3, axis=-1)
    assert np.array_equal(recoloured(grey, Alteration(hue=0.3)), grey)
    assert np.abs(recoloured(frames, Alteration(hue=2 * np.pi)).astype(int) - frames).max() <= 1
    red = np.full((1, 1, 1, 3), (250, 0, 0), np.uint8)
    third = recoloured(red, Alteration(hue=2 * np.pi / 3))[0, 0, 0]
    assert third.tolist() == [0, 250, 0]


def test_a_blur_keeps_what_is_even_and_softens_what_is_not():
    even = np.full((2, 20, 32, 3), 77, np.uint8)
    assert np.array_equal(blurred(even, 0.1), even)
    frames = noise()
    soft = blurred(frames, 0.05)
    assert soft.shape == frames.shape
    assert soft.std() < 0.7 * frames.std()
    assert abs(soft.mean() - frames.mean()) < 4
