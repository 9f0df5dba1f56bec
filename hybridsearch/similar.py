"""Which documents are like one that is there?

By meaning: those whose vectors are nearest to its own. By words: those that share the words that
tell it apart, which are the `MOST_TERMS` of its text with the highest tf-idf, as in Lucene's
MoreLikeThis; a word that no other document has finds nothing and is left out. In hybrid mode both
are fused as in any search. The document itself is in no ranking, total or facet.

    plan_like(state, "tt0078748", SearchRequest(limit=5, filter="year < 1990"))

A `Plan` comes out, which the other stages of a search take like any.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hybridsearch.arrays import Vectors
from hybridsearch.errors import NotFound, QueryError
from hybridsearch.extraction import attribute_texts
from hybridsearch.jsontext import loads
from hybridsearch.planning import Plan, plan
from hybridsearch.query import Query, Word
from hybridsearch.request import SearchRequest
from hybridsearch.state import State

__all__ = ["has_vector", "plan_like", "telling_terms"]

MOST_TERMS = 25
MOST_TEXT = 100_000
"""Of a longer text the beginning says enough."""


def plan_like(state: State, id: str, request: SearchRequest) -> Plan:
    """What to do for the documents that are like the one of that id.

    request: its query and vector are those of the document, so they must be None. Without a mode
    it is semantic where the document has a vector, else keyword. As many documents come as the
    page reaches down to, if so many pass the filter and, by words, share one. Raises NotFound for
    an id that is not there, and QueryError for a mode that needs the vector of a document that
    has none.
    """
    if request.query is not None or request.vector is not None:
        raise QueryError("similar takes the id of a document, not a query or a vector")
    row = _row(state, id)
    vector = None if request.mode == "keyword" else _vector(state, row, request)
    if vector is None and (request.mode not in (None, "keyword") or request.embedder):
        raise QueryError(
            f'document "{id}" has no vector of the embedder, so nothing can be like it in meaning;'
            ' search with mode="keyword"',
            field="mode",
        )
    made = plan(state, replace(request, mode=None), vector)
    mode = request.mode or ("keyword" if vector is None else "semantic")
    words = telling_terms(state, row, made) if mode != "semantic" else []
    candidates = max(made.candidates, request.offset + request.limit)
    return replace(
        made,
        mode=mode,
        query=Query(words=tuple(Word(term) for term in words)),
        without=row,
        candidates=candidates,
    )


def has_vector(state: State, id: str, embedder: str | None) -> bool:
    """Whether the document has a vector of that embedder. Raises NotFound for an unknown id."""
    arm = state.arm(embedder)
    return arm is not None and len(arm.vectors.get(np.array([_row(state, id)], np.int64))[0]) > 0


def telling_terms(state: State, row: int, plan: Plan) -> list[str]:
    """The terms of a document that tell it apart, by tf-idf, highest first.

    Numbers, the primary key and attributes that the plan does not search are not looked at; in the
    others a term counts by their weights. tf-idf is sqrt(tf) * ln(1 + documents / those with the
    term).
    """
    counts: dict[str, float] = {}
    document = loads(state.keyword.bodies(np.array([row], np.int64))[0])
    document.pop(state.primary_key or "", None)
    for name, text in attribute_texts(document, tuple(plan.fields), numbers=False).items():
        for term in state.analyzers.of(name).terms(text[:MOST_TEXT]):
            counts[term] = counts.get(term, 0.0) + plan.fields.get(name, 0.0)
    frequencies = {term: state.keyword.frequency(term, plan.fields) for term in counts}
    total = max(state.keyword.count, 1)
    weights = {
        term: math.sqrt(counts[term]) * math.log1p(total / frequency)
        for term, frequency in frequencies.items()
        if frequency > 1
    }
    return sorted(weights, key=lambda term: (-weights[term], term))[:MOST_TERMS]


def _row(state: State, id: str) -> int:
    rows = np.flatnonzero(state.selection.with_ids([id], size=state.size))
    living = rows[np.isin(rows, state.living, assume_unique=True)]
    if not len(living):
        raise NotFound(f'there is no document "{id}"', code="document_not_found", id=id)
    return int(living[-1])


def _vector(state: State, row: int, request: SearchRequest) -> Vectors | None:
    """The document's vector; the mean of several."""
    arm = state.arm(request.embedder)
    if arm is None:
        return None
    found = arm.vectors.get(np.array([row], np.int64))[1]
    made: Vectors | None = found.mean(axis=0) if len(found) else None
    return made
