"""Do identity and motion error keep apart? Answers that are wrong in one way only, measured on many puppet pairs.

    python benchmarks/measures_calibration.py [--seeds 6]      the measures, and what was tried instead
    python benchmarks/measures_calibration.py --sweep          thresholds between scene and figure
    python benchmarks/measures_calibration.py --travel         how far the moved reference ought to follow the driver

Training pairs, so that nothing is tuned on a suite: `seeds` pairs of every category. Every answer is measured against
the pair's truth. Wrong in motion: `pose` (another motion), `late` (0.35 s behind), `side` (the other hand or edge),
`still` (the reference held). Wrong in looks: `looks` (another character of the same height), `colours` (only its
colours). Damaged: `blur` (sigma 1.2), `jpeg` (quality 40).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from diptych.bench import baselines, scene
from diptych.bench.controls import (
    donor_for,
    in_other_motion,
    with_other_colours,
    with_other_looks,
    with_sides_swapped,
)
from diptych.bench.measures import Mask, psnr_db
from diptych.bench.scene import figure_weight, scene_without_figures, to_lab
from diptych.bench.seesaw import OTHER_CHARACTER, flow_error, identity_error, motion_error, rhythm_error
from diptych.puppets.pairs import CATEGORIES, Pair, draw_pair
from diptych.puppets.render import Rendering
from diptych.puppets.sheet import panel_size
from diptych.types import Frames, Sample

SECONDS = np.arange(24) / 12
ANSWERS = ("pose", "late", "side", "still", "looks", "colours", "blur", "jpeg")
Measure = Callable[[Frames, Frames, Mask], float]


def answers(pair: Pair) -> tuple[Rendering, dict[str, Frames]]:
    """A pair's truth, and answers that are wrong in one way."""
    donor, size = donor_for(pair), panel_size(pair.reference_aspect)

    def shown(other: Pair, delay: float = 0.0) -> Frames:
        return other.truth(other.start + delay + SECONDS, *size).frames

    truth = pair.truth(pair.start + SECONDS, *size)
    coded = [cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 40])[1] for frame in truth.frames]
    return truth, {
        "pose": shown(in_other_motion(pair, donor)),
        "late": shown(pair, 0.35),
        "side": shown(with_sides_swapped(pair)),
        "still": np.repeat(pair.reference(*size).frames, len(SECONDS), axis=0),
        "looks": shown(with_other_looks(pair, donor)),
        "colours": shown(with_other_colours(pair, donor)),
        "blur": np.stack([cv2.GaussianBlur(frame, (0, 0), 1.2) for frame in truth.frames]),
        "jpeg": np.stack([np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR)) for code in coded]),
    }


# Tried and not taken


def outline_error(result: Frames, truth: Frames, mask: Mask, blur: float = 1.0) -> float:
    """Figure weight less its mean over time: minds the build as much as the motion."""
    bare = to_lab(scene_without_figures(truth, mask))
    made, wanted = (_less_mean(figure_weight(to_lab(clip), bare), blur) for clip in (result, truth))
    both = float(np.sum(made**2) + np.sum(wanted**2))
    return float(np.sqrt(np.sum((made - wanted) ** 2) / both)) if both else float("nan")


def coarse_outline_error(result: Frames, truth: Frames, mask: Mask) -> float:
    """The same, blurred by 4 pixels."""
    return outline_error(result, truth, mask, 4.0)


def change_error(result: Frames, truth: Frames, mask: Mask) -> float:
    """Where anything changes from frame to frame: minds noise and never falls below what any two motions share."""
    made, wanted = (_change(clip) for clip in (result, truth))
    both = float(np.sum(made**2) + np.sum(wanted**2))
    return float(np.sqrt(np.sum((made - wanted) ** 2) / both)) if both else float("nan")


def palette_in_mask(result: Frames, truth: Frames, mask: Mask) -> float:
    """Palette of everything within 4 pixels of where the figure ought to be: minds the pose through the background."""
    near = np.stack([cv2.dilate(frame, np.ones((9, 9), np.uint8)) for frame in mask]) > 0
    histograms = [np.histogramdd(to_lab(clip)[near], bins=12, range=_LAB_RANGE)[0] for clip in (result, truth)]
    shares = [histogram / histogram.sum() for histogram in histograms]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


_LAB_RANGE = ((0, 100), (-110, 110), (-110, 110))
IDENTITY: dict[str, Measure] = {"identity error": identity_error, "(palette in mask)": palette_in_mask}
MOTION: dict[str, Measure] = {
    "motion error": motion_error,
    "  its rhythm half": rhythm_error,
    "  its flow half": flow_error,
    "(outline)": outline_error,
    "(coarse outline)": coarse_outline_error,
    "(change map)": change_error,
}


def _less_mean(weight: NDArray[np.float32], blur: float) -> NDArray[np.float32]:
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), blur) for frame in weight])
    return soft - soft.mean(axis=0)


def _change(clip: Frames) -> NDArray[np.float32]:
    step = np.linalg.norm(np.diff(to_lab(clip), axis=0), axis=-1)
    return np.stack([cv2.GaussianBlur(frame, (0, 0), 1.0) for frame in 1 - np.exp(-((step / 12) ** 2))])


# What is printed


def compare(seeds: int) -> None:
    """Medians over pairs of every measure and answer, and how often the right wrong answer scores worse."""
    values: dict[str, dict[str, list[float]]] = {}
    by_category: dict[str, list[list[float]]] = {}
    for category in CATEGORIES:
        for seed in range(seeds):
            truth, wrong = answers(draw_pair(seed, category=category))
            row = []
            for name, measure in {**IDENTITY, **MOTION}.items():
                of_answer = {answer: measure(clip, truth.frames, truth.mask) for answer, clip in wrong.items()}
                for answer, value in of_answer.items():
                    values.setdefault(name, {}).setdefault(answer, []).append(value)
                if name in ("identity error", "motion error"):
                    row += [of_answer["pose"], of_answer["looks"]]
            by_category.setdefault(category, []).append(row)
    print(
        f"{seeds * len(CATEGORIES)} pairs, medians. In order: pairs whose answer wrong in what is measured scores worse"
    )
    print(f"{'':20}" + "".join(f"{answer:>8}" for answer in ANSWERS) + f"{'in order':>10}")
    for name, of_answers in values.items():
        worse, better = ("looks", "pose") if name in IDENTITY else ("pose", "looks")
        order = np.mean(np.array(of_answers[worse]) > np.array(of_answers[better]))
        medians = "".join(f"{np.nanmedian(of_answers[answer]):8.2f}" for answer in ANSWERS)
        print(f"{name:20}{medians}{100 * order:8.0f} %")
    other = OTHER_CHARACTER * np.median(values["identity error"]["looks"])
    print(f"\nmedian palette distance to another character: {other:.1f}")
    print(f"\n{'median by category':20}{'identity error':>20}{'motion error':>20}")
    print(f"{'':20}{'pose':>10}{'looks':>10}{'pose':>10}{'looks':>10}")
    for category, rows in by_category.items():
        print(f"{category:20}" + "".join(f"{value:10.2f}" for value in np.nanmedian(rows, axis=0)))


def sweep(seeds: int) -> None:
    """Identity error of damage and of pose, as shares of another character's, for thresholds of the figure weight."""
    cases = [answers(draw_pair(seed, category=category)) for category in CATEGORIES for seed in range(seeds)]
    print(f"{'calm':>6}{'clear':>6}" + "".join(f"{answer:>9}" for answer in ("pose", "still", "blur", "jpeg")))
    kept = scene._CALM, scene._CLEAR
    for scene._CALM, scene._CLEAR in ((4, 12), (4, 24), (8, 12), (8, 20), (12, 24)):
        medians = {
            answer: np.median([identity_error(wrong[answer], truth.frames, truth.mask) for truth, wrong in cases])
            for answer in ("looks", "pose", "still", "blur", "jpeg")
        }
        shares = [medians[answer] / medians["looks"] for answer in ("pose", "still", "blur", "jpeg")]
        print(f"{scene._CALM:6}{scene._CLEAR:6}" + "".join(f"{share:9.3f}" for share in shares))
    scene._CALM, scene._CLEAR = kept


def travel(seeds: int) -> None:
    """PSNR of the moved reference for shares of the driver's travel."""
    pairs = [draw_pair(700 + seed, category=category) for category in CATEGORIES for seed in range(seeds)]
    kept = baselines.TRAVEL_SHARE
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        baselines.TRAVEL_SHARE = share
        scores = []
        for pair in pairs:
            size, driving_size = panel_size(pair.reference_aspect), panel_size(pair.driving_aspect)
            times = pair.start + SECONDS
            sample = Sample(pair.reference(*size).frames[0], pair.driving(times, *driving_size).frames)
            truth = pair.truth(times, *size).frames
            made = baselines.moved_reference(sample) if share else baselines.still_reference(sample)
            scores.append(psnr_db(made, truth))
        print(f"travel share {share:4.2f}: {np.mean(scores):.2f} dB")
    baselines.TRAVEL_SHARE = kept


def main() -> None:
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6, help="pairs of every category")
    parser.add_argument("--sweep", action="store_true", help="thresholds between scene and figure")
    parser.add_argument("--travel", action="store_true", help="how far the moved reference follows the driver")
    args = parser.parse_args()
    (sweep if args.sweep else travel if args.travel else compare)(args.seeds)


if __name__ == "__main__":
    main()
