"""search() in SQL over an index on the user's own rows: their columns, their types, as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

import hybridsearch
from hybridsearch import Database, Item
from hybridsearch.errors import HybridSearchError
from hybridsearch.sql.connection import Connection
from tests.spares import Spares

SETUP = """
CREATE TABLE docs (id INTEGER PRIMARY KEY, title VARCHAR, day DATE, price DECIMAL(6, 2),
    tags VARCHAR[], place STRUCT(x INTEGER), emb FLOAT[2]);
INSERT INTO docs VALUES
(1, 'red running shoes', '2021-01-01', 80, ['a', 'b'], {x: 1}, [1, 0]),
(2, 'blue trail shoes', '2022-02-02', 95.5, NULL, NULL, [0, 1]),
(3, 'running socks', NULL, 12, [], {x: NULL}, NULL);
"""
OURS = 6
KEYWORD = "mode := 'keyword'"


def filled() -> Database:
    db = hybridsearch.open()
    with db.connect() as connection:
        connection.execute(SETUP)
    db.create_search_index("i", "docs", ["title", "emb"])
    return db


@pytest.fixture
def db(spares: Spares) -> Iterator[Database]:
    with spares.lend(__name__, filled) as found:
        yield found


@pytest.fixture
def con(db: Database) -> Iterator[Connection]:
    with db.connect() as found:
        yield found


@pytest.fixture
def foreign(db: Database) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to another database, which cannot see the source."""
    with duckdb.connect() as found:
        hybridsearch.attach(found, db)
        yield found


def ids(connection: Any, statement: str, *values: object) -> list[Any]:
    return [row[0] for row in connection.execute(statement, list(values)).fetchall()]


def test_columns_are_those_of_the_table(con: Connection) -> None:
    table, found = con.sql("FROM docs"), con.sql(f"FROM search('i', 'running', {KEYWORD})")
    width = len(table.columns)
    assert (found.columns[:width], found.types[:width]) == (table.columns, table.types)
    assert len(found.columns) == width + OURS
    mine = con.execute("FROM docs WHERE id <> 2 ORDER BY id").fetchall()
    theirs = con.execute(f"FROM search('i', 'running', {KEYWORD}) ORDER BY id").fetchall()
    assert [row[:width] for row in theirs] == mine


def test_another_connection_has_the_copy_with_the_same_types(
    con: Connection, foreign: duckdb.DuckDBPyConnection
) -> None:
    wanted = con.sql("SELECT * EXCLUDE (emb) FROM docs")
    found = foreign.sql(f"FROM search('i', 'running', {KEYWORD})")
    width = len(wanted.columns)
    assert (found.columns[:width], found.types[:width]) == (wanted.columns, wanted.types)
    rows = foreign.execute(f"FROM search('i', '', {KEYWORD}) ORDER BY id").fetchall()
    assert [row[:width] for row in rows] == wanted.order("id").fetchall()


def test_rows_are_those_of_this_transaction(con: Connection) -> None:
    con.execute("BEGIN")
    con.execute("UPDATE docs SET price = 1 WHERE id = 3")
    con.execute("DELETE FROM docs WHERE id = 1")
    con.execute("INSERT INTO docs (id, title) VALUES (4, 'running cap')")
    found = con.execute(f"SELECT id, price FROM search('i', 'running', {KEYWORD})").fetchall()
    assert [(id_, float(price)) for id_, price in found] == [(3, 1.0)]
    con.execute("ROLLBACK")
    assert ids(con, f"SELECT id FROM search('i', 'running', {KEYWORD}) ORDER BY id") == [1, 3]


@pytest.mark.parametrize("k", ["5", "NULL"])
def test_committed_edits_are_found_at_once(con: Connection, k: str) -> None:
    con.execute("INSERT INTO docs (id, title) VALUES (4, 'running cap')")
    statement = f"SELECT id FROM search('i', 'running', {KEYWORD}, k := {k}) ORDER BY id"
    assert ids(con, statement) == [1, 3, 4]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("price > 90 OR price < 20", [2, 3]),
        ("day IS NULL", [3]),
        ("list_contains(tags, 'b')", [1]),
        ("place.x = 1", [1]),
        ("id IN (SELECT max(id) FROM docs)", [3]),
        ("false", []),
        ("emb[1] = 0", [2]),
    ],
)
def test_where_restricts_before_the_best_are_taken(
    con: Connection, where: str, expected: list[int]
) -> None:
    statement = f"SELECT id, _rank FROM search('i', '', {KEYWORD}, k := 2) WHERE {where}"
    found = con.execute(statement).fetchall()
    assert found == [(id_, rank) for rank, id_ in enumerate(expected, 1)]


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ("[1, 2]", [1]),
        ("[3::BIGINT, NULL]", [3]),
        ("['1', 'x']", [1]),
        ("[1.0, 2.5]", [1]),
        ("[]::INTEGER[]", []),
        ("NULL::INTEGER[]", []),
        ("NULL", [1, 3]),
        ("(SELECT list(id) FROM docs WHERE price > 50)", [1]),
        ("(SELECT list(id) FROM docs WHERE false)", []),
        ("'price > 50'", [1]),
    ],
)
def test_filter_takes_keys(con: Connection, filter: str, expected: list[int]) -> None:
    statement = f"SELECT id FROM search('i', 'running', {KEYWORD}, filter := {filter}) ORDER BY id"
    assert ids(con, statement) == expected


@pytest.mark.parametrize(
    ("key", "some"),
    [
        ("id", "1::HUGEINT, 3"),
        ("id::HUGEINT", "1, 3"),
        ("'k' || id", "'k1', 'k3'"),
        ("(id / 2)::DOUBLE", "0.5, 1.5"),
        ("(id / 2)::DECIMAL(4, 2)", "0.5, 1.5"),
        ("DATE '2020-01-01' + id", "DATE '2020-01-02', DATE '2020-01-04'"),
        ("md5(id::VARCHAR)::UUID", "md5('1')::UUID, md5('3')::UUID"),
        ("{'a': id}", "{'a': 1}, {'a': 3}"),
    ],
)
def test_keys_of_any_type_join_and_filter(
    con: Connection, db: Database, key: str, some: str
) -> None:
    con.execute(f"CREATE TABLE keyed AS SELECT {key} AS k, id, title FROM docs")
    db.create_search_index("keyed_idx", "keyed", ["title"], options={"key": "k"})
    search = f"SELECT id FROM search('keyed_idx', 'running shoes', {KEYWORD}"
    assert sorted(ids(con, f"{search})")) == [1, 2, 3]
    assert sorted(ids(con, f"{search}, filter := [{some}])")) == [1, 3]
    assert sorted(ids(con, f"{search}) WHERE k IN ({some})")) == [1, 3]
    assert ids(con, f"{search}, k := 1) WHERE title LIKE 'blue%'") == [2]


def test_columns_named_like_ours_are_left_to_us(con: Connection, db: Database) -> None:
    con.execute("CREATE TABLE odd AS SELECT id, title, 7 AS _score, 8 AS _row, 9 AS h FROM docs")
    db.create_search_index("odd_idx", "odd", ["title"], options={"key": "id"})
    found = con.execute(f"SELECT id, _score < 7, h FROM search('odd_idx', 'socks', {KEYWORD})")
    assert found.fetchall() == [(3, True, 9)]
    assert ids(con, f"SELECT id FROM search('odd_idx', '', {KEYWORD}) WHERE h = 9 AND id > 2") == [
        3
    ]


def test_index_over_files_and_queries(con: Connection, db: Database, tmp_path: Path) -> None:
    con.execute(f"COPY docs TO '{tmp_path}/d.parquet'")
    db.create_search_index("f", f"'{tmp_path}/*.parquet'", ["title"], options={"key": "id"})
    joined = (
        "(SELECT a.id, a.title, b.title AS other FROM docs a JOIN docs b ON b.id = a.id % 3 + 1)"
    )
    db.create_search_index("q", joined, ["other"], options={"key": "id"})
    search = f"SELECT id, price FROM search('f', 'socks', {KEYWORD}) WHERE price > 10"
    assert [row[0] for row in con.execute(search).fetchall()] == [3]
    assert ids(con, f"SELECT id FROM search('q', 'socks', {KEYWORD}) WHERE title LIKE 'b%'") == [2]


def test_condition_of_the_index_holds_for_filters_too(con: Connection, db: Database) -> None:
    db.create_search_index("cheap", "docs", ["title"], where="price < 90")
    assert ids(con, f"SELECT id FROM search('cheap', 'shoes', {KEYWORD}) WHERE id > 0") == [1]


def test_many_queries_by_lateral_join(con: Connection) -> None:
    con.execute("CREATE TABLE asked AS SELECT unnest(['running', 'trail', 'nothing']) AS q")
    statement = (
        f"SELECT q, h.id FROM asked, LATERAL (FROM search('i', asked.q, {KEYWORD}, k := 1)) h"
        " ORDER BY q"
    )
    assert con.execute(statement).fetchall() == [("running", 3), ("trail", 2)]


def test_facets_and_suggestions_follow_too(con: Connection) -> None:
    con.execute("INSERT INTO docs (id, title, tags) VALUES (4, 'runner cap', ['b'])")
    found = con.execute(f"FROM facets('i', 'runner', by := ['tags'], {KEYWORD})").fetchall()
    assert found == [("tags", "b", 1)]
    assert ("runner", 1) in con.execute("FROM suggest('i', 'run')").fetchall()


def test_a_renamed_source_is_named_where_the_search_stands(con: Connection) -> None:
    con.execute("ALTER TABLE docs RENAME TO papers")
    with pytest.raises(HybridSearchError, match='search index "i": its source docs cannot be read'):
        con.execute("FROM search('i', 'running')")


def test_columns_that_come_later_are_there(con: Connection) -> None:
    con.execute("ALTER TABLE docs ADD COLUMN colour VARCHAR DEFAULT 'red'")
    statement = f"SELECT id FROM search('i', 'socks', {KEYWORD}) WHERE colour = 'red'"
    assert ids(con, statement) == [3]


def test_expressions_are_searched_by_name(con: Connection, db: Database) -> None:
    db.create_search_index("e", "docs", [Item("list_aggregate(tags, 'string_agg', ' ')", "tagged")])
    assert ids(con, f"SELECT id FROM search('e', 'b', {KEYWORD}, fields := ['tagged'])") == [1]


def test_two_connections_search_while_one_edits(con: Connection, db: Database) -> None:
    with db.connect() as other:
        for number in range(5):
            con.execute("INSERT INTO docs (id, title) VALUES (?, 'more')", [10 + number])
            statement = f"SELECT count(*) FROM search('i', 'more', {KEYWORD})"
            assert ids(other, statement) == [number + 1]


@pytest.mark.parametrize(
    "rest",
    [
        "k := 2)",
        "k := 2, highlight := true)",
        "k := 0)",
        "k := 3, filter := [1, 3])",
        "k := 3) WHERE price < 90",
        "k := 3) WHERE id IN (SELECT max(id) FROM docs)",
        "k := 3) WHERE false",
        ") LIMIT 1",
        ") WHERE place.x IS NULL LIMIT 2 OFFSET 1",
    ],
)
def test_search_made_ahead_gives_what_the_native_function_gives(con: Connection, rest: str) -> None:
    con.execute("ALTER TABLE docs ADD COLUMN _row INTEGER DEFAULT 5")
    ahead = f"SELECT * FROM search('i', 'running shoes', {KEYWORD}, {rest}".replace(", )", ")")
    native = ahead.replace(KEYWORD, "mode := lower('KEYWORD')")  # what is computed has to wait
    found, wanted = con.sql(ahead), con.sql(native)
    assert (found.columns, found.types) == (wanted.columns, wanted.types)
    assert con.execute(ahead).fetchall() == con.execute(native).fetchall()


# Calls that make and drop indexes


@pytest.fixture(params=["own", "bare", "foreign"])
def caller(
    request: pytest.FixtureRequest, con: Connection, foreign: duckdb.DuckDBPyConnection
) -> Any:
    """A connection with the front end, the one inside it, and one to another database."""
    return {"own": con, "bare": con.bare, "foreign": foreign}[request.param]


def test_calls_make_refresh_alter_and_drop(caller: Any, con: Connection) -> None:
    made = "FROM create_search_index('n', 'docs', ['title', 'emb'], key := 'id')"
    columns = "name, key, rows, text, vectors[1].name, vectors[1].rows, refresh, created"
    assert caller.execute(f"SELECT {columns} {made}").fetchall() == [
        ("n", "id", 3, ["title"], "emb", 2, "check", True)
    ]
    assert caller.execute("SELECT name FROM search_indexes()").fetchall() == [("i",), ("n",)]
    altered = "SELECT refresh FROM alter_search_index('n', {refresh: 'manual'})"
    assert caller.execute(altered).fetchall() == [("manual",)]
    con.execute("DELETE FROM docs WHERE id = 3")
    assert caller.execute("FROM refresh_search_index('n')").fetchall() == [("n", 0, 0, 1)]
    assert caller.execute("FROM drop_search_index('n')").fetchall() == [("n", True)]
    dropped = caller.execute("FROM drop_search_index('n', if_exists := true)").fetchall()
    assert dropped == [("n", False)]


def test_call_with_expressions_and_options(con: Connection) -> None:
    con.execute("""
        FROM create_search_index('n', 'docs', [
            {expression: 'title', alias: NULL, kind: NULL, options: {weight: 2}},
            {expression: 'list_aggregate(tags, ''string_agg'', '' '')', alias: 'tagged',
             kind: 'TEXT', options: {weight: 1}}
        ], "where" := 'price > 50', options := {stopwords: ['red'], refresh: 'manual'})
    """)
    assert ids(con, f"SELECT id FROM search('n', 'b', {KEYWORD})") == [1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("create_search_index('i', 'docs', ['title'])", 'a search index "i" already'),
        ("create_search_index('n', 'dcos', ['title'])", 'did you mean "docs"?'),
        ("create_search_index('n', 'docs', ['titel'])", 'did you mean "title"?'),
        ("create_search_index('n', 'docs', NULL)", "columns must be a list"),
        ("create_search_index('n', 'docs', 'title')", "columns must be a list"),
        ("create_search_index('n', 'docs', [{expr: 'title'}])", "a struct of expression"),
        ("create_search_index('n', NULL, ['title'])", "is no source"),
        ("create_search_index(NULL, 'docs', ['title'])", "cannot be the name of an index"),
        ("create_search_index('n', 'docs; DROP TABLE docs', ['title'])", "is no source"),
        ("create_search_index('n', 'docs', ['title'], options := {kei: 1})", 'did you mean "key"?'),
        ("refresh_search_index('j')", "there is: i"),
        ("alter_search_index('i', {m: 3})", "no graph to build"),
        ("drop_search_index(NULL)", "no search index"),
    ],
)
def test_calls_that_are_refused_change_nothing(con: Connection, call: str, message: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011  both kinds of connection raise
        con.execute(f"FROM {call}")
    assert message in str(caught.value)
    assert ids(con, "SELECT name FROM search_indexes()") == ["i"]


def test_calls_are_not_there_for_strangers(db: Database) -> None:
    with pytest.raises(HybridSearchError):
        db.ask("FROM create_search_index('n', 'i', ['title'])")
    with pytest.raises(HybridSearchError):
        db.ask("FROM search_indexes()")
    assert [report.name for report in db.search_indexes()] == ["i"]


CHANGES = [
    ("DROP TABLE docs", "its source docs cannot be read: Table with name docs does not exist!"),
    ("ALTER TABLE docs RENAME TO papers", "cannot be read: Table with name docs does not exist!"),
    ("ALTER TABLE docs DROP COLUMN title", 'its source docs has no column "title" any more'),
    ("ALTER TABLE docs RENAME title TO head", 'its source docs has no column "title" any more'),
    ("ALTER TABLE docs ALTER title TYPE BLOB", 'has column "title" as BLOB, no more as VARCHAR'),
    ("ALTER TABLE docs ALTER id TYPE VARCHAR", 'has column "id" as VARCHAR, no more as INTEGER'),
    ("ALTER TABLE docs ALTER emb TYPE FLOAT[]", 'has column "emb" as FLOAT[], no more as FLOAT[2]'),
    ("INSERT INTO docs FROM docs", "holds '1' 2 times; a key is unique, not NULL"),
    ("UPDATE docs SET id = NULL WHERE id = 2", 'key "id" of docs holds NULL; a key is unique'),
]


@pytest.mark.parametrize(("change", "told"), CHANGES)
def test_a_source_that_is_lost_is_told_through_both_doors(change: str, told: str) -> None:
    with hybridsearch.open(default_embedder=None) as db, db.connect() as con:
        con.execute(SETUP.replace(" PRIMARY KEY", ""))
        con.execute("CREATE SEARCH INDEX i ON docs (title, emb) WITH (key = id)")
        con.execute("CREATE VIEW v AS SELECT id FROM search('i', 'shoes', k := 2)")
        con.execute(change)
        for query in ("FROM search('i', 'shoes', k := 2)", "SELECT id FROM v"):
            for door in (con, con.bare):
                with pytest.raises((HybridSearchError, duckdb.Error)) as raised:
                    door.execute(query)
                assert told in str(raised.value)
                assert "Python" not in str(raised.value)
                assert "column 8" not in str(raised.value)
