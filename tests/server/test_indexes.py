"""Indexes over HTTP: made, listed, renamed, exchanged, compacted, removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch import Database
from hybridsearch.server import app_for
from tests.server.conftest import done, refusal, succeeded


def make(client: TestClient, uid: str, *documents: dict[str, Any], **more: Any) -> None:
    succeeded(client, client.post("/indexes", json={"uid": uid, **more}))
    if documents:
        succeeded(client, client.post(f"/indexes/{uid}/documents", json=list(documents)))


def names(client: TestClient) -> list[str]:
    return [index["uid"] for index in client.get("/indexes").json()["results"]]


def test_an_index_is_made_by_a_task(client: TestClient) -> None:
    reply = client.post("/indexes", json={"uid": "films", "primaryKey": "key"})
    accepted = reply.json()
    assert reply.status_code == 202
    assert (accepted["taskUid"], accepted["indexUid"]) == (0, "films")
    assert (accepted["status"], accepted["type"]) == ("enqueued", "indexCreation")
    assert succeeded(client, reply)["details"] == {"primaryKey": "key"}
    found = client.get("/indexes/films").json()
    assert (found["uid"], found["primaryKey"]) == ("films", "key")
    assert found["createdAt"].endswith("Z")


def test_indexes_come_in_pages_by_name(client: TestClient) -> None:
    for uid in ("c", "a", "b"):
        make(client, uid)
    found = client.get("/indexes?offset=1&limit=1").json()
    assert [index["uid"] for index in found["results"]] == ["b"]
    assert (found["offset"], found["limit"], found["total"]) == (1, 1, 3)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_index_uid"),
        ({"uid": "a b"}, "invalid_index_uid"),
        ({"uid": 7}, "invalid_index_uid"),
        ({"uid": "a" * 401}, "invalid_index_uid"),
        ({"uid": "a", "primaryKey": ""}, "invalid_index_primary_key"),
        ({"uid": "a", "primaryKey": 7}, "invalid_index_primary_key"),
        ({"uid": "a", "key": "id"}, "bad_request"),
        ([], "bad_request"),
    ],
)
def test_an_unfit_index_is_refused_at_once(client: TestClient, body: Any, code: str) -> None:
    assert refusal(client.post("/indexes", json=body)) == (400, code)


def test_no_index_is_given_a_primary_key_without_a_name(client: TestClient) -> None:
    succeeded(client, client.post("/indexes", json={"uid": "films"}))
    asked = client.patch("/indexes/films", json={"primaryKey": ""})
    assert refusal(asked) == (400, "invalid_index_primary_key")
    asked = client.post("/indexes/films/documents?primaryKey=", json=[{"id": 1}])
    assert refusal(asked) == (400, "invalid_index_primary_key")


def test_a_name_is_taken_once(client: TestClient) -> None:
    make(client, "films")
    task = done(client, client.post("/indexes", json={"uid": "films"}))
    assert (task["status"], task["error"]["code"]) == ("failed", "index_already_exists")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_absent_index_is_not_found(client: TestClient, method: str) -> None:
    path = "/indexes/none" if method == "GET" else "/indexes/none/compact"
    assert refusal(client.request(method, path)) == (404, "index_not_found")


def test_an_index_takes_another_name_and_keeps_its_documents(
    client: TestClient, memory: Database
) -> None:
    make(client, "old", {"id": 1, "title": "Up"})
    succeeded(client, client.patch("/indexes/old", json={"uid": "new"}))
    assert names(client) == ["new"]
    assert memory.index("new").search("up").total == 1
    assert memory.connect().sql("SELECT title FROM new").fetchall() == [("Up",)]


def test_a_primary_key_changes_only_while_there_are_no_documents(client: TestClient) -> None:
    make(client, "films")
    succeeded(client, client.patch("/indexes/films", json={"primaryKey": "key"}))
    succeeded(client, client.post("/indexes/films/documents", json=[{"key": 1}]))
    task = done(client, client.patch("/indexes/films", json={"primaryKey": "other"}))
    assert task["error"]["code"] == "index_primary_key_already_exists"


def test_indexes_exchange_their_names_all_at_once(client: TestClient, memory: Database) -> None:
    make(client, "a", {"id": 1, "title": "in a"})
    make(client, "b", {"id": 1, "price": 5})
    make(client, "c", {"id": 1, "title": "in c"})
    swaps = [{"indexes": ["a", "b"]}, {"indexes": ["c", "d"], "rename": True}]
    task = succeeded(client, client.post("/swap-indexes", json=swaps))
    assert task["details"]["swaps"][1] == {"indexes": ["c", "d"], "rename": True}
    assert names(client) == ["a", "b", "d"]
    assert client.get("/indexes/b/documents/1").json() == {"id": 1, "title": "in a"}
    assert memory.connect().sql("SELECT price FROM a").fetchall() == [(5,)]
    assert memory.index("d").search("in").total == 1


def test_a_swap_with_what_is_not_there_changes_nothing(client: TestClient) -> None:
    make(client, "a")
    make(client, "b")
    swaps = [{"indexes": ["a", "new"], "rename": True}, {"indexes": ["b", "none"]}]
    task = done(client, client.post("/swap-indexes", json=swaps))
    assert task["error"]["code"] == "index_not_found"
    assert names(client) == ["a", "b"]


@pytest.mark.parametrize(
    ("swaps", "code"),
    [
        ([{"indexes": ["a", "a"]}], "invalid_swap_duplicate_index_found"),
        ([{"indexes": ["a"]}], "invalid_swap_indexes"),
        ([{"indexes": ["a", "b c"]}], "invalid_index_uid"),
        ([{}], "missing_swap_indexes"),
        ([{"indexes": ["a", "b"], "rename": 1}], "invalid_swap_rename"),
        ({}, "bad_request"),
    ],
)
def test_an_unfit_swap_is_refused_at_once(client: TestClient, swaps: Any, code: str) -> None:
    assert refusal(client.post("/swap-indexes", json=swaps)) == (400, code)


def test_a_removed_index_is_gone_with_its_documents(client: TestClient, memory: Database) -> None:
    make(client, "films", {"id": 1}, {"id": 2})
    assert succeeded(client, client.delete("/indexes/films"))["details"] == {"deletedDocuments": 2}
    assert names(client) == []
    assert done(client, client.delete("/indexes/films"))["error"]["code"] == "index_not_found"


def test_compacting_keeps_the_documents(client: TestClient, memory: Database) -> None:
    make(client, "films", {"id": 1, "title": "Up"})
    assert succeeded(client, client.post("/indexes/films/compact"))["type"] == "indexCompaction"
    assert memory.index("films").search("up").total == 1


def test_compacting_tells_the_size_of_the_files_before_and_after(tmp_path: Path) -> None:
    with hybridsearch.open(tmp_path / "shop.duckdb") as db, TestClient(app_for(db)) as client:
        make(client, "films", {"id": 1, "title": "Up"})
        details = succeeded(client, client.post("/indexes/films/compact"))["details"]
    assert list(details) == ["preCompactionSize", "postCompactionSize"]
    assert all(size.endswith((" B", "KiB")) and float(size.split()[0]) for size in details.values())
