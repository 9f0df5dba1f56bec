"""Do diversity and reranking change the order as they say, and nothing else?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import hybridsearch
from hybridsearch import Database, Index
from hybridsearch.diversity import mmr, similarities
from hybridsearch.errors import QueryError
from tests.conftest import BY_MEANING, Document, letters, refused

TEXTS = ["red shoe", "red shoes", "red shoe red", "blue shoe", "red hat", "a hat", "deer oh"]
MODES = ("keyword", "semantic", "hybrid")


@pytest.fixture(scope="module")
def shop() -> Iterator[Index]:
    with hybridsearch.open(default_embedder=None, functions={"letters": letters}) as db:
        index = db.create_index("shop", primary_key="id", settings=BY_MEANING)
        index.add([{"id": n, "text": text, "n": n} for n, text in enumerate(TEXTS)])
        yield index


def ids(found: hybridsearch.SearchResult) -> list[Any]:
    return [hit.id for hit in found]


def by_hand(plain: hybridsearch.SearchResult, diversity: float) -> list[Any]:
    """Maximal marginal relevance as it stands in the paper, one hit after the other."""
    left = {hit.id: hit.score / plain.hits[0].score for hit in plain}
    vectors = letters([str(hit.document["text"]) for hit in plain])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near = {hit.id: vector for hit, vector in zip(plain, vectors, strict=True)}
    chosen: list[Any] = []
    while left:
        values = {
            id_: (1 - diversity) * share
            - diversity * max((float(near[id_] @ near[other]) for other in chosen), default=0.0)
            for id_, share in left.items()
        }
        chosen.append(max(values, key=lambda id_: values[id_]))
        del left[chosen[-1]]
    return chosen


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("diversity", [0.2, 0.55, 0.8])
def test_hits_stand_as_the_formula_of_the_paper_says(
    shop: Index, mode: str, diversity: float
) -> None:
    plain = shop.search("red shoe", mode=mode)
    found = shop.search("red shoe", mode=mode, diversity=diversity)
    assert ids(found) == by_hand(plain, diversity)
    assert found.total == plain.total


@pytest.mark.parametrize("mode", MODES)
def test_diversity_zero_changes_nothing_and_the_best_hit_stays_first(
    shop: Index, mode: str
) -> None:
    plain = shop.search("red shoe", mode=mode)
    assert ids(shop.search("red shoe", mode=mode, diversity=0.0)) == ids(plain)
    assert ids(shop.search("red shoe", mode=mode, diversity=0.9))[0] == ids(plain)[0]


@pytest.mark.parametrize("options", [{"diversity": 0.6}, {"rerank": "backwards"}])
def test_pages_go_on_where_the_one_before_ended(shop: Index, options: dict[str, Any]) -> None:
    options = {
        name: backwards if value == "backwards" else value for name, value in options.items()
    }
    whole = ids(shop.search("red shoe", **options))
    paged = [
        id_
        for at in range(0, 8, 2)
        for id_ in ids(shop.search("red shoe", offset=at, limit=2, **options))
    ]
    assert paged == whole
    assert len(whole) == len(TEXTS)


def test_beyond_the_candidates_hits_stay_as_they_were(shop: Index) -> None:
    plain = ids(shop.search("red shoe", mode="keyword"))
    found = ids(shop.search("red shoe", mode="keyword", diversity=0.9, candidates=3))
    assert (sorted(found[:3]), found[3:]) == (sorted(plain[:3]), plain[3:])


def test_scores_say_what_they_said_and_the_explanation_tells_the_rest(shop: Index) -> None:
    plain = {hit.id: hit.score for hit in shop.search("red shoe")}
    for hit in shop.search("red shoe", diversity=0.5, explain=True):
        assert hit.explanation is not None
        told = hit.explanation["diversity"]
        assert hit.score == plain[hit.id]
        assert told["mmr"] == pytest.approx(0.5 * told["relevance"] - 0.5 * told["nearest"])
        assert told["rank"] == list(plain).index(hit.id) + 1


def test_documents_without_a_vector_are_like_nothing() -> None:
    rows = np.array([4, 2, 9])
    vectors = np.array([[3.0, 0.0], [0.0, 2.0], [1.0, 1.0]], np.float32)
    found = similarities(rows, (np.array([2, 2, 4]), vectors))
    assert found == pytest.approx(np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]]), abs=1e-6)
    assert mmr(np.array([0.5, 0.6, 0.4]), found, diversity=0.5).order.tolist() == [1, 2, 0]


def test_diversity_needs_vectors(memory: Database) -> None:
    index = memory.create_index("plain", primary_key="id")
    index.add([{"id": 1, "text": "red"}])
    refused(
        lambda: index.search("red", diversity=0.5),
        QueryError,
        "invalid_search_diversity",
        "diversity compares the vectors of documents, and this index has none",
        field="diversity",
    )


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "much", True])
def test_diversity_is_a_number_from_0_to_1(shop: Index, value: Any) -> None:
    with pytest.raises(QueryError, match="diversity must be a number from 0 to 1"):
        shop.search("red", diversity=value)


# Reranking


def backwards(query: str, documents: Sequence[Document]) -> list[int]:
    return [int(document["n"]) for document in documents]


@pytest.mark.parametrize("mode", MODES)
def test_the_first_hits_stand_as_the_callable_scores_them(shop: Index, mode: str) -> None:
    plain = ids(shop.search("red shoe", mode=mode))
    found = shop.search("red shoe", mode=mode, rerank=backwards, rerank_top=3)
    assert ids(found) == [*sorted(plain[:3], reverse=True), *plain[3:]]
    assert [hit.rerank_score for hit in found][:4] == [*sorted(plain[:3], reverse=True), None]


def test_the_callable_gets_the_query_and_the_documents_best_first(shop: Index) -> None:
    asked: list[tuple[str, list[Document]]] = []

    def listening(query: str, documents: list[Document]) -> list[float]:
        asked.append((query, documents))
        return [0.0] * len(documents)

    plain = shop.search("red shoe", mode="keyword")
    found = shop.search("red shoe", mode="keyword", limit=1, rerank=listening, rerank_top=4)
    assert asked == [("red shoe", [hit.document for hit in plain.hits[:4]])]
    assert ids(found) == ids(plain)[:1]  # equal scores leave the order as it was


def test_reranking_is_told_in_the_explanation(shop: Index) -> None:
    hit = shop.search("red shoe", rerank=backwards, explain=True).hits[0]
    assert hit.explanation is not None
    assert hit.explanation["rerank"]["score"] == hit.rerank_score == hit.id


def test_facets_filters_and_totals_do_not_care(shop: Index) -> None:
    plain = shop.search("red", mode="keyword", filter="n < 4", facets=["n"])
    found = shop.search("red", mode="keyword", filter="n < 4", facets=["n"], rerank=backwards)
    assert (found.total, found.facets) == (plain.total, plain.facets)
    assert ids(found) == sorted(ids(plain), reverse=True)


def failing(query: str, documents: Sequence[Document]) -> list[float]:
    raise RuntimeError("out of cheese")


@pytest.mark.parametrize(
    ("rerank", "message"),
    [
        (failing, "rerank: it raised RuntimeError: out of cheese"),
        (lambda query, documents: [1.0], "an array of shape (1,) came back for 5 documents"),
        (lambda query, documents: [float("nan")] * len(documents), "numbers that are not finite"),
        (lambda query, documents: ["a"] * 5, "rerank: it raised ValueError"),
        (lambda query: [1.0], "rerank: it raised TypeError"),
        ("model", "rerank must be a callable, not 'model'"),
    ],
)
def test_a_reranker_that_fails_is_a_clear_error(shop: Index, rerank: Any, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        shop.search("red shoe", mode="keyword", rerank=rerank)
    assert message in caught.value.message
    assert caught.value.fields["field"] == "rerank"


@pytest.mark.parametrize("options", [{"diversity": 0.5}, {"rerank": backwards}])
def test_a_sort_and_another_order_cannot_both_be_asked_for(
    shop: Index, options: dict[str, Any]
) -> None:
    with pytest.raises(QueryError, match="each say in what order hits stand"):
        shop.search("red", sort=["n:asc"], **options)
