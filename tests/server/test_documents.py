"""Documents over HTTP: in three formats, fetched by filter and order, deleted in four ways."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from hybridsearch import Database
from hybridsearch.server import app_for
from tests.server.conftest import done, refusal, succeeded

DOCUMENTS = "/indexes/films/documents"
FILMS: list[dict[str, Any]] = [
    {"id": 1, "title": "Alien", "year": 1979, "tags": ["space"]},
    {"id": 2, "title": "Up", "year": 2009, "crew": {"director": "Pete"}},
    {"id": 3, "title": "Solaris", "year": 1972, "tags": ["space", "sea"]},
]


def fill(db: Database) -> None:
    open_to = {"filterableAttributes": ["year", "tags"], "sortableAttributes": ["year"]}
    with TestClient(app_for(db)) as client:
        succeeded(client, client.patch("/indexes/films/settings", json=open_to))
        succeeded(client, client.post(DOCUMENTS, json=FILMS))


FILLED = {"films": fill}


@pytest.fixture
def films(client: TestClient) -> TestClient:
    """A server with three films, whose year can be filtered and sorted by."""
    return client


def ids(reply: Any) -> list[Any]:
    return [document["id"] for document in reply.json()["results"]]


def send(client: TestClient, body: bytes, media: str, parameters: str = "", **headers: str) -> Any:
    headers = {"Content-Type": media, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return client.post(f"{DOCUMENTS}{parameters}", content=body, headers=headers)


# In


def test_an_absent_index_is_made_by_its_first_documents(client: TestClient) -> None:
    task = succeeded(client, client.post(DOCUMENTS, json=FILMS))
    assert task["details"] == {"receivedDocuments": 3, "indexedDocuments": 3}
    assert task["batchUid"] == 0
    assert task["duration"].startswith("PT")
    assert client.get("/indexes/films").json()["primaryKey"] == "id"


def test_a_document_comes_back_as_it_was_sent(client: TestClient) -> None:
    body = '{"id": 7, "price": 1.50, "big": 12345678901234567890123, "ü": null}'
    succeeded(client, send(client, body.encode(), "application/json"))
    assert client.get(f"{DOCUMENTS}/7").json() == json.loads(body)


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("application/json", b'[{"id":1,"a":"x"},{"id":2,"a":null}]'),
        ("application/json; charset=utf-8", b'\xef\xbb\xbf[{"id":1,"a":"x"},{"id":2,"a":null}]'),
        ("application/x-ndjson", b'{"id":1,"a":"x"}\n\n{"id":2,"a":null}\n'),
        ("text/csv", b"id:number,a\n1,x\n2,\n"),
    ],
)
def test_documents_come_in_three_formats(client: TestClient, media: str, body: bytes) -> None:
    succeeded(client, send(client, body, media))
    found = client.get(DOCUMENTS).json()["results"]
    assert found == [{"id": 1, "a": "x"}, {"id": 2, "a": None}]


def test_csv_has_typed_headers_and_a_delimiter(client: TestClient) -> None:
    body = b'id;price:number;sold:boolean;note:x;name:string\na;2.5;true;"p;q";7\nb;;;;\n'
    succeeded(client, send(client, body, "text/csv", "?csvDelimiter=;"))
    found = client.get(DOCUMENTS).json()["results"]
    assert found[0] == {"id": "a", "price": 2.5, "sold": True, "note:x": "p;q", "name": "7"}
    assert found[1] == {"id": "b", "price": None, "sold": None, "note:x": None, "name": None}


def test_packed_documents_are_unpacked(client: TestClient) -> None:
    body = gzip.compress(json.dumps(FILMS).encode())
    succeeded(client, send(client, body, "application/json", Content_Encoding="gzip"))
    assert client.get(DOCUMENTS).json()["total"] == 3


@pytest.mark.parametrize(
    ("media", "body", "parameters", "status", "code"),
    [
        ("application/json", b"", "", 400, "missing_payload"),
        ("application/json", b'""', "", 400, "malformed_payload"),
        ("application/json", b"[1]", "", 400, "malformed_payload"),
        ("application/json", b'[{"id":1}', "", 400, "malformed_payload"),
        ("application/json", b'[{"id":1}] x', "", 400, "malformed_payload"),
        ("application/json", b"[" * 5000, "", 400, "malformed_payload"),
        ("application/json", b'{"a":' * 5000, "", 400, "malformed_payload"),
        ("application/json", b'[{"id":"\xff"}]', "", 400, "malformed_payload"),
        ("application/x-ndjson", b'{"id":1}\n{"id"', "", 400, "malformed_payload"),
        ("text/csv", b"id,a\n1,2,3\n", "", 400, "malformed_payload"),
        ("text/csv", b"id,a:number\n1,x\n", "", 400, "malformed_payload"),
        ("text/csv", b"id,a\n\xff,1\n", "", 400, "malformed_payload"),
        ("text/csv", b"id\n1\n", "?csvDelimiter=ab", 400, "invalid_document_csv_delimiter"),
        ("application/json", b"[]", "?csvDelimiter=;", 415, "invalid_content_type"),
        ("application/json", b"[]", "?nothing=1", 400, "bad_request"),
        ("application/xml", b"<a/>", "", 415, "invalid_content_type"),
        ("", b"[]", "", 415, "missing_content_type"),
    ],
)
def test_an_unfit_body_is_refused_at_once(
    client: TestClient, media: str, body: bytes, parameters: str, status: int, code: str
) -> None:
    assert refusal(send(client, body, media, parameters)) == (status, code)


@pytest.mark.parametrize(
    ("media", "body", "told"),
    [
        (
            "application/json",
            b'[{"id":1},',
            "document 1 at line 1, column 11: is missing: the text",
        ),
        ("application/json", b'[{"id":1}', "document 1 at line 1, column 10: is missing: the text"),
        ("application/json", b'[{"id":1},]', "is missing: a comma stands before the end"),
        (
            "application/json",
            b'[{"id":1},\n{"id":}]',
            "document 1 at line 2, column 7: is not JSON",
        ),
        ("application/json", b'[{"id":"\xff"}]', "is not UTF-8 at byte 8."),
        ("application/json", '[{"id":1}]'.encode("utf-16"), "it is UTF-16; send UTF-8"),
        ("application/json", gzip.compress(b"[]", mtime=0), "Content-Encoding: gzip"),
        ("application/x-ndjson", b'{"id":1}\n\n{"id":', "document 1 at line 3, column 7: is not"),
        (
            "text/csv",
            b"id,n:number\n1,2\n2,x\n",
            'document 1: field "n" is "x", which is no number',
        ),
        ("text/csv", b"id,sold:boolean\n1,yes\n", 'field "sold" is "yes", which is no boolean'),
        ("text/csv", b"id,n:number\n1,2\n2,inf\n", 'field "n" is infinite'),
        ("text/csv", b"id,a\n1,b\n2,caf\xe9\n", "is not UTF-8 at byte 14, in line 3; convert it"),
        ("text/csv", b"id,a\n1,2,3\n", "Row #2: Expected 2 columns, got 3"),
    ],
)
def test_a_malformed_body_says_where_and_what_to_do(
    client: TestClient, media: str, body: bytes, told: str
) -> None:
    answer = send(client, body, media)
    assert refusal(answer) == (400, "malformed_payload")
    assert told in answer.json()["message"]


@pytest.mark.parametrize(
    ("documents", "code"),
    [
        ([{"id": 1}, {"title": "none"}], "missing_document_id"),
        ([{"id": 1}, {"id": [2]}], "invalid_document_id"),
        ([{"title": "no key"}], "index_primary_key_no_candidate_found"),
        ([{"uid": 1, "pid": 2}], "index_primary_key_multiple_candidates_found"),
        ([{"id": 1, "_id": 2}], "index_primary_key_multiple_candidates_found"),
    ],
)
def test_a_task_with_an_unfit_document_fails_and_says_which(
    client: TestClient, documents: list[Any], code: str
) -> None:
    task = done(client, client.post(DOCUMENTS, json=documents))
    assert (task["status"], task["error"]["code"]) == ("failed", code)
    assert task["error"]["position"] == len(documents) - 1
    assert task["details"] == {"receivedDocuments": len(documents), "indexedDocuments": 0}
    assert client.get(DOCUMENTS).json()["total"] == 0


def test_what_python_calls_primary_key_is_a_parameter_here(client: TestClient) -> None:
    message = done(client, client.post(DOCUMENTS, json=[{"title": "no key"}]))["error"]["message"]
    assert message.endswith("; name it in the address, as ?primaryKey=name")


def test_put_lays_attributes_over_those_of_before(films: TestClient) -> None:
    succeeded(films, films.put(DOCUMENTS, json={"id": 2, "rating": 8}))
    assert films.get(f"{DOCUMENTS}/2").json() == {**FILMS[1], "rating": 8}


def test_skip_creation_changes_only_what_is_there(films: TestClient) -> None:
    new = [{"id": 1, "title": "Aliens"}, {"id": 9, "title": "New"}]
    task = succeeded(films, films.post(f"{DOCUMENTS}?skipCreation=true", json=new))
    assert task["details"] == {"receivedDocuments": 2, "indexedDocuments": 1}
    assert films.get(f"{DOCUMENTS}/1").json() == new[0]
    assert refusal(films.get(f"{DOCUMENTS}/9")) == (404, "document_not_found")


def test_what_a_caller_says_of_a_task_is_kept_with_it(films: TestClient) -> None:
    for text in ("night's import", ""):
        reply = films.post(DOCUMENTS, json=[], params={"customMetadata": text})
        assert succeeded(films, reply)["customMetadata"] == text
    assert "customMetadata" not in succeeded(films, films.post(DOCUMENTS, json=[]))


def test_the_primary_key_can_be_named(client: TestClient) -> None:
    body = [{"id": 1, "isbn": "x"}]
    succeeded(client, client.post(f"{DOCUMENTS}?primaryKey=isbn", json=body))
    assert client.get(f"{DOCUMENTS}/x").json() == body[0]


# Out


def test_documents_come_in_pages(films: TestClient) -> None:
    found = films.get(f"{DOCUMENTS}?limit=1&offset=1&fields=id,crew.director").json()
    assert found == {
        "results": [{"id": 2, "crew": {"director": "Pete"}}],
        "offset": 1,
        "limit": 1,
        "total": 3,
    }


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [1, 2, 3]),
        ({"filter": "year < 1990"}, [1, 3]),
        ({"filter": ["year < 1990", ["tags = sea", "year = 1"]]}, [3]),
        ({"sort": ["year:desc"]}, [2, 1, 3]),
        ({"ids": [3, "1"]}, [1, 3]),
        ({"ids": []}, []),
        ({"limit": 0}, []),
    ],
)
def test_fetch_takes_filter_order_and_ids(
    films: TestClient, asked: dict[str, Any], expected: list[int]
) -> None:
    assert ids(films.post(f"{DOCUMENTS}/fetch", json=asked)) == expected


def test_a_filter_in_an_address_may_be_an_array(films: TestClient) -> None:
    given = {"filter": '["year < 1990", ["tags = sea", "year = 1"]]'}
    assert ids(films.get(DOCUMENTS, params=given)) == [3]


def test_several_orders_may_stand_in_one_text(films: TestClient) -> None:
    succeeded(films, films.put("/indexes/films/settings/sortable-attributes", json=["year", "id"]))
    assert ids(films.get(f"{DOCUMENTS}?sort=year:asc, id:desc")) == [3, 1, 2]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"filter": "title = Up"}, "invalid_document_filter"),
        ({"filter": "year <"}, "invalid_document_filter"),
        ({"filter": 7}, "invalid_document_filter"),
        ({"filter": {"a": 1}}, "invalid_document_filter"),
        ({"sort": ["title:asc"]}, "invalid_document_sort"),
        ({"sort": ["year"]}, "invalid_document_sort"),
        ({"sort": "year:asc"}, "invalid_document_sort"),
        ({"limit": -1}, "invalid_document_limit"),
        ({"offset": "a"}, "invalid_document_offset"),
        ({"fields": "id"}, "invalid_document_fields"),
        ({"ids": [[1]]}, "invalid_document_id"),
        ({"retrieveVectors": 1}, "invalid_document_retrieve_vectors"),
        ({"page": 1}, "bad_request"),
    ],
)
def test_an_unfit_fetch_names_its_field(films: TestClient, asked: Any, code: str) -> None:
    assert refusal(films.post(f"{DOCUMENTS}/fetch", json=asked)) == (400, code)


def test_a_distinct_attribute_hides_no_document(films: TestClient) -> None:
    succeeded(films, films.put("/indexes/films/settings/distinct-attribute", json="tags"))
    assert films.get(DOCUMENTS).json()["total"] == 3


# Gone


@pytest.mark.parametrize(
    ("method", "path", "body", "left", "details"),
    [
        ("DELETE", "/2", None, [1, 3], (1, None, 1)),
        ("DELETE", "/99", None, [1, 2, 3], (1, None, 0)),
        ("POST", "/delete-batch", [1, "3", 77], [2], (3, None, 2)),
        ("POST", "/delete", {"filter": "year < 1990"}, [2], (0, "year < 1990", 2)),
        ("DELETE", "", None, [], (0, None, 3)),
    ],
)
def test_documents_are_deleted(
    films: TestClient, method: str, path: str, body: Any, left: list[int], details: Any
) -> None:
    task = succeeded(films, films.request(method, DOCUMENTS + path, json=body))
    assert ids(films.get(DOCUMENTS)) == left
    assert tuple(task["details"].values()) == details


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/delete-batch", {}, "bad_request"),
        ("/delete-batch", [[1]], "invalid_document_id"),
        ("/delete", {}, "missing_document_filter"),
        ("/delete", {"filter": ""}, "invalid_document_filter"),
        ("/delete", {"filter": "year <"}, "invalid_document_filter"),
    ],
)
def test_an_unfit_deletion_is_refused_at_once(
    films: TestClient, path: str, body: Any, code: str
) -> None:
    assert refusal(films.post(DOCUMENTS + path, json=body)) == (400, code)


def test_a_deletion_by_an_attribute_that_is_not_there_fails(films: TestClient) -> None:
    task = done(films, films.post(f"{DOCUMENTS}/delete", json={"filter": "yaer < 1990"}))
    assert task["error"]["code"] == "invalid_document_filter"
    assert films.get(DOCUMENTS).json()["total"] == 3


def test_documents_added_over_http_are_found_in_python(films: TestClient, memory: Database) -> None:
    assert memory.index("films").search("solaris").hits[0].id == 3


def test_documents_come_with_their_vectors(client: TestClient, memory: Database) -> None:
    own = {"source": "userProvided", "dimensions": 2}
    embedders = {"own": own, "letters": {"source": "function"}}
    memory.create_index("films", primary_key="id", settings={"embedders": embedders})
    films = [{"id": 1, "title": "Up", "_vectors": {"own": [1.0, 0.5]}}, {"id": 2, "title": "a"}]
    succeeded(client, client.post("/indexes/films/documents", json=films))
    one = client.get("/indexes/films/documents/1?retrieveVectors=true").json()
    assert one["_vectors"]["own"] == {"embeddings": [[1.0, 0.5]], "regenerate": False}
    assert one["_vectors"]["letters"]["regenerate"] is True
    assert len(one["_vectors"]["letters"]["embeddings"][0]) == 8
    asked = {"retrieveVectors": True, "fields": ["title"]}
    page = client.post("/indexes/films/documents/fetch", json=asked).json()["results"]
    assert [set(document) for document in page] == [{"title", "_vectors"}] * 2
    assert page[1]["_vectors"]["own"]["embeddings"] == []
    plain = client.get("/indexes/films/documents").json()["results"]
    assert "_vectors" not in plain[0]
