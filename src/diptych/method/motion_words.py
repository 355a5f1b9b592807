"""What skeletons do, in words: which limbs move, how, how fast and how far, and where the figure goes.

The offline half of the paper's motion text (section 3.3). Everything is measured in lengths of the figure's own trunk
and in seconds, so that neither place nor size nor frame rate changes what is said. Left and right limbs are the
figure's, left and right *directions* those of the picture. Only what clearly happens is said: thresholds are above the
jitter of estimators, and a limb that is not seen is not spoken of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diptych.method.skeleton import QUADRUPED, topology_of
from diptych.types import Skeleton

Floats = NDArray[np.float64]

_SURE = 0.3
"""Confidence from which a joint counts as seen."""
_GAP_S = 0.4
"""Longer gaps of a joint are not bridged."""
_SMOOTH_S = 0.05
_SEEN_SHARE = 0.5
"""Of the frames in which the figure is there, a joint has to be seen in so many to be spoken of."""
_MOST_PHRASES = 5
_REPEATED = 3
"""Turning points from which a movement is said to be repeated."""

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TIMES = ("", "once", "twice", "three times", "four times", "five times", "six times")


def describe_motion(poses: Sequence[Skeleton], fps: float) -> str:
    """What the figures of a clip do, in one or two English sentences.

    Args:
        poses: one skeleton for every topology that occurs (WHOLEBODY, QUADRUPED), all of the same t frames.
        fps: frames per second, > 0.

    Returns:
        For instance ``The figure walks to the left and waves the right hand quickly.``; an empty text where no figure
        is seen.

    Raises:
        ValueError: if a skeleton is of no known topology, or ``fps`` is not above zero.
    """
    if not fps > 0:
        raise ValueError(f"{fps} frames per second")
    tracks = [
        track
        for skeleton in poses
        for figure in range(skeleton.joints.shape[1])
        if (track := _Track.of(skeleton, figure, fps)) is not None
    ]
    tracks.sort(key=lambda track: track.x)
    told = [_joined(_four_legged(track) if track.four_legged else _upright(track)) for track in tracks]
    if not told:
        return ""
    if len(told) == 1:
        return f"The figure {told[0]}."
    many = _NUMBERS[len(told)] if len(told) < len(_NUMBERS) else str(len(told))
    if len(set(told)) == 1:
        return f"{many.capitalize()} figures. Each of them {told[0]}."
    if len(told) == 2:
        return f"Two figures. The one on the left {told[0]}; the one on the right {told[1]}."
    ordinals = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
    each = [f"the {ordinal} {text}" for ordinal, text in zip(ordinals, told, strict=False)]
    return f"{many.capitalize()} figures. From left to right, {'; '.join(each)}."


def _joined(phrases: list[str]) -> str:
    kept = phrases[:_MOST_PHRASES]
    if len(kept) == 1:
        return kept[0]
    comma = "," if any(" and " in phrase for phrase in kept) else ""
    return f"{', '.join(kept[:-1])}{comma} and {kept[-1]}"


# --- one figure's joints over time ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Track:
    """One figure, its joints smoothed, with the length that everything is measured in.

    Attributes:
        joints: name to x, y in pixels, ``(t, 2)``, NaN where not seen; only joints that may be spoken of.
        unit: length of the trunk, pixels.
        fps: frames per second.
        x: mean place in the picture, pixels.
        four_legged: whether it is an animal's skeleton.
    """

    joints: dict[str, Floats]
    unit: float
    fps: float
    x: float
    four_legged: bool

    @classmethod
    def of(cls, skeleton: Skeleton, figure: int, fps: float) -> _Track | None:
        """None where there is too little of the figure to say anything."""
        four_legged = topology_of(skeleton) is QUADRUPED
        values = skeleton.joints[:, figure].astype(np.float64)
        seen: NDArray[np.bool_] = np.asarray(values[..., 2] >= _SURE)  # (t, j)
        there: NDArray[np.bool_] = np.asarray(seen.any(axis=1))
        if there.sum() < max(2, 0.25 * len(there)):
            return None
        first, last = np.flatnonzero(there)[[0, -1]]
        values, seen, there = values[first : last + 1], seen[first : last + 1], there[first : last + 1]
        joints = {
            name: _smooth(np.where(seen[:, i, None], values[:, i, :2], np.nan), fps)
            for i, name in enumerate(skeleton.names)
            if seen[:, i].sum() >= _SEEN_SHARE * there.sum()
        }
        unit = _trunk(joints, four_legged)
        if unit is None:
            return None
        x = float(np.nanmean([np.nanmean(track[:, 0]) for track in joints.values()]))
        return cls(joints, unit, fps, x, four_legged)

    @property
    def seconds(self) -> float:
        """From the first frame in which the figure is seen to the last."""
        return (len(next(iter(self.joints.values()))) - 1) / self.fps

    def has(self, *names: str) -> bool:
        """Whether all of these joints may be spoken of."""
        return all(name in self.joints for name in names)

    def middle(self, *names: str) -> Floats:
        """Mean of joints, in trunk lengths, ``(t, 2)``."""
        return np.mean([self.joints[name] for name in names], axis=0) / self.unit

    def course(self, values: Floats) -> _Course:
        """One number over time, NaN where unknown."""
        return _Course.of(values, self.fps)


def _smooth(track: Floats, fps: float) -> Floats:
    """Single outliers gone, short gaps bridged, jitter damped. ``(t, 2)`` -> ``(t, 2)``, NaN where nothing is known."""
    seen = np.flatnonzero(~np.isnan(track[:, 0]))
    if len(seen) < 2:
        return track
    times = np.arange(len(track))
    filled = np.stack([np.interp(times, seen, track[seen, axis]) for axis in (0, 1)], axis=1)
    if len(track) >= 3:
        inner = np.median(np.stack([filled[:-2], filled[1:-1], filled[2:]]), axis=0)
        filled = np.concatenate([filled[:1], inner, filled[-1:]]) if fps >= 12 else filled
    reach = int(3 * _SMOOTH_S * fps)
    if reach:
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (_SMOOTH_S * fps)) ** 2)
        padded = np.pad(filled, ((reach, reach), (0, 0)), mode="edge")
        weights /= weights.sum()
        filled = np.stack([np.convolve(padded[:, axis], weights, "valid") for axis in (0, 1)], axis=1)
    # What lies before the first, behind the last or in a long gap stays unknown.
    before = np.maximum.accumulate(np.where(~np.isnan(track[:, 0]), times, -(10**9)))
    after = np.minimum.accumulate(np.where(~np.isnan(track[:, 0]), times, 10**9)[::-1])[::-1]
    unknown = after - before > _GAP_S * fps + 1
    filled[unknown] = np.nan
    return filled


def _trunk(joints: dict[str, Floats], four_legged: bool) -> float | None:
    """Length of the trunk in pixels, from whatever part shows it best; seen from the side, widths only shrink.

    A shoulder's width is about 0.7 of a trunk, the eyes lie about an eighth of it apart.
    """

    def mid(part: str) -> Floats | None:
        both = [joints.get(f"{side}_{part}") for side in ("left", "right")]
        return None if both[0] is None or both[1] is None else (both[0] + both[1]) / 2

    lengths: list[tuple[Floats, float]] = []
    if four_legged:
        if {"neck", "root_of_tail"} <= set(joints):
            lengths.append((joints["neck"] - joints["root_of_tail"], 1.0))
    else:
        shoulders, hips = mid("shoulder"), mid("hip")
        if shoulders is not None and hips is not None:
            lengths.append((shoulders - hips, 1.0))
        if not lengths:
            for part, share in (("shoulder", 0.7), ("eye", 0.125)):
                if mid(part) is not None:
                    lengths.append((joints[f"left_{part}"] - joints[f"right_{part}"], share))
    found = [_percentile(np.hypot(*length.T), 80) / share for length, share in lengths]
    return max(found) if found and max(found) > 0 else None


@dataclass(frozen=True, eq=False)
class _Course:
    """How one number goes over time.

    Attributes:
        values: those that are known, ``(n,)``.
        range: between the 5th and the 95th percentile.
        net: end against beginning, each the median of a tenth of the time.
        turns: how often it turns, by more than a third of its range.
        hertz: full cycles a second.
    """

    values: Floats
    range: float
    net: float
    turns: int
    hertz: float

    @classmethod
    def of(cls, values: Floats, fps: float) -> _Course:
        known = values[~np.isnan(values)]
        if len(known) < 2:
            return cls(known, 0.0, 0.0, 0, 0.0)
        low, high = np.percentile(known, [5, 95])
        part = max(1, len(known) // 10)
        net = float(np.median(known[-part:]) - np.median(known[:part]))
        turns = _turning_points(known, 0.4 * float(high - low)) if high > low else 0
        return cls(known, float(high - low), net, turns, turns / 2 * fps / (len(values) - 1))

    @property
    def repeated(self) -> bool:
        """Whether it goes to and fro, rather than once there or once there and back."""
        return self.turns >= _REPEATED

    def times(self, above: float) -> int:
        """How often it rises above a value, having been below half of it in between."""
        count, up = 0, False
        for value in self.values:
            if not up and value > above:
                count, up = count + 1, True
            elif up and value < above / 2:
                up = False
        return count


def _turning_points(values: Floats, least: float) -> int:
    """How often a curve turns by more than ``least``."""
    turns, direction, extreme = 0, 0, values[0]
    for value in values[1:]:
        if (direction >= 0 and value > extreme) or (direction <= 0 and value < extreme):
            if direction == 0 and abs(value - values[0]) > least:
                direction = 1 if value > values[0] else -1
                extreme = value
            elif direction != 0:
                extreme = value
        elif direction != 0 and abs(value - extreme) > least:
            turns, direction, extreme = turns + 1, -direction, value
    return turns


def _percentile(values: Floats, share: float) -> float:
    """Of what is known; 0 where nothing is."""
    known = values[~np.isnan(values)]
    return float(np.percentile(known, share)) if len(known) else 0.0


def _principal(path: Floats) -> tuple[Floats, float]:
    """A path along its longest direction: positions ``(t,)``, and how horizontal that direction is, 0 .. 1."""
    known = path[~np.isnan(path[:, 0])]
    if len(known) < 2:
        return np.full(len(path), np.nan), 0.0
    _, _, axes = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)
    return (path - known.mean(axis=0)) @ axes[0], float(abs(axes[0][0]))


def _pace(course: _Course) -> str:
    """How fast something repeated goes."""
    return " slowly" if course.hertz < 0.5 else " quickly" if course.hertz > 1.6 else ""


def _times(count: int) -> str:
    return _TIMES[count] if count < len(_TIMES) else "again and again"


# --- people ---------------------------------------------------------------------------------------------------------


def _upright(track: _Track) -> list[str]:
    """Phrases in the third person, what moves the whole body first; one at least."""
    phrases = _whole_body(track)
    walking = any(phrase.split()[0] in ("walks", "runs") for phrase in phrases)
    lifted = any(phrase.split()[0] in ("jumps", "squats", "sits", "stands") for phrase in phrases)
    phrases += _trunk_phrases(track)
    phrases += _arm_phrases(track)
    if not walking and not lifted:
        phrases += _leg_phrases(track)
    phrases += _head_phrases(track)
    if not phrases:
        return ["stands still" if track.has("left_ankle", "right_ankle") else "keeps still"]
    return phrases


def _root(track: _Track) -> Floats | None:
    for part in ("hip", "shoulder", "eye"):
        if track.has(f"left_{part}", f"right_{part}"):
            return track.middle(f"left_{part}", f"right_{part}")
    return track.middle("nose") if track.has("nose") else None


def _whole_body(track: _Track) -> list[str]:
    root = _root(track)
    if root is None:
        return []
    where = _where(track, root, least=0.6)
    feet = track.has("left_ankle", "right_ankle", "left_hip", "right_hip")
    phrases = []
    if feet:
        jumps, squat = _jumps(track), _squats(track)
        if jumps:
            return [f"jumps {_times(jumps)}{where}"]
        if squat:
            return [squat]
        gait = _gait(track, going=bool(where))
        if gait:
            return [f"{gait[0]}{where or ' on the spot'}{gait[1]}"]
    if where:
        phrases.append(f"moves{where}")
    return phrases


def _where(track: _Track, root: Floats, least: float) -> str:
    """Where the figure goes in the picture, with a leading space; nothing where it stays."""
    across = track.course(root[:, 0])
    nearer = 0.0
    if track.has("left_hip", "right_hip", "left_shoulder", "right_shoulder"):
        length = np.hypot(*(track.middle("left_shoulder", "right_shoulder") - track.middle("left_hip", "right_hip")).T)
        nearer = track.course(np.log(np.maximum(length, 1e-3))).net
    if abs(across.net) >= least and abs(across.net) > 0.5 * across.range:
        return " to the right" if across.net > 0 else " to the left"
    if across.range >= 1.5 * least and across.turns >= 1:
        return " to and fro"
    if abs(nearer) > math.log(1.3):
        return " towards the camera" if nearer > 0 else " away from the camera"
    return ""


def _gait(track: _Track, going: bool) -> tuple[str, str] | None:
    """Walking or running, and its pace: the feet pass each other, seen from the side, or one above the other.

    Of one who stays on the spot it takes more steps, and faster ones: feet also pass each other when a ball is kept up.
    """
    least_turns, least_hertz = (2, 0.0) if going else (_REPEATED, 0.7)
    left = track.middle("left_ankle") - track.middle("left_hip", "right_hip")
    right = track.middle("right_ankle") - track.middle("left_hip", "right_hip")
    own = sorted(math.hypot(*(track.course(foot[:, axis]).range for axis in (0, 1))) for foot in (left, right))
    if own[0] < 0.15 or own[0] < 0.45 * own[1]:
        return None
    for axis, least in ((0, 0.35), (1, 0.2)):
        apart = track.course((left - right)[:, axis])
        centred = abs(float(np.median(apart.values))) < 0.3 * apart.range if len(apart.values) else False
        if apart.range >= least and centred and apart.turns >= least_turns and apart.hertz >= least_hertz:
            rise = np.mean([track.course(foot[:, 1]).range for foot in (left, right)])
            runs = apart.hertz > 1.2 and rise > 0.45
            pace = "" if runs else " slowly" if apart.hertz < 0.55 else " quickly" if apart.hertz > 1.35 else ""
            return ("runs" if runs else "walks"), pace
    return None


def _jumps(track: _Track) -> int:
    """How often both feet leave the ground together with the hips."""
    feet = np.stack([track.middle(f"{side}_ankle")[:, 1] for side in ("left", "right")])
    hips = track.middle("left_hip", "right_hip")[:, 1]
    lower = np.max(feet, axis=0)
    if np.isnan(lower).all() or np.isnan(hips).all():
        return 0
    lift = _percentile(lower, 80) - lower
    risen = np.nanmedian(hips) - hips
    head = track.middle("left_shoulder", "right_shoulder") if track.has("left_shoulder", "right_shoulder") else None
    if head is not None and _percentile(head[:, 1] - hips, 95) > 0:
        return 0  # upside down in between: feet in the air are not a jump
    both = np.minimum(lift, risen + 0.1)
    # One who walks into the depth of the picture or out of it rises too, but slowly and for good.
    course = track.course(lower)
    if course.turns < 2 and abs(course.net) > 0.6 * course.range:
        return 0
    return track.course(both).times(0.22)


def _squats(track: _Track) -> str | None:
    """Hips that come down to feet that stay where they are, and go up again."""
    # The lower foot: one that is lifted for a kick does not bring the hips down.
    feet = np.maximum(track.middle("left_ankle")[:, 1], track.middle("right_ankle")[:, 1])
    height = feet - track.middle("left_hip", "right_hip")[:, 1]
    if np.isnan(height).all():
        return None
    standing = _percentile(height, 90)
    if standing <= 0.5 or track.course(feet).range > 0.35:
        return None
    down = track.course(1 - height / standing)
    count = down.times(0.28)
    if not count:
        return None
    ends = [float(np.median(part)) for part in (down.values[: max(1, len(down.values) // 10)], down.values[-3:])]
    if count == 1 and ends[1] > 0.28 >= 0.5 * ends[0] and ends[0] < 0.14:
        return "squats down"
    if count == 1 and ends[0] > 0.28 and ends[1] < 0.14:
        return "stands up"
    return f"squats {_times(count)}{_pace(down) if count > 1 else ''}"


def _trunk_phrases(track: _Track) -> list[str]:
    phrases = []
    if track.has("left_shoulder", "right_shoulder"):
        facing = (track.middle("left_shoulder") - track.middle("right_shoulder"))[:, 0]
        sides = np.sign(facing[np.abs(facing) > 0.25])
        flips = int(np.count_nonzero(np.diff(sides)))
        if flips:
            phrases.append("turns round" if flips < _REPEATED else "turns round and round")
    if track.has("left_shoulder", "right_shoulder", "left_hip", "right_hip"):
        up = track.middle("left_shoulder", "right_shoulder") - track.middle("left_hip", "right_hip")
        lean = track.course(np.degrees(np.arctan2(up[:, 0], -up[:, 1])))
        if not len(lean.values):
            return phrases
        low, high = np.percentile(lean.values, [5, 95])
        side = "right" if abs(high) > abs(low) else "left"
        if max(high, -low) > 120:
            phrases.append("turns over")
        elif lean.range > 15 and lean.repeated:
            both = low < -6 and high > 6
            phrases.append(f"sways from side to side{_pace(lean)}" if both else f"leans to the {side} again and again")
        elif lean.range > 20:
            back = " and straightens up" if abs(lean.net) < 0.5 * lean.range else ""
            phrases.append(f"leans to the {side}{back}")
    return phrases


@dataclass(frozen=True)
class _LimbPhrase:
    """What one limb of a pair does.

    Attributes:
        before: the verb and what stands before the limb.
        limb: "arm", "hand" or "leg".
        after: what stands behind it.
    """

    before: str
    limb: str
    after: str = ""

    def of(self, side: str) -> str:
        """With one side's limb."""
        return f"{self.before} the {side} {self.limb}{self.after}"

    def of_both(self) -> str:
        """With the limbs of both sides."""
        return f"{self.before} both {self.limb}s{self.after.replace(' it ', ' them ')}"


def _paired(track: _Track, told: Callable[[_Track, str], _LimbPhrase | None]) -> list[str]:
    """What both limbs of a pair do, in one phrase where it is the same but for its pace."""
    left, right = told(track, "left"), told(track, "right")
    if left and right and (left.before, left.limb) == (right.before, right.limb):
        return [(left if left.after == right.after else _LimbPhrase(left.before, left.limb)).of_both()]
    return [phrase.of(side) for side, phrase in (("right", right), ("left", left)) if phrase]


def _arm_phrases(track: _Track) -> list[str]:
    together = _hands_together(track)
    return (
        [together] if together and together.startswith("claps") else [*_paired(track, _arm), *filter(None, [together])]
    )


def _hands_together(track: _Track) -> str | None:
    if not track.has("left_wrist", "right_wrist", "left_shoulder", "right_shoulder"):
        return None
    between = track.middle("left_wrist") - track.middle("right_wrist")
    shoulders = (track.middle("left_shoulder") - track.middle("right_shoulder"))[:, 0]
    apart = track.course(np.hypot(*between.T))
    # From the side hands only pass each other.
    if not len(apart.values) or _percentile(np.abs(shoulders), 50) < 0.35:
        return None
    crosses = _percentile(between[:, 0] * np.sign(shoulders), 5) < -0.25
    nearest = float(np.percentile(apart.values, 5))
    if nearest < 0.45 and apart.range > 0.3 and apart.turns > _REPEATED and not crosses:
        return f"claps the hands{_pace(apart)}"
    if np.mean(apart.values < 0.3) > 0.7:
        return "holds the hands together"
    return None


def _arm(track: _Track, side: str) -> _LimbPhrase | None:
    if not track.has(f"{side}_shoulder", f"{side}_wrist"):
        return None
    reach = track.middle(f"{side}_wrist") - track.middle(f"{side}_shoulder")  # (t, 2), trunk lengths
    along, level = _principal(reach)
    path, up = track.course(along), track.course(-reach[:, 1])
    if not len(up.values):
        return None
    height = float(np.median(up.values))
    wide = " wide" if path.range > 1.4 else ""
    if path.range < 0.22:
        return _LimbPhrase("holds", "arm", " up") if height > 0.15 else None
    if path.repeated:
        pace = _pace(path)
        if level > 0.6 and height > -0.35:
            return _LimbPhrase("waves", "hand", wide + pace)
        if level > 0.6:
            return _LimbPhrase("swings", "arm", wide + pace)
        return _LimbPhrase("moves", "arm", f" up and down{pace}")
    speed = np.hypot(*np.diff(reach[~np.isnan(reach[:, 0])], axis=0).T) * track.fps
    top = float(np.percentile(speed, 95)) if len(speed) else 0.0
    pace = " slowly" if top < 1.0 else " quickly" if top > 5 else ""
    if up.range > 0.45:
        high = " above the head" if float(np.percentile(up.values, 95)) > 0.55 else ""
        if up.net > 0.6 * up.range:
            return _LimbPhrase("raises", "arm", high + pace)
        if up.net < -0.6 * up.range:
            return _LimbPhrase("lowers", "arm", pace)
        rises = float(np.max(up.values)) - up.values[0] > up.values[0] - float(np.min(up.values))
        if rises:
            return _LimbPhrase("raises", "arm", f"{high} and lowers it again{pace}")
        return _LimbPhrase("lowers", "arm", f" and raises it again{pace}")
    length = track.course(np.hypot(*reach.T))
    if length.range > 0.35:
        return _LimbPhrase("bends" if length.net < 0 else "stretches", "arm", pace)
    across = track.course(reach[:, 0])
    if across.range > 0.45:
        return _LimbPhrase("moves", "arm", f" to the {'right' if across.net > 0 else 'left'}{pace}")
    return _LimbPhrase("moves", "arm", " a little")


def _leg_phrases(track: _Track) -> list[str]:
    if track.has("left_ankle", "right_ankle"):
        apart = track.course((track.middle("left_ankle") - track.middle("right_ankle"))[:, 0])
        told = [_leg(track, side) for side in ("left", "right")]
        kicks = any(phrase is not None and phrase.before in ("kicks with", "lifts") for phrase in told)
        if apart.range > 0.6 and apart.repeated and not kicks:
            return [f"spreads and closes the legs{_pace(apart)}"]
    return _paired(track, _leg)


def _leg(track: _Track, side: str) -> _LimbPhrase | None:
    if not track.has(f"{side}_hip", f"{side}_ankle"):
        return None
    reach = track.middle(f"{side}_ankle") - track.middle(f"{side}_hip")
    known = reach[~np.isnan(reach[:, 0])]
    if len(known) < 3:
        return None
    along, level = _principal(reach)
    path = track.course(along)
    rise = track.course(np.percentile(known[:, 1], 85) - reach[:, 1])
    top = float(np.percentile(np.hypot(*np.diff(known, axis=0).T) * track.fps, 97))
    count = rise.times(0.35)
    if count and top > 3.5 and math.hypot(path.range, rise.range) > 0.7:
        return _LimbPhrase("kicks with", "leg", f" {_times(count)}")
    if count:
        return _LimbPhrase("lifts", "leg", f" {_times(count)}" if count > 1 else "")
    if path.range > 0.35:
        if path.repeated and level > 0.6:
            return _LimbPhrase("swings", "leg", _pace(path))
        return _LimbPhrase("moves", "leg")
    return None


def _head_phrases(track: _Track) -> list[str]:
    """Shaking, nodding, tilting and turning, from the nose between the ears (or the eyes), in widths of the head."""
    part = next((part for part in ("ear", "eye") if track.has(f"left_{part}", f"right_{part}", "nose")), None)
    if part is None:
        return []
    left, right, nose = track.middle(f"left_{part}"), track.middle(f"right_{part}"), track.middle("nose")
    width = _percentile(np.hypot(*(left - right).T), 80) * (1.0 if part == "ear" else 2.2)
    if not width > 0:
        return []
    offset = (nose - (left + right) / 2) / width
    yaw, pitch = track.course(offset[:, 0]), track.course(offset[:, 1])
    span = left - right
    # Seen from the front the figure's left is the picture's right; either way the line between is level at rest.
    roll = track.course(np.degrees(np.arctan2(span[:, 1], np.abs(span[:, 0]) + 0.05 * width)))
    phrases = []
    if yaw.range > 0.2 and yaw.repeated:
        shakes = yaw.hertz > 0.8
        phrases.append(f"shakes the head{_pace(yaw)}" if shakes else "turns the head from side to side")
    elif yaw.range > 0.3 and abs(yaw.net) > 0.6 * yaw.range:
        phrases.append(f"turns the head to the {'right' if yaw.net > 0 else 'left'}")
    elif yaw.range > 0.3:
        phrases.append("turns the head and back again")
    if pitch.range > 0.14 and pitch.repeated and pitch.range > 0.6 * yaw.range:
        phrases.append(f"nods{_pace(pitch)}")
    elif pitch.range > 0.2 and abs(pitch.net) > 0.6 * pitch.range:
        phrases.append("lowers the head" if pitch.net > 0 else "raises the head")
    if roll.range > 18 and not phrases:
        phrases.append("tilts the head" + (" from side to side" if roll.repeated else ""))
    mouth = _mouth(track)
    return [*phrases, mouth] if mouth else phrases


def _mouth(track: _Track) -> str | None:
    """Whether the lips part again and again: inner lips of the 68 points of the face, against the eyes' distance."""
    if not track.has("face_62", "face_66", "face_36", "face_45"):
        return None
    eyes = _percentile(np.hypot(*(track.middle("face_36") - track.middle("face_45")).T), 80)
    open_ = track.course(np.hypot(*(track.middle("face_62") - track.middle("face_66")).T) / max(eyes, 1e-6))
    if open_.range > 0.1 and open_.turns > _REPEATED:
        return "moves the mouth as in speech"
    return "opens the mouth" if open_.range > 0.25 else None


# --- four-legged animals --------------------------------------------------------------------------------------------


def _four_legged(track: _Track) -> list[str]:
    phrases = []
    trunk = track.middle("neck", "root_of_tail")
    where = _where(track, trunk, least=0.4)
    rears = _rears(track)
    jumps = 0 if rears else _leaps(track)
    gait = None if (rears or jumps) and not where else _four_legged_gait(track)
    if jumps and not gait:
        phrases.append(f"jumps {_times(jumps)}{where}")
    elif gait:
        phrases.append(f"{gait}{where or ' on the spot'}")
    elif where:
        phrases.append(f"moves{where}")
    if rears:
        phrases.append(rears)
    elif not gait and not jumps:
        for pair in ("front", "hind"):
            phrases += _paired(track, lambda track, side, pair=pair: _animal_leg(track, side, pair))  # type: ignore[misc]
    if track.has("nose"):
        head = track.course((track.middle("nose") - track.middle("neck"))[:, 1])
        if head.range > 0.25 and head.repeated:
            phrases.append(f"moves the head up and down{_pace(head)}")
        elif head.range > 0.25 and not rears:
            back = abs(head.net) < 0.5 * head.range
            lower = head.net > 0 or (back and float(np.median(head.values)) < float(np.mean(head.values)))
            phrases.append(("lowers" if lower else "raises") + " the head" + (" and back again" if back else ""))
    return phrases or ["stands still"]


def _paw(track: _Track, side: str, pair: str) -> tuple[Floats, Floats] | None:
    """A paw against its end of the trunk, and that end's other paw likewise: ``(t, 2)`` each."""
    near, end = ("neck", "front_paw") if pair == "front" else ("root_of_tail", "back_paw")
    other = "left" if side == "right" else "right"
    if not track.has(f"{side}_{end}", f"{other}_{end}"):
        return None
    return track.middle(f"{side}_{end}") - track.middle(near), track.middle(f"{other}_{end}") - track.middle(near)


def _four_legged_gait(track: _Track) -> str | None:
    """Legs of a pair pass each other (walk, trot), or go together, front and hind by turns (gallop)."""
    for pair in ("front", "hind"):
        paws = _paw(track, "left", pair)
        if paws is None:
            continue
        apart, together = track.course((paws[0] - paws[1])[:, 0]), track.course((paws[0] + paws[1])[:, 0] / 2)
        if together.range > 0.25 and together.repeated and together.range > apart.range:
            return "gallops" if together.hertz > 0.9 else None
        own = sorted(track.course(paw[:, 0]).range for paw in paws)
        if apart.range > 0.2 and apart.turns >= 2 and own[0] > 0.45 * own[1]:
            return "trots" if _diagonal(track) else "walks"
    return None


def _diagonal(track: _Track) -> bool:
    """Whether each front leg goes with the hind leg of the other side: a trot; walking, the four follow in turn."""
    pairs = [_paw(track, "left", pair) for pair in ("front", "hind")]
    if pairs[0] is None or pairs[1] is None:
        return False
    front, hind = ((paws[0] - paws[1])[:, 0] for paws in (pairs[0], pairs[1]))
    both = ~np.isnan(front + hind)
    if both.sum() < 3 or not front[both].std() or not hind[both].std():
        return False
    return bool(np.corrcoef(front[both], hind[both])[0, 1] < -0.6)


def _leaps(track: _Track) -> int:
    """How often all four paws leave the ground together with the trunk, slower than a gallop's strides."""
    names = [f"{side}_{pair}_paw" for side in ("left", "right") for pair in ("front", "back")]
    if not track.has(*names):
        return 0
    lower = np.max([track.middle(name)[:, 1] for name in names], axis=0)
    trunk = track.middle("neck", "root_of_tail")[:, 1]
    lift = track.course(np.minimum(_percentile(lower, 80) - lower, _percentile(trunk, 50) - trunk + 0.1))
    count = lift.times(0.15)
    return count if count <= max(1.0, 1.1 * track.seconds) else 0


def _rears(track: _Track) -> str | None:
    rise = (track.middle("root_of_tail") - track.middle("neck"))[:, 1]
    course = track.course(rise - _percentile(rise, 10))
    count = course.times(0.5)
    return f"rears up on the hind legs{f' {_times(count)}' if count > 1 else ''}" if count else None


def _animal_leg(track: _Track, side: str, pair: str) -> _LimbPhrase | None:
    paws = _paw(track, side, pair)
    if paws is None or np.isnan(paws[0]).all():
        return None
    known = paws[0][~np.isnan(paws[0][:, 0])]
    rise = track.course(np.percentile(known[:, 1], 85) - paws[0][:, 1])
    count = rise.times(0.2)
    if count:
        return _LimbPhrase("lifts", f"{pair} leg", f" {_times(count)}" if count > 1 else "")
    return _LimbPhrase("moves", f"{pair} leg") if track.course(paws[0][:, 0]).range > 0.25 else None
