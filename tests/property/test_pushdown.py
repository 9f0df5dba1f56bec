"""What the front end pushes into a search changes when it happens, never what comes out.

Random documents, conditions and queries: the statement gives the rows, ranks and order of a plan
without pushdown, which ranks everything by score and key, then filters, then numbers what is left.
It runs inside a transaction, so that a statement that DuckDB could not bind would end it and be
seen, as it is and through `sql()`, which takes another way. A table is asked several times, since
making one and its index takes longer than a search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import hybridsearch
from hybridsearch import Database

WORDS = ["red", "blue", "shoe", "boot", "hose", "run"]
BRANDS = ["acme", "zeta", "hydro's", "%_"]
NUMBER = count()
SETTINGS = {
    "language": "none",
    "searchable_attributes": ["title"],
    "embedders": {"emb": {"source": "userProvided", "dimensions": 2}},
}
USUAL: Any = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.explicit, Phase.reuse, Phase.generate),  # shrinking would take minutes
}
TABLE = (
    "CREATE TABLE {0}_docs (id INTEGER, code VARCHAR, title VARCHAR, brand VARCHAR, price DOUBLE,"
    " day VARCHAR, tags VARCHAR[], emb FLOAT[2], PRIMARY KEY ({1}))"
)


@dataclass(frozen=True)
class World:
    """Documents, rows of another table, rows that ask; if the documents are a table; the key."""

    documents: Sequence[dict[str, Any]]
    others: Sequence[tuple[int, int | None]]
    asking: Sequence[tuple[str, str | None]]
    attached: bool
    key: str


@dataclass(frozen=True)
class Asked:
    """One search with its conditions."""

    query: str
    semantic: bool
    conditions: Sequence[str]
    limit: int | None
    offset: int
    as_k: bool
    order: str

    def call(self, uid: str, query: str | None = None) -> str:
        """The search without k."""
        text = f"'{self.query}'" if query is None else query
        how = "mode := 'keyword'"
        if self.semantic:
            how = "mode := 'semantic', vector := [1, 0.25], candidates := 1000"
        return f"search('{uid}', {text}, {how}"


optional = st.one_of(st.none(), st.sampled_from(BRANDS))
documents = st.lists(
    st.fixed_dictionaries(
        {
            "title": st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join),
            "brand": optional,
            "price": st.one_of(st.none(), st.integers(0, 8).map(float)),
            "day": st.one_of(st.none(), st.sampled_from(["2020-01-01", "2021-06-30", "none"])),
            "tags": st.one_of(st.none(), st.lists(st.sampled_from("ab"), max_size=2)),
            "emb": st.one_of(st.none(), st.tuples(st.integers(1, 9), st.integers(-9, 9)).map(list)),
        }
    ),
    min_size=1,
    max_size=14,
).map(lambda rows: [{"id": n, "code": f"k{99 - n}", **row} for n, row in enumerate(rows, 1)])
worlds = st.builds(
    World,
    documents,
    st.lists(st.tuples(st.integers(1, 15), st.one_of(st.none(), st.integers(0, 5))), max_size=8),
    st.lists(st.tuples(st.sampled_from(WORDS), optional), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from(["id", "code"]),
)
numbers = st.integers(0, 8)
simple = st.one_of(
    st.builds("price {} {}".format, st.sampled_from(["<", ">=", "=", "<>"]), numbers),
    st.builds("h.price BETWEEN {} AND {}".format, numbers, numbers),
    st.builds("id IN ({}, {})".format, numbers, numbers),
    st.builds("id % {} = 1".format, st.integers(2, 4)),
    st.sampled_from(
        [
            "brand IS NULL",
            "brand IS NOT DISTINCT FROM 'acme'",
            "brand <> 'acme'",
            "brand LIKE '%a%'",
            "brand = 'hydro''s'",
            "brand IN ('acme', NULL)",
            "brand NOT IN ('acme', 'zeta')",
            "coalesce(brand, '-') ILIKE 'A%'",
            "title @@@ 'red'",
            "title ||| 'blue boot' -- OR true\n",
            "try_cast(day AS DATE) >= DATE '2021-01-01'",
            "try_cast(day AS DATE) + INTERVAL 1 DAY > DATE '2020-01-01'",
            "CAST(price AS INTEGER)::VARCHAR = '3'",
            "list_contains(tags, 'a')",
            "len(tags) = 0",
            "len(list_filter(tags, lambda x: x = 'b')) > 0",
            "CASE WHEN price > 4 AND brand IS NULL THEN true ELSE id < 5 END",
            "id IN (SELECT doc_id FROM {0}_other WHERE qty > 1)",
            "id NOT IN (SELECT doc_id FROM {0}_other)",
            "NOT EXISTS (SELECT 1 FROM {0}_other o WHERE o.doc_id = h.id AND o.qty IS NULL)",
            "price > (SELECT avg(qty) FROM {0}_other)",
            "price >= ALL (SELECT qty FROM {0}_other WHERE qty IS NOT NULL)",
            "false",
            "NULL",
        ]
    ),
)
conditions = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.builds("NOT ({})".format, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("({} AND {})".format, inner, inner),
    ),
    max_leaves=3,
)
searches = st.builds(
    Asked,
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join),
    st.booleans(),
    st.lists(conditions, min_size=1, max_size=3),
    st.one_of(st.none(), st.integers(0, 5)),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from(["", "ORDER BY _rank", "ORDER BY _score DESC, {}"]),
)


class Tried:
    """One random world with the ways to ask of it."""

    def __init__(self, db: Database, world: World) -> None:
        self.uid = f"t{next(NUMBER)}"
        self.world = world
        self.connection = db.connect()
        self._fill(db)
        self.relation = f"{self.uid}_docs" if world.attached else self.uid

    def _fill(self, db: Database) -> None:
        self.connection.execute(f"CREATE TABLE {self.uid}_other (doc_id INTEGER, qty INTEGER)")
        self.connection.execute(f"CREATE TABLE {self.uid}_asking (q VARCHAR, who VARCHAR)")
        for name, rows in (("other", self.world.others), ("asking", self.world.asking)):
            for row in rows:
                self.connection.execute(f"INSERT INTO {self.uid}_{name} VALUES (?, ?)", list(row))
        if self.world.attached:
            self.connection.execute(TABLE.format(self.uid, self.world.key))
            for document in self.world.documents:
                values = "($id, $code, $title, $brand, $price, $day, $tags, $emb)"
                self.connection.execute(f"INSERT INTO {self.uid}_docs VALUES {values}", document)
            text = f"CREATE SEARCH INDEX {self.uid} ON {self.uid}_docs (title, emb)"
            self.connection.execute(text)
            return
        given = [{k: v for k, v in d.items() if k != "emb"} for d in self.world.documents]
        # One document has every attribute with its type, so that a condition finds its column.
        typed = {"id": 0, "code": "k0", "brand": "x", "price": 0.5, "day": "x", "tags": ["x"]}
        given.append({**typed, "title": "x"})
        vectors = [document["emb"] for document in self.world.documents]
        for document, vector in zip(given, vectors, strict=False):
            document["_vectors"] = {"emb": vector}
        db.create_index(self.uid, primary_key=self.world.key, settings=SETTINGS).add(given)

    def pushed(self, statement: str) -> list[Any]:
        """The rows that the statement gives, every way it can go."""
        self.connection.begin()
        found = self.connection.execute(statement).fetchall()
        self.connection.rollback()
        assert self.connection.sql(statement).fetchall() == found
        return list(found)

    def unpushed(self, asked: Asked, *, extra: str = "true", query: str | None = None) -> list[Any]:
        """(id, rank) of everything found that fits, numbered anew."""
        bare = self.connection.bare
        call = asked.call(self.uid, None if query is None else f"'{query}'")
        order = f"ORDER BY _score DESC, {self.world.key}"
        ranked = bare.execute(f"SELECT id FROM {call}) {order}").fetchall()
        wanted = " AND ".join(f"({each.format(self.uid)})" for each in (*asked.conditions, extra))
        fit = set(bare.execute(f"SELECT id FROM {self.relation} h WHERE {wanted}").fetchall())
        return [(id_, rank) for rank, (id_,) in enumerate((r for r in ranked if r in fit), 1)]

    def where(self, asked: Asked) -> str:
        """The conditions as a WHERE."""
        return " AND ".join(each.format(self.uid) for each in asked.conditions)


def check(db: Database, world: World, searches: Sequence[Asked]) -> None:
    tried = Tried(db, world)
    with tried.connection:
        for asked in searches:
            _alone(tried, asked)
            _joined(tried, asked)
            _lateral(tried, asked)
            _around(tried, asked)


def _alone(tried: Tried, asked: Asked) -> None:
    expected = tried.unpushed(asked)
    text = f"{asked.call(tried.uid)}"
    if asked.limit is not None and asked.as_k:
        expected, text = expected[: asked.limit], f"{text}, k := {asked.limit}"
    statement = f"SELECT id, _rank FROM {text}) h WHERE {tried.where(asked)}"
    if asked.limit is not None and not asked.as_k:
        expected = expected[asked.offset : asked.offset + asked.limit]
        statement += f" {asked.order.format(tried.world.key)}"
        statement += f" LIMIT {asked.limit} OFFSET {asked.offset}"
    assert tried.pushed(statement) == expected, statement


def _joined(tried: Tried, asked: Asked) -> None:
    """k hits that fit, then their rows of another table, with a condition on those."""
    k = asked.limit or 2
    ranks = dict(tried.unpushed(asked)[:k])
    expected = sorted(
        (ranks[doc], doc, qty) for doc, qty in tried.world.others if doc in ranks and (qty or 0) > 1
    )
    statement = (
        f"SELECT h._rank, h.id, o.qty FROM {asked.call(tried.uid)}, k := {k}) AS h"
        f" JOIN {tried.uid}_other o ON o.doc_id = h.id"
        f" WHERE o.qty > 1 AND {tried.where(asked)} ORDER BY ALL"
    )
    assert tried.pushed(statement) == expected, statement


def _lateral(tried: Tried, asked: Asked) -> None:
    """k hits for each row that asks, of those that fit the row."""
    k = asked.limit or 2
    expected = []
    for query, who in sorted(set(tried.world.asking), key=str):
        known = "NULL" if who is None else "'" + who.replace("'", "''") + "'"
        fitting = tried.unpushed(asked, extra=f"brand IS DISTINCT FROM {known}", query=query)
        expected += [(query, who, id_, rank) for id_, rank in fitting[:k]]
    inner = (
        f"SELECT id, _rank FROM {asked.call(tried.uid, 'a.q')}, k := {k}) h"
        f" WHERE {tried.where(asked)} AND h.brand IS DISTINCT FROM a.who"
    )
    statement = (
        f"SELECT a.q, a.who, h.id, h._rank FROM (SELECT DISTINCT * FROM {tried.uid}_asking) a,"
        f" LATERAL ({inner}) h"
    )
    found = sorted(tried.pushed(statement), key=str)
    assert found == sorted(expected, key=str), statement


def _around(tried: Tried, asked: Asked) -> None:
    """Every hit, of a search in a subquery whose conditions stand around it."""
    expected = sorted(id_ for id_, _ in tried.unpushed(asked))
    inner = f"(SELECT * FROM {asked.call(tried.uid)}))"
    statement = f"SELECT id FROM {inner} h WHERE {tried.where(asked)}"
    if asked.as_k:
        statement = f"WITH f AS {inner} SELECT h.id FROM f AS h WHERE {tried.where(asked)}"
    assert sorted(id_ for (id_,) in tried.pushed(statement)) == expected, statement


@pytest.fixture(scope="module")
def db() -> Any:
    with hybridsearch.open(default_embedder=None) as found:
        yield found


@settings(max_examples=4, **USUAL)
@given(world=worlds, asked=st.lists(searches, min_size=5, max_size=5))
def test_pushdown_changes_nothing(db: Database, world: World, asked: Sequence[Asked]) -> None:
    check(db, world, asked)


@pytest.mark.slow
@settings(max_examples=50, **USUAL)
@given(world=worlds, asked=st.lists(searches, min_size=10, max_size=10))
def test_pushdown_changes_nothing_in_500_cases(
    db: Database, world: World, asked: Sequence[Asked]
) -> None:
    check(db, world, asked)
