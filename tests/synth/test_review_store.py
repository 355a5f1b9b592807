"""The store of verdicts: nothing lost, nothing twice, nobody's kind mistaken for another's."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diptych.data.manifest import Entry, Pair, write_manifest
from diptych.method.bootstrap import Decision
from diptych.synth import review
from diptych.synth.agreement import Verdict, agreement, cohens_kappa, passes
from diptych.synth.review import Answer, Candidate, Progress, Reviews, StaleError, content_of, decisions
from diptych.types import InputError

PAIRS = [Candidate(f"pair-{i}", f"content-{i}") for i in range(12)]
YES, NO = Answer(True, True), Answer(False, True, ("timing",))


@pytest.fixture
def reviews(tmp_path: Path) -> Iterator[Reviews]:
    store = Reviews(tmp_path / "reviews.sqlite")
    yield store
    store.close()


def all_answers(reviews: Reviews, name: str, wanted: int = 1, answer: Answer = YES) -> list[str]:
    """Lets a reviewer answer until nothing is left; gives what they saw."""
    person, seen = reviews.invite(name, "human"), []
    while (turn := reviews.ask(person, PAIRS, wanted)[0]) is not None:
        seen.append(turn.pair)
        reviews.give(person, turn.ticket, answer, 1.0)
    return seen


def test_nobody_sees_a_pair_twice_and_every_pair_gets_what_is_wanted(reviews: Reviews) -> None:
    assert sorted(all_answers(reviews, "ann", wanted=2)) == sorted(p.pair for p in PAIRS)
    assert sorted(all_answers(reviews, "ben", wanted=2)) == sorted(p.pair for p in PAIRS)
    assert all_answers(reviews, "cem", wanted=2) == []
    assert Counter(g.pair for g in reviews.standing()) == {p.pair: 2 for p in PAIRS}


def test_two_at_once_share_the_pairs(reviews: Reviews) -> None:
    people = [reviews.invite(name, "human") for name in ("ann", "ben", "cem")]
    seen: dict[str, list[str]] = {p.name: [] for p in people}
    while turns := [(p, t) for p in people if (t := reviews.ask(p, PAIRS)[0]) is not None]:
        assert len({t.pair for _, t in turns}) == len(turns)
        for person, turn in turns:
            seen[person.name].append(turn.pair)
            reviews.give(person, turn.ticket, YES, 0)
    assert {name: len(pairs) for name, pairs in seen.items()} == {"ann": 4, "ben": 4, "cem": 4}


def test_asking_again_shows_the_same_pair(reviews: Reviews) -> None:
    ann = reviews.invite("ann", "human")
    assert reviews.ask(ann, PAIRS)[0] == reviews.ask(ann, PAIRS)[0]
    turn = reviews.ask(ann, PAIRS)[0]
    assert turn is not None
    assert reviews.after(ann, PAIRS) == PAIRS[1]
    gone = [p for p in PAIRS if p.pair != turn.pair]
    other = reviews.ask(ann, gone)[0]
    assert other is not None
    assert other.pair == PAIRS[1].pair


def test_progress_counts_mine_and_everybodys(reviews: Reviews) -> None:
    all_answers(reviews, "ann", wanted=2)
    ben = reviews.invite("ben", "human")
    for number in range(3):
        turn, progress = reviews.ask(ben, PAIRS, 2)
        assert turn is not None
        assert progress == Progress(mine=number, left=len(PAIRS) - number, done=number, total=len(PAIRS))
        reviews.give(ben, turn.ticket, YES, 0)


def test_a_pair_looked_at_for_too_long_is_shown_to_others(reviews: Reviews, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, ben = reviews.invite("ann", "human"), reviews.invite("ben", "human")
    reviews.ask(ann, PAIRS[:1])
    assert reviews.ask(ben, PAIRS[:1])[0] is None
    monkeypatch.setattr(review, "HOLD_S", -1.0)
    assert reviews.ask(ben, PAIRS[:1])[0] is not None


def test_an_answer_sent_again_counts_once_and_another_one_not_at_all(reviews: Reviews) -> None:
    ann = reviews.invite("ann", "human")
    turn = reviews.ask(ann, PAIRS)[0]
    assert turn is not None
    first = reviews.give(ann, turn.ticket, NO, 2.0)
    assert reviews.give(ann, turn.ticket, NO, 2.0) == first
    with pytest.raises(StaleError):
        reviews.give(ann, turn.ticket, YES, 2.0)
    with pytest.raises(StaleError):
        reviews.give(reviews.invite("ben", "human"), turn.ticket, NO, 2.0)
    [given] = reviews.standing()
    assert (given.reviewer, given.kind, given.pair, given.content) == ("ann", "human", turn.pair, turn.content)
    assert given.answer == NO
    assert 0 <= given.seconds < 2


def test_undo_is_an_event_and_the_pair_comes_back(reviews: Reviews) -> None:
    ann = reviews.invite("ann", "human")
    turn = reviews.ask(ann, PAIRS)[0]
    assert turn is not None
    number = reviews.give(ann, turn.ticket, NO, 0)
    reviews.ask(ann, PAIRS)
    taken_back = reviews.undo(ann, number)
    assert taken_back is not None
    assert taken_back.answer == NO
    assert reviews.undo(ann, number) is None  # sent again
    again = reviews.ask(ann, PAIRS)[0]
    assert again is not None
    assert (again.pair, again.ticket == turn.ticket) == (turn.pair, False)
    assert reviews.standing() == []
    second = reviews.give(ann, again.ticket, YES, 0)
    with pytest.raises(StaleError):
        reviews.undo(ann, 99)
    assert reviews.last(ann) == second
    assert [e["what"] for e in reviews.events()] == ["verdict", "undo", "verdict"]
    assert [g.answer for g in reviews.standing()] == [YES]


def test_events_can_be_neither_changed_nor_removed(reviews: Reviews, tmp_path: Path) -> None:
    all_answers(reviews, "ann")
    db = sqlite3.connect(tmp_path / "reviews.sqlite")
    for statement in ("DELETE FROM events", "UPDATE events SET motion = 0"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            db.execute(statement)
    db.close()
    assert len(reviews.standing()) == len(PAIRS)


def test_cannot_tell_is_no_verdict_but_was_seen(reviews: Reviews) -> None:
    assert len(all_answers(reviews, "ann", answer=Answer(None, None))) == len(PAIRS)
    assert all_answers(reviews, "ann") == []
    assert len(all_answers(reviews, "ben")) == len(PAIRS)


def test_scripted_reviewers_take_nothing_from_people(reviews: Reviews) -> None:
    script = reviews.invite("bot", "scripted")
    while (turn := reviews.ask(script, PAIRS)[0]) is not None:
        reviews.give(script, turn.ticket, YES, 0)
    assert len(all_answers(reviews, "ann")) == len(PAIRS)


def test_links_stay_and_names_keep_their_kind(tmp_path: Path) -> None:
    path = tmp_path / "reviews.sqlite"
    first = Reviews(path)
    ann, admin = first.invite("ann", "human"), first.admin()
    first.close()
    again = Reviews(path)
    assert (again.invite("ann", "human"), again.admin()) == (ann, admin)
    assert len(ann.token) >= 43
    assert again.admin("chosen") == "chosen"
    assert again.admin() == "chosen"
    with pytest.raises(InputError, match="'ann' has reviewed as human"):
        again.invite("ann", "scripted")
    assert again.reviewers() == [ann]
    again.close()
    assert path.stat().st_mode & 0o077 == 0


def test_many_threads_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    path = tmp_path / "reviews.sqlite"
    many = [Candidate(f"p{i}", "c") for i in range(15)]

    def work(name: str) -> int:
        reviews = Reviews(path)
        person, done = reviews.invite(name, "human"), 0
        while (turn := reviews.ask(person, many, 2)[0]) is not None:
            reviews.give(person, turn.ticket, YES, 0)
            done += 1
        reviews.close()
        return done

    with ThreadPoolExecutor(4) as pool:
        done = sum(pool.map(work, "abcd"))
    store = Reviews(path)
    given = store.standing()
    store.close()
    assert len(given) == done == 30
    assert set(Counter(g.pair for g in given).values()) == {2}
    assert max(Counter((g.reviewer, g.pair) for g in given).values()) == 1


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be read as one" * 40, None])
def test_what_is_no_file_of_ours_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "reviews.sqlite"
    if content is None:
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE notes (text)")
        db.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"reviews\.sqlite"):
        Reviews(path)
    assert path.read_bytes() == before
    with pytest.raises(InputError, match="cannot be opened"):
        Reviews(tmp_path / "no" / "folder.sqlite")


@pytest.mark.parametrize(
    "wrong", [(True, None, ()), (None, False, ()), (True, True, ("x",)), (False, True, ("face",) * 2)]
)
def test_an_answer_is_to_both_questions_with_known_reasons(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"questions|reasons"):
        Answer(*wrong)


# --- decisions ------------------------------------------------------------------------------------------------------


def manifest(folder: Path, contents: dict[str, str]) -> None:
    write_manifest(
        folder / "pairs.jsonl",
        [
            Entry(
                id=name,
                target="s.mp4",
                driving="d.mp4",
                fps="12",
                frames=9,
                pair=Pair(identity="i.png", source=name),
                sha256={"target": content, "driving": content, "identity": content},
            )
            for name, content in contents.items()
        ],
    )


def candidates(folder: Path) -> list[Candidate]:
    from diptych.data.manifest import read_manifest

    return [Candidate(e.id, content_of(e)) for e in read_manifest(folder / "pairs.jsonl")]


def say(folder: Path, name: str, answers: dict[str, Answer], kind: review.Kind = "human") -> None:
    reviews = Reviews(folder / "reviews.sqlite")
    person = reviews.invite(name, kind)
    for candidate in candidates(folder):
        if candidate.pair in answers:
            turn = reviews.ask(person, [candidate], 99)[0]
            assert turn is not None
            reviews.give(person, turn.ticket, answers[candidate.pair], 0)
    reviews.close()


def test_decisions_are_of_one_kind_by_majority_and_of_what_is_there_now(tmp_path: Path) -> None:
    manifest(tmp_path, dict.fromkeys("abcd", "old"))
    say(tmp_path, "ann", {"a": YES, "b": YES, "c": Answer(None, None), "d": YES})
    say(tmp_path, "ben", {"a": YES, "b": NO})
    say(tmp_path, "bot", {"a": NO, "c": YES}, "scripted")
    path = tmp_path / "reviews.sqlite"
    assert decisions(path) == {
        "a": Decision(True, "human", 2),
        "b": Decision(False, "human", 2),  # a tie
        "d": Decision(True, "human", 1),
    }
    assert decisions(path, kinds=("human", "scripted"))["a"] == Decision(True, "human", 2)
    assert decisions(path, kinds=("human", "scripted"))["c"] == Decision(True, "scripted", 1)
    assert decisions(path, kinds=("scripted",)) == {
        "a": Decision(False, "scripted", 1),
        "c": Decision(True, "scripted", 1),
    }
    manifest(tmp_path, {"a": "new", "b": "old", "d": "old"})
    assert set(decisions(path)) == {"b", "d"}
    with pytest.raises(InputError, match="'robot' is no kind"):
        decisions(path, kinds=("robot",))
    with pytest.raises(InputError, match="does not exist"):
        decisions(tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()


def test_each_question_is_counted_alone() -> None:
    def verdicts(*answers: tuple[int, int]) -> list[Verdict]:
        return [Verdict(str(i), "p", bool(m), bool(c)) for i, (m, c) in enumerate(answers)]

    assert passes(verdicts((1, 1)))
    assert not passes(verdicts((1, 0)))
    assert not passes(verdicts((0, 1)))
    assert passes(verdicts((1, 0), (0, 1), (1, 1)))
    assert not passes(verdicts((1, 1), (0, 1)))
    assert not passes([])


# --- agreement ------------------------------------------------------------------------------------------------------


def test_kappa_as_in_the_textbook() -> None:
    first = [True] * 25 + [False] * 25
    second = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    assert cohens_kappa(first, second) == pytest.approx(0.4)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
@settings(max_examples=80)
def test_laws_of_kappa(answers: list[tuple[bool, bool]]) -> None:
    first, second = [a for a, _ in answers], [b for _, b in answers]
    kappa = cohens_kappa(first, second)
    assert kappa == cohens_kappa(second, first)
    assert kappa == cohens_kappa([not a for a in first], [not b for b in second])
    assert (kappa is None) == (len(set(first + second)) < 2)
    if kappa is not None:
        assert -1 <= kappa <= 1
        assert (kappa == 1) == (first == second)


def test_kappa_of_random_answers_is_about_none() -> None:
    answers = np.random.default_rng(5).random((2, 20_000)) < 0.7
    assert cohens_kappa(*answers.tolist()) == pytest.approx(0, abs=0.02)
    with pytest.raises(ValueError, match="beside"):
        cohens_kappa([True], [])


def test_agreement_is_the_mean_of_all_twos_with_pairs_in_common() -> None:
    said = {"ann": "1100", "ben": "1100", "cem": "1001", "dan": "    1"}
    verdicts = [
        Verdict(name, str(i), answer == "1", True)
        for name, answers in said.items()
        for i, answer in enumerate(answers)
        if answer != " "
    ]
    found = agreement(verdicts, "motion")
    assert [(b.first, b.second, b.both, b.same, b.kappa) for b in found.between] == [
        ("ann", "ben", 4, 4, 1.0),
        ("ann", "cem", 4, 2, 0.0),
        ("ben", "cem", 4, 2, 0.0),
    ]
    assert found.kappa == pytest.approx(1 / 3)
    assert agreement(verdicts, "character").kappa is None
