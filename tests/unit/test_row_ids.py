"""The keys of rows, and the order of keys, from arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

import hybridsearch
from hybridsearch import Database
from hybridsearch.row_ids import RowIds


@pytest.fixture
def db() -> Iterator[Database]:
    with hybridsearch.open(default_embedder=None) as db:
        yield db


def row_ids(db: Database, keys: Sequence[str]) -> RowIds:
    """Of an index whose rows from 1 on were written as these keys."""
    db.create_index("keys", primary_key="id").add([{"id": key} for key in keys])
    return RowIds(db._engine("keys").documents)


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
