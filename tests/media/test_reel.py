"""Frames in parts: each frame once, in order, and what the page unpacks is what the video shows."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clips import Made, make, number_of, steady
from diptych.media import reel
from diptych.media.image import write_image
from diptych.media.reel import PART, Reel
from diptych.types import InputError


def unpacked(packed: bytes) -> list[np.ndarray]:
    """The frames of a part, as the page's script takes it apart."""
    frames, at = [], 0
    while at < len(packed):
        length = int.from_bytes(packed[at : at + 4], "big")
        frames.append(np.asarray(Image.open(io.BytesIO(packed[at + 4 : at + 4 + length]))))
        at += 4 + length
    return frames


@pytest.mark.parametrize("count", [1, PART - 1, PART, PART + 1, 3 * PART])
def test_every_frame_once_and_in_order(tmp_path: Path, count: int) -> None:
    film = Reel(make(tmp_path, Made("a.mp4", ticks=steady(count, 1))))
    parts, number = [], 0
    while len(frames := unpacked(film.part(number))) == PART:
        parts.append(frames)
        number += 1
    shown = [frame for part in [*parts, frames] for frame in part]
    assert [number_of(frame) for frame in shown] == list(range(count))
    assert film.part(number + 5) == b""


def test_parts_may_be_asked_for_in_any_order_and_again(tmp_path: Path) -> None:
    film = Reel(make(tmp_path, Made("a.mp4", ticks=steady(2 * PART + 3, 1))))
    last = film.part(2)
    assert [number_of(f) for f in unpacked(last)] == [2 * PART, 2 * PART + 1, 2 * PART + 2]
    assert number_of(unpacked(film.part(0))[0]) == 0
    assert film.part(2) == last
    assert film.held == sum(len(film.part(i)) for i in range(3))


def test_a_picture_is_a_film_of_one_frame(tmp_path: Path) -> None:
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[:, 15:] = 200, 30, 30
    write_image(tmp_path / "a.png", picture)
    [shown] = unpacked(Reel(tmp_path / "a.png", still=True).part(0))
    assert np.abs(shown.astype(int) - picture).max() < 12


def test_large_pictures_are_shown_smaller_and_long_videos_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "a.png", np.full((40, 2560, 3), 90, np.uint8))
    [shown] = unpacked(Reel(tmp_path / "a.png", still=True).part(0))
    assert shown.shape == (20, 1280, 3)
    [shown] = unpacked(Reel(tmp_path / "a.png", side=320, still=True).part(0))
    assert shown.shape == (5, 320, 3)
    monkeypatch.setattr(reel, "LONGEST", 5)
    assert len(unpacked(Reel(make(tmp_path, Made("a.mp4"))).part(0))) == 5


def test_what_cannot_be_decoded_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\0" * 5000)
    with pytest.raises(InputError):
        Reel(tmp_path / "a.mp4").part(0)
