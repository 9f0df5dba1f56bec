"""What becomes of the rows of Arrow, DuckDB, pandas and polars."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from hybridsearch.errors import InputError
from hybridsearch.sources import batches
from tests.unit.reading import bodies, documents, refused

NAN = float("nan")


ARROW: list[tuple[Any, bytes]] = [
    (pa.array([dt.date(2020, 1, 2)]), b'"2020-01-02"'),
    (pa.array([1_500_000_001], pa.timestamp("ns")), b'"1970-01-01T00:00:01.500000"'),
    (pa.array([0], pa.timestamp("s", "Europe/Paris")), b'"1970-01-01T01:00:00+01:00"'),
    (pa.array([1000], pa.time64("ns")), b'"00:00:00.000001"'),
    (pa.array([1_500_000_000], pa.duration("ns")), b"1.5"),
    (pa.array([Decimal("1.50")]), b"1.5"),
    (pa.array([Decimal(2**100)]), str(2**100).encode()),
    (pa.array([0.1], pa.float32()), b"0.1"),
    (pa.array([0.5], pa.float16()), b"0.5"),
    (pa.array([NAN]), b"null"),
    (pa.array([None]), b"null"),
    (pa.array([2**64 - 1], pa.uint64()), b"18446744073709551615"),
    (pa.array(["a"]).dictionary_encode(), b'"a"'),
    (pa.array(["a"], pa.string_view()), b'"a"'),
    (pa.array([[0.1, None]], pa.list_(pa.float32())), b"[0.1,null]"),
    (pa.array([[0.5, 1]], pa.list_(pa.float32(), 2)), b"[0.5,1.0]"),
    (pa.array([[[1], None]]), b"[[1],null]"),
    (pa.array([["a"]], pa.large_list(pa.string())), b'["a"]'),
    (pa.array([{"a": 1, "b": [dt.date(2020, 1, 2)]}]), b'{"a":1,"b":["2020-01-02"]}'),
    (pa.array([{}], pa.struct([])), b"{}"),
    (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), b'{"k":1}'),
    (pa.array([uuid.UUID(int=1).bytes], pa.uuid()), b'"00000000-0000-0000-0000-000000000001"'),
    (pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a": 1}'])), b'{"a": 1}'),
]


@pytest.mark.parametrize(("array", "expected"), ARROW, ids=[str(a.type) for a, _ in ARROW])
def test_arrow_values_become_json(array: Any, expected: bytes) -> None:
    assert bodies(pa.table({"x": array})) == [b'{"x":' + expected + b"}"]


@pytest.mark.parametrize(("array", "expected"), ARROW, ids=[str(a.type) for a, _ in ARROW])
def test_arrow_values_survive_nulls_and_slices(array: Any, expected: bytes) -> None:
    null = pa.nulls(1, array.type)
    table = pa.table({"x": pa.concat_arrays([array, null, array, null])}).slice(1, 2)
    assert bodies(table) == [b'{"x":null}', b'{"x":' + expected + b"}"]


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("x", pa.array([1.0, 2.0, float("inf")]), "infinite"),
        ("x", pa.array([[1.0], [], [float("-inf")]]), "infinite"),
        ("_vectors", pa.array([[0.5], None, [NAN]]), "NaN"),
        ("_vectors", pa.array([{"d": [0.5]}, None, {"d": [NAN]}]), "NaN"),
        ("x", pa.array([0, 0, 10**15], pa.timestamp("s")), "cannot be read"),
        (
            "x",
            pa.ExtensionArray.from_storage(pa.json_(), pa.array(["1", "1", "{"])),
            "is not JSON",
        ),
    ],
)
def test_what_a_table_cannot_hold_is_named(name: str, array: Any, said: str) -> None:
    table = pa.table({"id": ["a", "b", "c"], name: array})
    error = refused(pa.concat_tables([table.slice(0, 2), table]))
    assert said in str(error)
    assert (error.fields["position"], error.fields["id"]) == (4, "c")
    assert error.fields["field"].startswith(name)


@pytest.mark.parametrize("kind", [pa.binary(), pa.month_day_nano_interval()])
def test_types_without_a_json_form_are_refused(kind: Any) -> None:
    error = refused(pa.table({"b": pa.nulls(2, kind)}))
    assert "cast it" in str(error)
    assert error.fields["field"] == "b"


def test_columns_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match='two columns are named "a"'):
        bodies(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]))


def test_json_columns_of_duckdb_are_values() -> None:
    connection = duckdb.connect()
    relation = connection.sql(
        """SELECT '{"b": [1]}'::JSON AS j, NULL::JSON AS n, uuid() IS NULL AS u"""
    )
    assert documents(relation) == [{"j": {"b": [1]}, "n": None, "u": False}]


def test_duckdb_types_become_json() -> None:
    relation = duckdb.connect().sql(
        "SELECT (2::HUGEINT ** 100)::HUGEINT AS h, MAP {'a': 1} AS m, {'s': [1, 2]} AS s,"
        " 'x'::ENUM ('x', 'y') AS e, TIMESTAMP '2020-01-02 03:04:05' AS t, 1.5::DECIMAL(9, 2) AS d"
    )
    assert documents(relation) == [
        {"h": 2**100, "m": {"a": 1}, "s": {"s": [1, 2]}, "e": "x"}
        | {"t": "2020-01-02T03:04:05", "d": 1.5}
    ]


def test_a_relation_frees_its_connection_when_it_was_read() -> None:
    connection = duckdb.connect()
    bodies(connection.sql("SELECT * FROM range(5000)"))
    assert connection.sql("SELECT 1").fetchall() == [(1,)]


def test_a_relation_left_halfway_frees_its_connection() -> None:
    connection = duckdb.connect()
    reading = batches(connection.sql("SELECT * FROM range(50000)"), max_documents=10)
    next(reading)
    del reading
    assert connection.sql("SELECT 1").fetchall() == [(1,)]


def test_pandas_columns_of_any_value_stay_as_they_are() -> None:
    frame = pd.DataFrame({"x": pd.Series([1, "a", NAN, {"k": [1]}, None, 2**70], dtype=object)})
    expected = [1, "a", None, {"k": [1]}, None, 2**70]
    assert documents(frame) == [{"x": value} for value in expected]


def test_pandas_types_become_json() -> None:
    frame = pd.DataFrame(
        {
            "c": pd.Categorical(["a", None]),
            "i": pd.array([1, None], dtype="Int64"),
            "t": pd.to_datetime(pd.Series(["2020-01-02", None])),
        }
    )
    assert documents(frame) == [
        {"c": "a", "i": 1, "t": "2020-01-02T00:00:00"},
        {"c": None, "i": None, "t": None},
    ]


def test_a_named_index_of_pandas_is_a_field() -> None:
    frame = pd.DataFrame({"id": ["a", "b"], "n": [1, 2]}).set_index("id")
    assert documents(frame) == [{"id": "a", "n": 1}, {"id": "b", "n": 2}]


def test_faults_in_pandas_objects_are_named() -> None:
    error = refused(pd.DataFrame({"id": [1, 2], "x": pd.Series(["a", b"b"], dtype=object)}))
    assert (error.fields["position"], error.fields["field"]) == (1, "x")


def test_pandas_columns_need_names() -> None:
    with pytest.raises(InputError, match="column name 0 is no text"):
        bodies(pd.DataFrame([[1]]))


def test_polars_types_that_arrow_has_not_are_refused() -> None:
    frame = pl.DataFrame({"x": pl.Series([1], dtype=pl.Int128)})
    with pytest.raises(InputError, match="cast it first"):
        bodies(frame)


def test_polars_types_become_json() -> None:
    frame = pl.DataFrame(
        {
            "c": pl.Series(["a"], dtype=pl.Categorical),
            "v": pl.Series([[0.1, 0.5]], dtype=pl.Array(pl.Float32, 2)),
            "t": [dt.datetime(2020, 1, 2)],
        }
    )
    assert documents(frame) == [{"c": "a", "v": [0.1, 0.5], "t": "2020-01-02T00:00:00"}]
