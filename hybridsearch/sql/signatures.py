"""What do our SQL functions take and give, and how does a DuckDB instance come to know them?

`SIGNATURES` is the list. A function that may find something wrong with what it is given is told:
it gives a struct of value and error, as `hybridsearch.sql.raised` says. `create` makes one known to
an instance; `values` and `answering` are between Arrow's columns and Python's values.

    create(connection, "hybridsearch_1_tokens", SIGNATURES["tokens"], tokens)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from typing import Any, NamedTuple, TypeAlias

import duckdb
import pyarrow as pa
from duckdb.func import ARROW as ARROW_FUNCTION
from duckdb.func import SPECIAL

from hybridsearch.sql import matching
from hybridsearch.sql.hits import FACET, HIT, SUGGESTION, TOKEN
from hybridsearch.sql.indexing import GIVES
from hybridsearch.sql.raised import as_values, remembering
from hybridsearch.sql.whole_rows import holds_row
from hybridsearch.store import Connection

__all__ = ["SIGNATURES", "TESTS", "Column", "Function", "Takes", "answering", "create", "values"]

Column: TypeAlias = pa.ChunkedArray
Function: TypeAlias = Callable[..., pa.Array]

ROWS = pa.list_(pa.int64())


class Takes(NamedTuple):
    """What a function takes and gives.

    fresh: it is asked anew at every execution. told: it gives what is wrong as a value, which names
    what people have written, if that is not "".
    """

    types: list[str]
    gives: str
    fresh: bool = False
    told: str | None = None


def _rows_of(fields: Mapping[str, str]) -> str:
    return f"STRUCT({', '.join(f'{name} {kind}' for name, kind in fields.items())})[]"


_CALL = [*["VARCHAR"] * 3, "FLOAT[]", "VARCHAR[]", "BIGINT[]", "BIGINT[]"]
_TEST = Takes(["VARCHAR", "VARCHAR"], "BOOLEAN")
SIGNATURES = {
    "body": Takes(["VARCHAR", "BIGINT"], "VARCHAR"),
    "number": Takes(["VARCHAR", "BIGINT"], "BIGINT"),
    "name": Takes(["VARCHAR", "BIGINT"], "VARCHAR"),
    "relation": Takes(["VARCHAR"] * 3, "VARCHAR"),
    "search": Takes(_CALL, _rows_of(HIT), fresh=True, told="search()"),
    "steady": Takes(_CALL, _rows_of(HIT), told="search_rank()"),
    "similar": Takes(_CALL, _rows_of(HIT), fresh=True, told="similar()"),
    "facets": Takes(["VARCHAR"] * 3 + ["VARCHAR[]"], _rows_of(FACET), fresh=True, told="facets()"),
    "tokens": Takes(["VARCHAR"] * 3, _rows_of(TOKEN), fresh=True, told="tokens()"),
    "suggest": Takes(["VARCHAR"] * 3, _rows_of(SUGGESTION), fresh=True, told="suggest()"),
    "asked": _TEST,
    "row": _TEST._replace(told="@@@"),
    "any": _TEST,
    "all": _TEST,
    "term": Takes(["VARCHAR", "VARCHAR[]"], "BOOLEAN"),
    "phrase": Takes(["VARCHAR", "VARCHAR", "BIGINT"], "BOOLEAN"),
    "marked": Takes(["VARCHAR", "VARCHAR", "VARCHAR[]", *["VARCHAR"] * 3], "VARCHAR[]", told=""),
    "holders": Takes(
        ["VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR[]", "BIGINT", "VARCHAR"], "VARCHAR[]", fresh=True
    ),
    **{
        name: Takes(["VARCHAR"], gives, fresh=True, told=f"{name}_search_index()")
        for name, gives in GIVES.items()
    },
}
TESTS: Mapping[str, Callable[..., matching.Answers]] = {
    "asked": matching.holds_asked,
    "row": holds_row,
    "any": matching.holds_any,
    "all": matching.holds_all,
    "term": matching.holds_term,
    "phrase": matching.holds_phrase,
}

_called_by_duckdb: list[Function] = []
"""An instance keeps a function for longer than the connection that made it, and counts on others
to keep it alive."""


def create(connection: Connection, name: str, takes: Takes, function: Function) -> bool:
    """Make one function known to the whole instance; False if it knows it already."""
    if takes.told is None:
        call, gives = remembering(function), takes.gives
    else:
        call = as_values(function, takes.told or None)
        gives = f"STRUCT(value {takes.gives}, error VARCHAR)"
    call = _with_parameters(call, len(takes.types))
    types: list[Any] = list(takes.types)
    try:
        connection.create_function(
            name,
            call,
            types,
            gives,
            type=ARROW_FUNCTION,
            null_handling=SPECIAL,
            side_effects=takes.fresh,
        )
    except duckdb.CatalogException:
        return False
    _called_by_duckdb.append(call)
    return True


def _with_parameters(function: Function, count: int) -> Function:
    """The function with a signature of `count` parameters, which DuckDB looks at."""

    def call(*columns: Column) -> pa.Array:
        return function(*columns)

    names = (Parameter(f"a{number}", Parameter.POSITIONAL_ONLY) for number in range(count))
    call.__signature__ = Signature(list(names))  # type: ignore[attr-defined]  # any function has it
    return call


def answering(test: Callable[..., matching.Answers]) -> Function:
    """A test of texts as a function of Arrow columns."""

    def answer(*columns: Column) -> pa.Array:
        return pa.array(test(*(column.to_pylist() for column in columns)), pa.bool_())

    return answer


def values(column: Column) -> list[Any]:
    """The column's values, hashable; lists of whole numbers as the bytes of int64."""
    if column.type == ROWS:
        return [value for chunk in column.chunks for value in _packed(chunk)]
    found: list[Any] = column.to_pylist()
    if pa.types.is_list(column.type):
        return [None if value is None else tuple(value) for value in found]
    return found


def _packed(lists: pa.ListArray) -> list[bytes | None]:
    """Each list's numbers as bytes, without a look at any of them."""
    numbers = lists.values.to_numpy()
    ends = lists.offsets.to_numpy()
    return [
        None if absent else numbers[start:end].tobytes()
        for absent, start, end in zip(
            lists.is_null().to_numpy(zero_copy_only=False), ends, ends[1:], strict=False
        )
    ]
