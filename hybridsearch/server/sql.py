"""How is SQL answered over HTTP?

`POST /sql` runs one statement that reads, over the indexes that the key may see, in a DuckDB
instance that holds nothing else (`sql.sealed`). The Accept header says how the rows come: JSON
(columns and rows as arrays), NDJSON (an object for each row) or an Arrow stream.

    POST /sql
    {"sql": "SELECT title FROM search('movies', $q, k := 5)", "parameters": {"q": "space"}}
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa

from hybridsearch.errors import QueryError
from hybridsearch.jsontext import dumps
from hybridsearch.server.call import Body, Call, Route
from hybridsearch.server.fields import Field
from hybridsearch.server.wire import JSON, NDJSON, Reply, json_reply
from hybridsearch.sql.permission import CODE
from hybridsearch.sql.sealed import Answer, Limits

ARROW = "application/vnd.apache.arrow.stream"
MOST_ROWS = 100_000
COMPLETE = "X-Complete"
FIELDS = (
    Field("sql", "text", CODE, missing=CODE, help="One statement that reads."),
    Field("parameters", "any", CODE, help="Values of ? (an array) or of $name (an object)."),
    Field("limit", "whole", CODE, help="Rows at most: 10,000 unless given, 100,000 at most."),
)


def run(call: Call) -> Reply:
    """The answer to a statement, in the form that the Accept header prefers."""
    began = time.perf_counter()
    values = call.fields.get("parameters")
    if not isinstance(values, list | dict | None):
        raise QueryError("parameters must be an array or an object", code=CODE, field="parameters")
    limit = min(call.fields.get("limit", Limits.rows), MOST_ROWS)
    seen = [index.uid for index in call.db.indexes() if call.caller.sees(index.uid)]
    forced = {uid: call.caller.forced_filter(uid) for uid in seen}
    limits = Limits(rows=limit)
    answer = call.db.ask(call.fields["sql"], values, visible=seen, forced=forced, limits=limits)
    write = _preferred(call.headers.get("accept", ""))
    return write(answer, round(1000 * (time.perf_counter() - began)))


def _json(answer: Answer, took: int) -> Reply:
    named = zip(answer.schema.names, answer.types, strict=True)
    columns = [{"name": name, "type": kind} for name, kind in named]
    rows = list(_rows(answer))
    found = {"columns": columns, "rows": rows, "rowCount": answer.count}
    return json_reply({**found, "complete": answer.complete, "processingTimeMs": took})


def _ndjson(answer: Answer, took: int) -> Reply:
    names = answer.schema.names
    lines = (dumps(dict(zip(names, row, strict=True))) + b"\n" for row in _rows(answer))
    return Reply(b"".join(lines), media=NDJSON, headers=_complete(answer))


def _arrow(answer: Answer, took: int) -> Reply:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, answer.schema) as stream:
        for batch in answer.batches:
            stream.write_batch(batch)
    return Reply(sink.getvalue().to_pybytes(), media=ARROW, headers=_complete(answer))


def _complete(answer: Answer) -> dict[str, str]:
    return {COMPLETE: str(answer.complete).lower()}


FORMS: dict[str, Callable[[Answer, int], Reply]] = {JSON: _json, NDJSON: _ndjson, ARROW: _arrow}


def _preferred(accept: str) -> Callable[[Answer, int], Reply]:
    """How to write the answer: the first form that the header names; JSON if it names none."""
    for item in accept.split(","):
        media = item.partition(";")[0].strip().lower()
        if media in FORMS:
            return FORMS[media]
    return _json


def _rows(answer: Answer) -> Iterator[list[Any]]:
    """The rows as lists of what JSON can hold."""
    for batch in answer.batches:
        columns = map(_values, batch.columns, answer.types, answer.schema.names)
        yield from (list(row) for row in zip(*columns, strict=True))


def _values(column: pa.Array, kind: str, name: str) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError) as error:  # such as a date after the year 9999
        raise QueryError(
            f'column "{name:.80}" holds a {kind} that has no JSON form ({error}); cast it to'
            " VARCHAR, or ask for an Arrow stream",
            code=CODE,
        ) from None
    if kind == "JSON":
        return [None if text is None else orjson.Fragment(text) for text in values]
    return values if _plain(column.type) else [_jsonable(value) for value in values]


def _plain(kind: pa.DataType) -> bool:
    """Whether JSON has the values as they are, or one of the same meaning."""
    if pa.types.is_list(kind):
        return _plain(kind.value_type)
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_string, pa.types.is_boolean)
    return any(test(kind) for test in (*tests, pa.types.is_null))


def _jsonable(value: Any) -> Any:
    if isinstance(value, pa.MonthDayNano):
        return f"P{value.months}M{value.days}DT{value.nanoseconds / 1e9:.9g}S"
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, Decimal):
        is_whole = value == value.to_integral_value()
        return orjson.Fragment(f"{value:.0f}") if is_whole else float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


ROUTES = (
    Route(
        "POST",
        "/sql",
        "sql",
        run,
        "The rows that an SQL statement reads from the indexes, search() and its companions"
        " included. Accept chooses JSON, NDJSON or an Arrow stream.",
        body=Body(fields=FIELDS),
        tenants=True,
        slow=True,
    ),
)
