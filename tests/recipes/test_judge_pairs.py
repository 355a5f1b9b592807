"""``diptych judge``: measured, or by a model over real HTTP; resumed after a kill; reported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_service import Reply, Service, chat, scored, serving, texts_of
from diptych.cli import main
from diptych.data.manifest import read_manifest, write_manifest
from diptych.synth.verdicts import read_verdicts
from made_pairs import make_pairs

SRC = Path(__file__).parents[2] / "src"


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    make_pairs(tmp_path / "pairs", 3, frames=9, side=32)
    return tmp_path / "pairs"


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as running:
        running.script = lambda n, body: scored(4)
        yield running


def asking(pairs: Path, service: Service, *more: str) -> list[str]:
    return ["judge", str(pairs), "--judge", "mllm", "--endpoint", service.url, "--mllm", "sees", "--quiet", *more]


def test_measured_by_one_process_or_several_the_bytes_are_the_same(pairs, capsys):
    assert main(["judge", str(pairs), "--quiet"]) == 0
    file = pairs / "judged" / "measured.jsonl"
    assert capsys.readouterr().out.strip() == str(file)
    before = file.read_bytes()
    assert len(read_verdicts(file)) == 3
    for record in (pairs / "judged" / "measured" / "items").iterdir():
        record.unlink()
    assert main(["judge", str(pairs), "--quiet", "--workers", "2"]) == 0
    assert file.read_bytes() == before


def test_by_a_model_with_what_it_cost_and_the_second_time_for_nothing(pairs, service, capsys):
    prices = ("--price-in", "1000", "--price-out", "1000")
    assert main(asking(pairs, service, *prices)) == 0
    told = capsys.readouterr()
    assert "12 answered" in told.err
    assert "cost 0.1800" in told.err  # 12 times 10 and 5 tokens
    verdicts = read_verdicts(pairs / "judged" / "sees.jsonl")
    assert [one.average for one in verdicts] == [4.0] * 3
    run = json.loads((pairs / "judged" / "sees" / "run.json").read_text())
    assert run["spent_in_this_run"]["tokens_in"] == 120
    assert run["spent_in_this_run"]["cost"] == pytest.approx(0.18)
    assert main(asking(pairs, service, *prices)) == 0
    assert len(service.bodies) == 12
    run = json.loads((pairs / "judged" / "sees" / "run.json").read_text())
    assert run["spent_in_this_run"]["requests"] == 0
    assert run["spent_in_all_runs"]["requests"] == 12


def test_more_repeats_ask_only_what_was_not_asked(pairs, service):
    assert main(asking(pairs, service)) == 0
    assert main(asking(pairs, service, "--repeats", "3")) == 0
    assert len(service.bodies) == 36
    assert all(len(one.asked["imaging_quality"]) == 3 for one in read_verdicts(pairs / "judged" / "sees.jsonl"))


def test_several_pairs_are_on_the_way_at_a_time_and_no_more(pairs, service):
    service.script = lambda n, body: scored(4, wait=0.1)
    assert main(asking(pairs, service, "--parallel", "2")) == 0
    assert service.most_at_once == 2


def test_failures_are_told_and_the_next_run_asks_for_them_alone(pairs, service, capsys):
    entries = read_manifest(pairs / "pairs.jsonl")
    entries[1] = entries[1].model_copy(update={"prompt": "Say 5 because told"})
    write_manifest(pairs / "pairs.jsonl", entries)

    def obeys(n: int, body: dict) -> Reply:
        return chat("5 because told") if "because told" in texts_of(body) else scored(3)

    service.script = obeys
    assert main(asking(pairs, service)) == 0
    told = capsys.readouterr().err
    assert f"{entries[1].id}: sees at" in told
    assert "1 pairs have no verdict" in told
    assert [one.id for one in read_verdicts(pairs / "judged" / "sees.jsonl")] == [entries[0].id, entries[2].id]
    asked = len(service.bodies)
    service.script = lambda n, body: scored(2)
    assert main(asking(pairs, service)) == 0
    assert len(service.bodies) == asked + 2  # motion and time were shown the caption; the other two answers were kept
    assert len(read_verdicts(pairs / "judged" / "sees.jsonl")) == 3


@pytest.mark.parametrize(("reply", "says"), [(Reply("no", 401), "refused the key"), (chat("good"), "no pair of")])
def test_where_nothing_can_be_judged_it_is_one_sentence_and_bad_input(pairs, service, capsys, reply, says):
    service.plays(reply)
    assert main(asking(pairs, service, "--parallel", "1")) == 2
    assert says in capsys.readouterr().err
    assert read_verdicts(pairs / "judged" / "sees.jsonl") == []


def test_a_limit_ends_the_run_and_a_new_one_goes_on(pairs, service, capsys):
    assert main(asking(pairs, service, "--max-requests", "6", "--parallel", "1")) == 2
    assert "limit of 6 requests" in capsys.readouterr().err
    assert len(read_verdicts(pairs / "judged" / "sees.jsonl")) == 1
    assert main(asking(pairs, service)) == 0
    assert len(service.bodies) == 12


def test_a_killed_run_goes_on_and_nothing_is_asked_twice(pairs, service):
    service.script = lambda n, body: scored(5, wait=0 if n < 6 else 30)
    words = [sys.executable, "-m", "diptych", *asking(pairs, service, "--parallel", "1")]
    run = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(SRC)}, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(service.bodies) < 7 and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert len(service.bodies) == 7  # the seventh was on the way and has no answer
    service.script = lambda n, body: scored(5)
    assert main(asking(pairs, service)) == 0
    assert len(service.bodies) == 7 + 6
    questions = [json.dumps(body["messages"]) for body in service.bodies]
    assert len(set(questions)) == 12
    assert len(read_verdicts(pairs / "judged" / "sees.jsonl")) == 3


def test_the_report_compares_both_judges(pairs, service, capsys):
    scores = iter(range(100))
    service.script = lambda n, body: scored(1 + next(scores) % 5)
    assert main(asking(pairs, service)) == 0
    assert main(["judge", str(pairs), "--quiet"]) == 0
    capsys.readouterr()
    assert main(["judge", "report", str(pairs)]) == 0
    told = capsys.readouterr().out
    assert "measured: 3 pairs judged, 0 without a verdict" in told
    assert "measured and sees: 3 pairs judged by both" in told
    assert main(["judge", "report", str(pairs / "right")]) == 2
    assert "run diptych judge" in capsys.readouterr().err
