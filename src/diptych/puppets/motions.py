"""Motions: what is done, as pure functions of time. Whoever does it is drawn elsewhere and independently.

A motion is a recipe (its kind) and a handful of numbers. Angles are the ones of ``rigs.ANGLES``; travel and lift are in
body heights, so that the same motion suits a child and a giant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diptych.puppets.rigs import ANGLES, EXPRESSIONS, TRAVEL, Floats

Rng = np.random.Generator
_TAU = 2 * np.pi
_BINS = 5


@dataclass(frozen=True)
class Motion:
    """What is done, for ever: a pure function of time in seconds.

    Attributes:
        kind: one of ``KINDS[rig]``.
        rig: the rig it was made for; others take the channels they have.
        family: dance, daily, sport, gait, gesture, expression or animal.
        tempo: 0 (slow) .. 1 (fast) within what the kind allows.
        size: 0 (small) .. 1 (large) within what the kind allows.
        side: 1 or -1: the right or left hand, or the edge that is faced.
        style: four numbers 0..1 that vary the rest.
        travel: "spot" (stays), "around" (goes to and fro and turns), "along" (goes on for ever, for cameras that
            track), "cross" (changes places with a neighbour and returns) or "circle" (the same, behind on one way).
    """

    kind: str
    rig: str
    family: str
    tempo: float
    size: float
    side: int
    style: tuple[float, float, float, float]
    travel: str

    def channels(self, t: NDArray[np.float64]) -> dict[str, Floats]:
        """Every channel at the times ``t`` (seconds, shape ``(n,)``); channels left out are 0."""
        times = np.asarray(t, np.float64)
        channels = {name: np.zeros(len(times)) for name in ("turn", "travel_x", "lift")}
        beat = _Beat(times, self)
        for name, values in _RECIPES[self.rig][self.kind].moves(beat).items():
            channels[name] = channels[name] + values if name in channels else np.zeros(len(times)) + values
        if self.travel in ("cross", "circle"):
            # Who passes in front is part of the motion: one all the time, or each in turn.
            around = np.sin(_TAU * times / beat.period) if self.travel == "circle" else np.full(len(times), 0.3)
            channels["depth"] = self.side * around
        if "blink_r" not in channels:
            period = 1.7 + self.style[3]
            wink = _pulse(times / period + self.style[0], 14)
            channels["blink_r"] = channels["blink_l"] = wink
        return channels

    def angles(self, t: NDArray[np.float64]) -> dict[str, Floats]:
        """Joint angles in radians at the times ``t`` (seconds, shape ``(n,)``), for every joint of the rig."""
        channels = self.channels(t)
        return {name: channels.get(name, np.zeros(len(t))) for name in ANGLES[self.rig]}

    def root(self, t: NDArray[np.float64]) -> dict[str, Floats]:
        """The channels of ``rigs.TRAVEL`` at the times ``t``: travel and lift in body heights, depth, turn."""
        channels = self.channels(t)
        return {name: channels.get(name, np.zeros(len(t))) for name in TRAVEL}

    def expression(self, t: NDArray[np.float64]) -> dict[str, Floats]:
        """The channels of ``rigs.EXPRESSIONS`` at the times ``t``."""
        channels = self.channels(t)
        return {name: channels.get(name, np.zeros(len(t))) for name in EXPRESSIONS}

    def text(self) -> str:
        """What is done, in the third person: "waves the right hand"."""
        recipe = _RECIPES[self.rig][self.kind]
        text = recipe.text.format(side="right" if self.side > 0 else "left", other="left" if self.side > 0 else "right")
        speed = " quickly" if self.tempo > 0.72 else " slowly" if self.tempo < 0.28 else ""
        where = ""
        if recipe.goes:
            to = "right" if self.side > 0 else "left"
            where = {
                "spot": " on the spot",
                "around": " to and fro",
                "along": f" to the {to}",
                "cross": " across",
                "circle": " in a circle",
            }[self.travel]
        return text + where + speed


class _Beat:
    """Time as a recipe sees it: phases, directions and the numbers of the motion."""

    def __init__(self, t: Floats, motion: Motion) -> None:
        low, high = _RECIPES[motion.rig][motion.kind].rate
        self.t = t
        self.rate = low + (high - low) * motion.tempo
        self.size = 0.7 + 0.5 * motion.size
        self.side = float(motion.side)
        self.style = motion.style
        self.phase = self.rate * t
        self.main, self.other = ("r", "l") if motion.side > 0 else ("l", "r")
        self.travel = motion.travel
        self.period = 3.4 + 1.4 * motion.style[2]

    def sin(self, times: float = 1.0, shift: float = 0.0) -> Floats:
        """A wave at a multiple of the tempo, shifted by a share of its period."""
        wave: Floats = np.sin(_TAU * (times * self.phase + shift))
        return wave

    def up(self, times: float = 1.0, shift: float = 0.0) -> Floats:
        """A wave between 0 and 1."""
        return 0.5 + 0.5 * self.sin(times, shift)

    def along(self, speed: float, profile: bool = False) -> tuple[Floats, Floats]:
        """Direction faced (-1..1) and distance gone (body heights) of a gait at ``speed`` heights per second.

        A profile rig moves forward as it is turned; an upright one turns to where it goes.
        """
        sign = self.side
        if self.travel == "along":
            return np.full(len(self.t), sign * 0.95), sign * speed * self.t
        if self.travel == "spot":
            return np.full(len(self.t), sign * 0.95), np.zeros(len(self.t))
        if self.travel in ("cross", "circle"):
            angle = _TAU * self.t / self.period
            return np.tanh(3.5 * np.sin(angle)) * 0.95 * sign, sign * 0.55 * (1.0 - np.cos(angle))
        period = 4.0 + 3.0 * self.style[2]
        angle = _TAU * (self.t / period + self.style[1])
        reach = min(speed * period / _TAU, 0.45 if not profile else 0.35)
        return np.tanh(3.5 * np.cos(angle)) * 0.95 * sign, sign * reach * np.sin(angle)


def _pulse(phase: Floats, sharpness: float) -> Floats:
    """A smooth spike to 1 once per unit of phase."""
    spike: Floats = np.exp(sharpness * (np.cos(_TAU * phase) - 1.0))
    return spike


Moves = dict[str, Floats | float]


@dataclass(frozen=True)
class _Recipe:
    family: str
    text: str
    rate: tuple[float, float]
    moves: Callable[[_Beat], Moves]
    goes: bool = False
    close: bool = False


_OUT = {"r": 1.0, "l": -1.0}
"""Sign of the angle that lifts an arm or leg away from the body, facing the viewer."""


def _stand(b: _Beat) -> Moves:
    return {
        "shoulder_r": 0.22 + 0.1 * b.style[0],
        "shoulder_l": -0.22 - 0.1 * b.style[0],
        "elbow_r": -0.1,
        "elbow_l": 0.1,
        "hip_r": 0.08,
        "hip_l": -0.08,
        "smile": 0.6 * b.style[1],
    }


def _gait(b: _Beat, stride: float, knee: float, arm: float, elbow: float, speed: float) -> Moves:
    d, gone = b.along(speed)
    moves: Moves = {"turn": d, "travel_x": gone}
    for s, shift in (("r", 0.0), ("l", 0.5)):
        swing = b.sin(1, shift)
        moves[f"hip_{s}"] = -d * stride * b.size * swing - d * 0.05
        moves[f"knee_{s}"] = d * (0.12 + knee * b.up(1, shift + 0.2) ** 2)
        moves[f"shoulder_{s}"] = d * arm * b.size * swing + _OUT[s] * 0.12 * (1 - d * d)
        moves[f"elbow_{s}"] = -d * (elbow + 0.2 * b.up(1, shift + 0.5))
    return moves


def _walk(b: _Beat) -> Moves:
    return {**_gait(b, 0.5, 0.8, 0.5, 0.2, 0.75 * b.rate * b.size), "spine": 0.03 * b.sin(2), "smile": b.style[1]}


def _run(b: _Beat) -> Moves:
    moves = _gait(b, 0.75, 1.5, 0.8, 1.3, 1.0 * b.rate * b.size)
    d = moves["turn"]
    return {**moves, "pelvis": 0.2 * d, "lift": 0.05 * b.up(2, 0.1), "mouth_open": 0.4 * b.up(2)}


def _march(b: _Beat) -> Moves:
    moves = _gait(b, 0.35, 0.2, 0.6, 0.1, 0.5 * b.rate)
    d = np.asarray(moves["turn"])
    for s, shift in (("r", 0.0), ("l", 0.5)):
        high = np.maximum(b.sin(1, shift), 0.0)
        moves[f"hip_{s}"] = -d * 1.2 * b.size * high
        moves[f"knee_{s}"] = d * 1.4 * high
    return moves


def _skip(b: _Beat) -> Moves:
    moves = _gait(b, 0.6, 1.2, 0.9, 0.4, 0.8 * b.rate)
    return {**moves, "lift": 0.1 * b.size * b.up(2, 0.15), "smile": 1.0}


def _jumping_jack(b: _Beat) -> Moves:
    open_ = b.up(1, -0.25)
    lift = 0.09 * b.size * b.up(2, -0.25)
    moves: Moves = {"lift": lift, "mouth_open": 0.5 * open_}
    for s, o in _OUT.items():
        moves[f"shoulder_{s}"] = o * (0.15 + 2.6 * min(b.size, 1.05) * open_)
        moves[f"elbow_{s}"] = o * 0.15
        moves[f"hip_{s}"] = o * (0.06 + 0.5 * b.size * open_)
    return moves


def _squat(b: _Beat) -> Moves:
    down = b.up(1, -0.25) * b.size
    moves: Moves = {"smile": -0.3, "brow": -0.4 * down}
    for s, o in _OUT.items():
        moves[f"hip_{s}"] = o * (0.2 + 0.95 * down)
        moves[f"knee_{s}"] = -o * (0.2 + 1.5 * down)
        moves[f"shoulder_{s}"] = o * (0.2 + 1.2 * down)
        moves[f"elbow_{s}"] = -o * 0.3 * down
    return moves


def _kick(b: _Beat) -> Moves:
    d = 0.8 * b.side
    kick = _pulse(b.phase, 2.0)
    back = _pulse(b.phase + 0.3, 2.0)
    m, o = b.other, b.main
    return {
        "turn": d,
        f"hip_{m}": -d * (1.5 * b.size * kick - 0.6 * back),
        f"knee_{m}": d * (0.1 + 1.2 * back),
        f"hip_{o}": 0.05,
        f"knee_{o}": d * 0.2,
        f"shoulder_{m}": d * 1.0 * kick - d * 0.4,
        f"shoulder_{o}": -d * 1.0 * kick + d * 0.3,
        "elbow_r": -0.5 * d,
        "elbow_l": -0.5 * d,
        "pelvis": -0.25 * d * kick,
        "brow": -0.6,
    }


def _box(b: _Beat) -> Moves:
    d = 0.75 * b.side
    moves: Moves = {"turn": d, "pelvis": 0.1 * d, "brow": -0.7, "lift": 0.02 * b.up(2)}
    for s, shift in (("r", 0.0), ("l", 0.5)):
        jab = _pulse(b.phase + shift, 2.5)
        moves[f"shoulder_{s}"] = -d * (0.5 + 1.3 * b.size * jab)
        moves[f"elbow_{s}"] = -d * (2.2 - 2.1 * jab)
        moves[f"hip_{s}"] = -d * (0.35 if s == b.main else -0.35)
        moves[f"knee_{s}"] = d * 0.35
    return moves


def _lunge(b: _Beat) -> Moves:
    lean = b.sin() * b.size
    moves: Moves = {"travel_x": 0.12 * lean, "spine": 0.25 * lean}
    for s, o in _OUT.items():
        bent = np.clip(-o * lean, 0.0, 1.0)
        moves[f"hip_{s}"] = o * (0.55 + 0.35 * bent)
        moves[f"knee_{s}"] = -o * 1.1 * bent
        moves[f"shoulder_{s}"] = o * (1.3 + 0.3 * b.sin(1, 0.25))
    return moves


def _cartwheel(b: _Beat) -> Moves:
    roll = b.side * _TAU * b.phase
    moves: Moves = {"pelvis": roll + 0.25 * np.sin(roll), "smile": 0.5}
    if b.travel == "along":
        moves["travel_x"] = b.side * b.phase * 1.2
    for s, o in _OUT.items():
        moves[f"shoulder_{s}"] = o * 2.35
        moves[f"hip_{s}"] = o * (0.45 + 0.15 * b.size)
    return moves


def _push_up(b: _Beat) -> Moves:
    d = 0.95 * b.side
    down = b.up() * min(b.size, 1.05)
    return {
        "turn": d,
        "pelvis": d * (1.28 + 0.08 * down),
        "head": -0.5 * d,
        "shoulder_r": -d * (1.35 - 0.9 * down),
        "shoulder_l": -d * (1.35 - 0.9 * down),
        "elbow_r": -d * 1.9 * down,
        "elbow_l": -d * 1.9 * down,
        "hip_r": 0.04 * d,
        "hip_l": -0.04 * d,
    }


def _throw(b: _Beat) -> Moves:
    d = 0.7 * b.side
    swing = b.sin()
    m, o = b.main, b.other
    return {
        "turn": d,
        f"shoulder_{m}": -d * (1.4 + 1.5 * b.size * swing),
        f"elbow_{m}": -d * (0.8 + 0.7 * b.sin(1, 0.2)),
        f"shoulder_{o}": d * (0.3 - 0.8 * swing),
        "spine": -0.25 * d * swing,
        f"hip_{m}": d * 0.35,
        f"hip_{o}": -d * 0.35,
        f"knee_{o}": d * (0.4 - 0.2 * swing),
    }


def _sway(b: _Beat) -> Moves:
    w = b.sin() * b.size
    moves: Moves = {"spine": 0.28 * w, "pelvis": -0.12 * w, "head": 0.2 * b.sin(1, 0.1), "smile": 0.8}
    for s, o in _OUT.items():
        moves[f"shoulder_{s}"] = o * (0.9 + 0.3 * b.style[0]) + 0.7 * w
        moves[f"elbow_{s}"] = o * (0.9 * b.style[2]) + 0.3 * b.sin(1, 0.2)
        moves[f"hip_{s}"] = o * 0.12 + 0.12 * w
        moves[f"knee_{s}"] = -o * 0.3 * np.clip(o * w, 0, 1)
    return moves


def _disco(b: _Beat) -> Moves:
    point = b.up()
    m, o = b.main, b.other
    k, q = _OUT[m], _OUT[o]
    return {
        f"shoulder_{m}": k * (0.3 + 2.3 * b.size * point),
        f"elbow_{m}": -k * 0.2 * (1 - point),
        f"shoulder_{o}": q * 0.6,
        f"elbow_{o}": -q * 1.7,
        f"hip_{m}": k * (0.15 + 0.25 * point),
        f"hip_{o}": q * 0.12,
        f"knee_{m}": -k * 0.4 * point,
        "spine": -k * 0.15 * point,
        "head": -k * 0.15 * point,
        "smile": 1.0,
        "lift": 0.02 * b.up(2),
    }


def _twist(b: _Beat) -> Moves:
    w = b.sin() * b.size
    moves: Moves = {"turn": 0.45 * w, "spine": 0.1 * b.sin(1, 0.25), "smile": 0.9, "head_turn": -0.6 * w}
    for s, o in _OUT.items():
        moves[f"shoulder_{s}"] = o * 0.75 + 0.4 * w
        moves[f"elbow_{s}"] = o * 1.2 + 0.3 * w
        moves[f"hip_{s}"] = o * 0.3
        moves[f"knee_{s}"] = -o * (0.45 + 0.3 * b.up(2))
    return moves


def _arm_wave(b: _Beat) -> Moves:
    moves: Moves = {"smile": 0.6, "spine": 0.08 * b.sin()}
    for s, o in _OUT.items():
        shift = 0.0 if s == b.main else 0.4
        moves[f"shoulder_{s}"] = o * (1.5 + 0.5 * b.size * b.sin(1, shift))
        moves[f"elbow_{s}"] = o * 0.7 * b.size * b.sin(1, shift - 0.2)
        moves[f"wrist_{s}"] = o * 0.6 * b.sin(1, shift - 0.35)
        moves[f"hip_{s}"] = o * 0.15
    return moves


def _cancan(b: _Beat) -> Moves:
    moves: Moves = {"smile": 1.0, "lift": 0.03 * b.up(2), "mouth_open": 0.4}
    for s, o in _OUT.items():
        kick = _pulse(b.phase + (0.0 if s == "r" else 0.5), 1.8)
        moves[f"hip_{s}"] = o * (0.06 + 1.3 * b.size * kick)
        moves[f"knee_{s}"] = -o * 0.5 * _pulse(b.phase + (0.2 if s == "r" else 0.7), 2.0)
        moves[f"shoulder_{s}"] = o * 0.75
        moves[f"elbow_{s}"] = -o * 1.6
    return moves


def _robot(b: _Beat) -> Moves:
    def step(shift: float) -> Floats:
        return np.tanh(4.0 * b.sin(1, shift))

    moves: Moves = {"head_turn": 0.8 * step(0.1), "spine": 0.12 * step(0.35)}
    for s, o in _OUT.items():
        shift = 0.0 if s == b.main else 0.5
        moves[f"shoulder_{s}"] = o * 1.25
        moves[f"elbow_{s}"] = o * (1.4 * b.size * step(shift))
        moves[f"hip_{s}"] = o * 0.1
        moves[f"knee_{s}"] = -o * 0.12 * (1 + step(shift + 0.25))
    return moves


def _hop_dance(b: _Beat) -> Moves:
    w = b.sin(0.5)
    moves: Moves = {"lift": 0.12 * b.size * b.up(1), "travel_x": 0.14 * w, "smile": 1.0, "head": 0.2 * w}
    for s, o in _OUT.items():
        moves[f"shoulder_{s}"] = o * (1.9 + 0.6 * b.sin(1, 0.25))
        moves[f"elbow_{s}"] = o * (0.5 + 0.4 * b.sin(1, 0.5))
        moves[f"hip_{s}"] = o * 0.15 - 0.2 * w
        moves[f"knee_{s}"] = -o * 0.5 * b.up(1, 0.5)
    return moves


def _drink(b: _Beat) -> Moves:
    lift = b.up() * min(b.size, 1.0)
    m = b.main
    k = _OUT[m]
    return {
        **_stand(b),
        f"shoulder_{m}": k * (0.25 + 0.65 * lift),
        f"elbow_{m}": k * (0.3 + 1.9 * lift),
        "head": -0.2 * k * lift,
        "mouth_open": 0.6 * np.clip(lift * 3 - 2, 0, 1),
        "gaze_y": 0.4 * (1 - lift),
    }


def _phone(b: _Beat) -> Moves:
    m, o = b.main, b.other
    k, q = _OUT[m], _OUT[o]
    return {
        **_stand(b),
        f"shoulder_{m}": k * 0.75,
        f"elbow_{m}": k * 2.1,
        f"shoulder_{o}": q * (0.5 + 0.5 * b.size * b.up(1)),
        f"elbow_{o}": q * (0.6 + 0.7 * b.sin(1, 0.2)),
        "head": k * (0.12 + 0.1 * b.sin(0.5)),
        "mouth_open": b.up(2.3) * b.up(0.6),
        "head_turn": 0.4 * b.sin(0.4),
    }


def _sweep(b: _Beat) -> Moves:
    w = b.sin() * b.size
    moves: Moves = {"spine": 0.2 * w, "pelvis": 0.08 * w, "travel_x": 0.05 * w, "gaze_y": 0.7, "head": 0.1 * w}
    for s, o in _OUT.items():
        moves[f"shoulder_{s}"] = -o * 0.25 + 0.75 * w
        moves[f"elbow_{s}"] = -o * 0.35
        moves[f"hip_{s}"] = o * 0.25
        moves[f"knee_{s}"] = -o * 0.2
    return moves


def _sit(b: _Beat) -> Moves:
    down = b.up(1, -0.25) * min(b.size, 1.0)
    d = 0.9 * b.side
    return {
        "turn": d,
        "pelvis": d * 0.35 * b.up(2, -0.25),
        "hip_r": -d * 1.55 * down,
        "hip_l": -d * 1.5 * down,
        "knee_r": d * 1.55 * down,
        "knee_l": d * 1.5 * down,
        "shoulder_r": -d * 0.7 * down,
        "shoulder_l": -d * 0.6 * down,
        "elbow_r": -d * 0.4,
        "elbow_l": -d * 0.4,
    }


def _pick_up(b: _Beat) -> Moves:
    down = b.up(1, -0.25) * b.size
    d = 0.85 * b.side
    return {
        "turn": d,
        "pelvis": d * 0.7 * down,
        "spine": d * 0.6 * down,
        "hip_r": -d * 1.0 * down,
        "hip_l": -d * 0.9 * down,
        "knee_r": d * 0.6 * down,
        "knee_l": d * 0.55 * down,
        f"shoulder_{b.main}": -d * (0.2 + 1.1 * down),
        f"shoulder_{b.other}": -d * 0.2,
        "head": -0.3 * d * down,
    }


def _reach(b: _Beat) -> Moves:
    m, o = b.main, b.other
    return {
        **_stand(b),
        f"shoulder_{m}": _OUT[m] * (0.6 + 2.1 * b.up() * min(b.size, 1.1)),
        f"elbow_{m}": _OUT[m] * 0.4 * b.up(1, 0.4),
        "spine": -_OUT[m] * 0.2 * b.up(),
        f"hip_{o}": _OUT[o] * (0.1 + 0.3 * b.up()),
        "gaze_y": -0.6 * b.up(),
        "gaze_x": -0.5 * b.side * b.up(),
    }


def _wave(b: _Beat) -> Moves:
    m = b.main
    k = _OUT[m]
    return {
        **_stand(b),
        f"shoulder_{m}": k * (1.9 + 0.5 * b.style[2]),
        f"elbow_{m}": k * (0.6 + 0.7 * b.size * b.sin()),
        f"wrist_{m}": k * 0.3 * b.sin(1, -0.15),
        "head": k * 0.12 * b.sin(0.5),
        "smile": 0.9,
    }


def _clap(b: _Beat) -> Moves:
    apart = b.up() * b.size
    moves: Moves = {"smile": 0.8, "lift": 0.02 * b.up(1, 0.5), "hip_r": 0.1, "hip_l": -0.1}
    for s, o in _OUT.items():
        moves[f"shoulder_{s}"] = o * (0.55 + 0.6 * apart)
        moves[f"elbow_{s}"] = o * (-1.9 + 1.1 * apart)
    return moves


def _conduct(b: _Beat) -> Moves:
    moves: Moves = {"head": 0.15 * b.sin(), "mouth_open": 0.3 * b.up(), "brow": b.sin(0.5)}
    for s, o in _OUT.items():
        moves[f"shoulder_{s}"] = o * (1.0 + 0.55 * b.size * b.sin(1, 0.0 if s == b.main else 0.15))
        moves[f"elbow_{s}"] = o * (1.0 + 0.8 * b.size * b.sin(2, 0.1))
        moves[f"hip_{s}"] = o * 0.08
    return moves


def _shrug(b: _Beat) -> Moves:
    up = b.up() ** 2 * b.size
    moves: Moves = {"head": 0.25 * up * b.side, "brow": up, "smile": -0.6 * up, "hip_r": 0.08, "hip_l": -0.08}
    for s, o in _OUT.items():
        moves[f"shoulder_{s}"] = o * (0.25 + 0.55 * up)
        moves[f"elbow_{s}"] = o * (0.1 + 1.3 * up)
        moves[f"wrist_{s}"] = o * 0.5 * up
    return moves


def _beckon(b: _Beat) -> Moves:
    m = b.main
    k = _OUT[m]
    return {
        **_stand(b),
        f"shoulder_{m}": k * 1.15,
        f"elbow_{m}": k * (1.1 + 0.9 * b.size * b.sin()),
        "head": -k * 0.15 * b.up(),
        "smile": 0.7,
    }


def _bow(b: _Beat) -> Moves:
    down = b.up(1, -0.25) * b.size
    d = 0.55 * b.side
    return {
        "turn": d,
        "pelvis": 0.3 * d * down,
        "spine": 1.1 * d * down,
        "head": 0.6 * d * down,
        "hip_r": -0.3 * d * down,
        "hip_l": -0.3 * d * down,
        f"shoulder_{b.main}": -d * (0.2 + 1.0 * down),
        f"elbow_{b.main}": -d * 2.0 * down,
        f"shoulder_{b.other}": d * 0.9 * down,
    }


def _hands_up(b: _Beat) -> Moves:
    moves: Moves = {"mouth_open": 0.8, "smile": 0.8, "brow": 0.7, "lift": 0.06 * b.size * b.up(2)}
    for s, o in _OUT.items():
        moves[f"shoulder_{s}"] = o * (2.3 + 0.5 * b.size * b.sin(2, 0.0 if s == b.main else 0.3))
        moves[f"elbow_{s}"] = o * (0.2 + 0.3 * b.sin(2, 0.4))
        moves[f"hip_{s}"] = o * 0.15
    return moves


def _point(b: _Beat) -> Moves:
    go = np.tanh(3 * b.sin()) * 0.5 + 0.5
    m, o = b.main, b.other
    return {
        **_stand(b),
        f"shoulder_{m}": _OUT[m] * (0.3 + 1.3 * go),
        f"shoulder_{o}": _OUT[o] * (0.3 + 1.3 * (1 - go)),
        "head_turn": -b.side * (2 * go - 1) * 0.8,
        "gaze_x": -b.side * (2 * go - 1) * 0.6,
        "brow": 0.5,
    }


def _talk(b: _Beat) -> Moves:
    return {
        **_stand(b),
        "mouth_open": b.up(2.7) * (0.4 + 0.6 * b.up(0.7)) * b.size,
        "smile": 0.5 * b.sin(0.3),
        "head": 0.13 * b.sin(0.5) * b.size,
        "head_turn": 0.35 * b.sin(0.37, b.style[0]),
        "brow": 0.8 * b.sin(0.6, b.style[1]),
        "shoulder_r": 0.3 + 0.25 * b.up(0.6),
        "elbow_r": 1.3 + 0.5 * b.sin(0.9),
    }


def _laugh(b: _Beat) -> Moves:
    shake = b.sin(2)
    return {
        **_stand(b),
        "mouth_open": 0.45 + 0.4 * b.up(2),
        "smile": 1.0,
        "blink_r": 0.75 * b.up(0.5),
        "blink_l": 0.75 * b.up(0.5),
        "head": 0.2 * b.sin(0.5) * b.size,
        "spine": 0.03 * shake,
        "lift": 0.01 * b.up(2),
        "brow": 0.4,
        "shoulder_r": 0.3 + 0.08 * shake,
        "shoulder_l": -0.3 - 0.08 * shake,
    }


def _shake_head(b: _Beat) -> Moves:
    return {**_stand(b), "head_turn": 1.1 * b.size * b.sin(), "brow": -0.8, "smile": -0.8, "mouth_open": 0.1}


def _nod(b: _Beat) -> Moves:
    return {
        **_stand(b),
        "head_nod": 0.9 * b.size * b.sin(),
        "gaze_y": 0.4 * b.sin(),
        "smile": 0.8,
        "brow": 0.4 * b.sin(0.5),
        "head": 0.1 * b.sin(0.5),
    }


def _look_around(b: _Beat) -> Moves:
    look = np.tanh(2 * b.sin())
    return {
        **_stand(b),
        "head_turn": 1.1 * b.size * look,
        "gaze_x": np.clip(1.3 * np.tanh(3 * b.sin(1, 0.06)), -1, 1),
        "gaze_y": 0.5 * b.sin(0.5),
        "brow": 0.5 * b.sin(0.7),
        "head": 0.08 * look,
    }


def _surprise(b: _Beat) -> Moves:
    go = _pulse(b.phase, 1.5) * min(b.size, 1.0)
    moves: Moves = {**_stand(b), "mouth_open": go, "brow": 1.4 * go - 0.2, "blink_r": 0.0, "blink_l": 0.0, "smile": 0.0}
    moves["head_nod"] = -0.4 * go
    for s, o in _OUT.items():
        moves[f"shoulder_{s}"] = o * (0.25 + 0.7 * go)
        moves[f"elbow_{s}"] = o * (0.2 + 1.7 * go)
    return moves


def _wink(b: _Beat) -> Moves:
    shut = _pulse(b.phase, 3.0)
    return {
        **_stand(b),
        f"blink_{b.main}": shut,
        f"blink_{b.other}": 0.1 * shut,
        "smile": 0.3 + 0.7 * shut,
        "head": b.side * 0.25 * shut * b.size,
        "brow": 0.5 * b.sin(0.5),
        "head_turn": 0.4 * b.sin(0.5, 0.3),
    }


def _tilt(b: _Beat) -> Moves:
    return {
        **_stand(b),
        "head": 0.42 * b.size * b.sin(),
        "smile": b.sin(0.5, b.style[2]),
        "gaze_x": b.sin(0.5),
        "brow": b.sin(1, 0.3),
        "mouth_open": 0.3 * b.up(0.5),
    }


# Four legs. The right edge is forward; the turn decides which edge that is.
def _paces(b: _Beat, stride: float, knee: float, speed: float, shifts: dict[str, float]) -> Moves:
    d, gone = b.along(speed, profile=True)
    moves: Moves = {"turn": d, "travel_x": gone}
    for joint, shift in shifts.items():
        swing, bend = b.sin(1, shift), b.up(1, shift + 0.22) ** 2
        end, s = joint.split("_")
        if end == "fore":
            moves[f"shoulder_{s}"] = -stride * b.size * swing
            moves[f"elbow_{s}"] = knee * bend
        else:
            moves[f"hip_{s}"] = -stride * b.size * swing
            moves[f"knee_{s}"] = knee * 0.8 * bend
            moves[f"ankle_{s}"] = -knee * 0.4 * bend
    return moves


def _amble(b: _Beat) -> Moves:
    moves = _paces(b, 0.42, 0.7, 0.5 * b.rate, {"fore_r": 0.0, "hind_r": 0.25, "fore_l": 0.5, "hind_l": 0.75})
    return {**moves, "head": 0.12 * b.sin(2), "neck": 0.08 * b.sin(2), "tail_1": 0.3 * b.sin(), "tail_2": 0.4 * b.sin()}


def _trot(b: _Beat) -> Moves:
    moves = _paces(b, 0.55, 1.1, 0.8 * b.rate, {"fore_r": 0.0, "hind_l": 0.05, "fore_l": 0.5, "hind_r": 0.55})
    return {**moves, "lift": 0.04 * b.up(2), "head": 0.08 * b.sin(2), "tail_1": 0.4 + 0.2 * b.sin(2)}


def _gallop(b: _Beat) -> Moves:
    moves = _paces(b, 0.8, 1.3, 1.3 * b.rate, {"fore_r": 0.0, "fore_l": 0.08, "hind_r": 0.45, "hind_l": 0.53})
    return {
        **moves,
        "pelvis": 0.16 * b.sin(1, 0.3),
        "spine": 0.2 * b.sin(1, 0.55),
        "lift": 0.1 * b.size * b.up(1, 0.15),
        "neck": 0.25 + 0.12 * b.sin(1, 0.2),
        "tail_1": 0.7 + 0.2 * b.sin(1, 0.1),
        "tail_2": 0.3,
    }


def _graze(b: _Beat) -> Moves:
    down = np.tanh(2.0 * b.sin()) * 0.5 + 0.5
    return {
        "turn": b.side * 0.95,
        "neck": 1.35 * min(b.size, 1.0) * down,
        "head": 0.9 * down + 0.1 * b.sin(4),
        "mouth_open": b.up(5) * down,
        "tail_1": 0.5 * b.sin(1.5),
        "tail_2": 0.5 * b.sin(1.5, -0.15),
        "shoulder_r": -0.2,
        "shoulder_l": 0.15,
    }


def _rear(b: _Beat) -> Moves:
    up = b.up(1, -0.25) * b.size
    return {
        "turn": b.side * 0.95,
        "pelvis": -0.75 * up,
        "hip_r": 0.75 * up,
        "hip_l": 0.75 * up,
        "shoulder_r": -0.5 * up + 0.4 * up * b.sin(3),
        "shoulder_l": -0.5 * up - 0.4 * up * b.sin(3),
        "elbow_r": 1.1 * up,
        "elbow_l": 1.1 * up,
        "head": 0.5 * up,
        "mouth_open": 0.7 * up,
        "tail_1": 0.3 * b.sin(2),
    }


def _wag(b: _Beat) -> Moves:
    return {
        "turn": b.side * 0.95,
        "tail_1": 0.9 + 0.6 * b.size * b.sin(2),
        "tail_2": 0.5 * b.sin(2, -0.15),
        "head": 0.3 * b.sin(0.5),
        "neck": -0.15 + 0.25 * b.sin(0.5, 0.2),
        "mouth_open": 0.6 * b.up(2),
        "shoulder_r": 0.35 * b.sin(1),
        "elbow_r": 0.3 * b.up(1),
        "spine": 0.06 * b.sin(1),
    }


def _pounce(b: _Beat) -> Moves:
    up = b.up(1, -0.25)
    crouch = b.up(1, 0.25) * b.size
    moves: Moves = {
        "turn": b.side * 0.95,
        "lift": 0.28 * b.size * np.maximum(b.sin(1, -0.25), 0.0),
        "pelvis": 0.2 * b.sin(1, 0.0),
        "tail_1": 0.8 * up,
        "head": -0.2 * up,
    }
    for s in "rl":
        moves[f"shoulder_{s}"] = -0.8 * up + 0.6 * crouch
        moves[f"elbow_{s}"] = 0.5 * up - 1.2 * crouch
        moves[f"hip_{s}"] = 0.5 * up - 0.6 * crouch
        moves[f"knee_{s}"] = 1.1 * crouch
        moves[f"ankle_{s}"] = -0.6 * crouch
    return moves


# Birds: the arms are wings.
def _flap(b: _Beat) -> Moves:
    moves: Moves = {"lift": 0.02 + 0.02 * b.up(1, 0.4), "mouth_open": 0.3 * b.up(0.5), "tail_1": 0.2 * b.sin()}
    for s, o in _OUT.items():
        moves[f"shoulder_{s}"] = o * (1.3 + 0.95 * b.size * b.sin())
        moves[f"elbow_{s}"] = o * 0.6 * b.sin(1, -0.2)
        moves[f"hip_{s}"] = o * 0.1
    return moves


def _fly(b: _Beat) -> Moves:
    d, gone = b.along(0.8 * b.rate)
    d = d * 0.5
    moves: Moves = {"turn": d, "travel_x": gone, "pelvis": 0.7 * d, "head": -0.5 * d, "tail_1": 0.2 * b.sin()}
    moves["lift"] = 0.35 + 0.08 * b.sin(1, 0.5) + 0.1 * b.sin(0.21, b.style[0])
    for s, o in _OUT.items():
        moves[f"shoulder_{s}"] = o * (1.4 + 0.9 * b.size * b.sin())
        moves[f"elbow_{s}"] = o * 0.7 * b.sin(1, -0.22)
        moves[f"hip_{s}"] = 0.5 * d + o * 0.1
        moves[f"knee_{s}"] = 0.5 * d
    return moves


def _bird_hop(b: _Beat) -> Moves:
    d, gone = b.along(0.5 * b.rate)
    d = d * 0.6
    moves: Moves = {"turn": d, "travel_x": gone, "lift": 0.16 * b.size * b.up(), "head": 0.2 * b.sin(1, 0.2)}
    for s, o in _OUT.items():
        moves[f"shoulder_{s}"] = o * (0.15 + 0.7 * b.up(1, 0.1))
        moves[f"hip_{s}"] = -0.4 * d * b.up(1, 0.5)
        moves[f"knee_{s}"] = 0.8 * d * b.up(1, 0.5)
    return moves


def _peck(b: _Beat) -> Moves:
    down = _pulse(b.phase, 1.2) * b.size
    d = 0.65 * b.side
    return {
        "turn": d,
        "pelvis": 0.5 * d * down,
        "spine": 0.5 * d * down,
        "head": 1.0 * d * down,
        "mouth_open": down,
        "shoulder_r": 0.15 + 0.3 * down,
        "shoulder_l": -0.15 - 0.3 * down,
        "tail_1": 0.3 * d * down,
        "hip_r": -0.3 * d * down,
        "hip_l": -0.3 * d * down,
    }


def _strut(b: _Beat) -> Moves:
    moves = _gait(b, 0.5, 0.8, 0.25, 0.0, 0.4 * b.rate)
    return {**moves, "head": 0.25 * b.sin(2), "head_turn": 0.0, "mouth_open": 0.6 * b.up(0.5), "tail_1": 0.2 * b.sin(2)}


def _display(b: _Beat) -> Moves:
    w = b.sin()
    moves: Moves = {"spine": 0.25 * w, "head": 0.3 * b.sin(1, 0.2), "mouth_open": b.up(2), "lift": 0.04 * b.up(2)}
    for s, o in _OUT.items():
        moves[f"shoulder_{s}"] = o * 1.7 + 0.6 * b.size * w
        moves[f"elbow_{s}"] = o * 0.3 + 0.4 * b.sin(1, 0.15)
        moves[f"hip_{s}"] = o * 0.1 + 0.15 * w
    return moves


# No legs: waves along the body.
def _wave_body(b: _Beat, count: int, bend: float, times: float, waves: float, grow: float = 1.0) -> Moves:
    return {
        f"body_{k}": bend * b.size * (grow + (1 - grow) * k / count) * b.sin(times, -waves * k / count)
        for k in range(1, count + 1)
    }


def _swim(b: _Beat) -> Moves:
    d, gone = b.along(0.5 * b.rate, profile=True)
    return {
        **_wave_body(b, 4, 0.38, 1, 0.6, 0.4),
        "turn": d,
        "travel_x": gone,
        "travel_y": 0.08 * b.sin(0.3, b.style[0]),
        "fin": 0.6 * b.sin(1, 0.2),
        "pelvis": 0.1 * b.sin(0.3, b.style[0] + 0.25),
        "head": 0.1 * b.sin(1, 0.2),
        "mouth_open": 0.5 * b.up(0.5),
    }


def _dart(b: _Beat) -> Moves:
    d, gone = b.along(0.9 * b.rate, profile=True)
    burst = b.up(0.5)
    return {
        **{name: value * (0.4 + burst) for name, value in _wave_body(b, 4, 0.42, 2, 0.6, 0.4).items()},
        "turn": d,
        "travel_x": gone,
        "travel_y": 0.14 * b.size * b.sin(0.25, b.style[0]),
        "pelvis": 0.25 * b.sin(0.25, b.style[0] + 0.25),
        "fin": b.sin(2),
    }


def _hover(b: _Beat) -> Moves:
    return {
        **_wave_body(b, 4, 0.22, 1, 0.5, 0.3),
        "turn": b.side * 0.95,
        "travel_y": 0.16 * b.size * b.sin(0.5),
        "pelvis": 0.35 * b.size * b.sin(0.5, 0.3),
        "fin": 0.9 * b.sin(2),
        "mouth_open": b.up(1),
        "gaze_x": b.sin(0.4),
    }


def _leap(b: _Beat) -> Moves:
    arc = np.maximum(b.sin(0.5), -0.2)
    return {
        **_wave_body(b, 4, 0.35, 2, 0.6, 0.4),
        "turn": b.side * 0.95,
        "travel_y": -0.4 * b.size * arc,
        "travel_x": 0.1 * b.side * b.sin(0.5, 0.25),
        "pelvis": -0.7 * b.size * b.sin(0.5, 0.25),
        "fin": b.sin(2),
        "mouth_open": b.up(0.5),
    }


def _slither(b: _Beat) -> Moves:
    gone = {"along": b.side * 0.35 * b.rate * b.t, "around": 0.15 * b.sin(0.2), "spot": np.zeros(len(b.t))}[b.travel]
    heading = 0.25 * np.sin(_TAU * b.style[0]) + (np.pi if b.side < 0 else 0.0)
    return {
        **_wave_body(b, 8, 0.62, 1, 1.25),
        "pelvis": heading + 0.1 * b.sin(0.3),
        "travel_x": gone,
        "head": 0.2 * b.sin(1, 0.25),
        "mouth_open": _pulse(b.phase * 0.7, 3.0),
    }


def _rear_up(b: _Beat) -> Moves:
    moves = _wave_body(b, 8, 0.3, 0.5, 0.8)
    up = b.up(0.5)
    moves["body_1"] = 0.35 * b.sin(1) + 0.25
    moves["body_2"] = 0.5 + 0.3 * up
    moves["body_3"] = 0.55 + 0.2 * b.sin(1, 0.2)
    moves["pelvis"] = -0.9 * up - 0.3
    moves["head"] = 0.5 * b.sin(1, 0.1)
    moves["mouth_open"] = _pulse(b.phase, 2.0)
    return moves


def _coil(b: _Beat) -> Moves:
    curl = 0.25 + 0.45 * b.up(0.5) * b.size
    return {
        **{f"body_{k}": b.side * curl + 0.1 * b.sin(1, -0.1 * k) for k in range(1, 9)},
        "pelvis": 0.6 * b.sin(0.25),
        "head": 0.4 * b.sin(1),
        "mouth_open": _pulse(b.phase, 3.0),
    }


_BIPED: dict[str, _Recipe] = {
    "walk": _Recipe("gait", "walks", (0.8, 1.5), _walk, goes=True),
    "run": _Recipe("gait", "runs", (1.3, 2.1), _run, goes=True),
    "march": _Recipe("gait", "marches", (0.8, 1.4), _march, goes=True),
    "skip": _Recipe("gait", "skips", (0.9, 1.5), _skip, goes=True),
    "jumping_jack": _Recipe("sport", "does jumping jacks", (0.7, 1.4), _jumping_jack),
    "squat": _Recipe("sport", "does squats", (0.5, 1.0), _squat),
    "kick": _Recipe("sport", "kicks towards the {side}", (0.6, 1.1), _kick),
    "box": _Recipe("sport", "boxes towards the {side}", (0.8, 1.6), _box),
    "lunge": _Recipe("sport", "lunges from side to side", (0.5, 0.9), _lunge),
    "cartwheel": _Recipe("sport", "turns cartwheels to the {side}", (0.4, 0.7), _cartwheel),
    "push_up": _Recipe("sport", "does push-ups facing {side}", (0.6, 1.1), _push_up),
    "throw": _Recipe("sport", "throws with the {side} arm", (0.7, 1.2), _throw),
    "sway": _Recipe("dance", "sways to the music", (0.5, 1.1), _sway),
    "disco": _Recipe("dance", "dances disco, pointing up with the {side} arm", (0.8, 1.5), _disco),
    "twist": _Recipe("dance", "dances the twist", (0.8, 1.5), _twist),
    "arm_wave": _Recipe("dance", "dances with waving arms", (0.6, 1.2), _arm_wave),
    "cancan": _Recipe("dance", "dances the cancan, kicking high", (0.6, 1.1), _cancan),
    "robot": _Recipe("dance", "dances like a robot", (0.5, 1.0), _robot),
    "hop_dance": _Recipe("dance", "dances and hops from side to side", (1.0, 1.8), _hop_dance),
    "drink": _Recipe("daily", "drinks with the {side} hand", (0.4, 0.9), _drink, close=True),
    "phone": _Recipe("daily", "talks on the phone", (0.6, 1.1), _phone, close=True),
    "sweep": _Recipe("daily", "sweeps the floor", (0.6, 1.1), _sweep),
    "sit": _Recipe("daily", "sits down and stands up", (0.4, 0.7), _sit),
    "pick_up": _Recipe("daily", "picks something up from the floor", (0.4, 0.8), _pick_up),
    "reach": _Recipe("daily", "reaches up with the {side} arm", (0.5, 0.9), _reach, close=True),
    "wave": _Recipe("gesture", "waves the {side} hand", (0.9, 1.9), _wave, close=True),
    "clap": _Recipe("gesture", "claps", (1.0, 2.0), _clap, close=True),
    "conduct": _Recipe("gesture", "conducts with both hands", (0.6, 1.1), _conduct, close=True),
    "shrug": _Recipe("gesture", "shrugs", (0.6, 1.1), _shrug, close=True),
    "beckon": _Recipe("gesture", "beckons with the {side} hand", (0.8, 1.4), _beckon, close=True),
    "bow": _Recipe("gesture", "bows to the {side}", (0.4, 0.8), _bow),
    "hands_up": _Recipe("gesture", "cheers with both arms up", (0.7, 1.2), _hands_up, close=True),
    "point": _Recipe("gesture", "points to one side and then the other", (0.5, 0.9), _point, close=True),
    "talk": _Recipe("expression", "talks", (0.9, 1.5), _talk, close=True),
    "laugh": _Recipe("expression", "laughs", (1.0, 1.6), _laugh, close=True),
    "shake_head": _Recipe("expression", "shakes the head with a frown", (0.7, 1.4), _shake_head, close=True),
    "nod": _Recipe("expression", "nods and smiles", (0.8, 1.5), _nod, close=True),
    "look_around": _Recipe("expression", "looks around", (0.4, 0.8), _look_around, close=True),
    "surprise": _Recipe("expression", "looks surprised", (0.5, 1.0), _surprise, close=True),
    "wink": _Recipe("expression", "winks with the {side} eye", (0.6, 1.1), _wink, close=True),
    "tilt": _Recipe("expression", "tilts the head from side to side", (0.5, 1.0), _tilt, close=True),
}
_BIRD: dict[str, _Recipe] = {
    "flap": _Recipe("animal", "flaps its wings", (1.0, 2.0), _flap),
    "fly": _Recipe("gait", "flies", (0.9, 1.7), _fly, goes=True),
    "hop": _Recipe("gait", "hops", (0.9, 1.6), _bird_hop, goes=True),
    "peck": _Recipe("daily", "pecks at the ground", (0.6, 1.2), _peck),
    "strut": _Recipe("gait", "struts", (0.8, 1.4), _strut, goes=True),
    "display": _Recipe("dance", "sways with wings spread and sings", (0.5, 1.0), _display),
}
_QUADRUPED: dict[str, _Recipe] = {
    "amble": _Recipe("gait", "walks", (0.7, 1.3), _amble, goes=True),
    "trot": _Recipe("gait", "trots", (1.0, 1.7), _trot, goes=True),
    "gallop": _Recipe("gait", "gallops", (1.0, 1.7), _gallop, goes=True),
    "graze": _Recipe("daily", "lowers its head to eat", (0.35, 0.7), _graze),
    "rear": _Recipe("animal", "rears up on its hind legs", (0.4, 0.8), _rear),
    "wag": _Recipe("expression", "wags its tail and pants", (0.8, 1.4), _wag),
    "pounce": _Recipe("sport", "crouches and jumps", (0.6, 1.0), _pounce),
}
_FISH: dict[str, _Recipe] = {
    "swim": _Recipe("gait", "swims", (0.8, 1.6), _swim, goes=True),
    "dart": _Recipe("gait", "darts", (0.7, 1.3), _dart, goes=True),
    "hover": _Recipe("animal", "hovers up and down", (0.7, 1.4), _hover),
    "leap": _Recipe("sport", "leaps in an arc", (0.7, 1.3), _leap),
}
_SNAKE: dict[str, _Recipe] = {
    "slither": _Recipe("gait", "slithers", (0.6, 1.2), _slither, goes=True),
    "rear_up": _Recipe("animal", "rears up and sways", (0.6, 1.2), _rear_up),
    "coil": _Recipe("dance", "coils and uncoils", (0.6, 1.2), _coil),
}
_RECIPES: dict[str, dict[str, _Recipe]] = {
    "biped": _BIPED,
    "object": _BIPED,
    "bird": {**_BIRD, **{k: _BIPED[k] for k in ("sway", "disco", "twist", "arm_wave", "hop_dance", "jumping_jack")}},
    "quadruped": _QUADRUPED,
    "fish": _FISH,
    "snake": _SNAKE,
}

KINDS: dict[str, tuple[str, ...]] = {rig: tuple(recipes) for rig, recipes in _RECIPES.items()}
"""Kinds of motion per rig."""

CLOSE_KINDS: tuple[str, ...] = tuple(name for name, recipe in _BIPED.items() if recipe.close)
"""Motions of bipeds that need no legs to be seen."""

FACE_KINDS: tuple[str, ...] = tuple(name for name, recipe in _BIPED.items() if recipe.family == "expression")
"""Motions of bipeds that are all in the face and the head."""

GOING_KINDS: dict[str, tuple[str, ...]] = {
    rig: tuple(name for name, recipe in recipes.items() if recipe.goes) for rig, recipes in _RECIPES.items()
}
"""Motions that can travel."""

FAMILIES: tuple[str, ...] = ("dance", "daily", "sport", "gait", "gesture", "expression", "animal")


def family(rig: str, kind: str) -> str:
    """The family of a kind of motion."""
    return _RECIPES[rig][kind].family


def held_out(tempo: float, size: float) -> bool:
    """Whether this tempo and size belong to the evaluation split: one cell in five of a 5 x 5 grid."""
    i, j = min(int(tempo * _BINS), _BINS - 1), min(int(size * _BINS), _BINS - 1)
    return (i + 2 * j) % _BINS == 1


def draw_motion(rng: Rng, rig: str, kind: str | None = None, split: str = "train", travel: str | None = None) -> Motion:
    """Draw a motion.

    Args:
        rng: source of all randomness.
        rig: one of ``rigs.RIGS``.
        kind: one of ``KINDS[rig]``, or None for any.
        split: "train" or "eval"; the two share no cell of tempo and size.
        travel: as in ``Motion``, or None for "spot" or "around".

    Raises:
        ValueError: if rig, kind or split is unknown.
    """
    if split not in ("train", "eval"):
        raise ValueError(f"split must be train or eval, not {split!r}")
    if rig not in _RECIPES or (kind is not None and kind not in _RECIPES[rig]):
        raise ValueError(f"no motion {kind!r} for rig {rig!r}")
    kind = kind if kind is not None else KINDS[rig][int(rng.integers(len(KINDS[rig])))]
    while True:
        tempo, size = float(rng.random()), float(rng.random())
        if held_out(tempo, size) == (split == "eval"):
            break
    a, b, c, d = (float(x) for x in rng.random(4))
    side = 1 if rng.random() < 0.5 else -1
    chosen = "around" if rng.random() < 0.65 else "spot"
    return Motion(kind, rig, family(rig, kind), tempo, size, side, (a, b, c, d), travel if travel else chosen)
