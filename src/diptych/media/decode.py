"""A video file as a stream of upright RGB frames with exact times.

One frame is in memory at a time (plus the few the decoder holds), so a ten-minute driver costs no more than a short
one.
Public names are re-exported by ``diptych.media.video``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from diptych.media.bounds import MAX_PIXELS, check_size
from diptych.media.timed import TimedFrame, VideoInfo
from diptych.media.webp import is_webp, webp_frames, webp_info
from diptych.media.whole import refuse_if_cut_short
from diptych.types import Clip, Frames, InputError, Picture

# libav prints to the terminal behind Python's back; what matters reaches the user as an InputError.
av.logging.set_level(None)

# Containers only. Without the list libav would also take playlists (and fetch what they name), pictures and plain text,
# which it renders as a film of a terminal.
_CONTAINERS = "mov,matroska,avi,gif,apng,mpegts,mpeg,flv,ogg,asf,mxf,dv,ivf,nut,yuv4mpegpipe"

# swscale's flags by number because older PyAV has no names for them: BICUBIC, FULL_CHR_H_INT, ACCURATE_RND. Without the
# last two every channel comes back one to two levels too dark, and edges of colour are blocks of two pixels.
_TO_RGB = 0x4 | 0x2000 | 0x40000

# AVColorSpace of a decoded frame -> swscale's matrix. What is missing here (unspecified, exotic) is decided by size.
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: 9,  # BT.2020, without a name in older PyAV
    10: 9,
}
_FULL_RANGE = 2

# Anything PyAV lets out of a damaged file. Its own classes cover libav's codes, the rest is raised by its Python side.
DAMAGE = (av.error.FFmpegError, ValueError, OverflowError, MemoryError, EOFError)


def probe(path: Path) -> VideoInfo:
    """Read what a video file declares, and its first frame to be sure of the displayed size.

    Args:
        path: a video file.

    Returns:
        The file's facts.

    Raises:
        InputError: the file is missing, empty, cut short, not a video, sound only, too large, or cannot be decoded.
    """
    if is_webp(path):
        return webp_info(path)
    with _opened(path) as (container, stream):
        first = next(_decoded(container, stream, path), None)
        if first is None:
            raise InputError(f"{path} holds no frames; record or export it again.")
        turn = _turn(first)
        width, height = _square_size(first, stream)
        if turn.swap:
            width, height = height, width
        tick = _tick(stream)
        duration = None
        if stream.duration:
            duration = stream.duration * tick
        elif container.duration:
            duration = Fraction(container.duration, 1_000_000)
        return VideoInfo(
            path=path,
            width=width,
            height=height,
            time_base=tick,
            average_fps=_average_fps(stream, duration),
            frames=stream.frames or None,
            duration=duration,
            has_audio=any(other.codec_context is not None for other in container.streams.audio),
            rotation=turn.degrees,
            start=Fraction(0) if first.pts is None else first.pts * tick,
        )


def read_frames(path: Path, *, background: tuple[int, int, int] = (255, 255, 255)) -> Iterator[TimedFrame]:
    """Decode a video frame by frame in the order of display.

    Times are the file's own: a start other than zero stays, gaps stay, and what an edit list cuts is not given. Frames
    without a time of their own follow the one before. Two frames at one time, which only broken files have, are set one
    tick apart, so that times always rise and no frame is lost.

    Args:
        path: a video file.
        background: RGB put behind transparent pixels.

    Yields:
        Every frame once. Each is given when its successor is decoded, because that one's time ends it.

    Raises:
        InputError: as ``probe``, and where a frame cannot be decoded or the picture changes its size. Raised when the
            first or the damaged frame is asked for.
    """
    if is_webp(path):
        yield from webp_frames(path, background)
        return
    with _opened(path) as (container, stream):
        tick = _tick(stream)
        show = _Show(path, stream, background)
        waiting: TimedFrame | None = None
        gap = Fraction(0)
        for frame in _decoded(container, stream, path):
            pixels = show(frame)
            time = None if frame.pts is None else frame.pts * tick
            own = (frame.duration or 0) * tick
            if waiting is not None:
                if time is None:
                    time = waiting.time + (waiting.duration or tick)
                time = max(time, waiting.time + tick)
                gap = time - waiting.time
                yield TimedFrame(waiting.pixels, waiting.time, gap)
            waiting = TimedFrame(pixels, time or Fraction(0), own)
        if waiting is None:
            raise InputError(f"{path} holds no frames; record or export it again.")
        own = _declared_rest(container, stream, waiting.time) or waiting.duration
        yield TimedFrame(waiting.pixels, waiting.time, own or gap or _rest(stream, waiting.time))


def frame_times(path: Path) -> list[Fraction]:
    """When each frame is shown, in seconds, without decoding any; for files whose frames all have a time of their own.

    Raises:
        InputError: as ``probe``.
    """
    with _opened(path) as (container, stream):
        tick = _tick(stream)
        try:
            return sorted(packet.pts * tick for packet in container.demux(stream) if packet.pts is not None)
        except DAMAGE as error:
            raise InputError(f"{path} is damaged; record or export it again.") from error


def read_clip(path: Path, *, max_frames: int | None = None) -> Clip:
    """Read a video, or its beginning, into memory.

    Args:
        path: a video file.
        max_frames: stop after this many frames; None reads all, so keep it for files known to be short.

    Returns:
        The frames with the file's own times. ``audio`` is the file itself if it has sound.

    Raises:
        InputError: as ``read_frames``.
        ValueError: ``max_frames`` is below 1.
    """
    if max_frames is not None and max_frames < 1:
        raise ValueError(f"max_frames is {max_frames}, at least 1 is needed")
    has_audio = probe(path).has_audio
    frames = list(islice(read_frames(path), max_frames))
    end = frames[-1].time + frames[-1].duration
    return Clip(
        frames=np.stack([frame.pixels for frame in frames]),
        times=tuple(frame.time for frame in frames),
        duration=end - frames[0].time,
        audio=path if has_audio else None,
    )


@contextmanager
def opened_media(path: Path) -> Iterator[InputContainer]:
    """Open a media file of any kind for reading, whole and local.

    Args:
        path: a file.

    Yields:
        libav's container, closed at the end of the block.

    Raises:
        InputError: the file is missing, not an ordinary file, empty, cut short or in no known container.
    """
    try:
        if not path.exists():
            raise InputError(f"{path} does not exist; check the spelling of the path.")
        if not path.is_file():
            raise InputError(f"{path} is not an ordinary file; give a video file.")
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty; record or export it again.")
        refuse_if_cut_short(path)
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}); check that you may read it.") from error
    try:
        container = av.open(
            # The prefix keeps a name such as "concat:a|b" from being read as a protocol.
            f"file:{path}",
            mode="r",
            options={
                "format_whitelist": _CONTAINERS,
                "protocol_whitelist": "file",
                "max_pixels": str(MAX_PIXELS),
            },
            metadata_errors="replace",
        )
    except DAMAGE as error:
        raise InputError(f"{path} is not a video that can be read; convert it to an H.264 mp4 first.") from error
    try:
        yield container
    finally:
        container.close()


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The file and its picture track, size checked."""
    with opened_media(path) as container:
        pictures = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
        if not pictures:
            raise InputError(f"{path} has no moving picture, only sound or a cover; give a video file.")
        stream = max(pictures, key=_area)
        if stream.codec_context is None:
            raise InputError(f"{path} is coded in a way that cannot be decoded here; convert it to an H.264 mp4 first.")
        check_size(path, stream.codec_context.width, stream.codec_context.height)
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        stream.thread_type = "AUTO"
        yield container, stream


def _area(stream: VideoStream) -> int:
    context = stream.codec_context
    return 0 if context is None else context.width * context.height


def _decoded(container: InputContainer, stream: VideoStream, path: Path) -> Iterator[VideoFrame]:
    """The track's frames; damage becomes an InputError that says where it is."""
    last: Fraction | None = None
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = packet.decode()
        except DAMAGE as error:
            if last is None and not isinstance(error, av.error.EOFError):
                # A recording that was cut out of a stream starts with frames whose references are not in the file.
                continue
            place = "at its beginning" if last is None else f"after {float(last):.2f} s"
            raise InputError(f"{path} is damaged {place}; export it again, or cut it before that point.") from error
        for frame in frames:
            if frame.pts is not None:
                last = frame.pts * _tick(stream)
            yield frame


def _tick(stream: VideoStream) -> Fraction:
    return stream.time_base or Fraction(1, 1000)


def _average_fps(stream: VideoStream, duration: Fraction | None) -> Fraction:
    declared = stream.average_rate or stream.guessed_rate or stream.base_rate
    if declared:
        return declared
    return stream.frames / duration if duration and stream.frames else Fraction(25)


def _declared_rest(container: InputContainer, stream: VideoStream, time: Fraction) -> Fraction | None:
    """Time from the last frame to the end of an MP4 or MOV track, where the track says when it ends.

    These files store the durations of frames in the order of decoding, so the last frame that is shown would be given
    that of another one wherever frames are reordered, and libav gives none at all where it drops hidden ones.
    """
    if "mov" not in container.format.name or not stream.duration:
        return None
    rest = ((stream.start_time or 0) + stream.duration) * _tick(stream) - time
    return rest if rest > 0 else None


def _rest(stream: VideoStream, time: Fraction) -> Fraction:
    """Time from the last frame to the end of its track, in whole ticks, where that frame has no duration of its own."""
    tick = _tick(stream)
    if stream.duration:
        rest = ((stream.start_time or 0) + stream.duration) * tick - time
        if rest > 0:
            return rest
    return max(1, round(1 / _average_fps(stream, None) / tick)) * tick


@dataclass(frozen=True)
class _Turn:
    """How a stored picture is turned for display: first transposed, then mirrored."""

    swap: bool = False
    mirror_x: bool = False
    mirror_y: bool = False
    degrees: int = 0

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.swap:
            pixels = pixels.swapaxes(0, 1)
        if self.mirror_x:
            pixels = pixels[:, ::-1]
        if self.mirror_y:
            pixels = pixels[::-1]
        return np.ascontiguousarray(pixels)


def _turn(frame: VideoFrame) -> _Turn:
    """Nearest of the eight turns and mirrors to the file's display matrix.

    The matrix maps a stored pixel (x right, y down) to ``(a x + c y, b x + d y)``.
    """
    # PyAV declares the mapping's keys as text; iterating gives the data themselves.
    sides: list[Any] = list(frame.side_data)
    matrix = next((bytes(side) for side in sides if side.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return _Turn()
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(np.int64)
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return _Turn(False, bool(a < 0), bool(d < 0), 180 if a < 0 else 0)
    return _Turn(True, bool(c < 0), bool(b < 0), 90 if b > 0 else 270)


def _square_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Stored width and height with the pixels made square, as players show them: the width changes."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    if not Fraction(1, 8) <= aspect <= 8:  # no camera makes these: a damaged header
        aspect = Fraction(1)
    return max(1, round(frame.width * aspect)), frame.height


class _Show:
    """Turns decoded frames of one track into upright RGB; holds the scaler so that its tables are made once."""

    def __init__(self, path: Path, stream: VideoStream, background: tuple[int, int, int]) -> None:
        self._path = path
        self._stream = stream
        self._background = np.array(background, np.uint16)
        self._scaler = VideoReformatter()
        self._stored: tuple[int, int] | None = None

    def __call__(self, frame: VideoFrame) -> Picture:
        if self._stored is None:
            self._stored = frame.width, frame.height
            self._size = _square_size(frame, self._stream)
            self._turn = _turn(frame)
            check_size(self._path, *self._size)
        if (frame.width, frame.height) != self._stored:
            old, new = self._stored, (frame.width, frame.height)
            raise InputError(
                f"{self._path} changes its size from {old[0]} x {old[1]} to {new[0]} x {new[1]} on the way; "
                "export it with one size."
            )
        transparent = any(component.is_alpha for component in frame.format.components)
        full = frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj") or frame.format.is_rgb
        high = frame.height >= 720 or frame.width >= 1280
        matrix = _MATRICES.get(frame.colorspace, Colorspace.ITU709 if high else Colorspace.ITU601)
        width, height = self._size
        try:
            shown = self._scaler.reformat(
                frame,
                width=width,
                height=height,
                format="rgba" if transparent else "rgb24",
                src_colorspace=int(matrix),
                dst_colorspace=int(matrix),
                src_color_range=int(ColorRange.JPEG if full else ColorRange.MPEG),
                dst_color_range=int(ColorRange.JPEG),
                interpolation=_TO_RGB,
            )
            pixels = np.asarray(shown.to_ndarray(), np.uint8)
        except DAMAGE as error:
            raise InputError(
                f"{self._path} has colours in a form that cannot be read ({frame.format.name}); "
                "convert it to an H.264 mp4 first."
            ) from error
        return self._turn(_over(pixels, self._background) if transparent else pixels)


def _over(rgba: NDArray[np.uint8], background: NDArray[np.uint16]) -> Frames:
    """Straight alpha over one colour, rounded."""
    alpha = rgba[..., 3:].astype(np.uint16)
    mixed = rgba[..., :3] * alpha + background * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)
