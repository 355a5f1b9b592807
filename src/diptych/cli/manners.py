"""How every command behaves: one parser, one help, and nothing loaded before it is needed."""

from __future__ import annotations

import argparse
import difflib
import importlib
import re
import shutil
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

DONE, FAILED, BAD_INPUT, STOPPED = 0, 1, 2, 130
"""Exit codes."""

Commands = Any
"""A group of sub-commands, whose type argparse keeps to itself."""


class _Help(argparse.HelpFormatter):
    """Help text that keeps to 80 columns on wide terminals too."""

    def __init__(self, prog: str, **settings: Any) -> None:
        settings["width"] = terminal_width()
        super().__init__(prog, **settings)


class Parser(argparse.ArgumentParser):
    """argparse without abbreviations, and with the nearest name where one is unknown."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, formatter_class=_Help, allow_abbrev=False)
        self.set_defaults(parser=self)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Reads all words; what is unknown is told by the command that was being read."""
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


def add_command(
    commands: Commands, name: str, summary: str, run: Callable[[argparse.Namespace], int | None]
) -> argparse.ArgumentParser:
    """A command that does something."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=_sentence(summary))
    # Suppressed by default, so that "diptych --debug doctor" is not undone by the command's own default.
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show a failure's traceback")
    parser.set_defaults(run=run)
    return parser


def add_group(commands: Commands, name: str, summary: str, metavar: str) -> Commands:
    """A command that only has commands below it."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=_sentence(summary))
    return parser.add_subparsers(title=metavar.lower(), metavar=metavar, required=True)


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def terminal_width() -> int:
    """Columns to write in, at most 80."""
    return min(80, shutil.get_terminal_size().columns)


def load_recipe(module: str, name: str) -> Callable[..., object]:
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


def load_face(module: str, name: str) -> Callable[..., object]:
    """The function of another face, found by its name: faces do not know each other.

    Raises:
        InputError: what pages are served with is not installed.
    """
    try:
        found: Callable[..., object] = getattr(importlib.import_module(f"diptych.web.{module}"), name)
    except ModuleNotFoundError as missing:
        if missing.name not in ("fastapi", "uvicorn", "starlette"):
            raise
        from diptych.types import InputError

        remedy = "run pip install 'diptych[web]'"
        raise InputError(f"pages need {missing.name}, which is not installed; {remedy}.") from None
    return found
