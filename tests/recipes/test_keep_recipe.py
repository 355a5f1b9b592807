"""``diptych keep``: whose verdicts are asked for, and what is said of the outcome."""

import json
from contextlib import closing

import pytest

from diptych.cli import main
from diptych.data.manifest import read_manifest
from diptych.synth.folder import PairsFolder
from diptych.synth.generate import How, generate
from diptych.synth.made_up import puppet_items
from diptych.synth.review import Answer, Candidate, Reviews, content_of


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    generate(puppet_items(0, 2, area=64 * 64), PairsFolder(folder), How(None, None, ""), {}, quiet=True)
    return folder


@pytest.fixture
def pairs(made):
    """Two pairs, both judged good; a script said yes to the first and two people to the second."""
    (made / "judged").mkdir(exist_ok=True)
    entries = read_manifest(made / "pairs.jsonl")
    lines = [{"id": one.id, "judge": "m", "scores": {"motion_smoothness": 5}, "average": 5} for one in entries]
    (made / "judged" / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (made / "reviews.sqlite").unlink(missing_ok=True)
    with closing(Reviews(made / "reviews.sqlite")) as reviews:
        said = ("bot", "scripted", entries[0]), ("ann", "human", entries[1]), ("ben", "human", entries[1])
        for name, kind, entry in said:
            reviewer = reviews.invite(name, kind)
            turn, _ = reviews.ask(reviewer, [Candidate(entry.id, content_of(entry))], wanted=2)
            reviews.give(reviewer, turn.ticket, Answer(True, True), 1.0)
    return made


def reviewed(path):
    return [(entry.pair.reviewed, entry.pair.verdicts) for entry in read_manifest(path)]


def test_only_people_count_unless_others_are_named(pairs, capsys):
    assert main(["keep", str(pairs)]) == 0
    assert reviewed(pairs / "kept.jsonl") == [("human", 2)]
    out, err = capsys.readouterr()
    assert out.strip() == str(pairs / "kept.jsonl")
    assert "1 kept, 1 no verdict" in err
    assert main(["keep", str(pairs), "--reviewers", "scripted", "-o", str(pairs / "s.jsonl")]) == 0
    assert reviewed(pairs / "s.jsonl") == [("scripted", 1)]


def test_without_review_and_by_truth(pairs):
    words = ["keep", str(pairs), "--judge", "truth", "--percentile", "100", "--no-review"]
    assert main(words) == 0
    assert reviewed(pairs / "kept.jsonl") == [("no", 0), ("human", 2)]


def test_nothing_kept_is_said(pairs, capsys):
    assert main(["keep", str(pairs), "--threshold", "5"]) == 0
    assert "2 low score" in capsys.readouterr().err
    assert read_manifest(pairs / "kept.jsonl") == []
