"""Damaged files, more than a thousand of them: read or refused in a sentence, never a traceback, never a hang."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from clips import Made, Sound, make, steady
from diptych.animate.journal import opened_journal
from diptych.media.image import read_image
from diptych.media.video import VideoWriter, probe, read_frames
from diptych.options import AnimateJobsOptions, AnimateOptions
from diptych.recipes.jobs import read_jobs
from diptych.types import InputError

_PATIENCE = 20
"""Seconds for one small file, hundreds of times what it takes: who needs more hangs."""

Change = tuple[str, float, int, bytes]

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["set", "cut", "drop", "insert", "double", "swap"]),
        st.floats(0, 1, exclude_max=True),
        st.integers(1, 400),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=6,
)
"""What may befall a file: bytes set, the end cut, a stretch dropped, put in, doubled or exchanged with the next."""


def damaged(data: bytes, changes: list[Change]) -> bytes:
    for kind, where, length, new in changes:
        # Half of the damage goes to the head, where the structure is.
        at = int(where * len(data)) if length % 2 else int(where * min(len(data), 512))
        if kind == "set":
            data = data[:at] + new + data[at + len(new) :]
        elif kind == "cut":
            data = data[: max(1, at)]
        elif kind == "drop":
            data = data[:at] + data[at + length :]
        elif kind == "insert":
            data = data[:at] + new + data[at:]
        elif kind == "double":
            data = data[: at + length] + data[at:]
        else:
            data = data[:at] + data[at + length : at + 2 * length] + data[at : at + length] + data[at + 2 * length :]
    return data


@contextmanager
def within_patience() -> Iterator[None]:
    def late(*_: object) -> None:
        raise AssertionError(f"still reading after {_PATIENCE} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(_PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def refused_well(error: InputError, path: Path) -> None:
    assert str(path) in str(error)
    assert "\n" not in str(error)
    assert str(error).endswith(".")


def many(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


CLIPS = [
    Made("good.mp4", steady(12, 1), sound=Sound(seconds=0.3)),
    Made("front.mov", sound=Sound("pcm_s16le", seconds=0.3), container_options={"movflags": "+faststart"}),
    Made("good.mkv", steady(12, 40), Fraction(1, 1000), sound=Sound("libopus", 48_000, 0.3)),
    Made("good.webm", steady(6, 40), Fraction(1, 1000), codec="libvpx-vp9", options={"cpu-used": "8"}),
    Made("good.avi", steady(12, 1), codec="mpeg4", options={"bf": "0"}),
    Made("good.gif", steady(6, 4), Fraction(1, 100), codec="gif", pix_fmt="rgb8", options={}),
]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for made in CLIPS:
        make(folder, made)
    frames = [Image.fromarray(np.full((40, 32, 3), 40 * i, np.uint8)) for i in range(5)]
    frames[0].save(folder / "good.webp", save_all=True, append_images=frames[1:], duration=40)
    return folder


@pytest.mark.parametrize("name", [*(made.name for made in CLIPS), "good.webp"])
@many(70)
@given(changes=CHANGES)
def test_clips(clips: Path, tmp_path: Path, name: str, changes: list[Change]) -> None:
    path, out = tmp_path / name, tmp_path / "out.mp4"
    path.write_bytes(damaged((clips / name).read_bytes(), changes))
    with within_patience():
        try:
            info = probe(path)
            frames = list(read_frames(path))
            with VideoWriter(out, 64, 48, time_base=Fraction(1, 25), audio_from=path if info.has_audio else None) as to:
                to.write(np.zeros((48, 64, 3), np.uint8), Fraction(0), Fraction(1, 25))
        except InputError as error:
            # Sound that no file can take is told by the name of that file.
            refused_well(error, out if str(out) in str(error) else path)
            assert not out.exists()
        else:
            out.unlink()
            assert all(b.time > a.time for a, b in pairwise(frames))
            assert all(frame.duration > 0 for frame in frames)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    smooth = np.kron(rng.integers(0, 256, (6, 8, 4)), np.ones((8, 8, 1))).astype(np.uint8)
    exif = Image.Exif()
    exif[274] = 6
    for kind, mode in (
        ("PNG", "RGBA"),
        ("JPEG", "RGB"),
        ("WEBP", "RGBA"),
        ("AVIF", "RGB"),
        ("GIF", "P"),
        ("TIFF", "RGB"),
    ):
        picture = Image.fromarray(smooth, "RGBA").convert(mode)
        picture.save(folder / kind, kind, exif=exif)
    return folder


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "GIF", "TIFF"])
@many(70)
@given(changes=CHANGES)
def test_pictures(pictures: Path, tmp_path: Path, kind: str, changes: list[Change]) -> None:
    path = tmp_path / "picture"
    path.write_bytes(damaged((pictures / kind).read_bytes(), changes))
    with within_patience():
        try:
            picture = read_image(path)
        except InputError as error:
            refused_well(error, path)
        else:
            assert picture.dtype == np.uint8
            assert picture.ndim == 3
            assert picture.shape[2] == 3
            assert picture.size > 0


WINDOWS = np.random.default_rng(1).integers(0, 256, (3, 4, 16, 24, 3), dtype=np.uint8)
FACTS = {"seed": 3, "reference": {"sha256": "ab" * 32}}


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("journals") / "a.mp4.journal"
    with opened_journal(folder, FACTS, WINDOWS.shape[1:4]) as kept:
        for index, window in enumerate(WINDOWS):
            kept.put(index, window)
    return folder


@many(200)
@given(changes=CHANGES, which=st.sampled_from(["window-000000.npz", "window-000002.npz", "made_from.json"]))
def test_journals(journal: Path, tmp_path: Path, changes: list[Change], which: str) -> None:
    """A window comes back as it was or not at all: a picture that is a little wrong would be worse than none."""
    folder = tmp_path / journal.name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(journal, folder)
    path = folder / which
    path.write_bytes(damaged(path.read_bytes(), changes))
    with within_patience():
        try:
            with opened_journal(folder, FACTS, WINDOWS.shape[1:4]) as kept:
                for index, window in enumerate(WINDOWS):
                    found = kept.get(index)
                    assert found is None or np.array_equal(found, window)
        except InputError as error:
            refused_well(error, folder)
            assert which == "made_from.json"
            assert len(list(folder.glob("window-*.npz"))) == len(WINDOWS)


JOBS = "".join(
    json.dumps(line, ensure_ascii=False) + "\n"
    for line in (
        {"reference": "a.png", "driving": "b.mp4"},
        {"reference": "chars/c.png", "driving": "d.webm", "prompt": "ein Hündchen läuft", "seed": 7},
        {"reference": "e.png", "driving": "f.mov", "output": "g.mp4"},
    )
).encode()


@many(200)
@given(changes=CHANGES)
def test_job_files(tmp_path: Path, changes: list[Change]) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(damaged(JOBS, changes))
    common = AnimateOptions(reference=Path(), driving=Path(), output=Path())
    asked = AnimateJobsOptions(jobs=path, output=tmp_path / "out", common=common)
    with within_patience():
        try:
            jobs = read_jobs(asked)
        except InputError as error:
            refused_well(error, path)
        else:
            assert all(job.options.output.parent == asked.output for job in jobs)
            assert all(isinstance(job.options.seed, int) and job.options.seed >= 0 for job in jobs)
