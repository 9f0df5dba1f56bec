"""How is a relation made, and read, whose connection is known to be in no transaction?

Where it reads all rows at once, it may run the statement as `execute` does, its searches first,
with what is known of the places of rows; which takes DuckDB a third of the time. Whatever else is
done with it, and whoever else reads it, has the relation of `Connection.sql`, right whenever it is
read. A statement that has been bound before gets that only when it is asked for.

    lent = Lent(bare, session, bound, alone=True)    # nobody else runs anything on the connection
    lent.relation(step, lease, ["space"]).fetchall()
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import duckdb

from hybridsearch.sql.ahead import Ahead
from hybridsearch.sql.hits import Later, Lease
from hybridsearch.sql.lowering import Lowered
from hybridsearch.sql.pushdown import Statement
from hybridsearch.sql.seen import NOBODY, UNBOUND, Run, column, column_apart, seen_from
from hybridsearch.sql.session import Session
from hybridsearch.sql.telling import Step, telling, unmade
from hybridsearch.store import Connection

__all__ = ["Bound", "Lent"]

DIRECT = {"fetchall": "fetchall", "fetchnumpy": "fetchnumpy", "df": "df", "to_df": "df"}
"""Methods of a relation -> what a connection calls the same; others copy the rows once more."""
MOST = 256
CHANGING = {"insert", "update", "delete", "merge"}
"""Words of statements that begin WITH and are run at once."""


class Bound:
    """Which statements DuckDB has bound before, as long as the indexes have the same columns."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, None] = OrderedDict()

    def add(self, statement: Hashable) -> None:
        """It could be bound."""
        self._known[statement] = None
        if len(self._known) > MOST:
            self._known.popitem(last=False)

    def __contains__(self, statement: Hashable) -> bool:
        return statement in self._known


class Lent:
    """Makes the relations of one connection.

    alone: whether one lives at a time, and nobody else has the connection; else what it was asked
    last stays as it is.
    """

    def __init__(
        self, connection: Connection, session: Session, bound: Bound, *, alone: bool
    ) -> None:
        self._connection = connection
        self._session = session
        self._bound = bound
        self._alone = alone

    def relation(self, step: Step, lease: Lease, values: object) -> duckdb.DuckDBPyRelation | None:
        """The relation of a statement that reads no variable; None where it has to be made else.

        Raises HybridSearchError for what is wrong with a search.
        """
        session = self._session
        if not (step.searches and session.transactions.idle) or session.definition(step):
            return None
        lowered = session.lowered(step)
        if lowered.statement is None or _changes(lowered.statement):
            return None
        made = session.ahead(lowered, step, values, None)
        if made is None:
            return None
        for table in made.tables.values():
            if isinstance(table, Later):
                table.lease = lease
        return self._of(step, lease, lowered, made, _copied(values))

    def _of(
        self, step: Step, lease: Lease, lowered: Lowered, made: Ahead, values: object
    ) -> duckdb.DuckDBPyRelation | None:
        quick = partial(self._at_once, lowered, step, values)
        own = replace(step, lease=lease, quick=quick)
        make = partial(self._made, own, made)
        statement = made.text, _types(made.values), self._session.stamp(lowered)
        if statement in self._bound:
            return unmade(own, make)
        try:
            found = make()
        except UNBOUND:  # it may read a variable, or has to be run as it was written
            return None
        self._bound.add(statement)
        return found

    def _made(self, step: Step, made: Ahead) -> duckdb.DuckDBPyRelation:
        run = Run(self._connection.sql, "params")
        return telling(seen_from(NOBODY, run, made.text, made.values, made.tables), step)

    def _at_once(
        self,
        lowered: Lowered,
        step: Step,
        values: object,
        name: str,
        given: tuple[Any, ...],
        named: Mapping[str, Any],
    ) -> tuple[Any] | None:
        """All rows of a statement as they are now, as `execute` finds them."""
        session = self._session
        if session.lowered(step) is not lowered or not session.transactions.idle:
            return None
        own = self._connection
        read = column(own, NOBODY) if self._alone else column_apart(own)
        try:
            made = session.ahead(lowered, step, values, read)
            found = None if made is None else self._rows(made, name, given, named)
        except (*UNBOUND, duckdb.ResourceInUseException):  # the relation itself may tell otherwise
            return None
        return found if made is not None and session.stands(made) else None

    def _rows(
        self, made: Ahead, name: str, given: tuple[Any, ...], named: Mapping[str, Any]
    ) -> tuple[Any]:
        if name not in DIRECT or not self._alone:
            run = Run(self._connection.sql, "params")
            rows = seen_from(NOBODY, run, made.text, made.values, made.tables)
            return (getattr(rows, name)(*given, **named),)
        run = Run(self._connection.execute, "parameters")
        seen_from(NOBODY, run, made.text, made.values, made.tables)
        try:
            return (getattr(self._connection, DIRECT[name])(*given, **named),)
        except BaseException:  # what was not read would keep others from running a statement
            self._connection.abort()
            raise


def _changes(statement: Statement) -> bool:
    return any(token.word in CHANGING for token in statement.tokens)


def _copied(values: object) -> object:
    """The parameters as they are now."""
    if isinstance(values, Mapping):
        return dict(values)
    return list(values) if isinstance(values, Sequence) else values


def _types(values: object) -> Hashable:
    """The types of parameters, by which a statement is bound."""
    if isinstance(values, Mapping):
        return tuple((name, type(value)) for name, value in values.items())
    return tuple(map(type, values)) if isinstance(values, Sequence) else None
