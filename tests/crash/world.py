"""What must a database hold after the first n operations of a seeded history?

A history is endless and the same for everyone who knows its seed: the process that is killed
makes its operations one after the other, and the test that killed it works out, without any
database, what must be there after the operations that were acknowledged.

    world = World()
    for number in range(12):
        world = world.after(operation(seed, number, world))
    differences(db, world)                      # [] when the database holds exactly that
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

import hybridsearch
from hybridsearch.arrays import Vectors
from hybridsearch.database import Database
from hybridsearch.extraction import embedded_attributes
from hybridsearch.index import Index
from hybridsearch.settings import Settings

Document = dict[str, Any]
NAMES = ("ants", "bees", "cats")
IDS = 40
DIM = 16
TIE = 1e-4
FUNCTION = {"embedders": {"words": {"source": "function", "dimensions": DIM}}}


def embed(texts: list[str]) -> Vectors:
    """One direction a word, added up: equal texts are one point, others are far away."""
    return np.array([sum(map(_direction, text.lower().split()), np.zeros(DIM)) for text in texts])


def _direction(word: str) -> Vectors:
    seed = int.from_bytes(blake2b(word.encode(), digest_size=8).digest())
    return np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)


@dataclass(frozen=True)
class Shelf:
    """What one index must hold: its settings and its documents by id."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    documents: Mapping[int, Document] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """One call: what it does to which index."""

    kind: str
    index: str
    documents: Sequence[Document] = ()
    ids: Sequence[int] = ()
    below: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """What a database must hold."""

    shelves: Mapping[str, Shelf] = field(default_factory=dict)

    def after(self, done: Operation) -> World:
        """The world when the operation is done."""
        shelves = dict(self.shelves)
        if done.kind != "create" and done.index not in shelves:
            return self
        if done.kind == "drop":
            del shelves[done.index]
        elif done.kind != "rebuild":
            shelves[done.index] = _changed(shelves.get(done.index, Shelf()), done)
        return World(shelves)


def _changed(shelf: Shelf, done: Operation) -> Shelf:
    if done.kind in ("create", "settings"):
        return replace(shelf, settings={**shelf.settings, **done.settings})
    documents = dict(shelf.documents)
    for document in done.documents:
        old = documents.get(document["id"], {}) if done.kind == "merge" else {}
        documents[document["id"]] = {**old, **document}
    kept = {
        id_: document
        for id_, document in documents.items()
        if id_ not in done.ids and document["number"] >= done.below
    }
    return replace(shelf, documents=kept)


KINDS = {
    "add": 30,
    "merge": 20,
    "large": 8,
    "delete": 15,
    "below": 8,
    "rebuild": 6,
    "settings": 8,
    "drop": 3,
}
SETTINGS: tuple[Mapping[str, Any], ...] = (
    {"searchableAttributes": ["*"]},
    {"searchableAttributes": ["word", "text"]},
    {"language": "en"},
    {"language": "none"},
    {"synonyms": {"ant": ["emmet"]}},
    {"stopWords": ["the"]},
)


def operation(seed: int, number: int, world: World) -> Operation:
    """The operation of that number in the history of that seed, given the world before it."""
    chance = random.Random(f"{seed} {number}")
    index = chance.choice(NAMES)
    if index not in world.shelves:
        settings: Mapping[str, Any] = FUNCTION if index != NAMES[-1] or seed % 2 else {}
        return Operation("create", index, settings=settings)
    kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
    if kind in ("add", "merge", "large"):
        count = chance.randint(300, 900) if kind == "large" else chance.randint(1, 12)
        first = 1000 if kind == "large" else 0
        ids = chance.sample(range(first, first + max(IDS, count)), count)
        documents = [_document(index, id_, number, chance) for id_ in ids]
        return Operation("merge" if kind == "merge" else "add", index, documents=documents)
    if kind == "delete":
        ids = chance.sample(range(IDS), 5) + chance.sample(range(1000, 1900), 300)
        return Operation("delete", index, ids=ids)
    if kind == "below":
        return Operation("below", index, below=chance.choice([20, 40, 95]))
    changes: Mapping[str, Any] = chance.choice(SETTINGS) if kind == "settings" else {}
    return Operation(kind, index, settings=changes)


def short_history() -> list[Operation]:
    """One operation of each kind on one index, small enough to fail each of its writes in turn."""
    chance, index = random.Random(7), NAMES[0]

    def documents(number: int, ids: Sequence[int]) -> list[Document]:
        return [_document(index, id_, number, chance) for id_ in ids]

    return [
        Operation("create", index, settings=FUNCTION),
        Operation("add", index, documents=documents(1, range(12))),
        Operation("merge", index, documents=documents(2, range(8, 14))),
        Operation("delete", index, ids=[1, 2]),
        Operation("settings", index, settings={"searchableAttributes": ["word", "text"]}),
        Operation("add", index, documents=documents(5, range(3, 6))),
        Operation("rebuild", index),
        Operation("add", index, documents=documents(7, range(20, 22))),
    ]


def _document(index: str, id_: int, number: int, chance: random.Random) -> Document:
    document = {
        "id": id_,
        "word": f"{index}{id_}q{number}",
        "text": " ".join(chance.choices(["the", "ant", "running", "shoes", "rain"], k=6)),
        "number": chance.randrange(100),
        "version": number,
    }
    if chance.random() < 0.2:
        document[f"extra{number % 30}"] = f"more of {number}"
    return document


def open_database(path: Path) -> Database:
    """The database of a history, with the embedder that its indexes use."""
    return hybridsearch.open(path, functions={"words": embed})


def perform(db: Database, asked: Operation) -> None:
    """Make the call; it is acknowledged when this returns."""
    if asked.kind == "create":
        db.create_index(asked.index, primary_key="id", settings=asked.settings)
    elif asked.kind == "drop":
        db.drop_index(asked.index)
    else:
        _perform_on(db.index(asked.index), asked)


def _perform_on(index: Index, asked: Operation) -> None:
    if asked.kind in ("add", "merge"):
        index.add(list(asked.documents), mode="merge" if asked.kind == "merge" else "replace")
    elif asked.kind == "delete":
        index.delete(ids=list(asked.ids))
    elif asked.kind == "below" and "number" in index.stats()["attributes"]:
        index.delete(filter=f"number < {asked.below}")
    elif asked.kind == "rebuild":
        index.rebuild()
    elif asked.kind == "settings":
        index.update_settings(asked.settings)


def finish_waiting(db: Database) -> None:
    """Wait for the tasks that an earlier process left."""
    for task in db.tasks():
        if task.status in ("enqueued", "processing"):
            db.wait(task.uid, timeout=60)


def differences(db: Database, world: World) -> list[str]:
    """Where the database is not the world: by DuckDB, by id, by word, by meaning."""
    names = {index.uid for index in db.indexes()}
    if names != set(world.shelves):
        return [f"the indexes are {names}, not {set(world.shelves)}"]
    return [
        f"{name}: {found}"
        for name, shelf in world.shelves.items()
        for found in _shelf_differences(db, db.index(name), shelf)
    ]


def _shelf_differences(db: Database, index: Index, shelf: Shelf) -> list[str]:
    found = _count_differences(db, index, shelf) or _body_differences(index, shelf)
    if found or not shelf.documents:
        return found
    return _keyword_differences(index, shelf) + _semantic_differences(index, shelf)


def _count_differences(db: Database, index: Index, shelf: Shelf) -> list[str]:
    with db.connect() as connection:
        [(stored,)] = connection.execute(f"SELECT count(*) FROM {index.uid}").fetchall()
    counts = {
        "DuckDB": stored,
        "count()": index.count(),
        **{name: item["documents"] for name, item in index.stats()["embedders"].items()},
    }
    wanted = len(shelf.documents)
    return [f"{name} has {n}, not {wanted}" for name, n in counts.items() if n != wanted]


def _body_differences(index: Index, shelf: Shelf) -> list[str]:
    page, found = 250, []
    for offset in range(0, len(shelf.documents) + 1, page):
        hits = index.search("", limit=page, offset=offset, mode="keyword").hits
        found += [(hit.id, hit.document) for hit in hits]
    wanted = sorted(shelf.documents.items())
    if sorted(found, key=lambda pair: pair[0]) != wanted:
        ids = sorted(id_ for id_, _ in found)
        return [f"pages hold {ids}, not {sorted(shelf.documents)}, or other bodies"]
    sample = list(shelf.documents)[:60]
    return [f"get({i}) is wrong" for i in sample if index.get(i) != shelf.documents[i]]


def _keyword_differences(index: Index, shelf: Shelf) -> list[str]:
    ids = list(shelf.documents)
    words = [shelf.documents[id_]["word"] for id_ in ids]
    found = index.search_many(words, mode="keyword", limit=1)
    return [
        f"word {word} does not find {id_}"
        for id_, word, result in zip(ids, words, found, strict=True)
        if [hit.id for hit in result.hits] != [id_]
    ]


def _semantic_differences(index: Index, shelf: Shelf) -> list[str]:
    ids = list(shelf.documents)[:200]
    wanted = Settings().updated(shelf.settings).searchable_attributes
    texts = [
        "\n".join(embedded_attributes(shelf.documents[id_], wanted, without="id").values())
        for id_ in ids
    ]
    found = index.search_many(texts, mode="semantic", limit=5)
    return [
        f"the text of {id_} does not find it"
        for id_, result in zip(ids, found, strict=True)
        if id_ not in [hit.id for hit in result.hits if (hit.semantic_score or 0) > 1 - TIE]
    ]
