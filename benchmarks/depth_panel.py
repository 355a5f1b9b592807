"""What a panel for depth adds where two characters cross: two adapters on the mini, alike but for that panel.

    python benchmarks/depth_panel.py OUT --tiny                    # a minute or two: that it works, and no figure
    python benchmarks/depth_panel.py OUT --minutes 240 [--motion pose] [--model mini]

Both learn from the same exact pairs of crossing characters for the same number of steps, the one with the driver's
exact depth in a third panel. How many steps fit the time is found by timing a few of each; the same command goes on
where it was stopped. Then both animate crossing pairs that nobody has seen (people and motions of the evaluation
split), and the one with the panel does so again with depth turned round, near for far: if nothing changes, it is not
heard.

In front: of the pixels where both characters are, and look different, the share in which the result is more like the
one who is in front there than like the one behind, both drawn alone. A coin gets 50 %.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from diptych.animate.sampler import SamplerSettings
from diptych.animate.session import Session
from diptych.data.cache import read_cache, shards, write_shard
from diptych.data.canvases import LatentDraw, encode_draw
from diptych.data.draws import box_for, draw
from diptych.files import write_json
from diptych.media.draw_depth import draw_depth
from diptych.media.frame import View, place_in
from diptych.media.image import write_image
from diptych.media.sheet import contact_sheet
from diptych.method.contract import Contract
from diptych.method.depth import DepthRange
from diptych.method.diffusion import seeded
from diptych.models.adapters import LoraSettings, save_adapter
from diptych.models.mini import MiniBackbone
from diptych.models.store import load_mini, model_folder
from diptych.progress import progress
from diptych.puppets.pairs import Pair, draw_pair
from diptych.puppets.poses import pose_of
from diptych.recipes.bench import through_vae
from diptych.recipes.pose_drive import Placed
from diptych.train.adapter import Adapted, AdapterTask, NoiseSettings, adapt, target_layers
from diptych.train.loop import LoopSettings, train

CATEGORY = "crossing"
UNSEEN = 90_000
"""Seeds of the pairs that are measured on; the suite's begin at 0."""

HELD_OUT = 1 << 40
FPS = 12
APART = 48.0
"""Least distance of two colours, in levels of 256, at which it is seen whose a pixel is."""

SIDES = ("none", "depth")


@dataclass(frozen=True)
class Budget:
    """How much is drawn, trained and measured. Times are of one slow core, and of both sides together."""

    draws: int
    shard: int
    batch: int
    pairs: int
    frames: int
    held_out: int
    loop: LoopSettings


TINY = Budget(
    draws=16, shard=8, batch=4, pairs=3, frames=30, held_out=2,
    loop=LoopSettings(steps=6, learning_rate=2e-3, warmup=2, ema=10, checkpoint_every=3, log_every=1),
)  # fmt: skip
REAL = Budget(
    draws=4096, shard=64, batch=16, pairs=64, frames=48, held_out=32,
    loop=LoopSettings(
        steps=0, learning_rate=2e-3, warmup=100, decay=0.6, ema=300, checkpoint_every=250, preview_every=1000,
    ),
)  # fmt: skip


def agreed_for(mini: MiniBackbone, motion: str, auxiliary: str, rank: int) -> Contract:
    """What an adapter of a side is trained for; skeletons are shown as the whole picture has them."""
    fit = "frame" if motion == "pose" else mini.contract.motion_fit
    targets = target_layers(mini.facts, "ff")
    return replace(
        mini.contract,
        motion=motion,
        motion_fit=fit,
        auxiliary=auxiliary,
        rank=rank,
        targets=targets,
        loss_region="output",
    )


def encoded(mini: MiniBackbone, agreed: Contract, number: int) -> LatentDraw:
    locate = mini.locate if agreed.motion_fit == "figure" else None
    with torch.no_grad():
        return encode_draw(draw(number, agreed, locate=locate, category=CATEGORY), mini.encode_canvas, mini.facts.empty)


def filled(folder: Path, mini: MiniBackbone, agreed: Contract, budget: Budget) -> tuple[dict, tuple[LatentDraw, ...]]:
    """The cached draws of a side and those that are kept for previews; the same numbers on both sides."""
    made_for = f"{agreed.to_json()} {sorted(mini.identity.items())}"
    make = functools.partial(encoded, mini, agreed)
    with progress(f"{agreed.auxiliary} draws", shards(budget.draws, budget.shard), "shards") as report:
        for index in range(shards(budget.draws, budget.shard)):
            if not (folder / f"draws-{index:06d}.safetensors").exists():
                write_shard(folder, index, make, made_for, budget.shard)
            report(index + 1)
    held_out = tuple(make(HELD_OUT + number) for number in range(budget.held_out))
    return read_cache(folder, budget.draws, made_for, budget.shard), held_out


def task_of(out: Path, model: str, motion: str, side: str, rank: int, budget: Budget) -> AdapterTask:
    mini = load_mini(model_folder(model))
    agreed = agreed_for(mini, motion, side, rank)
    buckets, held_out = filled(out / side / "cache", mini, agreed, budget)
    mini = replace(mini, contract=agreed)
    mini.denoiser.requires_grad_(False)
    adapt(mini.networks, mini.facts, "ff", LoraSettings(rank=rank), seed=0)
    return AdapterTask(
        module=Adapted(mini, (mini.denoiser,)),
        backbone=mini,
        buckets=buckets,
        batch=budget.batch,
        noise=NoiseSettings(spread=None, pure_share=0.4, floor=0.1, least_weighted=0.35),
        held_out=held_out,
        made_for=agreed.to_json(),
    )


def seconds_a_step(task: AdapterTask, tries: int = 4) -> float:
    """As the loop will do it."""
    times = []
    for step in range(tries):
        began = time.monotonic()
        task.loss(task.module, step, seeded(0, step, 0))[0].backward()
        times.append(time.monotonic() - began)
    task.module.zero_grad(set_to_none=True)
    return float(np.median(times[1:]))


# --- measuring ------------------------------------------------------------------------------------------------------


def alone(pair: Pair, index: int) -> Pair:
    """The pair with one of its characters and who drives that one, before the same camera."""
    scenes = [
        replace(scene, actors=(scene.actors[at],))
        for scene, at in ((pair.reference_scene, index), (pair.driving_scene, pair.driver_of(index)))
    ]
    return replace(pair, reference_scene=scenes[0], driving_scene=scenes[1])


@dataclass(frozen=True, eq=False)
class Question:
    """A crossing pair that nobody has seen, with all that is known of it."""

    reference: np.ndarray
    driving: np.ndarray
    skeleton: tuple
    nearness: np.ndarray
    prompt: str
    truth: np.ndarray
    figures: np.ndarray  # uint8 (2, t, h, w, 3): either of them drawn alone
    both: np.ndarray  # bool (t, h, w): where both are, and can be told apart

    @classmethod
    def of(cls, seed: int, agreed: Contract, frames: int) -> Question:
        pair = draw_pair(seed, category=CATEGORY, split="eval")
        times = pair.start + np.arange(frames) / FPS
        box, asked = box_for(pair.reference_aspect, agreed), box_for(pair.driving_aspect, agreed)
        driver = pair.driving(times, 2 * asked.width, 2 * asked.height, depth=True)
        singles = [alone(pair, index).truth(times, box.width, box.height) for index in (0, 1)]
        figures = np.stack([one.frames for one in singles])
        apart = np.sqrt(np.square(figures[0].astype(float) - figures[1]).sum(-1)) >= APART
        rigs = [actor.character.rig for actor in pair.driving_scene.actors]
        return cls(
            reference=pair.reference(box.width, box.height).frames[0],
            driving=driver.frames,
            skeleton=pose_of(driver.skeleton, rigs, within=(driver.frames.shape[2], driver.frames.shape[1])),
            nearness=driver.nearness,
            prompt=pair.caption,
            truth=pair.truth(times, box.width, box.height).frames,
            figures=figures,
            both=(singles[0].mask == 255) & (singles[1].mask == 255) & apart,
        )

    def depth(self, turned: bool) -> np.ndarray:
        """The driver's depth, drawn; turned round, whoever is near is far, and the background stays behind all."""
        near = self.nearness
        if turned:
            figures = near[near > 0]
            near = np.where(near > 0, figures.min().astype(int) + figures.max() - near, 0).astype(np.uint8)
        return draw_depth(DepthRange.of(self.nearness).normalised(near))

    def likeness(self, made: np.ndarray) -> np.ndarray:
        """Distance in colour from either figure, where both are, ``(2, n)``."""
        return np.square(self.figures[:, self.both].astype(float) - made[self.both]).sum(-1)


def answered(session: Session, question: Question, turned: bool = False) -> np.ndarray:
    agreed, motion = session.backbone.contract, question.driving
    depth = question.depth(turned) if agreed.auxiliary == "depth" else None
    if agreed.motion == "pose":
        # As the draws show a whole driver in the panel.
        panel, (height, width) = session.panel(question.reference), motion.shape[1:3]
        box = place_in(width, height, panel.panel_height, panel.panel_width)
        skeletons = Placed(question.skeleton, View(box.width / width, box.x, box.y))
        motion, depth = skeletons.frames(panel), None if depth is None else skeletons.beside(depth, panel)
    return np.concatenate(list(session.animate(question.reference, motion, question.prompt, auxiliary=depth)))


def scores(questions: list[Question], results: list[np.ndarray]) -> dict[str, float]:
    psnr, right, counted, inside = [], 0, 0, []
    for question, made in zip(questions, results, strict=True):
        error = np.square(made.astype(float) - question.truth)
        psnr.append(-10 * np.log10(error.mean() / 255**2))
        front = question.likeness(question.truth).argmin(0)
        right += int((question.likeness(made).argmin(0) == front).sum())
        counted += front.size
        inside.append(error[question.both])
    where_both = np.concatenate(inside).mean()
    return {
        "psnr_db": float(np.mean(psnr)),
        "psnr_standard_error_db": float(np.std(psnr) / np.sqrt(len(psnr))),
        "psnr_where_both_are_db": float(-10 * np.log10(where_both / 255**2)),
        "in_front": right / max(1, counted),
        "pixels_where_both_are": counted,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tiny", action="store_true", help="a few draws and steps: that it works, and no figure")
    parser.add_argument(
        "--minutes", type=float, default=240.0, help="of training, both sides together, beside the draws"
    )
    parser.add_argument("--steps", type=int, help="of either side, in the place of what fits the minutes")
    parser.add_argument("--motion", choices=("rgb", "pose"), default="rgb", help="driven by footage or by skeletons")
    parser.add_argument("--model", default="mini", help="the base of both adapters")
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--draws", type=int, help="of either side's cache")
    args = parser.parse_args()
    budget = TINY if args.tiny else REAL
    budget = replace(budget, draws=args.draws or budget.draws)
    tasks = {side: task_of(args.out, args.model, args.motion, side, args.rank, budget) for side in SIDES}
    plan, steps = args.out / "plan.json", args.steps or budget.loop.steps
    if not steps and plan.exists():
        steps = json.loads(plan.read_text())["steps"]  # a resumed run has as many, whatever the machine does now
    if not steps:
        cost = {side: seconds_a_step(task) for side, task in tasks.items()}
        steps = max(1, int(60 * args.minutes / sum(cost.values())))
        write_json(plan, {"steps": steps, "seconds_a_step": cost, "minutes": args.minutes})
    questions = [Question.of(UNSEEN + n, tasks["none"].backbone.contract, budget.frames) for n in range(budget.pairs)]
    found = {"still picture": [q.reference[None].repeat(budget.frames, 0) for q in questions]}
    for side, task in tasks.items():
        train(task, replace(budget.loop, steps=steps), args.out / side / "training")
        backbone = task.backbone
        if not (args.out / side / "adapter").exists():
            notes = {"base": backbone.identity, "steps": steps, "samples": steps * budget.batch}
            save_adapter(args.out / side / "adapter", backbone.networks, backbone.contract, notes)
        locate = backbone.locate if backbone.contract.motion_fit == "figure" else None
        facts = backbone.facts
        session = Session(backbone, SamplerSettings(steps=facts.steps, continues=facts.continues), locate)
        name = "with depth" if side == "depth" else "without depth"
        found[name] = [answered(session, question) for question in questions]
        if side == "depth":
            found["depth turned round"] = [answered(session, question, turned=True) for question in questions]
    found["ceiling of the VAE"] = [through_vae(tasks["none"].backbone)(question.truth) for question in questions]
    table = {name: scores(questions, results) for name, results in found.items()}
    print(
        f"{len(questions)} unseen crossing pairs, {steps} steps of {budget.batch} either side, driven by {args.motion}"
    )
    for name, row in table.items():
        print(
            f"{name:20} {row['psnr_db']:6.2f} dB, where both are {row['psnr_where_both_are_db']:6.2f} dB, "
            f"in front {row['in_front']:6.1%} of {row['pixels_where_both_are']} pixels"
        )
    gain = [
        10 * np.log10(np.square(a.astype(float) - q.truth).mean() / np.square(b.astype(float) - q.truth).mean())
        for q, a, b in zip(questions, found["without depth"], found["with depth"], strict=True)
    ]
    print(f"depth adds {np.mean(gain):+.2f} dB a pair (standard error {np.std(gain) / np.sqrt(len(gain)):.2f})")
    settings = {"steps": steps, "batch": budget.batch, "draws": budget.draws, "rank": args.rank, "motion": args.motion}
    write_json(args.out / "result.json", {**settings, "model": args.model, "tiny": args.tiny, "scores": table})
    shown = [
        (f"{n} {name}", clip)
        for n, question in enumerate(questions[:4])
        for name, clip in (
            ("driver", question.driving), ("its depth", question.depth(turned=False)), ("truth", question.truth),
            ("without", found["without depth"][n]), ("with", found["with depth"][n]),
        )
    ]  # fmt: skip
    write_image(args.out / "sheet.png", contact_sheet(shown, columns=10, height=96))


if __name__ == "__main__":
    main()
