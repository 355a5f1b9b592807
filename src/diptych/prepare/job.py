"""The whole of preparing: which items are still to be done, in which order, and the manifest that comes of it.

Steps: clips (one item a video), poses, captions and latents (one item a clip each). Whatever was done before is found
in the dataset's records, so every step can be run alone, again, or after a kill. The manifest is a function of the
records alone: one process or many, broken off or not, its bytes are the same.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from diptych.crew import Crew, processes, run_items, threads
from diptych.data.manifest import Entry, read_manifest, write_manifest
from diptych.data.manifest import Source as Footage
from diptych.files import locked, replacing, sweep_below, write_json, writing_errors
from diptych.prepare.captions import KEYS, CaptionItem, Describe, adopt_edits, caption_clip
from diptych.prepare.clips import ClipSettings, Source, cut_source, find_sources
from diptych.prepare.ledger import STEPS, Dataset, Record, Step, is_done
from diptych.prepare.poses import FindPoses, PoseItem, PoseSettings, pose_clip
from diptych.types import InputError


@dataclass(frozen=True)
class Experts:
    """What the recipe hands in. Each is named, and made once in every process; all must be importable by name.

    Attributes:
        estimator: makes what finds poses in frames; None where only recorded poses are used.
        estimator_name: which, with its weights.
        describer: makes what puts clips into words; None where clips get no words but those they bring.
        describer_name: which, with its model.
        describer_threads: threads that ask it at a time, where it is somewhere else and answers slowly; 0 where it is
            here and works in the processes of the run.
        latents: encodes the clips of a finished manifest into a cache beside it; None where that is not asked for. It
            resumes by itself.
    """

    estimator: Callable[[], FindPoses] | None = None
    estimator_name: str = "none"
    describer: Callable[[], Describe] | None = None
    describer_name: str = "none"
    describer_threads: int = 0
    latents: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class PrepareSettings:
    """What makes one dataset differ from another.

    Attributes:
        clips: which clips are cut.
        poses: which poses are good enough.
    """

    clips: ClipSettings = field(default_factory=ClipSettings)
    poses: PoseSettings = field(default_factory=PoseSettings)


@dataclass(frozen=True)
class Outcome:
    """What a run has left.

    Attributes:
        manifest: its path.
        entries: clips in it.
        dropped: reason to number, over all steps.
    """

    manifest: Path
    entries: int
    dropped: dict[str, int]


def prepare(
    place: Path,
    output: Path,
    settings: PrepareSettings,
    experts: Experts,
    *,
    steps: tuple[Step, ...] = STEPS,
    poses: Path | None = None,
    workers: int = 1,
    redo: bool = False,
    quiet: bool = False,
    made_with: str = "",
) -> Outcome:
    """Prepares footage, or goes on with it.

    Args:
        place: folder of videos, or one video.
        output: folder of the dataset.
        settings: what is wanted of clips and poses.
        experts: who finds poses and words.
        steps: which to run, in order.
        poses: folder with recorded poses.
        workers: processes, >= 1.
        redo: do the steps anew, whatever was done before.
        quiet: show no progress.
        made_with: for ``run.json``: program and version.

    Raises:
        InputError: if there is no footage, the dataset is in use, cannot be written, was begun with other settings, or
            its manifest was edited into something that is none.
    """
    dataset = Dataset(output)
    dataset.make()
    with locked(output / "lock"):
        sweep_below(output)
        sources = find_sources(place, without=output, poses=poses)
        if dataset.manifest.exists():
            before = read_manifest(dataset.written) if dataset.written.exists() else []
            adopt_edits(dataset, read_manifest(dataset.manifest), before)
        _agree(dataset, _asked(settings, experts, steps), redo)
        run = _Run(dataset, sources, settings, experts, workers, quiet)
        times: dict[str, dict[str, float]] = {}
        with processes(workers) as crew:
            for step, do in (("clips", run.clips), ("poses", run.poses), ("captions", run.captions)):
                if step in steps:
                    times[step] = _timed(partial(do, crew))
                    run.write()
        # Its processes are its own, and these may hold an estimator each.
        if "latents" in steps:
            times["latents"] = _timed(run.latents)
        entries, dropped = run.write()
        write_json(output / "run.json", {"made_with": made_with, **run.account(times, entries, dropped)})
    return Outcome(dataset.manifest, len(entries), dict(sorted(dropped.items())))


def _timed(do: Callable[[], int]) -> dict[str, float]:
    began = time.monotonic()
    made = do()
    return {"made": made, "wall_seconds": round(time.monotonic() - began, 3)}


# --- settings -------------------------------------------------------------------------------------------------------


def _asked(settings: PrepareSettings, experts: Experts, steps: tuple[Step, ...]) -> dict[str, dict[str, Any]]:
    asked: dict[Step, dict[str, Any]] = {
        "clips": asdict(settings.clips),
        "poses": {**asdict(settings.poses), "estimator": experts.estimator_name},
        "captions": {"describer": experts.describer_name},
    }
    return {step: asked[step] for step in steps if step in asked}


def _agree(dataset: Dataset, asked: dict[str, dict[str, Any]], redo: bool) -> None:
    """Writes down what the steps were asked for, or compares; with ``redo`` forgets the steps first.

    Raises:
        InputError: if a step was begun with something else.
    """
    path = dataset.folder / "prepare" / "settings.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if not all(isinstance(found.get(step, {}), dict) for step in STEPS):
            raise ValueError("not settings")
    except (OSError, ValueError, AttributeError):
        raise InputError(f"{path} cannot be read; prepare into another folder, or delete this file.") from None
    for step, wanted in asked.items():
        before = found.get(step, wanted)
        other = [name for name in wanted if before.get(name) != wanted[name]]
        if redo:
            dataset.forget(step)  # type: ignore[arg-type]
        elif other:
            raise InputError(
                f"{dataset.folder} was begun with {other[0]} = {before.get(other[0])}, not {wanted[other[0]]}; say "
                f"--step {step} --redo to do that step anew, or prepare into another folder."
            )
    agreed = {**found, **asked}
    write_json(path, {step: agreed[step] for step in STEPS if step in agreed})


# --- the steps ------------------------------------------------------------------------------------------------------


class _Run:
    """One run over a locked dataset."""

    def __init__(
        self,
        dataset: Dataset,
        sources: list[Source],
        settings: PrepareSettings,
        experts: Experts,
        workers: int,
        quiet: bool,
    ) -> None:
        self._dataset, self._sources, self._settings, self._experts = dataset, sources, settings, experts
        self._workers, self._quiet = workers, quiet

    def clips(self, crew: Crew) -> int:
        """Cuts what is not cut; returns how many videos that were."""
        left = [s for s in self._sources if not is_done(self._dataset.read("clips", s.key), s.made_from())]
        work = partial(cut_source, dataset=self._dataset, settings=self._settings.clips)
        self._each("clips", "videos", left, work, len(self._sources), crew)
        return len(left)

    def poses(self, crew: Crew) -> int:
        """Finds the poses that are missing; returns of how many clips."""
        items = [PoseItem(clip, source) for source, clip in self._cut()]
        left = [item for item in items if not self._has_poses(item)]
        experts = self._experts
        work = partial(pose_clip, dataset=self._dataset, settings=self._settings.poses, estimator=experts.estimator)
        self._each("poses", "clips", left, work, len(items), crew)
        return len(left)

    def captions(self, crew: Crew) -> int:
        """Writes the words that are missing; returns of how many clips."""
        items = self._to_caption()
        left = [i for i in items if not is_done(self._dataset.read("captions", i.clip["id"]), i.made_from())]
        if self._experts.describer is None:
            raise InputError("no describer was given; leave the captions step out.")
        work = partial(caption_clip, dataset=self._dataset, describer=self._experts.describer)
        if not self._experts.describer_threads:
            self._each("captions", "clips", left, work, len(items), crew)
            return len(left)
        with threads(self._experts.describer_threads) as askers:
            self._each("captions", "clips", left, work, len(items), askers)
        return len(left)

    def latents(self) -> int:
        """Has the latents cache filled; returns of how many clips."""
        if self._experts.latents is None:
            return 0
        entries, _ = self.write()
        self._experts.latents(self._dataset.manifest)
        return len(entries)

    def _each(
        self, label: str, unit: str, left: list[Any], work: Callable[[Any], None], total: int, crew: Crew
    ) -> None:
        run_items(label, unit, left, work, total=total, crew=crew, quiet=self._quiet)

    def _cut(self) -> Iterator[tuple[Source, Record]]:
        """Clips that were cut, in the order of their footage."""
        for source in self._sources:
            for clip in (self._dataset.read("clips", source.key) or {}).get("made", ()):
                yield source, clip

    def _has_poses(self, item: PoseItem) -> bool:
        record = self._dataset.read("poses", item.clip["id"])
        return is_done(record, item.made_from())

    def _poses_of(self, source: Source, clip: Record) -> Record | None:
        """What the poses step said of a clip; None where it was not run since the clip was cut."""
        record = self._dataset.read("poses", clip["id"])
        if record is None or record.get("made_from", {}).get("clip") != clip["sha256"]:
            return None
        told: Record = record["told"]
        return told

    def _to_caption(self) -> list[CaptionItem]:
        items = []
        for source, clip in self._cut():
            poses = self._poses_of(source, clip)
            if poses is None or poses["kept"]:
                items.append(CaptionItem(clip, poses, source))
        return items

    # --- what comes of it -------------------------------------------------------------------------------------------

    def write(self) -> tuple[list[Entry], Counter[str]]:
        """Writes the manifest and what every step kept and dropped, from the records of the footage that is there."""
        told: dict[Step, list[Record]] = {"clips": [], "poses": [], "captions": []}
        entries: list[Entry] = []
        for source in self._sources:
            record = self._dataset.read("clips", source.key)
            if record is None:
                continue
            told["clips"] += [{**clip, "kept": True} for clip in record["made"]]
            told["clips"] += [{**clip, "kept": False} for clip in record["dropped"]]
            for clip in record["made"]:
                poses = self._poses_of(source, clip)
                if poses is not None:
                    told["poses"].append(poses)
                    if not poses["kept"]:
                        continue
                words = self._words(clip)
                if words is not None:
                    told["captions"].append({"id": clip["id"], "kept": True, **words})
                entries.append(_entry(source, record, clip, poses, words or {}))
        for step, lines in told.items():
            self._tell(step, lines)
        write_manifest(self._dataset.manifest, entries)
        write_manifest(self._dataset.written, entries)
        dropped = Counter(line["reason"] for lines in told.values() for line in lines if not line["kept"])
        return entries, dropped

    def _words(self, clip: Record) -> Record | None:
        record = self._dataset.read("captions", clip["id"])
        if record is None:
            return None
        made_from = record.get("made_from")
        if record["by"] != "hand" and (made_from or {}).get("clip") != clip["sha256"]:
            return None
        return {**record["words"], "by": record["by"]}

    def _tell(self, step: Step, lines: list[Record]) -> None:
        path = self._dataset.told(step)
        with writing_errors(path), replacing(path) as draft:
            draft.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    def account(self, times: dict[str, dict[str, float]], entries: list[Entry], dropped: Counter[str]) -> Record:
        """What goes into run.json: settings, counts, and where the time went, over all runs and all processes."""
        work: dict[str, float] = defaultdict(float)
        for source in self._sources:
            record = self._dataset.read("clips", source.key) or {}
            done = [record]
            for clip in record.get("made", ()):
                done += [
                    self._dataset.read("poses", clip["id"]) or {},
                    self._dataset.read("captions", clip["id"]) or {},
                ]
            for name, seconds in (item for one in done for item in one.get("seconds", {}).items()):
                work[name] += seconds
        if "latents" in times and self._experts.latents is not None:
            work["latents"] += times["latents"]["wall_seconds"]
        total = sum(work.values()) or 1.0
        return {
            "settings": asdict(self._settings),
            "experts": {"poses": self._experts.estimator_name, "captions": self._experts.describer_name},
            "workers": self._workers,
            "videos": len(self._sources),
            "clips": len(entries),
            "dropped": dict(sorted(dropped.items())),
            "this_run": times,
            "work_seconds": {name: round(seconds, 2) for name, seconds in sorted(work.items())},
            "share_of_work": {name: round(seconds / total, 3) for name, seconds in sorted(work.items())},
        }


def _entry(source: Source, record: Record, clip: Record, poses: Record | None, words: Record) -> Entry:
    known = source.known
    hashes = {"target": clip["sha256"]}
    if poses is not None:
        hashes["poses"] = poses["sha256"]
    name = clip["id"]
    return Entry(
        id=name,
        target=f"clips/{name}.mp4",
        poses=None if poses is None else f"poses/{name}.safetensors",
        category=known.category if known is not None else "",
        fps=clip["fps"],
        frames=clip["frames"],
        width=clip["width"],
        height=clip["height"],
        seed=None if known is None else known.seed,
        source=Footage(file=source.path.name, sha256=record["source"]["sha256"], first_frame=clip["first_frame"]),
        sha256=hashes,
        **{key: words.get(key, "") for key in KEYS},
    )
