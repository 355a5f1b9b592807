"""``synth``, ``judge``, ``review`` and ``keep``: pairs that the method makes for itself."""

from __future__ import annotations

import argparse
from pathlib import Path

from diptych.cli import values
from diptych.cli.animating import add_pose_fit
from diptych.cli.manners import Commands, add_command, load_face, load_recipe
from diptych.cli.model import add_model, add_sampling, model_asked, sampling_asked
from diptych.cli.words import add_words, words_asked
from diptych.options import (
    JudgeOptions,
    JudgeReportOptions,
    KeepOptions,
    ReviewExportOptions,
    ReviewOptions,
    SynthOptions,
)


def add_synth(commands: Commands) -> None:
    """Adds ``diptych synth``."""
    synth = add_command(
        commands, "synth", "let other characters perform a dataset's motions: pairs to learn from", _synth
    )
    synth.add_argument(
        "dataset", metavar="DATASET", help="a prepared dataset or its manifest, or puppets for the made-up world"
    )
    synth.add_argument("--references", metavar="DIR", type=Path, help="pictures of other characters")
    synth.add_argument(
        "-o", "--output", metavar="PAIRS", type=Path, required=True, help="folder to write; a started one goes on"
    )
    synth.add_argument(
        "--seed", metavar="N", type=values.count_from(0), default=0, help="of all that is drawn (default 0)"
    )
    synth.add_argument(
        "--per-clip", metavar="N", type=values.count_from(1), default=1, help="pairs of a clip (default 1)"
    )
    synth.add_argument("--limit", metavar="N", type=values.count_from(1), help="at most so many pairs")
    synth.add_argument("--retry", action="store_true", help="try again what failed before")
    synth.add_argument(
        "--make",
        choices=("model", "truth"),
        default="model",
        help="by the pose model, or take what is exactly right, of puppets (default model)",
    )
    synth.add_argument(
        "--undriven", action="store_true", help="with --make truth, also drivers without skeletons: fish, cups, snakes"
    )
    add_model(synth)
    add_sampling(synth)
    add_pose_fit(synth)
    synth.add_argument(
        "--pose-weights",
        metavar="FOLDER|REPO",
        nargs="?",
        const="published",
        help="look at the pictures with these, or the published ones",
    )
    add_words(synth)
    synth.add_argument("--workers", metavar="N", type=values.count_from(1), default=1, help="processes (default 1)")
    synth.add_argument("--ray", action="store_true", help="spread the work by Ray Data, which is an extra")
    synth.add_argument("--quiet", action="store_true", help="show no progress")


def _synth(args: argparse.Namespace) -> int | None:
    if args.dataset == "puppets":
        if args.limit is None:
            args.parser.error("the made-up world has no end; say --limit N")
        if args.references is not None or args.per_clip != 1:
            args.parser.error("the made-up world brings its own references; leave --references and --per-clip out")
    elif args.make == "truth":
        args.parser.error("--make truth is for puppets; nobody knows it of footage")
    elif args.references is None:
        args.parser.error("--references DIR is needed: pictures of other characters")
    if args.undriven and args.make != "truth":
        args.parser.error("--undriven goes with --make truth; the pose model drives with skeletons")
    code = load_recipe("synth", "synth_pairs")(
        SynthOptions(
            dataset=args.dataset,
            output=args.output,
            references=args.references,
            make=args.make,
            undriven=args.undriven,
            seed=args.seed,
            per_clip=args.per_clip,
            limit=args.limit,
            pose_fit=args.pose_fit,
            pose_weights=args.pose_weights,
            words=words_asked(args),
            workers=args.workers,
            ray=args.ray,
            retry=args.retry,
            quiet=args.quiet,
            **model_asked(args),
            **sampling_asked(args),
        )
    )
    return code if isinstance(code, int) else None


def add_judge(commands: Commands) -> None:
    """Adds ``diptych judge``."""
    judge = add_command(commands, "judge", "score self-made pairs in the paper's four dimensions", _judge)
    judge.add_argument("pairs", metavar="PAIRS", type=Path, help="folder that synth made; or report, before one")
    judge.add_argument(
        "judged", metavar="PAIRS", type=Path, nargs="?", help="after report: print scores, and where judges agree"
    )
    judge.add_argument(
        "--judge",
        choices=("measured", "mllm"),
        default="measured",
        help="measure offline, or ask a model at an --endpoint as the paper does (default measured)",
    )
    add_words(judge)
    judge.add_argument(
        "--repeats", metavar="N", type=values.count_from(1), help="ask each question so often (default 1)"
    )
    judge.add_argument("--temperature", metavar="X", type=values.price, help="of the model's sampling (default 0)")
    judge.add_argument(
        "--parallel", metavar="N", type=values.count_from(1), help="pairs asked about at a time (default 4)"
    )
    judge.add_argument("--workers", metavar="N", type=values.count_from(1), help="processes that measure (default 1)")
    judge.add_argument("--quiet", action="store_true", help="show no progress")


def _judge(args: argparse.Namespace) -> None:
    if str(args.pairs) == "report" and args.judged is not None:
        load_recipe("judge", "judge_report")(JudgeReportOptions(args.judged))
        return
    if args.judged is not None:
        args.parser.error("one PAIRS folder at a time; a second word goes with report only")
    words = words_asked(args)
    if args.judge == "mllm" and words.endpoint is None:
        args.parser.error("--judge mllm needs --endpoint URL and --mllm NAME")
    if args.judge == "measured" and words.endpoint is not None:
        args.parser.error("--endpoint goes with --judge mllm; measuring asks nobody")
    load_recipe("judge", "judge_pairs")(
        JudgeOptions(
            pairs=args.pairs,
            judge=args.judge,
            words=words,
            repeats=args.repeats,
            temperature=args.temperature,
            parallel=args.parallel,
            workers=args.workers,
            quiet=args.quiet,
        )
    )


def add_review(commands: Commands) -> None:
    """Adds ``diptych review``."""
    review = add_command(commands, "review", "let people check self-made pairs, each in a page of their own", _review)
    review.add_argument(
        "pairs", metavar="PAIRS", type=Path, help="folder of pairs; or export, and what follows is such a folder"
    )
    review.add_argument("exported", metavar="PAIRS", type=Path, nargs="?", help="after export: write its verdicts")
    review.add_argument(
        "--reviewer",
        metavar="NAME",
        dest="reviewers",
        type=values.name,
        nargs="+",
        action="extend",
        default=[],
        help="print a link for each (default: for those of before)",
    )
    review.add_argument(
        "--kind", choices=("human", "scripted"), default="human", help="of these; never mixed (default human)"
    )
    review.add_argument(
        "--wanted", metavar="N", type=values.count_from(1), default=1, help="verdicts on every pair (default 1)"
    )
    review.add_argument("--host", metavar="NAME", default="127.0.0.1", help="address to bind (default 127.0.0.1)")
    review.add_argument("--port", metavar="N", type=values.port, default=8765, help="0 takes a free one (default 8765)")
    review.add_argument(
        "--token", metavar="WORD", type=values.token, help="of the overview's link (default: unguessable)"
    )
    review.add_argument("-o", "--output", metavar="FILE", type=Path, help="after export: the file (default: print)")


def _review(args: argparse.Namespace) -> None:
    if args.exported is not None:
        if str(args.pairs) != "export":
            args.parser.error(f"one folder at a time, or export PAIRS; not {args.pairs} and {args.exported}")
        load_recipe("review", "export_review")(ReviewExportOptions(args.exported, args.output))
        return
    if args.output is not None:
        args.parser.error("-o FILE goes with export PAIRS; verdicts stay in the folder of the pairs")
    load_face("review", "serve_review")(
        ReviewOptions(
            pairs=args.pairs,
            reviewers=tuple(args.reviewers),
            kind=args.kind,
            wanted=args.wanted,
            host=args.host,
            port=args.port,
            token=args.token,
        )
    )


def add_keep(commands: Commands) -> None:
    """Adds ``diptych keep``."""
    keep = add_command(commands, "keep", "choose the pairs to learn from: by a judge, then by people", _keep)
    keep.add_argument("pairs", metavar="PAIRS", type=Path, help="folder that diptych synth made")
    keep.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="manifest to write in it (default PAIRS/kept.jsonl)"
    )
    keep.add_argument("--judge", metavar="NAME", help="whose scores count, or truth (default: the only one's)")
    good = keep.add_mutually_exclusive_group()
    good.add_argument("--threshold", metavar="X", type=values.number, help="keep what is above it (default 4.5)")
    good.add_argument("--percentile", metavar="P", type=values.positive, help="keep the best so many of a hundred")
    keep.add_argument("--no-review", dest="review", action="store_false", help="also what nobody has looked at")
    keep.add_argument(
        "--reviewers",
        metavar="KIND",
        choices=("human", "scripted", "truth"),
        nargs="+",
        default=["human"],
        help="whose verdicts count: human, scripted, truth (default human)",
    )


def _keep(args: argparse.Namespace) -> None:
    if args.percentile is not None and args.percentile > 100:
        args.parser.error(f"--percentile {args.percentile:g} is more than all")
    if args.judge == "truth" and args.percentile is None and args.threshold is None:
        args.parser.error("--judge truth scores in decibels; say --percentile P, or a --threshold in decibels")
    load_recipe("keep", "keep_pairs")(
        KeepOptions(
            pairs=args.pairs,
            output=args.output,
            judge=args.judge,
            threshold=args.threshold,
            percentile=args.percentile,
            review=args.review,
            reviewers=tuple(args.reviewers),
        )
    )
