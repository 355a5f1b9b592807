"""Where the end-to-end stage's pairs come from: a manifest whose clips have drivers, or the made-up world, exactly.

A draw follows from the seed, the pair's name and its own number alone, as in ``dataset.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from diptych.data.dataset import (
    PUPPETS,
    SPARE,
    contents,
    draw_rng,
    parted,
    refuse_others_poses,
    sifted,
    told,
    too_short,
)
from diptych.data.draws import FINER, NOBODY, Draw, Eyes, box_for
from diptych.data.manifest import Entry
from diptych.data.pair_draws import PAIR_DRAWS, PairDrawSettings, pair_draw
from diptych.data.pose_draws import Poses
from diptych.data.poses import read_poses
from diptych.data.windows import strides
from diptych.media.draw_depth import draw_depth, draw_whole_clip
from diptych.media.video import read_clip
from diptych.method.contract import Contract
from diptych.puppets.poses import pose_of
from diptych.puppets.swapped import Bodies, draw_swapped
from diptych.types import Frames, InputError


@dataclass(frozen=True)
class PuppetPairs:
    """Pairs of the made-up world with their roles exchanged: what self-made pairs would be without a mistake.

    Attributes:
        split: ``train`` or ``eval``: disjoint identities and motions (docs/truth.md).
        bodies: whose footage is the answer.
    """

    split: str = "train"
    bodies: Bodies = "posed"

    @property
    def identity(self) -> str:
        """The split, and which pairs."""
        return f"swapped puppets {self.split} {self.bodies} {PAIR_DRAWS}"

    @property
    def clips(self) -> int | None:
        """There is no end to them."""
        return None

    @property
    def left_out(self) -> dict[str, int]:
        """Nothing is."""
        return {}

    def draw(
        self,
        clip: int,
        number: int,
        contract: Contract,
        settings: PairDrawSettings,
        seed: int,
        eyes: Eyes = NOBODY,
    ) -> Draw:
        """A window rendered at a rate of its own."""
        rng = draw_rng(seed, f"{self.identity} {clip}", number)
        pair = draw_swapped(clip, self.split, self.bodies)
        fps = float(np.exp(rng.uniform(*np.log(contract.fps))))
        times = pair.pair.start + rng.uniform(0.0, 1.5) + np.arange(contract.window_frames + SPARE) / fps
        box, drivers = (box_for(aspect, contract) for aspect in (pair.target_aspect, pair.driving_aspect))
        # Finer where a view may show a part of them alone, as real drivers are.
        finer = FINER if contract.motion_fit == "figure" else 1
        target = pair.target(times, box.width, box.height)
        with_depth = contract.auxiliary == "depth"
        driving = pair.driving(times, finer * drivers.width, finer * drivers.height, depth=with_depth)
        poses: Poses = ()
        if settings.pose_share:
            poses = pose_of(target.skeleton, pair.rigs, within=(box.width, box.height))
        depth = None if driving.nearness is None else draw_whole_clip(driving.nearness)
        return pair_draw(
            driving.frames,
            target.frames,
            pair.caption,
            contract,
            rng,
            settings,
            poses=poses,
            locate=eyes.locate,
            depth=depth,
        )


@dataclass(frozen=True, eq=False)
class PairSource:
    """The clips of a manifest that have a driver and room for a window.

    A reference of their own is not looked at: how its figure would come into the motion, which the lead-in shows,
    nobody knows. The footage's own frames are references whose every next frame is known.

    Attributes:
        path: of the manifest; files are named relative to it.
        entries: those that are used.
        left_out: how many are not, by reason.
    """

    path: Path
    entries: tuple[Entry, ...]
    left_out: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path, settings: PairDrawSettings) -> PairSource:
        """Reads a manifest and keeps what can be trained on.

        Raises:
            InputError: if it cannot be read, or nothing of it can be used.
        """
        lacking = {"made": "no driving video", "right": "no driver that is known to be right"}[settings.driver]
        sorts: dict[str, Callable[[Entry], bool]] = {lacking: lambda entry: driver_of(entry, settings) is None}
        remedy = "make pairs by diptych synth, or take shorter windows by --set draws.shortest"
        return cls(path, *sifted(path, sorts | too_short(settings), remedy))

    def split(self, held_out: int) -> tuple[PairSource, PairSource]:
        """What is trained on, and some pairs that are not, of other sources.

        Raises:
            InputError: if nothing would be left to train on.
        """
        train, rest = parted(self.path, self.entries, held_out)
        return PairSource(self.path, train, self.left_out), PairSource(self.path, rest, self.left_out)

    @property
    def identity(self) -> str:
        """The pairs by their names and contents, and what else a draw depends on."""
        return f"pairs {contents(self.entries)} {PAIR_DRAWS}"

    @property
    def clips(self) -> int | None:
        """How many there are."""
        return len(self.entries)

    def draw(
        self,
        clip: int,
        number: int,
        contract: Contract,
        settings: PairDrawSettings,
        seed: int,
        eyes: Eyes = NOBODY,
    ) -> Draw:
        """A window of a pair.

        Raises:
            InputError: if its files cannot be read, or are not what the manifest says.
        """
        entry = self.entries[clip]
        rng = draw_rng(seed, entry.id, number)
        driver, posed = driver_of(entry, settings) or "", entry.poses if settings.pose_share else None
        driving, target, poses = _opened(self.path.parent, driver, entry.target, posed, entry.frames)
        depth = _depth_of(self.path.parent / driver, eyes) if contract.auxiliary == "depth" else None
        taken = strides(float(Fraction(entry.fps)), contract)
        return pair_draw(
            driving,
            target,
            told(entry),
            contract,
            rng,
            settings,
            poses=poses,
            taken=taken,
            locate=eyes.locate,
            depth=depth,
        )


def driver_of(entry: Entry, settings: PairDrawSettings) -> str | None:
    """Relative path of the video that drives, if there is one."""
    if settings.driver == "made":
        return entry.driving
    return None if entry.pair is None else entry.pair.right


def pair_sources(
    data: str, settings: PairDrawSettings, held_out: int
) -> tuple[PuppetPairs, PuppetPairs] | tuple[PairSource, PairSource]:
    """What is trained on, and what previews show.

    Args:
        data: ``puppets``, or the path of a manifest.
        settings: how long windows are, and whose footage is drawn.
        held_out: pairs of a manifest that are never trained on, at least.

    Raises:
        InputError: if a manifest cannot be used.
    """
    if data == PUPPETS:
        return PuppetPairs("train", settings.bodies), PuppetPairs("eval", settings.bodies)
    return PairSource.of(Path(data), settings).split(held_out)


@functools.lru_cache(maxsize=1)
def _opened(folder: Path, driving: str, target: str, poses: str | None, frames: int) -> tuple[Frames, Frames, Poses]:
    """Driver, footage and its poses; kept until the next ones, since a pair's draws follow each other."""
    driver, footage = _frames_of(folder / driving), read_clip(folder / target).frames
    if not len(driver) == len(footage) == frames:
        raise InputError(
            f"{folder / driving} has {len(driver)} frames and {target} has {len(footage)}, where the manifest says "
            f"{frames} of both; make them frame for frame alike, or remove the line."
        )
    if poses is None:
        return driver, footage, ()
    found = read_poses(folder / poses)
    refuse_others_poses(found, footage, frames, folder / poses, target)
    return driver, footage, found.figures


@functools.lru_cache(maxsize=1)
def _frames_of(driver: Path) -> Frames:
    return read_clip(driver).frames


@functools.lru_cache(maxsize=1)
def _depth_of(driver: Path, eyes: Eyes) -> Frames:
    """A driver's depth as its panel shows it; kept until the next one, as the driver is.

    Raises:
        ValueError: if there is nobody to find it.
    """
    if eyes.find_depth is None:
        raise ValueError("nobody was given to find the driver's depth")
    return draw_depth(eyes.find_depth(_frames_of(driver)))
