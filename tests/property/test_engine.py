"""Laws of an index: whatever is written, in whatever order, it holds what a plain dict would."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import hybridsearch
from hybridsearch import Database, Index
from hybridsearch.errors import FilterError
from tests.conftest import BY_MEANING, Document, letters

Operation: TypeAlias = tuple[Any, ...]

IDS: tuple[int | str, ...] = (1, 2, 10, "1x", "a", "B b", "é", "q\"'", 2**70, "-")
NAMES = (
    "a",
    "Name",
    "name",
    "a.b",
    "x y",
    'q"t',
    "it's",
    "é",
    "",
    "nul\0",
    "nul",
    "row",
    "c0",
    "_2",
)
SETTINGS: tuple[Mapping[str, Any], ...] = (
    {"searchableAttributes": ["a", "Name"]},
    {"searchableAttributes": None},
    {"language": "en"},
    {"stopWords": ["the"]},
    {"filterableAttributes": ["n"], "displayedAttributes": ["*"]},
    BY_MEANING,
    {"embedders": None},
)

texts = st.text(max_size=4) | st.sampled_from(["red shoes", "the", "a\0b", '"', "\\", "1", "true"])
numbers = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**80, 10**40]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1e308, -1e308, 5e-324, 1.5, 2.0, -0.0]),
)
scalars = st.none() | st.booleans() | numbers | texts
values = st.one_of(
    scalars,
    st.lists(st.integers(-3, 3) | st.none(), max_size=3),
    st.lists(texts, max_size=3),
    st.lists(numbers, max_size=3),
    st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from([*NAMES, "x"]), inner, max_size=2)
        ),
        max_leaves=5,
    ),
)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    fields = draw(st.dictionaries(st.sampled_from(NAMES), values, max_size=4))
    document = {"id": draw(st.sampled_from(IDS)), **fields}
    if draw(st.booleans()):
        document["n"] = draw(st.none() | st.integers(-5, 5))
    names = draw(st.permutations(list(document)))
    return {name: document[name] for name in names}


batches = st.lists(documents(), min_size=1, max_size=5)
operations = st.one_of(
    st.tuples(st.just("add"), batches),
    st.tuples(st.just("merge"), batches),
    st.tuples(st.just("delete"), st.lists(st.sampled_from(IDS), max_size=4)),
    st.tuples(st.just("delete where"), st.integers(-5, 5)),
    st.tuples(st.just("delete all")),
    st.tuples(st.just("settings"), st.sampled_from(SETTINGS)),
    st.tuples(st.just("reopen")),
    st.tuples(st.just("rebuild"), st.booleans()),
)


@dataclass
class Model:
    """What the index should hold: id as text -> document.

    has_numbers: a stored document had a number for "n", so that the index knows the attribute;
    what a later document of the same batch replaced was never stored.
    """

    documents: dict[str, Document] = field(default_factory=dict)
    has_numbers: bool = False

    def put(self, batch: list[Document], *, merge: bool = False) -> None:
        for document in batch:
            old = self.documents.get(str(document["id"]), {}) if merge else {}
            self.documents[str(document["id"])] = {**old, **document}
        left = [self.documents[str(document["id"])] for document in batch]
        self.has_numbers |= any(document.get("n") is not None for document in left)


class World:
    """An index with its model; every operation is done to both, opening again only to a file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.model = Model()
        self.db = self._opened()
        self.index = self.db.create_index("things", primary_key="id")

    def _opened(self) -> Database:
        return hybridsearch.open(self._path, default_embedder=None, functions={"letters": letters})

    def do(self, operation: Operation) -> None:
        name, *arguments = operation
        steps: dict[str, Callable[..., object]] = {
            "add": self._add,
            "merge": self._merge,
            "delete": self._delete,
            "delete where": self._delete_where,
            "delete all": self._delete_all,
            "settings": self.index.update_settings,
            "reopen": self._reopen,
            "rebuild": lambda reuse: self.index.rebuild(reuse_vectors=reuse),
        }
        steps[name](*arguments)

    def _add(self, batch: list[Document]) -> None:
        self.index.add(batch)
        self.model.put(batch)

    def _merge(self, batch: list[Document]) -> None:
        self.index.add(batch, mode="merge")
        self.model.put(batch, merge=True)

    def _delete(self, ids: list[int | str]) -> None:
        self.index.delete(ids=ids)
        for id_ in ids:
            self.model.documents.pop(str(id_), None)

    def _delete_where(self, least: int) -> None:
        if not self.model.has_numbers:
            with pytest.raises(FilterError, match='unknown field "n"'):
                self.index.delete(filter=f"n > {least}")
            return
        kept = {
            id_: document
            for id_, document in self.model.documents.items()
            if document.get("n") is None or document["n"] <= least
        }
        task = self.index.delete(filter=f"n > {least}")
        assert task.details["deleted_documents"] == len(self.model.documents) - len(kept)
        self.model.documents = kept

    def _delete_all(self) -> None:
        self.index.delete(all=True)
        self.model.documents = {}

    def _reopen(self) -> None:
        self.db.close()
        self.db = self._opened()
        self.index = self.db.index("things")

    def check(self) -> None:
        """The index answers what the model does."""
        found = {id_: self.index.get(id_) for id_ in self.model.documents}
        assert written(found) == written(self.model.documents)
        assert self.index.count() == len(self.model.documents)
        assert self._paged() == sorted(self.model.documents.values(), key=id_order)
        self._check_view()

    def _paged(self) -> list[Document]:
        starts = range(0, len(self.model.documents) + 3, 3)
        pages = [self.index.search("", limit=3, offset=start) for start in starts]
        assert {page.total for page in pages} == {len(self.model.documents)}
        return [hit.document for page in pages for hit in page]

    def _check_view(self) -> None:
        types = self.index.stats()["attributes"]
        rows = self.db.connect().sql("SELECT * FROM things").fetchall()
        assert len(rows) == len(self.model.documents)
        for row in rows if types else []:
            shown = {
                name: json.loads(value) if types[name] == "JSON" and value is not None else value
                for name, value in zip(types, row, strict=True)
            }
            assert same(shown, dict.fromkeys(types) | self.model.documents[str(shown["id"])])


def written(found: Mapping[str, Document]) -> str:
    """The documents as JSON text, so that the order of keys and the types of numbers count."""
    return json.dumps(found)


def id_order(document: Document) -> tuple[bool, int, str]:
    text = str(document["id"])
    whole = text.lstrip("-").isdigit()
    return not whole, int(text) if whole else 0, text


def same(shown: Any, sent: Any) -> bool:
    """Whether a column shows what was sent; whole numbers may have become floating ones."""
    if isinstance(sent, dict):
        mine = {name: value for name, value in shown.items() if value is not None}
        theirs = {name: value for name, value in sent.items() if value is not None}
        return mine.keys() == theirs.keys() and all(same(mine[k], theirs[k]) for k in mine)
    if isinstance(sent, list):
        return len(shown) == len(sent) and all(map(same, shown, sent))
    if isinstance(sent, bool) or not isinstance(sent, int | float):
        return type(shown) is type(sent) and bool(shown == sent)
    return float(shown) == float(sent)


@contextmanager
def world(*, in_memory: bool = False) -> Iterator[World]:
    with TemporaryDirectory() as folder:
        made = World(None if in_memory else Path(folder) / "things.duckdb")
        try:
            yield made
        finally:
            made.db.close()


def agrees(history: list[Operation]) -> None:
    with world() as made:
        for operation in history:
            made.do(operation)
            made.check()
        made.do(("reopen",))
        made.check()


@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(st.lists(operations, min_size=1, max_size=6))
@example([("add", [{"id": 1, "a": 1.5}]), ("add", [{"id": 2, "a": 2**53 + 1}])])
@example([("add", [{"id": 1, "a": [1.5]}]), ("add", [{"id": 2, "a": [2**53 + 1]}])])
@example([("add", [{"id": 1, "a": 1.5}, {"id": 2, "a": 2**80}])])
@example([("add", [{"id": 1, "nul": 1, "nul\0": 2, "Nul": 3}])])
def test_an_index_holds_what_a_dict_would(history: list[Operation]) -> None:
    agrees(history)


@pytest.mark.slow
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(st.lists(operations, min_size=1, max_size=12))
def test_an_index_holds_what_a_dict_would_after_many_writes(history: list[Operation]) -> None:
    agrees(history)


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(values, min_size=1, max_size=3), min_size=1, max_size=5))
@example([[1], [1.5], ["x"], [["x"]], [{"b": 1}], [None]])
@example([[["x", None]], [{"b": 1}], [True]])
@example([[[]], [["x"]], [[1]]])
def test_a_column_takes_values_of_any_types_in_any_order(changes: list[list[Any]]) -> None:
    with world(in_memory=True) as made:
        ids = iter(range(100))
        for batch in changes:
            made.do(("add", [{"id": next(ids), "a": value} for value in batch]))
            if "a" in made.index.stats()["attributes"]:
                seen = made.index.search(
                    "", filter="a = 1 OR id >= 0", sort=["a:asc"], facets=["a"]
                )
                assert seen.total == made.index.count()
        made.check()


def awaited(index: Index, *, at_once: bool, history: list[Operation]) -> dict[str, Document]:
    """The documents after additions and deletions, waited for one by one or queued at once."""
    wait = not at_once
    for name, argument in history:
        if name == "delete":
            index.delete(ids=argument, wait=wait)
        else:
            index.add(argument, mode="merge" if name == "merge" else "replace", wait=wait)
    index.add([], wait=True)
    return {str(hit.id): hit.document for hit in index.search("", limit=100)}


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["add", "merge"]), batches),
            st.tuples(st.just("delete"), st.lists(st.sampled_from(IDS), max_size=4)),
        ),
        max_size=8,
    )
)
def test_writes_that_share_a_batch_do_what_they_do_one_by_one(history: list[Operation]) -> None:
    with hybridsearch.open(default_embedder=None) as db:
        one = db.create_index("one", primary_key="id")
        many = db.create_index("many", primary_key="id")
        expected = awaited(one, at_once=False, history=history)
        assert written(awaited(many, at_once=True, history=history)) == written(expected)
