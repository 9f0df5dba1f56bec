"""How did a hit come to its place, in the words of the Meilisearch API and in ours?

The rules `words`, `typo`, `proximity`, `attributeRank`, `wordPosition` and `exactness` are told of
the hit's own texts, in the order of that API's rules. They describe the hit; they did not rank it.
What did is beside them: `bm25`, `vector` and, in hybrid mode, `fusion`; then `boost`, by which the
relevance was multiplied, and `diversity`, which says why the hit stands where it does.

| rule | its score |
|---|---|
| words | share of the query's words that are there |
| typo | share of the words there that are there as typed, not misspelt or by a synonym |
| proximity | 1 when the words stand side by side in order, less the further apart they are |
| attributeRank | 1 in the first searchable attribute, less in later ones |
| wordPosition | 1 at the beginning of the attribute, less further in |
| exactness | share of the words that are there in full; 1 when the whole attribute is the query |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hybridsearch.analysis import Token, fold
from hybridsearch.extraction import attribute_texts
from hybridsearch.query import Query
from hybridsearch.request import Hit
from hybridsearch.state import State

__all__ = ["details"]

FURTHEST = 8
"""Words that are further apart are no nearer than not at all, as in the API."""


@dataclass(frozen=True)
class _Found:
    """Where one word of the query stands: by attribute number, the positions of its terms.

    exact: whether it is there as a whole word as typed. full: whether by its own term at all.
    """

    places: Mapping[int, Sequence[int]]
    exact: bool
    full: bool


def details(state: State, query: Query, hit: Hit) -> dict[str, Any]:
    """Rule -> `order`, `score` and what it counted; then `bm25`, `vector`, `fusion` where they had
    a part. Without a query, or for a hit that holds none of its words, there are no rules."""
    rules = _rules(state, query, hit)
    return {**rules, **_ours(hit, len(rules))}


def _rules(state: State, query: Query, hit: Hit) -> dict[str, Any]:
    texts = attribute_texts(hit.document, state.settings.searchable_attributes)
    tokens = [_tokens(state, query, name, text) for name, text in texts.items()]
    wanted = list(dict.fromkeys(query.sequence)) if query.sequence else []
    if not wanted:
        return {}
    found = [item for item in (_find(term, query, tokens, texts) for term in wanted) if item]
    if not found:
        return {}
    best = min(place for item in found for place in item.places)
    first = min(item.places[best][0] for item in found if best in item.places)
    there, count = len(found), len(wanted)
    full = sum(item.full for item in found)
    scores: dict[str, dict[str, Any]] = {
        "words": {"matchingWords": there, "maxMatchingWords": count, "score": there / count},
        "typo": {"typoCount": there - full, "maxTypoCount": there, "score": full / there},
        "proximity": {"score": _proximity(found)},
        "attributeRank": {"score": 1.0 - best / max(len(texts), 1)},
        "wordPosition": {"score": 1.0 - first / max(len(tokens[best]), 1)},
        "exactness": _exactness(found, count, wanted, tokens),
    }
    return {name: {"order": n, **rule} for n, (name, rule) in enumerate(scores.items())}


def _tokens(state: State, query: Query, name: str, text: str) -> Sequence[Token]:
    """The terms of an attribute, those of the query as the usual analyser has them."""
    analyzer = state.analyzers.of(name)
    tokens, own = analyzer.tokens(text), query.read(analyzer)
    if own is query:
        return tokens
    meant = dict(zip(own.sequence, query.sequence, strict=True))
    for word, usual in zip(own.words, query.words, strict=True):
        for other, usually in zip(word.others, usual.others, strict=True):
            meant.setdefault(other.terms[0], usually.terms[0])
    return [token._replace(term=meant.get(token.term, token.term)) for token in tokens]


def _find(
    term: str, query: Query, tokens: Sequence[Sequence[Token]], texts: Mapping[str, str]
) -> _Found | None:
    """Where a term, or what it may be the beginning of, stands in the texts."""
    start = next((word.prefix for word in query.words if word.term == term and word.prefix), None)
    others = {o.terms[0] for word in query.words if word.term == term for o in word.others}
    places: dict[int, list[int]] = {}
    exact = full = False
    for number, (one, text) in enumerate(zip(tokens, texts.values(), strict=True)):
        for position, token in enumerate(one):
            own = token.term == term
            longer = start is not None and fold(text[token.start : token.end]).startswith(start)
            if own or longer or token.term in others:
                places.setdefault(number, []).append(position)
                full = full or own or longer
                exact = exact or own
    return _Found(places, exact, full) if places else None


def _proximity(found: Sequence[_Found]) -> float:
    """1 for words side by side in order; each pair loses by the words between."""
    steps = [_distance(one, two) for one, two in pairwise(found)]
    most = len(steps) * (FURTHEST - 1)
    return 1.0 - sum(step - 1 for step in steps) / most if most else 1.0


def _distance(one: _Found, two: _Found) -> int:
    """How many words on the second stands from the first, at the nearest; backwards is 1 more."""
    ways = [
        (b - a if b > a else a - b + 1)
        for number in one.places.keys() & two.places.keys()
        for a in one.places[number]
        for b in two.places[number]
    ]
    return max(1, min([*ways, FURTHEST]))


def _exactness(
    found: Sequence[_Found], count: int, wanted: Sequence[str], tokens: Sequence[Sequence[Token]]
) -> dict[str, Any]:
    starts = [[token.term for token in one[: len(wanted)]] == list(wanted) for one in tokens]
    exact = any(
        begins and len(one) == len(wanted) for begins, one in zip(starts, tokens, strict=True)
    )
    kind = "exactMatch" if exact else "matchesStart" if any(starts) else "noExactMatch"
    words = sum(item.exact for item in found)
    return {
        "matchType": kind,
        "matchingWords": words,
        "maxMatchingWords": count,
        "score": 1.0 if exact else words / (count + 1),
    }


def _ours(hit: Hit, order: int) -> dict[str, Any]:
    """What ranked the hit; scores on 0..1, each beside the figure it comes from."""
    told: Mapping[str, Any] = hit.explanation or {}
    found: dict[str, dict[str, Any]] = {}
    if "keyword" in told:
        words = told["keyword"]
        found["bm25"] = {
            "score": words["relevance"],
            "bm25": words["score"],
            "rank": words["rank"],
            "parts": words["parts"]["parts"],
        }
    if "semantic" in told:
        near = told["semantic"]
        found["vector"] = {
            "score": near["relevance"],
            "similarity": near["similarity"],
            "rank": near["rank"],
        }
    if "fusion" in told:
        found["fusion"] = {"score": hit.relevance, **told["fusion"]}
    if "boost" in told:
        found["boost"] = {"score": told["score"], **told["boost"]}
    for name in ("diversity", "rerank"):
        if name in told:
            found[name] = dict(told[name])
    return {name: {"order": order + n, **part} for n, (name, part) in enumerate(found.items())}
