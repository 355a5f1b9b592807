"""A panel for depth from end to end: trained on puppets' exact depth, animated with an estimator's; what is refused."""

import dataclasses
import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from safetensors import safe_open

from blocks import save_random_mini
from depths import depth_anything
from diptych.animate.sampler import SamplerSettings
from diptych.animate.session import Session
from diptych.bench.cases import puppet_case
from diptych.data.manifest import Entry, write_manifest
from diptych.data.poses import ClipPoses, write_poses
from diptych.experts.depth import DepthEstimator
from diptych.experts.weights import Weights
from diptych.files import sha256
from diptych.media.draw_depth import draw_depth
from diptych.media.frame import MID_GREY
from diptych.media.image import write_image
from diptych.media.video import read_frames, write_clip
from diptych.method.incontext import split
from diptych.models.adapters import read_contract
from diptych.models.store import load_mini
from diptych.options import AnimateOptions, TrainStageOptions
from diptych.puppets.pairs import draw_pair
from diptych.puppets.poses import pose_of
from diptych.puppets.suite import suite_pairs
from diptych.recipes.animate import animate_files
from diptych.recipes.bench import answering, through_vae
from diptych.recipes.depth_drive import evenly
from diptych.recipes.stages import train_pose, train_rgb
from diptych.types import Clip, InputError

pytestmark = pytest.mark.filterwarnings("ignore")
FRAMES = 20
SMALL = {
    "auxiliary": "depth", "cached": 4, "shard": 4, "held_out": 2, "workers": 0, "batch": 2, "adapter.rank": 4,
    "loop.steps": 2, "loop.warmup": 1, "loop.fused": "false", "loop.checkpoint_every": 2, "loop.preview_every": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_random_mini(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def estimator(tmp_path_factory):
    return depth_anything(tmp_path_factory.mktemp("estimator"))


def asked(model, folder, **options):
    overrides = tuple((name, str(value)) for name, value in SMALL.items())
    return TrainStageOptions(weights=str(model), output=folder, overrides=overrides, **options)


@pytest.fixture(scope="module")
def adapter(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage")
    train_pose(asked(model, folder))
    return folder / "adapter"


@pytest.fixture
def options(tmp_path, model, adapter, estimator):
    """A puppet that drives another, by its exact poses, with depth found in the video."""
    pair = draw_pair(4, category="person_full")
    shown = pair.driving(pair.start + np.arange(FRAMES) / 12, 48, 64)
    write_clip(tmp_path / "driver.mp4", Clip.at_fps(shown.frames, Fraction(30000, 1001)))
    write_poses(tmp_path / "poses.safetensors", ClipPoses(pose_of(shown.skeleton, ["biped"]), 48, 64, "puppets"))
    write_image(tmp_path / "picture.png", np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    return AnimateOptions(
        tmp_path / "picture.png",
        tmp_path / "driver.mp4",
        tmp_path / "out.mp4",
        poses=tmp_path / "poses.safetensors",
        depth_weights=str(estimator),
        model=str(model),
        adapter=adapter,
        quiet=True,
    )


def handed_over(options, monkeypatch):
    """What the session is given as the driver and beside it."""
    seen = []
    whole = Session.animate

    def animate(self, reference, driving, *args, auxiliary, **kwargs):
        driving, auxiliary = list(driving), list(auxiliary)
        seen[:] = [np.stack(driving), np.stack(auxiliary)]
        return whole(self, reference, driving, *args, auxiliary=auxiliary, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(Session, "animate", animate)
        animate_files(options)
    return seen


def expected_depth(options):
    """Depth of all frames at once, drawn."""
    frames = np.stack([frame.pixels for frame in read_frames(options.driving)])
    return draw_depth(DepthEstimator(Weights(options.depth_weights))(frames))


def test_an_adapter_that_learned_with_depth_says_so(adapter):
    agreed = read_contract(adapter)
    assert (agreed.motion, agreed.auxiliary, agreed.panels) == ("pose", "depth", 3)


def test_every_driving_frame_comes_with_its_own_depth_over_its_skeletons(options, monkeypatch):
    motion, beside = handed_over(options, monkeypatch)
    assert motion.shape == beside.shape == (FRAMES, 32, 48, 3)
    # The driver stands upright in a wide panel: on both sides of it there is nothing.
    wide = (beside == MID_GREY).all((0, 1, 3))
    assert 16 <= wide.sum() < 32
    shown = beside[:, :, ~wide]
    small = np.stack([frame[::2, ::2] for frame in expected_depth(options)])
    correlation = np.corrcoef(shown.mean((1, 2, 3)), small.mean((1, 2, 3)))[0, 1]
    assert correlation > 0.99
    run = json.loads((options.output.parent / "out.mp4.run.json").read_text())
    assert run["auxiliary"]["kind"] == "depth"
    assert run["auxiliary"]["source"] == options.depth_weights


def test_footage_comes_with_its_depth_frame_for_frame_in_a_part_too(options, monkeypatch):
    footage = dataclasses.replace(options, motion="rgb", poses=None)
    motion, beside = handed_over(footage, monkeypatch)
    assert np.array_equal(motion, np.stack([frame.pixels for frame in read_frames(options.driving)]))
    assert np.abs(beside.astype(int) - expected_depth(options)).max() <= 1
    part = dataclasses.replace(footage, output=options.output.with_name("part.mp4"), start=Fraction(1001, 3000))
    assert np.array_equal(handed_over(part, monkeypatch)[0], motion[10:])


def test_of_a_fast_driver_every_frame_that_is_made_comes_with_its_depth(options, monkeypatch):
    frames = np.stack([frame.pixels for frame in read_frames(options.driving)])
    write_clip(options.driving, Clip.at_fps(frames, 60))
    motion, beside = handed_over(dataclasses.replace(options, motion="rgb", poses=None), monkeypatch)
    assert len(motion) == len(beside) == FRAMES // 2
    assert np.abs(beside.astype(int) - expected_depth(options)[::2]).max() <= 1
    assert len(list(read_frames(options.output))) == FRAMES


def test_a_resumed_run_goes_on_and_another_depth_is_refused(options, monkeypatch, tmp_path):
    whole = dataclasses.replace(options, output=options.output.with_name("whole.mp4"))
    animate_files(whole)

    def stop(self, *args, **kwargs):
        raise RuntimeError("stopped")

    with monkeypatch.context() as broken:
        broken.setattr("diptych.recipes.animate._Outputs.write", stop)
        with pytest.raises(RuntimeError, match="stopped"):
            animate_files(options)
    other = depth_anything(tmp_path / "other", side=28)
    with pytest.raises(InputError, match="auxiliary"):
        animate_files(dataclasses.replace(options, depth_weights=str(other)))
    animate_files(options)
    frames = [[frame.pixels for frame in read_frames(one.output)] for one in (options, whole)]
    assert np.array_equal(*frames)
    assert json.loads((tmp_path / "out.mp4.run.json").read_text())["result"]["windows"]["from_the_journal"] > 0


def test_depth_is_asked_for_just_where_there_is_a_panel_for_it(options):
    with pytest.raises(InputError, match="--depth-weights"):
        animate_files(dataclasses.replace(options, depth_weights=None))
    with pytest.raises(InputError, match="no panel for depth"):
        animate_files(dataclasses.replace(options, adapter=None))
    with pytest.raises(InputError, match="--pose-fit box"):
        animate_files(dataclasses.replace(options, pose_fit="box"))
    with pytest.raises(InputError, match="nowhere"):
        animate_files(dataclasses.replace(options, depth_weights="./nowhere"))
    assert not options.output.exists()


@pytest.mark.parametrize("motion", ["pose", "rgb"])
def test_the_benchmark_shows_the_exact_depth(model, motion):
    mini = load_mini(model)
    mini = dataclasses.replace(mini, contract=dataclasses.replace(mini.contract, motion=motion, auxiliary="depth"))
    session = Session(mini, SamplerSettings(steps=1), mini.locate)
    case = puppet_case(next(pair for pair in suite_pairs("puppets-v1") if pair.category == "crossing"))
    assert case.depth.shape == case.sample.motion.shape
    made = answering(session)(case)
    other = answering(session)(dataclasses.replace(case, depth=case.depth[::-1].copy()))
    assert made.shape[0] == other.shape[0] == len(case.truth)
    assert not np.array_equal(made, other)
    assert through_vae(mini)(case.truth).shape == made.shape


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Two clips with drivers: others in the same motion."""
    folder, entries = tmp_path_factory.mktemp("pairs"), []
    for seed in range(2):
        pair = draw_pair(seed, category="person_full")
        times = pair.start + np.arange(FRAMES) / 12
        names = {"target": f"{seed}.mp4", "driving": f"{seed}.driving.mp4"}
        for name, shown in zip(names.values(), (pair.driving(times, 48, 64), pair.truth(times, 64, 48)), strict=True):
            write_clip(folder / name, Clip.at_fps(shown.frames, 12))
        hashes = {key: sha256(folder / name) for key, name in names.items()}
        entries.append(Entry(id=f"{seed}", **names, prompt=pair.caption, fps="12", frames=FRAMES, sha256=hashes))
    write_manifest(folder / "kept.jsonl", entries)
    return folder / "kept.jsonl"


@pytest.mark.parametrize("found", [True, False])
def test_the_second_stage_learns_with_the_drivers_depth(model, estimator, pairs, options, tmp_path, monkeypatch, found):
    """Found in drivers by an estimator, or known exactly; what comes out animates."""
    run = asked(model, tmp_path / "run", data=str(pairs) if found else "puppets")
    small = (("draws.shortest", "9"), ("held_out", "1"))
    run = dataclasses.replace(run, depth_weights=str(estimator) if found else None, overrides=run.overrides + small)
    train_rgb(run)
    agreed = read_contract(tmp_path / "run" / "adapter")
    assert (agreed.motion, agreed.auxiliary, agreed.panels) == ("rgb", "depth", 3)
    with safe_open(tmp_path / "run" / "cache" / "draws-000000.safetensors", "pt") as shard:
        name = next(name for name in shard.keys() if name.endswith("condition"))  # noqa: SIM118
        *_, motion, depth = split(shard.get_tensor(name).float(), panels=3)
    assert not torch.equal(motion, depth)
    assert depth.std() > 0
    with_it = dataclasses.replace(options, adapter=tmp_path / "run" / "adapter", poses=None)
    assert handed_over(with_it, monkeypatch)[1].shape == (FRAMES, 64, 48, 3)


def test_latents_of_another_estimator_are_not_taken(model, estimator, pairs, tmp_path):
    first = asked(model, tmp_path / "run", data=str(pairs), depth_weights=str(estimator), stage="cache")
    first = dataclasses.replace(first, overrides=(*first.overrides, ("draws.shortest", "9"), ("held_out", "1")))
    train_rgb(first)
    with pytest.raises(InputError, match="cache"):
        train_rgb(
            dataclasses.replace(first, depth_weights=str(depth_anything(tmp_path / "other", side=28)), stage="all")
        )


def test_a_panel_that_nobody_can_fill_is_refused_before_anything_is_written(model, estimator, pairs, tmp_path):
    def refused(train, says, **options):
        with pytest.raises(InputError, match=says):
            train(asked(model, tmp_path / "x", **options))

    refused(train_pose, r"kept\.jsonl .*auxiliary=depth.*outline", data=str(pairs))
    refused(train_rgb, "--depth-weights", data=str(pairs))
    refused(train_rgb, "knows its depth", depth_weights=str(estimator))
    posed = asked(model, tmp_path / "x")
    with pytest.raises(InputError, match="pose_share"):
        train_rgb(dataclasses.replace(posed, overrides=(*posed.overrides, ("draws.pose_share", "0.2"))))
    with pytest.raises(InputError, match="no panel for depth"):
        train_rgb(TrainStageOptions(weights=str(model), output=tmp_path / "x", depth_weights=str(estimator)))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16, 17, 100, 1000])
def test_frames_that_are_looked_at_lie_evenly_over_a_stream(count):
    kept = evenly(iter(range(count)), 8)
    assert len(kept) <= 8
    assert len(kept) >= min(count, 4)
    if kept:
        gaps = set(np.diff(kept).tolist())
        assert kept[0] == 0
        assert len(gaps) <= 1
        assert count - kept[-1] <= max(gaps, default=1)
