"""A folder of pictures: what is known of each, and what is refused."""

import json

import numpy as np
import pytest

from diptych.files import sha256
from diptych.media.image import write_image
from diptych.method.bootstrap import Shown
from diptych.synth.references import Seen, find_references, plain_text, read_references
from diptych.types import InputError

GREY = np.full((8, 8, 3), 128, np.uint8)


class Eyes:
    """Sees a full person in everything, and counts."""

    def __init__(self):
        self.looked = 0

    def __call__(self, picture):
        self.looked += 1
        return Seen(Shown(framing="full", figures=1, share=0.5), "a grey cat\n\x1b[31m in\u202e rain")


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    for number, name in enumerate(("a.png", "b.jpg", "deep/c.PNG", ".hidden/d.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(folder / name, GREY + np.uint8(number))
    return folder


def say(folder, *lines):
    (folder / "references.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def found_in(folder, told, eyes=None):
    found = find_references(folder, eyes or Eyes(), told, "eyes", quiet=True)
    found.write(told)
    return found


def test_what_is_said_stands_and_the_rest_is_seen(pictures, tmp_path):
    say(pictures, {"file": "a.png", "kind": "other", "looks": "a teapot", "identity": "pot", "source": "tea.mp4"})
    found = found_in(pictures, tmp_path / "told.jsonl")
    read = read_references(tmp_path / "told.jsonl", pictures, found.digest).by_name
    assert list(read) == ["a.png", "b.jpg", "deep/c.PNG"]
    assert read["a.png"].shown == Shown("other", "full", 1, 0.5)
    assert {"who:pot", "footage:tea.mp4", f"bytes:{sha256(pictures / 'a.png')}"} <= set(read["a.png"].identities)
    assert read["b.jpg"].shown.kind == "animal"
    assert read["b.jpg"].looks == "a grey cat [31m in rain"


def test_what_was_looked_at_is_not_again_unless_it_changed(pictures, tmp_path):
    first, second = Eyes(), Eyes()
    before = found_in(pictures, tmp_path / "told.jsonl", first)
    assert found_in(pictures, tmp_path / "told.jsonl", second).digest == before.digest
    assert (first.looked, second.looked) == (3, 0)
    say(pictures, {"file": "b.jpg", "figures": 2})
    assert found_in(pictures, tmp_path / "told.jsonl", second).digest != before.digest
    assert second.looked == 1
    with pytest.raises(InputError, match="changed since"):
        read_references(tmp_path / "told.jsonl", pictures, before.digest)


def test_twins_and_what_is_no_picture_are_left_out_by_name(pictures, tmp_path):
    (pictures / "z.png").write_bytes((pictures / "a.png").read_bytes())
    (pictures / "bad.webp").write_bytes(b"RIFF....WEBPnothing")
    found = find_references(pictures, Eyes(), tmp_path / "told.jsonl", "eyes", at_once=3, quiet=True)
    assert len(found.text.splitlines()) == 3
    assert [("same picture as a.png" in s or "bad.webp" in s) for s in found.left_out] == [True, True]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"file": "../a.png"}, "stay inside"),
        ({"file": "/etc/passwd"}, "stay inside"),
        ({"file": "gone.png"}, "not there"),
        ({"file": "a.png", "kind": "robot"}, "line 1, kind"),
        ({"file": "a.png", "figures": 10**9}, "line 1, figures"),
        ({"file": "a.png", "looks": "x" * 2001}, "line 1, looks"),
        ({"file": "a.png", "looks": "x" * 70000}, "longer than"),
        ({"file": "a.png", "command": "rm"}, "line 1, command"),
        ([1], "line 1"),
    ],
)
def test_hostile_lines_are_refused_with_their_place(pictures, tmp_path, line, message):
    say(pictures, line)
    with pytest.raises(InputError, match=message):
        found_in(pictures, tmp_path / "told.jsonl")
    assert not (tmp_path / "told.jsonl").exists()


def test_no_pictures(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        found_in(tmp_path / "none", tmp_path / "told.jsonl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no picture"):
        found_in(tmp_path / "empty", tmp_path / "told.jsonl")


def test_text_from_outside_stays_on_its_line():
    assert plain_text(" a\n\tb\x00\x1b[2J \u2028c\u202e") == "a b[2J c"
