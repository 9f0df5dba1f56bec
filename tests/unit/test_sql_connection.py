"""A connection of ours is a DuckDB connection in everything but search."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import hybridsearch
from hybridsearch import Database, Index
from hybridsearch.errors import HybridSearchError, NotFound
from hybridsearch.sql.connection import Connection

FRESH = True
SEARCH = "SELECT id FROM search('movies', 'alien', mode := 'keyword') ORDER BY id"


@pytest.fixture
def connection(memory: Database, movies: Index) -> Iterator[Connection]:
    with memory.connect() as found:
        yield found


def test_results_come_in_every_form(connection: Connection) -> None:
    found = connection.execute(SEARCH)
    assert found is connection
    assert [column[0] for column in connection.description] == ["id"]
    ids = found.fetchall()
    assert ids
    assert connection.execute(SEARCH).fetchone() == ids[0]
    assert connection.execute(SEARCH).df()["id"].tolist() == [id_ for (id_,) in ids]
    assert connection.sql(SEARCH).pl()["id"].to_list() == [id_ for (id_,) in ids]
    assert connection.sql(SEARCH).to_arrow_table()["id"].to_pylist() == [id_ for (id_,) in ids]
    assert connection.query(SEARCH).fetchall() == connection.from_query(SEARCH).fetchall() == ids


def test_a_relation_goes_on(connection: Connection) -> None:
    found = connection.sql(SEARCH, alias="hits").filter("id > 0").aggregate("count(*)")
    assert found.fetchall() == [(len(connection.execute(SEARCH).fetchall()),)]


def test_a_frame_in_a_variable_is_a_table(connection: Connection) -> None:
    text = pd.DataFrame({"id": [1, 2, 3]})
    query = pa.table({"id": [1, 2, 3]})
    assert connection.sql("FROM text").fetchall() == connection.sql("FROM query").fetchall()
    joined = connection.sql("SELECT count(*) FROM search('movies', '') JOIN text USING (id)")
    pushed = connection.sql("SELECT count(*) FROM search('movies', '') WHERE id IN (FROM query)")
    assert joined.fetchall() == pushed.fetchall()
    assert (len(text), query.num_rows) == (3, 3)


def test_a_frame_can_be_registered(connection: Connection) -> None:
    assert connection.register("mine", pd.DataFrame({"id": [1]})) is connection
    assert connection.execute("FROM mine").fetchall() == [(1,)]
    assert connection.unregister("mine") is connection
    with pytest.raises(duckdb.CatalogException):
        connection.execute("FROM mine")


def test_a_statement_of_several_lists(connection: Connection) -> None:
    connection.execute("CREATE TEMP TABLE asked (q VARCHAR, id INTEGER)")
    connection.executemany(
        "INSERT INTO asked SELECT $1, id FROM search('movies', $1, mode := 'keyword') LIMIT 1",
        [["alien"], ["nothing"], ["alien"]],
    )
    assert connection.execute("SELECT count(*) FROM asked").fetchall() == [(2,)]


def test_a_parsed_statement(connection: Connection) -> None:
    [statement] = connection.extract_statements("SELECT id FROM search('movies', '') WHERE id = 2")
    assert connection.execute(statement).fetchall() == [(2,)]


def test_parameters_go_to_the_last_statement(connection: Connection) -> None:
    text = "SELECT 1; SELECT id FROM search('movies', '') WHERE id = ?; -- the end"
    assert connection.execute(text, [2]).fetchall() == [(2,)]


def test_statements_run_in_turn(connection: Connection) -> None:
    text = (
        "CREATE TEMP TABLE wanted AS SELECT 2 AS id;"
        "SELECT id FROM search('movies', '', k := 1) WHERE id IN (FROM wanted)"
    )
    assert connection.execute(text).fetchall() == [(2,)]


def test_a_cursor_knows_search(connection: Connection) -> None:
    with connection.cursor() as cursor:
        assert cursor.execute(SEARCH).fetchall() == connection.execute(SEARCH).fetchall()


def test_a_transaction_goes_through(connection: Connection) -> None:
    connection.begin().execute("CREATE TABLE passing (a INTEGER)")
    connection.rollback()
    connection.begin().execute("CREATE TABLE staying (a INTEGER)")
    connection.commit()
    names = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    assert ("staying",) in names
    assert ("passing",) not in names


def test_attaching_again_does_no_harm(memory: Database, connection: Connection) -> None:
    hybridsearch.attach(connection, memory)
    assert connection.execute(SEARCH).fetchall()


def test_the_database_answers_too(memory: Database, movies: Index) -> None:
    found = memory.sql("SELECT id FROM search('movies', '') WHERE id = $1", params=[2])
    assert found.fetchall() == [(2,)]


def test_an_error_of_ours_is_ours(connection: Connection) -> None:
    with pytest.raises(
        NotFound, match=r'"movie"; did you mean "movies"\? .* line 2, column 6'
    ) as e:
        connection.execute("SELECT 1;\nFROM search('movie', 'x')")
    assert (e.value.fields["line"], e.value.fields["column"]) == (2, 6)


def test_an_error_of_duckdb_is_duckdbs(connection: Connection) -> None:
    with pytest.raises(duckdb.ParserException):
        connection.execute("SELEC search")
    with pytest.raises(duckdb.BinderException, match="nothing"):
        connection.execute("SELECT nothing FROM search('movies', '') WHERE id = 2")


def test_new_columns_are_seen_by_a_statement_that_is_known(
    connection: Connection, movies: Index
) -> None:
    text = "SELECT id FROM search('movies', '', k := 1) WHERE shade = 'blue'"
    with pytest.raises(duckdb.BinderException):
        connection.execute(text)
    movies.add([{"id": 99, "shade": "blue"}])
    assert connection.execute(text).fetchall() == [(99,)]


def test_a_changed_type_is_seen_by_a_statement_that_is_known(
    connection: Connection, movies: Index
) -> None:
    text = "SELECT id FROM search('movies', '', k := 1) WHERE size > 6"
    movies.add([{"id": 98, "size": 7}])
    assert connection.execute(text).fetchall() == [(98,)]
    movies.add([{"id": 98, "size": 7.5}])
    assert connection.execute(text).fetchall() == [(98,)]


def test_many_rows_are_allowed_at_once(memory: Database) -> None:
    index = memory.create_index("many", primary_key="id")
    index.add(pa.table({"id": np.arange(5000), "text": ["word"] * 5000}))
    with memory.connect() as connection:
        found = connection.execute(
            "SELECT count(*), min(id) FROM search('many', 'word', mode := 'keyword')"
            " WHERE id % 7 = 3"
        )
        assert found.fetchall() == [(len(range(3, 5000, 7)), 3)]


def test_a_view_outlives_the_columns_it_was_made_over(
    connection: Connection, movies: Index
) -> None:
    movies.add([{"id": 98, "shade": 1}])
    connection.execute(
        "CREATE VIEW shaded AS SELECT id FROM search('movies', '', k := 1) WHERE shade IS NOT NULL"
    )
    assert connection.execute("FROM shaded").fetchall() == [(98,)]
    movies.add([{"id": 98, "shade": "blue"}])
    assert connection.execute("FROM shaded").fetchall() == [(98,)]


def test_a_statement_about_indexes_runs_once_and_to_its_end(connection: Connection) -> None:
    connection.execute("CREATE TABLE docs AS SELECT 1 AS id, 'red shoe' AS title")
    connection.execute("CREATE SEARCH INDEX a ON docs (title) WITH (key = id)")
    found = connection.sql("CREATE SEARCH INDEX b ON docs (title) WITH (key = id)")
    assert found.project("name, rows").fetchall() == found.project("name, rows").fetchall()
    assert connection.sql("SHOW SEARCH INDEXES").project("name").fetchall() == [("a",), ("b",)]
    assert connection.sql("SELECT title FROM search('b', 'shoe') LIMIT 1").fetchall()


def test_an_index_over_files_is_that_over_their_table(
    connection: Connection, tmp_path: Path
) -> None:
    path = str(tmp_path / "it's.parquet").replace("'", "''")
    connection.execute(f"COPY (SELECT 7 AS id, 'red shoe' AS title) TO '{path}'")
    connection.execute(f"CREATE SEARCH INDEX p ON '{path}' (title) WITH (key = 'id')")
    found = connection.execute("SELECT id, title FROM search('p', 'shoes red') WHERE id = 7")
    assert found.fetchall() == [(7, "red shoe")]


def test_explaining_runs_the_statement_if_asked_to(connection: Connection) -> None:
    text = "EXPLAIN SEARCH ANALYZE SELECT id FROM search('movies', ?) WHERE id = ?"
    lines = [line for (line,) in connection.execute(text, ["", 2]).fetchall()]
    assert "pushed: id = $2" in lines
    assert "rows: 1" in lines
    without = connection.sql(text.replace("ANALYZE ", "")).fetchall()
    assert without == [(line,) for line in lines[:-2]]


def test_a_database_answers_in_sql_on_a_connection_that_nobody_reads(
    memory: Database, movies: Index
) -> None:
    spare = memory._front_end._spare
    text = "SELECT id FROM search('movies', 'alien', mode := 'keyword', k := 3)"
    first, second = memory.sql(text), memory.sql(text)
    assert not spare
    rows = first.fetchall()
    derived = first.filter("id IN (SELECT id FROM search('movies', 'alien', mode := 'keyword'))")
    del first
    assert not spare
    assert (derived.fetchall(), second.fetchall()) == (rows, rows)
    del derived
    [again] = spare
    assert memory.sql(text).fetchall() == rows
    assert list(spare) == [again]
    second.create_view("seen")
    del second
    assert list(spare) == [again]  # a view reads it still


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM search('movies', 'alien', mode := 'keyword', k := 3) WHERE year > 1900",
        "-- how many\nWITH own AS (FROM movies) SELECT count(*) FROM own;",
    ],
)
def test_a_statement_that_only_reads_leaves_its_connection_to_the_next(
    memory: Database, movies: Index, text: str
) -> None:
    spare = memory._front_end._spare
    first = memory.sql(text)
    rows, derived = first.fetchall(), first.limit(1)
    del first
    assert not spare
    assert derived.fetchall() == rows[:1]
    reader = derived.to_arrow_reader()
    del derived
    assert not spare
    assert reader.read_all().num_rows == len(rows[:1])
    del reader
    [again] = spare
    assert memory.sql(text).fetchall() == rows
    assert list(spare) == [again]
    memory.sql(text).create_view("seen")
    assert not spare


@pytest.mark.parametrize(
    "text", ["SET VARIABLE own = 1", "CREATE TEMP TABLE own (n INT)", "BEGIN", "BEGIN; FROM movies"]
)
def test_a_statement_that_changes_its_connection_keeps_it(
    memory: Database, movies: Index, text: str
) -> None:
    memory.sql("FROM movies").fetchall()
    [spare] = memory._front_end._spare
    memory.sql(text)
    assert list(memory._front_end._spare) == [spare]
    assert memory.sql("SELECT getvariable('own')").fetchall() == [(None,)]


def test_a_stream_of_rows_keeps_its_connection(memory: Database, movies: Index) -> None:
    found = memory.sql("SELECT id FROM search('movies', 'alien', mode := 'keyword') WHERE id > 0")
    table = pa.table(found)
    del found
    assert table.num_rows
    assert not memory._front_end._spare


def test_a_database_finds_the_variables_of_who_asks(memory: Database, movies: Index) -> None:
    wanted = pd.DataFrame({"id": [1, 2]})
    found = memory.sql("SELECT count(*) FROM search('movies', '', k := 100) JOIN wanted USING (id)")
    assert found.fetchall() == [(len(wanted),)]


def test_a_closed_database_keeps_no_connection(tmp_path: Path) -> None:
    db = hybridsearch.open(tmp_path / "films.duckdb", default_embedder=None)
    db.create_index("movies", primary_key="id").add([{"id": 1, "title": "Alien"}])
    text = "SELECT id FROM search('movies', 'alien', mode := 'keyword', k := 3)"
    read, kept = db.sql(text), db.sql(text)
    del read
    [spare] = db._front_end._spare
    db.close()
    with pytest.raises(duckdb.ConnectionException):
        spare.execute("SELECT 1")
    del kept
    assert not db._front_end._spare


def test_a_relation_is_of_the_parameters_that_it_was_given(memory: Database, movies: Index) -> None:
    text = "SELECT title FROM search('movies', $q, k := 3, mode := 'keyword') WHERE year > $y"
    for _ in range(2):
        given: dict[str, Any] = {"q": "alien", "y": 0}
        found = memory.sql(text, given)
        rows = memory.sql(text, dict(given)).fetchall()
        given["q"] = "nothing like it"
        assert found.fetchall() == found.filter("true").fetchall() == rows != []
    assert memory.sql("FROM search('movies', ?, k := ?)", ["alien", 2]).limit(1).fetchall()
    for wrong in (-1, "many"):
        with pytest.raises(HybridSearchError, match=r"\bk\b"):
            memory.sql("FROM search('movies', ?, k := ?)", ["alien", wrong])


def test_a_statement_that_writes_is_run_each_time(memory: Database, movies: Index) -> None:
    memory.sql("CREATE TABLE seen (id INTEGER)")
    text = "WITH own AS (SELECT 1) INSERT INTO seen SELECT id FROM search('movies', '', k := 1)"
    with memory.connect() as con:
        for ask in (memory.sql, con.sql):
            for _ in range(2):
                ask(text)
        assert con.execute("SELECT count(*) FROM seen").fetchall() == [(4,)]


def test_a_connection_is_used_again_out_of_a_transaction(memory: Database, movies: Index) -> None:
    spare = memory._front_end._spare
    memory.sql("FROM movies").fetchall()
    [again] = spare
    again.table("movies").query("seen", "BEGIN")
    assert not again._session.transactions.none()
    assert memory.sql("FROM movies").fetchall()
    assert list(spare) == [again]
    assert again._session.transactions.none()
