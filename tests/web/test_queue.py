"""How long a run still takes, and what a queue tells of it; without a worker."""

from __future__ import annotations

from diptych.recipes.serve import Progressed
from diptych.web.queue import Pace
from diptych.web.shelf import plain_name


def heard(*words):
    """A pace that heard words at seconds."""
    pace = Pace(window=10)
    for now, word in words:
        pace.hear(word, now)
    return pace


def animate(done, share=0.0, beating=False):
    return Progressed("animate", done, 100, "frames", share, beating)


def test_time_left_follows_from_what_was_made_and_runs_down():
    pace = heard((0, animate(0, beating=True)), (5, animate(10)), (5, animate(10, 0.0, True)), (10, animate(20)))
    assert pace.seconds_left(10) == 40
    assert pace.seconds_left(13) == 37
    assert pace.seconds_left(99) == 0


def test_what_a_journal_gives_back_is_no_speed():
    pace = heard((0, animate(0)), (0.1, animate(80)), (0.1, animate(80, beating=True)), (10.1, animate(90)))
    assert round(pace.seconds_left(10.1), 6) == 10


def test_parts_of_a_window_count():
    pace = heard((0, animate(0, beating=True)), (2, animate(0, 0.5, True)))
    assert pace.done == 5
    assert pace.seconds_left(2) == 38


def test_nobody_can_tell_at_the_beginning_or_without_a_total():
    assert heard().seconds_left(1) is None
    assert heard((0, animate(0, beating=True))).seconds_left(1) is None
    assert heard((0, Progressed("poses", 3, 0, "frames"))).seconds_left(1) is None


def test_another_task_begins_anew():
    pace = heard((0, Progressed("poses", 0, 50, "frames")), (5, Progressed("poses", 50, 50, "frames")))
    pace.hear(animate(0, beating=True), 5)
    assert pace.seconds_left(5) is None
    pace.hear(animate(50), 10)
    assert pace.seconds_left(10) == 5


def test_names_are_the_last_part_printable_and_short():
    assert plain_name("C:\\Users\\me\\cat.png") == "cat.png"
    assert plain_name("../..") == ".."
    assert plain_name("a/b\x00\n.mp4") == "b.mp4"
    assert plain_name("x" * 300 + ".mp4") == "x" * 76 + ".mp4"
    assert plain_name("") == ""
