"""What the tests of attached indexes have in common: a table of the user's, and indexes over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import hybridsearch
from hybridsearch import Database, Item

SETUP = """
CREATE TABLE docs (id INTEGER PRIMARY KEY, title VARCHAR, body VARCHAR, brand VARCHAR,
    price DOUBLE, emb FLOAT[3]);
INSERT INTO docs VALUES
(1, 'Red running shoes', 'light shoes for road races', 'acme', 80, [1, 0, 0]),
(2, 'Blue trail shoes', 'trail running in mud and rain', 'acme', 95, [0.9, 0.1, 0]),
(3, 'Running socks', 'thin socks for long days', 'zeta', 12, [0.8, 0.2, 0]),
(4, 'Garden hose', 'green hose for the garden', 'hydro', 30, [0, 0, 1]),
(5, NULL, 'untitled note about shoes', NULL, 5, NULL);
"""

both = pytest.mark.parametrize("db", ["file", "memory"], indirect=True)


@contextmanager
def docs_in(request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    """A database with the table docs, in memory unless a test asks for it in a file."""
    if getattr(request, "param", "memory") == "file":
        with _filled(folder / "a.duckdb") as found:
            yield found
        return
    with request.getfixturevalue("spares").lend("attached docs", _filled) as found:
        yield found


def _filled(path: Path | None = None) -> Database:
    db = hybridsearch.open(path)
    with db.connect() as connection:
        connection.execute(SETUP)
    return db


def ids(db: Database, query: str, name: str = "i", **options: Any) -> list[Any]:
    """The ids found by words, ascending."""
    return sorted(hit.id for hit in db.index(name).search(query, mode="keyword", **options))


def make(
    db: Database, *items: Item | str, name: str = "i", source: str = "docs", **more: Any
) -> Any:
    return db.create_search_index(name, source, items or ("title", "body", "emb"), **more)
