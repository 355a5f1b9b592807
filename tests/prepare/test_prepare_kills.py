"""Preparing killed with SIGKILL at seeded moments and begun again: nothing that was done is done again, and the dataset
is the unbroken run's to the last byte.

Four moments; ``DIPTYCH_KILLS`` asks for another number.
"""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from diptych.files import sha256
from footage import scene, write, write_recorded
from kills import moments, run

KILLS = int(os.environ.get("DIPTYCH_KILLS", "4"))
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")


def contents(folder):
    return {
        str(path.relative_to(folder)): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "state" not in path.parts and path.name not in ("run.json", "lock")
    }


def test_prepare(tmp_path):
    footage, out, unbroken = tmp_path / "footage", tmp_path / "out", tmp_path / "unbroken"
    write(footage / "a.mp4", np.concatenate([scene(1, 18), scene(2, 18)]))
    write_recorded(footage / "a.json", 36)
    write(footage / "b.mp4", scene(3, 18))
    write_recorded(footage / "b.json", 18)
    write(footage / "still.mp4", np.repeat(scene(4, 1), 18, 0))

    def words(folder):
        return ["prepare", str(footage), "-o", str(folder), "--min-frames", "17", "--quiet"]

    unbroken.mkdir()
    first = run(words(unbroken), unbroken)
    assert first.code == 0, first.said
    kept = 0
    for moment in moments(first.events, KILLS, 6):
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        died = run(words(out), out, moment)
        if died.code == 0:  # the delay ended behind the last write
            shutil.rmtree(out)
            out.mkdir()
            died = run(words(out), out, replace(moment, after=0.0))
        assert died.code == -9, died.said
        done = {path: path.stat().st_mtime_ns for path in out.glob("prepare/state/*/*.json")}
        again = run(words(out), out)
        assert again.code == 0, again.said
        assert contents(out) == contents(unbroken)
        assert not [path for path in out.rglob("*") if ".part" in path.name]
        assert all(path.stat().st_mtime_ns == age for path, age in done.items())
        kept += len(done)
    assert kept >= KILLS
