"""Poses from footage: RT-DETR finds people and animals, ViTPose finds their joints, both through transformers.

Networks are transformers'. What is ours is what stands between them and the pictures: boxes become crops by an affine
map with the centres of the corner pixels on the borders of the box (unbiased data processing, as ViTPose was trained),
and peaks of heat maps become places by the same map backwards, refined by one Newton step on the logarithm of the
smoothed map (distribution-aware decoding). So neither torchvision nor scipy is needed.

A head decides what a checkpoint is good for, and is asked for it: 133 outputs are a whole body, 17 a body without feet,
face and hands (the first 17 of the 133; the rest is absent), and an animal's head has 17 that know of no ears. The
checkpoints of ViTPose++ that are published for transformers carry COCO's head alone, although their backbone has
experts for six data sets; vitpose_heads.py makes folders with the other heads from the makers' own files. See
docs/poses.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from diptych.experts.weights import Weights, open_network
from diptych.method.skeleton import WHOLEBODY
from diptych.method.tracking import Detections, FrameFigures
from diptych.types import Frames, InputError, Picture

DETECTOR = "PekingU/rtdetr_r50vd_coco_o365"
PEOPLE = "usyd-community/vitpose-plus-base"

_DETECTORS = {"rt_detr": "RTDetrForObjectDetection", "rt_detr_v2": "RTDetrV2ForObjectDetection"}
_POSE_MODELS = {"vitpose": "VitPoseForPoseEstimation"}
"""Classes of transformers' by the kind that a configuration names."""

FOUR_LEGGED = frozenset({"cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"})
"""Classes of COCO whose joints ``QUADRUPED`` names."""

_COCO, _AP10K, _WHOLE = 0, 3, 5
"""Experts of ViTPose++ by data set, as transformers' documentation numbers them."""
_PADDING = 1.25
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
_SMOOTHING, _KERNEL = 0.8, 11
_DOUBLE = 0.85

Boxes = NDArray[np.float32]


class PoseEstimator:
    """Finds people and four-legged animals in frames, and their joints.

    Attributes:
        whole_body: whether people come with feet, face and hands.
        finds_animals: whether animals are looked for.
    """

    def __init__(
        self,
        people: Weights | None = None,
        animals: Weights | None = None,
        detector: Weights | None = None,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        threshold: float = 0.4,
        detector_side: int = 640,
        frames_at_once: int = 8,
        crops_at_once: int = 32,
    ) -> None:
        """Loads the networks.

        Args:
            people: of a ViTPose with a head for 133 or 17 joints of people; the published ViTPose++ where None.
            animals: of a ViTPose with AP-10K's head; None finds no animals.
            detector: of an RT-DETR that knows COCO's classes; the published one where None.
            device: where they run.
            dtype: of the networks.
            threshold: how sure the detector has to be, in [0, 1].
            detector_side: side in pixels of the square that the detector is shown.
            frames_at_once: frames that go through the detector together.
            crops_at_once: figures whose joints are found together.

        Raises:
            InputError: if weights are missing, damaged, or of another kind than they have to be.
        """
        self._device, self._dtype = torch.device(device), dtype
        self._threshold, self._side = threshold, detector_side
        self._frames_at_once, self._crops_at_once = frames_at_once, crops_at_once
        source = detector or Weights(DETECTOR)
        self._detector = self._open(source, _DETECTORS, "detector")
        self._classes = _classes(source, self._detector.config)
        self._people = _Head(
            self._open(people or Weights(PEOPLE), _POSE_MODELS, "pose model"), people or Weights(PEOPLE)
        )
        if self._people.joints not in (17, len(WHOLEBODY.joints)) or self._people.is_of_animals:
            what = "an animal's" if self._people.is_of_animals else f"{self._people.joints} joints"
            raise InputError(
                f"{self._people.name} has a head for {what}; for people give a ViTPose with 133 or 17 joints."
            )
        self._animals = None if animals is None else _Head(self._open(animals, _POSE_MODELS, "pose model"), animals)
        if self._animals is not None and (self._animals.joints != 17 or self._animals.is_of_people):
            raise InputError(
                f"{self._animals.name} has a head for {self._animals.joints} joints, but not those of animals; give a "
                "ViTPose with the 17 joints of AP-10K (docs/poses.md says how to make one)."
            )

    def _open(self, source: Weights, classes: dict[str, str], what: str) -> Any:
        return open_network(source, classes, what, device=self._device, dtype=self._dtype)

    @property
    def whole_body(self) -> bool:
        """Whether people come with feet, face and hands."""
        return self._people.joints == len(WHOLEBODY.joints)

    @property
    def finds_animals(self) -> bool:
        """Whether animals are looked for."""
        return self._animals is not None

    def __call__(self, frames: Frames) -> list[FrameFigures]:
        """Figures of every frame, in no particular order; ``method/tracking.py`` says who is who.

        Args:
            frames: RGB, uint8, ``(t, h, w, 3)``.

        Returns:
            One for each frame: joints in pixels of the frame, ``(n, 133, 3)`` of people, ``(m, 17, 3)`` of animals.
        """
        boxes, scores, kinds = [], [], []
        for start in range(0, len(frames), self._frames_at_once):
            for found in self._detect(frames[start : start + self._frames_at_once]):
                boxes.append(found[0])
                scores.append(found[1])
                kinds.append(found[2])
        people = self._joints(frames, [box[kind == 0] for box, kind in zip(boxes, kinds, strict=True)], self._people)
        animals = self._joints(frames, [box[kind == 1] for box, kind in zip(boxes, kinds, strict=True)], self._animals)
        return [
            FrameFigures(
                Detections(
                    _filled_up(people[t], len(WHOLEBODY.joints)), boxes[t][kinds[t] == 0], scores[t][kinds[t] == 0]
                ),
                Detections(_filled_up(animals[t], 17), boxes[t][kinds[t] == 1], scores[t][kinds[t] == 1]),
            )
            for t in range(len(frames))
        ]

    # --- finding ----------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def _detect(self, frames: Frames) -> Iterator[tuple[Boxes, NDArray[np.float32], NDArray[np.int64]]]:
        """Of each frame: boxes in pixels ``(n, 4)``, scores ``(n,)``, and 0 for a person, 1 for an animal ``(n,)``."""
        height, width = frames.shape[1:3]
        side = (self._side, self._side)
        square = [np.asarray(Image.fromarray(frame).resize(side, Image.Resampling.BILINEAR)) for frame in frames]
        pixels = torch.from_numpy(np.stack(square)).permute(0, 3, 1, 2).to(self._device, torch.float32) / 255
        out = self._detector(pixel_values=pixels.to(self._dtype))
        chances = out.logits.float().sigmoid().cpu().numpy()  # (t, queries, classes): each class by itself
        centred = out.pred_boxes.float().cpu().numpy()  # (t, queries, 4): x, y of the centre, width, height, in shares
        corners = np.concatenate([centred[..., :2] - centred[..., 2:] / 2, centred[..., :2] + centred[..., 2:] / 2], -1)
        corners = np.clip(corners, 0, 1) * [width, height, width, height]
        for chance, box in zip(chances, corners.astype(np.float32), strict=True):
            best, sure = chance.argmax(-1), chance.max(-1)
            kind = np.array([self._classes.get(int(label), -1) for label in best])
            wanted = (sure >= self._threshold) & (kind >= 0) & ((kind == 0) | (self._animals is not None))
            large = ((box[:, 2:] - box[:, :2]) >= 1).all(1)
            kept = _without_doubles(box, sure, kind, np.flatnonzero(wanted & large))
            yield box[kept], sure[kept].astype(np.float32), kind[kept]

    @torch.inference_mode()
    def _joints(self, frames: Frames, boxes: Sequence[Boxes], head: _Head | None) -> list[NDArray[np.float32]]:
        """Joints of every box of every frame, each ``(n, j, 3)``."""
        if head is None:
            return [np.zeros((0, 17, 3), np.float32) for _ in frames]
        places = [(t, box) for t, found in enumerate(boxes) for box in found]
        done: list[NDArray[np.float32]] = []
        for start in range(0, len(places), self._crops_at_once):
            batch = places[start : start + self._crops_at_once]
            areas = np.stack([padded(box, head.width / head.height) for _, box in batch])
            crops = np.stack([crop(frames[t], area, head.width, head.height) for (t, _), area in zip(batch, areas)])  # noqa: B905
            pixels = torch.from_numpy((crops / np.float32(255) - _MEAN) / _STD).permute(0, 3, 1, 2)
            maps = head.maps(pixels.to(self._device, self._dtype))
            done += list(decode(maps.float().cpu().numpy(), areas))
        found = iter(done)
        nobody = np.zeros((0, head.joints, 3), np.float32)
        return [np.stack([next(found) for _ in some]) if len(some) else nobody for some in boxes]


class _Head:
    """A ViTPose and what its head and its experts ask for."""

    def __init__(self, network: Any, source: Weights) -> None:
        config = network.config
        self.name, self.joints = source.name, int(config.num_labels)
        self.height, self.width = (int(side) for side in config.backbone_config.image_size)
        names = " ".join(str(name).lower() for name in (config.id2label or {}).values())
        self.is_of_people = "ear" in names or "ankle" in names
        self.is_of_animals = "tail" in names or "paw" in names
        self._network = network
        self._expert = {133: _WHOLE, 17: _AP10K if self.is_of_animals else _COCO}.get(self.joints, _COCO)
        self._experts = int(getattr(config.backbone_config, "num_experts", 1) or 1)
        if self._experts > 1 and self._expert >= self._experts:
            raise InputError(f"{source.name} has {self._experts} experts and its head needs number {self._expert}.")

    def maps(self, pixels: Tensor) -> Tensor:
        """Heat maps ``(n, joints, h / 4, w / 4)`` of crops ``(n, 3, h, w)``."""
        more = {}
        if self._experts > 1:
            more["dataset_index"] = torch.full((len(pixels),), self._expert, device=pixels.device)
        found: Tensor = self._network(pixel_values=pixels, **more).heatmaps
        return found


def _classes(source: Weights, config: Any) -> dict[int, int]:
    """Which of the detector's classes are people (0) and which are animals (1).

    Raises:
        InputError: if it knows of no person.
    """
    names = {int(index): str(name).lower() for index, name in (config.id2label or {}).items()}
    found = {index: int(name in FOUR_LEGGED) for index, name in names.items() if name in FOUR_LEGGED | {"person"}}
    if 0 not in found.values():
        raise InputError(f"{source.name} knows no class called person; give a detector trained on COCO.")
    return found


def _without_doubles(
    boxes: Boxes, scores: NDArray[np.float32], kinds: NDArray[np.int64], candidates: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Of boxes of one kind that lie on each other, the surest; the detector seldom gives a figure twice."""
    kept: list[int] = []
    for index in candidates[np.argsort(-scores[candidates], kind="stable")]:
        near = [k for k in kept if kinds[k] == kinds[index] and _shared(boxes[k], boxes[index]) > _DOUBLE]
        if not near:
            kept.append(int(index))
    return np.array(kept, np.int64)


def _shared(one: Boxes, other: Boxes) -> float:
    inner = np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None).prod()
    both = (one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - inner
    return float(inner / max(float(both), 1e-9))


def _filled_up(joints: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """``(n, count, 3)``: what a smaller head does not know is absent."""
    full = np.zeros((len(joints), count, 3), np.float32)
    full[:, : joints.shape[1]] = joints
    return full


# --- between pictures and heat maps ---------------------------------------------------------------------------------


def padded(box: Boxes, aspect: float) -> Boxes:
    """The area that a network is shown for a box: of its aspect, with a quarter more around, the same centre.

    Args:
        box: left, top, right, bottom.
        aspect: width over height of the network's input.
    """
    centre, sides = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).astype(np.float64)
    width = max(sides[0], aspect * sides[1]) * _PADDING
    half = np.array([width, width / aspect]) / 2
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


def crop(picture: Picture, area: Boxes, width: int, height: int) -> NDArray[np.uint8]:
    """An area of a picture at another size; outside the picture it is black.

    The first pixel's centre lies on the area's left border and the last one's on its right border, in both directions.

    Args:
        picture: RGB, uint8, ``(h, w, 3)``.
        area: left, top, right, bottom in its pixels.
        width: of the crop.
        height: of it.
    """
    scale = (np.array([width, height]) - 1.0) / (area[2:] - area[:2])
    shift = -area[:2] * scale
    matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    done = cv2.warpAffine(np.ascontiguousarray(picture), matrix, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(done, np.uint8)


def decode(maps: NDArray[np.float32], areas: Boxes) -> NDArray[np.float32]:
    """Joints from heat maps: the highest cell of each, refined below the size of a cell, in pixels of the picture.

    Args:
        maps: ``(n, j, h, w)``.
        areas: that the maps cover, left, top, right, bottom, ``(n, 4)``.

    Returns:
        x, y and the map's peak as confidence in [0, 1], float32, ``(n, j, 3)``; zeros where no cell is above 0.
    """
    count, joints, height, width = maps.shape
    flat = maps.reshape(count, joints, -1)
    at, peak = flat.argmax(-1), flat.max(-1)
    cells = np.stack([at % width, at // width], -1).astype(np.float64)  # (n, j, 2): x, y
    logs = np.stack([_smooth_log(one) for one in maps.reshape(-1, height, width)])
    step = _newton(logs, cells.reshape(-1, 2).astype(int)).reshape(count, joints, 2)
    areas = areas.astype(np.float64)
    scale = (areas[:, 2:] - areas[:, :2]) / [width - 1, height - 1]
    places = (cells + step) * scale[:, None] + areas[:, None, :2]
    found = np.concatenate([places, np.clip(peak, 0, 1)[..., None]], -1).astype(np.float32)
    found[~(peak > 0)] = 0
    return found


def _smooth_log(one: NDArray[np.float32]) -> NDArray[np.float64]:
    """Logarithm of a smoothed map with a border of one cell, ``(h + 2, w + 2)``."""
    smooth = cv2.GaussianBlur(one.astype(np.float64), (_KERNEL, _KERNEL), _SMOOTHING, borderType=cv2.BORDER_REFLECT)
    return np.pad(np.log(np.clip(smooth, 1e-3, 50)), 1, mode="edge")


def _newton(logs: NDArray[np.float64], cells: NDArray[np.int_]) -> NDArray[np.float64]:
    """The step from a cell to the top of the parabola through its neighbours, ``(m, 2)``, at most one cell long."""
    index, x, y = np.arange(len(cells)), cells[:, 0] + 1, cells[:, 1] + 1
    here = logs[index, y, x]
    right, left = logs[index, y, x + 1], logs[index, y, x - 1]
    below, above = logs[index, y + 1, x], logs[index, y - 1, x]
    dx, dy = (right - left) / 2, (below - above) / 2
    dxx, dyy = right - 2 * here + left, below - 2 * here + above
    dxy = (logs[index, y + 1, x + 1] - right - below + 2 * here - left - above + logs[index, y - 1, x - 1]) / 2
    determinant = dxx * dyy - dxy**2
    top = (determinant > 1e-9) & (dxx < 0)  # else the cell is no top, and stays
    safe = np.where(top, determinant, 1)
    step = np.stack([-(dyy * dx - dxy * dy) / safe, -(dxx * dy - dxy * dx) / safe], -1)
    return np.clip(np.where(top[:, None], step, 0), -1, 1)
