"""The project told as a shell script: from clips to an end-to-end adapter and a video, killed on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from blocks import save_random_mini
from browser import find_chromium
from diptych.data.manifest import read_manifest
from diptych.media.video import probe
from diptych.models.adapters import read_contract, read_notes

ROOT = Path(__file__).parents[1]
SMALL = "batch=2 shard=4 held_out=1 workers=0 adapter.rank=4 loop.warmup=1 loop.checkpoint_every=1"
CHAPTERS = (
    "footage",
    "references",
    "prepare",
    "stage-one",
    "synth",
    "judge",
    "review",
    "stage-two",
    "animate",
)


def told(folder: Path) -> list[str]:
    return [name for name in CHAPTERS if (folder / f"{name}.told").exists()]


def test_the_story_goes_on_after_kills_and_comes_to_its_end(tmp_path: Path) -> None:
    model, folder = save_random_mini(tmp_path), tmp_path / "story"
    settings = {
        "CLIPS": "6",
        "REFERENCES": "4",
        "FRAMES": "17",
        "STEPS": "2",
        "CACHED": "8",
        "WORKERS": "1",
        "MODEL": str(model),
        "SET1": SMALL,
        "SET2": SMALL,
        "REVIEW": "browser" if find_chromium() else "none",
        "PYTHON": sys.executable,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT / "src"),
    }
    log = tmp_path / "log"

    def begin() -> subprocess.Popen[bytes]:
        with log.open("ab") as said:
            return subprocess.Popen(
                [str(ROOT / "runs" / "story_cpu.sh"), str(folder)],
                env={**os.environ, **settings},
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    # Killed in the middle of making the dataset, of training, and of making pairs.
    for chapter, after in (("prepare", 1.5), ("stage-one", 4.0), ("synth", 3.0)):
        running = begin()
        before = CHAPTERS[: CHAPTERS.index(chapter)]
        deadline = time.monotonic() + 240
        while len(told(folder)) < len(before):
            assert running.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        time.sleep(after)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        assert tuple(told(folder)[: len(before)]) == before
    ages = {name: (folder / f"{name}.told").stat().st_mtime_ns for name in told(folder)}
    assert begin().wait(420) == 0, log.read_text()

    assert tuple(told(folder)) == CHAPTERS
    assert {name: (folder / f"{name}.told").stat().st_mtime_ns for name in ages} == ages
    pairs = read_manifest(folder / "pairs" / "pairs.jsonl", check_files=True)
    kept = read_manifest(folder / "pairs" / "kept.jsonl", check_files=True)
    assert len(pairs) >= 3
    assert 0 < len(kept) < len(pairs)
    for entry in kept:
        assert entry.pair is not None
        assert entry.pair.judged is not None
        assert entry.pair.judged.judge == "measured"
        # A script never counts as a person.
        assert entry.pair.reviewed == ("scripted" if settings["REVIEW"] == "browser" else "no")
    pose, rgb = read_contract(folder / "pose" / "adapter"), read_contract(folder / "rgb" / "adapter")
    assert (pose.motion, rgb.motion) == ("pose", "rgb")
    assert read_notes(folder / "rgb" / "adapter")["steps"] == 2
    driver = ROOT / "src" / "diptych" / "assets" / "driving.mp4"
    assert probe(folder / "result.mp4").frames == probe(driver).frames
    run = json.loads((folder / "result.mp4.run.json").read_text())
    assert any(name.startswith("adapter/") for name in run["model"]["identity"])
