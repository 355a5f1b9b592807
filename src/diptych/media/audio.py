"""The way of a sound track from one file into another: packet for packet, or re-encoded where that is impossible."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from math import ceil
from pathlib import Path

import av
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

    def __init__(self, path: Path, container: InputContainer, stream: AudioStream, into: str, delay: Fraction) -> None:
        self._path = path
        self._container = container
        self._source = stream
        self._delay = delay
        self._copied = _fits(stream, into)
        self._target: AudioStream | None = None
        rate = stream.codec_context.sample_rate
        self.rate = rate if self._copied or rate in _AAC_RATES else 48_000
        name = stream.codec_context.codec.canonical_name
        self.note = (
            None if self._copied else f"the sound of {path} ({name}) does not fit into {into}: re-encoded to AAC."
        )

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
        context = encoder.codec_context
        resampler = AudioResampler(format="fltp", layout=context.layout.name, rate=self.rate)
        clock: int | None = None  # in samples; gaps in the source are closed, its start is kept
        for packet in self._container.demux(self._source):
            for frame in packet.decode():
                if clock is None:
                    start = (frame.pts or 0) * (self._source.time_base or Fraction(0)) + self._delay
                    clock = round(start * self.rate)
                for block in resampler.resample(frame):
                    block.pts, block.time_base = clock, Fraction(1, self.rate)
                    clock += block.samples
                    yield from encoder.encode(block)
        yield from encoder.encode(None)


@contextmanager
def opened_sound(path: Path, into: str, delay: Fraction) -> Iterator[SoundTrack | None]:
    """Open the first sound track of a file.

    Args:
        path: a media file.
        into: libav's name of the new file's format, ``mp4`` or ``mov``.
        delay: seconds by which the sound comes later in the new file, rounded to the track's tick.

    Yields:
        The track, or None if the file has no sound.

    Raises:
        InputError: the file cannot be opened.
    """
    with opened_media(path) as container:
        streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
        yield SoundTrack(path, container, streams[0], into, delay) if streams else None


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
