"""Where does blocking work run, and how much of it waits at once?

The engine blocks, the network loop must not. A `Gate` runs work on a fixed number of threads and
lets a bounded number of requests wait for one; whoever comes after that is told to come back.

    gate = Gate("search", threads=8, waiting=1000)
    found = await gate.run(lambda: index.search("space"))
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hybridsearch.server.wire import Refused

Found = TypeVar("Found")


class Gate:
    """Some threads and a bounded queue before them, for one event loop at a time."""

    def __init__(self, name: str, *, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"hybridsearch-{name}")
        self._most = threads + waiting
        self._inside = 0

    async def run(self, work: Callable[[], Found]) -> Found:
        """What the work gives. Raises what it raises, and Refused when too many wait."""
        if self._inside >= self._most:
            raise Refused(
                f"Too many requests running at the same time: {self._inside}. Retry after 10s.",
                code="too_many_search_requests",
            )
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._inside -= 1

    def close(self) -> None:
        """Wait for the work in hand; what still waits is not done."""
        self._pool.shutdown(cancel_futures=True)
