"""One case, the same answer through every door: Python, SQL, REST and the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch import Database
from hybridsearch.cli import commands
from hybridsearch.server import app_for

Door: TypeAlias = Callable[[Path, str, str], list[int]]

FILMS = [
    {"id": 1, "title": "Alien", "year": 1979, "genres": ["Horror", "Science Fiction"]},
    {"id": 2, "title": "Up", "year": 2009, "genres": ["Adventure"]},
    {"id": 3, "title": "Aliens of the deep", "year": 2005, "genres": ["Documentary"]},
    {
        "id": 4,
        "title": "Solaris: an alien sea, an alien mind",
        "year": 1972,
        "genres": ["Drama"],
    },
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("doors") / "shop.duckdb"
    with hybridsearch.open(path) as db:
        db.create_index("films", primary_key="id").add(FILMS)
    return path


def opened(path: Path) -> Database:
    return hybridsearch.open(path)


def python(path: Path, query: str, filter: str) -> list[int]:
    with opened(path) as db:
        return [int(hit.id) for hit in db.index("films").search(query, filter=filter)]


def sql(path: Path, query: str, filter: str) -> list[int]:
    statement = (
        "SELECT id FROM search('films', ?, filter := ?, match := 'prefix', tie := NULL, k := 10)"
        " ORDER BY _rank"
    )
    with opened(path) as db, db.connect() as con:
        return [row[0] for row in con.execute(statement, [query, filter]).fetchall()]


def rest(path: Path, query: str, filter: str) -> list[int]:
    body = {"q": query, "filter": filter, "hybrid": {"embedder": "default"}}
    with opened(path) as db, TestClient(app_for(db)) as client:
        answer = client.post("/indexes/films/search", json=body).json()
    return [hit["id"] for hit in answer["hits"]]


def command(path: Path, query: str, filter: str) -> list[int]:
    arguments = ["search", str(path), "films", query, "--filter", filter, "--json"]
    found = CliRunner().invoke(commands, arguments, prog_name="hybridsearch")
    assert found.exit_code == 0, found.output
    return [_id(hit) for hit in json.loads(found.stdout)["hits"]]


def _id(hit: dict[str, Any]) -> int:
    return int(hit["id"])


@pytest.mark.parametrize("door", [python, sql, rest, command])
@pytest.mark.parametrize(
    ("query", "filter"),
    [("alien", "year < 2000"), ("alien sea", "year > 1970"), ("documentary", "id IN [2, 3]")],
)
def test_every_door_gives_the_same_order(shop: Path, door: Door, query: str, filter: str) -> None:
    assert door(shop, query, filter) == python(shop, query, filter)
    assert door(shop, query, filter) != []
