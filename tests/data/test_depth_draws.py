"""Draws with a panel for depth: of the driver, frame for frame, and without the outline of who is to be made."""

from dataclasses import replace

import numpy as np
import pytest

from blocks import Blocks
from diptych.data.cache import read_cache, write_shard
from diptych.data.canvases import encode_draw, target_pixels
from diptych.data.dataset import PuppetSource
from diptych.data.draws import LAYERS, draw
from diptych.data.pose_draws import PoseDrawSettings
from diptych.media.frame import MID_GREY
from diptych.method.incontext import split
from diptych.method.pose_augment import PoseAugment
from diptych.models.mini import contract

PLAIN = contract(32 * 32)
DEEP = replace(PLAIN, auxiliary="depth")
POSED = replace(DEEP, motion="pose", motion_fit="frame")
SETTINGS = PoseDrawSettings(shortest=17, history_share=0.3, held_share=0.3, text_dropped=0.0)


@pytest.mark.parametrize("fit", ["frame", "figure"])
def test_depth_changes_nothing_of_the_rest_and_lies_over_the_driver(fit):
    for number in range(8):
        plain, deep = (
            draw(number, replace(one, motion_fit=fit), category="crossing", split="eval") for one in (PLAIN, DEEP)
        )
        assert plain.auxiliary is None
        for name in ("reference", "motion", "output"):
            assert np.array_equal(getattr(plain, name), getattr(deep, name))
        width = deep.reference.shape[1]
        assert deep.auxiliary.shape == deep.motion.shape
        assert deep.figures.shape == (LAYERS, *deep.output.shape[:2], 3 * width)
        assert np.array_equal(deep.figures[..., : 2 * width], plain.figures)
        assert np.array_equal(deep.figures[..., 2 * width :], plain.figures[..., width:])
        # Near is where the driver's figures are, as the mask of the motion panel says.
        there = deep.figures[0, deep.window.lead_in :, :, 2 * width :]
        assert (deep.auxiliary[there == 255] > 30).mean() > 0.97
        padding = (deep.auxiliary == MID_GREY).all(-1)
        assert (deep.auxiliary[(there == 0) & ~padding] < 30).mean() > 0.97


def test_the_nearest_of_a_window_is_white_and_the_farthest_black():
    for number in range(4):
        shown = draw(number, replace(DEEP, motion_fit="frame"), category="crossing").auxiliary
        assert shown.max() > 240
        assert shown.min() == 0
        assert (shown == shown[..., :1]).all()


def test_exact_pairs_can_be_driven_by_skeletons():
    made = draw(3, POSED, category="crossing")
    rgb = draw(3, replace(POSED, motion="rgb"), category="crossing")
    assert np.array_equal(made.output, rgb.output)
    assert np.array_equal(made.auxiliary, rgb.auxiliary)
    assert (made.motion.max(-1) < 8).mean() > 0.6
    # Sticks lie on who is seen there.
    sticks = made.motion.max(-1) > 100
    there = made.figures[0, made.window.lead_in :, :, made.reference.shape[1] : 2 * made.reference.shape[1]]
    assert (there[sticks] > 0).mean() > 0.9


def test_who_has_no_skeleton_is_not_driven_by_one():
    with pytest.raises(ValueError, match="skeletons"):
        draw(0, POSED, category="snake")


def test_footage_is_drawn_with_the_depth_of_others_in_the_same_places():
    source = PuppetSource("train")
    overlaps = []
    for clip in range(10):
        made = source.draw(clip, 0, POSED, SETTINGS, seed=0)
        plain = source.draw(clip, 0, replace(POSED, auxiliary="none"), replace(SETTINGS, augment=NO_BOX), seed=0)
        assert made.auxiliary.shape == made.motion.shape
        for name in ("reference", "output", "motion"):
            assert np.array_equal(getattr(made, name), getattr(plain, name))
        assert np.array_equal(source.draw(clip, 0, POSED, SETTINGS, seed=0).auxiliary, made.auxiliary)
        near, sticks = (made.auxiliary[..., 0] > 30) & (made.auxiliary[..., 0] != MID_GREY), made.motion.max(-1) > 60
        if sticks.any():
            overlaps.append((near & sticks).sum() / sticks.sum())
    # Most of a skeleton lies where they are near, though bones were scaled and bodies are others.
    assert np.median(overlaps) > 0.7


NO_BOX = PoseAugment(box_share=0.0)


def test_canvases_of_three_panels_are_encoded_and_cached_as_they_are(tmp_path):
    backbone, made = Blocks(contract=replace(DEEP, motion_fit="frame")), draw(1, replace(DEEP, motion_fit="frame"))
    pixels = split(target_pixels(made), 3)
    assert pixels[0].shape == pixels[2].shape
    latent = encode_draw(made, backbone.encode_canvas, backbone.facts.empty)
    assert latent.target.shape[-1] == 3 * made.reference.shape[1] // 16
    assert latent.figures.shape[-3:] == latent.target.shape[-3:]
    write_shard(tmp_path, 0, lambda number: latent, "these", 2)
    (bucket,) = read_cache(tmp_path, 2, "these", 2).values()
    assert bucket.take([1])[0].target.shape == latent.target.shape
