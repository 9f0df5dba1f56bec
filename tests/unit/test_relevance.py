"""Is relevance a share that keeps the order, and does a threshold cut totals and facets too?"""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from hybridsearch import Database, Index, relevance
from hybridsearch.errors import QueryError
from tests.conftest import BY_MEANING, MOVIES

MODES = [("everything", ""), ("keyword", "alien space"), ("semantic", "alien"), ("hybrid", "alien")]


def test_the_example_of_the_module_is_right() -> None:
    assert doctest.testmod(relevance).failed == 0


@pytest.fixture
def index(memory: Database) -> Index:
    made = memory.create_index("many", primary_key="id", settings=BY_MEANING)
    made.add([*MOVIES, *({"id": n, "title": f"alien {'filler ' * n}", "genres": ["x"]}
                         for n in range(5, 30))])  # fmt: skip
    return made


def asked(mode: str) -> dict[str, Any]:
    return {} if mode == "everything" else {"mode": mode}


@pytest.mark.parametrize(("mode", "query"), MODES)
def test_relevance_is_a_share_in_the_order_of_the_hits(index: Index, mode: str, query: str) -> None:
    shares = [hit.relevance for hit in index.search(query, limit=50, **asked(mode))]
    assert len(shares) > 20
    assert all(0.0 <= share <= 1.0 for share in shares)
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize(("mode", "query"), MODES)
def test_a_threshold_cuts_hits_totals_and_facets_alike(index: Index, mode: str, query: str) -> None:
    whole = list(index.search(query, limit=50, **asked(mode)))
    least = whole[len(whole) // 2].relevance
    kept = [hit.id for hit in whole if hit.relevance >= least]
    cut = index.search(query, limit=50, threshold=least, facets=["id"], **asked(mode))
    assert [hit.id for hit in cut] == kept
    assert cut.total == len(kept)
    assert cut.facets["id"] == dict.fromkeys(sorted(map(str, kept), key=lambda id_: id_), 1)
    page = index.search(query, limit=3, offset=2, threshold=least, **asked(mode))
    assert ([hit.id for hit in page], page.total) == (kept[2:5], len(kept))


def test_a_threshold_holds_whatever_the_sort(index: Index) -> None:
    best = {hit.id for hit in index.search("alien", mode="keyword", limit=5)}
    least = min(hit.relevance for hit in index.search("alien", mode="keyword", limit=5))
    found = index.search("alien", mode="keyword", limit=50, threshold=least, sort=["id:desc"])
    assert {hit.id for hit in found} >= best
    assert [hit.id for hit in found] == sorted((hit.id for hit in found), reverse=True)
    assert all(hit.relevance >= least for hit in found)


def test_a_text_of_usual_length_with_each_word_once_has_four_fifths(memory: Database) -> None:
    index = memory.create_index("even", primary_key="id")
    index.add([{"id": n, "text": f"{word} two three"} for n, word in enumerate(["a", "b", "c"])])
    [hit] = index.search("b", mode="keyword", prefix=False)
    assert hit.relevance == pytest.approx(0.8, abs=1e-4)


def test_half_of_a_query_found_is_less_than_all_of_it(index: Index) -> None:
    [whole] = index.search("texas", mode="keyword")
    [half] = index.search("texas zyzzyva", mode="keyword")
    assert half.relevance < whole.relevance
    assert half.score == whole.score


@pytest.mark.parametrize("threshold", [-0.1, 1.1, "x", True, float("nan")])
def test_a_threshold_that_is_no_share_is_refused(index: Index, threshold: Any) -> None:
    with pytest.raises(QueryError, match="threshold must be a number from 0 to 1"):
        index.search("alien", threshold=threshold)
