"""``describe``, and the options of whoever puts pictures and motion into words."""

from __future__ import annotations

import argparse
from pathlib import Path

from diptych.cli import values
from diptych.cli.manners import Commands, add_command, load_recipe
from diptych.options import DescribeOptions, WordsOptions


def add_describe(commands: Commands) -> None:
    """Adds ``diptych describe``."""
    describe = add_command(
        commands, "describe", "put a picture and a video into words, and both into one prompt", _describe
    )
    describe.add_argument("reference", metavar="REF", type=Path, help="picture of the character")
    describe.add_argument("driving", metavar="DRIVE", type=Path, help="video whose motion is wanted")
    describe.add_argument(
        "--poses", metavar="FILE", type=Path, help="the video's skeletons, to describe motion offline"
    )
    add_words(describe)


def _describe(args: argparse.Namespace) -> None:
    if args.poses is not None and args.endpoint is not None:
        args.parser.error("--poses is for describing offline; a model at an --endpoint looks at the video itself")
    load_recipe("words", "describe_files")(
        DescribeOptions(reference=args.reference, driving=args.driving, poses=args.poses, words=words_asked(args))
    )


def add_words(parser: argparse.ArgumentParser) -> None:
    """The options of whoever describes; :func:`words_asked` reads them."""
    parser.add_argument("--endpoint", metavar="URL", help="ask a model there, by OpenAI's protocol (default: offline)")
    parser.add_argument("--mllm", metavar="NAME", help="the model, as the endpoint names it")
    parser.add_argument("--api-key-env", metavar="NAME", help="environment variable that holds the key")
    parser.add_argument("--requests-per-minute", metavar="N", type=values.positive, help="no more than so many")
    parser.add_argument("--max-requests", metavar="N", type=values.count_from(1), help="stop before more are sent")
    parser.add_argument(
        "--max-cost", metavar="X", type=values.positive, help="stop before more is spent; needs the prices"
    )
    parser.add_argument("--price-in", metavar="X", type=values.price, help="of a million tokens sent")
    parser.add_argument("--price-out", metavar="X", type=values.price, help="of a million tokens received")
    parser.add_argument("--answers", metavar="FOLDER", type=Path, help="keep answers there (default: the user's cache)")


def words_asked(args: argparse.Namespace) -> WordsOptions:
    """What :func:`add_words` was told."""
    if (args.endpoint is None) != (args.mllm is None):
        args.parser.error("--endpoint URL and --mllm NAME go together")
    return WordsOptions(
        endpoint=args.endpoint,
        model=args.mllm,
        api_key_env=args.api_key_env,
        requests_per_minute=args.requests_per_minute,
        max_requests=args.max_requests,
        max_cost=args.max_cost,
        price_in=args.price_in,
        price_out=args.price_out,
        cache=args.answers,
    )
