"""Documents and deletions that cannot be: refused with a clear error, nothing half applied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import hybridsearch
from hybridsearch import Database, Index
from hybridsearch.errors import (
    DocumentError,
    EmbedderError,
    FilterError,
    InputError,
    NotFound,
)
from tests.conftest import BY_MEANING, LETTERS, MOVIES, Document, letters, moody, refused

GIVEN = {"embedders": {"mine": {"source": "userProvided", "dimensions": 2}}}


# Documents

DOCUMENTS: list[tuple[Any, str, str, dict[str, Any]]] = [
    ({"title": "x"}, "missing_document_id", 'no primary key "id"', {"field": "id"}),
    ({"Id": 1}, "missing_document_id", "no primary key", {"field": "id"}),
    ({"id": None}, "invalid_document_id", '"id" is null; an id is', {"field": "id"}),
    ({"id": 1.5}, "invalid_document_id", "a number 1.5", {"field": "id"}),
    ({"id": True}, "invalid_document_id", "a boolean", {"field": "id"}),
    ({"id": ""}, "invalid_document_id", "1 to 511 bytes", {"id": ""}),
    ({"id": "x" * 512}, "invalid_document_id", "1 to 511 bytes", {"field": "id"}),
    ({"id": "é" * 256}, "invalid_document_id", "1 to 511 bytes", {"field": "id"}),
    ({"id": 10**600}, "invalid_document_id", "1 to 511 bytes", {"field": "id"}),
    ({"id": "a\0"}, "invalid_document_id", "1 to 511 bytes", {"field": "id"}),
    ({"id": [1]}, "invalid_document_id", "a list", {"field": "id"}),
    ({"id": {"a": 1}}, "invalid_document_id", "an object", {"field": "id"}),
    ({"id": "\ud800"}, "invalid_document_fields", "lone surrogate", {"field": "id"}),
    ({"id": 9, "a": math.nan}, "invalid_document_fields", "give None", {"id": 9, "field": "a"}),
    ({"id": 9, "a": [math.inf]}, "invalid_document_fields", "give None", {"field": "a[0]"}),
    ({"id": 9, "a": b"x"}, "invalid_document_fields", "base64", {"id": 9, "field": "a"}),
    ({"id": 9, 5: 1}, "invalid_document_fields", "keys are text", {"id": 9}),
    (5, "invalid_document_fields", "not an object; give a dict", {}),
    (None, "invalid_document_fields", "not an object; give a dict", {}),
    (["a"], "invalid_document_fields", "not an object; give a dict", {}),
    ({"id": 9, "_vectors": 5}, "invalid_vectors_type", "object", {"id": "9", "field": "_vectors"}),
]


@pytest.mark.parametrize(("document", "code", "message", "fields"), DOCUMENTS)
def test_of_a_batch_with_an_unfit_document_nothing_is_applied(
    movies: Index, document: Any, code: str, message: str, fields: dict[str, Any]
) -> None:
    batch = [{"id": 1, "title": "changed"}, {"id": 77}, document]
    refused(lambda: movies.add(batch), DocumentError, code, message, position=2, **fields)
    assert movies.get(1)["title"] == "Alien"
    assert movies.count() == len(MOVIES)


def test_a_task_that_was_refused_says_why(movies: Index, memory: Database) -> None:
    with pytest.raises(DocumentError):
        movies.add([{"id": None}])
    task = memory.tasks()[-1]
    assert task.status == "failed"
    assert task.error is not None
    assert (task.error["code"], task.error["position"]) == ("invalid_document_id", 0)


def test_a_task_with_an_over_long_number_as_id_ends(path: Path) -> None:
    with hybridsearch.open(path, default_embedder=None) as db:
        index = db.create_index("things", primary_key="id")
        with pytest.raises(DocumentError):
            index.add([{"id": 10**600}])
        assert [task.status for task in db.tasks()] == ["succeeded", "failed"]


def nested(levels: int) -> Document:
    """A document of that many levels, itself counted."""
    found: Document = {}
    for _ in range(levels - 2):
        found = {"a": found}
    return {"id": 1, "a": found}


def test_a_document_of_200_levels_is_taken(movies: Index) -> None:
    movies.add([nested(200)])
    assert movies.get(1) == nested(200)


def test_a_document_of_201_levels_is_refused(movies: Index) -> None:
    refused(
        lambda: movies.add([nested(201)]),
        DocumentError,
        "invalid_document_fields",
        "deeper than 200 levels",
        position=0,
    )


@pytest.mark.parametrize("text", ["[" * 500, "{" * 500, '\\"[' * 500])
def test_brackets_in_a_text_are_no_levels(movies: Index, text: str) -> None:
    movies.add([{"id": 9, "text": text, "more": [text]}])
    assert movies.get(9)["text"] == text


def test_of_an_id_twice_in_one_batch_the_last_wins_and_the_task_says_so(movies: Index) -> None:
    task = movies.add([{"id": 9, "a": 1}, {"id": 8}, {"id": "9", "b": 2}])
    assert movies.get(9) == {"id": "9", "b": 2}
    assert task.details["received_documents"] == 3
    assert (task.details["indexed_documents"], task.details["replaced_in_batch"]) == (2, 1)


@pytest.mark.parametrize("source", [5, None, "no-such-file.csv", object()])
def test_what_holds_no_documents_is_refused(movies: Index, source: object) -> None:
    with pytest.raises(InputError):
        movies.add(source)
    assert movies.count() == len(MOVIES)


def test_an_unknown_way_of_adding_is_refused(movies: Index) -> None:
    refused(
        lambda: movies.add([], mode="upsert"),
        InputError,
        "bad_request",
        '"replace" or "merge", not \'upsert\'',
        field="mode",
    )


# Vectors of documents

DOCUMENT_VECTORS: list[tuple[Any, str, str]] = [
    ({"mine": [1.0]}, "has 1 numbers where the embedder's vectors have 2", "_vectors.mine"),
    ({"mine": [[1.0, 2.0], [1.0]]}, "has 1 numbers", "_vectors.mine"),
    ({"mine": [1.0, "a"]}, "not a number", "_vectors.mine"),
    ({"mine": [1.0, None]}, "not a number", "_vectors.mine"),
    ({"mine": [1.0, True]}, "not a number", "_vectors.mine"),
    ({"mine": [1e39, 0.0]}, "float32 cannot hold", "_vectors.mine"),
    ({"mine": "vector"}, "is not a vector", "_vectors.mine"),
    ({"mien": [1.0, 2.0]}, 'did you mean "mine"?', "_vectors.mien"),
]


@pytest.mark.parametrize(("vectors", "message", "field"), DOCUMENT_VECTORS)
def test_a_document_with_an_unfit_vector_is_refused(
    memory: Database, vectors: Any, message: str, field: str
) -> None:
    index = memory.create_index("given", primary_key="id", settings=GIVEN)
    refused(
        lambda: index.add(
            [{"id": "a", "_vectors": {"mine": [0, 1]}}, {"id": 5, "_vectors": vectors}]
        ),
        DocumentError,
        "invalid_vector_dimensions",
        message,
        position=1,
        id="5",
        field=field,
    )
    assert index.count() == 0


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_document_vector_that_is_not_finite_is_refused(memory: Database, number: float) -> None:
    index = memory.create_index("given", primary_key="id", settings=GIVEN)
    refused(
        lambda: index.add([{"id": 5, "_vectors": {"mine": [number, 1.0]}}]),
        DocumentError,
        "invalid_document_fields",
        "JSON cannot hold",
        position=0,
        id=5,
        field="_vectors.mine[0]",
    )


# Embedders


def test_when_a_function_fails_nothing_is_applied_and_the_task_has_failed() -> None:
    def moody(texts: Sequence[str]) -> Any:
        if any("bad" in text for text in texts):
            raise RuntimeError("out of cheese")
        return letters(texts)

    with hybridsearch.open(default_embedder=None, functions={"letters": moody}) as db:
        index = db.create_index("things", primary_key="id", settings=BY_MEANING)
        index.add([{"id": 1, "text": "good"}])
        refused(
            lambda: index.add([{"id": 1, "text": "bad"}, {"id": 2, "text": "fine"}]),
            EmbedderError,
            "vector_embedding_error",
            'embedder "letters": it raised RuntimeError: out of cheese',
            embedder="letters",
        )
        assert [hit.document["text"] for hit in index.search("")] == ["good"]
        assert db.tasks()[-1].status == "failed"


def test_when_a_function_fails_at_a_query_the_index_goes_on() -> None:
    with hybridsearch.open(default_embedder=None, functions={"letters": moody}) as db:
        index = db.create_index("things", primary_key="id", settings=BY_MEANING)
        index.add([{"id": 1, "text": "good"}])
        with pytest.raises(EmbedderError, match="out of cheese"):
            index.search("bad", mode="semantic")
        assert "out of cheese" in (index.search("bad").degraded or "")  # by words alone
        assert index.search("good").degraded is None


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[math.nan] * LETTERS], "NaN"),
        ([[1.0] * 3], "length 3 came back where its length is 8"),
        ([], "shape (0,)"),
        ("text", "return real numbers"),
    ],
)
def test_when_a_function_answers_nonsense_the_task_fails(answer: Any, message: str) -> None:
    answers = {"odd": answer}

    def odd(texts: Sequence[str]) -> Any:
        return answers[texts[0]] if texts[0] in answers else letters(texts)

    with hybridsearch.open(default_embedder=None, functions={"letters": odd}) as db:
        index = db.create_index("things", primary_key="id", settings=BY_MEANING)
        refused(
            lambda: index.add([{"id": 1, "text": "odd"}]),
            EmbedderError,
            "vector_embedding_error",
            message,
        )
        assert index.count() == 0


def test_a_failing_rebuild_is_a_failed_task_and_the_index_stays(path: Path) -> None:
    broken: list[str] = []

    def moody(texts: Sequence[str]) -> Any:
        if broken:
            raise RuntimeError("out of cheese")
        return letters(texts)

    with hybridsearch.open(path, default_embedder=None, functions={"letters": moody}) as db:
        index = db.create_index("things", primary_key="id", settings=BY_MEANING)
        index.add([{"id": 1, "text": "good"}])
        broken.append("now")
        with pytest.raises(EmbedderError, match="out of cheese"):
            index.rebuild(reuse_vectors=False)
        assert db.tasks()[-1].status == "failed"
        assert index.search("good", mode="keyword").total == 1


def test_without_a_vector_an_index_of_given_vectors_is_searched_by_words(memory: Database) -> None:
    index = memory.create_index("given", primary_key="id", settings=GIVEN)
    index.add([{"id": 1, "text": "alien", "_vectors": {"mine": [1, 0]}}, {"id": 2, "text": "up"}])
    found = index.search("alien", mode="hybrid")
    assert (found.mode, [hit.id for hit in found]) == ("keyword", [1])


def test_by_meaning_an_index_of_given_vectors_needs_one(memory: Database) -> None:
    index = memory.create_index("given", primary_key="id", settings=GIVEN)
    index.add([{"id": 1, "text": "alien", "_vectors": {"mine": [1, 0]}}])
    refused(
        lambda: index.search("alien", mode="semantic"),
        EmbedderError,
        "vector_embedding_error",
        "as vector, or search in keyword mode",
        embedder="mine",
    )


# Ids and deletions


@pytest.mark.parametrize(
    "id_", [None, 1.5, True, "", "x" * 512, "\ud800", "\0", [1], b"1", 10**600]
)
def test_what_cannot_be_an_id_is_refused(movies: Index, id_: Any) -> None:
    for act in (lambda: movies.get(id_), lambda: movies.delete(ids=[1, id_])):
        refused(act, InputError, "invalid_document_id", "1 to 511 bytes")
    assert movies.count() == len(MOVIES)


def test_an_id_that_nobody_has_is_not_found(movies: Index) -> None:
    refused(lambda: movies.get(99), NotFound, "document_not_found", 'no document "99"', id="99")


@pytest.mark.parametrize("ids", ["12", 5])
def test_ids_that_are_no_list_delete_nothing(movies: Index, ids: Any) -> None:
    refused(lambda: movies.delete(ids=ids), InputError, "bad_request", "a list of ids", field="ids")
    assert movies.count() == len(MOVIES)


@pytest.mark.parametrize("filter", ["", "  ", [], [[]]])
def test_an_empty_filter_deletes_nothing(movies: Index, filter: Any) -> None:
    refused(
        lambda: movies.delete(filter=filter), InputError, "bad_request", "all=True", field="filter"
    )
    assert movies.count() == len(MOVIES)


@pytest.mark.parametrize("filter", ["yaer > 1", "year >", 5])
def test_a_filter_that_cannot_be_read_deletes_nothing(movies: Index, filter: Any) -> None:
    with pytest.raises(FilterError):
        movies.delete(filter=filter)
    assert movies.count() == len(MOVIES)


@pytest.mark.parametrize("what", [{}, {"ids": [1], "all": True}, {"ids": [1], "filter": "id = 1"}])
def test_a_deletion_says_what_it_means_in_exactly_one_way(
    movies: Index, what: dict[str, Any]
) -> None:
    refused(lambda: movies.delete(**what), InputError, "bad_request", "exactly one of")
