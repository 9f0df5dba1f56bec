"""Tasks and batches over HTTP: listed by filters, canceled, deleted."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch.arrays import Vectors
from hybridsearch.server import app_for
from tests.conftest import BY_MEANING, letters
from tests.server.conftest import done, refusal, succeeded


@pytest.fixture
def busy(client: TestClient) -> TestClient:
    """Six tasks: 0 a made, 1 b made, 2 and 3 documents, 4 fails, 5 settings of b."""
    for uid in ("a", "b"):
        succeeded(client, client.post("/indexes", json={"uid": uid}))
    for number in (1, 2):
        succeeded(client, client.post("/indexes/a/documents", json=[{"id": number}]))
    done(client, client.post("/indexes/a/documents", json=[{"no": 1}]))
    succeeded(client, client.patch("/indexes/b/settings", json={"stopWords": ["the"]}))
    return client


def uids(reply: Any) -> list[int]:
    return [one["uid"] for one in reply.json()["results"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [5, 4, 3, 2, 1, 0]),
        ("limit=2", [5, 4]),
        ("limit=2&from=3", [3, 2]),
        ("reverse=true&limit=2", [0, 1]),
        ("reverse=true&from=4", [4, 5]),
        ("statuses=failed", [4]),
        ("statuses=FAILED,canceled", [4]),
        ("types=indexCreation,settingsUpdate", [5, 1, 0]),
        ("types=*", [5, 4, 3, 2, 1, 0]),
        ("indexUids=b", [5, 1]),
        ("uids=1,4,99", [4, 1]),
        ("batchUids=0", [0]),
        ("canceledBy=1", []),
        ("beforeEnqueuedAt=2042-04-02T00:42:42Z", [5, 4, 3, 2, 1, 0]),
        ("afterFinishedAt=2042-04-02", []),
        ("beforeStartedAt=2000-01-01", []),
        ("afterEnqueuedAt=2000-01-01T00:00:00%2B02:00&statuses=failed", [4]),
    ],
)
def test_tasks_are_listed_by_filters(busy: TestClient, query: str, expected: list[int]) -> None:
    assert uids(busy.get(f"/tasks?{query}")) == expected


def test_a_page_of_tasks_says_where_the_next_begins(busy: TestClient) -> None:
    found = busy.get("/tasks?limit=2&indexUids=a").json()
    figures = {name: found[name] for name in ("total", "limit", "from", "next")}
    assert figures == {"total": 4, "limit": 2, "from": 4, "next": 2}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("uids=x", "invalid_task_uids"),
        ("uids=1,-2", "invalid_task_uids"),
        ("batchUids=x", "invalid_batch_uids"),
        ("statuses=done", "invalid_task_statuses"),
        ("types=indexing", "invalid_task_types"),
        ("canceledBy=x", "invalid_task_canceled_by"),
        ("limit=-1", "invalid_task_limit"),
        ("from=x", "invalid_task_from"),
        ("reverse=yes", "invalid_task_reverse"),
        ("beforeEnqueuedAt=yesterday", "invalid_task_before_enqueued_at"),
        ("afterFinishedAt=9999-12-31", "invalid_task_after_finished_at"),
        ("color=red", "bad_request"),
    ],
)
def test_unfit_filters_are_refused(client: TestClient, query: str, code: str) -> None:
    assert refusal(client.get(f"/tasks?{query}")) == (400, code)


def test_a_task_shows_what_went_wrong(busy: TestClient) -> None:
    task = busy.get("/tasks/4").json()
    error = task["error"]
    assert (error["code"], error["type"], error["position"]) == (
        "missing_document_id",
        "invalid_request",
        0,
    )
    assert error["link"].endswith("#missing_document_id")
    assert task["startedAt"] <= task["finishedAt"]


def test_an_absent_task_is_not_found(client: TestClient) -> None:
    assert refusal(client.get("/tasks/7")) == (404, "task_not_found")
    assert refusal(client.get("/tasks/abc")) == (400, "invalid_task_uids")
    assert refusal(client.get("/batches/7")) == (404, "batch_not_found")


def test_batches_tell_of_their_tasks(busy: TestClient) -> None:
    found = busy.get("/batches?reverse=true").json()
    assert [batch["uid"] for batch in found["results"]] == [0, 1, 2, 3, 4, 5]
    batch = busy.get("/batches/2").json()
    assert batch["details"] == {"receivedDocuments": 1, "indexedDocuments": 1}
    assert batch["stats"] == {
        "totalNbTasks": 1,
        "status": {"succeeded": 1},
        "types": {"documentAdditionOrUpdate": 1},
        "indexUids": {"a": 1},
    }
    assert batch["progress"] is None
    assert batch["duration"].startswith("PT")


def test_finished_tasks_can_be_forgotten(busy: TestClient) -> None:
    task = succeeded(busy, busy.delete("/tasks?statuses=succeeded,failed&indexUids=a"))
    assert task["details"] == {
        "matchedTasks": 4,
        "deletedTasks": 4,
        "originalFilter": "?statuses=succeeded,failed&indexUids=a",
    }
    assert uids(busy.get("/tasks")) == [6, 5, 1]


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/tasks"), ("POST", "/tasks/cancel")])
def test_all_tasks_are_not_meant_by_saying_nothing(
    client: TestClient, method: str, path: str
) -> None:
    assert refusal(client.request(method, path)) == (400, "missing_task_filters")


def test_tasks_that_wait_can_be_canceled() -> None:
    begun, release = threading.Event(), threading.Event()

    def slow(texts: Sequence[str]) -> Vectors:
        begun.set()
        assert release.wait(20)
        return letters(texts)

    with hybridsearch.open(default_embedder=None, functions={"letters": slow}) as db:
        db.create_index("slow", primary_key="id", settings=BY_MEANING)
        db.create_index("other", primary_key="id")
        with TestClient(app_for(db)) as client:
            running = client.post("/indexes/slow/documents", json=[{"id": 1, "text": "a"}])
            assert begun.wait(20)
            waiting = client.post("/indexes/other/documents", json=[{"id": 1}])
            shown = client.get(f"/tasks/{running.json()['taskUid']}").json()
            progress = client.get(f"/batches/{shown['batchUid']}").json()["progress"]
            asked = client.post("/tasks/cancel?statuses=enqueued,processing")
            release.set()
            cancelation = succeeded(client, asked)
            assert shown["status"] == "processing"
            assert progress["percentage"] == 0.0
            assert cancelation["details"]["matchedTasks"] == 2
            assert cancelation["details"]["canceledTasks"] == 1
            assert succeeded(client, running)["status"] == "succeeded"
            canceled = done(client, waiting)
            assert (canceled["status"], canceled["canceledBy"]) == ("canceled", cancelation["uid"])
            assert canceled["details"] == {"receivedDocuments": 1, "indexedDocuments": 0}
            assert db.index("other").count() == 0
