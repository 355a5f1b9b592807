"""What is in a file from outside, and views of it that a page may show; found in a process of its own.

A file that brings a decoder down ends that process and nothing else, and a page shows what was written here, never the
bytes that somebody brought. Nothing heavy is imported before such a process runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice, takewhile
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from diptych.recipes.beside import Refused, Worker
from diptych.types import InputError

Kind = Literal["picture", "video"]

_VIEW_SIDE = 640
_VIEW_SECONDS, _VIEW_FRAMES = 6, 240
_LONGEST_LOOK_S = 60.0


@dataclass(frozen=True)
class Seen:
    """What an examined file holds, for people; views of it lie in its folder.

    Attributes:
        width: pixels.
        height: pixels.
        fps: of a video.
        seconds: of a video, where it says so.
        frames: of a video, where it says so.
        sound: whether a video has any.
    """

    width: int
    height: int
    fps: float | None = None
    seconds: float | None = None
    frames: int | None = None
    sound: bool = False


class Examiner:
    """Looks at uploads, one at a time, in a process of its own that is replaced when it dies or takes too long."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._worker: Worker | None = None
        self._lock = Lock()

    def __call__(self, kind: Kind, path: Path, into: Path) -> Seen:
        """What is in a file; ``view.png``, and for videos ``view.mp4``, are written for the page.

        Args:
            kind: what it should be.
            path: the file, relative to the folder of all runs.
            into: where the views go, likewise.

        Raises:
            InputError: it is not that, or cannot be read.
        """
        with self._lock:
            if self._worker is None:
                self._worker = Worker.start(_examiner, self._folder)
            try:
                self._worker.pipe.send((kind, path, into))
                word = self._worker.pipe.recv() if self._worker.pipe.poll(_LONGEST_LOOK_S) else None
            except (EOFError, OSError):
                word = None
            if word is None:
                self._worker.end()
                self._worker = None
                raise InputError(f"{path} cannot be read in reasonable time and memory; convert it to an H.264 mp4.")
        if isinstance(word, Refused):
            raise InputError(word.sentence)
        assert isinstance(word, Seen)
        return word

    def close(self) -> None:
        """Ends the process."""
        with self._lock:
            if self._worker is not None:
                self._worker.end()
                self._worker = None


def _examiner(pipe: Connection) -> None:
    while True:
        kind, path, into = pipe.recv()
        try:
            pipe.send(_picture_seen(path, into) if kind == "picture" else _video_seen(path, into))
        except InputError as error:
            pipe.send(Refused(str(error)))


def _picture_seen(path: Path, into: Path) -> Seen:
    from diptych.media.image import read_image, write_image

    picture = read_image(path)
    height, width = picture.shape[:2]
    write_image(into / "view.png", _reduced(picture))
    return Seen(width, height)


def _video_seen(path: Path, into: Path) -> Seen:
    from diptych.media.image import write_image
    from diptych.media.video import VideoWriter, probe, read_frames

    info = probe(path)
    frames = takewhile(lambda frame: frame.time - info.start < _VIEW_SECONDS, read_frames(path))
    first = next(frames)  # that there is one is what probing shows
    small = _reduced(first.pixels, even=True)
    write_image(into / "view.png", small)
    tick = Fraction(1, info.time_base.denominator)
    height, width = small.shape[:2]
    with VideoWriter(into / "view.mp4", width, height, time_base=tick, crf=26, threads=1) as view:
        for frame in chain([first], islice(frames, _VIEW_FRAMES - 1)):
            view.write(_reduced(frame.pixels, even=True), frame.time - info.start, frame.duration)
    seconds = None if info.duration is None else round(float(info.duration), 3)
    return Seen(info.width, info.height, round(float(info.average_fps), 3), seconds, info.frames, info.has_audio)


def _reduced(picture: Any, even: bool = False) -> Any:
    """No larger than a page shows; for videos with even sides."""
    from diptych.media.frame import resize

    height, width = picture.shape[:2]
    scale = min(1.0, _VIEW_SIDE / max(height, width))
    step = 2 if even else 1
    wide, high = (max(step, step * round(side * scale / step)) for side in (width, height))
    return picture if (high, wide) == (height, width) else resize(picture, wide, high)
