"""What does the front end know of one connection, and what does it do with a text it has seen?

A `Session` cuts a text into statements, lowers those that search, and keeps what it has found
until an index has other columns. Trying whether something can be bound never touches the
connection's own transaction, which one failure would end.

    session.steps("SELECT 1")                   # None: nothing to do
    session.lowered(session.steps("FROM search('docs', 'x') LIMIT 3")[0]).text
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import duckdb

from hybridsearch.attached import SearchIndexes
from hybridsearch.errors import HybridSearchError, NotFound, QueryError
from hybridsearch.sql.ahead import Ahead, Ground, Run, answer
from hybridsearch.sql.calls import Call
from hybridsearch.sql.definitions import Definition, Described, Explain, read_definition
from hybridsearch.sql.emitting import described, native
from hybridsearch.sql.explaining import explained
from hybridsearch.sql.functions import Functions
from hybridsearch.sql.hits import Later
from hybridsearch.sql.levels import beginning
from hybridsearch.sql.lowering import Lowered, is_kept, lower, numbered, read
from hybridsearch.sql.naming import naming
from hybridsearch.sql.operators import Table, check, tests
from hybridsearch.sql.parameters import misnamed, quoting
from hybridsearch.sql.pushdown import Facts, Statement
from hybridsearch.sql.relation import Source
from hybridsearch.sql.scoring import Searched, scoring
from hybridsearch.sql.semijoins import STRICT, Decision, Held, joined, probe, rows_held
from hybridsearch.sql.snippets import marking
from hybridsearch.sql.telling import Step, at_call, placed
from hybridsearch.sql.tokens import scan, spliced, statements
from hybridsearch.sql.transactions import Transactions
from hybridsearch.store import Connection, IndexRecord

__all__ = ["Session", "Step"]

KEPT = 256
Found = TypeVar("Found")
TRIED = "hybridsearch_tried"
_searches = re.compile(
    r"\b(?:search|similar|facets|tokens|suggest|score|search_rank|match_phrase|highlight|snippets?"
    r"|rrf3?|rrf_score)\b"
    r"|@@@|\|\|\||&&&|===",
    re.IGNORECASE,
).search
_defines = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:create|refresh|alter|drop|show|desc|describe|explain)\b",
    re.IGNORECASE | re.DOTALL,
).match


class Session:
    """The front end of one connection."""

    def __init__(
        self, connection: Connection, functions: Functions, indexes: SearchIndexes
    ) -> None:
        self._connection = connection
        self._indexes = indexes
        self._functions = functions
        self._kept: OrderedDict[str, tuple[Hashable, Lowered]] = OrderedDict()
        self._cut: OrderedDict[str, list[Step] | None] = OrderedDict()
        self._apart: Connection | None = None
        self._known: dict[str, tuple[bool, bool]] | None = None
        self._catalog: str | None = None
        self.transactions = Transactions(connection)

    def steps(self, text: str) -> list[Step] | None:
        """The statements one after the other; None where none of them searches."""
        if _searches(text) is None:
            return None
        known = self._cut.get(text)
        if known is None:
            known = self._cut[text] = self._steps(text)
            if len(self._cut) > KEPT:
                self._cut.popitem(last=False)
        return known

    def _steps(self, text: str) -> list[Step] | None:
        tokens = scan(text)
        if not tokens:
            return None
        found: list[Step] = []
        for statement in statements(tokens):
            start, end = statement[0].start, statement[-1].end
            searches = _searches(text, start, end) is not None
            if found and not (searches or found[-1].searches):
                start = found.pop().start
            found.append(Step(text[start:end], searches, text, start))
        return found

    def lowered(self, step: Step) -> Lowered:
        """The statement as the native functions take it."""
        known = self._kept.get(step.text)
        if known is not None and known[0] == self.stamp(known[1]):
            self._kept.move_to_end(step.text)
            return known[1]
        try:
            made = self._made(step.text)
        except QueryError as error:
            raise placed(error, step) from None
        self._kept[step.text] = (self.stamp(made), made)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return made

    def _made(self, text: str) -> Lowered:
        """The statement as the native functions take it. Raises QueryError."""
        facts = Facts(self._volatile, self._plain, self._binds)
        statement = read(numbered(text))
        if statement is None:
            return Lowered(text)
        check(statement)
        misnamed(statement)
        edits = [*quoting(statement), *scoring(statement, self._searched), *marking(statement)]
        edits += naming(statement, edits)
        plain = spliced(statement.text, edits) if edits else statement.text
        changed, decided = self._with_indexes(plain, statement)
        if changed == statement.text:
            return replace(lower(text, self._source, facts), tests=decided)
        lower(text, self._source, facts)  # what is wrong is told with its place
        return replace(lower(changed, self._source, facts), tests=decided)

    def _with_indexes(self, text: str, written: Statement) -> tuple[str, tuple[Decision, ...]]:
        """The text with those operators asked of indexes that can be, and what was decided."""
        statement = written if text == written.text else read(text)
        assert statement is not None  # it was read, and what was put in can be
        strict = self._strict()
        asked, decided = joined(
            statement, self._indexed, self._rows_indexed, kept=is_kept(statement), strict=strict
        )
        if asked != text and not self._binds(asked):
            asked, decided = text, [each.refused() for each in decided]
        if strict:
            _check_strict(written, decided)
        return asked, tuple(decided)

    def _strict(self) -> bool:
        """Whether operators may not read rows."""
        query = f"SELECT coalesce(TRY_CAST(getvariable('{STRICT}') AS BOOLEAN), false)"
        [(strict,)] = self._connection.execute(query).fetchall()
        return bool(strict)

    def definition(self, step: Step) -> Definition | None:
        """What the statement says, if it is one about search indexes. Raises QueryError."""
        if _defines(step.text) is None:
            return None
        statement = read(step.text)
        try:
            return None if statement is None else read_definition(statement)
        except QueryError as error:
            raise placed(error, step) from None

    def made(self, definition: Definition) -> str:
        """The statement of the native functions that does what the definition says.

        Raises NotFound for an index to be described that is not there.
        """
        if isinstance(definition, Described):
            return described(definition.name, self._indexes, self._connection)
        return native(definition)

    def explained(self, explain: Explain, step: Step) -> tuple[Step, list[str]]:
        """The statement to be explained, and what there is to say of it."""
        inner = Step(step.text[explain.start :], True, step.whole, step.start + explain.start)
        lowered = self.lowered(inner)
        return inner, explained(
            lowered, state=self._functions.state, stale=self._stale, knows=self._knows
        )

    def _knows(self, decision: Decision) -> tuple[bool, bool]:
        """What `semijoins.probe` asks, in the transaction under way."""
        [(same, found)] = self._connection.execute(probe(decision)).fetchall()
        return bool(same), bool(found)

    def _stale(self, uid: str) -> int | None:
        if not self._functions.attached(uid):
            return None
        return self._indexes.freshness(uid, cursor=self._connection).stale

    def ahead(
        self,
        lowered: Lowered,
        step: Step,
        values: object,
        run: Run | None,
        *,
        placed: bool = True,
    ) -> Ahead | None:
        """The statement with the hits of its searches in their place; None if there are none.

        run: None for a relation, which searches whenever it is read. placed: whether it may rest on
        where rows stand, if `stands` says so afterwards. Raises HybridSearchError.
        """
        if run is None:
            asked = self._functions.asked
            ask = partial(answer, values=values, run=None, hits=self._later, asked=asked)
        else:
            stands = partial(self._committed, self._indexes.standing)
            copied = partial(self._committed, self._indexes.copy)
            ground = Ground(stands, copied) if placed else Ground()
            ask = partial(answer, values=values, run=run, hits=self._functions.hits, ground=ground)
        stamp = self.stamp(lowered)
        try:
            made = ask(lowered)
            if made is not None and self.stamp(lowered) != stamp:  # the sources have changed
                made = ask(self.lowered(step))
            return made
        except HybridSearchError as error:
            raise at_call(error, step) from None

    def stands(self, made: Ahead) -> bool:
        """Whether nothing was committed that the answer would have had to know."""
        return all(
            self._indexes.stands(self._functions.record(uid), sign) for uid, sign in made.signs
        )

    def _committed(self, known: Callable[[IndexRecord], Found | None], uid: str) -> Found | None:
        """What is known of the index's table; None in a transaction, which may see another."""
        found = known(self._functions.record(uid))
        return found if found is not None and self.transactions.none() else None

    def _later(self, call: Call, *_: object) -> tuple[Later, Mapping[str, str]]:
        return self._functions.later(call)

    @property
    def degraded(self) -> int:
        """How many searches of the database in SQL went by words alone for want of a vector."""
        return self._functions.degraded

    def close(self) -> None:
        """Close what was opened to try statements on."""
        if self._apart is not None:
            self._apart.close()

    def stamp(self, lowered: Lowered) -> Hashable:
        """What the statement depends on."""
        made = (self._indexes.edition, self._strict()) if lowered.tests else None
        return made, tuple(self._functions.stamp(uid) for uid in lowered.indexes)

    def _source(self, uid: str, kept: bool) -> Source | None:
        try:
            if self._catalog is None:
                self._catalog = self._functions.catalog(self._connection)
            return self._functions.source(uid, self._catalog, kept=kept)
        except NotFound:
            return None

    def _searched(self, table: str, column: str | None) -> Searched | None:
        """An index over the table that searches the column by words.

        Without a column the one that searches most columns.
        """
        reports = self._indexes.over(table)
        if column is None:
            reports = sorted(reports, key=lambda report: len(report.text), reverse=True)
        for report in reports:
            found = Searched.by(report.name, report.key, report.text, column)
            if found is not None:
                return found
        try:
            state = self._functions.state(table)
        except NotFound:
            return None
        return Searched.by(table, state.primary_key, state.keyword.attributes, column)

    def _indexed(self, table: str, column: str) -> Held | None:
        """An index over every row of the table that searches the column by words."""
        held: list[tuple[bool, bool, Held]] = []
        for report in self._indexes.over(table):
            found = [name for name in report.text if name.lower() == column]
            types = dict(report.columns)
            if report.where is None and found and found[0] in types:
                made = Held(report.name, found[0], (found[0],), report.key, types[report.key])
                stems = report.options.get("stemmer", "none") != "none"
                held.append((report.refresh == "manual", stems, made))
        if held:
            return min(held)[-1]
        return self._of_documents(table, column)

    def _of_documents(self, table: str, column: str) -> Held | None:
        """The same for an index over documents, which are seen as a view of its name."""
        try:
            state = self._functions.state(table)
        except NotFound:
            return None
        found = [name for name in state.keyword.attributes if name.lower() == column]
        key = state.columns.get(state.primary_key or "")
        if not found or key is None or self._functions.attached(table):
            return None
        return Held(table, found[0], (found[0],), key.attribute, key.type)

    def _rows_indexed(self, table: Table, query: str | None) -> Held | None:
        """An index that can tell which whole rows of the table hold what is asked."""
        for report in self._indexes.over(table.name):
            found = None if report.where else rows_held(report, table.alias, query)
            if found is not None:
                return found
        return None

    # What DuckDB is asked

    def _volatile(self, names: set[str]) -> set[str]:
        known = self._functions_known()
        own = names - known.keys()
        found = {name for name in names & known.keys() if known[name][1]}
        return found | (self._volatile_of_users(own) if own else set())

    def _volatile_of_users(self, names: set[str]) -> set[str]:
        """Which of the user's functions are volatile, or macros over such."""
        rows = self._connection.execute(
            "SELECT lower(function_name), stability, macro_definition FROM duckdb_functions()"
            " WHERE NOT internal AND function_type IN ('scalar', 'macro')"
        ).fetchall()
        volatile = {name for name, stability, _ in rows if stability == "VOLATILE"}
        volatile |= {name for name, (_, changes) in self._functions_known().items() if changes}
        bodies = {
            name: {token.identifier for token in scan(body) or ()} for name, _, body in rows if body
        }
        for _ in bodies:
            volatile |= {name for name, words in bodies.items() if words & volatile}
        return names & volatile

    def _plain(self, name: str) -> bool:
        return self._functions_known().get(name, (False, True))[0]

    def _functions_known(self) -> dict[str, tuple[bool, bool]]:
        """name -> (gives one value for one row, may give another at each call), DuckDB's own."""
        if self._known is None:
            rows = self._connection.execute(
                "SELECT lower(function_name), bool_and(function_type = 'scalar'),"
                " bool_or(stability IS NOT DISTINCT FROM 'VOLATILE')"
                " FROM duckdb_functions() WHERE internal GROUP BY ALL"
            ).fetchall()
            self._known = {name: (plain, changes) for name, plain, changes in rows}
        return self._known

    def _binds(self, query: str) -> bool:
        """Whether DuckDB can bind the statement; in a transaction it is tried apart from it."""
        connection = self._connection if self.transactions.none() else self._beside()
        try:
            connection.execute(f"PREPARE {TRIED} AS {_query(query)}")
            connection.execute(f"DEALLOCATE {TRIED}")
        except duckdb.Error:
            return False
        return True

    def _beside(self) -> Connection:
        if self._apart is None:
            self._apart = self._connection.cursor()
            self._functions.attach(self._apart)
        return self._apart


def _query(text: str) -> str:
    """The query of a statement that makes a table or view of it, which DuckDB prepares none of."""
    statement = read(text)
    if statement is None or statement.tokens[0].word != "create":
        return text
    return text[statement.tokens[beginning(statement.tokens, statement.brackets)].start :]


def _check_strict(statement: Statement, decided: Sequence[Decision]) -> None:
    """Raise QueryError for the first operator that no index answers."""
    for test, decision in zip(tests(statement), decided, strict=True):
        if decision.held is None:
            raise QueryError(
                f"{STRICT} is set, and {decision.what} would read every row: {decision.why}; or"
                f" RESET VARIABLE {STRICT}",
                token=test.where.start,
            )
