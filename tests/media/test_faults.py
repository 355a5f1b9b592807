"""Faults: one clear sentence that names the file, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clips import Made, Sound, make, numbered, steady
from diptych.media.video import VideoWriter, probe, read_clip, read_frames
from diptych.media.whole import missing_bytes
from diptych.types import InputError

FAST_START = {"movflags": "+faststart"}


def refused(path: Path) -> str:
    """The sentence with which probing and reading refuse a file."""
    sentences = []
    for attempt in (lambda: probe(path), lambda: list(read_frames(path)), lambda: read_clip(path)):
        with pytest.raises(InputError) as caught:
            attempt()
        sentences.append(str(caught.value))
    assert len(set(sentences)) == 1
    assert str(path) in sentences[0]
    assert "\n" not in sentences[0]
    assert sentences[0].endswith(".")
    return sentences[0]


def test_files_that_are_not_there_or_empty(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "none.mp4")
    assert "ordinary file" in refused(tmp_path)
    (tmp_path / "empty.mp4").touch()
    assert "is empty" in refused(tmp_path / "empty.mp4")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "ordinary file" in refused(tmp_path / "pipe.mp4")


NOISE = np.random.default_rng(0).bytes(5000)
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nother.ts\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    "data",
    [b"some words\n" * 100, NOISE, bytes(4000), PLAYLIST, b"ffconcat version 1.0\nfile x.mp4\n", b"\x1a\x45\xdf\xa3"],
)
def test_files_that_are_something_else(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "renamed.mp4").write_bytes(data)
    assert "not a video" in refused(tmp_path / "renamed.mp4")


def test_a_picture_is_no_driver(tmp_path: Path) -> None:
    for kind in ("PNG", "JPEG"):
        Image.new("RGB", (64, 48), (200, 30, 90)).save(tmp_path / "picture.mp4", kind)
        assert "not a video" in refused(tmp_path / "picture.mp4")


def test_sound_alone_is_no_driver(tmp_path: Path) -> None:
    assert "no moving picture" in refused(make(tmp_path, Made("only.m4a", ticks=(), sound=Sound())))


WHOLE = [
    Made("front.mp4", steady(100, 1), container_options=FAST_START),
    Made("back.mp4", steady(100, 1), sound=Sound()),
    Made("quick.mov", steady(100, 1), container_options=FAST_START),
    Made("fragments.mp4", steady(100, 1), container_options={"movflags": "+frag_keyframe+empty_moov"}),
    Made("matroska.mkv", steady(100, 40), Fraction(1, 1000)),
    Made("web.webm", steady(12, 40), Fraction(1, 1000), codec="libvpx-vp9", options={"cpu-used": "8"}),
    Made("old.avi", steady(100, 1), codec="mpeg4", options={"bf": "0"}),
]


@pytest.mark.parametrize("made", WHOLE, ids=lambda made: made.name)
@pytest.mark.parametrize("share", [0.1, 0.4, 0.97])
def test_files_that_are_cut_short_are_refused_at_once(made: Made, share: float, tmp_path: Path) -> None:
    path = make(tmp_path, made)
    assert missing_bytes(path) == 0
    probe(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert "cut short" in refused(path)


def test_appended_bytes_do_no_harm(tmp_path: Path) -> None:
    for made in WHOLE:
        path = make(tmp_path, made)
        path.write_bytes(path.read_bytes() + bytes(1000))
        assert missing_bytes(path) == 0
        assert len(list(read_frames(path))) == len(made.times)


def test_live_recordings_have_no_announced_end(tmp_path: Path) -> None:
    path = make(tmp_path, Made("live.mkv", steady(30, 40), Fraction(1, 1000), container_options={"live": "1"}))
    path.write_bytes(path.read_bytes()[:-200])
    assert missing_bytes(path) == 0
    assert 0 < len(list(read_frames(path))) <= 30


def test_pictures_too_large_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    wide = Made("wide.mkv", steady(1, 1), codec="ffv1", width=16_400, height=16, options={})
    assert "too large" in refused(make(tmp_path, wide))


def test_a_size_that_changes_is_refused_where_it_does(tmp_path: Path) -> None:
    parts = [
        make(tmp_path, Made(f"{width}.ts", steady(5, 3600), Fraction(1, 90000), width=width)) for width in (64, 96)
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = read_frames(path)
    next(frames)
    with pytest.raises(InputError, match="changes its size from 64 x 48 to 96 x 48"):
        list(frames)


GOOD = [
    Made("good.mp4", steady(20, 1), sound=Sound(seconds=0.3)),
    Made("good.mkv", steady(20, 40), Fraction(1, 1000), sound=Sound("libopus", 48_000, 0.3)),
    Made("good.avi", steady(20, 1), codec="mpeg4", options={"bf": "0"}),
    Made("good.ts", steady(20, 3600), Fraction(1, 90000)),
]


@pytest.mark.parametrize("made", GOOD, ids=lambda made: made.name)
def test_damaged_files_are_read_or_refused(made: Made, tmp_path: Path) -> None:
    """A seeded handful here; the great number of mutations belongs to the faults of the whole program."""
    path = make(tmp_path, made)
    data = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(7)
    outcomes = set()
    for _ in range(60):
        damaged = data.copy()
        places = rng.integers(0, len(damaged) if rng.random() < 0.5 else 400, rng.integers(1, 20))
        damaged[places] = rng.integers(0, 256, len(places))
        path.write_bytes(damaged.tobytes())
        try:
            frames = list(read_frames(path))
            with VideoWriter(tmp_path / "out.mp4", 64, 48, time_base=Fraction(1, 25), audio_from=path) as writer:
                writer.write(numbered(0, 64, 48), Fraction(0), Fraction(1, 25))
            assert all(frame.duration > 0 and frame.pixels.dtype == np.uint8 for frame in frames)
            outcomes.add("read")
        except InputError as error:
            outcomes.add("refused" if str(path) in str(error) else str(error))
    assert outcomes == {"read", "refused"}


def write_one(path: Path, **options: object) -> None:
    with VideoWriter(path, 64, 48, time_base=Fraction(1, 25), **options) as writer:  # type: ignore[arg-type]
        writer.write(numbered(0, 64, 48), Fraction(0), Fraction(1, 25))


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        write_one(tmp_path / "missing" / "out.mp4")
    with pytest.raises(InputError, match=r"ends in \.mp4"):
        write_one(tmp_path / "out.xyz")
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(InputError, match="not an ordinary file"):
        write_one(tmp_path / "folder.mp4")
    with pytest.raises(InputError, match="cannot be written"):
        write_one(tmp_path / f"{'long' * 80}.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.mp4"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="permission denied"):
        write_one(tmp_path / "out.mp4")
    tmp_path.chmod(0o700)


def test_sound_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "words.mp3").write_text("words " * 100)
    with pytest.raises(InputError, match=r"words\.mp3"):
        write_one(tmp_path / "out.mp4", audio_from=tmp_path / "words.mp3")
    assert [path.name for path in tmp_path.iterdir()] == ["words.mp3"]


def test_output_and_input_may_not_be_one_file(tmp_path: Path) -> None:
    source = make(tmp_path, Made("aac.mp4", sound=Sound()))
    before = source.read_bytes()
    (tmp_path / "link.mp4").symlink_to(source)
    for path in (source, tmp_path / "link.mp4"):
        with pytest.raises(InputError, match="both input and output"):
            write_one(path, audio_from=source)
    assert source.read_bytes() == before


def write_then_fail(path: Path) -> None:
    with VideoWriter(path, 64, 48, time_base=Fraction(1, 25)) as writer:
        for index in range(100):
            writer.write(numbered(index, 64, 48), Fraction(index, 25), Fraction(1, 25))
        raise KeyError("somebody else's error")


def test_what_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"the old file")
    with pytest.raises(KeyError, match="somebody else's error"):
        write_then_fail(path)
    assert path.read_bytes() == b"the old file"
    assert list(tmp_path.iterdir()) == [path]


FULL_DISK = """
import resource, signal, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from diptych.media.video import VideoWriter
from diptych.types import InputError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
rng = np.random.default_rng(0)
try:
    with VideoWriter(Path(sys.argv[1]), 64, 48, time_base=Fraction(1, 25)) as writer:
        for index in range(120):
            writer.write(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8), Fraction(index, 25), Fraction(1, 25))
except InputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on file sizes")
@pytest.mark.parametrize("limit", [100, 20_000, 200_000])
def test_a_full_disk(limit: int, tmp_path: Path) -> None:
    """A limit on the file's size stands for it: the write fails in the middle, or only at the very end."""
    path = tmp_path / "out.mp4"
    command = [sys.executable, "-W", "error", "-c", FULL_DISK, str(path), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.startswith(f"{path} cannot be written (file too large)")
    assert list(tmp_path.iterdir()) == []
