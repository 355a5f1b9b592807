"""The command line answers at once, because it loads nothing that it does not need."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

HEAVY = ("torch", "diffusers", "transformers", "cv2", "av", "numpy", "PIL", "pydantic", "rich", "safetensors")

ASK = f"""
import sys
from diptych.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0, end.code
print("loaded:", *[name for name in {HEAVY!r} if name in sys.modules])
"""


def cpu_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def help_of(words: list[str]) -> str:
    """What a wide terminal is shown."""
    command = [sys.executable, "-m", "diptych.cli", *words, "--help"]
    wide = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, env=wide, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("words", [["--help"], ["animate", "--help"], ["train", "mini", "--help"], ["--version"]])
def test_help_loads_no_library(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", ASK, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip() == "loaded:"


def test_help_takes_under_half_a_second_of_cpu() -> None:
    took = []
    for _ in range(3):
        before = cpu_seconds_of_children()
        text = help_of([])
        took.append(cpu_seconds_of_children() - before)
        assert "animate" in text
    assert 0 < min(took) < 0.5


def test_help_keeps_to_80_columns() -> None:
    for words in (
        [],
        ["animate"],
        ["train", "mini"],
        ["bench", "puppets"],
        ["prepare"],
        ["synth"],
        ["keep"],
        ["data", "check"],
        ["data", "look"],
        ["puppets", "sheet"],
        ["puppets", "render"],
        ["review"],
    ):
        text = help_of(words)
        assert " ".join(["usage: diptych", *words]) in text
        assert max(map(len, text.splitlines())) <= 80
