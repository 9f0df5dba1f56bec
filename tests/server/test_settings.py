"""Settings over HTTP: whole, one at a time, checked when they come."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from hybridsearch import Database
from hybridsearch.kept_settings import DEFAULT_RULES
from hybridsearch.server import app_for
from hybridsearch.server.settings import NAMES, PATCHED, kebab
from tests.server.conftest import done, refusal, succeeded

SETTINGS = "/indexes/films/settings"
VALUES: dict[str, tuple[Any, Any]] = {
    "attributeWeights": ({}, {"title": 2.0}),
    "chat": ({}, {"description": "films"}),
    "dictionary": ([], ["J. R. R."]),
    "displayedAttributes": (["*"], ["id", "title"]),
    "distinctAttribute": (None, "genre"),
    "embedders": ({}, {"mine": {"source": "userProvided", "dimensions": 3}}),
    "facetSearch": (True, False),
    "faceting": (
        {"maxValuesPerFacet": 100, "sortFacetValuesBy": {"*": "alpha"}},
        {"maxValuesPerFacet": 5, "sortFacetValuesBy": {"*": "count"}},
    ),
    "filterableAttributes": ([], ["genre", "year"]),
    "foreignKeys": ([], [{"fieldName": "crew", "foreignIndexUid": "people"}]),
    "fusion": (None, {"mode": "rrf", "weights": [0.7, 0.3], "k": 10}),
    "boost": (None, "1 + ln(1 + sold)"),
    "language": ("auto", "fr"),
    "localizedAttributes": (None, [{"attributePatterns": ["*_fr"], "locales": ["fra"]}]),
    "nonSeparatorTokens": ([], ["#"]),
    "pagination": ({"maxTotalHits": 1000}, {"maxTotalHits": 50}),
    "prefixSearch": ("indexingTime", "disabled"),
    "proximityPrecision": ("byWord", "byAttribute"),
    "rankingRules": (list(DEFAULT_RULES), ["words", "year:desc"]),
    "searchCutoffMs": (None, 150),
    "searchableAttributes": (["*"], ["title"]),
    "separatorTokens": ([], ["|"]),
    "sortableAttributes": ([], ["year"]),
    "stopWords": ([], ["of", "the"]),
    "synonyms": ({}, {"ship": ["vessel", "boat"]}),
    "typoTolerance": (
        {
            "enabled": True,
            "minWordSizeForTypos": {"oneTypo": 5, "twoTypos": 9},
            "disableOnWords": [],
            "disableOnAttributes": [],
            "disableOnNumbers": False,
        },
        {
            "enabled": False,
            "minWordSizeForTypos": {"oneTypo": 4, "twoTypos": 8},
            "disableOnWords": ["shrek"],
            "disableOnAttributes": ["title"],
            "disableOnNumbers": True,
        },
    ),
}


def fill(db: Database) -> None:
    with TestClient(app_for(db)) as client:
        succeeded(client, client.post("/indexes", json={"uid": "films"}))


FILLED = {"films": fill}


@pytest.fixture
def films(client: TestClient) -> TestClient:
    """A server with an index of films."""
    return client


@pytest.mark.parametrize("name", VALUES)
def test_every_setting_is_shown_changed_and_reset_at_its_address(
    films: TestClient, name: str
) -> None:
    default, other = VALUES[name]
    path, verb = f"{SETTINGS}/{kebab(name)}", "PATCH" if name in PATCHED else "PUT"
    assert films.get(path).json() == default
    succeeded(films, films.request(verb, path, json=other))
    assert films.get(path).json() == other
    assert films.get(SETTINGS).json()[name] == other
    succeeded(films, films.delete(path))
    assert films.get(path).json() == default
    succeeded(films, films.patch(SETTINGS, json={name: other}))
    succeeded(films, films.patch(SETTINGS, json={name: None}))
    assert films.get(path).json() == default


def test_every_setting_has_an_example_here() -> None:
    assert set(NAMES) == set(VALUES)


def test_what_a_task_changes_stands_in_its_details(films: TestClient) -> None:
    task = succeeded(films, films.patch(SETTINGS, json={"stopWords": ["the"]}))
    assert (task["type"], task["details"]) == ("settingsUpdate", {"stopWords": ["the"]})


def test_settings_make_an_absent_index(client: TestClient) -> None:
    succeeded(client, client.put("/indexes/new/settings/stop-words", json=["the"]))
    assert client.get("/indexes/new/settings").json()["filterableAttributes"] == []


@pytest.mark.parametrize("path", [SETTINGS, f"{SETTINGS}/stop-words"])
def test_settings_of_an_absent_index_are_not_found(client: TestClient, path: str) -> None:
    assert refusal(client.get(path)) == (404, "index_not_found")
    assert done(client, client.delete(path))["error"]["code"] == "index_not_found"


def test_what_clients_may_not_know_is_shown_once_it_is_set(films: TestClient) -> None:
    names = {"fusion", "attributeWeights", "language", "chat", "foreignKeys"}
    assert not names & set(films.get(SETTINGS).json())
    succeeded(films, films.patch(SETTINGS, json={"language": "fr"}))
    assert films.get(SETTINGS).json()["language"] == "fr"


@pytest.mark.parametrize("path", [SETTINGS, f"{SETTINGS}/embedders"])
def test_folders_of_the_server_cannot_be_read_by_way_of_an_embedder(
    films: TestClient, path: str
) -> None:
    embedders = {"mine": {"source": "onnx", "model": "/etc"}}
    asked = films.patch(path, json={"embedders": embedders} if path == SETTINGS else embedders)
    assert refusal(asked) == (400, "invalid_settings_embedders")
    assert "passwd" not in asked.text


@pytest.mark.parametrize(
    "value",
    [{"sortFacetValuesBy": {"a": "b"}}, {"maxValuesPerFacet": "x"}, {"stopWords": ["a"]}],
)
def test_what_is_no_part_of_faceting_is_refused_under_its_name(
    films: TestClient, value: dict[str, Any]
) -> None:
    asked = films.patch(f"{SETTINGS}/faceting", json=value)
    assert refusal(asked) == (400, "invalid_settings_faceting")


def test_lists_of_attributes_come_back_sorted(films: TestClient) -> None:
    succeeded(films, films.patch(SETTINGS, json={"filterableAttributes": ["b", "a"]}))
    assert films.get(f"{SETTINGS}/filterable-attributes").json() == ["a", "b"]


def test_an_object_is_changed_in_part(films: TestClient) -> None:
    succeeded(films, films.patch(f"{SETTINGS}/faceting", json={"maxValuesPerFacet": 7}))
    succeeded(
        films, films.patch(f"{SETTINGS}/faceting", json={"sortFacetValuesBy": {"a": "count"}})
    )
    assert films.get(f"{SETTINGS}/faceting").json()["maxValuesPerFacet"] == 7


def test_embedders_are_changed_one_by_one(films: TestClient) -> None:
    path = f"{SETTINGS}/embedders"
    one, other = ({"source": "userProvided", "dimensions": dim} for dim in (2, 3))
    succeeded(films, films.patch(path, json={"one": one, "other": one}))
    succeeded(films, films.patch(path, json={"other": {"dimensions": 3}}))
    assert films.get(path).json() == {"one": one, "other": other}
    succeeded(films, films.patch(path, json={"one": None}))
    assert films.get(path).json() == {"other": other}


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("rankingRules", ["nothing"], "invalid_settings_ranking_rules"),
        ("rankingRules", ["_geoPoint(1,2):asc"], "invalid_settings_ranking_rules"),
        ("rankingRules", ["_geo:desc", "words"], "invalid_settings_ranking_rules"),
        ("rankingRules", ["attribute", "wordPosition"], "invalid_settings_ranking_rules"),
        ("rankingRules", "words", "invalid_settings_ranking_rules"),
        ("searchCutoffMs", -1, "invalid_settings_search_cutoff_ms"),
        ("searchCutoffMs", True, "invalid_settings_search_cutoff_ms"),
        ("pagination", {"maxTotalHits": "a"}, "invalid_settings_pagination"),
        ("pagination", {"most": 1}, "invalid_settings_pagination"),
        ("synonyms", {"a": "b"}, "invalid_settings_synonyms"),
        ("localizedAttributes", [{"locales": ["fra"]}], "invalid_settings_localized_attributes"),
        ("embedders", {"a": {"source": "magic"}}, "invalid_settings_embedders"),
        ("embedders", 7, "invalid_settings_embedders"),
        ("filterableAttributes", [1], "invalid_settings_filterable_attributes"),
        ("stopWords", 7, "invalid_settings_stop_words"),
        ("distinctAttribute", ["a"], "invalid_settings_distinct_attribute"),
        ("dictionary", [None], "invalid_settings_dictionary"),
        ("unknown", 1, "bad_request"),
    ],
)
def test_an_unfit_setting_is_refused_at_once(
    films: TestClient, name: str, value: Any, code: str
) -> None:
    assert refusal(films.patch(SETTINGS, json={name: value})) == (400, code)


@pytest.mark.parametrize(
    ("name", "meant"), [("rankingRule", "rankingRules"), ("stopWord", "stopWords")]
)
def test_the_nearest_name_of_a_setting_is_offered(films: TestClient, name: str, meant: str) -> None:
    message = films.patch(SETTINGS, json={name: []}).json()["message"]
    assert message.endswith(f'did you mean "{meant}"?')


def test_settings_must_be_an_object(films: TestClient) -> None:
    assert refusal(films.patch(SETTINGS, json=[])) == (400, "bad_request")
