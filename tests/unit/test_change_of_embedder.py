"""Does a change of embedder leave searches alone until its vectors are there?"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hybridsearch
from hybridsearch import Database, Index
from hybridsearch.embedders.function import EmbedFunction
from tests.conftest import letters


class Gate:
    """A callable that embeds documents only when it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, texts: list[str]) -> Any:
        if "probe" not in texts:
            self.entered.set()
            assert self.opened.wait(30)
        return -letters(texts)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def db(path: Path, gate: Gate) -> Iterator[Database]:
    functions: dict[str, EmbedFunction] = {"old": letters, "new": gate}
    with hybridsearch.open(path, default_embedder=None, functions=functions) as found:
        yield found
        gate.opened.set()


@pytest.fixture
def films(db: Database) -> Index:
    settings = {"embedders": {"old": {"source": "function"}}}
    index = db.create_index("films", primary_key="id", settings=settings)
    index.add([{"id": 1, "title": "Alien"}, {"id": 2, "title": "Up"}])
    return index


def test_the_old_embedder_serves_while_the_new_one_embeds(
    db: Database, films: Index, gate: Gate
) -> None:
    before = films.search("Up", mode="semantic").hits
    changes = {"embedders": {"old": None, "new": {"source": "function"}}}
    task = films.update_settings(changes, wait=False)
    assert gate.entered.wait(30)
    during = films.search("Up", mode="semantic", embedder="old").hits
    assert [(hit.id, hit.score) for hit in during] == [(hit.id, hit.score) for hit in before]
    assert films.search("alien", mode="hybrid").hits[0].id == 1
    gate.opened.set()
    db.wait(task.uid, timeout=30)
    assert list(films.stats()["embedders"]) == ["new"]
    assert films.search("Up", mode="semantic", embedder="new").hits[0].id == 2


def test_writes_that_come_meanwhile_are_embedded_by_the_new_one(
    db: Database, films: Index, gate: Gate
) -> None:
    films.update_settings({"embedders": {"new": {"source": "function"}}}, wait=False)
    assert gate.entered.wait(30)
    later = films.add([{"id": 3, "title": "Solaris"}], wait=False)
    gate.opened.set()
    db.wait(later.uid, timeout=30)
    assert films.stats()["embedders"]["new"]["documents"] == 3
