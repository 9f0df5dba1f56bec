"""A batch of queries in a LATERAL join finds what the same searches find one by one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import hybridsearch
from hybridsearch import Database, Index
from hybridsearch.request import SearchRequest
from hybridsearch.sql.connection import Connection

WORDS = ["road", "race", "bike", "Ring", "árbol", "東京都", "sea-side", "a", "of", "x86"]
WORDS += [f"word{number}" for number in range(60)]
ODD = ["", "  ", "!!!", "- -", 'say "', "nowhere", "title:road", "nope:road", "-road", 'a"b" c']


def texts(made: random.Random, count: int) -> str:
    """Words, the first of them often."""
    return " ".join(WORDS[int(made.random() ** 2 * len(WORDS))] for _ in range(count))


def query(made: random.Random) -> str:
    """Words, some of them more than that."""
    kind = made.random()
    found = texts(made, made.randrange(1, 5))
    if kind < 0.05:
        return made.choice(ODD)
    if kind < 0.1:
        return f'"{found}" {texts(made, 1)}'
    if kind < 0.2:
        return f"{found} {made.choice(('-', 'title:', ':', '~ '))}{texts(made, 1)}"
    return found.upper() if kind < 0.3 else found


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    made = random.Random(3)
    with hybridsearch.open(default_embedder=None) as db:
        index = db.create_index(
            "docs",
            primary_key="id",
            settings={"stop_words": ["of"], "filterable_attributes": ["*"]},
        )
        for start in (0, 200):  # two segments; many texts are alike, so that many scores tie
            index.add(
                [
                    {"id": start + n, "title": texts(made, 2), "text": texts(made, n % 7)}
                    for n in range(200)
                ]
            )
        index.delete(ids=list(range(0, 400, 11)))
        yield db


@pytest.fixture(scope="module")
def index(db: Database) -> Index:
    return db.index("docs")


@pytest.fixture(scope="module")
def connection(db: Database) -> Iterator[Connection]:
    with db.connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def queries() -> list[str]:
    made = random.Random(4)
    return [query(made) for _ in range(500)] + ODD


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ("k := 7", {"limit": 7}),
        ("k := 3, match := 'all'", {"limit": 3, "match": "all"}),
        ("match := 'phrase'", {"limit": 400, "match": "phrase"}),
        ("tie := 0.3", {"limit": 400, "tie": 0.3}),
        ("k := 5, fields := ['title']", {"limit": 5, "attributes": ["title"]}),
        ("k := 5, field_weights := {title: 3}", {"limit": 5, "field_weights": {"title": 3}}),
        ("k := 5, match := 'prefix'", {"limit": 5, "prefix": True}),
        ("k := 5, typos := 2", {"limit": 5, "typos": 2}),
        ("k := 0", {"limit": 0}),
    ],
)
def test_a_batch_finds_what_a_loop_finds(
    index: Index,
    connection: Connection,
    queries: list[str],
    arguments: str,
    options: dict[str, Any],
) -> None:
    queries = queries if options == {"limit": 7} else queries[-70:]
    found = connection.execute(
        "SELECT n, h.id, h._rank, h._keyword_rank, h._score FROM"
        " (SELECT unnest(range(len($1))) AS n, unnest($1) AS query) asked,"
        f" LATERAL (FROM search('docs', asked.query, {arguments})) h ORDER BY n, _rank",
        [queries],
    ).fetchall()
    usual = {"prefix": False, "typos": 0, "tie": 1.0}
    expected = [
        (n, hit.id, rank, hit.keyword_rank, pytest.approx(hit.score, rel=1e-5))
        for n, asked in enumerate(queries)
        for rank, hit in enumerate(index.search(asked, **{**usual, **options}).hits, 1)
    ]
    assert found == expected


def test_hits_of_a_batch_pass_the_least_score(
    index: Index, connection: Connection, queries: list[str]
) -> None:
    text = "SELECT DISTINCT n, id, _rank FROM (SELECT unnest(range(len($1))) AS n, unnest($1) AS"
    text += " query), LATERAL (FROM search('docs', query, k := 20, min_score := {})) ORDER BY ALL"
    most = connection.execute(text.format(0), [queries]).fetchall()
    some = connection.execute(text.format(4), [queries]).fetchall()
    assert 0 < len(some) < len(most)
    assert set(some) < set(most)


def test_queries_that_are_null_or_twice_are_answered_as_they_come(connection: Connection) -> None:
    found = connection.execute(
        "SELECT n, (SELECT count(*) FROM search('docs', q, k := 3)) AS found FROM"
        " (VALUES (1, 'road'), (2, NULL), (3, 'nowhere'), (4, 'road'), (5, '')) AS asked(n, q)"
        " ORDER BY n"
    ).fetchall()
    assert found == [(1, 3), (2, 0), (3, 0), (4, 3), (5, 3)]


def test_words_alone_are_answered_together(index: Index, queries: list[str]) -> None:
    request = SearchRequest(limit=5, prefix=False, typos=0)
    together = index.snapshot().pages(request, queries, tied=lambda rows: rows)
    assert together is not None
    assert len(together.counts) == len(queries)
    for more in ({"filter": "id > 3"}, {"distinct": "title"}, {"typos": 1}, {"match": "phrase"}):
        asked = replace(request, **more)
        assert index.snapshot().pages(asked, queries, tied=lambda rows: rows) is None
