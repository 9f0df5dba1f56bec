"""The beginning of a word finds every document that has a word with it, at every door."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch import Database, Index, keyword_terms
from hybridsearch.analysis import Analyzer
from hybridsearch.server import app_for

WORDS = (
    *(
        "sun",
        "sea",
        "seal",
        "salt",
        "sand",
        "sail",
        "süß",
        "Stone",
        "s3",
        "moon",
        "mare",
        "Märchen",
    ),
    *("слон", "слово", "東京", "東海", "a-b", "sea-side", "x"),
)
FIELDS = ("title", "text")
LOST = 7
"""Every seventh document is deleted."""
COUNT = 120
SETTINGS = {
    "searchable_attributes": list(FIELDS),
    "language": "none",
    "typo_tolerance": {"enabled": False},
}
PLAIN = Analyzer()

starts = st.sampled_from(
    sorted(
        {word[:size] for word in WORDS for size in (1, 2, 3) if word[:size].isalnum()}
        - {"東海", "東京"}
    )
)
heads = st.lists(st.sampled_from([word for word in WORDS if word.isalnum()]), max_size=2)
searches = st.fixed_dictionaries(
    {"head": heads, "start": starts, "fields": st.sampled_from([FIELDS, ("title",), ("text",)])},
    optional={"match": st.sampled_from(["all", "last", "phrase"]), "least": st.integers(0, 3)},
)


@pytest.fixture(scope="module", params=[(0, 2, 3), (0, 2, 300), (1000, 1000, 300)])
def sea(request: pytest.FixtureRequest) -> Iterator[tuple[Database, TestClient, dict[int, Any]]]:
    """Documents of few words in several segments, and how many of the words are scored."""
    random = Random(5)
    with pytest.MonkeyPatch.context() as patch, hybridsearch.open() as db:
        for name, value in zip(("SMALL", "EXPANSIONS", "SUMMED"), request.param, strict=True):
            patch.setattr(keyword_terms, name, value)
        patch.setattr(keyword_terms, "TOGETHER", 2)
        index = db.create_index("sea", primary_key="id", settings=SETTINGS)
        kept = {number: drawn(random, number) for number in range(COUNT)}
        for at in range(0, COUNT, 40):
            index.add([kept[number] for number in range(at, at + 40)])
        index.delete(ids=[str(number) for number in range(0, COUNT, LOST)])
        left = {number: one for number, one in kept.items() if number % LOST}
        yield db, TestClient(app_for(db)), left


def drawn(random: Random, number: int) -> dict[str, Any]:
    texts = {name: " ".join(random.choices(WORDS, k=random.randrange(4))) for name in FIELDS}
    return {"id": number, "n": random.randrange(4), **texts}


def matching(documents: dict[int, Any], asked: dict[str, Any]) -> set[int]:
    """What it means to match, said as plainly as it can be."""
    least, start = asked.get("least", 0), PLAIN.folded(asked["start"])
    head = [term for word in asked["head"] for term in PLAIN.terms(word)]
    found = {
        number: {name: PLAIN.terms(one[name]) for name in asked["fields"]}
        for number, one in documents.items()
    }
    having = [
        *(
            {n for n, one in found.items() if any(w in words for words in one.values())}
            for w in head
        ),
        {
            n
            for n, one in found.items()
            if any(w.startswith(start) for t in one.values() for w in t)
        },
    ]
    match = asked.get("match", "any")
    if match == "phrase":
        rows = {
            n for n, one in found.items() if any(runs(words, head, start) for words in one.values())
        }
    elif match == "all":
        rows = set.intersection(*having)
    elif match == "last":
        rows = next((some for some in having if some), set())
    else:
        rows = set.union(*having)
    return {number for number in rows if documents[number]["n"] >= least}


def runs(words: list[str], head: list[str], start: str) -> bool:
    """Whether the head stands in the words, and behind it a word that begins so."""
    size = len(head)
    return any(
        words[at : at + size] == head and words[at + size].startswith(start)
        for at in range(len(words) - size)
    )


@settings(max_examples=40, deadline=None)
@given(asked=searches)
def test_a_beginning_finds_all_that_begins_so(
    sea: tuple[Database, TestClient, dict[int, Any]], asked: dict[str, Any]
) -> None:
    db, client, documents = sea
    expected = matching(documents, asked)
    index, text = db.index("sea"), " ".join([*asked["head"], asked["start"]])
    fields, match = list(asked["fields"]), asked.get("match", "any")
    own: dict[str, Any] = {"filter": f"n >= {asked['least']}"} if "least" in asked else {}
    how: dict[str, Any] = {"mode": "keyword", "match": match, "attributes": fields, **own}
    small = index.search(text, limit=3, **how)
    assert (small.total, len(small.hits)) == (len(expected), min(3, len(expected)))
    assert paged(index, text, how) == sorted(expected)
    [many] = index.search_many([text], limit=3, **how)
    assert many.total == len(expected)
    facets = index.search(text, limit=1, facets=["n"], **how).facets
    assert sum(facets["n"].values()) == len(expected)
    if match in ("any", "all", "last"):
        named = {} if match == "any" else {"matchingStrategy": match}
        body = {"q": text, "attributesToSearchOn": fields, "limit": COUNT, **named, **own}
        found = client.post("/indexes/sea/search", json=body).json()
        assert found["estimatedTotalHits"] == len(expected)
        assert {hit["id"] for hit in found["hits"]} == expected


def paged(index: Index, text: str, how: dict[str, Any]) -> list[int]:
    """The ids on all pages."""
    pages = [index.search(text, limit=25, offset=at, **how) for at in range(0, COUNT, 25)]
    return sorted(int(hit.id) for page in pages for hit in page.hits)


@settings(max_examples=12, deadline=None)
@given(asked=searches.filter(lambda asked: "match" not in asked))
def test_a_beginning_in_sql_finds_all_that_begins_so(
    sea: tuple[Database, TestClient, dict[int, Any]], asked: dict[str, Any]
) -> None:
    db, _, documents = sea
    text, fields = " ".join([*asked["head"], asked["start"]]), list(asked["fields"])
    with db.connect() as con:
        found = con.execute(
            "SELECT q.n, count(*) FROM (VALUES (1, ?), (2, 'moon')) q(n, words),"
            " LATERAL (SELECT * FROM search('sea', q.words, k := 500, mode := 'keyword',"
            f" match := 'prefix', fields := {fields})) h WHERE h.n >= ? GROUP BY ALL",
            [text, asked.get("least", 0)],
        ).fetchall()
    assert dict(found).get(1, 0) == len(matching(documents, asked))
