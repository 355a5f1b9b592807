"""Verdicts of reviewers on self-made pairs: who is shown which pair next, and what everybody said (paper, section 3.4).

One SQLite file beside the pairs. What a reviewer says is an event that is appended and never changed or removed; taking
it back is an event too. An event is on the disk before the reviewer is told that it was taken (write-ahead log, synced
at every commit), so a kill loses nothing that was acknowledged; every question carries a ticket that is good for one
answer, so what is sent again after a kill is not counted again.

A verdict is on what was seen, the contents of picture and videos: a pair that is made anew is a new pair to everybody.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, get_args

from diptych.data.manifest import Entry, read_manifest
from diptych.method.bootstrap import Decision
from diptych.method.bootstrap import Reviewer as Kind
from diptych.synth.agreement import Verdict, passes
from diptych.synth.folder import MANIFEST
from diptych.types import InputError

NAME = "reviews.sqlite"
"""Of the file, in the folder of the pairs."""

REASONS: Mapping[str, tuple[str, str]] = {
    "timing": ("motion", "Out of time"),
    "limbs": ("motion", "Wrong limb moves"),
    "direction": ("motion", "Faces the wrong way"),
    "gesture": ("motion", "Gesture missing"),
    "still": ("motion", "Hardly moves"),
    "face": ("character", "Other face"),
    "colours": ("character", "Other colours or clothes"),
    "build": ("character", "Build of the source"),
    "parts": ("character", "Parts missing or added"),
    "drift": ("character", "Changes over time"),
    "flicker": ("picture", "Flickers"),
    "blur": ("picture", "Blurred or torn"),
    "background": ("picture", "Background wrong"),
    "other": ("picture", "Something else"),
}
"""What may be wrong: by its name in files, what it is about and how it is called on the page."""

HOLD_S = 900.0
"""Seconds for which a pair that is being looked at is not shown to others on top of those wanted."""

_OURS, _VERSION = 0x44495059, 1

_SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE reviewers (
    name TEXT PRIMARY KEY, kind TEXT NOT NULL, token TEXT NOT NULL UNIQUE, added REAL NOT NULL
) STRICT;
CREATE TABLE turns (
    reviewer TEXT PRIMARY KEY REFERENCES reviewers, pair TEXT NOT NULL, content TEXT NOT NULL,
    ticket TEXT NOT NULL UNIQUE, since REAL NOT NULL
) STRICT;
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('verdict', 'skip', 'undo')),
    reviewer TEXT NOT NULL REFERENCES reviewers,
    kind TEXT NOT NULL,
    pair TEXT NOT NULL,
    content TEXT NOT NULL,
    round INTEGER,           -- how often this reviewer had taken an answer on this pair back before
    ticket TEXT UNIQUE,
    motion INTEGER CHECK (motion IN (0, 1)),
    character INTEGER CHECK (character IN (0, 1)),
    reasons TEXT NOT NULL DEFAULT '[]',
    seconds REAL NOT NULL DEFAULT 0,
    undoes INTEGER UNIQUE REFERENCES events,
    UNIQUE (reviewer, pair, content, round),
    CHECK ((what = 'verdict') = (motion IS NOT NULL AND character IS NOT NULL)),
    CHECK ((what = 'undo') = (undoes IS NOT NULL)),
    CHECK ((what = 'undo') = (round IS NULL))
) STRICT;
CREATE TRIGGER events_stay BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are never removed'); END;
CREATE TRIGGER events_are_kept BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE VIEW standing AS
    SELECT * FROM events
    WHERE what != 'undo' AND number NOT IN (SELECT undoes FROM events WHERE undoes IS NOT NULL);
"""


class StaleError(Exception):
    """The answer is not to what this reviewer is being asked now: given in another window, or taken back."""


@dataclass(frozen=True)
class Reviewer:
    """Somebody who is asked.

    Attributes:
        name: unique in the file.
        kind: a person, a script, or the made-up world's own truth.
        token: opens this reviewer's page; nobody guesses it.
    """

    name: str
    kind: Kind
    token: str


class Candidate(NamedTuple):
    """A pair that may be shown. A tuple, because there may be a hundred thousand and each is looked up at every turn.

    Attributes:
        pair: its id.
        content: hash of what is seen, :func:`content_of`.
    """

    pair: str
    content: str


@dataclass(frozen=True)
class Turn:
    """A pair in front of a reviewer.

    Attributes:
        pair: its id.
        content: hash of what is seen.
        ticket: good for one answer.
    """

    pair: str
    content: str
    ticket: str


@dataclass(frozen=True)
class Progress:
    """How far the work has come.

    Attributes:
        mine: pairs that this reviewer answered, "cannot tell" included.
        left: pairs that this reviewer may still be shown.
        done: pairs that have the verdicts wanted, by all reviewers of this kind.
        total: pairs.
    """

    mine: int
    left: int
    done: int
    total: int


@dataclass(frozen=True)
class Answer:
    """To the two questions.

    Attributes:
        motion: whether the made video moves as the footage does.
        character: whether it shows the character of the picture. Both are None for "cannot tell".
        reasons: names from :data:`REASONS`, each once.
    """

    motion: bool | None
    character: bool | None
    reasons: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.motion is None) != (self.character is None):
            raise ValueError("both questions are answered, or neither")
        if len(set(self.reasons)) != len(self.reasons) or not set(self.reasons) <= REASONS.keys():
            raise ValueError(f"reasons are some of {', '.join(REASONS)}, each once")


@dataclass(frozen=True)
class Given:
    """An answer that stands, as it is stored.

    Attributes:
        number: of the event.
        at: when, seconds since 1970.
        reviewer: who.
        kind: of reviewer.
        pair: on which.
        content: hash of what was seen.
        answer: what was said.
        seconds: for how long it was looked at.
    """

    number: int
    at: float
    reviewer: str
    kind: Kind
    pair: str
    content: str
    answer: Answer
    seconds: float


def content_of(entry: Entry) -> str:
    """Hash of what a reviewer of a pair sees: footage, made video and picture.

    Raises:
        InputError: the entry is no pair, or lacks the hash of one of the three.
    """
    keys = ("target", "driving", "identity")
    if entry.pair is None or entry.driving is None or not all(entry.sha256.get(key) for key in keys):
        raise InputError(f"{entry.id!r} is not a whole pair; give a manifest that diptych synth wrote.")
    return sha256("\n".join(f"{key} {entry.sha256[key]}" for key in keys).encode()).hexdigest()


def decisions(path: Path, *, kinds: Collection[str] = ("human",), manifest: Path | None = None) -> dict[str, Decision]:
    """What reviewers decided, pair by pair (paper, section 3.4).

    A pair is kept where most of its reviewers say yes to the motion and most say yes to the character, each question
    counted alone; a tie is a no (:func:`diptych.synth.agreement.passes`). "Cannot tell" is no verdict, what was taken
    back is none, and neither is one on videos that have changed since. Kinds of reviewers are never mixed: of the kinds
    asked for, the first that has a verdict on a pair decides it alone.

    Args:
        path: of the verdicts, ``reviews.sqlite``.
        kinds: of reviewers that count, in this order.
        manifest: of the pairs as they are now; ``pairs.jsonl`` beside the verdicts where nothing is said.

    Returns:
        By id, the pairs that somebody gave a verdict on.

    Raises:
        InputError: a file is missing or cannot be read, or a kind is none.
    """
    unknown = sorted(set(kinds) - set(get_args(Kind)))
    if unknown:
        raise InputError(f"{unknown[0]!r} is no kind of reviewer; choose from {', '.join(get_args(Kind))}.")
    if not path.is_file():
        raise InputError(f"{path} does not exist; let somebody look with: diptych review {path.parent}")
    now = {e.id: content_of(e) for e in read_manifest(manifest or path.with_name(MANIFEST)) if e.pair}
    with closing(Reviews(path)) as reviews:
        by_kind: dict[str, dict[str, list[Verdict]]] = {}
        for given in reviews.standing():
            if now.get(given.pair) == given.content and (verdict := verdict_of(given)) is not None:
                by_kind.setdefault(given.kind, {}).setdefault(given.pair, []).append(verdict)
    made: dict[str, Decision] = {}
    for kind in kinds:
        for pair, verdicts in by_kind.get(kind, {}).items():
            made.setdefault(pair, Decision(passes(verdicts), kind, len(verdicts)))  # type: ignore[arg-type]
    return made


def verdict_of(given: Given) -> Verdict | None:
    """A stored answer as a verdict; None for "cannot tell"."""
    if given.answer.motion is None or given.answer.character is None:
        return None
    return Verdict(given.reviewer, given.pair, given.answer.motion, given.answer.character)


class Reviews:
    """The file of verdicts, open. Several threads and several processes may use it at once."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or begins it.

        Raises:
            InputError: it cannot be opened, or is none of ours.
        """
        self._path, self._lock = path, Lock()
        try:
            # Made by hand for its mode: the file holds the tokens of all links.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise InputError(f"{path} cannot be opened ({error}); choose a folder that you may write to.") from None
        try:
            self._begin()
        except sqlite3.Error as error:
            self._db.close()
            raise InputError(f"{path} is damaged ({error}); put a copy back, or move it away.") from None
        except InputError:
            self._db.close()
            raise

    def close(self) -> None:
        """Ends the use of the file; everything is in it already."""
        with self._lock:
            self._db.close()

    # --- who is asked -------------------------------------------------------------------------------------------------

    def admin(self, token: str | None = None) -> str:
        """The token of the overview: the given one from now on, else the one of before, else a new one."""
        with self._writing() as db:
            if token is None:
                kept = db.execute("SELECT value FROM settings WHERE name = 'admin'").fetchone()
                token = kept[0] if kept else secrets.token_urlsafe(32)
            db.execute("INSERT OR REPLACE INTO settings VALUES ('admin', ?)", (token,))
        return token

    def invite(self, name: str, kind: Kind) -> Reviewer:
        """A reviewer by name: the one of before, whose link stays, or a new one.

        Raises:
            InputError: that name belongs to another kind of reviewer.
        """
        with self._writing() as db:
            found = db.execute("SELECT name, kind, token FROM reviewers WHERE name = ?", (name,)).fetchone()
            if found is None:
                found = (name, kind, secrets.token_urlsafe(32))
                db.execute("INSERT INTO reviewers VALUES (?, ?, ?, ?)", (*found, time.time()))
        if found[1] != kind:
            raise InputError(f"{name!r} has reviewed as {found[1]}; give a {kind} reviewer a name of its own.")
        return Reviewer(*found)

    def reviewers(self) -> list[Reviewer]:
        """Everybody who was ever invited, in that order."""
        return [Reviewer(*row) for row in self._rows("SELECT name, kind, token FROM reviewers ORDER BY added, rowid")]

    # --- what is asked ------------------------------------------------------------------------------------------------

    def ask(self, reviewer: Reviewer, candidates: Sequence[Candidate], wanted: int = 1) -> tuple[Turn | None, Progress]:
        """The pair that a reviewer is to look at: the one before them already, or the one most in need of eyes.

        That is one this reviewer has not answered, with fewer than the wanted verdicts by reviewers of this kind; those
        being looked at by others count as given for a while. Among these it is the one with the fewest, and of several
        the first, so that work spreads over pairs before it gathers on them.

        Args:
            reviewer: who asks.
            candidates: all pairs, in the order of the manifest.
            wanted: verdicts on every pair, >= 1.

        Returns:
            The turn, None where nothing is left for this reviewer now; and how far the work has come.
        """
        with self._writing() as db:
            given = _verdicts(db, reviewer.kind)
            open_to_me = self._open(db, reviewer, candidates, wanted, given)
            (mine,) = db.execute("SELECT count(*) FROM standing WHERE reviewer = ?", (reviewer.name,)).fetchone()
            enough = {candidate for candidate, verdicts in given.items() if verdicts >= wanted}
            done = len(enough.intersection(candidates)) if enough else 0
            turn = self._turn(db, reviewer, open_to_me)
        return turn, Progress(mine, len(open_to_me), done, len(candidates))

    def after(self, reviewer: Reviewer, candidates: Sequence[Candidate], wanted: int = 1) -> Candidate | None:
        """The pair that would come after the present one, to be made ready; nothing is promised."""
        with self._lock:
            given = _verdicts(self._db, reviewer.kind)
            open_to_me = self._open(self._db, reviewer, candidates, wanted, given)
            held = self._db.execute("SELECT pair, content FROM turns WHERE reviewer = ?", (reviewer.name,)).fetchone()
        if held is not None:
            open_to_me.pop(Candidate(*held), None)
        return min(open_to_me, key=open_to_me.__getitem__, default=None)

    # --- what is said -------------------------------------------------------------------------------------------------

    def give(self, reviewer: Reviewer, ticket: str, answer: Answer, seconds: float) -> int:
        """Takes an answer. Once this returns, no kill loses it; the same answer sent again is not taken again.

        Args:
            reviewer: who answers.
            ticket: of the turn.
            answer: to both questions, or "cannot tell".
            seconds: for which the pair was looked at, as the page counted; no longer than the turn lasts.

        Returns:
            The event's number.

        Raises:
            StaleError: the ticket is not that of this reviewer's turn.
        """
        motion, character = (None if said is None else int(said) for said in (answer.motion, answer.character))
        reasons = json.dumps(answer.reasons)
        with self._writing() as db:
            before = db.execute(
                "SELECT number, motion, character, reasons FROM events WHERE ticket = ? AND reviewer = ?",
                (ticket, reviewer.name),
            ).fetchone()
            if before is not None and before[1:] == (motion, character, reasons):
                return int(before[0])
            turn = db.execute(
                "SELECT pair, content, since FROM turns WHERE ticket = ? AND reviewer = ?", (ticket, reviewer.name)
            ).fetchone()
            if turn is None or before is not None:
                raise StaleError
            pair, content, since = turn
            now = time.time()
            (taken_back,) = db.execute(
                "SELECT count(*) FROM events WHERE what = 'undo' AND reviewer = ? AND pair = ? AND content = ?",
                (reviewer.name, pair, content),
            ).fetchone()
            db.execute("DELETE FROM turns WHERE reviewer = ?", (reviewer.name,))
            event = {
                "at": now,
                "what": "skip" if motion is None else "verdict",
                "reviewer": reviewer.name,
                "kind": reviewer.kind,
                "pair": pair,
                "content": content,
                "round": taken_back,
                "ticket": ticket,
                "motion": motion,
                "character": character,
                "reasons": reasons,
                "seconds": min(max(seconds, 0.0), max(now - since, 0.0)),
            }
            return _append(db, event)

    def undo(self, reviewer: Reviewer, number: int) -> Given | None:
        """Takes back a reviewer's last answer and puts its pair before them again.

        Args:
            reviewer: who.
            number: of the event that is meant; where it was taken back already, nothing happens.

        Returns:
            What was said; None where nothing happened.

        Raises:
            StaleError: it is not this reviewer's last answer.
        """
        with self._writing() as db:
            if db.execute("SELECT 1 FROM events WHERE undoes = ? AND reviewer = ?", (number, reviewer.name)).fetchone():
                return None
            last = db.execute(
                f"SELECT {_GIVEN} FROM standing WHERE reviewer = ? ORDER BY number DESC LIMIT 1", (reviewer.name,)
            ).fetchone()
            if last is None or last[0] != number:
                raise StaleError
            given = _given(last)
            event = {
                "at": time.time(),
                "what": "undo",
                "reviewer": reviewer.name,
                "kind": reviewer.kind,
                "pair": given.pair,
                "content": given.content,
                "undoes": number,
            }
            _append(db, event)
            self._hand(db, reviewer, Candidate(given.pair, given.content))
        return given

    # --- what was said ------------------------------------------------------------------------------------------------

    def standing(self) -> list[Given]:
        """Every answer that was not taken back, in the order given."""
        return [_given(row) for row in self._rows(f"SELECT {_GIVEN} FROM standing ORDER BY number")]

    def last(self, reviewer: Reviewer) -> int | None:
        """Number of a reviewer's last answer that stands."""
        [(number,)] = self._rows("SELECT max(number) FROM standing WHERE reviewer = ?", reviewer.name)
        return number

    def events(self) -> list[dict[str, Any]]:
        """Everything that ever happened, what was taken back and the taking back included."""
        with self._lock:
            rows = self._db.execute("SELECT * FROM events ORDER BY number")
            names = [column[0] for column in rows.description]
            return [dict(zip(names, row, strict=True)) for row in rows]

    # --- the file -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        # Before anything is set: a file that is somebody else's stays as it is, to the byte.
        self._refuse_others()
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        with self._writing() as db:
            if self._refuse_others():
                return
            for statement in _statements(_SCHEMA):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {_OURS}")
            db.execute(f"PRAGMA user_version = {_VERSION}")

    def _refuse_others(self) -> bool:
        """Whether the file was begun already.

        Raises:
            InputError: by somebody else.
        """
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (ours,) = self._db.execute("PRAGMA application_id").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if tables and (ours, version) != (_OURS, _VERSION):
            raise InputError(f"{self._path} holds something else than verdicts of ours; move it away.")
        return bool(tables)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """All of a block or nothing of it, and nobody else's in between."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def _open(
        self,
        db: sqlite3.Connection,
        reviewer: Reviewer,
        candidates: Iterable[Candidate],
        wanted: int,
        given: Mapping[Candidate, int],
    ) -> dict[Candidate, int]:
        """Pairs this reviewer may be shown, with how many verdicts of the kind each has or is about to have."""
        answered = set(
            map(Candidate._make, db.execute("SELECT pair, content FROM standing WHERE reviewer = ?", (reviewer.name,)))
        )
        count = dict(given)
        for row in db.execute(
            "SELECT pair, content FROM turns JOIN reviewers ON name = reviewer "
            "WHERE kind = ? AND reviewer != ? AND since > ?",
            (reviewer.kind, reviewer.name, time.time() - HOLD_S),
        ):
            held = Candidate(*row)
            count[held] = count.get(held, 0) + 1
        return {
            candidate: verdicts
            for candidate in candidates
            if (verdicts := count.get(candidate, 0)) < wanted and candidate not in answered
        }

    def _turn(self, db: sqlite3.Connection, reviewer: Reviewer, open_to_me: Mapping[Candidate, int]) -> Turn | None:
        held = db.execute("SELECT pair, content, ticket FROM turns WHERE reviewer = ?", (reviewer.name,)).fetchone()
        if held is not None and Candidate(*held[:2]) in open_to_me:
            return Turn(*held)
        if not open_to_me:
            db.execute("DELETE FROM turns WHERE reviewer = ?", (reviewer.name,))
            return None
        return self._hand(db, reviewer, min(open_to_me, key=open_to_me.__getitem__))

    def _hand(self, db: sqlite3.Connection, reviewer: Reviewer, candidate: Candidate) -> Turn:
        turn = Turn(candidate.pair, candidate.content, secrets.token_urlsafe(16))
        db.execute(
            "INSERT OR REPLACE INTO turns VALUES (?, ?, ?, ?, ?)",
            (reviewer.name, turn.pair, turn.content, turn.ticket, time.time()),
        )
        return turn


_GIVEN = "number, at, reviewer, kind, pair, content, motion, character, reasons, seconds"


def _given(row: Sequence[Any]) -> Given:
    number, at, reviewer, kind, pair, content, motion, character, reasons, seconds = row
    motion, character = (None if said is None else bool(said) for said in (motion, character))
    answer = Answer(motion, character, tuple(json.loads(reasons)))
    return Given(number, at, reviewer, kind, pair, content, answer, seconds)


def _verdicts(db: sqlite3.Connection, kind: Kind) -> dict[Candidate, int]:
    """How many verdicts of a kind of reviewer every pair has that has any."""
    rows = db.execute(
        "SELECT pair, content, count(*) FROM standing WHERE what = 'verdict' AND kind = ? GROUP BY pair, content",
        (kind,),
    )
    return {Candidate(pair, content): verdicts for pair, content, verdicts in rows}


def _append(db: sqlite3.Connection, event: Mapping[str, object]) -> int:
    columns, places = ", ".join(event), ", ".join("?" * len(event))
    done = db.execute(f"INSERT INTO events ({columns}) VALUES ({places})", tuple(event.values()))
    assert done.lastrowid is not None
    return done.lastrowid


def _statements(script: str) -> Iterator[str]:
    """One by one, since executing a whole script would commit in between."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
