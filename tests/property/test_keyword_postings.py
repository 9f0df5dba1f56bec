"""Columns give the rows and sums of a table that is added up as plainly as it can be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridsearch.arrays import Rows, Scores
from hybridsearch.keyword_postings import Column, Columns, column, padded


class Made(NamedTuple):
    """Columns over rows below `size`, and what they hold as a table: float32 [columns, size]."""

    size: int
    columns: Columns
    table: Scores
    needed: int

    def sums(self) -> Scores:
        """By row, 0 where it does not match."""
        summed = np.zeros(self.size, np.float32)
        for one in self.table:
            summed += one
        for one in self.table[: self.needed]:
            summed[one == 0] = 0.0
        return summed

    def ranked(self, allowed: Rows) -> list[tuple[int, float]]:
        """The allowed matches, best first, ties by row."""
        sums = self.sums()
        there = [(row, float(sums[row])) for row in allowed.tolist() if sums[row] > 0]
        return sorted(there, key=lambda pair: (-pair[1], pair[0]))


@st.composite
def made(draw: st.DrawFn) -> Made:
    """Some columns of any density, with few different scores, so that many rows tie."""
    size = draw(st.integers(1, 400))
    shares = draw(st.lists(st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.5, 1.0]), min_size=1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    steps = draw(st.sampled_from([2, 8, 1000]))
    there = rng.random((len(shares), size)) < np.array(shares)[:, None]
    table = (there * rng.integers(1, steps, there.shape) / 8).astype(np.float32)
    needed = draw(st.integers(0, min(2, len(shares))))
    every = tuple(as_column(one) for one in table)
    return Made(size, Columns(every, every[:needed]), table, needed)


def test_a_needed_column_without_rows_leaves_no_match() -> None:
    none, some = as_column(np.zeros(9, np.float32)), as_column(np.eye(9, dtype=np.float32)[4])
    columns = Columns((none, some), (none, some))
    assert columns.top(5, scratch=np.zeros(padded(9), np.float32))[0].tolist() == []
    assert columns.within(np.ones(padded(9), bool))[0].tolist() == []
    assert columns.matching().tolist() == []


def as_column(scores: Scores) -> Column:
    rows = np.flatnonzero(scores)
    return column(rows, scores[rows], size=len(scores))


@settings(max_examples=300, deadline=None)
@given(made(), st.integers(0, 60))
def test_the_best_are_those_of_the_table(made: Made, limit: int) -> None:
    scratch = np.zeros(padded(made.size), np.float32)
    rows, scores = made.columns.top(limit, scratch=scratch)
    expected = made.ranked(np.arange(made.size))[:limit]
    assert list(zip(rows.tolist(), scores.tolist(), strict=True)) == expected
    assert not scratch.any()


@settings(max_examples=200, deadline=None)
@given(made(), st.integers(0, 2**32), st.sampled_from([0.0, 0.02, 0.5, 1.0]))
def test_the_matches_of_a_mask_are_those_of_the_table(made: Made, seed: int, share: float) -> None:
    mask = np.zeros(padded(made.size), bool)
    mask[: made.size] = np.random.default_rng(seed).random(made.size) < share
    rows, scores = made.columns.within(mask)
    found = list(zip(rows.tolist(), scores.tolist(), strict=True))
    assert found == sorted(made.ranked(np.flatnonzero(mask)))


@settings(max_examples=200, deadline=None)
@given(made())
def test_every_match_and_every_score_is_that_of_the_table(made: Made) -> None:
    every = np.arange(made.size)[::-1]
    expected = np.flatnonzero(made.sums()).tolist()
    assert made.columns.matching().tolist() == expected
    assert np.flatnonzero(made.columns.marks(made.size)).tolist() == expected
    assert made.columns.scores(every).tolist() == made.sums()[every].tolist()
