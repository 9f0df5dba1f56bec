"""Search parameters of the REST door, each with what it answers."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.conformance.rest.conftest import Ask

BOOKS, PLACES = "/indexes/books/search", "/indexes/places/search"
VECTORS, MEANING = "/indexes/vectors/search", "/indexes/meaning/search"
HYBRID = {"embedder": "letters"}
OWN = {"embedder": "own"}


def ids(answer: Any) -> list[int]:
    return [hit["id"] for hit in answer["hits"]]


@pytest.mark.parametrize(
    ("path", "body", "found"),
    [
        (BOOKS, {}, [1, 2, 4, 456]),
        (BOOKS, {"q": None}, [1, 2, 4, 456]),
        (BOOKS, {"q": ""}, [1, 2, 4, 456]),
        (BOOKS, {"q": '"'}, [1, 2, 4, 456]),
        (BOOKS, {"q": " -!?“ "}, [1, 2, 4, 456]),
        (BOOKS, {"q": "€"}, []),
        (BOOKS, {"q": "prince"}, [456, 4]),
        (BOOKS, {"q": "pri"}, [456, 4]),
        (BOOKS, {"q": '"little prince"'}, [456]),
        (BOOKS, {"q": "prince -little"}, [4]),
        (BOOKS, {"q": 'prince -"little prince"'}, [4]),
        (BOOKS, {"q": "little red", "matchingStrategy": "all"}, []),
        (BOOKS, {"q": "little prince", "matchingStrategy": "all"}, [456]),
        (BOOKS, {"q": "prince little", "matchingStrategy": "last"}, [456, 4]),
        (BOOKS, {"q": "little prince", "matchingStrategy": "last"}, [456]),
        (BOOKS, {"q": "nowhere little prince", "matchingStrategy": "last"}, [456]),
        (BOOKS, {"q": "prince little", "matchingStrategy": "frequency"}, [456]),
        (BOOKS, {"q": "nowhere prince", "matchingStrategy": "frequency"}, [456, 4]),
        (BOOKS, {"q": "the little prince", "matchingStrategy": "all"}, [456]),
        (BOOKS, {"q": "of prince", "matchingStrategy": "all"}, [4]),
        (BOOKS, {"q": "prince red"}, [456, 2, 4]),
        (BOOKS, {"offset": 1, "limit": 2}, [2, 4]),
        (BOOKS, {"limit": 0}, []),
        (BOOKS, {"offset": 2**50}, []),
        (BOOKS, {"page": 2, "hitsPerPage": 3}, [456]),
        (BOOKS, {"page": 0}, []),
        (BOOKS, {"page": 9}, []),
        (BOOKS, {"hitsPerPage": 0}, []),
        (BOOKS, {"filter": "year > 1900"}, [4, 456]),
        (BOOKS, {"filter": ["year > 1900", ["genres = fantasy", "id = 1"]]}, [4]),
        (BOOKS, {"filter": "genres IN [Fantasy, ROMANCE]"}, [2, 4]),
        (BOOKS, {"filter": "year 1830 TO 1865"}, [1, 2]),
        (BOOKS, {"filter": "crew.name = tenniel"}, [1]),
        (BOOKS, {"filter": "note IS NULL"}, [1]),
        (BOOKS, {"filter": "note NOT EXISTS"}, [2, 4, 456]),
        (BOOKS, {"filter": "by STARTS WITH saint"}, [456]),
        (BOOKS, {"filter": "by CONTAINS ndh"}, [2]),
        (BOOKS, {"filter": ""}, [1, 2, 4, 456]),
        (BOOKS, {"filter": []}, [1, 2, 4, 456]),
        (BOOKS, {"sort": ["year:desc"]}, [4, 456, 1, 2]),
        (BOOKS, {"q": "prince", "sort": ["title:asc"]}, [4, 456]),
        (BOOKS, {"distinct": "genres"}, [1, 2, 4]),
        (BOOKS, {"q": "prince", "attributesToSearchOn": ["text"]}, [456]),
        (BOOKS, {"q": "prince", "attributesToSearchOn": ["te*"]}, [456]),
        (BOOKS, {"q": "prince", "attributesToSearchOn": ["*xt"]}, [456]),
        (BOOKS, {"q": "prince", "attributesToSearchOn": None}, [456, 4]),
        (BOOKS, {"q": "prinse"}, [456, 4]),
        (BOOKS, {"q": "zlanets"}, []),
        (BOOKS, {"q": "planet"}, [456]),
        (BOOKS, {"q": "prince", "locales": ["eng", "fr"]}, [456, 4]),
        (BOOKS, {"q": "prince", "rankingScoreThreshold": 1}, []),
        (BOOKS, {"q": "prince", "rankingScoreThreshold": 0}, [456, 4]),
        (PLACES, {"sort": ["_geoPoint(51, 3.7):asc"]}, [2, 1, 3]),
        (PLACES, {"filter": "_geoRadius(50.63, 3.05, 1000)"}, [1]),
        (PLACES, {"filter": "_geoBoundingBox([52, 4], [51, 3])"}, [2]),
        (VECTORS, {"hybrid": {**OWN, "semanticRatio": 1}, "vector": [1, 0]}, [1, 2, 3]),
        (VECTORS, {"q": "south", "hybrid": {**OWN, "semanticRatio": 0}, "vector": [1, 0]}, [3]),
        (VECTORS, {"q": "north", "hybrid": {**OWN, "semanticRatio": 0.5}}, [1, 2]),
        (MEANING, {"q": "prince", "hybrid": {**HYBRID, "semanticRatio": 0}}, [456, 4]),
        ("/indexes/empty/search", {"q": "x"}, []),
    ],
)  # fmt: skip
def test_a_search_finds(
    ask: Ask, server: TestClient, path: str, body: dict[str, Any], found: list[int]
) -> None:
    assert ids(ask(path, **body)) == found
    assert ids(server.get(path, params=address_of(body)).json()) == found


def address_of(body: dict[str, Any]) -> dict[str, str]:
    """The fields of a search as parameters: lists with commas, a filter that is a list as JSON."""
    hybrid = body.get("hybrid", {})
    flat = {f"hybrid{name[0].upper()}{name[1:]}": value for name, value in hybrid.items()}
    flat |= {name: value for name, value in body.items() if name != "hybrid" and value is not None}
    return {name: written(name, value) for name, value in flat.items()}


def written(name: str, value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    return json.dumps(value) if name == "filter" else ",".join(map(str, value))


@pytest.mark.parametrize(
    ("strategy", "found"),
    [(None, [1, 4, 456]), ("last", [4, 456]), ("frequency", [456]), ("all", [456])],
)
def test_a_strategy_says_what_must_match_wherever_it_is_given(
    ask: Ask, server: TestClient, strategy: str | None, found: list[int]
) -> None:
    given = {} if strategy is None else {"matchingStrategy": strategy}
    body = {"q": "book little adventure", "facets": ["id"], **given}
    answer = ask(BOOKS, **body)
    assert sorted(ids(answer)) == found
    assert answer["estimatedTotalHits"] == len(found)
    assert answer["facetDistribution"]["id"] == {str(key): 1 for key in found}
    address = {**body, "facets": "id"}
    assert sorted(ids(server.get(BOOKS, params=address).json())) == found
    query = {"indexUid": "books", **body}
    assert sorted(ids(ask("/multi-search", queries=[query])["results"][0])) == found
    del query["facets"]
    assert sorted(ids(ask("/multi-search", queries=[query], federation={}))) == found
    faceted = {"facetName": "id", "q": body["q"], **given}
    values = ask("/indexes/books/facet-search", **faceted)["facetHits"]
    assert sorted(int(one["value"]) for one in values) == found
    words = {"hybrid": {**HYBRID, "semanticRatio": 0}, **body}
    assert sorted(ids(ask(MEANING, **{**words, "facets": []}))) == found


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_a_threshold_holds_in_every_mode(ask: Ask, ratio: float) -> None:
    body = {"q": "little prince", "hybrid": {**HYBRID, "semanticRatio": ratio}, "limit": 50}
    every = ask(MEANING, **body, showRankingScore=True)["hits"]
    scores = [hit["_rankingScore"] for hit in every]
    assert scores == sorted(scores, reverse=True)
    for least in {*scores, 0.5}:
        kept = [hit["id"] for hit in every if hit["_rankingScore"] >= least]
        answer = ask(MEANING, **body, rankingScoreThreshold=least, facets=["id"])
        assert (ids(answer), answer["estimatedTotalHits"]) == (kept, len(kept))
        assert answer["facetDistribution"]["id"].keys() == {str(key) for key in kept}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"q": 1}, "invalid_search_q"),
        ({"attributesToSearchOn": [""]}, "invalid_search_attributes_to_search_on"),
        ({"sort": ["_geo:asc"]}, "invalid_search_sort"),
        ({"limit": -1}, "invalid_search_limit"),
        ({"limit": "1"}, "invalid_search_limit"),
        ({"offset": 1.5}, "invalid_search_offset"),
        ({"page": -1}, "invalid_search_page"),
        ({"hitsPerPage": True}, "invalid_search_hits_per_page"),
        ({"filter": "year >"}, "invalid_search_filter"),
        ({"filter": "title = x"}, "invalid_search_filter"),
        ({"filter": 3}, "invalid_search_filter"),
        ({"filter": [[["year = 1"]]]}, "invalid_search_filter"),
        ({"sort": ["year"]}, "invalid_search_sort"),
        ({"sort": ["by:asc"]}, "invalid_search_sort"),
        ({"sort": ["_geoPoint(1, 2):asc"]}, "invalid_search_sort"),
        ({"sort": "year:asc"}, "invalid_search_sort"),
        ({"facets": ["title"]}, "invalid_search_facets"),
        ({"facets": "genres"}, "invalid_search_facets"),
        ({"distinct": "title"}, "invalid_search_distinct"),
        ({"distinct": 1}, "invalid_search_distinct"),
        ({"matchingStrategy": "most"}, "invalid_search_matching_strategy"),
        ({"attributesToSearchOn": ["nowhere"]}, "invalid_search_attributes_to_search_on"),
        ({"attributesToRetrieve": "title"}, "invalid_search_attributes_to_retrieve"),
        ({"attributesToHighlight": [1]}, "invalid_search_attributes_to_highlight"),
        ({"attributesToCrop": "x"}, "invalid_search_attributes_to_crop"),
        ({"cropLength": "x"}, "invalid_search_crop_length"),
        ({"cropMarker": 1}, "invalid_search_crop_marker"),
        ({"highlightPreTag": 1}, "invalid_search_highlight_pre_tag"),
        ({"highlightPostTag": 1}, "invalid_search_highlight_post_tag"),
        ({"showMatchesPosition": 1}, "invalid_search_show_matches_position"),
        ({"showRankingScore": "yes"}, "invalid_search_show_ranking_score"),
        ({"showRankingScoreDetails": 1}, "invalid_search_show_ranking_score_details"),
        ({"showPerformanceDetails": 1}, "invalid_search_show_performance_details"),
        ({"rankingScoreThreshold": 2}, "invalid_search_ranking_score_threshold"),
        ({"retrieveVectors": 1}, "invalid_search_retrieve_vectors"),
        ({"vector": [1]}, "missing_search_hybrid"),
        ({"vector": ["x"]}, "invalid_search_vector"),
        ({"hybrid": {"embedder": "nobody"}}, "invalid_search_embedder"),
        ({"hybrid": {}}, "invalid_search_embedder"),
        ({"hybrid": 1}, "invalid_search_hybrid_query"),
        ({"locales": ["?"]}, "invalid_search_locales"),
        ({"titel": 1}, "bad_request"),
    ],
)
def test_what_is_unfit_is_refused_by_its_code(ask: Ask, body: dict[str, Any], code: str) -> None:
    error = ask(BOOKS, 400, **body)
    assert (error["code"], error["type"]) == (code, "invalid_request")
    assert error["link"].endswith(code)


@pytest.mark.parametrize(
    ("hybrid", "code"),
    [
        ({**OWN, "semanticRatio": 1.5}, "invalid_search_semantic_ratio"),
        ({**OWN, "fusion": "magic"}, "invalid_search_hybrid_query"),
        ({**OWN, "weights": [1]}, "invalid_search_hybrid_query"),
        ({**OWN, "weights": [0, 0]}, "invalid_search_hybrid_query"),
        ({**OWN, "k": 0}, "invalid_search_hybrid_query"),
        ({**OWN, "candidates": 0}, "invalid_search_hybrid_query"),
        ({**OWN, "depth": 3}, "bad_request"),
    ],
)
def test_an_unfit_mixture_is_refused(ask: Ask, hybrid: dict[str, Any], code: str) -> None:
    assert ask(VECTORS, 400, q="north", hybrid=hybrid)["code"] == code


def test_a_vector_of_another_length_is_refused(ask: Ask) -> None:
    assert ask(VECTORS, 400, vector=[1], hybrid=OWN)["code"] == "invalid_vector_dimensions"


def test_totals_are_of_the_kind_that_was_asked_for(ask: Ask) -> None:
    plain, paged = ask(BOOKS, limit=3), ask(BOOKS, hitsPerPage=3)
    assert {key: plain[key] for key in ("limit", "offset", "estimatedTotalHits")} == {
        **{"limit": 3, "offset": 0, "estimatedTotalHits": 4}
    }
    assert not {"page", "hitsPerPage", "totalPages", "totalHits"} & plain.keys()
    names = ("page", "hitsPerPage", "totalPages", "totalHits")
    assert [paged[name] for name in names] == [1, 3, 2, 4]
    assert not {"limit", "offset", "estimatedTotalHits"} & paged.keys()
    assert [ask(BOOKS, page=0, hitsPerPage=0)[name] for name in names] == [0, 0, 0, 4]


def counted(server: TestClient, body: dict[str, Any]) -> tuple[int, int]:
    """How many hits a federation shows, and how many it says there are."""
    found = server.post("/multi-search", json=body).json()
    return len(found["hits"]), found["estimatedTotalHits"]


def test_pages_end_where_the_settings_say(server: TestClient) -> None:
    documents = [{"id": n, "kind": "odd" if n % 2 else "even"} for n in range(10)]
    base = "/indexes/bounded"
    server.post(f"{base}/documents", json=documents)
    change = {"pagination": {"maxTotalHits": 7}, "filterableAttributes": ["kind"]}
    task = server.patch(f"{base}/settings", json=change).json()["taskUid"]
    assert finished(server, task)["status"] == "succeeded"

    def ask(**body: Any) -> Any:
        one = server.post(f"{base}/search", json=body).json()
        query = {"queries": [{"indexUid": "bounded", **body}]}
        assert ids(server.post("/multi-search", json=query).json()["results"][0]) == ids(one)
        assert ids(server.get(f"{base}/search", params=body).json()) == ids(one)
        return one

    whole = ask(limit=20)
    assert (ids(whole), whole["estimatedTotalHits"], whole["limit"]) == ([*range(7)], 7, 20)
    assert ids(ask(offset=5, limit=3)) == [5, 6]
    assert ids(ask(offset=7)) == ids(ask(offset=100)) == []
    last = ask(hitsPerPage=3, page=3)
    assert (ids(last), last["totalHits"], last["totalPages"]) == ([6], 7, 3)
    assert ids(ask(hitsPerPage=3, page=4)) == []
    few = server.post(f"{base}/search", json={"filter": "kind = odd", "facets": ["kind"]}).json()
    assert (few["estimatedTotalHits"], few["facetDistribution"]) == (5, {"kind": {"odd": 5}})
    explained = server.post(f"{base}/explain", json={"limit": 20}).json()
    assert (ids(explained), explained["estimatedTotalHits"]) == ([*range(7)], 7)
    own = {"indexUid": "bounded"}
    both = {"federation": {"limit": 20}, "queries": [own, {**own, "filter": "kind = odd"}]}
    assert counted(server, both) == (7, 7)
    assert counted(server, {**both, "federation": {"distinct": "kind"}}) == (2, 2)
    task = server.delete(f"{base}/settings/pagination").json()["taskUid"]
    assert finished(server, task)["status"] == "succeeded"
    assert server.post(f"{base}/search", json={}).json()["estimatedTotalHits"] == 10


def test_a_get_answers_as_a_post(server: TestClient, ask: Ask) -> None:
    address = {
        **{"q": "prince", "limit": "1", "filter": "year > 1900", "sort": "year:asc,title:desc"},
        **{"facets": "genres,year", "attributesToRetrieve": "id,title", "showRankingScore": "true"},
        **{"attributesToHighlight": "*", "rankingScoreThreshold": "0.1"},
    }
    body = {
        **{"q": "prince", "limit": 1, "filter": "year > 1900", "sort": ["year:asc", "title:desc"]},
        **{"facets": ["genres", "year"], "attributesToRetrieve": ["id", "title"]},
        **{"attributesToHighlight": ["*"], "rankingScoreThreshold": 0.1, "showRankingScore": True},
    }
    one, two = server.get(BOOKS, params=address).json(), ask(BOOKS, **body)
    for answer in (one, two):
        del answer["requestUid"], answer["processingTimeMs"]
    assert one == two
    assert ids(one) == [456]


def test_a_get_sorts_by_a_point_and_searches_by_meaning(server: TestClient) -> None:
    near = server.get(PLACES, params={"sort": "_geoPoint(51,3.7):desc,city:asc"}).json()
    assert ids(near) == [1, 2, 3]
    asked = {"vector": "1,0", "hybridEmbedder": "own", "hybridSemanticRatio": "1"}
    assert ids(server.get(VECTORS, params=asked).json()) == [1, 2, 3]
    assert server.get(BOOKS, params={"limit": "x"}).json()["code"] == "invalid_search_limit"
    assert server.get(BOOKS, params={"vektor": "1"}).json()["code"] == "bad_request"


def test_facets_count_the_whole_result_set(ask: Ask) -> None:
    answer = ask(BOOKS, q="prince", facets=["genres", "year"], limit=1)
    assert answer["facetDistribution"] == {
        "genres": {"adventure": 2, "fantasy": 1},
        "year": {"1943": 1, "2005": 1},
    }
    assert answer["facetStats"] == {"year": {"min": 1943, "max": 2005}}
    assert ask(BOOKS, facets=["crew.name"])["facetDistribution"] == {"crew.name": {"Tenniel": 1}}
    every = ask(BOOKS, facets=["*"])["facetDistribution"]
    assert set(every) == {"genres", "year", "id", "by", "crew.name", "note"}
    assert "facetDistribution" not in ask(BOOKS)


def test_hits_show_what_was_asked_for(ask: Ask) -> None:
    [hit] = ask(BOOKS, filter="id = 1", attributesToRetrieve=["title", "crew.name"])["hits"]
    assert hit == {"title": "Alice in Wonderland", "crew": [{"name": "Tenniel"}]}
    assert ask(BOOKS, limit=1, attributesToRetrieve=[])["hits"] == [{}]
    assert set(ask(BOOKS, limit=1, attributesToRetrieve=["*"])["hits"][0]) > {"id", "title"}


def test_hits_are_formatted(ask: Ask) -> None:
    [hit] = ask(
        BOOKS, q="prince", limit=1, attributesToRetrieve=["id"],
        attributesToHighlight=["title", "text"], attributesToCrop=["text:3"], cropMarker="~",
        highlightPreTag="[", highlightPostTag="]", showMatchesPosition=True,
    )["hits"]  # fmt: skip
    assert hit == {
        "id": 456,
        "_formatted": {"id": "456", "title": "The Little [Prince]", "text": "~a [prince] that~"},
        "_matchesPosition": {
            "title": [{"start": 11, "length": 6}],
            "text": [{"start": 22, "length": 6}],
        },
    }
    assert "_formatted" not in ask(BOOKS, attributesToHighlight=["nowhere"])["hits"][0]
    assert "_formatted" in ask(BOOKS, attributesToHighlight=["title"])["hits"][0]
    assert "_formatted" not in ask(BOOKS, attributesToHighlight=[])["hits"][0]


def test_distances_are_told_in_metres(ask: Ask) -> None:
    hits = ask(PLACES, sort=["_geoPoint(50.63, 3.05):asc"])["hits"]
    assert [hit.get("_geoDistance") for hit in hits] == [0, 65301, None]
    assert "_geoDistance" not in ask(PLACES)["hits"][0]


def test_ranking_scores_are_shares_and_their_details_say_why(ask: Ask) -> None:
    answer = ask(BOOKS, q="little prince", showRankingScore=True, showRankingScoreDetails=True)
    scores = [hit["_rankingScore"] for hit in answer["hits"]]
    assert 1 > scores[0] > scores[1] > 0
    details = [hit["_rankingScoreDetails"] for hit in answer["hits"]]
    rules = ("words", "typo", "proximity", "attributeRank", "wordPosition", "exactness", "bm25")
    assert tuple(details[0]) == rules
    assert [rule["order"] for rule in details[0].values()] == list(range(7))
    assert all(0 <= rule["score"] <= 1 for rule in details[0].values())
    assert [found["words"]["matchingWords"] for found in details] == [2, 1]
    assert details[0]["bm25"]["score"] == scores[0]
    assert ask(BOOKS, showRankingScore=True)["hits"][0]["_rankingScore"] == 1.0


def test_a_threshold_is_in_totals_and_facets(ask: Ask) -> None:
    scores = [hit["_rankingScore"] for hit in ask(BOOKS, q="prince", showRankingScore=True)["hits"]]
    least = (scores[0] + scores[1]) / 2
    answer = ask(BOOKS, q="prince", rankingScoreThreshold=least, facets=["id"])
    assert (ids(answer), answer["estimatedTotalHits"]) == ([456], 1)
    assert answer["facetDistribution"] == {"id": {"456": 1}}


def test_hybrid_tells_which_arm_found_what(ask: Ask) -> None:
    answer = ask(MEANING, q="prince", hybrid=HYBRID, showRankingScoreDetails=True, facets=["id"])
    assert answer["estimatedTotalHits"] == 4 == answer["semanticHitCount"]
    assert sum(answer["facetDistribution"]["id"].values()) == 4
    details = answer["hits"][0]["_rankingScoreDetails"]
    assert {"bm25", "vector", "fusion"} <= details.keys()
    assert details["fusion"]["parts"].keys() == {"keyword", "semantic"}
    ours = {"fusion": "score", "weights": [1, 3], "candidates": 2}
    found = ask(MEANING, q="prince", hybrid={**HYBRID, **ours}, showRankingScoreDetails=True)
    assert found["semanticHitCount"] == 2
    assert found["hits"][0]["_rankingScoreDetails"]["fusion"]["method"] == "score"
    assert "semanticHitCount" not in ask(MEANING, q="prince")


def test_a_ratio_is_the_weight_of_the_arms(ask: Ask) -> None:
    body = {"q": "prince", "showRankingScoreDetails": True}
    hit = ask(MEANING, **body, hybrid={**HYBRID, "semanticRatio": 0.25, "k": 7})["hits"][0]
    fusion = hit["_rankingScoreDetails"]["fusion"]
    assert (fusion["weights"], fusion["k"]) == ([0.75, 0.25], 7)


def test_vectors_are_retrieved(ask: Ask) -> None:
    hits = ask(VECTORS, retrieveVectors=True)["hits"]
    assert hits[0]["_vectors"] == {"own": {"embeddings": [[1.0, 0.0]], "regenerate": False}}
    assert hits[3]["_vectors"] == {"own": {"embeddings": [], "regenerate": True}}
    made = ask(MEANING, limit=1, retrieveVectors=True)["hits"][0]["_vectors"]["letters"]
    assert made["regenerate"] is True
    assert [len(vector) for vector in made["embeddings"]] == [8]
    assert "_vectors" not in ask(VECTORS)["hits"][0]


def test_performance_and_metadata_come_when_asked_for(server: TestClient, ask: Ask) -> None:
    details = ask(BOOKS, showPerformanceDetails=True)["performanceDetails"]
    assert {"search", "search > rank"} <= details.keys()
    assert all(value.endswith("s") for value in details.values())
    reply = server.post(BOOKS, json={}, headers={"Meili-Include-Metadata": "true"}).json()
    assert (reply["metadata"]["indexUid"], reply["metadata"]["primaryKey"]) == ("books", "id")
    assert reply["metadata"]["queryUid"] != reply["requestUid"]
    assert "metadata" not in ask(BOOKS)


def test_an_index_that_is_not_there_is_not_found(ask: Ask) -> None:
    assert ask("/indexes/nothing/search", 404)["code"] == "index_not_found"


def test_explain_says_how_each_score_came_about(ask: Ask) -> None:
    answer = ask("/indexes/meaning/explain", q="little prince", hybrid=HYBRID, limit=1)
    [hit] = answer["hits"]
    told = hit["_explanation"]
    assert (answer["mode"], hit["id"], told["mode"]) == ("hybrid", 456, "hybrid")
    assert sum(told["fusion"]["parts"].values()) == pytest.approx(hit["_rankingScore"], abs=1e-6)
    parts = told["keyword"]["parts"]["parts"]
    assert sum(part["score"] for part in parts) == pytest.approx(told["keyword"]["score"], rel=1e-5)


@pytest.mark.parametrize("fusion", ["rrf", "score", "linear", "dbsf"])
def test_details_add_up_to_the_ranking_score(ask: Ask, fusion: str) -> None:
    body = {"q": "little prince", "showRankingScoreDetails": True, "showRankingScore": True}
    for hit in ask(MEANING, **body, hybrid={**HYBRID, "fusion": fusion})["hits"]:
        told = hit["_rankingScoreDetails"]
        assert sum(told["fusion"]["parts"].values()) == pytest.approx(hit["_rankingScore"], 1e-6)
        if "bm25" in told:
            parts = [part["score"] for part in told["bm25"]["parts"]]
            assert sum(parts) == pytest.approx(told["bm25"]["bm25"], rel=1e-6)


def test_a_boost_multiplies_and_leaves_the_ranking_score(ask: Ask, server: TestClient) -> None:
    body = {"q": "prince", "showRankingScoreDetails": True, "showRankingScore": True}
    plain = {hit["id"]: hit["_rankingScore"] for hit in ask(BOOKS, **body)["hits"]}
    hits = ask(BOOKS, **body, boost="if(year > 2000, 9, 1)")["hits"]
    assert [hit["id"] for hit in hits] == sorted(plain)
    assert {hit["id"]: hit["_rankingScore"] for hit in hits} == plain
    told = hits[0]["_rankingScoreDetails"]["boost"]
    assert told["base"] * told["factor"] == pytest.approx(told["score"], rel=1e-6)
    address = f"{BOOKS}?q=prince&boost=if(year%20%3E%202000,9,1)"
    assert ids(server.get(address).json()) == sorted(plain)


def test_diversity_takes_other_hits_first(ask: Ask) -> None:
    plain = ids(ask(MEANING, q="prince", hybrid=HYBRID))
    found = ids(ask(MEANING, q="prince", hybrid=HYBRID, diversity=0.8))
    assert (found[0], sorted(found)) == (plain[0], sorted(plain))
    assert found != plain


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"boost": "1 +"}, "invalid_search_boost"),
        ({"boost": 3}, "invalid_search_boost"),
        ({"boost": "read_text('x')"}, "invalid_search_boost"),
        ({"facetOrder": "size"}, "invalid_search_facet_order"),
        ({"facetOrder": ["count"]}, "invalid_search_facet_order"),
        ({"diversity": 2}, "invalid_search_diversity"),
        ({"diversity": "much"}, "invalid_search_diversity"),
    ],
)
def test_a_boost_or_diversity_that_is_unfit_is_refused(
    ask: Ask, body: dict[str, Any], code: str
) -> None:
    assert ask(BOOKS, 400, q="prince", **body)["code"] == code


def test_vectors_for_an_embedder_that_is_not_there_are_kept(server: TestClient) -> None:
    documents = [{"id": 1, "_vectors": {"later": [1.0, 0.0], "default": [0.5]}}]
    task = server.post("/indexes/patient/documents", json=documents).json()["taskUid"]
    embedders = {"later": {"source": "userProvided", "dimensions": 2}}
    last = server.patch("/indexes/patient/settings/embedders", json=embedders).json()["taskUid"]
    for uid in (task, last):
        assert finished(server, uid)["status"] == "succeeded"
    body = {"vector": [1, 0], "hybrid": {"embedder": "later", "semanticRatio": 1}}
    assert ids(server.post("/indexes/patient/search", json=body).json()) == [1]


def finished(server: TestClient, uid: int) -> Any:
    for _ in range(400):
        task = server.get(f"/tasks/{uid}").json()
        if task["status"] not in ("enqueued", "processing"):
            return task
        time.sleep(0.02)
    raise AssertionError(f"task {uid} does not end")
