"""What is an empty ranking?"""

from __future__ import annotations

from hybridsearch.arrays import no_rows


def test_no_rows_are_an_empty_ranking_of_the_usual_types() -> None:
    rows, scores = no_rows()
    assert (rows.dtype.name, scores.dtype.name) == ("int64", "float32")
    assert len(rows) == len(scores) == 0
