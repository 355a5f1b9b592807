"""``diptych train stage2_rgb``: from pairs and a pose adapter to one that footage drives; what is refused."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from blocks import save_random_mini
from diptych.bench.cases import Case
from diptych.data.manifest import Entry, write_manifest
from diptych.files import sha256
from diptych.media.image import write_image
from diptych.media.video import read_clip, write_clip
from diptych.method.rgb_augment import RgbAugment
from diptych.models.adapters import read_contract, read_notes
from diptych.models.load import FOUNDATIONS, foundation
from diptych.options import AnimateOptions, BenchPuppetsOptions, TrainStageOptions
from diptych.puppets.suite import suite_pairs
from diptych.recipes import bench
from diptych.recipes.animate import animate_files
from diptych.recipes.bench import answering, bench_puppets
from diptych.recipes.session import open_session
from diptych.recipes.stage_recipes import stage1_pose, stage2_rgb
from diptych.recipes.stages import train_pose, train_rgb
from diptych.types import Clip, InputError, Sample

pytestmark = pytest.mark.filterwarnings("ignore")
SMALL = {
    "cached": "8",
    "shard": "4",
    "held_out": "2",
    "workers": "0",
    "batch": "2",
    "adapter.rank": "4",
    "loop.steps": "4",
    "loop.warmup": "1",
    "loop.fused": "false",
    "loop.log_every": "1",
    "loop.checkpoint_every": "2",
    "loop.preview_every": "4",
}
LAYERS = "pytorch_lora_weights.safetensors"


@pytest.fixture(scope="module")
def mini(tmp_path_factory):
    return save_random_mini(tmp_path_factory.mktemp("mini"))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Five pairs of real H.264: a bar that moves before one wall, and the same before another."""
    folder, entries = tmp_path_factory.mktemp("pairs"), []
    for n in range(5):
        names = {"target": f"{n}.mp4", "driving": f"{n}.driving.mp4"}
        for (path, colour), size in zip(
            ((names["target"], 60), (names["driving"], 160)), ((32, 40), (40, 32)), strict=True
        ):
            frames = np.full((20, *size, 3), colour + 10 * n, np.uint8)
            for t in range(20):
                frames[t, :, t : t + 6] = 250 - colour
            write_clip(folder / path, Clip.at_fps(frames, 12))
        hashes = {key: sha256(folder / path) for key, path in names.items()}
        entries.append(Entry(id=f"{n}", **names, prompt="a bar moves left", fps="12", frames=20, sha256=hashes))
    write_manifest(folder / "kept.jsonl", entries)
    return folder / "kept.jsonl"


def asked(mini, folder, settings=None, **options):
    overrides = tuple((SMALL | (settings or {})).items())
    return TrainStageOptions(weights=str(mini), output=folder, overrides=overrides, **options)


@pytest.fixture(scope="module")
def pose(mini, tmp_path_factory):
    """An adapter of the pose stage that has moved away from nothing."""
    folder = tmp_path_factory.mktemp("pose")
    train_pose(asked(mini, folder, {"loop.learning_rate": "0.05", "loop.preview_every": "0"}))
    return folder / "adapter"


@pytest.fixture(scope="module")
def trained(mini, pairs, pose, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rgb")
    options = asked(mini, folder, data=str(pairs), warm_start=pose)
    train_rgb(replace(options, stage="cache"))
    assert not (folder / "training").exists()
    train_rgb(replace(options, stage="adapter"))
    return folder


def weights(folder):
    return load_file(folder / "adapter" / LAYERS)


def losses(folder):
    lines = [json.loads(line) for line in (folder / "training" / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def test_what_comes_out_is_driven_by_footage_and_says_where_it_set_out_from(trained, pose, mini):
    agreed, notes = read_contract(trained / "adapter"), read_notes(trained / "adapter")
    assert (agreed.backbone, agreed.motion, agreed.motion_fit, agreed.rank) == ("mini", "rgb", "figure", 4)
    assert notes["warm_start"] == [sha256(pose / LAYERS)]
    run = json.loads((trained / "run.json").read_text())
    assert run["command"] == "train stage2_rgb"
    assert run["data"] == {"clips": 3, "left_out": {}, "draws": 8}
    assert run["options"]["warm_start"] == str(pose)
    assert len(losses(trained)) == 4


def test_it_sets_out_from_exactly_the_weights_it_was_given(trained, mini, pairs, pose, tmp_path):
    """Without learning, what comes out is what went in; without an adapter to set out from it is something else."""
    still = {
        "cache": str(trained / "cache"),
        "loop.learning_rate": "1e-30",
        "loop.weight_decay": "0",
        "loop.steps": "1",
    }
    for name, start in (("warm", pose), ("cold", None)):
        train_rgb(asked(mini, tmp_path / name, still, data=str(pairs), warm_start=start))
    ours, theirs, cold = weights(tmp_path / "warm"), load_file(pose / LAYERS), weights(tmp_path / "cold")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert any(not torch.equal(cold[name], theirs[name]) for name in theirs)
    assert losses(tmp_path / "warm")[0] != losses(tmp_path / "cold")[0]


def test_an_interrupted_run_goes_on_to_the_last_digit(trained, mini, pairs, pose, tmp_path):
    shared = {"cache": str(trained / "cache"), "loop.preview_every": "0"}
    options = asked(mini, tmp_path, shared, data=str(pairs), warm_start=pose)
    train_rgb(replace(options, overrides=(*options.overrides, ("loop.steps", "2"), ("loop.decay", "0"))))
    longer = replace(options, overrides=(*options.overrides, ("loop.decay", "0")))
    train_rgb(longer)
    train_rgb(replace(longer, output=tmp_path / "whole"))
    ours, theirs = weights(tmp_path), weights(tmp_path / "whole")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert losses(tmp_path) == losses(tmp_path / "whole")
    other = tmp_path / "other"
    train_rgb(asked(mini, other, {**shared, "loop.steps": "1"}, data=str(pairs)))
    with pytest.raises(InputError, match="warm_start"):
        train_rgb(replace(longer, warm_start=other / "adapter"))


def test_the_adapter_animates_footage(trained, mini, tmp_path):
    rng = np.random.default_rng(0)
    write_image(tmp_path / "r.png", rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    write_clip(tmp_path / "d.mp4", Clip.at_fps(rng.integers(0, 256, (9, 40, 32, 3), dtype=np.uint8), 12))
    made = animate_files(
        AnimateOptions(
            reference=tmp_path / "r.png",
            driving=tmp_path / "d.mp4",
            output=tmp_path / "a.mp4",
            model=str(mini),
            adapter=trained / "adapter",
            quiet=True,
        )
    )
    assert made.notes == ()
    assert len(read_clip(tmp_path / "a.mp4").frames) == 9
    run = json.loads((tmp_path / "a.mp4.run.json").read_text())
    assert (run["motion"], run["model"]["contract"]["motion"]) == ({"kind": "rgb"}, "rgb")


def test_it_is_measured_on_all_pairs_and_driven_by_their_footage(trained, mini, monkeypatch):
    chosen = []

    class StoppedError(Exception):
        pass

    def stopped(answer, ceiling, name, report, *, first, only, scale):
        chosen.append([pair for pair in suite_pairs(name) if only is None or only(pair)])
        raise StoppedError

    monkeypatch.setattr(bench, "run_suite", stopped)
    for posed in (False, True):
        with pytest.raises(StoppedError):
            bench_puppets(BenchPuppetsOptions(model=str(mini), adapter=trained / "adapter", posed=posed))
    assert [len(pairs) for pairs in chosen] == [64, 41]
    session = open_session(str(mini), adapter=str(trained / "adapter"))
    rng = np.random.default_rng(0)
    sample = Sample(*(rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((32, 32, 3), (9, 32, 32, 3))), "a bar")
    answer = answering(session)(Case("x", "x", sample, Fraction(12), sample.motion, sample.motion[..., 0]))
    assert np.array_equal(answer, np.concatenate(list(session.animate(sample.reference, sample.motion, "a bar"))))


def test_exact_pairs_of_the_made_up_world_need_no_manifest(mini, tmp_path, capsys):
    settings = {"loop.steps": "2", "loop.preview_every": "2", "draws.bodies": "all", "contrast.weight": "0.5"}
    train_rgb(asked(mini, tmp_path, settings, data="puppets"))
    assert "begins with nothing" in capsys.readouterr().err
    lines = [json.loads(line) for line in (tmp_path / "training" / "metrics.jsonl").read_text().splitlines()]
    assert all("contrast" in line for line in lines if "loss" in line)
    assert any("held_out_driver_gap" in line for line in lines)


def test_wrong_conditions_are_off_unless_asked_for_and_share_the_draws(trained, mini, pairs, pose, tmp_path):
    shared = {"cache": str(trained / "cache"), "contrast.kind": "motion", "contrast.margin": "9"}
    train_rgb(asked(mini, tmp_path / "off", shared, data=str(pairs), warm_start=pose))
    assert losses(tmp_path / "off") == losses(trained)
    train_rgb(asked(mini, tmp_path / "on", {**shared, "contrast.weight": "1"}, data=str(pairs), warm_start=pose))
    assert losses(tmp_path / "on") != losses(trained)
    assert not (tmp_path / "on" / "cache").exists()


def test_a_dry_run_prints_every_setting_and_touches_nothing(mini, pairs, pose, tmp_path, capsys):
    train_rgb(asked(mini, tmp_path / "x", data=str(pairs), warm_start=pose, dry_run=True))
    printed = json.loads(capsys.readouterr().out)
    assert printed["contract"]["motion"] == "rgb"
    assert printed["recipe"]["draws"]["pose_share"] == 0
    assert printed["recipe"]["contrast"]["weight"] == 0
    assert RgbAugment(**printed["recipe"]["draws"]["augment"]) == RgbAugment()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"adapter.rank": "8"}, "rank is 4 where 8 is needed"),
        ({"adapter.targets": "ff+attention"}, "targets is .* is needed"),
        ({"adapter.targets": "full"}, "give the mini that the first stage made by --model"),
        ({"contrast.weight": "1", "batch": "1"}, "say --set batch=2"),
        ({"draws.shortest": "21"}, "windows of 21 to 17"),
        ({"draws.mirror": "1"}, "there is no such setting"),
        ({"draws.augment.crop_least": "1.5"}, r"--set draws\.augment\.crop_least=1\.5: crop_least cannot be 1\.5"),
        ({"contrast.margin": "-1"}, "margin cannot be -1"),
        ({"draws.driver": "wrong"}, r"--set draws\.driver=wrong"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(mini, pairs, pose, tmp_path, setting, message):
    with pytest.raises(InputError, match=message) as refused:
        train_rgb(asked(mini, tmp_path / "x", setting, data=str(pairs), warm_start=pose))
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "x").exists()


def test_an_adapter_that_cannot_be_set_out_from_is_refused(mini, pairs, pose, trained, tmp_path):
    def start(path, **settings):
        return asked(mini, tmp_path / "x", settings, data=str(pairs), warm_start=path)

    with pytest.raises(InputError, match="does not exist"):
        train_rgb(start(tmp_path / "nothing"))
    with pytest.raises(InputError, match=r"has alpha 4 and not 8; say --set adapter\.alpha=4"):
        train_rgb(start(pose, **{"adapter.alpha": "8", "cache": str(trained / "cache")}))
    another = Path(tmp_path / "another")
    another.mkdir()
    for file in mini.glob("*.safetensors"):
        data = bytearray(file.read_bytes())
        data[-1] ^= 1  # a bit of the last weight
        (another / file.name).write_bytes(data)
    with pytest.raises(InputError, match="trained on another mini"):
        train_rgb(replace(start(pose), weights=str(another)))


def test_clips_without_a_driver_are_refused_in_a_sentence(mini, pairs, tmp_path):
    lines = [json.loads(line) for line in pairs.read_text().splitlines()]
    for line in lines:
        del line["driving"], line["sha256"]["driving"]
    (tmp_path / "no.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InputError, match="5 have no driving video"):
        train_rgb(asked(mini, tmp_path / "x", data=str(tmp_path / "no.jsonl")))


@pytest.mark.parametrize("name", FOUNDATIONS)
def test_both_stages_have_the_papers_settings(name):
    plain = foundation(name).sketched().contract
    one, two = stage1_pose(name, plain), stage2_rgb(name, plain)
    assert replace(two, draws=one.draws) == one
    assert two.draws.shortest == one.draws.shortest
    assert two.text
