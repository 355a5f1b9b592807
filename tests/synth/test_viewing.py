"""What may be seen of pairs, and what a hostile manifest or a changed file leads to: nothing."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from diptych.data.manifest import Entry, read_manifest
from diptych.files import sha256
from diptych.synth import viewing
from diptych.synth.viewing import ROLES, Viewing
from diptych.types import InputError
from made_pairs import make_pairs


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make_pairs(folder, 2, frames=3, side=32)
    return folder


@pytest.fixture
def pairs(made: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    import shutil

    return Path(shutil.copytree(made, tmp_path / "pairs"))


def look(folder: Path) -> Viewing:
    return Viewing(folder, read_manifest(folder / "pairs.jsonl"))


def changed(folder: Path, number: int = 0, **fields: Any) -> list[Entry]:
    """The entries with one line's fields set, as its author would have them."""
    lines = (folder / "pairs.jsonl").read_text().splitlines()
    line = json.loads(lines[number])
    for name, value in fields.items():
        into, _, key = name.rpartition("__")
        (line[into] if into else line)[key] = value
    lines[number] = json.dumps(line)
    (folder / "pairs.jsonl").write_text("\n".join(lines) + "\n")
    return read_manifest(folder / "pairs.jsonl")


def test_three_files_of_every_pair(pairs: Path) -> None:
    shown = look(pairs)
    entry = read_manifest(pairs / "pairs.jsonl")[0]
    assert entry.pair is not None
    files = [shown.file(entry.id, role) for role in ROLES]
    assert files == [(pairs / name).resolve() for name in (entry.target, entry.driving, entry.pair.identity)]
    assert all(shown.frames(entry.id, role, 0) for role in ROLES)
    assert [c.pair for c in shown.candidates] == ["pair-000", "pair-001"]
    assert asdict(shown.facts(entry.id)) == {
        "pair": entry.id,
        "fps": 12.0,
        "frames": 3,
        "width": entry.width,
        "height": entry.height,
        "prompt": entry.prompt,
    }
    with pytest.raises(KeyError):
        shown.file("../pairs.jsonl", "source")


@pytest.mark.parametrize("where", ["file", "folder", "absolute"])
def test_links_that_leave_the_folder_are_not_followed(pairs: Path, tmp_path: Path, where: str) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes((pairs / "sources" / "pair-000.mp4").read_bytes())
    if where == "folder":
        (pairs / "away").symlink_to(tmp_path)
    else:
        (pairs / "away").mkdir()
        (pairs / "away" / "secret.mp4").symlink_to("../../secret.mp4" if where == "file" else secret)
    shown = Viewing(pairs, changed(pairs, target="away/secret.mp4", sha256__target=sha256(secret)))
    assert [c.pair for c in shown.candidates] == ["pair-001"]
    assert "lies outside" in shown.damaged["pair-000"]
    with pytest.raises(InputError, match="lies outside"):
        shown.file("pair-000", "source")
    assert str(tmp_path) not in shown.damaged["pair-000"]


def test_links_within_the_folder_are_followed(pairs: Path) -> None:
    (pairs / "linked.mp4").symlink_to("sources/pair-000.mp4")
    assert Viewing(pairs, changed(pairs, target="linked.mp4")).check("pair-000")


@pytest.mark.parametrize("path", ["../secret.mp4", "/etc/passwd", "sources/../../x.mp4", "..\\x.mp4", ""])
def test_paths_that_leave_the_folder_are_refused_with_the_manifest(pairs: Path, path: str) -> None:
    with pytest.raises(InputError, match="line 1, target"):
        changed(pairs, target=path)


@pytest.mark.parametrize("odd", ["sources", "pipe", "missing.mp4", "nul\0.mp4", "sources/" + "x" * 400])
def test_what_is_no_file_is_not_opened(pairs: Path, odd: str) -> None:
    os.mkfifo(pairs / "pipe")
    shown = Viewing(pairs, changed(pairs, target=odd))
    assert [c.pair for c in shown.candidates] == ["pair-001"]
    assert not shown.check("pair-000")


def test_a_file_that_has_changed_is_shown_no_more(pairs: Path) -> None:
    shown = look(pairs)
    assert shown.check("pair-000")
    (pairs / "driving" / "pair-000.mp4").write_bytes(b"something else")
    assert not shown.check("pair-000")
    assert "not the file it was" in shown.damaged["pair-000"]
    assert [c.pair for c in shown.candidates] == ["pair-001"]


def test_a_video_that_cannot_be_decoded_is_said_without_a_path(pairs: Path) -> None:
    (pairs / "driving" / "pair-000.mp4").write_bytes(b"\0" * 4000)
    entries = changed(pairs, sha256__driving=sha256(pairs / "driving" / "pair-000.mp4"))
    shown = Viewing(pairs, entries)
    for _ in range(2):
        with pytest.raises(InputError, match="the result of 'pair-000' cannot be shown"):
            shown.frames("pair-000", "result", 0)
    assert [c.pair for c in shown.candidates] == ["pair-001"]


def test_counts_that_are_claimed_are_bounded(pairs: Path) -> None:
    facts = Viewing(pairs, changed(pairs, frames=10**10, fps="999999999/1")).facts("pair-000")
    assert (facts.frames, facts.fps) == (viewing.LONGEST, 240.0)
    assert Viewing(pairs, changed(pairs, fps="1/999999999")).facts("pair-000").fps == 0.01


def test_memory_is_bounded(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewing, "_HELD_REELS", 2)
    shown = look(pairs)
    for pair in ("pair-000", "pair-001"):
        for role in ROLES:
            shown.frames(pair, role, 0)
    assert list(shown._reels) == [("pair-001", "result", 1280), ("pair-001", "reference", 1280)]


def test_half_a_pair_is_refused(pairs: Path) -> None:
    entries = changed(pairs)
    for halved in (entries[0].model_copy(update={"driving": None}), entries[0].model_copy(update={"sha256": {}})):
        with pytest.raises(InputError, match="'pair-000' is not a whole pair"):
            Viewing(pairs, [halved])


def test_a_folder_of_which_nothing_can_be_shown_is_refused(pairs: Path) -> None:
    with pytest.raises(InputError, match="it names no pair"):
        Viewing(pairs, [])
    for file in (pairs / "driving").iterdir():
        file.unlink()
    with pytest.raises(InputError, match="is missing"):
        look(pairs)
