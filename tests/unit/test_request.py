"""Is a search checked when it is made, and does its answer become a table?"""

from __future__ import annotations

import math
from typing import Any

import polars
import pytest

from hybridsearch.errors import QueryError, VectorError
from hybridsearch.request import Hit, SearchRequest, SearchResult

RESULT = SearchResult(
    hits=(
        Hit("a", 0.9, {"id": "a", "n": 1, "mixed": 5, "tags": ["x"]}, keyword_rank=1),
        Hit("b", 0.5, {"id": "b", "mixed": "text"}, semantic_rank=2),
    ),
    count=lambda: 7,
)


@pytest.mark.parametrize(
    ("query", "text"),
    [(None, ""), ("", ""), (" \n", ""), ("  red", "red"), ("red ", "red "), ("red", "red")],
)
def test_a_query_keeps_the_space_at_its_end_and_no_other(query: str | None, text: str) -> None:
    assert SearchRequest(query=query).text == text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("query", 5),
        ("mode", "both"),
        ("mode", []),
        ("limit", -1),
        ("limit", 2.0),
        ("offset", None),
        ("candidates", 0),
        ("rrf_k", 0),
        ("fusion", 1),
        ("match", "some"),
        ("sort", "year:asc"),
        ("facets", [5]),
        ("highlight", [""]),
        ("attributes", {"title"}),
        ("weights", (1,)),
        ("weights", (0, 0)),
        ("weights", "ab"),
        ("weights", (math.inf, 1)),
        ("weights", (True, 1)),
        ("weights", (10**400, 1)),
        ("distinct", 5),
        ("distinct", ["a"]),
        ("embedder", 5),
        ("highlight_tags", ("a",)),
        ("highlight_tags", "ab"),
        ("highlight_tags", (1, 2)),
    ],
)
def test_a_value_of_the_wrong_kind_or_range_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(QueryError) as caught:
        SearchRequest(**{field: value})
    assert caught.value.fields == {"field": field}


@pytest.mark.parametrize(
    "vector", [[math.nan], [math.inf], [1e300], 5, "x", [None], [[1.0]], [10**400]]
)
def test_a_vector_that_is_none_is_refused(vector: Any) -> None:
    with pytest.raises(VectorError) as caught:
        SearchRequest(vector=vector)
    assert caught.value.fields == {"field": "vector"}


def test_a_result_is_as_long_as_its_page() -> None:
    assert (len(RESULT), [hit.id for hit in RESULT], RESULT.total) == (2, ["a", "b"], 7)


def test_as_a_table_hits_have_their_fields_rank_and_score() -> None:
    assert RESULT.to_arrow().to_pydict() == {
        "id": ["a", "b"],
        "n": [1, None],
        "mixed": ["5", '"text"'],
        "tags": [["x"], None],
        "_rank": [1, 2],
        "_score": [0.9, 0.5],
        "_keyword_rank": [1, None],
        "_semantic_rank": [None, 2],
    }


def test_polars_and_pandas_hold_the_same_table() -> None:
    names = RESULT.to_arrow().column_names
    assert RESULT.to_polars().columns == names == list(RESULT.to_pandas().columns)
    assert isinstance(RESULT.to_polars(), polars.DataFrame)


def test_no_hits_are_an_empty_table() -> None:
    assert SearchResult(hits=(), count=lambda: 0).to_arrow().num_rows == 0


@pytest.mark.parametrize("number", [2**63, 2**80])
def test_a_number_too_large_for_a_column_comes_as_json(number: int) -> None:
    result = SearchResult(
        hits=(Hit("a", 1.0, {"n": number}), Hit("b", 1.0, {"n": -1})), count=lambda: 2
    )
    assert result.to_arrow()["n"].to_pylist() == [str(number), "-1"]


def test_the_query_may_stand_without_its_name() -> None:
    assert SearchRequest("red", limit=3) == SearchRequest(query="red", limit=3)


@pytest.mark.parametrize("name", ["sort", "facets", "highlight"])
def test_none_of_a_list_is_no_item(name: str) -> None:
    given: Any = {name: None}
    assert SearchRequest(**given) == SearchRequest()
