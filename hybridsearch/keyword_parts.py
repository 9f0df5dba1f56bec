"""What does each word add to the score of one row?

`parts` takes the clauses of a plan apart again. The caller tells what a unit scores in the row, 0
where it does not match; no engine is asked here.

>>> unit = Unit("title", ((("red",), 1.0),))
>>> parts(Query(), Plan(should=(((unit, 2.0),),)), lambda unit: 0.5)
[{'attribute': 'title', 'term': 'red', 'kind': 'word', 'weight': 2.0, 'score': 1.0}]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hybridsearch.keyword_plan import LAST, Clause, Plan, Unit
from hybridsearch.query import Query

__all__ = ["parts"]

Score = Callable[[Unit], float]


def parts(query: Query, laid: Plan, score: Score) -> list[dict[str, Any]]:
    """What adds up to the score, in the order of the plan; see `KeywordSnapshot.explain`."""
    clauses = (*laid.must, *laid.should)
    found = [part for clause in clauses for part in _of_clause(clause, laid.tie, score)]
    near = [part for clause in laid.near for part in _of_clause(clause, 1.0, score)]
    found += [{**part, "kind": "near"} for part in near]
    words = [word for reading in query.readings() for word in reading.words]
    how = {" ".join(other.terms): other.how for word in words for other in word.others}
    for part in found:
        if "for" in part:
            part["how"] = how.get(part["term"], "prefix")
    return found


def _of_clause(clause: Clause, tie: float, score: Score) -> Iterator[dict[str, Any]]:
    """What each attribute adds, the best one in full."""
    found = [_of_unit(unit, weight, score) for unit, weight in clause]
    matched = [part for part in found if part["score"] > 0]
    for place, part in enumerate(sorted(matched, key=lambda part: -part["score"])):
        yield {**part, "score": part["score"] * (tie if place else 1.0)}


def _of_unit(unit: Unit, weight: float, score: Score) -> dict[str, Any]:
    """What one attribute scores by itself, from its best alternative."""
    options: list[Unit] = [unit._replace(alternatives=(o,), start="") for o in unit.alternatives]
    scores = [score(option) for option in options]
    best = scores.index(max(scores))
    (asked, _), (terms, factor) = unit.alternatives[0], unit.alternatives[best]
    if unit.start and not scores[best]:
        terms, factor, scores[best] = (*asked[:-1], f"{unit.start}*"), LAST, score(unit)
    return {
        "attribute": unit.attribute,
        "term": " ".join(terms),
        "kind": "word" if len(terms) == 1 else "phrase",
        "weight": weight * factor,
        "score": weight * scores[best],
        **({} if terms == asked else {"for": " ".join(asked)}),
    }
