"""What ``diptych serve`` has done for it: processes that load a model once and animate whatever they are sent.

The page's own process touches no pixels. A run is told to stop between two denoising steps: what is loaded stays
loaded, and finished windows stay in the journal. Nothing heavy is imported before such a process runs.
"""

from __future__ import annotations

import dataclasses
import os
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from diptych.options import AnimateOptions
from diptych.progress import Stopped, watched
from diptych.recipes.beside import Refused, Worker
from diptych.types import InputError

if TYPE_CHECKING:
    from diptych.animate.session import Session

STOP = "stop"
"""What a worker is sent when a run is to end."""

_EXAMPLES = {"teapot": 7, "cow": 15, "child": 18}
"""Puppets that stand beside the bundled example, by their seeds."""

_HIGHEST, _WIDEST = 720, 8192
"""Pixels of the clip that is played in the page: enough for a screen, and nowhere near what encoders refuse."""


# --- what processes say ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ready:
    """The model is loaded.

    Attributes:
        model: its name.
        steps: that it takes where none are asked for.
        motion: what drives it: ``rgb`` or ``pose``.
        window: frames that are made at a time.
        panel_area: pixels of a result, about, where no size is asked for.
    """

    model: str
    steps: int
    motion: str
    window: int
    panel_area: int


@dataclass(frozen=True)
class Progressed:
    """How far a run has come.

    Attributes:
        label: what is being done.
        done: units that are finished.
        total: how many there are in all, 0 where nobody knows.
        unit: plural noun.
        share: of the unit in the making, or of the window, 0..1.
        beating: whether something is being made, rather than taken from a journal.
    """

    label: str
    done: int
    total: int
    unit: str
    share: float = 0.0
    beating: bool = False


@dataclass(frozen=True)
class Made:
    """A finished run.

    Attributes:
        frames: of the result.
        width: of the result, pixels.
        height: likewise.
        seconds: that it took since it was last begun.
        notes: about what could not be kept as it was.
        times: when each frame is shown, seconds.
        columns: left edge and width of reference, driver and result in the joined clip, pixels.
        beside: width and height of the joined clip.
    """

    frames: int
    width: int
    height: int
    seconds: float
    notes: tuple[str, ...]
    times: tuple[float, ...]
    columns: tuple[tuple[int, int], ...]
    beside: tuple[int, int]


@dataclass(frozen=True)
class Halted:
    """A run that ended because it was told to."""


@dataclass(frozen=True)
class Broke:
    """A run that failed for a reason nobody foresaw; the worker goes on."""

    reason: str


@dataclass(frozen=True)
class Example:
    """Files to begin with: a name, a picture and a video."""

    name: str
    picture: Path
    video: Path


Word: TypeAlias = Ready | Refused | Progressed | Made | Halted | Broke


def start_animator(common: AnimateOptions, folder: Path, device: str | None = None) -> Worker:
    """A process that loads a model and animates whatever options it is sent, paths relative to ``folder``.

    It says :class:`Ready` or :class:`Refused` once, and then of every run any number of :class:`Progressed` and one of
    :class:`Made`, :class:`Refused`, :class:`Halted` and :class:`Broke`.

    Args:
        common: the model and how it is loaded.
        folder: of all runs.
        device: the number of a card, or ``cpu``; None leaves the choice to torch.
    """
    return Worker.start(_animator, folder, _anywhere(common), device)


def examples(folder: Path) -> list[Example]:
    """The bundled example, and puppets that a worker has drawn into the folder of all runs."""
    assets = Path(__file__).parents[1] / "assets"
    places = [("person", assets)] + [(name, folder / "examples" / name) for name in _EXAMPLES]
    return [Example(name, its / "reference.png", its / "driving.mp4") for name, its in places if its.is_dir()]


def _anywhere(common: AnimateOptions) -> AnimateOptions:
    """The same where relative paths lead elsewhere. What is no path here is the name of a repository or a model."""

    def at(name: str | None) -> str | None:
        return str(Path(name).resolve()) if name is not None and Path(name).exists() else name

    return dataclasses.replace(
        common,
        model=common.model if common.model == "mini" else at(common.model) or common.model,
        weights=at(common.weights),
        adapter=None if common.adapter is None else common.adapter.resolve(),
        loras=tuple((path.resolve(), scale) for path, scale in common.loras),
        pose_weights=at(common.pose_weights),
        detector_weights=at(common.detector_weights),
        animal_weights=at(common.animal_weights),
        depth_weights=at(common.depth_weights),
    )


# --- the animator ---------------------------------------------------------------------------------------------------


def _animator(pipe: Connection, common: AnimateOptions, device: str | None) -> None:
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = "" if device == "cpu" else device
    from diptych.recipes.session import session_for

    try:
        session = session_for(common)
    except InputError as error:
        pipe.send(Refused(str(error)))
        return
    _draw_examples(Path("examples"))
    backbone, contract = session.backbone, session.backbone.contract
    window = session.plan.span(0).window.new_frames
    pipe.send(Ready(backbone.facts.name, session.settings.steps, contract.motion, window, contract.panel_area))
    while True:
        task = pipe.recv()
        if task != STOP:  # a stop that crossed the end of its run
            pipe.send(_animated(task, session, _Listener(pipe)))


@dataclass
class _Listener:
    """Passes progress on, and ends the run when it is told to."""

    pipe: Connection
    now: Progressed = field(default_factory=lambda: Progressed("", 0, 0, ""))

    def report(self, label: str, done: int, total: int, unit: str) -> None:
        self._say(Progressed(label, done, total, unit))

    def beat(self, share: float) -> None:
        self._say(dataclasses.replace(self.now, share=share, beating=True))

    def _say(self, now: Progressed) -> None:
        if now != self.now:
            self.now = now
            self.pipe.send(now)
        while self.pipe.poll():
            if self.pipe.recv() == STOP:
                raise Stopped


def _animated(options: AnimateOptions, session: Session, listener: _Listener) -> Word:
    from diptych.media.video import frame_times, probe
    from diptych.recipes.animate import animate_files
    from diptych.recipes.session import settled

    beside = options.preview
    assert beside is not None
    try:
        session = settled(session, options)
        options = dataclasses.replace(options, preview_height=_height_beside(options, session))
        with watched(listener):
            made = animate_files(options, session)
        assert made is not None  # None is of dry runs
        joined = probe(beside)
        return Made(
            frames=made.frames,
            width=made.width,
            height=made.height,
            seconds=round(made.seconds, 2),
            notes=made.notes,
            times=tuple(round(float(time), 6) for time in frame_times(beside)),
            columns=made.columns,
            beside=(joined.width, joined.height),
        )
    except Stopped:
        return Halted()
    except InputError as error:
        return Refused(str(error))
    except Exception as error:  # whatever one run does, the next is to be made
        return Broke(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")


def _height_beside(options: AnimateOptions, session: Session) -> int:
    """Pixels of the joined clip: as high as the result within reason, and no wider than encoders take."""
    from diptych.media.image import read_image
    from diptych.media.video import probe
    from diptych.recipes.animate import PREVIEW_HEIGHT
    from diptych.recipes.sizing import Sizing

    reference, driver = read_image(options.reference), probe(options.driving)
    result = Sizing.of(session.output_size(reference), options.size, options.fit)
    # Skeletons are drawn as wide as the picture, footage is as wide as it is.
    aspects = 2 * reference.shape[1] / reference.shape[0] + driver.width / driver.height + result.width / result.height
    return max(16, 2 * (min(_HIGHEST, max(PREVIEW_HEIGHT, result.height), int(_WIDEST / aspects)) // 2))


def _draw_examples(folder: Path) -> None:
    """Puppets to begin with, drawn once, by one of several workers."""
    from diptych.files import appearing, locked
    from diptych.recipes.puppets import render_example

    folder.mkdir(exist_ok=True)
    with suppress(InputError), locked(folder / "lock"):
        for name, seed in _EXAMPLES.items():
            if not (folder / name).is_dir():
                with appearing(folder / name) as draft:
                    render_example(draft, seed)
