"""How far is the batch in hand, and is it still wanted?

The worker says where it is; any thread may look at `steps`, or ask for a `stop`, which takes effect
at the next step: nothing of the batch has been committed then, and nothing of it will be. From
`settle` on it is finished whatever is asked.

    course.begin((7, 8))
    course.at("embedding", 2_000, 10_000)        # raises Stopped when 7 or 8 is not wanted any more
    course.settle("storing documents")
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["ANALYSING", "EMBEDDING", "INDEXING", "READING", "STORING", "Course", "Step", "Stopped"]

READING, ANALYSING, EMBEDDING = "reading documents", "analysing texts", "embedding texts"
STORING, INDEXING = "storing documents", "writing the index"
ORDER = (READING, ANALYSING, EMBEDDING, STORING, INDEXING)


class Stopped(Exception):
    """The batch is not wanted any more, and nothing of it was committed."""


@dataclass(frozen=True)
class Step:
    """One step of a batch: how many of how many documents it has done; 0 of 0 tells neither."""

    name: str
    finished: int = 0
    total: int = 0

    @property
    def share(self) -> float:
        """How much of it is done, 0..1."""
        return min(self.finished / self.total, 1.0) if self.total else 0.0


class Course:
    """How far the batch of one queue is; one thread works, any may look or ask to stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uids: frozenset[int] = frozenset()
        self._unwanted = self._firm = False
        self._whole: Step | None = None
        self._step: Step | None = None

    def begin(self, uids: Sequence[int]) -> None:
        """A batch of these tasks begins."""
        with self._lock:
            self._uids = frozenset(uids)
            self._unwanted = self._firm = False
            self._whole = self._step = None

    def at(self, name: str, finished: int = 0, total: int = 0) -> None:
        """The batch is at this step. Raises Stopped when it is to stop and still can."""
        with self._lock:
            if self._unwanted and not self._firm:
                raise Stopped
            self._step = Step(name, finished, total)

    def settle(self, name: str = STORING) -> None:
        """The batch is at the step from which there is no way back. Raises Stopped before it."""
        self.at(name)
        with self._lock:
            if self._unwanted:
                raise Stopped
            self._firm = True

    @contextmanager
    def of(self, name: str, finished: int, total: int) -> Iterator[None]:
        """What is done within is a part of this larger step."""
        self.at(name, finished, total)
        with self._lock:
            self._whole = self._step
        try:
            yield
        finally:
            with self._lock:
                self._step, self._whole = self._whole, None

    def stop(self, uids: Sequence[int]) -> bool:
        """Ask the batch to stop if it has one of these tasks; whether it will."""
        with self._lock:
            found = bool(self._uids & set(uids)) and not self._firm
            self._unwanted = self._unwanted or found
        return found

    @property
    def steps(self) -> tuple[Step, ...]:
        """Where the batch is, the larger step before the one in it; empty before the first."""
        with self._lock:
            both = (self._whole, self._step)
        return tuple(step for step in dict.fromkeys(both) if step is not None)

    @property
    def share(self) -> float:
        """How much of the batch is done, 0..1, each kind of step counting alike."""
        found = self.steps
        if not found:
            return 0.0
        if len(found) > 1 or found[0].name not in ORDER:
            return found[0].share
        return (ORDER.index(found[0].name) + found[0].share) / len(ORDER)
