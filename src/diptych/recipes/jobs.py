"""``diptych animate --jobs``: many pictures and drivers with one loaded model, a line of a file each."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diptych.animate.journal import discard_journal
from diptych.animate.session import Session
from diptych.files import sha256
from diptych.options import AnimateJobsOptions, AnimateOptions
from diptych.recipes.animate import animate_files, journal_folder
from diptych.recipes.session import session_for
from diptych.types import InputError

_MOST_FAILURES_TOLD = 100
_LARGEST_FILE = 64 << 20
_FIELDS = {"reference": str, "driving": str, "prompt": str, "seed": int, "output": str}


@dataclass(frozen=True)
class Job:
    """One line.

    Attributes:
        line: its number, from 1.
        options: what is to be made.
    """

    line: int
    options: AnimateOptions


def animate_jobs(options: AnimateJobsOptions) -> int:
    """Animates every line; one that fails is told at the end and keeps no other from being made.

    A line whose result is there, made from the same files and settings, is not made again; one that was begun goes on.

    Returns:
        Exit code: 0, or 100 plus the number of lines that failed, at most 200.

    Raises:
        InputError: if the file of jobs cannot be read, a line is no job, or two lines name one output. Nothing is made
            then.
    """
    jobs = read_jobs(options)
    options.output.mkdir(parents=True, exist_ok=True)
    failed: list[tuple[Job, str]] = []
    session: Session | None = None
    for count, job in enumerate(jobs, 1):
        said = f"{count}/{len(jobs)} {job.options.output.name}"
        if _is_done(job.options):
            # Who was killed behind the last write left its journal.
            discard_journal(journal_folder(job.options.output))
            print(f"diptych: {said} is there already", file=sys.stderr)
            continue
        try:
            if session is None:
                session = session_for(options.common)
            animate_files(job.options, session)
        except Exception as error:  # whatever one line does, the others are made
            reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            failed.append((job, reason))
            print(f"diptych: {said} failed: {reason}", file=sys.stderr)
        else:
            print(f"diptych: {said} done", file=sys.stderr)
    if failed:
        print(f"diptych: {len(failed)} of {len(jobs)} jobs failed:", file=sys.stderr)
        for job, reason in failed[:_MOST_FAILURES_TOLD]:
            print(f"  line {job.line}: {reason}", file=sys.stderr)
    return 100 + min(100, len(failed)) if failed else 0


def read_jobs(options: AnimateJobsOptions) -> list[Job]:
    """Reads and checks the whole file before anything is made. Paths in it are relative to the file's folder.

    Raises:
        InputError: as :func:`animate_jobs`.
    """
    path = options.jobs
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"{path} is larger than any list of jobs ({_LARGEST_FILE >> 20} MB); split it.")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); give a file of JSON lines.") from None
    jobs = [_job(options, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not jobs:
        raise InputError(f"{path} holds no job; write one JSON object a line, with reference and driving.")
    lines_of: dict[Path, int] = {}
    for job in jobs:
        other = lines_of.setdefault(job.options.output, job.line)
        if other != job.line:
            raise InputError(
                f"{path} lines {other} and {job.line} both write {job.options.output.name}; name their outputs apart."
            )
    return jobs


def _job(options: AnimateJobsOptions, number: int, line: str) -> Job:
    where = f"{options.jobs} line {number}"
    try:
        found: Any = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where} is not JSON ({error}); write one object a line.") from None
    if not isinstance(found, dict):
        raise InputError(f"{where} is not a JSON object; write one with reference and driving.")
    for name, value in found.items():
        if name not in _FIELDS:
            raise InputError(f"{where} has a field {name!r} that no job has; there are {', '.join(_FIELDS)}.")
        if type(value) is not _FIELDS[name]:
            raise InputError(f"{where}: {name} must be {'a whole number' if name == 'seed' else 'text'}.")
    for name in ("reference", "driving"):
        if not found.get(name):
            raise InputError(f"{where} names no {name}; a job needs reference and driving.")
    if found.get("seed", 0) < 0:
        raise InputError(f"{where}: seed must be 0 or more.")
    reference, driving = (options.jobs.parent / found[name] for name in ("reference", "driving"))
    default = f"{number:05d}_{_plain(reference.stem)}_{_plain(driving.stem)}.mp4"
    name = found.get("output", default)
    # A file from outside must not write anywhere but into the folder.
    if Path(name).name != name or name in ("", ".", ".."):
        raise InputError(f"{where}: output must be a plain file name, not {name!r}.")
    return Job(
        number,
        dataclasses.replace(
            options.common,
            reference=reference,
            driving=driving,
            output=options.output / name,
            prompt=found.get("prompt", options.common.prompt),
            seed=found.get("seed", options.common.seed),
        ),
    )


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:48]


def _is_done(options: AnimateOptions) -> bool:
    """Whether the result is there, and its run.json says that it was made from these files and settings."""
    record = options.output.with_name(options.output.name + ".run.json")
    try:
        run = json.loads(record.read_text(encoding="utf-8"))
        asked = json.loads(json.dumps(dataclasses.asdict(options), default=str))
        same = {**run["options"], "threads": None, "quiet": None} == {**asked, "threads": None, "quiet": None}
        return (
            same
            and run["reference"]["sha256"] == sha256(options.reference)
            and run["driving"]["sha256"] == sha256(options.driving)
            and run["result"]["sha256"] == sha256(options.output)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False
