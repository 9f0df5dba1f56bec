"""Which rows match a query best, in one committed state of a keyword index?

What every clause scores where comes from tantivy. It scores each match of each search and hands
over matches one Python object at a time, so the clauses that are asked for again and again are
fetched once and kept, up to `CACHED_BYTES` and `CACHED_PER_ROW` a row (`hybridsearch.keyword_kept`
says when that pays), and summed in numpy (`hybridsearch.keyword_postings`), under a mask or
without. A query with other clauses goes to tantivy, which takes no mask: where few rows are
allowed they become a clause of the query; where the best of all rows hold enough of the allowed
ones, these are the best of them; else all postings are fetched (`hybridsearch.keyword_scores`).
All ways give the same rows and, but for the rounding of float32, the same scores.

    snapshot.top(parse("red shoes", analyzer), weights={"title": 2.0, "text": 1.0}, limit=10)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tantivy

from hybridsearch.arrays import Mask, Rows, Scores, no_rows
from hybridsearch.keyword_bodies import Bodies
from hybridsearch.keyword_hits import Hits
from hybridsearch.keyword_kept import Clauses, Key
from hybridsearch.keyword_layouts import Layouts
from hybridsearch.keyword_parts import parts
from hybridsearch.keyword_plan import Clause, Plan
from hybridsearch.keyword_postings import Column, Columns, column, fitted, padded
from hybridsearch.keyword_questions import Questions
from hybridsearch.keyword_scores import Cut, Postings, at_rows, best, leading
from hybridsearch.keyword_terms import Terms, counted
from hybridsearch.keyword_units import Units
from hybridsearch.query import Query, Word
from hybridsearch.vocabulary import Vocabulary
from hybridsearch.wordlists import WordLists

__all__ = ["KeywordSnapshot", "Ranking"]

CACHED_BYTES = 64_000_000
CACHED_PER_ROW = 48
COST_OF_ROW = 15
"""How many postings can be fetched in the time that one row takes as a clause of a query."""
EXTRA = 6
"""Hits fetched past the limit, to see whether a tie crosses it."""
WIDER = 4
"""How many times as many are fetched next if one does."""
TOTALS = 1 << 12
SIFTED = 8000
"""Hits of all rows that are fetched at most to find those of a mask."""
NARROWED = 10_000
"""How many postings can be fetched in the time that it takes to look for rows by rare words."""
SPARE, SURPLUS = 2.0, 40
"""How many times more hits are fetched than should be needed for the limit, and hits on top."""


@dataclass(frozen=True)
class Ranking:
    """Rows int64 [n] and scores float32 [n], best first, ties by row, ascending.

    whole: whether these are sure to be all that match. count: counts those, which may take longer
    than finding the best.
    """

    rows: Rows
    scores: Scores
    whole: bool
    count: Callable[[], int]

    @cached_property
    def total(self) -> int:
        """How many rows match in all, exactly."""
        return self.count()


class KeywordSnapshot:
    """One committed state, for any number of threads.

    count: documents in it. attributes: those that any document ever had text in.
    Weights are by attribute; those that are unknown, or of weight 0 or less, are not searched.
    """

    def __init__(
        self,
        searcher: tantivy.Searcher,
        schema: tantivy.Schema,
        fields: Mapping[str, str],
        words: WordLists,
    ) -> None:
        self.count: int = searcher.num_docs
        self.attributes = tuple(fields)
        self._searcher = searcher
        self._fields = dict(fields)
        self._hits = Hits(searcher)
        self._words = words
        self._totals: dict[Plan, int] = {}
        self._spare: deque[Scores] = deque()
        self.statistics = Terms(searcher, schema, self._fields, self.count)
        self._ask = Questions(schema, self._fields, self.statistics)
        self._units = Units(self._hits, self._ask, self.statistics)
        self._bodies = Bodies(searcher, self._ask)

    def top(
        self,
        query: Query,
        *,
        weights: Mapping[str, float],
        limit: int,
        match: str = "any",
        mask: Mask | None = None,
        tie: float = 1.0,
        bonus: float = 0.0,
        level: bool = False,
    ) -> Ranking:
        """The `limit` best rows, among those of the mask if there is one.

        match: "any", "all" or "phrase". tie: how much a word counts in all but its best
        attribute; .5 ranks better than the plain sum, 1, and takes longer. bonus: weight of
        neighbouring words being near. level: put in all that score as much as the last, too.
        Raises QueryError for another `match`.
        """
        laid, keys = self._lay(query, weights, match, tie, bonus)
        columns = self._clauses.affordable(keys, needed=len(laid.must), limit=limit)
        cut = leading if level else best
        if mask is not None:
            return self._masked(laid, keys, columns, mask, limit=limit, cut=cut)
        if columns is None:
            return self._asked(laid, keys, limit, cut)
        rows, scores = self._top(columns, limit, cut)
        return Ranking(rows, scores, len(rows) < limit, lambda: self._number_of(laid, keys))

    def foresee(
        self,
        queries: Iterable[tuple[Query, Mapping[str, float], str, float]],
        *,
        limit: int,
    ) -> None:
        """Fetch what pays for so many searches: (query, weights, match, tie) of `top` for each."""
        self._clauses.foresee((self._lay(*asked, 0.0)[1], limit) for asked in queries)

    def leaders(
        self,
        searches: Sequence[Sequence[Word]],
        *,
        weights: Mapping[str, float],
        limit: int,
        match: str = "any",
        tie: float = 1.0,
    ) -> list[Postings]:
        """What `top` gives for each of many searches, all that score as much as the last put in.

        searches: the words of each, complete and meaning nothing but themselves. match: "any" or
        "all". What pays for so many is fetched first.
        """
        found = self._layouts.of_words(searches, self._known(weights), tie=tie)
        self._clauses.foresee((keys, limit) for keys in found)
        return [self._leading(keys, limit, match == "all", tie) for keys in found]

    def _leading(self, keys: Sequence[Key], limit: int, every: bool, tie: float) -> Postings:
        if not keys:
            return no_rows()
        columns = self._clauses.affordable(keys, needed=len(keys) if every else 0, limit=limit)
        if columns is None:
            clauses = tuple([key.clause for key in keys])
            laid = Plan(must=clauses, tie=tie) if every else Plan(clauses, tie=tie)
            found = self._search(self._ask.whole(laid), limit, leading)
            return found.rows, found.scores
        return self._top(columns, limit, leading)

    def matches(
        self, query: Query, *, weights: Mapping[str, float], match: str = "any", tie: float = 1.0
    ) -> Rows:
        """Every row that matches, int64, ascending. tie: that of a search before, which may be
        quicker; the rows are the same for all."""
        laid, keys = self._lay(query, weights, match, tie, 0.0)
        find = self._clauses.fetched if laid.is_open else self._clauses.known
        columns = find(keys, needed=len(laid.must))
        return self._units.evaluate(laid, None)[0] if columns is None else columns.matching()

    def marks(
        self, query: Query, *, weights: Mapping[str, float], match: str = "any", tie: float = 1.0
    ) -> Mask | None:
        """Which rows match, bool [size]; None where nobody knows without asking tantivy."""
        laid, keys = self._lay(query, weights, match, tie, 0.0)
        columns = self._clauses.known(keys, needed=len(laid.must))
        return None if columns is None else columns.marks(self._hits.size)

    def scores(
        self,
        query: Query,
        rows: Rows,
        *,
        weights: Mapping[str, float],
        match: str = "any",
        tie: float = 1.0,
        bonus: float = 0.0,
    ) -> Scores:
        """What `top` gives these rows, in their order: float32 [n], 0 where one does not match."""
        laid, keys = self._lay(query, weights, match, tie, bonus)
        columns = self._clauses.known(keys, needed=len(laid.must))
        if columns is None and self._cheap(laid, keys, len(rows)):
            self._clauses.spend(keys, len(rows) * COST_OF_ROW)
            return self._among(laid, rows)
        if not keys:
            return self._units.scores(laid, rows)
        columns = columns or self._clauses.fetched(keys, needed=len(laid.must))
        sums, known = np.zeros(len(rows), np.float32), rows < self._hits.size
        sums[known] = columns.scores(rows[known])
        return sums

    def holding(
        self,
        query: Query,
        rows: Rows,
        *,
        weights: Mapping[str, float],
        match: str = "any",
        tie: float = 1.0,
    ) -> int:
        """How many of these rows, each there once, match. tie: as in `matches`."""
        laid, keys = self._lay(query, weights, match, tie, 0.0)
        if self._clauses.known(keys, needed=len(laid.must)) or not self._cheap(
            laid, keys, len(rows)
        ):
            found = self.scores(query, rows, weights=weights, match=match, tie=tie)
            return int(np.count_nonzero(found))
        self._clauses.spend(keys, len(rows) * COST_OF_ROW)
        self._clauses.gather(keys)
        return counted(self._searcher, self._ask.matching(laid, rows))

    def reference(
        self,
        query: Query,
        *,
        weights: Mapping[str, float],
        match: str = "any",
        tie: float = 1.0,
    ) -> float:
        """The score of a text of average length with every word once, each where it counts most.

        Above 0: a word that no text holds counts like the rarest one there could be. tie: that of
        a search before, which is quicker; the figure is the same for all.
        """
        laid, _ = self._lay(query, weights, match, tie, 0.0)
        return sum(self.statistics.usual(clause) for clause in (*laid.must, *laid.should)) or 1.0

    def bodies(self, rows: Rows) -> list[bytes]:
        """What was kept for each row, in the order of the rows. Raises NotFound for one absent."""
        return self._bodies.read(rows)

    def explain(
        self,
        query: Query,
        row: int,
        *,
        weights: Mapping[str, float],
        match: str = "any",
        tie: float = 1.0,
        bonus: float = 0.0,
    ) -> dict[str, Any]:
        """How a row's score comes about: {"score": float, "parts": [...]}.

        Each part has attribute, term, kind ("word", "phrase" or "near"), weight and score, and
        the scores of the parts add up to the score. Where the term stands for what was typed, the
        part also has `for`, the term of that, and `how`: "prefix", "typo", "joined", "split",
        "form", "compound" or "synonym". A row that does not match has no parts.
        """
        laid, _ = self._lay(query, weights, match, tie, bonus)
        rows = np.array([row], np.int64)
        score = self.scores(query, rows, weights=weights, match=match, tie=tie, bonus=bonus).item()
        told = parts(query, laid, lambda unit: self._units.score(unit, row))
        return {"score": score, "parts": told if score > 0 else []}

    def rows(self) -> Rows:
        """The rows of all documents, ascending."""
        return self._hits.listed(tantivy.Query.all_query())

    @property
    def vocabulary(self) -> Vocabulary:
        """The words of all documents that ever were; those of newer ones may be among them."""
        return self._words.vocabulary

    def terms(self, start: str, *, limit: int) -> list[tuple[str, int]]:
        """(term, occurrences) of the `limit` most frequent terms that begin so, most first."""
        return self.statistics.starting(start, limit=limit)

    def frequency(self, term: str, attributes: Iterable[str]) -> int:
        """How many documents have the term in these attributes, counted once for each of them."""
        return self.statistics.frequency(term, attributes)

    # What to ask

    @cached_property
    def _layouts(self) -> Layouts:
        return Layouts(self.statistics, self._clauses, self._number)

    def _lay(
        self, query: Query, weights: Mapping[str, float], match: str, tie: float, bonus: float
    ) -> tuple[Plan, tuple[Key, ...]]:
        """The plan and the keys of its clauses."""
        return self._layouts.of(query, self._known(weights), match=match, tie=tie, bonus=bonus)

    def _known(self, weights: Mapping[str, float]) -> dict[str, float]:
        return {name: weights[name] for name in weights if name in self._fields}

    def _number(self, laid: Plan) -> int:
        """How many rows the plan matches."""
        return counted(self._searcher, self._ask.whole(laid))

    # Asking tantivy

    def _asked(self, laid: Plan, keys: Sequence[Key], limit: int, cut: Cut) -> Ranking:
        """The best rows. What only unlisted words bring stands last: it is looked for where a page
        reaches down to it, and counted where somebody asks."""
        if not laid.is_open:
            return self._search(self._ask.whole(laid), limit, cut)
        found = self._search(self._ask.whole(laid.listed), limit, cut)
        if len(found.rows) >= limit:
            whole = self._totals.get(laid) == len(found.rows)
            return Ranking(found.rows, found.scores, whole, lambda: self._total(laid, keys))
        columns = self._clauses.fetched(keys, needed=len(laid.must))
        rows, scores = self._top(columns, limit, cut)
        return Ranking(rows, scores, len(rows) < limit, lambda: self._number_of(laid, keys))

    def _total(self, laid: Plan, keys: Sequence[Key]) -> int:
        """How many rows an open plan matches."""
        total = self._totals.get(laid)
        if total is None:
            if self._clauses.known(keys, needed=len(laid.must)):
                return self._number_of(laid, keys)
            if len(self._totals) >= TOTALS:
                self._totals.clear()
            self._clauses.gather(keys)
            clauses = (*laid.must, *laid.should)
            total = self._totals[laid] = counted(self._searcher, self._ask.any_of(clauses))
        return total

    def _search(self, question: tantivy.Query, limit: int, cut: Cut = best) -> Ranking:
        """The best rows; fetches on while a tie crosses the limit, for ties go by row."""
        size = limit + EXTRA
        while True:
            found = self._searcher.search(question, limit=size)
            hits = found.hits
            if len(hits) < size or limit == 0 or hits[-1][0] < hits[limit - 1][0]:
                break
            size *= WIDER
        total: int = found.count  # type: ignore[attr-defined]  # missing in tantivy's stub
        if not hits or not limit:
            return Ranking(*no_rows(), total == 0, lambda: total)
        if len(hits) > limit and hits[limit][0] < hits[limit - 1][0]:
            del hits[limit:]
        found_scores, addresses = zip(*hits, strict=True)
        scores = np.array(found_scores, np.float32)
        rows = np.array(self._searcher.fast_field_values("row", list(addresses)), np.int64)
        self._bodies.remember(rows, addresses)
        if len(set(found_scores)) < len(scores):
            rows, scores = cut(rows, scores, limit)
        return Ranking(rows, scores, len(rows) == total, lambda: total)

    def _among(self, laid: Plan, rows: Rows) -> Scores:
        """What a few rows score, in their order, 0 where one does not match."""
        found = self._search(self._ask.among(laid, np.unique(rows)), max(1, len(rows)))
        order = np.argsort(found.rows)
        at, scores = at_rows((found.rows[order], found.scores[order]), rows)
        sums = np.zeros(len(rows), np.float32)
        sums[at] = scores
        return sums

    def _masked(
        self,
        laid: Plan,
        keys: Sequence[Key],
        columns: Columns | None,
        mask: Mask,
        *,
        limit: int,
        cut: Cut,
    ) -> Ranking:
        """The best rows of the mask."""
        if columns is None:
            kept = int(np.count_nonzero(mask))
            sifted = self._sifted(laid, keys, mask, kept, limit=limit, cut=cut)
            if sifted is not None:
                return sifted
            if self._cheap(laid, keys, kept):
                self._clauses.spend(keys, kept * COST_OF_ROW)
                return self._search(self._ask.among(laid, np.flatnonzero(mask)), limit, cut)
            narrowed = self._narrowed(laid, keys, mask, limit=limit, cut=cut)
            if narrowed is not None:
                return narrowed
        found = self._all_within(laid, keys, mask)
        total = len(found[0])
        return Ranking(*cut(*found, limit), total <= limit, lambda: total)

    def _narrowed(
        self, laid: Plan, keys: Sequence[Key], mask: Mask, *, limit: int, cut: Cut
    ) -> Ranking | None:
        """The same out of rows that the rarest words bring, if that is cheaper."""
        if self._absent(laid, keys) < 2 * NARROWED:
            return None
        own = fitted(mask, padded(self._hits.size))
        rows = self._clauses.promising(
            keys, needed=len(laid.must), mask=own, limit=limit, head=self._head
        )
        if rows is None or not self._cheap(laid, keys, len(rows)):
            return None
        self._clauses.spend(keys, NARROWED + len(rows) * COST_OF_ROW)
        found = self._search(self._ask.among(laid, rows), limit, cut)
        return Ranking(
            found.rows, found.scores, False, lambda: len(self._all_within(laid, keys, mask)[0])
        )

    def _number_of(self, laid: Plan, keys: Sequence[Key]) -> int:
        """How many rows match. Who may ask holds no columns: they could be many times too many."""
        columns = self._clauses.fetched(keys, needed=len(laid.must))
        return int(np.count_nonzero(columns.marks(self._hits.size)))

    def _all_within(self, laid: Plan, keys: Sequence[Key], mask: Mask) -> Postings:
        """Every match that the mask keeps, ascending, and its score."""
        if not keys:
            return self._units.evaluate(laid, mask)
        columns = self._clauses.fetched(keys, needed=len(laid.must))
        return columns.within(fitted(mask, padded(self._hits.size)))

    def _sifted(
        self,
        laid: Plan,
        keys: Sequence[Key],
        mask: Mask,
        kept: int,
        *,
        limit: int,
        cut: Cut,
    ) -> Ranking | None:
        """The same out of the best of all rows, if few of these are likely to be enough."""
        wanted = int(SPARE * limit * self.count / max(kept, 1)) + SURPLUS
        others = min(self._absent(laid, keys), kept * COST_OF_ROW, SIFTED)
        if limit < 1 or 2 * wanted > others:
            return None
        asked = laid.listed if laid.is_open else laid
        rows, scores = self._hits.best(self._ask.whole(asked), wanted)
        every = len(rows) < wanted and not laid.is_open
        if not len(rows):
            return Ranking(*no_rows(), True, lambda: 0) if every else None
        allowed = fitted(mask, int(rows.max()) + 1)[rows]
        if len(rows) == wanted:  # what is worth as much as the last may stand behind it
            allowed &= scores > scores[-1]
        count = int(np.count_nonzero(allowed))
        if count < limit and not every:
            return None
        best_of_all = cut(rows[allowed], scores[allowed], limit)
        return Ranking(
            *best_of_all,
            every and count <= limit,
            lambda: len(self._all_within(laid, keys, mask)[0]),
        )

    # Keeping postings

    @cached_property
    def _clauses(self) -> Clauses:
        most = CACHED_BYTES + CACHED_PER_ROW * self._hits.size
        return Clauses(most, size_of=self._size_of, fetch=self._column)

    def _column(self, clause: Clause, tie: float) -> Column:
        """What a clause scores in every row."""
        most = self._size_of(clause)
        postings = self._hits.best(self._ask.clause(clause, tie), most) if most else no_rows()
        return column(*postings, size=self._hits.size)

    def _head(self, clause: Clause, tie: float, most: int) -> Postings:
        return self._hits.best(self._ask.clause(clause, tie), most)

    def _size_of(self, clause: Clause) -> int:
        """At least as many as the rows that the clause matches."""
        return sum(self._units.most(unit) for unit, _ in clause)

    def _top(self, columns: Columns, limit: int, cut: Cut) -> Postings:
        """The best by columns; each thread has its own zeros, and an error takes them along."""
        try:
            scratch = self._spare.pop()
        except IndexError:
            scratch = np.zeros(padded(self._hits.size), np.float32)
        found = columns.top(limit, scratch=scratch, cut=cut)
        self._spare.append(scratch)
        return found

    def _cheap(self, laid: Plan, keys: Sequence[Key], kept: int) -> bool:
        """Whether asking tantivy about `kept` rows costs less than the postings still to fetch."""
        most, cost = self.count * len(laid.units), kept * COST_OF_ROW
        return cost < most and cost < self._absent(laid, keys)

    def _absent(self, laid: Plan, keys: Sequence[Key]) -> int:
        """How many postings would have to be fetched to sum them up."""
        return self._clauses.absent(keys) if keys else self._units.absent(laid)
