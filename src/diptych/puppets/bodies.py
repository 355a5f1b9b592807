"""Bodies: a character in a pose as shapes."""

from __future__ import annotations

import numpy as np

from diptych.puppets.characters import PEOPLE, Character
from diptych.puppets.faces import add_face
from diptych.puppets.palette import CLOTHES, INK, RGB, mixed, shade
from diptych.puppets.rigs import Floats, Frame, Pose, Solved, channel, face_yaw
from diptych.puppets.shapes import Figure, Sketch, capsule, ellipse, round_points

_UPRIGHT_ORDERS = (
    ("back", "leg_r", "leg_l", "body", "head", "arm_r", "arm_l"),
    ("back", "arm_l", "leg_l", "leg_r", "body", "head", "arm_r"),
    ("back", "arm_r", "leg_r", "leg_l", "body", "head", "arm_l"),
)
_PLAIN = (("back", "leg_l", "arm_l", "body", "head", "leg_r", "arm_r"),)


def draw_figure(character: Character, solved: Solved, pose: Pose) -> Figure:
    """All shapes of a character, relative to its root.

    Args:
        character: who.
        solved: where its joints and frames are.
        pose: expression and turn channels over time.
    """
    sketch = Sketch(character.outline * character.height, character.shaded, _ink(character))
    if character.rig == "biped":
        _add_person(sketch, character, solved, pose)
    elif character.rig == "object":
        _add_object(sketch, character, solved, pose)
    elif character.rig == "bird":
        _add_bird(sketch, character, solved, pose)
    elif character.rig == "quadruped":
        _add_quadruped(sketch, character, solved, pose)
    elif character.rig == "fish":
        _add_fish(sketch, character, solved, pose)
    else:
        _add_snake(sketch, character, solved, pose)
    upright = character.rig in ("biped", "object", "bird")
    turn = channel(pose, "turn")
    order = np.where(turn > 0.3, 1, np.where(turn < -0.3, 2, 0)) if upright else np.zeros(len(turn), np.intp)
    return Figure(dict(sketch.groups), _UPRIGHT_ORDERS if upright else _PLAIN, order.astype(np.intp), solved.facing)


def _ink(c: Character) -> RGB:
    return INK if sum(c.palette.primary.rgb) > 200 else (120, 116, 124)


def _pattern_rgb(c: Character) -> RGB:
    return c.palette.accent.rgb


def _depth_scale(pose: Pose, side: float) -> Floats:
    """Width of a trunk as it turns, ``side`` being its depth over its width."""
    angle = channel(pose, "turn") * (np.pi / 2)
    return np.sqrt(np.cos(angle) ** 2 + (side * np.sin(angle)) ** 2)


def _trunk(pelvis: Frame, chest: Frame, low: list[tuple[Floats, float]], high: list[tuple[Floats, float]]) -> Floats:
    """A trunk that bends: half widths and heights in the pelvis's frame (upwards), then in the chest's."""
    right = [pelvis.at(w, y) for w, y in low] + [chest.at(w, y) for w, y in high]
    left = [chest.at(-w, y) for w, y in reversed(high)] + [pelvis.at(-w, y) for w, y in reversed(low)]
    return np.stack(right + left, 1)


def _patterned(
    sketch: Sketch, c: Character, rows: list[tuple[Frame, Floats, float]], rgb: RGB, radius: float, turn: Floats
) -> None:
    """Stripes, dots or patches on a trunk given as rows of (frame, half width, y) from bottom to top."""
    if c.pattern == "striped":
        for frame, half, y in rows[::2]:
            quad = np.stack(
                [
                    frame.at(-half, y - radius * 0.55),
                    frame.at(half, y - radius * 0.55),
                    frame.at(half, y + radius * 0.55),
                    frame.at(-half, y + radius * 0.55),
                ],
                1,
            )
            sketch.add(quad, rgb)
    elif c.pattern == "dotted":
        for i, (frame, half, y) in enumerate(rows):
            for x in (-0.55, 0.05, 0.6) if i % 2 else (-0.25, 0.35):
                at, seen = _around(x, half, turn)
                sketch.add(ellipse(frame, at, y, radius * 0.5, radius * 0.5, 8), rgb, shown=seen, size=radius)
    elif c.pattern == "patched":
        for i, x in ((0, -0.45), (len(rows) // 2, 0.5), (len(rows) - 1, -0.3)):
            frame, half, y = rows[i]
            at, seen = _around(x, half, turn)
            sketch.add(ellipse(frame, at, y, np.minimum(half * 0.38, radius * 1.6), radius * 1.1, 8), rgb, shown=seen)


def _around(x: float, half: Floats, turn: Floats) -> tuple[Floats, np.ndarray]:
    azimuth = np.arcsin(x) + 0.9 * turn
    return half * 0.92 * np.sin(azimuth), np.cos(azimuth) > 0.25


def _add_person(sketch: Sketch, c: Character, s: Solved, pose: Pose) -> None:
    h, b, p = c.height, c.build, c.palette
    person = c.kind in PEOPLE
    skin = p.skin.rgb if person else p.primary.rgb
    top = p.primary.rgb if person else p.accent.rgb
    lower_rgb, shoe = p.secondary.rgb, p.shoes.rgb
    mark = p.accent.rgb if person else p.secondary.rgb
    f, j = s.frames, s.joints
    turn = channel(pose, "turn")
    wide = _depth_scale(pose, 0.72)
    r = b.limb * h
    bare = c.parts.lower in ("shorts", "skirt", "dress")
    skirted = c.parts.lower in ("skirt", "dress")
    skirt_rgb = top if c.parts.lower == "dress" else lower_rgb

    if not person and b.tail > 0.2:
        sketch.group("back")
        pel = f["pelvis"]
        root = pel.at(-0.5 * b.hips * h * np.sin(turn * 1.5), -0.02 * h)
        wag = 0.35 * channel(pose, "spine")
        tip = pel.at(b.tail * h * 0.8 * np.where(turn > 0, -1.0, 1.0) * (0.75 + wag), -b.tail * h * 0.45)
        sketch.limb(root, tip, 0.035 * h, 0.05 * h, skin)
    for side in "rl":
        sketch.group(f"leg_{side}")
        hip, knee, ankle = j[f"hip_{side}"], j[f"knee_{side}"], j[f"ankle_{side}"]
        thigh_rgb = skin if skirted else lower_rgb
        foot = f[f"foot_{side}"]
        out = -0.55 if side == "r" else 0.55
        toe = np.clip(np.sin(turn * np.pi / 2) * 1.1 + out * np.cos(turn * np.pi / 2), -1.0, 1.0) * 0.075 * h
        sketch.limb(knee, ankle, r * 1.05, r * 0.85, skin if bare else lower_rgb)
        sketch.limb(hip, knee, r * 1.4, r * 1.1, thigh_rgb)
        sketch.add(
            capsule(foot.at(-0.15 * toe, 0.012 * h), foot.at(toe, 0.016 * h), r * 0.95, r * 0.8), shoe, line=True
        )
    sketch.group("body")
    sh, hp, torso = b.shoulders * h * wide, b.hips * h * 1.35 * wide + r * 0.4, b.torso * h
    belly = np.maximum(b.girth * h * wide, 0.9 * hp)
    if skirted:
        _add_skirt(sketch, c, s, hp, skirt_rgb, mark)
    low = [(hp, 0.03 * h), (belly, -0.18 * torso)]
    high = [
        (0.5 * belly + 0.5 * sh, -0.2 * torso),
        (sh * 1.08, -0.52 * torso),
        (sh * 0.8, -0.66 * torso),
        (sh * 0.3, -0.7 * torso),
    ]
    if not skirted:
        sketch.add(_trunk(f["pelvis"], f["pelvis"], [(hp, 0.04 * h)], [(belly, -0.16 * torso)]), lower_rgb, line=True)
        low = [(belly * 0.97, -0.06 * torso), (belly, -0.18 * torso)]
    sketch.solid(_trunk(f["pelvis"], f["chest"], low, high), top, convex=False)
    if c.parts.lower != "dress" or c.pattern == "plain":
        rows = [
            (f["pelvis"], belly * 0.96, -0.16 * torso),
            (f["chest"], belly * 0.5 + sh * 0.48, -0.12 * torso),
            (f["chest"], sh * 0.98, -0.3 * torso),
            (f["chest"], sh * 1.04, -0.45 * torso),
        ]
    else:
        rows = [
            (f["chest"], belly * 0.5 + sh * 0.48, -0.05 * torso),
            (f["chest"], sh * 0.95, -0.22 * torso),
            (f["chest"], sh, -0.38 * torso),
        ]
    _patterned(sketch, c, rows, mark, 0.085 * torso + 0.006 * h, turn)
    sketch.limb(j["neck"] + 0.0, s.frames["head"].at(0.0, 0.5 * b.head * h), r * 0.9, r * 0.9, shade(skin, 0.9))
    for side in "rl":
        sketch.group(f"arm_{side}")
        shoulder, elbow, wrist = j[f"shoulder_{side}"], j[f"elbow_{side}"], j[f"wrist_{side}"]
        sketch.limb(shoulder, elbow, r * 1.1, r * 0.9, top)
        sketch.limb(elbow, wrist, r * 0.9, r * 0.75, top if c.parts.sleeves == "long" else skin)
        hand = f[f"hand_{side}"]
        sketch.add(capsule(wrist, hand.at(0.0, r * 0.9), r * 0.95, r * 0.85), skin, line=True)
        if side == "r" and c.props:
            _add_prop(sketch, c, hand, s)
    sketch.group("head")
    if person:
        _add_head(sketch, c, f["head"], pose)
    else:
        _add_animal_head(sketch, c, f["head"], pose)
    _add_hat(sketch, c, f["head"], b.head * h)


def _add_skirt(sketch: Sketch, c: Character, s: Solved, hp: Floats, rgb: RGB, mark: RGB) -> None:
    h, b = c.height, c.build
    pel = s.frames["pelvis"]
    ends = []
    for side in "rl":
        hip, knee = s.joints[f"hip_{side}"], s.joints[f"knee_{side}"]
        ends.append(hip + 0.85 * (knee - hip))
    swap = (ends[0][:, 0] > ends[1][:, 0])[:, None]
    left, right = np.where(swap, ends[1], ends[0]), np.where(swap, ends[0], ends[1])
    flare = np.array([0.065 * h, 0.0])
    top_r, top_l = pel.at(hp, -0.12 * b.torso * h), pel.at(-hp, -0.12 * b.torso * h)
    # Upside down the hem hangs the other way; crossing sides would tie the skirt in a knot.
    flip = (top_l[:, 0] > top_r[:, 0])[:, None]
    top_l, top_r = np.where(flip, top_r, top_l), np.where(flip, top_l, top_r)
    quad = np.stack([top_l, top_r, right + flare, 0.5 * (left + right) + np.array([0, 0.015 * h]), left - flare], 1)
    sketch.add(quad, rgb, convex=False, line=True)
    if c.shaded:
        inner_top, inner_hem = top_l + 0.7 * (top_r - top_l), left + 0.75 * (right - left)
        sketch.add(np.stack([inner_top, top_r, right + flare, inner_hem], 1), shade(rgb, 0.8), convex=False)
    if c.parts.lower == "dress" and c.pattern != "plain":
        for share in (0.35, 0.75):
            a, z = top_l + share * (left - flare - top_l), top_r + share * (right + flare - top_r)
            if c.pattern == "striped":
                d = np.array([0.0, 0.012 * h])
                sketch.add(np.stack([a - d, z - d, z + d, a + d], 1), mark)
            else:
                for k in (0.25, 0.72):
                    at = a + k * (z - a)
                    sketch.add(at[:, None] + round_points(8) * 0.018 * h, mark)


def _add_prop(sketch: Sketch, c: Character, hand: Frame, s: Solved) -> None:
    h, rgb = c.height, c.palette.accent.rgb
    prop = c.props[0]
    grip = hand.at(0.0, 0.02 * h)
    upright = Frame(grip, np.zeros(len(hand.angle)))
    wood: RGB = (120, 84, 52)
    if prop == "ball":
        at = hand.at(0.0, 0.08 * h)
        sketch.solid(at[:, None] + round_points(12) * 0.065 * h, rgb)
        sketch.add(at[:, None] + round_points(8) * 0.02 * h + np.array([-0.02, -0.02]) * h, shade(rgb, 1.5))
    elif prop == "balloon":
        at = upright.at(0.03 * h, -0.3 * h)
        sketch.add(capsule(grip, at, 0.005 * h, 0.005 * h), (90, 90, 90))
        sketch.solid(ellipse(Frame(at, upright.angle), 0.0, -0.08 * h, 0.085 * h, 0.105 * h), rgb)
    elif prop == "flag":
        top = hand.at(0.0, -0.3 * h)
        sketch.add(capsule(hand.at(0.0, 0.05 * h), top, 0.01 * h, 0.01 * h), wood)
        sketch.add(np.stack([top, hand.at(0.2 * h, -0.24 * h), hand.at(0.0, -0.16 * h)], 1), rgb, line=True)
    elif prop == "umbrella":
        top = hand.at(0.0, 0.34 * h)
        sketch.add(capsule(hand.at(0.0, -0.05 * h), top, 0.009 * h, 0.009 * h), wood)
        dome = np.array([[-0.17, 0.22], [-0.12, 0.31], [0.0, 0.36], [0.12, 0.31], [0.17, 0.22], [0.0, 0.25]]) * h
        sketch.add(hand.place(dome), rgb, convex=False, line=True)
    elif prop == "bag":
        bag = np.array([[-0.06, 0.05], [0.06, 0.05], [0.075, 0.17], [-0.075, 0.17]]) * h
        sketch.add(capsule(upright.at(-0.02 * h, 0.06 * h), grip, 0.006 * h, 0.006 * h), shade(rgb, 0.6))
        sketch.solid(upright.place(bag), rgb)
    elif prop == "wand":
        tip = hand.at(0.0, 0.2 * h)
        sketch.add(capsule(grip, tip, 0.012 * h, 0.009 * h), wood)
        star = round_points(10) * np.where(np.arange(10) % 2, 0.03, 0.07)[:, None] * h
        sketch.add(Frame(tip, hand.angle).place(star), rgb, convex=False, line=True)
    else:  # cane
        sketch.add(capsule(grip, hand.at(0.0, 0.36 * h), 0.012 * h, 0.01 * h), wood, line=True)


def _add_head(sketch: Sketch, c: Character, head: Frame, pose: Pose) -> None:
    r = c.build.head * c.height
    hair, style = c.palette.hair.rgb, c.parts.hair
    yaw = face_yaw(pose)
    back = -np.sin(yaw)
    seen_front = np.cos(yaw)
    if style in ("long", "ponytail", "bun", "curly"):
        sketch.group("back") if style == "long" else None
        if style == "long":
            sketch.solid(ellipse(head, 0.25 * r * back, 0.55 * r, 1.12 * r, 1.35 * r), hair)
        sketch.group("head")
        if style == "ponytail":
            tail = head.at(1.15 * r * back + 0.25 * r * seen_front, 0.1 * r)
            sketch.limb(tail, head.at(1.5 * r * back + 0.8 * r * seen_front, 1.3 * r), 0.32 * r, 0.2 * r, hair)
        elif style == "bun":
            sketch.solid(ellipse(head, 0.8 * r * back, -1.05 * r, 0.42 * r, 0.4 * r, 10), hair)
        elif style == "curly":
            for a in (-1.2, -0.6, 0.0, 0.6, 1.2):
                sketch.add(
                    ellipse(head, 1.0 * r * np.sin(a) + 0.2 * r * back, -0.95 * r * np.cos(a), 0.42 * r, 0.42 * r, 8),
                    hair,
                    line=True,
                )
    for azimuth in (-1.45, 1.45):
        at = r * np.sin(yaw + azimuth)
        sketch.add(
            ellipse(head, at, 0.08 * r, 0.16 * r, 0.24 * r, 8),
            shade(c.palette.skin.rgb, 0.92),
            shown=np.cos(yaw + azimuth) > -0.5,
        )
    sketch.solid(ellipse(head, 0.0, 0.0, 0.98 * r, 1.06 * r, 20), c.palette.skin.rgb, shadow=0.35)
    if c.parts.face_hair == "beard":
        t = np.linspace(0.1, np.pi - 0.1, 8)
        beard = np.stack([np.cos(t), np.sin(t) * 1.12], 1)
        inner = np.stack([np.cos(t[::-1]) * 0.6, np.sin(t[::-1]) * 0.32 + 0.12], 1)
        shape = np.concatenate([beard, inner]) * r
        moved = np.repeat(shape[None], len(yaw), 0)
        moved[:, 8:, 0] += 0.4 * r * np.sin(yaw)[:, None]
        sketch.add(head.place(moved), hair, convex=False)
    if style != "bald":
        _add_hair_cap(sketch, c, head, r, yaw, hair)
    add_face(sketch, head, r, pose, eyes=c.parts.eyes, nose=shade(c.palette.skin.rgb, 0.86), glasses=c.parts.glasses)
    if c.parts.face_hair == "moustache":
        sketch.add(ellipse(head, 0.96 * r * np.sin(yaw), 0.33 * r, 0.34 * r, 0.1 * r, 8), hair)


def _add_hair_cap(sketch: Sketch, c: Character, head: Frame, r: float, yaw: Floats, hair: RGB) -> None:
    if c.parts.hair == "spiky":
        a = np.linspace(np.pi + 0.15, 2 * np.pi - 0.15, 11)
        rim = np.stack([np.cos(a), np.sin(a)], 1) * np.where(np.arange(11) % 2, 1.5, 1.05)[:, None]
    else:
        a = np.linspace(np.pi - 0.05, 2 * np.pi + 0.05, 11)
        rim = np.stack([np.cos(a) * 1.08, np.sin(a) * 1.16], 1)
    fringe = np.array([[0.75, -0.3], [0.25, -0.55], [-0.3, -0.5], [-0.75, -0.25]])
    shape = np.concatenate([rim, fringe]) * r
    moved = np.repeat(shape[None], len(yaw), 0)
    # The hairline slides with the face, so the back of the head shows hair.
    moved[:, 11:, 0] += 0.75 * r * np.sin(yaw)[:, None]
    sketch.add(head.place(moved), hair, convex=False, line=True)
    side = np.sin(yaw)
    patch = ellipse(head, -0.62 * r * side, 0.0, 0.45 * r * np.abs(side), 0.86 * r, 12)
    sketch.add(patch, hair, shown=np.abs(side) > 0.3)


def _add_animal_head(sketch: Sketch, c: Character, head: Frame, pose: Pose) -> None:
    r = c.build.head * c.height
    fur, light = c.palette.primary.rgb, c.palette.skin.rgb
    yaw = face_yaw(pose)
    for azimuth in (-0.8, 0.8):
        x = 0.85 * r * np.sin(azimuth + 0.5 * yaw)
        ear = Frame(head.at(x, -0.75 * r), head.angle + 0.5 * azimuth)
        if c.parts.ears == "round":
            sketch.add(ellipse(ear, 0.0, -0.1 * r, 0.36 * r, 0.36 * r, 12), fur, line=True)
            sketch.add(ellipse(ear, 0.0, -0.1 * r, 0.2 * r, 0.2 * r, 8), light)
        elif c.parts.ears == "pointed":
            sketch.add(ear.place(np.array([[-0.38, 0.25], [0.0, -0.7], [0.38, 0.25]]) * r), fur, line=True)
            sketch.add(ear.place(np.array([[-0.18, 0.1], [0.0, -0.42], [0.18, 0.1]]) * r), light)
        elif c.parts.ears == "long":
            sketch.add(ellipse(ear, 0.0, -0.75 * r, 0.26 * r, 0.95 * r, 12), fur, line=True)
            sketch.add(ellipse(ear, 0.0, -0.75 * r, 0.12 * r, 0.7 * r, 10), light)
    sketch.solid(ellipse(head, 0.0, 0.0, 1.05 * r, 0.98 * r, 20), fur, shadow=0.35)
    sketch.add(ellipse(head, 0.75 * r * np.sin(yaw), 0.38 * r, 0.55 * r, 0.42 * r, 12), light)
    add_face(sketch, head, r, pose)
    sketch.add(ellipse(head, 1.0 * r * np.sin(yaw), 0.16 * r, 0.18 * r, 0.13 * r, 8), INK)
    if c.parts.ears == "floppy":
        for azimuth in (-1.0, 1.0):
            ear = Frame(head.at(0.95 * r * np.sin(azimuth + 0.4 * yaw), -0.5 * r), head.angle - 0.35 * azimuth)
            sketch.add(ellipse(ear, 0.0, 0.5 * r, 0.28 * r, 0.62 * r, 12), shade(fur, 0.72), line=True)


def _add_hat(sketch: Sketch, c: Character, head: Frame, r: float) -> None:
    rgb = c.palette.accent.rgb
    if c.parts.hat == "cap":
        dome = np.array(
            [[-1.05, -0.35], [-0.95, -0.85], [-0.5, -1.2], [0.0, -1.3], [0.5, -1.2], [0.95, -0.85], [1.05, -0.35]]
        )
        sketch.add(head.place(dome * r), rgb, line=True)
        sketch.add(head.place(np.array([[-0.9, -0.5], [0.9, -0.5], [0.8, -0.28], [-0.8, -0.28]]) * r), shade(rgb, 0.7))
    elif c.parts.hat == "beanie":
        dome = np.array(
            [[-1.08, -0.3], [-1.0, -0.9], [-0.5, -1.3], [0.0, -1.4], [0.5, -1.3], [1.0, -0.9], [1.08, -0.3]]
        )
        sketch.add(head.place(dome * r), rgb, line=True)
        sketch.add(ellipse(head, 0.0, -1.45 * r, 0.25 * r, 0.25 * r, 8), shade(rgb, 1.5))
    elif c.parts.hat == "top hat":
        sketch.add(head.place(np.array([[-0.75, -0.7], [-0.7, -1.9], [0.7, -1.9], [0.75, -0.7]]) * r), rgb, line=True)
        sketch.add(
            head.place(np.array([[-1.25, -0.8], [1.25, -0.8], [1.25, -0.58], [-1.25, -0.58]]) * r), rgb, line=True
        )
    elif c.parts.hat == "sun hat":
        sketch.add(ellipse(head, 0.0, -0.62 * r, 1.6 * r, 0.3 * r, 16), rgb, line=True)
        sketch.add(ellipse(head, 0.0, -0.9 * r, 0.85 * r, 0.5 * r, 12), rgb)


def _add_object(sketch: Sketch, c: Character, s: Solved, pose: Pose) -> None:
    h, b, p = c.height, c.build, c.palette
    f, j = s.frames, s.joints
    turn = channel(pose, "turn")
    body, limb_rgb, r = p.primary.rgb, p.secondary.rgb, b.limb * h
    torso, half = b.torso * h, b.girth * h
    wide = half * _depth_scale(pose, 0.9)
    low, high = f["pelvis"], f["chest"]
    if c.kind in ("cup", "teapot"):
        sketch.group("back")
        # The handle sits on the character's left and swings behind as it turns.
        x = np.cos(turn * np.pi / 2) * half
        ring = ellipse(high, x, -0.25 * torso, 0.55 * half, 0.28 * torso, 12)
        hole = ellipse(high, x, -0.25 * torso, 0.3 * half, 0.16 * torso, 12)
        sketch.add(np.concatenate([ring, ring[:, :1], hole[:, :1], hole[:, ::-1]], 1), shade(body, 0.85), convex=False)
        if c.kind == "teapot":
            spout = np.stack(
                [
                    high.at(-0.8 * x, -0.05 * torso),
                    high.at(-0.8 * x, -0.32 * torso),
                    high.at(-1.65 * x, -0.62 * torso),
                    high.at(-1.45 * x, -0.66 * torso),
                ],
                1,
            )
            sketch.add(spout, shade(body, 0.9), line=True, convex=False)
    for side in "rl":
        sketch.group(f"leg_{side}")
        sketch.limb(j[f"hip_{side}"], j[f"knee_{side}"], r, r * 0.9, limb_rgb)
        sketch.limb(j[f"knee_{side}"], j[f"ankle_{side}"], r * 0.9, r * 0.8, limb_rgb)
        foot = f[f"foot_{side}"]
        out = -0.55 if side == "r" else 0.55
        toe = np.clip(np.sin(turn * np.pi / 2) * 1.1 + out * np.cos(turn * np.pi / 2), -1.0, 1.0) * 0.1 * h
        sketch.add(
            capsule(foot.at(-0.15 * toe, 0.005 * h), foot.at(toe, 0.01 * h), r * 1.3, r * 1.2), p.shoes.rgb, line=True
        )
    sketch.group("body")
    rows: list[tuple[Frame, Floats, float]]
    if c.kind == "cup":
        outline = _trunk(
            low,
            high,
            [(wide * 0.6, 0.04 * torso), (wide * 0.72, -0.06 * torso), (wide * 0.8, -0.25 * torso)],
            [(wide * 0.9, -0.25 * torso), (wide, -0.68 * torso)],
        )
        sketch.solid(outline, body, convex=False)
        sketch.add(ellipse(high, 0.0, -0.68 * torso, wide, 0.07 * torso, 16), shade(body, 1.3), line=True)
        sketch.add(ellipse(high, 0.0, -0.67 * torso, wide * 0.86, 0.045 * torso, 12), shade(p.accent.rgb, 0.8))
        rows = [
            (low, wide * 0.68, -0.03 * torso),
            (low, wide * 0.78, -0.14 * torso),
            (high, wide * 0.97, -0.55 * torso),
        ]
    elif c.kind == "box":
        outline = _trunk(
            low, high, [(wide, 0.05 * torso), (wide, -0.25 * torso)], [(wide, -0.05 * torso), (wide, -0.7 * torso)]
        )
        sketch.solid(outline, body, convex=False, shadow=0.55)
        sketch.add(
            np.stack(
                [
                    high.at(-wide, -0.7 * torso),
                    high.at(wide, -0.7 * torso),
                    high.at(wide * 0.8, -0.78 * torso),
                    high.at(-wide * 0.8, -0.78 * torso),
                ],
                1,
            ),
            shade(body, 1.3),
            line=True,
        )
        rows = [(low, wide, -0.02 * torso), (low, wide, -0.15 * torso), (high, wide, -0.62 * torso)]
    elif c.kind == "teapot":
        k = 16
        belly = ellipse(
            Frame(low.at(0.0, -0.3 * torso), 0.5 * (low.angle + high.angle)), 0.0, 0.0, wide, 0.4 * torso, k
        )
        sketch.solid(belly, body)
        sketch.add(ellipse(high, 0.0, -0.38 * torso, wide * 0.55, 0.1 * torso, 12), shade(body, 0.8), line=True)
        sketch.add(ellipse(high, 0.0, -0.5 * torso, 0.07 * h, 0.06 * h, 10), p.accent.rgb, line=True)
        rows = [(low, wide * 0.75, -0.04 * torso), (low, wide * 0.9, -0.14 * torso), (low, wide * 0.85, -0.52 * torso)]
    else:
        outline = _trunk(
            low, high, [(wide, 0.05 * torso), (wide, -0.25 * torso)], [(wide, -0.05 * torso), (wide, -0.52 * torso)]
        )
        sketch.solid(outline, body, convex=False)
        wood: RGB = (238, 206, 158)
        sketch.add(
            np.stack([high.at(-wide, -0.52 * torso), high.at(wide, -0.52 * torso), high.at(0.0, -0.82 * torso)], 1),
            wood,
            line=True,
        )
        sketch.add(
            np.stack(
                [high.at(-wide * 0.3, -0.73 * torso), high.at(wide * 0.3, -0.73 * torso), high.at(0.0, -0.82 * torso)],
                1,
            ),
            p.accent.rgb,
        )
        sketch.add(_trunk(low, low, [(wide, 0.05 * torso)], [(wide, -0.06 * torso)]), (236, 150, 160), line=True)
        rows = [(low, wide, -0.12 * torso), (low, wide, -0.2 * torso), (high, wide, -0.46 * torso)]
    _patterned(sketch, c, rows, p.accent.rgb, 0.06 * torso, turn)
    sketch.group("head")
    light = sum(body) > 260
    add_face(
        sketch,
        f["head"],
        b.head * h,
        pose,
        ink=INK if light else (250, 250, 248),
        nose=None,
    )
    for side in "rl":
        sketch.group(f"arm_{side}")
        sketch.limb(j[f"shoulder_{side}"], j[f"elbow_{side}"], r, r * 0.85, limb_rgb)
        sketch.limb(j[f"elbow_{side}"], j[f"wrist_{side}"], r * 0.85, r * 0.8, limb_rgb)
        sketch.add(ellipse(f[f"hand_{side}"], 0.0, 0.02 * h, r * 1.5, r * 1.6, 10), p.shoes.rgb, line=True)


def _add_bird(sketch: Sketch, c: Character, s: Solved, pose: Pose) -> None:
    h, b, p = c.height, c.build, c.palette
    f, j = s.frames, s.joints
    turn = channel(pose, "turn")
    body, wing, beak = p.primary.rgb, p.secondary.rgb, p.hair.rgb
    torso = b.torso * h
    wide = b.girth * h * _depth_scale(pose, 1.15)
    sketch.group("back")
    t = f["tail"]
    sway = np.sin(turn * np.pi / 2)
    end = b.tail * h
    fan = np.stack(
        [
            t.at(0.04 * h, 0.0),
            t.at(-end * sway + 0.09 * h, 0.45 * end),
            t.at(-end * sway - 0.09 * h, 0.4 * end),
            t.at(-0.04 * h, 0.0),
        ],
        1,
    )
    sketch.add(fan, shade(wing, 0.85), convex=False, line=True)
    for side in "rl":
        sketch.group(f"leg_{side}")
        r = b.limb * h
        sketch.add(capsule(j[f"hip_{side}"], j[f"knee_{side}"], r * 1.2, r), beak, line=True)
        sketch.add(capsule(j[f"knee_{side}"], j[f"ankle_{side}"], r, r), beak, line=True)
        foot = f[f"foot_{side}"]
        out = -0.4 if side == "r" else 0.4
        toe = np.clip(sway * 1.1 + out * (1 - np.abs(sway)), -1, 1) * 0.1 * h
        sketch.add(
            np.stack(
                [
                    foot.at(-0.3 * toe, -0.01 * h),
                    foot.at(toe, 0.005 * h),
                    foot.at(toe, 0.035 * h),
                    foot.at(-0.5 * toe, 0.035 * h),
                ],
                1,
            ),
            beak,
            convex=False,
            line=True,
        )
    sketch.group("body")
    low, high = f["pelvis"], f["chest"]
    outline = _trunk(
        low,
        high,
        [(wide * 0.45, 0.12 * torso), (wide * 0.85, 0.02 * torso), (wide, -0.18 * torso)],
        [
            (wide * 0.98, -0.08 * torso),
            (wide * 0.85, -0.35 * torso),
            (wide * 0.5, -0.66 * torso),
            (wide * 0.2, -0.74 * torso),
        ],
    )
    sketch.solid(outline, body, convex=False)
    front = 0.35 * wide * np.sin(turn)
    sketch.add(ellipse(low, front, -0.12 * torso, wide * 0.58, 0.24 * torso, 12), mixed(body, (255, 255, 255), 0.55))
    rows = [
        (low, wide * 0.9, -0.02 * torso),
        (low, wide, -0.15 * torso),
        (high, wide * 0.95, -0.12 * torso),
        (high, wide * 0.8, -0.32 * torso),
    ]
    _patterned(sketch, c, rows, p.accent.rgb, 0.06 * torso, turn)
    for side in "rl":
        sketch.group(f"arm_{side}")
        sign = 1.0 if side == "r" else -1.0
        upper, lower = f[f"upper_{side}"], f[f"lower_{side}"]
        la, lb = 0.52 * b.arm * h, 0.48 * b.arm * h
        feathers = np.stack(
            [
                upper.at(0.0, -0.04 * h),
                upper.at(sign * 0.05 * h, 0.6 * la),
                lower.at(sign * 0.035 * h, 0.1 * lb),
                lower.at(sign * 0.02 * h, lb),
                lower.at(-sign * 0.05 * h, 1.12 * lb),
                lower.at(-sign * 0.12 * h, 0.75 * lb),
                lower.at(-sign * 0.15 * h, 0.3 * lb),
                upper.at(-sign * 0.16 * h, 0.75 * la),
                upper.at(-sign * 0.12 * h, 0.25 * la),
            ],
            1,
        )
        sketch.add(feathers, wing, convex=False, line=True)
        bar = np.stack(
            [
                lower.at(-sign * 0.02 * h, 0.1 * lb),
                lower.at(-sign * 0.02 * h, lb),
                lower.at(-sign * 0.1 * h, 0.7 * lb),
                lower.at(-sign * 0.12 * h, 0.2 * lb),
            ],
            1,
        )
        sketch.add(bar, shade(wing, 0.75))
    sketch.group("head")
    r = b.head * h
    head, yaw = f["head"], face_yaw(pose)
    crest = Frame(head.at(-0.2 * r * np.sin(yaw), -0.8 * r), head.angle)
    sketch.add(
        crest.place(np.array([[-0.35, 0.2], [-0.25, -0.55], [0.0, -0.2], [0.15, -0.7], [0.35, 0.2]]) * r),
        p.accent.rgb,
        convex=False,
    )
    sketch.solid(ellipse(head, 0.0, 0.0, r, r, 16), body, shadow=0.35)
    add_face(sketch, head, r, pose, eyes=c.parts.eyes, mouth=False)
    opened = np.clip(channel(pose, "mouth_open"), 0, 1) * 0.35 * r
    x, tip, y = 0.8 * r * np.sin(yaw), 1.75 * r * np.sin(yaw), 0.25 * r + 0.2 * r * np.cos(yaw)
    for sign in (1.0, -1.0):
        root_y, tip_y = 0.12 * r + sign * 0.12 * r, y + sign * opened * 0.6
        tri = np.stack([head.at(x - 0.2 * r, root_y), head.at(tip, tip_y), head.at(x + 0.2 * r, root_y)], 1)
        sketch.add(tri, shade(beak, 0.8 if sign > 0 else 1.0), line=sign < 0)


def _add_quadruped(sketch: Sketch, c: Character, s: Solved, pose: Pose) -> None:
    h, b, p = c.height, c.build, c.palette
    f = s.frames
    fur, mark = p.primary.rgb, p.accent.rgb
    hoof = INK if c.kind in ("horse", "cow") else shade(fur, 0.7)
    r, g = b.limb * h, b.girth * h
    still = np.zeros(len(channel(pose, "turn")))
    sketch.group("back")
    tail, tip = f["tail"], f["tip"]
    thick = {"cat": 0.03, "dog": 0.03, "horse": 0.045, "cow": 0.015}[c.kind] * h
    tail_rgb = p.hair.rgb if c.kind == "horse" else fur
    end = tip.at(0.0, 0.5 * b.tail * h)
    sketch.limb(
        tip.origin, end, thick, thick * (1.6 if c.kind == "cow" else 0.7), tail_rgb if c.kind != "cow" else hoof
    )
    sketch.limb(tail.origin, tip.origin, thick * 1.1, thick, tail_rgb)
    for side in "rl":
        far = side == "l"
        rgb = shade(fur, 0.72) if far else fur
        sketch.group(f"arm_{side}")
        sketch.limb(f[f"upper_{side}"].origin, f[f"lower_{side}"].origin, r * 1.5, r * 0.95, rgb)
        sketch.limb(f[f"lower_{side}"].origin, f[f"hand_{side}"].origin, r * 0.95, r * 0.75, rgb)
        _add_paw(sketch, f[f"hand_{side}"], h, r, hoof)
        sketch.group(f"leg_{side}")
        sketch.limb(f[f"thigh_{side}"].origin, f[f"shin_{side}"].origin, r * 1.8, r * 1.05, rgb)
        sketch.limb(f[f"shin_{side}"].origin, f[f"foot_{side}"].origin, r * 1.05, r * 0.75, rgb)
        _add_paw(sketch, f[f"foot_{side}"], h, r, hoof)
    sketch.group("body")
    pelvis, middle, chest = f["pelvis"], f["middle"], f["chest"]
    slim = 0.86 if c.kind in ("cat", "dog", "horse") else 1.05
    top = [
        (pelvis, -0.1, -0.55),
        (pelvis, -0.02, -0.95),
        (middle, 0.0, -0.86),
        (chest, -0.02, -1.0),
        (chest, 0.08, -0.7),
    ]
    bottom = [(chest, 0.1, 0.1), (chest, 0.0, 0.95), (middle, 0.0, slim), (pelvis, 0.02, 0.8), (pelvis, -0.1, 0.25)]
    outline = np.stack([fr.at(x * h, y * g) for fr, x, y in (*top, *bottom)], 1)
    sketch.add(outline, fur, convex=False, line=True)
    if c.shaded:
        belly = np.stack(
            [
                chest.at(0.06 * h, 0.5 * g),
                chest.at(0.0, 0.95 * g),
                middle.at(0.0, slim * g),
                pelvis.at(0.02 * h, 0.8 * g),
                pelvis.at(-0.06 * h, 0.45 * g),
                middle.at(0.0, 0.45 * g),
            ],
            1,
        )
        sketch.add(belly, shade(fur, 0.82), convex=False)
    length = b.torso * h
    if c.pattern == "striped":
        for frame, x in ((pelvis, 0.05), (pelvis, 0.28), (middle, 0.05), (middle, 0.28)):
            stripe = np.array(
                [[x * length - 0.03 * h, -0.85 * g], [x * length + 0.03 * h, -0.85 * g], [x * length, 0.45 * g]]
            )
            sketch.add(frame.place(stripe), mark)
    elif c.pattern != "plain":
        spots = (
            ((pelvis, 0.1, -0.3, 1.0), (middle, -0.05, -0.45, 0.8), (middle, 0.3, -0.1, 1.1))
            if c.pattern == "patched"
            else (
                (pelvis, 0.02, -0.45, 0.5),
                (pelvis, 0.2, 0.1, 0.5),
                (pelvis, 0.35, -0.5, 0.5),
                (middle, 0.05, 0.0, 0.5),
                (middle, 0.22, -0.45, 0.5),
                (middle, 0.38, 0.15, 0.5),
            )
        )
        for frame, x, y, size in spots:
            sketch.add(ellipse(frame, x * length, y * g, 0.52 * g * size, 0.4 * g * size, 10), mark)
    sketch.group("head")
    neck, head = f["neck"], f["head"]
    rr = b.head * h
    sketch.limb(chest.at(-0.02 * h, -0.3 * g), head.origin, 0.62 * g, rr * (0.72 if c.kind != "horse" else 0.6), fur)
    if c.kind == "horse":
        mane = np.stack(
            [
                neck.at(-0.42 * g, 0.0),
                neck.at(-0.5 * g, -0.6 * b.neck * h),
                head.at(-0.5 * rr, -1.1 * rr),
                head.at(0.2 * rr, -0.9 * rr),
                neck.at(0.0, -0.7 * b.neck * h),
            ],
            1,
        )
        sketch.add(mane, p.hair.rgb, convex=False)
    opened = np.clip(channel(pose, "mouth_open"), 0, 1)
    long = {"cat": 0.75, "dog": 1.3, "horse": 1.75, "cow": 1.35}[c.kind]
    jaw = Frame(head.at(0.2 * rr, 0.3 * rr), head.angle + 0.45 * opened + (0.35 if c.kind in ("horse", "cow") else 0.1))
    muzzle_rgb = mixed(fur, (255, 255, 255), 0.4) if c.kind in ("cow", "cat") else fur
    sketch.add(
        capsule(jaw.at(0.0, 0.08 * rr), jaw.at(long * 0.85 * rr, 0.08 * rr), 0.3 * rr, 0.2 * rr),
        shade(muzzle_rgb, 0.75),
        line=True,
    )
    ear_far = Frame(head.at(-0.15 * rr, -0.75 * rr), head.angle + 0.1)
    _add_ear(sketch, c, ear_far, rr, shade(fur, 0.72))
    sketch.solid(ellipse(head, 0.0, 0.0, rr, 0.92 * rr, 16), fur, shadow=0.5)
    top_jaw = Frame(head.at(0.3 * rr, 0.1 * rr), head.angle + (0.35 if c.kind in ("horse", "cow") else 0.12))
    sketch.add(capsule(top_jaw.origin, top_jaw.at(long * rr, 0.0), 0.55 * rr, 0.36 * rr), muzzle_rgb, line=True)
    sketch.add(
        ellipse(top_jaw, (long + 0.25) * rr, -0.1 * rr, 0.16 * rr, 0.16 * rr, 8),
        INK if sum(fur) > 200 else (150, 110, 110),
    )
    if c.kind == "cow":
        horn = Frame(head.at(0.0, -0.85 * rr), head.angle)
        sketch.add(horn.place(np.array([[-0.2, 0.15], [0.1, -0.7], [0.25, 0.1]]) * rr), (238, 228, 200), line=True)
    _add_ear(sketch, c, Frame(head.at(-0.35 * rr, -0.65 * rr), head.angle - 0.15), rr, shade(fur, 0.88))
    lid = np.maximum(1.0 - channel(pose, "blink_r"), 0.12)
    sketch.add(ellipse(head, 0.38 * rr, -0.25 * rr, 0.26 * rr, 0.28 * rr * lid, 10), (250, 250, 248))
    sketch.add(ellipse(head, 0.45 * rr + still, -0.24 * rr, 0.15 * rr, 0.18 * rr * lid, 8), (24, 20, 24))


def _add_paw(sketch: Sketch, frame: Frame, h: float, r: float, rgb: RGB) -> None:
    level = Frame(frame.origin, 0.35 * frame.angle)
    sketch.add(
        capsule(level.at(-0.005 * h, 0.01 * h), level.at(0.045 * h, 0.015 * h), r * 0.85, r * 0.75), rgb, line=True
    )


def _add_ear(sketch: Sketch, c: Character, ear: Frame, r: float, rgb: RGB) -> None:
    if c.parts.ears == "floppy":
        sketch.add(ellipse(Frame(ear.origin, ear.angle + 0.5), 0.0, 0.45 * r, 0.26 * r, 0.6 * r, 10), rgb, line=True)
    else:
        sketch.add(ear.place(np.array([[-0.32, 0.2], [-0.05, -0.65], [0.32, 0.15]]) * r), rgb, line=True)


def _resampled(points: Floats, factor: int) -> Floats:
    """A smooth curve through points ``(n, k, 2)``: Catmull-Rom, ``factor`` pieces between neighbours."""
    padded = np.concatenate([2 * points[:, :1] - points[:, 1:2], points, 2 * points[:, -1:] - points[:, -2:-1]], 1)
    u = (np.arange(factor) / factor)[None, None, :, None]
    a, b, c, d = (padded[:, i : i + points.shape[1] - 1, None] for i in range(4))
    curve = 0.5 * (2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - a - 3 * c + d) * u**3)
    n = len(points)
    return np.concatenate([curve.reshape(n, -1, 2), points[:, -1:]], 1)


def _spine_chain(s: Solved, count: int) -> Floats:
    frames = [s.frames["head"], *(s.frames[f"body_{k}"] for k in range(1, count + 1))]
    return np.stack([frame.origin for frame in frames], 1)


def _normals(curve: Floats) -> Floats:
    along = np.gradient(curve, axis=1)
    along /= np.maximum(np.sqrt((along * along).sum(2, keepdims=True)), 1e-9)
    return np.stack([-along[..., 1], along[..., 0]], 2)


def _add_fish(sketch: Sketch, c: Character, s: Solved, pose: Pose) -> None:
    h, b, p = c.height, c.build, c.palette
    body, fin_rgb = p.primary.rgb, p.secondary.rgb
    head = s.frames["head"]
    spine = _spine_chain(s, 4)
    nose = head.at(0.11 * h, 0.0)
    curve = _resampled(np.concatenate([nose[:, None], spine], 1), 3)
    k = curve.shape[1]
    share = np.linspace(0.0, 1.0, k)
    half = b.girth * h * np.sqrt(np.clip(share * 2.2, 0.02, 1.0)) * np.clip(1.28 - share**1.5 * 1.15, 0.13, 1.0)
    normal = _normals(curve)
    up, down = curve + normal * half[:, None], curve - normal * half[:, None]
    last = s.frames["body_4"]
    flap = np.clip(channel(pose, "body_4") * 0.7, -1, 1)
    tail = Frame(last.origin, last.angle + flap)
    size = b.tail * h
    sketch.group("back")
    fan = np.array([[0.15, 0.0], [-0.75, -0.8], [-0.5, 0.0], [-0.75, 0.8]]) * size
    sketch.add(tail.place(fan), fin_rgb, convex=False, line=True)
    dorsal = np.concatenate([up[:, 5:10:2], (curve + normal * 1.75 * b.girth * h)[:, 10:5:-2]], 1)
    ventral = np.concatenate([down[:, 6:10:2], (curve - normal * 1.55 * b.girth * h)[:, 10:7:-2]], 1)
    sketch.add(dorsal, fin_rgb, convex=False, line=True)
    sketch.add(ventral, fin_rgb, convex=False, line=True)
    sketch.group("body")
    sketch.add(np.concatenate([up, down[:, ::-1]], 1), body, convex=False, line=True)
    if c.shaded:
        low = np.where((normal[..., 1] > 0)[..., None], up, down)
        sketch.add(
            np.concatenate([curve * 0.35 + low * 0.65, low[:, ::-1]], 1)[:, 1:-1], shade(body, 0.8), convex=False
        )
    mark = p.accent.rgb
    if c.pattern == "striped":
        for i in (5, 8, 11):
            band = np.concatenate([up[:, i : i + 2], down[:, i : i + 2][:, ::-1]], 1)
            sketch.add(band, mark, convex=False)
    elif c.pattern != "plain":
        spots = (
            ((6, 0.4, 0.2), (8, -0.3, 0.24), (10, 0.3, 0.16), (4, -0.45, 0.14))
            if c.pattern == "dotted"
            else ((6, 0.3, 0.42), (10, -0.1, 0.36))
        )
        for i, y, size in spots:
            at = curve[:, i] + normal[:, i] * y * half[i]
            sketch.add(at[:, None] + round_points(10) * size * b.girth * h, mark)
    fin = Frame(
        s.frames["body_1"].at(0.02 * h, 0.25 * b.girth * h), s.frames["body_1"].angle + 0.5 * channel(pose, "fin")
    )
    sketch.add(
        fin.place(np.array([[0.03, -0.03], [-0.2, 0.05], [-0.17, 0.17], [0.0, 0.06]]) * h),
        fin_rgb,
        convex=False,
        line=True,
    )
    sketch.group("head")
    opened = np.clip(channel(pose, "mouth_open"), 0, 1)
    sketch.add(ellipse(head, 0.09 * h, 0.06 * h, 0.035 * h, (0.008 + 0.04 * opened) * h, 8), (96, 28, 32))
    lid = np.maximum(1.0 - channel(pose, "blink_r"), 0.15)
    sketch.add(ellipse(head, 0.01 * h, -0.06 * h, 0.06 * h, 0.062 * h * lid, 12), (250, 250, 248), line=True)
    sketch.add(
        ellipse(head, 0.018 * h + 0.015 * h * channel(pose, "gaze_x"), -0.06 * h, 0.034 * h, 0.04 * h * lid, 8),
        (24, 20, 24),
    )


def _add_snake(sketch: Sketch, c: Character, s: Solved, pose: Pose) -> None:
    h, b, p = c.height, c.build, c.palette
    curve = _resampled(_spine_chain(s, 8), 3)
    k = curve.shape[1]
    share = np.linspace(0, 1, k)
    radius = b.girth * h * np.clip(0.8 + 0.9 * share, 0.0, 1.0) * np.clip(2.6 * (1.06 - share), 0.0, 1.0)
    body, mark = p.primary.rgb, p.accent.rgb
    sketch.group("body")
    outline = c.outline * h
    if outline:
        for i in range(k - 1, 0, -1):
            sketch.add(capsule(curve[:, i - 1], curve[:, i], radius[i - 1] + outline, radius[i] + outline), _ink(c))
    for i in range(k - 1, 0, -1):
        banded = c.pattern == "striped" and (i // 2) % 2 == 0
        rgb = mark if banded else body
        sketch.add(capsule(curve[:, i - 1], curve[:, i], float(radius[i - 1]), float(radius[i])), rgb)
        if c.pattern in ("dotted", "patched") and i % (3 if c.pattern == "dotted" else 5) == 1:
            size = radius[i] * (0.55 if c.pattern == "dotted" else 0.85)
            sketch.add(curve[:, i][:, None] + round_points(8) * size, mark)
    sketch.group("head")
    head = s.frames["head"]
    r = b.girth * h * 1.55
    opened = np.clip(channel(pose, "mouth_open"), 0, 1)
    out = (1.2 + 1.3 * opened) * r
    fork = np.stack(
        [
            head.at(1.0 * r, -0.08 * r),
            head.at(out, -0.08 * r),
            head.at(out + 0.4 * r * opened, -0.35 * r),
            head.at(out + 0.1 * r, 0.0),
            head.at(out + 0.4 * r * opened, 0.35 * r),
            head.at(out, 0.08 * r),
            head.at(1.0 * r, 0.08 * r),
        ],
        1,
    )
    sketch.add(fork, CLOTHES[0].rgb, convex=False)
    sketch.solid(ellipse(head, 0.35 * r, 0.0, 1.15 * r, 0.85 * r, 12), body)
    lid = np.maximum(1.0 - channel(pose, "blink_r"), 0.15)
    for y in (-0.48, 0.48):
        sketch.add(ellipse(head, 0.6 * r, y * r, 0.32 * r, 0.32 * r * lid, 10), (250, 250, 248))
        sketch.add(ellipse(head, 0.72 * r, y * r, 0.18 * r, 0.2 * r * lid, 8), (24, 20, 24))
