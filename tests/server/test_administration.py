"""Webhooks, figures, attributes and features over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch.server import app_for
from hybridsearch.server.experimental import FEATURES
from hybridsearch.server.webhook_store import MOST
from tests.server.conftest import refusal, succeeded

HEADERS = {"X-Team": "of the search", "Authorization": "Bearer 0123456789"}
HOOK = {"url": "https://example.com/hook", "headers": HEADERS}
FILMS = [{"id": 1, "title": "Up", "crew": {"director": "Pete"}}, {"id": 2, "title": None}]


def test_a_webhook_is_made_changed_and_removed(client: TestClient) -> None:
    made = client.post("/webhooks", json=HOOK)
    assert made.status_code == 201
    hook = made.json()
    assert (hook["url"], hook["isEditable"]) == (HOOK["url"], True)
    assert hook["headers"] == {"X-Team": "of the search", "Authorization": "BeXXXX..."}
    address = f"/webhooks/{hook['uuid']}"
    masked = {"X-Team": "ofXXXX...", "Authorization": "BeXXXX..."}
    assert client.get(address).json()["headers"] == masked
    gone = dict.fromkeys(HEADERS)
    changed = client.patch(address, json={"headers": {"X-Mine": "a", **gone}})
    assert changed.json()["headers"] == {"X-Mine": "XXX..."}
    assert client.patch(address, json={"url": "http://a.example"}).json()["headers"] != {}
    assert client.patch(address, json={"headers": None}).json()["headers"] == {}
    assert [one["uuid"] for one in client.get("/webhooks").json()["results"]] == [hook["uuid"]]
    assert client.delete(address).status_code == 204
    assert refusal(client.get(address)) == (404, "webhook_not_found")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_webhook_url"),
        ({"url": "nowhere"}, "invalid_webhook_url"),
        ({"url": "file:///etc/passwd"}, "invalid_webhook_url"),
        ({"url": "http://[::1"}, "invalid_webhook_url"),
        ({"url": "http://a b"}, "invalid_webhook_url"),
        ({**HOOK, "headers": {"a b": "c"}}, "invalid_webhook_headers"),
        ({**HOOK, "headers": {"a": "c\r\nX-Other: d"}}, "invalid_webhook_headers"),
        ({**HOOK, "headers": {"a": 1}}, "invalid_webhook_headers"),
        ({**HOOK, "headers": {f"a{n}": "b" for n in range(201)}}, "invalid_webhook_headers"),
        ({**HOOK, "uuid": "a"}, "bad_request"),
    ],
)
def test_an_unfit_webhook_is_refused(client: TestClient, body: Any, code: str) -> None:
    assert refusal(client.post("/webhooks", json=body)) == (400, code)


def test_there_can_be_so_many_webhooks(client: TestClient) -> None:
    for _ in range(MOST):
        assert client.post("/webhooks", json=HOOK).status_code == 201
    assert refusal(client.post("/webhooks", json=HOOK)) == (400, "bad_request")
    assert refusal(client.get("/webhooks/no-uuid")) == (400, "invalid_webhook_uuid")


def test_stats_count_documents_attributes_and_bytes(path: Any) -> None:
    with (
        hybridsearch.open(path, default_embedder=None) as db,
        TestClient(app_for(db)) as client,
    ):
        succeeded(client, client.post("/indexes/films/documents", json=FILMS))
        found = client.get("/indexes/films/stats?showInternalDatabaseSizes=true").json()
        assert found["numberOfDocuments"] == 2
        assert found["isIndexing"] is False
        assert found["fieldDistribution"] == {"crew": 1, "id": 2, "title": 1}
        assert found["rawDocumentDbSize"] > 40
        assert found["internalDatabaseSizes"]["text"] > 0
        whole = client.get("/stats").json()
        assert whole["databaseSize"] > found["rawDocumentDbSize"]
        assert whole["lastUpdate"].endswith("Z")
        assert list(whole["indexes"]) == ["films"]
        human = client.get("/stats?sizeFormat=human").json()
        assert human["databaseSize"].endswith("iB")
        assert refusal(client.get("/stats?sizeFormat=x")) == (400, "invalid_stats_size_format")


def test_attributes_say_what_may_be_done_with_them(client: TestClient) -> None:
    settings = {
        "searchableAttributes": ["title"],
        "filterableAttributes": ["id", {"attributePatterns": ["ti*"]}],
        "rankingRules": ["words", "id:desc"],
        "distinctAttribute": "id",
        "localizedAttributes": [
            {"attributePatterns": ["ti*"], "locales": ["eng", "fra"]},
            {"attributePatterns": ["*"], "locales": ["deu"]},
        ],
    }
    succeeded(client, client.patch("/indexes/films/settings", json=settings))
    succeeded(client, client.post("/indexes/films/documents", json=FILMS))
    path = "/indexes/films/fields"
    found = {one["name"]: one for one in client.post(path, json={}).json()["results"]}
    assert list(found) == ["id", "title", "crew"]
    assert (found["id"]["searchable"], found["title"]["searchable"]) == (
        {"enabled": False},
        {"enabled": True},
    )
    assert found["id"]["rankingRule"] == {"enabled": True, "order": "desc"}
    uses = {
        name: [use for use, able in one["filterable"].items() if able is True]
        for name, one in found.items()
    }
    assert uses == {
        "id": ["enabled", "facetSearch", "equality", "comparison"],
        "title": ["enabled", "equality"],
        "crew": [],
    }
    assert found["title"]["localized"] == {"locales": ["eng", "fra"]}
    assert found["crew"]["localized"] == {"locales": ["deu"]}
    some = client.post(path, json={"filter": {"searchable": False}, "offset": 1, "limit": 1})
    assert [one["name"] for one in some.json()["results"]] == ["crew"]
    assert some.json()["total"] == 2
    named = client.post(path, json={"filter": {"attributePatterns": ["t*"]}}).json()
    assert [one["name"] for one in named["results"]] == ["title"]


def test_features_stay_as_they_were_switched(client: TestClient) -> None:
    assert client.get("/experimental-features").json() == dict.fromkeys(FEATURES, False)
    assert client.patch("/experimental-features", json={"multimodal": True}).json()["multimodal"]
    assert client.get("/experimental-features").json()["multimodal"] is True
    assert client.patch("/experimental-features", json={"magic": True}).status_code == 400
