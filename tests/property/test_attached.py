"""Whatever happens to a table, an index that followed it finds what one made anew would find."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hybridsearch
from hybridsearch import Database
from hybridsearch.sql.connection import Connection

WORDS = ("red", "blue", "shoes", "socks", "running", "garden", "crème")
KEYS = st.integers(0, 9)
TITLES = st.none() | st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join)
VECTORS = st.none() | st.tuples(st.integers(-3, 3), st.integers(1, 3))
PRICES = st.none() | st.sampled_from([0.5, 2.0, float("nan"), float("inf")])
PUT = "INSERT OR REPLACE INTO t VALUES (?, ?, ?, ?)"
UPDATE = "UPDATE t SET title = ? WHERE id = ?"
MOVE = "UPDATE t SET id = $1 WHERE id = $2 AND NOT EXISTS (FROM t WHERE id = $1)"
DELETE = "DELETE FROM t WHERE id = ?"
EDITS = st.one_of(
    st.tuples(st.just(PUT), KEYS, TITLES, VECTORS, PRICES),
    st.tuples(st.just(UPDATE), TITLES, KEYS),
    st.tuples(st.just(MOVE), KEYS, KEYS),
    st.tuples(st.just(DELETE), KEYS),
    st.just(("DELETE FROM t",)),
    st.tuples(st.just("BEGIN; UPDATE t SET title = 'red'; ROLLBACK")),
    st.tuples(st.just("refresh"), st.booleans()),
    st.tuples(st.just("search"), st.sampled_from(WORDS)),
)


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    with hybridsearch.open() as found:
        yield found


def apply(db: Database, con: Connection, edit: tuple[Any, ...]) -> None:
    what, *values = edit
    if what == "refresh":
        db.refresh_search_index("followed", full=values[0])
    elif what == "search":
        db.index("followed").search(values[0])
    else:
        con.execute(what, [list(value) if type(value) is tuple else value for value in values])


def answers(con: Connection, name: str) -> list[Any]:
    """What is found by each word and near two vectors: keys with scores and live columns."""
    found = []
    for word in ("", *WORDS):
        statement = (
            "SELECT id, title, price IS NULL, round(_score, 4) FROM"
            f" search('{name}', '{word}', mode := 'keyword') ORDER BY ALL"
        )
        found.append(con.execute(statement).fetchall())
    for vector in ("[1, 0]", "[-1, 2]"):
        statement = (
            f"SELECT id, round(_score, 4) FROM search('{name}', '', mode := 'semantic',"
            f" vector := {vector}) ORDER BY ALL"
        )
        found.append(con.execute(statement).fetchall())
    return found


def keys(found: list[Any]) -> list[Any]:
    return [sorted(row[0] for row in rows) for rows in found]


def follows(db: Database, edits: list[tuple[Any, ...]]) -> None:
    with db.connect() as con:
        con.execute(
            "CREATE OR REPLACE TABLE t"
            " (id INTEGER PRIMARY KEY, title VARCHAR, e FLOAT[2], price DOUBLE)"
        )
        con.execute("INSERT INTO t VALUES (1, 'red shoes', [1, 2], 1), (2, 'garden', NULL, NULL)")
        db.create_search_index("followed", "t", ["title", "e"], replace=True)
        for edit in edits:
            apply(db, con, edit)
        followed = answers(con, "followed")
        db.create_search_index("anew", "t", ["title", "e"], replace=True)
        assert keys(followed) == keys(answers(con, "anew"))
        db.index("followed").rebuild()  # until then rows that died count in the weight of words
        assert answers(con, "followed") == answers(con, "anew")
        assert db.freshness("followed").stale == 0
        count = con.execute("SELECT count(*) FROM t").fetchall()[0][0]
        assert db.describe_search_index("followed").rows == count


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EDITS, max_size=8))
def test_following_is_as_good_as_making_anew(db: Database, edits: list[tuple[Any, ...]]) -> None:
    follows(db, edits)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(EDITS, max_size=30))
def test_following_is_as_good_as_making_anew_at_length(
    db: Database, edits: list[tuple[Any, ...]]
) -> None:
    follows(db, edits)
