"""Searches, names, keys and settings that cannot be: each is refused with a clear error."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hybridsearch
from hybridsearch import Database, Index, errors
from hybridsearch.errors import (
    Conflict,
    DatabaseClosed,
    DocumentError,
    FilterError,
    HybridSearchError,
    InputError,
    NameRefused,
    NotFound,
    QueryError,
    SettingsError,
    VectorError,
)
from tests.conftest import LETTERS, MOVIES, Document, Kind, refused

# Searches

SEARCHES: list[tuple[dict[str, Any], Kind, str, str, dict[str, Any]]] = [
    ({"limit": -1}, QueryError, "invalid_search_limit", "0 or more, not -1", {"field": "limit"}),
    ({"limit": "5"}, QueryError, "invalid_search_limit", "not '5'", {"field": "limit"}),
    ({"limit": True}, QueryError, "invalid_search_limit", "not True", {"field": "limit"}),
    ({"offset": -2}, QueryError, "invalid_search_offset", "not -2", {"field": "offset"}),
    ({"offset": 1.0}, QueryError, "invalid_search_offset", "not 1.0", {"field": "offset"}),
    ({"candidates": 0}, QueryError, "invalid_search_candidates", "1 or more", {}),
    ({"rrf_k": 0}, QueryError, "invalid_search_rrf_k", "1 or more", {"field": "rrf_k"}),
    ({"mode": "hybird"}, QueryError, "invalid_search_mode", 'did you mean "hybrid"?', {}),
    ({"fusion": "rff"}, QueryError, "invalid_search_fusion", 'did you mean "rrf"?', {}),
    ({"match": "al"}, QueryError, "invalid_search_match", 'did you mean "all"?', {}),
    ({"weights": (0, 0)}, QueryError, "invalid_search_q", "not both 0", {"field": "weights"}),
    ({"weights": (-1, 1)}, QueryError, "invalid_search_q", "0 or more", {"field": "weights"}),
    ({"weights": (math.nan, 1)}, QueryError, "invalid_search_q", "nan", {"field": "weights"}),
    ({"sort": "year:asc"}, QueryError, "invalid_search_q", "list of texts", {"field": "sort"}),
    ({"sort": ["year"]}, QueryError, "invalid_search_sort", 'as in "year:desc"', {}),
    ({"sort": ["yaer:asc"]}, QueryError, "invalid_search_sort", 'mean "year"?', {}),
    ({"facets": ["genre"]}, QueryError, "invalid_search_facets", 'mean "genres"?', {}),
    ({"highlight": ["titel"]}, QueryError, "invalid_search_highlight", 'mean "title"?', {}),
    ({"distinct": "yeer"}, QueryError, "invalid_search_distinct", 'mean "year"?', {}),
    ({"attributes": ["titel"]}, QueryError, "invalid_search_attributes_to_search_on", "titel", {}),
    ({"embedder": "open-ai"}, QueryError, "invalid_search_embedder", 'no embedder "open-ai"', {}),
    ({"locales": "de"}, QueryError, "invalid_search_locales", "as ['de']", {"field": "locales"}),
    ({"limt": 3}, QueryError, "invalid_search_q", 'did you mean "limit"?', {"field": "limt"}),
    ({"mode": "semantic"}, QueryError, "invalid_search_q", 'mode="keyword"', {"field": "mode"}),
    ({"vector": [1.0]}, QueryError, "invalid_search_q", "no embedder", {"field": "mode"}),
]
FILTERS: list[tuple[Any, str, int, str | None]] = [
    ("yaer > 1990", 'did you mean "year"?', 1, "yaer"),
    ("year > 1990 AND genre = Drama", 'did you mean "genres"?', 17, "genre"),
    ("year >", "expected a value", 7, "year"),
    ("year > 1990 AND", "expected a field name", 16, "year"),
    ("(year > 1990", 'add a ")"', 1, None),
    ("(" * 10_000 + "year > 1" + ")" * 10_000, "at most 200", 201, None),
    ("title = '\ud800'", "send valid Unicode", 10, None),
    (5, "must be a text or a list", 1, None),
]


@pytest.mark.parametrize(
    ("options", "kind", "code", "message", "fields"), SEARCHES, ids=[str(s[0]) for s in SEARCHES]
)
def test_a_search_that_cannot_be_meant_is_refused(
    movies: Index, options: dict[str, Any], kind: Kind, code: str, message: str, fields: Any
) -> None:
    refused(lambda: movies.search("alien", **options), kind, code, message, **fields)


@pytest.mark.parametrize(("filter", "message", "column", "field"), FILTERS)
def test_a_filter_that_cannot_be_read_is_refused_with_its_column(
    movies: Index, filter: Any, message: str, column: int, field: str | None
) -> None:
    with pytest.raises(FilterError) as caught:
        movies.search("", filter=filter)
    assert caught.value.code == "invalid_search_filter"
    assert message in caught.value.message
    assert caught.value.fields["column"] == column
    if field is not None:
        assert caught.value.fields["field"] == field


def test_a_query_that_is_no_text_is_refused(movies: Index) -> None:
    query: Any = 5
    refused(lambda: movies.search(query), QueryError, "invalid_search_q", "text, not int")


def test_an_endless_query_is_refused(movies: Index) -> None:
    query = "a" * 1_000_001
    refused(lambda: movies.search(query), QueryError, "invalid_search_q", "at most 1,000,000")


@pytest.mark.parametrize(
    "query", ["\0", "\ud800", "-", '"', '""', "*", "😀", "a" * 100_000, "-alien -aliens", "!!!"]
)
def test_a_query_of_odd_characters_is_answered(hybrid_movies: Index, query: str) -> None:
    found = hybrid_movies.search(query, limit=10)
    assert found.total == len(found)


@pytest.mark.parametrize("number", [10**6, 2**31, 2**63, 2**70])
@pytest.mark.parametrize("mode", ["keyword", "semantic", "hybrid"])
def test_a_page_of_any_size_is_answered(hybrid_movies: Index, mode: str, number: int) -> None:
    options: dict[str, Any] = {"mode": mode, "candidates": number}
    assert len(hybrid_movies.search("alien", limit=number, **options)) > 0
    assert len(hybrid_movies.search("alien", offset=number, **options)) == 0


@pytest.mark.parametrize("query", [None, "", "  \n"])
def test_without_a_query_every_document_comes_in_the_order_of_ids(
    movies: Index, query: str | None
) -> None:
    movies.add([{"id": "b"}, {"id": 10}, {"id": "a"}])
    assert [hit.id for hit in movies.search(query)] == [1, 2, 3, 4, 10, "a", "b"]


def test_without_a_query_a_sort_decides(movies: Index) -> None:
    assert [hit.id for hit in movies.search("", sort=["year:desc"])] == [2, 3, 4, 1]


@pytest.mark.parametrize("query", ["", "alien", '"the alien"', "-alien"])
def test_an_index_without_documents_is_searched_in_vain(memory: Database, query: str) -> None:
    index = memory.create_index("empty")
    assert (index.search(query).hits, index.search(query).total) == ((), 0)


def test_an_index_without_documents_has_no_attributes_to_filter_by(memory: Database) -> None:
    index = memory.create_index("empty", primary_key="id")
    refused(
        lambda: index.search("", filter="year = 1"),
        FilterError,
        "invalid_search_filter",
        'unknown field "year" in filter, column 1',
        column=1,
    )


# Vectors of queries

VECTORS: list[tuple[Any, str]] = [
    ([1.0, math.nan], "position 1"),
    ([math.inf] * LETTERS, "position 0"),
    ([1.0] * (LETTERS - 1), f"has {LETTERS - 1} numbers; this embedder's have {LETTERS}"),
    ([], "has 0 numbers"),
    (["a"], "list of numbers"),
    ([[1.0]], "list of numbers"),
    (7, "list of numbers"),
]


@pytest.mark.parametrize(("vector", "message"), VECTORS)
def test_a_vector_that_cannot_be_searched_by_is_refused(
    hybrid_movies: Index, vector: Any, message: str
) -> None:
    refused(
        lambda: hybrid_movies.search("", vector=vector),
        VectorError,
        "invalid_vector_dimensions",
        message,
        field="vector",
    )


def test_a_vector_of_numpy_is_taken(hybrid_movies: Index) -> None:
    found = hybrid_movies.search("", vector=np.ones(LETTERS, np.float32))
    assert (found.mode, found.total) == ("semantic", 4)


# Names of indexes, and keys

NAMES: list[Any] = [
    "",
    "a b",
    "a/b",
    "ä",
    "a\n",
    "x" * 401,
    5,
    None,
    'a"b',
    "a;--",
    ".",
    "..",
    ".a",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_no_index_may_have_is_refused(memory: Database, name: Any) -> None:
    refused(
        lambda: memory.create_index(name),
        NameRefused,
        "invalid_index_uid",
        "use letters, digits, _, - and, but not first, dots; 400 at most",
        uid=str(name),
    )


@pytest.mark.parametrize(
    "name", ["select", "main", "hybridsearch", "x" * 400, "-", "1", "main.a", "logs-1.2"]
)
def test_every_other_name_can_be_used_in_sql(memory: Database, name: str) -> None:
    memory.create_index(name, primary_key="id").add([{"id": 1}])
    assert memory.connect().sql(f'SELECT * FROM "{name}"').fetchall() == [(1,)]


@pytest.mark.parametrize("name", ["movies", "MOVIES"])
def test_a_second_index_of_the_name_is_refused(memory: Database, movies: Index, name: str) -> None:
    refused(
        lambda: memory.create_index(name), Conflict, "index_already_exists", 'an index "movies"'
    )
    assert memory.connect().sql("SELECT count(*) FROM movies").fetchall() == [(len(MOVIES),)]


@pytest.mark.parametrize("name", ["mine", "MINE", "seen", "sly"])
def test_the_name_of_a_table_or_view_of_the_user_is_refused(
    memory: Database, movies: Index, name: str
) -> None:
    connection = memory.connect()
    connection.execute("CREATE TABLE mine AS SELECT 7 AS a")
    connection.execute("CREATE VIEW seen AS SELECT a FROM mine")
    connection.execute("CREATE VIEW sly AS SELECT id AS a FROM hybridsearch.documents_1")
    before = connection.sql(f"SELECT a FROM {name}").fetchall()
    refused(
        lambda: memory.create_index(name),
        Conflict,
        "index_already_exists",
        "name the index otherwise",
        uid=name,
    )
    assert connection.sql(f"SELECT a FROM {name}").fetchall() == before


def test_an_unknown_index_is_not_found_and_the_nearest_is_offered(
    memory: Database, movies: Index
) -> None:
    for act in (lambda: memory.index("movie"), lambda: memory.drop_index("movie")):
        refused(act, NotFound, "index_not_found", 'did you mean "movies"?', uid="movie")


@pytest.mark.parametrize("act", ["add", "search", "get", "count", "delete", "rebuild", "stats"])
def test_an_index_that_was_dropped_is_not_found(memory: Database, movies: Index, act: str) -> None:
    memory.drop_index("movies")
    given: dict[str, tuple[list[Any], dict[str, Any]]] = {
        "add": ([[{"id": 1}]], {}),
        "get": ([1], {}),
        "delete": ([], {"all": True}),
    }
    arguments, options = given.get(act, ([], {}))
    refused(
        lambda: getattr(movies, act)(*arguments, **options),
        NotFound,
        "index_not_found",
        'there is no index "movies"',
    )


KEYS: list[tuple[Document, str, str]] = [
    ({"title": "x"}, "index_primary_key_no_candidate_found", "no attribute of the first document"),
    ({}, "index_primary_key_no_candidate_found", "no attribute of the first document"),
    (
        {"user_id": 1, "orderId": 2},
        "index_primary_key_multiple_candidates_found",
        "user_id, orderId",
    ),
    ({"_id": 1, "id": 2}, "index_primary_key_multiple_candidates_found", "_id, id"),
]


@pytest.mark.parametrize(("document", "code", "message"), KEYS)
def test_a_primary_key_that_cannot_be_told_is_asked_for(
    memory: Database, document: Document, code: str, message: str
) -> None:
    index = memory.create_index("things")
    refused(lambda: index.add([document]), DocumentError, code, message, position=0)
    assert (index.primary_key, index.count()) == (None, 0)


@pytest.mark.parametrize("name", ["id", "_id", "movieId", "isbn_ID"])
def test_a_primary_key_that_can_be_told_is_found(memory: Database, name: str) -> None:
    index = memory.create_index("things")
    index.add([{"title": "x", name: 7}])
    assert (index.primary_key, index.get(7)) == (name, {"title": "x", name: 7})


@pytest.mark.parametrize("name", ["id", "_id"])
def test_a_key_by_its_usual_name_stands_out_from_those_that_end_alike(
    memory: Database, name: str
) -> None:
    index = memory.create_index("things")
    index.add([{"author_id": 1, name: 7, "paid": 2}])
    assert index.primary_key == name


def test_the_primary_key_cannot_be_changed(movies: Index) -> None:
    refused(
        lambda: movies.add([{"id": 9, "isbn": "x"}], primary_key="isbn"),
        SettingsError,
        "index_primary_key_already_exists",
        'the primary key of this index is "id", not "isbn"',
        field="primary_key",
    )
    assert movies.count() == len(MOVIES)


@pytest.mark.parametrize("key", ["", 5, ["id"], "\ud800"])
def test_what_is_no_name_cannot_be_the_primary_key(
    memory: Database, movies: Index, key: Any
) -> None:
    acts: list[Callable[[], object]] = [
        lambda: memory.create_index("things", primary_key=key),
        lambda: movies.add([{"id": 1}], primary_key=key),
    ]
    code, says = "invalid_index_primary_key", "the name of an attribute"
    for act in acts:
        refused(act, InputError, code, says, field="primary_key")
    assert [index.uid for index in memory.indexes()] == ["movies"]


# Settings

SETTINGS: list[tuple[Any, str, str | None]] = [
    ({"searchableAttribute": []}, 'did you mean "searchableAttributes"?', "searchableAttribute"),
    ({"stop_word": []}, 'did you mean "stopWords"?', "stop_word"),
    ({"searchableAttributes": "title"}, "list of attribute names", "searchableAttributes"),
    ({"searchableAttributes": [5]}, "list of attribute names", "searchableAttributes"),
    ({"language": "enn"}, 'did you mean "en"?', "language"),
    ({"maxValuesPerFacet": -1}, "0 or more", "maxValuesPerFacet"),
    ({"maxValuesPerFacet": 2**70}, "0 or more", "maxValuesPerFacet"),
    ({"attributeWeights": {"title": 10**400}}, "number from 0", "attributeWeights"),
    ({"attributeWeights": {"\ud800": 1}}, "list of attribute names", "attributeWeights"),
    ({"stopWords": ["\ud800"]}, "a list of words", "stopWords"),
    ({"searchableAttributes": ["\ud800"]}, "list of attribute names", "searchableAttributes"),
    ({"distinctAttribute": "\ud800"}, "the name of an attribute", "distinctAttribute"),
    ({"attributeWeights": {"title": math.nan}}, "number from 0 to 1,000,000", "attributeWeights"),
    ({"attributeWeights": {"title": True}}, "attribute: number", "attributeWeights"),
    ({"sortFacetValuesBy": {"*": "size"}}, '"alpha" or "count"', "sortFacetValuesBy"),
    ({"faceting": {"maxValues": 3}}, 'did you mean "maxValuesPerFacet"?', "faceting.maxValues"),
    ({"embedders": {"a.b": {"source": "static"}}}, "letters, digits, _ and -", "embedders.a.b"),
    ({"embedders": {"a": {"source": "statik"}}}, "one of static", "embedders.a.source"),
    ({"embedders": {"a": {"source": "userProvided"}}}, 'it needs "dimensions"', "embedders.a"),
    (
        {"embedders": {"a": {"source": "userProvided", "dimensions": 0}}},
        "between 1 and 8192",
        "embedders.a.dimensions",
    ),
    (
        {"embedders": {"a": {"source": "static", "dimenions": 3}}},
        'did you mean "dimensions"?',
        "embedders.a",
    ),
    (
        {"embedders": {"a": {"source": "function"}}},
        'open the database with functions={"a": ...}',
        "embedders.a",
    ),
    (5, "must be an object, not int", None),
]


@pytest.mark.parametrize(("settings", "message", "field"), SETTINGS)
def test_settings_that_cannot_be_are_refused_and_change_nothing(
    memory: Database, movies: Index, settings: Any, message: str, field: str | None
) -> None:
    before = movies.settings
    refused(
        lambda: movies.update_settings(settings),
        SettingsError,
        "invalid_settings",
        message,
        field=field,
    )
    if settings != 5:
        with pytest.raises(SettingsError):
            memory.create_index("other", settings={"language": "en", **settings})
    assert movies.settings == before
    assert [index.uid for index in memory.indexes()] == ["movies"]


@pytest.mark.parametrize(
    ("setting", "options", "kind"),
    [
        ("filterable_attributes", {"filter": "year > 1"}, FilterError),
        ("filterable_attributes", {"facets": ["year"]}, FilterError),
        ("sortable_attributes", {"sort": ["year:asc"]}, QueryError),
    ],
)
def test_an_attribute_that_is_not_allowed_is_refused(
    movies: Index, setting: str, options: dict[str, Any], kind: Kind
) -> None:
    movies.update_settings({setting: ["title"]})
    with pytest.raises(kind, match=r'attribute "year" is not \w+able'):
        movies.search("", **options)


# After closing


def test_whatever_is_asked_after_closing_the_database_says_that_it_is_closed(path: Path) -> None:
    db = hybridsearch.open(path, default_embedder=None)
    index = db.create_index("things", primary_key="id")
    index.add([{"id": 1}])
    db.close()
    acts: list[Callable[[], object]] = [
        index.count,
        index.stats,
        index.rebuild,
        index.snapshot,
        lambda: index.search("x"),
        lambda: index.add([{"id": 2}]),
        lambda: index.get(1),
        lambda: index.delete(all=True),
        lambda: index.update_settings({}),
        lambda: index.settings,
        lambda: db.index("things"),
        lambda: db.create_index("other"),
        lambda: db.drop_index("things"),
        lambda: db.task(0),
        lambda: db.wait(0),
        db.indexes,
        db.tasks,
        db.connect,
    ]
    for act in acts:
        refused(act, DatabaseClosed, "database_closed", "hybridsearch.open()")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (5, "5 cannot be the path of a database: "),
        ("a\0b", "cannot be the path of a database: "),
        ("x" * 5000, "cannot be the path of a database: File name too long"),
        ("/", "/ is a folder"),
    ],
)
def test_what_is_no_path_of_a_database_is_refused(path: Any, said: str) -> None:
    for act in (hybridsearch.open, hybridsearch.check):
        refused(partial(act, path), InputError, "bad_request", said, field="path")


@pytest.mark.parametrize("functions", [3, {"mine": 3}, ["mine"]])
def test_what_cannot_be_called_is_no_function(functions: Any) -> None:
    refused(lambda: hybridsearch.open(functions=functions), InputError, "bad_request", "callable")


def test_what_is_of_another_kind_is_refused(movies: Index, memory: Database) -> None:
    anything: Any = 3
    refused(lambda: memory.index(anything), NotFound, "index_not_found", 'no index "3"')
    refused(lambda: memory.task(anything), NotFound, "task_not_found", "no task 3")
    refused(lambda: memory.task("x"), NotFound, "task_not_found", "no task x")  # type: ignore[arg-type]
    refused(lambda: movies.add(""), InputError, "bad_request", 'no file ""')
    one: Any = "abc"
    refused(lambda: movies.search_many(one), QueryError, "invalid_search_q", "list of texts")
    with memory.connect() as connection:
        for pair in ((anything, memory), (connection, anything)):
            refused(partial(hybridsearch.attach, *pair), InputError, "bad_request", "attach")


def test_closing_twice_does_nothing(path: Path) -> None:
    db = hybridsearch.open(path, default_embedder=None)
    db.close()
    db.close()
    assert path.exists()


def test_every_error_is_of_one_tree() -> None:
    classes = [item for item in vars(errors).values() if isinstance(item, type)]
    own = [item for item in classes if item.__module__ == errors.__name__]
    assert all(issubclass(item, HybridSearchError) for item in own)
