"""``diptych animate``: files in, files out, streaming from decoder to encoder."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import platform
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from diptych import __version__
from diptych.animate.journal import Journal, opened_journal
from diptych.animate.session import Session, filled
from diptych.data.poses import ClipPoses
from diptych.files import sha256, sweep, write_json, writing_errors
from diptych.media.image import read_image
from diptych.media.mark import marked
from diptych.media.overlap import ahead, behind
from diptych.media.sheet import columns_of, side_by_side
from diptych.media.video import TimedFrame, VideoWriter, check_suffix
from diptych.method.contract import Contract
from diptych.models.parallel import rank_and_size
from diptych.options import AnimateOptions, DescribeOptions, PoseFit
from diptych.progress import progress
from diptych.recipes.depth_drive import ClipDepth, depth_of_clip
from diptych.recipes.driver import Driver, phases_for
from diptych.recipes.pose_drive import Placed, placed, poses_of_video
from diptych.recipes.session import savings_of, session_for
from diptych.recipes.sizing import Sizing
from diptych.types import Frames, InputError, Picture

PREVIEW_HEIGHT = 256
"""Pixels from top to bottom of a preview, where nothing else is asked for."""

_WHITE = (255, 255, 255)
_AHEAD_FRAMES = 32
_BEHIND_CHUNKS = 2

BOX_AND_DEPTH = (
    "--pose-fit box moves skeletons away from the depth that this model is shown beside them; say raw or reference."
)
"""What is said where skeletons would not lie on their own depth."""


@dataclass(frozen=True)
class Animation:
    """What was made.

    Attributes:
        output: the video.
        frames: how many.
        width: pixels.
        height: pixels.
        seconds: wall time from the first frame read to the file closed, loading not counted.
        notes: sentences about what could not be kept as it was.
        columns: where reference, driver and result lie in the preview: left edge and width of each, pixels. Empty
            without one.
    """

    output: Path
    frames: int
    width: int
    height: int
    seconds: float
    notes: tuple[str, ...]
    columns: tuple[tuple[int, int], ...] = ()


def animate_files(options: AnimateOptions, session: Session | None = None) -> Animation | None:
    """One picture performs the motion of one video; the video and its run.json are written atomically.

    Finished windows are kept in a journal beside the output until it is whole, so a killed call is gone on with by an
    equal one.

    Args:
        options: files and settings.
        session: a loaded model, where several videos are made with one; ``options.model``, ``steps`` and
            ``guidance_scale`` must be those it was opened with.

    Returns:
        What was made, or None for a dry run, which prints its plan.

    Raises:
        InputError: if an input cannot be read, an output cannot be written, or they are the same file.
        KeyboardInterrupt: from the keyboard, with a sentence on how to go on.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    _refuse_overwriting(options)
    if options.describe and options.prompt is None:
        options = dataclasses.replace(options, prompt=_described(options))
    reference = read_image(options.reference, background=options.background or _WHITE)
    driver = Driver.of(options)
    session = session or session_for(options)
    _refuse_unfitting_depth(options, session.backbone.contract)
    poses, depth = _poses_for(options, session, driver), None
    if options.depth_weights is not None and not options.dry_run:
        depth = depth_of_clip(options.driving, (frame.pixels for frame in driver.frames()), options.depth_weights)
        driver = dataclasses.replace(driver, beside=depth.frames)
    if poses is not None:
        panel, skeletons = session.panel(reference), _skeletons(poses, session, reference, options.pose_fit)
        driver = driver.replaced(skeletons, panel)
    sizing = Sizing.of(session.output_size(reference), options.size, options.fit)
    phases = phases_for(driver.fps, session.backbone.contract)
    asked = _Asked(options, session, reference, driver, sizing, phases, poses, depth)
    run = asked.described()
    if options.dry_run:
        from diptych.recipes.plan import foreseen

        run["plan"] = foreseen(session, reference, savings_of(options), options.weights, auto=options.memory == "auto")
        print(json.dumps(run, indent=2, default=str))
        return None
    rank, processes = rank_and_size()
    if rank:
        # Another process of the same run writes; this one has its share of every step.
        for _ in _generated(asked, (frame.pixels for frame in driver.frames()), None):
            pass
        return None
    began = time.monotonic()
    notes = [*sizing.notes]
    shown, known = "rgb" if poses is None else "pose", session.backbone.contract.motion
    if shown != known:
        names = {"rgb": "footage", "pose": "skeletons"}
        notes.append(f"the model was trained to be driven by {names[known]} and is driven by {names[shown]}, as asked.")
    if phases > 1:
        ways = {"phases": f"it is done as {phases} interleaved drivers", "fill": f"one frame in {phases} is made"}
        notes.append(
            f"the model knows up to {session.backbone.contract.fps[1]:g} frames a second and the driver has "
            f"{float(driver.fps):.4g}: {ways[asked.way]}."
        )
    with opened_journal(journal_folder(options.output), _made_from(run), session.window_shape(reference)) as journal:
        # The journal is held, so whatever half-written file lies here belongs to a run that was killed.
        record = options.output.with_name(options.output.name + ".run.json")
        for path in (options.output, options.preview, record):
            if path is not None:
                sweep(path)
        try:
            # Windows from a journal would leave the other processes of a run waiting for this one.
            frames, said, columns = _stream(asked, journal if processes == 1 else None, _provenance(run))
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise _too_large(asked, error) from None
        except RuntimeError as error:
            if "allocate memory" not in str(error):
                raise
            raise _too_large(asked, error) from None
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"stopped from the keyboard{_how_to_go_on(journal)}") from None
        except Exception:
            print(f"diptych: stopped by a failure{_how_to_go_on(journal)}", file=sys.stderr)
            raise
        seconds = time.monotonic() - began
        notes += said
        windows = {"made": journal.made, "from_the_journal": journal.reused}
        run["result"] = {
            "frames": frames,
            "seconds": round(seconds, 2),
            "sha256": sha256(options.output),
            "windows": windows,
            "notes": notes,
        }
        write_json(record, run)
        journal.forget()
    for note in notes:
        print(f"diptych: {note}", file=sys.stderr)
    return Animation(options.output, frames, sizing.width, sizing.height, seconds, tuple(notes), columns)


def _described(options: AnimateOptions) -> str:
    """The prompt that a describer fuses of picture and video (paper, section 3.3).

    Raises:
        InputError: as :func:`~diptych.recipes.words.words_for`.
    """
    from diptych.recipes.words import words_for

    return words_for(DescribeOptions(options.reference, options.driving, options.poses, options.words)).prompt


def _poses_for(options: AnimateOptions, session: Session, driver: Driver) -> ClipPoses | None:
    """The driver's poses, where they are what drives; None where its footage does.

    Raises:
        InputError: if there are none to be had.
    """
    if (options.motion or session.backbone.contract.motion) == "rgb":
        return None
    return poses_of_video(
        driver.info,
        options.poses,
        weights=options.pose_weights,
        detector=options.detector_weights,
        animals=options.animal_weights,
        quiet=options.quiet,
    )


def _skeletons(poses: ClipPoses, session: Session, reference: Picture, how: PoseFit) -> Placed:
    return placed(poses, session.panel(reference), how, lambda: session.stand_of(reference))


def _refuse_unfitting_depth(options: AnimateOptions, contract: Contract) -> None:
    """Refuses a model that wants depth and is given none, and one that has no panel for it and is.

    Raises:
        InputError: naming the option.
    """
    if contract.auxiliary == "none":
        if options.depth_weights is not None:
            raise InputError(
                "this model has no panel for depth; leave --depth-weights out, or choose another --adapter."
            )
        return
    if options.depth_weights is None:
        raise InputError(
            "this model was trained with the driver's depth beside its motion; name an estimator of depth by "
            "--depth-weights, such as depth-anything/Depth-Anything-V2-Small-hf."
        )
    if options.pose_fit == "box" and (options.motion or contract.motion) == "pose":
        raise InputError(BOX_AND_DEPTH)


def _too_large(asked: _Asked, error: Exception) -> InputError:
    """Memory is short: what would need less."""
    reason = " ".join(str(error).split())[:160]
    ways = "close other programs, or choose a smaller --weights"
    if asked.options.backbone != "mini":
        ways = "try --memory auto, a smaller --panel-area or a shorter --window; diptych plan says what fits"
    return InputError(f"{asked.options.driving} cannot be animated: memory does not hold a window ({reason}); {ways}.")


def journal_folder(output: Path) -> Path:
    """Where the finished windows of an output lie until it is whole."""
    return output.with_name(output.name + ".journal")


def _made_from(run: dict[str, Any]) -> dict[str, Any]:
    """What decides the pixels of windows, of all that run.json says; where files lie does not."""
    chosen = {
        name: run[name]
        for name in ("made_with", "reference", "driving", "motion", "model", "prompt", "seed", "phases", "way")
    }
    if "auxiliary" in run:
        # Its range follows from the driver and the weights, up to digits that another number of threads may move.
        chosen["auxiliary"] = {key: run["auxiliary"][key] for key in ("kind", "identity")}
    for name, where in (("reference", "file"), ("driving", "file"), ("motion", "file"), ("model", "weights")):
        chosen[name] = {key: value for key, value in chosen[name].items() if key != where}
    return chosen


def _how_to_go_on(journal: Journal) -> str:
    if not journal.kept:
        return " before a window was finished."
    windows = "1 finished window is" if journal.kept == 1 else f"{journal.kept} finished windows are"
    return f"; {windows} kept in {journal.folder}, and the same command goes on from there."


def _refuse_overwriting(options: AnimateOptions) -> None:
    outputs = [path for path in (options.output, options.preview) if path is not None]
    for path in outputs:
        check_suffix(path)
        if not path.parent.is_dir():
            raise InputError(f"{path} cannot be written because {path.parent} is no folder; make the folder first.")
        with writing_errors(path):
            ordinary = path.is_file() or not path.exists()
        if not ordinary:
            raise InputError(f"{path} cannot be written (it is not an ordinary file); choose another name.")
        for source in (options.reference, options.driving):
            if path.resolve() == source.resolve():
                raise InputError(f"{path} is both input and output; choose another name for the output.")
    if len(outputs) == 2 and outputs[0].resolve() == outputs[1].resolve():
        raise InputError(f"{outputs[0]} is named for the result and for the preview; give the preview another name.")


@dataclass(frozen=True, eq=False)
class _Asked:
    """What is to be done, settled before the first frame is read.

    Attributes:
        options: as the user gave them.
        session: the loaded model.
        reference: the picture.
        driver: the video, or the part of it that is taken.
        sizing: from the model's pixels to the result's.
        phases: how many times faster it is than the model knows, rounded up; what is done then is :attr:`way`.
        poses: what drives, where that is not the footage itself.
        depth: what is shown beside it, where the model has a panel for that.
    """

    options: AnimateOptions
    session: Session
    reference: Picture
    driver: Driver
    sizing: Sizing
    phases: int
    poses: ClipPoses | None = None
    depth: ClipDepth | None = None

    @property
    def way(self) -> Literal["phases", "fill"]:
        """What is done with a driver that is too fast."""
        return self.session.backbone.facts.fast

    def described(self) -> dict[str, Any]:
        """What run.json says of how the output is made."""
        options, driver, sizing = self.options, self.driver, self.sizing
        backbone, info = self.session.backbone, driver.info
        return {
            "made_with": f"diptych {__version__}",
            "generated": "This video was generated by a model; it is not a recording.",
            "options": dataclasses.asdict(options),
            "reference": {
                "file": str(options.reference),
                "sha256": sha256(options.reference),
                "background": options.background or _WHITE,
            },
            "driving": {
                "file": str(options.driving),
                "sha256": sha256(options.driving),
                "width": info.width,
                "height": info.height,
                "average_fps": str(info.average_fps),
                "frames": info.frames,
                "audio": info.has_audio,
                "start": str(driver.part.start),
                "end": None if driver.part.end is None else str(driver.part.end),
                "fps": None if driver.rate is None else str(driver.rate),
            },
            "motion": {"kind": "rgb"} if self.poses is None else self._said_of_poses(self.poses),
            **({} if self.depth is None else {"auxiliary": self.depth.described()}),
            "prompt": options.prompt or "",
            "seed": options.seed,
            "phases": self.phases,
            "way": self.way if self.phases > 1 else None,
            "model": {
                "name": backbone.facts.name,
                "weights": options.weights or options.model,
                "identity": backbone.identity,
                "contract": json.loads(backbone.contract.to_json()),
                "sampler": dataclasses.asdict(self.session.settings),
            },
            "output": {"width": sizing.width, "height": sizing.height, "fit": sizing.fit, "mark": options.mark},
            "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
            "threads": torch.get_num_threads(),
        }

    def _said_of_poses(self, poses: ClipPoses) -> dict[str, Any]:
        digest = hashlib.sha256(repr((poses.width, poses.height)).encode())
        for skeleton in poses.figures:
            digest.update(np.ascontiguousarray(skeleton.joints).tobytes())
        return {
            "kind": "pose",
            "file": None if self.options.poses is None else str(self.options.poses),
            "source": poses.source,
            "sha256": digest.hexdigest(),
            "figures": sum(skeleton.joints.shape[1] for skeleton in poses.figures),
            "fit": self.options.pose_fit,
        }


def _provenance(run: dict[str, Any]) -> dict[str, str]:
    """What the container says of itself, short enough for a comment."""
    weights = run["model"]["identity"].get("denoiser.safetensors", run["model"]["weights"])[:64]
    made_by = f"{run['made_with']}, model {run['model']['name']} {weights}"
    reference = run["reference"]["sha256"]
    return {"comment": f"Generated by a model, not a recording: {made_by}, reference sha256 {reference}."}


def _generated(
    asked: _Asked, driving: Iterator[Picture], journal: Journal | None, count: Callable[[], int] | None = None
) -> Iterator[Frames]:
    """What the session makes of the driver's frames, window by window, frames in between filled in where asked.

    Args:
        asked: what is to be done.
        driving: the driver's frames.
        journal: takes finished windows.
        count: how many frames there were; asked for at the end, by what is filled in.
    """
    options, keep = asked.options, asked.options.lead_in == "keep"
    filling = asked.phases > 1 and asked.way == "fill"
    chunks = asked.session.animate(
        asked.reference,
        itertools.islice(driving, 0, None, asked.phases) if filling else driving,
        options.prompt or "",
        options.seed,
        auxiliary=asked.driver.auxiliary(asked.phases if filling else 1),
        phases=1 if filling else asked.phases,
        keep_lead_in=keep,
        journal=journal,
    )
    if filling and count is not None:
        return filled(chunks, asked.phases, count, asked.session.plan.lead_in if keep else 0)
    return chunks


def _stream(
    asked: _Asked, journal: Journal | None, metadata: dict[str, str]
) -> tuple[int, tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Decodes ahead, generates, encodes behind.

    Returns:
        The number of frames written, notes for the user, and the preview's columns.
    """
    options, driver = asked.options, asked.driver
    lead_frames = asked.session.plan.lead_in if options.lead_in == "keep" else 0
    waiting: deque[TimedFrame] = deque()
    taken = 0

    def driving() -> Iterator[Picture]:
        nonlocal taken
        for frame in ahead(driver.frames(), _AHEAD_FRAMES):
            waiting.append(frame)
            taken += 1
            yield frame.pixels

    chunks = _generated(asked, driving(), journal, lambda: taken)
    try:
        first = next(chunks)
    except ValueError:
        raise InputError(f"{options.driving} has no frame in that part; choose another --start or --end.") from None
    # The lead-in is shown at the pace of the driver's first frame, and everything after it comes that much later.
    beat = waiting[0].duration * asked.phases
    # A part starts at time zero.
    origin = waiting[0].time if driver.is_cut else Fraction(0)
    delay = lead_frames * beat - origin
    with ExitStack() as stack:
        height = options.preview_height or PREVIEW_HEIGHT
        beside = _Beside.of(asked.reference, waiting[0].pixels, asked.sizing(first[:1])[0], height)
        outputs = _Outputs(stack, asked, beside, origin, delay, metadata)
        report = stack.enter_context(progress("animate", driver.expected + lead_frames, "frames", quiet=options.quiet))
        writing = stack.enter_context(behind(outputs.write, _BEHIND_CHUNKS))
        done = 0
        for chunk in itertools.chain([first], chunks):
            lead = [
                TimedFrame(np.full_like(waiting[0].pixels, 128), waiting[0].time - origin + i * beat, beat)
                for i in range(lead_frames if done == 0 else 0)
            ]
            rest = [waiting.popleft() for _ in range(len(chunk) - len(lead))]
            writing.put((chunk, lead + [dataclasses.replace(frame, time=frame.time + delay) for frame in rest]))
            done += len(chunk)
            report(done)
    return done, outputs.result.notes, beside.columns if options.preview is not None else ()


class _Outputs:
    """The result and, where asked for, the preview: each window goes to both."""

    def __init__(
        self,
        stack: ExitStack,
        asked: _Asked,
        beside: _Beside,
        origin: Fraction,
        delay: Fraction,
        metadata: dict[str, str],
    ) -> None:
        options, driver, sizing = asked.options, asked.driver, asked.sizing
        self._sizing, self._beside, self._mark = sizing, beside, options.mark

        def opened(path: Path, width: int, height: int) -> VideoWriter:
            writer = VideoWriter(
                path,
                width,
                height,
                time_base=driver.time_base,
                audio_from=options.driving if driver.info.has_audio else None,
                audio_delay=delay,
                audio_part=(origin, driver.end) if driver.is_cut else None,
                metadata=metadata,
            )
            return stack.enter_context(writer)

        self.result = opened(options.output, sizing.width, sizing.height)
        self._preview = opened(options.preview, *beside.size) if options.preview is not None else None

    def write(self, item: tuple[Frames, list[TimedFrame]]) -> None:
        """Writes one window: the made frames, with the driver's frames and times."""
        made, driving = item
        shown = self._sizing(made)
        if self._mark is not None:
            shown = marked(shown, self._mark)
        for pixels, frame in zip(shown, driving, strict=True):
            self.result.write(pixels, frame.time, frame.duration)
        if self._preview is not None:
            for pixels, frame in zip(shown, driving, strict=True):
                self._preview.write(self._beside.join(frame.pixels, pixels), frame.time, frame.duration)


@dataclass(frozen=True, eq=False)
class _Beside:
    """Reference, driver and result side by side, for people.

    Attributes:
        reference: the picture.
        size: width and height of the joined picture.
        columns: left edge and width of each part.
    """

    reference: Picture
    size: tuple[int, int]
    columns: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, reference: Picture, driving: Picture, shown: Picture, height: int) -> _Beside:
        """Sizes the joined picture by its first parts."""
        parts = reference, driving, shown
        width = side_by_side(*parts, height=height).shape[1]
        return cls(reference, (width, height), tuple(columns_of([part.shape[1::-1] for part in parts], height)))

    def join(self, driving: Picture, shown: Picture) -> Picture:
        """One frame of the preview."""
        return side_by_side(self.reference, driving, shown, height=self.size[1])
