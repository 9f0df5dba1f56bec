"""What does a search answer while the service that embeds its text is down, slow or wrong?"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch.arms import arm_reports, usual_run
from hybridsearch.arrays import Vectors
from hybridsearch.cli import commands
from hybridsearch.errors import EmbedderError
from hybridsearch.request import SearchResult
from hybridsearch.server import app_for
from tests.conftest import letters
from tests.unit.embedding_service import Answer, Embedding, running


@pytest.fixture
def service() -> Iterator[Embedding]:
    with running() as service:
        yield service


def settings_of(service: Embedding) -> dict[str, Any]:
    given = {"source": "textEmbeddingsInference", "url": service.url + "/embed"}
    return {"embedders": {"mine": given}}


SOON = 0.2
GONE = Answer(status=500, body=b"down")
WAYS = {
    "down": [GONE] * 4,
    "no vectors": [Answer(body=b'{"error": "no"}')] * 4,
    "NaN": [Answer(body=b"[[NaN, 1, 1, 1, 1, 1, 1, 1]]")] * 4,
    "another length": [Answer(body=b"[[1, 2, 3]]")] * 4,
    "no JSON": [Answer(body=b"<html>")] * 4,
}


@pytest.fixture
def films(service: Embedding) -> Iterator[hybridsearch.Index]:
    with hybridsearch.open(allowed_networks=["loopback"]) as db:
        index = db.create_index("films", primary_key="id", settings=settings_of(service))
        index.add([{"id": 1, "title": "Alien"}, {"id": 2, "title": "Up"}])
        yield index


def when_asked_again(films: hybridsearch.Index) -> SearchResult:
    """What a search finds as soon as the service is not left alone any more."""
    for _ in range(300):
        found = films.search("alien")
        if found.degraded is None:
            break
        time.sleep(0.01)
    return found


@pytest.fixture(autouse=True)
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hybridsearch.embedders.outage.FIRST", SOON)


@pytest.mark.parametrize("way", WAYS)
def test_a_search_goes_by_words_and_says_so_when_the_service_fails(
    service: Embedding, films: hybridsearch.Index, way: str
) -> None:
    service.scripted.extend(WAYS[way])
    found = films.search("alien")
    assert ([hit.id for hit in found], found.mode, found.total) == ([1], "keyword", 1)
    assert found.degraded is not None
    assert found.degraded.startswith('embedder "mine"')
    service.scripted.clear()
    found = when_asked_again(films)
    assert (found.mode, found.degraded) == ("hybrid", None)


def test_searches_after_a_failure_do_not_ask_the_service(
    service: Embedding,
    films: hybridsearch.Index,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("hybridsearch.embedders.outage.FIRST", 60.0)
    service.scripted.extend([GONE] * 2)
    assert "HTTP 500 down" in str(films.search("alien").degraded)
    asked = len(service.asked)
    found = films.search("up")
    assert ([hit.id for hit in found], found.mode) == ([2], "keyword")
    assert "HTTP 500 down" in str(found.degraded)
    assert "it is asked again in" in str(found.degraded)
    assert len(service.asked) == asked
    assert caplog.text.count("searching by words alone") == 1


def test_a_query_that_was_embedded_before_needs_no_service(
    service: Embedding, films: hybridsearch.Index
) -> None:
    films.search("alien")
    service.scripted.extend([GONE] * 2)
    assert films.search("up").degraded is not None
    assert films.search("alien").mode == "hybrid"


def test_several_searches_go_by_words_together(
    service: Embedding, films: hybridsearch.Index
) -> None:
    service.scripted.extend([GONE] * 8)
    found = films.search_many(["alien", "up"])
    assert [(one.hits[0].id, one.mode) for one in found] == [(1, "keyword"), (2, "keyword")]
    assert all(one.degraded for one in found)


def test_facets_and_totals_of_a_degraded_search_are_those_of_its_words(
    service: Embedding, films: hybridsearch.Index
) -> None:
    service.scripted.extend([GONE] * 4)
    found = films.search("alien", facets=["title"], filter="id < 2")
    assert (found.total, found.facets["title"]) == (1, {"Alien": 1})


def test_a_search_by_meaning_alone_fails_with_the_service(
    service: Embedding, films: hybridsearch.Index
) -> None:
    service.scripted.extend([GONE] * 4)
    with pytest.raises(EmbedderError, match="HTTP 500 down"):
        films.search("alien", mode="semantic")


def test_a_query_waits_seconds_not_half_a_minute_for_a_slow_service(
    service: Embedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hybridsearch.embedders.rest.QUERY_SECONDS", 0.1)
    with hybridsearch.open(allowed_networks=["loopback"]) as db:
        films = db.create_index("films", primary_key="id", settings=settings_of(service))
        films.add([{"id": 1, "title": "Alien"}, {"id": 2, "title": "Up"}])
        service.scripted.extend([Answer(seconds=0.5)] * 2)
        found = films.search("alien")
    assert ([hit.id for hit in found], found.mode) == ([1], "keyword")
    assert "no answer within 0.1 s" in str(found.degraded)


def test_only_the_query_that_a_service_refuses_goes_by_words(
    service: Embedding, films: hybridsearch.Index
) -> None:
    service.poison = {"up"}
    alien, up = films.search_many(["alien", "up"])
    assert (alien.mode, alien.degraded, up.mode) == ("hybrid", None, "keyword")
    assert up.degraded is not None
    with pytest.raises(EmbedderError):
        films.search_many(["alien", "up"], mode="semantic")


def test_nothing_is_measured_or_tuned_without_the_service(
    service: Embedding, films: hybridsearch.Index
) -> None:
    queries, qrels = {"q": "alien"}, {"q": {"1": 1}}
    service.scripted.extend([GONE] * 40)
    with pytest.raises(EmbedderError):
        arm_reports(films, queries, qrels)
    with pytest.raises(EmbedderError):
        usual_run(films, queries, k=10)


def test_the_command_line_says_what_went_by_words_alone(
    service: Embedding, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hybridsearch.open(path, allowed_networks=["loopback"]) as db:
        index = db.create_index("films", primary_key="id", settings=settings_of(service))
        index.add([{"id": 1, "title": "Alien"}])
    asked = [str(path), "films", "alien"]
    shown = CliRunner().invoke(commands, ["search", *asked])
    assert "by words alone: embedder" in shown.output
    told = json.loads(CliRunner().invoke(commands, ["search", *asked, "--json"]).stdout)
    assert (told["mode"], len(told["hits"])) == ("keyword", 1)
    assert "allowed_networks" in told["degraded"]


def test_over_http_a_federation_says_that_a_part_went_by_words(service: Embedding) -> None:
    with (
        hybridsearch.open(allowed_networks=["loopback"]) as db,
        TestClient(app_for(db)) as client,
    ):
        index = db.create_index("films", primary_key="id", settings=settings_of(service))
        index.add([{"id": 1, "title": "Alien"}, {"id": 2, "title": "Up"}])
        one = {"indexUid": "films", "q": "alien", "hybrid": {"embedder": "mine"}}
        service.scripted.extend([GONE] * 4)
        body = {"federation": {}, "queries": [one]}
        answer = client.post("/multi-search", json=body).json()
        assert (answer["degraded"], answer["estimatedTotalHits"]) == (True, 1)


def test_over_http_a_degraded_answer_says_so_without_the_reason(service: Embedding) -> None:
    with (
        hybridsearch.open(allowed_networks=["loopback"]) as db,
        TestClient(app_for(db)) as client,
    ):
        index = db.create_index("films", primary_key="id", settings=settings_of(service))
        index.add([{"id": 1, "title": "Alien"}, {"id": 2, "title": "Up"}])
        body: dict[str, Any] = {"q": "alien", "hybrid": {"embedder": "mine"}}
        service.scripted.extend([GONE] * 4)
        answer = client.post("/indexes/films/search", json=body).json()
        assert ([hit["id"] for hit in answer["hits"]], answer["degraded"]) == ([1], True)
        assert answer["semanticHitCount"] == 0
        assert "HTTP 500" not in str(answer)
        service.scripted.clear()
        time.sleep(SOON)
        assert "degraded" not in client.post("/indexes/films/search", json=body).json()
        service.scripted.extend([GONE] * 4)
        body = {"q": "space", "hybrid": {"embedder": "mine", "semanticRatio": 1}}
        assert client.post("/indexes/films/search", json=body).status_code == 400


def test_embedding_a_query_takes_no_longer_than_the_settings_allow() -> None:
    go_on = threading.Event()

    def slow(texts: Sequence[str]) -> Vectors:
        assert texts != ["alien"] or go_on.wait(20)
        return letters(texts)

    settings = {"embedders": {"mine": {"source": "function"}}, "searchCutoffMs": 50}
    with hybridsearch.open(functions={"mine": slow}) as db:
        index = db.create_index("films", primary_key="id", settings=settings)
        index.add([{"id": 1, "title": "Alien"}, {"id": 2, "title": "Up"}])
        found = index.search("alien")
        assert [hit.id for hit in found.hits] == [1]
        assert "50 ms" in (found.degraded or "")
        with pytest.raises(EmbedderError, match="searchCutoffMs"):
            index.search("alien", mode="semantic")
        go_on.set()
        assert index.search("up").degraded is None


def test_sql_tells_when_it_explains(service: Embedding) -> None:
    asked = "EXPLAIN SEARCH ANALYZE SELECT id FROM search('films', $1, k := 3)"
    with hybridsearch.open(allowed_networks=["loopback"]) as db, db.connect() as connection:
        index = db.create_index("films", primary_key="id", settings=settings_of(service))
        index.add([{"id": 1, "title": "Alien"}])
        lines = [line for (line,) in connection.execute(asked, ["an alien"]).fetchall()]
        assert not any(line.startswith("degraded") for line in lines)
        service.scripted.extend(WAYS["down"])
        lines = [line for (line,) in connection.execute(asked, ["alien"]).fetchall()]
        assert "degraded: 1 search went by words alone; the log says why" in lines
