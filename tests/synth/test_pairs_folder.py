"""A folder of pairs that several runs work on: claims, settings, and what killed runs leave."""

import os
import signal
import time
from itertools import pairwise
from multiprocessing import get_context

import pytest

from diptych.synth.folder import PairsFolder
from diptych.types import InputError

SPAWN = get_context("fork")


@pytest.fixture
def folder(tmp_path):
    made = PairsFolder(tmp_path / "pairs")
    made.make()
    return made


def hold(folder, name, told):
    with folder.joined(), folder.claimed(name) as mine:
        told.send(mine)
        told.recv()


@pytest.fixture
def holder(folder):
    """Another process that holds the claim "x"."""
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=hold, args=(folder, "x", there))
    process.start()
    assert here.recv() is True
    yield process, here
    if process.is_alive():
        here.send("go")
        process.join(20)


def test_a_claim_keeps_others_out_until_it_is_given_up(folder, holder):
    process, pipe = holder
    with folder.claimed("x") as mine, folder.claimed("y") as other:
        assert (mine, other) == (False, True)
    pipe.send("go")
    with folder.claimed("x", wait=True) as mine:
        assert mine
        process.join(20)
    assert not list((folder.folder / "synth" / "claims").iterdir())


def test_a_killed_process_frees_its_claims_and_its_leftovers_go(folder, holder):
    process, _ = holder
    left = folder.folder / "driving" / ".a.01234567.part.mp4"
    left.touch()
    with folder.joined():
        assert left.exists()  # it may be the other's
    os.kill(process.pid, signal.SIGKILL)
    process.join(20)
    assert (folder.folder / "synth" / "claims" / "x").exists()
    with folder.claimed("x") as mine:
        assert mine
    with folder.joined():
        assert not left.exists()


def test_who_waited_for_a_claim_that_was_removed_does_not_hold_a_lock_on_nothing(folder):
    def worker(told):
        with folder.claimed("x", wait=True) as mine:
            told.send((mine, time.monotonic()))
            time.sleep(0.2)
            told.send(time.monotonic())

    pipes, processes = zip(*(SPAWN.Pipe() for _ in range(3)), strict=True), []
    here, there = pipes
    for end in there:
        processes.append(SPAWN.Process(target=worker, args=(end,)))
        processes[-1].start()
    spans = sorted((end.recv()[1], end.recv()) for end in here)
    for process in processes:
        process.join(20)
    assert all(left <= began for (_, left), (began, _) in pairwise(spans))


def test_settings_are_agreed_once(folder):
    folder.agree({"seed": 1, "model": {"a": (1, 2)}})
    folder.agree({"seed": 1, "model": {"a": [1, 2]}})
    with pytest.raises(InputError, match="seed = 1, not 2"):
        folder.agree({"seed": 2, "model": {"a": [1, 2]}})
    (folder.folder / "synth" / "settings.json").write_text("[]")
    with pytest.raises(InputError, match=r"settings\.json cannot be read"):
        folder.agree({"seed": 1})


def test_a_record_that_was_tampered_with_is_named(folder):
    folder.write("a", {"id": "a", "entry": {"id": "a", "target": "../../etc/passwd"}})
    with pytest.raises(InputError, match=r"a\.json.*delete it"):
        folder.write_manifest()
    folder.record("a").write_text("{ torn")
    assert folder.read("a") is None
    assert folder.write_manifest() == ([], [])
