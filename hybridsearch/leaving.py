"""What becomes of a database that a program has not closed when it ends?

It is closed. A batch that is being written is given up, which the next opening goes on with, or
finished where it is being stored: a thread at work, which the interpreter ends by itself, takes the
whole process with it where it comes out of a library in C++. What is left open is destroyed in
whatever order the interpreter comes upon it, and DuckDB's bindings report each function of ours on
stderr as leaked.

    follow(database)                  # as long as it lives
"""

from __future__ import annotations

import atexit
import os
from typing import Protocol
from weakref import WeakKeyDictionary

__all__ = ["follow"]


class Leaving(Protocol):
    """What can be closed at the end of a program."""

    def leave(self) -> None:
        """Close, without waiting for long."""


_followed: WeakKeyDictionary[Leaving, int] = WeakKeyDictionary()


def follow(database: Leaving) -> None:
    """Have it closed at the end of this very process; children that it forks leave it alone."""
    _followed[database] = os.getpid()


@atexit.register
def _leave() -> None:
    for database, process in list(_followed.items()):
        if process == os.getpid():
            database.leave()
