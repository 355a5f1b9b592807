"""Reading ahead and writing behind: same items, same order, errors where they are seen, no thread left."""

import itertools
import threading
import time

import pytest

from diptych.media.overlap import ahead, behind


@pytest.fixture
def no_thread_left():
    """Whoever ran before may have left threads of their own; none may be added."""
    before = set(threading.enumerate())
    yield
    assert not set(threading.enumerate()) - before


def test_ahead_gives_the_same_items_in_order():
    assert list(ahead(range(100), 3)) == list(range(100))


def test_ahead_reads_no_further_than_its_depth(no_thread_left):
    made = []
    items = ahead((made.append(i) or i for i in itertools.count()), 3)
    next(items)
    time.sleep(0.3)
    assert len(made) <= 5  # one taken, three waiting, one in hand
    items.close()


def test_an_error_of_the_source_comes_after_what_it_gave():
    def source():
        yield 1
        raise OSError("torn")

    items = ahead(source(), 2)
    assert next(items) == 1
    with pytest.raises(OSError, match="torn"):
        next(items)


def test_behind_consumes_all_in_order_before_the_block_ends():
    seen = []
    with behind(lambda item: time.sleep(0.01) or seen.append(item), 2) as writer:
        for i in range(20):
            writer.put(i)
    assert seen == list(range(20))


def test_an_error_of_the_consumer_reaches_the_maker():
    def consume(item):
        if item == 3:
            raise OSError("disk full")

    def make():
        with behind(consume, 2) as writer:
            for i in range(100):
                writer.put(i)

    with pytest.raises(OSError, match="disk full"):
        make()


def test_an_error_of_the_maker_ends_the_consumer(no_thread_left):
    def make():
        with behind(lambda item: time.sleep(0.01), 1) as writer:
            for _ in range(5):
                writer.put(0)
            raise KeyError

    with pytest.raises(KeyError):
        make()
