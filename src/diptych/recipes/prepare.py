"""``diptych prepare``: footage to a dataset, with the experts that find poses and words."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from diptych import __version__
from diptych.data.poses import ClipPoses
from diptych.method import text_guidance
from diptych.method.tracking import link
from diptych.options import PrepareOptions, PrepareReportOptions, TrainStageOptions, WordsOptions
from diptych.prepare.captions import Describe, UndescribedError
from diptych.prepare.clips import ClipSettings
from diptych.prepare.job import Experts, PrepareSettings, prepare
from diptych.prepare.ledger import STEPS
from diptych.prepare.poses import FindPoses, PoseSettings
from diptych.prepare.report import report
from diptych.types import Frames, Picture, Skeleton

if TYPE_CHECKING:
    from diptych.experts.describe import MllmDescriber
    from diptych.experts.pose import PoseEstimator

_THREADS = 8


def prepare_footage(options: PrepareOptions) -> None:
    """Makes footage into a dataset, or goes on where an earlier run stopped.

    Raises:
        InputError: as :func:`diptych.prepare.job.prepare`; or nothing is left in the end.
    """
    outcome = prepare(
        options.footage,
        options.output,
        settings_of(options),
        experts_of(options),
        steps=STEPS if options.step == "all" else (options.step,),
        poses=options.poses,
        workers=options.workers or 1,
        redo=options.redo,
        quiet=options.quiet,
        made_with=f"diptych {__version__}",
    )
    gone = ", ".join(f"{count} {reason}" for reason, count in outcome.dropped.items())
    print(f"{outcome.manifest}: {outcome.entries} clips{f'; dropped: {gone}' if gone else ''}", file=sys.stderr)
    if outcome.dropped.get("no poses") and options.pose_weights is None:
        print(
            "diptych: clips without recorded poses were dropped, since no estimator was named; say --pose-weights, or "
            "--poses FOLDER, with --step poses --redo.",
            file=sys.stderr,
        )
    print(outcome.manifest)


def prepare_report(options: PrepareReportOptions) -> None:
    """Prints and draws what a dataset is made of and what was left out."""
    told = report(options.dataset, options.output, *([options.rows] if options.rows else []))
    print(told.text)
    for sheet in told.sheets:
        print(sheet)


def settings_of(options: PrepareOptions) -> PrepareSettings:
    """The settings asked for, with their defaults where nothing was said."""
    clips = {
        "min_frames": options.min_frames,
        "max_frames": options.max_frames,
        "per_shot": options.clips_per_shot,
        "max_side": options.max_side,
        "max_blur": options.max_blur,
        "min_motion": options.min_motion,
    }
    poses = {"max_missing": options.max_missing}
    return PrepareSettings(
        ClipSettings(**{name: value for name, value in clips.items() if value is not None}),  # type: ignore[arg-type]
        PoseSettings(**{name: value for name, value in poses.items() if value is not None}),
    )


def experts_of(options: PrepareOptions) -> Experts:
    """Who finds poses and words. Nothing is loaded yet: every process makes its own when it needs it."""
    people, others = options.pose_weights, (options.animal_weights, options.detector_weights)
    online, answers = options.words.endpoint is not None, options.output / "prepare" / "answers"
    return Experts(
        estimator=None if people is None else OpenFinder(people, *others),
        estimator_name=" + ".join(name for name in (people, *others) if name) or "none",
        describer=OpenModel(replace(options.words, cache=options.words.cache or answers)) if online else _Rules,
        describer_name=f"{options.words.endpoint} {options.words.model}" if online else "rules",
        describer_threads=_THREADS if online else 0,
        latents=None if options.latents is None else partial(_encode, options),
    )


# --- poses ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Finder:
    """Finds figures in frames and follows them.

    Attributes:
        estimator: finds them frame by frame.
        name: as files of poses say who found them.
    """

    estimator: PoseEstimator
    name: str

    def __call__(self, frames: Frames, fps: float) -> tuple[Skeleton, ...]:
        """Skeletons of a clip of ``(t, h, w, 3)`` frames."""
        height, width = frames.shape[1:3]
        return link(self.estimator(frames), width, height, fps=fps)[0]


def open_finder(people: str, animals: str | None = None, detector: str | None = None) -> FindPoses:
    """An estimator that finds figures in frames and follows them.

    Args:
        people: folder or repository of the network for people, or ``published``.
        animals: of the one for four-legged animals; without it none are looked for.
        detector: of the detector; the published one where nothing is said.

    Raises:
        InputError: if weights cannot be used.
    """
    import torch

    from diptych.experts.pose import PoseEstimator, Weights

    estimator = PoseEstimator(
        None if people == "published" else Weights(people),
        None if animals is None else Weights(animals),
        None if detector is None else Weights(detector),
        device="cuda" if torch.cuda.is_available() else "cpu",
    )
    return _Finder(estimator, f"estimated with {people}")


@dataclass(frozen=True)
class OpenFinder:
    """Makes a finder in the process that needs it; see :func:`open_finder`.

    Attributes:
        people: weights of the network for people.
        animals: of the one for animals.
        detector: of the detector.
    """

    people: str
    animals: str | None = None
    detector: str | None = None

    def __call__(self) -> FindPoses:
        """Loads the networks."""
        return open_finder(self.people, self.animals, self.detector)


# --- latents --------------------------------------------------------------------------------------------------------


def _encode(options: PrepareOptions, manifest: Path) -> None:
    """Encodes what the pose stage trains on into a folder that its training goes on with."""
    from diptych.recipes.stages import train_pose

    assert options.latents is not None
    train_pose(
        TrainStageOptions(
            backbone=options.latents,
            weights=options.weights,
            data=str(manifest),
            output=options.output / "latents" / options.latents,
            stage="cache",
            overrides=options.overrides,
        )
    )


# --- words ----------------------------------------------------------------------------------------------------------


class _Rules:
    """Words from skeletons and colours, offline."""

    def motion(self, frames: Frames, fps: float, poses: ClipPoses | None) -> str:
        return text_guidance.describe_motion(() if poses is None else poses.figures, fps)

    def looks(self, picture: Picture, poses: ClipPoses | None) -> str:
        figures = () if poses is None else poses.figures
        return text_guidance.describe_looks(picture, tuple(Skeleton(s.names, s.joints[:1], s.bones) for s in figures))

    def fuse(self, motion: str, looks: str) -> str:
        return text_guidance.fuse(motion, looks)


@dataclass(frozen=True)
class _Model:
    """Words from a language model that sees the frames."""

    describer: MllmDescriber

    def motion(self, frames: Frames, fps: float, poses: ClipPoses | None) -> str:
        return _asked(partial(self.describer.motion, frames, fps))

    def looks(self, picture: Picture, poses: ClipPoses | None) -> str:
        return _asked(partial(self.describer.looks, picture))

    def fuse(self, motion: str, looks: str) -> str:
        return _asked(partial(self.describer.fuse, motion, looks))


def _asked(question: partial[str]) -> str:
    from diptych.experts.mllm import DescribeError, limits_told

    try:
        with limits_told():
            return question()
    except DescribeError as error:
        raise UndescribedError(str(error)) from None


@dataclass(frozen=True)
class OpenModel:
    """Connects to a language model in the process that needs it.

    Attributes:
        words: options that say which.
    """

    words: WordsOptions

    def __call__(self) -> Describe:
        """The model at its endpoint."""
        from diptych.experts.describe import MllmDescriber
        from diptych.recipes.words import open_describer

        opened = open_describer(self.words)
        assert isinstance(opened, MllmDescriber)
        return _Model(opened)
