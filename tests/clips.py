"""Made clips: small video files whose every frame says which it is, in the codecs and clocks that people's files have.

Written with libav directly, not with the room's own writer, B-frames and all: what is read from them is an independent
answer.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

_COLUMNS, _ROWS = 4, 3  # a grid of bits: 4096 frames can be told apart, however hard they are compressed


def numbered(index: int, width: int, height: int) -> NDArray[np.uint8]:
    """Frame ``index``: its number as a grid of dark and light cells, RGB, uint8, ``(height, width, 3)``."""
    bits = np.array([(index >> bit) & 1 for bit in range(_COLUMNS * _ROWS)]).reshape(_ROWS, _COLUMNS)
    rows = np.arange(height) * _ROWS // height
    columns = np.arange(width) * _COLUMNS // width
    grey = np.where(bits[rows][:, columns], 215, 40).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def number_of(pixels: NDArray[np.uint8]) -> int:
    """The index that ``numbered`` drew."""
    height, width = pixels.shape[:2]
    number = 0
    for bit in range(_COLUMNS * _ROWS):
        row, column = divmod(bit, _COLUMNS)
        y, x = (2 * row + 1) * height // (2 * _ROWS), (2 * column + 1) * width // (2 * _COLUMNS)
        number |= int(pixels[y, x].mean() > 127) << bit
    return number


def steady(count: int, ticks: int, start: int = 0) -> tuple[int, ...]:
    """Ticks of ``count`` frames at a constant rate, and the end of the last."""
    return tuple(start + i * ticks for i in range(count + 1))


def uneven(count: int, longest: int, start: int = 0, seed: int = 0) -> tuple[int, ...]:
    """Ticks of ``count`` frames that last 1 to ``longest`` ticks each, and the end of the last."""
    gaps = np.random.default_rng(seed).integers(1, longest + 1, count)
    return (start, *(int(start + end) for end in np.cumsum(gaps)))


@dataclass(frozen=True)
class Sound:
    """A tone.

    Attributes:
        codec: libav's name of the encoder.
        rate: samples per second.
        seconds: length.
        layout: ``mono`` or ``stereo``.
        start: samples before the first.
    """

    codec: str = "aac"
    rate: int = 44_100
    seconds: float = 1.0
    layout: str = "stereo"
    start: int = 0


@dataclass(frozen=True)
class Made:
    """A recipe for a file.

    Attributes:
        name: file name; its suffix chooses the container.
        ticks: the time of every frame and the end of the last, in ticks; empty for a file without a picture.
        time_base: seconds per tick.
        codec: libav's name of the encoder.
        width: pixels.
        height: pixels.
        pix_fmt: of the coded picture.
        options: of the encoder.
        sound: or None.
        container_options: of the container.
    """

    name: str
    ticks: tuple[int, ...] = steady(12, 1)
    time_base: Fraction = Fraction(1, 25)
    codec: str = "libx264"
    width: int = 64
    height: int = 48
    pix_fmt: str = "yuv420p"
    options: dict[str, str] = field(default_factory=lambda: {"crf": "20", "preset": "veryfast"})
    sound: Sound | None = None
    container_options: dict[str, str] = field(default_factory=dict)

    @property
    def times(self) -> tuple[Fraction, ...]:
        """Seconds of every frame."""
        return tuple(tick * self.time_base for tick in self.ticks[:-1])

    @property
    def last_duration(self) -> Fraction:
        """Seconds that the last frame is shown."""
        return (self.ticks[-1] - self.ticks[-2]) * self.time_base


def make(folder: Path, made: Made) -> Path:
    """Write the file of a recipe into a folder."""
    path = folder / made.name
    with av.open(str(path), "w", container_options=made.container_options) as container:
        video = None
        if made.ticks:
            video = container.add_stream(made.codec, rate=25)
            video.codec_context.width, video.codec_context.height = made.width, made.height
            video.codec_context.pix_fmt = made.pix_fmt
            video.codec_context.time_base = video.time_base = Fraction(1, made.time_base.denominator)
            video.codec_context.options = made.options
        audio = container.add_stream(made.sound.codec, rate=made.sound.rate) if made.sound else None
        if audio is not None and made.sound is not None:
            audio.codec_context.layout = made.sound.layout
        if video is not None:
            _pictures(container, video, made)
        if audio is not None and made.sound is not None:
            _tone(container, audio, made.sound)
    return path


def _pictures(container: Any, video: Any, made: Made) -> None:
    scale = made.time_base.numerator
    ends = dict(zip((t * scale for t in made.ticks), (t * scale for t in made.ticks[1:]), strict=False))

    def mux(packets: list[Any]) -> None:
        for packet in packets:
            packet.duration = ends[packet.pts] - packet.pts
            container.mux(packet)

    for index, tick in enumerate(made.ticks[:-1]):
        frame = av.VideoFrame.from_ndarray(numbered(index, made.width, made.height), format="rgb24")
        frame.pts, frame.time_base = tick * scale, Fraction(1, made.time_base.denominator)
        mux(video.encode(frame))
    mux(video.encode(None))


def _tone(container: Any, audio: Any, sound: Sound) -> None:
    wave = 0.3 * np.sin(np.arange(int(sound.rate * sound.seconds)) * 0.05).astype(np.float32)
    channels = 1 if sound.layout == "mono" else 2
    for first in range(0, len(wave), 1000):
        block = np.repeat(wave[None, first : first + 1000], channels, axis=0)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=sound.layout)
        frame.sample_rate, frame.pts = sound.rate, sound.start + first
        frame.time_base = Fraction(1, sound.rate)
        container.mux(audio.encode(frame))
    container.mux(audio.encode(None))


def set_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Overwrite the display matrix of an MP4's first track, as a phone writes it: (x, y) goes to (ax + cy, bx + dy)."""
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd")
    offset = header + (4 + 40 if data[header + 4] == 0 else 4 + 52)
    one = 1 << 16
    data[offset : offset + 36] = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def sound_packets(path: Path) -> list[tuple[Fraction, bytes]]:
    """Time and bytes of every packet of the first sound track."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in packets]
