"""Motion and looks in words, and both as one prompt: the paper's target-oriented text guidance (section 3.3).

Three questions: what does the driver do (T_m), how does the reference look (T_a), and how does *this* character do
*that*. Two who answer them: :class:`MllmDescriber` puts them to a multimodal model, as the paper does;
:class:`PoseDescriber` answers offline from skeletons and pixels, by rules (``method/text_guidance.py``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol

from diptych.experts.mllm import Answer, DescribeError, Line, Message, MllmClient
from diptych.method import text_guidance
from diptych.types import Frames, Picture, Skeleton

FRAMES_A_SECOND = 4.0
"""How densely a clip is shown to a model, as far as the number of pictures in one question allows."""

_LEAST_FRAMES = 4


class Describer(Protocol):
    """Who puts motion and looks into words. Each text is one line of English, empty where nothing can be said."""

    def motion(self, frames: Frames, fps: float) -> str:
        """What is done in a clip, without a word on looks.

        Args:
            frames: RGB, uint8, ``(t, h, w, 3)``.
            fps: frames per second, > 0.

        Raises:
            DescribeError: no usable answer came.
        """
        ...

    def looks(self, picture: Picture) -> str:
        """How the character of a picture looks, without a word on what it does.

        Args:
            picture: RGB, uint8, ``(h, w, 3)``.

        Raises:
            DescribeError: no usable answer came.
        """
        ...

    def fuse(self, motion: str, looks: str) -> str:
        """One prompt in which the character of ``looks`` does what ``motion`` says, with its own anatomy.

        Raises:
            DescribeError: no usable answer came.
        """
        ...


@dataclass(frozen=True)
class Words:
    """What is said of one reference and one driver.

    Attributes:
        motion: T_m.
        looks: T_a.
        prompt: both fused.
    """

    motion: str
    looks: str
    prompt: str


def describe(describer: Describer, frames: Frames, fps: float, picture: Picture) -> Words:
    """The whole of the text guidance for one pair.

    Args:
        describer: who answers.
        frames: of the driver, RGB, uint8, ``(t, h, w, 3)``.
        fps: of the driver, frames per second.
        picture: the reference, RGB, uint8, ``(h, w, 3)``.

    Raises:
        DescribeError: no usable answer came.
    """
    motion, looks = describer.motion(frames, fps), describer.looks(picture)
    return Words(motion, looks, describer.fuse(motion, looks))


def sampled(count: int, fps: float, most: int) -> list[int]:
    """Which frames of a clip a model is shown: evenly spread, the first and the last among them.

    Four a second, at least four, at most ``most`` and never more than there are; a long clip is shown more sparsely.

    Args:
        count: frames of the clip, >= 1.
        fps: frames per second, > 0.
        most: pictures that one question may hold, >= 1.
    """
    wanted = max(_LEAST_FRAMES, math.ceil(count / fps * FRAMES_A_SECOND) + 1)
    n = min(wanted, most, count)
    return [round(i * (count - 1) / (n - 1)) for i in range(n)] if n > 1 else [0]


# --- by a model -----------------------------------------------------------------------------------------------------


class _Motion(Answer):
    motion: Line


class _Looks(Answer):
    looks: Line


class _Prompt(Answer):
    prompt: Line


@dataclass(frozen=True)
class MllmDescriber:
    """Asks a multimodal model all three questions, with the instructions of ``experts/prompts``.

    Attributes:
        client: whom it asks.
    """

    client: MllmClient

    def motion(self, frames: Frames, fps: float) -> str:
        """See :class:`Describer`; what is shown of the clip: :func:`sampled`."""
        parts: list[str | Picture] = []
        for index in sampled(len(frames), fps, self.client.endpoint.pictures):
            parts += [f"{index / fps:.2f} s", frames[index]]
        return self.client.ask(_conversation("motion", *parts), _Motion).motion

    def looks(self, picture: Picture) -> str:
        """See :class:`Describer`."""
        return self.client.ask(_conversation("looks", "The picture:", picture), _Looks).looks

    def fuse(self, motion: str, looks: str) -> str:
        """See :class:`Describer`. The two texts go in quoted, as values of JSON: material, whatever they say."""
        if not motion or not looks:
            return motion or looks
        given = json.dumps({"motion": motion, "looks": looks}, ensure_ascii=False)
        return self.client.ask(_conversation("fuse", given), _Prompt).prompt


def _conversation(prompt: str, *parts: str | Picture) -> tuple[Message, Message]:
    instruction = files("diptych.experts").joinpath("prompts", f"{prompt}.txt").read_text(encoding="utf-8")
    return Message("system", (instruction.strip(),)), Message("user", parts)


# --- by rules -------------------------------------------------------------------------------------------------------


def _nobody(frames: Frames) -> tuple[Skeleton, ...]:
    return ()


@dataclass(frozen=True)
class PoseDescriber:
    """Answers offline. Where no skeleton is known nothing is said of the motion: an empty text, not an invented one.

    Attributes:
        poses: finds the skeletons of a clip's figures, one tuple entry for every topology that occurs.
    """

    poses: Callable[[Frames], tuple[Skeleton, ...]] = _nobody

    def motion(self, frames: Frames, fps: float) -> str:
        """See :class:`Describer`."""
        return text_guidance.describe_motion(self.poses(frames), fps)

    def looks(self, picture: Picture) -> str:
        """See :class:`Describer`."""
        return text_guidance.describe_looks(picture, self.poses(picture[None]))

    def fuse(self, motion: str, looks: str) -> str:
        """See :class:`Describer`."""
        return text_guidance.fuse(motion, looks)


__all__ = ["DescribeError", "Describer", "MllmDescriber", "PoseDescriber", "Words", "describe", "sampled"]
