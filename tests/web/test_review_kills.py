"""Twenty SIGKILLs of the real server while two reviewers answer: nothing lost, nothing twice."""

from __future__ import annotations

import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from diptych.options import ReviewOptions
from diptych.recipes.review import open_review
from pages_served import Served
from review_folder import numbered_pairs

PAIRS, KILLS = 40, 20

# Starts the server anew for every line it reads; forked, since loading the libraries twenty times would take a minute.
STARTER = """
import os, sys
from pathlib import Path
from diptych.options import ReviewOptions
from diptych.web.review import serve_review
for _ in sys.stdin:
    server = os.fork()
    if server == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        serve_review(ReviewOptions(Path(sys.argv[1]), port=int(sys.argv[2]), wanted=2))
        os._exit(0)
    print(server, flush=True)
    os.waitpid(server, 0)
"""


class Killed:
    """A server that is killed in the middle of chosen requests and started again; asks until it is answered."""

    def __init__(self, folder: Path, port: int, kills: set[int]) -> None:
        self.pages, self.kills, self.asked, self.killed = Served(port), kills, 0, 0
        self._rng = random.Random(7)
        self._starter = subprocess.Popen(
            [sys.executable, "-c", STARTER, str(folder), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._start()

    def _start(self) -> None:
        assert self._starter.stdin is not None
        assert self._starter.stdout is not None
        self._starter.stdin.write("\n")
        self._starter.stdin.flush()
        self._server = int(self._starter.stdout.readline())

    def _kill(self, after: float) -> None:
        time.sleep(after)
        os.kill(self._server, signal.SIGKILL)
        self.killed += 1
        self._start()

    def ask(self, request: Callable[[Served], Any]) -> Any:
        killer = None
        if self.asked in self.kills:
            killer = threading.Thread(target=self._kill, args=(self._rng.choice([0, 0.002, 0.01, 0.03]),))
            killer.start()
        self.asked += 1
        deadline = time.monotonic() + 60
        while True:
            try:
                answer = request(self.pages)
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        if killer is not None:
            killer.join()
        assert answer.status == 200, answer.body
        return answer.json

    def end(self) -> None:
        assert self._starter.stdin is not None
        self._starter.stdin.close()
        os.kill(self._server, signal.SIGTERM)
        self._starter.wait(30)
        assert self._starter.stdout is not None
        self._starter.stdout.close()


def test_twenty_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    folder = numbered_pairs(tmp_path / "pairs", PAIRS, frames=3)
    with closing(open_review(ReviewOptions(folder, ("ann", "ben"))).reviews) as reviews:
        links = [f"/r/{who.token}" for who in reviews.reviewers()]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    requests = PAIRS * 2 + 10
    server = Killed(folder, port, {3 + k * (requests - 6) // KILLS for k in range(KILLS)})
    acknowledged: dict[tuple[str, str], bool] = {}
    undone = 0
    try:
        rng = random.Random(3)
        states = {me: server.ask(lambda pages, me=me: pages.get(f"{me}/turn")) for me in links}
        while any(state["turn"] for state in states.values()):
            for me in links:
                turn = states[me]["turn"]
                if turn is None:
                    continue
                yes = rng.random() < 0.5
                said = {"ticket": turn["ticket"], "motion": yes, "character": True, "seconds": 0.5}
                states[me] = server.ask(lambda pages, me=me, said=said: pages.post(f"{me}/verdicts", said))
                acknowledged[states[me]["reviewer"], turn["pair"]] = yes
                if rng.random() < 0.1:
                    number = {"number": states[me]["last"]}
                    states[me] = server.ask(lambda pages, me=me, number=number: pages.post(f"{me}/undo", number))
                    assert states[me]["turn"]["pair"] == turn["pair"]
                    undone += 1
    finally:
        server.end()
    assert server.killed == KILLS
    with closing(open_review(ReviewOptions(folder)).reviews) as reviews:
        standing, events = reviews.standing(), reviews.events()
    assert {(g.reviewer, g.pair): g.answer.motion for g in standing} == acknowledged
    assert len(standing) == len(acknowledged) == 2 * PAIRS
    assert Counter(e["what"] for e in events) == {"verdict": 2 * PAIRS + undone, "undo": undone}
    assert len({e["ticket"] for e in events if e["what"] == "verdict"}) == 2 * PAIRS + undone
    with closing(sqlite3.connect(folder / "reviews.sqlite")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
