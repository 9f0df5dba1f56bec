"""How did each hit of a page come to its score?

`explanations` says it in numbers that add up: in every mode the parts of a hit's explanation give
its score, to six digits and more.

| mode | what adds up to `score` |
|---|---|
| keyword | `keyword.parts.parts[].score`: each word or expansion in each attribute |
| semantic | `semantic.similarity` is it |
| hybrid | `fusion.parts.keyword + fusion.parts.semantic` |
| no query | nothing ranks, and the score is 0 |

With a boost these give `boost.base` ((1 + cosine) / 2 in semantic mode, 1 without a query), and the
score is `boost.base * boost.factor`. `diversity` and `rerank` say why a hit stands where it does:
they change the order and no score.

In hybrid mode `fusion` also has the figures that its formula takes (`fusion` has the formulas): k
and the weights, or alpha, the cosines of the scale, the best BM25 and the power. A hit that matches
by words beyond the candidates has `beyond`: its score is `last * candidates / rank`, all by its
words. With `score` every candidate is scored in both arms, also where an arm did not bring it, so
`exact` has its BM25 and its similarity.

    told = explanations(state, plan, ranked, page_places(plan, ranked))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hybridsearch.arranging import boostable
from hybridsearch.arrays import Rows
from hybridsearch.planning import Plan
from hybridsearch.ranking import Places, Ranked
from hybridsearch.relevance import from_cosine, of_words
from hybridsearch.state import State

__all__ = ["explanations"]

ARMS = ("keyword", "semantic")


def explanations(state: State, plan: Plan, ranked: Ranked, places: Places) -> list[dict[str, Any]]:
    """The explanation of each place, in their order."""
    found: list[dict[str, Any]] = [
        {"mode": plan.mode, "score": score} for score in places.scores.tolist()
    ]
    for number, one in enumerate(found):
        if places.keyword_ranks[number]:
            one["keyword"] = _by_words(state, plan, places, number)
        if places.semantic_ranks[number]:
            one["semantic"] = _by_meaning(plan, places, number)
    if ranked.fused is not None:
        fusions = _fusions(state, plan, ranked, places)
        for one, fusion in zip(found, fusions, strict=True):
            one["fusion"] = fusion
    for number, one in enumerate(found):
        if ranked.factors is not None:
            one["boost"] = _boost(plan, ranked, places, number)
        one.update(ranked.told.get(int(places.rows[number]), {}))
    return found


def _boost(plan: Plan, ranked: Ranked, places: Places, number: int) -> dict[str, Any]:
    """What was multiplied, and by what: base * factor is the score."""
    assert plan.boost is not None  # there are factors
    assert ranked.factors is not None
    base = places.bases[number : number + 1]
    return {
        "formula": plan.boost.text,
        "base": boostable(plan, base).item(),
        "factor": ranked.factors[plan.request.offset + number].item(),
    }


def _by_words(state: State, plan: Plan, places: Places, number: int) -> dict[str, Any]:
    own = places.keyword_scores[number : number + 1]
    return {
        "rank": int(places.keyword_ranks[number]),
        "score": own.item(),
        "relevance": of_words(state, plan, own).item(),
        "parts": state.keyword.explain(
            plan.query,
            int(places.rows[number]),
            weights=plan.fields,
            match=plan.match,
            tie=plan.tie,
        ),
    }


def _by_meaning(plan: Plan, places: Places, number: int) -> dict[str, Any]:
    own = places.semantic_scores[number : number + 1]
    found = {
        "rank": int(places.semantic_ranks[number]),
        "similarity": own.item(),
        "relevance": from_cosine(own).item(),
    }
    return {**found, **_passage(plan, places.rows[number : number + 1])}


def _passage(plan: Plan, row: Rows) -> dict[str, Any]:
    """Which of the document's passages is the nearest, from 1, where it has several."""
    if plan.arm is None or plan.vector is None:
        return {}
    vectors = plan.arm.vectors.get(row)[1]
    if len(vectors) < 2:
        return {}
    return {"passage": int((vectors @ plan.vector).argmax()) + 1, "passages": len(vectors)}


def _fusions(state: State, plan: Plan, ranked: Ranked, places: Places) -> list[dict[str, Any]]:
    assert ranked.fused is not None  # the mode is hybrid
    figures = dict(ranked.fused.figures)
    beyond = {name: figures.pop(name) for name in ("last", "candidates") if name in figures}
    given = ranked.fused.parts(places.rows)
    exact = _exact(state, plan, places.rows) if plan.fusion == "score" else None
    found = []
    for number in range(len(places.rows)):
        own = {name: float(given[arm, number]) for arm, name in enumerate(ARMS)}
        one = {"method": plan.fusion, **figures, "parts": own}
        rank = int(places.keyword_ranks[number])
        if rank > plan.candidates:
            one["beyond"] = {**beyond, "rank": rank}
        elif exact is not None:
            one["exact"] = exact[number]
        found.append(one)
    return found


def _exact(state: State, plan: Plan, rows: Rows) -> list[dict[str, float | None]]:
    """The BM25 and the similarity of each row, whichever arm brought it."""
    assert plan.arm is not None  # the mode is hybrid
    assert plan.vector is not None
    bm25 = state.keyword.scores(
        plan.query, rows, weights=plan.fields, match=plan.match, tie=plan.tie
    )
    cosines = plan.arm.vectors.similarities(plan.vector, rows)
    return [
        {"bm25": words, "similarity": None if np.isnan(near) else near}
        for words, near in zip(bm25.tolist(), cosines.tolist(), strict=True)
    ]
