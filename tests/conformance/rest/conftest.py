"""A server over three small indexes, and a way to ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch.server import app_for
from tests.conftest import letters

Ask: TypeAlias = Callable[..., Any]

BOOKS = [
    {"id": 1, "title": "Alice in Wonderland", "by": "Lewis Carroll", "genres": ["adventure"],
     "year": 1865, "note": None, "crew": [{"name": "Tenniel", "role": "art"}]},
    {"id": 2, "title": "The Red and the Black", "by": "Stendhal", "genres": ["romance"],
     "year": 1830, "crew": []},
    {"id": 4, "title": "The Half-Blood Prince", "by": "Rowling", "genres": ["fantasy", "adventure"],
     "year": 2005, "text": "the sixth book of seven, and a long one"},
    {"id": 456, "title": "The Little Prince", "by": "Saint-Exupéry", "genres": ["adventure"],
     "year": 1943, "text": "a french book about a prince that walks on little cute planets"},
]  # fmt: skip
BOOK_SETTINGS = {
    "filterable_attributes": ["genres", "year", "id", "by", "crew.name", "note"],
    "sortable_attributes": ["year", "title"],
}
PLACES = [
    {"id": 1, "city": "Lille", "_geo": {"lat": 50.63, "lng": 3.05}},
    {"id": 2, "city": "Ghent", "_geo": {"lat": 51.05, "lng": 3.70}},
    {"id": 3, "city": "Nowhere"},
]
VECTORS = [
    {"id": 1, "title": "north", "_vectors": {"own": [1.0, 0.0]}},
    {"id": 2, "title": "north east", "_vectors": {"own": [0.8, 0.6]}},
    {"id": 3, "title": "south", "_vectors": {"own": [-1.0, 0.0]}},
    {"id": 4, "title": "nowhere"},
]


@pytest.fixture(scope="session")
def server() -> Iterator[TestClient]:
    with hybridsearch.open(default_embedder=None, functions={"letters": letters}) as db:
        db.create_index("books", primary_key="id", settings=BOOK_SETTINGS).add(BOOKS)
        db.create_index("places", primary_key="id").add(PLACES)
        own = {"embedders": {"own": {"source": "userProvided", "dimensions": 2}}}
        db.create_index("vectors", primary_key="id", settings=own).add(VECTORS)
        meaning = {"embedders": {"letters": {"source": "function"}}}
        db.create_index("meaning", primary_key="id", settings=meaning).add(BOOKS)
        db.create_index("empty", primary_key="id")
        with TestClient(app_for(db)) as client:
            yield client


@pytest.fixture
def ask(server: TestClient) -> Ask:
    """Posts a body to a path below an index, and gives the answer's JSON."""

    def post(path: str, status: int = 200, **body: Any) -> Any:
        reply = server.post(path, json=body)
        assert reply.status_code == status, reply.text
        return reply.json()

    return post
