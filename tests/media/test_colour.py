"""Colours: what is written is what is read, and files are read as they are tagged."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from diptych.media.video import VideoWriter, read_clip

CELL = 32


def patches(seed: int = 0) -> NDArray[np.uint8]:
    """64 plain colours, the corners of the cube among them, RGB, ``(256, 256, 3)``."""
    colours = np.random.default_rng(seed).integers(0, 256, (64, 3))
    colours[:8] = np.array(np.meshgrid([0, 255], [0, 255], [0, 255])).reshape(3, 8).T
    return colours.reshape(8, 8, 3).astype(np.uint8).repeat(CELL, 0).repeat(CELL, 1)


def centres(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The colour of each patch away from its edges, which chroma at half size blurs."""
    return pixels[CELL // 2 :: CELL, CELL // 2 :: CELL].astype(np.int64)


def test_colours_survive_a_round_trip(tmp_path: Path) -> None:
    picture = patches()
    with VideoWriter(tmp_path / "out.mp4", 256, 256, time_base=Fraction(1, 25), crf=1) as writer:
        for index in range(3):
            writer.write(picture, Fraction(index, 25), Fraction(1, 25))
    error = np.stack([centres(frame) - centres(picture) for frame in read_clip(tmp_path / "out.mp4").frames])
    assert np.abs(error).max() <= 3
    # swscale's quick paths are one to two levels too dark on average; that would add up over windows of history.
    assert np.abs(error.mean(axis=(0, 1, 2))).max() < 0.3


def test_the_file_says_how_its_colours_are_meant(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", 64, 48, time_base=Fraction(1, 25)) as writer:
        writer.write(np.full((48, 64, 3), 90, np.uint8), Fraction(0), Fraction(1, 25))
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        tags = (context.color_range, context.colorspace, context.color_primaries, context.color_trc)
    assert tags == (1, 1, 1, 1)


# Luma weights of red and blue. Name, AVColorSpace, weights, full range, pixel format, height.
TAGGED = [
    ("bt709", 1, (0.2126, 0.0722), False, "yuv444p", 256),
    ("bt601", 6, (0.299, 0.114), False, "yuv444p", 256),
    ("full range", 1, (0.2126, 0.0722), True, "yuv444p", 256),
    ("untagged and small", 2, (0.299, 0.114), False, "yuv444p", 256),
    ("untagged and large", 2, (0.2126, 0.0722), False, "yuv444p", 768),
    ("10 bit", 9, (0.2627, 0.0593), False, "yuv444p10le", 256),
]


@pytest.mark.parametrize(("name", "tag", "weights", "full", "pix_fmt", "height"), TAGGED, ids=[t[0] for t in TAGGED])
def test_tags_are_believed(
    name: str, tag: int, weights: tuple[float, float], full: bool, pix_fmt: str, height: int, tmp_path: Path
) -> None:
    picture = np.tile(patches(), (height // 256, 1, 1))
    path = tmp_path / "tagged.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 256, height, pix_fmt
        stream.codec_context.colorspace, stream.codec_context.color_range = tag, 2 if full else 1
        frame = av.VideoFrame(256, height, pix_fmt)
        bits, item = (10, np.dtype(np.uint16)) if "10" in pix_fmt else (8, np.dtype(np.uint8))
        for plane, values in zip(frame.planes, to_yuv(picture, weights, full, bits), strict=True):
            padded = np.zeros((height, plane.line_size // item.itemsize), item)
            padded[:, :256] = values
            plane.update(padded.tobytes())
        frame.colorspace, frame.color_range = tag, 2 if full else 1
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    read = read_clip(path).frames[0]
    assert np.abs(centres(read) - centres(picture)).max() <= 2


def to_yuv(
    picture: NDArray[np.uint8], weights: tuple[float, float], full: bool, bits: int
) -> tuple[NDArray[np.float64], ...]:
    """The standard's formula, in integers of so many bits."""
    red, green, blue = np.moveaxis(picture / 255, -1, 0)
    kr, kb = weights
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = ((blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr)))
    unit = 2 ** (bits - 8)
    if full:
        top = 2**bits - 1
        planes = (top * luma, *(2 ** (bits - 1) + top * c for c in chroma))
        return tuple(np.clip(np.round(plane), 0, top) for plane in planes)
    return tuple(np.round(unit * plane) for plane in (16 + 219 * luma, *(128 + 224 * c for c in chroma)))


def test_transparent_pixels_show_the_background(tmp_path: Path) -> None:
    path = tmp_path / "alpha.mkv"
    rgba = np.zeros((48, 64, 4), np.uint8)
    rgba[:, :32] = (200, 30, 90, 255)
    rgba[:, 32:48] = (200, 30, 90, 128)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgra"
        frame = av.VideoFrame.from_ndarray(rgba, format="rgba")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    pixels = read_clip(path).frames[0].astype(int)
    half = [round((channel * 128 + 255 * 127) / 255) for channel in (200, 30, 90)]
    for column, colour in ((10, [200, 30, 90]), (40, half), (60, [255, 255, 255])):
        assert np.abs(pixels[24, column] - colour).max() <= 1
