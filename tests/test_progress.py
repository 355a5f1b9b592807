"""Whoever watches a job is told of it in the terminal's place, and may end it."""

from __future__ import annotations

import pytest

from diptych.progress import Stopped, beat, progress, watched


class Told(list):
    """Everything that is told; ends the job at a share."""

    stop_at = None

    def report(self, *words):
        self.append(words)

    def beat(self, share):
        self.append(share)
        if share == self.stop_at:
            raise Stopped


@pytest.mark.parametrize("quiet", [True, False])
def test_a_watcher_is_told_and_nobody_else(capsys, quiet):
    told = Told()
    with watched(told), progress("bake", 3, "loaves", start=1, quiet=quiet) as report:
        beat(0.5)
        report(2)
        report(3, "done")
    assert told == [("bake", 1, 3, "loaves"), 0.5, ("bake", 2, 3, "loaves"), ("bake", 3, 3, "loaves")]
    assert capsys.readouterr().err == ""
    beat(0.1)  # nobody watches any more
    with progress("bake", 1, "loaves") as report:
        report(1)
    assert "bake: 1/1 loaves" in capsys.readouterr().err
    assert len(told) == 4


def test_a_watcher_ends_a_job_and_no_failure_is_seen():
    told = Told()
    told.stop_at = 0.5

    def job():
        try:
            beat(0.5)
        except Exception:
            pytest.fail("a stop is no failure")

    with watched(told), pytest.raises(Stopped):
        job()
    beat(0.5)  # and watches no longer
