#!/usr/bin/env bash
# The bundled picture and clip, drawn again from their seed: an unseen puppet each, outside the frozen suite.
#   runs/make_assets.sh [SEED] [CATEGORY]
set -eu
cd "$(dirname "$0")/.."
"${PYTHON:-.venv/bin/python}" - "${1:-5019}" "${2:-person_full}" <<'PY'
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

from diptych.media.image import write_image
from diptych.media.video import write_clip
from diptych.puppets.scenes import draw_pair
from diptych.puppets.suite import suite_pairs
from diptych.types import Clip

seed, category = int(sys.argv[1]), sys.argv[2]
assert seed not in {pair.pair.seed for pair in suite_pairs()}, "that pair belongs to the frozen suite"
pair = draw_pair(seed, category=category, split="eval")
folder = Path("src/diptych/assets")
folder.mkdir(exist_ok=True)
write_image(folder / "reference.png", pair.reference(384, round(384 / pair.reference_aspect / 2) * 2).frames[0])
fps, width = 12, 256
frames = pair.driving(pair.start + np.arange(5 * fps) / fps, width, round(width / pair.driving_aspect / 2) * 2).frames
write_clip(folder / "driving.mp4", Clip.at_fps(frames, Fraction(fps)))
print(pair.caption)
PY
