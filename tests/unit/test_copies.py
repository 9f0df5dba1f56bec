"""Columns that come from the copy of a table are what the table itself gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hybridsearch
from hybridsearch.sql.connection import Connection
from hybridsearch.sql.items import items
from hybridsearch.sql.lowering import read
from hybridsearch.sql.named import named
from tests.unit.front_end import ahead, native, settle

WHOLE = "SELECT * FROM search('i', 'word', k := 50, mode := 'keyword')"


@pytest.fixture
def con(tmp_path: Path) -> Iterator[Connection]:
    path = tmp_path / "t.duckdb"
    with hybridsearch.open(path, default_embedder=None) as db, db.connect() as found:
        yield found


def made(con: Connection, table: str, *, on: str = "title", options: str = "") -> None:
    con.execute(table)
    con.execute(f"CREATE OR REPLACE SEARCH INDEX i ON t ({on}) WITH (key = 'id'{options})")
    ready(con)


def ready(con: Connection) -> None:
    """Long after the last commit, the index has looked at its table."""
    con.execute(WHOLE).fetchall()
    paths = "SELECT path FROM duckdb_databases() WHERE path IS NOT NULL"
    [(path,)] = con.bare.execute(paths).fetchall()
    settle(Path(path))
    con.execute(WHOLE).fetchall()


def from_copy(con: Connection, text: str) -> bool:
    """Whether the statement reads the copy alone."""
    found = ahead(con, text)
    assert found is not None
    return bool(found.signs) and " JOIN " not in found.text


def same(con: Connection, text: str) -> bool:
    """Whether the statement gives what the functions give that know of no copy, types too."""
    found = con.execute(text)
    ours = found.description, repr(found.fetchall())
    other = native(con, text)
    theirs = other.description, repr(other.fetchall())
    return ours == theirs and "word" in ours[1]


TYPES: dict[str, st.SearchStrategy[Any]] = {
    "VARCHAR": st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    "BOOLEAN": st.booleans(),
    "TINYINT": st.integers(-(2**7), 2**7 - 1),
    "SMALLINT": st.integers(-(2**15), 2**15 - 1),
    "INTEGER": st.integers(-(2**31), 2**31 - 1),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "UTINYINT": st.integers(0, 2**8 - 1),
    "USMALLINT": st.integers(0, 2**16 - 1),
    "UINTEGER": st.integers(0, 2**32 - 1),
    "FLOAT": st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0),
    "DOUBLE": st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0),
    "DECIMAL(4,1)": st.decimals(-999, 999, places=1),
    "DECIMAL(15,6)": st.decimals(Decimal(-(10**9) + 1), Decimal(10**9 - 1), places=6),
    "DATE": st.dates(),
    "TIME": st.times(),
    "TIMESTAMP": st.datetimes(),
    "UUID": st.uuids(),
    "VARCHAR[]": st.lists(st.none() | st.text(max_size=3), max_size=3),
    "BIGINT[]": st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=3),
}
COLUMNS = [f"c{number}" for number in range(len(TYPES))]
ROWS = st.lists(
    st.tuples(*(st.none() | values for values in TYPES.values())), min_size=1, max_size=20
)


@pytest.mark.parametrize("key", ["BIGINT", "VARCHAR", "DATE", "DECIMAL(15,6)"])
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS)
def test_values_of_every_type_come_back_as_they_are(
    con: Connection, key: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    listed = ", ".join(f"{name} {kind}" for name, kind in zip(COLUMNS, TYPES, strict=True))
    places = ", ".join("?" * len(COLUMNS))
    ids = "DATE '2020-02-27' + ?::INTEGER" if key == "DATE" else "?"
    con.execute(f"CREATE OR REPLACE TABLE t (id {key}, title VARCHAR, {listed})")
    con.executemany(
        f"INSERT INTO t VALUES ({ids}, 'word', {places})", [(n, *row) for n, row in enumerate(rows)]
    )
    made(con, "CHECKPOINT")
    assert from_copy(con, WHOLE)
    assert same(con, WHOLE)


@pytest.mark.parametrize(
    "column",
    [
        "'nan'::DOUBLE",
        "-'inf'::FLOAT",
        "-0.0::DOUBLE",
        "{'a': 1}",
        "1::HUGEINT",
        "12::UBIGINT",
        "1.5::DECIMAL(18, 3)",
        "'{\"b\" : 1}'::JSON",
        "encode('a')",
        "[1.5, 2]::FLOAT[2]",
        "[1.5]::DOUBLE[]",
        "TIMESTAMPTZ '2020-01-01'",
        "'x'::ENUM ('x', 'y')",
        "INTERVAL 1 DAY",
    ],
)
def test_what_json_may_lose_comes_from_the_table(con: Connection, column: str) -> None:
    made(con, f"CREATE TABLE t AS SELECT 1 AS id, 'word' AS title, {column} AS x")
    for text in (WHOLE, WHOLE.replace("*", "title, x")):
        assert not from_copy(con, text)
        assert same(con, text)
    assert from_copy(con, WHOLE.replace("*", "title, id"))
    assert same(con, WHOLE.replace("*", "title, id"))


def test_texts_with_a_collation_come_from_the_table(con: Connection) -> None:
    made(con, "CREATE TABLE t (id INTEGER, title VARCHAR COLLATE NOCASE)")
    con.execute("INSERT INTO t VALUES (1, 'WORD'), (2, 'word')")
    ready(con)
    grouped = WHOLE.replace("*", "lower(min(title)), count(*)") + " GROUP BY title"
    assert not from_copy(con, grouped)
    assert con.execute(grouped).fetchall() == [("word", 2)]


def test_a_column_that_the_index_computes_comes_from_the_table(con: Connection) -> None:
    table = "CREATE TABLE t AS SELECT 1 AS id, 'word one' AS title, 'two' AS body"
    made(con, table, on="(title || ' ' || body) AS whole, (upper(title)) AS other")
    assert same(con, WHOLE)


def test_a_new_column_is_seen(con: Connection) -> None:
    made(con, "CREATE TABLE t AS SELECT 1 AS id, 'word' AS title")
    assert from_copy(con, WHOLE)
    con.execute("ALTER TABLE t ADD COLUMN x INTEGER DEFAULT 5")
    assert same(con, WHOLE)
    ready(con)
    assert same(con, WHOLE)
    assert con.execute(WHOLE.replace("*", "id, title, x")).fetchall() == [(1, "word", 5)]


@pytest.mark.parametrize("options", [", refresh = manual", ""])
def test_rows_are_what_the_table_has_now(con: Connection, options: str) -> None:
    made(con, "CREATE TABLE t AS SELECT 1 AS id, 'word' AS title, 5 AS x", options=options)
    for text in ("UPDATE t SET x = 6", "INSERT INTO t VALUES (2, 'word', 7)"):
        con.execute(text)
        assert same(con, WHOLE)
        ready(con)
        assert same(con, WHOLE)
        assert from_copy(con, WHOLE) == (not options)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT title FROM {0}", {"title"}),
        ('SELECT h."Title" FROM {0} AS h WHERE year > 3', {"title", "year"}),
        ("SELECT count(*), max(year) FROM {0}", {"year"}),
        ("SELECT o.x FROM {0} h JOIN o USING (id)", {"id"}),
        ("SELECT title FROM {0} ORDER BY length(body)", {"title", "body"}),
        ("SELECT _score FROM {0}", set()),
        ("WITH a AS (SELECT id FROM {0}) SELECT id FROM a", {"id"}),
        ("SELECT * FROM {0}", None),
        ("SELECT h.* FROM {0} h", None),
        ("SELECT 2 *-1 FROM {0} h", None),
        ("FROM {0}", None),
        ("SELECT id FROM (FROM {0})", None),
        ("SELECT h FROM {0} AS h", None),
        ("SELECT to_json(h) FROM {0} h", None),
        ("SELECT search FROM {0}", None),
        ("SELECT COLUMNS('t.*') FROM {0}", None),
        ("SELECT a FROM {0} AS h(a, b)", None),
        ("SELECT 1 FROM {0} NATURAL JOIN o", None),
        ("SELECT 1 FROM (PIVOT (SELECT 1 FROM {0}) ON year)", None),
    ],
)
def test_what_a_statement_may_read(text: str, names: set[str] | None) -> None:
    statement = read(text.format("search('i', 'word', k := 3)"))
    assert statement is not None
    [(level, item)] = [
        (level, item)
        for level in statement.levels
        for item in items(statement.tokens, statement.brackets, level)
    ]
    found = named(statement, level, item)
    columns = {"id", "title", "year", "body", "other"}
    assert (None if found is None else found & columns) == names


def test_no_macro_reads_what_nobody_names(con: Connection) -> None:
    """Else a statement could read more than it names."""
    con.execute("CREATE TABLE t AS SELECT 1 AS id, 'word' AS title")
    with pytest.raises(duckdb.BinderException, match="title"):
        con.execute("CREATE MACRO mine() AS title || 'x'")
