"""In what order do the arms put the rows of the result set, and how many are there?

`ranked` ranks in each arm and fuses; `arranging` goes on from there. A ranking does not depend on
the page: the arms are always asked for the same candidates. Rows that match by words beyond the
candidates follow in the order of their words.

    found = ranked(state, plan)            # found.rows[offset : offset + limit] is the page
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hybridsearch.arrays import Mask, Rows, Scores, no_rows
from hybridsearch.fusion import (
    BY_RANKS,
    BY_SCORES,
    SHARPER,
    Gains,
    by_score,
    dbsf,
    dbsf_gains,
    linear,
    linear_gains,
    parts,
    rrf,
    rrf_best,
    rrf_gains,
    score_gains,
    share_of_meaning,
)
from hybridsearch.keyword import Ranking
from hybridsearch.planning import Plan
from hybridsearch.state import State
from hybridsearch.ties import is_cut, run_end, settled

SCALE_ROWS = 1000
WIDER = 64
"""How many times as many rows are ranked where more tie with the last than were ranked."""

Arms = tuple[tuple[Rows, Scores], tuple[Rows, Scores]]
Parts = NDArray[np.float64]
Fusion = tuple[Rows, Scores, "Fused"]


@dataclass(frozen=True)
class Ranked:
    """Rows best first with their scores, at least as many as the page reaches down to.

    whole: whether `rows` is all of the result set. count: how many rows that has, exactly; it
    may have to look. keyword, semantic: what each arm brought, best first. fused: how they became
    one, where they did. bases: the scores before a boost, where there is one, and factors: what it
    multiplied each by. told: more that explains the place of some rows, by row.
    """

    rows: Rows
    scores: Scores
    whole: bool
    count: Callable[[], int]
    keyword: tuple[Rows, Scores]
    semantic: tuple[Rows, Scores]
    fused: Fused | None = None
    bases: Scores | None = None
    factors: Scores | None = None
    told: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    def picked(self, order: Rows) -> Ranked:
        """The rows at these places, in this order."""
        return replace(
            self,
            rows=self.rows[order],
            scores=self.scores[order],
            bases=None if self.bases is None else self.bases[order],
            factors=None if self.factors is None else self.factors[order],
        )


@dataclass(frozen=True)
class Fused:
    """How the scores of a fusion came about.

    figures: the constants of its formula. parts: rows int64 [n] -> what the keyword and what the
    semantic arm gave to the score of each, float64 [2, n]; their sum is the score.
    """

    figures: Mapping[str, Any]
    parts: Callable[[Rows], Parts]


class Fragment(NamedTuple):
    """A text that matches, with its matches marked, and (start, length) of each in characters of
    the text itself, from 0."""

    marked: str
    spans: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Places:
    """The rows of one page without their documents, best first; arrays of equal length.

    keyword_ranks, semantic_ranks: int64, the place in each arm from 1, 0 where that arm did not
    find the row. keyword_scores, semantic_scores: float32, NaN there. mode: as in `Plan`.
    highlights: attribute -> its texts that match, of each row; empty unless asked for.
    """

    rows: Rows
    scores: Scores
    keyword_ranks: Rows
    keyword_scores: Scores
    semantic_ranks: Rows
    semantic_scores: Scores
    bases: Scores
    mode: str
    highlights: tuple[Mapping[str, Sequence[Fragment]], ...] = ()

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """Row, score, rank and score in the keyword arm, and the same in the semantic arm."""
        return (
            self.rows,
            self.scores,
            self.keyword_ranks,
            self.keyword_scores,
            self.semantic_ranks,
            self.semantic_scores,
        )

    def where(self, keep: Mask) -> Places:
        """Those of the rows that are kept; their ranks in the arms stay."""
        return replace(
            self,
            rows=self.rows[keep],
            scores=self.scores[keep],
            keyword_ranks=self.keyword_ranks[keep],
            keyword_scores=self.keyword_scores[keep],
            semantic_ranks=self.semantic_ranks[keep],
            semantic_scores=self.semantic_scores[keep],
            bases=self.bases[keep],
            highlights=tuple(compress(self.highlights, keep.tolist())),
        )


@dataclass(frozen=True)
class Pages:
    """The pages of many searches, one after the other.

    counts: how many rows each page has, int64. places: those rows.
    """

    counts: Rows
    places: Places


def page_places(plan: Plan, ranked: Ranked) -> Places:
    """The rows of the page that the plan asks for."""
    start, stop = plan.request.offset, plan.needed
    rows = ranked.rows[start:stop]
    words = _of_page(ranked.keyword, ranked, start, rows)
    near = _of_page(ranked.semantic, ranked, start, rows)
    if plan.mode == "hybrid":
        # Beyond the candidates a rank counts only for what words alone have found.
        too_far = (words[0] > plan.candidates) & (near[0] > 0)
        words[0][too_far], words[1][too_far] = 0, np.nan
    bases = ranked.scores if ranked.bases is None else ranked.bases
    scores = ranked.scores[start:stop]
    return Places(rows, scores, *words, *near, bases=bases[start:stop], mode=plan.mode)


def _of_page(
    arm: tuple[Rows, Scores], ranked: Ranked, start: int, rows: Rows
) -> tuple[Rows, Scores]:
    """(rank from 1 or 0, score or NaN) of the page's rows in the arm, which may be the ranking."""
    if arm[0] is not ranked.rows:
        return _in_arm(arm, rows)
    return np.arange(start + 1, start + len(rows) + 1), arm[1][start : start + len(rows)]


def _in_arm(arm: tuple[Rows, Scores], rows: Rows) -> tuple[Rows, Scores]:
    """(rank from 1 or 0, score or NaN) of each row in the arm."""
    if not len(arm[0]):
        return np.zeros(len(rows), np.int64), np.full(len(rows), np.nan, np.float32)
    order = np.argsort(arm[0])
    found = np.minimum(np.searchsorted(arm[0], rows, sorter=order), len(order) - 1)
    places = order[found]
    there = arm[0][places] == rows
    scores = np.where(there, arm[1][places], np.float32(np.nan))
    return np.where(there, places + 1, 0), scores.astype(np.float32)


def ranked(state: State, plan: Plan) -> Ranked:
    """The result set as the arms order it; see `Ranked`."""
    stages = {
        "everything": _everything,
        "keyword": _by_words,
        "semantic": _by_meaning,
        "hybrid": _by_both,
    }
    return _settled(state, plan, stages[plan.mode])


def _settled(state: State, plan: Plan, stage: Callable[[State, Plan], Ranked]) -> Ranked:
    """The ranking with rows of equal score in the plan's order, also of those that it cuts off;
    as far as anybody looks."""
    if plan.tied is None or not plan.needed:
        return stage(state, plan)
    most, needed = len(state.living), plan.needed + 1
    if _is_level(plan):
        ranked, needed = stage(state, plan), most
    else:
        ranked = stage(state, replace(plan, needed=min(needed, most)))
    while needed < most and is_cut(ranked.scores, plan.needed) and len(ranked.rows) >= needed:
        needed = min(WIDER * needed, most)
        ranked = stage(state, replace(plan, needed=needed))
    end = len(ranked.rows) if plan.whole else run_end(ranked.scores, plan.reach)
    rows = np.concatenate(
        [settled(ranked.rows[:end], ranked.scores[:end], plan.tied), ranked.rows[end:]]
    )
    arm = (rows, ranked.scores)
    return replace(
        ranked,
        rows=rows,
        keyword=arm if ranked.keyword[0] is ranked.rows else ranked.keyword,
        semantic=arm if ranked.semantic[0] is ranked.rows else ranked.semantic,
    )


def members(state: State, plan: Plan, ranked: Ranked) -> Mask:
    """Which rows the result set holds, bool [size]."""
    found = np.zeros(state.size, bool)
    if not ranked.whole:
        matches = state.keyword.matches(
            plan.query, weights=plan.fields, match=plan.match, tie=plan.tie
        )
        found[matches if plan.mask is None else matches[plan.mask[matches]]] = True
    found[ranked.rows] = True
    if plan.without is not None:
        found[plan.without] = False
    return found


def _everything(state: State, plan: Plan) -> Ranked:
    rows = state.living if plan.mask is None else state.living[plan.mask[state.living]]
    if not plan.request.sort and plan.tied is None:
        places = state.selection.id_order(size=state.size)
        rows = rows[np.argsort(places[rows], kind="stable")]
    return _all_of(rows, np.zeros(len(rows), np.float32))


def _by_words(state: State, plan: Plan) -> Ranked:
    limit = len(state.living) if plan.whole else plan.reach
    found = _words(state, plan, limit, level=_is_level(plan))
    arm = (found.rows, found.scores)
    return Ranked(*arm, found.whole, lambda: found.total, keyword=arm, semantic=no_rows())


def _by_meaning(state: State, plan: Plan) -> Ranked:
    rows, scores = _near(plan)
    return replace(_all_of(rows, scores), semantic=(rows, scores))


def _all_of(rows: Rows, scores: Scores) -> Ranked:
    """A ranking of the whole result set, by neither arm."""
    return Ranked(rows, scores, True, lambda: len(rows), keyword=no_rows(), semantic=no_rows())


def _by_both(state: State, plan: Plan) -> Ranked:
    depth = plan.candidates
    words = _words(state, plan, len(state.living) if plan.whole else max(depth, plan.reach))
    near = _near(plan)
    head = (words.rows[:depth], words.scores[:depth])
    plan = replace(plan, weights=_weights(plan, head, near[0]))
    rows, scores, fused = _with_tail(
        _FUSIONS[plan.fusion](state, plan, (head, near), words), words, depth
    )
    return Ranked(
        rows,
        scores,
        whole=words.whole,
        count=lambda: _number(state, plan, near[0], words),
        keyword=(words.rows, words.scores),
        semantic=near,
        fused=fused,
    )


def _weights(plan: Plan, words: tuple[Rows, Scores], near: Rows) -> tuple[float, float]:
    """(keyword, semantic) for this query: as somebody said, else `fusion.share_of_meaning`."""
    if not plan.doubted:
        return plan.weights
    doubt = BY_RANKS if plan.fusion == "rrf" else BY_SCORES
    share = share_of_meaning(plan.weights[1], words, near, doubt=doubt, known=plan.known)
    return 1.0 - share, share


def _is_level(plan: Plan) -> bool:
    """Whether the ranking comes with all that score as much as the last of the page."""
    return plan.tied is not None and plan.mode == "keyword" and plan.without is None


def _words(state: State, plan: Plan, limit: int, *, level: bool = False) -> Ranking:
    if plan.query.empty:
        return Ranking(*no_rows(), True, lambda: 0)
    found = state.keyword.top(
        plan.query,
        weights=plan.fields,
        limit=limit if plan.without is None else limit + 1,
        match=plan.match,
        mask=plan.mask,
        tie=plan.tie,
        level=level,
    )
    return found if plan.without is None else _others(state, plan, plan.without, found, limit)


def _others(state: State, plan: Plan, row: int, found: Ranking, limit: int) -> Ranking:
    """The ranking without that row, which may be in its total without being in its rows."""
    arm = _without((found.rows, found.scores), row, limit)
    matches = bool(np.isin(row, found.rows))
    if not matches and not found.whole and (plan.mask is None or plan.mask[row]):
        own = np.array([row], np.int64)
        matches = bool(state.keyword.scores(plan.query, own, weights=plan.fields)[0] > 0)
    whole = found.whole and len(arm[0]) == len(found.rows) - matches
    return Ranking(*arm, whole, lambda: found.total - matches)


def _without(arm: tuple[Rows, Scores], row: int | None, limit: int) -> tuple[Rows, Scores]:
    kept = arm[0] != row
    return arm[0][kept][:limit], arm[1][kept][:limit]


def _near(plan: Plan) -> tuple[Rows, Scores]:
    """What the semantic arm brings: the nearest rows that are near enough."""
    rows, scores = _nearest(plan)
    least = plan.request.min_similarity
    if least is None:
        return rows, scores
    enough = int(np.count_nonzero(scores >= least))
    return rows[:enough], scores[:enough]


def _nearest(plan: Plan, count: int | None = None) -> tuple[Rows, Scores]:
    """The `count` nearest rows, or as many as the semantic arm brings."""
    if plan.arm is None or plan.vector is None or not plan.vector.any():
        return no_rows()
    count = plan.candidates if count is None else count
    found = plan.arm.vectors.top(
        plan.vector,
        count if plan.without is None else count + 1,
        mask=plan.semantic_mask,
        exact=plan.request.exact,
        breadth=plan.request.ef,
    )
    return found if plan.without is None else _without(found, plan.without, count)


def _number(state: State, plan: Plan, near: Rows, words: Ranking) -> int:
    """How many rows match by words or are near."""
    if words.whole:
        return len(np.union1d(words.rows, near))
    marks = state.keyword.marks(plan.query, weights=plan.fields, match=plan.match, tie=plan.tie)
    if marks is None:
        return words.total + _unmatched(state, plan, near, words)
    found = np.zeros(state.size, bool)
    found[: len(marks)] = marks
    if plan.mask is not None:
        found &= plan.mask
    found[near] = True
    if plan.without is not None:
        found[plan.without] = False
    return int(np.count_nonzero(found))


def _unmatched(state: State, plan: Plan, near: Rows, words: Ranking) -> int:
    """How many of the near rows hold none of the words."""
    unseen = near[~np.isin(near, words.rows)]
    return len(unseen) - state.keyword.holding(
        plan.query, unseen, weights=plan.fields, match=plan.match, tie=plan.tie
    )


def _with_tail(fusion: Fusion, words: Ranking, depth: int) -> Fusion:
    """The fused rows, then those that match by words beyond the candidates, in their order."""
    if len(words.rows) <= depth:
        return fusion
    rows, fused_scores, fused = fusion
    beyond = np.arange(depth, len(words.rows))
    beyond = beyond[~np.isin(words.rows[depth:], rows, assume_unique=True)]
    last = fused_scores[-1] if len(fused_scores) else np.float32(1.0)
    scores = (last * depth / (beyond + 1)).astype(np.float32)
    tail = words.rows[beyond]

    def told(wanted: Rows) -> Parts:
        gains = [scores.astype(np.float64), np.empty(0)]
        return np.add(fused.parts(wanted), parts([tail, tail[:0]], gains, wanted))

    figures = {**fused.figures, "last": float(last), "candidates": depth}
    return (
        np.concatenate([rows, tail]),
        np.concatenate([fused_scores, scores]),
        Fused(figures, told),
    )


def _by_ranks(state: State, plan: Plan, arms: Arms, words: Ranking) -> Fusion:
    rankings = [rows for rows, _ in arms]
    rows, scores = rrf(rankings, k=plan.k, weights=plan.weights)
    best = rrf_best(k=plan.k, weights=plan.weights)
    figures = {"k": plan.k, "weights": list(plan.weights), "best": best}
    fused = _fused(figures, arms, lambda: rrf_gains(rankings, k=plan.k, weights=plan.weights))
    return rows, (scores / best).astype(np.float32), fused


def _by_scores(state: State, plan: Plan, arms: Arms, words: Ranking) -> Fusion:
    """Every candidate scored exactly in both arms; `fusion.by_score` has the formula."""
    assert plan.arm is not None  # the mode is hybrid
    assert plan.vector is not None
    rows = np.union1d(arms[0][0], arms[1][0])
    bm25 = state.keyword.scores(
        plan.query, rows, weights=plan.fields, match=plan.match, tie=plan.tie
    )
    scale = _scale(plan, words, _nearest(plan, SCALE_ROWS)[1])
    cosines = plan.arm.vectors.similarities(plan.vector, rows)
    fused = Fused(
        {"weights": list(plan.weights), **scale, "power": SHARPER},
        lambda wanted: parts([rows, rows], score_gains(cosines, bm25, **scale), wanted),
    )
    return *by_score(rows, cosines, bm25, **scale), fused


def _by_spread(state: State, plan: Plan, arms: Arms, words: Ranking) -> Fusion:
    fused = _fused(
        {"weights": list(plan.weights)}, arms, lambda: dbsf_gains(arms, weights=plan.weights)
    )
    return *dbsf(arms, weights=plan.weights), fused


def _by_shares(state: State, plan: Plan, arms: Arms, words: Ranking) -> Fusion:
    """Every candidate scored as its arms found it; `fusion.linear` has the formula."""
    scale = _scale(plan, words, _nearest(plan, SCALE_ROWS)[1])
    found, near = arms
    figures = {"weights": list(plan.weights), **scale, "power": SHARPER}
    fused = _fused(figures, arms, lambda: linear_gains(found, near, **scale))
    return *linear(found, near, **scale), fused


def _fused(figures: Mapping[str, Any], arms: Arms, gains: Callable[[], Gains]) -> Fused:
    """What tells of a fusion of the arms; nothing is computed until somebody asks."""
    return Fused(figures, lambda wanted: parts([rows for rows, _ in arms], gains(), wanted))


def _scale(plan: Plan, words: Ranking, near: Scores) -> dict[str, float]:
    """The figures that put both arms on one scale; near: the cosines of the nearest rows."""
    keyword, semantic = plan.weights
    return {
        "alpha": semantic / (keyword + semantic),
        "lowest": float(near[-1]) if len(near) else 0.0,
        "highest": float(near[0]) if len(near) else 0.0,
        "bm25_max": float(words.scores[0]) if len(words.scores) else 0.0,
    }


_FUSIONS = {"rrf": _by_ranks, "score": _by_scores, "linear": _by_shares, "dbsf": _by_spread}
