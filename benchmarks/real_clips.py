"""Real clips with real pictures through `diptych animate`: do they finish, with the driver's frames and times?

    python benchmarks/real_clips.py FOLDER [--clips N] [--pictures 3] [--sheet FILE] [--model mini]

FOLDER holds `clips/*.mp4` and `refs/*`. Where it is missing this says so and stops. The mini has seen no real footage;
how that looks stands in the sheet, not in the exit code.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from diptych.media.image import read_image, write_image
from diptych.media.sheet import contact_sheet
from diptych.media.video import read_clip, read_frames
from diptych.options import AnimateOptions
from diptych.recipes.animate import animate_files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, help="only so many of them, evenly chosen (default: all)")
    parser.add_argument("--pictures", type=int, default=3)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--sheet", type=Path)
    args = parser.parse_args()
    clips, pictures = sorted(args.folder.glob("clips/*.mp4")), sorted(args.folder.glob("refs/*.*"))
    if not clips or not pictures:
        print(f"skipped: no clips and pictures in {args.folder}")
        return 0
    rows, wrong = [], 0
    picked = np.linspace(0, len(clips) - 1, min(args.clips or len(clips), len(clips))).round().astype(int)
    with tempfile.TemporaryDirectory() as name:
        for c in picked:
            for p in range(args.pictures):
                picture = pictures[(7 * p + 3 * int(c)) % len(pictures)]
                output, began = Path(name) / f"{c}-{p}.mp4", time.monotonic()
                animate_files(AnimateOptions(picture, clips[c], output, model=args.model, quiet=True))
                asked = [(f.time, f.duration) for f in read_frames(clips[c])]
                given = [(f.time, f.duration) for f in read_frames(output)]
                same = asked == given
                wrong += not same
                seconds = time.monotonic() - began
                verdict = "exact" if same else "WRONG"
                print(f"{clips[c].stem} + {picture.stem}: {len(given)} frames, times {verdict}, {seconds:.1f} s")
                rows += [
                    (f"{clips[c].stem} drives {picture.stem}", read_clip(clips[c]).frames),
                    ("", read_image(picture)[None]),
                    ("", read_clip(output).frames),
                ]
    if args.sheet:
        write_image(args.sheet, contact_sheet(rows, columns=8, height=96))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
