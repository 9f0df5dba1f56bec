"""Over HTTP: tokens that separate and join, the dictionary, and texts that are hardly texts."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.server.conftest import refusal, succeeded

INDEX = "/indexes/films"


def found(client: TestClient, query: str, **options: Any) -> list[Any]:
    reply = client.post(f"{INDEX}/search", json={"q": query, **options})
    assert reply.status_code == 200, reply.text
    return [hit["id"] for hit in reply.json()["hits"]]


@pytest.fixture
def films(client: TestClient) -> TestClient:
    documents = [{"id": 1, "title": "J. R. R. Tolkien on C++"}, {"id": 2, "title": "J. Smith on C"}]
    succeeded(client, client.post(f"{INDEX}/documents", json=documents))
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
