"""Draws from the puppet world: one window of one exact cross-identity pair, as the canvas wants it.

A draw follows from its number alone. It fixes a pair, the driver's frame rate, the moment, whether the window opens a
video or continues one, and in which way the history is damaged: at inference a window is given what the model itself
made, so a model that only ever saw clean history drifts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.media.draw import draw_skeletons
from diptych.media.draw_depth import draw_whole_clip
from diptych.media.frame import Placement, figure_view, fit, located_view, panel_for, place_in, unfit, view
from diptych.method.contract import Contract
from diptych.method.depth import FindDepth
from diptych.method.incontext import Window, continuation, opening
from diptych.puppets.limbs import LIMBS, limb_layers
from diptych.puppets.pairs import Pair, draw_pair, with_kin
from diptych.puppets.poses import pose_of
from diptych.puppets.render import Rendering
from diptych.puppets.scenes import stand_of
from diptych.types import Frames, Picture, Stand

LAYERS = 1 + len(LIMBS)
"""Layers of ``Draw.figures``: what figures cover, then every limb."""

FINER = 2
"""Times as many pixels a side that a driver has where a part of it may be shown."""

DRAWS = 5
"""Counts the changes of what a number draws: latents cached for one count are not those of another."""

KIN_SHARE = 0.25
"""Share of training pairs whose driver differs from the answer in looks and background only (``pairs.with_kin``).

On pairs as they are, a network first finds that looks can be copied and stays there long; where the motion lies in the
same cell of the other panel, it finds that too, and goes on from there (docs/log.md has the figures)."""

HISTORY_SHARE = 0.125
"""Share of windows that continue a video."""

HELD_SHARE = 0.1
"""Share of windows whose driver ends early: its last frame is held, as in the last window of a video."""

TEXT_DROPPED = 0.15
"""Share of draws without a prompt."""

FPS_RANGE = (6.0, 30.0)
"""Frame rates that are drawn, evenly in the logarithm."""


@dataclass(frozen=True, eq=False)
class Draw:
    """One window with its right answer; all pictures have the panel's size.

    Attributes:
        window: the time axis.
        reference: RGB, uint8, ``(h, w, 3)``.
        motion: driver frames, uint8, ``(n, h, w, 3)``, n = ``window.motion_frames``.
        output: the left panel in every frame, uint8, ``(t, h, w, 3)``; frame 0 is the reference.
        history: what stands in the left panel as given, damaged, uint8, ``(window.history, h, w, 3)``, or None.
        prompt: looks and motion in English; empty where text was dropped.
        figures: where figures are on the finished canvas, uint8, ``(LAYERS, t, h, 2w)``: how much of every pixel they
            cover, then 255 where each limb is, seen or hidden. None for footage, of which nobody knows.
        auxiliary: what the third panel shows, frame for frame with ``motion`` and of its shape, or None; the canvas is
            3w wide then.
    """

    window: Window
    reference: Picture
    motion: Frames
    output: Frames
    history: Frames | None
    prompt: str
    figures: NDArray[np.uint8] | None = None
    auxiliary: Frames | None = None


Locate = Callable[[Picture], Stand]
"""Says where figures stand in a picture; by :class:`~diptych.models.locator.Locator` at inference."""


@dataclass(frozen=True)
class Eyes:
    """Who looks at footage for a draw that asks for it; handed in, so that no draw loads a network.

    Attributes:
        locate: finds figures, for contracts that bring a driver's to the reference's place.
        find_depth: finds how near everything is, for contracts with a panel for it, where nobody knows it exactly.
    """

    locate: Locate | None = None
    find_depth: FindDepth | None = None


NOBODY = Eyes()


def draw(
    number: int,
    contract: Contract,
    *,
    split: str = "train",
    kin_share: float = 0.0,
    locate: Locate | None = None,
    category: str | None = None,
) -> Draw:
    """The draw of a number.

    Args:
        number: any non-negative integer; it seeds everything.
        contract: says the panel's size and the windows, whether skeletons drive, and whether depth stands beside.
        split: of the puppet world, ``train`` or ``eval``.
        kin_share: how often the driver is the answer in other clothes; 0 for everything that is measured.
        locate: finds figures where drivers are shown so that theirs stands in the reference's place, with all the
            mistakes that it will make at inference. None knows where they are.
        category: of the pair, or None to draw it.

    Raises:
        ValueError: if skeletons are to drive and nobody in the driving scene has one.
    """
    rng = np.random.default_rng([number, 0xD1])
    pair = draw_pair(number, category=category, split=split)
    if rng.random() < kin_share:
        pair = with_kin(pair, number)
    fps = float(np.exp(rng.uniform(*np.log(FPS_RANGE))))
    if rng.random() < HISTORY_SHARE:
        window = continuation(contract.window_frames, contract.history)
    else:
        window = opening(contract.window_frames, contract.lead_in)
    shown = window.motion_frames
    ends = shown if rng.random() >= HELD_SHARE else int(rng.integers(1 + window.history, shown + 1))
    times = pair.start + rng.uniform(0.0, 1.5) + np.minimum(np.arange(shown), ends - 1) / fps
    output, driver, figures = _render(pair, times, window, contract, locate)
    history = None
    if window.history:
        history = damaged(output[1 : 1 + window.history], rng)
    prompt = "" if rng.random() < TEXT_DROPPED else pair.caption
    return Draw(window, output[0], driver[0], output, history, prompt, figures, *driver[1:])


def _render(
    pair: Pair, times: NDArray[np.float64], window: Window, contract: Contract, locate: Locate | None
) -> tuple[Frames, list[Frames], NDArray[np.uint8]]:
    """The left panel, those of the driver, and where figures are on all of them."""
    box = box_for(pair.reference_aspect, contract)
    shown = [pair.reference(box.width, box.height), pair.truth(times, box.width, box.height)]
    if not window.history:
        shown[0] = pair.lead_in(window.lead_in, times[0], box.width, box.height)
    output = fit(np.concatenate([one.frames for one in shown]), box)[0]
    figures = np.zeros((LAYERS, *output.shape[:2], contract.panels * box.panel_width), np.uint8)
    left = unfit(figures[..., : box.panel_width, None], box)[..., 0]
    left[0] = np.concatenate([one.mask for one in shown])
    left[1:] = np.concatenate([limb_layers(one.skeleton, box.height, box.width) for one in shown], axis=1)
    driver, seen = _driving(pair, times, box, contract, locate)
    figures[:, window.lead_in :, :, box.panel_width :] = np.concatenate([seen] * len(driver), axis=-1)
    return output, driver, figures


def _driving(
    pair: Pair, times: NDArray[np.float64], box: Placement, contract: Contract, locate: Locate | None
) -> tuple[list[Frames], NDArray[np.uint8]]:
    """What the driver's panels show, motion first, and the layers of figures and limbs there."""
    height, width = box.panel_height, box.panel_width
    asked, with_depth = box_for(pair.driving_aspect, contract), contract.auxiliary == "depth"
    if contract.motion_fit == "frame":
        rendered = pair.driving(times, asked.width, asked.height, depth=with_depth)
        placement = place_in(asked.width, asked.height, height, width)
        driver = [fit(frames, placement)[0] for frames in _streams(rendered)]
        # Masks take the pictures' way into the panel, in which they are scaled.
        mask = fit(_grey(rendered.mask), placement, pad_value=0)[0][..., 0]
        skeleton = rendered.skeleton
        scale, left, top = placement.width / asked.width, placement.x, placement.y
    else:
        # Finer than the panel, as real drivers are: a view may show a part of it alone. The first frame of the video,
        # wherever this window lies in it, is what the view follows from.
        wide, high = FINER * asked.width, FINER * asked.height
        rendered = pair.driving(np.append(pair.start, times), wide, high, depth=with_depth)
        if locate is None:
            stands = stand_of(pair.reference_scene, box.width, box.height), stand_of(pair.driving_scene, wide, high)
            chosen = figure_view(*stands, box, (wide, high))
        else:
            reference = pair.reference(FINER * box.width, FINER * box.height).frames[0]
            chosen = located_view(reference, rendered.frames[0], box, locate)
        driver = [view(frames[1:], chosen, height, width) for frames in _streams(rendered)]
        mask = view(_grey(rendered.mask[1:]), chosen, height, width)[..., 0]
        skeleton = replace(rendered.skeleton, joints=rendered.skeleton.joints[1:])
        scale, left, top = chosen.scale, chosen.left, chosen.top
    limbs = limb_layers(skeleton, height, width, scale=scale, left=left, top=top)
    if contract.motion == "pose":
        rigs = [actor.character.rig for actor in pair.driving_scene.actors]
        # Joints beyond the driver's own picture are nobody's to know.
        poses = pose_of(skeleton, rigs, within=(rendered.frames.shape[2], rendered.frames.shape[1]))
        driver[0] = draw_skeletons(poses, height, width, scale=scale, left=float(left), top=float(top))
    return driver, np.concatenate([mask[None], limbs])


def _streams(rendered: Rendering) -> list[Frames]:
    """Frames of a driver, and beside them its depth where that was asked for, on the scale of all of them."""
    if rendered.nearness is None:
        return [rendered.frames]
    return [rendered.frames, draw_whole_clip(rendered.nearness)]


def _grey(mask: NDArray[np.uint8]) -> Frames:
    return mask[..., None].repeat(3, -1)


def pictures(number: int, area: int, *, split: str = "train") -> list[tuple[Picture, Stand]]:
    """Reference and first driving frame of a number's pair, of panels of some area, and where their figures stand."""
    pair = draw_pair(number, split=split)
    first = np.array([pair.start])
    made: list[tuple[Picture, Stand]] = []
    for scene, aspect in ((pair.reference_scene, pair.reference_aspect), (pair.driving_scene, pair.driving_aspect)):
        box = panel_for(round(1000 * aspect), 1000, FINER**2 * area)
        shown = pair.reference(box.width, box.height) if not made else pair.driving(first, box.width, box.height)
        made.append((shown.frames[0], stand_of(scene, box.width, box.height)))
    return made


def box_for(aspect: float, contract: Contract) -> Placement:
    """The box and the panel of a picture of some aspect (width over height)."""
    return panel_for(round(1000 * aspect), 1000, contract.panel_area, contract.panel_multiple)


def damaged(history: Frames, rng: np.random.Generator) -> Frames:
    """History as a model might have left it: untouched, blurred, noised, shifted in colour or re-encoded.

    Args:
        history: uint8, ``(k, h, w, 3)``.
        rng: decides which and how much.
    """
    kinds: list[Callable[[Frames, np.random.Generator], Frames]] = [_blurred, _noised, _tinted, recoded]
    result = history
    for kind in kinds:
        if rng.random() < 0.35:
            result = kind(result, rng)
    return result


def _blurred(frames: Frames, rng: np.random.Generator) -> Frames:
    sigma = rng.uniform(0.4, 1.4)
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])


def _noised(frames: Frames, rng: np.random.Generator) -> Frames:
    # Smooth noise: what a decoder leaves is blotches, not grain.
    t, h, w, c = frames.shape
    coarse = rng.normal(0, rng.uniform(2, 10), (t, max(1, h // 4), max(1, w // 4), c)).astype(np.float32)
    smooth = np.stack([cv2.resize(layer, (w, h), interpolation=cv2.INTER_CUBIC) for layer in coarse])
    return np.clip(frames + smooth, 0, 255).astype(np.uint8)


def _tinted(frames: Frames, rng: np.random.Generator) -> Frames:
    gain, offset = rng.uniform(0.92, 1.08, 3), rng.uniform(-8, 8, 3)
    return np.clip(frames * gain + offset, 0, 255).astype(np.uint8)


def recoded(frames: Frames, rng: np.random.Generator) -> Frames:
    """Frames as a JPEG of some low quality leaves them, the same for all: uint8, ``(t, h, w, 3)``."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 60))]
    coded = [cv2.imdecode(cv2.imencode(".jpg", frame, quality)[1], cv2.IMREAD_COLOR) for frame in frames]
    return np.stack([np.asarray(frame, np.uint8) for frame in coded])
