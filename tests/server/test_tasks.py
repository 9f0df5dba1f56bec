"""Tasks and batches over HTTP: listed by filters, canceled, deleted."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch import Database
from hybridsearch.arrays import Vectors
from hybridsearch.jsontext import loads
from hybridsearch.server import app_for
from tests.conftest import BY_MEANING, letters
from tests.server.conftest import done, refusal, succeeded
from tests.unit.embedding_service import running


def fill(db: Database) -> None:
    with TestClient(app_for(db)) as client:
        for uid in ("a", "b"):
            succeeded(client, client.post("/indexes", json={"uid": uid}))
        for number in (1, 2):
            succeeded(client, client.post("/indexes/a/documents", json=[{"id": number}]))
        done(client, client.post("/indexes/a/documents", json=[{"no": 1}]))
        succeeded(client, client.patch("/indexes/b/settings", json={"stopWords": ["the"]}))


FILLED = {"busy": fill}


@pytest.fixture
def busy(client: TestClient) -> TestClient:
    """Six tasks: 0 a made, 1 b made, 2 and 3 documents, 4 fails, 5 settings of b."""
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
        ("beforeStartedAt=*&afterFinishedAt=*", [5, 4, 3, 2, 1, 0]),
        ("types=dsrUpdate,dsrClear", []),
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
        "progressTrace": {},
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


@dataclass
class Held:
    """A server whose embedder waits, with two indexes: "slow" embeds, "other" does not.

    begun: an embedding has begun. release: it may end.
    """

    db: Database
    client: TestClient
    begun: threading.Event
    release: threading.Event

    def add(self, *ids: int, index: str = "slow") -> Any:
        body = [{"id": id_, "text": f"text {id_}"} for id_ in ids]
        return self.client.post(f"/indexes/{index}/documents", json=body)

    def cancel(self, *replies: Any) -> Any:
        uids = ",".join(str(reply.json()["taskUid"]) for reply in replies)
        return self.client.post(f"/tasks/cancel?uids={uids}")


@pytest.fixture
def held() -> Iterator[Held]:
    begun, release = threading.Event(), threading.Event()

    def slow(texts: Sequence[str]) -> Vectors:
        if texts:
            begun.set()
            assert release.wait(20)
        return letters(texts)

    with hybridsearch.open(default_embedder=None, functions={"letters": slow}) as db:
        db.create_index("slow", primary_key="id", settings=BY_MEANING)
        db.create_index("other", primary_key="id")
        release.set()
        db.index("slow").count()  # opens it, which asks the embedder for the length of its vectors
        release.clear()
        begun.clear()
        with TestClient(app_for(db)) as client:
            yield Held(db, client, begun, release)
            release.set()


def test_what_waits_and_what_is_in_hand_can_be_canceled(held: Held) -> None:
    first = held.add(1)
    assert held.begun.wait(20)
    waiting = held.add(1, index="other")
    asked = held.client.post("/tasks/cancel?statuses=enqueued,processing")
    held.release.set()
    cancelation = succeeded(held.client, asked)
    assert cancelation["details"]["matchedTasks"] == 2
    assert cancelation["details"]["canceledTasks"] == 2
    for reply, uid in ((first, "slow"), (waiting, "other")):
        canceled = done(held.client, reply)
        assert (canceled["status"], canceled["canceledBy"]) == ("canceled", cancelation["uid"])
        assert canceled["details"] == {"receivedDocuments": 1, "indexedDocuments": 0}
        assert held.db.index(uid).count() == 0
    succeeded(held.client, held.add(2))
    assert held.db.index("slow").search("text").total == 1


def test_a_batch_is_stopped_for_one_of_its_tasks_and_the_others_go_on(held: Held) -> None:
    held.release.set()
    succeeded(held.client, held.client.patch("/indexes/slow/settings", json={"stopWords": ["x"]}))
    held.release.clear()
    held.begun.clear()
    hold = held.client.put("/indexes/slow/settings/stop-words", json=["y"])
    run = [held.add(number) for number in (1, 2, 3)]
    assert held.begun.wait(20)
    shown = [held.client.get(f"/tasks/{r.json()['taskUid']}").json() for r in run]
    in_hand = [reply for reply, task in zip(run, shown, strict=True)
               if task["status"] == "processing"]  # fmt: skip
    asked = held.cancel(in_hand[-1])
    held.release.set()
    assert succeeded(held.client, asked)["details"]["canceledTasks"] == 1
    succeeded(held.client, hold)
    ended = {reply.json()["taskUid"]: done(held.client, reply)["status"] for reply in run}
    gone = in_hand[-1].json()["taskUid"]
    assert ended == {uid: "canceled" if uid == gone else "succeeded" for uid in ended}
    assert held.db.index("slow").count() == 2
    assert held.db.index("slow").search("text").total == 2


def test_settings_that_are_canceled_while_they_index_anew_change_nothing(held: Held) -> None:
    succeeded(held.client, held.add(1, 2, index="other"))
    embedders = {"embedders": {"letters": {"source": "function"}}}
    task = held.db.index("other").update_settings(embedders, wait=False)
    assert held.begun.wait(20)
    asked = held.client.post(f"/tasks/cancel?uids={task.uid}")
    held.release.set()
    assert succeeded(held.client, asked)["details"]["canceledTasks"] == 1
    assert held.client.get(f"/tasks/{task.uid}").json()["status"] == "canceled"
    assert held.db.index("other").settings.embedders == {}
    assert held.db.index("other").search("text").total == 2


def test_the_documents_of_a_task_can_be_read_until_it_has_ended(held: Held) -> None:
    held.add(1)
    assert held.begun.wait(20)
    body = b'[{"id": 7,\n "text": "a\\nb"}, {"id": 8}]'
    headers = {"Content-Type": "application/json"}
    adding = held.client.post("/indexes/other/documents", content=body, headers=headers)
    path = f"/tasks/{adding.json()['taskUid']}/documents"
    found = held.client.get(path)
    assert found.headers["Content-Type"].startswith("application/x-ndjson")
    assert [loads(line) for line in found.content.splitlines()] == loads(body)
    held.release.set()
    succeeded(held.client, adding)
    found = held.client.get(path)
    assert (found.status_code, found.json()["code"]) == (404, "task_file_not_found")


def test_a_batch_in_hand_tells_how_far_it_is(held: Held) -> None:
    adding = held.add(*range(3))
    assert held.begun.wait(20)
    task = held.client.get(f"/tasks/{adding.json()['taskUid']}").json()
    progress = held.client.get(f"/batches/{task['batchUid']}").json()["progress"]
    held.release.set()
    assert progress["steps"] == [{"currentStep": "embedding texts", "finished": 0, "total": 3}]
    assert 0 < progress["percentage"] < 100
    succeeded(held.client, adding)
    assert held.client.get(f"/batches/{task['batchUid']}").json()["progress"] is None


# What was wrong with which document


def test_a_task_reports_every_unfit_document(client: TestClient) -> None:
    bodies = [
        {"id": 1, "title": "fit"},
        {"title": "no id"},
        {"id": [2]},
        {"id": "x", "_vectors": {"own": ["a"]}},
        {"id": 3},
    ]
    task = done(client, client.post("/indexes/films/documents?primaryKey=id", json=bodies))
    assert (task["status"], task["error"]["code"]) == ("failed", "missing_document_id")
    assert task["error"]["message"].endswith("; 2 more documents are unfit")
    report = client.get(f"/tasks/{task['uid']}/errors").json()
    assert (report["total"], report["limit"]) == (3, 100)
    told = [(one["position"], one["id"], one["field"], one["code"]) for one in report["results"]]
    assert told == [
        (1, None, "id", "missing_document_id"),
        (2, None, "id", "invalid_document_id"),
        (3, "x", "_vectors.own", "invalid_vector_dimensions"),
    ]
    assert client.get("/indexes/films/documents").json()["total"] == 0


def test_a_report_is_cut_and_counts_all(client: TestClient) -> None:
    bodies = [{"no": number} for number in range(250)]
    task = done(client, client.post("/indexes/films/documents?primaryKey=id", json=bodies))
    report = client.get(f"/tasks/{task['uid']}/errors").json()
    assert [one["position"] for one in report["results"]] == list(range(100))
    assert report["total"] == 250


def test_documents_that_an_embedder_refuses_are_reported_with_their_places() -> None:
    with (
        running() as service,
        hybridsearch.open(allowed_networks=["loopback"]) as db,
        TestClient(app_for(db)) as client,
    ):
        mine = {"source": "textEmbeddingsInference", "url": service.url + "/embed"}
        db.create_index("films", primary_key="id", settings={"embedders": {"mine": mine}})
        service.poison = {"film 3", "film 4100"}
        films = [{"id": n, "title": f"film {n}"} for n in range(4200)]
        task = done(client, client.post("/indexes/films/documents", json=films))
        report = client.get(f"/tasks/{task['uid']}/errors").json()
        told = [(one["position"], one["id"], one["code"]) for one in report["results"]]
        assert told == [
            (3, "3", "vector_embedding_error"),
            (4100, "4100", "vector_embedding_error"),
        ]
        assert "HTTP 400" in report["results"][0]["message"]
        assert (report["total"], db.index("films").count()) == (2, 0)


def test_a_task_that_went_well_has_nothing_to_report(busy: TestClient) -> None:
    assert busy.get("/tasks/2/errors").json() == {"results": [], "limit": 100, "total": 0}
    assert refusal(busy.get("/tasks/99/errors")) == (404, "task_not_found")
