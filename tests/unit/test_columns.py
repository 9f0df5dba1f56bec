"""Which type holds these values, and which holds those that come later too?"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsearch.columns import Columns, StoredColumn, type_of, widen

TYPES = [
    ([1, None], "BIGINT"),
    ([1.5], "DOUBLE"),
    ([1, 1.5], "DOUBLE"),
    ([2**53 + 1, 1.5], "DOUBLE"),
    ([2**63 - 1, -(2**63)], "BIGINT"),
    ([2**63], "JSON"),
    ([-(2**63) - 1], "JSON"),
    ([2**80, 1.5], "JSON"),
    (["a", ""], "VARCHAR"),
    ([True, None], "BOOLEAN"),
    ([True, 1], "JSON"),
    (["a", 1], "JSON"),
    ([{"a": 1}], "JSON"),
    ([["a", None], []], "VARCHAR[]"),
    ([[1], [1.5]], "DOUBLE[]"),
    ([[True]], "BOOLEAN[]"),
    ([[1, "a"]], "JSON"),
    ([[]], "JSON"),
    ([[None]], "JSON"),
    ([[[1]]], "JSON"),
    ([["a"], "a"], "JSON"),
    ([[2**80]], "JSON"),
]
ALL = ["BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN", "BIGINT[]", "DOUBLE[]", "VARCHAR[]", "JSON"]


@pytest.mark.parametrize(("values", "expected"), TYPES, ids=[str(v) for v, _ in TYPES])
def test_a_type_is_the_narrowest_that_holds_every_value(values: list[Any], expected: str) -> None:
    assert type_of(values) == expected


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_null_says_nothing_about_a_type(values: list[Any]) -> None:
    assert type_of(values) is None


@given(st.sampled_from(ALL), st.sampled_from(ALL))
def test_widening_goes_the_same_way_from_both_sides(one: str, other: str) -> None:
    assert widen(one, other) == widen(other, one)
    assert widen(one, widen(one, other)) == widen(one, other)


def test_json_stays_json() -> None:
    assert {widen("JSON", other) for other in ALL} == {"JSON"}


def test_columns_stand_in_order_of_first_sight_and_json_has_a_name_of_its_own() -> None:
    columns = Columns().widened({"b": [1], "a": ["x"]}).widened({"a": [1], "c": [True]})
    assert [(c.attribute, c.name, c.type) for c in columns.values()] == [
        ("b", "c0", "BIGINT"),
        ("a", "c1_json", "JSON"),
        ("c", "c2", "BOOLEAN"),
    ]


def test_an_attribute_that_is_always_null_has_no_column() -> None:
    assert len(Columns().widened({"a": [None]})) == 0


def test_columns_come_back_from_their_record() -> None:
    columns = Columns().widened({"a": [1], "b.c": [["x"]]})
    assert Columns.read(columns.record()) == columns


@pytest.mark.parametrize(
    ("type_", "kind", "item"),
    [
        ("BIGINT", "number", ""),
        ("DOUBLE", "number", ""),
        ("VARCHAR", "text", ""),
        ("BOOLEAN", "bool", ""),
        ("JSON", "json", ""),
        ("VARCHAR[]", "list", "text"),
        ("DOUBLE[]", "list", "number"),
    ],
)
def test_a_type_has_a_kind(type_: str, kind: str, item: str) -> None:
    column = StoredColumn("a", "c0", type_)
    assert (column.kind, column.item) == (kind, item)


def test_whole_numbers_that_no_double_is_equal_to_become_the_nearest() -> None:
    found = StoredColumn("a", "c0", "DOUBLE").array([1.5, 2**53 + 1, None])
    assert found.to_pylist() == [1.5, float(2**53), None]


def test_lists_of_such_numbers_too() -> None:
    found = StoredColumn("a", "c0", "DOUBLE[]").array([[2**53 + 1, None], None, [0.5]])
    assert found.to_pylist() == [[float(2**53), None], None, [0.5]]


def test_in_a_json_column_null_is_absent_and_the_rest_is_text() -> None:
    found = StoredColumn("a", "c0", "JSON").array([None, "x", {"b": 2**70}])
    assert found.to_pylist() == [None, '"x"', '{"b":1180591620717411303424}']


@given(st.lists(st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.text())))
def test_a_type_only_ever_widens(values: list[Any]) -> None:
    steps = [type_of(values[:size]) for size in range(1, len(values) + 1)]
    assert all(old is not None and new == widen(old, str(new)) for old, new in pairwise(steps))
