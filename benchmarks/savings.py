"""How far what saves memory or time moves a result, on the small random checkpoints of the tests.

    python benchmarks/savings.py

Eight steps with guidance on a canvas; latents and pixels together, relative to their norm. Trained networks change less
from step to step than random ones. ``int8`` needs torchao.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "models")]

WAYS = [
    {"offload": "block"},
    {"offload": "leaf"},
    {"storage": "fp8"},
    {"storage": "int8"},
    {"step_cache": "first-block"},
    {"step_cache": "taylor"},
]


def main() -> None:
    import test_savings

    import checkpoints
    from diptych.models.savings import Savings
    from diptych.types import InputError

    with tempfile.TemporaryDirectory() as room:
        os.environ["DIPTYCH_CACHE"] = room
        folders = {
            "hunyuan15": checkpoints.hunyuan15(Path(room) / "hunyuan15"),
            "wan2.2": checkpoints.wan(Path(room) / "wan", release="2.2"),
            "motif": checkpoints.motif(Path(room) / "motif"),
        }
        for name in folders:
            for way in WAYS:
                if way.get("storage") == "int8" and importlib.util.find_spec("torchao") is None:
                    print(f"{name:10} {way}: torchao is not installed")
                    continue
                try:
                    print(f"{name:10} {way}: {test_savings.moved(folders.__getitem__, name, Savings(**way)):.2g}")
                except InputError as error:
                    print(f"{name:10} {way}: {error}")


if __name__ == "__main__":
    main()
