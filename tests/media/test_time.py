"""Times: what is read is what the file says, and what is written is what is read."""

from __future__ import annotations

import threading
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clips import Made, make, number_of, numbered, steady, uneven
from diptych.media.video import TimedFrame, VideoWriter, probe, read_clip, read_frames, write_clip
from diptych.types import Clip

QUIET = {"x265-params": "log-level=none"}
FOREIGN = [
    Made("constant.mp4", steady(30, 512), Fraction(1, 12800)),
    Made("ntsc.mp4", steady(30, 1001), Fraction(1, 30000)),
    Made("twelve.mov", steady(20, 1), Fraction(1, 12)),
    Made("uneven.mp4", uneven(30, 9000), Fraction(1, 90000)),
    Made("late.mp4", steady(20, 40, start=1500), Fraction(1, 1000)),
    Made("one.mp4", steady(1, 3), Fraction(1, 25)),
    Made("uneven.mkv", uneven(30, 90), Fraction(1, 1000)),
    Made("constant.mkv", steady(20, 40, start=240), Fraction(1, 1000)),
    Made("transport.ts", steady(20, 3600), Fraction(1, 90000)),
    Made("web.webm", steady(12, 40), Fraction(1, 1000), codec="libvpx-vp9", options={"cpu-used": "8"}),
    Made("old.avi", steady(12, 1), codec="mpeg4", options={"bf": "0"}),
    Made("moving.gif", uneven(12, 10), Fraction(1, 100), codec="gif", pix_fmt="rgb8", options={}),
    Made("small.mkv", uneven(20, 90, start=333), Fraction(1, 1000), codec="libx265", options=QUIET),
]


@pytest.mark.parametrize("made", FOREIGN, ids=lambda made: made.name)
def test_every_frame_once_in_order_at_its_own_time(made: Made, tmp_path: Path) -> None:
    frames = list(read_frames(make(tmp_path, made)))
    # A transport stream has no zero: its muxer delays everything alike.
    offset = frames[0].time if made.name.endswith(".ts") else Fraction(0)
    assert [number_of(frame.pixels) for frame in frames] == list(range(len(made.times)))
    assert [frame.time - offset for frame in frames] == list(made.times)
    assert frames[-1].duration == made.last_duration


def test_what_an_edit_list_cuts_is_not_given(tmp_path: Path) -> None:
    """MP4 stores a start before zero as an edit list that hides the first frames, as trimming on a phone does."""
    path = make(tmp_path, Made("trimmed.mp4", steady(30, 1, start=-10)))
    frames = list(read_frames(path))
    assert [number_of(frame.pixels) for frame in frames] == list(range(10, 30))
    assert [frame.time for frame in frames] == [Fraction(i, 25) for i in range(20)]


@pytest.mark.parametrize("made", FOREIGN, ids=lambda made: made.name)
def test_a_driver_comes_out_at_its_own_times(made: Made, tmp_path: Path) -> None:
    source, target = make(tmp_path, made), tmp_path / "out.mp4"
    info, frames = probe(source), list(read_frames(source))
    with VideoWriter(target, 64, 48, time_base=info.time_base) as writer:
        for frame in frames:
            writer.write(frame.pixels, frame.time, frame.duration)
    assert writer.notes == ()
    assert timing(read_frames(target)) == timing(frames)
    assert [number_of(frame.pixels) for frame in read_frames(target)] == list(range(len(frames)))


def timing(frames: object) -> list[tuple[Fraction, Fraction]]:
    return [(frame.time, frame.duration) for frame in frames]  # type: ignore[attr-defined]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rate=st.sampled_from([1, 12, 25, 1000, 12800, 30000, 44100, 90000, 999983, 10**6, 10**9]),
    start=st.integers(0, 10**6),
    gaps=st.lists(st.integers(1, 10**5), min_size=1, max_size=6),
)
def test_any_times_survive_a_round_trip(rate: int, start: int, gaps: list[int], tmp_path: Path) -> None:
    ticks = [start + sum(gaps[:i]) for i in range(len(gaps) + 1)]
    wanted = [(Fraction(now, rate), Fraction(then - now, rate)) for now, then in pairwise(ticks)]
    with VideoWriter(tmp_path / "any.mp4", 16, 16, time_base=Fraction(1, rate)) as writer:
        for time, duration in wanted:
            writer.write(np.zeros((16, 16, 3), np.uint8), time, duration)
    assert timing(read_frames(tmp_path / "any.mp4")) == wanted


def test_stored_times_need_no_interpretation(tmp_path: Path) -> None:
    """Decode time equals display time in every packet, so readers that ignore edit lists agree."""
    ticks = uneven(40, 9000)
    with VideoWriter(tmp_path / "plain.mp4", 64, 48, time_base=Fraction(1, 90000)) as writer:
        for index, (now, then) in enumerate(pairwise(ticks)):
            writer.write(numbered(index, 64, 48), Fraction(now, 90000), Fraction(then - now, 90000))
    with av.open(str(tmp_path / "plain.mp4")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [packet.pts for packet in packets] == [packet.dts for packet in packets] == list(ticks[:-1])
    assert [packet.duration for packet in packets] == [then - now for now, then in pairwise(ticks)]


def test_a_start_before_zero_moves_the_file_and_says_so(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "early.mp4", 64, 48, time_base=Fraction(1, 1000)) as writer:
        for index in range(3):
            writer.write(numbered(index, 64, 48), Fraction(40 * index - 77, 1000), Fraction(1, 25))
    assert [frame.time for frame in read_frames(tmp_path / "early.mp4")] == [Fraction(i, 25) for i in range(3)]
    assert len(writer.notes) == 1
    assert "-0.077 s" in writer.notes[0]


def test_frames_at_one_time_are_set_a_tick_apart(tmp_path: Path) -> None:
    """A damaged clock must not cost a frame, nor give one that lasts no time."""
    twice = Made("twice.mkv", (0, 40, 40, 80, 120), Fraction(1, 1000), codec="ffv1", options={})
    frames = list(read_frames(make(tmp_path, twice)))
    assert [frame.time * 1000 for frame in frames] == [0, 40, 41, 80]
    assert [number_of(frame.pixels) for frame in frames] == [0, 1, 2, 3]
    assert all(a.time + a.duration == b.time for a, b in pairwise(frames))


def test_a_clip_keeps_its_times(tmp_path: Path) -> None:
    times = tuple(Fraction(t, 24) for t in (3, 4, 7))
    clip = Clip(np.stack([numbered(i, 64, 48) for i in range(3)]), times, Fraction(9, 24))
    assert write_clip(tmp_path / "clip.mp4", clip) == ()
    back = read_clip(tmp_path / "clip.mp4")
    assert back.times == clip.times
    assert back.duration == clip.duration
    assert back.frames.shape == clip.frames.shape
    assert back.audio is None


def test_a_clip_may_be_read_in_part(tmp_path: Path) -> None:
    path = make(tmp_path, Made("long.mp4", steady(12, 1)))
    clip = read_clip(path, max_frames=5)
    assert [number_of(frame) for frame in clip.frames] == [0, 1, 2, 3, 4]
    assert clip.duration == Fraction(5, 25)
    with pytest.raises(ValueError, match="at least 1"):
        read_clip(path, max_frames=0)


def test_probe_tells_what_a_read_finds(tmp_path: Path) -> None:
    path = make(tmp_path, Made("ntsc.mp4", steady(30, 1001), Fraction(1, 30000)))
    info = probe(path)
    assert (info.width, info.height, info.frames, info.rotation) == (64, 48, 30, 0)
    assert info.average_fps == Fraction(30000, 1001)
    assert info.duration == Fraction(30 * 1001, 30000)
    assert not info.has_audio
    assert all((frame.time / info.time_base).denominator == 1 for frame in read_frames(path))


def test_frames_stream_out_before_the_file_is_read(tmp_path: Path) -> None:
    """The second half of the file is destroyed: whoever asks for one frame must not notice."""
    path = make(tmp_path, Made("half.ts", steady(400, 3600), Fraction(1, 90000)))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) // 2))
    frames = read_frames(path)
    assert number_of(next(frames).pixels) == 0
    frames.close()


def test_writing_works_from_another_thread(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work(writer: VideoWriter) -> None:
        try:
            for index in range(20):
                writer.write(numbered(index, 64, 48), Fraction(index, 25), Fraction(1, 25))
        except BaseException as error:  # handed to the test's own thread
            failures.append(error)

    with VideoWriter(tmp_path / "thread.mp4", 64, 48, time_base=Fraction(1, 25)) as writer:
        thread = threading.Thread(target=work, args=(writer,))
        thread.start()
        thread.join()
    assert not failures
    assert [number_of(frame.pixels) for frame in read_frames(tmp_path / "thread.mp4")] == list(range(20))


BAD_FRAMES = [
    (TimedFrame(np.zeros((48, 64, 3), np.uint8), Fraction(1, 7), Fraction(1, 25)), "multiple"),
    (TimedFrame(np.zeros((48, 64, 3), np.uint8), Fraction(1, 25), Fraction(0)), "lasts"),
    (TimedFrame(np.zeros((48, 64, 3), np.uint8), Fraction(0), Fraction(1, 25)), "rise"),
    (TimedFrame(np.zeros((64, 48, 3), np.uint8), Fraction(1, 25), Fraction(1, 25)), "expected"),
    (TimedFrame(np.zeros((48, 64, 3), np.float32), Fraction(1, 25), Fraction(1, 25)), "expected"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("bad", "word"), BAD_FRAMES, ids=["tick", "duration", "order", "shape", "dtype"])
def test_frames_that_make_no_sense_are_refused(bad: TimedFrame, word: str, tmp_path: Path) -> None:
    good = TimedFrame(numbered(0, 64, 48), Fraction(0), Fraction(1, 25))
    with pytest.raises(ValueError, match=word):
        write_all(tmp_path / "bad.mp4", [good, bad])
    with pytest.raises(ValueError, match="no frame"):
        write_all(tmp_path / "none.mp4", [])
    assert list(tmp_path.iterdir()) == []


def write_all(path: Path, frames: list[TimedFrame]) -> None:
    with VideoWriter(path, 64, 48, time_base=Fraction(1, 25)) as writer:
        for frame in frames:
            writer.write(frame.pixels, frame.time, frame.duration)


@pytest.mark.parametrize("size", [(63, 48), (64, 47), (0, 48), (16386, 16)])
def test_sizes_that_h264_cannot_hold_are_refused(size: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="even"):
        VideoWriter(tmp_path / "odd.mp4", *size, time_base=Fraction(1, 25))
