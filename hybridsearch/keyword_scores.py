"""What does a plan score, given the postings of its units?

Plain numpy over sorted arrays: no engine is asked. The caller says how to project the postings of
a unit (rows int64 ascending, scores float32) onto `size` places, so that the same sum serves all
rows, the rows of a mask, or a short list of rows. Sums are taken in double precision.

>>> unit = Unit("title", ((("red",), 1.0),))
>>> found = evaluate(Plan(should=(((unit, 2.0),),)), size=4, project=lambda unit:
...     (np.array([1, 3]), np.array([0.5, 0.25], np.float32)))
>>> found.matched.tolist(), found.scores.tolist()
([False, True, False, True], [0.0, 1.0, 0.0, 0.5])
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hybridsearch.arrays import Mask, Rows, Scores
from hybridsearch.keyword_plan import Clause, Plan, Unit
from hybridsearch.ties import run_end

__all__ = [
    "Cut",
    "Found",
    "Postings",
    "Project",
    "at_rows",
    "best",
    "evaluate",
    "in_rows",
    "leading",
]

Postings: TypeAlias = tuple[Rows, Scores]
"""Where a unit matches: rows or places, ascending and without repeats, and the scores there."""

Cut: TypeAlias = Callable[[Rows, Scores, int], Postings]
"""`best` or `leading`."""

Project: TypeAlias = Callable[[Unit], Postings]


@dataclass(frozen=True)
class Found:
    """By place: whether it matches, bool [size], and how well, float64 [size], 0 where not."""

    matched: Mask
    scores: NDArray[np.float64]


def evaluate(plan: Plan, *, size: int, project: Project) -> Found:
    """Match and score the places 0 to size - 1; each unit of the plan is projected once."""
    scores = np.zeros(size)
    for clause in plan.should:
        _add(scores, clause, project, plan.tie)
    for clause in plan.near:
        _add(scores, clause, project, 1.0)
    matched = scores > 0
    for position, clause in enumerate(plan.must):
        own = np.zeros(size)
        _add(own, clause, project, plan.tie)
        matched = (own > 0) & matched if position else own > 0
        scores += own
    if not plan.must and not plan.should:
        matched = np.ones(size, bool)
    for unit in plan.excluded:
        matched[project(unit)[0]] = False
    scores[~matched] = 0.0
    return Found(matched, scores)


def _add(scores: NDArray[np.float64], clause: Clause, project: Project, tie: float) -> None:
    """Add what a clause scores: the best attribute, and `tie` of what the others do."""
    if tie == 1.0 or len(clause) == 1:
        for unit, weight in clause:
            places, found = project(unit)
            scores[places] += found * np.float64(weight)
        return
    best = np.zeros(len(scores))
    for unit, weight in clause:
        places, found = project(unit)
        here, before = found * np.float64(weight), best[places]
        better = np.maximum(here, before)
        scores[places] += tie * here + (1.0 - tie) * (better - before)
        best[places] = better


def in_rows(postings: Postings, mask: Mask) -> Postings:
    """The postings that the mask keeps; their rows are the places."""
    rows, scores = postings
    if len(rows) and rows[-1] >= len(mask):
        end = int(np.searchsorted(rows, len(mask)))
        rows, scores = rows[:end], scores[:end]
    kept = mask[rows]
    return rows[kept], scores[kept]


def at_rows(postings: Postings, wanted: Rows) -> Postings:
    """The postings of the wanted rows; the place of wanted[i] is i."""
    rows, scores = postings
    if not len(rows):
        return rows, scores
    at = np.searchsorted(rows, wanted)
    at[at == len(rows)] = 0
    places = np.flatnonzero(rows[at] == wanted)
    return places, scores[at[places]]


def best(rows: Rows, scores: Scores, limit: int) -> Postings:
    """The `limit` rows of the highest scores, best first; ties by row, ascending."""
    rows, scores = _candidates(rows, scores, limit)
    order = np.lexsort((rows, -scores))[:limit]
    return rows[order], scores[order]


def leading(rows: Rows, scores: Scores, limit: int) -> Postings:
    """The same and all others that score as much as the last of them."""
    rows, scores = _candidates(rows, scores, limit)
    order = np.lexsort((rows, -scores))
    rows, scores = rows[order], scores[order]
    end = run_end(scores, limit)
    return rows[:end], scores[:end]


def _candidates(rows: Rows, scores: Scores, limit: int) -> Postings:
    """Those that score as much as the last of the best, if that leaves out many."""
    if limit >= len(rows) // 2:
        return rows, scores
    least = np.partition(scores, len(scores) - limit)[len(scores) - limit] if limit else np.inf
    kept = scores >= least
    return rows[kept], scores[kept]
