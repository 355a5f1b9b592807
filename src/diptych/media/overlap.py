"""Reading ahead and writing behind, so that decoding, generating and encoding run at the same time.

Threads are enough: libav and torch let go of the interpreter while they work.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class _End:
    """Comes after the last item, with what went wrong, if anything did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(items: Iterable[T], depth: int) -> Iterator[T]:
    """The same items, up to ``depth`` of them made in a thread before they are asked for.

    An error of the source is raised where the items are taken. A reader that stops early stops the thread too.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(item: T | _End) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:  # whatever it is, it belongs to the reader
            put(_End(error))
        else:
            put(_End())

    thread = threading.Thread(target=read, name="reading ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stopped.set()
        thread.join()


class Behind(Generic[T]):
    """Hands items to a consumer that runs in a thread; see :func:`behind`."""

    def __init__(self, consume: Callable[[T], None], depth: int) -> None:
        self._consume = consume
        self._waiting: queue.Queue[T | _End] = queue.Queue(maxsize=depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="writing behind", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Queues an item, waiting while the queue is full; raises what the consumer raised before."""
        if self._error is not None:
            raise self._error
        self._waiting.put(item)

    def finish(self) -> None:
        """Waits for the consumer; raises what it raised."""
        self._waiting.put(_End())
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while not isinstance(item := self._waiting.get(), _End):
            if self._error is None:
                try:
                    self._consume(item)
                except BaseException as error:  # kept for the thread that hands items in
                    self._error = error


@contextmanager
def behind(consume: Callable[[T], None], depth: int) -> Iterator[Behind[T]]:
    """Consumes items in a thread, in order; all are consumed when the block has ended without an error.

    Args:
        consume: called with every item. What it raises is raised by the next ``put`` or at the block's end.
        depth: items that may wait.
    """
    writer = Behind(consume, depth)
    try:
        yield writer
    except BaseException:
        writer._error = writer._error or InterruptedError("abandoned")
        writer._waiting.put(_End())
        writer._thread.join()
        raise
    writer.finish()
