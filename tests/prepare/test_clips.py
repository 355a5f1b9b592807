"""Clips: which windows are taken, at which rate, and that their frames are the footage's own."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from clips import Made, make, uneven
from diptych.media.video import probe, read_clip, read_frames
from diptych.prepare.clips import (
    ClipSettings,
    Source,
    cut_source,
    find_sources,
    find_videos,
    frame_rate,
    resampled,
    windows,
)
from diptych.prepare.ledger import Dataset
from diptych.prepare.shots import measure
from diptych.types import InputError
from footage import folder_of_everything, scene, write, write_recorded, write_uneven

SMALL = ClipSettings(min_frames=17, max_frames=25)


def cut(path, tmp_path, settings=SMALL):
    dataset = Dataset(tmp_path / "dataset")
    dataset.make()
    source = Source(path, path.name)
    cut_source(source, dataset, settings)
    return dataset, dataset.read("clips", source.key)


@pytest.mark.parametrize(
    ("frames", "taken"), [(16, []), (17, [17]), (18, [17]), (24, [21]), (25, [25]), (40, [25]), (120, [25])]
)
def test_a_shot_gives_one_clip_of_the_longest_length_that_fits(tmp_path, frames, taken):
    footage = measure(read_frames(write(tmp_path / "a.mp4", scene(1, frames))))
    chosen = windows(footage, SMALL)
    assert [len(w.frames) for w in chosen if not w.reason] == taken
    assert [w.reason for w in chosen if w.reason] == ([] if taken else ["short"])


def test_several_clips_of_a_shot_where_asked_do_not_overlap(tmp_path):
    footage = measure(read_frames(write(tmp_path / "a.mp4", scene(1, 110))))
    chosen = windows(footage, ClipSettings(17, 25, per_shot=9))
    assert len(chosen) == 4
    assert all(a.frames.stop <= b.frames.start for a, b in pairwise(chosen))


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(12)])
def test_a_clip_has_the_rate_and_the_frames_of_its_footage(tmp_path, fps):
    path = write(tmp_path / "a.mp4", scene(1, 33), fps)
    dataset, record = cut(path, tmp_path)
    (clip,) = record["made"]
    made, whole = read_clip(dataset.clip(clip["id"])), read_clip(path)
    assert made.fps == fps == Fraction(clip["fps"])
    first, count = clip["first_frame"], clip["frames"]
    off = [np.abs(made.frames.astype(int) - whole.frames[k : k + count]).mean() for k in range(34 - count)]
    assert first == int(np.argmin(off)) == 4
    assert off[first] < 0.8 * min(off[first - 1], off[first + 1])


def test_a_coarse_clock_is_still_steady(tmp_path):
    """GIFs count hundredths of a second, and Matroska thousandths."""
    for rate, tick in ((Fraction(12), Fraction(1, 100)), (Fraction(30000, 1001), Fraction(1, 1000))):
        times = [round(i / rate / tick) * tick for i in range(61)]
        assert frame_rate(times, tick) == (rate, True)


def test_a_changing_clock_is_resampled_and_says_which_frame_is_shown(tmp_path):
    lasts = [40] * 20 + [80] * 10
    path = write_uneven(tmp_path / "a.mp4", scene(1, 30), lasts)
    footage = measure(read_frames(path))
    rate, steady = frame_rate(footage.times, probe(path).time_base)
    assert (rate, steady) == (Fraction(25), False)
    even, shown = resampled(footage, rate)
    assert shown == [*range(20), *(i for i in range(20, 30) for _ in range(2))]
    assert len(even) == 40
    dataset, record = cut(path, tmp_path, ClipSettings(17, 41))
    (clip,) = record["made"]
    assert clip["shown"] == shown[1:38] or clip["shown"] == shown[clip["first_frame"] :][: clip["frames"]]
    assert read_clip(dataset.clip(clip["id"])).fps == 25


def test_uneven_times_of_other_files_have_one_rate(tmp_path):
    made = Made("a.mkv", uneven(40, 3), Fraction(1, 25))
    dataset, record = cut(make(tmp_path, made), tmp_path, ClipSettings(17, 41, min_motion=0))
    (clip,) = record["made"]
    assert read_clip(dataset.clip(clip["id"])).fps == Fraction(clip["fps"])


def test_odd_and_large_footage_becomes_even_and_small(tmp_path):
    path = tmp_path / "a.mkv"
    make(tmp_path, Made("a.mkv", tuple(range(22)), width=61, height=45, pix_fmt="yuv444p"))
    dataset, record = cut(path, tmp_path, ClipSettings(13, 13, min_motion=0))
    assert (record["made"][0]["width"], record["made"][0]["height"]) == (60, 44)
    dataset, record = cut(path, tmp_path, ClipSettings(13, 13, min_motion=0, max_side=32))
    assert (record["made"][0]["width"], record["made"][0]["height"]) == (32, 24)
    assert read_clip(dataset.clip(record["made"][0]["id"])).frames.shape == (13, 24, 32, 3)


def test_footage_is_found_below_a_folder_and_never_in_the_dataset(tmp_path):
    folder = folder_of_everything(tmp_path / "in")
    write(folder / "out" / "clips" / "x.mp4", scene(1, 20))
    write(folder / ".hidden" / "x.mp4", scene(1, 20))
    names = {source.name for source in find_sources(folder, without=folder / "out")}
    assert "deep/kept.mp4" in names
    assert len(names) == 9
    assert find_videos(folder / "short.mp4") == [folder / "short.mp4"]
    with pytest.raises(InputError, match="does not exist"):
        find_videos(tmp_path / "nowhere")
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="holds no video"):
        find_sources(tmp_path / "bare")


def test_two_sources_never_share_a_key(tmp_path):
    names = ["a/b.mp4", "a-b.mp4", "a b.mp4", "a/b.mkv", "a/../b.mp4"]
    keys = {Source(tmp_path / "x", name).key for name in names}
    assert len(keys) == len(names)
    assert all("/" not in key and not key.startswith(".") for key in keys)


def test_recorded_poses_are_found_where_people_keep_them(tmp_path):
    for place in ("a.json", "poses/a.json", "../poses/a.json"):
        folder = tmp_path / place.replace("/", "_") / "clips"
        path = write(folder / "a.mp4", scene(1, 5))
        poses = write_recorded(folder / place, 5)
        (source,) = find_sources(folder)
        assert source.poses is not None
        assert source.poses.samefile(poses)
        (other,) = find_sources(path, poses=tmp_path)
        assert other.poses is None
