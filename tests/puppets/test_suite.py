"""The frozen suite is what it says, and still draws the pictures that were frozen."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from diptych.puppets import suite
from diptych.puppets.characters import held_out
from diptych.puppets.motions import held_out as motion_held_out
from diptych.puppets.pairs import CATEGORIES
from diptych.types import InputError


def test_the_suite_has_four_unseen_pairs_of_every_category() -> None:
    pairs = suite.suite_pairs()
    assert Counter(p.category for p in pairs) == dict.fromkeys(CATEGORIES, 4)
    assert len({p.id for p in pairs}) == 64
    for item in pairs:
        assert item.pair.split == "eval"
        scenes = (item.pair.reference_scene, item.pair.driving_scene)
        for actor in (actor for scene in scenes for actor in scene.actors):
            c = actor.character
            assert held_out(c.palette.primary, c.palette.secondary, c.pattern)
            assert motion_held_out(actor.motion.tempo, actor.motion.size)
        assert len(item.times) == 24
        assert item.times[0] == item.pair.start
        np.testing.assert_allclose(np.diff(item.times), 1 / 12)
        for width, height in (item.reference_size, item.driving_size):
            assert width % 2 == height % 2 == 0
            assert abs(width * height / 64**2 - 1) < 0.06


def test_at_least_half_of_the_suite_has_a_static_camera_and_background() -> None:
    static = [p for p in suite.suite_pairs() if p.pair.reference_scene.camera.kind == "static"]
    assert len(static) >= 32


def test_the_suite_draws_what_was_frozen() -> None:
    assert suite.verify() == {}


def test_a_change_of_the_pictures_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = suite._FILES["puppets-v1"]
    contents = json.loads(path.read_text(encoding="utf-8"))
    first, second, third = contents["pairs"][:3]
    spoiled = bytearray(bytes.fromhex(first["coarse"]["truth"]))
    spoiled[40] ^= 64
    first["coarse"]["truth"] = spoiled.hex()
    second["caption"] = "Nobody does nothing."
    third["sha256"]["driving"] = "0" * 64
    changed = tmp_path / "suite.json"
    suite.write(contents, changed)
    monkeypatch.setitem(suite._FILES, "puppets-v1", changed)
    ids = [first["id"], second["id"], third["id"]]
    assert set(suite.verify(ids=ids)) == set(ids[:2])
    assert set(suite.verify(ids=ids[2:], exact=True)) == {ids[2]}


def test_an_unknown_suite_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(InputError, match="puppets-v1"):
        suite.suite_pairs("puppets-v0")
