"""Over HTTP: tokens that separate and join, the dictionary, and texts that are hardly texts."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from hybridsearch import Database
from hybridsearch.server import app_for
from tests.server.conftest import refusal, succeeded

INDEX = "/indexes/films"


def found(client: TestClient, query: str, **options: Any) -> list[Any]:
    reply = client.post(f"{INDEX}/search", json={"q": query, **options})
    assert reply.status_code == 200, reply.text
    return [hit["id"] for hit in reply.json()["hits"]]


def fill(db: Database) -> None:
    documents = [{"id": 1, "title": "J. R. R. Tolkien on C++"}, {"id": 2, "title": "J. Smith on C"}]
    with TestClient(app_for(db)) as client:
        succeeded(client, client.post(f"{INDEX}/documents", json=documents))


FILLED = {"films": fill}


@pytest.fixture
def films(client: TestClient) -> TestClient:
    return client


def test_tokens_that_join_come_into_force_and_go(films: TestClient) -> None:
    address = f"{INDEX}/settings/non-separator-tokens"
    assert found(films, "c++") == [2, 1]
    succeeded(films, films.put(address, json=["+"]))
    assert films.get(address).json() == ["+"]
    assert found(films, "c++") == [1]
    succeeded(films, films.delete(address))
    assert found(films, "c++") == [2, 1]


def test_the_dictionary_is_marked_as_one_word(films: TestClient) -> None:
    succeeded(films, films.put(f"{INDEX}/settings/dictionary", json=["J. R. R."]))
    asked = {"q": "j. r. r. ", "attributesToHighlight": ["title"], "showMatchesPosition": True}
    (hit,) = films.post(f"{INDEX}/search", json=asked).json()["hits"]
    assert hit["_formatted"]["title"] == "<em>J. R. R.</em> Tolkien on C++"
    assert hit["_matchesPosition"] == {"title": [{"start": 0, "length": 8}]}


def test_a_token_that_separates(films: TestClient) -> None:
    succeeded(films, films.put(f"{INDEX}/settings/separator-tokens", json=["mi"]))
    assert found(films, "th") == [2]


def test_attributes_in_their_languages(films: TestClient) -> None:
    rules = [{"attributePatterns": ["*_fr"], "locales": ["fra"]}]
    address = f"{INDEX}/settings/localized-attributes"
    documents = [{"id": 3, "title_fr": "Les chevaux"}, {"id": 4, "title_en": "Chevaux"}]
    succeeded(films, films.post(f"{INDEX}/documents", json=documents))
    assert found(films, "cheval ") == []
    succeeded(films, films.put(address, json=rules))
    assert films.get(address).json() == rules
    asked = {"q": "cheval ", "attributesToHighlight": ["*"], "showMatchesPosition": True}
    hits = films.post(f"{INDEX}/search", json=asked).json()["hits"]
    assert [hit["_formatted"]["title_fr"] for hit in hits] == ["Les <em>chevaux</em>"]
    assert hits[0]["_matchesPosition"] == {"title_fr": [{"start": 4, "length": 7}]}
    succeeded(films, films.delete(address))
    assert found(films, "cheval ") == []


def test_a_query_in_its_languages(films: TestClient) -> None:
    documents = [{"id": 3, "title": "Les chevaux"}, {"id": 4, "title": "the horses"}]
    succeeded(films, films.post(f"{INDEX}/documents", json=documents))
    assert found(films, "cheval ") == []
    assert found(films, "cheval ", locales=["fra"]) == [3]
    assert found(films, "horse cheval ", locales=["fra", "eng"]) == [3, 4]
    searches = {"queries": [{"indexUid": "films", "q": "cheval ", "locales": ["fr"]}]}
    (answer,) = films.post("/multi-search", json=searches).json()["results"]
    assert [hit["id"] for hit in answer["hits"]] == [3]
    reply = films.get(f"{INDEX}/search", params={"q": "cheval ", "locales": "fra,eng"})
    assert [hit["id"] for hit in reply.json()["hits"]] == [3]


def test_details_of_the_ranking_see_the_words_of_an_attribute_s_language(
    films: TestClient,
) -> None:
    rules = [{"attributePatterns": ["*_fr"], "locales": ["fra"]}]
    succeeded(films, films.put(f"{INDEX}/settings/localized-attributes", json=rules))
    documents = [{"id": 3, "title_fr": "Les grands chevaux"}]
    succeeded(films, films.post(f"{INDEX}/documents", json=documents))
    asked = {"q": "grand cheval", "showRankingScoreDetails": True}
    (hit,) = films.post(f"{INDEX}/search", json=asked).json()["hits"]
    words = hit["_rankingScoreDetails"]["words"]
    assert (words["matchingWords"], words["maxMatchingWords"]) == (2, 2)


@pytest.mark.parametrize("locales", [["xx"], ["french"], [1], "fra", {"fra": True}])
def test_unknown_languages_of_a_query_are_refused(films: TestClient, locales: Any) -> None:
    reply = films.post(f"{INDEX}/search", json={"q": "x", "locales": locales})
    assert refusal(reply) == (400, "invalid_search_locales")


@pytest.mark.parametrize("locales", [["xx"], ["french"], [1], "fra", None])
def test_unknown_languages_of_attributes_are_refused(films: TestClient, locales: Any) -> None:
    rules = [{"attributePatterns": ["*"], "locales": locales}]
    reply = films.put(f"{INDEX}/settings/localized-attributes", json=rules)
    assert refusal(reply) == (400, "invalid_settings_localized_attributes")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dictionary", "J. R. R."),
        ("dictionary", [""]),
        ("separator-tokens", [1]),
        ("non-separator-tokens", {"#": True}),
    ],
)
def test_unfit_tokens_are_refused(films: TestClient, name: str, value: Any) -> None:
    reply = films.put(f"{INDEX}/settings/{name}", json=value)
    assert refusal(reply) == (400, f"invalid_settings_{name.replace('-', '_')}")
