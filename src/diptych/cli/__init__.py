"""The command line: reads what is asked, hands it to a recipe, and puts failures into one sentence.

Nothing heavy is imported before a command runs, so that ``--help`` answers at once. Exit codes: 0 done, 2 bad usage
or input, 1 failure, 101 to 200 one to a hundred jobs of many failed, 130 stopped from the keyboard.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from diptych import __version__
from diptych.cli.animating import MARK, add_animate, add_plan, add_serve
from diptych.cli.datasets import add_data, add_prepare, add_puppets
from diptych.cli.manners import BAD_INPUT, DONE, FAILED, STOPPED, Parser, add_command, terminal_width
from diptych.cli.pairs import add_judge, add_keep, add_review, add_synth
from diptych.cli.training import add_bench, add_train
from diptych.cli.words import add_describe

__all__ = ["MARK", "build_parser", "main"]

DESCRIPTION = (
    "One picture of any character and one driving video become a video of that character performing that motion."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: the words after ``diptych``; those of the process if None.

    Returns:
        The exit code.

    Raises:
        SystemExit: with code 2 on bad usage and 0 after ``--help`` and ``--version``, as argparse does.
    """
    args = build_parser().parse_args(arguments)
    try:
        code: int | None = args.run(args)
    except KeyboardInterrupt as stop:
        print(f"\ndiptych: {str(stop) or 'stopped from the keyboard.'}", file=sys.stderr)
        return STOPPED
    except Exception as failure:
        return _tell(failure, args.debug)
    return DONE if code is None else code


def build_parser() -> argparse.ArgumentParser:
    """The whole command line. A parsed command carries its handler as ``run``."""
    parser = Parser(prog="diptych", description=DESCRIPTION, epilog="diptych COMMAND --help says more of a command.")
    parser.add_argument("--version", action="version", version=f"diptych {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    add_animate(commands)
    add_serve(commands)
    add_describe(commands)
    add_plan(commands)
    add_prepare(commands)
    add_data(commands)
    add_train(commands)
    add_synth(commands)
    add_judge(commands)
    add_review(commands)
    add_keep(commands)
    add_bench(commands)
    add_puppets(commands)
    add_command(commands, "doctor", "say what this machine can do", _doctor)
    return parser


def _doctor(args: argparse.Namespace) -> int:
    from diptych import doctor

    diagnosis = doctor.diagnose()
    print(doctor.report(diagnosis, width=terminal_width()))
    return FAILED if diagnosis.problems else DONE


def _tell(failure: Exception, debug: bool) -> int:
    """Prints a failure and chooses the exit code."""
    from diptych.types import InputError

    if debug:
        import traceback

        traceback.print_exception(failure)
    if isinstance(failure, InputError):
        print(f"diptych: {failure}", file=sys.stderr)
        return BAD_INPUT
    text = " ".join(str(failure).split()) or "no further word"
    print(f"diptych: {type(failure).__name__}: {text}", file=sys.stderr)
    if not debug:
        print("diptych: run it again with --debug to see where.", file=sys.stderr)
    return FAILED
