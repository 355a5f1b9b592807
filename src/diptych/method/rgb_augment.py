"""Augmentation of footage that drives (paper Fig. 2, "Data Augmentation" on the end-to-end stage's driving video).

A self-made driver was drawn from the skeletons of the very video that is the answer, so its figure stands where the
answer's stands and is as large. A model could learn to rely on that, and on the looks of what another model makes;
people's drivers are framed, shot and compressed in any other way. So part of the frame is shown, wider or narrower than
it was, in other colours, blurred. All of it is constant over a clip: motion is the one thing that is never touched.

The picture names no operations. Cropping and stretching are those of the nearest rival with a like recipe; the answer
is real footage and is left alone, except that driver, reference and answer may all be shown in a mirror.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from diptych.types import Frames


@dataclass(frozen=True, kw_only=True)
class RgbAugment:
    """How often a clip is changed in each way, and how far at most.

    Attributes:
        crop_share: of clips of which a part is shown.
        crop_least: smallest share of either side that is left, in (0, 1].
        stretch_share: of clips that are made wider or narrower.
        stretch_most: times wider, or narrower, at most; even in the logarithm; >= 1.
        mirror_share: of clips that are shown in a mirror, reference and answer with them.
        colour_share: of clips in other colours.
        gain_most: largest change of a channel's brightness, a share of it, in [0, 1).
        gamma_most: largest exponent, or one over it, of all channels; even in the logarithm; >= 1.
        hue_most: largest turn of all hues, degrees.
        blur_share: of clips that are blurred.
        blur_most: largest standard deviation of the blur, a share of the shorter side.
    """

    crop_share: float = 0.5
    crop_least: float = 0.75
    stretch_share: float = 0.5
    stretch_most: float = 1.25
    mirror_share: float = 0.5
    colour_share: float = 0.3
    gain_most: float = 0.15
    gamma_most: float = 1.3
    hue_most: float = 20.0
    blur_share: float = 0.15
    blur_most: float = 0.012

    def __post_init__(self) -> None:
        """Refuses bounds that mean nothing.

        Raises:
            ValueError: naming the field.
        """
        shares = ("crop_share", "stretch_share", "mirror_share", "colour_share", "blur_share")
        sound = {
            **{name: 0 <= getattr(self, name) <= 1 for name in shares},
            "crop_least": 0 < self.crop_least <= 1,
            "stretch_most": 1 <= self.stretch_most <= 4,
            "gain_most": 0 <= self.gain_most < 1,
            "gamma_most": 1 <= self.gamma_most <= 10,
            "hue_most": 0 <= self.hue_most <= 180,
            "blur_most": 0 <= self.blur_most <= 0.2,
        }
        wrong = [name for name, holds in sound.items() if not holds]
        if wrong:
            raise ValueError(f"{wrong[0]} cannot be {getattr(self, wrong[0])}")


NOTHING = RgbAugment(crop_share=0.0, stretch_share=0.0, mirror_share=0.0, colour_share=0.0, blur_share=0.0)
"""Leaves every clip as it is."""


@dataclass(frozen=True)
class Alteration:
    """What is done to one clip; as it stands here, nothing.

    Attributes:
        box: left, top, right and bottom of the part that is shown, shares of width and height.
        stretch: how many times wider that part becomes.
        mirrored: whether left and right are exchanged.
        gain: of red, green and blue.
        gamma: exponent of all values in [0, 1], after the gain.
        hue: radians by which hues turn about the grey axis, before the gain.
        blur: standard deviation, a share of the shorter side.
    """

    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    stretch: float = 1.0
    mirrored: bool = False
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    hue: float = 0.0
    blur: float = 0.0


def draw_alteration(settings: RgbAugment, rng: np.random.Generator) -> Alteration:
    """Draws what is done to one clip.

    Args:
        settings: shares and bounds.
        rng: decides; how much it is asked does not depend on the shares, so that one share changes one thing.
    """
    crops, stretches, mirrors, colours, blurs = rng.random(5)
    (width, height), (x, y) = rng.uniform(settings.crop_least, 1.0, 2), rng.random(2)
    wider, gamma, hue = rng.uniform(-1.0, 1.0, 3)
    gain, blur = 1.0 + settings.gain_most * rng.uniform(-1.0, 1.0, 3), rng.random()
    left, top = x * (1.0 - width), y * (1.0 - height)
    drawn = Alteration(mirrored=bool(mirrors < settings.mirror_share))
    if crops < settings.crop_share:
        drawn = replace(drawn, box=(float(left), float(top), float(left + width), float(top + height)))
    if stretches < settings.stretch_share:
        drawn = replace(drawn, stretch=float(settings.stretch_most**wider))
    if colours < settings.colour_share:
        red, green, blue = map(float, gain)
        turned = float(np.radians(settings.hue_most * hue))
        drawn = replace(drawn, gain=(red, green, blue), gamma=float(settings.gamma_most**gamma), hue=turned)
    if blurs < settings.blur_share:
        drawn = replace(drawn, blur=float(settings.blur_most * blur))
    return drawn


def cropped(frames: Frames, box: tuple[float, float, float, float]) -> Frames:
    """The part of frames that a box shows, whole pixels, at least one: a view.

    Args:
        frames: uint8, ``(t, h, w, 3)``.
        box: left, top, right, bottom, shares of width and height in [0, 1].
    """
    height, width = frames.shape[1:3]
    (left, right), (top, bottom) = (
        _span(low, high, side) for low, high, side in ((box[0], box[2], width), (box[1], box[3], height))
    )
    return frames[:, top:bottom, left:right]


def _span(low: float, high: float, side: int) -> tuple[int, int]:
    first = min(round(low * side), side - 1)
    return first, max(first + 1, round(high * side))


def mirrored(frames: Frames) -> Frames:
    """Frames with left and right exchanged; twice is once too often, and gives what was there."""
    return np.ascontiguousarray(frames[:, :, ::-1])


_SWAPPED = {"left": "right", "clockwise": "counterclockwise", "leftwards": "rightwards", "leftward": "rightward"}
_MIRROR = _SWAPPED | {there: here for here, there in _SWAPPED.items()}
_WORDS = re.compile(rf"(?<!counter-)\b({'|'.join(_MIRROR)})(?![\w'])", re.IGNORECASE)


def mirrored_words(text: str) -> str:
    """A description with left and right exchanged, as of a picture in a mirror; twice gives what was there.

    English words alone, each as it is written: "left hand", "LEFT", "clockwise". That "she left" becomes "she right" is
    put up with.
    """
    return _WORDS.sub(lambda found: _in_case_of(found[0], _MIRROR[found[0].lower()]), text)


def _in_case_of(pattern: str, word: str) -> str:
    if pattern.isupper():
        return word.upper()
    return word.capitalize() if pattern[0].isupper() else word


def recoloured(frames: Frames, alteration: Alteration) -> Frames:
    """Frames in other colours: hues turned, channels scaled, then a gamma; where none is asked, as they are.

    Args:
        frames: uint8, ``(t, h, w, 3)``.
        alteration: whose hue, gain and gamma are taken.
    """
    plain = Alteration()
    if (alteration.hue, alteration.gain, alteration.gamma) == (plain.hue, plain.gain, plain.gamma):
        return frames
    mixed = (np.diag(alteration.gain) @ _hue_turn(alteration.hue)).astype(np.float32)
    out = np.empty_like(frames)
    for before, after in zip(frames, out, strict=True):
        values = np.clip(before.astype(np.float32) @ mixed.T / 255, 0, 1)
        after[...] = np.rint(255 * values**alteration.gamma)
    return out


def _hue_turn(angle: float) -> NDArray[np.float64]:
    """A turn about the grey axis of the colour cube: greys stay what they are."""
    cosine, sine = np.cos(angle), np.sin(angle)
    across = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / np.sqrt(3)
    return cosine * np.eye(3) + sine * across + (1 - cosine) / 3


def blurred(frames: Frames, share: float) -> Frames:
    """Frames behind a Gaussian blur, their rims held; the frames themselves where it would not be seen.

    Args:
        frames: uint8, ``(t, h, w, 3)``.
        share: standard deviation, a share of the shorter side.
    """
    deviation = share * min(frames.shape[1:3])
    reach = min(int(np.ceil(3 * deviation)), min(frames.shape[1:3]) - 1)
    if deviation < 0.1 or reach < 1:
        return frames
    bell = torch.exp(-(torch.arange(-reach, reach + 1, dtype=torch.float32) ** 2) / (2 * deviation**2))
    bell = bell / bell.sum()
    across, down = bell.view(1, 1, 1, -1).expand(3, -1, -1, -1), bell.view(1, 1, -1, 1).expand(3, -1, -1, -1)
    out = np.empty_like(frames)
    for before, after in zip(frames, out, strict=True):
        pixels = torch.from_numpy(np.ascontiguousarray(before)).permute(2, 0, 1)[None].float()
        held = functional.pad(pixels, (reach, reach, reach, reach), mode="replicate")
        smooth = functional.conv2d(functional.conv2d(held, across, groups=3), down, groups=3)
        after[...] = smooth[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy()
    return out
