"""Programs that speak to Elasticsearch write here: each operation has its result."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch, helpers
from starlette.testclient import TestClient

from hybridsearch import Database, Index
from hybridsearch.server import app_for
from tests.server.live import served

Line = dict[str, Any]


def bulk(client: TestClient, *lines: Line, path: str = "/_bulk") -> Any:
    body = "\n".join(json.dumps(line) for line in lines) + "\n"
    answer = client.post(path, content=body, headers={"Content-Type": "application/x-ndjson"})
    assert answer.headers["x-elastic-product"] == "Elasticsearch"
    return answer.json()


def results(answer: Any) -> list[tuple[Any, ...]]:
    """(kind, id, status, result or type of error) of each item."""
    found = []
    for item in answer["items"]:
        [(kind, result)] = item.items()
        told = result.get("result") or result["error"]["type"]
        found.append((kind, result["_id"], result["status"], told))
    return found


def titles(index: Index) -> dict[str, Any]:
    hits = index.search(limit=100).hits
    return {str(hit.id): hit.document.get("title") for hit in hits}


def test_every_kind_of_operation(client: TestClient, movies: Index) -> None:
    answer = bulk(
        client,
        {"index": {"_index": "movies", "_id": "1"}},
        {"title": "Alien, again"},
        {"index": {"_index": "movies", "_id": 9}},
        {"title": "Nine"},
        {"create": {"_index": "movies", "_id": "2"}},
        {"title": "Up, again"},
        {"create": {"_index": "movies", "_id": "10"}},
        {"title": "Ten"},
        {"update": {"_index": "movies", "_id": "3"}},
        {"doc": {"year": 2000}},
        {"update": {"_index": "movies", "_id": "404"}},
        {"doc": {"year": 2000}},
        {"update": {"_index": "movies", "_id": "11"}},
        {"doc": {"title": "Eleven"}, "doc_as_upsert": True},
        {"update": {"_index": "movies", "_id": "12"}},
        {"doc": {"title": "no"}, "upsert": {"title": "Twelve"}},
        {"delete": {"_index": "movies", "_id": "4"}},
        {"delete": {"_index": "movies", "_id": "404"}},
    )
    assert answer["errors"] is True
    assert results(answer) == [
        ("index", "1", 200, "updated"),
        ("index", "9", 201, "created"),
        ("create", "2", 409, "version_conflict_engine_exception"),
        ("create", "10", 201, "created"),
        ("update", "3", 200, "updated"),
        ("update", "404", 404, "document_missing_exception"),
        ("update", "11", 201, "created"),
        ("update", "12", 201, "created"),
        ("delete", "4", 200, "deleted"),
        ("delete", "404", 404, "not_found"),
    ]
    assert titles(movies) == {
        **{"1": "Alien, again", "2": "Up", "3": "Aliens"},
        **{"9": "Nine", "10": "Ten", "11": "Eleven", "12": "Twelve"},
    }
    assert movies.get("3")["year"] == 2000


def test_operations_on_one_document_are_done_in_order(client: TestClient, movies: Index) -> None:
    one = {"_index": "movies", "_id": "7"}
    answer = bulk(
        client,
        {"create": one}, {"title": "a"},
        {"delete": one},
        {"index": one}, {"title": "b"},
        {"create": one}, {"title": "c"},
        {"update": one}, {"doc": {"title": "d"}},
    )  # fmt: skip
    assert [told for *_, told in results(answer)] == [
        "created", "deleted", "created", "version_conflict_engine_exception", "updated"
    ]  # fmt: skip
    assert movies.get("7") == {"id": "7", "title": "d"}


def test_missing_index_is_made(client: TestClient, memory: Database) -> None:
    answer = bulk(client, {"index": {"_id": "x"}}, {"id": 5, "title": "a"}, path="/logs/_bulk")
    assert answer["errors"] is False
    assert memory.index("logs").primary_key == "_id"
    assert memory.index("logs").get("x") == {"_id": "x", "id": 5, "title": "a"}


def test_names_with_dates_are_those_of_log_senders(client: TestClient, memory: Database) -> None:
    name = "vector-2026.11.22"
    line = {"index": {"_index": name, "_id": "x"}}
    assert bulk(client, line, {"message": "disk full"})["errors"] is False
    found = client.post(f"/indexes/{name}/search", json={"q": "disk"}).json()
    assert [hit["_id"] for hit in found["hits"]] == ["x"]
    counted = client.post("/sql", json={"sql": f'SELECT message FROM "{name}"'}).json()
    assert counted["rows"] == [["disk full"]]


def test_document_without_id_gets_one(client: TestClient, memory: Database) -> None:
    answer = bulk(client, {"index": {}}, {"title": "a"}, {"index": {}}, {"title": "b"},
                  path="/logs/_bulk")  # fmt: skip
    first, second = (item["index"]["_id"] for item in answer["items"])
    assert first != second
    assert memory.index("logs").get(first)["title"] == "a"


def test_document_says_its_own_id(client: TestClient, movies: Index) -> None:
    answer = bulk(client, {"index": {"_index": "movies"}}, {"id": 1, "title": "First"})
    assert results(answer) == [("index", "1", 200, "updated")]


def test_unfit_documents_spoil_no_others(client: TestClient, hybrid_movies: Index) -> None:
    unfit: dict[int, Line] = {2: {"_vectors": {"letters": [1, 2]}}, 5: {"_vectors": "x"}}
    lines: list[Line] = []
    for number in range(8):
        document: Line = {"title": f"t{number}"} | unfit.get(number, {})
        lines += [{"index": {"_id": f"n{number}"}}, document]
    answer = bulk(client, *lines, path="/hybrid/_bulk")
    statuses = [status for _, _, status, _ in results(answer)]
    assert statuses == [201, 201, 400, 201, 201, 400, 201, 201]
    assert sorted(key for key in titles(hybrid_movies) if key.startswith("n")) == [
        "n0", "n1", "n3", "n4", "n6", "n7"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([{"index": {"_index": ".b", "_id": "1"}}, {}], "invalid_index_name_exception"),
        ([{"delete": {"_index": "none", "_id": "1"}}], "index_not_found_exception"),
        ([{"index": {"_index": "movies", "_id": ""}}, {}], "illegal_argument_exception"),
        ([{"index": {"_index": "movies", "_id": "1"}}, {"id": 2}], "illegal_argument_exception"),
        ([{"update": {"_index": "movies", "_id": "1"}}, {"script": "x"}],
         "illegal_argument_exception"),
    ],
)  # fmt: skip
def test_operation_that_cannot_be(
    client: TestClient, movies: Index, lines: list[Line], told: str
) -> None:
    answer = bulk(client, *lines)
    assert (answer["errors"], results(answer)[0][3]) == (True, told)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"{",
        b"[]",
        b'{"index": {"_index": "a"}}',
        b'{"index": {}}\n{}\n',
        b'{"upsert": {"_index": "a"}}\n{}\n',
        b'{"index": {"_index": "a"}, "delete": {}}\n{}\n',
        b'{"delete": {"_index": "a"}}\n',
        b'{"index": {"_index": "a", "_id": []}}\n{}\n',
        b'{"index": {"_index": "a"}}\n[1]\n',
        b'{"index": {"_index": 5}}\n{}\n',
        b"\xff\xfe",
    ],
)
def test_malformed_body_is_refused_whole(client: TestClient, memory: Database, body: bytes) -> None:
    answer = client.post("/_bulk", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "illegal_argument_exception"
    assert memory.indexes() == []


def test_key_is_needed(locked: Callable[[str | None], TestClient]) -> None:
    line = '{"delete": {"_index": "a", "_id": "1"}}\n'
    headers = {"Content-Type": "application/x-ndjson"}
    assert locked(None).post("/_bulk", content=line, headers=headers).status_code == 401
    assert locked("wrong").post("/_bulk", content=line, headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("ApiKey masterKey", 200),
        ("Basic bWU6bWFzdGVyS2V5", 200),  # me:masterKey
        ("Basic bWU6d3Jvbmc=", 403),  # me:wrong
        ("Basic bWU=", 401),
        ("Basic me:masterKey", 401),
        ("Basic /v8=", 401),
        ("Digest masterKey", 401),
    ],
)
def test_a_key_comes_as_log_senders_send_it(
    locked: Callable[[str | None], TestClient], authorization: str, status: int
) -> None:
    line = '{"index": {"_index": "logs", "_type": "_doc"}}\n{"line": "disk full"}\n'
    headers = {"Content-Type": "application/x-ndjson", "Authorization": authorization}
    reply = locked(None).post("/_bulk?timeout=60s", content=line, headers=headers)
    assert reply.status_code == status


def test_browser_gets_the_page_and_a_program_the_banner(client: TestClient) -> None:
    page = client.get("/", headers={"Accept": "text/html,application/xml;q=0.9,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    asked = client.build_request("GET", "/")
    del asked.headers["Accept"]  # as Vector asks for the version
    for banner in (client.get("/", headers={"Accept": "application/json"}), client.send(asked)):
        assert banner.headers["x-elastic-product"] == "Elasticsearch"
        assert banner.json()["version"]["number"].startswith("8.")


# The official client


@pytest.fixture
def elastic(memory: Database) -> Iterator[Elasticsearch]:
    with served(app_for(memory, master_key="masterKey")) as url:
        client = Elasticsearch(url, bearer_auth="masterKey", max_retries=0)
        yield client
        client.close()


def test_official_client_knows_the_server(elastic: Elasticsearch) -> None:
    assert elastic.info()["tagline"] == "You Know, for Search"
    assert elastic.cluster.health()["status"] == "green"


def test_bulk_helper_of_the_official_client(elastic: Elasticsearch, memory: Database) -> None:
    actions = ({"_index": "films", "_id": str(n), "title": f"film {n}"} for n in range(1200))
    assert helpers.bulk(elastic, actions, chunk_size=500) == (1200, [])
    assert memory.index("films").count() == 1200


def test_streaming_helper_reports_what_failed(elastic: Elasticsearch, memory: Database) -> None:
    memory.create_index("films", primary_key="_id").add([{"_id": "1", "title": "a"}])
    actions: list[Line] = [
        {"_op_type": "create", "_index": "films", "_id": "1", "title": "b"},
        {"_op_type": "update", "_index": "films", "_id": "1", "doc": {"year": 1979}},
        {"_op_type": "delete", "_index": "films", "_id": "2"},
    ]
    found = list(helpers.streaming_bulk(elastic, actions, raise_on_error=False))
    assert [ok for ok, _ in found] == [False, True, False]
    assert memory.index("films").get("1") == {"_id": "1", "title": "a", "year": 1979}
