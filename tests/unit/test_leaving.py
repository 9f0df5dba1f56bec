"""A program that forgets to close a database ends without a word, and loses nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import hybridsearch

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


def test_a_database_at_work_is_not_waited_for() -> None:
    db = hybridsearch.open(default_embedder=None)
    index = db.create_index("films", primary_key="id")
    with db.queue._changed:  # the worker cannot take it
        task = index.add([{"id": 1}], wait=False)
        db.leave()
    assert db.queue.wait(task.uid).status == "succeeded"
    db.leave()
    assert db._closed
