"""Closing a database while it works must lose nothing that was accepted."""

import time
from pathlib import Path

import pytest

import hybridsearch
from hybridsearch.errors import DatabaseClosed

ROUNDS = 25


def test_a_task_in_hand_when_the_database_closes_is_done_not_refused(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with hybridsearch.open(path, default_embedder=None) as db:
        db.create_index("movies", primary_key="id").add({"id": 0})
    for number in range(ROUNDS):
        with hybridsearch.open(path, default_embedder=None) as db:
            # Two by a filter, for those share no batch: the second begins about when we close.
            first = db.index("movies").delete(filter="id > 1000", wait=False)
            db.index("movies").delete(filter="id > 1000", wait=False)
            db.wait(first.uid)
            time.sleep(number * 0.0001)
    with hybridsearch.open(path, default_embedder=None) as db:
        assert {db.wait(task.uid).status for task in db.tasks()} == {"succeeded"}


def test_a_closed_database_takes_no_more_calls(tmp_path: Path) -> None:
    db = hybridsearch.open(tmp_path / "shop.duckdb")
    movies = db.create_index("movies")
    db.close()
    db.close()
    for call in (movies.count, lambda: movies.add({"id": 1})):
        with pytest.raises(DatabaseClosed):
            call()
