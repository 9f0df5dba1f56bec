"""An error of a statement speaks of what the user wrote, whenever it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pytest

import hybridsearch
from hybridsearch.errors import HybridSearchError, InputError, NotFound, QueryError
from hybridsearch.sql.connection import Connection, Relation

WRONG = "SELECT id, title\nFROM search('docs_idx', 'red', mode := 'keywords')"
TOLD = 'unknown mode "keywords"; did you mean "keyword"? (in search(), line 2, column 6)'


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    with hybridsearch.open(default_embedder=None) as db, db.connect() as made:
        made.execute("CREATE TABLE docs (id INTEGER PRIMARY KEY, title VARCHAR)")
        made.execute("INSERT INTO docs VALUES (1, 'Red shoes'), (2, 'Blue socks')")
        made.execute("CREATE SEARCH INDEX docs_idx ON docs (title)")
        made.execute("CREATE VIEW wrong AS SELECT id FROM search('docs_idx', 'x', match := 'al')")
        yield made


def message(run: Callable[[], Any]) -> str:
    with pytest.raises((HybridSearchError, duckdb.Error)) as raised:
        run()
    return str(raised.value)


READS: list[Callable[[Relation], Any]] = [
    lambda relation: relation.fetchall(),
    lambda relation: relation.df(),
    lambda relation: relation.pl(),
    lambda relation: relation.to_arrow_table(),
    repr,
    str,
    len,
    lambda relation: relation.filter("id > 1").order("id").fetchall(),
    lambda relation: relation["id"].fetchall(),
    lambda relation: relation.title.fetchall(),
    lambda relation: relation.aggregate("count(*)").fetchall(),
    lambda relation: list(relation.iter_rows()),
    pa.table,
    lambda relation: relation._repr_mimebundle_(),
]


@pytest.mark.parametrize("read", READS)
def test_a_relation_that_is_read_tells_the_same_as_a_statement(
    connection: Connection, read: Callable[[Relation], Any]
) -> None:
    relation = connection.sql(WRONG)
    assert message(lambda: connection.execute(WRONG)) == TOLD
    assert message(lambda: read(relation)) == TOLD


def test_a_relation_stays_one_of_duckdb(connection: Connection) -> None:
    relation = connection.sql("SELECT id, title FROM search('docs_idx', 'red')")
    assert isinstance(relation, duckdb.DuckDBPyRelation)
    assert relation.columns == ["id", "title"]
    assert connection.sql("SELECT title FROM relation").fetchall() == [("Red shoes",)]
    assert polars.DataFrame(relation).rows() == [(1, "Red shoes")]
    joined = relation.join(connection.sql("FROM docs").set_alias("other"), "id")
    assert joined.count("*").fetchall() == [(1,)]


def test_a_view_over_a_search_tells_it_too(connection: Connection) -> None:
    told = 'unknown match "al"; did you mean "all"?'
    assert message(lambda: connection.execute("FROM wrong").fetchall()) == told
    assert message(lambda: connection.sql("FROM wrong").fetchall()) == told


def test_rows_that_fail_late_tell_it_when_they_are_fetched(connection: Connection) -> None:
    connection.execute(
        "SELECT snippet('a', query := 'a', max_chars := 99999 - range) FROM range(100000)"
    )
    told = "max_chars must be 1 or more, not 0 (in snippet(), line 1, column 8)"
    assert message(connection.fetchall) == told


TYPES = [
    ("FROM search('docs_idx', 'red', k := 1.5)", "search() takes a whole number as k, not 1.5", 37),
    ("FROM search('docs_idx', 'a', fields := 5)", "takes a list of texts as fields, not 5", 40),
    ("FROM search('docs_idx', 'a', filter := 5)", "text or a list of ids as filter, not 5", 40),
    ("FROM search('docs_idx', 'a', vector := 'b')", "a list of numbers as vector, not VARCHAR", 40),
    ("FROM search('docs_idx', 'a', min_score := true)", "a number as min_score", 43),
    ("FROM similar('docs_idx', 1, k := 2.5)", "similar() takes a whole number as k", 34),
    (
        "FROM search('docs_idx', 'a', k := 99999999999999999999)",
        "807 as k, not 99999999999999999999",
        35,
    ),
    ("FROM search('docs_idx', 'a', mode := 5)", "search() takes text as mode, not 5", 38),
    ("FROM suggest('docs_idx', 'r', \"limit\" := 'x')", "a whole number as limit, not x", 42),
    ("FROM facets('docs_idx', 'a', by := 3)", "facets() takes a list of texts as by, not 3", 36),
    ("SELECT snippet('a', query := 'a', max_chars := 1.5)", "number as max_chars, not 1.5", 48),
    ("SELECT match_phrase('a', 'a', slop := 1.5)", "a whole number as slop, not 1.5", 39),
]


@pytest.mark.parametrize(("statement", "told", "column"), TYPES)
def test_a_value_of_a_wrong_type_is_told_by_its_parameter(
    connection: Connection, statement: str, told: str, column: int
) -> None:
    found = message(lambda: connection.execute(statement))
    assert told in found
    assert found.endswith(f"(line 1, column {column})")
    assert "hybridsearch_" not in found
    assert message(lambda: connection.sql(statement).fetchall()) == found


def test_what_fails_in_a_pushed_condition_is_placed_in_the_users_text(
    connection: Connection,
) -> None:
    statement = "SELECT id\nFROM search('docs_idx', 'red') WHERE CAST(title AS INT) = 1"
    with pytest.raises(duckdb.ConversionException) as raised:
        connection.execute(statement)
    assert str(raised.value).startswith("Conversion Error: Could not convert string 'Red shoes'")
    assert str(raised.value).endswith("(line 2, column 38)")


def test_an_error_of_duckdbs_own_stays_as_it_is(connection: Connection) -> None:
    found = message(lambda: connection.execute("SELECT titel FROM search('docs_idx', 'red')"))
    assert "LINE 1: SELECT titel FROM search('docs_idx', 'red')\n               ^" in found


def test_of_several_calls_all_places_are_told(connection: Connection) -> None:
    statement = "SELECT 1 FROM search('docs_idx', 'a', k := -1), search('docs_idx', 'b') AS other"
    with pytest.raises(QueryError, match=r"in search\(\), line 1, column 15, or in search"):
        connection.execute(statement)


@pytest.mark.parametrize(
    ("marking", "mode", "told"),
    [("max_chars := 0", "keyword", "in snippet(), line 1, column 8)"),
     ("max_chars := 9", "keywrd", "in search(), line 1, column 44)")],
)  # fmt: skip
def test_the_parameter_tells_which_call_is_meant(
    connection: Connection, marking: str, mode: str, told: str
) -> None:
    statement = f"SELECT snippet(title, {marking}) FROM search('docs_idx', 'red', mode := '{mode}')"
    assert message(lambda: connection.sql(statement).fetchall()).endswith(told)


def test_a_name_in_a_string_is_no_call(connection: Connection) -> None:
    statement = "SELECT 'search(', id FROM search('docs_id', 'search(x)') -- search()"
    with pytest.raises(NotFound, match=r"\(in search\(\), line 1, column 27\)$"):
        connection.execute(statement)


def test_a_definition_says_where_the_wrong_name_stands(connection: Connection) -> None:
    with pytest.raises(InputError, match=r'"title"\? \(line 2, column 14\)$'):
        connection.execute("CREATE SEARCH INDEX x\n    ON docs (titel)")
    with pytest.raises(InputError, match=r"cannot read 'no.csv': No files found") as raised:
        connection.execute("CREATE SEARCH INDEX x ON 'no.csv' (a) WITH (key = 'id')")
    assert "free some space" not in str(raised.value)


def test_a_row_that_lacks_an_attribute_points_at_its_operator(connection: Connection) -> None:
    with pytest.raises(QueryError, match=r"\(in @@@, line 1, column 32\)$"):
        connection.execute("SELECT id FROM docs WHERE docs @@@ 'titel:x'")


CODES = [
    ("FROM search('docs_id', 'red')", "index_not_found", None),
    ("FROM search('docs_idx', 'red', k := -1)", "invalid_search_k", "k"),
    ("FROM search('docs_idx', 'red', match := 'al')", "invalid_search_match", "match"),
    ("FROM similar('docs_idx', 9)", "document_not_found", None),
]


@pytest.mark.parametrize(("statement", "code", "field"), CODES)
def test_an_error_keeps_its_code_and_fields(
    connection: Connection, statement: str, code: str, field: str | None
) -> None:
    for run in (connection.execute, lambda text: connection.sql(text).fetchall()):
        with pytest.raises(HybridSearchError) as raised:
            run(statement)
        assert raised.value.code == code
        assert raised.value.fields.get("field") == field
        assert raised.value.fields["line"] == 1


def test_a_limit_that_is_no_number_is_no_k(connection: Connection) -> None:
    statement = "SELECT id FROM search('docs_idx', 'red') LIMIT ?"
    told = message(lambda: connection.execute(statement, ["many"]))
    assert told == "LIMIT takes a whole number, not many"
