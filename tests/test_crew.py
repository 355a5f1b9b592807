"""Items by several processes: each is done once, and what they need is made once in every process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from diptych.crew import once, processes, run_items, threads


@dataclass(frozen=True)
class Dear:
    """Writes down every making of it."""

    folder: Path

    def __call__(self) -> str:
        with (self.folder / f"made-{os.getpid()}").open("a") as file:
            file.write("x")
        return "dear"


def _work(item: int, make: Dear) -> None:
    assert once(make) == "dear"
    (make.folder / f"item-{item}").write_text(str(os.getpid()))


@pytest.mark.parametrize(("count", "crew"), [(1, processes), (2, processes), (3, threads)])
def test_what_items_need_is_made_once_in_each_process(tmp_path: Path, count: int, crew: object) -> None:
    with crew(count) as those:  # type: ignore[operator]
        run_items("test", "items", range(8), partial(_work, make=Dear(tmp_path)), total=8, crew=those, quiet=True)
    assert len(list(tmp_path.glob("item-*"))) == 8
    made = {path.name.removeprefix("made-"): path.read_text() for path in tmp_path.glob("made-*")}
    assert set(made) == {path.read_text() for path in tmp_path.glob("item-*")}
    assert set(made.values()) == {"x"}
