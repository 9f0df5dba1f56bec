"""Which rows does tantivy find, as arrays?

tantivy hands over each hit as a Python object with an address of its own; `Hits` makes rows of
them. To get every match takes some .3 us each, whatever is asked.

    hits = Hits(searcher)
    hits.best(question, 1000)
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import tantivy

from hybridsearch.arrays import Rows, no_rows
from hybridsearch.collecting import uncollected
from hybridsearch.keyword_scores import Postings

__all__ = ["Hits"]


class Hits:
    """What is found in one state of an index; any thread may ask."""

    def __init__(self, searcher: tantivy.Searcher) -> None:
        self._searcher = searcher
        self._count: int = searcher.num_docs

    def best(self, question: tantivy.Query, limit: int) -> Postings:
        """The `limit` best rows, at least one if there are any, best first, and their scores.

        Rows of equal score are in no order.
        """
        limit = max(1, min(limit, self._count))
        with uncollected():
            hits = self._searcher.search(question, limit=limit, count=False).hits
            if not hits:
                return no_rows()
            addresses = [hit[1] for hit in hits]
            rows = np.array(self._searcher.fast_field_values("row", addresses), np.int64)
            return rows, np.array([hit[0] for hit in hits], np.float32)

    def every(self, question: tantivy.Query, most: int) -> Postings:
        """All rows that answer, which are no more than `most`, ascending, and their scores."""
        rows, scores = self.best(question, most)
        order = np.argsort(rows)
        return rows[order], scores[order]

    def listed(self, question: tantivy.Query) -> Rows:
        """All rows that answer, ascending, whatever they score."""
        limit = max(1, self._count)
        with uncollected():
            found = self._searcher.search(
                question, limit=limit, count=False, order_by_field="row", order=tantivy.Order.Asc
            )
            return np.array([row for row, _ in found.hits], np.int64)

    @cached_property
    def size(self) -> int:
        """One more than the highest row."""
        last = self._searcher.search(
            tantivy.Query.all_query(), limit=1, count=False, order_by_field="row"
        )
        return int(last.hits[0][0]) + 1 if last.hits else 0
