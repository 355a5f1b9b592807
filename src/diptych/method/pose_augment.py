"""Pose augmentation of the first stage: other bodies and other places for the same motion (paper, sections 3.3, 5.1).

A model that rebuilds a video from its own skeletons could read the person's build and place off them. So the bones of
some samples are lengthened or shortened, and the skeletons of some are moved to a box of their own: what is left to
read is the motion. Left and right, angles and the order of events stay what they were.

Coordinates are pixels of the picture the poses belong to: x right, y down, from its top left corner.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diptych.method.skeleton import CONFIDENT, QUADRUPED, WHOLEBODY, topology_of
from diptych.types import Box, Skeleton

_Floats = NDArray[np.float64]
_Bools = NDArray[np.bool_]

Poses = tuple[Skeleton, ...]
"""The poses of one clip: a skeleton for every topology that occurs, all of one length."""


@dataclass(frozen=True)
class _Tree:
    """A body as it hangs together, from a root outwards. It has joints that no topology counts: middles of two.

    Attributes:
        middles: pairs of joints; the middle of each is one more joint, counted on from the topology's.
        order: all joints but the root, those nearer to it first.
        parent: joint to the one it hangs on.
        group: joint to the anatomical group of the bone that leads to it.
        root: the joint that all hang on.
    """

    middles: tuple[tuple[int, int], ...]
    order: tuple[int, ...]
    parent: Mapping[int, int]
    group: Mapping[int, str]
    root: int

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups, from the trunk outwards."""
        return tuple(dict.fromkeys(self.group[joint] for joint in self.order))

    def upward(self, joint: int) -> Iterator[int]:
        """The joint, its parent, and so on; the root, which no bone leads to, is not among them."""
        while joint != self.root:
            yield joint
            joint = self.parent[joint]


def _tree(
    joints: Sequence[str], middles: Mapping[str, tuple[str, str]], root: str, bones: Sequence[tuple[str, str, str]]
) -> _Tree:
    at = {name: index for index, name in enumerate((*joints, *middles))}
    depth = {root: 0}
    for near, far, _ in bones:
        depth[far] = depth[near] + 1
    bones = sorted(bones, key=lambda bone: depth[bone[1]])
    return _Tree(
        middles=tuple((at[first], at[second]) for first, second in middles.values()),
        order=tuple(at[far] for _, far, _ in bones),
        parent={at[far]: at[near] for near, far, _ in bones},
        group={at[far]: group for _, far, group in bones},
        root=at[root],
    )


def _person() -> _Tree:
    bones = [("mid_hip", "neck", "trunk"), ("neck", "nose", "trunk")]
    # Hands and face are rigid: all of their points hang on one joint, so one factor scales the whole.
    bones += [("nose", f"face_{i}", "head") for i in range(68)]
    for side in ("left", "right"):
        bones += [("nose", f"{side}_{part}", "head") for part in ("eye", "ear")]
        bones += [
            ("neck", f"{side}_shoulder", "shoulders"),
            (f"{side}_shoulder", f"{side}_elbow", "upper arms"),
            (f"{side}_elbow", f"{side}_wrist", "forearms"),
            ("mid_hip", f"{side}_hip", "hips"),
            (f"{side}_hip", f"{side}_knee", "thighs"),
            (f"{side}_knee", f"{side}_ankle", "shins"),
            *((f"{side}_ankle", f"{side}_{part}", "feet") for part in ("big_toe", "small_toe", "heel")),
        ]
        wrist, *fingers = (name for name in WHOLEBODY.joints if name.startswith(f"{side}_hand_"))
        bones += [(f"{side}_wrist", wrist, "hands"), *((wrist, name, "hands") for name in fingers)]
    middles = {"mid_hip": ("left_hip", "right_hip"), "neck": ("left_shoulder", "right_shoulder")}
    return _tree(WHOLEBODY.joints, middles, "mid_hip", bones)


def _animal() -> _Tree:
    bones = [("root_of_tail", "neck", "trunk"), ("neck", "nose", "neck")]
    for side in ("left", "right"):
        bones += [
            ("nose", f"{side}_eye", "head"),
            ("neck", f"{side}_shoulder", "shoulders"),
            (f"{side}_shoulder", f"{side}_elbow", "upper forelegs"),
            (f"{side}_elbow", f"{side}_front_paw", "lower forelegs"),
            ("root_of_tail", f"{side}_hip", "hips"),
            (f"{side}_hip", f"{side}_knee", "thighs"),
            (f"{side}_knee", f"{side}_back_paw", "shins"),
        ]
    return _tree(QUADRUPED.joints, {}, "root_of_tail", bones)


_TREES: dict[str, _Tree] = {WHOLEBODY.name: _person(), QUADRUPED.name: _animal()}

BONE_GROUPS: dict[str, tuple[str, ...]] = {name: tree.groups for name, tree in _TREES.items()}
"""Topology to its anatomical groups: bones of one group, left and right alike, are scaled together."""


def scale_bones(
    poses: Poses, rng: np.random.Generator, low: float = 0.8, high: float = 1.2, threshold: float = CONFIDENT
) -> Poses:
    """Lengthens or shortens groups of bones at random, one factor for every group and figure of a clip.

    Every figure has factors of its own: factors that are shared would leave the builds of two people in the ratio they
    had, for the model to read.

    Args:
        poses: of one clip.
        rng: source of the factors.
        low: least factor.
        high: largest; factors are even between the two.
        threshold: as in ``with_lengths``.
    """
    scaled = []
    for skeleton in poses:
        groups = BONE_GROUPS[topology_of(skeleton).name]
        factors = rng.uniform(low, high, (skeleton.joints.shape[1], len(groups)))
        scaled.append(with_lengths(skeleton, factors, threshold))
    return tuple(scaled)


def with_lengths(skeleton: Skeleton, factors: _Floats, threshold: float = CONFIDENT) -> Skeleton:
    """The same motion in bodies with bones of other lengths.

    From the root outwards (people: the middle of the hips; animals: the root of the tail) every joint is set where its
    bone, longer or shorter but in its old direction, ends. The root stays where it is. A joint that is missing in some
    frames is bridged, for the sake of those that hang on it, by where it was on its parent before and after; one that
    is missing in all is skipped, and what hangs on it hangs on the nearest that is there, scaled by the mean of the
    bones in between. Missing joints stay missing, and confidence stays.

    Args:
        skeleton: figures over time.
        factors: what lengths are multiplied by, float64, ``(figures, groups)``; groups as in ``BONE_GROUPS``.
        threshold: nothing hangs on joints of less confidence; they hang on others like all.

    Raises:
        ValueError: the topology is unknown, or ``factors`` has another shape.
    """
    name = topology_of(skeleton).name
    figures = skeleton.joints.shape[1]
    if factors.shape != (figures, len(BONE_GROUPS[name])):
        raise ValueError(f"{figures} figures of {len(BONE_GROUPS[name])} groups do not fit factors {factors.shape}")
    out = skeleton.joints.copy()
    for figure in range(figures):
        by_group = dict(zip(BONE_GROUPS[name], factors[figure].tolist(), strict=True))
        out[:, figure] = _rescaled(skeleton.joints[:, figure], _TREES[name], by_group, threshold)
    return Skeleton(skeleton.names, out, skeleton.bones)


def _rescaled(
    joints: NDArray[np.float32], tree: _Tree, factors: Mapping[str, float], threshold: float
) -> NDArray[np.float32]:
    """One figure ``(t, j, 3)`` with other lengths."""
    count = joints.shape[1]
    at, trusted = _with_middles(joints, tree, threshold)  # (t, n, 2), (t, n)
    ever = np.any(trusted, axis=0, keepdims=False)
    present = joints[..., 2] > 0
    anchor = next((joint for joint in (tree.root, *tree.order) if ever[joint]), None)
    if anchor is None:
        return joints
    old = {anchor: _anchored(at, trusted, anchor, tree.order)}
    new = {anchor: old[anchor]}
    out = joints.copy()
    for joint in tree.order:
        if joint == anchor:
            continue
        near, bones = _hold(tree, joint, anchor, ever)
        factor = sum(factors[tree.group[bone]] for bone in bones) / len(bones)
        offset = at[:, joint] - old[near]  # (t, 2)
        if joint < count:
            seen = present[:, joint]
            out[seen, joint, :2] = (new[near] + factor * offset)[seen]
        if ever[joint]:
            offset = _bridged(offset, trusted[:, joint])
            old[joint] = old[near] + offset
            new[joint] = new[near] + factor * offset
    return out


def _with_middles(joints: NDArray[np.float32], tree: _Tree, threshold: float) -> tuple[_Floats, _Bools]:
    """Places ``(t, n, 2)`` and what others may hang on ``(t, n)``, middles of two joints among them."""
    at = joints[..., :2].astype(np.float64)
    trusted = (joints[..., 2] >= threshold) & (joints[..., 2] > 0)
    middles = [at[:, pair].mean(1, keepdims=True) for pair in tree.middles]
    both = [trusted[:, pair].all(1, keepdims=True) for pair in tree.middles]
    return np.concatenate([at, *middles], 1), np.concatenate([trusted, *both], 1)


def _anchored(at: _Floats, trusted: _Bools, anchor: int, others: Sequence[int]) -> _Floats:
    """Where the anchor is ``(t, 2)``: where it is missing, it moves along with the nearest joint that is there."""
    place, known = at[:, anchor].copy(), trusted[:, anchor].copy()
    for other in others:
        if known.all():
            break
        both = trusted[:, anchor] & trusted[:, other]
        lent = trusted[:, other] & ~known
        if both.any() and lent.any():
            place[lent] = (at[:, other] - _bridged(at[:, other] - at[:, anchor], both))[lent]
            known |= lent
    return _bridged(place, known)


def _bridged(values: _Floats, known: _Bools) -> _Floats:
    """Values ``(t, 2)`` with those that are not known put in, along a straight line between neighbours in time."""
    if known.all():
        return values
    times = np.arange(len(values))
    return np.stack([np.interp(times, times[known], column[known]) for column in values.T], 1)


def _hold(tree: _Tree, joint: int, anchor: int, ever: _Bools) -> tuple[int, list[int]]:
    """The nearest joint inwards that is ever there, and the far ends of the bones that lead from it to this one.

    If there is none up to the root, it is the anchor, the first joint of the body that is there; the way leads over the
    root.
    """
    bones: list[int] = []
    for bone in tree.upward(joint):
        bones.append(bone)
        if ever[tree.parent[bone]]:
            return tree.parent[bone], bones
    return anchor, bones + list(tree.upward(anchor))


def clip_box(poses: Poses, threshold: float = CONFIDENT) -> Box | None:
    """The box around all joints of all figures over the whole clip (paper, section 3.3).

    Args:
        poses: of one clip.
        threshold: joints of less confidence do not count, nor do absent ones.

    Returns:
        The box, without any extent if there is one joint; None if there is none.
    """
    found = []
    for skeleton in poses:
        confidence = skeleton.joints[..., 2]
        found.append(skeleton.joints[..., :2][(confidence >= threshold) & (confidence > 0)])
    points = np.concatenate(found).astype(np.float64) if found else np.zeros((0, 2))
    if not len(points):
        return None
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    return Box(left, top, right, bottom)


def fit_to_box(poses: Poses, box: Box, target: Box, *, keep_aspect: bool = True) -> Poses:
    """Moves and scales a clip so that one box comes to lie on another.

    Args:
        poses: of one clip; figures keep their places relative to each other, and confidence stays.
        box: where they are, as ``clip_box`` says.
        target: where they shall be.
        keep_aspect: one scale for both axes, the largest that fits, centre on centre; otherwise the target is filled. A
            side without extent has no scale of its own and takes the other's.
    """
    sides = ((box.width, target.width), (box.height, target.height))
    known = [goal / extent for extent, goal in sides if extent > 0] or [1.0]
    scales = [min(known) if keep_aspect or extent <= 0 else goal / extent for extent, goal in sides]
    centre, middle = np.array(box.centre), np.array(target.centre)
    moved = []
    for skeleton in poses:
        joints = skeleton.joints.copy()
        there = joints[..., 2] > 0
        joints[there, :2] = (joints[there, :2] - centre) * scales + middle
        moved.append(Skeleton(skeleton.names, joints, skeleton.bones))
    return tuple(moved)


def normalise_to_box(
    poses: Poses,
    width: int,
    height: int,
    *,
    stretch: float | None = None,
    margin: float = 0.05,
    threshold: float = CONFIDENT,
) -> Poses:
    """Brings a clip's figures to the middle of the picture, as large as fits (paper, section 3.3).

    Where they stood and how large they were is gone; how they move about is not, since one box holds the whole clip.

    Args:
        poses: of one clip; without any joint they are returned as they are.
        width: of the picture, pixels.
        height: of the picture, pixels.
        stretch: what the figures' height is multiplied by relative to their width; None keeps their aspect.
        margin: free share of the picture's shorter side on each of its four sides, 0 to below 0.5.
        threshold: as in ``clip_box``.

    Raises:
        ValueError: ``margin`` or ``stretch`` is out of range.
    """
    if not 0 <= margin < 0.5 or not (stretch is None or 0 < stretch < np.inf):
        raise ValueError(f"no box with a margin of {margin} and a stretch of {stretch}")
    box = clip_box(poses, threshold)
    if box is None:
        return poses
    free = margin * min(width, height)
    taller = stretch or 1.0
    wide, high = box.width, box.height * taller
    ratios = [room / side for room, side in ((width - 2 * free, wide), (height - 2 * free, high)) if side > 0]
    scale = min(ratios, default=1.0)
    half_wide, half_high = wide * scale / 2, high * scale / 2
    target = Box(width / 2 - half_wide, height / 2 - half_high, width / 2 + half_wide, height / 2 + half_high)
    return fit_to_box(poses, box, target, keep_aspect=False)


@dataclass(frozen=True)
class PoseAugment:
    """How often and how far poses are changed in training.

    Attributes:
        bones_share: share of the samples whose bones are scaled (paper: 0.3).
        bones_low: least factor of a group of bones (paper: 0.8).
        bones_high: largest (paper: 1.2).
        box_share: share of the samples that are normalised by their box. The paper names none. Half, because at
            inference both occur: drivers as they are, and drivers that were moved to a box.
        stretch: figures that are normalised become up to so many times taller, or wider, than they were, even in the
            logarithm. The paper's figure shows 1.14.
        margin_low: least margin of the box, as a share of the picture's shorter side.
        margin_high: largest.
    """

    bones_share: float = 0.3
    bones_low: float = 0.8
    bones_high: float = 1.2
    box_share: float = 0.5
    stretch: float = 1.2
    margin_low: float = 0.02
    margin_high: float = 0.12

    def __post_init__(self) -> None:
        shares = 0 <= self.bones_share <= 1 and 0 <= self.box_share <= 1
        bones = 0 < self.bones_low <= self.bones_high
        box = self.stretch >= 1 and 0 <= self.margin_low <= self.margin_high < 0.5
        if not (shares and bones and box):
            raise ValueError(f"no augmentation has such settings: {self}")


def augment(poses: Poses, width: int, height: int, settings: PoseAugment, rng: np.random.Generator) -> Poses:
    """Draws one augmentation of a clip's poses: scaled bones or not, then normalised or not.

    Args:
        poses: of one clip.
        width: of the picture whose pixels they are in; normalised poses lie in the same picture.
        height: of it.
        settings: how often and how far.
        rng: source of all draws. One that starts alike draws alike.
    """
    if rng.random() < settings.bones_share:
        poses = scale_bones(poses, rng, settings.bones_low, settings.bones_high)
    if rng.random() < settings.box_share:
        stretch = float(np.exp(rng.uniform(-1.0, 1.0) * np.log(settings.stretch)))
        margin = float(rng.uniform(settings.margin_low, settings.margin_high))
        poses = normalise_to_box(poses, width, height, stretch=stretch, margin=margin)
    return poses
