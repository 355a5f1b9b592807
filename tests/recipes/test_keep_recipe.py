"""``diptych keep``: whose verdicts are asked for, and what is said of the outcome."""

import json
import sys
from types import ModuleType

import pytest

from diptych.cli import main
from diptych.data.manifest import read_manifest
from diptych.method.bootstrap import Decision
from diptych.synth.folder import PairsFolder
from diptych.synth.generate import How, generate
from diptych.synth.made_up import puppet_items


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    generate(puppet_items(0, 2), PairsFolder(folder), How(None, None, ""), {}, quiet=True)
    return folder


@pytest.fixture
def pairs(made, monkeypatch):
    """Two pairs, both judged good; a script said yes to the first and a person to the second."""
    (made / "judged").mkdir(exist_ok=True)
    ids = [entry.id for entry in read_manifest(made / "pairs.jsonl")]
    lines = [{"id": name, "judge": "m", "scores": {"motion_smoothness": 5}, "average": 5} for name in ids]
    (made / "judged" / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (made / "reviews.sqlite").touch()
    given = {ids[0]: Decision(True, "scripted", 1), ids[1]: Decision(True, "human", 2)}
    room = ModuleType("diptych.synth.review")
    room.decisions = lambda path, *, kinds: {name: one for name, one in given.items() if one.kind in kinds}
    monkeypatch.setitem(sys.modules, "diptych.synth.review", room)
    monkeypatch.delitem(sys.modules, "diptych.recipes.keep", raising=False)
    yield made
    sys.modules.pop("diptych.recipes.keep", None)


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
