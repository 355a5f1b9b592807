"""``prepare``, ``data`` and ``puppets``: footage, what became of it, and the made-up world."""

from __future__ import annotations

import argparse
from pathlib import Path

from diptych.cli import values
from diptych.cli.manners import BAD_INPUT, DONE, Commands, add_command, add_group, load_recipe
from diptych.cli.words import add_words, words_asked
from diptych.options import (
    DataCheckOptions,
    DataLookOptions,
    PrepareOptions,
    PrepareReportOptions,
    PuppetsRenderOptions,
    PuppetsSheetOptions,
)


def add_prepare(commands: Commands) -> None:
    """Adds ``diptych prepare``."""
    prepare = add_command(commands, "prepare", "make footage into a dataset: clips, poses, words", _prepare)
    prepare.add_argument(
        "footage", metavar="FOLDER", type=Path, help="videos, or one video; or report, and what follows is a dataset"
    )
    prepare.add_argument(
        "dataset", metavar="DATASET", type=Path, nargs="?", help="after report: print and draw what it is made of"
    )
    prepare.add_argument(
        "-o", "--output", metavar="DATASET", type=Path, help="folder to write; a started one is gone on with"
    )
    prepare.add_argument(
        "--step",
        choices=("all", "clips", "poses", "captions", "latents"),
        default="all",
        help="one step alone, or all in order (default all)",
    )
    prepare.add_argument("--min-frames", metavar="N", type=values.count_from(1), help="shortest clip (default 49)")
    prepare.add_argument("--max-frames", metavar="N", type=values.count_from(1), help="longest clip (default 121)")
    prepare.add_argument(
        "--clips-per-shot", metavar="N", type=values.count_from(1), help="most clips of one shot (default 1)"
    )
    prepare.add_argument(
        "--max-side",
        metavar="N",
        type=values.count_from(16),
        help="scale larger footage to this longer side (default: never)",
    )
    prepare.add_argument(
        "--max-blur", metavar="X", type=values.share, help="drop what is more blurred, 0 to 1 (default 0.65)"
    )
    prepare.add_argument(
        "--min-motion", metavar="X", type=values.number, help="drop what moves less, in levels (default 4)"
    )
    prepare.add_argument(
        "--max-missing", metavar="X", type=values.share, help="share of frames without anybody, 0 to 1 (default 0.2)"
    )
    prepare.add_argument("--poses", metavar="FOLDER", type=Path, help="recorded poses, named as the videos are")
    prepare.add_argument(
        "--pose-weights",
        metavar="FOLDER|REPO",
        nargs="?",
        const="published",
        help="find people where no poses are recorded, with these weights or the published ones",
    )
    prepare.add_argument("--animal-weights", metavar="FOLDER|REPO", help="find four-legged animals too, with these")
    prepare.add_argument("--detector-weights", metavar="FOLDER|REPO", help="another detector than the published one")
    add_words(prepare)
    prepare.add_argument(
        "--latents", choices=("mini", "hunyuan15", "wan", "motif"), help="also encode what this backbone trains on"
    )
    prepare.add_argument("--weights", metavar="FOLDER|REPO", help="of that backbone")
    prepare.add_argument(
        "--set",
        metavar="KEY=VALUE",
        dest="overrides",
        type=values.setting,
        nargs="+",
        action="extend",
        default=[],
        help="settings of its training, as diptych train stage1_pose has them",
    )
    prepare.add_argument("--workers", metavar="N", type=values.count_from(1), help="processes (default 1)")
    prepare.add_argument("--redo", action="store_true", help="do the steps anew, as with other settings")
    prepare.add_argument(
        "--rows", metavar="N", type=values.count_from(1), help="after report: clips on a sheet (default 16)"
    )
    prepare.add_argument("--quiet", action="store_true", help="show no progress")


def _prepare(args: argparse.Namespace) -> None:
    if args.dataset is not None:
        if str(args.footage) != "report":
            args.parser.error(f"one FOLDER at a time, or report DATASET; not {args.footage} and {args.dataset}")
        load_recipe("prepare", "prepare_report")(PrepareReportOptions(args.dataset, args.output, args.rows))
        return
    if args.output is None:
        args.parser.error("-o DATASET is needed: the folder to write")
    shortest, longest = args.min_frames or 49, args.max_frames or 121
    if shortest > longest:
        args.parser.error(f"--min-frames {shortest} is more than --max-frames {longest}")
    if args.latents is None and (args.weights or args.overrides or args.step == "latents"):
        args.parser.error("--step latents, --weights and --set go with --latents BACKBONE")
    if args.pose_weights is None and (args.animal_weights or args.detector_weights):
        args.parser.error("--animal-weights and --detector-weights go with --pose-weights")
    load_recipe("prepare", "prepare_footage")(
        PrepareOptions(
            footage=args.footage,
            output=args.output,
            step=args.step,
            min_frames=args.min_frames,
            max_frames=args.max_frames,
            clips_per_shot=args.clips_per_shot,
            max_side=args.max_side,
            max_blur=args.max_blur,
            min_motion=args.min_motion,
            max_missing=args.max_missing,
            poses=args.poses,
            pose_weights=args.pose_weights,
            animal_weights=args.animal_weights,
            detector_weights=args.detector_weights,
            words=words_asked(args),
            latents=args.latents,
            weights=args.weights,
            overrides=tuple(args.overrides),
            workers=args.workers,
            redo=args.redo,
            quiet=args.quiet,
        )
    )


def add_data(commands: Commands) -> None:
    """Adds ``diptych data``."""
    doings = add_group(commands, "data", "check a dataset, and look at it", "WHAT")
    check = add_command(
        doings, "check", "say everything that is wrong with a manifest, and how to mend it", _data_check
    )
    check.add_argument("manifest", metavar="MANIFEST", type=Path, help="JSON lines, a clip a line")
    check.add_argument("--quick", action="store_true", help="do not decode the videos")

    look = add_command(doings, "look", "draw a clip with its skeletons, raw and augmented", _data_look)
    look.add_argument("manifest", metavar="MANIFEST", type=Path, help="JSON lines, a clip a line")
    look.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="picture to write")
    look.add_argument("--id", metavar="ID", help="of the clip (default: the first that has poses)")
    look.add_argument("--draws", metavar="N", type=values.count_from(1), default=4, help="augmentations (default 4)")
    look.add_argument("--seed", metavar="N", type=values.count_from(0), default=0, help="of the first (default 0)")


def _data_check(args: argparse.Namespace) -> int:
    return BAD_INPUT if load_recipe("data", "data_check")(DataCheckOptions(args.manifest, args.quick)) else DONE


def _data_look(args: argparse.Namespace) -> None:
    load_recipe("data", "data_look")(
        DataLookOptions(manifest=args.manifest, output=args.output, id=args.id, draws=args.draws, seed=args.seed)
    )


def add_puppets(commands: Commands) -> None:
    """Adds ``diptych puppets``."""
    doings = add_group(commands, "puppets", "the made-up world that the mini is trained and measured on", "WHAT")

    sheet = add_command(doings, "sheet", "draw a contact sheet of it", _puppets_sheet)
    sheet.add_argument("-o", "--output", metavar="FILE", type=Path, default=Path("puppets.png"), help="(puppets.png)")
    sheet.add_argument(
        "--seed", metavar="N", type=values.count_from(0), default=0, help="of the puppets shown (default 0)"
    )
    sheet.add_argument("--rows", metavar="N", type=values.count_from(1), help="puppets down the sheet")
    sheet.add_argument(
        "--split", action="store_true", help="show the identities kept for measuring apart from those for training"
    )

    render = add_command(doings, "render", "write clips of it with a manifest", _puppets_render)
    render.add_argument("-o", "--output", metavar="FOLDER", type=Path, required=True, help="folder to write")
    render.add_argument("--count", metavar="N", type=values.count_from(1), default=8, help="clips (default 8)")
    render.add_argument(
        "--seed", metavar="N", type=values.count_from(0), default=0, help="of the first clip (default 0)"
    )
    render.add_argument("--fps", metavar="N", type=values.count_from(1), help="frames per second")
    render.add_argument("--frames", metavar="N", type=values.count_from(1), help="frames a clip")
    render.add_argument("--size", metavar="N", type=values.count_from(1), help="pixels of a frame's side")

    add_command(doings, "verify", "check the frozen suites against their hashes", _puppets_verify)


def _puppets_sheet(args: argparse.Namespace) -> None:
    load_recipe("puppets", "puppets_sheet")(
        PuppetsSheetOptions(output=args.output, seed=args.seed, rows=args.rows, split=args.split)
    )


def _puppets_render(args: argparse.Namespace) -> None:
    load_recipe("puppets", "puppets_render")(
        PuppetsRenderOptions(
            output=args.output,
            count=args.count,
            seed=args.seed,
            fps=args.fps,
            frames=args.frames,
            size=args.size,
        )
    )


def _puppets_verify(args: argparse.Namespace) -> None:
    load_recipe("puppets", "puppets_verify")()
