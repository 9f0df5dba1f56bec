"""Documents like one that is there: by meaning, by words, and never itself."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hybridsearch
from hybridsearch import Database, Index
from hybridsearch.errors import FilterError, NotFound, QueryError
from hybridsearch.planning import plan
from hybridsearch.request import SearchRequest
from hybridsearch.similar import telling_terms
from tests.conftest import Document, refused

WORDS = ("red", "running", "shoes", "trail", "boots", "snow", "garden", "hose")
PROVIDED = {"embedders": {"own": {"source": "userProvided", "dimensions": 2}}}
SHOES: list[Document] = [
    {"id": 1, "title": "Red running shoes", "price": 80, "_vectors": {"own": [1, 0]}},
    {"id": 2, "title": "Blue running shoes", "price": 95, "_vectors": {"own": [0.9, 0.1]}},
    {"id": 3, "title": "Running socks", "price": 12, "_vectors": {"own": [0, 1]}},
    {"id": 4, "title": "Garden hose", "price": 30, "_vectors": {"own": [0.8, 0.3]}},
    {"id": 5, "title": "Running shoes without a vector", "price": 60},
    {"id": 6, "price": 5},
]


@pytest.fixture
def shoes(memory: Database) -> Index:
    chosen = {**PROVIDED, "filterable_attributes": ["price"], "language": "none"}
    index = memory.create_index("shoes", primary_key="id", settings=chosen)
    index.add(SHOES)
    return index


def ids(result: hybridsearch.SearchResult) -> list[object]:
    return [hit.id for hit in result]


def test_a_document_with_a_vector_is_compared_by_it(shoes: Index) -> None:
    found = shoes.similar(1)
    assert (found.mode, ids(found), found.total) == ("semantic", [2, 4, 3], 3)
    assert found.hits[0].score == pytest.approx(0.9 / (0.82**0.5), abs=1e-4)
    assert found.hits[0].semantic_rank == 1


def test_a_document_without_a_vector_is_compared_by_its_words(shoes: Index) -> None:
    found = shoes.similar(5)
    assert (found.mode, found.total) == ("keyword", 3)
    assert set(ids(found)) == {1, 2, 3}
    assert ids(found)[-1] == 3


def test_both_arms_are_fused_when_asked(shoes: Index) -> None:
    found = shoes.similar(1, mode="hybrid")
    assert (found.mode, ids(found)[0], found.total) == ("hybrid", 2, 4)
    assert (found.hits[0].keyword_rank, found.hits[0].semantic_rank) == (1, 1)
    assert found.hits[0].score == pytest.approx(1.0)


def test_words_can_be_asked_for_where_there_is_a_vector(shoes: Index) -> None:
    assert shoes.similar(1, mode="keyword").hits[0].keyword_rank == 1


def test_a_document_with_nothing_to_compare_is_like_nothing(shoes: Index) -> None:
    found = shoes.similar(6)
    assert (ids(found), found.total) == ([], 0)


def test_filters_pages_facets_and_thresholds_hold(shoes: Index) -> None:
    assert ids(shoes.similar(1, filter="price < 60")) == [4, 3]
    assert ids(shoes.similar(1, limit=1, offset=1)) == [4]
    assert shoes.similar(1, facets=["price"]).facets["price"] == {"12": 1, "30": 1, "95": 1}
    assert ids(shoes.similar(1, threshold=0.9)) == [2, 4]
    assert shoes.similar(5, facets=["price"], limit=1).facets["price"].keys() == {"12", "80", "95"}


def test_more_than_the_candidates_come_when_the_page_asks_for_them(memory: Database) -> None:
    index = memory.create_index("many", primary_key="id", settings=PROVIDED)
    index.add([{"id": n, "_vectors": {"own": [1, n]}} for n in range(500)])
    found = index.similar(0, limit=480, offset=10)
    assert (len(found), found.hits[0].id, found.total) == (480, 11, 490)


def test_a_replaced_document_is_compared_as_it_is_now(shoes: Index) -> None:
    shoes.add([{"id": 1, "title": "Garden hose", "price": 1}])
    found = shoes.similar(1)
    assert (found.mode, ids(found)) == ("keyword", [4])


def test_ids_of_either_kind_are_taken(memory: Database) -> None:
    index = memory.create_index("named", primary_key="key")
    index.add([{"key": "a", "t": "red red hose"}, {"key": "b", "t": "red shoe"}])
    assert ids(index.similar("a")) == ["b"]


def test_telling_terms_are_frequent_here_and_rare_elsewhere(shoes: Index) -> None:
    state = shoes.snapshot().state
    made = plan(state, SearchRequest(), None)
    row = int(state.living[0])
    assert telling_terms(state, row, made) == ["shoes", "running"]


def test_what_is_wrong_is_refused(shoes: Index) -> None:
    refused(lambda: shoes.similar(7), NotFound, "document_not_found", 'no document "7"', id="7")
    lacking: list[dict[str, Any]] = [{"mode": "semantic"}, {"mode": "hybrid"}, {"embedder": "own"}]
    for options in lacking:
        refused(partial(shoes.similar, 5, **options), QueryError, "invalid_search_q", "no vector")
    refused(lambda: shoes.similar(1, embedder="on"), QueryError, "invalid_search_embedder", '"own"')
    refused(lambda: shoes.similar(1, vector=[1, 0]), QueryError, "invalid_search_q", "not a query")
    refused(lambda: shoes.similar(1, limt=1), QueryError, "invalid_search_q", '"limit"')
    with pytest.raises(FilterError):
        shoes.similar(1, filter="prise < 5")


def test_words_without_an_embedder(movies: Index) -> None:
    assert movies.similar(1).mode == "keyword"
    refused(lambda: movies.similar(1, mode="semantic"), QueryError, "invalid_search_q", "no vector")


TEXTS = st.lists(
    st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join), min_size=2, max_size=12
)


@settings(max_examples=25)
@given(TEXTS, st.integers(0, 11), st.sets(st.integers(0, 11)), st.integers(1, 5))
def test_by_words_all_that_share_one_and_pass_come_and_itself_never(
    texts: list[str], asked: int, allowed: set[int], limit: int
) -> None:
    asked %= len(texts)
    with hybridsearch.open(default_embedder=None) as db:
        index = db.create_index("x", primary_key="id", settings={"language": "none"})
        index.add([{"id": n, "t": text} for n, text in enumerate(texts)])
        found = index.similar(asked, ids=sorted(allowed), limit=limit)
    own = set(texts[asked].split())
    sharing = {n for n in allowed if n < len(texts) and n != asked and own & set(texts[n].split())}
    assert found.total == len(sharing)
    assert set(ids(found)) <= sharing
    assert len(found) == min(limit, len(sharing))


def test_in_sql_a_key_is_taken_as_the_source_of_the_index_writes_it(memory: Database) -> None:
    with memory.connect() as connection:
        connection.execute(
            "CREATE TABLE prices(price DECIMAL(5, 2) PRIMARY KEY, title VARCHAR);"
            "INSERT INTO prices VALUES (1.5, 'red shoes'), (2.5, 'blue shoes'), (3, 'a hose')"
        )
        memory.create_search_index("by_price", "prices", ["title"])
        for key in ("1.5", "1.50::DECIMAL(5, 2)"):
            found = connection.sql(f"SELECT title FROM similar('by_price', {key})").fetchall()
            assert found == [("blue shoes",)]
        with pytest.raises(NotFound, match='"shoes"'):
            connection.execute("FROM similar('by_price', 'shoes')")
