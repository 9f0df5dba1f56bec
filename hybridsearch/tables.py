"""What are the rows of a table, as JSON?

Each function takes a table of one kind, Arrow, polars, pandas or a DuckDB relation, and yields
its rows in order, converted column by column, 2048 rows at a time. A missing value (null, and NaN
of a float column) becomes null and its field stays; NaN inside `_vectors` and infinity anywhere
are refused. Times are cut to microseconds. polars and pandas are never imported here.

    >>> list(from_arrow([pa.record_batch({"id": [1, 2], "x": [0.5, None]})]))
    [b'{"id":1,"x":0.5}', b'{"id":2,"x":null}']

What cannot be JSON raises documents.Fault, which counts from the document to be yielded next.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import duckdb
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hybridsearch.documents import Fault, dumped, encoded_with_care, mended
from hybridsearch.errors import InputError

__all__ = [
    "ROWS",
    "distinct",
    "from_arrow",
    "from_lazy_polars",
    "from_pandas",
    "from_polars",
    "from_relation",
]

ROWS = 2048
"""Rows of a table that become Python values at once."""
_VECTORS = "_vectors"


def from_arrow(tables: Iterable[Any], raw: frozenset[str] = frozenset()) -> Iterator[bytes]:
    """The rows of record batches; the columns in `raw` hold JSON text."""
    for table in tables:
        names = distinct(table.schema.names)
        for start in range(0, table.num_rows, ROWS):
            yield from _rows(names, _columns(table.slice(start, ROWS), raw))


def _columns(batch: Any, raw: frozenset[str]) -> list[Sequence[Any]]:
    named = dict(zip(batch.schema.names, batch.columns, strict=True))
    try:
        return [_column(array, name, name in raw) for name, array in named.items()]
    except Fault as fault:
        identity = named["id"][fault.ahead].as_py() if "id" in named else None
        fault.fields["id"] = identity if isinstance(identity, str | int) else None
        raise


def distinct(names: Sequence[object]) -> list[str]:
    """The names of columns as they are. Raises InputError when one repeats or is no text."""
    found: list[str] = []
    for name in names:
        if not isinstance(name, str):
            raise InputError(f"the column name {name!r} is no text; rename the column")
        if name in found:
            raise InputError(f'two columns are named "{name}"; rename one', field=name)
        found.append(name)
    return found


def _rows(names: list[str], columns: list[Sequence[Any]]) -> Iterator[bytes]:
    for row in zip(*columns, strict=True):
        document = dict(zip(names, row, strict=True))
        try:
            yield dumped(document)
        except TypeError:
            yield encoded_with_care(document)


def _column(array: Any, name: str, raw: bool = False) -> Sequence[Any]:
    convert = _fragments if raw else _cells
    try:
        return convert(array, name)
    except Fault as fault:
        fault.ahead = _first_fault(array, name, convert)
        raise


def _first_fault(array: Any, name: str, convert: Callable[[Any, str], Sequence[Any]]) -> int:
    for row in range(len(array)):
        try:
            convert(array.slice(row, 1), name)
        except Fault:
            return row
    return 0


def _cells(array: Any, path: str) -> Sequence[Any]:
    """The values of an Arrow array as orjson can write them."""
    for is_kind, convert in _CELLS:
        if is_kind(array.type):
            try:
                return convert(array, path)
            except (ValueError, OverflowError) as error:
                raise Fault(f"cannot be read: {error}", field=path) from None
    reason = f"has the type {array.type}, which JSON cannot hold; cast it to text or a number"
    raise Fault(reason, field=path)


def _values(array: Any, path: str) -> list[Any]:
    found: list[Any] = array.to_pylist()
    return found


def _floats(array: Any, path: str) -> Sequence[Any]:
    values = _float_array(array, path)
    # numpy's float32 prints as 0.1 where Python's would print 0.10000000149011612.
    return values.tolist() if values.dtype == np.float64 else list(values)


def _float_array(array: Any, path: str) -> NDArray[Any]:
    """The numbers with NaN, which orjson writes as null, for null."""
    values: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    if np.isinf(values).any():
        raise Fault("is infinite, which JSON cannot hold", field=path)
    if path.partition(".")[0] == _VECTORS and np.isnan(values).any():
        raise Fault("holds NaN, which is no vector", field=path)
    return values


def _moments(array: Any, path: str) -> list[Any]:
    kind = array.type
    if pa.types.is_date(kind) or kind.unit != "ns":
        return _values(array, path)
    coarse = pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) else _MICROSECONDS[kind]
    return _values(array.cast(coarse, safe=False), path)


_MICROSECONDS = {pa.time64("ns"): pa.time64("us"), pa.duration("ns"): pa.duration("us")}


def _decoded(array: Any, path: str) -> Sequence[Any]:
    return _cells(array.dictionary_decode(), path)


def _structs(array: Any, path: str) -> list[Any]:
    names = distinct([field.name for field in array.type])
    children = zip(names, array.flatten(), strict=True)
    columns = [_cells(child, f"{path}.{name}") for name, child in children]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return _where_valid(array, rows or [{}] * len(array))


def _lists(array: Any, path: str) -> list[Any]:
    flat = array.flatten()
    floats = pa.types.is_floating(flat.type)
    return _split(array, _float_array(flat, path) if floats else _cells(flat, path))


def _maps(array: Any, path: str) -> list[Any]:
    pairs = list(zip(_cells(array.keys, path), _cells(array.items, path), strict=True))
    cuts = itertools.pairwise(array.offsets.to_pylist())
    return _where_valid(array, [dict(pairs[start:end]) for start, end in cuts])


def _split(array: Any, values: Sequence[Any] | NDArray[Any]) -> list[Any]:
    """The flat values of a list array, cut into its lists."""
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    ends = np.cumsum(lengths)
    cuts = zip((ends - lengths).tolist(), ends.tolist(), strict=True)
    return _where_valid(array, [values[start:end] for start, end in cuts])


def _where_valid(array: Any, rows: list[Any]) -> list[Any]:
    if not array.null_count:
        return rows
    valid = array.is_valid().to_pylist()
    return [row if good else None for row, good in zip(rows, valid, strict=True)]


def _fragments(array: Any, path: str) -> list[Any]:
    """JSON text, checked, to be written as it stands."""
    texts = _values(array, path)
    try:
        for text in texts:
            orjson.loads(text or "null")
    except orjson.JSONDecodeError as error:
        raise Fault(f"is not JSON: {error}", field=path) from None
    return [text and orjson.Fragment(text) for text in texts]


def _extensions(array: Any, path: str) -> Sequence[Any]:
    name = getattr(array.type, "extension_name", "")
    if name == "arrow.json":
        return _fragments(array.storage, path)
    if name == "arrow.uuid":
        return _values(array, path)
    raise Fault(f"has the type {array.type}; cast it to text or a number", field=path)


def _one_of(*tests: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda kind: any(test(kind) for test in tests)


_t = pa.types
_CELLS: tuple[tuple[Callable[[Any], bool], Callable[[Any, str], Sequence[Any]]], ...] = (
    (_one_of(_t.is_string, _t.is_large_string, _t.is_string_view), _values),
    (_one_of(_t.is_integer, _t.is_boolean, _t.is_null, _t.is_decimal), _values),
    (_t.is_floating, _floats),
    (_one_of(_t.is_timestamp, _t.is_date, _t.is_time, _t.is_duration), _moments),
    (_t.is_dictionary, _decoded),
    (_t.is_struct, _structs),
    (_t.is_map, _maps),
    (_one_of(_t.is_list, _t.is_large_list, _t.is_fixed_size_list), _lists),
    (lambda kind: isinstance(kind, pa.BaseExtensionType), _extensions),
)


def from_relation(relation: duckdb.DuckDBPyRelation) -> Iterator[bytes]:
    """The rows of a relation, streamed; its connection is busy until the last one is read.

    Columns of DuckDB's JSON type are values, not text.
    """
    types = zip(relation.columns, relation.types, strict=True)
    raw = frozenset(name for name, kind in types if str(kind) == "JSON")
    with relation.to_arrow_reader(ROWS) as reader:
        yield from from_arrow(reader, raw)


def from_polars(frame: Any) -> Iterator[bytes]:
    """The rows of a polars DataFrame. Raises InputError for a type that Arrow has not."""
    for piece in frame.iter_slices(ROWS * 16):
        try:
            table = piece.to_arrow()
        except pa.ArrowInvalid as error:
            message = f"polars cannot hand over a column of this frame: {error}; cast it first"
            raise InputError(message) from None
        yield from from_arrow(table.to_batches())


def from_lazy_polars(frame: Any) -> Iterator[bytes]:
    """The rows of a polars LazyFrame, computed in batches."""
    streams = hasattr(frame, "collect_batches")  # polars below 1.34 has none
    pieces = frame.collect_batches(maintain_order=True) if streams else [frame.collect()]
    return itertools.chain.from_iterable(map(from_polars, pieces))


def from_pandas(frame: Any) -> Iterator[bytes]:
    """The rows, with the named levels of the index as fields; an unnamed index is left out."""
    levels = [name for name in frame.index.names if name is not None and name not in frame.columns]
    frame = frame.reset_index(level=levels) if levels else frame
    names = distinct(list(frame.columns))
    for start in range(0, len(frame), ROWS):
        piece = frame.iloc[start : start + ROWS]
        yield from _rows(names, [_series(piece.iloc[:, i], name) for i, name in enumerate(names)])


def _series(series: Any, name: str) -> Sequence[Any]:
    if series.dtype == object:
        return _objects(series, name)
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError):
        return _objects(series, name)
    return _column(array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array, name)


def _objects(series: Any, name: str) -> list[Any]:
    cells: list[Any] = []
    for cell, missing in zip(series.tolist(), series.isna().tolist(), strict=True):
        try:
            cells.append(None if missing else cell if type(cell) is str else mended(cell, name, 1))
        except Fault as fault:
            fault.ahead = len(cells)
            raise
    return cells
