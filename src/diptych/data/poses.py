"""Poses on disk: the skeletons of one clip in one safetensors file, whoever found them.

    wholebody    float32 (t, people, 133, 3)     x, y in pixels of the clip and confidence; 0 = not there
    quadruped    float32 (t, animals, 17, 3)     the same of four-legged animals

Either may be missing. A figure keeps its index through the clip. The header says how large the pictures are and where
the poses come from. Files from outside are untrusted: sizes are bounded before anything is read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diptych.files import replacing, save_tensors, writing_errors
from diptych.method.skeleton import TOPOLOGIES, topology_of
from diptych.types import InputError, Skeleton

_HEADER = "diptych.poses"
_LARGEST = 1 << 30
_MOST_FIGURES = 64


class PosesHeader(BaseModel):
    """What a file of poses says of itself.

    Attributes:
        version: of this format.
        width: of the pictures whose pixels the joints are in.
        height: of them.
        source: who found the poses: an estimator's name, ``puppets``, or the format they were read from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: Literal[1] = 1
    width: Annotated[int, Field(ge=1, le=1 << 16)]
    height: Annotated[int, Field(ge=1, le=1 << 16)]
    source: Annotated[str, Field(max_length=200)] = ""


@dataclass(frozen=True, eq=False)
class ClipPoses:
    """Poses of every figure in every frame of a clip.

    Attributes:
        figures: one skeleton for every topology that occurs, each of t frames; at least one.
        width: of the pictures whose pixels the joints are in.
        height: of them.
        source: who found them.
    """

    figures: tuple[Skeleton, ...]
    width: int
    height: int
    source: str = ""

    @property
    def frames(self) -> int:
        """Frames of the clip."""
        return len(self.figures[0].joints)


def write_poses(path: Path, poses: ClipPoses) -> None:
    """Writes the poses of a clip atomically.

    Raises:
        InputError: if the file cannot be written.
    """
    header = PosesHeader(width=poses.width, height=poses.height, source=poses.source)
    tensors = {
        topology_of(skeleton).name: torch.from_numpy(np.ascontiguousarray(skeleton.joints, dtype=np.float32))
        for skeleton in poses.figures
    }
    with writing_errors(path), replacing(path) as draft:
        save_tensors(tensors, draft, {_HEADER: header.model_dump_json()})


def read_poses(path: Path) -> ClipPoses:
    """Reads and checks the poses of a clip.

    Raises:
        InputError: if the file is missing, damaged, or not of this format.
    """
    from safetensors import SafetensorError, safe_open

    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{path} is too large for the poses of a clip; cut the clip shorter.")
        with safe_open(path, "pt") as file:
            header = PosesHeader.model_validate_json((file.metadata() or {})[_HEADER])
            names = list(file.keys())
            if not names or set(names) - set(TOPOLOGIES):
                raise InputError(f"{path} holds {names or 'no poses'}; it may hold {' and '.join(TOPOLOGIES)}.")
            found = {name: file.get_tensor(name) for name in TOPOLOGIES if name in names}
    except (SafetensorError, OSError, ValueError, KeyError, ValidationError, json.JSONDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is no file of poses ({reason}); make it again with diptych prepare.") from None
    figures = []
    for name, joints in found.items():
        topology = TOPOLOGIES[name]
        if joints.dtype != torch.float32 or joints.ndim != 4 or joints.shape[2:] != (len(topology.joints), 3):
            raise InputError(f"{path} has {name} of shape {tuple(joints.shape)}; make it again with diptych prepare.")
        if joints.shape[1] > _MOST_FIGURES or not torch.isfinite(joints).all():
            raise InputError(f"{path} has {name} that no clip has (numbers or figures); make it again.")
        figures.append(topology.skeleton(joints.numpy()))
    if len({len(skeleton.joints) for skeleton in figures}) != 1 or not len(figures[0].joints):
        raise InputError(f"{path} has skeletons of different lengths or none; make it again with diptych prepare.")
    return ClipPoses(tuple(figures), header.width, header.height, header.source)
