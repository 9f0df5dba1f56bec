"""Is a filter, an order, a facet right when it is asked for again, after the index has grown?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import hybridsearch
from hybridsearch import Database, Index, selection
from hybridsearch.errors import FilterError, QueryError
from hybridsearch.request import SearchRequest
from hybridsearch.selection import KEPT
from tests.conftest import letters

FILTER = "n > 2"


def ids(index: Index, **options: Any) -> list[Any]:
    return [hit.id for hit in index.search("", limit=1000, **options)]


@pytest.fixture
def index(memory: Database) -> Index:
    found = memory.create_index("things", primary_key="id")
    found.add([{"id": n, "n": n, "t": f"t{n % 2}"} for n in range(5)])
    return found


def test_a_filter_that_was_asked_before_sees_new_documents(index: Index) -> None:
    before = ids(index, filter=FILTER)
    index.add([{"id": 7, "n": 7}, {"id": 8, "n": 0}])
    assert (before, ids(index, filter=FILTER)) == ([3, 4], [3, 4, 7])


def test_a_filter_that_was_asked_before_sees_replaced_documents(index: Index) -> None:
    before = ids(index, filter=FILTER)
    index.add([{"id": 0, "n": 9}, {"id": 4, "n": 0}])
    assert (before, ids(index, filter=FILTER)) == ([3, 4], [0, 3])


def test_a_filter_that_was_asked_before_sees_a_type_that_changed(index: Index) -> None:
    before = ids(index, filter=FILTER)
    index.add([{"id": 9, "n": {"a": 9}}, {"id": 10, "n": 2.5}])
    assert (before, ids(index, filter=FILTER)) == ([3, 4], [3, 4, 10])


def test_an_order_that_was_asked_before_sees_new_documents(index: Index) -> None:
    before = ids(index, sort=["n:desc"])
    index.add([{"id": 9, "n": 3.5}])
    assert (before, ids(index, sort=["n:desc"])) == ([4, 3, 2, 1, 0], [4, 9, 3, 2, 1, 0])


def test_a_facet_that_was_asked_before_sees_what_changed(index: Index) -> None:
    before = index.search("", facets=["t"]).facets
    index.add([{"id": 0, "t": "t9"}])
    index.delete(ids=[1])
    assert (before, index.search("", facets=["t"]).facets) == (
        {"t": {"t0": 3, "t1": 2}},
        {"t": {"t0": 2, "t1": 1, "t9": 1}},
    )


def test_a_snapshot_counts_its_own_documents_after_the_index_has_grown(index: Index) -> None:
    held = index.snapshot()
    index.add([{"id": 7, "t": "t9"}, {"id": 8, "t": "t0"}])
    grown = index.search("", facets=["t"]).facets
    assert (held.search(SearchRequest("", facets=["t"])).facets, grown) == (
        {"t": {"t0": 3, "t1": 2}},
        {"t": {"t0": 4, "t1": 2, "t9": 1}},
    )


def test_filters_beyond_those_kept_are_right_too(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "KEPT_BYTES", 0)
    for _ in range(2):
        assert [ids(index, filter=f"n = {n}") for n in range(KEPT + 3)][:6] == [
            [0], [1], [2], [3], [4], [],
        ]  # fmt: skip


def test_a_filter_in_lists_means_and_of_ors(index: Index) -> None:
    assert ids(index, filter=[["n = 1", "n = 2", "n = 4"], "t = t0"]) == [2, 4]


@pytest.mark.parametrize("filter", ["n > 2", "t = t1 OR n > 2", "NOT n = 1"])
def test_a_filter_by_what_may_not_be_filtered_by_is_refused(index: Index, filter: str) -> None:
    index.update_settings({"filterable_attributes": ["t"]})
    with pytest.raises(FilterError, match='attribute "n" is not filterable') as caught:
        index.search("", filter=filter)
    assert caught.value.fields["field"] == "n"


def test_an_order_by_what_may_not_be_sorted_by_is_refused(index: Index) -> None:
    index.update_settings({"sortable_attributes": ["t"]})
    with pytest.raises(QueryError, match='attribute "n" is not sortable'):
        index.search("", sort=["n:asc"])


def test_an_attribute_may_hold_a_colon(index: Index) -> None:
    index.add([{"id": 1, "a:b": 1}, {"id": 2, "a:b": 2}])
    assert ids(index, sort=["a:b:desc"])[:2] == [2, 1]


@pytest.fixture
def vectors() -> Iterator[Index]:
    provided = {"source": "userProvided", "dimensions": 1}
    settings = {"embedders": {"own": provided, "other": provided, "made": {"source": "function"}}}
    with hybridsearch.open(default_embedder=None, functions={"made": letters}) as db:
        made = db.create_index("vectors", primary_key="id", settings=settings)
        made.add(
            [
                {"id": 1, "_vectors": {"own": [1.0]}},
                {"id": 2, "_vectors": {"other": [1.0], "made": [1.0] * 8}},
                {"id": 3, "text": "nothing"},
            ]
        )
        yield made


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ("_vectors.own EXISTS", [1]),
        ("_vectors.own NOT EXISTS", [2, 3]),
        ("_vectors.other EXISTS OR _vectors.own EXISTS", [1, 2]),
        ("_vectors.made EXISTS", [1, 2, 3]),
        ("_vectors.made.userProvided EXISTS", [2]),
        ("_vectors EXISTS", [1, 2, 3]),
        ("_vectors.nobody EXISTS", []),
    ],
)
def test_documents_are_told_by_their_vectors(vectors: Index, filter: str, found: list[int]) -> None:
    vectors.update_settings({"filterable_attributes": []})
    assert ids(vectors, filter=filter) == found


def test_any_vector_is_one_that_came_along_where_none_are_made(memory: Database) -> None:
    settings = {"embedders": {"own": {"source": "userProvided", "dimensions": 1}}}
    made = memory.create_index("own", primary_key="id", settings=settings)
    made.add([{"id": 1, "_vectors": {"own": [1.0]}}, {"id": 2}])
    assert ids(made, filter="_vectors EXISTS") == [1]
    made.add([{"id": 3, "_vectors": {"own": [2.0]}}])
    assert ids(made, filter="_vectors EXISTS") == [1, 3]


@pytest.mark.parametrize(
    "filter", ["_vectors = 1", "_vectors.own IS NULL", "_vectors.own.made EXISTS", "_vectors > 2"]
)
def test_nothing_else_can_be_asked_of_vectors(vectors: Index, filter: str) -> None:
    with pytest.raises(FilterError, match=r"write _vectors EXISTS|may not be filtered"):
        ids(vectors, filter=filter)
