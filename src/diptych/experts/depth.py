"""Depth from footage: how near everything in frames is, through transformers' Depth Anything and DPT.

The networks are transformers'. What is ours is what stands around them: pictures are scaled as the repository's own
processor says (without torchvision, which that one needs), answers are brought back to the frames' size, and whatever
the network tells, inverse depth or metres, becomes nearness: larger is nearer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch

from diptych.experts.weights import Weights, open_network
from diptych.method.depth import DepthRange, Nearness
from diptych.types import Frames, InputError

PUBLISHED = "depth-anything/Depth-Anything-V2-Small-hf"
"""A repository that holds one, for messages."""

_CLASSES = {"depth_anything": "DepthAnythingForDepthEstimation", "dpt": "DPTForDepthEstimation"}
"""Classes of transformers' by the kind that a configuration names; all tell inverse depth unless they say metres."""

_LARGEST_SIDE = 2048
"""Pixels a side that a network is shown at most."""

_NEAREST_METRES = 0.05

_CUT = 0.005
"""Share of the pixels at either end that may lie beyond a clip's range."""


@dataclass(frozen=True)
class _Shown:
    """How pictures come to a network, as the repository's ``preprocessor_config.json`` says.

    Attributes:
        height: of what the network is shown, pixels.
        width: likewise.
        keeps_aspect: whether the picture's aspect is kept; one of the sides differs then.
        multiple: both sides are multiples of it.
        mean: of the colours, in [0, 1].
        std: their spread.
    """

    height: int
    width: int
    keeps_aspect: bool
    multiple: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def of(cls, source: Weights) -> _Shown:
        """Reads it.

        Raises:
            InputError: if it cannot be read, or asks for what no network has.
        """
        from transformers.image_processing_base import ImageProcessingMixin

        try:
            said = ImageProcessingMixin.get_image_processor_dict(source.name, revision=source.revision)[0]
            size = said.get("size", {"height": 384, "width": 384})
            shown = cls(
                height=int(size["height"]),
                width=int(size["width"]),
                keeps_aspect=bool(said.get("keep_aspect_ratio", False)),
                multiple=int(said.get("ensure_multiple_of", 1)),
                mean=_colour(said.get("image_mean", (0.5, 0.5, 0.5))),
                std=_colour(said.get("image_std", (0.5, 0.5, 0.5))),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"{source.name} does not say how pictures come to it ({reason}); its preprocessor_config.json is "
                "needed, fetch it again."
            ) from None
        sides = min(shown.height, shown.width) >= 1 and max(shown.height, shown.width) <= _LARGEST_SIDE
        if not sides or not 1 <= shown.multiple <= 64 or min(shown.std) <= 0:
            raise InputError(f"{source.name} asks for pictures that no network takes ({shown}); fetch it again.")
        return shown

    def size_for(self, height: int, width: int) -> tuple[int, int]:
        """Height and width at which frames of some size are shown."""
        down, across = self.height / height, self.width / width
        if self.keeps_aspect:
            # By the side that has to change less, as the networks were trained.
            down = across = across if abs(1 - across) < abs(1 - down) else down
        sides = (round(side * by / self.multiple) * self.multiple for side, by in ((height, down), (width, across)))
        shown_height, shown_width = (min(max(side, self.multiple), _LARGEST_SIDE) for side in sides)
        return shown_height, shown_width


def _colour(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


class DepthEstimator:
    """How near everything in frames is, by a network.

    Attributes:
        name: of the weights.
    """

    def __init__(
        self,
        source: Weights,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        frames_at_once: int = 8,
    ) -> None:
        """Loads the network.

        Args:
            source: of a Depth Anything or a DPT.
            device: where it runs.
            dtype: of the network.
            frames_at_once: frames that go through it together.

        Raises:
            InputError: if weights are missing, damaged, or of another kind.
        """
        self.name = source.name
        self._device, self._dtype, self._frames_at_once = torch.device(device), dtype, frames_at_once
        self._network = open_network(source, _CLASSES, "depth estimator", device=self._device, dtype=dtype)
        self._shown = _Shown.of(source)
        self._is_metric = getattr(self._network.config, "depth_estimation_type", "relative") == "metric"

    def __call__(self, frames: Frames) -> Nearness:
        """As :class:`~diptych.method.depth.FindDepth` says; the frames are all of a clip."""
        nearness = self.nearness(frames)
        return self.range_of(nearness).normalised(nearness)

    def range_of(self, nearness: Nearness) -> DepthRange:
        """What is farthest and nearest in a clip, but for a few pixels, by all or some of its frames."""
        return DepthRange.of(nearness, _CUT)

    @torch.inference_mode()
    def nearness(self, frames: Frames) -> Nearness:
        """Nearness in the network's own unit: for clips that come in parts, to be normalised by one range.

        Args:
            frames: RGB, uint8, ``(t, h, w, 3)``.

        Returns:
            float32, ``(t, h, w)``; larger is nearer.
        """
        height, width = frames.shape[1:3]
        found = np.empty(frames.shape[:3], np.float32)
        for start in range(0, len(frames), self._frames_at_once):
            chunk = frames[start : start + self._frames_at_once]
            told = self._network(pixel_values=self._pixels(chunk)).predicted_depth.float().cpu().numpy()
            if self._is_metric:
                told = 1 / np.maximum(told, _NEAREST_METRES)
            for offset, one in enumerate(told):
                found[start + offset] = cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR)
        return found

    def _pixels(self, frames: Frames) -> torch.Tensor:
        height, width = self._shown.size_for(*frames.shape[1:3])
        shrinks = height * width < frames.shape[1] * frames.shape[2]
        way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        scaled = np.stack([cv2.resize(frame, (width, height), interpolation=way) for frame in frames])
        mean, std = (np.array(values, np.float32) for values in (self._shown.mean, self._shown.std))
        normalised = (scaled.astype(np.float32) / 255 - mean) / std
        return torch.from_numpy(normalised).permute(0, 3, 1, 2).to(self._device, self._dtype)
