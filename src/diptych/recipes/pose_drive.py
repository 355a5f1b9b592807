"""Driving by skeletons: the poses of a clip as the motion panel shows them.

A session is never told what kind of motion it is given. It takes frames; here they are drawn, of the panel's own size,
so that a stick is as wide as it was in training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from diptych.data.pose_formats import read_any_poses
from diptych.data.poses import ClipPoses
from diptych.media.draw import draw_skeletons
from diptych.media.draw_depth import depth_in_view
from diptych.media.frame import Placement, View, figure_view, place_in
from diptych.media.video import VideoInfo, read_frames
from diptych.method.pose_augment import normalise_to_box
from diptych.method.standing import stand_of_poses
from diptych.method.tracking import FrameFigures, link
from diptych.options import PoseFit
from diptych.progress import progress
from diptych.types import InputError, Picture, Skeleton, Stand

_CHUNK = 32
"""Frames that are drawn, or looked at by an estimator, at a time."""


def poses_of_video(
    info: VideoInfo,
    poses: Path | None = None,
    *,
    weights: str | None = None,
    detector: str | None = None,
    animals: str | None = None,
    quiet: bool = False,
) -> ClipPoses:
    """The poses of a video: those that are given, or those that an estimator finds, going through it once.

    Args:
        info: of the video.
        poses: file or folder of its poses, in any known form.
        weights: folder or repository of the network that finds joints of people.
        detector: of the one that finds figures.
        animals: of the one that finds joints of animals.
        quiet: no progress on the terminal.

    Raises:
        InputError: if neither is given, poses do not fit the video, weights cannot be used, or nobody is found in it.
    """
    fps = float(info.average_fps)
    if poses is not None:
        found = read_any_poses(poses, frames=info.frames, size=(info.width, info.height), fps=fps)
    elif weights is None:
        raise InputError(
            f"{info.path} has no poses to drive with; give them with --poses, or name an estimator with --pose-weights."
        )
    else:
        from diptych.experts.pose import PoseEstimator, Weights

        named = [None if one is None else Weights(one) for one in (weights, animals, detector)]
        estimate = PoseEstimator(*named, device="cuda" if torch.cuda.is_available() else "cpu")
        figures: list[FrameFigures] = []
        frames = (frame.pixels for frame in read_frames(info.path))
        with progress("poses", info.frames or 0, "frames", quiet=quiet) as report:
            while chunk := list(islice(frames, _CHUNK)):
                figures += estimate(np.stack(chunk))
                report(len(figures))
        skeletons, _ = link(figures, info.width, info.height, fps=fps)
        found = ClipPoses(skeletons, info.width, info.height, weights)
    seen = sum(int((one.joints[..., 2] > 0).any(-1).sum()) for one in found.figures)
    if not seen:
        raise InputError(f"{info.path} shows nobody whose skeleton was found; drive with the video itself instead.")
    return found


@dataclass(frozen=True)
class Placed:
    """Poses, and where they come to lie in a panel.

    Attributes:
        figures: skeletons of the clip.
        shown: from their pixels to the panel's.
    """

    figures: tuple[Skeleton, ...]
    shown: View

    def frames(self, panel: Placement) -> Iterator[Picture]:
        """Every frame as it stands in its panel, RGB, uint8, ``(panel height, panel width, 3)``."""
        for start in range(0, len(self.figures[0].joints), _CHUNK):
            yield from draw_skeletons(
                self.figures,
                panel.panel_height,
                panel.panel_width,
                scale=self.shown.scale,
                left=self.shown.left,
                top=self.shown.top,
                moments=slice(start, start + _CHUNK),
            )

    def beside(self, depth: Iterable[Picture], panel: Placement) -> Iterator[Picture]:
        """Drawn depth of the driver's pictures as it stands beside them; not for poses that were moved to a box."""
        for picture in depth:
            yield depth_in_view(picture, self.shown, panel.panel_height, panel.panel_width)


def placed(
    poses: ClipPoses, panel: Placement, how: PoseFit, reference_stand: Callable[[], Stand | None] | None = None
) -> Placed:
    """Brings the poses of a driver into the panel beside a reference.

    Args:
        poses: of the driver.
        panel: of the reference, and where that lies in it.
        how: ``raw`` as the driver's picture would lie in the reference's place; ``box`` by the box around all joints of
            the clip (paper, section 3.3); ``reference`` as large as the reference's figures and where those stand.
        reference_stand: says where they do, in pixels of the reference's box in its panel; asked only for
            ``reference``. Where it is missing or nobody is found on either side, poses are placed raw.
    """
    if how == "box":
        inside = normalise_to_box(poses.figures, poses.width, poses.height)
        return Placed(inside, _whole(poses, panel))
    if how == "reference" and reference_stand is not None:
        theirs, mine = reference_stand(), stand_of_poses(poses.figures)
        if theirs is not None and mine is not None:
            return Placed(poses.figures, figure_view(theirs, mine, panel, (poses.width, poses.height)))
    return Placed(poses.figures, _whole(poses, panel))


def _whole(poses: ClipPoses, panel: Placement) -> View:
    """All of the driver's picture in the place of the reference's."""
    box = place_in(poses.width, poses.height, panel.height, panel.width)
    return View(box.width / poses.width, panel.x + box.x, panel.y + box.y)
