"""In which order do rows of equal score stand, where not their own numbers are to decide?

Row numbers tell when a row was written last, so an update would move it among its equals. Who
wants the order of keys gives a ranking an `Order`, which is asked for rows that tie alone.

    settled(rows, scores, order)                 # rows with equal scores in that order
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hybridsearch.arrays import Rows, Scores

__all__ = ["Order", "is_cut", "run_end", "settled"]

Order = Callable[[Rows], Rows]
"""rows int64 [n] -> the place of each, int64 [n]; only the order of the places counts."""


def settled(rows: Rows, scores: Scores, order: Order) -> Rows:
    """The rows, int64 [n], those of equal score in the order given; the very same if none tie.

    scores: float32 [n], best first.

    >>> settled(np.array([4, 2, 7]), np.array([3, 1, 1], np.float32), np.negative).tolist()
    [4, 7, 2]
    """
    as_before = scores[1:] == scores[:-1]
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
