"""Animated WebP as a driver: every frame, the file's own durations, sentences for what is wrong."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from clips import number_of, numbered
from diptych.media.video import probe, read_clip, read_frames
from diptych.types import InputError

DURATIONS = (40, 120, 33, 33, 500)


@pytest.fixture
def animation(tmp_path):
    path = tmp_path / "dance.webp"
    pictures = [Image.fromarray(numbered(i, 62, 46)) for i in range(len(DURATIONS))]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=list(DURATIONS), lossless=True)
    return path


def test_frames_and_times_are_the_files(animation):
    frames = list(read_frames(animation))
    assert [number_of(f.pixels) for f in frames] == list(range(5))
    assert [f.duration for f in frames] == [Fraction(d, 1000) for d in DURATIONS]
    assert [f.time for f in frames] == [Fraction(sum(DURATIONS[:i]), 1000) for i in range(5)]
    info = probe(animation)
    assert (info.width, info.height, info.frames, info.has_audio) == (62, 46, 5, False)
    assert info.duration == Fraction(sum(DURATIONS), 1000)
    assert read_clip(animation, max_frames=2).frames.shape == (2, 46, 62, 3)


def test_transparency_shows_the_background(tmp_path):
    path = tmp_path / "cut.webp"
    layers = [np.zeros((20, 20, 4), np.uint8) for _ in range(3)]
    for i, layer in enumerate(layers):
        layer[:, i * 5 : i * 5 + 5] = (200, 30, 30, 255)
    pictures = [Image.fromarray(layer) for layer in layers]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=50, lossless=True)
    frames = [f.pixels for f in read_frames(path, background=(0, 0, 255))]
    for i, pixels in enumerate(frames):
        assert tuple(pixels[10, i * 5 + 2]) == (200, 30, 30)
        assert tuple(pixels[10, 17]) == (0, 0, 255)


def test_what_is_no_animation_is_refused_by_name(tmp_path, animation):
    still = tmp_path / "still.webp"
    Image.fromarray(numbered(1, 20, 20)).save(still)
    short = tmp_path / "short.webp"
    short.write_bytes(animation.read_bytes()[:-40])
    torn = tmp_path / "torn.webp"
    data = bytearray(animation.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 60] = bytes(60)
    torn.write_bytes(data)
    for path, says in ((still, "does not move"), (short, "cut short"), (torn, "torn.webp")):
        with pytest.raises(InputError, match=says):
            list(read_frames(path))
