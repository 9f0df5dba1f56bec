"""A statement from outside reads the indexes that it may see, and reaches nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import hybridsearch
from hybridsearch import Database, Index
from hybridsearch.errors import QueryError
from hybridsearch.sql.sealed import Limits
from tests.conftest import MOVIES, refused

SECRET = "the settings of the other index"
CODES = {"invalid_sql", "sql_limit"}


def filled(db: Database) -> Database:
    """Two indexes: movies, and one that is never offered."""
    db.create_index("movies", primary_key="id").add(list(MOVIES))
    other = db.create_index("other", primary_key="id", settings={"stop_words": [SECRET]})
    other.add([{"id": 1, "title": SECRET}])
    return db


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database in a file, to be read only."""
    path = tmp_path_factory.mktemp("sealed") / "shop.duckdb"
    with hybridsearch.open(path, default_embedder=None) as db:
        yield filled(db)


def rows(db: Database, statement: str, values: Any = None, **options: Any) -> list[Any]:
    answer = db.ask(statement, values, **options)
    return [tuple(row.values()) for batch in answer.batches for row in batch.to_pylist()]


READS = [
    ("SELECT count(*) FROM movies", [(4,)]),
    ("SELECT title FROM movies WHERE year < 1980", [("Alien",)]),
    ("SELECT title FROM movies WHERE year IN (1979, 2009) ORDER BY title", [("Alien",), ("Up",)]),
    ("SELECT id FROM movies WHERE title LIKE 'Alien%' AND year > 1979", [(3,)]),
    ("SELECT sum(a.year - b.year) FROM movies a JOIN movies b USING (id)", [(0,)]),
    ("SELECT title FROM movies WHERE crew->>'director' = 'Wim'", [("Paris, Texas",)]),
    ("SELECT DISTINCT typeof(crew) FROM movies", [("JSON",)]),
    ("SELECT g, count(*) FROM (SELECT unnest(genres) g FROM movies) GROUP BY g HAVING count(*) > 1",
     [("Science Fiction", 2)]),
    ("SELECT title FROM search('movies', 'aliens', k := 1)", [("Aliens",)]),
    ("SELECT id FROM search('movies', 'alien') WHERE year < 1980", [(1,)]),
    ("SELECT id, _rank FROM search('movies', 'alien aliens', k := 1) WHERE year > 1980",
     [(3, 1)]),
    ("SELECT id FROM search('movies', '') WHERE list_contains(genres, 'Action') LIMIT 1", [(3,)]),
    ("SELECT count(*) FROM search('movies', '') WHERE year < 0", [(0,)]),
    ("WITH m AS (FROM movies) SELECT min(year) FROM m", [(1979,)]),
    ("WITH RECURSIVE n AS (SELECT 1 i UNION ALL SELECT i + 1 FROM n WHERE i < 9) "
     "SELECT max(i) FROM n", [(9,)]),
    ("WITH a AS (FROM search('movies', 'aliens')), b AS (FROM search('movies', 'up')) "
     "SELECT id FROM rrf(a, b) ORDER BY id", [(2,), (3,)]),
    ("SELECT q, id FROM (VALUES ('up'), ('alien')) v(q), LATERAL (FROM search('movies', q)) "
     "ORDER BY ALL", [("alien", 1), ("up", 2)]),
    ("SELECT id FROM movies WHERE title ||| 'texas up' ORDER BY id", [(2,), (4,)]),
    ("SELECT highlight(title) FROM search('movies', 'aliens', k := 1)", [("<mark>Aliens</mark>",)]),
    ("SELECT _highlight.title[1].text FROM search('movies', 'alien* -aliens', match := 'query', "
     "mode := 'keyword', highlight := true)", [("<mark>Alien</mark>",)]),
    ("SELECT snippet(title, '[', ']') FROM movies WHERE title ||| 'texas'", [("Paris, [Texas]",)]),
    ("SELECT id FROM movies m WHERE m @@@ 'title:alien* -year:1986'", [(1,)]),
    ("SELECT id, score() > 0 FROM movies WHERE title ||| 'alien up' ORDER BY id",
     [(1, True), (2, True)]),
    ("SELECT value, count FROM facets('movies', 'alien aliens', \"by\" := ['year'])",
     [("1979", 1), ("1986", 1)]),
    ("SELECT term FROM tokens('movies', 'Wim Wenders')", [("wim",), ("wenders",)]),
    ("SELECT id FROM similar('movies', 1, k := 1)", [(3,)]),
    ("VALUES (1, 'a')", [(1, "a")]),
    ("FROM range(3)", [(0,), (1,), (2,)]),
    ("SELECT name FROM (SHOW TABLES)", [("movies",)]),
    ("SHOW TABLES", [("movies",)]),
    ("SELECT column_name FROM (DESCRIBE movies)", [("id",), ("title",), ("year",), ("genres",),
                                                   ("crew",)]),
    ("SELECT 1 -- ; DROP TABLE movies", [(1,)]),
    ("SELECT 'x' ; ", [("x",)]),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "expected"), READS)
def test_reads(shop: Database, statement: str, expected: list[Any]) -> None:
    assert rows(shop, statement, visible={"movies"}) == expected


@pytest.mark.parametrize(
    ("statement", "values", "expected"),
    [
        ("SELECT title FROM movies WHERE id = ?", [2], [("Up",)]),
        ("SELECT title FROM movies WHERE id = $id", {"id": 2}, [("Up",)]),
        ("SELECT title FROM search('movies', $q, k := $k)", {"q": "up", "k": 1}, [("Up",)]),
        (
            "SELECT id FROM search('movies', ?, k := ?) WHERE year > ?",
            ["alien aliens", 1, 1980],
            [(3,)],
        ),
        ("SELECT list_sum(?), ?::VARCHAR", [[1, 2], None], [(3, None)]),
    ],
)
def test_parameters(shop: Database, statement: str, values: Any, expected: list[Any]) -> None:
    assert rows(shop, statement, values) == expected


def test_explain_shows_the_plan(shop: Database) -> None:
    assert "aggregate" in str(rows(shop, "EXPLAIN SELECT count(*) FROM movies")).lower()
    assert "row" in str(rows(shop, "explain analyze FROM movies")).lower()


ATTACKS = [
    # other relations: settings, keys, tasks, indexes that are not offered
    "FROM other",
    "FROM main.other",
    "FROM shop.main.movies",
    "FROM hybridsearch.indexes",
    "FROM hybridsearch.meta",
    "FROM hybridsearch.tasks",
    "SELECT (SELECT settings FROM hybridsearch.indexes LIMIT 1)",
    "FROM movies WHERE EXISTS (FROM other)",
    "FROM search('other', 'settings')",
    "FROM search('oth' || 'er', 'settings')",
    "FROM facets('other', '', \"by\" := ['title'])",
    "FROM suggest('other', '')",
    "FROM tokens('other', 'x')",
    "FROM rrf('other', 'movies')",
    "FROM rrf(movies, duckdb_settings)",
    "FROM query_table('other')",
    "FROM query('FROM other')",
    "FROM similar('other', 1)",
    "FROM create_search_index('x', 'movies', ['title'])",
    "FROM drop_search_index('movies')",
    "DESCRIBE other",
    "SUMMARIZE other",
    "SHOW other",
    # the catalog and the configuration
    "FROM duckdb_settings()",
    "FROM duckdb_settings",
    "WITH duckdb_settings AS (SELECT 1) FROM duckdb_settings",
    "FROM duckdb_secrets()",
    "FROM duckdb_functions()",
    "FROM pg_catalog.pg_settings",
    "FROM information_schema.tables",
    "FROM sqlite_master",
    "FROM pragma_database_size()",
    "SELECT current_setting('secret_directory')",
    "SELECT getenv('HOME')",
    "SELECT getvariable('x')",
    "SELECT current_user()",
    "SHOW memory_limit",
    "SHOW DATABASES",
    # files
    "FROM '/etc/passwd'",
    "FROM 'x.csv'",
    "FROM \"/etc/passwd\"",
    "FROM read_text('/etc/passwd')",
    "FROM read_csv('/etc/passwd')",
    "FROM read_blob('/etc/*')",
    "FROM read_parquet('s3://bucket/x')",
    "FROM glob('/*')",
    "FROM sniff_csv('/etc/passwd')",
    "FROM read_duckdb('shop.duckdb')",
    "WITH \"x.csv\" AS (SELECT 1) FROM \"x.csv\"",
    "COPY (SELECT 1) TO '/tmp/leak.csv'",
    "COPY movies FROM '/etc/passwd'",
    "EXPORT DATABASE '/tmp/leak'",
    "ATTACH 'shop.duckdb' AS s",
    "INSTALL httpfs",
    "LOAD httpfs",
    # memory of the process
    "FROM arrow_scan(1, 2, 3)",
    "FROM pandas_scan(1)",
    "FROM python_map_function(1, 2, 3)",
    "FROM json_execute_serialized_sql('{}')",
    # writing, and what changes the instance
    "DROP TABLE movies",
    "DELETE FROM movies",
    "INSERT INTO movies VALUES (1)",
    "UPDATE movies SET title = ''",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE MACRO search(a, b) AS TABLE SELECT 1",
    "CREATE OR REPLACE TEMP VIEW movies AS SELECT 1",
    "WITH x AS (INSERT INTO movies VALUES (1) RETURNING *) FROM x",
    "WITH x AS (DELETE FROM movies RETURNING *) FROM x",
    "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1",
    "EXPLAIN ANALYZE DELETE FROM movies",
    "EXPLAIN DELETE FROM hybridsearch.tasks",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "PRAGMA enable_profiling",
    "CALL enable_logging()",
    "CHECKPOINT",
    "BEGIN",
    "COMMIT",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE movies",
    # values of any size
    "SELECT repeat('x', 4000000000)",
    "SELECT lpad('x', 4000000000, 'y')",
    "SELECT printf('%4000000000d', 1)",
    "SELECT range(10000000000)",
    "SELECT list_reduce(['a', 'a', 'a'], lambda a, b: concat(a, a))",
    # no SQL
    "",
    ";",
    "hello",
    "SELECT",
    "SELECT '\0",
    "SELECT '\ud800'",
    "(" * 10_000,
    "SELECT " + "(" * 3_000 + "1" + ")" * 3_000,
    "SELECT " + "-" * 99_000,
]  # fmt: skip


@pytest.mark.parametrize("statement", ATTACKS, ids=lambda text: text[:40])
def test_attack_is_refused_and_says_nothing(shop: Database, statement: str) -> None:
    with pytest.raises(QueryError) as caught:
        shop.ask(statement, visible={"movies"})
    error = caught.value
    assert error.code in CODES
    told = error.message.replace(statement, "")
    assert not any(part in told for part in (SECRET, "root", "shop.duckdb", "UDF"))
    assert rows(shop, "SELECT count(*) FROM movies", visible={"movies"}) == [(4,)]


@pytest.mark.parametrize("function", ["body", "relation", "search"])
def test_functions_behind_the_macros_are_refused(shop: Database, function: str) -> None:
    name = f"{shop._outside()._functions._prefix}{function}"
    refused(
        lambda: shop.ask(f"SELECT {name}('movies', 1)", visible={"movies"}),
        *(QueryError, "invalid_sql", "is refused here"),
    )


def test_nothing_was_written_anywhere(shop: Database) -> None:
    assert shop.path is not None
    before = sorted(shop.path.parent.iterdir())
    for statement in ATTACKS[-40:]:
        with pytest.raises(QueryError):
            shop.ask(statement, visible={"movies"})
    assert sorted(shop.path.parent.iterdir()) == before
    assert shop.index("movies").count() == 4


def test_all_indexes_are_there_when_none_are_named(shop: Database) -> None:
    assert rows(shop, "SHOW TABLES") == [("movies",), ("other",)]


@pytest.mark.parametrize(
    ("statement", "limits"),
    [
        ("SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b",
         Limits(seconds=0.2)),
        ("SELECT list(range) FROM range(1000000000)", Limits()),
        ("SELECT string_agg('abcdefghijklmnop', '') FROM range(10000000)", Limits(bytes=2**20)),
        ("WITH RECURSIVE r AS (SELECT 'abcdefgh' s, 1 i UNION ALL SELECT s || s, i + 1 FROM r "
         "WHERE i < 40) SELECT max(length(s)) FROM r", Limits()),
    ],
)  # fmt: skip
def test_what_takes_too_much_is_stopped(shop: Database, statement: str, limits: Limits) -> None:
    with pytest.raises(QueryError) as caught:
        shop.ask(statement, limits=limits)
    assert caught.value.code == "sql_limit"
    assert rows(shop, "SELECT 1") == [(1,)]


def test_rows_end_at_the_limit(shop: Database) -> None:
    answer = shop.ask("FROM range(100000)", limits=Limits(rows=2500))
    assert (answer.count, answer.complete) == (2500, False)


def test_as_many_rows_as_allowed_are_complete(shop: Database) -> None:
    answer = shop.ask("FROM movies", limits=Limits(rows=4))
    assert (answer.count, answer.complete) == (4, True)


def test_answer_without_rows_has_its_columns(shop: Database) -> None:
    assert shop.ask("SELECT title, year FROM movies WHERE false").schema.names == ["title", "year"]


def test_new_documents_and_columns_are_seen(movies: Index, memory: Database) -> None:
    rows(memory, "FROM movies")
    movies.add([{"id": 5, "title": "Her", "stars": 5}])
    assert rows(memory, "SELECT title, stars FROM movies WHERE stars > 4") == [("Her", 5)]


@pytest.mark.parametrize("name", ['it\'s "odd"', "a.b", "ключ", "new\nline", "x\\y", "(year == 1)"])
def test_filter_finds_columns_of_any_name(memory: Database, name: str) -> None:
    memory.create_index("odd", primary_key="id").add(
        [{"id": 1, name: 5, "z": 1}, {"id": 2, name: 6}]
    )
    quoted = '"' + name.replace('"', '""') + '"'
    assert rows(memory, f"SELECT id FROM odd WHERE {quoted} = 6") == [(2,)]


def test_index_without_documents_has_its_key(memory: Database) -> None:
    memory.create_index("empty", primary_key="sku")
    assert memory.ask("FROM empty").schema.names == ["sku"]


def test_callers_do_not_see_each_others_indexes(shop: Database) -> None:
    found: dict[str, list[Any]] = {"movies": [], "other": []}

    def ask(uid: str) -> None:
        for _ in range(20):
            found[uid].append(rows(shop, "SHOW TABLES", visible={uid}))
            found[uid].append(
                rows(shop, f"SELECT count(*) FROM search('{uid}', '')", visible={uid})
            )

    threads = [threading.Thread(target=ask, args=(uid,)) for uid in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found["movies"] == [[("movies",)], [(4,)]] * 20
    assert found["other"] == [[("other",)], [(1,)]] * 20


def test_error_of_the_engine_is_told_in_its_own_words(movies: Index, memory: Database) -> None:
    refused(
        lambda: memory.ask("FROM search('movies', 'x', mode := 'zz')"),
        *(QueryError, "invalid_sql", 'unknown mode "zz"; there is: hybrid, keyword, semantic'),
    )


PLACED = [
    ("SELECT 1 FROM search('movies', 'a', mode := 'kw')", "(in search(), line 1, column 15)"),
    (
        "FROM search('movies', 'a',\n k := 1.5)",
        "whole number as k, not 1.5 (line 2, column 7)",
    ),
    ("SELECT id FROM movies WHERE title @@@ 'a' || 'b'", "in brackets (line 1, column 35)"),
    ("SELECT snippet(title) FROM movies", "query := 'words') (line 1, column 8)"),
    ("SELECT id FROM movies m WHERE m @@@ 'titel:a'", "(in @@@, line 1, column 33)"),
    ("SELECT score(), id FROM movies", "in its own SELECT (line 1, column 8)"),
    ("SELECT highlight(id, marks := ['{}']) FROM movies", "use query := 'words' (in highlight()"),
]


@pytest.mark.parametrize(("statement", "told"), PLACED)
def test_an_error_says_where(shop: Database, statement: str, told: str) -> None:
    with pytest.raises(QueryError) as raised:
        rows(shop, statement, visible=["movies"])
    assert told in raised.value.message
    assert raised.value.code == "invalid_sql"
    assert "hybridsearch_" not in raised.value.message
