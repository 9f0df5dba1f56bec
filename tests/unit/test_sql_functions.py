"""search() in SQL reaches whatever connection it is attached to, and says what the engine says."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

import hybridsearch
from hybridsearch import Database, HybridSearchError, Index, SearchRequest
from hybridsearch.sql.connection import Connection as FrontConnection
from hybridsearch.sql.functions import Functions
from hybridsearch.sql.lowering import PARAMETERS
from hybridsearch.sql.parameters import NAMES
from hybridsearch.store import Connection as Bare

Connection = Bare | FrontConnection

Rows = list[tuple[Any, ...]]
ODD = {"id": 1, "Name": "a", "name": "b", 'it\'s "odd"': "c", "_score": 7, "deep": {"x": [1]}}


@pytest.fixture(params=["own", "foreign"])
def connection(memory: Database, request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A connection to the database in memory, and one to another database."""
    with memory.connect() if request.param == "own" else duckdb.connect() as found:
        hybridsearch.attach(found, memory)
        yield found


def rows(connection: Connection, statement: str, *values: object) -> Rows:
    return connection.execute(statement, list(values)).fetchall()


def ids(connection: Connection, statement: str, *values: object) -> list[Any]:
    return [row[0] for row in rows(connection, statement, *values)]


def test_hits_are_those_of_python(connection: Connection, hybrid_movies: Index) -> None:
    found = rows(
        connection,
        "SELECT id, _score, _keyword_rank, _keyword_score, _semantic_rank, _semantic_score"
        " FROM search('hybrid', 'aliens texas', tie := NULL) ORDER BY _rank",
    )
    hits = hybrid_movies.search("aliens texas", limit=10, prefix=False).hits
    assert found == [
        (
            *(hit.id, hit.score, hit.keyword_rank, hit.keyword_score),
            *(hit.semantic_rank, hit.semantic_score),
        )
        for hit in hits
    ]


def test_text_is_embedded_by_the_index(connection: Connection, hybrid_movies: Index) -> None:
    found = ids(connection, "SELECT id FROM search('hybrid', 'Texas', mode := 'semantic', k := 2)")
    assert found == [hit.id for hit in hybrid_movies.search("Texas", mode="semantic", limit=2)]


def test_few_hits_and_many_have_the_same_columns(connection: Connection, movies: Index) -> None:
    few, many = (
        connection.sql(f"FROM search('movies', '', k := {k}) ORDER BY id") for k in (10, 2000)
    )
    assert (few.columns, few.types, few.fetchall()) == (many.columns, many.types, many.fetchall())


def test_columns_are_those_of_the_view(memory: Database, movies: Index) -> None:
    with memory.connect() as own:
        view, found = own.sql("FROM movies"), own.sql("FROM search('movies', '', k := 9)")
        width = len(view.columns)
        assert (found.columns[:width], found.types[:width]) == (view.columns, view.types)


@pytest.mark.parametrize("k", ["5", "NULL"])
def test_odd_attribute_names_are_columns(connection: Connection, memory: Database, k: str) -> None:
    memory.create_index("odd", primary_key="id").add([ODD])
    columns = """id, "Name", name_2, "it's ""odd""\", deep, _score"""
    found = rows(connection, f"SELECT {columns} FROM search('odd', '', k := {k})")
    assert found == [(1, "a", "b", "c", '{"x":[1]}', 0.0)]


def test_an_empty_index_gives_no_rows(connection: Connection, memory: Database) -> None:
    memory.create_index("empty", primary_key="sku")
    assert rows(connection, "SELECT sku FROM search('empty', 'a')") == []


def test_what_was_written_last_is_found(connection: Connection, movies: Index) -> None:
    connection.execute("PREPARE up AS SELECT id FROM search('movies', 'up')")
    before = ids(connection, "EXECUTE up")
    movies.add([{"id": 5, "title": "Up again", "rating": 8}])
    assert (before, sorted(ids(connection, "EXECUTE up"))) == ([2], [2, 5])


def test_a_prepared_search_is_bound_once(
    memory: Database, movies: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound: list[str | None] = []
    columns = Functions._columns

    def counted(self: Functions, called: str, uid: str | None, *rest: Any) -> str:
        bound.append(uid)
        return columns(self, called, uid, *rest)

    monkeypatch.setattr(Functions, "_columns", counted)
    with duckdb.connect() as connection:
        hybridsearch.attach(connection, memory)
        connection.execute("PREPARE found AS SELECT id FROM search('movies', $1, k := 5)")
        bound.clear()
        assert [ids(connection, f"EXECUTE found('{word}')") for word in ("up", "alien")] == [
            [2],
            [1],
        ]
        connection.execute(
            "PREPARE near AS SELECT id FROM search('movies', $1, k := 5, mode := 'keyword',"
            " vector := $2)"
        )
        bound.clear()
        assert [
            ids(connection, f"EXECUTE near('{w}', NULL::FLOAT[])") for w in ("up", "alien")
        ] == [
            [2],
            [1],
        ]
    assert bound == []


def test_a_new_attribute_is_a_new_column(connection: Connection, movies: Index) -> None:
    movies.add([{"id": 5, "title": "Up again", "rating": 8.5}])
    assert ids(connection, "SELECT rating FROM search('movies', 'again')") == [8.5]


def test_a_replaced_document_is_found_once(connection: Connection, movies: Index) -> None:
    movies.add([{"id": 2, "title": "Up and away"}])
    assert rows(connection, "SELECT id, title FROM search('movies', 'up')") == [(2, "Up and away")]


def test_attaching_twice_changes_nothing(connection: Connection, memory: Database) -> None:
    memory.create_index("few", primary_key="id").add([{"id": 1, "title": "a"}])
    hybridsearch.attach(connection, memory)
    assert ids(connection, "SELECT id FROM search('few', 'a')") == [1]


def test_attaching_another_database_takes_the_names_over(movies: Index, memory: Database) -> None:
    with hybridsearch.open(default_embedder=None) as other, duckdb.connect() as connection:
        other.create_index("songs", primary_key="id").add([{"id": 7, "title": "Alien"}])
        hybridsearch.attach(connection, memory)
        hybridsearch.attach(connection, other)
        assert ids(connection, "SELECT id FROM search('songs', 'alien')") == [7]


def test_nothing_is_written_into_the_file(tmp_path: Path, memory: Database, movies: Index) -> None:
    file = tmp_path / "mine.duckdb"
    with duckdb.connect(str(file)) as connection:
        hybridsearch.attach(connection, memory)
        assert len(ids(connection, "SELECT id FROM search('movies', 'alien')")) == 1
    with duckdb.connect(str(file)) as connection:
        assert rows(connection, "SELECT table_name FROM duckdb_tables()") == []
        named = "SELECT function_name FROM duckdb_functions() WHERE function_name = 'search'"
        assert rows(connection, named) == []


def test_a_file_of_ours_can_be_attached_by_its_second_connection(path: Path, db: Database) -> None:
    db.create_index("few", primary_key="id").add([{"id": 1, "title": "a"}])
    with duckdb.connect(str(path)) as connection:
        hybridsearch.attach(connection, db)
        assert ids(connection, "SELECT id FROM search('few', 'a') JOIN few USING (id)") == [1]


def test_functions_outlive_the_connection_that_made_them(memory: Database, movies: Index) -> None:
    memory.connect().close()
    gc.collect()
    with memory.connect() as connection:
        assert ids(connection, "SELECT id FROM search('movies', 'up')") == [2]


def test_a_closed_database_says_so() -> None:
    with duckdb.connect() as connection:
        with hybridsearch.open(default_embedder=None) as db:
            db.create_index("few")
            hybridsearch.attach(connection, db)
        with pytest.raises(duckdb.Error, match="the database is closed"):
            connection.execute("FROM search('few', 'a')")


def test_a_database_that_is_gone_says_so() -> None:
    with duckdb.connect() as connection:
        db = hybridsearch.open(default_embedder=None)
        hybridsearch.attach(connection, db)
        db.close()
        del db
        gc.collect()
        with pytest.raises(duckdb.Error, match=r"attach an open one|database is closed"):
            connection.execute("FROM search('few', 'a')")


def test_a_view_in_the_file_does_no_harm_to_others(path: Path, db: Database) -> None:
    db.create_index("few", primary_key="id").add([{"id": 1, "title": "a"}])
    with db.connect() as connection:
        connection.execute("CREATE VIEW found AS SELECT id FROM search('few', 'a')")
    db.close()
    with duckdb.connect(str(path)) as connection:
        assert ids(connection, "SELECT id FROM few") == [1]
        with pytest.raises(duckdb.CatalogException):
            connection.execute("FROM found")


def test_a_transaction_of_the_user_stays_theirs(connection: Connection, movies: Index) -> None:
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE mine AS SELECT id FROM search('movies', 'alien')")
    connection.execute("ROLLBACK")
    assert rows(connection, "SELECT * FROM duckdb_tables() WHERE table_name = 'mine'") == []


def test_threads_search_at_once(memory: Database, movies: Index) -> None:
    found: list[list[Any]] = []

    def search() -> None:
        with memory.connect() as connection:
            for _ in range(20):
                found.append(ids(connection, "SELECT id FROM search('movies', 'up')"))

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[2]] * 80


def test_many_queries_get_their_own_answers(connection: Connection, memory: Database) -> None:
    index = memory.create_index("numbers", primary_key="id", settings={"language": "none"})
    index.add([{"id": n, "word": f"w{n % 700}"} for n in range(3000)])
    connection.execute(
        "CREATE TABLE asked AS SELECT i, 'w' || (i % 700) AS q FROM range(5000) t(i)"
    )
    wrong = "SELECT i FROM asked, LATERAL (FROM search('numbers', q)) h WHERE h.word <> q"
    total = "SELECT count(*) FROM asked, LATERAL (FROM search('numbers', q, k := 2)) h"
    assert (rows(connection, wrong), rows(connection, total)) == ([], [(10000,)])


def test_other_arguments_may_differ_by_row(connection: Connection, movies: Index) -> None:
    found = rows(
        connection,
        "SELECT m, h.id FROM (VALUES ('any'), ('all')) t(m),"
        " LATERAL (FROM search('movies', 'paris up', match := m)) h ORDER BY ALL",
    )
    assert found == [("any", 2), ("any", 4)]


def test_a_name_with_a_quote_is_no_index(connection: Connection, movies: Index) -> None:
    with pytest.raises((duckdb.Error, HybridSearchError), match="there is no index"):
        connection.execute("FROM search('mov''ies', 'a')")


def test_places_are_the_hits_without_documents(hybrid_movies: Index) -> None:
    snapshot = hybrid_movies.snapshot()
    request = SearchRequest(query="aliens", offset=1, limit=2)
    [places] = snapshot.places([request])
    hits = snapshot.search(request).hits
    assert places.rows.tolist() == [hit.row for hit in hits]
    assert places.keyword_ranks.tolist() == [hit.keyword_rank or 0 for hit in hits]
    assert np.nan_to_num(places.semantic_scores).tolist() == [h.semantic_score or 0 for h in hits]


def test_counts_add_up_to_the_documents_found(movies: Index) -> None:
    found = movies.snapshot().counts(SearchRequest(query=""), ["year", "crew.director"])
    assert {name: sum(counts.values()) for name, counts in found.items()} == {
        "year": 4,
        "crew.director": 4,
    }


@pytest.mark.parametrize(("ids_", "expected"), [([1, "3"], {1, 3}), ([], set()), ([9], set())])
def test_a_request_can_be_narrowed_to_ids(
    movies: Index, ids_: list[Any], expected: set[int]
) -> None:
    assert {hit.id for hit in movies.search("", ids=ids_)} == expected


def test_the_last_word_can_be_complete(movies: Index) -> None:
    assert (movies.search("ali").total, movies.search("ali", prefix=False).total) == (2, 0)


@pytest.mark.parametrize("options", [{"ids": "1"}, {"tie": 2}, {"tie": "x"}])
def test_unfit_options_are_refused(movies: Index, options: dict[str, Any]) -> None:
    with pytest.raises(hybridsearch.HybridSearchError, match=next(iter(options))):
        movies.search("a", **options)


def test_attaching_can_be_rolled_back_and_done_again(memory: Database, movies: Index) -> None:
    with duckdb.connect() as connection:
        connection.execute("BEGIN")
        hybridsearch.attach(connection, memory)
        connection.execute("ROLLBACK")
        hybridsearch.attach(connection, memory)
        assert ids(connection, "SELECT id FROM search('movies', 'up')") == [2]


def test_a_transaction_under_way_has_to_end_first(memory: Database, movies: Index) -> None:
    with duckdb.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE mine AS SELECT count(*) FROM duckdb_functions()")
        with pytest.raises(hybridsearch.HybridSearchError, match="commit it or roll it back"):
            hybridsearch.attach(connection, memory)
        connection.execute("COMMIT")
        hybridsearch.attach(connection, memory)
        assert ids(connection, "SELECT id FROM search('movies', 'up')") == [2]


@pytest.mark.parametrize("call", ["search(name, 'up')", "search('movies', 'up', k := number)"])
def test_index_and_k_are_constants(connection: Connection, movies: Index, call: str) -> None:
    connection.execute("CREATE TABLE asked AS SELECT 'movies' AS name, 1 AS number")
    with pytest.raises(duckdb.BinderException, match="only supports literals"):
        connection.execute(f"FROM asked, LATERAL (FROM {call}) h")


@pytest.mark.parametrize("function", [*NAMES, "search"])
def test_the_front_end_knows_the_parameters_of_the_macros(
    connection: Connection, function: str
) -> None:
    found = rows(
        connection,
        "SELECT parameters FROM duckdb_functions() WHERE function_name = ? AND NOT internal",
        function,
    )
    inner = {"rows", "numbers", "most"} if function == "search" else set()
    known = {name for (names,) in found for name in names} - inner
    assert known == set(PARAMETERS if function == "search" else NAMES[function])
