"""Sound: the driver's packets, byte for byte and at their times, beside the new picture."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from clips import Made, Sound, make, numbered, sound_packets, steady, uneven
from diptych.media.video import VideoWriter, probe, read_clip, read_frames, write_clip
from diptych.types import Clip

COPIED = [
    Made("aac.mp4", sound=Sound()),
    Made("mono.mp4", sound=Sound(rate=48_000, layout="mono")),
    Made("longer.mp4", sound=Sound(seconds=3.3)),
    Made("shorter.mp4", sound=Sound(seconds=0.2)),
    Made("delayed.mp4", sound=Sound(start=22_050)),
    Made("pcm.mov", sound=Sound("pcm_s16le")),
    Made("opus.mkv", steady(12, 40), Fraction(1, 1000), sound=Sound("libopus", 48_000)),
    Made("only.m4a", ticks=(), sound=Sound()),
]


def write(path: Path, ticks: tuple[int, ...], rate: int, source: Path, delay: Fraction = Fraction(0)) -> VideoWriter:
    with VideoWriter(path, 64, 48, time_base=Fraction(1, rate), audio_from=source, audio_delay=delay) as writer:
        for index, (now, then) in enumerate(pairwise(ticks)):
            writer.write(numbered(index, 64, 48), Fraction(now, rate), Fraction(then - now, rate))
    return writer


@pytest.mark.parametrize("made", COPIED, ids=lambda made: made.name)
def test_packets_are_copied(made: Made, tmp_path: Path) -> None:
    source, target = make(tmp_path, made), tmp_path / "out.mp4"
    writer = write(target, steady(25, 1), 25, source)
    assert writer.notes == ()
    assert sound_packets(target) == sound_packets(source)
    assert [frame.time for frame in read_frames(target)] == [Fraction(i, 25) for i in range(25)]


@pytest.mark.parametrize("made", COPIED[:6], ids=lambda made: made.name)
def test_the_copy_sounds_the_same(made: Made, tmp_path: Path) -> None:
    """Priming too: a player cuts the same samples off the copy as off the source."""
    source, target = make(tmp_path, made), tmp_path / "out.mp4"
    write(target, steady(25, 1), 25, source)
    (start, samples), (copy_start, copy) = heard(source), heard(target)
    assert copy_start == start
    assert np.array_equal(copy, samples)


def heard(path: Path) -> tuple[Fraction, np.ndarray]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        frames = list(container.decode(stream))
    samples = [
        frame.to_ndarray().reshape(-1, 1) if frame.format.is_packed else frame.to_ndarray().T for frame in frames
    ]
    return frames[0].pts * stream.time_base, np.concatenate(samples)


@pytest.mark.parametrize("delay", [Fraction(1, 2), Fraction(-1, 10), Fraction(12_345, 44_100)])
def test_a_delay_moves_every_packet(delay: Fraction, tmp_path: Path) -> None:
    source = make(tmp_path, Made("aac.mp4", sound=Sound(start=22_050)))
    write(tmp_path / "out.mp4", steady(25, 1), 25, source, delay)
    before, after = sound_packets(source), sound_packets(tmp_path / "out.mp4")
    assert [(time + delay, data) for time, data in before] == after


def test_sound_follows_a_picture_that_is_moved_to_zero(tmp_path: Path) -> None:
    source = make(tmp_path, Made("aac.mp4", sound=Sound()))
    writer = write(tmp_path / "out.mp4", steady(10, 40, start=-100), 1000, source)
    assert len(writer.notes) == 1
    before, after = sound_packets(source), sound_packets(tmp_path / "out.mp4")
    assert [(time + Fraction(1, 10), data) for time, data in before] == after


def test_uneven_late_pictures_and_sound_keep_their_distance(tmp_path: Path) -> None:
    source = make(tmp_path, Made("aac.mp4", sound=Sound()))
    ticks = uneven(30, 9000, start=12_345)
    write(tmp_path / "out.mp4", ticks, 90_000, source)
    assert [frame.time for frame in read_frames(tmp_path / "out.mp4")] == [Fraction(t, 90_000) for t in ticks[:-1]]
    assert sound_packets(tmp_path / "out.mp4") == sound_packets(source)


def test_what_does_not_fit_is_encoded_anew_and_said(tmp_path: Path) -> None:
    source = make(tmp_path, Made("old.avi", codec="mpeg4", options={"bf": "0"}, sound=Sound("adpcm_ms")))
    writer = write(tmp_path / "out.mp4", steady(25, 1), 25, source)
    assert len(writer.notes) == 1
    assert "adpcm_ms" in writer.notes[0]
    assert "AAC" in writer.notes[0]
    (start, samples), (new_start, new) = heard(source), heard(tmp_path / "out.mp4")
    assert new_start == start
    # adpcm decodes to interleaved 16-bit stereo here, AAC to float: the same tone at the same place.
    old = samples.reshape(-1, 2)[:, 0] / 32768
    assert np.corrcoef(old[:40_000], new[:40_000, 0])[0, 1] > 0.99


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_samples_without_packets_of_their_own_are_copied_too(suffix: str, tmp_path: Path) -> None:
    """MOV stores PCM as runs of samples that every reader cuts into packets as it likes: the bytes in a row count."""
    source, target = make(tmp_path, Made("pcm.mov", sound=Sound("pcm_s16le"))), tmp_path / f"out{suffix}"
    assert write(target, steady(5, 1), 25, source).notes == ()
    before, after = sound_packets(source), sound_packets(target)
    assert after[0][0] == before[0][0]
    assert b"".join(data for _, data in after) == b"".join(data for _, data in before)


def test_a_driver_without_sound_gives_a_result_without(tmp_path: Path) -> None:
    source = make(tmp_path, Made("mute.mp4"))
    assert write(tmp_path / "out.mp4", steady(5, 1), 25, source).notes == ()
    assert not probe(tmp_path / "out.mp4").has_audio


def test_a_clip_carries_its_sound(tmp_path: Path) -> None:
    source = make(tmp_path, Made("aac.mp4", sound=Sound()))
    clip = read_clip(source)
    assert clip.audio == source
    assert probe(source).has_audio
    write_clip(tmp_path / "out.mp4", Clip(clip.frames, clip.times, clip.duration, clip.audio))
    assert sound_packets(tmp_path / "out.mp4") == sound_packets(source)


def test_metadata_is_stored_under_any_key(tmp_path: Path) -> None:
    for keys in ({"comment": "made by a model"}, {"comment": "made by a model", "diptych_reference": "sha256:0f"}):
        with VideoWriter(tmp_path / "out.mp4", 64, 48, time_base=Fraction(1, 25), metadata=keys) as writer:
            writer.write(numbered(0, 64, 48), Fraction(0), Fraction(1, 25))
        with av.open(str(tmp_path / "out.mp4")) as container:
            assert keys.items() <= container.metadata.items()
