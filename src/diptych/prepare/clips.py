"""Clips from footage: found, cut where shots change, sifted, and written at one exact frame rate.

A clip is a window of 4k + 1 frames of one shot. Shots too short, windows too blurred or in which nothing moves, and
files that cannot be read are left out, each with its reason. Footage with a steady clock keeps its frames one for one
and its rate to the last digit; footage with a changing clock is resampled to the rate that most of it has, and its
record says which frame each new one shows.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from diptych.data.manifest import Entry, read_manifest
from diptych.files import sha256
from diptych.media.frame import resize
from diptych.media.image import write_image
from diptych.media.video import VideoWriter, probe, read_frames
from diptych.prepare.ledger import Dataset, Record
from diptych.prepare.shots import _LAG, Footage, measure, shots
from diptych.types import InputError, Picture

VIDEOS = frozenset(
    [
        *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".gif", ".webp", ".apng", ".mpg", ".mpeg", ".ts"),
        *(".mts", ".m2ts", ".flv", ".ogv", ".wmv", ".asf", ".mxf", ".dv", ".ivf", ".nut", ".y4m"),
    ]
)
"""Suffixes of what is looked at in a folder."""

POSES = (".safetensors", ".json", ".npz")
"""Suffixes of recorded poses, the likeliest first."""

RATES = tuple(
    Fraction(n, d)
    for n, d in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1))
) + tuple(Fraction(n) for n in (5, 8, 10, 12, 15, 16, 20, 100, 120))
"""Frame rates that cameras and films have; a measured one is taken for the nearest of these that fits."""

_STRIPS = 4  # pictures kept of what was dropped, per video
_STRIP_FRAMES, _STRIP_HEIGHT = 5, 96


@dataclass(frozen=True)
class ClipSettings:
    """Which clips are wanted.

    Attributes:
        min_frames: shortest clip.
        max_frames: longest clip; lengths are the largest 4k + 1 that fit.
        per_shot: most clips of one shot.
        max_side: longer side in pixels to which larger footage is scaled; None keeps its size.
        max_blur: median blur above which a clip is dropped, 0..1.
        min_motion: change in levels (0..255) of the liveliest twentieth of the picture below which it is a still.
    """

    min_frames: int = 49
    max_frames: int = 121
    per_shot: int = 1
    max_side: int | None = None
    max_blur: float = 0.65
    min_motion: float = 4.0


@dataclass(frozen=True)
class Source:
    """A video that clips are cut from.

    Attributes:
        path: of the file.
        name: path relative to the folder that was searched, with slashes.
        poses: file of poses recorded of it, or None.
        known: its entry in a manifest beside it, with words and poses that are exact, or None.
    """

    path: Path
    name: str
    poses: Path | None = None
    known: Entry | None = None

    @property
    def key(self) -> str:
        """Name of its items: readable, and of this source alone."""
        plain = re.sub(r"[^A-Za-z0-9_]+", "-", str(PurePosixPath(self.name).with_suffix(""))).strip("-")
        return f"{plain[-64:]}-{hashlib.sha256(self.name.encode()).hexdigest()[:6]}"

    def made_from(self) -> Record:
        """What the file is, as far as can be told without reading it."""
        stat = self.path.stat()
        return {"bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}


# --- finding footage ------------------------------------------------------------------------------------------------


def find_videos(place: Path, without: Path | None = None) -> list[Path]:
    """Every video in a folder and below, in order of name; or the one file that was named.

    Args:
        place: folder or file. Hidden files and folders are passed over.
        without: a folder to pass over: the dataset's own.

    Raises:
        InputError: if there is nothing there.
    """
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise InputError(f"{place} does not exist; name a folder of videos, or one video.")
    found = [
        path
        for path in place.rglob("*")
        if path.suffix.lower() in VIDEOS
        and not any(part.startswith(".") for part in path.relative_to(place).parts)
        and (without is None or without.resolve() not in path.resolve().parents)
        and path.is_file()
    ]
    return sorted(found)


def find_sources(place: Path, without: Path | None = None, poses: Path | None = None) -> list[Source]:
    """Every video with what is known of it.

    Where a ``manifest.jsonl`` lies beside or above videos, its targets are the footage and bring their words and poses;
    the other files it names are not footage of their own.

    Args:
        place: as for :func:`find_videos`.
        without: as for :func:`find_videos`.
        poses: a folder with recorded poses, a file for each video's name without its suffix.

    Raises:
        InputError: if nothing is found, or a manifest is broken.
    """
    root = place if place.is_dir() else place.parent
    known, others = _known(place, without)
    sources = []
    for path in find_videos(place, without):
        if path.resolve() in others:
            continue
        entry = known.get(path.resolve())
        name = path.relative_to(root).as_posix()
        sources.append(Source(path, name, _recorded(path, entry, poses), entry and entry[1]))
    if not sources:
        raise InputError(f"{place} holds no video ({', '.join(sorted(VIDEOS))}); name another folder.")
    return sources


def _known(place: Path, without: Path | None) -> tuple[dict[Path, tuple[Path, Entry]], set[Path]]:
    """Targets of the manifests in a folder with their entries, and what else the manifests name."""
    known: dict[Path, tuple[Path, Entry]] = {}
    others: set[Path] = set()
    for manifest in sorted(place.rglob("manifest.jsonl")) if place.is_dir() else []:
        if without is not None and without.resolve() in manifest.resolve().parents:
            continue
        for entry in read_manifest(manifest):
            files = {key: (manifest.parent / path).resolve() for key, path in entry.files.items()}
            known[files["target"]] = manifest.parent, entry
            others |= {path for key, path in files.items() if key != "target"}
    return known, others - set(known)


def _recorded(path: Path, known: tuple[Path, Entry] | None, folder: Path | None) -> Path | None:
    """The poses recorded of a video: in the folder asked for, in its manifest, or where people keep them beside it."""
    if folder is None and known is not None and known[1].poses is not None:
        return known[0] / known[1].poses
    folders = [folder] if folder is not None else [path.parent, path.parent / "poses", path.parent.parent / "poses"]
    options = (place / (path.stem + suffix) for place in folders for suffix in POSES)
    return next((option for option in options if option.is_file()), None)


# --- time -----------------------------------------------------------------------------------------------------------


def frame_rate(times: Sequence[Fraction], tick: Fraction) -> tuple[Fraction, bool]:
    """The frame rate of footage, and whether its clock is steady.

    Args:
        times: of every frame in seconds and of the end of the last.
        tick: of the file's clock, in seconds: by so much a steady clock may be rounded.

    Returns:
        Frames per second, and True if every frame lies within a tick of where that rate puts it; else the rate that
        most frames have.
    """
    at = np.array([float(t - times[0]) for t in times[:-1]])
    if len(at) < 2:
        return _nearest(float(1 / (times[-1] - times[0])), 0.02), True
    mean = (len(at) - 1) / at[-1]
    slack = min(float(tick), 0.3 / mean) + 1e-9
    close = sorted((rate for rate in RATES if abs(float(rate) / mean - 1) < 0.02), key=lambda r: abs(float(r) - mean))
    for rate in (*close, Fraction(mean).limit_denominator(1001), Fraction(mean).limit_denominator(1_000_000)):
        if np.abs(at - np.arange(len(at)) / float(rate)).max() <= slack:
            return rate, True
    return _nearest(1 / float(np.median(np.diff(at))), 0.02), False


def _nearest(rate: float, within: float) -> Fraction:
    best = min(RATES, key=lambda r: abs(float(r) / rate - 1))
    if abs(float(best) / rate - 1) <= within:
        return best
    return Fraction(min(max(rate, 1.0), 240.0)).limit_denominator(1001)


def resampled(footage: Footage, rate: Fraction) -> tuple[Footage, list[int]]:
    """The same footage at a constant rate: every new frame is the one that was to be seen at its time.

    Returns:
        What was measured, of the new frames, and the index of the old frame that each of them shows. A change in frames
        that are passed over counts for the next one that is shown.
    """
    count = max(1, int((footage.times[-1] - footage.times[0]) * rate))
    shown, i = [], 0
    for k in range(count):
        while i + 1 < len(footage) and footage.times[i + 1] - footage.times[0] <= k / rate:
            i += 1
        shown.append(i)
    since = [range(before + 1, now + 1) for before, now in zip([-1, *shown[:-1]], shown, strict=True)]

    def most(values: Any) -> Any:
        return np.array([max((values[j] for j in span), default=0) for span in since], np.float32)

    times = tuple(k / rate for k in range(count + 1))
    taken = np.array(shown)
    return (
        replace(
            footage,
            times=times,
            pixels=most(footage.pixels),
            colours=most(footage.colours),
            flash=footage.flash[taken],
            motion=footage.motion[taken],
            blur=footage.blur[taken],
            blank=footage.blank[taken],
        ),
        shown,
    )


# --- choosing windows -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """Frames of the footage that are to be a clip, or why they are not.

    Attributes:
        frames: indices into the (resampled) footage.
        blur: median, 0..1.
        motion: mean, levels.
        reason: why it is dropped; empty if it is kept.
        says: the same as a sentence with its numbers.
    """

    frames: range
    blur: float
    motion: float
    reason: str = ""
    says: str = ""


def windows(footage: Footage, settings: ClipSettings) -> list[Window]:
    """Clips of every shot, kept and dropped, in order of time.

    A shot is tiled by windows of the largest length that is wanted and fits; from its middle outwards those that pass
    the filters are kept until there are enough. A shot of which none passes is dropped for its middle one's reason.
    """
    chosen: list[Window] = []
    for shot in shots(footage):
        kept: list[Window] = []
        first_dropped: Window | None = None
        for frames in _tiles(shot, settings):
            window = _judged(footage, frames, settings)
            if window.reason:
                first_dropped = first_dropped or window
            elif len(kept) < settings.per_shot:
                kept.append(window)
        chosen += kept or ([first_dropped] if first_dropped else [])
    return sorted(chosen, key=lambda window: window.frames.start)


def _tiles(shot: range, settings: ClipSettings) -> list[range]:
    """Windows of one length over a shot, none overlapping, the middle one first; a short shot whole."""
    length = (min(len(shot), settings.max_frames) - 1) // 4 * 4 + 1
    if length < settings.min_frames:
        return [shot]
    count = len(shot) // length
    gap = (len(shot) - count * length) // (count + 1)
    starts = [shot.start + gap + i * (length + gap) for i in range(count)]
    middle = (count - 1) / 2
    order = sorted(range(count), key=lambda i: (abs(i - middle), i))
    return [range(starts[i], starts[i] + length) for i in order]


def _judged(footage: Footage, frames: range, settings: ClipSettings) -> Window:
    blur = float(np.median(footage.blur[frames.start : frames.stop]))
    lagged = footage.motion[min(frames.start + _LAG, frames.stop - 1) : frames.stop]
    motion = float(lagged.mean())
    window = Window(frames, round(blur, 3), round(motion, 2))
    if len(frames) < settings.min_frames:
        says = f"the shot has {len(frames)} frames, a clip needs {settings.min_frames}"
        return replace(window, reason="short", says=says)
    if blur > settings.max_blur:
        return replace(window, reason="blurred", says=f"blur is {blur:.2f}, more than {settings.max_blur:g}")
    if motion < settings.min_motion:
        return replace(window, reason="still", says=f"motion is {motion:.1f} levels, less than {settings.min_motion:g}")
    return window


# --- writing --------------------------------------------------------------------------------------------------------


def cut_source(source: Source, dataset: Dataset, settings: ClipSettings) -> None:
    """Cuts one video into clips and writes its record, which says what was made and what was dropped.

    Raises:
        InputError: if the dataset cannot be written. A video that cannot be read is no error: its record says so.
    """
    made_from, began = source.made_from(), time.monotonic()
    earlier = {clip["id"] for clip in (dataset.read("clips", source.key) or {}).get("made", ())}
    told = {"file": source.path.name, "name": source.name}
    try:
        tick = probe(source.path).time_base
        footage = measure(read_frames(source.path))
    except InputError as error:
        says = str(error).replace(str(source.path), source.path.name)
        dropped = [{"id": source.key, "source": source.name, "reason": "unreadable", "says": says}]
        record = {"made_from": made_from, "source": told, "made": [], "dropped": dropped, "seconds": {}}
        dataset.write("clips", source.key, record)
        return
    looked = time.monotonic()
    rate, steady = frame_rate(footage.times, tick)
    shown = list(range(len(footage)))
    if not steady:
        footage, shown = resampled(footage, rate)
    chosen = {f"{source.key}-{n:03d}": window for n, window in enumerate(windows(footage, settings))}
    encoding = _write(source, dataset, settings, rate, {name: (w, shown) for name, w in chosen.items()})
    digest = sha256(source.path)
    made, dropped = [], []
    for name, window in chosen.items():
        first = shown[window.frames.start]
        about: Record = {
            "id": name,
            "source": source.name,
            "first_frame": first,
            "frames": len(window.frames),
            "fps": str(rate),
            "blur": window.blur,
            "motion": window.motion,
        }
        if window.reason:
            dropped.append({**about, "reason": window.reason, "says": window.says})
            continue
        width, height = _size(footage.width, footage.height, settings.max_side)
        about |= {"width": width, "height": height, "source_width": footage.width, "source_height": footage.height}
        if not steady:
            about["shown"] = [shown[k] for k in window.frames]
        made.append({**about, "sha256": sha256(dataset.clip(name))})
    seconds = {"decode": looked - began + encoding[0], "encode": encoding[1]}
    told["sha256"] = digest
    dataset.write(
        "clips",
        source.key,
        {"made_from": made_from, "source": told, "made": made, "dropped": dropped, "seconds": seconds},
    )
    for name in earlier - {clip["id"] for clip in made}:
        dataset.clip(name).unlink(missing_ok=True)


def _size(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    """Width and height of a clip: those of the footage, scaled down where it is larger than asked for, and even."""
    scale = min(1.0, max_side / max(width, height)) if max_side else 1.0
    if scale == 1.0:
        return max(2, width // 2 * 2), max(2, height // 2 * 2)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _write(
    source: Source,
    dataset: Dataset,
    settings: ClipSettings,
    rate: Fraction,
    chosen: dict[str, tuple[Window, list[int]]],
) -> tuple[float, float]:
    """Writes the clips that are kept, and a strip of small frames of the first few that are not.

    Returns:
        Seconds spent decoding, and encoding.
    """
    waiting = sorted(chosen.items(), key=lambda item: item[1][0].frames.start)
    strips = [name for name, (window, _) in waiting if window.reason][:_STRIPS]
    frames, decoding, encoding = _Numbered(source.path), 0.0, 0.0
    for name, (window, shown) in waiting:
        if window.reason and name not in strips:
            continue
        wanted = [shown[k] for k in window.frames]
        if window.reason:
            wanted = [wanted[i] for i in np.unique(np.linspace(0, len(wanted) - 1, _STRIP_FRAMES).astype(int))]
        before = frames.seconds
        began = time.monotonic()
        pictures = frames.take(wanted)
        if window.reason:
            write_image(dataset.strip(name), strip(list(pictures)))
        else:
            _encode(dataset.clip(name), pictures, rate, settings.max_side)
        decoding += frames.seconds - before
        encoding += time.monotonic() - began - (frames.seconds - before)
    return decoding, encoding


def _encode(path: Path, pictures: Iterator[Picture], rate: Fraction, max_side: int | None) -> None:
    first = next(pictures)
    width, height = _size(first.shape[1], first.shape[0], max_side)
    # One thread: several give other bytes, and other clips are being written beside this one.
    with VideoWriter(path, width, height, time_base=1 / rate, threads=1) as writer:
        for k, picture in enumerate(chain((first,), pictures)):
            same = max_side is None or max(picture.shape[:2]) <= max_side
            pixels = picture[:height, :width] if same else resize(picture, width, height)
            writer.write(pixels, k / rate, 1 / rate)


def strip(pictures: Sequence[Picture]) -> Picture:
    """A few frames side by side, small."""
    tall, wide = (max(p.shape[axis] for p in pictures) for axis in (0, 1))
    row = [resize(p, max(1, round(wide * _STRIP_HEIGHT / tall)), _STRIP_HEIGHT) for p in pictures]
    return np.concatenate(row, axis=1)


class _Numbered:
    """Frames of a video by index, read once from the beginning to the last one that is asked for.

    Attributes:
        seconds: spent decoding.
    """

    def __init__(self, path: Path) -> None:
        self._frames = enumerate(read_frames(path))
        self._last: tuple[int, Picture] | None = None
        self.seconds = 0.0

    def take(self, indices: Sequence[int]) -> Iterator[Picture]:
        """The frames of the given indices, which never fall, neither here nor from call to call."""
        for index in indices:
            began = time.monotonic()
            while self._last is None or self._last[0] < index:
                number, frame = next(self._frames)
                self._last = number, frame.pixels
            self.seconds += time.monotonic() - began
            yield self._last[1]
