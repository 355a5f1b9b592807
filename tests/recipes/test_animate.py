"""``animate`` on files: exact time and sound, a preview, run.json, and refusals that leave nothing behind."""

import json
from fractions import Fraction

import numpy as np
import pytest
import torch

from blocks import patch_vae
from diptych.media.image import write_image
from diptych.media.video import probe, read_frames, write_clip
from diptych.models.mini import Denoiser, DenoiserConfig, contract
from diptych.models.patches import PatchConfig
from diptych.models.store import save_denoiser, save_vae
from diptych.options import AnimateOptions
from diptych.recipes.animate import animate_files
from diptych.types import Clip, InputError

VAE, DENOISER = PatchConfig(width=8, blocks=1), DenoiserConfig(heads=2, blocks=1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A mini with random weights at a quarter of the size."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    save_vae(folder / "vae.safetensors", patch_vae(VAE), VAE, {})
    save_denoiser(folder / "denoiser.safetensors", Denoiser(DENOISER), DENOISER, contract(32 * 32), {})
    return folder


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
    assert json.loads(capsys.readouterr().out)["output"] == {"width": 36, "height": 28}
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
