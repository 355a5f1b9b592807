"""The journal: what comes back is what was kept, other windows are refused, and nothing empty stays behind."""

import json
import multiprocessing

import numpy as np
import pytest

from diptych.animate.journal import opened_journal
from diptych.types import InputError

SHAPE = (17, 32, 48)
FACTS = {"reference": {"sha256": "ab"}, "seed": 3, "prompt": "a cup"}


def window(seed):
    return np.random.default_rng(seed).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """A journal of two windows, left by a run that was killed."""
    folder = tmp_path / "out.mp4.journal"
    with opened_journal(folder, FACTS, SHAPE) as journal:
        journal.put(0, window(0))
        journal.put(1, window(1))
    return folder


def test_what_comes_back_is_what_was_kept(folder):
    with opened_journal(folder, FACTS, SHAPE) as journal:
        assert np.array_equal(journal.get(0), window(0))
        assert np.array_equal(journal.get(1), window(1))
        assert journal.get(2) is None
        assert (journal.kept, journal.reused, journal.made) == (2, 2, 0)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"seed": 4}, "another seed"),
        ({"reference": {"sha256": "cd"}}, "another reference"),
        ({"phases": 2}, "another phases"),
    ],
)
def test_windows_of_other_inputs_or_settings_are_refused_and_stay(folder, changed, says):
    before = sorted(folder.iterdir())
    with pytest.raises(InputError, match=says), opened_journal(folder, {**FACTS, **changed}, SHAPE):
        pass
    assert sorted(folder.iterdir()) == before
    with pytest.raises(InputError, match="another window"), opened_journal(folder, FACTS, (17, 32, 64)):
        pass


def test_a_finished_journal_and_an_empty_one_leave_nothing(folder, tmp_path):
    with opened_journal(folder, FACTS, SHAPE) as journal:
        journal.forget()
    assert not folder.exists()
    with pytest.raises(RuntimeError), opened_journal(tmp_path / "b.journal", FACTS, SHAPE):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_torn_window_is_made_again(folder):
    path = folder / "window-000001.npz"
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes(b ^ 0xFF for b in whole[middle : middle + 64]) + whole[middle + 64 :]
    broken_stream = whole[:80] + b"\xff" * 64 + whole[144:]
    for torn in (b"", whole[:middle], b"PK" + bytes(100), flipped, broken_stream):
        path.write_bytes(torn)
        with opened_journal(folder, FACTS, SHAPE) as journal:
            assert journal.get(1) is None
            assert journal.get(0) is not None


def test_a_window_that_claims_more_than_its_size_is_not_unpacked(folder):
    with (folder / "window-000001.npz").open("wb") as file:
        np.savez_compressed(file, frames=np.zeros((4000, *SHAPE[1:], 3), np.uint8))
    with opened_journal(folder, FACTS, SHAPE) as journal:
        assert journal.get(1) is None


def test_pickled_windows_are_never_loaded(folder):
    with (folder / "window-000000.npz").open("wb") as file:
        np.savez_compressed(file, frames=np.array([{"not": "pixels"}], dtype=object))
    with opened_journal(folder, FACTS, SHAPE) as journal:
        assert journal.get(0) is None


def test_a_folder_that_does_not_say_what_it_is_is_refused(folder):
    for text in ("", "[]", "{"):
        (folder / "made_from.json").write_text(text)
        with pytest.raises(InputError, match="does not say"), opened_journal(folder, FACTS, SHAPE):
            pass
    (folder / "made_from.json").write_text(json.dumps({"seed": 3}))
    with pytest.raises(InputError, match="another"), opened_journal(folder, FACTS, SHAPE):
        pass


def _holds(folder, ready, done):
    with opened_journal(folder, FACTS, SHAPE):
        ready.set()
        done.wait(30)


def test_two_processes_do_not_share_one(folder):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_holds, args=(folder, ready, done))
    other.start()
    try:
        assert ready.wait(60)
        with pytest.raises(InputError, match="in use"), opened_journal(folder, FACTS, SHAPE):
            pass
    finally:
        done.set()
        other.join()
    with opened_journal(folder, FACTS, SHAPE) as journal:
        assert journal.kept == 2
