"""Which plan an operator takes, and what EXPLAIN SEARCH says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from hybridsearch import Database
from hybridsearch.errors import QueryError
from hybridsearch.sql.connection import Connection

ROWS = "(1, 'Red shoes', 'for days', 5), (2, 'Blue shoes', NULL, 9), (3, NULL, 'red', 7)"


def fill(db: Database) -> None:
    with db.connect() as connection:
        connection.execute(
            "CREATE TABLE docs (id INTEGER PRIMARY KEY, title VARCHAR, body VARCHAR, price INT)"
        )
        connection.execute(f"INSERT INTO docs VALUES {ROWS}")
        connection.execute("CREATE SEARCH INDEX docs_idx ON docs (title, body)")


FILLED = {"con": fill}


@pytest.fixture
def con(memory: Database) -> Iterator[Connection]:
    with memory.connect() as connection:
        yield connection


def told(con: Connection, statement: str, parameters: object = None) -> list[str]:
    """What EXPLAIN SEARCH says, without the statement that DuckDB gets."""
    lines = con.execute(f"EXPLAIN SEARCH {statement}", parameters).fetchall()
    return [line for (line,) in lines if not line.startswith("emitted")]


def reason(con: Connection, statement: str) -> str:
    """What is said of the one operator of a statement."""
    operator, how = told(con, statement)
    assert operator.startswith("operator: ")
    return how


BY_INDEX = "by index docs_idx, whose copy is what this transaction sees"


@pytest.mark.parametrize(
    "where",
    [
        "title @@@ 'red'",
        "(docs.title) IS NOT NULL AND docs.title @@@ 'red'",
        "(price > 1 AND (title ||| ('red blue')))",
        "title @@@ $1",
        "match_phrase(title, 'red shoes', slop := 1)",
        "match_phrase(title, 'red shoes', 1)",
        "title === ['red']",
        "title === 'red' AND id IN (SELECT 1) AND id = price AND id > 3",
    ],
)
def test_an_index_answers_a_condition_that_where_demands(con: Connection, where: str) -> None:
    assert reason(con, f"SELECT id FROM docs WHERE {where}") == BY_INDEX


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("SELECT title @@@ 'red' FROM docs", "it is no condition that WHERE joins by AND"),
        ("FROM docs WHERE NOT title @@@ 'red'", "it is no condition that WHERE joins by AND"),
        ("FROM docs WHERE title @@@ 'a' IS NULL", "it is no condition that WHERE joins by AND"),
        (
            "FROM docs WHERE price = 1 OR title @@@ 'a'",
            "it is no condition that WHERE joins by AND",
        ),
        ("FROM docs WHERE upper(title) @@@ 'a'", "what is searched is no column"),
        ("FROM docs WHERE 'a ' || title @@@ 'a'", "what is searched is no column"),
        ("FROM docs WHERE price @@@ '5'", "no search index over docs searches price"),
        (
            "FROM docs WHERE title @@@ body",
            "what is looked for is neither written out nor a parameter",
        ),
        (
            "FROM docs WHERE title === $1",
            "what is looked for is neither written out nor a parameter",
        ),
        (
            "FROM docs, range(2) WHERE title @@@ 'a'",
            "several relations stand in FROM; write table.column",
        ),
        ("FROM (FROM docs) AS docs WHERE title @@@ 'a'", "what is searched is no plain table"),
        (
            "WITH docs AS (FROM docs) SELECT id FROM docs WHERE title @@@ 'a'",
            "docs is a name of the statement's own",
        ),
        ("FROM docs WHERE id = 3 AND title @@@ 'a'", "id says which rows to read"),
        ("FROM docs d WHERE title @@@ 'a' AND d.id IN (3, $1)", "id says which rows to read"),
        ("FROM docs WHERE title @@@ '-a'", "index docs_idx cannot tell this quickly"),
        (
            "CREATE VIEW v AS FROM docs WHERE title @@@ 'a'",
            "a view or macro is kept as it was written",
        ),
    ],
)
def test_where_rows_are_read_it_says_why(con: Connection, statement: str, why: str) -> None:
    assert reason(con, statement) == f"reads the rows: {why}"


def test_what_is_not_committed_is_read_from_the_rows(con: Connection) -> None:
    statement = "SELECT id FROM docs WHERE title @@@ 'red'"
    relation = con.sql(statement)
    con.begin()
    con.execute("UPDATE docs SET title = 'red' WHERE id = 3")
    assert reason(con, statement) == "reads the rows: docs is not what index docs_idx holds"
    assert sorted(relation.fetchall()) == [(1,), (3,)]
    con.rollback()
    assert reason(con, statement) == BY_INDEX
    assert relation.fetchall() == [(1,)]


def test_what_another_connection_commits_is_found(con: Connection, memory: Database) -> None:
    relation = con.sql("SELECT id FROM docs WHERE title @@@ 'red'")
    with memory.connect() as other:
        other.execute("UPDATE docs SET title = 'red' WHERE id = 2")
    assert sorted(relation.fetchall()) == [(1,), (2,)]


def test_an_index_that_is_dropped_leaves_the_scan(con: Connection) -> None:
    statement = "SELECT id FROM docs WHERE title @@@ 'red'"
    relation = con.sql(statement)
    con.execute("DROP SEARCH INDEX docs_idx")
    assert relation.fetchall() == con.execute(statement).fetchall() == [(1,)]


def test_an_index_that_is_made_later_is_taken(memory: Database) -> None:
    with memory.connect() as con:
        con.execute("CREATE TABLE docs AS SELECT 1 AS id, 'red' AS title")
        statement = "SELECT id FROM docs WHERE title @@@ 'red'"
        assert con.execute(statement).fetchall() == [(1,)]
        con.execute("CREATE SEARCH INDEX docs_idx ON docs (title) WITH (key = 'id')")
        assert reason(con, statement) == BY_INDEX


def test_an_index_over_a_part_of_the_table_is_not_asked(memory: Database) -> None:
    with memory.connect() as con:
        con.execute("CREATE TABLE docs AS SELECT n AS id, 'red' AS title FROM range(4) t(n)")
        con.execute("CREATE SEARCH INDEX part ON docs (title) WHERE id < 2 WITH (key = 'id')")
        statement = "SELECT count(*) FROM docs WHERE title @@@ 'red'"
        assert con.execute(statement).fetchall() == [(4,)]
        assert "no search index over docs" in reason(con, statement)


def test_documents_are_found_by_their_index(memory: Database) -> None:
    films = memory.create_index("films", primary_key="id")
    films.add([{"id": 1, "title": "Alien"}, {"id": 2, "title": "Up"}])
    with memory.connect() as con:
        statement = "SELECT id FROM films WHERE title @@@ 'alien'"
        assert con.execute(statement).fetchall() == [(1,)]
        assert reason(con, statement).startswith("by index films")


@pytest.mark.parametrize(
    "settings",
    [
        {"dictionary": ["J. R."]},
        {"separatorTokens": ["o"]},
        {"nonSeparatorTokens": ["."]},
        {"localizedAttributes": [{"attributePatterns": ["title"], "locales": ["fra"]}]},
        {"language": "fr"},
    ],
)
@pytest.mark.parametrize(
    "asked", ["'j'", "'tolkien'", "'\"j r tolkien\"'", "'prefere'", "'preferes tolkien'", "'pref*'"]
)
def test_settings_of_words_change_no_answer_of_an_operator(
    memory: Database, settings: dict[str, Any], asked: str
) -> None:
    books = memory.create_index("books", primary_key="id", settings=settings)
    books.add([{"id": 1, "title": "J. R. R. Tolkien"}, {"id": 2, "title": "J. R. Tolkien préféré"}])
    with memory.connect() as con:
        statement = f"SELECT id FROM books WHERE title @@@ {asked} ORDER BY id"
        scan = con.execute(statement.replace("title @@@", "'' || title @@@")).fetchall()
        assert con.execute(statement).fetchall() == scan


@pytest.mark.parametrize("operator", ["@@@", "|||", "&&&", "==="])
@pytest.mark.parametrize("value", ["'a'", "lower('a')", "'a'::VARCHAR", "('a')", "$1", "t.q[1:2]"])
def test_a_bare_bar_after_an_operator_is_refused(
    con: Connection, operator: str, value: str
) -> None:
    with pytest.raises(QueryError, match="binds as tightly as"):
        con.execute(f"SELECT 1 FROM docs WHERE title {operator} {value} || 'b'")


STRICTLY = [
    (
        "SELECT id FROM docs WHERE id > 2 AND\n price @@@ '5'",
        "price @@@ '5' would read every row: no search index over docs searches price;"
        " or RESET VARIABLE search_strict (line 2, column 2)",
    ),
    ("SELECT title @@@ 'red' FROM docs", "it is no condition that WHERE joins by AND"),
    ("CREATE VIEW v AS FROM docs WHERE title @@@ 'red'", "is kept as it was written"),
    ("FROM docs WHERE docs @@@ 'price:5'", "has all that it asks of a row"),
]


@pytest.mark.parametrize(("statement", "why"), STRICTLY)
def test_a_strict_connection_refuses_to_read_rows(
    con: Connection, statement: str, why: str
) -> None:
    con.execute("SET VARIABLE search_strict = true")
    with pytest.raises(QueryError, match=re.escape(why)):
        con.execute(statement)
    con.execute("RESET VARIABLE search_strict")
    con.execute(statement)


def test_a_strict_connection_refuses_what_the_index_has_not(con: Connection) -> None:
    con.execute("CREATE OR REPLACE SEARCH INDEX docs_idx ON docs (title) WITH (refresh = manual)")
    con.execute("UPDATE docs SET title = 'Green shoes' WHERE id = 1")
    query = "SELECT id FROM docs WHERE title @@@ 'shoes' ORDER BY id"
    assert con.execute(query).fetchall() == [(1,), (2,)]
    con.execute("SET VARIABLE search_strict = true")
    told = "search_strict is set, and index docs_idx cannot answer title @@@ 'shoes' for what is"
    with pytest.raises(duckdb.InvalidInputException, match=told):
        con.execute(query).fetchall()


def test_operators_of_a_strict_connection_that_was_attached_to_are_refused(
    memory: Database, con: Connection
) -> None:
    con.bare.execute("SET VARIABLE search_strict = true")
    with pytest.raises(duckdb.InvalidInputException, match="is set, and @@@ would read rows"):
        con.bare.execute("SELECT 'a' @@@ 'a'").fetchall()
    con.bare.execute("SET VARIABLE search_strict = false")
    assert con.bare.execute("SELECT 'a' @@@ 'a'").fetchall() == [(True,)]


def test_a_column_with_the_name_of_the_table_is_no_row(con: Connection) -> None:
    con.execute("CREATE TABLE odd (id INT PRIMARY KEY, title VARCHAR, odd VARCHAR)")
    con.execute("INSERT INTO odd VALUES (1, 'red', 'blue')")
    con.execute("CREATE SEARCH INDEX odd_idx ON odd (title)")
    assert con.execute("SELECT id FROM odd WHERE odd @@@ 'red'").fetchall() == []


def test_rows_with_numbers_that_are_none_are_read(con: Connection) -> None:
    con.execute("CREATE TABLE nan AS SELECT 1 AS id, 'red' AS title, 'nan'::DOUBLE AS price")
    assert con.execute("SELECT id FROM nan WHERE nan @@@ 'red'").fetchall() == [(1,)]


def test_a_table_made_of_a_query_is_answered_by_the_index(con: Connection) -> None:
    statement = "CREATE OR REPLACE TABLE found AS SELECT id FROM docs WHERE title @@@ 'red'"
    assert reason(con, statement).startswith("by index docs_idx")
    con.execute(statement)
    assert con.execute("FROM found").fetchall() == [(1,)]
