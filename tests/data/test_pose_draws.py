"""Draws of the pose stage: the answer is the footage itself, and the drive is its skeletons, where and when it is."""

from dataclasses import replace

import numpy as np
import pytest

from diptych.data.dataset import ManifestSource, PuppetSource, clip_of, draw_rng, sources, told
from diptych.data.manifest import Entry, write_manifest
from diptych.data.pose_draws import PoseDrawSettings, drawn, pose_draw
from diptych.data.poses import ClipPoses, write_poses
from diptych.data.windows import choose, strides
from diptych.files import sha256
from diptych.media.frame import fit, panel_for
from diptych.media.video import write_clip
from diptych.method.pose_augment import PoseAugment
from diptych.method.skeleton import WHOLEBODY
from diptych.models.mini import contract
from diptych.types import Clip, InputError

AGREED = replace(contract(32 * 32), motion="pose", motion_fit="frame")
BARE = PoseAugment(bones_share=0.0, box_share=0.0)
PLAIN = PoseDrawSettings(shortest=17, history_share=0.0, held_share=0.0, text_dropped=0.0, augment=BARE)
NUMBERED = 40


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def footage():
    """Frames that say which they are by their grey, and a figure that walks to the right, one pixel a frame."""
    frames = np.repeat(np.arange(NUMBERED, dtype=np.uint8) * 6, 48 * 64 * 3).reshape(NUMBERED, 48, 64, 3)
    joints = np.zeros((NUMBERED, 1, len(WHOLEBODY.joints), 3), np.float32)
    for name, at in {
        "left_shoulder": (8, 12),
        "right_shoulder": (16, 12),
        "left_hip": (9, 30),
        "nose": (12, 6),
    }.items():
        joints[:, 0, WHOLEBODY.joints.index(name)] = (*at, 1)
    joints[..., 0] += np.arange(NUMBERED)[:, None, None] * (joints[..., 2] > 0)
    return frames, (WHOLEBODY.skeleton(joints),)


def numbers(frames):
    return np.rint(np.median(frames.reshape(len(frames), -1), axis=1) / 6).astype(int)


def test_an_opening_shows_consecutive_frames_and_their_skeletons_after_the_lead_in(footage):
    frames, poses = footage
    draw = pose_draw(frames, poses, "a cup walks", AGREED, rng(), PLAIN)
    shown = numbers(draw.output)
    assert np.array_equal(np.diff(shown), np.ones(16))
    assert np.array_equal(draw.reference, draw.output[0])
    assert (draw.window.lead_in, draw.window.history, draw.history) == (5, 0, None)
    assert draw.prompt == "a cup walks"
    # The drive begins after the lead-in, with the skeleton of the very frame that it stands beside.
    box = panel_for(64, 48, AGREED.panel_area, AGREED.panel_multiple)
    wanted = drawn((replace(poses[0], joints=poses[0].joints[shown[5:]]),), box, 64)
    assert np.array_equal(draw.motion, wanted)
    assert draw.motion.any()
    assert len(draw.motion) == draw.window.motion_frames


def test_skeletons_lie_over_the_figures_they_are_of():
    """Every joint that is drawn falls on the figure, in pixels of the panel, padding and all."""
    source = PuppetSource("eval")
    for clip in range(6):
        draw = source.draw(clip, 0, AGREED, PLAIN, seed=1)
        assert draw.motion.shape[1:] == draw.output.shape[1:]
    frames = np.full((20, 30, 70, 3), 250, np.uint8)
    frames[:, 10:20, 20:30] = (200, 0, 0)
    joints = np.zeros((20, 1, len(WHOLEBODY.joints), 3), np.float32)
    joints[:, 0, WHOLEBODY.joints.index("left_shoulder")] = (22, 15, 1)
    joints[:, 0, WHOLEBODY.joints.index("left_elbow")] = (28, 15, 1)
    larger = replace(AGREED, panel_area=64 * 64)
    draw = pose_draw(frames, (WHOLEBODY.skeleton(joints),), "", larger, rng(), PLAIN)
    rows, columns = np.nonzero(draw.motion[0].sum(-1) > 100)
    shown = draw.output[draw.window.lead_in][rows, columns].astype(int)
    assert len(rows) > 3
    assert (shown[:, 0] - shown[:, 1] > 80).mean() > 0.9


def test_a_continuing_window_has_an_earlier_reference_and_a_damaged_past(footage):
    frames, poses = footage
    settings = replace(PLAIN, history_share=1.0)
    seen = [pose_draw(frames, poses, "", AGREED, rng(seed), settings) for seed in range(12)]
    for draw in seen:
        shown = numbers(draw.output)
        assert (draw.window.lead_in, draw.window.history) == (1, 4)
        assert np.array_equal(np.diff(shown[1:]), np.ones(15))
        assert shown[0] <= shown[1] + 1
        assert draw.history.shape == draw.output[1:5].shape
        assert len(draw.motion) == 16
    assert any(not np.array_equal(draw.history, draw.output[1:5]) for draw in seen)
    assert any(numbers(draw.output)[0] < numbers(draw.output)[1] - 1 for draw in seen)


def test_a_reference_from_far_away_is_led_to_the_motion_through_the_frames_between(footage):
    frames, poses = footage
    references = []
    for seed in range(30):
        draw = pose_draw(frames, poses, "", AGREED, rng(seed), replace(PLAIN, far_share=1.0))
        shown, lead_in = numbers(draw.output), draw.window.lead_in
        assert np.array_equal(np.diff(shown[lead_in:]), np.ones(len(shown) - lead_in - 1))
        steps = np.diff(shown[: lead_in + 1])
        assert np.ptp(steps) <= 1  # at an even pace
        assert np.array_equal(draw.reference, draw.output[0])
        references.append(shown[0] - shown[lead_in])
    assert min(references) < -2 * lead_in
    assert max(references) > lead_in  # from later than where the motion begins
    drawn = [choose(40, AGREED, replace(PLAIN, far_share=0.5), rng(n)).frames for n in range(200)]
    near = [np.array_equal(np.diff(shown[:6]), np.ones(5)) for shown in drawn]
    assert np.mean(near) == pytest.approx(0.5, abs=0.12)
    # Settings that do not ask for it draw what they always drew.
    assert np.array_equal(
        choose(40, AGREED, PLAIN, rng(4)).frames[5:],
        choose(40, AGREED, replace(PLAIN, far_share=1.0), rng(4)).frames[5:],
    )
    assert replace(PLAIN, far_share=1.0).plain.far_share == 0


def test_a_driver_that_ends_early_holds_its_last_frame_and_so_does_the_footage(footage):
    frames, poses = footage
    draw = pose_draw(frames, poses, "", AGREED, rng(3), replace(PLAIN, held_share=1.0))
    shown = numbers(draw.output)
    moving = int((np.diff(shown) == 1).sum())
    assert np.array_equal(shown[moving:], np.full(17 - moving, shown[moving]))
    assert moving >= 5
    same = [np.array_equal(a, b) for a, b in zip(draw.motion[1:], draw.motion, strict=False)]
    assert all(same[moving - 5 :])


def test_frames_are_taken_at_rates_that_the_contract_knows(footage):
    assert strides(24.0, AGREED) == (1, 2, 3, 4)
    assert strides(60.0, AGREED) == tuple(range(2, 11))
    assert strides(30.01, AGREED)[0] == 1
    assert strides(3.0, AGREED) == (1,)
    frames, poses = footage
    steps = {
        int(np.diff(numbers(pose_draw(frames, poses, "", AGREED, rng(n), PLAIN, taken=(1, 2, 3)).output))[0])
        for n in range(20)
    }
    assert steps == {1, 2}  # every third frame would leave no room


def test_windows_are_as_long_as_the_footage_allows():
    long = replace(AGREED, window_frames=121, lead_in=25, history=16)
    settings = replace(PLAIN, shortest=49)
    assert choose(60, long, settings, rng()).window.frames == 57
    drawn_lengths = {choose(300, long, settings, rng(n)).window.frames for n in range(60)}
    assert 121 in drawn_lengths
    assert min(drawn_lengths) >= 49
    assert all(length % 4 == 1 for length in drawn_lengths)
    with pytest.raises(InputError, match="too short for windows of 49"):
        choose(48, long, settings, rng())


def test_draws_of_a_clip_differ_and_each_is_always_the_same():
    source, settings = PuppetSource(), replace(PLAIN, augment=PoseAugment(bones_share=1.0))
    one, again, two = (source.draw(3, k, AGREED, settings, seed=5) for k in (0, 0, 1))
    assert np.array_equal(one.motion, again.motion)
    assert np.array_equal(one.output, again.output)
    assert not np.array_equal(one.motion[: len(two.motion)], two.motion[: len(one.motion)])
    other_seed = source.draw(3, 0, AGREED, settings, seed=6)
    assert not np.array_equal(one.output, other_seed.output)
    assert draw_rng(0, "a", 1).random() != draw_rng(0, "b", 1).random()


def test_augmentation_changes_the_skeletons_and_never_the_footage(footage):
    frames, poses = footage
    bare = pose_draw(frames, poses, "", AGREED, rng(2), PLAIN)
    moved = pose_draw(
        frames, poses, "", AGREED, rng(2), replace(PLAIN, augment=PoseAugment(bones_share=1.0, box_share=0.0))
    )
    assert np.array_equal(bare.output, moved.output)
    assert not np.array_equal(bare.motion, moved.motion)


def test_clips_come_round_with_new_draws():
    assert [clip_of(n, 3, 2) for n in range(7)] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (0, 2)]
    assert clip_of(7, None, 2) == (3, 1)


# --- manifests ------------------------------------------------------------------------------------------------------


def dataset(folder, footage, lengths=(40, 40, 40, 30, 8), without_poses=(3,)):
    frames, poses = footage
    entries = []
    for n, length in enumerate(lengths):
        clip, found = folder / f"{n}.mp4", folder / f"{n}.safetensors"
        write_clip(clip, Clip.at_fps(frames[:length], 24))
        write_poses(found, ClipPoses((replace(poses[0], joints=poses[0].joints[:length]),), 64, 48, "test"))
        names = {"target": clip.name} | ({} if n in without_poses else {"poses": found.name})
        hashes = {key: sha256(folder / name) for key, name in names.items()}
        entries.append(
            Entry(
                id=f"clip-{n}",
                **names,
                looks="a grey wall.",
                motion="it brightens",
                fps="24",
                frames=length,
                sha256=hashes,
            )
        )
    write_manifest(folder / "manifest.jsonl", entries)
    return folder / "manifest.jsonl"


def test_a_manifest_gives_what_can_be_trained_on_and_says_what_it_left_out(tmp_path, footage):
    train, held_out = sources(str(dataset(tmp_path, footage)), PLAIN, held_out=1)
    assert (train.clips, held_out.clips) == (2, 1)
    assert train.left_out == {"no poses": 1, "shorter than 17 frames": 1}
    assert not {e.id for e in train.entries} & {e.id for e in held_out.entries}
    draw = train.draw(0, 0, AGREED, PLAIN, seed=0)
    assert draw.prompt == "a grey wall. it brightens"
    steps = np.diff(numbers(draw.output).astype(int))
    assert len(set(steps[1:-1].tolist())) == 1  # at one rate, whichever was drawn


def test_a_clips_draws_do_not_depend_on_its_neighbours(tmp_path, footage):
    whole = ManifestSource.of(dataset(tmp_path, footage), PLAIN)
    alone = ManifestSource(whole.path, whole.entries[1:2])
    ours, theirs = (source.draw(n, 1, AGREED, PLAIN, seed=0) for source, n in ((alone, 0), (whole, 1)))
    assert np.array_equal(ours.motion, theirs.motion)
    assert ours.window == theirs.window
    assert whole.identity != alone.identity


def test_a_manifest_that_fits_nothing_is_refused_with_its_reasons(tmp_path, footage):
    path = dataset(tmp_path, footage, lengths=(40, 8), without_poses=(0,))
    with pytest.raises(InputError, match=r"no clip that can be trained on .*1 have no poses, 1 are shorter than 17"):
        sources(str(path), PLAIN, held_out=1)
    path = dataset(tmp_path, footage, lengths=(40,), without_poses=())
    with pytest.raises(InputError, match="1 clips that can be trained on, and 1 are held out"):
        sources(str(path), PLAIN, held_out=1)


def test_poses_of_another_clip_are_refused(tmp_path, footage):
    source = ManifestSource.of(dataset(tmp_path, footage), PLAIN)
    write_poses(tmp_path / "0.safetensors", ClipPoses(footage[1], 32, 48, "test"))
    with pytest.raises(InputError, match=r"of 32 x 48, and 0.mp4 has 40 of 64 x 48"):
        source.draw(0, 0, AGREED, PLAIN, seed=0)


def test_the_fused_prompt_stands_before_its_parts():
    parts = {"id": "x", "target": "x.mp4", "fps": "24", "frames": 9, "sha256": {}}
    assert told(Entry(**parts, looks="a cup", motion="jumps", prompt="a cup jumps")) == "a cup jumps"
    assert told(Entry(**parts)) == ""


def test_the_reference_is_fitted_as_the_session_fits_it(footage):
    frames, poses = footage
    draw = pose_draw(frames, poses, "", AGREED, rng(), PLAIN)
    box = panel_for(64, 48, AGREED.panel_area, AGREED.panel_multiple)
    assert np.array_equal(draw.reference, fit(frames[numbers(draw.output)[0]], box)[0])
