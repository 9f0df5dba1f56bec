"""Who goes first when a search and a load want the interpreter?

Python runs one thread at a time and knows no priorities: a search that gives the interpreter up a
few dozen times, in tantivy, numpy or DuckDB, waits each time until a load has had its turn. So a
server says when a request is in hand, and long loops of writes give way meanwhile, for at most
four times as long as they have worked: they always go on, and go on at once when nobody asks.

    with turns.asking():          # a request, from beginning to end
        ...
    for body in bodies:
        turns.give_way()          # a write, between two short pieces of work
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["asking", "give_way"]

SHORTEST = 0.0005
"""Seconds of work after which a loop looks whether somebody waits."""
LONGEST = 0.02
"""Seconds that a loop waits at once; whoever asks for longer is no search in a hurry."""
SHARE = 4


class _Turns:
    """How many ask, and since when each working thread works."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking = 0
        self._free = threading.Event()
        self._free.set()
        self._worked = threading.local()

    def began(self) -> None:
        with self._lock:
            self._asking += 1
            self._free.clear()

    def ended(self) -> None:
        with self._lock:
            self._asking -= 1
            if not self._asking:
                self._free.set()

    def give_way(self) -> None:
        if not self._asking:
            return
        now = time.perf_counter()
        worked = now - getattr(self._worked, "since", 0.0)
        if worked < SHORTEST:
            return
        self._free.wait(min(SHARE * worked, LONGEST))
        self._worked.since = time.perf_counter()


_turns = _Turns()
give_way = _turns.give_way
"""Let requests go first that are in hand; returns at once when there are none."""


@contextmanager
def asking() -> Iterator[None]:
    """A request is in hand, and writes give way to it."""
    _turns.began()
    try:
        yield
    finally:
        _turns.ended()
