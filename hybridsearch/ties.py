"""In which order do rows of equal score stand, where not their own numbers are to decide?

Row numbers tell when a row was written last, so an update would move it among its equals. Who
wants the order of keys gives a ranking an `Order`, which is asked for rows that tie alone.

    settled(rows, scores, order)                 # rows with equal scores in that order
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hybridsearch.arrays import Mask, Rows, Scores

__all__ = ["Order", "is_cut", "run_end", "settled", "settled_each"]

Order = Callable[[Rows], Rows]
"""rows int64 [n] -> the place of each, int64 [n]; only the order of the places counts."""


def settled(rows: Rows, scores: Scores, order: Order) -> Rows:
    """The rows, int64 [n], those of equal score in the order given; the very same if none tie.

    scores: float32 [n], best first.

    >>> settled(np.array([4, 2, 7]), np.array([3, 1, 1], np.float32), np.negative).tolist()
    [4, 7, 2]
    """
    return _ordered(rows, scores[1:] == scores[:-1], order)


def settled_each(rows: Rows, scores: Scores, counts: Rows, order: Order) -> Rows:
    """The same for many rankings one after the other; counts: int64, how many rows each has.

    >>> settled_each(np.array([4, 2, 7, 9]), np.array([3, 1, 1, 1], np.float32),
    ...     np.array([3, 1]), np.negative).tolist()
    [4, 7, 2, 9]
    """
    as_before = scores[1:] == scores[:-1]
    ends = np.cumsum(counts)
    as_before[ends[(ends > 0) & (ends < len(rows))] - 1] = False
    return _ordered(rows, as_before, order)


def _ordered(rows: Rows, as_before: Mask, order: Order) -> Rows:
    """The rows with runs of equals in the order given; as_before: whether the next is its equal."""
    if not as_before.any():
        return rows
    tied = np.zeros(len(rows), bool)
    tied[1:] = as_before
    tied[:-1] |= as_before
    places = np.flatnonzero(tied)
    runs = np.cumsum(np.concatenate([[True], ~as_before]))[places]
    ordered = rows.copy()
    ordered[places] = rows[places[np.lexsort((order(rows[places]), runs))]]
    return ordered


def run_end(scores: Scores, count: int) -> int:
    """How many of the scores, best first, are no lower than the `count`th; all if they are fewer.

    >>> run_end(np.array([3, 1, 1, 0], np.float32), 2)
    3
    """
    if not 0 < count < len(scores):
        return len(scores) if count else 0
    return int(np.count_nonzero(scores >= scores[count - 1]))


def is_cut(scores: Scores, count: int) -> bool:
    """Whether the last of the `count` best may have equals that are not among the scores.

    >>> is_cut(np.array([3, 1, 1], np.float32), 2), is_cut(np.array([3, 1, 0], np.float32), 2)
    (True, False)
    """
    return 0 < count < len(scores) and bool(scores[count - 1] == scores[-1])
