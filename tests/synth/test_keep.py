"""What is kept, by judge and people, and whose word it says that was."""

import json

import numpy as np
import pytest

from diptych.data.manifest import Judged, read_manifest, write_manifest
from diptych.media.video import read_clip, write_clip
from diptych.method.bootstrap import Decision, KeepRule
from diptych.synth.folder import PairsFolder
from diptych.synth.generate import How, generate
from diptych.synth.keep import judged_by, keep, read_scores, scores_by_truth
from diptych.synth.made_up import puppet_items
from diptych.types import Clip, InputError

SCORES = {"imaging_quality": 5.0, "motion_smoothness": 4.0}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    generate(puppet_items(0, 4, area=64 * 64), PairsFolder(folder), How(None, None, ""), {}, quiet=True)
    return folder


@pytest.fixture
def pairs(made):
    for path in (*made.glob("judged/*"), *made.glob("kept*.jsonl")):
        path.unlink()
    return made


def judge(pairs, averages, name="measured"):
    (pairs / "judged").mkdir(exist_ok=True)
    lines = [{"id": one, "judge": name, "scores": {"imaging_quality": a}, "average": a} for one, a in averages]
    path = pairs / "judged" / f"{name}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def ids(pairs):
    return [entry.id for entry in read_manifest(pairs / "pairs.jsonl")]


def test_what_is_kept_says_who_judged_and_who_looked(pairs):
    a, b, c, d = ids(pairs)
    path = judge(pairs, [(a, 4.6), (b, 4.4), (c, 5.0), (d, 4.7)])
    decisions = {a: Decision(True, "scripted", 3), b: Decision(True, "human", 1), c: Decision(False, "human", 2)}
    kept = keep(pairs, pairs / "kept.jsonl", KeepRule(), lambda _: read_scores(path), decisions)
    assert kept.fates == {"kept": 1, "low score": 1, "turned down": 1, "no verdict": 1}
    (entry,) = read_manifest(pairs / "kept.jsonl", check_files=True)
    assert entry.id == a
    assert entry.pair.judged == Judged(judge="measured", scores={"imaging_quality": 4.6}, average=4.6)
    assert (entry.pair.reviewed, entry.pair.verdicts) == ("scripted", 3)
    unsigned = {e.id: e for e in read_manifest(pairs / "pairs.jsonl")}[a]
    assert entry.model_copy(update={"pair": unsigned.pair}) == unsigned


def test_without_review_the_manifest_says_that_nobody_looked(pairs):
    path = judge(pairs, [(name, 5.0) for name in ids(pairs)])
    rule = KeepRule(percentile=50, review=False)
    keep(pairs, pairs / "kept.jsonl", rule, lambda _: read_scores(path), {})
    entries = read_manifest(pairs / "kept.jsonl")
    assert len(entries) == 4  # equals fare alike
    assert {(entry.pair.reviewed, entry.pair.verdicts) for entry in entries} == {("no", 0)}


def test_exact_truth_ranks_by_decibels(pairs):
    entries = read_manifest(pairs / "pairs.jsonl")
    worse = []
    for level, entry in enumerate(entries):
        right = read_clip(pairs / entry.pair.right)
        towards_grey = np.where(right.frames > 127, -12 * level, 12 * level)
        off = (right.frames + towards_grey).astype(np.uint8)
        write_clip(pairs / "right" / f"off-{entry.id}.mp4", Clip.at_fps(off, 12))
        worse.append(entry.model_copy(update={"driving": f"right/off-{entry.id}.mp4"}))
    averages = scores_by_truth(pairs, worse).averages
    ranked = [averages[entry.id] for entry in entries]
    assert ranked == sorted(ranked, reverse=True)
    assert ranked[0] > 35 > 27 > ranked[1] > ranked[3] > 15  # one level of 12 is 26.5 dB
    rule = KeepRule(percentile=50, review=False)
    kept = keep(pairs, pairs / "kept2.jsonl", rule, lambda _: scores_by_truth(pairs, worse), {})
    assert {entry.id for entry in kept.entries} == {entry.id for entry in entries[:2]}
    assert all(entry.pair.judged is None for entry in kept.entries)


def test_a_judge_is_chosen_by_name_or_because_it_is_the_only_one(pairs):
    with pytest.raises(InputError, match="diptych judge"):
        judged_by(pairs, None)
    one = judge(pairs, [], "one")
    assert judged_by(pairs, None) == judged_by(pairs, "one") == one
    judge(pairs, [], "two")
    with pytest.raises(InputError, match="judged by one, two; say --judge"):
        judged_by(pairs, None)
    for name in ("three", "../pairs", "../judged/one"):
        with pytest.raises(InputError, match="was not judged by"):
            judged_by(pairs, name)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "line 2"),
        (json.dumps({"id": "a", "judge": "j", "scores": {"x": 6}, "average": 5}), "line 2"),
        (json.dumps({"id": "a", "judge": "j", "scores": SCORES, "average": 5}), "not that of the scores"),
        (json.dumps({"id": "a", "judge": "j", "scores": {"x": float("nan")}, "average": 3}), "line 2"),
        ("x" * 70000, "too long"),
    ],
)
def test_what_no_judge_wrote_is_refused_with_its_line(tmp_path, line, message):
    path = tmp_path / "j.jsonl"
    path.write_text(json.dumps({"id": "b", "judge": "j", "scores": SCORES, "average": 4.5}) + "\n" + line + "\n")
    with pytest.raises(InputError, match=message):
        read_scores(path)


def test_a_judge_says_one_thing_of_a_pair(pairs):
    path = judge(pairs, [("a", 2.0), ("a", 3.0)])
    with pytest.raises(InputError, match="line 2: 'a' stands twice"):
        read_scores(path)


def test_the_manifest_can_only_lie_where_its_paths_are_right(pairs, tmp_path):
    before = (pairs / "pairs.jsonl").read_bytes()
    for output in (tmp_path / "kept.jsonl", pairs / "pairs.jsonl", pairs / "judged" / "kept.jsonl"):
        with pytest.raises(InputError, match="must be a new file in"):
            keep(pairs, output, KeepRule(), lambda entries: scores_by_truth(pairs, entries), {})
        assert (pairs / "pairs.jsonl").read_bytes() == before


def test_pairs_without_truth_cannot_be_judged_by_it(pairs):
    entries = read_manifest(pairs / "pairs.jsonl")
    blind = [e.model_copy(update={"pair": e.pair.model_copy(update={"right": None})}) for e in entries]
    with pytest.raises(InputError, match="no pair whose right answer is known"):
        scores_by_truth(pairs, blind)


def test_a_folder_without_pairs(tmp_path):
    write_manifest(tmp_path / "pairs.jsonl", [])
    with pytest.raises(InputError, match="diptych synth"):
        keep(tmp_path, tmp_path / "kept.jsonl", KeepRule(), lambda _: read_scores(tmp_path), {})
