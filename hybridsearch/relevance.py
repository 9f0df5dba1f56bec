"""How relevant is a hit, on a scale that means the same for every query?

A BM25 score says nothing by itself: it grows with the number and the rarity of the words. Here
every score becomes a number from 0 to 1 that grows with it, so that the order stays:

| mode | relevance |
|---|---|
| no query, or only exclusions | 1 |
| keyword | 1 - 5 ** -(score / reference) |
| semantic | (1 + cosine) / 2 |
| hybrid | the fused score, which is a share of the best possible |

The reference is the score of a text of average length that holds every word of the query once, in
the attribute where the word counts most; such a text has relevance .8. A word that the index does
not know counts in the reference like the rarest, so half of a query found is about half of .8.
Relevance in keyword and semantic mode does not depend on which other documents are found.

>>> [round(share, 2) for share in from_bm25(np.float32([0, 2, 4]), reference=2.0).tolist()]
[0.0, 0.8, 0.96]
"""

from __future__ import annotations

import numpy as np

from hybridsearch.arrays import Scores
from hybridsearch.planning import Plan
from hybridsearch.state import State

__all__ = ["from_bm25", "from_cosine", "of_words", "relevance"]

BASE = 5.0


def relevance(state: State, plan: Plan, scores: Scores) -> Scores:
    """The relevance of scores that the plan's mode gave: float32 [n] in 0..1, in their order."""
    if plan.mode == "hybrid":
        return scores
    if plan.mode == "semantic":
        return from_cosine(scores)
    if plan.mode == "everything":
        return np.ones(len(scores), np.float32)
    return of_words(state, plan, scores)


def of_words(state: State, plan: Plan, scores: Scores) -> Scores:
    """The relevance of scores of the keyword arm, in whatever mode it took part."""
    if not (plan.query.words or plan.query.phrases):
        return np.ones(len(scores), np.float32)
    reference = state.keyword.reference(
        plan.query, weights=plan.fields, match=plan.match, tie=plan.tie
    )
    return from_bm25(scores, reference=reference)


def from_bm25(scores: Scores, *, reference: float) -> Scores:
    """Keyword scores on the scale; reference is above 0."""
    found: Scores = 1.0 - np.power(np.float32(BASE), -scores / np.float32(reference))
    return found


def from_cosine(cosines: Scores) -> Scores:
    """Cosines on the scale: opposite is 0, unrelated .5, the same 1."""
    found: Scores = np.clip((1.0 + cosines) / 2.0, 0.0, 1.0).astype(np.float32)
    return found
