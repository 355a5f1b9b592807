"""docs/paper-map.md names one home in the code for every idea of the paper; the homes exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAP = ROOT / "docs" / "paper-map.md"

Row = tuple[str, str, str]


def rows() -> list[Row]:
    """(idea, home, state) of every line of the map's tables."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in MAP.read_text().splitlines()
        if line.startswith("|") and not set(line) <= set("|-: ")
    ]
    return [(idea, home, state) for idea, _, home, state in cells if state in ("here", "later")]


def names_in(source: str) -> set[str]:
    """Names that a module's text defines at its top level, and ``Class.member`` for what classes define."""
    found: set[str] = set()

    def walk(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(prefix + node.name)
                if isinstance(node, ast.ClassDef):
                    walk(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.Assign):
                found.update(prefix + target.id for target in node.targets if isinstance(target, ast.Name))
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(prefix + node.target.id)

    walk(ast.parse(source).body, "")
    return found


def home_of(cell: str) -> tuple[str, str]:
    match = re.fullmatch(r"`(src/diptych/[\w/]+\.py)::([\w.]+)`", cell)
    assert match, f"{cell} is not one home, `src/diptych/....py::name`"
    return match[1], match[2]


def stands(path: str, name: str) -> bool:
    file = ROOT / path
    return file.exists() and name in names_in(file.read_text())


def test_the_map_is_a_map() -> None:
    ideas = [idea for idea, _, _ in rows()]
    assert len(ideas) >= 20
    assert len(set(ideas)) == len(ideas)
    lines = [line for line in MAP.read_text().splitlines() if line.startswith("|")]
    tables = sum("| Idea |" in line for line in lines)
    assert len(lines) == len(ideas) + 2 * tables, "a line of a table says neither here nor later"


@pytest.mark.parametrize(("idea", "home", "state"), rows(), ids=lambda text: text[:40])
def test_every_idea_has_the_home_it_claims(idea: str, home: str, state: str) -> None:
    path, name = home_of(home)
    if state == "here":
        assert stands(path, name), f"{idea}: {path} has no {name}"
    else:
        assert not stands(path, name), f"{idea}: {path}::{name} is there by now; the map still says later"


def test_names_are_found_where_they_stand() -> None:
    source = "A = 1\nb: int = 2\n\ndef f(): ...\n\nclass K:\n    x: int\n    def m(self):\n        inner = 1\n"
    assert names_in(source) == {"A", "b", "f", "K", "K.x", "K.m"}
