"""The way of a sound track from one file into another: packet for packet, or re-encoded where that is impossible."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from math import ceil
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from diptych.media.decode import DAMAGE, opened_media
from diptych.types import InputError

# What the AAC standard knows; anything else is resampled to 48 kHz.
_AAC_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000})


class SoundTrack:
    """The first sound track of an open file, on its way into another file.

    Attributes:
        rate: samples per second in the new file.
        note: one sentence if the track has to be re-encoded, else None.
    """

    def __init__(
        self,
        path: Path,
        container: InputContainer,
        stream: AudioStream,
        into: str,
        delay: Fraction,
        part: tuple[Fraction, Fraction | None] | None,
    ) -> None:
        self._path = path
        self._container = container
        self._source = stream
        self._delay = delay
        self._part = part
        self._copied = part is None and _fits(stream, into)
        self._target: AudioStream | None = None
        rate = stream.codec_context.sample_rate
        self.rate = rate if self._copied or rate in _AAC_RATES else 48_000
        name = stream.codec_context.codec.canonical_name
        reason = f"does not fit into {into}" if part is None else "is cut to the sample"
        self.note = None if self._copied else f"the sound of {path} ({name}) {reason}: re-encoded to AAC."

    def attach(self, container: OutputContainer) -> None:
        """Add a stream for the track to the new file; before its first packet."""
        if self._copied:
            self._target = container.add_stream_from_template(self._source)
        else:
            self._target = container.add_stream("aac", rate=self.rate)
            self._target.codec_context.layout = "mono" if self._source.codec_context.channels == 1 else "stereo"

    def delay_more(self, delay: Fraction) -> None:
        """Shift what has not been read yet by so many seconds."""
        self._delay += delay

    def packets(self) -> Iterator[Packet[AudioStream]]:
        """Read the track.

        Yields:
            Packets for the stream that ``attach`` added, in order of their decode times, which are never None.

        Raises:
            InputError: the track is damaged.
        """
        packets = self._copies() if self._copied else self._encoded()
        try:
            for packet in packets:
                assert self._target is not None, "attach comes first"
                packet.stream = self._target
                yield packet
        except DAMAGE as error:
            raise InputError(f"the sound of {self._path} is damaged; export it again or mute it.") from error

    def _copies(self) -> Iterator[Packet[AudioStream]]:
        tick = self._source.time_base or Fraction(1, self.rate)
        # Two packets may not share a decode time in the new file, whose tick is one sample.
        step = max(1, ceil(Fraction(1, self.rate) / tick))
        last: int | None = None
        for packet in self._container.demux(self._source):
            if packet.size == 0:  # the reader's end mark
                continue
            shift = round(self._delay / tick)
            dts = packet.dts if packet.dts is not None else packet.pts
            if dts is None:
                dts = 0 if last is None else last + (packet.duration or step)
            else:
                dts += shift
            if last is not None:
                dts = max(dts, last + step)
            packet.pts = dts if packet.pts is None else max(dts, packet.pts + shift)
            packet.dts = last = dts
            yield packet

    def _encoded(self) -> Iterator[Packet[AudioStream]]:
        assert self._target is not None, "attach comes first"
        encoder = self._target
        delay = round(self._delay * self.rate)
        for start, block in self._blocks():
            block.pts, block.time_base = start + delay, Fraction(1, self.rate)
            yield from encoder.encode(block)
        yield from encoder.encode(None)

    def _blocks(self) -> Iterator[tuple[int, AudioFrame]]:
        """The sound that is taken, in the new rate, and where each block starts in the file's time, in samples."""
        assert self._target is not None, "attach comes first"
        layout = self._target.codec_context.layout.name
        resampler = AudioResampler(format="fltp", layout=layout, rate=self.rate)
        begin, end = self._part or (None, None)
        first = None if begin is None else round(begin * self.rate)
        stop = None if end is None else round(end * self.rate)
        clock: int | None = None  # gaps in the source are closed, its start is kept
        for packet in self._container.demux(self._source):
            for frame in packet.decode():
                if clock is None:
                    clock = round((frame.pts or 0) * (self._source.time_base or Fraction(0)) * self.rate)
                for block in resampler.resample(frame):
                    start, clock = clock, clock + block.samples
                    low = 0 if first is None else max(0, first - start)
                    high = block.samples if stop is None else min(block.samples, stop - start)
                    if low == 0 and high == block.samples:
                        yield start, block
                    elif low < high:
                        samples = np.ascontiguousarray(block.to_ndarray()[:, low:high], np.float32)
                        piece = AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
                        piece.sample_rate = self.rate
                        yield start + low, piece
                if stop is not None and clock is not None and clock >= stop:
                    return


@contextmanager
def opened_sound(
    path: Path, into: str, delay: Fraction, part: tuple[Fraction, Fraction | None] | None = None
) -> Iterator[SoundTrack | None]:
    """Open the first sound track of a file.

    Args:
        path: a media file.
        into: libav's name of the new file's format, ``mp4`` or ``mov``.
        delay: seconds by which the sound comes later in the new file, rounded to the track's tick.
        part: only what sounds from the first to the second of these times of the file, in seconds; None takes all.

    Yields:
        The track, or None if the file has no sound.

    Raises:
        InputError: the file cannot be opened.
    """
    with opened_media(path) as container:
        streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
        yield SoundTrack(path, container, streams[0], into, delay, part) if streams else None


def _fits(stream: AudioStream, into: str) -> bool:
    """Whether the format takes the codec with just these parameters: libav is asked to write such a header."""
    trial = av.open(io.BytesIO(), mode="w", format=into)
    try:
        trial.add_stream_from_template(stream)
        trial.start_encoding()
    except DAMAGE:
        return False
    finally:
        # A file without packets may be refused at its end, which says nothing about the header.
        with suppress(*DAMAGE):
            trial.close()
    return True
