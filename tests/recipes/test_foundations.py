"""``animate --backbone``: foundation models from folders in the real format, from picture and video to a file."""

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diptych.media.image import write_image
from diptych.media.video import read_clip, write_clip
from diptych.options import AnimateOptions
from diptych.recipes.animate import animate_files
from diptych.types import Clip, InputError

pytestmark = pytest.mark.filterwarnings("ignore")
NAMES = {"hunyuan15": "hunyuan15", "wan": "wan2.1", "motif": "motif"}


@pytest.fixture
def options(tmp_path):
    rng = np.random.default_rng(1)
    write_image(tmp_path / "picture.png", rng.integers(0, 256, (60, 40, 3), dtype=np.uint8))
    driver = Clip.at_fps(rng.integers(0, 256, (14, 48, 64, 3), dtype=np.uint8), 25)
    write_clip(tmp_path / "driver.mp4", driver)
    return AnimateOptions(
        reference=tmp_path / "picture.png",
        driving=tmp_path / "driver.mp4",
        output=tmp_path / "out.mp4",
        steps=2,
        panel_area=64 * 64,
        window=17,
        quiet=True,
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_canvas_of_two_panels_goes_all_the_way(checkpoint, options, name, capsys):
    asked = replace(options, backbone=name, weights=str(checkpoint(NAMES[name])), prompt="a cup dances")
    made = animate_files(asked)
    assert made.frames == 14
    clip = read_clip(options.output)
    assert clip.fps == 25
    assert clip.frames.shape == (14, made.height, made.width, 3)
    assert abs(made.width / made.height - 40 / 60) < 0.05
    assert clip.frames.std() > 5
    run = json.loads(Path(f"{options.output}.run.json").read_text())
    assert run["model"]["name"] == name
    assert any(part.startswith("transformer/") for part in run["model"]["identity"])
    assert run["model"]["contract"]["window_frames"] == 17
    # The same again is the same; another prompt, read by the family's own encoder, is not.
    for prompt, same in (("a cup dances", True), ("a cat sleeps", False)):
        other = replace(asked, output=options.output.with_name("other.mp4"), prompt=prompt)
        animate_files(other)
        assert (read_clip(other.output).frames.tobytes() == clip.frames.tobytes()) == same


def test_features_come_from_the_disk_the_second_time(checkpoint, options, monkeypatch):
    from diptych.models.wan import Wan

    opened = []
    real = Wan._open_encoders
    monkeypatch.setattr(Wan, "_open_encoders", lambda self: opened.append(1) or real(self))
    asked = replace(options, backbone="wan", weights=str(checkpoint("wan2.1")))
    animate_files(asked)
    assert len(opened) == 1
    animate_files(replace(asked, output=options.output.with_name("b.mp4")))
    assert len(opened) == 1
    animate_files(replace(asked, output=options.output.with_name("c.mp4"), prompt="new"))
    assert len(opened) == 2


def spoilt(folder: Path, how: str) -> None:
    weights = next((folder / "transformer").glob("*.safetensors"))
    if how == "no transformer":
        shutil.rmtree(folder / "transformer")
    elif how == "a pickle":
        weights.unlink()
        (folder / "transformer" / "diffusion_pytorch_model.bin").write_bytes(pickle.dumps(print))
    elif how == "half a file":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif how == "no encoder":
        shutil.rmtree(folder / "text_encoder")
    elif how == "no index":
        (folder / "model_index.json").unlink()
    else:
        (folder / "model_index.json").write_text("[]")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("no transformer", "there is no folder transformer"),
        ("a pickle", "holds no safetensors"),
        ("half a file", "its transformer"),
        ("no encoder", "its encoders"),
        ("no index", "no model_index.json"),
        ("a list for an index", "holds a None, not wan"),
    ],
)
def test_a_folder_that_cannot_serve_is_refused_in_a_sentence(checkpoint, options, tmp_path, how, says):
    shutil.copytree(checkpoint("wan2.1"), tmp_path / "w")
    spoilt(tmp_path / "w", how)
    with pytest.raises(InputError, match=says) as caught:
        animate_files(replace(options, backbone="wan", weights=str(tmp_path / "w")))
    assert str(tmp_path / "w") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not options.output.exists()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"backbone": "motif"}, "holds a WanImageToVideoPipeline, not motif"),
        ({"window": 16}, "1 \\+ 4k"),
        ({"window": 5}, "1 \\+ 4k"),
        ({"weights": "no-such-place/at-all"}, "no-such-place/at-all cannot be loaded"),
    ],
)
def test_what_does_not_fit_together_is_refused(checkpoint, options, monkeypatch, asked, says):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match=says):
        animate_files(replace(options, **{"backbone": "wan", "weights": str(checkpoint("wan2.1")), **asked}))


def test_the_mini_has_one_size(options):
    with pytest.raises(InputError, match="the mini has one size"):
        animate_files(options)
