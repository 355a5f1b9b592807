"""Real footage where a copy of it lies beside the repository; nothing of it is committed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from diptych.media.video import VideoWriter, probe, read_frames

CLIPS = Path(__file__).parents[3] / "shared" / "data" / "real" / "clips"


@pytest.mark.skipif(not CLIPS.is_dir(), reason="no folder of real clips beside the repository")
def test_real_clips_keep_their_times(tmp_path: Path) -> None:
    for path in sorted(CLIPS.glob("*.mp4")):
        info, target = probe(path), tmp_path / path.name
        with VideoWriter(target, 32, 32, time_base=info.time_base, preset="ultrafast") as writer:
            times = []
            for frame in read_frames(path):
                times.append((frame.time, frame.duration))
                writer.write(frame.pixels[:32, :32], frame.time, frame.duration)
        assert len(times) == info.frames
        assert abs(sum(length for _, length in times) - (info.duration or 0)) < Fraction(1, 1000)
        assert [(frame.time, frame.duration) for frame in read_frames(target)] == times
