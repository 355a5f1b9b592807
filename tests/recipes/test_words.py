"""``diptych describe``: offline with poses, or by a model at an endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from chat_service import Reply, Service, chat, serving
from diptych.cli import main
from diptych.data.poses import ClipPoses, write_poses
from diptych.experts.describe import MllmDescriber, PoseDescriber
from diptych.media.image import write_image
from diptych.media.video import write_clip
from diptych.method.skeleton import WHOLEBODY
from diptych.options import WordsOptions
from diptych.recipes.words import open_describer
from diptych.types import Clip


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str, str]:
    """A red picture, a clip of two seconds, and its poses: the right hand waves."""
    write_image(tmp_path / "ref.png", np.full((64, 64, 3), (220, 20, 20), np.uint8))
    write_clip(tmp_path / "drive.mp4", Clip.at_fps(np.zeros((300, 64, 64, 3), np.uint8), Fraction(24)))
    t = np.arange(300) / 24
    joints = np.zeros((300, 1, 133, 3), np.float32)
    places = {
        "left_shoulder": (40, 20), "right_shoulder": (24, 20), "left_hip": (36, 44), "right_hip": (28, 44),
        "left_wrist": (44, 44), "right_wrist": (14 + 7 * np.sin(2 * np.pi * t), 4),
    }  # fmt: skip
    for name, (x, y) in places.items():
        joints[:, 0, WHOLEBODY.joints.index(name)] = np.stack(np.broadcast_arrays(x, y, np.ones(300)), axis=-1)
    write_poses(tmp_path / "poses.safetensors", ClipPoses((WHOLEBODY.skeleton(joints),), 64, 64))
    return tuple(str(tmp_path / name) for name in ("ref.png", "drive.mp4", "poses.safetensors"))


@pytest.fixture
def service() -> Iterator[Service]:
    def script(n, body):
        (name,) = body["response_format"]["json_schema"]["schema"]["properties"]
        return chat(json.dumps({name: f"{name} of a bird"}))

    with serving() as running:
        running.script = script
        yield running


def test_offline_with_poses(files, capsys):
    reference, driving, poses = files
    assert main(["describe", reference, driving, "--poses", poses]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["motion"] == "The figure waves the right hand."
    assert told["by"] == "rules"
    assert told["prompt"].endswith("waves the right hand.")


def test_offline_without_poses_says_that_it_knows_no_motion(files, capsys):
    assert main(["describe", *files[:2]]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["motion"] == ""
    assert "--poses" in told.err


def test_by_a_model_and_the_second_time_from_disk(files, service, capsys, tmp_path):
    words = [
        "describe",
        *files[:2],
        "--endpoint",
        service.url,
        "--mllm",
        "sees",
        "--answers",
        str(tmp_path / "answers"),
    ]
    assert main(words) == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == {
        "motion": "motion of a bird", "looks": "looks of a bird", "prompt": "prompt of a bird", "by": "sees",
    }  # fmt: skip
    assert "3 answered" in told.err
    # A clip of 300 frames is thinned to 75 at six a second before it is sampled; the last is near its end.
    shown = service.bodies[0]["messages"][1]["content"]
    assert len(shown) == 32
    assert 12.0 < float(shown[-2]["text"].split()[0]) < 12.5
    assert main(words) == 0
    assert "3 from disk" in capsys.readouterr().err
    assert len(service.bodies) == 3


def test_a_failure_is_one_sentence_and_bad_input(files, service, capsys):
    service.script = lambda n, body: Reply("no", 401)
    assert main(["describe", *files[:2], "--endpoint", service.url, "--mllm", "sees"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "refused the key" in told.err
    assert "leave --endpoint out" in told.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--endpoint", "http://localhost:1/v1"], "go together"),
        (["--mllm", "sees"], "go together"),
        (["--endpoint", "http://localhost:1/v1", "--mllm", "x", "--poses", "p"], "offline"),
        (["--price-in", "-1"], "below zero"),
        (["--max-cost", "0"], "not above zero"),
    ],
)
def test_options_that_do_not_fit_are_bad_usage(files, capsys, words, says):
    with pytest.raises(SystemExit) as end:
        main(["describe", *files[:2], *words])
    assert end.value.code == 2
    assert says in capsys.readouterr().err


def test_rules_are_the_default_and_a_model_comes_with_an_endpoint(tmp_path):
    assert isinstance(open_describer(WordsOptions()), PoseDescriber)
    describer = open_describer(
        WordsOptions("http://localhost:1/v1", "x", max_cost=2.0, price_in=0.1, price_out=0.4, requests_per_minute=10)
    )
    assert isinstance(describer, MllmDescriber)
    endpoint = describer.client.endpoint
    assert (endpoint.max_cost, endpoint.price_out, endpoint.requests_per_minute) == (2.0, 0.4, 10)
    describer.client.close()
