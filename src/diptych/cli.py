"""The command line: reads what is asked, hands it to a recipe, and puts failures into one sentence.

Nothing heavy is imported before a command runs, so that ``--help`` answers at once. Exit codes: 0 done, 2 bad usage
or input, 1 failure, 130 stopped from the keyboard.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from diptych import __version__
from diptych.options import (
    AnimateOptions,
    BenchPuppetsOptions,
    PuppetsRenderOptions,
    PuppetsSheetOptions,
    TrainMiniOptions,
)

DONE, FAILED, BAD_INPUT, STOPPED = 0, 1, 2, 130

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
    except KeyboardInterrupt:
        print("\ndiptych: stopped from the keyboard.", file=sys.stderr)
        return STOPPED
    except Exception as failure:
        return _tell(failure, args.debug)
    return DONE if code is None else code


def build_parser() -> argparse.ArgumentParser:
    """The whole command line. A parsed command carries its handler as ``run``."""
    parser = _Parser(prog="diptych", description=DESCRIPTION, epilog="diptych COMMAND --help says more of a command.")
    parser.add_argument("--version", action="version", version=f"diptych {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    _add_animate(commands)
    _add_train(commands)
    _add_bench(commands)
    _add_puppets(commands)
    _command(commands, "doctor", "say what this machine can do", _doctor)
    return parser


# --- commands -------------------------------------------------------------------------------------------------------


def _add_animate(commands: _Commands) -> None:
    animate = _command(commands, "animate", "let a picture perform the motion of a video", _animate)
    animate.add_argument("reference", metavar="REF", type=Path, help="picture of the character")
    animate.add_argument("driving", metavar="DRIVE", type=Path, help="video whose motion is wanted")
    animate.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="mp4 file to write")
    animate.add_argument(
        "--preview", metavar="FILE", type=Path, help="also write reference, driving video and result side by side"
    )
    animate.add_argument("--prompt", metavar="TEXT", help="what is to be seen, in plain English")
    animate.add_argument("--seed", metavar="N", type=_count_from(0), default=0, help="of the noise (default 0)")
    animate.add_argument("--steps", metavar="N", type=_count_from(1), help="denoising steps (default: the model's)")
    animate.add_argument(
        "--guidance-scale", metavar="X", type=_number, help="how strongly the prompt is followed; 1 is no guidance"
    )
    animate.add_argument(
        "--lead-in",
        choices=("cut", "keep"),
        default="cut",
        help="cut or keep the passage from the picture's pose to the video's first (default cut)",
    )
    animate.add_argument(
        "--size", metavar="WxH|N", type=_size, help="pixels of the result, or of its longer side (default: the model's)"
    )
    animate.add_argument(
        "--model", metavar="NAME|FOLDER", default="mini", help="a bundled model or a folder (default mini)"
    )
    animate.add_argument("--threads", metavar="N", type=_count_from(1), help="CPU threads (default: all)")
    animate.add_argument("--dry-run", action="store_true", help="say what would be done, and stop")
    animate.add_argument("--quiet", action="store_true", help="show no progress")


def _animate(args: argparse.Namespace) -> None:
    _recipe("animate", "animate_files")(
        AnimateOptions(
            reference=args.reference,
            driving=args.driving,
            output=args.output,
            preview=args.preview,
            prompt=args.prompt,
            seed=args.seed,
            steps=args.steps,
            guidance_scale=args.guidance_scale,
            lead_in=args.lead_in,
            size=args.size,
            model=args.model,
            threads=args.threads,
            dry_run=args.dry_run,
            quiet=args.quiet,
        )
    )


def _add_train(commands: _Commands) -> None:
    recipes = _group(commands, "train", "train a model by a recipe", "RECIPE")
    mini = _command(recipes, "mini", "the bundled model, from nothing: VAE, cache, denoiser", _train_mini)
    mini.add_argument(
        "--size", choices=("tiny", "cpu", "gpu"), default="cpu", help="seconds, hours, or a GPU (default cpu)"
    )
    mini.add_argument("-o", "--output", metavar="FOLDER", type=Path, help="a started one is resumed")
    mini.add_argument(
        "--stage",
        choices=("all", "vae", "cache", "denoiser"),
        default="all",
        help="one stage alone, or all in order (default all)",
    )
    mini.add_argument("--seed", metavar="N", type=_count_from(0), default=0, help="of all that is drawn (default 0)")
    mini.add_argument("--minutes", metavar="M", type=_positive, help="stop, ready to resume, after so long")
    mini.add_argument("--threads", metavar="N", type=_count_from(1), help="CPU threads (default: all)")
    mini.add_argument(
        "--set",
        metavar="KEY=VALUE",
        dest="overrides",
        type=_setting,
        nargs="+",
        action="extend",
        default=[],
        help="change settings of the recipe by name; --dry-run lists them",
    )
    mini.add_argument("--dry-run", action="store_true", help="print the settings and the plan, and stop")


def _train_mini(args: argparse.Namespace) -> None:
    _recipe("mini", "train_mini")(
        TrainMiniOptions(
            size=args.size,
            output=args.output,
            stage=args.stage,
            seed=args.seed,
            minutes=args.minutes,
            threads=args.threads,
            overrides=tuple(args.overrides),
            dry_run=args.dry_run,
        )
    )


def _add_bench(commands: _Commands) -> None:
    suites = _group(commands, "bench", "measure a model", "WORLD")
    puppets = _command(suites, "puppets", "on made-up pairs whose right answer is known", _bench_puppets)
    puppets.add_argument("--json", metavar="FILE", type=Path, help="file for the figures")
    puppets.add_argument("--sheet", metavar="FILE", type=Path, help="picture of the best, middle and worst pairs")
    puppets.add_argument("--suite", metavar="NAME", help="a frozen suite (default: the newest)")
    puppets.add_argument(
        "--model", metavar="NAME|FOLDER", default="mini", help="a bundled model or a folder (default mini)"
    )
    puppets.add_argument("--steps", metavar="N", type=_count_from(1), help="denoising steps (default: the model's)")
    puppets.add_argument("--pairs", metavar="N", type=_count_from(1), help="measure only the first N pairs")


def _bench_puppets(args: argparse.Namespace) -> None:
    _recipe("bench", "bench_puppets")(
        BenchPuppetsOptions(
            json=args.json,
            sheet=args.sheet,
            suite=args.suite,
            model=args.model,
            steps=args.steps,
            pairs=args.pairs,
        )
    )


def _add_puppets(commands: _Commands) -> None:
    doings = _group(commands, "puppets", "the made-up world that the mini is trained and measured on", "WHAT")

    sheet = _command(doings, "sheet", "draw a contact sheet of it", _puppets_sheet)
    sheet.add_argument("-o", "--output", metavar="FILE", type=Path, default=Path("puppets.png"), help="(puppets.png)")
    sheet.add_argument("--seed", metavar="N", type=_count_from(0), default=0, help="of the puppets shown (default 0)")
    sheet.add_argument("--rows", metavar="N", type=_count_from(1), help="puppets down the sheet")
    sheet.add_argument(
        "--split", action="store_true", help="show the identities kept for measuring apart from those for training"
    )

    render = _command(doings, "render", "write clips of it with a manifest", _puppets_render)
    render.add_argument("-o", "--output", metavar="FOLDER", type=Path, required=True, help="folder to write")
    render.add_argument("--count", metavar="N", type=_count_from(1), default=8, help="clips (default 8)")
    render.add_argument("--seed", metavar="N", type=_count_from(0), default=0, help="of the first clip (default 0)")
    render.add_argument("--fps", metavar="N", type=_count_from(1), help="frames per second")
    render.add_argument("--frames", metavar="N", type=_count_from(1), help="frames a clip")
    render.add_argument("--size", metavar="N", type=_count_from(1), help="pixels of a frame's side")

    _command(doings, "verify", "check the frozen suites against their hashes", _puppets_verify)


def _puppets_sheet(args: argparse.Namespace) -> None:
    _recipe("puppets", "puppets_sheet")(
        PuppetsSheetOptions(output=args.output, seed=args.seed, rows=args.rows, split=args.split)
    )


def _puppets_render(args: argparse.Namespace) -> None:
    _recipe("puppets", "puppets_render")(
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
    _recipe("puppets", "puppets_verify")()


def _doctor(args: argparse.Namespace) -> int:
    from diptych import doctor

    diagnosis = doctor.diagnose()
    print(doctor.report(diagnosis, width=_width()))
    return FAILED if diagnosis.problems else DONE


def _recipe(module: str, name: str) -> Callable[..., object]:
    """The function of ``diptych.recipes`` behind a command.

    Raises:
        NotImplementedError: this copy of the project has no such recipe.
    """
    whole = f"diptych.recipes.{module}"
    try:
        recipes = importlib.import_module(whole)
    except ModuleNotFoundError as missing:
        if missing.name not in (whole, "diptych.recipes"):
            raise
        recipes = None
    recipe = getattr(recipes, name, None)
    if recipe is None:
        raise NotImplementedError(f"this copy of diptych cannot do that yet ({whole}.{name} is missing)")
    found: Callable[..., object] = recipe
    return found


# --- failures -------------------------------------------------------------------------------------------------------


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


# --- the parser's manners -------------------------------------------------------------------------------------------

_Commands = Any  # argparse keeps the type of a group of sub-commands to itself


class _Help(argparse.HelpFormatter):
    """Help text that keeps to 80 columns on wide terminals too."""

    def __init__(self, prog: str, **settings: Any) -> None:
        settings["width"] = _width()
        super().__init__(prog, **settings)


class _Parser(argparse.ArgumentParser):
    """argparse without abbreviations, and with the nearest name where one is unknown."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, formatter_class=_Help, allow_abbrev=False)
        self.set_defaults(parser=self)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        known, unknown = self.parse_known_args(args, namespace)
        if unknown:
            # The command that was being read knows the options that were possible.
            known.parser.error(f"unknown: {' '.join(unknown)}{known.parser.nearest(unknown)}")
        return known

    def nearest(self, words: Sequence[str]) -> str:
        """A question that names the option of this command which the first similar word may have meant, or nothing."""
        options = [name for action in self._actions for name in action.option_strings]
        for word in words:
            close = difflib.get_close_matches(word.partition("=")[0], options, n=1)
            if close:
                return f", did you mean {close[0]}?"
        return ""

    def error(self, message: str) -> NoReturn:
        """Prints one sentence and the way to the help, and exits with code 2."""
        wrong = re.search(r"invalid choice: '?([^' ]*)'? \(choose from (.*)\)", message)
        if wrong:
            close = difflib.get_close_matches(wrong[1], re.findall(r"[\w-]+", wrong[2]), n=1)
            message += f", did you mean {close[0]}?" if close else ""
        self.exit(BAD_INPUT, f"{self.prog}: {message}\n{self.prog} --help shows what it takes.\n")


def _command(
    commands: _Commands, name: str, summary: str, run: Callable[[argparse.Namespace], int | None]
) -> argparse.ArgumentParser:
    """A command that does something."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=_sentence(summary))
    # Suppressed by default, so that "diptych --debug doctor" is not undone by the command's own default.
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show a failure's traceback")
    parser.set_defaults(run=run)
    return parser


def _group(commands: _Commands, name: str, summary: str, metavar: str) -> _Commands:
    """A command that only has commands below it."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=_sentence(summary))
    return parser.add_subparsers(title=metavar.lower(), metavar=metavar, required=True)


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def _width() -> int:
    return min(80, shutil.get_terminal_size().columns)


# --- values ---------------------------------------------------------------------------------------------------------


def _count_from(least: int) -> Callable[[str], int]:
    def whole_number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} up")
        return value

    return whole_number


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def _positive(text: str) -> float:
    value = _number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not above zero")
    return value


def _size(text: str) -> tuple[int, int] | int:
    match = re.fullmatch(r"([1-9]\d*)(?:x([1-9]\d*))?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is neither WIDTHxHEIGHT, as 256x192, nor one number, as 256")
    return (int(match[1]), int(match[2])) if match[2] else int(match[1])


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


if __name__ == "__main__":
    sys.exit(main())
