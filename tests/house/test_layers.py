"""The import contracts of pyproject.toml hold, and each of them bites: one forbidden line in a copy breaks it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "diptych"

# Where a line is planted, the line, and a word of the contract that must break for it.
FORBIDDEN = [
    ("types.py", "import diptych.method", "downward"),
    ("method/planted.py", "import diptych.media", "downward"),
    ("method/planted.py", "import diptych.files", "downward"),
    ("media/planted.py", "import diptych.puppets", "downward"),
    ("puppets/planted.py", "import diptych.media", "downward"),
    ("models/planted.py", "import diptych.animate", "downward"),
    ("animate/planted.py", "import diptych.data", "downward"),
    ("train/planted.py", "import diptych.bench", "downward"),
    ("bench/planted.py", "import diptych.options", "downward"),
    ("options.py", "import diptych.doctor", "downward"),
    ("web/app.py", "import diptych.cli", "downward"),
    ("cellar/__init__.py", "", "downward"),  # a room that no floor names
    ("train/planted.py", "import diptych.experts.pose", "never import experts"),
    ("synth/planted.py", "import diptych.experts.pose", "never import experts"),
    *[("method/planted.py", f"import {name}", "arrays only") for name in ("av", "cv2", "diffusers", "transformers")],
    *[("method/planted.py", f"import {name}", "arrays only") for name in ("PIL.Image", "huggingface_hub", "requests")],
    ("cli.py", "def planted():\n    import torch", "touch no tensors"),
]


def copy_of_the_house(folder: Path) -> Path:
    """The package's Python files and its contracts, to be spoilt."""
    package = folder / "diptych"
    shutil.copytree(PACKAGE, package, ignore=lambda _, names: {n for n in names if Path(n).suffix not in ("", ".py")})
    shutil.copy(ROOT / "pyproject.toml", folder)
    return package


def plant(package: Path, path: str, line: str) -> None:
    file = package / path
    file.parent.mkdir(exist_ok=True)
    (file.parent / "__init__.py").touch()
    with file.open("a") as text:
        text.write(f"\n\n{line}\n")


def lint_imports(folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as c; c()",
            "--no-cache",
            "--no-logo",
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_contracts_hold(tmp_path: Path) -> None:
    copy_of_the_house(tmp_path)
    code, text = lint_imports(tmp_path)
    assert code == 0, text
    assert "4 kept, 0 broken" in text


@pytest.mark.parametrize(("path", "line", "contract"), FORBIDDEN)
def test_a_forbidden_import_breaks_its_contract(tmp_path: Path, path: str, line: str, contract: str) -> None:
    package = copy_of_the_house(tmp_path)
    if "experts" in line:
        plant(package, "experts/pose.py", "")
    plant(package, path, line)
    code, text = lint_imports(tmp_path)
    assert code == 1, text
    verdicts = [line for line in text.splitlines() if line.endswith("BROKEN")]
    assert any(contract in verdict for verdict in verdicts), text


def test_an_expert_reached_through_another_room_counts(tmp_path: Path) -> None:
    package = copy_of_the_house(tmp_path)
    plant(package, "experts/pose.py", "")
    plant(package, "animate/planted.py", "import diptych.experts.pose")
    plant(package, "train/planted.py", "import diptych.animate.planted")
    code, text = lint_imports(tmp_path)
    assert code == 1, text
    assert "Jobs never import experts BROKEN" in text


def test_every_face_there_is_stands_in_the_contract_of_faces() -> None:
    contracts = (ROOT / "pyproject.toml").read_text().split("[[tool.importlinter.contracts]]")
    faces = next(contract for contract in contracts if 'id = "faces"' in contract)
    for face in ("cli", "web"):
        if (PACKAGE / f"{face}.py").exists() or (PACKAGE / face).exists():
            assert f'"diptych.{face}"' in faces
