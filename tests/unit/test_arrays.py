"""Which rows does a mask keep?"""

from __future__ import annotations

import numpy as np

from hybridsearch.arrays import in_mask, no_rows


def test_a_row_is_kept_where_the_mask_says_so() -> None:
    mask = np.array([False, True, True])
    assert in_mask(np.array([2, 0, 1]), mask).tolist() == [True, False, True]


def test_a_row_past_the_end_of_the_mask_is_not_kept() -> None:
    assert in_mask(np.array([1, 3, 99]), np.array([True, True])).tolist() == [True, False, False]


def test_an_empty_mask_keeps_nothing() -> None:
    assert in_mask(np.array([0, 1]), np.zeros(0, bool)).tolist() == [False, False]


def test_no_rows_are_an_empty_ranking_of_the_usual_types() -> None:
    rows, scores = no_rows()
    assert (rows.dtype.name, scores.dtype.name) == ("int64", "float32")
    assert len(rows) == len(scores) == 0
