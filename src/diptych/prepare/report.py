"""What a dataset is made of and what was left out, for people: counts, histograms, contact sheets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from diptych.data.poses import read_poses
from diptych.files import writing_errors
from diptych.media.draw import draw_skeletons
from diptych.media.frame import resize
from diptych.media.image import read_image, write_image
from diptych.media.sheet import contact_sheet
from diptych.media.video import read_clip
from diptych.prepare.ledger import Dataset, Record, Step
from diptych.types import Frames, InputError

_TOLD: tuple[Step, ...] = ("clips", "poses", "captions")
_BAR = 32  # characters
_COLUMNS, _HEIGHT = 6, 112
_ROWS = 16
_DIM = 2


@dataclass(frozen=True)
class PrepareReport:
    """A dataset at a glance.

    Attributes:
        text: counts and histograms, ready to be printed.
        sheets: pictures that were written.
        looked_at: step to how many items it looked at.
        kept: step to how many of them it kept.
        dropped: step to reason to how many.
    """

    text: str
    sheets: tuple[Path, ...]
    looked_at: dict[Step, int]
    kept: dict[Step, int]
    dropped: dict[Step, Counter[str]]


def report(folder: Path, sheets: Path | None = None, rows: int = _ROWS) -> PrepareReport:
    """Reads what the steps wrote down, and draws what was kept and dropped.

    Args:
        folder: of the dataset.
        sheets: folder for the contact sheets; the dataset's ``prepare/report`` if None.
        rows: clips on a sheet.

    Raises:
        InputError: if the folder is no dataset, or a sheet cannot be written.
    """
    dataset = Dataset(folder)
    told = {step: _read(dataset, step) for step in _TOLD}
    if not dataset.manifest.exists() or not told["clips"]:
        raise InputError(f"{folder} has not been prepared; run diptych prepare FOLDER -o {folder} first.")
    kept = {step: [line for line in lines if line["kept"]] for step, lines in told.items()}
    dropped = {step: [line for line in lines if not line["kept"]] for step, lines in told.items()}
    counts = {step: Counter(str(line["reason"]) for line in lines) for step, lines in dropped.items()}
    text = [_counted(told, kept, dropped)]
    survivors = _survivors(told)
    text += [histogram(title, [value(line) for line in survivors]) for title, value in _MEASURES.items()]
    posed = kept["poses"]
    text += [histogram(title, [float(line[key]) for line in posed]) for title, key in _POSE_MEASURES.items() if posed]
    place = sheets or folder / "prepare" / "report"
    with writing_errors(place):
        place.mkdir(parents=True, exist_ok=True)
    drawn = _draw(dataset, survivors, dropped, place, rows)
    return PrepareReport(
        "\n\n".join(text),
        drawn,
        {step: len(lines) for step, lines in told.items()},
        {step: len(lines) for step, lines in kept.items()},
        counts,
    )


_MEASURES: dict[str, Callable[[Record], float]] = {
    "frames a clip": lambda line: float(line["frames"]),
    "frames a second": lambda line: float(Fraction(line["fps"])),
    "longer side, pixels": lambda line: float(max(line["width"], line["height"])),
    "motion, levels": lambda line: float(line["motion"]),
    "blur": lambda line: float(line["blur"]),
}
_POSE_MEASURES = {"figures a clip": "figures", "confidence of joints": "confidence"}


def histogram(title: str, values: Sequence[float], bins: int = 8) -> str:
    """A histogram in text: a line a bin, or a line a value where there are few different ones."""
    different = sorted(set(values))
    if len(different) <= bins:
        rows = [(f"{value:g}", sum(v == value for v in values)) for value in different]
    else:
        counts, edges = np.histogram(values, bins)
        rows = [(f"{a:.3g} .. {b:.3g}", int(n)) for n, a, b in zip(counts, edges[:-1], edges[1:], strict=True)]
    most = max((count for _, count in rows), default=0)
    wide = max((len(label) for label, _ in rows), default=0)
    lines = [f"  {label:>{wide}}  {'#' * round(_BAR * count / max(1, most)):{_BAR}} {count}" for label, count in rows]
    return "\n".join([f"{title} ({len(values)} clips)", *lines])


def _counted(told: dict[Step, list[Record]], kept: dict[Step, list[Record]], dropped: dict[Step, list[Record]]) -> str:
    lines = []
    for step in _TOLD:
        if not told[step]:
            lines.append(f"{step}: not run")
            continue
        lines.append(f"{step}: {len(told[step])} looked at, {len(kept[step])} kept, {len(dropped[step])} dropped")
        reasons = Counter(str(line["reason"]) for line in dropped[step])
        for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
            example = next(line for line in dropped[step] if line["reason"] == reason)
            lines.append(f"  {count:6d}  {reason}, such as {example['id']}: {example['says']}")
    wordless = sum(not line.get("prompt") for line in kept["captions"])
    by = Counter(str(line.get("by")) for line in kept["captions"])
    if by:
        lines.append(f"  words by {', '.join(f'{name}: {n}' for name, n in sorted(by.items()))}; none: {wordless}")
    return "\n".join(lines)


def _read(dataset: Dataset, step: Step) -> list[Record]:
    path = dataset.told(step)
    if not path.exists():
        return []
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); run diptych prepare again.") from None


def _survivors(told: dict[Step, list[Record]]) -> list[Record]:
    """Clips that no step dropped, with what the first step measured of them."""
    gone = {line["id"] for line in told["poses"] if not line["kept"]}
    return [line for line in told["clips"] if line["kept"] and line["id"] not in gone]


# --- contact sheets -------------------------------------------------------------------------------------------------


def _draw(
    dataset: Dataset, survivors: list[Record], dropped: dict[Step, list[Record]], place: Path, rows: int
) -> tuple[Path, ...]:
    """Sheets of what was kept, its poses over it, and of what was dropped, evenly chosen."""
    drawn = []
    kept = [
        (f"{line['id']}: {line['frames']} frames at {line['fps']}", _over(dataset, line["id"]))
        for line in _some(survivors, rows)
    ]
    gone: list[tuple[str, Frames]] = []
    # Every reason gets its turn before any has a second.
    lines = _by_turns([line for step in _TOLD for line in dropped[step] if _shown(dataset, line)])
    for line in lines[:rows]:
        label = f"{line['id']}: {line['reason']}, {line['says']}"
        strip = dataset.strip(line["id"])
        gone.append((label, read_image(strip)[None] if strip.exists() else _over(dataset, line["id"])))
    for name, sheet in (("kept.png", kept), ("dropped.png", gone)):
        if sheet:
            write_image(place / name, contact_sheet(sheet, _COLUMNS, _HEIGHT))
            drawn.append(place / name)
    return tuple(drawn)


def _some(lines: list[Record], count: int) -> list[Record]:
    if not lines:
        return []
    chosen = np.unique(np.linspace(0, len(lines) - 1, min(count, len(lines))).round().astype(int))
    return [lines[i] for i in chosen]


def _by_turns(lines: list[Record]) -> list[Record]:
    turn: Counter[str] = Counter()
    ranked = []
    for order, line in enumerate(lines):
        ranked.append((turn[line["reason"]], order, line))
        turn[line["reason"]] += 1
    return [line for _, _, line in sorted(ranked, key=lambda item: item[:2])]


def _shown(dataset: Dataset, line: Record) -> bool:
    return dataset.strip(line["id"]).exists() or dataset.clip(line["id"]).exists()


def _over(dataset: Dataset, name: str) -> Frames:
    """A few frames of a clip, dimmed, with its skeletons over them where it has any, ``(t, h, w, 3)``."""
    frames = read_clip(dataset.clip(name)).frames
    chosen = np.unique(np.linspace(0, len(frames) - 1, _COLUMNS).round().astype(int))
    scale = _HEIGHT / frames.shape[1]
    small = resize(np.ascontiguousarray(frames[chosen]), max(1, round(frames.shape[2] * scale)), _HEIGHT)
    path = dataset.poses(name)
    if not path.exists():
        return small
    poses = read_poses(path)
    moments = [type(s)(s.names, s.joints[chosen], s.bones) for s in poses.figures]
    drawn = draw_skeletons(moments, _HEIGHT, small.shape[2], scale=_HEIGHT / poses.height)
    return np.where(drawn.any(-1, keepdims=True), drawn, small // _DIM)
