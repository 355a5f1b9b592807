"""``diptych keep``: which self-made pairs are trained on."""

from __future__ import annotations

import functools
import sys

from diptych.data.manifest import Entry
from diptych.method.bootstrap import THRESHOLD, KeepRule
from diptych.options import KeepOptions
from diptych.synth.keep import TRUTH, Scores, judged_by, keep, read_scores, scores_by_truth
from diptych.synth.review import decisions


def keep_pairs(options: KeepOptions) -> None:
    """Writes the manifest of the pairs that are kept, and says what became of the others.

    Raises:
        InputError: if there is no judge's word, no reviewer's verdict where one is needed, or nothing is kept.
    """
    rule = KeepRule(THRESHOLD if options.threshold is None else options.threshold, options.percentile, options.review)
    verdicts = options.pairs / "reviews.sqlite"
    given = decisions(verdicts, kinds=options.reviewers) if options.review or verdicts.exists() else {}
    output = options.output or options.pairs / "kept.jsonl"
    kept = keep(options.pairs, output, rule, functools.partial(_scores, options), given)
    told = ", ".join(f"{count} {fate}" for fate, count in sorted(kept.fates.items()))
    print(f"{output}: {told}", file=sys.stderr)
    print(output)


def _scores(options: KeepOptions, entries: list[Entry]) -> Scores:
    if options.judge == TRUTH:
        return scores_by_truth(options.pairs, entries)
    return read_scores(judged_by(options.pairs, options.judge))
