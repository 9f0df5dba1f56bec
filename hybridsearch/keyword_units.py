"""What does each word or phrase score where, for the plans that columns do not serve?

A query that excludes words, or asks for nearness, is no sum of clauses. What its units score is
fetched from tantivy one by one, kept up to `UNIT_BYTES`, and summed in numpy
(`hybridsearch.keyword_scores`).

    units = Units(hits, ask, statistics)
    rows, scores = units.evaluate(plan, mask)
"""

from __future__ import annotations

import numpy as np

from hybridsearch.arrays import Mask, Rows, Scores, no_rows
from hybridsearch.cache import Cache
from hybridsearch.keyword_hits import Hits
from hybridsearch.keyword_plan import Plan, Unit
from hybridsearch.keyword_questions import Questions
from hybridsearch.keyword_scores import Postings, at_rows, evaluate, in_rows
from hybridsearch.keyword_terms import Terms

__all__ = ["Units"]

UNIT_BYTES = 16_000_000


class Units:
    """The units of plans in one state of an index; any thread may ask."""

    def __init__(self, hits: Hits, ask: Questions, statistics: Terms) -> None:
        self._hits = hits
        self._ask = ask
        self._statistics = statistics
        self._postings = Cache[Postings](UNIT_BYTES, _bytes)

    def evaluate(self, laid: Plan, mask: Mask | None) -> Postings:
        """Every row that matches, ascending, and its score."""
        if not laid.must and not laid.should:
            rows = self._hits.listed(self._ask.whole(laid))
            postings = rows, np.zeros(len(rows), np.float32)
            return postings if mask is None else in_rows(postings, mask)
        if mask is None:
            found = evaluate(laid, size=self._hits.size, project=self._fetch)
        else:
            found = evaluate(laid, size=len(mask), project=lambda u: in_rows(self._fetch(u), mask))
        rows = np.flatnonzero(found.matched)
        return rows, found.scores[rows].astype(np.float32)

    def scores(self, laid: Plan, rows: Rows) -> Scores:
        """What the rows score, float32 [n] in their order, 0 where one does not match."""
        there = evaluate(laid, size=len(rows), project=lambda u: at_rows(self._fetch(u), rows))
        return there.scores.astype(np.float32)

    def score(self, unit: Unit, row: int) -> float:
        """What a unit scores in one row, 0 where it does not match."""
        hits = self._hits.best(self._ask.at(unit, row), 1)[1]
        return float(hits[0]) if len(hits) else 0.0

    def absent(self, laid: Plan) -> int:
        """How many postings would have to be fetched to sum the plan up."""
        return sum(self.most(unit) for unit in laid.units if unit not in self._postings)

    def most(self, unit: Unit) -> int:
        """At least as many as the documents that the unit matches."""
        known, name, start = self._statistics, unit.attribute, unit.start
        if not start:
            return sum(known.rarest(name, terms) for terms, _ in unit.alternatives)
        apart = [terms for terms, _ in unit.alternatives if not terms[-1].startswith(start)]
        most = known.beginners(name, start)
        head = unit.alternatives[0][0][:-1]
        most = min(most, known.rarest(name, head)) if head else most
        return most + sum(known.rarest(name, terms) for terms in apart)

    def _fetch(self, unit: Unit) -> Postings:
        """Every row that a unit matches, ascending, and its score there."""
        postings = self._postings.get(unit)
        return self._postings.put(unit, self._fetched(unit)) if postings is None else postings

    def _fetched(self, unit: Unit) -> Postings:
        most = self.most(unit)
        return self._hits.every(self._ask.unit(unit), most) if most else no_rows()


def _bytes(postings: Postings) -> int:
    return postings[0].nbytes + postings[1].nbytes + 500
