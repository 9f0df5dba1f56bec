"""Where does blocking work run, how much of it at once, and how much of it waits?

The engine blocks, the network loop must not. A `Gate` runs work on threads, and lets a bounded
number of requests wait for one in the order in which they came; whoever comes after that is told to
come back. Threads that run at once share one interpreter and take it from each other, so only a few
begin at a time: work that goes on for long no longer counts among them, lest it keep others back.

    gate = Gate("search", threads=16, at_once=2, waiting=1000)
    found = await gate.run(lambda: index.search("space"))
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hybridsearch.server.wire import Refused

LONG_SECONDS = 0.02
"""Work that has lasted so long waits for something, or is no search in a hurry."""
Found = TypeVar("Found")


class Gate:
    """Some threads and a bounded queue before them, for one event loop at a time.

    at_once: how much work may run that has not lasted long; None, as much as there are threads.
    """

    def __init__(
        self, name: str, *, threads: int, waiting: int, at_once: int | None = None
    ) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"hybridsearch-{name}")
        self._size = threads
        self._most = threads + waiting
        self._threads = threads
        self._turns = threads if at_once is None else at_once
        self._line: deque[asyncio.Future[None]] = deque()

    async def run(self, work: Callable[[], Found]) -> Found:
        """What the work gives. Raises what it raises, and Refused when too many wait."""
        inside = self._size - self._threads + len(self._line)
        if inside >= self._most:
            raise Refused(
                f"Too many requests running at the same time: {inside}. Retry after 10s.",
                code="too_many_search_requests",
            )
        await self._admitted()
        loop, turn = asyncio.get_running_loop(), _Turn(self._turn_ended)
        long = loop.call_later(LONG_SECONDS, turn.end)
        try:
            return await loop.run_in_executor(self._pool, work)
        finally:
            long.cancel()
            self._threads += 1
            turn.end()
            self._admit()

    async def _admitted(self) -> None:
        """Wait until there are a thread and a turn, and take them."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(place)
        self._admit()
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._line.remove(place)
            else:  # it was admitted meanwhile
                self._threads += 1
                self._turn_ended()
            raise

    def _turn_ended(self) -> None:
        self._turns += 1
        self._admit()

    def _admit(self) -> None:
        """Let in who waits, as long as there are threads and turns."""
        while self._line and self._threads and self._turns:
            place = self._line.popleft()
            self._threads -= 1
            self._turns -= 1
            place.set_result(None)

    def close(self) -> None:
        """Wait for the work in hand; what still waits is not done."""
        self._pool.shutdown(cancel_futures=True)


class _Turn:
    """Ends once: when the work has ended, or has lasted long."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended: Callable[[], None] | None = ended

    def end(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()
