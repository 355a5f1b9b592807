"""Bad input to ``diptych animate``: one sentence that names what is wrong, exit code 2, and nothing left behind."""

from __future__ import annotations

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from blocks import save_random_mini
from clips import Made, Sound, make, steady
from diptych import cli
from diptych.media.image import write_image
from diptych.media.video import write_clip
from diptych.types import Clip

REFERENCE, DRIVER, MODEL, OUTPUT = "picture.png", "driver.mp4", "model", "out.mp4"


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a picture, a driver and a mini that has learned nothing."""
    rng = np.random.default_rng(1)
    write_image(tmp_path / REFERENCE, rng.integers(0, 256, (40, 32, 3), dtype=np.uint8))
    write_clip(tmp_path / DRIVER, Clip.at_fps(rng.integers(0, 256, (9, 32, 32, 3), dtype=np.uint8), 25))
    save_random_mini(tmp_path / MODEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *options: str, **files: str) -> str:
    """The sentence with which ``animate`` refuses; files by name take the place of good ones."""
    taken = {"reference": REFERENCE, "driving": DRIVER, "model": MODEL, "output": OUTPUT, **files}
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    words = [taken["reference"], taken["driving"], "-o", taken["output"], "--model", taken["model"], *options]
    assert cli.main(["animate", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if "stopped by a failure" not in line]
    assert len(lines) == 1, err
    assert lines[0].startswith("diptych: ")
    assert lines[0].endswith(".")
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before
    return lines[0]


def cut_off(name: str, share: float) -> Callable[[], None]:
    return lambda: Path("bad").write_bytes(Path(name).read_bytes()[: int(share * Path(name).stat().st_size)])


def holding(data: bytes) -> Callable[[], None]:
    return lambda: Path("bad").write_bytes(data) and None


def png_of(width: int, height: int, rows: int = 0) -> bytes:
    """A picture that claims a size: all that a bomb needs."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes((width + 1) * rows))
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", body) + part(b"IEND", b"")


def svg() -> bytes:
    return b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>'


PICTURES = {
    "missing": (lambda: None, "does not exist"),
    "a folder": (lambda: Path("bad").mkdir(), "ordinary file"),
    "empty": (holding(b""), "empty"),
    "words": (holding(b"not a picture at all\n" * 9), "not a picture"),
    "a video": (lambda: Path("bad").write_bytes(Path(DRIVER).read_bytes()), "not a picture"),
    "half a picture": (cut_off(REFERENCE, 0.5), "bad"),
    "its first bytes": (cut_off(REFERENCE, 0.01), "bad"),
    "20,000 pixels wide": (holding(png_of(20_000, 20_000)), "large"),
    "a bomb": (holding(png_of(16_000, 16_000, 16_000)), "large"),
    "more than a size can be": (holding(png_of(0x7FFFFFFF, 0x7FFFFFFF)), "bad"),
    "no pixel": (holding(png_of(0, 10)), "bad"),
    "a vector drawing": (holding(svg()), "not a picture"),
    "a pickle": (holding(pickle.dumps({"a": 1})), "not a picture"),
}


@pytest.mark.parametrize(("spoil", "says"), PICTURES.values(), ids=PICTURES)
def test_pictures(room: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[], None], says: str) -> None:
    spoil()
    sentence = refused(capsys, reference="bad")
    assert "bad" in sentence
    assert says in sentence


def made(plan: Made) -> Callable[[], None]:
    return lambda: make(Path(), plan).rename("bad") and None


def frameless() -> None:
    with av.open("bad", "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        container.start_encoding()


DRIVERS = {
    "missing": (lambda: None, "does not exist"),
    "a folder": (lambda: Path("bad").mkdir(), "ordinary file"),
    "a pipe": (lambda: os.mkfifo("bad"), "ordinary file"),
    "empty": (holding(b""), "empty"),
    "words": (holding(b"not a video at all\n" * 99), "not a video"),
    "noise": (holding(np.random.default_rng(0).bytes(4000)), "not a video"),
    "a picture": (lambda: Path("bad").write_bytes(Path(REFERENCE).read_bytes()), "not a video"),
    "a playlist": (holding(b"#EXTM3U\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n"), "not a video"),
    "a list of files": (holding(b"ffconcat version 1.0\nfile driver.mp4\n"), "not a video"),
    "nine tenths of a clip": (cut_off(DRIVER, 0.9), "cut short"),
    "a tenth of a clip": (cut_off(DRIVER, 0.1), "bad"),
    "sound alone": (made(Made("only.m4a", ticks=(), sound=Sound())), "no moving picture"),
    "no frame": (frameless, "no "),
    "wider than anything": (
        made(Made("wide.mkv", steady(1, 1), codec="ffv1", width=20_000, height=16, options={})),
        "too large",
    ),
    "half an animated picture": (
        lambda: (
            Image.new("RGB", (32, 32)).save(
                "whole.webp", save_all=True, append_images=[Image.new("RGB", (32, 32), "red")] * 5, duration=40
            ),
            cut_off("whole.webp", 0.6)(),
            Path("whole.webp").unlink(),
        ),
        "cut short",
    ),
}


@pytest.mark.parametrize(("spoil", "says"), DRIVERS.values(), ids=DRIVERS)
def test_drivers(room: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[], None], says: str) -> None:
    spoil()
    sentence = refused(capsys, driving="bad")
    assert "bad" in sentence
    assert says in sentence


def rewritten(name: str, change: Callable[[dict[str, str]], dict[str, str]]) -> Callable[[], None]:
    """A model's file with another header."""

    def spoil() -> None:
        from safetensors import safe_open

        path = Path(MODEL) / name
        with safe_open(path, "pt") as file:
            header = dict(file.metadata())
        save_file(load_file(path), path, metadata=change(header))

    return spoil


def contract_with(**values: object) -> Callable[[dict[str, str]], dict[str, str]]:
    from diptych.method.contract import HEADER_KEY

    return lambda header: {**header, HEADER_KEY: json.dumps({**json.loads(header[HEADER_KEY]), **values})}


def config_with(**values: object) -> Callable[[dict[str, str]], dict[str, str]]:
    name = "diptych.config"
    return lambda header: {**header, name: json.dumps({**json.loads(header[name]), **values})}


def pickled(path: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(print))


def without_a_tensor() -> None:
    from safetensors import safe_open

    path = Path(MODEL) / "denoiser.safetensors"
    with safe_open(path, "pt") as file:
        header = dict(file.metadata())
    tensors = load_file(path)
    tensors.pop(next(iter(tensors)))
    save_file(tensors, path, metadata=header)


DENOISER, VAE = f"{MODEL}/denoiser.safetensors", f"{MODEL}/vae.safetensors"
MODELS = {
    "no such folder": (lambda: Path(MODEL).rename("elsewhere"), MODEL),
    "no denoiser": (lambda: Path(DENOISER).unlink(), "missing"),
    "no vae": (lambda: Path(VAE).unlink(), "missing"),
    "no locator": (lambda: Path(f"{MODEL}/locator.safetensors").unlink(), "missing"),
    "a locator larger than memory": (
        rewritten("locator.safetensors", config_with(width=10**6)),
        "must be from 1 to",
    ),
    "an empty file": (lambda: Path(DENOISER).write_bytes(b"") and None, "safetensors"),
    "a pickle": (lambda: pickled(DENOISER), "safetensors"),
    "another pickle": (lambda: Path(VAE).write_bytes(pickle.dumps(print)) and None, "safetensors"),
    "half a file": (lambda: Path(DENOISER).write_bytes(Path(DENOISER).read_bytes()[:5000]) and None, "safetensors"),
    "the vae twice": (lambda: Path(DENOISER).write_bytes(Path(VAE).read_bytes()) and None, "denoiser"),
    "another backbone's contract": (
        rewritten("denoiser.safetensors", contract_with(backbone="wan")),
        "cannot serve as a mini",
    ),
    "a contract of another layout": (
        rewritten("denoiser.safetensors", contract_with(layout="channels")),
        "denoiser.safetensors",
    ),
    "a contract with an unknown field": (rewritten("denoiser.safetensors", contract_with(secret=1)), "header"),
    "no contract": (rewritten("denoiser.safetensors", lambda header: {}), "does not say"),
    "a contract of windows without end": (
        rewritten("denoiser.safetensors", contract_with(window_frames=10**9)),
        "denoiser.safetensors",
    ),
    "a network larger than memory": (
        rewritten("denoiser.safetensors", config_with(heads=10**6, blocks=10**6)),
        "must be from 1 to",
    ),
    "a tensor too few": (without_a_tensor, "does not fit"),
}


@pytest.mark.parametrize(("spoil", "says"), MODELS.values(), ids=MODELS)
def test_models(room: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[], None], says: str) -> None:
    spoil()
    assert says in refused(capsys)


OUTPUTS = {
    "the reference": (lambda: None, REFERENCE, (), "picture.png"),
    "the driver": (lambda: None, DRIVER, (), "both input and output"),
    "the driver by another way": (lambda: Path("link.mp4").symlink_to(DRIVER), "link.mp4", (), "both input and output"),
    "in no folder": (lambda: None, "nowhere/out.mp4", (), "no folder"),
    "a folder": (lambda: Path("taken.mp4").mkdir(), "taken.mp4", (), "ordinary file"),
    "of a kind that is not written": (lambda: None, "out.flv", (), "out.flv"),
    "without a kind": (lambda: None, "out", (), "out"),
    "the same as the preview": (lambda: None, "out.mp4", ("--preview", "out.mp4"), "another name"),
    "a preview of no kind": (lambda: None, "out.mp4", ("--preview", "p.txt"), "p.txt"),
    "a name longer than names can be": (lambda: None, "n" * 300 + ".mp4", (), "cannot be"),
    "in a folder that takes no files": (lambda: None, "/proc/self/out.mp4", (), "cannot be"),
    "a device": (lambda: None, "/dev/null", (), "/dev/null"),
    "a part behind the end": (lambda: None, "out.mp4", ("--start", "99"), "nothing is left"),
    "a part without a frame": (lambda: None, "out.mp4", ("--start", "0.35", "--end", "0.351"), "frame"),
}


@pytest.mark.parametrize(("prepare", "output", "options", "says"), OUTPUTS.values(), ids=OUTPUTS)
def test_outputs_and_settings(
    room: Path,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[[], None],
    output: str,
    options: tuple[str, ...],
    says: str,
) -> None:
    prepare()
    assert says in refused(capsys, *options, output=output)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("closed").mkdir(mode=0o555)
    assert "closed" in refused(capsys, output="closed/out.mp4")


FULL = """
import resource, signal, sys
from diptych.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import diptych.recipes.animate
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(("room_for", "names"), [(0, "made_from.json"), (4000, "window-000000.npz")])
def test_a_disk_that_is_full(room: Path, room_for: int, names: str) -> None:
    """A real process that may write no file larger than that: the system refuses as it does on a full disk."""
    before = sorted(Path().rglob("*"))
    words = ["animate", REFERENCE, DRIVER, "-o", OUTPUT, "--model", MODEL, "--steps", "1", "--quiet"]
    ended = subprocess.run(
        [sys.executable, "-c", FULL, str(room_for), *words], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert names in ended.stderr
    assert "cannot be" in ended.stderr
    left = [path for path in sorted(Path().rglob("*")) if path not in before and "__pycache__" not in path.parts]
    assert left == []


def test_one_frame_and_one_pixel_are_no_faults(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clip(Path("one.mp4"), Clip.at_fps(np.zeros((1, 2, 2, 3), np.uint8), Fraction(25)))
    Image.new("RGB", (1, 1)).save("dot.png")
    assert cli.main(["animate", "dot.png", "one.mp4", "-o", OUTPUT, "--model", MODEL, "--steps", "1", "--quiet"]) == 0
    assert Path(OUTPUT).exists()
