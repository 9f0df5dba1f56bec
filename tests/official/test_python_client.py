"""What programs do with Meilisearch's Python client works here.

The client comes from the package index, with the other packages of the group `dev`; its own suite
does not (see test_meilisearch_python).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from meilisearch import Client
from meilisearch.errors import MeilisearchApiError
from meilisearch.index import Index
from meilisearch.models.task import Task, TaskInfo

import hybridsearch
from hybridsearch.server import app_for
from tests.server.live import served

MASTER = "a master key of some length"
FILMS: list[dict[str, Any]] = [
    {"id": 1, "title": "Alien", "year": 1979, "genres": ["Horror", "Space"], "maker": "Ridley"},
    {"id": 2, "title": "Up", "year": 2009, "genres": ["Animation", "Drama"], "maker": "Pete"},
    {"id": 3, "title": "Solaris", "year": 1972, "genres": ["Drama", "Space"], "maker": "Andrei"},
    {"id": 4, "title": "Aliens", "year": 1986, "genres": ["Action", "Space"], "maker": "James"},
]
VECTORS = {1: [1.0, 0.0], 2: [0.0, 1.0], 3: [0.9, 0.1], 4: [0.8, 0.3]}
PLACES = {1: (51.5, -0.1), 2: (37.8, -122.3)}
SETTINGS = {
    "searchableAttributes": ["title", "maker"],
    "filterableAttributes": ["genres", "year", "maker", "_geo"],
    "sortableAttributes": ["year", "_geo"],
    "embedders": {"own": {"source": "userProvided", "dimensions": 2}},
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("served") / "served.duckdb"
    with (
        hybridsearch.open(path, default_embedder=None) as db,
        served(app_for(db, master_key=MASTER)) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def client(url: str) -> Client:
    return Client(url, MASTER)


@pytest.fixture(scope="module")
def films(client: Client) -> Index:
    succeeded(client, client.create_index("films", {"primaryKey": "id"}))
    index = client.index("films")
    succeeded(client, index.update_settings(SETTINGS))
    documents = [{**film, "_vectors": {"own": VECTORS[film["id"]]}} for film in FILMS]
    for document in documents:
        if document["id"] in PLACES:
            document["_geo"] = dict(zip(("lat", "lng"), PLACES[document["id"]], strict=True))
    succeeded(client, index.add_documents(documents))
    return index


def succeeded(client: Client, accepted: TaskInfo) -> Task:
    task = client.wait_for_task(accepted.task_uid, timeout_in_ms=60_000, interval_in_ms=10)
    assert task.status == "succeeded", task.error
    return task


def ids(answer: dict[str, Any]) -> list[int]:
    return [hit["id"] for hit in answer["hits"]]


def test_the_server_says_how_it_is(client: Client, films: Index) -> None:
    assert client.health() == {"status": "available"}
    assert client.is_healthy()
    assert client.get_version()["pkgVersion"] == hybridsearch.__version__
    assert client.get_all_stats()["indexes"]["films"]["numberOfDocuments"] == 4
    assert films.get_stats().number_of_documents == 4


def test_indexes_are_made_changed_swapped_and_removed(client: Client) -> None:
    for uid in ("one", "two"):
        succeeded(client, client.create_index(uid))
    succeeded(client, client.index("one").update("key"))
    assert client.get_index("one").primary_key == "key"
    succeeded(client, client.index("one").add_documents([{"key": 7}]))
    succeeded(client, client.swap_indexes([{"indexes": ["one", "two"]}]))
    assert client.index("two").get_document(7).key == 7
    assert {index.uid for index in client.get_indexes({"limit": 50})["results"]} >= {"one", "two"}
    for uid in ("one", "two"):
        succeeded(client, client.delete_index(uid))
    with pytest.raises(MeilisearchApiError) as caught:
        client.get_index("one")
    assert (caught.value.code, caught.value.status_code) == ("index_not_found", 404)


def test_documents_are_written_read_and_deleted(client: Client) -> None:
    index = client.index("scratch")
    task = succeeded(client, index.add_documents([{"id": 1, "a": "x"}, {"id": 2, "a": "y"}]))
    assert task.details == {"receivedDocuments": 2, "indexedDocuments": 2}
    succeeded(client, index.update_documents([{"id": 1, "b": "z"}]))
    assert dict(index.get_document(1)) == {"id": 1, "a": "x", "b": "z"}
    for accepted in index.add_documents_in_batches([{"id": n} for n in range(3, 8)], batch_size=2):
        succeeded(client, accepted)
    succeeded(client, index.add_documents_csv(b"id,size:number\n9,1.5\n"))
    succeeded(client, index.add_documents_ndjson(b'{"id": 10}\n{"id": 11}\n'))
    assert index.get_document(9).size == 1.5
    assert index.get_documents({"limit": 3, "offset": 8}).total == 10
    succeeded(client, index.update_filterable_attributes(["a", "id"]))
    succeeded(client, index.delete_documents(filter="a = y"))
    succeeded(client, index.delete_documents(filter="id IN [3, 4]"))
    succeeded(client, index.delete_document(5))
    assert index.get_documents({"filter": "a = x"}).total == 1
    assert index.get_documents().total == 6
    succeeded(client, index.delete_all_documents())
    assert index.get_documents().total == 0


def test_an_unfit_document_fails_its_task(client: Client) -> None:
    accepted = client.index("scratch").add_documents([{"id": 1}, {"no": "id"}])
    task = client.wait_for_task(accepted.task_uid, timeout_in_ms=60_000, interval_in_ms=10)
    assert task.status == "failed"
    assert task.error is not None
    assert task.error["code"] == "missing_document_id"


def test_settings_are_read_changed_and_reset(client: Client) -> None:
    index = client.index("kept")
    succeeded(client, client.create_index("kept"))
    succeeded(client, index.update_stop_words(["the"]))
    succeeded(client, index.update_synonyms({"film": ["movie"]}))
    succeeded(client, index.update_typo_tolerance({"enabled": False}))
    succeeded(client, index.update_ranking_rules(["words", "year:desc"]))
    succeeded(client, index.update_pagination_settings({"maxTotalHits": 5}))
    succeeded(client, index.update_search_cutoff_ms(200))
    succeeded(client, index.update_separator_tokens(["|"]))
    found = index.get_settings()
    assert (found["stopWords"], found["synonyms"]) == (["the"], {"film": ["movie"]})
    assert found["rankingRules"] == ["words", "year:desc"]
    assert index.get_typo_tolerance().enabled is False
    assert index.get_pagination_settings().max_total_hits == 5
    assert index.get_search_cutoff_ms() == 200
    succeeded(client, index.reset_stop_words())
    assert index.get_stop_words() == []
    succeeded(client, index.reset_settings())
    assert index.get_settings()["synonyms"] == {}


@pytest.mark.parametrize(
    ("query", "options", "found"),
    [
        ("alien", {}, [1, 4]),
        ("sola", {}, [3]),
        ("soalris", {}, [3]),
        ("alien -james", {}, [1]),
        ("", {"filter": "year > 1980 AND genres = space"}, [4]),
        ("", {"filter": [["genres = Horror", "genres = Action"], "year < 1980"]}, [1]),
        ("", {"sort": ["year:desc"], "limit": 2}, [2, 4]),
        ("", {"sort": ["_geoPoint(51.5, -0.1):asc"], "limit": 2}, [1, 2]),
        ("", {"filter": "_geoRadius(37.8, -122.3, 1000)"}, [2]),
        ("alien james", {"matchingStrategy": "all"}, [4]),
        ("", {"hybrid": {"embedder": "own", "semanticRatio": 1}, "vector": [1, 0]}, [1, 3, 4, 2]),
    ],
)
def test_a_search_finds(
    films: Index, query: str, options: dict[str, Any], found: list[int]
) -> None:
    assert ids(films.search(query, options)) == found


def test_hits_are_marked_counted_and_explained(films: Index) -> None:
    options = {
        "attributesToHighlight": ["title"],
        "facets": ["genres"],
        "showRankingScore": True,
        "showRankingScoreDetails": True,
        "showMatchesPosition": True,
    }
    answer = films.search("solaris", options)
    [hit] = answer["hits"]
    assert hit["_formatted"]["title"] == "<em>Solaris</em>"
    assert hit["_matchesPosition"] == {"title": [{"start": 0, "length": 7}]}
    assert hit["_rankingScoreDetails"]["bm25"]["score"] == hit["_rankingScore"]
    assert answer["facetDistribution"] == {"genres": {"Drama": 1, "Space": 1}}
    pages = films.search("", {"hitsPerPage": 3, "page": 2})
    assert (pages["totalPages"], pages["totalHits"], len(pages["hits"])) == (2, 4, 1)


def test_facets_and_likes_are_searched(films: Index) -> None:
    found = films.facet_search("genres", "spa")
    assert found["facetHits"] == [{"value": "Space", "count": 3}]
    likes = films.get_similar_documents({"id": 1, "embedder": "own", "limit": 2})
    assert ids(likes) == [3, 4]


def test_several_searches_are_answered_and_merged(client: Client, films: Index) -> None:
    queries = [{"indexUid": "films", "q": "up"}, {"indexUid": "films", "q": "solaris"}]
    results = client.multi_search(queries)["results"]
    assert [ids(one)[0] for one in results] == [2, 3]
    whole = client.multi_search(queries, {"limit": 10})
    assert sorted(ids(whole))[:2] == [2, 3]
    assert whole["hits"][0]["_federation"]["indexUid"] == "films"


def test_keys_and_tenants_see_what_is_theirs(client: Client, films: Index, url: str) -> None:
    end = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    key = client.create_key({"actions": ["search"], "indexes": ["films"], "expiresAt": end})
    assert client.get_key(key.key).uid == key.uid
    assert client.update_key(key.uid, {"name": "reader"}).name == "reader"
    reader = Client(url, key.key)
    assert ids(reader.index("films").search("solaris")) == [3]
    with pytest.raises(MeilisearchApiError) as caught:
        reader.get_indexes()
    assert caught.value.code == "invalid_api_key"
    rules = {"films": {"filter": "genres = Space"}}
    token = client.generate_tenant_token(key.uid, rules, api_key=key.key)
    tenant = Client(url, token).index("films")
    assert sorted(ids(tenant.search(""))) == [1, 3, 4]
    assert tenant.facet_search("maker", "pe")["facetHits"] == []
    assert client.delete_key(key.uid) == 204
    with pytest.raises(MeilisearchApiError):
        reader.index("films").search("")


def test_tasks_are_listed_canceled_and_deleted(client: Client, films: Index) -> None:
    task = succeeded(client, client.index("tasks").add_documents([{"id": 1}]))
    listed = client.get_tasks({"indexUids": ["tasks"], "statuses": ["succeeded"]})
    assert [one.uid for one in listed.results] == [task.uid]
    assert client.get_batches({"limit": 1}).results[0].progress is None
    assert succeeded(client, client.cancel_tasks({"statuses": ["enqueued"]}))
    removed = succeeded(client, client.delete_tasks({"uids": [str(task.uid)]}))
    assert removed.details is not None
    assert removed.details["deletedTasks"] == 1


def test_dumps_and_snapshots_are_written(client: Client, films: Index) -> None:
    details = succeeded(client, client.create_dump()).details
    assert details is not None
    assert details["dumpUid"]
    assert succeeded(client, client.create_snapshot()).type == "snapshotCreation"


def test_what_is_wrong_is_told_by_code(films: Index) -> None:
    for options, code in (
        ({"filter": "title = x"}, "invalid_search_filter"),
        ({"sort": ["title:asc"]}, "invalid_search_sort"),
        ({"limit": -1}, "invalid_search_limit"),
        ({"facets": ["title"]}, "invalid_search_facets"),
    ):
        with pytest.raises(MeilisearchApiError) as caught:
            films.search("", options)
        assert caught.value.code == code


def test_webhooks_are_kept(client: Client) -> None:
    hook = client.create_webhook({"url": "http://127.0.0.1:9/hook", "headers": {"X-A": "secret"}})
    assert client.get_webhook(hook.uuid).url == "http://127.0.0.1:9/hook"
    assert [one.uuid for one in client.get_webhooks().results] == [hook.uuid]
    assert client.delete_webhook(hook.uuid) == 204
