"""``diptych review``: the pairs of a folder, the verdicts on them, and who may look."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from diptych.data.manifest import Entry, read_manifest
from diptych.files import replacing, writing_errors
from diptych.options import ReviewExportOptions, ReviewOptions
from diptych.synth.folder import MANIFEST
from diptych.synth.review import NAME, Given, Reviewer, Reviews
from diptych.synth.viewing import Viewing
from diptych.types import InputError


@dataclass(frozen=True)
class Review:
    """A review that is open.

    Attributes:
        reviews: the store of verdicts.
        viewing: what may be seen.
        reviewers: those who were asked for.
        admin: token of the overview.
        wanted: verdicts on every pair.
    """

    reviews: Reviews
    viewing: Viewing
    reviewers: tuple[Reviewer, ...]
    admin: str
    wanted: int


def open_review(options: ReviewOptions) -> Review:
    """Opens the pairs of a folder and the verdicts beside them.

    Without names, everybody of that kind who was invited before is invited again, or one who is called after the kind.

    Raises:
        InputError: there are no pairs, or the file of verdicts is none.
    """
    viewing = Viewing(options.pairs, _pairs(options.pairs))
    reviews = Reviews(options.pairs / NAME)
    try:
        known = tuple(who.name for who in reviews.reviewers() if who.kind == options.kind)
        names = options.reviewers or known or (f"{options.kind}-1",)
        invited = tuple(reviews.invite(name, options.kind) for name in dict.fromkeys(names))
        return Review(reviews, viewing, invited, reviews.admin(options.token), options.wanted)
    except BaseException:
        reviews.close()
        raise


def export_review(options: ReviewExportOptions) -> None:
    """Writes the verdicts that stand, one JSON object a line, to a file or to standard output.

    Raises:
        InputError: nobody reviewed the folder, or the file cannot be written.
    """
    path = options.pairs / NAME
    if not path.is_file():
        raise InputError(f"{path} does not exist; let somebody look with: diptych review {options.pairs}")
    with closing(Reviews(path)) as reviews:
        given = reviews.standing()
    lines = list(verdict_lines(given))
    if options.output is None:
        sys.stdout.writelines(lines)
        return
    with writing_errors(options.output), replacing(options.output) as draft:
        draft.write_text("".join(lines), "utf-8")
    print(f"{options.output}: {len(lines)} verdicts", file=sys.stderr)


def verdict_lines(given: list[Given]) -> Iterator[str]:
    """Answers as JSON lines: when, by whom and of what kind, on what, what was said and for how long it was looked."""
    for answer in given:
        line = asdict(answer) | {"at": datetime.fromtimestamp(answer.at, timezone.utc).isoformat()}
        line |= line.pop("answer")
        yield json.dumps(line, ensure_ascii=False) + "\n"


def _pairs(folder: Path) -> list[Entry]:
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} holds no {MANIFEST}; make pairs with: diptych synth")
    return read_manifest(folder / MANIFEST)
