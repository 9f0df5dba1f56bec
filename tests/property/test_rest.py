"""Laws of the REST door: totals, pages, facets and federations speak of one set, as in Python."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

import hybridsearch
from hybridsearch import Index
from hybridsearch.server import app_for
from tests.conftest import letters

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord")
GROUPS = ("oak", "elm", "fir")
COUNT = 60
SETTINGS = {
    "embedders": {"letters": {"source": "function"}},
    "searchable_attributes": ["text"],
    "language": "none",
}
PATH = "/indexes/trees/search"
MODES = [
    None,
    {"embedder": "letters"},
    {"embedder": "letters", "semanticRatio": 0},
    {"embedder": "letters", "semanticRatio": 0.5, "candidates": 7},
    {"embedder": "letters", "semanticRatio": 1, "candidates": 20},
    {"embedder": "letters", "fusion": "score", "candidates": 9},
    {"embedder": "letters", "fusion": "dbsf", "candidates": 9},
]

searches = st.fixed_dictionaries(
    {"q": st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join)},
    optional={
        "filter": st.sampled_from(["n > 1", "group = oak OR n = 0", "tags = x", "NOT tags = y"]),
        "hybrid": st.sampled_from(MODES),
        "matchingStrategy": st.sampled_from(["last", "all", "frequency"]),
        "rankingScoreThreshold": st.sampled_from([0, 0.3, 0.6, 0.9]),
        "distinct": st.just("group"),
        "sort": st.sampled_from([["n:desc"], ["group:asc", "n:asc"]]),
    },
)


def drawn(random: Random, number: int) -> dict[str, Any]:
    words = random.choices(WORDS, k=random.randrange(1, 6))
    found = {"id": number, "text": " ".join(words), "n": random.randrange(4)}
    if random.random() < 0.7:
        found["group"] = random.choice(GROUPS)
    return {**found, "tags": random.choices("xyz", k=random.randrange(3))}


@pytest.fixture(scope="module")
def trees() -> Iterator[tuple[TestClient, Index]]:
    random = Random(4)
    with hybridsearch.open(default_embedder=None, functions={"letters": letters}) as db:
        index = db.create_index("trees", primary_key="id", settings=SETTINGS)
        index.add([drawn(random, number) for number in range(COUNT)])
        with TestClient(app_for(db)) as client:
            yield client, index


def asked(client: TestClient, path: str = PATH, **body: Any) -> Any:
    reply = client.post(path, json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def ids(answer: Any) -> list[int]:
    return [hit["id"] for hit in answer["hits"]]


@settings(max_examples=60)
@given(search=searches, size=st.integers(1, 25))
def test_pages_totals_and_facets_are_of_one_set(
    trees: tuple[TestClient, Index], search: dict[str, Any], size: int
) -> None:
    client, _ = trees
    whole = asked(client, **search, limit=COUNT, facets=["id", "group"])
    pages = [asked(client, **search, page=n, hitsPerPage=size) for n in range(1, COUNT // size + 2)]
    assert [id_ for page in pages for id_ in ids(page)] == ids(whole)
    total = whole["estimatedTotalHits"]
    assert total == len(set(ids(whole))) == len(ids(whole))
    assert {page["totalHits"] for page in pages} == {total}
    assert sorted(map(int, whole["facetDistribution"]["id"])) == sorted(ids(whole))
    having = [hit for hit in whole["hits"] if "group" in hit]
    assert sum(whole["facetDistribution"]["group"].values()) == len(having)


@settings(max_examples=40)
@given(search=searches, offset=st.integers(0, 5))
def test_a_federation_of_one_is_that_search(
    trees: tuple[TestClient, Index], search: dict[str, Any], offset: int
) -> None:
    client, _ = trees
    plain = {name: value for name, value in search.items() if name not in ("sort", "distinct")}
    one = asked(client, **plain, offset=offset)
    query = {"indexUid": "trees", **plain}
    many = asked(client, "/multi-search", queries=[query, query], federation={"offset": offset})
    assert (ids(many), many["estimatedTotalHits"]) == (ids(one), one["estimatedTotalHits"])


@settings(max_examples=40)
@given(search=searches)
def test_the_door_finds_what_python_finds(
    trees: tuple[TestClient, Index], search: dict[str, Any]
) -> None:
    client, index = trees
    hybrid = search.get("hybrid")
    options: dict[str, Any] = {"mode": "keyword"}
    if hybrid:
        ratio = hybrid.get("semanticRatio")
        modes = {0: "keyword", 1: "semantic"}
        options = {"mode": modes.get(ratio, "hybrid"), "fusion": hybrid.get("fusion", "rrf")}
        options["candidates"] = hybrid.get("candidates")
        options["weights"] = None if ratio is None else (1 - ratio, ratio)
    found = index.search(
        search["q"],
        limit=COUNT,
        filter=search.get("filter"),
        sort=search.get("sort", ()),
        distinct=search.get("distinct"),
        threshold=search.get("rankingScoreThreshold"),
        lenient=True,
        match=search.get("matchingStrategy", "any"),
        **options,
    )
    answer = asked(client, **search, limit=COUNT, showRankingScore=True)
    assert ids(answer) == [hit.id for hit in found]
    assert [hit["_rankingScore"] for hit in answer["hits"]] == [hit.relevance for hit in found]


@settings(max_examples=40)
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=3, unique=True))
def test_a_strategy_says_which_word_has_to_be_there(
    trees: tuple[TestClient, Index], words: list[str]
) -> None:
    client, _ = trees
    texts = {hit["id"]: hit["text"].split() for hit in asked(client, limit=COUNT)["hits"]}
    having = {word: {id_ for id_, text in texts.items() if word in text} for word in WORDS}
    rarest = min(words, key=lambda word: (len(having[word]), words.index(word)))
    wanted = {
        "last": having[words[0]],
        "frequency": having[rarest],
        "all": set.intersection(*(having[word] for word in words)),
    }
    for strategy, found in wanted.items():
        body: dict[str, Any] = {"q": " ".join(words) + " ", "matchingStrategy": strategy}
        assert set(ids(asked(client, limit=COUNT, **body))) == found
    either = asked(client, q=" ".join(words) + " ", limit=COUNT)
    assert set(ids(either)) == set.union(*(having[word] for word in words))
