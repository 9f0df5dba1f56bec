"""In SQL every way to the columns of a document gives the same values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hybridsearch
from hybridsearch import Database
from hybridsearch.sql.connection import Connection as FrontConnection
from hybridsearch.store import Connection as Bare

Connection = Bare | FrontConnection

NAMES = st.sampled_from(
    [
        "a",
        "A",
        "b.c",
        "b",
        "",
        "_score",
        "_row",
        "it's",
        'say "x"',
        "$",
        "back\\slash",
        "a/b~c",
        "nul\0",
        "é",
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=5,
)
NUMBERS = count()
DOCUMENTS = st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=4)


def table(connection: Connection, uid: str, k: str) -> tuple[list[str], list[str], list[list[str]]]:
    """Names, types and rows; JSON is read, for 1e16 can be written in several ways."""
    found = connection.sql(f"FROM search('{uid}', '', k := {k}) ORDER BY _rank")
    types = list(map(str, found.types))
    return (
        found.columns,
        types,
        [[_plain(*cell) for cell in zip(row, types, strict=True)] for row in found.fetchall()],
    )


def _plain(value: Any, kind: str) -> str:
    return repr(json.loads(value) if kind == "JSON" and value is not None else value)


@pytest.fixture(scope="module")
def connections() -> Iterator[tuple[Database, Connection, Connection]]:
    with hybridsearch.open(default_embedder=None) as db, duckdb.connect() as foreign:
        hybridsearch.attach(foreign, db)
        with db.connect() as own:
            yield db, own, foreign


@settings(max_examples=30)
@given(documents=DOCUMENTS)
def test_bodies_and_documents_have_the_same_columns(
    connections: tuple[Database, Connection, Connection], documents: list[dict[str, Any]]
) -> None:
    db, own, foreign = connections
    uid = f"things_{next(NUMBERS)}"
    index = db.create_index(uid, primary_key="id")
    index.add([{**document, "id": n} for n, document in enumerate(documents)])
    joined = table(own, uid, "NULL")
    assert joined == table(own, uid, "5") == table(foreign, uid, "NULL")
