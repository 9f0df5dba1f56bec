"""What many tests start from: databases on disk and in memory, an embedder, a few documents."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import settings

import hybridsearch
from hybridsearch import Database, Index
from hybridsearch.arrays import Vectors
from hybridsearch.errors import HybridSearchError
from tests.spares import Spares

# Else every process that a test starts would compile the package anew, a third of its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

Document: TypeAlias = dict[str, Any]
Kind: TypeAlias = type[HybridSearchError]

LETTERS = 8
"""The length of the vectors that `letters` makes."""
BY_MEANING = {"embedders": {"letters": {"source": "function"}}}
MOVIES: tuple[Document, ...] = (
    {"id": 1, "title": "Alien", "year": 1979, "genres": ["Horror", "Science Fiction"]},
    {"id": 2, "title": "Up", "year": 2009, "genres": ["Adventure"], "crew": {"director": "Pete"}},
    {"id": 3, "title": "Aliens", "year": 1986, "genres": ["Action", "Science Fiction"]},
    {"id": 4, "title": "Paris, Texas", "year": 1984, "genres": [], "crew": {"director": "Wim"}},
)


def letters(texts: Sequence[str]) -> Vectors:
    """How often each letter occurs, by its number modulo 8, and 1: float32 [n, 8], never zero."""
    found = np.zeros((len(texts), LETTERS), np.float32)
    for vector, text in zip(found, texts, strict=True):
        vector += np.bincount([ord(letter) % LETTERS for letter in text.lower()], minlength=LETTERS)
        vector[0] += 1
    return found


def moody(texts: Sequence[str]) -> Vectors:
    """The same, but it fails whenever one of the texts is "bad"."""
    if "bad" in texts:
        raise RuntimeError("out of cheese")
    return letters(texts)


def refused(act: Callable[[], object], kind: Kind, code: str, message: str, **fields: Any) -> None:
    """The act raises exactly this: class, code, the fields named, and a message with the text."""
    with pytest.raises(HybridSearchError) as caught:
        act()
    error = caught.value
    assert (type(error), error.code) == (kind, code)
    assert message in error.message
    assert {name: error.fields.get(name) for name in fields} == fields


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may be made."""
    return tmp_path / "shop.duckdb"


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    """An empty database in a file, without a default embedder; "letters" is a function of it."""
    with hybridsearch.open(path, default_embedder=None, functions={"letters": letters}) as found:
        yield found


def in_memory() -> Database:
    """The same in memory."""
    return hybridsearch.open(default_embedder=None, functions={"letters": letters})


@pytest.fixture(scope="session")
def spares() -> Iterator[Spares]:
    """Databases in memory for tests that leave them as they are."""
    found = Spares()
    yield found
    found.close()


def _films(uid: str, settings: Any) -> Callable[[Database], object]:
    return lambda db: db.create_index(uid, primary_key="id", settings=settings).add(list(MOVIES))


FILLED = {"movies": _films("movies", None), "hybrid_movies": _films("hybrid", BY_MEANING)}
"""What is put into the database for a test that has a fixture of that name.

A module adds its own by a dict of this name. The fixture says what the test gets of it.
"""


@pytest.fixture
def memory(spares: Spares, request: pytest.FixtureRequest) -> Iterator[Database]:
    """The same in memory, filled as FILLED says."""
    known = {**FILLED, **getattr(request.module, "FILLED", {})}
    wanted = [name for name in known if name in request.fixturenames]
    wholly = set(wanted) <= FILLED.keys()

    def made() -> Database:
        db = in_memory()
        for name in wanted:
            known[name](db)
        return db

    patched = "monkeypatch" in request.fixturenames  # which may change how it is made
    if patched or getattr(request.module, "FRESH", False):
        with made() as found:
            yield found
        return
    with spares.lend(f"{'' if wholly else request.module.__name__} {wanted}", made) as found:
        yield found


@pytest.fixture
def movies(memory: Database) -> Index:
    """Four films in memory, searched by keyword."""
    return memory.index("movies")


@pytest.fixture
def hybrid_movies(memory: Database) -> Index:
    """The same four films with vectors of "letters"."""
    return memory.index("hybrid")
