"""Does the measured judge say what the right answer says? Results of known quality, on puppets.

    python benchmarks/measured_judge.py [--pairs 11]            fits on one set of pairs, measures on another
    python benchmarks/measured_judge.py --shipped               measures what the package ships
    python benchmarks/measured_judge.py --write                 and writes the calibration that the package ships
    python benchmarks/measured_judge.py --keep FOLDER           keeps what was measured, and goes on from it

Training pairs of the made-up world, so that nothing is tuned on a suite. For each pair, results that are wrong in a
known way: the truth itself, through the mini's VAE, blurred, noisy, flickering, jittered, shuffled in time, late,
another motion, another character or its colours, blends of these, the reference held, and what the shipped mini makes.
Each is measured twice: against the truth, exactly, and by the symptoms that need none. Exact scores run from 5 at no
error to 1 at an error as large as a wrong answer's: SSIM 0.5, motion error 1, identity error 1, and surplus change 10:
levels by which pixels change from frame to frame beyond any change of the truth within two pixels, on average, counted
by its logarithm. SSIM tells imaging only where pose and looks are right, so the imaging curve is fitted on results in
which they are.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from diptych.bench.controls import donor_for, in_other_motion, with_other_colours, with_other_looks
from diptych.bench.measures import psnr_db, ssim
from diptych.bench.seesaw import identity_error, motion_error
from diptych.experts.measured import SYMPTOMS, Calibration, fitted_curve
from diptych.experts.symptoms import symptoms_of
from diptych.files import write_json
from diptych.method.judging import DIMENSIONS, Dimension, Performance
from diptych.method.ranks import kendall, spearman
from diptych.puppets.pairs import Pair, draw_pair
from diptych.puppets.render import Rendering
from diptych.puppets.sheet import panel_size
from diptych.recipes.bench import through_vae
from diptych.recipes.session import open_session
from diptych.types import Frames

FRAMES, FPS = 24, 12
FIT, TEST, MINIS = 9_000_000, 9_001_000, 9_000_030
"""First seeds: of the pairs that are fitted on, of those that agreement is measured on, and of further ones of which
only what the mini makes is measured, since that is what has to be put in order."""

SHIPPED = Path(__file__).parents[1] / "src/diptych/experts/measured_calibration.json"

IN_PLACE = ("truth", "vae", "mini", "half mini", "soft", "blurred", "washed", "noisy", "ghosts", "half still")
"""Results whose pose and looks are the truth's, or were meant to be."""

Row = dict[str, Any]


# --- results of known quality ---------------------------------------------------------------------------------------


def results(pair: Pair, truth: Rendering, reference: Frames, made: Frames, vae: Frames) -> dict[str, Frames]:
    """Results of a pair by name; all of the truth's shape."""
    right, rng, size = truth.frames, np.random.default_rng(pair.seed), panel_size(pair.reference_aspect)
    donor, still = donor_for(pair), np.repeat(reference, FRAMES, axis=0)

    def shown(other: Pair, delay: float = 0.0) -> Frames:
        return other.truth(other.start + delay + np.arange(FRAMES) / FPS, *size).frames

    def rounded(values: np.ndarray) -> Frames:
        return np.clip(np.rint(values), 0, 255).astype(np.uint8)

    def blend(one: Frames, other: Frames, share: float) -> Frames:
        return rounded((1 - share) * one.astype(np.float32) + share * other)

    def blurred(sigma: float) -> Frames:
        return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in right])

    def jittered(pixels: int) -> Frames:
        moves = rng.integers(-pixels, pixels + 1, (FRAMES, 2))
        return np.stack([np.roll(frame, tuple(move), (0, 1)) for frame, move in zip(right, moves, strict=True)])

    def flickering(share: float) -> Frames:
        return rounded(right * (1 + share * rng.standard_normal((FRAMES, 1, 1, 1))))

    def shuffled(within: int) -> Frames:
        order = np.concatenate([rng.permutation(part) for part in np.split(np.arange(FRAMES), FRAMES // within)])
        return right[order]

    others = shown(with_other_looks(pair, donor))
    return {
        "truth": right,
        "vae": vae,
        "mini": made,
        "half mini": blend(right, made, 0.5),
        "soft": blurred(0.6),
        "blurred": blurred(1.2),
        "washed": blurred(2.4),
        "noisy": rounded(right + 16 * rng.standard_normal(right.shape)),
        "ghosts": blend(right, np.roll(right, 3, axis=0), 0.5),
        "half still": blend(right, still, 0.5),
        "flickers": flickering(0.05),
        "flashes": flickering(0.15),
        "jitters": jittered(1),
        "shakes": jittered(2),
        "shuffled by 3": shuffled(3),
        "shuffled": shuffled(FRAMES),
        "late": shown(pair, 0.35),
        "other motion": shown(in_other_motion(pair, donor)),
        "still": still,
        "other looks": others,
        "half other looks": blend(right, others, 0.4),
        "other colours": shown(with_other_colours(pair, donor)),
    }


def exact(result: Frames, truth: Rendering) -> dict[str, float]:
    """Errors against the truth."""
    return {
        "psnr": psnr_db(result, truth.frames),
        "ssim": ssim(result, truth.frames),
        "motion": motion_error(result, truth.frames, truth.mask),
        "surplus": surplus_change(result, truth.frames),
        "identity": identity_error(result, truth.frames, truth.mask),
    }


def surplus_change(result: Frames, truth: Frames) -> float:
    """Mean change from frame to frame beyond what changes in the truth within two pixels, levels.

    Nothing that stays the same is wrong here, a still picture included: that is for the motion error to see.
    """
    made, right = (np.abs(np.diff(clip.astype(np.float32), axis=0)).mean(axis=-1) for clip in (result, truth))
    near = np.stack([cv2.dilate(change, np.ones((5, 5), np.uint8)) for change in right])
    return float(np.maximum(made - near, 0).mean())


EXACT: dict[Dimension, tuple[str, Callable[[Row], float]]] = {
    "imaging_quality": ("1 - SSIM", lambda row: 2 * (1 - row["exact"]["ssim"])),
    "motion_smoothness": ("motion error", lambda row: row["exact"]["motion"]),
    "temporal_consistency": ("surplus change", lambda row: float(np.log1p(row["exact"]["surplus"]) / np.log(11))),
    "appearance_consistency": ("identity error", lambda row: row["exact"]["identity"]),
}
"""Errors by dimension: 0 is right, 1 as wrong as an answer to another question."""


def wanted(dimension: Dimension, row: Row) -> float:
    """The score that the exact error deserves, 1..5."""
    return float(np.clip(5 - 4 * EXACT[dimension][1](row), 1, 5))


def usable(dimension: Dimension, row: Row) -> bool:
    """Whether the exact error speaks of this dimension at all."""
    if dimension == "imaging_quality":
        return row["result"] in IN_PLACE
    return not np.isnan(EXACT[dimension][1](row))


# --- measuring ------------------------------------------------------------------------------------------------------


def rows_of(first: int, pairs: int, keep: Path | None, *, only_mini: bool = False) -> list[Row]:
    """Every result of so many pairs, measured both ways; or only the mini's."""
    session = None
    rows: list[Row] = []
    for seed in range(first, first + pairs):
        file = None if keep is None else keep / f"{seed}{'.mini' if only_mini else ''}.json"
        if file is None or not file.exists():
            session = session or open_session("mini")
            made = list(_measured(seed, session, only_mini))
            if file is not None:
                write_json(file, made)
        rows += made if file is None else json.loads(file.read_text())
    return rows


def _measured(seed: int, session: Any, only_mini: bool) -> Iterator[Row]:
    pair = draw_pair(seed)
    size, driving_size = panel_size(pair.reference_aspect), panel_size(pair.driving_aspect)
    times = pair.start + np.arange(FRAMES) / FPS
    reference = pair.reference(*size).frames
    driver, truth = pair.driving(times, *driving_size).frames, pair.truth(times, *size)
    made = np.concatenate(list(session.animate(reference[0], driver, pair.caption)))
    every = {"mini": made}
    if not only_mini:
        every = results(pair, truth, reference, made, through_vae(session.backbone)(truth.frames))
    for name, result in every.items():
        began = time.process_time()
        found = symptoms_of(Performance(result, FPS, reference[0], driver))
        seconds = time.process_time() - began
        facts = {"seed": seed, "category": pair.category, "result": name, "seconds": seconds}
        yield {**facts, "exact": exact(result, truth), "symptoms": found}


def calibrated(rows: list[Row], note: dict[str, Any]) -> Calibration:
    """The curves that fit these rows best."""
    curves = {}
    for dimension in DIMENSIONS:
        chosen = [row for row in rows if usable(dimension, row)]
        scores = [wanted(dimension, row) for row in chosen]
        curves[dimension] = fitted_curve(SYMPTOMS[dimension], [row["symptoms"] for row in chosen], scores)
    return Calibration(curves=curves, fitted=note)


# --- what is printed ------------------------------------------------------------------------------------------------


def agreement(rows: list[Row], minis: list[Row], calibration: Calibration) -> dict[str, dict[str, float]]:
    """Rank correlation of measured with exact scores, by dimension; higher is better, 1 is the same order.

    Args:
        rows: every result of some pairs.
        minis: what the mini made of these and other pairs.
        calibration: that is measured.
    """
    told: dict[str, dict[str, float]] = {}
    for dimension in DIMENSIONS:
        curve = calibration.curves[dimension]
        chosen = [row for row in rows if usable(dimension, row)]

        def both(some: list[Row], curve: Any = curve, dimension: Dimension = dimension) -> tuple[list[float], ...]:
            return (
                [-curve.severity_of(row["symptoms"]) for row in some],
                [-EXACT[dimension][1](row) for row in some],
            )

        within = []
        for seed in {row["seed"] for row in chosen}:
            within.append(spearman(*both([row for row in chosen if row["seed"] == seed])))
        gaps = [abs(curve.score_of(row["symptoms"]) - wanted(dimension, row)) for row in chosen]
        told[dimension] = {
            "results": len(chosen),
            "spearman": spearman(*both(chosen)),
            "kendall": kendall(*both(chosen)),
            "within a pair": float(np.nanmean(within)),
            "mini only": spearman(*both([row for row in minis if usable(dimension, row)])),
            "score off by": float(np.mean(gaps)),
        }
    return told


def show(rows: list[Row], minis: list[Row], calibration: Calibration) -> None:
    """Prints agreement, and medians of scores by result."""
    told = agreement(rows, minis, calibration)
    columns = list(next(iter(told.values())))
    print(f"{'':24}{'exact':>16}" + "".join(f"{name:>15}" for name in columns))
    for dimension, values in told.items():
        print(f"{dimension:24}{EXACT[dimension][0]:>16}" + "".join(f"{value:15.2f}" for value in values.values()))
    print("\nmedian scores, measured (exact)")
    print(f"{'':20}" + "".join(f"{name:>24}" for name in DIMENSIONS))
    for name in dict.fromkeys(row["result"] for row in rows):
        some = [row for row in rows if row["result"] == name]
        cells = ""
        for dimension in DIMENSIONS:
            right = np.nanmedian([wanted(dimension, row) for row in some])
            scores = [calibration.curves[dimension].score_of(row["symptoms"]) for row in some]
            cells += f"{np.median(scores):18.2f}({right:4.2f})"
        print(f"{name:20}{cells}")
    average = [
        float(np.mean([calibration.curves[name].score_of(row["symptoms"]) for name in DIMENSIONS])) for row in minis
    ]
    print(f"\n{len(minis)} results of the mini: average {np.mean(average):.2f}, sd {np.std(average):.2f}, ", end="")
    print(f"from {min(average):.2f} to {max(average):.2f}")
    for name in ("psnr", "ssim"):
        order = spearman(average, [row["exact"][name] for row in minis])
        print(f"the average orders them as {name.upper()} does: Spearman {order:.2f}")
    order = spearman(average, [sum(wanted(name, row) for name in DIMENSIONS) for row in minis])
    print(f"and as the average of the exact scores does: {order:.2f}")
    print(f"CPU seconds a clip of {FRAMES} frames: {np.median([row['seconds'] for row in rows]):.2f}")


def main() -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=11, help="to fit on, and as many to measure on")
    parser.add_argument("--minis", type=int, default=30, help="further pairs of which only the mini's is measured")
    parser.add_argument("--write", action="store_true", help="write the calibration that ships")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what was measured there")
    parser.add_argument("--shipped", action="store_true", help="measure the calibration that ships; fit nothing")
    args = parser.parse_args()
    if args.keep is not None:
        args.keep.mkdir(parents=True, exist_ok=True)
    if args.shipped:
        calibration = Calibration.model_validate_json(SHIPPED.read_text())
    else:
        command = f"python benchmarks/measured_judge.py --pairs {args.pairs}"
        note = {"command": command, "first_seed": FIT, "pairs": args.pairs, "tested_from": TEST}
        calibration = calibrated(rows_of(FIT, args.pairs, args.keep), note)
    rows = rows_of(TEST, args.pairs, args.keep)
    minis = rows_of(MINIS, args.minis, args.keep, only_mini=True)
    show(rows, minis + [row for row in rows if row["result"] == "mini"], calibration)
    if args.write:
        write_json(SHIPPED, calibration.model_dump(mode="json"))


if __name__ == "__main__":
    main()
