"""``diptych synth``: pairs made with the pose model of stage one."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from diptych import __version__
from diptych.animate.session import Session, filled
from diptych.data.poses import ClipPoses
from diptych.experts.describe import MllmDescriber
from diptych.experts.mllm import DescribeError, LimitError
from diptych.files import sha256
from diptych.method import text_guidance
from diptych.method.bootstrap import Framing, Shown, shown_by_poses
from diptych.options import AnimateOptions, SynthOptions, WordsOptions
from diptych.recipes.animate import phases_for, session_for
from diptych.recipes.pose_drive import placed
from diptych.recipes.prepare import open_finder
from diptych.recipes.words import open_describer
from diptych.synth.folder import PairsFolder
from diptych.synth.footage import Clips, ReferenceFolder, footage_items, read_clips
from diptych.synth.generate import Animate, How, Outcome, generate
from diptych.synth.made_up import puppet_items
from diptych.synth.on_ray import spread_on_ray
from diptych.synth.references import Found, Seen, find_references
from diptych.synth.staging import Item, UnusableError
from diptych.types import Frames, InputError, Picture, Stand

_MOST_FAILURES_TOLD = 20
_ASKED_AT_ONCE = 8


def synth_pairs(options: SynthOptions) -> int:
    """Makes the pairs that are asked for, or goes on where an earlier run stopped; a second run at a time joins.

    Returns:
        Exit code: 0, or 100 plus the number of pairs that could not be made, at most 200.

    Raises:
        InputError: as :func:`diptych.synth.generate.generate`; or the model is not driven by skeletons, there are no
            clips or no pictures.
    """
    asked, options = options, _rooted(options)
    folder = PairsFolder(options.output)
    session = None if options.make == "truth" else _sketched(options)
    if options.dataset == "puppets":
        found = None
        items: Sequence[Item] = puppet_items(options.seed, options.limit or 1, undriven=options.undriven)
    else:
        clips = read_clips(Path(options.dataset))
        found = _references(options, folder, session)
        items = _footage(options, folder, clips, found)
    how = How(
        animate=None if options.make == "truth" else OpenAnimate(_model_of(options)),
        words=None if options.dataset == "puppets" else OpenWords(_answering(options)),
        made_with=f"diptych {__version__}, {'exact truth' if session is None else session.backbone.facts.name}",
    )
    gpus = 1.0 if how.animate is not None and torch.cuda.is_available() else 0.0
    outcome = generate(
        items,
        folder,
        how,
        _settings(options, session, found),
        references=found,
        workers=options.workers,
        retry=options.retry,
        spread=functools.partial(spread_on_ray, workers=options.workers, gpus=gpus) if options.ray else None,
        quiet=options.quiet,
        about={"made_with": f"diptych {__version__}", "options": asdict(asked)},
    )
    return _told(outcome)


def _told(outcome: Outcome) -> int:
    failed = outcome.failed
    if failed:
        print(f"diptych: {len(failed)} pairs could not be made; --retry tries them again:", file=sys.stderr)
        for one in failed[:_MOST_FAILURES_TOLD]:
            print(f"  {one['about']}: {one['why']}", file=sys.stderr)
    print(f"{outcome.manifest}: {outcome.pairs} pairs", file=sys.stderr)
    print(outcome.manifest)
    return 100 + min(100, len(failed)) if failed else 0


def _rooted(options: SynthOptions) -> SynthOptions:
    """The same with whole paths: other processes may be somewhere else."""

    def whole(place: str) -> str:  # a name or a repository stays what it is
        return str(Path(place).resolve()) if place != "mini" and Path(place).exists() else place

    return replace(
        options,
        dataset=options.dataset if options.dataset == "puppets" else str(Path(options.dataset).resolve()),
        output=options.output.resolve(),
        references=None if options.references is None else options.references.resolve(),
        model=whole(options.model),
        weights=None if options.weights is None else whole(options.weights),
        adapter=None if options.adapter is None else options.adapter.resolve(),
    )


def _footage(options: SynthOptions, folder: PairsFolder, clips: Clips, found: Found) -> Sequence[Item]:
    assert options.references is not None
    if clips.unposed:
        print(f"diptych: {clips.unposed} clips have no poses and are left out.", file=sys.stderr)
    pictures = ReferenceFolder(options.references, folder.references, found.digest)
    return footage_items(clips, pictures, options.seed, per_clip=options.per_clip, limit=options.limit)


def _settings(options: SynthOptions, session: Session | None, found: Found | None) -> dict[str, Any]:
    """What all pairs of a folder have in common."""
    return {
        "world": "puppets" if options.dataset == "puppets" else "footage",
        "make": options.make,
        "undriven": options.undriven,
        "seed": options.seed,
        "the references' hash": None if found is None else found.digest,
        "words": None if options.dataset == "puppets" else _by(options),
        "pose_fit": None if session is None else options.pose_fit,
        "model": None if session is None else _identity(options, session),
    }


# --- the model ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OpenAnimate:
    """Loads the model in the process that is to make videos with it.

    Attributes:
        options: that say which; equal ones are loaded once.
    """

    options: SynthOptions

    def __call__(self) -> Animate:
        """The loaded model, on one CPU thread: what it makes must not depend on how many cores there are."""
        torch.set_num_threads(1)
        return Animator(session_for(_asked(self.options)), self.options)


@dataclass(frozen=True, eq=False)
class Animator:
    """A session as pairs are made with it.

    Attributes:
        session: the model.
        options: how skeletons come into their panel.
    """

    session: Session
    options: SynthOptions

    def __call__(self, reference: Picture, poses: ClipPoses, fps: Fraction, prompt: str, seed: int) -> Iterator[Frames]:
        """See :class:`~diptych.synth.generate.Animate`."""
        session, panel = self.session, self.session.panel(reference)
        shown = placed(poses, panel, self.options.pose_fit, lambda: session.stand_of(reference)).frames(panel)
        phases = phases_for(fps, session.backbone.contract)
        if phases > 1 and session.backbone.facts.fast == "fill":
            slower = islice(shown, 0, None, phases)
            return filled(session.animate(reference, slower, prompt, seed), phases, lambda: poses.frames)
        return session.animate(reference, shown, prompt, seed, phases=phases)


def _model_of(options: SynthOptions) -> SynthOptions:
    """What of the options decides how videos are made; the rest at its defaults."""
    plain = SynthOptions(dataset="", output=Path())
    kept = ("model", "backbone", "weights", "revision", "adapter", "panel_area", "window", "steps", "guidance_scale")
    return replace(plain, pose_fit=options.pose_fit, **{name: getattr(options, name) for name in kept})


def _asked(options: SynthOptions, *, dry_run: bool = False) -> AnimateOptions:
    return AnimateOptions(
        reference=Path(),
        driving=Path(),
        output=Path(),
        model=options.model,
        backbone=options.backbone,
        weights=options.weights,
        revision=options.revision,
        adapter=options.adapter,
        panel_area=options.panel_area,
        window=options.window,
        steps=options.steps,
        guidance_scale=options.guidance_scale,
        dry_run=dry_run,
    )


def _sketched(options: SynthOptions) -> Session:
    """The model as far as planning needs it: a foundation model without its weights.

    Raises:
        InputError: if it is not driven by skeletons.
    """
    session = session_for(_asked(options, dry_run=True))
    if session.backbone.contract.motion != "pose":
        raise InputError(
            "the model is driven by footage, and pairs are made by skeletons; name the adapter of stage one with "
            "--adapter (diptych train stage1_pose)."
        )
    return session


def _identity(options: SynthOptions, session: Session) -> dict[str, Any]:
    adapter = options.adapter
    files = [] if adapter is None else [adapter] if adapter.is_file() else sorted(adapter.glob("*.safetensors"))
    small = options.backbone == "mini"
    return {
        "backbone": options.backbone,
        "weights": session.backbone.identity if small else options.weights,
        "revision": options.revision,
        "adapter": [sha256(path) for path in files],
        "contract": json.loads(session.backbone.contract.to_json()),
        "sampler": asdict(session.settings),
    }


# --- who looks at references, and who finds words -------------------------------------------------------------------


def _answering(options: SynthOptions) -> WordsOptions:
    return replace(options.words, cache=options.words.cache or options.output / "synth" / "answers")


def _by(options: SynthOptions) -> str:
    return f"{options.words.endpoint} {options.words.model}" if options.words.endpoint else "rules"


def _references(options: SynthOptions, folder: PairsFolder, session: Session | None) -> Found:
    assert options.references is not None
    online = options.words.endpoint is not None
    looker = _Looker(
        None if options.pose_weights is None else open_finder(options.pose_weights),
        None if session is None else session.locate,
        OpenWords(_answering(options))(),
    )
    eyes = options.pose_weights or ("a locator" if looker.locate else "nobody")
    found = find_references(
        options.references,
        looker,
        folder.references,
        f"{_by(options)}, {eyes}",
        at_once=_ASKED_AT_ONCE if online else 1,
        quiet=options.quiet,
    )
    for sentence in found.left_out[:_MOST_FAILURES_TOLD]:
        print(f"diptych: left out: {sentence}", file=sys.stderr)
    return found


@dataclass(frozen=True)
class OpenWords:
    """Makes who finds words, in the process that needs it.

    Attributes:
        options: that say who.
    """

    options: WordsOptions

    def __call__(self) -> _Words:
        """Rules, or a model at an endpoint."""
        describer = open_describer(self.options)
        return _Words(describer if isinstance(describer, MllmDescriber) else None)


@dataclass(frozen=True)
class _Words:
    """Motion, looks and both in one, by a model or by rules."""

    model: MllmDescriber | None

    def motion(self, frames: Callable[[], Frames], fps: float, poses: ClipPoses | None) -> str:
        model = self.model
        if model is None:
            return text_guidance.describe_motion(() if poses is None else poses.figures, fps)
        return _answered(lambda: model.motion(frames(), fps))

    def looks(self, picture: Picture, figures: tuple[Any, ...]) -> str:
        model = self.model
        return text_guidance.describe_looks(picture, figures) if model is None else _answered(
            lambda: model.looks(picture)
        )  # fmt: skip

    def fuse(self, motion: str, looks: str) -> str:
        model = self.model
        return text_guidance.fuse(motion, looks) if model is None else _answered(lambda: model.fuse(motion, looks))


def _answered(question: Callable[[], str]) -> str:
    try:
        return question()
    except LimitError as error:
        raise InputError(f"{error} Run it again to go on where it stopped.") from None
    except DescribeError as error:
        raise UnusableError(str(error)) from None


@dataclass(frozen=True)
class _Looker:
    """Looks at a reference: an estimator where there is one, else the model's own locator."""

    finder: Callable[[Frames, float], tuple[Any, ...]] | None
    locate: Callable[[Picture], Stand] | None
    words: _Words

    def __call__(self, picture: Picture) -> Seen:
        """Who is in it, as far as anybody can tell."""
        height, width = picture.shape[:2]
        figures = () if self.finder is None else self.finder(picture[None], 1.0)
        shown = shown_by_poses(figures, width, height)
        if shown.figures is None and self.locate is not None:
            shown = shown_by_stand(self.locate(picture), height)
        try:
            looks = self.words.looks(picture, figures)
        except UnusableError as error:
            raise InputError(f"no words for a picture of {width} x {height}: {error}") from None
        return Seen(shown, looks)


def shown_by_stand(stand: Stand, height: int) -> Shown:
    """How much of a body is in a picture, told by where it stands; a locator knows neither kind nor number.

    Args:
        stand: root and height of the body, pixels.
        height: of the picture, pixels.
    """
    top, bottom = stand.y - 0.55 * stand.height, stand.y + 0.45 * stand.height
    seen = max(0.0, min(bottom, height) - max(top, 0.0))
    share = seen / stand.height
    framing: Framing = "full" if share > 0.85 else "half" if share > 0.4 else "face"
    return Shown(framing=framing, share=min(1.0, seen / height))
