"""How does a program ask in SQL, with searches among everything else?

A `Connection` is a DuckDB connection whose statements pass through the front end first. It has
DuckDB's own methods and gives DuckDB's own results; a statement without a search construct
reaches DuckDB as it was written, at the cost of one look for the words that begin one.

    with db.connect() as con:
        con.sql("SELECT title FROM search('movies', 'alien') WHERE year < 1990 LIMIT 3").df()

What is not named here (`fetchall`, `df`, `pl`, `description` ...) is the wrapped connection's.
"""

from __future__ import annotations

import re
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from types import FrameType, TracebackType
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa

from hybridsearch.attached import SearchIndexes
from hybridsearch.sql.definitions import Definition, Explain
from hybridsearch.sql.functions import Functions
from hybridsearch.sql.hits import Later, Lease
from hybridsearch.sql.lent import Bound, Lent
from hybridsearch.sql.lowering import Lowered
from hybridsearch.sql.seen import UNBOUND, Run, column, seen_from
from hybridsearch.sql.session import Session, Step
from hybridsearch.sql.telling import guarded, telling, told
from hybridsearch.store import Connection as Bare

__all__ = ["Connection", "FrontEnd", "Relation"]

Way: TypeAlias = Callable[..., Any]
Relation: TypeAlias = duckdb.DuckDBPyRelation

RESULT = "hybridsearch_result"
SPARE = 4
"""So many connections wait for another statement."""
READS = {
    *("fetchall", "fetchone", "fetchmany", "fetchnumpy", "fetchdf", "fetch_df", "fetch_df_chunk"),
    *("fetch_arrow_table", "fetch_record_batch", "df", "pl", "arrow", "torch", "tf"),
    *("to_arrow_table", "to_arrow_reader"),
}
"""Methods that read rows, and may fail at one."""
_reads = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:select|from|with|values|table|describe|show|summarize)\b"
    r"[^;]*;?\s*\Z",
    re.IGNORECASE | re.DOTALL,
).match


class FrontEnd:
    """Makes the connections of one database."""

    def __init__(self, functions: Functions, indexes: SearchIndexes) -> None:
        self._functions = functions
        self._indexes = indexes
        self._spare: deque[Connection] = deque(maxlen=SPARE)
        self._closed = False
        self.bound = Bound()

    def relation(
        self, bare: Callable[[], Bare], text: object, params: object, frame: FrameType
    ) -> Relation:
        """The result of a statement on a connection that no other result is read on.

        Making search() known to a connection costs 20 ms, so one on which a statement only reads
        is used again once nobody can read its result any more.
        """
        if not isinstance(text, str) or _reads(text) is None:
            return self.connection(bare()).relation(text, params, frame)
        try:
            connection = self._spare.pop()
            connection.ready()
        except IndexError:
            connection = self.connection(bare())
        lease = Lease(partial(self._return, connection), connection.lend)
        return connection.relation(text, params, frame, lease)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._closed = True
        while self._spare:
            self._spare.pop().close()

    def _return(self, connection: Connection) -> None:
        if not self._closed:
            self._spare.append(connection)

    def connection(self, bare: Bare) -> Connection:
        """The connection with search() and its companions, and statements that pass through."""
        self._functions.attach(bare)
        return Connection(bare, self, Session(bare, self._functions, self._indexes))


class Connection:
    """A DuckDB connection that knows search; a context manager that closes it."""

    def __init__(self, bare: Bare, front_end: FrontEnd, session: Session) -> None:
        self._bare = bare
        self._front_end = front_end
        self._session = session
        self._lent = Lent(bare, session, front_end.bound, alone=True)
        self._shared = Lent(bare, session, Bound(), alone=False)
        self._in_hand: Step | None = None  # the statement whose rows are read

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._bare, name)
        if name not in READS:
            self._session.transactions.lend()
            return value
        return value if self._in_hand is None else guarded(value, self._in_hand)

    @property
    def bare(self) -> Bare:
        """The DuckDB connection itself, which knows the native functions alone."""
        self._session.transactions.lend()
        return self._bare

    def execute(self, query: object, parameters: object = None) -> Connection:
        """Run the statements and keep the result of the last to be fetched; gives itself back.

        parameters: a list for `?` and `$1`, a dict for `$name`; they go to the last statement.
        Raises duckdb.Error, or HybridSearchError for what is wrong with a search.
        """
        self._run(
            Run(self._bare.execute, "parameters", once=True), query, parameters, sys._getframe(1)
        )
        return self

    def executemany(self, query: object, parameters: object = None) -> Connection:
        """Run the statement once for each list of parameters; gives itself back."""
        self._run(Run(self._bare.executemany, "parameters"), query, parameters, sys._getframe(1))
        return self

    def sql(
        self, query: object, *, alias: str = "", params: object = None
    ) -> duckdb.DuckDBPyRelation:
        """The last statement's result as a relation, evaluated whenever it is read."""
        return self._relation(query, alias, params, sys._getframe(1))

    def query(
        self, query: object, *, alias: str = "", params: object = None
    ) -> duckdb.DuckDBPyRelation:
        """The same as `sql`."""
        return self._relation(query, alias, params, sys._getframe(1))

    def from_query(
        self, query: object, *, alias: str = "", params: object = None
    ) -> duckdb.DuckDBPyRelation:
        """The same as `sql`."""
        return self._relation(query, alias, params, sys._getframe(1))

    def begin(self) -> Connection:
        """Begin a transaction; gives itself back."""
        self._session.transactions.note("begin")
        self._bare.begin()
        return self

    def commit(self) -> Connection:
        """Commit the transaction; gives itself back."""
        self._bare.commit()
        return self

    def rollback(self) -> Connection:
        """Roll the transaction back; gives itself back."""
        self._bare.rollback()
        return self

    def register(self, view_name: str, python_object: object) -> Connection:
        """Make a frame or table known under a name; gives itself back."""
        self._bare.register(view_name, python_object)
        return self

    def unregister(self, view_name: str) -> Connection:
        """Forget a registered name; gives itself back."""
        self._bare.unregister(view_name)
        return self

    def cursor(self) -> Connection:
        """A second connection to the same database, which knows search too."""
        return self._front_end.connection(self._bare.cursor())

    duplicate = cursor

    def close(self) -> None:
        """Close the connection."""
        self._session.close()
        self._bare.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def lend(self) -> None:
        """Somebody gets what can run statements on it."""
        self._session.transactions.lend()

    def ready(self) -> None:
        """Nobody has anything of it any more, and it is to be used again."""
        self._session.transactions.end()

    # A statement's way

    def relation(
        self, text: object, params: object, frame: FrameType, lease: Lease | None = None
    ) -> Relation:
        """The result as a relation, which holds the lease, as do those made of it."""
        steps = self._session.steps(text) if isinstance(text, str) and lease is not None else None
        if steps and lease is not None:
            lent = guarded(self._lent.relation, steps[0])(steps[0], lease, params)
            if lent is not None:
                return lent
        run = Run(self._bare.sql, "params", later=True, lease=lease)
        return self._told(run, text, params, frame)

    def _relation(self, query: object, alias: str, params: object, frame: FrameType) -> Relation:
        lease = Lease(_nothing, self.lend)
        steps = self._session.steps(query) if isinstance(query, str) and not alias else None
        if steps and len(steps) == 1:
            found = guarded(self._shared.relation, steps[0])(steps[0], lease, params)
            if found is not None:
                return found
        run = Run(partial(self._bare.sql, alias=alias), "params", later=True, lease=lease)
        return self._told(run, query, params, frame)

    def _told(self, run: Run, query: object, params: object, frame: FrameType) -> Relation:
        if run.lease is None:
            self.lend()  # a relation can run statements
        found: Relation = self._run(run, query, params, frame)
        step = self._in_hand
        if not isinstance(found, Relation) or step is None:
            self.lend()
            return found
        return telling(found, step if run.lease is None else replace(step, lease=run.lease))

    def _run(self, run: Run, query: object, values: object, frame: FrameType) -> Any:
        """Run every statement of the text, the last by `run` with the values."""
        text = query if isinstance(query, str) else getattr(query, "query", None)
        self._session.transactions.note(text)
        steps = self._session.steps(text) if isinstance(text, str) else None
        if steps is None:
            self._in_hand = Step(text, False, text, 0) if isinstance(text, str) else None
            see = seen_from if self._in_hand is None else guarded(seen_from, self._in_hand)
            return see(frame, run, query, values)
        for step in steps[:-1]:
            self._step(Run(self._bare.execute, "parameters"), step, None, frame)
            self._bare.complete()
        return self._step(run, steps[-1], values, frame)

    def _step(self, run: Run, step: Step, values: object, frame: FrameType) -> Any:
        self._in_hand = step
        if not step.searches:
            return guarded(seen_from, step)(frame, run, step.text, values)
        try:
            definition = self._session.definition(step)
            if definition is not None:
                return self._defined(run, definition, step, values, frame)
            lowered = self._session.lowered(step)
            ways = [self._ahead] if run.once or run.later else []
            ways += [self._lowered] if lowered.text != step.text else []
            return self._first_bound([*ways, self._written], run, lowered, step, values, frame)
        except duckdb.Error as error:
            found = told(error, step)
            if found is None:
                raise
            raise found from None

    def _defined(
        self, run: Run, definition: Definition, step: Step, values: object, frame: FrameType
    ) -> Any:
        """Do at once what a statement about search indexes says; its rows are the result."""
        if isinstance(definition, Explain):
            return self._explained(run, definition, step, values, frame)
        return seen_from(frame, run, self._session.made(definition), None)

    def _explained(
        self, run: Run, explain: Explain, step: Step, values: object, frame: FrameType
    ) -> Any:
        inner, lines = self._session.explained(explain, step)
        if explain.analyze:
            started, before = time.perf_counter(), self._session.degraded
            self._step(Run(self._bare.execute, "parameters", once=True), inner, values, frame)
            rows = len(self._bare.fetchall())
            taken = (time.perf_counter() - started) * 1000
            lines += [f"rows: {rows}", f"time: {taken:.1f} ms"]
            lines += _degraded(self._session.degraded - before)
        text = f"CALL query('FROM {RESULT}')"
        return seen_from(frame, run, text, None, {RESULT: pa.table({"plan": lines})})

    def _first_bound(self, ways: Sequence[Way], *given: Any) -> Any:
        """What the first way gives that DuckDB can bind; else the error of the last.

        In a transaction of the user's the first failure has ended it, and is what is told.
        """
        first: duckdb.Error | None = None
        for way in ways:
            try:
                return way(*given)
            except UNBOUND as error:
                first = first or error
                if way is ways[-1]:
                    raise
            except duckdb.TransactionException:
                if first is None:
                    raise
                raise first from None
        raise AssertionError("there is always the statement as it was written")

    def _ahead(
        self, run: Run, lowered: Lowered, step: Step, values: object, frame: FrameType
    ) -> Any:
        """Run the statement with the hits of its searches in their place."""
        reader = column(self._bare, frame) if run.once else None
        ask = partial(self._session.ahead, lowered, step, values, reader)
        made = ask()
        if made is None:
            return seen_from(frame, run, lowered.text, values)
        for table in made.tables.values():
            if isinstance(table, Later):
                table.lease = run.lease
        found = seen_from(frame, run, made.text, made.values, made.tables)
        if self._session.stands(made):
            return found
        made = ask(placed=False) or made
        return seen_from(frame, run, made.text, made.values, made.tables)

    def _lowered(
        self, run: Run, lowered: Lowered, step: Step, values: object, frame: FrameType
    ) -> Any:
        """Run the statement with what is pushed into its searches."""
        return seen_from(frame, run, lowered.text, values)

    def _written(
        self, run: Run, lowered: Lowered, step: Step, values: object, frame: FrameType
    ) -> Any:
        """Run the statement as it was written."""
        return seen_from(frame, run, step.text, values)


def _nothing() -> None:
    """What is done for a connection that stays with whoever has it."""


def _degraded(count: int) -> list[str]:
    """What EXPLAIN SEARCH ANALYZE says of searches whose text could not be embedded."""
    told = f"degraded: {count} search{'es' * (count != 1)} went by words alone; the log says why"
    return [told] if count > 0 else []
