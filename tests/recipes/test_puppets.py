"""``puppets``: a sheet is drawn, clips are written with a manifest, and a killed render goes on."""

import pytest
from safetensors.numpy import load_file

from diptych.data.manifest import read_manifest
from diptych.media.image import read_image
from diptych.media.video import read_clip
from diptych.options import PuppetsRenderOptions, PuppetsSheetOptions
from diptych.recipes import puppets


def test_a_sheet_is_drawn(tmp_path):
    puppets.puppets_sheet(PuppetsSheetOptions(output=tmp_path / "s.png", rows=3))
    puppets.puppets_sheet(PuppetsSheetOptions(output=tmp_path / "e.png", rows=3, split=True))
    assert read_image(tmp_path / "s.png").tobytes() != read_image(tmp_path / "e.png").tobytes()


def test_clips_come_with_a_manifest_whose_hashes_hold(tmp_path):
    puppets.puppets_render(PuppetsRenderOptions(tmp_path, count=3, seed=5, fps=10, frames=8, size=64))
    entries = read_manifest(tmp_path / "manifest.jsonl", check_files=True)
    assert [entry.seed for entry in entries] == [5, 6, 7]
    for entry in entries:
        driving, target = read_clip(tmp_path / entry.driving), read_clip(tmp_path / entry.target)
        truth = load_file(tmp_path / entry.truth)
        assert len(driving.frames) == len(target.frames) == len(truth["mask"]) == len(truth["joints"]) == 8
        assert truth["mask"].shape == target.frames.shape[:3]
        assert driving.fps == target.fps == 10


def test_a_killed_render_redoes_one_pair_and_keeps_the_others(tmp_path, monkeypatch):
    asked = PuppetsRenderOptions(tmp_path, count=3, frames=4, size=64)
    real, calls = puppets.write_clip, []

    def dies(path, clip):
        calls.append(path)
        if len(calls) == 4:  # inside the second pair
            raise KeyboardInterrupt
        return real(path, clip)

    monkeypatch.setattr(puppets, "write_clip", dies)
    with pytest.raises(KeyboardInterrupt):
        puppets.puppets_render(asked)
    monkeypatch.setattr(puppets, "write_clip", real)
    kept = (tmp_path / "00000000" / "entry.json").stat().st_mtime_ns
    puppets.puppets_render(asked)
    assert len(read_manifest(tmp_path / "manifest.jsonl", check_files=True)) == 3
    assert (tmp_path / "00000000" / "entry.json").stat().st_mtime_ns == kept
    assert not list(tmp_path.glob("*.part"))
