"""``diptych data``: a manifest checked, and its clips looked at."""

from __future__ import annotations

import sys

import numpy as np

from diptych.data.check import check_manifest
from diptych.data.manifest import Entry, read_manifest
from diptych.data.poses import read_poses
from diptych.media.image import write_image
from diptych.media.sheet import pose_sheet
from diptych.media.video import read_clip
from diptych.method.pose_augment import PoseAugment, augment
from diptych.options import DataCheckOptions, DataLookOptions
from diptych.types import InputError, Skeleton

_COLUMNS, _HEIGHT = 8, 160


def data_check(options: DataCheckOptions) -> int:
    """Prints everything that is wrong with a manifest.

    Returns:
        How many faults there are.

    Raises:
        InputError: if it cannot be read at all.
    """
    faults = check_manifest(options.manifest, quick=options.quick)
    for fault in faults:
        print(f"{options.manifest}: {fault}", file=sys.stderr)
    if faults:
        print(f"diptych: {options.manifest} has {len(faults)} faults.", file=sys.stderr)
    else:
        lines = len(options.manifest.read_text("utf-8").splitlines())
        print(f"{options.manifest}: {lines} clips, nothing is wrong.")
    return len(faults)


def data_look(options: DataLookOptions) -> None:
    """Draws one clip: its frames with its skeletons over them, the skeletons as they are, and augmented as in training.

    Raises:
        InputError: if there is no such clip, it has no poses, or its files cannot be read.
    """
    entry = _chosen(options, read_manifest(options.manifest))
    folder = options.manifest.parent
    clip, poses = read_clip(folder / entry.target), read_poses(folder / (entry.poses or ""))
    if poses.frames != len(clip.frames):
        raise InputError(
            f"{folder / (entry.poses or '')} has {poses.frames} frames and the clip {len(clip.frames)}; run "
            f"diptych data check {options.manifest}."
        )
    settings = PoseAugment()
    rows = [("as they are", poses.figures)]
    for draw in range(options.seed, options.seed + options.draws):
        changed = augment(poses.figures, poses.width, poses.height, settings, np.random.default_rng(draw))
        rows.append((f"draw {draw}{'' if _differs(changed, poses.figures) else ': left as they are'}", changed))
    write_image(options.output, pose_sheet(rows, (poses.width, poses.height), _COLUMNS, _HEIGHT, clip.frames))
    print(options.output)


def _chosen(options: DataLookOptions, entries: list[Entry]) -> Entry:
    for entry in entries:
        if entry.poses is not None and options.id in (None, entry.id):
            return entry
    if options.id in {entry.id for entry in entries}:
        raise InputError(f"{options.id} has no poses in {options.manifest}; run diptych prepare --step poses.")
    if options.id is not None:
        raise InputError(f"{options.manifest} has no clip {options.id!r}; its ids stand in its lines.")
    raise InputError(f"{options.manifest} has no clip with poses; run diptych prepare --step poses.")


def _differs(one: tuple[Skeleton, ...], other: tuple[Skeleton, ...]) -> bool:
    return any(not np.array_equal(a.joints, b.joints) for a, b in zip(one, other, strict=True))
