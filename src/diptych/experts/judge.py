"""Made videos judged by a multimodal model, after Video-Bench (paper sections 4 and 5.2): one question a dimension.

Video-Bench shows single frames for what can be seen in a picture and strips of frames for what happens between them;
role, criteria, notes and an anchor for every score make up its prompts, and an integer from 1 to 5 comes back. Of the
paper's four dimensions two are in that benchmark's public code and none sees reference or driver, so the prompts here
(``experts/prompts/judge_*.txt``) and what each question shows are ours:

- imaging quality: frames of the video, two a second;
- motion smoothness: strips of the driver and of the video in turn;
- temporal consistency: strips of the video;
- appearance consistency: the reference, then frames of the video, two a second.

An answer has to be JSON of the form asked for, with a whole number in range, or there is none: a dimension without an
answer has failed, with its reason, and no number stands in for it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Any

import cv2
import numpy as np
from pydantic import Field

from diptych.experts.mllm import Answer, DescribeError, Endpoint, LimitError, Line, Message, MllmClient
from diptych.method.judging import DIMENSIONS, Dimension, Opinion, Performance, Verdict
from diptych.types import Frames, Picture

STILLS_A_SECOND = 2.0
"""Single frames: so many a second from the first on, and the last."""

STRIP_FRAMES = 8
"""Frames side by side in one strip, which Video-Bench fills with one second."""

STRIP_FRAMES_A_SECOND = 8.0
"""Every ``int(fps / 8)``-th frame is in a strip, and every frame of a slower video."""

PICTURE_SIDE = 1536
"""Longer side, pixels, of pictures as sent: a frame of a strip has an eighth of it."""

_SEEN_SIDE = 192
_GAP = 2


class Scored(Answer):
    """What a model answers: why, and the score."""

    reason: Line
    score: Annotated[int, Field(ge=1, le=5)]


@dataclass(frozen=True)
class MllmJudge:
    """Asks a model for a score in each dimension, as often as wanted. Safe to call from several threads.

    Attributes:
        client: whom it asks. With a cache, the same question about the same pixels is paid for once.
        repeats: how often each question is asked, >= 1.
    """

    client: MllmClient
    repeats: int = 1

    def __call__(self, performance: Performance) -> Verdict:
        """Scores one performance; see :class:`diptych.method.judging.Judge`.

        Raises:
            LimitError: if a limit was reached, or the endpoint cannot be used at all.
        """
        opinions: dict[Dimension, Opinion] = {}
        failed: dict[Dimension, str] = {}
        for dimension in DIMENSIONS:
            messages = question(dimension, performance, self.client.endpoint.pictures)
            try:
                answers = [self.client.ask(messages, Scored, repeat=number) for number in range(self.repeats)]
            except LimitError:
                raise
            except DescribeError as error:
                # Scores without this one would be the mean of fewer repeats; those answered are kept by the client.
                failed[dimension] = str(error)
                continue
            opinions[dimension] = Opinion(tuple(float(answer.score) for answer in answers), answers[0].reason)
        return Verdict(opinions, failed)


def settings_of(endpoint: Endpoint, repeats: int) -> Mapping[str, Any]:
    """Everything but the performance that a model's verdicts depend on, as plain data."""
    return {
        "endpoint": endpoint.base_url,
        "model": endpoint.model,
        "temperature": endpoint.temperature,
        "reasoning_effort": endpoint.reasoning_effort,
        "answer_tokens": endpoint.answer_tokens,
        "repeats": repeats,
        "stills_a_second": STILLS_A_SECOND,
        "strip_frames": STRIP_FRAMES,
        "strip_frames_a_second": STRIP_FRAMES_A_SECOND,
        "picture_side": endpoint.picture_side,
        "pictures": endpoint.pictures,
        "jpeg_quality": endpoint.jpeg_quality,
        "prompts": {dimension: _instruction(dimension) for dimension in DIMENSIONS},
    }


# --- what is shown --------------------------------------------------------------------------------------------------


def question(dimension: Dimension, performance: Performance, most: int) -> tuple[Message, Message]:
    """What a model is shown and told of one performance.

    Args:
        dimension: what it is to score.
        performance: the video, and what it was made from.
        most: pictures that one question may hold, >= 2.
    """
    parts: list[str | Picture] = []
    if dimension in ("motion_smoothness", "temporal_consistency") and performance.caption:
        parts.append("Caption: " + json.dumps(performance.caption, ensure_ascii=False))
    if dimension == "motion_smoothness":
        for strip in strips(len(performance.frames), performance.fps, most // 2):
            parts += _strip("Driver", performance.driver, strip, performance.fps)
            parts += _strip("Video", performance.frames, strip, performance.fps)
    elif dimension == "temporal_consistency":
        for strip in strips(len(performance.frames), performance.fps, most):
            parts += _strip("Video", performance.frames, strip, performance.fps)
    else:
        if dimension == "appearance_consistency":
            parts += ["Reference:", _sized(performance.reference)]
            most -= 1
        for index in stills(len(performance.frames), performance.fps, most):
            parts += [f"Video at {index / performance.fps:.2f} s:", _sized(performance.frames[index])]
    return Message("system", (_instruction(dimension),)), Message("user", tuple(parts))


def stills(count: int, fps: float, most: int) -> list[int]:
    """Which frames are shown singly: two a second from the first on, and the last.

    Args:
        count: frames of the video, >= 1.
        fps: frames a second, > 0.
        most: at most so many, >= 1; a longer video is shown more sparsely, evenly from first to last.
    """
    every = max(1.0, fps / STILLS_A_SECOND)
    chosen = [int(k * every) for k in range(math.ceil(count / every)) if int(k * every) < count]
    return _thinned(chosen if chosen[-1] == count - 1 else [*chosen, count - 1], most)


def strips(count: int, fps: float, most: int) -> list[list[int]]:
    """Which frames are shown in strips, one strip after the other.

    Frames are taken ``int(fps / 8)`` apart and put into strips of eight. Video-Bench drops frames that fill no strip;
    here the last strip ends with the last of them and overlaps the one before, since what goes wrong often does so at
    the end. A video of fewer than eight is one short strip.

    Args:
        count: frames of the video, >= 1.
        fps: frames a second, > 0.
        most: strips at most, >= 1; of a longer video, evenly chosen ones, the first and the last among them.
    """
    taken = list(range(0, count, max(1, int(fps / STRIP_FRAMES_A_SECOND))))
    starts = list(range(0, len(taken) - STRIP_FRAMES + 1, STRIP_FRAMES)) or [0]
    if starts[-1] + STRIP_FRAMES < len(taken):
        starts.append(len(taken) - STRIP_FRAMES)
    return [taken[start : start + STRIP_FRAMES] for start in _thinned(starts, most)]


def _thinned(chosen: list[int], most: int) -> list[int]:
    """At most so many of them, evenly, the first and the last among them."""
    if len(chosen) <= most:
        return chosen
    return [chosen[round(i * (len(chosen) - 1) / max(1, most - 1))] for i in range(most)]


def _strip(what: str, frames: Frames, strip: Sequence[int], fps: float) -> tuple[str, Picture]:
    pictures = [_sized(frames[index], PICTURE_SIDE // STRIP_FRAMES - _GAP) for index in strip]
    # A white line between neighbours, or two plain backgrounds become one.
    line = np.full((pictures[0].shape[0], _GAP, 3), 255, np.uint8)
    row = [part for picture in pictures for part in (picture, line)][:-1]
    return f"{what}, {strip[0] / fps:.2f} s to {strip[-1] / fps:.2f} s:", np.concatenate(row, axis=1)


def _sized(picture: Picture, widest: int = PICTURE_SIDE) -> Picture:
    """A picture that can be seen: a tiny one enlarged by a whole factor, pixel by pixel, a wide one made smaller."""
    height, width = picture.shape[:2]
    factor = min(math.ceil(_SEEN_SIDE / max(height, width)), widest // width)
    if factor > 1:
        size, way = (width * factor, height * factor), cv2.INTER_NEAREST
    elif width > widest:
        size, way = (widest, max(1, round(height * widest / width))), cv2.INTER_AREA
    else:
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)


@lru_cache(maxsize=len(DIMENSIONS))
def _instruction(dimension: Dimension) -> str:
    prompt = files("diptych.experts").joinpath("prompts", f"judge_{dimension}.txt")
    return prompt.read_text(encoding="utf-8").strip()
