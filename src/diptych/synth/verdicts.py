"""What judges said of a folder of pairs, on disk: one file of verdicts a judge, and what belongs to it.

PAIRS/judged/JUDGE.jsonl         verdicts, one line a pair, in the order of the manifest
PAIRS/judged/JUDGE/              run.json, failures.jsonl (who has no verdict, and why), spent.json
PAIRS/judged/JUDGE/items/        a record for every pair that was looked at
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from diptych.data.manifest import LONGEST_LINE, Judged
from diptych.files import read_record
from diptych.method.judging import Dimension
from diptych.types import InputError

Record = dict[str, Any]
Score = Annotated[float, Field(ge=1, le=5)]


class Scored(BaseModel):
    """A line of verdicts.

    Attributes:
        id: of the pair.
        judge: who judged.
        scores: mean over the times it was asked, by dimension.
        average: of the four.
        spread: standard deviation over the times it was asked, by dimension.
        asked: every single score, by dimension.
        reasons: by dimension, where the judge gives any; a stranger's words, to be shown as text and nothing else.
        facts: what was measured on the way.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: Annotated[str, Field(min_length=1, max_length=200)]
    judge: Annotated[str, Field(min_length=1, max_length=200)]
    scores: dict[Dimension, Score]
    average: Score
    spread: dict[Dimension, Annotated[float, Field(ge=0, le=4)]] = {}
    asked: dict[Dimension, list[Score]] = {}
    reasons: dict[Dimension, Annotated[str, Field(max_length=2000)]] = {}
    facts: dict[str, float] = {}

    @model_validator(mode="after")
    def _average_is_of_the_scores(self) -> Scored:
        # A hundredth is what rounding by whoever wrote it may cost; not-a-number is not within it.
        if self.scores and not abs(sum(self.scores.values()) / len(self.scores) - self.average) < 0.01:
            raise ValueError("the average is not that of the scores")
        return self

    def judged(self) -> Judged:
        """What a manifest holds of it."""
        return Judged(
            judge=self.judge, scores={str(name): value for name, value in self.scores.items()}, average=self.average
        )


@dataclass(frozen=True)
class JudgedFolder:
    """Where everything that one judge says of a folder of pairs lies.

    Attributes:
        pairs: the folder of pairs.
        judge: its name.
    """

    pairs: Path
    judge: str

    @property
    def verdicts(self) -> Path:
        """The verdicts."""
        return self.pairs / "judged" / f"{_as_name(self.judge)}.jsonl"

    @property
    def folder(self) -> Path:
        """What else belongs to them."""
        return self.pairs / "judged" / _as_name(self.judge)

    def record(self, name: str) -> Path:
        """The record of a pair."""
        return self.folder / "items" / f"{_as_name(name)}.json"

    def read(self, name: str) -> Record | None:
        """The record of a pair; None where it has none that can be read."""
        return read_record(self.record(name))


def read_verdicts(path: Path) -> list[Scored]:
    """Reads a file of verdicts, strictly.

    Raises:
        InputError: naming the first line that is none, or an id that stands twice.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); run diptych judge first.") from None
    found: dict[str, Scored] = {}
    for number, line in enumerate(lines, start=1):
        try:
            if len(line) > LONGEST_LINE:
                raise ValueError("it is too long")
            scored = Scored.model_validate_json(line)
        except ValueError as error:
            why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise InputError(
                f"{path}, line {number}: no verdict ({why}); delete the file and run diptych judge again."
            ) from None
        if scored.id in found:
            raise InputError(f"{path}, line {number}: {scored.id!r} stands twice; remove one of the lines.")
        found[scored.id] = scored
    return list(found.values())


def _as_name(text: str) -> str:
    """Text as a file name: itself where it is a plain one, else what is plain of it with a hash."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[:100]
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
