"""Killed with SIGKILL at seeded moments and begun again: nothing is lost, at most one item is redone, and the result is
the unbroken run's.

Twenty moments for each command; ``DIPTYCH_KILLS`` asks for another number.
"""

import hashlib
import json
import os
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open

from blocks import save_random_mini
from diptych.media.image import write_image
from diptych.media.video import write_clip
from diptych.types import Clip
from kills import Moment, moments, run

KILLS = int(os.environ.get("DIPTYCH_KILLS", "20"))
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A mini that has learned nothing, a picture, and drivers of several windows."""
    folder = tmp_path_factory.mktemp("files")
    save_random_mini(folder / "model")
    rng = np.random.default_rng(3)
    write_image(folder / "picture.png", rng.integers(0, 256, (32, 48, 3), dtype=np.uint8))
    for name, frames in (("long", 60), ("short", 20)):
        write_clip(folder / f"{name}.mp4", Clip.at_fps(rng.integers(0, 256, (frames, 32, 32, 3), dtype=np.uint8), 25))
    return folder


def contents(folder):
    """Every file below a folder and what is in it, without what tells of a run and not of its result."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("run.json", "lock"))
    }


def ages(paths):
    return {path: path.stat().st_mtime_ns for path in paths}


def still(before):
    """How many of the files are what they were, by their age."""
    return sum(path.exists() and path.stat().st_mtime_ns == age for path, age in before.items())


def left_behind(folder):
    return [str(path) for path in folder.rglob("*") if ".part" in path.name or "journal" in path.name]


def each_kill(words, out, unbroken, seed):
    """Kills a fresh run at every moment; yields before it is begun again, then after."""
    fresh = unbroken.with_name("first")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    first = run([word.replace(str(out), str(fresh)) for word in words], fresh)
    assert first.code == 0, first.said
    fresh.rename(unbroken)
    for moment in moments(first.events, KILLS, seed):
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        died = run(words, out, moment)
        if died.code == 0:  # the delay ended behind the last write
            shutil.rmtree(out)
            out.mkdir()
            died = run(words, out, replace(moment, after=0.0))
        assert died.code == -9, died.said
        yield "killed"
        again = run(words, out)
        assert again.code == 0, again.said
        assert contents(out) == contents(unbroken)
        assert left_behind(out) == []
        yield "done"


def test_animate(files, tmp_path):
    out, unbroken = tmp_path / "out", tmp_path / "unbroken"
    words = ["animate", str(files / "picture.png"), str(files / "long.mp4"), "-o", str(out / "a.mp4")]
    words += ["--preview", str(out / "p.mp4"), "--model", str(files / "model"), "--steps", "1", "--quiet"]
    kept, reused = {}, 0
    for state in each_kill(words, out, unbroken, 1):
        if state == "killed":
            kept = ages((out / "a.mp4.journal").glob("window-*.npz"))
            continue
        windows, all_made = (
            json.loads((folder / "a.mp4.run.json").read_text())["result"]["windows"] for folder in (out, unbroken)
        )
        assert windows == {"made": all_made["made"] - len(kept), "from_the_journal": len(kept)}
        reused += len(kept)
    assert reused > KILLS


def test_animate_jobs(files, tmp_path):
    out, unbroken = tmp_path / "out", tmp_path / "unbroken"
    lines = [
        {"reference": "picture.png", "driving": f"{name}.mp4", "seed": seed}
        for seed, name in enumerate(("short", "long", "short"))
    ]
    (files / "jobs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ["animate", "--jobs", str(files / "jobs.jsonl"), "-o", str(out), "--model", str(files / "model")]
    words += ["--steps", "1", "--quiet"]
    before = {}
    for state in each_kill(words, out, unbroken, 2):
        if state == "killed":
            finished = [path for path in out.glob("*.mp4") if path.with_name(path.name + ".run.json").exists()]
            before = ages(finished)
        else:
            assert still(before) == len(before)
            assert len(list(out.glob("*.mp4"))) == 3


def test_puppets_render(tmp_path):
    out, unbroken = tmp_path / "out", tmp_path / "unbroken"
    words = ["puppets", "render", "-o", str(out), "--count", "4", "--frames", "6", "--size", "64"]
    before = {}
    for state in each_kill(words, out, unbroken, 3):
        if state == "killed":
            before = ages(out.glob("0*[0-9]/*"))
        else:
            assert still(before) == len(before)


def test_training_the_mini(tmp_path):
    """Killed again and again on its way; whenever it comes through, the next run begins from nothing."""
    out, unbroken = tmp_path / "out", tmp_path / "unbroken"
    settings = ["--set", "draws=64", "shard=8", "held_out=1", "denoiser_loop.steps=24", "vae_loop.steps=12", "fitted=8"]

    def words(folder, workers=0):
        common = ["train", "mini", "--size", "tiny", "-o", str(folder), "--threads", "1", *settings]
        return [*common, f"workers={workers}"]

    for folder in (out, unbroken):
        folder.mkdir()
    began = time.monotonic()
    first = run(words(unbroken), unbroken)
    seconds = time.monotonic() - began
    assert first.code == 0, first.said
    rng, killed, attempt, stages = np.random.default_rng(4), 0, 0, set()
    wanted = {"vae", "cache", "denoiser"} if KILLS >= 20 else set()
    while killed < KILLS or not stages >= wanted:
        attempt += 1
        assert attempt <= 10 * KILLS, f"in {killed} kills none fell in {wanted - stages}"
        # Calls of a worker that makes the cache are not counted: its moments are those of the clock.
        if attempt % 2:
            moment = Moment(1, float(rng.uniform(0.1, 0.5) * seconds))
        else:
            moment = Moment(int(rng.integers(1, max(4, first.events // 4))), 0.0)
        shards = ages((out / "cache").glob("draws-*"))
        saved = {stage: newest(out / stage) for stage in ("locator", "vae", "sight", "denoiser")}
        died = run(words(out, workers=attempt % 2), out, moment)
        assert died.code in (-9, 0), died.said
        assert still(shards) == len(shards)
        for stage, step in saved.items():
            assert newest(out / stage) >= step
            # What was learned since the newest checkpoint is all that a kill can cost.
            assert last_logged(out / stage) - newest(out / stage) <= 5
        if died.code == 0:
            trained_alike(out, unbroken)
            shutil.rmtree(out)
            out.mkdir()
        else:
            killed += 1
            stages.add(stage_of(out))
    last = run(words(out), out)
    assert last.code == 0, last.said
    trained_alike(out, unbroken)


def trained_alike(out, unbroken):
    assert left_behind(out) == []
    # Headers tell how long a run took, and shards which file of the VAE they belong to: tensors are compared.
    same = [path.relative_to(unbroken) for path in sorted(unbroken.glob("*/*.safetensors"))]
    assert len(same) >= 4 + 4 + 2
    for name in same:
        assert weights(out / name) == weights(unbroken / name), name
    for name in ("locator", "vae", "sight", "denoiser"):
        assert metrics(out / name) == metrics(unbroken / name)


def newest(stage):
    return max((int(path.stem.split("-")[1]) for path in stage.glob("checkpoint-*")), default=0)


def metrics(stage):
    lines = [json.loads(line) for line in (stage / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def last_logged(stage):
    path = stage / "metrics.jsonl"
    whole = [line for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []
    return json.loads(whole[-1])["step"] if whole else 0


def stage_of(folder):
    """Roughly: the locator comes before the VAE, and sight between the cache and the denoiser."""
    if not (folder / "mini" / "vae.safetensors").exists():
        return "vae"
    return "cache" if len(list((folder / "cache").glob("draws-*"))) < 8 else "denoiser"


def weights(path):
    with safe_open(path, "np") as file:
        return {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118
