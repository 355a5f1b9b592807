"""What is committed: small, nameable, safe to load, and nobody's machine."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MIB = 2**20

# Written in two halves, so that this file does not name what it forbids.
PLACES = ["/" + name + "/" for name in ("work", "root", "home", "opt")] + ["/tmp" + "/dev"]
HOSTS = ["pypi" + ".org", "python" + "hosted", "pytorch" + ".org/whl", "." + "library/"]

VAGUE_NAMES = {"util", "utils", "helper", "helpers", "manager", "base", "common", "misc"}


@cache
def tracked() -> tuple[Path, ...]:
    try:
        done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return tuple(ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file())


def megabytes(files: list[Path]) -> float:
    return sum(file.stat().st_size for file in files) / MIB


def text_of(file: Path) -> str:
    """The file's text, or nothing where it holds binary data."""
    data = file.read_bytes()
    return "" if b"\0" in data[:8192] else data.decode("utf-8", errors="replace")


def test_the_tree_stays_small() -> None:
    assert 0 < megabytes(list(tracked())) < 50
    assert megabytes([file for file in tracked() if file.suffix == ".safetensors"]) < 40


def test_every_file_has_a_name_that_says_something() -> None:
    assert not [file for file in tracked() if file.stem in VAGUE_NAMES or file.parent.name in VAGUE_NAMES]


@pytest.mark.parametrize("pattern", PLACES + HOSTS)
def test_no_file_names_a_machine_or_a_registry(pattern: str) -> None:
    # A path begins where no name goes on: "src/home/" is a folder of ours.
    wanted = re.compile((r"(?<![\w.$}])" if pattern.startswith("/") else "") + re.escape(pattern))
    assert not [f"{file.relative_to(ROOT)}" for file in tracked() if wanted.search(text_of(file))]


def unsafe_loads(source: str) -> list[int]:
    """Lines on which a module imports a pickler, or reads tensors in a way that may run code."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            modules = []
        if {module.partition(".")[0] for module in modules} & {"pickle", "dill", "cloudpickle", "joblib", "shelve"}:
            lines.append(node.lineno)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "np.load", "numpy.load"):
            keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
            safe = (
                keywords.get("weights_only") == "True"
                if ast.unparse(node.func) == "torch.load"
                else keywords.get("allow_pickle", "False") == "False"
            )
            lines += [] if safe else [node.lineno]
    return lines


def test_nothing_that_is_loaded_can_run_code() -> None:
    sources = [file for file in tracked() if file.suffix == ".py" and (ROOT / "src") in file.parents]
    assert sources
    assert not [f"{file.relative_to(ROOT)}:{line}" for file in sources for line in unsafe_loads(file.read_text())]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import pickle", [1]),
        ("from pickle import loads", [1]),
        ("x = torch.load(f)", [1]),
        ("x = torch.load(f, weights_only=False)", [1]),
        ("x = torch.load(f, weights_only=True)", []),
        ("import json\nx = np.load(f, allow_pickle=True)", [2]),
        ("x = np.load(f)", []),
    ],
)
def test_unsafe_loading_is_seen(source: str, lines: list[int]) -> None:
    assert unsafe_loads(source) == lines
