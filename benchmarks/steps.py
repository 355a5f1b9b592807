"""How many Euler steps? PSNR on held-out draws of the training world, which the frozen suite has no part in.

    python benchmarks/steps.py [--draws 64] [--steps 1 2 4 8 16] [--model mini]

Mean over draws of the new frames' PSNR against the truth, for all draws and for those that open a video. FACTS.steps is
chosen here.
"""

from __future__ import annotations

import argparse

import numpy as np

from diptych.animate.sampler import SamplerSettings
from diptych.data.draws import draw
from diptych.models.store import load_mini, model_folder
from diptych.recipes.mini import HELD_OUT
from diptych.train.denoiser import animate_draw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--model", default="mini")
    args = parser.parse_args()
    mini = load_mini(model_folder(args.model))
    # Beyond those that previews show during training, so that nothing was chosen on them.
    draws = [draw(HELD_OUT + 1000 + n, mini.contract, locate=mini.locate) for n in range(args.draws)]
    opens = np.array([not d.window.history for d in draws])
    for steps in args.steps:
        scores = []
        for number, drawn in enumerate(draws):
            made = animate_draw(mini, drawn, SamplerSettings(steps=steps), seed=number)
            new = slice(drawn.window.first_new, None)
            error = np.square(made[new].astype(np.float64) - drawn.output[new]).mean() / 255**2
            scores.append(-10 * np.log10(max(error, 1e-10)))
        found = np.array(scores)
        print(f"{steps:3} steps: {found.mean():.2f} dB, opening windows {found[opens].mean():.2f} dB", flush=True)


if __name__ == "__main__":
    main()
