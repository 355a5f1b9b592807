"""``diptych animate``: files in, files out, streaming from decoder to encoder."""

from __future__ import annotations

import dataclasses
import itertools
import json
import platform
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diptych import __version__
from diptych.animate.sampler import SamplerSettings
from diptych.animate.session import Session
from diptych.files import sha256, write_json
from diptych.media.frame import resize
from diptych.media.image import read_image
from diptych.media.overlap import ahead, behind
from diptych.media.sheet import side_by_side
from diptych.media.video import TimedFrame, VideoInfo, VideoWriter, probe, read_frames
from diptych.models.store import load_mini, model_folder
from diptych.options import AnimateOptions
from diptych.progress import progress
from diptych.types import Frames, InputError, Picture

_PREVIEW_HEIGHT = 256
_AHEAD_FRAMES = 32
_BEHIND_CHUNKS = 2


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
    """

    output: Path
    frames: int
    width: int
    height: int
    seconds: float
    notes: tuple[str, ...]


def open_session(model: str = "mini", steps: int | None = None, guidance_scale: float | None = None) -> Session:
    """Loads a model once, for any number of pictures and drivers.

    Args:
        model: ``mini``, or a folder with a mini's files.
        steps: sampling steps, or the model's own number.
        guidance_scale: or the model's own.

    Raises:
        InputError: if there is no such model, or its files cannot be used.
    """
    backbone = load_mini(model_folder(model))
    facts = backbone.facts
    settings = SamplerSettings(
        steps=facts.steps if steps is None else steps,
        guidance_scale=facts.guidance_scale if guidance_scale is None else guidance_scale,
    )
    return Session(backbone, settings)


def animate_files(options: AnimateOptions) -> Animation | None:
    """One picture performs the motion of one video; the video and its run.json are written atomically.

    Returns:
        What was made, or None for a dry run, which prints its plan.

    Raises:
        InputError: if an input cannot be read, an output cannot be written, or they are the same file.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    _refuse_overwriting(options)
    reference = read_image(options.reference)
    info = probe(options.driving)
    session = open_session(options.model, options.steps, options.guidance_scale)
    width, height = _result_size(session.output_size(reference), options.size)
    run = _describe(options, session, info, width, height)
    if options.dry_run:
        print(json.dumps(run, indent=2, default=str))
        return None
    began = time.monotonic()
    frames, notes = _stream(options, session, reference, info, (width, height))
    seconds = time.monotonic() - began
    run["result"] = {"frames": frames, "seconds": round(seconds, 2), "sha256": sha256(options.output), "notes": notes}
    write_json(options.output.with_name(options.output.name + ".run.json"), run)
    for note in notes:
        print(f"diptych: {note}", file=sys.stderr)
    return Animation(options.output, frames, width, height, seconds, notes)


def _refuse_overwriting(options: AnimateOptions) -> None:
    outputs = [path for path in (options.output, options.preview) if path is not None]
    for path in outputs:
        if not path.parent.is_dir():
            raise InputError(f"{path} cannot be written because {path.parent} is no folder; make the folder first.")
        for source in (options.reference, options.driving):
            if path.resolve() == source.resolve():
                raise InputError(f"{path} is both input and output; choose another name for the output.")
    if len(outputs) == 2 and outputs[0].resolve() == outputs[1].resolve():
        raise InputError(f"{outputs[0]} is named for the result and for the preview; give the preview another name.")


def _result_size(made: tuple[int, int], asked: tuple[int, int] | int | None) -> tuple[int, int]:
    """Even width and height with the aspect of what the model makes, as large as asked for."""
    width, height = made
    if asked is None:
        return made
    bounds = (asked, asked) if isinstance(asked, int) else asked
    scale = min(bounds[0] / width, bounds[1] / height)
    return max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2))


def _describe(options: AnimateOptions, session: Session, info: VideoInfo, width: int, height: int) -> dict[str, Any]:
    """What run.json says of how the output is made."""
    backbone = session.backbone
    return {
        "made_with": f"diptych {__version__}",
        "generated": "This video was generated by a model; it is not a recording.",
        "options": dataclasses.asdict(options),
        "reference": {"file": str(options.reference), "sha256": sha256(options.reference)},
        "driving": {
            "file": str(options.driving),
            "sha256": sha256(options.driving),
            "width": info.width,
            "height": info.height,
            "average_fps": str(info.average_fps),
            "frames": info.frames,
            "audio": info.has_audio,
        },
        "model": {
            "name": backbone.facts.name,
            "folder": options.model,
            "contract": json.loads(backbone.contract.to_json()),
            "sampler": dataclasses.asdict(session.settings),
        },
        "output": {"width": width, "height": height},
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "threads": torch.get_num_threads(),
    }


def _stream(
    options: AnimateOptions, session: Session, reference: Picture, info: VideoInfo, size: tuple[int, int]
) -> tuple[int, tuple[str, ...]]:
    """Decodes ahead, generates, encodes behind. Returns the number of frames written and notes for the user."""
    keep = options.lead_in == "keep"
    lead_frames = session.plan.lead_in if keep else 0
    waiting: deque[TimedFrame] = deque()

    def driving() -> Iterator[Picture]:
        for frame in ahead(read_frames(options.driving), _AHEAD_FRAMES):
            waiting.append(frame)
            yield frame.pixels

    chunks = session.animate(reference, driving(), options.prompt or "", options.seed, keep_lead_in=keep)
    first = next(chunks)
    # The lead-in is shown at the pace of the driver's first frame, and everything after it comes that much later.
    beat = waiting[0].duration
    delay = lead_frames * beat
    with ExitStack() as stack:
        beside = _Beside.of(reference, waiting[0].pixels, first[0])
        outputs = _Outputs(stack, options, info, size, delay, beside)
        report = stack.enter_context(
            progress("animate", (info.frames or 0) + lead_frames, "frames", quiet=options.quiet)
        )
        writing = stack.enter_context(behind(outputs.write, _BEHIND_CHUNKS))
        done = 0
        for chunk in itertools.chain([first], chunks):
            lead = [
                TimedFrame(np.full_like(waiting[0].pixels, 128), waiting[0].time + i * beat, beat)
                for i in range(lead_frames if done == 0 else 0)
            ]
            rest = [waiting.popleft() for _ in range(len(chunk) - len(lead))]
            writing.put((chunk, lead + [dataclasses.replace(frame, time=frame.time + delay) for frame in rest]))
            done += len(chunk)
            report(done)
    return done, outputs.result.notes


class _Outputs:
    """The result and, where asked for, the preview: each window goes to both."""

    def __init__(
        self,
        stack: ExitStack,
        options: AnimateOptions,
        info: VideoInfo,
        size: tuple[int, int],
        delay: Fraction,
        beside: _Beside,
    ) -> None:
        self._size, self._beside = size, beside

        def opened(path: Path, width: int, height: int) -> VideoWriter:
            writer = VideoWriter(
                path,
                width,
                height,
                time_base=info.time_base,
                audio_from=options.driving if info.has_audio else None,
                audio_delay=delay,
                metadata={"comment": f"Generated by diptych {__version__} from a picture and a driving video."},
            )
            return stack.enter_context(writer)

        self.result = opened(options.output, *size)
        self._preview = opened(options.preview, *beside.size) if options.preview is not None else None

    def write(self, item: tuple[Frames, list[TimedFrame]]) -> None:
        """Writes one window: the made frames, with the driver's frames and times."""
        made, driving = item
        for pixels, frame in zip(resize(made, *self._size), driving, strict=True):
            self.result.write(pixels, frame.time, frame.duration)
        if self._preview is not None:
            for pixels, frame in zip(made, driving, strict=True):
                self._preview.write(self._beside.join(frame.pixels, pixels), frame.time, frame.duration)


@dataclass(frozen=True, eq=False)
class _Beside:
    """Reference, driver and result side by side, for people.

    Attributes:
        reference: the picture.
        size: width and height of the joined picture.
    """

    reference: Picture
    size: tuple[int, int]

    @classmethod
    def of(cls, reference: Picture, driving: Picture, made: Picture) -> _Beside:
        """Sizes the joined picture by its first parts."""
        height, width = side_by_side(reference, driving, made, height=_PREVIEW_HEIGHT).shape[:2]
        return cls(reference, (width, height))

    def join(self, driving: Picture, made: Picture) -> Picture:
        """One frame of the preview."""
        return side_by_side(self.reference, driving, made, height=_PREVIEW_HEIGHT)
