"""A manifest is checked: the example in the documents has no fault, and every fault that is planted is found."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from diptych import cli
from diptych.data.check import check_manifest
from diptych.data.manifest import read_manifest
from diptych.data.poses import ClipPoses, write_poses
from diptych.files import sha256
from diptych.method.skeleton import WHOLEBODY
from footage import scene, write

DOCUMENT = Path(__file__).parents[2] / "docs" / "data.md"


@pytest.fixture
def by_hand(tmp_path, monkeypatch):
    """What docs/data.md shows, made as it is shown."""
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"<!-- by hand -->\n```python\n(.*?)```", DOCUMENT.read_text(), re.S)
    exec(compile(code, str(DOCUMENT), "exec"), {})
    return tmp_path / "manifest.jsonl"


def test_the_example_by_hand_has_no_fault(by_hand, capsys):
    assert check_manifest(by_hand) == []
    assert read_manifest(by_hand, check_files=True)[0].prompt == "A dot stands still."
    assert cli.main(["data", "check", str(by_hand)]) == 0
    assert "1 clips, nothing is wrong" in capsys.readouterr().out


def change(**keys):
    def edit(line):
        line.update(keys)

    return edit


def rewrite(folder, line, key):
    line["sha256"][key] = sha256(folder / line[key])


def other_length(folder, line):
    write(folder / "dot.mp4", scene(1, 13))
    rewrite(folder, line, "target")


def other_size(folder, line):
    write(folder / "dot.mp4", scene(1, 17))
    rewrite(folder, line, "target")


def other_rate(folder, line):
    write(folder / "dot.mp4", np.repeat(np.repeat(scene(1, 17)[:, :32, :32], 2, 1), 2, 2), 12)
    rewrite(folder, line, "target")


def broken_video(folder, line):
    (folder / "dot.mp4").write_bytes(b"no video at all")
    rewrite(folder, line, "target")


def poses(frames=17, size=64, confidence=1.0):
    def plant(folder, line):
        joints = np.zeros((frames, 1, 133, 3), np.float32)
        joints[..., 2] = confidence
        write_poses(folder / "dot.safetensors", ClipPoses((WHOLEBODY.skeleton(joints),), size, size))
        rewrite(folder, line, "poses")

    return plant


FAULTS = {
    "unknown key": (change(legs=4), r"legs: .*remove it"),
    "absolute path": (change(target="/dot.mp4"), r"target: .*relative"),
    "frames": (change(frames="17"), r"frames: .*'17'"),
    "rate": (change(fps="25.0"), r"fps: "),
    "missing key": (lambda line: line.pop("fps"), r"fps: .*add it"),
    "missing file": (lambda line: Path("dot.mp4").unlink(), r"dot\.mp4 is missing"),
    "other file": (lambda line: Path("dot.mp4").write_bytes(b"x"), r"not the file that was hashed"),
    "no hash": (lambda line: line["sha256"].pop("poses"), r"sha256 has no poses; add .*[0-9a-f]{64}"),
    "hash of nothing": (lambda line: line["sha256"].update(truth="0"), r"sha256 names 'truth'"),
    "length": (other_length, r"has 13 frames, not 17"),
    "size": (other_size, r"of 64 x 48 pixels; write width = 64, height = 48"),
    "speed": (other_rate, r"not at 25 frames a second"),
    "video": (broken_video, r"dot\.mp4 is not a video"),
    "poses too short": (poses(frames=9), r"poses of 9 frames, the clip 17"),
    "poses of another size": (poses(size=32), r"pictures of 32 x 32, the clip is 64 x 64"),
    "confidence": (poses(confidence=7), r"confidence outside \[0, 1\]"),
    "nobody": (poses(confidence=0), r"nobody in any frame"),
    "nothing drives": (lambda line: (line.pop("poses"), line["sha256"].pop("poses")), r"nothing drives it"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_alone(by_hand, name, capsys):
    plant, says = FAULTS[name]
    line = json.loads(by_hand.read_text())
    plant(*((by_hand.parent, line) if plant.__code__.co_argcount == 2 else (line,)))
    by_hand.write_text(json.dumps(line) + "\n")
    found = check_manifest(by_hand)
    assert len(found) >= 1
    assert re.search(f"line 1: .*{says}", found[0]), found
    if name not in ("other file", "length"):
        assert len(found) == 1, found
    assert cli.main(["data", "check", str(by_hand)]) == 2
    assert found[0] in capsys.readouterr().err


def test_all_faults_are_told_at_once(by_hand):
    line = json.loads(by_hand.read_text())
    lines = ["{", json.dumps({**line, "legs": 4, "frames": 0}), json.dumps(line), json.dumps(line), "x" * 70_000]
    by_hand.write_text("\n".join(lines) + "\n")
    found = check_manifest(by_hand)
    assert [text.split(":")[0] for text in found] == ["line 1", "line 2", "line 2", "line 4", "line 5"]
    assert "stands in line 3 too" in found[3]
    by_hand.write_text("")
    assert "has no line" in check_manifest(by_hand)[0]


def test_a_clip_is_looked_at(by_hand):
    from diptych.media.image import read_image

    sheet = by_hand.parent / "look.png"
    assert cli.main(["data", "look", str(by_hand), "-o", str(sheet), "--draws", "3"]) == 0
    assert read_image(sheet).shape[0] > 5 * 160
    assert cli.main(["data", "look", str(by_hand), "-o", str(sheet), "--id", "nobody"]) == 2
