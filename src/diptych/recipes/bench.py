"""``diptych bench``: a model measured on a frozen suite whose right answers are known exactly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np
import torch

from diptych.animate.session import Session
from diptych.bench.cases import Case, driver_rigs
from diptych.bench.report import rank_sheet, table
from diptych.bench.suite import run_suite
from diptych.data.poses import ClipPoses
from diptych.files import write_json
from diptych.media.frame import fit, panel_for, resize, unfit
from diptych.media.image import write_image
from diptych.method.incontext import compose, output_latents
from diptych.method.pixels import to_frames, to_pixels
from diptych.models.protocol import Backbone
from diptych.options import BenchPuppetsOptions, PoseFit
from diptych.progress import progress
from diptych.puppets.footage import POSED
from diptych.puppets.poses import pose_of
from diptych.puppets.suite import SuitePair, suite_pairs
from diptych.recipes.animate import BOX_AND_DEPTH
from diptych.recipes.pose_drive import Placed, placed
from diptych.recipes.session import open_session
from diptych.types import Frames, InputError, Picture

SUITE = "puppets-v1"
"""The newest frozen suite."""


def bench_puppets(options: BenchPuppetsOptions) -> None:
    """Runs the suite and prints a table; writes the figures and a contact sheet where asked for.

    Raises:
        InputError: if there is no such model or suite.
    """
    adapter = None if options.adapter is None else str(options.adapter)
    session = open_session(options.model, options.steps, adapter=adapter)
    name = options.suite or SUITE
    if session.backbone.contract.auxiliary == "depth" and options.pose_fit == "box":
        raise InputError(BOX_AND_DEPTH)
    only = _posed if options.posed or session.backbone.contract.motion == "pose" else None
    chosen = [pair for pair in suite_pairs(name) if only is None or only(pair)]
    total = min(options.pairs or len(chosen), len(chosen))
    began = time.monotonic()
    with progress("bench", total, "pairs") as report:
        result = run_suite(
            answering(session, options.pose_fit),
            through_vae(session.backbone),
            name,
            lambda done, total, pair: report(done, pair),
            first=options.pairs,
            only=only,
            scale=options.scale,
        )
    print(table(result))
    if options.json:
        facts = {
            "model": options.model,
            "adapter": adapter,
            "pose_fit": options.pose_fit if session.backbone.contract.motion == "pose" else None,
            "scale": options.scale,
            "steps": session.settings.steps,
            "seconds": round(time.monotonic() - began, 1),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }
        write_json(options.json, {**result.to_json(), "run": facts})
    if options.sheet:
        write_image(options.sheet, rank_sheet(result))


def _posed(pair: SuitePair) -> bool:
    """Whether skeletons can drive a pair: those of people and four-legged animals are all that is ever estimated."""
    return set(driver_rigs(pair)) <= set(POSED)


def answering(session: Session, pose_fit: PoseFit = "raw") -> Callable[[Case], Frames]:
    """A session as the benchmark asks it: one case to one clip of the driver's length.

    A model that is driven by skeletons is given the driver's exact ones, of joints inside the picture. One of larger or
    smaller pictures is measured at the case's size.

    Args:
        session: the model.
        pose_fit: how skeletons come into their panel.
    """

    def animate(case: Case) -> Frames:
        sample = case.sample
        motion: Iterable[Picture] = sample.motion
        depth: Iterable[Picture] | None = None
        if session.backbone.contract.auxiliary == "depth":
            if case.depth is None:
                raise ValueError(f"nobody knows the depth of case {case.id}")
            depth = case.depth
        if session.backbone.contract.motion == "pose":
            skeletons, panel = skeletons_of(session, case, pose_fit), session.panel(sample.reference)
            motion, depth = skeletons.frames(panel), None if depth is None else skeletons.beside(depth, panel)
        made = np.concatenate(list(session.animate(sample.reference, motion, sample.prompt, auxiliary=depth)))
        return resize(made, case.truth.shape[2], case.truth.shape[1])

    return animate


def skeletons_of(session: Session, case: Case, pose_fit: PoseFit) -> Placed:
    """The skeletons of a case's driver as the session's motion panel shows them."""
    reference, (height, width) = case.sample.reference, case.sample.motion.shape[1:3]
    if case.skeleton is None:
        raise ValueError(f"nobody knows the skeletons of case {case.id}")
    poses = ClipPoses(pose_of(case.skeleton, case.rigs, within=(width, height)), width, height, "puppets")
    panel = session.panel(reference)
    return placed(poses, panel, pose_fit, lambda: session.stand_of(reference))


def through_vae(backbone: Backbone) -> Callable[[Frames], Frames]:
    """The ceiling: frames encoded on canvases and decoded, window by window, as a perfect denoiser would leave them."""
    contract, count = backbone.contract, backbone.contract.panels

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
                latents = output_latents(backbone.encode_canvas(compose(*[pixels] * count)), count)
                made.append(to_frames(backbone.decode(latents))[: len(window)])
        return resize(unfit(np.concatenate(made), box), width, height)

    return encode_decode
