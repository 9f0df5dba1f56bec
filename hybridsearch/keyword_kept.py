"""What of the postings is worth keeping in memory?

`Clauses` keeps what the clauses of plans score where. `Credits` decides when fetching pays: every
search that the engine answers pays its cost into the clauses that were not there, and they are
fetched once their credit covers what fetching costs. So fetching never costs more than what was
spent without it, whatever is asked (Karlin et al., "Competitive snoopy caching", 1988). Any thread
may ask.

>>> credits = Credits()
>>> [credits.enough({"rare": 10}, cost=700), credits.enough({"often": 1000}, cost=700)]
[True, False]
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from hybridsearch.arrays import Mask, Rows, Scores
from hybridsearch.cache import Cache
from hybridsearch.keyword_plan import Clause, Plan
from hybridsearch.keyword_postings import SLACK, Column, Columns
from hybridsearch.keyword_scores import Postings

__all__ = ["Clauses", "Credits", "Head", "Key"]

FETCHED = 10
"""How many postings the engine scores in the time that one takes to fetch, some 30 ns each."""
HANDED = 30
"""And in that of handing over a hit."""
CALL = 4000
"""And in that of a call."""
GATHERED = 2
"""And in that of gathering a row of all the words that begin in some way."""
SOUGHT = 40
"""And in that of seeking a row of another word among these."""
HEAD = 300
"""So many of the best of a clause tell which rows without rarer words may be worth a look."""
REMEMBERED = 1 << 14
OVERHEAD = 2000
"""Bytes of a column besides its rows and scores: its key and its highest scores."""


Head: TypeAlias = Callable[[Clause, float, int], Postings]
"""(clause, tie, most) -> so many of its best rows, best first."""


class Credits:
    """What searches have paid in for clauses that are not kept, in postings scored."""

    def __init__(self) -> None:
        self._credit: dict[Hashable, float] = {}

    def enough(self, missing: Mapping[Any, int], *, cost: int) -> bool:
        """Pay the cost of one search in; whether fetching all of `missing` now pays.

        missing: clause -> how many postings it has. cost: postings that the search scores.
        """
        self.pay(missing, cost=cost)
        return self.covers(missing)

    def covers(self, missing: Mapping[Any, int]) -> bool:
        """Whether fetching all of `missing` pays by now."""
        price = sum(_price(postings) for postings in missing.values())
        return sum(self._credit.get(key, 0.0) for key in missing) >= price

    def pay(self, missing: Mapping[Any, int], *, cost: int) -> None:
        """Share the cost of one search among the clauses that are not kept."""
        if len(self._credit) >= REMEMBERED:
            self._credit.clear()
        share = (cost + CALL) / max(len(missing), 1)
        for key in missing:
            self._credit[key] = self._credit.get(key, 0.0) + share

    def clear(self, key: Hashable) -> None:
        """Start anew with a clause: it was fetched, or has to be fetched once more."""
        self._credit.pop(key, None)


def _price(postings: int) -> float:
    return FETCHED * postings + CALL


@dataclass(frozen=True, eq=False)
class Key:
    """One clause of plans and their `tie`; size: at least as many as the rows that it matches.

    begins: whether it matches all words that begin in some way. There is one for each pair of
    clause and tie, so that it can be looked up by what it is.
    """

    clause: Clause
    tie: float
    size: int
    begins: bool


class Clauses:
    """What the clauses of plans score where, in one state of an index.

    most: bytes to keep. size_of: at least as many as the rows that a clause matches. fetch: what
    it scores in each of them, given the plan's `tie`.
    """

    def __init__(
        self,
        most: int,
        *,
        size_of: Callable[[Clause], int],
        fetch: Callable[[Clause, float], Column],
    ) -> None:
        self._size_of = size_of
        self._fetch = fetch
        self._keys: dict[tuple[Clause, float], Key] = {}
        self._credits = Credits()
        self._kept = Cache[Column](
            most, lambda one: one.nbytes + OVERHEAD, dropped=self._credits.clear
        )

    def keys(self, plan: Plan) -> tuple[Key, ...]:
        """Those of the plan's clauses, the needed ones first; none if they are not all of it."""
        if plan.excluded or plan.near:
            return ()
        return tuple([self._key(clause, plan.tie) for clause in (*plan.must, *plan.should)])

    def known(self, keys: Sequence[Key], *, needed: int) -> Columns | None:
        """What the clauses score, of which so many are needed; None unless all are kept."""
        found = [self._kept.get(key) for key in keys]
        columns = tuple([one for one in found if one is not None])
        if not columns or len(columns) < len(found):
            return None
        return Columns(columns, columns[:needed])

    def affordable(self, keys: Sequence[Key], *, needed: int, limit: int) -> Columns | None:
        """The same for a search of so many hits; what is not kept is fetched if that pays now."""
        missing = self._missing(keys)
        cost = _cost(keys, limit) + _sought(keys, needed)
        if missing and not self._credits.enough(missing, cost=cost):
            return None
        return self.fetched(keys, needed=needed) if keys else None

    def fetched(self, keys: Sequence[Key], *, needed: int) -> Columns:
        """The same, whatever it costs; keys: at least one."""
        columns = tuple([self._column(key) for key in keys])
        return Columns(columns, columns[:needed])

    def promising(
        self, keys: Sequence[Key], *, needed: int, mask: Mask, limit: int, head: Head
    ) -> Rows | None:
        """The rows of the mask that may be among its `limit` best, ascending.

        What the rarest clauses score is fetched, and the best of the others. None where that does
        not tell: the best rows may have none of these clauses. head: the best of a clause.
        """
        if not keys or not limit:
            return None
        if needed:
            rarest = min(keys[:needed], key=lambda key: key.size)
            return self.fetched([rarest], needed=1).within(mask)[0]
        keys = sorted(keys, key=lambda key: 0 if key in self._kept else key.size)
        heads = [head(key.clause, key.tie, HEAD) for key in keys[1:]]
        for count in range(1, len(keys)):
            others = [one for one in heads[count - 1 :] if len(one[0])]
            found = self.fetched(keys[:count], needed=0).within(mask)
            near = _near(*found, others, limit)
            if near is not None:
                return np.unique(np.concatenate([near, *[r[mask[r]] for r, _ in others]]))
        return None

    def spend(self, keys: Sequence[Key], postings: int) -> None:
        """Pay in what took as long as to fetch so many postings."""
        self._credits.pay(self._missing(keys), cost=FETCHED * postings)

    def gather(self, keys: Sequence[Key]) -> None:
        """Pay in what it took to gather the rows of beginnings without scoring them."""
        self._credits.pay(self._missing(keys), cost=GATHERED * _begun(keys))

    def absent(self, keys: Sequence[Key]) -> int:
        """How many postings would have to be fetched."""
        return sum(self._missing(keys).values())

    def foresee(self, searches: Iterable[tuple[Sequence[Key], int]]) -> None:
        """Fetch what pays once all of these searches are made: (clauses, how many hits) of each."""
        wanted: dict[Key, int] = {}
        for keys, limit in searches:
            missing = self._missing(keys)
            if missing:
                self._credits.pay(missing, cost=_cost(keys, limit))
                wanted.update(missing)
        for key, size in wanted.items():
            if self._credits.covers({key: size}):
                self._column(key)

    def _key(self, clause: Clause, tie: float) -> Key:
        key = self._keys.get((clause, tie))
        if key is None:
            if len(self._keys) >= REMEMBERED:
                self._keys.clear()  # what is kept under one that goes is not used any more
            begins = any([unit.start for unit, _ in clause])
            key = self._keys[clause, tie] = Key(clause, tie, self._size_of(clause), begins)
        return key

    def _missing(self, keys: Sequence[Key]) -> dict[Key, int]:
        return {key: key.size for key in keys if key not in self._kept}

    def _column(self, key: Key) -> Column:
        found = self._kept.get(key)
        if found is None:
            found = self._fetch(key.clause, key.tie)
            self._kept.put(key, found)
        return found


def _near(rows: Rows, sums: Scores, others: Sequence[Postings], limit: int) -> Rows | None:
    """Those of the rows that may be among the best, if they are enough to tell: a row that is
    neither among them nor among the best of the others has less than the last of these have."""
    if len(rows) < limit:
        return None
    least = float(np.partition(sums, len(sums) - limit)[len(sums) - limit]) * SLACK
    if least <= sum([float(scores[-1]) for _, scores in others if len(scores) == HEAD]):
        return None
    return rows[sums + sum([float(scores[0]) for _, scores in others]) >= least]


def _cost(keys: Sequence[Key], limit: int) -> int:
    """Postings that the engine scores for these clauses, and could in handing over its hits."""
    return sum([key.size for key in keys]) + HANDED * limit


def _sought(keys: Sequence[Key], needed: int) -> int:
    """What it takes on top to seek needed rows among those of a beginning."""
    if not needed or len(keys) < 2 or not any([key.begins for key in keys]):
        return 0
    return GATHERED * _begun(keys) + SOUGHT * min([key.size for key in keys[:needed]])


def _begun(keys: Sequence[Key]) -> int:
    """Rows that words bring of which only the beginning is asked for."""
    return sum([key.size for key in keys if key.begins])
