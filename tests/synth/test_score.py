"""Judging a folder of pairs: whom the judge sees, what is written, and that a run goes on where another stopped."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from diptych.data.manifest import Entry, read_manifest, write_manifest
from diptych.files import locked, sha256
from diptych.media.image import read_image
from diptych.media.video import read_clip
from diptych.method.judging import DIMENSIONS, Opinion, Performance, Verdict
from diptych.synth import score as job
from diptych.synth.judged_report import report
from diptych.synth.score import Judging, Outcome, score
from diptych.synth.verdicts import JudgedFolder, read_verdicts
from diptych.types import InputError
from made_pairs import make_pairs


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    make_pairs(tmp_path / "pairs", 4, frames=5, side=32)
    return tmp_path / "pairs"


@dataclass
class Scripted:
    """A judge whose every answer is chosen by the test, and who remembers what it saw."""

    says: Callable[[int, Performance], Verdict] = lambda number, performance: verdict(4.0)
    seen: list[Performance] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, performance: Performance) -> Verdict:
        with self.lock:
            number = len(self.seen)
            self.seen.append(performance)
        return self.says(number, performance)


def verdict(*scores: float, failed: str | None = None) -> Verdict:
    opinions = {name: Opinion(scores, f"as to {name}") for name in DIMENSIONS}
    if failed is None:
        return Verdict(opinions, {}, {"softness": 0.25})
    del opinions["imaging_quality"]
    return Verdict(opinions, {"imaging_quality": failed})


def judged_by(judge: Scripted, pairs: Path, name: str = "scripted", **change: object) -> Outcome:
    settings = {"judge": name, **change}
    return score(pairs, Judging(name, settings, lambda: judge, threads=1), quiet=True)


def test_a_judge_sees_the_made_video_the_footage_the_picture_and_the_caption_and_not_the_answer(pairs):
    judge = Scripted()
    judged_by(judge, pairs)
    for entry, shown in zip(read_manifest(pairs / "pairs.jsonl"), judge.seen, strict=True):
        assert entry.pair is not None
        assert np.array_equal(shown.frames, read_clip(pairs / str(entry.driving)).frames)
        assert np.array_equal(shown.driver, read_clip(pairs / entry.target).frames)
        assert np.array_equal(shown.reference, read_image(pairs / entry.pair.identity))
        assert shown.fps == 12
        assert shown.caption == entry.prompt


def test_verdicts_stand_in_the_order_of_the_manifest_with_mean_and_spread(pairs):
    outcome = judged_by(Scripted(lambda n, p: verdict(3.0, 5.0)), pairs)
    found = read_verdicts(outcome.verdicts)
    assert [one.id for one in found] == [entry.id for entry in read_manifest(pairs / "pairs.jsonl")]
    one = found[0]
    assert one.scores == dict.fromkeys(DIMENSIONS, 4.0)
    assert one.average == 4.0
    assert one.spread["imaging_quality"] == pytest.approx(2**0.5)
    assert one.asked["motion_smoothness"] == [3.0, 5.0]
    assert one.reasons["temporal_consistency"] == "as to temporal_consistency"
    assert one.facts == {"softness": 0.25}
    assert one.judged().average == 4.0
    told = json.loads((pairs / "judged" / "scripted" / "run.json").read_text())
    assert (told["pairs"], told["judged"], told["failed"]) == (4, 4, 0)
    assert told["settings"] == {"judge": "scripted"}


def test_nothing_is_judged_twice_and_a_new_pair_once(pairs):
    judge = Scripted()
    before = judged_by(judge, pairs).verdicts.read_bytes()
    assert judged_by(judge, pairs).verdicts.read_bytes() == before
    assert len(judge.seen) == 4
    make_pairs(pairs, 5, frames=5, side=32)
    assert judged_by(judge, pairs).judged == 5
    assert len(judge.seen) == 5


def test_a_pair_that_changed_and_a_judge_that_changed_are_judged_again(pairs):
    judge = Scripted()
    judged_by(judge, pairs)
    make_pairs(pairs, 4, frames=5, side=32, made=lambda number, right: right if number else 255 - right)
    judged_by(judge, pairs)
    assert len(judge.seen) == 5
    judged_by(judge, pairs, repeats=3)
    assert len(judge.seen) == 9
    assert judged_by(judge, pairs, repeats=3).judged == 4


def test_verdicts_of_pairs_that_are_gone_are_gone(pairs):
    judged_by(Scripted(), pairs)
    write_manifest(pairs / "pairs.jsonl", read_manifest(pairs / "pairs.jsonl")[1:])
    assert judged_by(Scripted(), pairs).judged == 3


def test_what_could_not_be_judged_has_no_score_and_is_tried_again(pairs):
    judge = Scripted(lambda n, p: verdict(5.0, failed="no answer") if n == 1 else verdict(2.0))
    outcome = judged_by(judge, pairs)
    assert outcome.judged == 3
    (name,) = outcome.failed
    assert outcome.failed[name] == "no answer"
    assert name not in {one.id for one in read_verdicts(outcome.verdicts)}
    failures = [json.loads(line) for line in (pairs / "judged/scripted/failures.jsonl").read_text().splitlines()]
    assert [(one["id"], one["failed"]) for one in failures] == [(name, {"imaging_quality": "no answer"})]
    assert judged_by(judge, pairs).judged == 4
    assert len(judge.seen) == 5


def test_a_judge_that_cannot_go_on_ends_the_run_and_what_it_said_is_kept(pairs):
    def says(number: int, performance: Performance) -> Verdict:
        if number == 2:
            raise InputError("The limit is reached.")
        return verdict(3.0)

    judge = Scripted(says)
    with pytest.raises(InputError, match="limit is reached"):
        judged_by(judge, pairs)
    assert len(read_verdicts(pairs / "judged" / "scripted.jsonl")) == 2
    judge.says = lambda n, p: verdict(4.0)
    assert judged_by(judge, pairs).judged == 4
    assert [len(judge.seen)] == [5]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda file: file.write_bytes(b"no video"), "not the file it was"),
        (lambda file: file.unlink(), "is missing"),
    ],
)
@pytest.mark.parametrize("key", ["driving", "target", "identity"])
def test_a_file_that_is_not_what_it_was_fails_its_pair_and_no_other(pairs, spoil, says, key):
    entry = read_manifest(pairs / "pairs.jsonl")[0]
    spoil(pairs / entry.files[key])
    outcome = judged_by(Scripted(), pairs)
    assert outcome.judged == 3
    assert says in outcome.failed[entry.id]
    assert entry.files[key] in outcome.failed[entry.id]


def spoilt(pairs: Path, change: Callable[[Entry], Entry]) -> str:
    entries = read_manifest(pairs / "pairs.jsonl")
    entries[0] = change(entries[0])
    write_manifest(pairs / "pairs.jsonl", entries)
    return judged_by(Scripted(), pairs).failed[entries[0].id]


def test_files_are_bounded(pairs, monkeypatch):
    def no_video(entry: Entry) -> Entry:
        (pairs / str(entry.driving)).write_bytes(b"no video at all")
        return entry.model_copy(update={"sha256": {**entry.sha256, "driving": sha256(pairs / str(entry.driving))}})

    assert "more frames than the 4" in spoilt(pairs, lambda entry: entry.model_copy(update={"frames": 4}))
    assert "fewer frames than the 6" in spoilt(pairs, lambda entry: entry.model_copy(update={"frames": 6}))
    assert "driving" in spoilt(pairs, no_video)
    monkeypatch.setattr(job, "MOST_BYTES", 4096)
    assert len(judged_by(Scripted(), pairs, bounded=True).failed) == 4


def test_what_is_no_folder_of_pairs_is_refused(pairs, tmp_path):
    with pytest.raises(InputError, match=r"holds no pairs\.jsonl"):
        judged_by(Scripted(), tmp_path)
    for lacking in ("pair", "driving"):
        entries = read_manifest(pairs / "pairs.jsonl")
        write_manifest(pairs / "pairs.jsonl", [entries[0].model_copy(update={lacking: None}), *entries[1:]])
        with pytest.raises(InputError, match=f"it has no {lacking}"):
            judged_by(Scripted(), pairs)
        write_manifest(pairs / "pairs.jsonl", entries)


def test_two_runs_of_one_judge_do_not_mix_and_two_judges_may(pairs):
    judged_by(Scripted(), pairs)
    with locked(pairs / "judged" / "scripted" / "lock"):
        with pytest.raises(InputError, match="in use by another run"):
            judged_by(Scripted(), pairs)
        assert judged_by(Scripted(), pairs, "other").judged == 4


@pytest.mark.parametrize(
    "name", ["measured", "Qwen/Qwen2.5-VL-7B", "../../../etc/x", "..", ".hidden", "a b", "x" * 200]
)
def test_no_name_of_a_judge_or_a_pair_leaves_the_folder(name, tmp_path):
    folder = JudgedFolder(tmp_path, name)
    for path in (folder.verdicts, folder.folder, folder.record(name)):
        assert (tmp_path / "judged").resolve() in path.resolve().parents
        assert len(path.name) < 150
        assert not path.name.startswith(".")
    assert JudgedFolder(tmp_path, name + "!").folder != folder.folder


def test_what_is_spent_adds_up_over_runs(pairs):
    for used in (3, 5):
        judging = Judging("dear", {"used": used}, lambda: Scripted(), 1, lambda used=used: {"requests": used})
        score(pairs, judging, quiet=True)
    told = json.loads((pairs / "judged" / "dear" / "run.json").read_text())
    assert told["spent_in_this_run"] == {"requests": 5}
    assert told["spent_in_all_runs"] == {"requests": 8}


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        '{"id": "a"}',
        '{"id": "a", "judge": "j", "scores": {"imaging_quality": 9}, "average": 4.0}',
        '{"id": "a", "judge": "j", "scores": {"charm": 4.0}, "average": 4.0}',
        '{"id": "a", "judge": "j", "scores": {}, "average": 4.0, "more": 1}',
        "x" * 70_000,
    ],
)
def test_verdicts_are_read_strictly(tmp_path, line):
    (tmp_path / "v.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=r"v\.jsonl, line 1: no verdict"):
        read_verdicts(tmp_path / "v.jsonl")


def test_the_report_tells_scores_spread_failures_and_agreement(pairs):
    judged_by(Scripted(lambda n, p: verdict(*[(1.0, 2.0), (3.0, 3.0), (3.0, 4.0), (5.0, 5.0)][n])), pairs, "one")
    opposite = Scripted(lambda n, p: verdict(5.0 - n) if n < 3 else verdict(1.0, failed="no answer"))
    judged_by(opposite, pairs, "two")
    told = report(pairs)
    one, two, both = told.split("\n\n", 1)[0], told[told.index("two: ") :], told[told.index("one and two") :]
    assert "one: 4 pairs judged, 0 without a verdict" in one
    assert "two: 3 pairs judged, 1 without a verdict" in two
    assert "imaging_quality: no answer" in two
    assert "one and two: 3 pairs judged by both" in both
    row = next(line for line in both.splitlines() if "average" in line)
    assert row.split()[1:3] == ["-1.00", "-1.00"]
    row = next(line for line in one.splitlines() if "imaging_quality" in line)
    assert row.split()[1:] == ["3.25", "1.25", "1.50", "5.00", "0.35"]


def test_without_a_judge_there_is_nothing_to_report(pairs):
    with pytest.raises(InputError, match="has not been judged"):
        report(pairs)
