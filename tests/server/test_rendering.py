"""A template is filled in with a document, as an embedder would have it, and nothing is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from hybridsearch import Database
from tests.server.conftest import MASTER, refusal, succeeded

RENDER = "/render-template"
SHAPE = "{{ doc.title }}, {{ doc.plot }}"
PLAIN = {"kind": "inlineDocumentTemplate", "inline": "A film called {{ doc.title }}"}
UP = {"kind": "inlineDocument", "inline": {"title": "Up"}}
OWN = {"kind": "documentTemplate", "indexUid": "films", "embedder": "letters"}
STORED = {"kind": "indexDocument", "indexUid": "films", "id": 1}


def fill(db: Database) -> None:
    own = {"source": "userProvided", "dimensions": 2}
    shaped = {"source": "static", "documentTemplate": SHAPE}
    settings = {"embedders": {"own": own, "letters": shaped}}
    films = db.create_index("films", primary_key="id", settings=settings)
    films.add([{"id": 1, "title": "Alien", "plot": "a ship in space " * 40}])


FILLED = {"films": fill}


@pytest.fixture
def films(client: TestClient) -> TestClient:
    """A server with a film, and embedders with a template and without one."""
    return client


@pytest.mark.parametrize(
    ("template", "given", "shown", "rendered"),
    [
        (PLAIN, UP, PLAIN["inline"], "A film called Up"),
        (PLAIN, STORED, PLAIN["inline"], "A film called Alien"),
        (PLAIN, None, PLAIN["inline"], None),
        ({**PLAIN, "documentTemplateMaxBytes": 6}, UP, PLAIN["inline"], "A film"),
        (OWN, UP, SHAPE, "Up, "),
        (OWN, STORED, SHAPE, f"Alien, {'a ship in space ' * 40}"[:400]),
        ({**OWN, "documentTemplateMaxBytes": 5}, STORED, SHAPE, "Alien"),
        ({**OWN, "embedder": "own"}, UP, None, "Up"),
    ],
)  # fmt: skip
def test_a_template_is_filled_in(
    films: TestClient, template: Any, given: Any, shown: str | None, rendered: str | None
) -> None:
    reply = films.post(RENDER, json={"template": template, "input": given})
    assert reply.json() == {"template": shown, "rendered": rendered}


@pytest.mark.parametrize(
    ("template", "given", "found"),
    [
        (None, UP, (400, "invalid_render_template")),
        ({}, UP, (400, "invalid_render_template")),
        ({"kind": "inlineFragment", "inline": {}}, UP, (400, "invalid_render_template")),
        ({**PLAIN, "inline": "{{ doc.title"}, UP, (400, "invalid_render_template")),
        ({**PLAIN, "inline": 7}, UP, (400, "invalid_render_template")),
        ({**OWN, "embedder": "leters"}, UP, (400, "invalid_render_template")),
        ({**OWN, "indexUid": "none"}, UP, (404, "index_not_found")),
        (PLAIN, {"kind": "inlineSearch"}, (400, "invalid_render_input")),
        (PLAIN, {"kind": "inlineDocument"}, (400, "invalid_render_input")),
        ({**PLAIN, "inline": "{{ doc.title | nothing }}"}, UP, (400, "invalid_render_input")),
        (PLAIN, {**STORED, "id": 2}, (404, "render_document_not_found")),
        (PLAIN, {**STORED, "id": [1]}, (404, "render_document_not_found")),
        (PLAIN, {**STORED, "indexUid": "a b"}, (400, "invalid_index_uid")),
    ],
)
def test_what_cannot_be_filled_in_is_refused(
    films: TestClient, template: Any, given: Any, found: tuple[int, str]
) -> None:
    assert refusal(films.post(RENDER, json={"template": template, "input": given})) == found


def test_a_document_of_an_index_needs_a_key_that_reads_it(
    locked: Callable[[str | None], TestClient],
) -> None:
    admin = locked(MASTER)
    succeeded(admin, admin.post("/indexes/films/documents", json=[{"id": 1, "title": "Alien"}]))
    body = {"template": PLAIN, "input": STORED}
    for actions, indexes, status in (
        (["settings.get"], ["*"], 403),
        (["settings.get", "documents.get"], ["books"], 403),
        (["settings.get", "documents.get"], ["films"], 200),
    ):
        key = {"actions": actions, "indexes": indexes, "expiresAt": None}
        value = locked(MASTER).post("/keys", json=key).json()["key"]
        assert locked(value).post(RENDER, json=body).status_code == status
