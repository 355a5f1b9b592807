"""Many lines, one model: all are tried, none is made twice, and a file of jobs cannot write outside its folder."""

import json
import os

import numpy as np
import pytest

from blocks import save_random_mini
from diptych.media.image import write_image
from diptych.media.video import probe, write_clip
from diptych.options import AnimateJobsOptions, AnimateOptions
from diptych.recipes.jobs import animate_jobs
from diptych.types import Clip, InputError


@pytest.fixture
def options(tmp_path):
    save_random_mini(tmp_path / "model")
    rng = np.random.default_rng(0)
    for name in ("cup", "cat"):
        write_image(tmp_path / f"{name}.png", rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    write_clip(tmp_path / "wave.mp4", Clip.at_fps(rng.integers(0, 256, (14, 32, 32, 3), dtype=np.uint8), 12))
    common = AnimateOptions(tmp_path, tmp_path, tmp_path, model=str(tmp_path / "model"), steps=1, quiet=True)
    return AnimateJobsOptions(tmp_path / "jobs.jsonl", tmp_path / "results", common)


def write(options, *jobs):
    options.jobs.write_text("\n".join(job if isinstance(job, str) else json.dumps(job) for job in jobs) + "\n")


CUP = {"reference": "cup.png", "driving": "wave.mp4"}


def test_every_line_is_made_with_its_own_settings(options):
    write(
        options,
        CUP,
        "",
        {"reference": "cat.png", "driving": "wave.mp4", "prompt": "a cat", "seed": 5, "output": "c.mp4"},
    )
    assert animate_jobs(options) == 0
    assert probe(options.output / "00001_cup_wave.mp4").frames == 14
    run = json.loads((options.output / "c.mp4.run.json").read_text())
    assert (run["prompt"], run["seed"]) == ("a cat", 5)


def test_a_failing_line_stops_no_other_and_is_counted(options, capsys):
    (options.jobs.parent / "broken.mp4").write_bytes(b"no film")
    missing = {"reference": "nobody.png", "driving": "wave.mp4"}
    write(options, missing, CUP, {"reference": "cat.png", "driving": "broken.mp4"})
    assert animate_jobs(options) == 102
    said = capsys.readouterr().err
    assert "2 of 3 jobs failed" in said
    assert "line 1:" in said
    assert "line 3:" in said
    assert "nobody.png" in said
    assert sorted(p.name for p in options.output.iterdir()) == ["00002_cup_wave.mp4", "00002_cup_wave.mp4.run.json"]


def test_what_is_there_is_not_made_again_unless_something_changed(options, capsys):
    write(options, CUP, {**CUP, "output": "b.mp4"})
    animate_jobs(options)
    first = options.output / "00001_cup_wave.mp4"
    os.utime(first, (1, 1))
    os.utime(options.output / "b.mp4", (1, 1))
    write(options, CUP, {**CUP, "output": "b.mp4", "seed": 2})
    capsys.readouterr()
    assert animate_jobs(options) == 0
    assert first.stat().st_mtime == 1
    assert (options.output / "b.mp4").stat().st_mtime > 1
    assert "is there already" in capsys.readouterr().err
    first.write_bytes(b"damaged since")
    animate_jobs(options)
    assert probe(first).frames == 14


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2 is not JSON"),
        ("[1]", "not a JSON object"),
        ('{"reference": "cup.png"}', "names no driving"),
        ('{"reference": "cup.png", "driving": "wave.mp4", "speed": 2}', "'speed'"),
        ('{"reference": "cup.png", "driving": "wave.mp4", "seed": "2"}', "seed must be a whole number"),
        ('{"reference": "cup.png", "driving": "wave.mp4", "seed": true}', "seed must be a whole number"),
        ('{"reference": "cup.png", "driving": "wave.mp4", "seed": -1}', "0 or more"),
        ('{"reference": "cup.png", "driving": "wave.mp4", "output": "../out.mp4"}', "plain file name"),
        ('{"reference": "cup.png", "driving": "wave.mp4", "output": "00001_cup_wave.mp4"}', "lines 1 and 2 both"),
    ],
)
def test_a_wrong_file_of_jobs_is_refused_before_anything_is_made(options, line, says):
    write(options, CUP, line)
    with pytest.raises(InputError, match=says):
        animate_jobs(options)
    assert not options.output.exists()


def test_a_missing_or_empty_file_of_jobs_is_refused(options):
    with pytest.raises(InputError, match=r"jobs\.jsonl cannot be read"):
        animate_jobs(options)
    write(options, "")
    with pytest.raises(InputError, match="holds no job"):
        animate_jobs(options)
