"""RGB frames with exact times into an H.264 file, with the driver's sound beside them.

Every frame is coded in the order of display (no B-frames). That costs about a quarter in size and buys time: decode
times equal display times, so each frame's duration is stored as it is, no edit list is needed to hide a negative start,
and every player agrees on when a frame is shown.

Public names are re-exported by ``diptych.media.video``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from math import lcm
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from diptych.files import writing_errors
from diptych.media.atomic import output_file
from diptych.media.audio import SoundTrack, opened_sound
from diptych.media.bounds import MAX_SIDE
from diptych.media.decode import DAMAGE
from diptych.types import Clip, InputError, Picture

_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"}

# Stored under names of their own; a file with any other key stores all of them as Apple's key-value pairs.
_PLAIN_KEYS = frozenset({"title", "artist", "date", "comment", "copyright", "description"})

# swscale's flags by number because older PyAV has no names for them: AREA, ACCURATE_RND. Chroma is the mean of its four
# pixels and rounded, not cut.
_TO_YUV = 0x20 | 0x40000

# AVColorPrimaries, AVColorTransferCharacteristic and AVColorSpace all call BT.709 number 1; limited range is 1 too.
_BT709 = 1
_LIMITED = 1

# x264's macroblock tree spreads values over the edge of frames that are no multiple of 16 wide, and what it finds there
# differs from run to run; without it the same frames give the same file.
_REPEATABLE = "mbtree=0"

_MAX_TIMESCALE = 2**31 - 1


def check_suffix(path: Path) -> None:
    """Refuses a name whose suffix says a format that is not written here, before any work is done for it.

    Raises:
        InputError: the suffix is none of ``.mp4``, ``.m4v`` and ``.mov``.
    """
    if path.suffix.lower() not in _FORMATS:
        raise InputError(f"{path} cannot be written in that format; give it a name that ends in .mp4 or .mov.")


class VideoWriter:
    """Writes frames one by one; the file appears under its name when the block ends without an error.

    Use as a context manager, from any one thread at a time. Frames go to a temporary file in the same folder, which is
    removed when anything fails. Memory does not grow with the number of frames.

    A first time before zero, which MP4 cannot store, moves the whole file (sound too) so that it starts at zero.

    Attributes:
        notes: sentences for the user about what could not be kept as it was; complete when the block has ended.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        *,
        time_base: Fraction,
        audio_from: Path | None = None,
        audio_delay: Fraction = Fraction(0),
        audio_part: tuple[Fraction, Fraction | None] | None = None,
        metadata: Mapping[str, str] | None = None,
        crf: float = 16,
        preset: str = "fast",
        threads: int = 0,
    ) -> None:
        """Take the settings; nothing is opened before the block begins.

        Args:
            path: the file to write: ``.mp4``, ``.m4v`` or ``.mov``.
            width: pixels, even.
            height: pixels, even.
            time_base: all times and durations are multiples of it, best the driver's own.
            audio_from: the file whose first sound track is copied, packet for packet; re-encoded to AAC, with a note,
                if the format does not take its codec. A file without sound is fine.
            audio_delay: seconds by which the sound comes later than in its file.
            audio_part: only what sounds between these two times of its file, in seconds; it is re-encoded then, to the
                sample. None takes all.
            metadata: keys and values for the container, such as ``comment``.
            crf: x264's quality, 0 (lossless in YUV) to 51; 16 is hard to tell from the original.
            preset: x264's speed.
            threads: encoder threads, 0 for one per core. The same number gives the same bytes.

        Raises:
            ValueError: odd or impossible size, or a time base that MP4 cannot hold.
            InputError: the suffix is none of the above.
        """
        if width % 2 or height % 2 or not (2 <= width <= MAX_SIDE and 2 <= height <= MAX_SIDE):
            raise ValueError(f"frames of {width} x {height}: H.264 in 4:2:0 needs even sides of 2 to {MAX_SIDE} pixels")
        if time_base <= 0 or time_base.denominator > _MAX_TIMESCALE:
            raise ValueError(f"a time base of {time_base} s cannot be stored")
        check_suffix(path)
        self._path = path
        self._format = _FORMATS[path.suffix.lower()]
        self._size = width, height
        self._rate = time_base.denominator  # ticks per second
        self._audio_from = audio_from
        self._audio_delay = audio_delay
        self._audio_part = audio_part
        self._metadata = dict(metadata or {})
        self._options = {"crf": str(crf), "preset": preset, "bf": "0", "x264-params": _REPEATABLE}
        self._threads = threads
        self._scaler = VideoReformatter()
        self._durations: dict[int, int] = {}  # of frames inside the encoder, by their time, all in ticks
        self._last: int | None = None
        self._shift = 0
        self._sound: SoundTrack | None = None
        self._sound_packets: Iterator[Packet[AudioStream]] = iter(())
        self._next_sound: Packet[AudioStream] | None = None
        self._stack = ExitStack()
        self.notes: tuple[str, ...] = ()

    def __enter__(self) -> VideoWriter:
        """Open the temporary file and the sound.

        Raises:
            InputError: the place cannot be written to, or the sound's file cannot be opened or is the output itself.
        """
        with ExitStack() as stack:
            if self._audio_from is not None:
                opened = opened_sound(self._audio_from, self._format, self._audio_delay, self._audio_part)
                self._sound = stack.enter_context(opened)
            temporary = stack.enter_context(output_file(self._path))
            if self._audio_from is not None and self._path.exists() and self._path.samefile(self._audio_from):
                raise InputError(f"{self._path} is both input and output; choose another name for the output.")
            self._container: OutputContainer = av.open(
                str(temporary), mode="w", format=self._format, container_options=self._container_options()
            )
            self._container.metadata.update(self._metadata)
            self._stack = stack.pop_all()
        return self

    def write(self, pixels: Picture, time: Fraction, duration: Fraction) -> None:
        """Append one frame.

        Args:
            pixels: RGB, uint8, ``(height, width, 3)``.
            time: when it is shown, seconds, after the frame before.
            duration: for how long, seconds, above 0. Only the last frame's is stored; before that, frames last until
                the next one.

        Raises:
            ValueError: wrong shape or dtype, time not rising or not a multiple of the time base.
            InputError: the file cannot be written (full disk), or the sound is damaged.
        """
        width, height = self._size
        if pixels.shape != (height, width, 3) or pixels.dtype != np.uint8:
            raise ValueError(f"a frame of {pixels.shape} {pixels.dtype}, expected {(height, width, 3)} uint8")
        tick, ticks = self._ticks(time), self._ticks(duration)
        if ticks <= 0:
            raise ValueError(f"a frame that lasts {duration} s")
        if self._last is None:
            self._begin(tick, duration)
        elif tick + self._shift <= self._last:
            raise ValueError(f"frames must rise in time: {time} s is not after the frame before")
        tick += self._shift
        self._last = tick
        self._durations[tick] = ticks
        frame = self._scaler.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24"),
            format="yuv420p",
            src_colorspace=int(Colorspace.ITU709),
            dst_colorspace=int(Colorspace.ITU709),
            src_color_range=int(ColorRange.JPEG),
            dst_color_range=int(ColorRange.MPEG),
            interpolation=_TO_YUV,
        )
        frame.pts, frame.time_base = tick, Fraction(1, self._rate)
        with _failing(self._path):
            packets = self._video.encode(frame)
        self._mux(packets)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file, or remove it if the block failed.

        Raises:
            ValueError: no frame was written.
            InputError: the file cannot be written (full disk), or the sound is damaged.
        """
        if error is not None:
            self._abandon()
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            try:
                self._finish()
            except BaseException:
                self._abandon()
                raise

    def _finish(self) -> None:
        if self._last is None:
            raise ValueError(f"{self._path}: no frame was written")
        with _failing(self._path):
            packets = self._video.encode(None)
        self._mux(packets)
        self._mux_sound(until=None)
        with _failing(self._path):
            self._container.close()
        if self._sound is not None and self._sound.note:
            self.notes += (self._sound.note,)

    def _abandon(self) -> None:
        """Close a file that failed: libav's complaints about its state are of no use to anyone."""
        with suppress(*DAMAGE):
            self._container.close()

    def _container_options(self) -> dict[str, str]:
        # The movie's own clock (edit lists: when each track starts) ticks by the millisecond unless told otherwise.
        rates = [self._rate] if self._sound is None else [self._rate, self._sound.rate]
        movie = lcm(*rates)
        flags = "+faststart"
        if not self._metadata.keys() <= _PLAIN_KEYS:
            flags += "+use_metadata_tags"
        return {"movflags": flags, "movie_timescale": str(movie if movie <= _MAX_TIMESCALE else self._rate)}

    def _begin(self, tick: int, duration: Fraction) -> None:
        """Open the encoder, which wants to know about how fast frames come, and the sound."""
        if tick < 0:
            self._shift = -tick
            shift = Fraction(-tick, self._rate)
            self.notes += (f"the first frame's time is {-float(shift):g} s; everything is moved to start at 0.",)
            if self._sound is not None:
                self._sound.delay_more(shift)
        video = self._container.add_stream("libx264", rate=_plausible_rate(duration))
        context = video.codec_context
        context.width, context.height = self._size
        context.pix_fmt = "yuv420p"
        context.time_base = video.time_base = Fraction(1, self._rate)
        context.color_range = _LIMITED
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.options = self._options
        context.thread_count = self._threads
        self._video: VideoStream = video
        if self._sound is not None:
            self._sound.attach(self._container)
            self._sound_packets = self._sound.packets()
            self._next_sound = next(self._sound_packets, None)

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            assert packet.pts is not None
            packet.duration = self._durations.pop(packet.pts)
            self._mux_sound(until=Fraction(packet.pts, self._rate))
            with _failing(self._path):
                self._container.mux(packet)

    def _mux_sound(self, until: Fraction | None) -> None:
        """Write the sound that comes before a time, so that little of either track waits in memory for the other."""
        while (packet := self._next_sound) is not None:
            assert packet.dts is not None
            if until is not None and packet.dts * packet.time_base > until:
                return
            with _failing(self._path):
                self._container.mux(packet)
            self._next_sound = next(self._sound_packets, None)

    def _ticks(self, seconds: Fraction) -> int:
        ticks = seconds * self._rate
        if ticks.denominator != 1:
            raise ValueError(f"{seconds} s is not a multiple of the time base 1/{self._rate} s")
        return ticks.numerator


@contextmanager
def _failing(path: Path) -> Iterator[None]:
    """Libav's errors while writing, as sentences."""
    try:
        with writing_errors(path):
            yield
    except av.error.FFmpegError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise InputError(f"{path} cannot be written ({reason}); try another size or leave the sound out.") from error


def _plausible_rate(duration: Fraction) -> Fraction:
    """Frames per second as the encoder is told: it sets the level from it and paces its look-ahead, no time."""
    return min(max(1 / duration, Fraction(1, 60)), Fraction(480)).limit_denominator(1001)


def write_clip(
    path: Path, clip: Clip, *, metadata: Mapping[str, str] | None = None, crf: float = 16, preset: str = "fast"
) -> tuple[str, ...]:
    """Write a clip with its own times and, if it has any, its sound.

    Args:
        path: the file to write: ``.mp4``, ``.m4v`` or ``.mov``.
        clip: frames of even width and height.
        metadata: keys and values for the container.
        crf: as for ``VideoWriter``.
        preset: as for ``VideoWriter``.

    Returns:
        Notes for the user, empty if everything was kept as it was.

    Raises:
        ValueError: odd or impossible size, or times that have no common tick that MP4 can hold.
        InputError: the file cannot be written or the sound cannot be read.
    """
    height, width = clip.frames.shape[1:3]
    ends = (*clip.times[1:], clip.times[0] + clip.duration)
    tick = Fraction(1, lcm(*(time.denominator for time in (*clip.times, ends[-1]))))
    writer = VideoWriter(
        path, width, height, time_base=tick, audio_from=clip.audio, metadata=metadata, crf=crf, preset=preset
    )
    with writer:
        for pixels, time, end in zip(clip.frames, clip.times, ends, strict=True):
            writer.write(pixels, time, end - time)
    return writer.notes
