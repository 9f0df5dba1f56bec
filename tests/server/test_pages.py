"""The search page goes out as it is, under a policy that lets it load nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from hybridsearch import assets

WEB = Path(__file__).parents[2] / "web"
FILES = assets.names("web")


def test_page_comes_with_its_policy(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", FILES)
def test_every_file_goes_out_as_it_is(client: TestClient, name: str) -> None:
    answer = client.get(f"/web/{name}")
    assert answer.content == (WEB / name).read_bytes()
    again = client.get(f"/web/{name}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name", ["nothing.js", "..%2Fpyproject.toml", "%2e%2e%2fsql%2fschema", "index.html%00", "a/b"]
)
def test_nothing_else_goes_out(client: TestClient, name: str) -> None:
    answer = client.get(f"/web/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_page_needs_no_key_but_its_searches_do(
    locked: Callable[[str | None], TestClient],
) -> None:
    client = locked(None)
    assert client.get("/").status_code == 200
    assert client.post("/sql", json={"sql": "SELECT 1"}).status_code == 401


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_modules_load_what_there_is_and_write_no_markup(name: str) -> None:
    text = (WEB / name).read_text()
    loaded = re.findall(r'from "\./([^"]+)"', text)
    assert set(loaded) <= set(FILES)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|//\s*TODO", text
    )
    assert "http" not in text


def test_page_has_no_script_and_no_style_inside() -> None:
    text = (WEB / "index.html").read_text()
    assert re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL) == [""]
    assert not re.search(r"<style|\sstyle=|\son\w+=|https?:", text)
