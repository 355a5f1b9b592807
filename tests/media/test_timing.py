"""Which frames are taken, and when they are shown: exact, whatever the driver's clock."""

from fractions import Fraction

import numpy as np
import pytest

from diptych.media.timed import TimedFrame
from diptych.media.timing import Cut, at_rate, cut


def film(*ends, start=Fraction(0)):
    """Frames whose pixel is their number, ending at the given times after the start."""
    begins = (Fraction(0), *ends[:-1])
    return [
        TimedFrame(np.full((2, 2, 3), i, np.uint8), start + a, b - a)
        for i, (a, b) in enumerate(zip(begins, ends, strict=True))
    ]


def told(frames):
    return [(int(f.pixels[0, 0, 0]), f.time, f.duration) for f in frames]


STEADY = film(*(Fraction(i, 10) for i in range(1, 11)), start=Fraction(7, 2))


def test_a_part_keeps_times_and_ends_where_it_was_asked_to():
    taken = told(cut(STEADY, Cut(Fraction(3, 10), Fraction(65, 100))))
    assert [number for number, _, _ in taken] == [3, 4, 5, 6]
    assert taken[0][1] == Fraction(7, 2) + Fraction(3, 10)
    assert taken[-1][2] == Fraction(5, 100)
    assert all(duration == Fraction(1, 10) for _, _, duration in taken[:-1])


def test_no_end_takes_all_the_rest_and_nothing_asked_changes_nothing():
    assert told(cut(STEADY, Cut())) == told(STEADY)
    assert [n for n, _, _ in told(cut(STEADY, Cut(Fraction(85, 100))))] == [9]
    assert told(cut(STEADY, Cut(Fraction(5)))) == []


def test_the_source_is_not_read_beyond_the_end():
    def endless():
        yield from STEADY
        raise AssertionError("read too far")

    assert len(list(cut(endless(), Cut(Fraction(0), Fraction(9, 10))))) == 9


@pytest.mark.parametrize(
    ("start", "end"), [(Fraction(-1), None), (Fraction(2), Fraction(2)), (Fraction(2), Fraction(1))]
)
def test_an_empty_part_is_refused(start, end):
    with pytest.raises(ValueError, match="holds nothing"):
        Cut(start, end)


@pytest.mark.parametrize("fps", [Fraction(5), Fraction(10), Fraction(24), Fraction(30000, 1001), Fraction(60)])
def test_a_rate_shows_what_was_to_be_seen_at_every_new_time(fps):
    uneven = film(Fraction(1, 10), Fraction(3, 10), Fraction(31, 100), Fraction(9, 10), Fraction(1), start=Fraction(1))
    new = told(at_rate(uneven, fps))
    assert [time for _, time, _ in new] == [1 + i / fps for i in range(len(new))]
    assert all(duration == 1 / fps for _, _, duration in new)
    assert len(new) == -(-fps // 1)  # as many as begin within the film's one second
    for number, time, _ in new:
        shown = [n for n, begin, length in told(uneven) if begin <= time < begin + length]
        assert shown == [number]


def test_the_films_own_rate_gives_the_film():
    assert told(at_rate(STEADY, Fraction(10))) == told(STEADY)
