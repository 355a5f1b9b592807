"""What ships: the bundled mini loads, says what it is, animates the bundled example, and has learned something."""

from pathlib import Path

import pytest

import diptych
from diptych.bench.suite import run_suite
from diptych.media.video import read_frames
from diptych.models.store import SHIPPED, load_mini
from diptych.recipes.bench import answering, through_vae
from diptych.recipes.session import open_session

ASSETS = Path(diptych.__file__).parent / "assets"


def test_the_bundled_mini_says_how_it_was_made():
    mini = load_mini(SHIPPED)
    assert mini.contract.motion == "rgb"
    assert mini.contract.lead_in == 5
    assert mini.contract.motion_fit == "figure"
    assert mini.notes["denoiser"]["samples"] > 100_000
    assert mini.notes["denoiser"]["seconds"] > 0


def test_the_bundled_picture_is_animated_by_the_bundled_clip(tmp_path):
    made = diptych.animate_video(ASSETS / "reference.png", ASSETS / "driving.mp4", tmp_path / "out.mp4", steps=2)
    driver = [(f.time, f.duration) for f in read_frames(ASSETS / "driving.mp4")]
    assert [(f.time, f.duration) for f in read_frames(tmp_path / "out.mp4")] == driver
    assert (made.frames, made.width, made.height) == (60, 148, 110)


def test_it_is_better_than_every_baseline_on_full_figures_and_the_ceiling_is_far_above():
    session = open_session()
    result = run_suite(answering(session), through_vae(session.backbone), first=4)
    model, ceiling = result.mean("model").psnr_db, result.mean("ceiling").psnr_db
    best = result.mean(result.best_baseline()).psnr_db
    assert model > best
    assert ceiling > best + 6
    assert result.mean("still_reference").motion_error == pytest.approx(1, abs=0.02)
