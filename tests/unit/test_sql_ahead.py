"""A search that is made before DuckDB sees it gives what the native function gives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pytest

from hybridsearch import Database, Index, assets
from hybridsearch.errors import Conflict, QueryError
from hybridsearch.sql.calls import ARGUMENTS, DEFAULTS
from hybridsearch.sql.connection import Connection
from tests.conftest import in_memory
from tests.unit.front_end import ahead

ODD = [
    {"id": 1, "Name": "a", "name": "b", 'it\'s "odd"': "c", "_score": 7, "deep": {"x": [1, 1.5]}},
    {"id": 2, "mixed": 1, "tags": ["a", None], "many": 1, "yes": True, "text": "one\0two"},
    {"id": 3, "mixed": "x", "tags": [], "many": 2.5, "yes": None, "text": "é\u2028"},
    {"id": 4, "mixed": 2**70, "tags": None, "many": 2**62, "yes": False},
]
CALLS = [
    "k := 3",
    "k := 3, mode := 'keyword'",
    "k => 3, mode => 'semantic'",
    "k := 5, match := 'all'",
    "k := 5, match := 'prefix'",
    "k := 5, fields := ['title']",
    "k := 5, weights := {keyword: 1, semantic: 0.5}",
    "k := 5, weights := [1, 2]",
    "k := 5, fusion := 'dbsf'",
    "k := 5, rrf_k := 10, candidates := 3",
    "k := 5, filter := 'year < 2000'",
    "k := 5, filter := [1, 2, 3]",
    "k := 5, filter := []",
    "k := 5, filter := NULL",
    "k := 5, min_score := 0.5",
    "k := 5, min_score := -1",
    "k := 5, distinct_by := 'year'",
    "k := 5, exact := true",
    "k := 5, highlight := true",
    "k := 5, tie := 0",
    "k := 5, tie := NULL",
    "k := 0",
    "k := 5, field_weights := {title: 2.5}",
    "k := 5, min_similarity := 0.2",
    "k := 5, ef := 40",
    "k := 5, embedder := 'letters'",
]


@pytest.fixture
def connection(memory: Database, hybrid_movies: Index) -> Iterator[Connection]:
    with memory.connect() as found:
        yield found


def table(connection: Any, text: str, values: Any = None) -> tuple[Any, ...]:
    found = connection.execute(text, values)
    return connection.description, found.fetchall()


def made_ahead(connection: Connection, text: str, values: Any = None) -> bool:
    """Whether the statement is run with hits in the place of its search."""
    return ahead(connection, text, values) is not None


@pytest.mark.parametrize("given", CALLS)
def test_every_argument_means_the_same(connection: Connection, given: str) -> None:
    text = f"SELECT * FROM search('hybrid', 'aliens texas space', {given})"
    assert made_ahead(connection, text)
    assert table(connection, text) == table(connection.bare, text)


@pytest.mark.parametrize("query", ["''", "NULL", "'it''s \"alien\" -x'", "$$alien$$", "'\0'"])
def test_every_query_means_the_same(connection: Connection, query: str) -> None:
    text = f"FROM search('hybrid', {query}, k := 4)"
    assert made_ahead(connection, text)
    assert table(connection, text) == table(connection.bare, text)


@pytest.mark.parametrize("k", [0, 1, 4])
def test_every_type_of_column_is_the_same(memory: Database, connection: Connection, k: int) -> None:
    memory.create_index("odd", primary_key="id").add(ODD)
    text = f"FROM search('odd', '', k := {k})"
    assert made_ahead(connection, text)
    assert table(connection, text) == table(connection.bare, text)


def test_an_index_without_documents(memory: Database, connection: Connection) -> None:
    memory.create_index("empty", primary_key="sku")
    text = "FROM search('empty', 'x', k := 3)"
    assert made_ahead(connection, text)
    assert table(connection, text) == table(connection.bare, text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("SELECT id, ? FROM search('hybrid', ?, k := ?) WHERE id > ?", ["a", "alien", 2, 0]),
        ("SELECT id, $2 FROM search('hybrid', $2, k := $1)", [2, "alien"]),
        (
            "SELECT id, $word AS w FROM search('hybrid', $word) WHERE id >= $least LIMIT $n",
            {"word": "alien", "least": 0, "n": 2},
        ),
    ],
)
def test_parameters_go_where_they_belong(connection: Connection, text: str, values: Any) -> None:
    assert made_ahead(connection, text, values)
    assert table(connection, text, values)[1]


def test_a_vector_may_be_an_array(connection: Connection, hybrid_movies: Index) -> None:
    arm = hybrid_movies.snapshot().state.arm(None)
    assert arm is not None
    vector = np.linspace(-1, 1, arm.embedder.dim)
    text = "SELECT id FROM search('hybrid', '', vector := $v, k := 3)"
    assert made_ahead(connection, text, {"v": vector})
    plain = connection.bare.execute(text, {"v": vector.tolist()}).fetchall()
    assert connection.execute(text, {"v": vector}).fetchall() == plain


@pytest.mark.parametrize(
    "text",
    [
        "FROM search('hybrid', 'alien')",
        "FROM search('hybrid', 'al' || 'ien', k := 3)",
        "FROM search('hybrid', 'alien', k := '3')",
        "FROM search('hybrid', 'alien', k := 3, filter := (SELECT [1]))",
        "SELECT * FROM (SELECT 'alien' q) t, search('hybrid', t.q, k := 3)",
        "FROM search('hybrid', 'alien', k := 2000)",
        "CREATE TEMP VIEW seen AS FROM search('hybrid', 'alien', k := 3)",
        "EXPLAIN FROM search('hybrid', 'alien', k := 3)",
    ],
)
def test_what_is_not_plain_is_left_to_duckdb(connection: Connection, text: str) -> None:
    assert not made_ahead(connection, text)
    connection.execute(text)


def test_defaults_are_the_macros() -> None:
    macro = assets.text("sql/macros/search.sql")
    given = dict(re.findall(r'"?(\w+)"? := ([^,\s]+)', macro.partition(") AS TABLE")[0]))
    shown = {name: str(value).strip("'").lower() for name, value in DEFAULTS.items()}
    assert {name: value.strip("'").lower() for name, value in given.items()} == {
        name: shown.get(name, "null") for name in ARGUMENTS if name not in ("index", "query", "ids")
    }


def test_a_relation_is_evaluated_when_it_is_read(
    connection: Connection, hybrid_movies: Index
) -> None:
    found = connection.sql(
        "SELECT count(*) FROM search('hybrid', 'wombat', mode := 'keyword', k := 5)"
    )
    assert found.fetchall() == [(0,)]
    hybrid_movies.add([{"id": 77, "title": "The wombat"}])
    assert found.fetchall() == [(1,)]


KEYS = {
    "INTEGER": ["7", "-1", "40"],
    "VARCHAR": ["'it''s'", "'B'", "'é'"],
    "UUID": [f"'{digit * 8}-0000-4000-8000-000000000000'" for digit in "123"],
    "DATE": ["'2024-01-31'", "'1999-12-01'", "'2024-02-29'"],
    "DECIMAL(5, 2)": ["1.50", "-2", "300.25"],
    "DOUBLE": ["0.1", "1e300", "-2.5"],
    "HUGEINT": ["170141183460469231731687303715884105727", "0", "-5"],
}
FOLLOWED = [
    "k := 2)",
    "k := 3) WHERE price > 1 OR price IS NULL",
    "k := 3) WHERE price > 99",
    "k := 3) AS s JOIN fruit USING (key) WHERE s.price < 9",
    "mode := 'keyword') ORDER BY _rank LIMIT 2",
]
ROWS = ("'ripe pear', 3", "'ripe ripe fig', NULL", "'pear', 1")


@pytest.fixture(scope="module", params=KEYS)
def fruit(request: Any) -> Iterator[Connection]:
    with in_memory() as db, db.connect() as found:
        found.execute(f"CREATE TABLE fruit (key {request.param} PRIMARY KEY, t VARCHAR, price INT)")
        for key, row in zip(KEYS[request.param], ROWS, strict=True):
            found.execute(f"INSERT INTO fruit VALUES ({key}, {row})")
        found.execute("CREATE SEARCH INDEX fruit_idx ON fruit (t)")
        yield found


@pytest.mark.parametrize("given", FOLLOWED)
def test_a_source_is_joined_by_a_key_of_any_type(fruit: Connection, given: str) -> None:
    text = f"SELECT * FROM search('fruit_idx', 'ripe pear', {given}"
    assert made_ahead(fruit, text)
    [step] = fruit._session.steps(text) or []
    native = table(fruit.bare, fruit._session.lowered(step).text)
    assert table(fruit, text) == native
    assert fruit.sql(text).fetchall() == native[1]


def made_later(connection: Connection, text: str) -> bool:
    """Whether a relation of the statement searches by itself whenever it is read."""
    return ahead(connection, text, later=True) is not None


@pytest.mark.parametrize("given", CALLS)
def test_a_relation_has_what_executing_gives(connection: Connection, given: str) -> None:
    text = f"SELECT * FROM search('hybrid', 'aliens texas space', {given})"
    expected = table(connection, text)[1]
    assert made_later(connection, text)
    found = connection.sql(text)
    assert (found.fetchall(), found.fetchall()) == (expected, expected)
    kept = f"{text} WHERE year < 2000"
    found, (described, rows) = connection.sql(kept), table(connection, kept)
    assert (found.description, found.fetchall()) == (described, rows)


@pytest.mark.parametrize("k", [0, 4])
def test_the_columns_of_a_relation_are_known_before_its_rows(
    memory: Database, connection: Connection, k: int
) -> None:
    memory.create_index("odd", primary_key="id").add(ODD)
    text = f"FROM search('odd', '', k := {k})"
    found = connection.sql(text)
    described, rows = table(connection.bare, text)
    assert (found.description, found.fetchall()) == (described, rows)


def test_a_condition_of_a_relation_is_asked_when_it_is_read(
    memory: Database, connection: Connection
) -> None:
    connection.execute("CREATE TEMP TABLE wanted (id INTEGER)")
    text = "SELECT id FROM search('hybrid', '', k := 5) WHERE id IN (FROM wanted)"
    assert made_later(connection, text)
    found = connection.sql(text)
    assert found.fetchall() == []
    connection.execute("INSERT INTO wanted VALUES (3)")
    assert found.fetchall() == [(3,)]


def test_a_relation_goes_by_the_columns_that_it_was_made_with(
    memory: Database, connection: Connection
) -> None:
    odd = memory.create_index("odd", primary_key="id")
    odd.add([{"id": 1, "n": 1}])
    found = connection.sql("FROM search('odd', '', k := 5)")
    odd.add([{"id": 2, "n": 2, "new": "x"}])
    assert [row[:2] for row in found.order("id").fetchall()] == [(1, 1), (2, 2)]
    odd.add([{"id": 3, "n": "three"}])
    with pytest.raises(Conflict, match="the index has other columns than when this relation"):
        found.fetchall()


def test_a_relation_tells_at_once_what_is_wrong_with_its_call(connection: Connection) -> None:
    text = "FROM search('hybrid', 'x', mode := 'keywrod', k := 1)"
    with pytest.raises(QueryError, match=r'"keyword".*in search\(\), line 1, column 6'):
        connection.sql(text)


@pytest.mark.parametrize("values", [["alien", 1], {"1": "alien", "more": 1}])
def test_values_that_no_parameter_takes_are_refused(connection: Connection, values: Any) -> None:
    text = "SELECT id FROM search('hybrid', $1, k := 3)"
    with pytest.raises(duckdb.InvalidInputException):
        connection.bare.execute(text, values)
    with pytest.raises(duckdb.InvalidInputException):
        connection.execute(text, values)
    with pytest.raises(duckdb.InvalidInputException):
        connection.sql(text, params=values)


LISTS = [
    ("", "SELECT list(id) FROM films WHERE year < 2000"),
    ("", "SELECT list(title) FROM films"),
    ("", "SELECT array_agg(DISTINCT id ORDER BY id) FROM films"),
    ("", "SELECT list(id) FROM films WHERE year > 3000"),
    ("", "SELECT list(id + 0.5) FROM films"),
    ("", "SELECT list(x) FROM (VALUES (NULL), (' 1'), ('2.0'), ('x')) t(x)"),
    ("", "SELECT list(x) FROM (VALUES ('0x1'), ('1_0'), ('2.5'), ('3e0')) t(x)"),
    ("", "SELECT list(id) FROM films WHERE year < $1"),
    ("WITH old AS (SELECT id FROM films WHERE year < 2000) ", "SELECT list(id) FROM old"),
]


@pytest.mark.parametrize(("common", "listed"), LISTS)
@pytest.mark.parametrize("uid", ["hybrid", "by_number", "by_text"])
def test_a_list_of_keys_may_come_from_a_select(
    connection: Connection, uid: str, common: str, listed: str
) -> None:
    connection.execute("CREATE TABLE films AS SELECT *, id::VARCHAR AS code FROM hybrid")
    if uid != "hybrid":
        key = "id" if uid == "by_number" else "code"
        connection.execute(f"CREATE SEARCH INDEX {uid} ON films (title) WITH (key = '{key}')")
    given = f"k := 9, mode := 'keyword', filter := ({listed})"
    text = f"{common}SELECT id, _score FROM search('{uid}', '', {given})"
    values = [1990] if "$1" in listed else None
    assert made_ahead(connection, text, values)
    assert table(connection, text, values) == table(connection.bare, text, values)


def test_a_list_reads_nothing_of_the_search(connection: Connection) -> None:
    """The year is not one of the films that the index is over."""
    connection.execute("CREATE TABLE films AS SELECT id, title FROM hybrid")
    for filtered in ("list(id) FROM films WHERE year < 2000", "list(search.id) FROM films"):
        text = f"SELECT id FROM search('hybrid', '', k := 9, filter := (SELECT {filtered}))"
        with pytest.raises(duckdb.BinderException, match=r"year|search"):
            connection.execute(text)


def test_a_list_of_another_kind_is_left_to_duckdb(connection: Connection) -> None:
    connection.execute("CREATE TABLE films AS SELECT id, title FROM hybrid")
    filtered = "(SELECT list(id) FILTER (id > 2) FROM films)"
    beside = f"SELECT h.id FROM films, search('hybrid', 'a', k := 2, filter := {filtered}) h"
    for text in (beside, f"SELECT id FROM search('hybrid', '', k := 2, filter := {filtered})"):
        assert not made_ahead(connection, text)
        assert sorted(table(connection, text)[1]) == sorted(table(connection.bare, text)[1])
