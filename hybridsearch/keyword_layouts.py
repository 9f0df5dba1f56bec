"""Which clauses are laid out for a query, and under which keys is kept what they score?

`Layouts` remembers the plans of queries that were asked before, and the key of each word by itself,
so that a batch of many queries is laid out without a plan for each of them.

    layouts = Layouts(statistics, clauses, count)
    laid, keys = layouts.of(query, {"title": 2.0}, match="any", tie=1.0)
    keys = layouts.of_words(query.words, {"title": 2.0}, tie=1.0)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from hybridsearch.extraction import is_wanted
from hybridsearch.keyword_kept import Clauses, Key
from hybridsearch.keyword_plan import Plan, plan
from hybridsearch.keyword_terms import Terms
from hybridsearch.query import Query, Word
from hybridsearch.request import NEEDING

__all__ = ["Layouts"]

PLANS = 1 << 12
WORDS = 1 << 14

_Weights = Mapping[str, float]
_Laid = tuple[Plan, tuple[Key, ...]]


class Layouts:
    """The plans for one state of an index; any thread may ask.

    count: how many rows a plan matches. Weights are of attributes that the index has.
    """

    def __init__(self, statistics: Terms, clauses: Clauses, count: Callable[[Plan], int]) -> None:
        self._statistics = statistics
        self._clauses = clauses
        self._count = count
        self._laid: dict[Hashable, _Laid] = {}
        self._words: dict[Hashable, dict[tuple[Word, int], Key]] = {}

    def of(
        self, query: Query, weights: _Weights, *, match: str, tie: float, bonus: float = 0.0
    ) -> _Laid:
        """The plan, and the keys of its clauses; of a query that was asked before, the same."""
        asked = (query, tuple(weights.items()), match, tie, bonus)
        laid = self._laid.get(asked)
        if laid is None:
            if len(self._laid) >= PLANS:
                self._laid.clear()
            made = self._planned(query, weights, match, tie, bonus)
            laid = self._laid[asked] = (made, self._clauses.keys(made))
        return laid

    def of_words(
        self, searches: Sequence[Sequence[Word]], weights: _Weights, *, tie: float
    ) -> list[tuple[Key, ...]]:
        """For each of many searches the keys of its words, in order: those that `of` gives.

        The words are complete and mean nothing but themselves.
        """
        own = (tuple(weights.items()), tie)
        known = self._words.get(own)
        if known is None or len(known) >= WORDS:
            known = {}
            self._words = {own: known}
        found = []
        for words in searches:
            once = len(set(words)) == len(words)
            counted = [(word, 1) for word in words] if once else Counter(words).items()
            for one in counted:
                if one not in known:
                    known[one] = self._of_word(*one, weights, tie)
            found.append(tuple([known[one] for one in counted]))
        return found

    def _of_word(self, word: Word, times: int, weights: _Weights, tie: float) -> Key:
        laid = self._plan(Query((word,) * times), weights, tie=tie)
        [key] = self._clauses.keys(laid)
        return key

    def _plan(self, query: Query, weights: _Weights, **more: Any) -> Plan:
        known = self._statistics
        return plan(query, weights, expand=known.expand, begins=known.unlisted, **more)

    def _planned(
        self, query: Query, weights: _Weights, match: str, tie: float, bonus: float
    ) -> Plan:
        needed = None
        if match in NEEDING:
            needed, match = self._needed(query, weights, match), "any"
        return self._plan(
            query,
            weights,
            match=match,
            needed=needed,
            tie=tie,
            bonus=bonus,
        )

    def _needed(self, query: Query, weights: _Weights, match: str) -> Word | None:
        """The word that a match may not lack: the first, or the rarest, of those that are there."""
        there = [word for word in query.words if self._occurrences(word, query, weights)]
        if not there:
            return query.words[0] if query.words else None
        if match == "last":
            return there[0]
        return min(there, key=lambda word: self._number(word, query, weights))

    def _number(self, word: Word, query: Query, weights: _Weights) -> int:
        """How many documents hold the word or what may stand for it, in whatever attribute."""
        alone = Query((word,), strict=query.strict, analyzers=query.analyzers)
        return self._count(self._plan(alone, weights))

    def _occurrences(self, word: Word, query: Query, weights: _Weights) -> int:
        """In how many documents the word, or what may stand for it, is; at least."""
        read = {
            name: query.item(word, name)
            for name, weight in weights.items()
            if weight > 0 and (word.only is None or is_wanted(name, (word.only,)))
        }
        return sum(
            self._statistics.rarest(name, terms)
            for name, own in read.items()
            for terms, _ in (((own.term,), 1.0), *self._statistics.expand(name, own))
        )
