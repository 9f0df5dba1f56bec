"""Which rows have the best sums, when it is known what each clause of a plan scores where?

A column is what one clause scores: `Sparse` lists its rows, `Dense` has a number for every row of
the index and the highest of each block of rows. `Columns.top` never adds up what cannot be among
the best: what the best of one column reach says which columns cannot bring a row there by
themselves (MaxScore, Turtle and Flood, 1995); rows of the other sparse columns are summed, and what
these reach says which blocks of the dense ones are worth a look (block-max, Ding and Suel, SIGIR
2011). Plain numpy; no engine is asked.

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
from hybridsearch.keyword_scores import Cut, Postings, best

__all__ = ["Column", "Columns", "Dense", "Sparse", "column", "fitted", "padded"]

BLOCK = 64
DENSE = 16
"""A clause that matches one row in so many is kept as a number for every row."""
BEST = 256
"""How many of its highest scores a column knows by heart."""
SLACK = 1.0 - 1e-5
"""What is left of a bound once sums are taken in another order."""
TINY = float(np.finfo(np.float32).tiny)
"""Less than any score."""


@dataclass(frozen=True, eq=False)
class Sparse:
    """Rows int64 [n], ascending, and what each scores, float32 [n], above 0. heights: the highest
    scores, float32, descending. highest: the first of them, 0 if there is none."""

    rows: Rows
    scores: Scores
    heights: Scores
    highest: float

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
    block of rows. heights, highest: as in `Sparse`. count: how many rows match."""

    flat: Scores
    peaks: Scores
    heights: Scores
    highest: float
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


def fitted(mask: Mask, size: int) -> Mask:
    """The mask for the rows below `size`."""
    if len(mask) == size:
        return mask
    fitted = np.zeros(size, bool)
    fitted[: len(mask)] = mask[:size]
    return fitted


def column(rows: Rows, scores: Scores, *, size: int) -> Column:
    """What one clause scores: rows below `size`, each once, in any order; scores above 0."""
    heights = np.sort(scores)[: -BEST - 1 : -1].copy()
    highest = float(heights[0]) if len(heights) else 0.0
    if len(rows) * DENSE < size:
        order = np.argsort(rows)
        return Sparse(rows[order], scores[order], heights, highest)
    flat = np.zeros(padded(size), np.float32)
    flat[rows] = scores
    return Dense(flat, flat.reshape(-1, BLOCK).max(axis=1), heights, highest, len(rows))


class Columns(NamedTuple):
    """What the clauses of one plan score, in their order.

    A row matches if any of `every` has it and all of `needed`, which are among them, do.
    """

    every: tuple[Column, ...]
    needed: tuple[Column, ...] = ()

    def top(self, limit: int, *, scratch: Scores, cut: Cut = best) -> Postings:
        """The `limit` matches of the highest sums, best first, ties by row, with their sums.

        cut: what takes them out of more. scratch: zeros, as many as the padded size; zeros again
        on return.
        """
        if limit < 1:
            return no_rows()
        if self._rarest is not None:
            rows = self._holding(self._rarest.rows)
            return cut(rows, self._sums(rows), limit)
        least = self._sure(limit)
        sparse, idle, dense = self._parted(least)
        rows, sums = _added(sparse, scratch)
        rows, sums = _completed(rows, sums, [*dense, *idle], least)
        for must in self.needed:
            kept = must.at(rows) > 0
            rows, sums = rows[kept], sums[kept]
        least = max(least, _reached(sums, limit * max(len(sparse), 1)))  # twice there, once known
        rows = rows[sums >= least]
        if _highest(dense) + _highest(idle) >= least:
            more = self._holding(_scanned(dense, least - _highest(idle)))
            rows = np.concatenate([rows, more])
        rows = _once(rows)
        return cut(rows, self._sums(rows), limit)

    def within(self, mask: Mask) -> Postings:
        """Every match that the mask keeps, ascending, with its sum. mask: bool [padded size]."""
        rows = self._possible(mask)
        return rows, self._sums(rows)

    def matching(self) -> Rows:
        """Every match, ascending."""
        if self.needed:
            return self._holding(min(self.needed, key=len).rows)
        if all(isinstance(one, Sparse) for one in self.every):
            return _once(np.concatenate([one.rows for one in self.every]))
        return np.flatnonzero(self.marks(max([_end(one) for one in self.every])))

    def marks(self, size: int) -> Mask:
        """Which of the rows below `size` match, bool [size]; no column has others."""
        there = np.zeros(padded(size), bool)
        if self.needed:
            there[self._holding(min(self.needed, key=len).rows)] = True
            return there[:size]
        for one in self.every:
            if isinstance(one, Dense):
                there |= one.flat > 0
            else:
                there[one.rows] = True
        return there[:size]

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

    def _sure(self, limit: int) -> float:
        """What so many rows reach for sure, by the best of one column; above 0."""
        known = [one.heights for one in self.every if not self.needed or self.needed == (one,)]
        return max([TINY, *[float(one[limit - 1]) * SLACK for one in known if len(one) >= limit]])

    def _parted(self, least: float) -> tuple[list[Sparse], list[Sparse], list[Dense]]:
        """(sparse columns whose rows have to be looked at, those that cannot bring a row to
        `least` even with all dense ones, dense columns)."""
        dense = [one for one in self.every if isinstance(one, Dense)]
        sparse = [one for one in self.every if isinstance(one, Sparse)]
        sparse.sort(key=lambda one: one.highest)
        bound, count = _highest(dense), 0
        for one in sparse:
            bound += one.highest
            if bound >= least:
                break
            count += 1
        return sparse[count:], sparse[:count], dense

    def _possible(self, mask: Mask) -> Rows:
        """The matches that the mask keeps, ascending."""
        if self._rarest is not None:
            rows = self._rarest.rows
            return self._holding(rows[mask[rows]])
        if all(isinstance(one, Sparse) for one in self.every):
            return _once(np.concatenate([one.rows[mask[one.rows]] for one in self.every]))
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


def _end(one: Column) -> int:
    """One more than the highest row of the column, or than any."""
    if isinstance(one, Dense):
        return len(one.flat)
    return int(one.rows[-1]) + 1 if len(one.rows) else 0


def _highest(columns: Sequence[Column]) -> float:
    """What no row exceeds in these columns together."""
    return sum([one.highest for one in columns])


def _added(sparse: Sequence[Sparse], scratch: Scores) -> Postings:
    """The rows of the columns and their sums; a row of two columns is there twice."""
    if not sparse:
        return no_rows()
    if len(sparse) == 1:
        return sparse[0].rows, sparse[0].scores
    for one in sparse:
        scratch[one.rows] += one.scores
    rows = np.concatenate([one.rows for one in sparse])
    sums = scratch[rows]
    scratch[rows] = 0.0
    return rows, sums


def _completed(rows: Rows, sums: Scores, others: Sequence[Column], least: float) -> Postings:
    """The sums with what the other columns add, of the rows that may reach `least`."""
    for place, one in enumerate(others):
        rest = _highest(others[place:])
        if rest < least:
            kept = sums >= least - rest
            rows, sums = rows[kept], sums[kept]
        sums = sums + one.at(rows)
    return rows, sums


def _reached(sums: Scores, count: int) -> float:
    """What `count` of the sums reach; 0 where there are not so many."""
    if len(sums) < count:
        return 0.0
    return float(np.partition(sums, len(sums) - count)[len(sums) - count]) * SLACK


def _once(rows: Rows) -> Rows:
    """The rows, ascending, each once."""
    if len(rows) < 2:
        return rows
    rows = np.sort(rows)
    first = np.ones(len(rows), bool)
    np.not_equal(rows[1:], rows[:-1], out=first[1:])
    return rows[first]


def _scanned(dense: Sequence[Dense], least: float) -> Rows:
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
