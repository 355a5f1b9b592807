"""Manifests: a round trip, and every way in which a line from outside may be wrong."""

import json

import pytest

from diptych.data.manifest import Entry, read_manifest, write_manifest
from diptych.files import sha256
from diptych.types import InputError


def entry(tmp_path, **change):
    hashes = {}
    for key, name in {"reference": "a/r.png", "driving": "a/d.mp4", "target": "a/t.mp4"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(key)
        hashes[key] = sha256(tmp_path / name)
    values = {
        "id": "a", "reference": "a/r.png", "driving": "a/d.mp4", "target": "a/t.mp4", "prompt": "a dog runs",
        "category": "quadruped", "fps": "30000/1001", "frames": 24, "seed": 5, "sha256": hashes,
    }  # fmt: skip
    return {**values, **change}


def test_round_trip(tmp_path):
    entries = [Entry(**entry(tmp_path)), Entry(**entry(tmp_path, id="b", truth="a/r.png"))]
    write_manifest(tmp_path / "m.jsonl", entries)
    assert read_manifest(tmp_path / "m.jsonl") == entries


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"reference": "/etc/passwd"}, "reference.*relative"),
        ({"driving": "a/../../secret"}, "driving.*relative"),
        ({"target": "a\\b"}, "target.*relative"),
        ({"legs": 4}, "legs"),
        ({"frames": 0}, "frames"),
        ({"frames": "24"}, "frames"),
        ({"fps": "0"}, "fps"),
        ({"fps": "1e9"}, "fps"),
        ({"version": 2}, "version"),
        ({"id": ""}, "id"),
        ({"prompt": "x" * 70_000}, "longer"),
    ],
)
def test_a_wrong_line_is_named_with_what_is_wrong(tmp_path, change, says):
    lines = [json.dumps(entry(tmp_path)), json.dumps(entry(tmp_path, **{"id": "b", **change}))]
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    with pytest.raises(InputError, match=rf"m\.jsonl, line 2.*{says}"):
        read_manifest(tmp_path / "m.jsonl")


def test_what_is_not_json_or_not_text_or_twice_there_is_refused(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text("{\n")
    with pytest.raises(InputError, match="line 1"):
        read_manifest(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        read_manifest(path)
    path.write_text("\n".join([json.dumps(entry(tmp_path))] * 2))
    with pytest.raises(InputError, match="twice"):
        read_manifest(path)


def test_files_are_compared_with_their_hashes_where_asked(tmp_path):
    write_manifest(tmp_path / "m.jsonl", [Entry(**entry(tmp_path))])
    assert read_manifest(tmp_path / "m.jsonl", check_files=True)
    (tmp_path / "a/d.mp4").write_text("other")
    with pytest.raises(InputError, match=r"a/d\.mp4 is not the file"):
        read_manifest(tmp_path / "m.jsonl", check_files=True)
    (tmp_path / "a/d.mp4").unlink()
    with pytest.raises(InputError, match=r"a/d\.mp4 is missing"):
        read_manifest(tmp_path / "m.jsonl", check_files=True)
