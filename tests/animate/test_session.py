"""The session: every driver frame answered once, at any length, from any size, and nothing read before its time."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blocks import Blocks, plain_blocks
from diptych.animate.sampler import SamplerSettings
from diptych.animate.session import Session
from diptych.method.incontext import split
from diptych.types import Stand


def session(steps=3, guidance_scale=1.0, continues=True):
    return Session(Blocks(), SamplerSettings(steps=steps, guidance_scale=guidance_scale, continues=continues))


@pytest.mark.parametrize("continues", [True, False])
@pytest.mark.parametrize("frames", [1, 2, 11, 12, 13, 24, 25, 37, 125])
def test_each_driver_frame_is_answered_by_its_own(frames, continues):
    driving = plain_blocks(frames, seed=1)
    result = np.concatenate(list(session(continues=continues).animate(plain_blocks(1)[0], driving)))
    assert result.shape == driving.shape
    assert np.abs(result.astype(int) - driving).max() <= 1


def test_the_lead_in_comes_first_where_it_is_kept_and_starts_with_the_reference():
    reference, driving = plain_blocks(1)[0], plain_blocks(20, seed=1)
    kept = np.concatenate(list(session().animate(reference, driving, keep_lead_in=True)))
    cut = np.concatenate(list(session().animate(reference, driving)))
    assert len(kept) == len(cut) + 5
    assert np.abs(kept[0].astype(int) - reference).max() <= 1
    assert np.array_equal(kept[5:], cut)


def test_result_has_the_reference_aspect_and_no_padding_and_the_driver_may_have_another():
    wide = plain_blocks(1, 32, 48)[0]
    result = np.concatenate(list(session().animate(wide, plain_blocks(5, 64, 32))))
    assert result.shape[1:] == (*reversed(session().output_size(wide)), 3)
    assert result.shape[2] / result.shape[1] == pytest.approx(48 / 32, rel=0.06)


def test_only_a_window_of_the_driver_is_read_before_its_result_is_given():
    read = []

    def driving():
        for i, frame in enumerate(plain_blocks(60)):
            read.append(i)
            yield frame

    results = session().animate(plain_blocks(1)[0], driving())
    next(results)
    assert len(read) == 12
    next(results)
    assert len(read) == 24


def test_a_later_window_is_given_the_reference_and_the_finished_frames():
    s = session(steps=1)
    driving = plain_blocks(24, seed=1)
    list(s.animate(plain_blocks(1)[0], driving))
    second = s.backbone.seen[1]
    mask = second[:, 24:, :, :, :2]
    assert mask[0, 0, :, 0, 0].tolist() == [1, 1, 0, 0, 0]
    history = s.backbone.decode(second[:, 12:24, :, :, :2])[0, :, 1:5]
    finished = driving[8:12].transpose(3, 0, 1, 2) / 127.5 - 1
    assert np.abs(history.numpy() - finished).max() <= 1.1 / 127.5


@pytest.mark.parametrize("phases", [1, 2])
def test_a_window_that_opens_anew_knows_nothing_of_the_one_before(phases):
    s = session(steps=1, continues=False)
    reference, driving = plain_blocks(1)[0], plain_blocks(24 * phases, seed=1)
    made = np.concatenate(list(s.animate(reference, driving, phases=phases)))
    assert len(made) == len(driving)
    again = session(steps=1, continues=False)
    again.backbone.seen.clear()
    list(again.animate(reference, driving[12 * phases :], phases=phases))
    # But for the noise, the second window is the first one of a video that begins there.
    second, first = s.backbone.seen[phases], again.backbone.seen[0]
    assert second[0, 24, :, 0, 0].tolist() == [1, 0, 0, 0, 0]
    assert np.array_equal(second[:, 12:], first[:, 12:])


def test_the_seed_decides_the_noise_and_each_window_has_its_own():
    def noise(seed):
        s = session(steps=1)
        list(s.animate(plain_blocks(1)[0], plain_blocks(24), seed=seed))
        return [x[:, :12] for x in s.backbone.seen]

    first, again, other = noise(0), noise(0), noise(1)
    assert all(bool((a == b).all()) for a, b in zip(first, again, strict=True))
    assert not (first[0] == other[0]).any()
    assert not (first[0] == first[1]).any()


def test_guidance_asks_for_the_plain_prediction_too_and_only_then():
    s = session(steps=2, guidance_scale=1.0)
    list(s.animate(plain_blocks(1)[0], plain_blocks(3), "a cat"))
    assert (len(s.backbone.seen), s.backbone.prompts) == (2, ["a cat"])
    s = session(steps=2, guidance_scale=3.0)
    list(s.animate(plain_blocks(1)[0], plain_blocks(3), "a cat"))
    assert (len(s.backbone.seen), s.backbone.prompts) == (4, ["a cat", ""])


def test_a_driver_without_frames_is_refused():
    with pytest.raises(ValueError, match="no frame"):
        list(session().animate(plain_blocks(1)[0], []))


def deep(continues=True):
    backbone = Blocks()
    backbone.contract = replace(backbone.contract, auxiliary="depth")
    return Session(backbone, SamplerSettings(steps=1, continues=continues))


@pytest.mark.parametrize(("continues", "phases"), [(True, 1), (True, 2), (False, 1)])
@pytest.mark.parametrize("frames", [1, 12, 25, 37])
def test_what_stands_beside_a_driving_frame_comes_with_it(frames, continues, phases):
    driving, beside = plain_blocks(frames, seed=1), plain_blocks(frames, seed=2)
    s = deep(continues)
    result = np.concatenate(list(s.animate(plain_blocks(1)[0], driving, auxiliary=beside, phases=phases)))
    assert np.abs(result.astype(int) - driving).max() <= 1
    of = {frame.tobytes(): number for number, frame in enumerate(driving)}
    for x in s.backbone.seen:
        left, *shown = split(x[:, 12:24], 3)
        motion, third = (s.backbone.decode(panel)[0].permute(1, 2, 3, 0).numpy() for panel in shown)
        there = np.rint((motion + 1) * 127.5).astype(np.uint8)
        start = 5 if left[0, :, 1].abs().max() == 0 else 1
        for t in range(start, len(there)):
            wanted = beside[of[there[t].tobytes()]]
            assert np.abs((third[t] + 1) * 127.5 - wanted).max() <= 1


def test_frames_beside_the_motion_are_given_just_where_the_model_has_a_panel_for_them():
    driving = plain_blocks(5)
    with pytest.raises(ValueError, match="depth beside the motion"):
        list(deep().animate(driving[0], driving))
    with pytest.raises(ValueError, match="none beside the motion"):
        list(session().animate(driving[0], driving, auxiliary=driving))
    with pytest.raises(ValueError, match="shorter"):
        list(deep().animate(driving[0], driving, auxiliary=driving[:3]))


def test_what_stands_beside_is_placed_as_the_driver_is():
    s = deep()
    s.backbone.contract = replace(s.backbone.contract, motion_fit="figure")
    s = replace(s, locate=lambda picture: Stand(picture.shape[1] / 2, picture.shape[0] / 2, picture.shape[0] / 2))
    driving = plain_blocks(3, 64, 96, seed=1)
    list(s.animate(plain_blocks(1)[0], driving, auxiliary=driving.copy()))
    _, motion, third = split(s.backbone.seen[0][:, 12:24], 3)
    assert motion.abs().max() > 0
    assert torch.equal(motion, third)
