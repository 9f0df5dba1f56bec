"""May a transaction of the user's be under way on a connection?

Whoever runs a statement on it says so first. As long as nothing could have begun a transaction,
there is none; else DuckDB is asked, by two statements that have the same number inside of one.

    transactions.note("BEGIN"); transactions.none()       # False
"""

from __future__ import annotations

import re
from contextlib import suppress

import duckdb

from hybridsearch.store import Connection

__all__ = ["Transactions"]

_may_begin = re.compile(r"\b(?:begin|start)\b", re.IGNORECASE).search


class Transactions:
    """What is known of the transactions of one connection, which has none yet."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._maybe = False
        self._lent = False

    def note(self, text: object) -> None:
        """A text is about to be run."""
        self._maybe = self._maybe or not isinstance(text, str) or _may_begin(text) is not None

    def lend(self) -> None:
        """The connection, or what can run statements on it, is given to somebody."""
        self._lent = True

    @property
    def idle(self) -> bool:
        """Whether none can have begun; DuckDB is not asked."""
        return not (self._maybe or self._lent)

    def end(self) -> None:
        """End the one that may be under way; nobody has the connection, or a result of it."""
        if not self.idle:
            with suppress(duckdb.TransactionException):  # there is none
                self._connection.rollback()
        self._maybe = self._lent = False

    def none(self) -> bool:
        """Whether no transaction is under way; no result may be in the middle of being read."""
        if self.idle:
            return True
        first, second = (
            self._connection.execute("SELECT txid_current()").fetchall() for _ in range(2)
        )
        self._maybe = first == second
        return not self._maybe
