"""Does the mini know its draws by heart, and does it hear the driver? Error of the clean canvas that it predicts.

    python benchmarks/generalisation.py [--draws 160] [--model mini]

Mean squared error in the latents of the generated cells of the left panel, by sigma, for windows that open a video and
windows that continue one, on trained and on unseen draws. Equal figures mean that nothing is learnt by heart. The last
line is the share by which the error at pure noise grows when every draw is given another draw's driver: 0 means that
the motion is not heard.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
import torch

from diptych.data.canvases import collate, encode_draw
from diptych.data.draws import KIN_SHARE, draw
from diptych.method.diffusion import clean_from_velocity, noised, seeded
from diptych.method.incontext import model_input, output_latents
from diptych.models.mini import MiniBackbone
from diptych.models.store import load_mini, model_folder
from diptych.recipes.mini import HELD_OUT
from diptych.train.denoiser import driver_gap

SIGMAS = (0.5, 0.9, 1.0)


@torch.no_grad()
def errors(mini: MiniBackbone, numbers: range, kin_share: float) -> dict[str, float]:
    found = defaultdict(list)
    for number in numbers:
        drawn = draw(number, mini.contract, kin_share=kin_share, locate=mini.locate)
        target, condition = collate([encode_draw(drawn, mini.encode_canvas, mini.facts.empty)])
        text = mini.encode_text([drawn.prompt])
        given = 1 + drawn.window.history // mini.facts.temporal_stride
        for value in SIGMAS:
            sigma = torch.tensor([value])
            x = noised(target, torch.randn(target.shape, generator=seeded(0, number)), sigma)
            clean = clean_from_velocity(x, mini.denoise(model_input(x, condition), sigma, text), sigma)
            error = output_latents((clean - target).square())[:, :, given:].mean().item()
            found[f"{'continues' if drawn.window.history else 'opens'} {value}"].append(error)
    return {name: float(np.mean(values)) for name, values in sorted(found.items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=160)
    parser.add_argument("--model", default="mini")
    args = parser.parse_args()
    mini = load_mini(model_folder(args.model))
    # The same mix as the cache's, or seen and unseen draws would differ in more than being seen.
    first = mini.notes["denoiser"]["recipe"].get("first_draw", 0)
    seen = errors(mini, range(first, first + args.draws), KIN_SHARE)
    unseen = errors(mini, range(HELD_OUT, HELD_OUT + args.draws), KIN_SHARE)
    for name, value in seen.items():
        print(f"{name:16} trained on {value:.3f}   never seen {unseen[name]:.3f}")
    gap = driver_gap(mini, [draw(HELD_OUT + n, mini.contract, locate=mini.locate) for n in range(args.draws)])
    print(f"with another's driver the error at sigma 1 grows by {gap:.1%}")


if __name__ == "__main__":
    main()
