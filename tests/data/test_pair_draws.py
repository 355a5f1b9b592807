"""Draws of the end-to-end stage: the footage is the answer, and another video drives it, frame for frame."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from diptych.data.draws import Eyes
from diptych.data.manifest import Entry, Pair, write_manifest
from diptych.data.pair_draws import PairDrawSettings, pair_draw
from diptych.data.pairs import PairSource, PuppetPairs, pair_sources
from diptych.data.poses import ClipPoses, write_poses
from diptych.files import sha256
from diptych.media.frame import Stand, fit, panel_for
from diptych.media.image import write_image
from diptych.media.video import write_clip
from diptych.method.rgb_augment import NOTHING, RgbAugment, mirrored
from diptych.method.skeleton import WHOLEBODY
from diptych.models.mini import contract
from diptych.types import Clip, InputError

AGREED = replace(contract(32 * 32), motion="rgb", motion_fit="frame")
SHARES = {"history_share": 0.0, "held_share": 0.0, "text_dropped": 0.0, "recoded_share": 0.0}
PLAIN = PairDrawSettings(shortest=17, augment=NOTHING, **SHARES)
NUMBERED = 40


def rng(seed=0):
    return np.random.default_rng(seed)


def numbered(count=NUMBERED, height=48, width=64, first=0):
    """Frames that say which they are by their grey; brighter on the left, so that a mirror is seen."""
    frames = np.repeat((first + np.arange(count, dtype=np.uint8)) * 5, height * width * 3)
    frames = frames.reshape(count, height, width, 3).copy()
    frames[:, :, : width // 8] += 30
    return frames


def numbers(frames):
    return np.rint(np.median(frames.reshape(len(frames), -1), axis=1) / 5).astype(int)


def figure(count=NUMBERED):
    joints = np.zeros((count, 1, len(WHOLEBODY.joints), 3), np.float32)
    for name, at in {"left_shoulder": (8, 12), "right_shoulder": (26, 12), "left_hip": (9, 40)}.items():
        joints[:, 0, WHOLEBODY.joints.index(name)] = (*at, 1)
    return (WHOLEBODY.skeleton(joints),)


def draw(settings=PLAIN, seed=0, **more):
    return pair_draw(numbered(height=30, width=40), numbered(), "her left hand", AGREED, rng(seed), settings, **more)


def test_every_frame_of_the_answer_stands_beside_the_drivers_frame_of_the_same_number():
    for share in (0.0, 1.0):
        made = draw(replace(PLAIN, history_share=share, held_share=0.5))
        shown = numbers(made.output)
        assert np.array_equal(numbers(made.motion), shown[made.window.lead_in :])
        assert np.array_equal(made.reference, made.output[0])
        assert (made.window.history > 0) == bool(share)
        assert len(made.motion) == made.window.motion_frames


def test_an_unchanged_driver_is_fitted_as_a_session_fits_it():
    made = draw()
    driver = numbered(height=30, width=40)[numbers(made.motion)]
    assert np.array_equal(made.motion, fit(driver, made.output.shape[1:3])[0])
    box = panel_for(64, 48, AGREED.panel_area, AGREED.panel_multiple)
    assert np.array_equal(made.output, fit(numbered()[numbers(made.output)], box)[0])


def by_rows(picture):
    """Finds a bright row as a figure that stands on it, half as tall as the picture."""
    rows = picture.astype(float).mean((1, 2))
    return Stand(picture.shape[1] / 2, float(rows.argmax()), picture.shape[0] / 2)


def test_a_driver_is_brought_to_the_references_place_where_the_contract_asks_for_it():
    """A bright row at 6 of 30 in the driver and at 36 of 48 in the footage: the draw shows both at one height."""
    placed, driving, target = replace(AGREED, motion_fit="figure"), numbered(height=30, width=40), numbered()
    driving[:, 6], target[:, 36] = 255, 255
    for share in (0.0, 1.0):
        settings = replace(PLAIN, history_share=share)
        made = pair_draw(driving, target, "", placed, rng(), settings, locate=by_rows)
        rows = [frames.astype(float).mean((2, 3)).argmax(1) for frames in (made.motion, made.output)]
        assert np.ptp(np.concatenate(rows)) <= 1
        assert np.array_equal(numbers(made.motion), numbers(made.output)[made.window.lead_in :])
    seen = replace(settings, augment=replace(NOTHING, mirror_share=1.0))
    other = pair_draw(driving, target, "", placed, rng(), seen, locate=by_rows)
    assert np.array_equal(other.motion, mirrored(made.motion))
    moved = replace(settings, recoded_share=1.0, augment=RgbAugment(crop_share=0.0, stretch_share=1.0))
    assert pair_draw(driving, target, "", placed, rng(), moved, locate=by_rows).motion.shape == made.motion.shape
    with pytest.raises(ValueError, match="somebody who finds it"):
        pair_draw(driving, target, "", placed, rng(), PLAIN)


@pytest.mark.parametrize("fit_by", ["frame", "figure"])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_depth_goes_the_drivers_way_into_its_panel_and_keeps_its_greys(fit_by, share):
    """Shown the driver itself as its depth, both panels are alike but for what is done to colours."""
    agreed = replace(AGREED, motion_fit=fit_by, auxiliary="depth")
    driving = numbered(height=30, width=40)
    moved = RgbAugment(crop_share=1.0, stretch_share=1.0, mirror_share=1.0, colour_share=0.0, blur_share=0.0)

    def made(depth, **changed):
        settings = replace(PLAIN, history_share=share, **{"augment": moved, **changed})
        return pair_draw(driving, numbered(), "", agreed, rng(), settings, locate=by_rows, depth=depth)

    plain = made(driving)
    assert np.array_equal(plain.auxiliary, plain.motion)
    coloured = replace(moved, colour_share=1.0, blur_share=1.0)
    spoilt = made(driving, augment=coloured, recoded_share=1.0)
    assert np.array_equal(spoilt.auxiliary, plain.auxiliary)
    assert not np.array_equal(spoilt.motion, plain.motion)
    # All else is drawn as it is without.
    assert np.array_equal(made(None, augment=coloured, recoded_share=1.0).motion, spoilt.motion)
    assert made(None).auxiliary is None


def test_depth_that_is_not_the_drivers_is_refused():
    with pytest.raises(ValueError, match="depth of"):
        draw(depth=numbered(height=30, width=41))
    with pytest.raises(ValueError, match="not with skeletons"):
        draw(replace(PLAIN, pose_share=0.2), depth=numbered(height=30, width=40))


def test_augmentation_changes_the_driver_and_never_the_answer():
    strong = RgbAugment(crop_share=1.0, stretch_share=1.0, mirror_share=0.0, colour_share=1.0, blur_share=1.0)
    for seed in range(6):
        plain, moved = draw(seed=seed), draw(replace(PLAIN, augment=strong, recoded_share=1.0), seed)
        assert np.array_equal(plain.output, moved.output)
        assert plain.motion.shape == moved.motion.shape
        assert not np.array_equal(plain.motion, moved.motion)
        assert moved.prompt == "her left hand"


def test_in_a_mirror_all_of_a_sample_is_exchanged():
    plain, seen = draw(), draw(replace(PLAIN, augment=replace(NOTHING, mirror_share=1.0)))
    assert np.array_equal(seen.output, mirrored(plain.output))
    assert np.array_equal(seen.motion, mirrored(plain.motion))
    assert np.array_equal(seen.reference, seen.output[0])
    assert seen.prompt == "her right hand"


def test_skeletons_may_drive_and_are_never_seen_in_a_mirror():
    settings = replace(PLAIN, pose_share=1.0, augment=replace(NOTHING, mirror_share=1.0))
    posed = draw(settings, poses=figure())
    assert posed.motion[0, 0, 0].tolist() == [0, 0, 0]
    assert posed.motion.any()
    assert posed.prompt == "her left hand"
    assert np.array_equal(numbers(draw(settings).motion), numbers(draw().motion))  # nobody has skeletons
    share = [not draw(replace(PLAIN, pose_share=0.3), n, poses=figure()).motion[0, 0, 0].any() for n in range(80)]
    assert np.mean(share) == pytest.approx(0.3, abs=0.15)


def test_the_same_state_draws_the_same():
    settings = PairDrawSettings(shortest=17)
    for seed in range(4):
        one, again = draw(settings, seed), draw(settings, seed)
        assert np.array_equal(one.motion, again.motion)
        assert np.array_equal(one.output, again.output)
        assert one.prompt == again.prompt
    assert not np.array_equal(draw(settings, 1).motion[:8], draw(settings, 2).motion[:8])


def test_previews_show_drivers_as_they_are():
    plain = PairDrawSettings(shortest=17, pose_share=0.2).plain
    assert (plain.augment, plain.pose_share, plain.recoded_share) == (NOTHING, 0.0, 0.0)
    assert (plain.history_share, plain.held_share, plain.text_dropped) == (0.0, 0.0, 0.0)
    assert PairDrawSettings(shortest=17, text_dropped=1.0).plain.text_dropped == 1.0


# --- the made-up world ----------------------------------------------------------------------------------------------


def test_puppets_are_brought_to_the_references_place_too():
    def centre(picture):
        return Stand(picture.shape[1] / 2, picture.shape[0] / 2, picture.shape[0] / 2)

    one = PuppetPairs().draw(2, 0, replace(AGREED, motion_fit="figure"), PLAIN, 0, Eyes(centre))
    plain = PuppetPairs().draw(2, 0, AGREED, PLAIN, 0)
    assert one.motion.shape == plain.motion.shape
    assert np.array_equal(one.output, plain.output)
    assert not np.array_equal(one.motion, plain.motion)


def test_puppets_give_exact_pairs_the_same_ones_every_time():
    source = PuppetPairs()
    one, again, other = (source.draw(clip, 0, AGREED, PLAIN, seed=0) for clip in (2, 2, 3))
    assert np.array_equal(one.output, again.output)
    assert np.array_equal(one.motion, again.motion)
    assert one.prompt == again.prompt != other.prompt
    assert one.motion.shape[1:] == one.output.shape[1:]
    # Another character before another background: the driver is not the answer.
    beside = one.output[one.window.lead_in :].astype(int)
    assert np.abs(beside - one.motion).mean() > 10
    assert PuppetPairs("eval").identity != source.identity != PuppetPairs(bodies="all").identity


# --- manifests ------------------------------------------------------------------------------------------------------


def write_pairs(folder, lengths=(40, 40, 40, 8), without=(2,), sources=None, poses=()):
    """Real H.264 clips, some with a driver: (path of the manifest)."""
    entries = []
    for n, length in enumerate(lengths):
        names = {"target": f"{n}.mp4", "driving": f"{n}.driving.mp4"}
        write_clip(folder / names["target"], Clip.at_fps(numbered(length), 24))
        write_clip(folder / names["driving"], Clip.at_fps(numbered(length, 30, 40), 24))
        if n in without:
            names.pop("driving")
        if n in poses:
            names["poses"] = f"{n}.safetensors"
            write_poses(folder / names["poses"], ClipPoses(figure(length), 64, 48, "test"))
        hashes = {key: sha256(folder / name) for key, name in names.items()}
        pair = None
        if sources is not None:
            write_image(folder / "who.png", np.zeros((8, 8, 3), np.uint8))
            pair = Pair(identity="who.png", source=sources[n])
            hashes["identity"] = sha256(folder / "who.png")
        entries.append(Entry(id=f"p{n}", **names, looks="a wall", fps="24", frames=length, pair=pair, sha256=hashes))
    write_manifest(folder / "kept.jsonl", entries)
    return folder / "kept.jsonl"


def test_a_manifest_gives_what_has_a_driver_and_says_what_it_left_out(tmp_path):
    train, held_out = pair_sources(str(write_pairs(tmp_path)), PLAIN, held_out=1)
    assert (train.clips, held_out.clips) == (1, 1)
    assert train.left_out == {"no driving video": 1, "shorter than 17 frames": 1}
    made = train.draw(0, 0, AGREED, PLAIN, seed=0)
    assert made.prompt == "a wall"
    assert np.abs(numbers(made.motion) - numbers(made.output)[5:]).max() <= 1  # as H.264 leaves greys


def test_pairs_of_one_source_are_held_out_together(tmp_path):
    path = write_pairs(tmp_path, lengths=(20,) * 6, without=(), sources=("a", "b", "c", "a", "b", "c"))
    for held in (1, 2, 3):
        train, held_out = pair_sources(str(path), PLAIN, held_out=held)
        kept, rest = ({entry.pair.source for entry in one.entries} for one in (train, held_out))
        assert not kept & rest
        assert held_out.clips == (2 if held < 3 else 4)


def test_what_a_driver_should_have_been_may_drive_instead(tmp_path):
    path = write_pairs(tmp_path, lengths=(20, 20), without=(), sources=("a", "b"))
    first, other = (json.loads(line) for line in path.read_text().splitlines())
    write_clip(tmp_path / "right.mp4", Clip.at_fps(255 - numbered(20, 30, 40), 24))
    first["pair"]["right"], first["sha256"]["right"] = "right.mp4", sha256(tmp_path / "right.mp4")
    path.write_text(json.dumps(first) + "\n" + json.dumps(other) + "\n")
    right = replace(PLAIN, driver="right")
    source = PairSource.of(path, right)
    assert source.left_out == {"no driver that is known to be right": 1}
    assert source.draw(0, 0, AGREED, right, seed=0).motion[:, 8, 8].min() > 128
    assert source.draw(0, 0, AGREED, PLAIN, seed=0).motion[:, 8, 8].max() < 128


def test_skeletons_of_a_manifest_drive_a_share(tmp_path):
    path = write_pairs(tmp_path, lengths=(20,), without=(), poses=(0,))
    source = PairSource.of(path, PLAIN)
    posed = source.draw(0, 0, AGREED, replace(PLAIN, pose_share=1.0), seed=0)
    assert not posed.motion[0, 0, 0].any()
    write_poses(tmp_path / "0.safetensors", ClipPoses(figure(19), 64, 48, "test"))
    assert source.draw(0, 1, AGREED, PLAIN, seed=0).motion[0, 0, 0].any()  # not asked for, not read
    with pytest.raises(InputError, match=r"0\.safetensors is of 19 frames"):
        source.draw(0, 0, AGREED, replace(PLAIN, pose_share=0.9), seed=0)


def test_what_cannot_be_trained_on_is_told_in_a_sentence(tmp_path):
    path = write_pairs(tmp_path, lengths=(20, 8), without=(0,))
    with pytest.raises(InputError, match=r"1 have no driving video, 1 are shorter than 17 frames\); make pairs by"):
        pair_sources(str(path), PLAIN, held_out=1)
    path = write_pairs(tmp_path, lengths=(20, 20), without=())
    write_clip(tmp_path / "1.driving.mp4", Clip.at_fps(numbered(19, 30, 40), Fraction(24)))
    source = PairSource.of(path, PLAIN)
    with pytest.raises(InputError, match=r"1.driving.mp4 has 19 frames and 1.mp4 has 20, where the manifest says 20"):
        source.draw(1, 0, AGREED, PLAIN, seed=0)
