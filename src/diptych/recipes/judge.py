"""``diptych judge``: self-made pairs scored by a model or by measurement, and what judges think of them."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from diptych import __version__
from diptych.experts.judge import PICTURE_SIDE, MllmJudge
from diptych.experts.judge import settings_of as settings_of_model
from diptych.experts.measured import MeasuredJudge
from diptych.experts.measured import settings_of as settings_of_measures
from diptych.experts.mllm import Endpoint, MllmClient, limits_told
from diptych.method.judging import Judge, Performance, Verdict
from diptych.options import JudgeOptions, JudgeReportOptions
from diptych.synth.judged_report import report
from diptych.synth.score import Judging, score
from diptych.synth.verdicts import JudgedFolder
from diptych.types import InputError

_TEMPERATURE = 0.0
"""Video-Bench's: a score should depend on the video and on nothing drawn at random."""

_FEW = 5


def judge_pairs(options: JudgeOptions) -> None:
    """Scores every pair that has no verdict yet, and prints where the verdicts are.

    Raises:
        InputError: as :func:`diptych.synth.score.score`; or no pair has a verdict in the end.
    """
    with judging_of(options) as judging:
        outcome = score(
            options.pairs,
            judging,
            workers=options.workers or 1,
            quiet=options.quiet,
            made_with=f"diptych {__version__}",
        )
    for name, reason in list(outcome.failed.items())[:_FEW]:
        print(f"{name}: {reason}", file=sys.stderr)
    if outcome.failed:
        print(
            f"{len(outcome.failed)} pairs have no verdict; the next run tries them again, and "
            f"{JudgedFolder(options.pairs, judging.name).folder / 'failures.jsonl'} says why.",
            file=sys.stderr,
        )
    if not outcome.judged:
        raise InputError(f"no pair of {options.pairs} could be judged; see the reasons above.")
    print(outcome.verdicts)


def judge_report(options: JudgeReportOptions) -> None:
    """Prints scores, failures, and how far judges agree."""
    print(report(options.pairs))


@contextmanager
def judging_of(options: JudgeOptions) -> Iterator[Judging]:
    """The judge asked for; what a model cost is said on standard error at the end.

    Raises:
        InputError: if package, key, model or prices are missing, or the endpoint is no address.
    """
    if options.judge == "measured":
        yield Judging("measured", settings_of_measures(), MeasuredJudge)
        return
    endpoint, repeats = endpoint_of(options), options.repeats or 1
    answers = options.words.cache or JudgedFolder(options.pairs, endpoint.model).folder / "answers"
    client = MllmClient(endpoint, answers)

    def spent() -> Mapping[str, float]:
        used = dataclasses.asdict(client.spent())
        return {name: value for name, value in used.items() if value is not None}

    try:
        yield Judging(
            name=endpoint.model,
            settings=settings_of_model(endpoint, repeats),
            make=lambda: _Asking(MllmJudge(client, repeats)),
            threads=endpoint.parallel,
            spent=spent,
        )
    finally:
        client.close()
        print(client.spent().sentence(), file=sys.stderr)


def endpoint_of(options: JudgeOptions) -> Endpoint:
    """Whom to ask, and what may be spent."""
    words = options.words
    asked = Endpoint(
        base_url=words.endpoint or "",
        model=words.model or "",
        api_key_env=words.api_key_env,
        requests_per_minute=words.requests_per_minute,
        max_requests=words.max_requests,
        max_cost=words.max_cost,
        price_in=words.price_in,
        price_out=words.price_out,
        temperature=_TEMPERATURE if options.temperature is None else options.temperature,
        picture_side=PICTURE_SIDE,
    )
    return asked if options.parallel is None else dataclasses.replace(asked, parallel=options.parallel)


@dataclasses.dataclass(frozen=True)
class _Asking:
    """A model as the job knows judges: what ends the run is a sentence for the user."""

    judge: Judge

    def __call__(self, performance: Performance) -> Verdict:
        with limits_told():
            return self.judge(performance)
