"""How do several rankings become one?

Four ways, all pure and exact, none dependent on the order in which the arms are given:

- `rrf`: reciprocal rank fusion; looks at ranks only. `rrf_best` is the highest sum there can be.
- `by_score`: a mixture of cosine and BM25 where every candidate was scored in both arms.
- `linear`: a mixture of cosine and BM25 as the arms found them; a row that an arm lacks gets 0.
- `dbsf`: distribution-based score fusion; each arm is scaled by its own mean and spread.

How much the semantic arm weighs may depend on the query: `share_of_meaning`.

`rrf_gains`, `score_gains`, `linear_gains` and `dbsf_gains` are what each arm gives to each of its
rows, in the unit of the fused score on 0..1, and `parts` finds them for some rows: their sum is
the score.

Every answer is best first with equal scores by row, ascending, and each row once.

    rows, scores = rrf([keyword_rows, semantic_rows], k=20, weights=(0.8, 0.2))
    scores /= rrf_best(k=20, weights=(0.8, 0.2))                    # now within 0..1
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hybridsearch.arrays import Rows, Scores, no_rows

__all__ = [
    "BY_RANKS",
    "BY_SCORES",
    "CONFIRMED",
    "SHARPER",
    "Doubt",
    "Gains",
    "agreement",
    "by_score",
    "confidence",
    "dbsf",
    "dbsf_gains",
    "linear",
    "linear_gains",
    "parts",
    "rrf",
    "rrf_best",
    "rrf_gains",
    "score_gains",
    "share_of_meaning",
]


@dataclass(frozen=True)
class Doubt:
    """How sure words make an arm of meaning weigh less: as the first stands out from the best
    `depth`, times `factor`."""

    depth: int
    factor: float


# Ranks say nothing of how far the first stands out; scores say it themselves, so less is doubted.
BY_RANKS = Doubt(depth=10, factor=2.5)
BY_SCORES = Doubt(depth=20, factor=1.3)

Gains: TypeAlias = list[NDArray[np.float64]]
"""For each arm what it gives to each of its rows, float64 [n_i], in the order of the arm."""

LEAST = 0.001
CONFIRMED = 0.4
"""How much of the doubt in meaning goes where both arms find the same."""
SHARPER = 1.5
"""The power that shares of scores are raised to: near the best, differences tell the most."""

# Sums of shares are taken in whole numbers of 2**-50: exact, so the order of the arms is nothing.
UNIT = float(1 << 50)


def rrf(
    rankings: Sequence[Rows], *, k: int = 60, weights: Sequence[float] | None = None
) -> tuple[Rows, Scores]:
    """Fuse rankings by reciprocal rank: the sum of weight / (k + rank), ranks from 1.

    rankings: int64 [n_i] each, best first, no repeats inside one. weights: one a ranking, 1 where
    not given; a row of a ranking with weight 0 is kept, with nothing for it.
    Returns rows int64 [m] and scores float32 [m], best first; equal scores by row, ascending.
    Raises ValueError if k < 1, or if the weights are not as many, finite, >= 0 and one above 0.

    >>> rrf([np.array([7, 3]), np.array([3])])[0].tolist()
    [3, 7]
    """
    shares = _weights(weights, len(rankings))
    _check_k(k)
    if not rankings:
        return no_rows()
    top = shares.max()
    longest = max(map(len, rankings))
    per_rank = UNIT / np.arange(k + 1, k + longest + 1)
    gains = [per_rank[: len(r)] * (w / top) for r, w in zip(rankings, shares, strict=True)]
    rows, sums = _summed(rankings, gains)
    return _best_first(rows, (sums * (top / UNIT)).astype(np.float32))


def confidence(scores: Scores, *, depth: int = 10) -> float:
    """How far the first of a ranking stands out from the others of the best `depth`: 1 - their
    mean / its score.

    scores: float32 [n], 0 or more, best first. Returns 0 where they are equal or there are none,
    1 where there is one alone.

    >>> confidence(np.array([8.0, 2.0, 2.0], np.float32))
    0.75
    """
    if not len(scores) or scores[0] <= 0.0:
        return 0.0
    return 1.0 - float(scores[1:depth].mean() / scores[0]) if len(scores) > 1 else 1.0


def agreement(words: Rows, near: Rows) -> float:
    """How many of the ten nearest rows are among the fifty best by words: a share, 0..1.

    words, near: rankings, best first. Where fewer than ten rows hold the words, what they do not
    confirm counts only as far as they go; 1 where either is empty.

    >>> agreement(np.arange(20), np.array([3, 90]))
    0.5
    >>> agreement(np.arange(5), np.array([3, 90]))
    0.75
    """
    first = near[:10].tolist()
    if not first or not len(words):
        return 1.0
    confirmed = len(set(first).intersection(words[:50].tolist())) / len(first)
    return confirmed + (1.0 - confirmed) * max(0.0, 1.0 - len(words) / 10)


def share_of_meaning(
    most: float,
    words: tuple[Rows, Scores],
    near: Rows,
    *,
    doubt: Doubt = BY_RANKS,
    known: float = 1.0,
) -> float:
    """How much the semantic arm weighs for one query, LEAST to `most`.

    The less, the further the best row by words stands out, but up to CONFIRMED of that goes as the
    arms agree; and nothing where a third of the query's letters is not known to the model (known,
    0..1):
    most * max(0, 3 * known - 2) * max(0, 1 - factor * confidence * (1 - CONFIRMED * agreement)).
    It is never nothing, so that rows without the words stand in the order of their meaning, and
    `most` where no row has the words. docs/relevance.md has what this was chosen by, and what else
    was tried.

    >>> round(share_of_meaning(0.7, (np.arange(20), np.ones(20, np.float32)), np.arange(10)), 6)
    0.7
    >>> share_of_meaning(0.7, (np.arange(2), np.array([9, 1], np.float32)), np.arange(60, 70))
    0.001
    """
    if not len(words[0]):
        return most
    kept = 1.0 - CONFIRMED * agreement(words[0], near)
    sure = confidence(words[1], depth=doubt.depth) * kept
    understood = max(0.0, 3.0 * known - 2.0)
    return max(LEAST, most * understood * (1.0 - doubt.factor * sure))


def rrf_best(*, k: int = 60, weights: Sequence[float]) -> float:
    """The score of a row that every ranking has first: what divides `rrf` into 0..1.

    >>> rrf_best(k=60, weights=(1, 1)) == 2 / 61
    True
    """
    _check_k(k)
    return float(_weights(weights, len(weights)).sum()) / (k + 1)


def rrf_gains(rankings: Sequence[Rows], *, k: int, weights: Sequence[float]) -> Gains:
    """What each ranking gives by `rrf`, as a share of `rrf_best`: weight / (k + rank) / best."""
    best = rrf_best(k=k, weights=weights)
    ranks = [np.arange(k + 1, k + len(ranking) + 1) * best for ranking in rankings]
    return [np.asarray(weight / own) for own, weight in zip(ranks, weights, strict=True)]


def parts(rankings: Sequence[Rows], gains: Gains, rows: Rows) -> NDArray[np.float64]:
    """What each arm gives to each of some rows, float64 [arms, n]; 0 where it does not hold one.

    >>> parts([np.array([7, 3])], [np.array([0.5, 0.25])], np.array([3, 8])).tolist()
    [[0.25, 0.0]]
    """
    found = np.zeros((len(rankings), len(rows)))
    for arm, (ranking, own) in enumerate(zip(rankings, gains, strict=True)):
        if len(ranking):
            order = np.argsort(ranking)
            at = np.minimum(np.searchsorted(ranking, rows, sorter=order), len(order) - 1)
            there = ranking[order[at]] == rows
            found[arm, there] = own[order[at]][there]
    return found


def by_score(
    rows: Rows,
    cosines: Scores,
    bm25: Scores,
    *,
    alpha: float,
    lowest: float,
    highest: float,
    bm25_max: float | None = None,
) -> tuple[Rows, Scores]:
    """Fuse exact scores: alpha * near**SHARPER + (1 - alpha) * words**SHARPER, where near is
    (cos - lowest) / (highest - lowest) and words is bm25 / bm25_max.

    rows: int64 [n], each once. cosines: float32 [n], NaN where a row has no vector, which counts
    as `lowest`. bm25: float32 [n], 0 where no word matches. lowest, highest: the cosines of the
    furthest and the nearest of the rows that set the scale; beyond them the share is 0 or 1, and
    where they are equal it is 0. bm25_max: the best BM25 of all matches; None takes the largest
    given. alpha: the share of the cosine, 0..1.
    Returns rows int64 [n] and scores float32 [n] in 0..1, best first; equal scores by row.
    Raises ValueError if alpha is outside 0..1 or the arrays differ in length.
    """
    _check_share(alpha)
    if not len(rows) == len(cosines) == len(bm25):
        raise ValueError(
            f"{len(rows)} rows, {len(cosines)} cosines and {len(bm25)} BM25 scores; give one each"
        )
    if not len(rows):
        return no_rows()
    words, near = score_gains(
        cosines, bm25, alpha=alpha, lowest=lowest, highest=highest, bm25_max=bm25_max
    )
    order = np.argsort(rows, kind="stable")
    mixed = near + words
    return _best_first(rows[order], mixed[order].astype(np.float32))


def score_gains(
    cosines: Scores,
    bm25: Scores,
    *,
    alpha: float,
    lowest: float,
    highest: float,
    bm25_max: float | None = None,
) -> Gains:
    """The two addends of `by_score`: that of the words, then that of the meaning."""
    near = _scaled(np.where(np.isnan(cosines), lowest, cosines), lowest, highest)
    words = _scaled(bm25, 0.0, float(bm25.max()) if bm25_max is None else bm25_max)
    return [(1.0 - alpha) * words**SHARPER, alpha * near**SHARPER]


def linear(
    words: tuple[Rows, Scores],
    near: tuple[Rows, Scores],
    *,
    alpha: float,
    lowest: float,
    highest: float,
    bm25_max: float | None = None,
) -> tuple[Rows, Scores]:
    """Fuse scores as they are, by the formula of `by_score`, but a row that an arm does not hold
    gets 0 from it: nothing has to be scored anew.

    words, near: rows int64 [n_i] without repeats and scores float32 [n_i], in any order. lowest,
    highest, bm25_max, alpha: as for `by_score`.
    Returns rows int64 [m] and scores float32 [m] in 0..1, best first; equal scores by row.
    Raises ValueError if alpha is outside 0..1.
    """
    _check_share(alpha)
    gains = linear_gains(
        words, near, alpha=alpha, lowest=lowest, highest=highest, bm25_max=bm25_max
    )
    rows, sums = _summed([words[0], near[0]], [own * UNIT for own in gains])
    return _best_first(rows, (sums / UNIT).astype(np.float32))


def linear_gains(
    words: tuple[Rows, Scores],
    near: tuple[Rows, Scores],
    *,
    alpha: float,
    lowest: float,
    highest: float,
    bm25_max: float | None = None,
) -> Gains:
    """What each arm gives by `linear`."""
    most = float(words[1].max(initial=0.0)) if bm25_max is None else bm25_max
    return [
        _scaled(words[1], 0.0, most) ** SHARPER * (1.0 - alpha),
        _scaled(near[1], lowest, highest) ** SHARPER * alpha,
    ]


def dbsf(
    arms: Sequence[tuple[Rows, Scores]], *, weights: Sequence[float] | None = None
) -> tuple[Rows, Scores]:
    """Fuse scores by their distribution: each arm is scaled so that 0 and 1 lie three standard
    deviations (of the sample) below and above its mean, and the arms are averaged by weight. A row
    absent from an arm gets 0 there; an arm whose scores are all the same gives each row .5.

    What lies below 0 is cut off. What lies above 1 is not: the best BM25 scores often do, and cut
    off they would tie. Where a sum passes 1, all are divided by the largest.

    arms: rows int64 [n_i] without repeats and finite scores float32 [n_i], in any order.
    Returns rows int64 [m] and scores float32 [m] in 0..1, best first; equal scores by row.
    Raises ValueError for weights as `rrf` does, or if an arm's arrays differ in length.
    """
    shares = _weights(weights, len(arms))
    if not arms:
        return no_rows()
    found, sums, _ = _by_distribution(arms, shares)
    return _best_first(found, sums.astype(np.float32))


def dbsf_gains(
    arms: Sequence[tuple[Rows, Scores]], *, weights: Sequence[float] | None = None
) -> Gains:
    """What each arm gives by `dbsf`, after all were divided by the largest sum."""
    return _by_distribution(arms, _weights(weights, len(arms)))[2] if arms else []


def _check_share(alpha: float) -> None:
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"alpha is {alpha}; give a number from 0 to 1")


def _by_distribution(
    arms: Sequence[tuple[Rows, Scores]], shares: NDArray[np.float64]
) -> tuple[Rows, NDArray[np.float64], Gains]:
    """(each row once, its sum, what each arm gives to its rows)."""
    shares = shares / math.fsum(shares)
    for rows, scores in arms:
        if len(rows) != len(scores):
            raise ValueError(f"an arm has {len(rows)} rows and {len(scores)} scores; give one each")
    gains = [_by_spread(scores) * (w * UNIT) for (_, scores), w in zip(arms, shares, strict=True)]
    found, sums = _summed([rows for rows, _ in arms], gains)
    most = max(UNIT, float(sums.max(initial=0)))
    return found, sums / most, [own / most for own in gains]


def _check_k(k: int) -> None:
    if k < 1:
        raise ValueError(f"k is {k}; reciprocal rank fusion needs at least 1 (60 is usual)")


def _weights(weights: Sequence[float] | None, arms: int) -> NDArray[np.float64]:
    found = np.ones(arms) if weights is None else np.array(weights, np.float64)
    if found.shape != (arms,):
        raise ValueError(f"{len(found)} weights for {arms} rankings; give one each")
    if arms and not (np.isfinite(found).all() and found.min() >= 0.0 and found.max() > 0.0):
        raise ValueError(
            f"the weights are {found.tolist()}; give numbers >= 0, one of them above 0"
        )
    return found


def _scaled(values: NDArray[np.floating], low: float, high: float) -> NDArray[np.float64]:
    if not high > low:
        return np.zeros(len(values))
    return np.clip((values.astype(np.float64) - low) / (high - low), 0.0, 1.0)


def _by_spread(scores: Scores) -> NDArray[np.float64]:
    exact = scores.astype(np.float64)
    spread = float(exact.std(ddof=1)) if len(exact) > 1 else 0.0
    if spread <= 1e-12 * (1.0 + float(np.abs(exact).max(initial=0.0))):
        return np.full(len(exact), 0.5)
    return np.asarray(np.maximum((exact - exact.mean()) / (6.0 * spread) + 0.5, 0.0))


def _summed(
    rankings: Sequence[Rows], gains: Sequence[NDArray[np.float64]]
) -> tuple[Rows, NDArray[np.int64]]:
    """Each row once, ascending, with the sum of its gains."""
    rows = np.concatenate([np.asarray(ranking, np.int64) for ranking in rankings])
    if not len(rows):
        return rows, np.empty(0, np.int64)
    order = np.argsort(rows, kind="stable")
    rows = rows[order]
    ends = np.ones(len(rows), bool)
    np.not_equal(rows[1:], rows[:-1], out=ends[:-1])
    last = np.flatnonzero(ends)
    # The running sum may pass 2**63 and wrap; a difference of two is right all the same.
    running = np.cumsum(np.rint(np.concatenate(gains)).astype(np.int64)[order])[last]
    running[1:] -= running[:-1].copy()
    return rows[last], running


def _best_first(rows: Rows, scores: Scores) -> tuple[Rows, Scores]:
    """Sort by score, descending; rows come ascending and stay so among equals."""
    order = np.argsort(-scores, kind="stable")
    return rows[order], scores[order]
