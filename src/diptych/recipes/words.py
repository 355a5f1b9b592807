"""Who puts motion and looks into words, and ``diptych describe``, which shows what they say."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from diptych.data.pose_formats import read_any_poses
from diptych.experts.describe import DescribeError, Describer, MllmDescriber, PoseDescriber, Words
from diptych.experts.mllm import Endpoint, MllmClient
from diptych.media.frame import resize
from diptych.media.image import read_image
from diptych.media.video import probe, read_frames
from diptych.method.text_guidance import describe_motion
from diptych.options import DescribeOptions, WordsOptions
from diptych.types import Frames, InputError, Picture, Skeleton

_MOST_FRAMES = 128
"""Of a clip that are held for a description; twice as many as any model is shown, whatever the clip's length."""
_SIDE = 640


def open_describer(
    options: WordsOptions, poses: Callable[[Frames], tuple[Skeleton, ...]] | None = None
) -> MllmDescriber | PoseDescriber:
    """Whoever the options ask for: a model at an endpoint, or rules, offline.

    Args:
        options: no endpoint means offline.
        poses: finds the skeletons of a clip's figures, for the rules; without it they say nothing of motion.

    Raises:
        InputError: if package, key, model or prices are missing, or the endpoint is no address.
    """
    if options.endpoint is None:
        return PoseDescriber() if poses is None else PoseDescriber(poses)
    endpoint = Endpoint(
        base_url=options.endpoint,
        model=options.model or "",
        api_key_env=options.api_key_env,
        requests_per_minute=options.requests_per_minute,
        max_requests=options.max_requests,
        max_cost=options.max_cost,
        price_in=options.price_in,
        price_out=options.price_out,
    )
    return MllmDescriber(MllmClient(endpoint, options.cache or _answers()))


def _answers() -> Path:
    home = os.environ.get("DIPTYCH_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "diptych" / "answers"


def describe_files(options: DescribeOptions) -> None:
    """Prints motion, looks and prompt as JSON, and on standard error what was spent.

    Raises:
        InputError: if a file cannot be read, or no usable answer came.
    """
    words = words_for(options)
    print(json.dumps({**asdict(words), "by": options.words.model or "rules"}, indent=2, ensure_ascii=False))
    if options.words.endpoint is None and not words.motion:
        print("Nothing is said of the motion: rules need --poses, a model an --endpoint.", file=sys.stderr)


def words_for(options: DescribeOptions) -> Words:
    """Motion, looks and prompt; what a model cost is said on standard error.

    Raises:
        InputError: if a file cannot be read, or no usable answer came.
    """
    reference = read_image(options.reference)
    describer = open_describer(options.words)
    try:
        words = _words(describer, reference, options)
    finally:
        if isinstance(describer, MllmDescriber):
            describer.client.close()
    if isinstance(describer, MllmDescriber):
        print(describer.client.spent().sentence(), file=sys.stderr)
    return words


def _words(describer: Describer, reference: Picture, options: DescribeOptions) -> Words:
    if options.poses is not None:
        # Rules do not look at the video, only at its poses.
        info = probe(options.driving)
        fps = float(info.average_fps)
        poses = read_any_poses(options.poses, size=(info.width, info.height), fps=fps)
        motion = describe_motion(poses.figures, fps)
    else:
        motion = _asked(lambda: describer.motion(*_thinned(options.driving)))
    looks = _asked(lambda: describer.looks(reference))
    return Words(motion, looks, _asked(lambda: describer.fuse(motion, looks)))


def _asked(question: Callable[[], str]) -> str:
    """An answer; a failure becomes a sentence for the user."""
    try:
        return question()
    except DescribeError as error:
        raise InputError(f"{error} Try again, or leave --endpoint out to describe offline.") from None


def _thinned(path: Path) -> tuple[Frames, float]:
    """A clip's frames for looking at, evenly thinned and made smaller so that an hour of video fits in memory.

    Returns:
        Frames, uint8, ``(t, h, w, 3)``, t <= 128, and their number a second.
    """
    kept: list[Picture] = []
    every = 1
    for index, frame in enumerate(read_frames(path)):
        if index % every:
            continue
        kept.append(_small(frame.pixels))
        if len(kept) > _MOST_FRAMES:
            kept, every = kept[::2], every * 2
    return np.stack(kept), float(probe(path).average_fps) / every


def _small(pixels: Picture) -> Picture:
    height, width = pixels.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    return pixels if scale == 1 else resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))
