"""``diptych bench``: a model measured on a frozen suite whose right answers are known exactly."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from diptych.animate.session import Session
from diptych.bench.cases import Case
from diptych.bench.report import rank_sheet, table
from diptych.bench.suite import run_suite
from diptych.files import write_json
from diptych.media.frame import fit, panel_for, unfit
from diptych.media.image import write_image
from diptych.method.incontext import compose, output_latents
from diptych.method.pixels import to_frames, to_pixels
from diptych.models.protocol import Backbone
from diptych.options import BenchPuppetsOptions
from diptych.progress import progress
from diptych.puppets.suite import suite_pairs
from diptych.recipes.animate import open_session
from diptych.types import Frames

SUITE = "puppets-v1"
"""The newest frozen suite."""


def bench_puppets(options: BenchPuppetsOptions) -> None:
    """Runs the suite and prints a table; writes the figures and a contact sheet where asked for.

    Raises:
        InputError: if there is no such model or suite.
    """
    session = open_session(options.model, options.steps)
    name = options.suite or SUITE
    total = min(options.pairs or len(suite_pairs(name)), len(suite_pairs(name)))
    began = time.monotonic()
    with progress("bench", total, "pairs") as report:
        result = run_suite(
            answering(session),
            through_vae(session.backbone),
            name,
            lambda done, total, pair: report(done, pair),
            first=options.pairs,
        )
    print(table(result))
    if options.json:
        facts = {
            "model": options.model,
            "steps": session.settings.steps,
            "seconds": round(time.monotonic() - began, 1),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }
        write_json(options.json, {**result.to_json(), "run": facts})
    if options.sheet:
        write_image(options.sheet, rank_sheet(result))


def answering(session: Session) -> Callable[[Case], Frames]:
    """A session as the benchmark asks it: one sample to one clip of the driver's length."""

    def animate(case: Case) -> Frames:
        sample = case.sample
        return np.concatenate(list(session.animate(sample.reference, sample.motion, sample.prompt)))

    return animate


def through_vae(backbone: Backbone) -> Callable[[Frames], Frames]:
    """The ceiling: frames encoded on canvases and decoded, window by window, as a perfect denoiser would leave them."""
    contract = backbone.contract

    def encode_decode(frames: Frames) -> Frames:
        height, width = frames.shape[1:3]
        box = panel_for(width, height, contract.panel_area, contract.panel_multiple)
        panels, _ = fit(frames, box)
        made = []
        for start in range(0, len(panels), contract.window_frames):
            window = panels[start : start + contract.window_frames]
            held = np.concatenate([window, window[-1:].repeat(contract.window_frames - len(window), axis=0)])
            pixels = to_pixels(held).to(backbone.device)
            with torch.no_grad():
                latents = output_latents(backbone.encode_canvas(compose(pixels, pixels)))
                made.append(to_frames(backbone.decode(latents))[: len(window)])
        return unfit(np.concatenate(made), box)

    return encode_decode
