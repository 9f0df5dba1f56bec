"""Which rows have the best sums, when it is known what each clause of a plan scores where?

A column is what one clause scores: `Sparse` lists its rows, `Dense` has a number for every row of
the index and the highest of each block of rows. `Columns.top` never adds up what cannot be among
the best: rows of sparse columns are summed first, and what they reach says which blocks of the
dense ones are worth a look (block-max, Ding and Suel, SIGIR 2011). Plain numpy; no engine is asked.

Sums are float32, taken in the order of the columns, so a row's sum depends on nothing else.

>>> one = column(np.array([1, 3]), np.array([0.5, 0.25], np.float32), size=4)
>>> two = column(np.array([3]), np.array([2.0], np.float32), size=4)
>>> Columns((one, two)).top(1, scratch=np.zeros(padded(4), np.float32))[0].tolist()
[3]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from hybridsearch.arrays import Mask, Rows, Scores, no_rows
from hybridsearch.keyword_scores import Postings, best

__all__ = ["Column", "Columns", "Dense", "Sparse", "column", "padded"]

BLOCK = 64
DENSE = 16
"""A clause that matches one row in so many is kept as a number for every row."""
BEST = 16
"""How many of its highest scores a dense column knows by heart."""
SLACK = np.float32(1.0 - 1e-5)
"""What is left of a bound once sums are taken in another order."""


@dataclass(frozen=True, eq=False)
class Sparse:
    """Rows int64 [n], ascending, and what each scores, float32 [n], above 0."""

    rows: Rows
    scores: Scores

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return self.rows.nbytes + self.scores.nbytes

    def at(self, wanted: Rows) -> Scores:
        """The score of each wanted row, float32, 0 where it does not match."""
        if not len(self.rows):
            return np.zeros(len(wanted), np.float32)
        places = np.searchsorted(self.rows, wanted)
        places[places == len(self.rows)] = 0
        return np.where(self.rows[places] == wanted, self.scores[places], np.float32(0.0))


@dataclass(frozen=True, eq=False)
class Dense:
    """flat: by row, float32 [padded(size)], 0 where it does not match. peaks: the highest of each
    block of rows. heights: its highest scores of all, descending. count: how many rows match."""

    flat: Scores
    peaks: Scores
    heights: Scores
    count: int

    def __len__(self) -> int:
        return self.count

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return self.flat.nbytes + self.peaks.nbytes

    @property
    def rows(self) -> Rows:
        """Those that match, ascending."""
        return np.flatnonzero(self.flat)

    @property
    def blocks(self) -> Scores:
        """The scores, a line for each block."""
        return self.flat.reshape(-1, BLOCK)

    def at(self, wanted: Rows) -> Scores:
        """The score of each wanted row, float32, 0 where it does not match."""
        return self.flat[wanted]


Column: TypeAlias = Sparse | Dense


def padded(size: int) -> int:
    """The length of a dense column over the rows below `size`."""
    return -(-max(size, 1) // BLOCK) * BLOCK


def column(rows: Rows, scores: Scores, *, size: int) -> Column:
    """What one clause scores: rows ascending, below `size`; scores above 0."""
    if len(rows) * DENSE < size:
        return Sparse(rows, scores)
    flat = np.zeros(padded(size), np.float32)
    flat[rows] = scores
    heights = np.sort(scores)[::-1][:BEST].copy()
    return Dense(flat, flat.reshape(-1, BLOCK).max(axis=1), heights, len(rows))


class Columns(NamedTuple):
    """What the clauses of one plan score, in their order.

    A row matches if any of `every` has it and all of `needed`, which are among them, do.
    """

    every: tuple[Column, ...]
    needed: tuple[Column, ...] = ()

    def top(self, limit: int, *, scratch: Scores) -> Postings:
        """The `limit` matches of the highest sums, best first, ties by row, with their sums.

        scratch: zeros, as many as the padded size; zeros again on return.
        """
        if limit < 1:
            return no_rows()
        if self._rarest:
            rows = self._holding(self._rarest.rows)
            return best(rows, self._sums(rows), limit)
        sparse = [one for one in self.every if isinstance(one, Sparse)]
        dense = [one for one in self.every if isinstance(one, Dense)]
        rows, sums = _listed(sparse, dense, self.needed, limit, scratch)
        if dense:
            least = _reached(sums, dense, self.needed, limit)
            more = self._holding(_scanned(dense, least))
            rows = np.unique(np.concatenate([rows[sums >= least], more]))
        return best(rows, self._sums(rows), limit)

    def within(self, mask: Mask) -> Postings:
        """Every match that the mask keeps, ascending, with its sum. mask: bool [padded size]."""
        rows = self._possible(mask)
        return rows, self._sums(rows)

    def matching(self) -> Rows:
        """Every match, ascending."""
        if self.needed:
            return self._holding(min(self.needed, key=len).rows)
        dense = [one for one in self.every if isinstance(one, Dense)]
        sparse = [one.rows for one in self.every if isinstance(one, Sparse)]
        if not dense:
            return np.unique(np.concatenate(sparse))
        there = dense[0].flat > 0
        for other in dense[1:]:
            there |= other.flat > 0
        for rows in sparse:
            there[rows] = True
        return np.flatnonzero(there)

    def scores(self, rows: Rows) -> Scores:
        """The sum of each row, float32, in their order; 0 where it does not match."""
        sums = self._sums(rows)
        for one in self.needed:
            sums[one.at(rows) == 0] = 0.0
        return sums

    @property
    def _rarest(self) -> Sparse | None:
        """The needed column of the fewest rows, unless all are dense."""
        rare = [one for one in self.needed if isinstance(one, Sparse)]
        return min(rare, key=len) if rare else None

    def _possible(self, mask: Mask) -> Rows:
        """The matches that the mask keeps, ascending."""
        if self._rarest:
            rows = self._rarest.rows
            return self._holding(rows[mask[rows]])
        if all(isinstance(one, Sparse) for one in self.every):
            return np.unique(np.concatenate([one.rows[mask[one.rows]] for one in self.every]))
        rows = self._holding(np.flatnonzero(mask))
        if self.needed:
            return rows
        there = np.zeros(len(rows), bool)
        for one in self.every:
            there |= one.at(rows) > 0
        return rows[there]

    def _holding(self, rows: Rows) -> Rows:
        """Those of the rows that every needed column has."""
        for one in self.needed:
            rows = rows[one.at(rows) > 0]
        return rows

    def _sums(self, rows: Rows) -> Scores:
        sums = np.zeros(len(rows), np.float32)
        for one in self.every:
            sums += one.at(rows)
        return sums


def _listed(
    sparse: Sequence[Sparse],
    dense: Sequence[Dense],
    needed: Sequence[Column],
    limit: int,
    scratch: Scores,
) -> Postings:
    """The best rows of the sparse columns and more, each once, with sums good to SLACK."""
    if not sparse:
        return no_rows()
    rows, sums = _added(sparse, scratch)
    for one in dense:
        sums += one.flat[rows]
    for must in needed:
        kept = must.at(rows) > 0
        rows, sums = rows[kept], sums[kept]
    beyond = len(sums) - limit * len(sparse)  # a row may be there once for each column
    if beyond > 0:
        kept = sums >= np.partition(sums, beyond)[beyond] * SLACK
        rows, sums = rows[kept], sums[kept]
    if len(sparse) == 1:
        return rows, sums
    rows, first = np.unique(rows, return_index=True)
    return rows, sums[first]


def _added(sparse: Sequence[Sparse], scratch: Scores) -> Postings:
    """The rows of the columns and their sums; a row of two columns is there twice."""
    if len(sparse) == 1:
        return sparse[0].rows, sparse[0].scores.copy()
    for one in sparse:
        scratch[one.rows] += one.scores
    rows = np.concatenate([one.rows for one in sparse])
    sums = scratch[rows]
    scratch[rows] = 0.0
    return rows, sums


def _reached(
    sums: Scores, dense: Sequence[Dense], needed: Sequence[Column], limit: int
) -> np.float32:
    """What a row must reach to be among the best, by what is known of others; above 0."""
    least = np.nextafter(np.float32(0.0), np.float32(1.0))
    if len(sums) >= limit:
        least = max(least, np.partition(sums, len(sums) - limit)[len(sums) - limit] * SLACK)
    for sure in [one for one in dense if not needed or list(needed) == [one]]:
        if len(sure.heights) >= limit:
            least = max(least, sure.heights[limit - 1] * SLACK)
    return np.float32(least)


def _scanned(dense: Sequence[Dense], least: np.float32) -> Rows:
    """The rows whose sum over the dense columns alone reaches `least`, ascending."""
    peaks = dense[0].peaks
    for one in dense[1:]:
        peaks = peaks + one.peaks
    places = np.flatnonzero(peaks >= least)
    sums = dense[0].blocks[places]
    for one in dense[1:]:
        sums += one.blocks[places]
    found = np.flatnonzero(sums.ravel() >= least)
    rows: Rows = places[found // BLOCK] * BLOCK + found % BLOCK
    return rows
