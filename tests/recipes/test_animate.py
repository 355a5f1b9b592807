"""``animate`` on files: exact time and sound, a preview, run.json, and refusals that leave nothing behind."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from blocks import save_random_mini
from diptych.animate.session import Session, filled
from diptych.media.image import read_image, write_image
from diptych.media.video import probe, read_frames, write_clip
from diptych.models import mini
from diptych.options import AnimateOptions
from diptych.recipes.animate import animate_files
from diptych.recipes.session import open_session
from diptych.types import Clip, InputError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A mini with random weights at a quarter of the size."""
    return save_random_mini(tmp_path_factory.mktemp("model"))


@pytest.fixture
def options(tmp_path, model):
    """A wide picture and a tall driver of 30 frames at 30000/1001."""
    rng = np.random.default_rng(0)
    write_image(tmp_path / "picture.png", rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))
    frames = rng.integers(0, 256, (30, 64, 48, 3), dtype=np.uint8)
    write_clip(tmp_path / "driver.mp4", Clip.at_fps(frames, Fraction(30000, 1001)))
    return AnimateOptions(
        tmp_path / "picture.png", tmp_path / "driver.mp4", tmp_path / "out.mp4", model=str(model), steps=1, quiet=True
    )


def change(options, **values):
    import dataclasses

    return dataclasses.replace(options, **values)


def times(path):
    return [(frame.time, frame.duration) for frame in read_frames(path)]


def test_frames_and_times_are_the_drivers_and_the_aspect_is_the_pictures(options):
    made = animate_files(options)
    assert times(options.output) == times(options.driving)
    assert (made.frames, made.width, made.height) == (30, 36, 28)
    assert (probe(options.output).width, probe(options.output).height) == (36, 28)


def test_kept_lead_in_comes_before_at_the_drivers_pace(options):
    animate_files(change(options, lead_in="keep"))
    driver, result = times(options.driving), times(options.output)
    beat = driver[0][1]
    assert len(result) == 35
    assert [t for t, _ in result[:5]] == [driver[0][0] + i * beat for i in range(5)]
    assert result[5:] == [(t + 5 * beat, d) for t, d in driver]


def test_preview_has_the_same_times_and_size_enlarges_with_the_aspect_kept(options):
    preview = options.output.with_name("preview.mp4")
    made = animate_files(change(options, preview=preview, size=144))
    assert times(preview) == times(options.driving)
    assert (made.width, made.height) == (144, 112)
    assert probe(preview).height == 256


def test_run_json_says_how_it_was_made_and_the_same_seed_makes_the_same(options):
    options = change(options, steps=2)  # a single step starts where noise says nothing
    animate_files(change(options, prompt="a red square", seed=3))
    run = json.loads((options.output.parent / "out.mp4.run.json").read_text())
    assert run["options"]["seed"] == 3
    assert run["model"]["contract"]["backbone"] == "mini"
    assert len(run["reference"]["sha256"]) == 64
    again = change(options, prompt="a red square", seed=3, output=options.output.with_name("again.mp4"))
    animate_files(again)
    pairs = zip(read_frames(options.output), read_frames(again.output), strict=True)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in pairs)
    animate_files(change(again, seed=4))
    pairs = zip(read_frames(options.output), read_frames(again.output), strict=True)
    assert not all(np.array_equal(a.pixels, b.pixels) for a, b in pairs)


def test_a_dry_run_writes_nothing(options, capsys):
    assert animate_files(change(options, dry_run=True)) is None
    assert json.loads(capsys.readouterr().out)["output"] == {"width": 36, "height": 28, "fit": "fit", "mark": None}
    assert not options.output.exists()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"output": "driver.mp4"}, "both input and output"),
        ({"preview": "out.mp4"}, "another name"),
        ({"output": "missing/out.mp4"}, "no folder"),
        ({"reference": "nothing.png"}, r"nothing\.png"),
        ({"driving": "picture.png"}, r"picture\.png"),
        ({"output": "out.avi"}, r"out\.avi"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(options, wrong, says):
    folder = options.output.parent
    before = sorted(folder.iterdir())
    with pytest.raises(InputError, match=says):
        animate_files(change(options, **{key: folder / name for key, name in wrong.items()}))
    assert sorted(folder.iterdir()) == before


def test_no_such_model_is_refused(options):
    with pytest.raises(InputError, match="no model 'maxi'"):
        animate_files(change(options, model="maxi"))


def test_three_lines_of_python_do_the_same(options):
    import diptych

    made = diptych.animate_video(options.reference, options.driving, options.output, model=options.model, steps=1)
    assert (made.frames, times(options.output)) == (30, times(options.driving))
    session = diptych.open_session(options.model, steps=1)
    frames = np.zeros((3, 40, 40, 3), np.uint8)
    assert np.concatenate(list(session.animate(frames[0], frames))).shape == (3, 32, 32, 3)


def pixels(path):
    return np.stack([frame.pixels for frame in read_frames(path)])


def test_a_killed_run_goes_on_and_gives_what_an_unbroken_one_gives(options, monkeypatch):
    animate_files(change(options, output=options.output.with_name("whole.mp4")))
    made, kept = Session._window, []

    def dies_in_the_third(self, index, *args):
        if index == 2:
            raise ZeroDivisionError
        kept.append(index)
        return made(self, index, *args)

    monkeypatch.setattr(Session, "_window", dies_in_the_third)
    with pytest.raises(ZeroDivisionError):
        animate_files(options)
    folder = options.output.with_name("out.mp4.journal")
    assert len(list(folder.glob("window-*.npz"))) == 2
    assert not options.output.exists()
    with pytest.raises(InputError, match="another seed"):
        animate_files(change(options, seed=9))

    again = []

    def counted(self, index, *args):
        again.append(index)
        return made(self, index, *args)

    monkeypatch.setattr(Session, "_window", counted)
    animate_files(options)
    assert kept == [0, 1]
    assert again == [2]
    assert options.output.read_bytes() == options.output.with_name("whole.mp4").read_bytes()
    run = json.loads((options.output.parent / "out.mp4.run.json").read_text())
    assert run["result"]["windows"] == {"made": 1, "from_the_journal": 2}
    assert not folder.exists()


def test_ctrl_c_says_how_to_go_on(options, monkeypatch):
    made = Session._window

    def stopped(self, index, *args):
        if index == 1:
            raise KeyboardInterrupt
        return made(self, index, *args)

    monkeypatch.setattr(Session, "_window", stopped)
    with pytest.raises(KeyboardInterrupt, match=r"1 finished window is kept in .*out\.mp4\.journal"):
        animate_files(options)


def test_a_part_starts_at_zero_and_keeps_the_drivers_durations(options):
    animate_files(change(options, start=Fraction(1, 4), end=Fraction(3, 4)))
    whole = times(options.driving)
    taken = [(t, d) for t, d in whole if Fraction(1, 4) <= t < Fraction(3, 4)]
    result = times(options.output)
    assert len(result) == len(taken)
    assert [t for t, _ in result] == [t - taken[0][0] for t, _ in taken]
    with pytest.raises(InputError, match="nothing is left"):
        animate_files(change(options, start=Fraction(60)))


def test_another_rate_has_its_own_times(options):
    animate_files(change(options, fps=Fraction(12)))
    result = times(options.output)
    assert [t for t, _ in result] == [Fraction(i, 12) for i in range(13)]
    assert {d for _, d in result} == {Fraction(1, 12)}


@pytest.mark.parametrize(("way", "says"), [("phases", "2 interleaved drivers"), ("fill", "one frame in 2 is made")])
@pytest.mark.parametrize("frames", [1, 2, 53])
def test_a_driver_too_fast_keeps_its_frames_and_times(options, tmp_path, monkeypatch, way, says, frames):
    monkeypatch.setattr(mini, "FACTS", replace(mini.FACTS, fast=way))
    rng = np.random.default_rng(1)
    write_clip(tmp_path / "fast.mp4", Clip.at_fps(rng.integers(0, 256, (frames, 48, 64, 3), dtype=np.uint8), 60))
    fast = change(options, driving=tmp_path / "fast.mp4", lead_in="keep")
    made = animate_files(fast)
    assert made.frames == frames + 5
    made = animate_files(change(fast, lead_in="cut"))
    assert times(options.output) == times(fast.driving)
    run = json.loads((tmp_path / "out.mp4.run.json").read_text())
    assert (run["phases"], run["way"]) == (2, way)
    assert says in made.notes[0]


def test_each_phase_is_what_its_own_frames_alone_would_give(options, tmp_path):
    session = open_session(options.model, 1)
    rng = np.random.default_rng(1)
    frames, picture = list(rng.integers(0, 256, (53, 48, 64, 3), dtype=np.uint8)), read_image(options.reference)
    both = np.concatenate(list(session.animate(picture, frames, phases=2)))
    assert len(both) == 53
    for phase in (0, 1):
        alone = np.concatenate(list(session.animate(picture, frames[phase::2])))
        assert np.array_equal(both[phase::2], alone)


def test_a_fill_keeps_what_was_made_and_fades_between():
    made = np.arange(0, 120, 30, dtype=np.uint8)[:, None, None, None].repeat(3, -1)  # 0, 30, 60, 90
    out = np.concatenate(list(filled(iter([made[:1], made[1:3], made[3:]]), 3, lambda: 11)))
    assert out[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 90]
    led = np.concatenate(list(filled(iter([made]), 2, lambda: 4, lead_in=2)))
    assert led[:, 0, 0, 0].tolist() == [0, 30, 60, 75, 90, 90]


@pytest.mark.parametrize(
    ("fit", "size", "expected"),
    [("fit", (100, 100), (100, 78)), ("fill", (100, 100), (100, 100)), ("stretch", (60, 100), (60, 100))],
)
def test_a_size_of_another_shape_is_met_as_asked_and_stretching_is_said(options, fit, size, expected):
    made = animate_files(change(options, fit=fit, size=size))
    assert (made.width, made.height) == expected
    assert any("stretched" in note for note in made.notes) == (fit == "stretch")


def test_a_transparent_picture_stands_on_the_asked_background(options, tmp_path):
    from PIL import Image

    Image.new("RGBA", (64, 64), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    clear = change(options, reference=tmp_path / "clear.png")
    runs = []
    for background in (None, (0, 0, 255)):
        animate_files(change(clear, background=background))
        runs.append((pixels(options.output), json.loads((tmp_path / "out.mp4.run.json").read_text())))
    assert not np.array_equal(runs[0][0], runs[1][0])
    assert runs[0][1]["reference"]["background"] == [255, 255, 255]
    assert runs[1][1]["reference"]["background"] == [0, 0, 255]


def test_the_container_says_that_it_was_generated_and_a_mark_shows_it(options):
    import av

    animate_files(options)
    plain = pixels(options.output)
    with av.open(str(options.output)) as container:
        comment = container.metadata["comment"]
    run = json.loads((options.output.parent / "out.mp4.run.json").read_text())
    assert "not a recording" in comment
    assert run["reference"]["sha256"] in comment
    assert run["model"]["identity"]["denoiser.safetensors"] in comment
    animate_files(change(options, mark="generated by AI", size=256))
    animate_files(change(options, output=options.output.with_name("plain.mp4"), size=256))
    difference = np.abs(pixels(options.output).astype(int) - pixels(options.output.with_name("plain.mp4"))).max(-1)
    assert plain.shape[0] == len(difference)
    assert difference[:, : difference.shape[1] // 2].max() < 60
    assert difference[:, -12:, -80:].max() > 100


def test_kill_9_at_any_moment_costs_at_most_one_window(options, tmp_path):
    """Real processes, killed as soon as a further window lies in the journal, until one comes through."""
    rng = np.random.default_rng(2)
    write_clip(tmp_path / "long.mp4", Clip.at_fps(rng.integers(0, 256, (100, 32, 32, 3), dtype=np.uint8), 25))
    long = change(options, driving=tmp_path / "long.mp4")
    animate_files(change(long, output=tmp_path / "whole.mp4"))
    words = [sys.executable, "-m", "diptych.cli", "animate", str(long.reference), str(long.driving)]
    words += ["-o", str(long.output), "--model", long.model, "--steps", "1", "--quiet"]
    journal = tmp_path / "out.mp4.journal"

    def kept():
        return len(list(journal.glob("window-*.npz")))

    killed = 0
    for _ in range(4):
        before, process = kept(), subprocess.Popen(words)
        while process.poll() is None and (killed == 3 or kept() <= before + killed):
            time.sleep(0.002)
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        killed += 1
        assert kept() > before
        assert not long.output.exists()
    assert process.returncode == 0
    assert killed >= 1
    run = json.loads((tmp_path / "out.mp4.run.json").read_text())
    assert run["result"]["windows"]["from_the_journal"] >= 1
    assert sum(run["result"]["windows"].values()) == 9
    assert long.output.read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert [path.name for path in tmp_path.iterdir() if ".part" in path.name or "journal" in path.name] == []
