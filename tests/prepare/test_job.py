"""The whole of preparing: what is kept and why not, run in parts, again, edited by hand, and on several processes."""

import json
from collections import Counter
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from diptych.data.check import check_manifest
from diptych.data.manifest import read_manifest, write_manifest
from diptych.data.poses import read_poses
from diptych.files import locked, sha256
from diptych.method.skeleton import WHOLEBODY
from diptych.prepare.captions import UndescribedError
from diptych.prepare.clips import ClipSettings
from diptych.prepare.job import Experts, PrepareSettings, prepare
from diptych.prepare.ledger import Dataset
from diptych.prepare.report import report
from diptych.types import InputError
from footage import FATES, folder_of_everything, scene, write, write_recorded

SMALL = PrepareSettings(ClipSettings(min_frames=17, max_frames=25))


class Words:
    """Says which frame it saw first, so that every clip has words of its own."""

    def motion(self, frames, fps, poses):
        return f"moves {len(frames)} frames at {fps:.2f}\nwith {0 if poses is None else poses.frames} poses\x00"

    def looks(self, picture, poses):
        return f"colours of {picture.mean():.0f}"

    def fuse(self, motion, looks):
        return f"{looks} {motion}"


class Silent(Words):
    def motion(self, frames, fps, poses):
        raise UndescribedError("nobody answers")


class Middle:
    """Finds one person whose nose is in the middle of every frame."""

    name = "in the middle"

    def __call__(self, frames, fps):
        joints = np.zeros((len(frames), 1, 133, 3), np.float32)
        joints[:, :, :17] = (frames.shape[2] / 2, frames.shape[1] / 2, 0.8)
        return (WHOLEBODY.skeleton(joints),)


PLAIN = Experts(describer=Words, describer_name="words")


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    return folder_of_everything(tmp_path_factory.mktemp("footage"))


@pytest.fixture(scope="module")
def done(footage, tmp_path_factory):
    """The footage prepared in one go by one process."""
    folder = tmp_path_factory.mktemp("done") / "dataset"
    prepare(footage, folder, SMALL, PLAIN, quiet=True)
    return folder


def result(folder):
    """Everything that is the same however a dataset came to be."""
    return {
        str(path.relative_to(folder)): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "state" not in path.parts and path.name not in ("run.json", "lock")
    }


def test_every_clip_is_kept_or_dropped_for_a_reason(footage, done):
    entries = read_manifest(done / "manifest.jsonl", check_files=True)
    assert [entry.source.file for entry in entries] == ["kept.mp4", "two_shots.mp4", "two_shots.mp4"]
    assert [(entry.frames, entry.fps) for entry in entries] == [(17, "30000/1001"), (25, "25"), (25, "25")]
    assert json.loads((done / "run.json").read_text())["dropped"] == FATES
    assert check_manifest(done / "manifest.jsonl") == []
    said = (done / "prepare" / "poses.jsonl").read_text()
    assert "only 9 of its 17 frames" in said
    assert "--pose-weights" in said


def test_recorded_poses_follow_their_frames(done):
    """The nose says which frame of the footage it was recorded in."""
    for entry in read_manifest(done / "manifest.jsonl"):
        poses = read_poses(done / entry.poses)
        assert (poses.frames, poses.width, poses.height) == (entry.frames, 64, 48)
        nose = poses.figures[0].joints[:, 0, 0, 0]
        assert np.allclose(nose, (entry.source.first_frame + np.arange(entry.frames)) / 2)


def test_scaled_clips_have_scaled_poses(footage, tmp_path):
    settings = PrepareSettings(ClipSettings(17, 25, max_side=32))
    prepare(footage, tmp_path / "d", settings, PLAIN, steps=("clips", "poses"), quiet=True)
    for entry in read_manifest(tmp_path / "d" / "manifest.jsonl"):
        nose = read_poses(tmp_path / "d" / entry.poses).figures[0].joints[:, 0, 0, 0]
        assert np.allclose(nose, (entry.source.first_frame + np.arange(entry.frames)) / 4)
        assert entry.width == 32


def test_words_are_text_of_one_line(done):
    for entry in read_manifest(done / "manifest.jsonl"):
        assert (
            entry.motion == f"moves {entry.frames} frames at {float(Fraction(entry.fps)):.2f} with {entry.frames} poses"
        )
        assert entry.prompt == f"{entry.looks} {entry.motion}"


def test_several_processes_and_single_steps_make_the_same_dataset(footage, done, tmp_path):
    prepare(footage, tmp_path / "two", SMALL, PLAIN, workers=2, quiet=True)
    for step in ("clips", "poses", "captions"):
        prepare(footage, tmp_path / "steps", SMALL, PLAIN, steps=(step,), quiet=True)
    assert result(tmp_path / "two") == result(tmp_path / "steps") == result(done)


def test_a_second_run_makes_nothing_anew_and_new_footage_is_added(footage, done, tmp_path):
    folder = tmp_path / "in"
    write(folder / "a.mp4", scene(1, 20))
    write_recorded(folder / "a.json", 20)
    prepare(folder, tmp_path / "d", SMALL, PLAIN, quiet=True)
    ages = {path: path.stat().st_mtime_ns for path in (tmp_path / "d" / "prepare" / "state").rglob("*.json")}
    write(folder / "b.mp4", scene(2, 20))
    write_recorded(folder / "b.json", 20)
    prepare(folder, tmp_path / "d", SMALL, PLAIN, quiet=True)
    assert len(read_manifest(tmp_path / "d" / "manifest.jsonl", check_files=True)) == 2
    assert all(path.stat().st_mtime_ns == age for path, age in ages.items())
    run = json.loads((tmp_path / "d" / "run.json").read_text())
    assert {step: told["made"] for step, told in run["this_run"].items()} == {
        "clips": 1, "poses": 1, "captions": 1, "latents": 0
    }  # fmt: skip


def test_footage_that_changed_is_cut_anew(tmp_path):
    path = write(tmp_path / "in" / "a.mp4", np.concatenate([scene(1, 20), scene(2, 20)]))
    write_recorded(tmp_path / "in" / "a.json", 40)
    prepare(path.parent, tmp_path / "d", SMALL, PLAIN, quiet=True)
    assert len(list((tmp_path / "d" / "clips").iterdir())) == 2
    write(path, scene(3, 20))
    prepare(path.parent, tmp_path / "d", SMALL, PLAIN, quiet=True)
    (entry,) = read_manifest(tmp_path / "d" / "manifest.jsonl", check_files=True)
    assert len(list((tmp_path / "d" / "clips").iterdir())) == 1
    assert check_manifest(tmp_path / "d" / "manifest.jsonl") == []
    assert entry.prompt.startswith("colours")


def test_words_written_by_hand_are_kept(footage, done, tmp_path):
    folder = tmp_path / "d"
    prepare(footage, folder, SMALL, PLAIN, quiet=True)
    manifest = folder / "manifest.jsonl"
    first, second, third = read_manifest(manifest)
    edited = [
        first.model_copy(update={"prompt": "A cup dances."}),
        second.model_copy(update={"looks": "a red cup"}),
        third,
    ]
    write_manifest(manifest, edited)
    for redo in (False, True):
        steps = ("captions",) if redo else ("clips", "poses", "captions")
        prepare(footage, folder, SMALL, PLAIN, steps=steps, redo=redo, quiet=True)
        now = read_manifest(manifest)
        assert now[0] == edited[0]
        assert (now[1].looks, now[1].prompt) == ("a red cup", f"a red cup {second.motion}")
        assert now[2] == third


def test_words_that_a_killed_run_had_made_are_no_edits(footage, done, tmp_path):
    """The manifest is older than the records then, and lacks their words."""
    prepare(footage, tmp_path / "d", SMALL, PLAIN, steps=("clips", "poses"), quiet=True)
    before = {name: (tmp_path / "d" / name).read_bytes() for name in ("manifest.jsonl", "prepare/written.jsonl")}
    prepare(footage, tmp_path / "d", SMALL, PLAIN, steps=("captions",), quiet=True)
    for name, contents in before.items():
        (tmp_path / "d" / name).write_bytes(contents)
    prepare(footage, tmp_path / "d", SMALL, PLAIN, steps=("captions",), quiet=True)
    assert result(tmp_path / "d") == result(done)
    # Killed between the manifest and its copy.
    (tmp_path / "d" / "prepare" / "written.jsonl").unlink()
    prepare(footage, tmp_path / "d", SMALL, PLAIN, steps=("captions",), quiet=True)
    assert result(tmp_path / "d") == result(done)


def test_a_clip_that_cannot_be_described_is_asked_for_again(footage, tmp_path):
    experts = Experts(describer=Silent, describer_name="words", describer_threads=3)
    prepare(footage, tmp_path / "d", SMALL, experts, quiet=True)
    assert {entry.prompt for entry in read_manifest(tmp_path / "d" / "manifest.jsonl")} == {""}
    prepare(footage, tmp_path / "d", SMALL, PLAIN, quiet=True)
    assert all(entry.prompt for entry in read_manifest(tmp_path / "d" / "manifest.jsonl"))


def test_an_estimator_finds_what_was_not_recorded(footage, tmp_path):
    experts = Experts(estimator=Middle, estimator_name="middle", describer=Words, describer_name="words")
    prepare(footage, tmp_path / "d", SMALL, experts, quiet=True)
    entries = {entry.source.file: entry for entry in read_manifest(tmp_path / "d" / "manifest.jsonl")}
    poses = read_poses(tmp_path / "d" / entries["unposed.mp4"].poses)
    assert poses.source == "in the middle"
    assert (poses.figures[0].joints[:, 0, 0, :2] == (32, 24)).all()
    assert "rarely.mp4" not in entries


def test_other_settings_are_refused_until_the_step_is_done_anew(footage, tmp_path):
    go = partial(prepare, footage, tmp_path / "d", experts=PLAIN, quiet=True, steps=("clips",))
    go(settings=SMALL)
    other = PrepareSettings(ClipSettings(17, 21))
    with pytest.raises(InputError, match=r"max_frames = 25, not 21.*--redo"):
        go(settings=other)
    go(settings=other, redo=True)
    assert {entry.frames for entry in read_manifest(tmp_path / "d" / "manifest.jsonl")} == {17, 21}


def test_a_report_counts_what_there_is(footage, done):
    told = report(done)
    for step in ("clips", "poses", "captions"):
        assert told.looked_at[step] == told.kept[step] + sum(told.dropped[step].values())
    assert sum(told.dropped.values(), Counter()) == FATES
    assert told.looked_at["poses"] == told.kept["clips"]
    assert told.kept["poses"] == len(read_manifest(done / "manifest.jsonl"))
    assert {sheet.name for sheet in told.sheets} == {"kept.png", "dropped.png"}
    assert "nobody is found" in told.text


def test_a_report_of_nothing_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="diptych prepare FOLDER"):
        report(tmp_path)


def test_a_folder_in_use_is_refused(footage, tmp_path):
    Dataset(tmp_path / "d").make()
    with locked(tmp_path / "d" / "lock"), pytest.raises(InputError, match="in use"):
        prepare(footage, tmp_path / "d", SMALL, PLAIN, quiet=True)
