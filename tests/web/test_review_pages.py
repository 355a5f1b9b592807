"""The review over real HTTP: who may ask for what, what is taken once, and what nobody gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diptych.method.bootstrap import Decision
from diptych.options import ReviewExportOptions, ReviewOptions
from diptych.recipes.review import Review, export_review, open_review
from diptych.synth.review import REASONS, decisions
from diptych.types import InputError
from diptych.web.review import review_app
from pages_served import Served, served
from review_folder import line, numbered_pairs, write_lines

YES = {"motion": True, "character": True, "reasons": [], "seconds": 1.0}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return numbered_pairs(tmp_path_factory.mktemp("review") / "pairs", 4)


@pytest.fixture
def pairs(made: Path, tmp_path: Path) -> Path:
    """A folder of its own, of the same files."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    for file in made.iterdir():
        if file.suffix != ".sqlite":
            (folder / file.name).hardlink_to(file)
    return folder


@contextmanager
def reviewing(folder: Path, *names: str, **options: Any) -> Iterator[tuple[Served, Review]]:
    review = open_review(ReviewOptions(folder, names, **options))
    with closing(review.reviews), served(review_app(review)) as pages:
        yield pages, review


def path_of(review: Review, number: int = 0) -> str:
    return f"/r/{review.reviewers[number].token}"


def test_a_pair_is_shown_answered_and_taken_back(pairs: Path) -> None:
    with reviewing(pairs, "ann") as (pages, review):
        me = path_of(review)
        first = pages.get(f"{me}/turn").json
        assert first["reviewer"] == "ann"
        assert first["progress"] == {"mine": 0, "left": 4, "done": 0, "total": 4}
        assert first["last"] is None
        assert {r["name"] for r in first["reasons"]} == set(REASONS)
        turn = first["turn"]
        assert (turn["pair"], turn["fps"], turn["frames"]) == ("pair-000", 12.0, 20)
        assert pages.get(f"{me}/after").json["pair"] == "pair-001"

        said = {**YES, "ticket": turn["ticket"], "motion": False, "reasons": ["timing", "blur"]}
        second = pages.post(f"{me}/verdicts", said).json
        assert second["turn"]["pair"] == "pair-001"
        assert second["progress"]["mine"] == 1
        assert pages.post(f"{me}/verdicts", said).json["progress"]["mine"] == 1  # sent again
        assert pages.post(f"{me}/verdicts", {**said, "motion": True}).status == 409

        back = pages.post(f"{me}/undo", {"number": second["last"]}).json
        assert back["answer"] == {"motion": False, "character": True, "reasons": ["timing", "blur"]}
        assert back["turn"]["pair"] == "pair-000"
        assert pages.post(f"{me}/undo", {"number": second["last"]}).json["answer"] is None
        assert pages.post(f"{me}/undo", {"number": 77}).status == 409
        skip = {**YES, "ticket": back["turn"]["ticket"], "motion": None, "character": None}
        assert pages.post(f"{me}/verdicts", skip).status == 200
        assert [e["what"] for e in review.reviews.events()] == ["verdict", "undo", "skip"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"motion": None},
        {"motion": "yes"},
        {"motion": 1},
        {"reasons": ["none of ours"]},
        {"reasons": ["blur", "blur"]},
        {"reasons": ["blur"] * 1000},
        {"seconds": -1},
        {"seconds": 1e9},
        {"ticket": "x" * 1000},
        {"kind": "truth"},
    ],
)
def test_answers_of_no_sense_are_refused(pairs: Path, wrong: dict[str, Any]) -> None:
    with reviewing(pairs, "ann") as (pages, review):
        ticket = pages.get(f"{path_of(review)}/turn").json["turn"]["ticket"]
        assert pages.post(f"{path_of(review)}/verdicts", {**YES, "ticket": ticket, **wrong}).status == 422
        assert review.reviews.events() == []


def test_frames_and_files_by_id_and_role_only(pairs: Path) -> None:
    with reviewing(pairs, "ann") as (pages, review):
        me = path_of(review)
        packed = pages.get(f"{me}/frames?pair=pair-000&role=source&part=0")
        assert packed.status == 200
        assert packed.body[4:7] == b"\xff\xd8\xff"
        assert pages.get(f"{me}/frames?pair=pair-000&role=source&part=9").body == b""
        whole = pages.get(f"{me}/media?pair=pair-000&role=result")
        assert whole.headers["content-type"] == "video/mp4"
        assert whole.body == (pairs / "result.mp4").read_bytes()
        part = pages.get(f"{me}/media?pair=pair-000&role=result", range="bytes=10-19")
        assert (part.status, part.body) == (206, whole.body[10:20])
        assert part.headers["content-range"] == f"bytes 10-19/{len(whole.body)}"
        for query, status in {
            "pair=../pairs.jsonl&role=source": 404,
            "pair=source.mp4&role=source": 404,
            "pair=pair-000&role=target": 422,
            "pair=pair-000&role=../x": 422,
            f"pair={'x' * 300}&role=source": 422,
            "role=source": 422,
        }.items():
            assert pages.get(f"{me}/media?{query}").status == status, query
            assert pages.get(f"{me}/frames?{query}&part=0").status == status, query
        assert pages.get(f"{me}/frames?pair=pair-000&role=source&part=0&side=320").status == 200
        assert pages.get(f"{me}/frames?pair=pair-000&role=source&part=0&side=99999").status == 422
        for part_number in ("-1", "x", "99999999999"):
            assert pages.get(f"{me}/frames?pair=pair-000&role=source&part={part_number}").status == 422


@pytest.mark.parametrize(
    "path", ["", "/turn", "/after", "/frames?pair=pair-000&role=source&part=0", "/media?pair=pair-000&role=source"]
)
def test_without_a_link_there_is_nothing(pairs: Path, path: str) -> None:
    with reviewing(pairs, "ann") as (pages, review):
        assert pages.get(f"{path_of(review)}{path}").status == 200
        for token in ("", "x", review.admin, review.reviewers[0].token[:-1], "%00", "é"):
            assert pages.get(f"/r/{token.replace('é', '%C3%A9')}{path}").status == 404
        for other in ("/", "/docs", "/openapi.json", "/pages/../review.py", "/pages/..%2Freview.py", "/pages/x.js"):
            assert pages.get(other).status == 404
        assert pages.get(f"/o/{review.reviewers[0].token}/figures").status == 404
        assert pages.get("/r/x/verdicts").status in (404, 405)


def test_a_page_says_only_what_it_must(pairs: Path) -> None:
    with reviewing(pairs, "ann") as (pages, review):
        html = pages.get(path_of(review))
        assert html.headers["content-type"].startswith("text/html")
        assert review.reviewers[0].token not in html.body.decode()
        assert b"<script>" not in html.body
        assert b"style=" not in html.body
        for name in ("review.css", "review.js", "player.js", "overview.js", "look.css", "icon.svg"):
            assert pages.get(f"/pages/{name}").status == 200


def test_names_in_a_manifest_never_become_pages(pairs: Path) -> None:
    for name in ("evil.html", "evil.svg", "evil.js"):
        (pairs / name).write_bytes((pairs / "source.mp4").read_bytes())
    lines = [line(pairs, name, 20, target=name) for name in ("evil.html", "evil.svg", "evil.js")]
    write_lines(pairs, lines)
    with reviewing(pairs, "ann") as (pages, review):
        for name in ("evil.html", "evil.svg", "evil.js"):
            found = pages.get(f"{path_of(review)}/media?pair={name}&role=source")
            assert found.headers["content-type"] == "application/octet-stream"
            assert found.headers["x-content-type-options"] == "nosniff"


def test_damaged_pairs_are_passed_over_and_told_in_the_overview(pairs: Path) -> None:
    lines = [json.loads(text) for text in (pairs / "pairs.jsonl").read_text().splitlines()]
    lines[0]["sha256"]["target"] = "0" * 64
    lines[1]["target"] = "none.mp4"
    write_lines(pairs, lines)
    with reviewing(pairs, "ann") as (pages, review):
        state = pages.get(f"{path_of(review)}/turn").json
        assert state["turn"]["pair"] == "pair-002"
        assert state["progress"]["total"] == 2
        assert pages.get(f"{path_of(review)}/frames?pair=pair-000&role=source&part=0").status == 410
        damaged = pages.get(f"/o/{review.admin}/figures").json["damaged"]
        assert damaged["count"] == 2
        assert "'pair-001' is missing" in damaged["first"][0]


def test_the_overview_adds_up_and_never_takes_a_script_for_a_person(pairs: Path) -> None:
    answers = {"ann": "1101", "ben": "1001", "bot": "0000"}
    with reviewing(pairs, "bot", kind="scripted") as (pages, review):
        answer_all(pages, review, {"bot": answers.pop("bot")})
    with reviewing(pairs, *answers, wanted=2) as (pages, review):
        answer_all(pages, review, answers)
        found = pages.get(f"/o/{review.admin}/figures").json
        human, scripted = found["kinds"]["human"], found["kinds"]["scripted"]
        assert (human["verdicts"], human["pairs"], human["kept"]) == (8, 4, 2)
        assert (scripted["verdicts"], scripted["kept"]) == (4, 0)
        [between] = human["agreement"]["motion"]["between"]
        assert (between["first"], between["second"], between["both"], between["same"]) == ("ann", "ben", 4, 3)
        assert between["kappa"] == pytest.approx(0.5)
        assert human["agreement"]["character"]["kappa"] is None
        assert [r["name"] for r in found["reviewers"]] == ["bot", "ann", "ben"]
        assert set(found["links"]) == {"ann", "ben"}
        lines = [json.loads(text) for text in pages.get(f"/o/{review.admin}/verdicts.jsonl").body.splitlines()]
        assert [entry["kind"] for entry in lines] == ["scripted"] * 4 + ["human"] * 8
    assert decisions(pairs / "reviews.sqlite") == {
        "pair-000": Decision(True, "human", 2),
        "pair-001": Decision(False, "human", 2),
        "pair-002": Decision(False, "human", 2),
        "pair-003": Decision(True, "human", 2),
    }


def answer_all(pages: Served, review: Review, answers: dict[str, str]) -> None:
    for number, motion in enumerate(answers.values()):
        me = path_of(review, number)
        state = pages.get(f"{me}/turn").json
        while state["turn"] is not None:
            yes = motion[int(state["turn"]["pair"][-3:])] == "1"
            state = pages.post(f"{me}/verdicts", {**YES, "ticket": state["turn"]["ticket"], "motion": yes}).json


def test_links_of_those_not_invited_this_time_are_closed(pairs: Path) -> None:
    with reviewing(pairs, "ann", "ben") as (_, review):
        ben = path_of(review, 1)
    with reviewing(pairs, "ann") as (pages, again):
        assert path_of(again) == path_of(review)
        assert pages.get(f"{path_of(again)}/turn").status == 200
        assert pages.get(f"{ben}/turn").status == 404
    everybody = open_review(ReviewOptions(pairs))
    everybody.reviews.close()
    assert [who.name for who in everybody.reviewers] == ["ann", "ben"]


def test_export_writes_what_stands(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ReviewExportOptions(pairs)
    with pytest.raises(InputError, match="does not exist"):
        export_review(options)
    with reviewing(pairs, "ann") as (pages, review):
        answer_all(pages, review, {"ann": "1010"})
        last = review.reviews.last(review.reviewers[0])
        pages.post(f"{path_of(review)}/undo", {"number": last})
    export_review(options)
    printed = capsys.readouterr().out
    export_review(replace(options, output=pairs / "verdicts.jsonl"))
    assert (pairs / "verdicts.jsonl").read_text() == printed
    lines = [json.loads(text) for text in printed.splitlines()]
    assert [(entry["pair"], entry["motion"]) for entry in lines] == [
        ("pair-000", True),
        ("pair-001", False),
        ("pair-002", True),
    ]
    assert set(lines[0]) == {
        "number", "at", "reviewer", "kind", "pair", "content", "seconds", "motion", "character", "reasons"
    }  # fmt: skip


def test_a_folder_without_pairs_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no pairs\.jsonl"):
        open_review(ReviewOptions(tmp_path))
    write_lines(tmp_path, [])
    with pytest.raises(InputError, match="it names no pair"):
        open_review(ReviewOptions(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["pairs.jsonl"]
