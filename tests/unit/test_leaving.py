"""A program that forgets to close a database ends without a word, and loses nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hybridsearch
from hybridsearch.errors import DatabaseClosed

FORGETFUL = """
import os, sys
import duckdb
import hybridsearch
from hybridsearch.server import app_for
memory, db = hybridsearch.open(default_embedder=None), hybridsearch.open(sys.argv[1])
app = app_for(db)  # whose threads know the database
index = db.create_index("films", primary_key="id")
index.add([{"id": 1, "title": "Alien"}])
found = "SELECT title FROM search('films', 'alien')"
con, relation = db.connect(), db.sql(found)
con.execute(f"{found} UNION ALL SELECT 'x' FROM range(100_000)")  # nobody reads it
assert relation.fetchall() == [("Alien",)]
native = duckdb.connect()
hybridsearch.attach(native, db)
assert native.execute(found).fetchall() == [("Alien",)]
if not os.fork():
    sys.exit()  # a child leaves alone what is its parent's
os.wait()
assert db.sql(found).fetchall() == [("Alien",)]
"""


def test_who_forgets_to_close_hears_nothing(tmp_path: Path) -> None:
    path = tmp_path / "films.duckdb"
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORGETFUL, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    with hybridsearch.open(path) as db:
        assert db.index("films").count() == 1


HURRIED = """
import sys
import hybridsearch
db = hybridsearch.open(sys.argv[1], default_embedder=None)
index = db.create_index("films", primary_key="id")
for n in range(3):
    index.add(({"id": i, "title": f"alien {i} of {n}"} for i in range(20_000)), wait=False)
"""


def test_a_program_may_end_in_the_middle_of_a_write(tmp_path: Path) -> None:
    path = tmp_path / "films.duckdb"
    command = [sys.executable, "-c", HURRIED, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    with hybridsearch.open(path, default_embedder=None) as db:
        assert {db.wait(task.uid).status for task in db.tasks()} == {"succeeded"}
        assert db.index("films").count() == 20_000
        assert db.index("films").get(7) == {"id": 7, "title": "alien 7 of 2"}


def test_what_still_can_be_stopped_is_left_to_the_next_opening(tmp_path: Path) -> None:
    path = tmp_path / "films.duckdb"
    db = hybridsearch.open(path, default_embedder=None)
    index = db.create_index("films", primary_key="id")
    tasks = [index.add([{"id": n}], wait=False) for n in range(20)]
    db.leave()
    with pytest.raises(DatabaseClosed):
        index.count()
    with hybridsearch.open(path, default_embedder=None) as again:
        assert {again.wait(task.uid).status for task in tasks} == {"succeeded"}
        assert again.index("films").count() == 20
