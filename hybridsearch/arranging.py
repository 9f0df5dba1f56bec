"""How are the rows that the arms have ranked put into their last order?

`rank` is the whole way from a plan to a ranking. What the arms found goes through these stages in
turn, each of which does nothing unless it is asked for:

1. threshold: what is not relevant enough goes.
2. boost: scores are multiplied by a formula over attributes (`boosting`), and ranked anew.
3. rules: the index's own rules behind relevance decide among hits that are about equally relevant,
   which is within the same twentieth of the relevance (times the factor of a boost).
4. sort: by the attributes of the request, then by the index's own rules before relevance.
5. distinct: the first of each value.
6. diversity: of the first `candidates` hits each next one is to be relevant and unlike those before
   it (`diversity`); relevance there is the score as a share of the best.
7. rerank: the first `rerank_top` hits in the order of what the request's callable says of them,
   equal ones as before; those after them stay behind.

The first five rank the whole result set; the last two a part of it that does not depend on the
page. So pages go on where the one before ended.

    ranked = rank(state, plan)             # ranked.rows[offset : offset + limit] is the page
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridsearch.arrays import Rows, Scores
from hybridsearch.diversity import mmr, similarities
from hybridsearch.errors import QueryError
from hybridsearch.jsontext import loads
from hybridsearch.planning import Plan
from hybridsearch.ranking import Ranked, ranked
from hybridsearch.relevance import from_cosine, relevance
from hybridsearch.state import State

__all__ = ["boostable", "rank"]

STEPS = 20
"""Hits are about equally relevant within 1 / STEPS."""


def rank(state: State, plan: Plan) -> Ranked:
    """The result set in order; see `Ranked`. Raises QueryError for what does not fit the index."""
    found = ranked(state, plan)
    for stage in (_relevant, _boosted, _ruled, _sorted, _distinct, _diverse, _reranked):
        found = stage(state, plan, found)
    return found


def _relevant(state: State, plan: Plan, found: Ranked) -> Ranked:
    """Only the rows that are relevant enough; `plan.whole` has seen to it that all are here."""
    least = plan.request.threshold
    if not least:
        return found
    kept = np.flatnonzero(relevance(state, plan, found.scores) >= least)
    return replace(found.picked(kept), count=lambda: len(kept))


def _boosted(state: State, plan: Plan, found: Ranked) -> Ranked:
    """Every score times its row's factor; what becomes equal stays in the order of relevance."""
    if plan.boost is None:
        return found
    own = plan.request.boost is None
    factors = state.selection.factors(plan.boost, state.columns, size=state.size, lenient=own)
    given = factors[found.rows].astype(np.float32)
    scores = boostable(plan, found.scores) * given
    made = replace(found, scores=scores, bases=found.scores, factors=given)
    return made.picked(np.argsort(-scores, kind="stable"))


def boostable(plan: Plan, scores: Scores) -> Scores:
    """What a boost multiplies: a number of 0 or more in every mode."""
    if plan.mode == "everything":
        return np.ones(len(scores), np.float32)
    return from_cosine(scores) if plan.mode == "semantic" else scores


def _ruled(state: State, plan: Plan, found: Ranked) -> Ranked:
    """Among hits that are about equally relevant, by the index's rules behind relevance."""
    rules = plan.rules[1]
    if not rules:
        return found
    bases = found.scores if found.bases is None else found.bases
    share = relevance(state, plan, bases) * (1.0 if found.factors is None else found.factors)
    steps = np.floor(share.astype(np.float64) * STEPS + 1e-6)
    places = _places(state, rules, _named(rules))[found.rows]
    return found.picked(np.lexsort((places, -steps)))


def _sorted(state: State, plan: Plan, found: Ranked) -> Ranked:
    """By the attributes asked for; what they leave equal stays in the order of the ranking."""
    order = np.arange(len(found.rows))
    if plan.rules[0]:
        places = _places(state, plan.rules[0], _named(plan.rules[0]))
        order = np.argsort(places[found.rows], kind="stable")
    if plan.request.sort:
        places = _places(state, plan.request.sort, state.settings.sortable_attributes)
        order = order[np.argsort(places[found.rows[order]], kind="stable")]
    return found.picked(order) if plan.request.sort or plan.rules[0] else found


def _places(state: State, by: Sequence[str], allowed: Sequence[str]) -> Rows:
    return state.selection.order(by, state.columns, size=state.size, allowed=allowed)


def _named(rules: Sequence[str]) -> list[str]:
    """The attributes of rules, all of which may be ordered by, whether or not a document has it."""
    return [rule.rpartition(":")[0] for rule in rules]


def _distinct(state: State, plan: Plan, found: Ranked) -> Ranked:
    """Only the first row of each value; rows without the attribute all stay."""
    attribute = plan.request.distinct
    if attribute is None:
        return found
    column = state.selection.facet(attribute, state.columns, size=state.size)
    codes = column.first(state.size)[found.rows]
    own = np.where(codes < 0, -1 - np.arange(len(codes)), codes)
    first = np.sort(np.unique(own, return_index=True)[1])
    return replace(found.picked(first), count=lambda: len(first))


def _diverse(state: State, plan: Plan, found: Ranked) -> Ranked:
    """The first `candidates` rows, each unlike those before it."""
    if not plan.request.diversity or plan.mode == "everything":
        return found
    assert plan.arm is not None  # planning has looked
    head = found.rows[: plan.candidates]
    scores = found.scores[: len(head)].astype(np.float64)
    most = float(scores.max(initial=0.0))
    shares = scores / most if most > 0.0 else scores
    near = similarities(head, plan.arm.vectors.get(head))
    chosen = mmr(shares, near, diversity=plan.request.diversity)
    told = {
        row: {"diversity": {"relevance": share, "nearest": nearest, "mmr": value, "rank": place}}
        for row, share, nearest, value, place in zip(
            head[chosen.order].tolist(),
            shares[chosen.order].tolist(),
            chosen.nearest.tolist(),
            chosen.values.tolist(),
            (chosen.order + 1).tolist(),
            strict=True,
        )
    }
    return _headed(found, chosen.order, told)


def _reranked(state: State, plan: Plan, found: Ranked) -> Ranked:
    """The first `rerank_top` rows as the request's callable scores their documents."""
    if plan.request.rerank is None or not plan.request.text:
        return found
    head = found.rows[: plan.request.rerank_top]
    documents = [loads(body) for body in state.keyword.bodies(head)]
    scores = _judged(plan, documents) if documents else np.empty(0)
    order = np.argsort(-scores, kind="stable")
    told = {
        row: {"rerank": {"score": score, "rank": place}}
        for row, score, place in zip(
            head[order].tolist(), scores[order].tolist(), (order + 1).tolist(), strict=True
        )
    }
    return _headed(found, order, told)


def _judged(plan: Plan, documents: list[dict[str, Any]]) -> NDArray[np.float64]:
    """What the callable says of each document. Raises QueryError unless that is a number each."""
    rerank = plan.request.rerank
    assert rerank is not None  # the caller has looked
    try:
        scores = np.asarray(rerank(plan.request.text, documents), np.float64)
    except Exception as error:  # somebody else's code may raise anything; kept as the cause
        raise _refused(f"it raised {type(error).__name__}: {error}") from error
    if scores.shape != (len(documents),) or not np.isfinite(scores).all():
        raise _refused(
            f"an array of shape {scores.shape} came back for {len(documents)} documents, or"
            " numbers that are not finite; return one number a document, the higher the better"
        )
    return scores


def _headed(found: Ranked, order: Rows, told: Mapping[int, Mapping[str, Any]]) -> Ranked:
    """The first rows in that order, the others behind them as they were."""
    more = {row: {**found.told.get(row, {}), **one} for row, one in told.items()}
    rest = np.arange(len(order), len(found.rows))
    return replace(found.picked(np.concatenate([order, rest])), told={**found.told, **more})


def _refused(what: str) -> QueryError:
    return QueryError(f"rerank: {what}", code="invalid_search_rerank", field="rerank")
