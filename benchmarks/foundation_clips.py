"""Real clips through `diptych animate --backbone NAME --weights DIR`: frames and times must be the driver's.

    python benchmarks/foundation_clips.py FOLDER [--clips 2]

FOLDER holds `clips/*.mp4` and `refs/*`; where it is missing this says so and stops. Checkpoints are the small random
ones of the tests, in the real format: what is shown is the way from files to a file, window by window, not a picture.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "recipes")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=2, help="so many of them for each backbone, evenly chosen")
    args = parser.parse_args()
    clips, pictures = sorted(args.folder.glob("clips/*.mp4")), sorted(args.folder.glob("refs/*.*"))
    if not clips or not pictures:
        print(f"skipped: no clips and pictures in {args.folder}")
        return 0
    import test_real_clips

    import checkpoints

    wrong = 0
    picked = np.linspace(0, len(clips) - 1, min(args.clips, len(clips))).round().astype(int)
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        os.environ["DIPTYCH_CACHE"] = str(room / "cache")
        folders = {
            "hunyuan15": checkpoints.hunyuan15(room / "hunyuan15"),
            "wan2.1": checkpoints.wan(room / "wan2.1"),
            "wan2.2": checkpoints.wan(room / "wan2.2", release="2.2"),
            "motif": checkpoints.motif(room / "motif"),
        }
        for number, (release, backbone) in enumerate(test_real_clips.CHECKPOINTS.items()):
            for c in map(int, picked):
                picture, began = pictures[(7 * number + 3 * c) % len(pictures)], time.monotonic()
                asked, given = test_real_clips.animated(
                    folders[release], backbone, picture, clips[c], room / f"{release}-{c}.mp4"
                )
                wrong += asked != given
                verdict, seconds = "exact" if asked == given else "WRONG", time.monotonic() - began
                print(
                    f"{release}: {clips[c].stem} + {picture.stem}: {len(given)} frames, times {verdict}, "
                    f"{seconds:.1f} s",
                    flush=True,
                )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
