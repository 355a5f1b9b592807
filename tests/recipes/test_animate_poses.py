"""``animate --motion pose``: skeletons drive, the video gives times and sound."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction

import numpy as np
import pytest

from blocks import save_random_mini
from diptych.animate.session import Session
from diptych.data.poses import ClipPoses, write_poses
from diptych.media.image import write_image
from diptych.media.video import read_frames, write_clip
from diptych.options import AnimateOptions
from diptych.puppets.pairs import draw_pair
from diptych.puppets.poses import pose_of
from diptych.recipes.animate import animate_files
from diptych.types import Clip, InputError, Skeleton

FRAMES = 20


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_random_mini(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """A clip of a puppet at 30000/1001, and its poses beside it."""
    folder = tmp_path_factory.mktemp("driver")
    pair = draw_pair(4, category="person_full")
    shown = pair.driving(pair.start + np.arange(FRAMES) / 12, 48, 64)
    write_clip(folder / "driver.mp4", Clip.at_fps(shown.frames, Fraction(30000, 1001)))
    write_poses(folder / "poses.safetensors", ClipPoses(pose_of(shown.skeleton, ["biped"]), 48, 64, "puppets"))
    return folder


@pytest.fixture
def options(tmp_path, model, driver):
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    write_image(tmp_path / "picture.png", picture)
    return AnimateOptions(
        tmp_path / "picture.png",
        driver / "driver.mp4",
        tmp_path / "out.mp4",
        motion="pose",
        poses=driver / "poses.safetensors",
        model=str(model),
        quiet=True,
    )


def times(path):
    return [(frame.time, frame.duration) for frame in read_frames(path)]


def run(options):
    return json.loads(options.output.with_name("out.mp4.run.json").read_text())


def handed_over(options, monkeypatch):
    """What the session is given as the driver."""
    seen = []
    whole = Session.animate

    def animate(self, reference, driving, *args, **kwargs):
        def noted():
            for frame in driving:
                seen.append(frame)
                yield frame

        return whole(self, reference, noted(), *args, **kwargs)

    monkeypatch.setattr(Session, "animate", animate)
    animate_files(options)
    return np.stack(seen)


def test_skeletons_drive_and_times_are_the_videos(options, monkeypatch, capsys):
    seen = handed_over(options, monkeypatch)
    assert times(options.output) == times(options.driving)
    # Sticks on black, of the panel's own size; not the video.
    assert seen.shape == (FRAMES, 32, 48, 3)
    assert (seen.max(-1) < 8).mean() > 0.7
    assert seen.max() > 200
    told = run(options)
    assert told["motion"]["kind"] == "pose"
    assert told["motion"]["figures"] == 1
    assert "driven by skeletons, as asked" in capsys.readouterr().err


def test_a_part_of_the_video_is_driven_by_its_own_skeletons(options, monkeypatch):
    whole = handed_over(options, monkeypatch)
    later = dataclasses.replace(options, output=options.output.with_name("part.mp4"), start=Fraction(1001, 3000))
    assert np.array_equal(handed_over(later, monkeypatch), whole[10:])


def test_footage_drives_where_the_model_learned_from_footage(options, monkeypatch):
    seen = handed_over(dataclasses.replace(options, motion=None), monkeypatch)
    assert seen.shape[1:] == (64, 48, 3)
    assert run(options)["motion"] == {"kind": "rgb"}


@pytest.mark.parametrize("frames", [FRAMES - 3, FRAMES + 3])
def test_poses_of_another_length_are_refused(options, driver, tmp_path, frames):
    joints = np.ones((frames, 1, 133, 3), np.float32)
    from diptych.method.skeleton import WHOLEBODY

    write_poses(tmp_path / "other.safetensors", ClipPoses((WHOLEBODY.skeleton(joints),), 48, 64))
    with pytest.raises(InputError, match=r"other\.safetensors"):
        animate_files(dataclasses.replace(options, poses=tmp_path / "other.safetensors"))
    assert not options.output.exists()


def test_without_poses_or_an_estimator_the_remedy_is_named(options):
    with pytest.raises(InputError, match="--poses"):
        animate_files(dataclasses.replace(options, poses=None))


def test_poses_of_nobody_are_refused(options, tmp_path):
    from diptych.method.skeleton import WHOLEBODY

    nobody = WHOLEBODY.skeleton(np.zeros((FRAMES, 1, 133, 3), np.float32))
    write_poses(tmp_path / "nobody.safetensors", ClipPoses((nobody,), 48, 64))
    with pytest.raises(InputError, match="nobody"):
        animate_files(dataclasses.replace(options, poses=tmp_path / "nobody.safetensors"))


def test_windows_of_other_poses_are_not_gone_on_with(options, driver, tmp_path, monkeypatch):
    def stop(self, *args, **kwargs):
        raise RuntimeError("stopped")

    with monkeypatch.context() as broken:
        broken.setattr("diptych.recipes.animate._Outputs.write", stop)
        with pytest.raises(RuntimeError, match="stopped"):
            animate_files(options)
    from diptych.data.poses import read_poses

    poses = read_poses(driver / "poses.safetensors")
    person = poses.figures[0]
    moved = Skeleton(person.names, person.joints * (1, 0.9, 1), person.bones)
    write_poses(tmp_path / "moved.safetensors", ClipPoses((moved,), 48, 64))
    with pytest.raises(InputError, match="motion"):
        animate_files(dataclasses.replace(options, poses=tmp_path / "moved.safetensors"))
    animate_files(options)
    assert times(options.output) == times(options.driving)


def test_picture_and_poses_are_put_into_a_prompt_where_none_is_given(options):
    animate_files(dataclasses.replace(options, describe=True))
    prompt = run(options)["prompt"]
    assert prompt
    assert prompt[0].isupper()
    assert prompt.endswith(".")
    animate_files(dataclasses.replace(options, describe=True, prompt="mine"))
    assert run(options)["prompt"] == "mine"
