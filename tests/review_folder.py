"""A PAIRS folder whose frames say which they are, with as many pairs as a test wants at the cost of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clips import Made, make, numbered, steady
from diptych.files import sha256
from diptych.media.image import write_image

FPS = 12


def numbered_pairs(folder: Path, count: int, *, frames: int = 20, width: int = 64, height: int = 48) -> Path:
    """Writes pairs that share their three files; source and result are of different length and shape.

    The source has ``frames`` frames and is upright, the result has two frames more and lies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    make(folder, Made("source.mp4", ticks=steady(frames, 25 // FPS), width=height, height=width))
    make(folder, Made("result.mp4", ticks=steady(frames + 2, 25 // FPS), width=width, height=height))
    write_image(folder / "identity.png", numbered(2730, width, height))
    write_lines(folder, [line(folder, f"pair-{number:03d}", frames) for number in range(count)])
    return folder


def line(folder: Path, name: str, frames: int, **fields: Any) -> dict[str, Any]:
    """A line of the manifest, fields set as its author would have them."""
    named = {"driving": "result.mp4", "target": "source.mp4", "identity": "identity.png"}
    return {
        "id": name,
        "driving": named["driving"],
        "target": named["target"],
        "prompt": f"a made-up character, number {name}",
        "fps": str(FPS),
        "frames": frames,
        "pair": {"identity": named["identity"], "source": name},
        "sha256": {key: sha256(folder / file) for key, file in named.items()},
        **fields,
    }


def write_lines(folder: Path, lines: list[dict[str, Any]]) -> None:
    """Writes the manifest of a folder, whatever stands in it."""
    (folder / "pairs.jsonl").unlink(missing_ok=True)  # which may be linked from elsewhere
    (folder / "pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
