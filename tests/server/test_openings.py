"""While an index is made anew, people are told so; nothing else waits for it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch.course import Step
from hybridsearch.errors import DatabaseClosed
from hybridsearch.openings import Openings
from hybridsearch.server import app_for
from tests.conftest import letters
from tests.server.live import held_up


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for an index."""
    for module in ("call", "stats"):
        monkeypatch.setattr(f"hybridsearch.server.{module}.PATIENCE", 0.05)


def test_a_search_is_told_how_far_the_index_is(tmp_path: Path) -> None:
    with held_up(tmp_path / "a.duckdb") as (db, go_on), TestClient(app_for(db)) as client:
        steps = (db.opening("films", 0.05) for _ in range(400))
        assert any(one and one[0].total for one in steps)  # it has said where it is
        found = client.post("/indexes/films/search", json={"q": "film"})
        assert (found.status_code, found.headers["Retry-After"]) == (503, "1")
        assert found.json()["code"] == "index_not_ready"
        assert "indexing anew, 0 of 3 documents" in found.json()["message"]
        go_on.set()
        assert db.opening("films", 20) is None
        found = client.post("/indexes/films/search", json={"q": "film"})
        assert len(found.json()["hits"]) == 3


def test_nothing_else_waits_for_an_index_that_is_made_anew(tmp_path: Path) -> None:
    with held_up(tmp_path / "a.duckdb") as (db, _), TestClient(app_for(db)) as client:
        for path in ("/indexes/films/search?q=film", "/multi-search", "/indexes/films/documents"):
            method = "POST" if path == "/multi-search" else "GET"
            body = {"queries": [{"indexUid": "films"}]} if method == "POST" else None
            assert client.request(method, path, json=body).status_code == 503
        assert client.get("/health").json() == {"status": "available"}
        assert client.get("/indexes/films/settings").status_code == 200
        films = client.get("/stats").json()["indexes"]["films"]
        assert (films["numberOfDocuments"], films["isIndexing"]) == (3, True)
        assert 'meilisearch_index_docs_count{index="films"} 3' in client.get("/metrics").text
        added = client.post("/indexes/films/documents", json=[{"id": 9, "title": "More"}])
        assert added.status_code == 202


def test_a_database_that_is_closed_meanwhile_is_whole_when_it_is_opened_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.duckdb"
    with held_up(path) as (db, _):
        assert db.opening("films", 0.2) is not None
        db.index("films").add([{"id": 9, "title": "Film 9"}], wait=False)
    with hybridsearch.open(path, functions={"letters": letters}) as db:
        assert db.opening("films", 20) is None
        assert db.index("films").search("film").total >= 3


def test_what_fails_is_told_to_all_who_wait_and_tried_again() -> None:
    tried: list[str] = []

    def fail(uid: str) -> None:
        tried.append(uid)
        raise LookupError(uid)

    openings = Openings(fail)
    for _ in range(2):
        with pytest.raises(LookupError):
            openings.wait("films", 10)
    assert tried == ["films", "films"]


def test_closing_stops_what_is_under_way() -> None:
    ready = threading.Event()

    def work(uid: str) -> None:
        ready.set()
        while True:
            openings.course(uid).at("indexing anew", 1, 2)

    openings = Openings(work)
    assert openings.wait("films", 0) is not None
    assert ready.wait(10)
    steps = openings.wait("films", 0.05)
    assert steps in ((Step("opening the index"),), (Step("indexing anew", 1, 2),))
    openings.close()
    with pytest.raises(DatabaseClosed):
        openings.wait("films", 1)
