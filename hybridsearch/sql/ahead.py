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
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from hybridsearch.arrays import Rows
from hybridsearch.planning import CANDIDATES
from hybridsearch.row_ids import TEXT
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

__all__ = ["Ahead", "answer"]

TABLE = "hybridsearch_hits_"
LIVE = ("numbers", "names")
"""The parameters of sources of the user's, by keys: whole numbers, or others as texts."""
MOST = 1000
READING = ("select", "from", "with")
Table: TypeAlias = pa.Table | Later
Run = Callable[[str, Any, Mapping[str, Table]], Rows | list[str]]
"""Run a statement with parameters, among tables by name; the numbers or texts of its one column."""
Stands = Callable[[str], Standing | None]
"""Where the rows of the index of that name stand in its table, where that is known."""


@dataclass(frozen=True)
class Ahead:
    """The statement to run in the place of the other, its parameters, the tables that it reads.

    standings: (name of an index, what the answer rests on) of each search that was placed.
    """

    text: str
    values: Any = None
    tables: Mapping[str, Table] = field(default_factory=dict)
    standings: Sequence[tuple[str, Standing]] = ()


def answer(
    lowered: Lowered,
    values: Any,
    *,
    run: Run | None,
    hits: Callable[[Call, Standing | None], tuple[Table, Mapping[str, str]]],
    stands: Stands = lambda _: None,
) -> Ahead | None:
    """The statement with tables in the place of searches; None if there are none to be made.

    run: None where conditions cannot be asked before; searches with such are left as they are.
    Raises HybridSearchError, and what `run` raises.
    """
    statement = lowered.statement
    if statement is None or statement.tokens[0].word not in READING or _odd(statement, values):
        return None
    tables: dict[str, Table] = {}
    standings: list[tuple[str, Standing]] = []
    ready: dict[int, Edit] = {}
    for number in reversed(range(len(lowered.searches))):
        search = lowered.searches[number]
        given = _arguments(statement, search, values)
        if given is None or (search.pushed.conditions and run is None):
            continue
        standing = stands(given["index"]) if search.source.table else None
        rows = None
        if search.pushed.conditions and run is not None:
            edits = edits_of(statement, lowered.searches, ready, first=number + 1)
            text = _reading(statement, search, edits, placed=standing is not None)
            rows = run(*_with_own(text, values), tables)
        call = _call(search, given, rows, standing)
        if call is None:
            continue
        name = f"{TABLE}{len(tables)}"
        tables[name], made = hits(call, standing)
        standings += [] if standing is None else [(given["index"], standing)]
        ready[number] = _edit(statement, search, name, tables[name], made)
    if not tables:
        return None
    edits = edits_of(statement, lowered.searches, ready)
    return Ahead(*_with_own(spliced(statement.text, edits), values), tables, standings)


def _call(
    search: Search,
    given: Mapping[str, Any],
    found: Rows | list[str] | None,
    standing: Standing | None,
) -> Call | None:
    """The call with what `_reading` has found; None where DuckDB has to convert a value."""
    allowed, parameter = found, search.source.parameter
    if standing is not None and found is not None:
        allowed, parameter = standing.rows(np.asarray(found, np.int64)), "rows"
    try:
        return written(given, allowed, parameter)
    except TypeError:
        return None


def _reading(statement: Statement, search: Search, edits: Sequence[Edit], *, placed: bool) -> str:
    """The statement for the rows that the conditions allow; placed: for where they stand."""
    source = search.source
    value = f"{source.value}::{TEXT}" if source.parameter == "names" else source.value
    table = source.table if placed else ""
    text = f"SELECT {'rowid' if placed else value} {allowed(statement, search, edits, table)}"
    for common in reversed(search.level.withs):
        text = f"{statement.written(common)} {text}"
    return text


def _arguments(statement: Statement, search: Search, values: Any) -> dict[str, Any] | None:
    """The values of the arguments; None where one has none, or how many hits are wanted is open."""
    item, pushed = search.item, search.pushed
    simple = search.source.parameter in ("rows", *LIVE) and not (pushed.outer or pushed.around)
    if not simple or (pushed.conditions and not _reachable(statement, search)):
        return None

    def known(token: Token) -> Any:
        if token.kind != "parameter":
            raise KeyError(token.text)
        found = _parameter(token, values)
        return found.tolist() if isinstance(found, np.ndarray) else found

    try:
        given = {name: constant(statement, where, known) for name, where in item.arguments.items()}
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


def _edit(
    statement: Statement, search: Search, name: str, table: Table, made: Mapping[str, str]
) -> Edit:
    """The table in the place of the call, joined with a live source by place or key."""
    placed = isinstance(table, pa.Table) and PLACE in table.column_names
    join = _at_place if placed else _joined
    read = join(search.source, name, made) if search.source.parameter in LIVE else None
    first = statement.tokens[search.item.call.start]
    last = statement.tokens[search.item.call.stop - 1]
    return Edit(first.start, last.end, f"({read or _read(name, made)})")


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
    if source.parameter == "names" and source.key_type != TEXT:
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
