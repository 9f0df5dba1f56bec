"""Dumps and snapshots hold everything, webhooks are told, figures can be read."""

from __future__ import annotations

import gzip
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch.server import app_for
from tests.conftest import letters
from tests.server.conftest import MASTER, done, refusal, succeeded

FILMS = [
    {"id": 1, "title": "Alien", "_vectors": {"mine": [1.0, 0.5]}},
    {"id": 2, "title": "Up", "price": 1.5},
]
SETTINGS = {
    "searchableAttributes": ["title"],
    "embedders": {"mine": {"source": "userProvided", "dimensions": 2}},
}


@pytest.fixture
def served(path: Path) -> Iterator[TestClient]:
    """A server over a database in a file, with two films."""
    with (
        hybridsearch.open(path, default_embedder=None) as db,
        TestClient(app_for(db, master_key=MASTER, allowed_networks=["loopback"])) as client,
    ):
        client.headers["Authorization"] = f"Bearer {MASTER}"
        succeeded(client, client.patch("/indexes/films/settings", json=SETTINGS))
        succeeded(client, client.post("/indexes/films/documents", json=FILMS))
        yield client


def test_a_dump_can_be_taken_in_again(served: TestClient, path: Path, tmp_path: Path) -> None:
    task = succeeded(served, served.post("/dumps"))
    dump = path.with_name(f"{path.name}.dumps") / f"{task['details']['dumpUid']}.dump"
    with tarfile.open(dump) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    assert json.loads((tmp_path / "out/metadata.json").read_text())["dumpVersion"] == "V6"
    assert len((tmp_path / "out/keys.jsonl").read_text().splitlines()) == 4
    place = tmp_path / "out/indexes/films"
    assert json.loads((place / "metadata.json").read_text())["primaryKey"] == "id"
    settings = json.loads((place / "settings.json").read_text())
    with hybridsearch.open(default_embedder=None, functions={"letters": letters}) as db:
        films = db.create_index("films", primary_key="id", settings=settings)
        films.add(place / "documents.jsonl")
        assert films.get(2) == FILMS[1]
        assert films.search(mode="semantic", vector=[1.0, 0.5]).hits[0].id == 1
        assert films.settings.searchable_attributes == ("title",)


def test_a_snapshot_is_a_database_as_it_stands(served: TestClient, path: Path) -> None:
    assert succeeded(served, served.post("/snapshots"))["type"] == "snapshotCreation"
    succeeded(served, served.delete("/indexes/films/documents/1"))
    succeeded(served, served.post("/snapshots"))
    copy = path.with_name(f"{path.name}.snapshots") / path.name
    with hybridsearch.open(copy, default_embedder=None) as db:
        assert db.index("films").search("up").total == 1
        assert db.index("films").count() == 1
        assert [task.status for task in db.tasks()] == ["succeeded"] * 4
    assert sorted(file.name for file in copy.parent.iterdir() if file.is_file()) == [path.name]


@pytest.mark.parametrize("address", ["/dumps", "/snapshots"])
def test_a_database_in_memory_has_nowhere_to_put_them(client: TestClient, address: str) -> None:
    task = done(client, client.post(address))
    assert (task["status"], task["error"]["code"]) == ("failed", "bad_request")


# Webhooks


@pytest.fixture
def hook() -> Iterator[Callable[[int], tuple[str, Queue[Any]]]]:
    """Makes servers that take webhooks: the first answers with the given status, then 204."""
    servers: list[HTTPServer] = []

    def make(status: int) -> tuple[str, Queue[Any]]:
        got: Queue[Any] = Queue()
        statuses = [status]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got.put((dict(self.headers), body))
                self.send_response(statuses.pop() if statuses else 204)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Keep stderr clean."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/hook", got

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [204, 500])
def test_a_webhook_hears_of_finished_tasks(
    served: TestClient, hook: Callable[[int], tuple[str, Queue[Any]]], status: int
) -> None:
    url, got = hook(status)
    served.post("/webhooks", json={"url": url, "headers": {"X-Secret": "abc"}})
    task = succeeded(served, served.post("/indexes/films/documents", json=[{"id": 3}]))
    headers, body = got.get(timeout=20)
    if status == 500:
        assert got.get(timeout=20)[1] == body
    assert headers["X-Secret"] == "abc"
    assert headers["Content-Type"] == "application/x-ndjson"
    told = [json.loads(line) for line in gzip.decompress(body).splitlines()]
    assert task in told


def test_a_webhook_in_a_private_network_is_not_called(
    client: TestClient, hook: Callable[[int], tuple[str, Queue[Any]]], caplog: Any
) -> None:
    url, got = hook(204)
    client.post("/webhooks", json={"url": url})
    succeeded(client, client.post("/indexes", json={"uid": "a"}))
    for _ in range(200):
        if "not told" in caplog.text:
            break
        threading.Event().wait(0.05)
    assert "not an address of the public internet" in caplog.text
    assert got.empty()


# Figures


def test_figures_for_monitoring(served: TestClient) -> None:
    served.get("/indexes/films")
    served.get("/indexes/none")
    text = served.get("/metrics").text
    path = 'path="/indexes/{uid}"'
    assert f'meilisearch_http_requests_total{{method="GET",{path},status="200"}} 1.0' in text
    assert f'meilisearch_http_requests_total{{method="GET",{path},status="404"}} 1.0' in text
    assert 'meilisearch_index_docs_count{index="films"} 2.0' in text
    assert 'meilisearch_nb_tasks{kind="statuses",value="succeeded"} 2.0' in text
    del served.headers["Authorization"]
    assert refusal(served.get("/metrics")) == (401, "missing_authorization_header")
