"""Multi-search, federation, facet search and similar documents of the REST door."""

from __future__ import annotations

import doctest
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch.server import app_for, facet_search, joint_order
from tests.conformance.rest.conftest import Ask

MULTI = "/multi-search"
PRINCE = {"indexUid": "books", "q": "prince"}
RED = {"indexUid": "books", "q": "red"}
CITY = {"indexUid": "places", "q": "lille"}


def ids(answer: Any) -> list[int]:
    return [hit["id"] for hit in answer["hits"]]


def test_the_examples_are_right() -> None:
    assert [doctest.testmod(module).failed for module in (facet_search, joint_order)] == [0, 0]


def test_searches_are_answered_each_by_itself_in_order(ask: Ask) -> None:
    results = ask(MULTI, queries=[PRINCE, {**CITY, "limit": 0}])["results"]
    assert [(one["indexUid"], ids(one)) for one in results] == [("books", [456, 4]), ("places", [])]
    assert [one["estimatedTotalHits"] for one in results] == [2, 1]
    assert ask(MULTI, queries=[]) == {"results": []}


def test_a_federation_is_one_list_by_weighted_relevance(ask: Ask) -> None:
    equal = ask(MULTI, queries=[PRINCE, CITY], federation={}, status=200)
    scores = [hit["_federation"]["weightedRankingScore"] for hit in equal["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert equal["estimatedTotalHits"] == 3
    light = {**PRINCE, "federationOptions": {"weight": 0.01}}
    first = ask(MULTI, queries=[light, CITY], federation={})["hits"][0]["_federation"]
    assert (first["indexUid"], first["queriesPosition"]) == ("places", 1)
    heavy = {**PRINCE, "federationOptions": {"weight": 100, "queryPosition": 1}}
    first = ask(MULTI, queries=[heavy, CITY], federation={})["hits"][0]["_federation"]
    assert (first["indexUid"], first["queriesPosition"]) == ("books", 1)


MIXED = [
    {"id": 1, "year": 1979, "name": "alien", "tags": ["b", "d"], "of": {"age": 3},
     "_geo": {"lat": 50, "lng": 3}},
    {"id": 2, "year": 1972.5, "name": "Solaris", "tags": ["c"], "_geo": {"lat": 51, "lng": 3}},
    {"id": 3, "year": 2009, "name": "up", "tags": [], "of": {"age": 30}},
    {"id": 4, "name": "Alien", "tags": ["a"], "of": {"age": "young"}},
    {"id": 5, "year": 1979, "name": "aliens", "of": {"age": -1}, "_geo": {"lat": 49, "lng": 3}},
    {"id": 6, "year": None, "name": "brazil", "tags": ["z", "b"], "of": {}},
]  # fmt: skip


@pytest.fixture(scope="module")
def parted() -> Iterator[TestClient]:
    """The same documents in one index, and by turns in two."""
    hidden = {"displayed_attributes": ["id"]}
    with hybridsearch.open(default_embedder=None) as db:
        for name, own in (("all", MIXED), ("odd", MIXED[::2]), ("even", MIXED[1::2])):
            db.create_index(name, primary_key="id").add(own)
        db.create_index("hidden", primary_key="id", settings=hidden).add(MIXED[1::2])
        with TestClient(app_for(db)) as client:
            yield client


@pytest.mark.parametrize("other", ["even", "hidden"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("by", ["year", "name", "tags", "of.age", "_geoPoint(48, 3)"])
def test_searches_that_sort_alike_are_merged_by_what_they_sort_by(
    parted: TestClient, by: str, direction: str, other: str
) -> None:
    sort = [f"{by}:{direction}", "id:asc"]
    whole = ids(parted.post("/indexes/all/search", json={"sort": sort}).json())
    queries = [
        {"indexUid": other, "sort": sort, "federationOptions": {"weight": 9}},
        {"indexUid": "odd", "sort": sort},
    ]
    assert ids(parted.post(MULTI, json={"queries": queries, "federation": {}}).json()) == whole
    page = {"offset": 2, "limit": 3}
    assert (
        ids(parted.post(MULTI, json={"queries": queries, "federation": page}).json()) == whole[2:5]
    )


@pytest.mark.parametrize("other", [[], ["year:asc"], ["year:desc", "id:asc"]])
def test_searches_that_do_not_sort_alike_are_merged_by_relevance(
    parted: TestClient, other: list[str]
) -> None:
    queries = [
        {"indexUid": "even", "sort": other},
        {"indexUid": "odd", "sort": ["year:desc"], "federationOptions": {"weight": 2}},
    ]
    found = parted.post(MULTI, json={"queries": queries, "federation": {}}).json()
    assert [hit["id"] % 2 for hit in found["hits"]] == [1, 1, 1, 0, 0, 0]


def test_a_document_that_several_searches_find_stands_once(ask: Ask) -> None:
    little = {"indexUid": "books", "q": "little", "federationOptions": {"weight": 2}}
    answer = ask(MULTI, queries=[PRINCE, little], federation={})
    assert (ids(answer), answer["estimatedTotalHits"]) == ([456, 4], 2)
    assert answer["hits"][0]["_federation"]["queriesPosition"] == 1


def test_pages_of_a_federation_make_up_the_whole(ask: Ask) -> None:
    queries = [PRINCE, CITY, RED, {"indexUid": "meaning", "q": "wonderland"}]
    whole = ask(MULTI, queries=queries, federation={"limit": 100})
    keys = [(hit["_federation"]["indexUid"], hit["id"]) for hit in whole["hits"]]
    assert len(keys) == whole["estimatedTotalHits"] == 5
    for size in (1, 2, 3):
        pages = [
            ask(MULTI, queries=queries, federation={"page": page, "hitsPerPage": size})
            for page in range(1, 7)
        ]
        found = [
            (hit["_federation"]["indexUid"], hit["id"]) for one in pages for hit in one["hits"]
        ]
        assert found == keys
        assert {(one["totalHits"], one["totalPages"]) for one in pages} == {(5, -(-5 // size))}


def test_each_search_of_a_federation_shows_its_hits_in_its_way(ask: Ask) -> None:
    marked = {**PRINCE, "attributesToHighlight": ["title"], "attributesToRetrieve": ["id"]}
    hits = ask(MULTI, queries=[marked, CITY], federation={})["hits"]
    formatted = {hit["id"]: "_formatted" in hit for hit in hits}
    assert formatted == {456: True, 4: True, 1: False}


def test_a_federation_can_be_distinct(ask: Ask) -> None:
    queries = [{"indexUid": "books", "q": ""}, {"indexUid": "meaning", "q": ""}]
    answer = ask(MULTI, queries=queries, federation={"distinct": "genres"})
    assert ids(answer) == [1, 2, 4]
    assert answer["estimatedTotalHits"] == 3
    one = ask(MULTI, queries=queries, federation={"distinct": "genres", "offset": 1, "limit": 1})
    assert (ids(one), one["estimatedTotalHits"]) == ([2], 3)


def test_facets_of_a_federation_come_by_index_or_merged(ask: Ask) -> None:
    queries = [PRINCE, {"indexUid": "books", "q": "wonderland"}, {"indexUid": "meaning", "q": ""}]
    wanted = {"books": ["genres", "year"], "meaning": ["genres"]}
    split = ask(MULTI, queries=queries, federation={"facetsByIndex": wanted})
    assert split["facetsByIndex"]["books"] == {
        "distribution": {
            "genres": {"adventure": 3, "fantasy": 1},
            "year": {"1865": 1, "1943": 1, "2005": 1},
        },
        "stats": {"year": {"min": 1865, "max": 2005}},
    }
    assert split["facetsByIndex"]["meaning"]["stats"] == {}
    merge = {"facetsByIndex": wanted, "mergeFacets": {"maxValuesPerFacet": 2}}
    merged = ask(MULTI, queries=queries, federation=merge)
    assert "facetsByIndex" not in merged
    assert merged["facetDistribution"]["genres"] == {"adventure": 6, "fantasy": 2}
    assert list(merged["facetDistribution"]["year"]) == ["1865", "1943"]


@pytest.fixture
def orders() -> Iterator[TestClient]:
    """Indexes whose facets are listed by count, and one where they are not."""
    with hybridsearch.open(default_embedder=None) as db:
        for uid, order, colors in (
            ("cars", "count", "red red blue blue teal teal teal"),
            ("hats", "count", "blue gold red red"),
            ("cups", "alpha", "blue"),
        ):
            settings = {"sortFacetValuesBy": {"*": order}, "maxValuesPerFacet": 1}
            index = db.create_index(uid, primary_key="id", settings=settings)
            index.add([{"id": n, "color": one} for n, one in enumerate(colors.split())])
        with TestClient(app_for(db)) as client:
            yield client


@pytest.mark.parametrize(
    ("order", "shown"), [({}, {"teal": 3}), ({"facetOrder": "alpha"}, {"blue": 2})]
)
def test_a_search_may_list_its_facets_in_another_order(
    orders: TestClient, order: dict[str, str], shown: dict[str, int]
) -> None:
    body = {"facets": ["color"], **order}
    found = orders.post("/indexes/cars/search", json=body).json()
    assert found["facetDistribution"] == {"color": shown}
    assert orders.get("/indexes/cars/search", params=body).json()["hits"] == found["hits"]
    several = orders.post(MULTI, json={"queries": [{"indexUid": "cars", **body}]}).json()
    assert several["results"][0]["facetDistribution"] == {"color": shown}


@pytest.mark.parametrize(
    ("uids", "shown"),
    [
        (("cars",), {"teal": 3, "blue": 2}),
        (("cars", "hats"), {"red": 4, "blue": 3}),
        (("cups", "hats"), None),
    ],
)
def test_merged_facets_are_listed_as_all_their_indexes_do(
    orders: TestClient, uids: tuple[str, ...], shown: dict[str, int] | None
) -> None:
    federation = {
        "facetsByIndex": {uid: ["color"] for uid in uids},
        "mergeFacets": {"maxValuesPerFacet": 2},
    }
    queries = [{"indexUid": uid} for uid in uids]
    answer = orders.post(MULTI, json={"queries": queries, "federation": federation}).json()
    if shown is None:
        assert answer["code"] == "invalid_multi_search_facet_order"
        assert "`color`: index `cups` orders by alpha, but index `hats`" in answer["message"]
    else:
        assert list(answer["facetDistribution"]["color"].items()) == list(shown.items())


def test_a_federation_tells_of_meaning_and_of_time(ask: Ask) -> None:
    near = {"indexUid": "meaning", "q": "prince", "hybrid": {"embedder": "letters"}}
    answer = ask(MULTI, queries=[near, CITY], federation={"showPerformanceDetails": True})
    assert answer["semanticHitCount"] == 4
    assert any(name.startswith("0 meaning") for name in answer["performanceDetails"])
    assert "semanticHitCount" not in ask(MULTI, queries=[CITY], federation={})


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({}, "bad_request", "queries"),
        ({"queries": {}}, "bad_request", "queries"),
        ({"queries": [{"q": "x"}]}, "missing_index_uid", "queries[0]"),
        ({"queries": [{**PRINCE, "limmit": 1}]}, "bad_request", "limmit"),
        ({"queries": [PRINCE, {**PRINCE, "filter": "x ="}]}, "invalid_search_filter", "queries[1]"),
        ({"queries": [{"indexUid": "a b"}]}, "invalid_index_uid", "queries[0]"),
        ({"queries": [PRINCE], "federation": 1}, "invalid_multi_search_federated", "federation"),
        ({"queries": [PRINCE], "federation": {"limit": -1}}, "invalid_search_limit", "limit"),
        (
            {"queries": [{**PRINCE, "federationOptions": {}}]},
            "invalid_multi_search_federation_options", "federationOptions",
        ),
        (
            {"queries": [{**PRINCE, "limit": 1}], "federation": {}},
            "invalid_multi_search_query_pagination", "queries[0]",
        ),
        (
            {"queries": [{**PRINCE, "facets": ["id"]}], "federation": {}},
            "invalid_multi_search_query_facets", "queries[0]",
        ),
        (
            {"queries": [{**PRINCE, "federationOptions": {"weight": -1}}], "federation": {}},
            "invalid_multi_search_weight", "queries[0]",
        ),
        (
            {"queries": [{**PRINCE, "federationOptions": {"remote": "x"}}], "federation": {}},
            "invalid_multi_search_remote", "remote",
        ),
        (
            {"queries": [{**PRINCE, "federationOptions": {"queryPosition": 1}}], "federation": {}},
            "invalid_multi_search_query_position", "queryPosition",
        ),
        (
            {"queries": [PRINCE], "federation": {"facetsByIndex": {"places": ["id"]}}},
            "invalid_multi_search_facets", "places",
        ),
        (
            {"queries": [PRINCE], "federation": {"facetsByIndex": {"books": ["title"]}}},
            "invalid_multi_search_facets", "title",
        ),
        (
            {"queries": [PRINCE], "federation": {"facetsByIndex": {"books": "title"}}},
            "invalid_multi_search_facets_by_index", "books",
        ),
        (
            {"queries": [PRINCE], "federation": {"distinct": "title"}},
            "invalid_search_distinct", "title",
        ),
    ],
)  # fmt: skip
def test_what_is_unfit_is_refused(ask: Ask, body: dict[str, Any], code: str, message: str) -> None:
    error = ask(MULTI, 400, **body)
    assert error["code"] == code
    assert message in error["message"]


def test_the_first_search_that_fails_fails_all(ask: Ask) -> None:
    error = ask(MULTI, 404, queries=[PRINCE, {"indexUid": "nothing"}])
    assert error["code"] == "index_not_found"
    assert error["message"].startswith("Inside `.queries[1]`: ")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, {"adventure": 3, "fantasy": 1, "romance": 1}),
        ({"facetQuery": None}, {"adventure": 3, "fantasy": 1, "romance": 1}),
        ({"facetQuery": ""}, {"adventure": 3, "fantasy": 1, "romance": 1}),
        ({"facetQuery": "FAN"}, {"fantasy": 1}),
        ({"facetQuery": "fantsy"}, {"fantasy": 1}),
        ({"facetQuery": "fnatsy"}, {}),
        ({"facetQuery": "fnatasy"}, {"fantasy": 1}),
        ({"facetQuery": "antasy"}, {}),
        ({"facetQuery": "vantasy"}, {}),
        ({"facetQuery": "vantasyyyy"}, {}),
        ({"facetQuery": "fan", "q": "stendhal"}, {}),
        ({"facetQuery": "a", "q": "prince"}, {"adventure": 2}),
        ({"facetQuery": "a", "filter": "year < 1900"}, {"adventure": 1}),
        ({"facetQuery": "a", "q": "prince", "attributesToSearchOn": ["text"]}, {"adventure": 1}),
        ({"facetQuery": "a", "exhaustiveFacetCount": True}, {"adventure": 3}),
    ],
)
def test_values_of_a_facet_are_searched(
    ask: Ask, body: dict[str, Any], found: dict[str, int]
) -> None:
    answer = ask("/indexes/books/facet-search", facetName="genres", **body)
    assert {hit["value"]: hit["count"] for hit in answer["facetHits"]} == found
    assert answer["facetQuery"] == body.get("facetQuery")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_facet_search_facet_name"),
        ({"facetName": "title"}, "invalid_facet_search_facet_name"),
        ({"facetName": 1}, "invalid_facet_search_facet_name"),
        ({"facetName": "genres", "facetQuery": 1}, "invalid_facet_search_facet_query"),
        ({"facetName": "genres", "filter": "x"}, "invalid_search_filter"),
        ({"facetName": "genres", "limits": 1}, "bad_request"),
    ],
)
def test_an_unfit_facet_search_is_refused(ask: Ask, body: dict[str, Any], code: str) -> None:
    assert ask("/indexes/books/facet-search", 400, **body)["code"] == code


def test_a_facet_search_takes_the_parameters_of_a_search(ask: Ask) -> None:
    body = {"facetName": "genres", "facetQuery": "adv"}
    rest = {"limit": 1, "attributesToHighlight": ["*"], "sort": ["nowhere:asc"], "facets": ["x"]}
    path = "/indexes/books/facet-search"
    assert ask(path, **body, **rest)["facetHits"] == ask(path, **body)["facetHits"]
    assert ask(path, 400, **body, facetQery="x")["code"] == "bad_request"


def test_similar_documents_come_by_their_vectors(ask: Ask) -> None:
    path = "/indexes/vectors/similar"
    answer = ask(path, id=1, embedder="own", showRankingScore=True)
    assert (ids(answer), answer["id"], answer["estimatedTotalHits"]) == ([2, 3], "1", 2)
    assert [round(hit["_rankingScore"], 3) for hit in answer["hits"]] == [0.9, 0.0]
    assert ids(ask(path, id="1", embedder="own", limit=1, offset=1)) == [3]
    assert ids(ask(path, id=1, embedder="own", rankingScoreThreshold=0.5)) == [2]
    assert ids(ask(path, id=1, embedder="own", filter="id = 3")) == [3]
    shown = ask(path, id=1, embedder="own", attributesToRetrieve=["id"], retrieveVectors=True)
    assert shown["hits"][0].keys() == {"id", "_vectors"}


def test_a_document_without_a_vector_is_like_others_by_its_words(ask: Ask) -> None:
    assert ids(ask("/indexes/vectors/similar", id=4, embedder="own")) == []
    assert ids(ask("/indexes/vectors/similar", id=2, embedder="own"))[0] == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"id": 9, "embedder": "own"}, "not_found_similar_id"),
        ({"id": 1}, "invalid_similar_embedder"),
        ({"id": 1, "embedder": "other"}, "invalid_similar_embedder"),
        ({"embedder": "own"}, "missing_similar_id"),
        ({"id": {}, "embedder": "own"}, "invalid_similar_id"),
        ({"id": 1, "embedder": "own", "limit": -1}, "invalid_similar_limit"),
        ({"id": 1, "embedder": "own", "filter": "x"}, "invalid_similar_filter"),
        (
            {"id": 1, "embedder": "own", "rankingScoreThreshold": 2},
            "invalid_similar_ranking_score_threshold",
        ),
    ],
)
def test_what_is_unfit_to_be_similar_is_refused(ask: Ask, body: dict[str, Any], code: str) -> None:
    assert ask("/indexes/vectors/similar", 400, **body)["code"] == code


def test_facet_search_can_be_switched_off(server: TestClient) -> None:
    server.post("/indexes", json={"uid": "shut", "primaryKey": "id"})
    settings = {"filterableAttributes": ["genres"], "facetSearch": False}
    task = server.patch("/indexes/shut/settings", json=settings).json()["taskUid"]
    for _ in range(400):
        if server.get(f"/tasks/{task}").json()["status"] == "succeeded":
            break
        time.sleep(0.02)
    reply = server.post("/indexes/shut/facet-search", json={"facetName": "genres"})
    assert (reply.status_code, reply.json()["code"]) == (400, "facet_search_disabled")
