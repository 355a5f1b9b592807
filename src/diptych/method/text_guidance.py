"""Target-oriented text guidance (the paper's section 3.3): this character in that motion, with its own anatomy.

What a model of language does in the paper is done here by rule, so that it works offline and always gives the same: the
looks become the subject of what the motion says, and limbs that the character does not have give way to those it has. A
person's waving hand becomes a bird's wing. Both texts may come from anybody (the rules of ``motion_words`` and
``looks_words``, a model, a manifest); they are material that is put together, whatever they say.
"""

from __future__ import annotations

import re
from typing import Literal

from diptych.method.looks_words import describe_looks
from diptych.method.motion_words import describe_motion

Kind = Literal["person", "animal", "bird", "fish", "snake", "object", "several", "unknown"]
"""What kind of body does the motion: a person, a four-legged animal, and so on; "several" for more than one."""

LONGEST = 2000
"""Characters of a prompt; more is cut at a word."""

_NOUNS: dict[Kind, str] = {
    "bird": "bird parrot cockatoo chicken hen rooster duck goose swan eagle owl penguin crow raven peacock pigeon dove "
    "sparrow flamingo turkey ostrich",
    "fish": "fish goldfish clownfish shark dolphin whale",
    "snake": "snake serpent worm eel caterpillar",
    "animal": "four-legged quadruped animal dog puppy cat kitten horse pony donkey fox wolf cow bull sheep goat pig "
    "deer lion tiger leopard bear rabbit mouse rat elephant giraffe zebra camel hamster capybara squirrel monkey",
    "person": "person man woman boy girl child baby human lady gentleman teenager dancer toddler people men women "
    "children",
    "object": "cup mug teapot kettle pot bottle glass jar lamp box chair table book pencil car ball clock phone "
    "toaster vase",
}
_KIND_OF: dict[str, Kind] = {noun: kind for kind, nouns in _NOUNS.items() for noun in nouns.split()}
_SEVERAL = re.compile(
    r"(?:an? |the )?(?:two|three|four|five|six|seven|eight|nine|ten|several|many|\d+|couple|pair|group|crowd|family)"
    r"\b(?!-)",
    re.IGNORECASE,
)


def kind_of(looks: str) -> Kind:
    """What kind of body a text on looks speaks of: the first noun that is known decides."""
    if _SEVERAL.match(looks.strip()):
        return "several"
    for word in re.findall(r"[a-z]+(?:-[a-z]+)*", looks.lower()):
        for form in (word, word.removesuffix("s"), word.rpartition("-")[2]):
            if form in _KIND_OF:
                return _KIND_OF[form]
    return "unknown"


def fuse(motion: str, looks: str, kind: Kind | None = None) -> str:
    """One prompt in which the character of ``looks`` does what ``motion`` says.

    Args:
        motion: what is done, as :func:`describe_motion` says it, as a phrase without subject ("waves the right
            hand"), or freely.
        looks: how the character looks, best as a noun phrase.
        kind: of body; what the looks say where nothing is said.

    Returns:
        For instance ``A grey bird waves its right wing quickly.``; one text alone where the other is empty, and an
        empty text where both are.
    """
    motion, looks = (" ".join(text.split()).strip() for text in (motion, looks))
    if not motion or not looks:
        return _sentence(motion or looks)
    kind = kind_of(looks) if kind is None else kind
    motion = _with_anatomy(motion, looks, kind)
    subject = looks.rstrip(" .;,")
    if re.search(r"[.!?]\s+\S", looks):  # more than a noun phrase: it stays what it is
        return _sentence(f"{_sentence(looks)} {_capital(motion)}")
    predicate = _predicate(motion, kind)
    if predicate is None:
        each_alone = _EACH_ALONE.match(motion) if kind == "several" else None
        if each_alone:
            return _sentence(f"{subject}: {_uncapital(motion[each_alone.end() :])}")
        return _sentence(f"{_sentence(subject)} {_capital(motion)}")
    if kind == "several":
        return _sentence(f"{subject}: each of them {predicate}")
    return _sentence(f"{subject}{',' if ',' in subject else ''} {predicate}")


_FIGURE = r"(?:figure|person|performer|character|subject|man|woman|boy|girl|child|animal|dancer)"
_SUBJECT = re.compile(rf"(?:the|an?|one) (?:\w+ )?{_FIGURE}\s+(?=\w+s\b)", re.IGNORECASE)
_EACH_ALONE = re.compile(r"(?:\w+) figures\. ", re.IGNORECASE)
_LATER = re.compile(rf"(?<=[.;!] )[Tt]he {_FIGURE}\b")


def _predicate(motion: str, kind: Kind) -> str | None:
    """The motion without its subject; None where it does not begin with a single figure or a verb."""
    found = _SUBJECT.match(motion)
    rest = motion[found.end() :] if found else motion
    if not found and not re.match(r"[a-z]+s\b", rest):
        return None
    pronoun = "They" if kind in ("person", "several") else "It"
    return rest if kind in ("person", "several") else _LATER.sub(pronoun, rest)


def _sentence(text: str) -> str:
    if not text:
        return ""
    if len(text) > LONGEST:
        text = text[:LONGEST].rpartition(" ")[0] or text[:LONGEST]
    return _capital(text) + ("" if text.endswith((".", "!", "?")) else ".")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _uncapital(text: str) -> str:
    return text[:1].lower() + text[1:]


# --- anatomy --------------------------------------------------------------------------------------------------------

_PARTS: dict[str, dict[Kind, str]] = {
    "arm": {"animal": "front leg", "bird": "wing", "fish": "fin", "snake": "=the front of its body", "object": "side"},
    "hand": {"animal": "front paw", "bird": "wing", "fish": "fin", "snake": "=the front of its body", "object": "side"},
    "leg": {"animal": "hind leg", "fish": "=its tail", "snake": "=its tail", "object": "=its base"},
    "foot": {"animal": "hind paw", "fish": "=its tail", "snake": "=its tail", "object": "=its base"},
    "front leg": {"person": "arm", "bird": "wing", "fish": "fin", "snake": "=the front of its body", "object": "side"},
    "front paw": {"person": "hand", "bird": "wing", "fish": "fin", "snake": "=the front of its body", "object": "side"},
    "hind leg": {"person": "leg", "bird": "leg", "fish": "=its tail", "snake": "=its tail", "object": "=its base"},
    "hind paw": {"person": "foot", "bird": "foot", "fish": "=its tail", "snake": "=its tail", "object": "=its base"},
}
"""Part that the motion speaks of -> what takes it over, by kind; after "=" a whole phrase, where there is only one."""

_LIMB = {part: part.replace("hand", "arm").replace("foot", "leg").replace("paw", "leg") for part in _PARTS}
"""The whole limb that a part belongs to: whoever has arms has hands."""

_PLURAL = {"foot": "feet"}
_NAMES = {**{part: part for part in _PARTS}, **{_PLURAL.get(p, f"{p}s"): p for p in _PARTS}, "wrist": "hand"}
_PART = re.compile(
    r"(?<![\w-])(?:(?P<whose>the|its|his|her|their|both|one|each) )?(?P<which>(?:right|left|other|same) )?"
    rf"(?P<part>{'|'.join(sorted((re.escape(name) for name in _NAMES), key=len, reverse=True))})(?![\w-])",
    re.IGNORECASE,
)

_VERBS: dict[Kind, dict[str, str]] = {
    "fish": {"walks": "swims", "runs": "darts", "stands still": "hovers in place", "jumps": "leaps", "trots": "swims",
             "gallops": "darts"},
    "snake": {"walks": "slithers", "runs": "slithers", "stands still": "lies still", "trots": "slithers",
              "gallops": "slithers"},
    "person": {"trots": "runs", "gallops": "runs"},
    "bird": {"trots": "runs", "gallops": "runs"},
    "object": {"walks": "hops along", "runs": "hops along", "trots": "hops along", "gallops": "hops along"},
}  # fmt: skip


def _with_anatomy(motion: str, looks: str, kind: Kind) -> str:
    """The motion with the character's own limbs. What the looks themselves name, the character has."""
    handles = "handle" in looks.lower()
    own = {_LIMB[_NAMES[found["part"].lower()]] for found in _PART.finditer(looks)}

    def replaced(found: re.Match[str]) -> str:
        name = found["part"].lower()
        part = _NAMES[name]
        target = _PARTS[part].get(kind)
        if target is None or _LIMB[part] in own:
            return found[0]
        if target.startswith("="):
            return _capital(target[1:]) if found[0][:1].isupper() else target[1:]
        target = "handle" if target == "side" and handles else target
        plural = name != part and name != "wrist"
        whose = found["whose"] or ""
        mine = "the" if kind == "person" else "its"
        whose = mine if whose.lower() in ("the", "its", "his", "her", "their") else whose
        noun = _PLURAL.get(target, f"{target}s") if plural else target
        return " ".join(filter(None, [whose, (found["which"] or "").strip(), noun]))

    text = _PART.sub(replaced, motion)
    if kind == "snake":
        text = re.sub(r"\bthem again\b", "it again", text)
    for verb, other in _VERBS.get(kind, {}).items():
        text = re.sub(rf"\b{verb}\b", other, text)
    return text


__all__ = ["LONGEST", "Kind", "describe_looks", "describe_motion", "fuse", "kind_of"]
