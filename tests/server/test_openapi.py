"""What the server says that it can do is what its table holds, for programs and for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from hybridsearch import Database
from hybridsearch.server import app_for
from hybridsearch.server.openapi import document, name_of
from hybridsearch.server.reference import page
from hybridsearch.server.routes import ROUTES


@pytest.fixture
def described(client: TestClient) -> Any:
    return client.get("/openapi.json").json()


def test_every_route_is_there(described: Any) -> None:
    found = {(method.upper(), path) for path, item in described["paths"].items() for method in item}
    assert found == {(route.method, route.path) for route in ROUTES}


def test_it_holds_where_the_application_is_mounted_in_another(memory: Database) -> None:
    outer = Starlette(routes=[Mount("/find", app_for(memory))])
    with TestClient(outer) as client:
        told = client.get("/find/openapi.json")
        base = urljoin(str(told.url), told.json()["servers"][0]["url"]).rstrip("/")
        assert "/health" in told.json()["paths"]
        assert client.get(f"{base}/health").json() == {"status": "available"}


def test_each_operation_has_a_name_of_its_own() -> None:
    names = [name_of(route) for route in ROUTES]
    assert len(set(names)) == len(names)


def test_only_open_routes_need_no_key() -> None:
    paths = document(ROUTES)["paths"]
    open_routes = {
        (route.method, route.path)
        for route in ROUTES
        if paths[route.path][route.method.lower()].get("security") == []
    }
    assert open_routes == {(route.method, route.path) for route in ROUTES if not route.action}


def test_parts_of_a_path_are_parameters() -> None:
    for route in ROUTES:
        found = document([route])["paths"][route.path][route.method.lower()]
        named = {item["name"] for item in found["parameters"] if item["in"] == "path"}
        assert all(f"{{{name}}}" in route.path for name in named)
        assert len(named) == route.path.count("{")


def test_fields_of_a_body_are_described(described: Any) -> None:
    body = described["paths"]["/sql"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["required"] == ["sql"]
    assert body["schema"]["properties"]["limit"]["type"] == ["integer", "null"]


def test_every_route_says_what_it_does() -> None:
    assert [route.path for route in ROUTES if not route.summary] == []


def test_the_page_for_people_has_every_route() -> None:
    text = page(ROUTES)
    missing = [r for r in ROUTES if f"### {r.method} `{r.path}`" not in text]
    assert missing == []
    assert "| `sql` | string | Needed. One statement that reads. |" in text


def test_the_page_is_what_the_table_says() -> None:
    hint = "write it anew: python -m hybridsearch.server.reference > docs/api.md"
    assert (Path(__file__).parents[2] / "docs/api.md").read_text() == page(ROUTES), hint
