"""Which columns of the user's table does the copy that an index has of it give back exactly?

To look up the rows of ten hits takes DuckDB more time than the search. The copy of each row is at
hand as JSON, so where the table is known to be what the copy is made of, and JSON loses nothing of
a column, its values come from there. As a `Standing` that holds as long as its `sign` is that of
the database.

    copy = copies.copy(number, origin, sign)      # None where the table is something else
    columns = copy.given({"title", "year"})       # (name, type) of those; None if one is not exact
    arrays, casts = unfolded(texts, columns)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from hybridsearch.errors import Conflict
from hybridsearch.freshness import Sign
from hybridsearch.jsontext import loads
from hybridsearch.origin import Columns, Origin, columns_of
from hybridsearch.row_ids import INTEGERS
from hybridsearch.store import Connection, Store, quoted
from hybridsearch.whereabouts import is_table

__all__ = ["Copies", "Copy", "unfolded"]

PLAIN = {
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "UTINYINT": pa.uint8(),
    "USMALLINT": pa.uint16(),
    "UINTEGER": pa.uint32(),
}
FLOATING = {"FLOAT": pa.float32(), "DOUBLE": pa.float64()}
"""Exact unless a value is minus zero, infinite or none at all, which JSON has not."""
WRITTEN = ("DATE", "TIME", "TIMESTAMP", "UUID")
"""Types that JSON has as texts, as DuckDB writes and reads them."""
DIGITS = 15
"""So many digits of a decimal number a double tells exactly."""
_decimal = re.compile(r"DECIMAL\((\d+),(\d+)\)").fullmatch


@dataclass(frozen=True)
class Copy:
    """What a copy gives back while the sign holds. columns: all of the table's, in order."""

    sign: Sign
    columns: Columns
    exact: frozenset[str]

    def given(self, named: AbstractSet[str] | None) -> Columns | None:
        """Those that are named in small letters, or all; None where one of them is not exact."""
        wanted = tuple(c for c in self.columns if named is None or c[0].lower() in named)
        return wanted if self.exact.issuperset(name for name, _ in wanted) else None


class Copies:
    """What is known of the copies of one database; any thread may ask."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[int, tuple[Sign, Copy | None]] = {}

    def copy(self, number: int, origin: Origin, sign: Sign) -> Copy | None:
        """The copy that index `number` has; the rows of both are the same under this sign.

        None where the source is no table, or has other columns than it had, or collations.
        """
        known = self._known.get(number)
        if known is None or known[0] != sign:
            known = self._known[number] = sign, self._looked(origin, sign)
        return known[1]

    def _looked(self, origin: Origin, sign: Sign) -> Copy | None:
        if not is_table(origin):
            return None
        definition, cursor = origin.definition, self._store.cursor()
        try:
            with origin.reading():
                same = columns_of(cursor, f"FROM {origin.source}") == definition.columns
                if not same or not _is_plain(origin, cursor):
                    return None
                odd = _odd(origin, cursor)
        except Conflict:
            return None
        carried = {name for name, _ in origin.carried}
        exact = {
            name
            for name, kind in definition.columns
            if (name in carried or name == definition.key)
            and _is_exact(kind, key=name == definition.key)
            and name not in odd
        }
        return Copy(sign, definition.columns, frozenset(exact))


def _is_exact(kind: str, *, key: bool) -> bool:
    if kind.endswith("[]"):
        return kind[:-2] in PLAIN and not key
    decimal = _decimal(kind)
    if decimal is not None:
        return int(decimal[1]) <= DIGITS
    return kind in PLAIN or kind in FLOATING or kind in WRITTEN


def _is_plain(origin: Origin, cursor: Connection) -> bool:
    """Whether it is a table, and no view, whose texts have no collation: no type tells of one."""
    found = cursor.execute(
        "SELECT sql FROM duckdb_tables() WHERE database_name = current_database()"
        " AND schema_name = $1 AND table_name = $2",
        origin.definition.names,
    ).fetchall()
    return bool(found) and "collate" not in found[0][0].lower()


def _odd(origin: Origin, cursor: Connection) -> set[str]:
    """The floating columns with values that JSON has not."""
    names = [name for name, kind in origin.definition.columns if kind in FLOATING]
    if not names:
        return set()
    tests = (
        f"coalesce(bool_or(NOT isfinite({c}) OR ({c} = 0 AND signbit({c}))), false)"
        for c in map(quoted, names)
    )
    [answers] = cursor.execute(f"SELECT {', '.join(tests)} FROM {origin.source}").fetchall()
    return {name for name, odd in zip(names, answers, strict=True) if odd}


def unfolded(
    texts: Sequence[str], columns: Columns, key: str, key_type: str
) -> tuple[dict[str, pa.Array], dict[str, str]]:
    """The columns as Arrow arrays, of the JSON texts of rows, and what makes some of these arrays.

    casts: name -> an expression over the array of that name.
    """
    documents = [loads(text) for text in texts]
    arrays: dict[str, pa.Array] = {}
    casts: dict[str, str] = {}
    for name, kind in columns:
        values = [document.get(name) for document in documents]
        if kind in WRITTEN or (name == key and key_type not in INTEGERS):
            arrays[name] = pa.array(values, pa.string())
            casts |= {name: f"{quoted(name)}::{kind}"} if kind != "VARCHAR" else {}
        else:
            arrays[name] = _array(kind, values)
    return arrays, casts


def _array(kind: str, values: list[Any]) -> pa.Array:
    if kind in FLOATING:
        return pa.array([None if v is None else float(v) for v in values], FLOATING[kind])
    decimal = _decimal(kind)
    if decimal is not None:
        exact = [None if v is None else Decimal(str(v)) for v in values]
        return pa.array(exact, pa.decimal128(int(decimal[1]), int(decimal[2])))
    return pa.array(values, pa.list_(PLAIN[kind[:-2]]) if kind.endswith("[]") else PLAIN[kind])
