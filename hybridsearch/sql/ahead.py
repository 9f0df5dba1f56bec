"""Which searches of a statement can be answered before DuckDB sees it, and what does it see then?

Binding a call of search() takes DuckDB some milliseconds, a table of ten rows half of one. So a
search whose arguments are all written out or parameters, and whose k is given, is made first; a
table with its hits stands in its place, which DuckDB finds by its name among Python's variables.
Rows that a condition allows are read first too, by a statement of its own. A relation is read later
and more than once, so its tables search whenever they are read; no other statement can run then.

    made = answer(lowered, values, run=run, hits=functions.hits)
    made = answer(lowered, values, run=None, hits=functions.later)
    made.text, made.tables
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hybridsearch.arrays import Rows
from hybridsearch.copies import Copy
from hybridsearch.document_ids import said
from hybridsearch.freshness import Sign
from hybridsearch.origin import Columns
from hybridsearch.planning import CANDIDATES
from hybridsearch.row_ids import INTEGERS, TEXT
from hybridsearch.sql.calls import Call, written
from hybridsearch.sql.constants import NotConstant, constant
from hybridsearch.sql.hits import PLACE, Later
from hybridsearch.sql.items import is_call
from hybridsearch.sql.levels import Range
from hybridsearch.sql.lowering import Lowered, Search, allowed, edits_of
from hybridsearch.sql.pushdown import Statement
from hybridsearch.sql.relation import Source
from hybridsearch.sql.tokens import Edit, Token, scan, spliced
from hybridsearch.store import quoted
from hybridsearch.whereabouts import Standing

__all__ = ["Ahead", "Ground", "answer"]

TABLE = "hybridsearch_hits_"
LIVE = "numbers"
"""The parameter of sources of the user's, by keys."""
MOST = 1000
COPIED = 100
"""Up to so many hits the index's copy of their rows is read as fast as DuckDB joins them."""
PASSED = ("query", "vector")
"""Arguments that reach the native function as they are written."""
READING = ("select", "from", "with")
LISTS = ("list", "array_agg")
Table: TypeAlias = pa.Table | Later
Run = Callable[[str, Any, Mapping[str, Table]], NDArray[Any]]
"""Run a statement with parameters, among tables by name; its one column without nulls."""
Keys: TypeAlias = Rows | tuple[str, ...] | None
Allowed: TypeAlias = tuple[Keys, str]
"""What a search is narrowed to, and the name of the parameter that takes that."""
Hits = Callable[[Call, Standing | None, Columns | None], tuple[Table, Mapping[str, str]]]
"""The hits of a call, and what makes columns of some of them; with columns of the source's copy."""
Asked = Callable[[Call, Mapping[str, str]], tuple[str, Mapping[str, str]]]
"""The same as a SELECT, with expressions in the place of some of the call's values."""


class Ground(NamedTuple):
    """What is known of the table of the index of that name, where nothing was committed since.

    stands: where its rows stand. copied: what the index's copy of it gives back.
    """

    stands: Callable[[str], Standing | None] = lambda _: None
    copied: Callable[[str], Copy | None] = lambda _: None


@dataclass(frozen=True)
class Ahead:
    """The statement to run in the place of the other, its parameters, the tables that it reads.

    signs: (name of an index, the sign under which it holds) of each search that rests on one.
    """

    text: str
    values: Any = None
    tables: Mapping[str, Table] = field(default_factory=dict)
    signs: Sequence[tuple[str, Sign]] = ()


def answer(
    lowered: Lowered,
    values: Any,
    *,
    run: Run | None,
    hits: Hits,
    asked: Asked | None = None,
    ground: Ground | None = None,
) -> Ahead | None:
    """The statement with tables in the place of searches; None if there are none to be made.

    run: None where conditions cannot be asked before; then `asked` stands for searches with such.
    Raises HybridSearchError, and what `run` raises.
    """
    statement = lowered.statement
    if statement is None or statement.tokens[0].word not in READING or _odd(statement, values):
        return None
    making = _Making(lowered, statement, values, run, hits, asked, ground or Ground())
    for number in reversed(range(len(lowered.searches))):
        making.take(number)
    return making.made()


class _Making:
    """A statement whose searches get their places one after the other, inner ones first."""

    def __init__(
        self,
        lowered: Lowered,
        statement: Statement,
        values: Any,
        run: Run | None,
        hits: Hits,
        asked: Asked | None,
        ground: Ground,
    ) -> None:
        self._searches = lowered.searches
        self._statement = statement
        self._values = values
        self._run = run
        self._hits = hits
        self._asked = asked
        self._ground = ground
        self._tables: dict[str, Table] = {}
        self._signs: list[tuple[str, Sign]] = []
        self._ready: dict[int, Edit] = {}

    def take(self, number: int) -> None:
        """Put something in the place of that search, if it can be."""
        search = self._searches[number]
        listed = None if self._run is None else _listed(self._statement, search)
        given = _arguments(self._statement, search, self._values, listed)
        if given is None:
            return
        if search.pushed.conditions and self._run is None:
            self._leave(number, given)
        else:
            self._answer(number, given, listed)

    def made(self) -> Ahead | None:
        """The statement; None if no search has another place."""
        if not self._ready:
            return None
        text = spliced(self._statement.text, edits_of(self._statement, self._searches, self._ready))
        return Ahead(*_with_own(text, self._values), self._tables, self._signs)

    def _leave(self, number: int, given: Mapping[str, Any]) -> None:
        """The native function with the search's arguments as values, and nothing around it."""
        search = self._searches[number]
        call = _call(given, None, "rows")
        if self._asked is None or call is None or call.ids is not None:
            return
        arguments = search.item.arguments
        written = {n: self._statement.written(arguments[n]) for n in PASSED if n in arguments}
        rows = allowed(self._statement, search, self._inner(number))
        listed = f"(SELECT coalesce(list({search.source.value}), []) {rows})"
        found, made = self._asked(call, {**written, search.source.parameter: listed})
        text = _joined(search.source, f"({found})", made)
        self._ready[number] = _edit(self._statement, search, text)

    def _answer(self, number: int, given: Mapping[str, Any], listed: Range | None) -> None:
        """A table with the hits. listed: what gives a list of the keys that are allowed."""
        search, uid = self._searches[number], given["index"]
        copy, columns = self._copied(search, given)
        standing = None
        if search.source.table and (columns is None or search.pushed.conditions):
            standing = self._ground.stands(uid)
        call = _call(given, *self._allowed(number, standing, listed))
        if call is None:
            return
        name = f"{TABLE}{len(self._tables)}"
        table, made = self._hits(call, standing, columns)
        self._tables[name] = table
        self._signs += [(uid, each.sign) for each in (copy, standing) if each is not None]
        text = _read(name, made) if columns is not None else _text(search.source, name, table, made)
        self._ready[number] = _edit(self._statement, search, text)

    def _allowed(self, number: int, standing: Standing | None, listed: Range | None) -> Allowed:
        """What the list or the conditions let through, and the parameter that takes it."""
        search = self._searches[number]
        if listed is not None:
            return self._keys(search, listed)
        if not search.pushed.conditions or self._run is None:
            return None, "rows"
        placed = standing is not None
        text = _reading(self._statement, search, self._inner(number), placed=placed)
        found = self._read(search, text).astype(np.int64, copy=False)
        return (
            (found, search.source.parameter) if standing is None else (standing.rows(found), "rows")
        )

    def _keys(self, search: Search, listed: Range) -> Allowed:
        """The keys that are in a list which the statement makes."""
        kind = search.source.key_type
        text = f"SELECT unnest(CAST({self._statement.written(listed)} AS VARCHAR[])) AS text"
        if kind in INTEGERS:
            text = f"SELECT TRY_CAST(text AS {kind}) FROM ({text}) WHERE {said('text', kind)}"
            return self._read(search, text).astype(np.int64, copy=False), LIVE
        return tuple(self._read(search, text).tolist()), "ids"

    def _read(self, search: Search, text: str) -> NDArray[Any]:
        """The one column of a SELECT among the WITH clauses that the search's own sees."""
        assert self._run is not None  # what is to be read is left to DuckDB else
        withs = [self._statement.written(common) for common in search.level.withs]
        return self._run(*_with_own(" ".join([*withs, text]), self._values), self._tables)

    def _copied(
        self, search: Search, given: Mapping[str, Any]
    ) -> tuple[Copy | None, Columns | None]:
        """What the copy of the index's table gives of the columns that are read, if all of them."""
        if not search.source.table or self._run is None or given["k"] > COPIED:
            return None, None
        copy = self._ground.copied(given["index"])
        columns = None if copy is None else copy.given(search.named)
        return (None, None) if columns is None else (copy, columns)

    def _inner(self, number: int) -> list[Edit]:
        """What is changed in the searches inside this one."""
        return edits_of(self._statement, self._searches, self._ready, first=number + 1)


def _call(given: Mapping[str, Any], allowed: Keys, parameter: str) -> Call | None:
    """The call with what is allowed; None where DuckDB has to convert a value."""
    try:
        return written(given, allowed, parameter)
    except TypeError:
        return None


def _reading(statement: Statement, search: Search, edits: Sequence[Edit], *, placed: bool) -> str:
    """The SELECT of the rows that the conditions allow; placed: of where they stand."""
    source = search.source
    value, table = ("rowid", source.table) if placed else (source.value, "")
    return f"SELECT {value} {allowed(statement, search, edits, table)}"


def _listed(statement: Statement, search: Search) -> Range | None:
    """The argument `filter` where it is a SELECT of one list, which has keys.

    It can be read before the search, since nothing stands beside that which it could read of.
    """
    where, pairs = search.item.arguments.get("filter"), statement.brackets
    if where is None or not (search.item.alone and _reachable(statement, search)):
        return None
    if search.pushed.conditions or search.source.parameter not in ("rows", LIVE):
        return None
    inside = Range(where.start + 1, where.stop - 1)
    if any(is_call(statement.tokens, at) for at in range(*inside)):
        return None
    for level in statement.levels:
        made = level.clauses.get("select")
        if level.tokens == inside and made and "from" in level.clauses:
            is_list = statement.tokens[made.start].identifier in LISTS
            return where if is_list and pairs.get(made.start + 1) == made.stop - 1 else None
    return None


def _arguments(
    statement: Statement, search: Search, values: Any, listed: Range | None
) -> dict[str, Any] | None:
    """The values of the arguments but `listed`.

    None where one has none, or how many hits are wanted is open.
    """
    item, pushed = search.item, search.pushed
    simple = search.source.parameter in ("rows", LIVE) and not (pushed.outer or pushed.around)
    if not simple or (pushed.conditions and not _reachable(statement, search)):
        return None

    def known(token: Token) -> Any:
        if token.kind != "parameter":
            raise KeyError(token.text)
        found = _parameter(token, values)
        return found.tolist() if isinstance(found, np.ndarray) else found

    try:
        given = {
            name: constant(statement, where, known)
            for name, where in item.arguments.items()
            if where != listed
        }
        if pushed.limit is not None:
            given["k"] = sum(_count(statement, token, known) for token in pushed.counts)
            given.setdefault("candidates", CANDIDATES)
    except (NotConstant, TypeError):
        return None
    k = given.get("k")
    fits = isinstance(k, int) and not isinstance(k, bool) and k <= MOST
    return given if fits and not any(name.isdigit() for name in given) else None


def _count(statement: Statement, at: int, known: Callable[[Token], Any]) -> int:
    found = constant(statement, Range(at, at + 1), known)
    if isinstance(found, bool) or not isinstance(found, int):
        raise TypeError("LIMIT")
    return found


def _reachable(statement: Statement, search: Search) -> bool:
    """Whether its conditions can be asked apart from the statement."""
    if search.level.parent is not None:
        return False
    common = [at for where in search.level.withs for at in range(*where)]
    return not any(is_call(statement.tokens, at) for at in common)


def _odd(statement: Statement, values: Any) -> bool:
    """Whether there are values that no parameter takes, which DuckDB has to say."""
    names = {token.text[1:] for token in statement.tokens if token.kind == "parameter"}
    if isinstance(values, Mapping):
        return not values.keys() <= names
    return isinstance(values, Sequence) and not {str(n + 1) for n in range(len(values))} <= names


def _parameter(token: Token, values: Any) -> Any:
    name = token.text[1:]
    if isinstance(values, Mapping):
        return values[name]
    if not isinstance(values, Sequence) or not name.isdecimal():
        raise KeyError(name)
    number = int(name)
    if not 1 <= number <= len(values):
        raise KeyError(name)
    return values[number - 1]


def _with_own(text: str, values: Any) -> tuple[str, Any]:
    """The text with those parameters alone that it names."""
    tokens = _parameters(text)
    names = list(dict.fromkeys(token.text for token in tokens))
    if not names:
        return text, None
    if isinstance(values, Mapping):
        return text, {name[1:]: values[name[1:]] for name in names if name[1:] in values}
    places = {name: f"${number}" for number, name in enumerate(names, 1)}
    edits = [Edit(token.start, token.end, places[token.text]) for token in tokens]
    chosen = [values[int(name[1:]) - 1] for name in names] if values is not None else None
    return spliced(text, edits), chosen


@lru_cache(maxsize=256)
def _parameters(text: str) -> tuple[Token, ...]:
    return tuple(token for token in scan(text) or () if token.kind == "parameter")


def _edit(statement: Statement, search: Search, text: str) -> Edit:
    """The text in the place of the call."""
    first = statement.tokens[search.item.call.start]
    last = statement.tokens[search.item.call.stop - 1]
    return Edit(first.start, last.end, f"({text})")


def _text(source: Source, name: str, table: Table, made: Mapping[str, str]) -> str:
    """The rows of the table, joined with a live source by place or key."""
    if source.parameter != LIVE:
        return _read(name, made)
    if isinstance(table, pa.Table) and PLACE in table.column_names:
        return _at_place(source, name, made)
    return _joined(source, name, made)


def _read(name: str, made: Mapping[str, str]) -> str:
    """The rows of the table, some columns as expressions make them of these."""
    casts = ", ".join(f"{expression} AS {quoted(each)}" for each, expression in made.items())
    return f"SELECT * REPLACE ({casts}) FROM {name}" if casts else f"FROM {name}"


def _at_place(source: Source, name: str, made: Mapping[str, str]) -> str:
    """The rows of the table beside those of the source at their places, if they have their keys.

    The keys stand in an expression, lest DuckDB look for them as well, in all rows.
    """
    made = _with_key(source, made)
    hits = name if not made else f"({_read(name, made)})"
    return (
        f"SELECT hybridsearch_source.*, hybridsearch_hits.* EXCLUDE (_row, {PLACE})"
        f" FROM {hits} AS hybridsearch_hits JOIN {source.table} AS hybridsearch_source"
        f" ON hybridsearch_source.rowid = hybridsearch_hits.{PLACE} WHERE coalesce("
        f"hybridsearch_source.{source.key_column} = hybridsearch_hits._row, false)"
        " ORDER BY hybridsearch_hits._rank"
    )


def _with_key(source: Source, made: Mapping[str, str]) -> Mapping[str, str]:
    """What makes columns of those of the hits, the key of its own type too."""
    if source.parameter == LIVE and source.key_type not in (TEXT, *INTEGERS):
        return {**made, "_row": f"_row::{source.key_type}"}
    return made


def _joined(source: Source, name: str, made: Mapping[str, str]) -> str:
    """The rows of the table beside those of the source, whose columns come first."""
    made = _with_key(source, made)
    if not source.table:
        return (
            f"SELECT hybridsearch_source.* EXCLUDE (_row), hybridsearch_hits.* EXCLUDE (_row)"
            f" FROM ({_read(name, made)}) AS hybridsearch_hits JOIN ({source.query})"
            " AS hybridsearch_source USING (_row) ORDER BY _rank"
        )
    hits = name if not made else f"({_read(name, made)})"
    return (
        "SELECT hybridsearch_source.*, hybridsearch_hits.* EXCLUDE (_row)"
        f" FROM {hits} AS hybridsearch_hits JOIN {source.table} AS hybridsearch_source"
        f" ON hybridsearch_source.{source.key_column} = hybridsearch_hits._row"
        " ORDER BY hybridsearch_hits._rank"
    )
