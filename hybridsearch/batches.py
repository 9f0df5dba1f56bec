"""How are many queries of one request answered at once?

What a request asks besides its query is checked and planned once. Each query is read to its words,
what their postings score is fetched for all of them, and equal scores are put in order over all
rankings in one call. The answers are those of one search after the other.

    pages(state, request, ["red shoes", "boots"], tied=order, alone=place)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from hybridsearch.arrays import Rows
from hybridsearch.keyword_scores import Postings
from hybridsearch.planning import Plan, must_embed, plan, reads_words
from hybridsearch.query import Word, complete_words
from hybridsearch.ranking import Pages, Places
from hybridsearch.request import SearchRequest
from hybridsearch.state import State
from hybridsearch.ties import Order, settled, settled_each

__all__ = ["pages"]

LONG = 10_000
"""Equals beyond a page are put in order and cut off at once where there are more."""
Words: TypeAlias = tuple[Word, ...]


def pages(
    state: State,
    request: SearchRequest,
    queries: Sequence[str],
    *,
    tied: Order,
    alone: Callable[[SearchRequest], Places],
) -> Pages | None:
    """The page of each query, in order; None for a request that is not ranked by words alone.

    tied: in which order rows of equal score stand. alone: answers a request whose query is more
    than words. Raises QueryError, FilterError or VectorError.
    """
    texts = [request.asking(query).text for query in queries]
    usual = next(filter(None, texts), "")
    made = _planned(state, request.asking(usual)) if usual else None
    analyzer = reads_words(state, request)
    if made is None or analyzer is None:
        return None
    names = state.keyword.attributes
    words = [complete_words(text, analyzer, attributes=names) if text else None for text in texts]
    others = {
        at: alone(request.asking(queries[at])) for at, some in enumerate(words) if some is None
    }
    return _laid(_ranked(state, made, words, tied), others, made.needed, tied)


def _planned(state: State, request: SearchRequest) -> Plan | None:
    """What all queries have in common; None if they have to be ranked one by one."""
    if must_embed(state, request) or request.match not in ("any", "all"):
        return None
    made = plan(state, request, None)
    plain = made.mode == "keyword" and made.mask is None and not made.whole
    more = request.vector is not None or request.offset or request.highlight
    return None if more or not plain or made.reach != made.needed else made


def _ranked(state: State, made: Plan, words: Sequence[Words | None], tied: Order) -> list[Postings]:
    """The best rows of each search and what ties with their last; nothing without words."""
    asked = made.request
    found = state.keyword.leaders(
        [some or () for some in words],
        weights=made.fields,
        limit=made.needed,
        match=asked.match,
        tie=made.tie,
    )
    return [one if len(one[0]) < LONG else _cut(one, made.needed, tied) for one in found]


def _cut(one: Postings, needed: int, tied: Order) -> Postings:
    rows, scores = one
    return settled(rows, scores, tied)[:needed], scores[:needed]


def _laid(found: list[Postings], others: dict[int, Places], needed: int, tied: Order) -> Pages:
    """All pages in one, with equal scores in order."""
    for at, one in others.items():
        found[at] = one.rows, one.scores
    counts = np.array([len(rows) for rows, _ in found], np.int64)
    rows = np.concatenate([rows for rows, _ in found])
    scores = np.concatenate([scores for _, scores in found])
    rows = settled_each(rows, scores, counts, tied)
    ranks = _ranks(counts)
    kept = ranks <= needed
    counts = np.minimum(counts, needed)
    rows, scores, ranks = rows[kept], scores[kept], ranks[kept]
    words = scores.copy()
    starts = np.cumsum(counts) - counts
    for at, one in others.items():
        own = slice(starts[at], starts[at] + counts[at])
        ranks[own], words[own] = one.keyword_ranks, one.keyword_scores
    none, nowhere = np.zeros(len(rows), np.int64), np.full(len(rows), np.nan, np.float32)
    return Pages(
        counts, Places(rows, scores, ranks, words, none, nowhere, bases=scores, mode="keyword")
    )


def _ranks(counts: Rows) -> Rows:
    """1, 2 ... for each page."""
    starts = np.cumsum(counts) - counts
    return np.arange(1, int(counts.sum()) + 1) - np.repeat(starts, counts)
