"""Shape: frames come upright and with square pixels, at the size that players show."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from clips import Made, make, number_of, set_matrix, steady
from diptych.media.video import probe, read_clip, read_frames

CORNERS = np.array([[(220, 30, 30), (30, 220, 30)], [(30, 30, 220), (220, 220, 30)]], np.uint8)
"""Red, green / blue, yellow: no turn or mirror leaves it alone."""

# Matrix (a, b, c, d) as phones write it, the degrees clockwise that it means, and what it does to an array.
TURNS = [
    ((1, 0, 0, 1), 0, lambda picture: picture),
    ((0, 1, -1, 0), 90, lambda picture: np.rot90(picture, -1)),
    ((-1, 0, 0, -1), 180, lambda picture: np.rot90(picture, 2)),
    ((0, -1, 1, 0), 270, lambda picture: np.rot90(picture, 1)),
    ((-1, 0, 0, 1), None, lambda picture: picture[:, ::-1]),
    ((1, 0, 0, -1), None, lambda picture: picture[::-1]),
    ((0, 1, 1, 0), None, lambda picture: picture.swapaxes(0, 1)),
    ((0, -1, -1, 0), None, lambda picture: np.rot90(picture.swapaxes(0, 1), 2)),
]


def corners(path: Path, width: int = 64, height: int = 48) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        picture = CORNERS.repeat(height // 2, 0).repeat(width // 2, 1)
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def seen_corners(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Nearest of the four colours in the middle of each quarter."""
    height, width = pixels.shape[:2]
    quarters = pixels[height // 4 :: height // 2, width // 4 :: width // 2][:2, :2].astype(int)
    palette = CORNERS.reshape(4, 3)
    return palette[np.abs(quarters[:, :, None] - palette.astype(int)).sum(-1).argmin(-1)]


@pytest.mark.parametrize(("matrix", "degrees", "turn"), TURNS, ids=[str(turn[0]) for turn in TURNS])
def test_the_display_matrix_is_applied(
    matrix: tuple[int, ...], degrees: int | None, turn: object, tmp_path: Path
) -> None:
    path = corners(tmp_path / "turned.mp4")
    set_matrix(path, *matrix)
    clip, info = read_clip(path), probe(path)
    assert np.array_equal(seen_corners(clip.frames[0]), turn(CORNERS))  # type: ignore[operator]
    assert clip.frames.shape == (3, info.height, info.width, 3)
    assert (info.width, info.height) == ((48, 64) if matrix[0] == 0 else (64, 48))
    assert clip.frames.flags.c_contiguous
    if degrees is not None:
        assert info.rotation == degrees


@pytest.mark.parametrize(("aspect", "width"), [(Fraction(4, 3), 85), (Fraction(1, 2), 32), (Fraction(1, 1000), 64)])
def test_pixels_are_made_square(aspect: Fraction, width: int, tmp_path: Path) -> None:
    """Bodies in anamorphic files would be stretched otherwise; an absurd aspect is a damaged header."""
    path = tmp_path / "wide.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        frame = av.VideoFrame.from_ndarray(CORNERS.repeat(24, 0).repeat(32, 1), format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    info = probe(path)
    assert (info.width, info.height) == (width, 48)
    pixels = read_clip(path).frames[0]
    assert pixels.shape == (48, width, 3)
    assert np.array_equal(seen_corners(pixels), CORNERS)


@pytest.mark.parametrize("size", [(63, 47), (1, 1), (17, 64)])
def test_odd_sizes_are_read_as_they_are(size: tuple[int, int], tmp_path: Path) -> None:
    odd = Made("odd.mkv", steady(3, 40), Fraction(1, 1000), "ffv1", *size, pix_fmt="yuv444p", options={})
    frames = list(read_frames(make(tmp_path, odd)))
    assert {frame.pixels.shape for frame in frames} == {(size[1], size[0], 3)}
    if min(size) > 1:
        assert [number_of(frame.pixels) for frame in frames] == [0, 1, 2]
