"""How many of these documents have which value?"""

from __future__ import annotations

import numpy as np
import pytest

from hybridsearch.facets import facet_column, label, listed

ROWS = np.array([1, 1, 2, 3, 3, 3], np.int64)
GENRES = ["Drama", "Comedy", "Drama", "Drama", "Drama", "Horror"]
COLUMN = facet_column(ROWS, GENRES)


def member(*rows: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    found = np.zeros(5, bool)
    found[list(rows)] = True
    return found


def test_a_document_counts_once_for_each_distinct_value() -> None:
    assert COLUMN.counts(member(1, 2, 3)) == {"Drama": 3, "Comedy": 1, "Horror": 1}


def test_values_of_documents_left_out_are_not_listed() -> None:
    assert COLUMN.counts(member(2)) == {"Drama": 1}


def test_no_document_has_no_values() -> None:
    assert COLUMN.counts(member()) == {}


def test_texts_have_no_least_and_greatest() -> None:
    assert COLUMN.stats(member(1, 2)) is None


def test_numbers_have_a_least_and_a_greatest_among_those_kept() -> None:
    column = facet_column(np.array([1, 2, 3], np.int64), [5, -1.5, 9])
    assert column.stats(member(1, 2)) == {"min": -1.5, "max": 5.0}


def test_the_first_value_of_each_row_is_its_own() -> None:
    assert COLUMN.first(5).tolist() == [-1, 0, 0, 0, -1]


def test_a_column_followed_by_another_is_that_of_all_rows() -> None:
    values = ["a", 2, "b", 2.5, "2", True]
    rows = np.arange(6)
    for cut in range(7):
        first, second = (facet_column(rows[part], values[part]) for part in cuts(cut))
        both, whole = first.followed_by(second), facet_column(rows, values)
        assert both.counts(np.ones(6, bool)) == whole.counts(np.ones(6, bool))
        assert both.stats(np.ones(6, bool)) == whole.stats(np.ones(6, bool)) == MIXED
        assert both.below(cut).first(6).tolist() == [*whole.first(6)[:cut], *[-1] * (6 - cut)]


MIXED = {"min": 2.0, "max": 2.5}


def cuts(place: int) -> tuple[slice, slice]:
    return slice(0, place), slice(place, 6)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(4, "4"), (4.0, "4"), (4.5, "4.5"), (-0.0, "0"), (True, "true"), (False, "false"), ("4", "4")],
)
def test_a_value_has_one_label(value: float | str, expected: str) -> None:
    assert label(value) == expected


def test_values_are_listed_by_letter_without_case() -> None:
    assert list(listed({"b": 1, "A": 2, "a": 1, "C": 9}, order="alpha", limit=9)) == list("AabC")


def test_numbers_are_listed_by_size_before_texts() -> None:
    labels = ["", "10", "2.5", "-3", "-", "1e3", "9 to 5", "x"]
    found = list(listed(dict.fromkeys(labels, 1), order="alpha", limit=9))
    assert found == ["-3", "2.5", "10", "1e3", "", "-", "9 to 5", "x"]


def test_values_are_listed_by_count_and_then_by_letter() -> None:
    assert list(listed({"b": 1, "a": 1, "c": 3}, order="count", limit=9)) == ["c", "a", "b"]


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_no_more_values_are_listed_than_asked_for(limit: int) -> None:
    assert len(listed({"a": 1, "b": 1, "c": 1}, order="alpha", limit=limit)) == limit
