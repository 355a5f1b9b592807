"""Characters: who is in the picture. Looks only; what they do is drawn elsewhere and independently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diptych.puppets.palette import AGED, CLOTHES, FUR, HAIR, SKIN, Colour, distance, jittered
from diptych.puppets.rigs import Build

Rng = np.random.Generator

RIG_OF: dict[str, str] = {
    "child": "biped",
    "adult": "biped",
    "elderly": "biped",
    "cartoon": "biped",
    "cat": "quadruped",
    "dog": "quadruped",
    "horse": "quadruped",
    "cow": "quadruped",
    "bird": "bird",
    "fish": "fish",
    "snake": "snake",
    "cup": "object",
    "box": "object",
    "teapot": "object",
    "pencil": "object",
}
"""Every kind of character and the rig it hangs on."""

KINDS: tuple[str, ...] = tuple(RIG_OF)
PEOPLE: tuple[str, ...] = ("child", "adult", "elderly")
PATTERNS: tuple[str, ...] = ("plain", "striped", "dotted", "patched")
PROPS: tuple[str, ...] = ("ball", "balloon", "flag", "umbrella", "bag", "wand")
_PATTERN_WEIGHTS = (0.46, 0.22, 0.16, 0.16)


@dataclass(frozen=True)
class Parts:
    """What a character wears and is made of; a field means nothing for kinds that lack it.

    Attributes:
        hair: bald, short, long, ponytail, bun, curly or spiky.
        hat: none, cap, beanie, top hat or sun hat.
        lower: trousers, shorts, skirt or dress.
        sleeves: long or short.
        eyes: round (white with a pupil) or dots.
        ears: round, pointed, long or floppy (cartoons and animals).
        face_hair: none, beard or moustache.
        glasses: whether glasses are worn.
    """

    hair: str = "bald"
    hat: str = "none"
    lower: str = "trousers"
    sleeves: str = "long"
    eyes: str = "round"
    ears: str = "round"
    face_hair: str = "none"
    glasses: bool = False


@dataclass(frozen=True)
class Palette:
    """Colours of a character.

    Attributes:
        primary: shirt, fur, scales or body.
        secondary: trousers, belly, fins, limbs or spots.
        accent: pattern, hat and prop; the top of cartoons.
        skin: face and hands of people, muzzle of cartoons.
        hair: hair, mane, beak.
        shoes: shoes, hooves, paws.
    """

    primary: Colour
    secondary: Colour
    accent: Colour
    skin: Colour
    hair: Colour
    shoes: Colour


@dataclass(frozen=True)
class Character:
    """One made-up being. Equal characters look equal.

    Attributes:
        kind: one of KINDS.
        rig: one of ``rigs.RIGS``.
        height: world units (a grown man is about 1.75).
        build: proportions as fractions of the height.
        palette: colours with their names.
        pattern: one of PATTERNS, on shirt, fur or body.
        parts: what it wears.
        props: things in the right hand, at most one; bipeds only.
        outline: width of the dark outline as a fraction of the height, 0 for none.
        shaded: whether its right side is darker.
    """

    kind: str
    rig: str
    height: float
    build: Build
    palette: Palette
    pattern: str
    parts: Parts
    props: tuple[str, ...]
    outline: float
    shaded: bool

    def looks(self) -> str:
        """Appearance in English with its article, no full stop."""
        return _looks(self)


def held_out(primary: Colour, secondary: Colour, pattern: str) -> bool:
    """Whether this combination of two colour names and a pattern belongs to the evaluation split (one in seven)."""
    names = [colour.name for colour in (*CLOTHES, *FUR)]
    return (3 * names.index(primary.name) + 5 * names.index(secondary.name) + PATTERNS.index(pattern)) % 7 == 3


def draw_character(rng: Rng, kind: str | None = None, split: str = "train") -> Character:
    """Draw somebody.

    Args:
        rng: source of all randomness.
        kind: one of KINDS, or None for any.
        split: "train" or "eval"; the two share no combination of primary colour, secondary colour and pattern.

    Raises:
        ValueError: if the kind or the split is unknown.
    """
    if split not in ("train", "eval"):
        raise ValueError(f"split must be train or eval, not {split!r}")
    kind = kind if kind is not None else _pick(rng, KINDS)
    if kind not in RIG_OF:
        raise ValueError(f"no such kind of character: {kind!r}")
    palette, pattern = _draw_palette(rng, kind, split)
    return Character(
        kind=kind,
        rig=RIG_OF[kind],
        height=_draw_height(rng, kind),
        build=_draw_build(rng, kind),
        palette=palette,
        pattern=pattern,
        parts=_draw_parts(rng, kind),
        props=_draw_props(rng, kind),
        outline=float(rng.uniform(0.006, 0.014)) if rng.random() < 0.6 else 0.0,
        shaded=bool(rng.random() < 0.6),
    )


def _pick(rng: Rng, options: Sequence[str], weights: Sequence[float] | None = None) -> str:
    if weights is None:
        return options[int(rng.integers(len(options)))]
    edges = np.cumsum(weights)
    return options[min(int(np.searchsorted(edges, rng.random() * edges[-1], side="right")), len(options) - 1)]


def _colour(rng: Rng, options: Sequence[Colour]) -> Colour:
    return options[int(rng.integers(len(options)))]


def _draw_palette(rng: Rng, kind: str, split: str) -> tuple[Palette, str]:
    furry = RIG_OF[kind] == "quadruped" or (kind == "cartoon" and rng.random() < 0.5)
    main = FUR if furry else CLOTHES
    while True:
        primary, secondary, accent = _colour(rng, main), _colour(rng, main), _colour(rng, main)
        if kind == "cartoon":
            secondary, accent = _colour(rng, CLOTHES), _colour(rng, CLOTHES)
        pattern = _pick(rng, PATTERNS, _PATTERN_WEIGHTS)
        # Colours that nobody can tell apart would make the pattern and the words untrue.
        close = min(distance(primary.rgb, secondary.rgb), distance(primary.rgb, accent.rgb)) < 70
        if not close and held_out(primary, secondary, pattern) == (split == "eval"):
            break
    skin = _colour(rng, SKIN)
    hair = _colour(rng, AGED if kind == "elderly" else HAIR)
    if kind == "cartoon":
        skin = Colour("light", _light_of(primary))
    if kind == "bird":
        hair = _colour(rng, (CLOTHES[1], CLOTHES[2], CLOTHES[14]))
    shoes = _colour(rng, CLOTHES)
    colours = [jittered(rng, c) for c in (primary, secondary, accent)]
    return Palette(colours[0], colours[1], colours[2], jittered(rng, skin, 8), jittered(rng, hair, 8), shoes), pattern


def _light_of(colour: Colour) -> tuple[int, int, int]:
    r, g, b = (int(c + (255 - c) * 0.55) for c in colour.rgb)
    return (r, g, b)


_HEIGHTS: dict[str, tuple[float, float]] = {
    "child": (1.0, 1.3),
    "adult": (1.6, 1.95),
    "elderly": (1.5, 1.75),
    "cartoon": (1.1, 1.7),
    "cat": (0.9, 1.1),
    "dog": (1.0, 1.3),
    "horse": (1.6, 1.9),
    "cow": (1.4, 1.7),
    "bird": (0.9, 1.3),
    "fish": (0.9, 1.4),
    "snake": (1.1, 1.7),
    "cup": (1.0, 1.4),
    "box": (1.0, 1.4),
    "teapot": (1.0, 1.3),
    "pencil": (1.3, 1.7),
}


def _draw_height(rng: Rng, kind: str) -> float:
    low, high = _HEIGHTS[kind]
    return float(rng.uniform(low, high))


def _draw_build(rng: Rng, kind: str) -> Build:
    def u(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    rig = RIG_OF[kind]
    if rig == "biped":
        head = {"child": u(0.125, 0.155), "cartoon": u(0.15, 0.19)}.get(kind, u(0.088, 0.108))
        neck = u(0.015, 0.03)
        rest = 1.0 - 2 * head - neck - 0.035
        share = u(0.52, 0.58) if kind in ("adult", "elderly") else u(0.42, 0.52)
        wide = u(0.8, 1.35)
        limb = u(0.03, 0.042) * (0.75 + 0.25 * wide)
        return Build(
            head=head,
            torso=rest * (1 - share),
            shoulders=u(0.085, 0.1) * wide,
            hips=u(0.052, 0.064) * wide,
            arm=u(0.8, 0.95) * rest * 0.55,
            leg=rest * share,
            limb=limb,
            girth=u(0.085, 0.105) * wide,
            neck=neck,
            tail=u(0.15, 0.3) if kind == "cartoon" else 0.0,
        )
    if rig == "quadruped":
        leg = {"cat": u(0.26, 0.34), "dog": u(0.2, 0.42), "horse": u(0.4, 0.5), "cow": u(0.3, 0.38)}[kind]
        return Build(
            head={"cat": u(0.12, 0.14), "dog": u(0.1, 0.13), "horse": 0.09, "cow": 0.105}[kind],
            torso=u(0.52, 0.66) if kind != "horse" else u(0.56, 0.66),
            shoulders=0.0,
            hips=0.0,
            arm=leg,
            leg=leg,
            limb=u(0.035, 0.05),
            girth={"cat": u(0.1, 0.13), "dog": u(0.1, 0.14), "horse": u(0.13, 0.15), "cow": u(0.16, 0.19)}[kind],
            neck={"cat": 0.14, "dog": u(0.14, 0.2), "horse": u(0.26, 0.32), "cow": 0.16}[kind],
            tail={"cat": u(0.32, 0.42), "dog": u(0.2, 0.34), "horse": 0.36, "cow": 0.34}[kind],
        )
    if kind == "bird":
        leg = u(0.14, 0.3)
        torso = 0.94 - leg - 2 * 0.13
        return Build(
            head=u(0.12, 0.15),
            torso=torso,
            shoulders=u(0.12, 0.16),
            hips=0.07,
            arm=u(0.42, 0.52),
            leg=leg,
            limb=0.022,
            girth=u(0.18, 0.24),
            neck=u(-0.02, 0.04),
            tail=u(0.2, 0.32),
        )
    if rig in ("fish", "snake"):
        girth = u(0.17, 0.28) if rig == "fish" else u(0.055, 0.08)
        torso = 0.85 if rig == "fish" else u(1.15, 1.4)
        return Build(0.12, torso, 0, 0, 0, 0, 0, girth, 0, u(0.2, 0.3))
    leg = u(0.2, 0.34)
    half = {"cup": u(0.2, 0.27), "box": u(0.2, 0.3), "teapot": u(0.26, 0.32), "pencil": u(0.1, 0.13)}[kind]
    return Build(
        head=min(half, 0.2) * 0.95,
        torso=0.95 - leg,
        shoulders=half * 0.98,
        hips=half * 0.45,
        arm=u(0.34, 0.44),
        leg=leg,
        limb=u(0.022, 0.032),
        girth=half,
        neck=0.0,
    )


def _draw_parts(rng: Rng, kind: str) -> Parts:
    if kind in PEOPLE:
        hair = _pick(rng, ("short", "long", "ponytail", "bun", "curly", "spiky", "bald"), (3, 2, 1, 1, 1.5, 1, 0.5))
        lower = _pick(rng, ("trousers", "shorts", "skirt", "dress"), (4, 2, 1.5, 1.5))
        hat = _pick(rng, ("none", "cap", "beanie", "top hat", "sun hat"), (6, 1, 1, 0.6, 0.6))
        grown = kind != "child" and lower in ("trousers", "shorts") and hair in ("short", "bald", "curly")
        face_hair = _pick(rng, ("none", "beard", "moustache"), (2, 1, 1)) if grown else "none"
        return Parts(
            hair=hair,
            hat=hat,
            lower=lower,
            sleeves=_pick(rng, ("long", "short")),
            eyes=_pick(rng, ("round", "dots")),
            face_hair=face_hair,
            glasses=bool(rng.random() < (0.4 if kind == "elderly" else 0.15)),
        )
    if kind == "cartoon":
        return Parts(
            hat=_pick(rng, ("none", "cap", "top hat"), (5, 1, 1)),
            lower=_pick(rng, ("trousers", "shorts", "skirt")),
            sleeves=_pick(rng, ("long", "short")),
            ears=_pick(rng, ("round", "pointed", "long", "floppy")),
        )
    ears = {"cat": "pointed", "horse": "pointed", "cow": "floppy"}.get(kind) or _pick(rng, ("pointed", "floppy"))
    return Parts(eyes=_pick(rng, ("round", "dots"), (3, 1)), ears=ears)


def _draw_props(rng: Rng, kind: str) -> tuple[str, ...]:
    if RIG_OF[kind] != "biped" or rng.random() > 0.18:
        return ()
    return ("cane",) if kind == "elderly" and rng.random() < 0.6 else (_pick(rng, PROPS),)


def _looks(c: Character) -> str:
    p = c.palette
    pattern = "" if c.pattern == "plain" else f" {c.pattern}"
    if c.kind in PEOPLE:
        return _person_looks(c, pattern)
    if c.kind == "cartoon":
        being = {"round": "bear", "pointed": "cat", "long": "rabbit", "floppy": "dog"}[c.parts.ears]
        top = f"{p.accent.name}{pattern} top"
        lower = f"{p.secondary.name} {c.parts.lower}"
        lower = f"{_article(lower)} {lower}" if c.parts.lower == "skirt" else lower
        return f"a cartoon {being} with {p.primary.name} fur in {_article(top)} {top} and {lower}{_extras(c)}"
    if c.rig == "quadruped":
        legs = "long-legged" if c.build.leg > 0.36 else "short-legged" if c.build.leg < 0.27 else ""
        words = " ".join(w for w in (legs, p.primary.name, c.kind) if w)
        spots = f" with {p.accent.name} {_marks(c.pattern)}" if c.pattern != "plain" else ""
        return f"{_article(words)} {words}{spots}"
    if c.kind == "bird":
        return f"{_article(p.primary.name)} {p.primary.name}{pattern} bird with {p.secondary.name} wings"
    if c.kind == "fish":
        return f"{_article(p.primary.name)} {p.primary.name}{pattern} fish with {p.secondary.name} fins"
    if c.kind == "snake":
        return f"{_article(p.primary.name)} {p.primary.name}{pattern} snake"
    words = f"{p.primary.name}{pattern} {c.kind}"
    return f"{_article(words)} {words} with {p.secondary.name} arms and legs"


def _person_looks(c: Character, pattern: str) -> str:
    low, high = _HEIGHTS[c.kind]
    size = "tall " if c.height > low + 0.7 * (high - low) else "short " if c.height < low + 0.3 * (high - low) else ""
    build = "sturdy " if c.build.girth > 0.117 else "slim " if c.build.girth < 0.082 else ""
    noun = {"child": "child", "adult": "adult", "elderly": "elderly person"}[c.kind]
    being = f"{size}{build}{noun}"
    p = c.palette
    if c.parts.lower == "dress":
        wear = f"{p.primary.name}{pattern} dress"
        wear = f"{_article(wear)} {wear}"
    else:
        shirt, lower = f"{p.primary.name}{pattern} shirt", f"{p.secondary.name} {c.parts.lower}"
        wear = f"{_article(shirt)} {shirt} and {_article(lower) + ' ' if c.parts.lower == 'skirt' else ''}{lower}"
    style = {"short": "short ", "long": "long ", "curly": "curly ", "spiky": "spiky "}.get(c.parts.hair, "")
    hair = {
        "bald": "a bald head",
        "ponytail": f"a {p.hair.name} ponytail",
        "bun": f"{p.hair.name} hair in a bun",
    }.get(c.parts.hair, f"{style}{p.hair.name} hair")
    return f"{_article(being)} {being} in {wear} with {hair}{_extras(c)}"


def _extras(c: Character) -> str:
    extras = []
    if c.parts.face_hair != "none":
        extras.append(f"a {c.parts.face_hair}")
    if c.parts.glasses:
        extras.append("glasses")
    if c.parts.hat != "none":
        extras.append(f"{_article(c.palette.accent.name)} {c.palette.accent.name} {c.parts.hat}")
    text = "".join(f", {extra}" for extra in extras)
    return text + "".join(f", holding {_article(prop)} {prop}" for prop in c.props)


def _marks(pattern: str) -> str:
    return {"striped": "stripes", "dotted": "dots", "patched": "patches"}[pattern]


def _article(words: str) -> str:
    return "an" if words[0] in "aeiou" else "a"
