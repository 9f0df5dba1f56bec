"""The keys of rows, and the order of keys, from arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hybridsearch
from hybridsearch import Database
from hybridsearch.arrays import Rows
from hybridsearch.document_ids import DocumentIds
from hybridsearch.row_ids import PATIENCE, Lookup, RowIds


@pytest.fixture
def db() -> Iterator[Database]:
    with hybridsearch.open(default_embedder=None) as db:
        yield db


def row_ids(db: Database, keys: Sequence[str]) -> RowIds:
    """Of an index whose rows from 1 on were written as these keys."""
    db.create_index("keys", primary_key="id").add([{"id": key} for key in keys])
    return RowIds(db._engine("keys").documents.keys)


def test_ids_that_came_in_pieces_are_those_of_their_rows(db: Database) -> None:
    ids = row_ids(db, ["c", "a", "b"])
    found = [ids.of(np.array(rows)).to_pylist() for rows in ([1], [2, 1], [3, 3, 1, 2])]
    assert found == [["c"], ["a", "c"], ["b", "b", "c", "a"]]


def test_places_are_in_one_order_however_often_they_are_asked_for(db: Database) -> None:
    keys = [f"k{number * 7 % 1000:03}" for number in range(1000)]
    ids = row_ids(db, keys)
    rows = np.array([500, 3, 17, 999])
    by_key = np.argsort([keys[row - 1] for row in rows.tolist()]).tolist()
    assert [np.argsort(ids.places(rows)).tolist() for _ in range(10)] == [by_key] * 10


def test_the_order_of_all_is_made_anew_when_there_are_others(db: Database) -> None:
    ids = row_ids(db, ["c", "a", "b"])
    ids.places(np.array([1, 2, 3]))
    db.index("keys").add([{"id": "aa"}])
    assert np.argsort(ids.places(np.array([1, 2, 3, 4]))).tolist() == [1, 3, 2, 0]


def test_no_rows_have_no_places(db: Database) -> None:
    assert row_ids(db, []).places(np.empty(0, np.int64)).tolist() == []


class Alike(DocumentIds):
    """Documents whose ids all have the same print."""

    def prints(self, start: int, size: int) -> tuple[Rows, Rows]:
        prints, rows = super().prints(start, size)
        return np.zeros_like(prints), rows

    def prints_of(self, ids: Sequence[str]) -> Rows:
        return np.zeros(min(len(ids), 1), np.int64)


@pytest.mark.parametrize("documents", [DocumentIds, Alike])
def test_rows_of_ids_are_those_of_the_table(db: Database, documents: type[DocumentIds]) -> None:
    keys = [f"k{number}" for number in range(100)]
    row_ids(db, keys)
    index = db.index("keys")
    index.add([{"id": key, "title": "again"} for key in keys[::9]])
    engine = db._engine("keys")
    ids = RowIds(documents(db._store, engine.documents.table))
    for size in (50, 101, engine.snapshot.state.size):
        for wanted in (["k7"], keys[:40], [], ["nobody's", "k27", "k99", "k27"]):
            expected = np.flatnonzero(engine.documents.keys.rows_with_ids(wanted, size=size))
            asked = [ids.among(wanted, size=size) for _ in range(PATIENCE + 1)]
            found = asked[-1]
            assert found is not None
            assert np.unique(found).tolist() == expected.tolist()
    index.add([{"id": "new"}])
    assert ids.among(["new"], size=engine.snapshot.state.size) is None  # there are others now


def test_a_list_of_keys_as_filter_goes_with_a_condition(db: Database) -> None:
    db.create_index("keys", primary_key="id").add(
        [{"id": number, "title": "red", "price": number % 10} for number in range(100)]
    )
    text = (
        "SELECT id FROM search('keys', 'red', k := 50, filter := [3, 13, 25, 47])"
        " WHERE price = 3 ORDER BY id"
    )
    found = [db.sql(text).fetchall() for _ in range(PATIENCE + 3)]
    assert found == [[(3,), (13,)]] * len(found)


WHOLE = st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 12)


@given(keys=st.lists(WHOLE, max_size=12), wanted=st.lists(WHOLE, max_size=12, unique=True))
def test_values_of_keys_however_they_lie(keys: list[int], wanted: list[int]) -> None:
    values = np.arange(len(keys), dtype=np.int64)
    found = Lookup(np.array(keys, np.int64), values).of(np.array(wanted, np.int64))
    assert sorted(found.tolist()) == [n for n, key in enumerate(keys) if key in wanted]
