"""Draws of the end-to-end stage: a made video drives, and the footage it was made from is the answer (paper Eq. 4).

The driver V_o shows another character in the motion of the footage V_src, frame for frame; reference and answer are the
footage itself. So whatever the maker of V_o did wrong is on the side of the input, and what is learnt from is always
real. The driver is augmented, since it stands where its maker's skeletons stood (``method/rgb_augment.py``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from diptych.data.draws import Draw, Locate, damaged, recoded
from diptych.data.pose_draws import Poses, at_frames, drawn
from diptych.data.windows import WindowSettings, choose
from diptych.media.frame import View, fit, located_view, panel_for, place_in, resize, view
from diptych.method.contract import Contract
from diptych.method.pose_augment import PoseAugment, augment
from diptych.method.rgb_augment import (
    NOTHING,
    Alteration,
    RgbAugment,
    blurred,
    cropped,
    draw_alteration,
    mirrored,
    mirrored_words,
    recoloured,
)
from diptych.puppets.swapped import Bodies
from diptych.types import Frames

PAIR_DRAWS = 1
"""Counts the changes of what a draw is: latents cached for one count are not those of another."""


@dataclass(frozen=True, kw_only=True)
class PairDrawSettings(WindowSettings):
    """How windows are drawn from pairs.

    Attributes:
        augment: what is done to drivers.
        recoded_share: of drivers that are compressed hard.
        pose_share: of draws that the footage's own skeletons drive, as in the stage before; where it has none, its
            driver does. None by default: the adapter is to serve footage, and a pose adapter is at hand. Rivals with a
            like recipe mix in a fifth.
        poses: what is done to those skeletons.
        bodies: whose footage is the answer, in the made-up world; of a manifest all of it is.
        driver: what was made, or what it should have been, where the made-up world knows it: the difference is what the
            mistakes of whoever made the drivers cost.
    """

    augment: RgbAugment = field(default_factory=RgbAugment)
    recoded_share: float = 0.2
    pose_share: float = 0.0
    poses: PoseAugment = field(default_factory=PoseAugment)
    bodies: Bodies = "posed"
    driver: Literal["made", "right"] = "made"

    @property
    def plain(self) -> PairDrawSettings:
        """The same for previews: whole openings, and drivers as they are."""
        return replace(super().plain, augment=NOTHING, recoded_share=0.0, pose_share=0.0)


def pair_draw(
    driving: Frames,
    target: Frames,
    prompt: str,
    contract: Contract,
    rng: np.random.Generator,
    settings: PairDrawSettings,
    *,
    poses: Poses = (),
    taken: Sequence[int] = (1,),
    locate: Locate | None = None,
    depth: Frames | None = None,
) -> Draw:
    """One window of a pair.

    Args:
        driving: the video that drives, RGB, uint8, ``(n, h', w', 3)``, any size.
        target: footage of another character in the same motion, frame for frame, uint8, ``(n, h, w, 3)``. The window's
            first frame of it is the reference, or an earlier one where the window continues a video.
        prompt: looks and motion of the target in English, or nothing.
        contract: says the panel's size and the windows.
        rng: decides everything that is drawn; the same state draws the same.
        settings: shares and augmentation.
        poses: of the target's figures, joints in its pixels, for draws that are driven by them.
        taken: strides that may be drawn, from :func:`~diptych.data.windows.strides`.
        locate: says where the figures of a picture stand, for contracts that bring the driver's to the reference's
            place, and needed by those.
        depth: drawn depth of every driving frame, of the frames' size, for contracts that have a panel for it: the
            driver's own, which shows the outline of nobody who is to be made.

    Returns:
        A draw without layers of figures. All of the driver's frame is in its panel, or the part that augmentation
        leaves; where the contract asks for it, that part is seen so that its figure stands in the reference's place.
        Either is what a session does.

    Raises:
        InputError: if the footage is too short.
        ValueError: if driver, footage, poses and depth do not go together, or nobody was given to find figures.
    """
    n, height, width = target.shape[:3]
    if len(driving) != n or any(len(skeleton.joints) != n for skeleton in poses):
        raise ValueError(f"a driver of {len(driving)} frames and poses do not go with {n} frames")
    if contract.motion_fit == "figure" and locate is None:
        raise ValueError("drivers are to be brought to the reference's place; give somebody who finds it")
    if depth is not None and (depth.shape != driving.shape or settings.pose_share):
        raise ValueError(f"depth of {depth.shape} goes with a driver of that shape, and not with skeletons")
    chosen = choose(n, contract, settings, rng, taken)
    window, shown = chosen.window, chosen.frames[chosen.window.lead_in :]
    box = panel_for(width, height, contract.panel_area, contract.panel_multiple)
    output = fit(target[chosen.frames], box)[0]
    beside: Frames | None = None
    if rng.random() < settings.pose_share and poses:
        # Never in a mirror: the colours of a skeleton tell its left from its right.
        altered = Alteration()
        moved = augment(poses, width, height, settings.poses, rng)
        motion = drawn(at_frames(moved, shown), box, width)
    else:
        altered = draw_alteration(settings.augment, rng)
        coded = rng.random() < settings.recoded_share
        spoil = functools.partial(_spoilt, altered=altered, coded=coded, rng=rng)
        place = functools.partial(_fitted, altered=altered, panel=output.shape[1:3])
        if contract.motion_fit == "figure":
            assert locate is not None  # refused above
            # A view follows from the first frame of all, which a window that continues a video does not show.
            first = int(chosen.frames[0] if window.history else shown[0])
            first_seen = _stretched(driving[first : first + 1], altered)[0]
            seen = located_view(target[int(chosen.frames[0])], first_seen, box, locate)
            place = functools.partial(_viewed, altered=altered, panel=output.shape[1:3], seen=seen)
        motion = place(driving[shown], spoil=spoil)
        # How near something is has no colour and no codec: it only goes the driver's way into its panel.
        beside = None if depth is None else place(depth[shown], spoil=None)
    if altered.mirrored:
        output, motion, prompt = mirrored(output), mirrored(motion), mirrored_words(prompt)
        beside = None if beside is None else mirrored(beside)
    history = damaged(output[1 : 1 + window.history], rng) if window.history else None
    told = "" if rng.random() < settings.text_dropped else prompt
    return Draw(window, output[0], motion, output, history, told, auxiliary=beside)


Spoil = Callable[[Frames], Frames]


def _fitted(frames: Frames, *, altered: Alteration, panel: tuple[int, int], spoil: Spoil | None) -> Frames:
    """A part of the driver as a session would bring it into its panel: fitted, padded with grey."""
    part = cropped(frames, altered.box)
    height, width = part.shape[1:3]
    box = place_in(max(1, round(altered.stretch * width)), height, *panel)
    # Scaled once, and spoilt at the panel's size, where it is cheap; the grey around it is nobody's colour.
    scaled = resize(part, box.width, box.height)
    return fit(scaled if spoil is None else spoil(scaled), box)[0]


def _viewed(frames: Frames, *, altered: Alteration, panel: tuple[int, int], seen: View, spoil: Spoil | None) -> Frames:
    """The same as seen in a view."""
    shown = view(_stretched(frames, altered), seen, *panel)
    return shown if spoil is None else spoil(shown)


def _stretched(frames: Frames, altered: Alteration) -> Frames:
    """The part that is shown, wider or narrower."""
    part = cropped(frames, altered.box)
    height, width = part.shape[1:3]
    return resize(part, max(1, round(altered.stretch * width)), height)


def _spoilt(frames: Frames, *, altered: Alteration, coded: bool, rng: np.random.Generator) -> Frames:
    """Frames in other colours, out of focus, compressed."""
    picture = blurred(recoloured(frames, altered), altered.blur)
    return recoded(picture, rng) if coded else picture
