"""``diptych animate --backbone`` on real footage, where a copy of it lies beside the repository."""

from fractions import Fraction
from pathlib import Path

import pytest

from diptych.cli import main
from diptych.media.video import read_clip, read_frames

pytestmark = pytest.mark.filterwarnings("ignore")
REAL = Path(__file__).parents[3] / "shared" / "data" / "real"
CHECKPOINTS = {"hunyuan15": "hunyuan15", "wan2.1": "wan", "wan2.2": "wan", "motif": "motif"}
"""Names of the small random checkpoints, and the backbone that each one is for."""

Times = list[tuple[Fraction, Fraction]]


def animated(checkpoint: Path, backbone: str, picture: Path, clip: Path, output: Path) -> tuple[Times, Times]:
    """Runs the command with a checkpoint at 64 x 64 pixels a panel. Times and durations of the driver's frames, and of
    the result's."""
    size = ["--panel-area", "4096", "--window", "17", "--steps", "1", "--guidance-scale", "1", "--quiet"]
    named = ["--backbone", backbone, "--weights", str(checkpoint), "--prompt", "somebody moves"]
    assert main(["animate", str(picture), str(clip), "-o", str(output), *named, *size]) == 0
    asked, given = ([(f.time, f.duration) for f in read_frames(path)] for path in (clip, output))
    return asked, given


@pytest.mark.skipif(not REAL.is_dir(), reason="no folder of real clips beside the repository")
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_real_clip_keeps_its_frames_and_times(checkpoint, tmp_path, name):
    clip, picture = sorted(REAL.glob("clips/*.mp4"))[0], sorted(REAL.glob("refs/*.*"))[1]
    output = tmp_path / "out.mp4"
    asked, given = animated(checkpoint(name), CHECKPOINTS[name], picture, clip, output)
    assert len(asked) > 17  # so that a second window goes on from the first
    assert given == asked
    assert read_clip(output).frames.std() > 5
