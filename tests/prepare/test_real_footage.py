"""Real footage and what a real estimator found in it, where a copy lies beside the repository."""

from pathlib import Path

import pytest

from diptych.data.check import check_manifest
from diptych.options import PrepareOptions
from diptych.recipes.prepare import prepare_footage

REAL = Path(__file__).parents[3] / "shared" / "data" / "real"


@pytest.mark.skipif(not REAL.is_dir(), reason="no folder of real clips beside the repository")
def test_short_real_clips_become_a_dataset_and_the_drawing_is_dropped(tmp_path):
    """Three of them: a face of 23 frames, people without recorded poses, and a drawing in which nobody was found."""
    for name in ("d01_face_turn_woman", "d08_multi_three_people", "d13_cartoon_drawing_walk"):
        for place, suffix in (("clips", ".mp4"), ("poses", ".json")):
            source, copy = REAL / place / (name + suffix), tmp_path / "in" / place / (name + suffix)
            if source.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(source.read_bytes())
    prepare_footage(PrepareOptions(tmp_path / "in", tmp_path / "d", min_frames=17, max_side=240, quiet=True))
    said = (tmp_path / "d" / "prepare" / "poses.jsonl").read_text()
    assert said.count('"kept": true') == 1
    assert "nobody is found in any of its 49 frames" in said
    assert "no poses were recorded" in said
    assert check_manifest(tmp_path / "d" / "manifest.jsonl") == []
