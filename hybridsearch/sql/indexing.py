"""How are search indexes made, refreshed and dropped by calls in SQL?

For every DuckDB connection of the process, with or without the front end. Each function takes one
JSON text of named arguments, which a macro of `sql/statements/` makes, and gives a list of
structs: the rows that the statement of that name gives.

    FROM create_search_index('docs_idx', 'docs', ['title', 'body'], key := 'id')
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeAlias

import pyarrow as pa

from hybridsearch.attached import IndexReport, SearchIndexes
from hybridsearch.definition import Item
from hybridsearch.errors import DatabaseClosed, InputError
from hybridsearch.jsontext import dumps, loads

__all__ = ["GIVES", "Indexing"]

_VECTOR = pa.struct(
    {"name": pa.string(), "dimensions": pa.int64(), "metric": pa.string(), "rows": pa.int64()}
)
_REPORT = pa.struct(
    {
        **dict.fromkeys(("name", "source", "kind", "key", "key_type"), pa.string()),
        "rows": pa.int64(),
        "text": pa.list_(pa.string()),
        "vectors": pa.list_(_VECTOR),
        **dict.fromkeys(("refresh", "condition", "options"), pa.string()),
        "created": pa.bool_(),
    }
)
_REFRESHED = pa.struct(
    {"name": pa.string(), **dict.fromkeys(("added", "updated", "deleted"), pa.int64())}
)
_DROPPED = pa.struct({"name": pa.string(), "dropped": pa.bool_()})
_REPORT_SQL = (
    'STRUCT("name" VARCHAR, source VARCHAR, kind VARCHAR, "key" VARCHAR, key_type VARCHAR,'
    ' "rows" BIGINT, "text" VARCHAR[], vectors STRUCT("name" VARCHAR, dimensions BIGINT,'
    ' metric VARCHAR, "rows" BIGINT)[], refresh VARCHAR, condition VARCHAR, options VARCHAR,'
    " created BOOLEAN)[]"
)
GIVES = {
    "create": _REPORT_SQL,
    "refresh": 'STRUCT("name" VARCHAR, added BIGINT, updated BIGINT, deleted BIGINT)[]',
    "alter": _REPORT_SQL,
    "drop": 'STRUCT("name" VARCHAR, dropped BOOLEAN)[]',
    "indexes": _REPORT_SQL,
}
"""function -> the DuckDB type that it gives; each takes a VARCHAR."""

Column: TypeAlias = pa.ChunkedArray


class Indexing:
    """The functions over the indexes of one database, which may die before the connections do."""

    def __init__(self, indexes: SearchIndexes) -> None:
        self._known = weakref.ref(indexes)
        self.functions: Mapping[str, Callable[[Column], pa.Array]] = {
            "create": _answering(self._create, _REPORT),
            "refresh": _answering(self._refresh, _REFRESHED),
            "alter": _answering(self._alter, _REPORT),
            "drop": _answering(self._drop, _DROPPED),
            "indexes": _answering(self._indexes, _REPORT),
        }

    def _of(self) -> SearchIndexes:
        found = self._known()
        if found is None:
            raise DatabaseClosed("the database that was attached is gone; attach an open one")
        return found

    def _create(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        options = _options(given["options"] or {})
        if given["key"] is not None:
            options["key"] = given["key"]
        if not isinstance(given["items"], list):
            raise InputError("columns must be a list, as in ['title', 'body']", field="columns")
        report = self._of().create(
            given["name"],
            given["source"],
            [_item(item) for item in given["items"]],
            where=given["where"],
            options=options,
            replace=bool(given["replace"]),
            if_not_exists=bool(given["if_not_exists"]),
        )
        return [_row(report)]

    def _refresh(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        return [asdict(self._of().refresh(given["name"], full=bool(given["full"])))]

    def _alter(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        return [_row(self._of().alter(given["name"], _options(given["options"])))]

    def _drop(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        name, if_exists = given["name"], bool(given["if_exists"])
        return [{"name": name, "dropped": self._of().drop(name, if_exists=if_exists)}]

    def _indexes(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        return [_row(report) for report in self._of().reports()]


def _answering(
    answer: Callable[[dict[str, Any]], list[dict[str, Any]]], kind: pa.DataType
) -> Callable[[Column], pa.Array]:
    def function(arguments: Column) -> pa.Array:
        rows = [answer(loads(text or "{}")) for text in arguments.to_pylist()]
        return pa.array(rows, pa.list_(kind))

    return function


def _options(given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        shown = "NULL" if given is None else repr(given)[:60]
        raise InputError(
            f"options must be a struct, as in {{stopwords: ['the']}}, not {shown}", field="options"
        )
    return dict(given)


def _item(given: object) -> Item | str:
    if isinstance(given, str):
        return given
    known = Item.__dataclass_fields__
    if not isinstance(given, dict) or "expression" not in given or not given.keys() <= set(known):
        raise InputError(
            f"a column is a name, or a struct of {', '.join(known)}, not {given!r:.80}",
            field="columns",
        )
    return Item(**{name: value for name, value in given.items() if value is not None})


def _row(report: IndexReport) -> dict[str, Any]:
    found = asdict(report)
    options = dumps(report.options).decode()
    return {**found, "text": list(report.text), "condition": report.where, "options": options}
