"""Which words may somebody be typing who has typed this much?

Documents are found by terms, of which a stemmer makes "wallac" out of "Wallace"; people are shown
words as they stand in texts, each the shortest that begins so and has the same term.

    suggestions(keyword, analyzers, "walla", limit=5)       # [("wallace", 41), ("wallaby", 3)]
"""

from __future__ import annotations

from hybridsearch.analysis import plain
from hybridsearch.keyword_snapshot import KeywordSnapshot
from hybridsearch.localized import Analyzers
from hybridsearch.vocabulary import telling

__all__ = ["suggestions"]


def suggestions(
    keyword: KeywordSnapshot, analyzers: Analyzers, start: str, *, limit: int
) -> list[tuple[str, int]]:
    """(word, how many documents have its term) of words that begin so, most first.

    Documents are counted once for each attribute; equal ones go by the alphabet. Numbers, words of
    more than 40 letters and scripts without spaces are shown by their terms, and so is everything
    where nothing was typed. No word begins with two.
    """
    if len(start.split()) > 1:
        return []
    analyzer = analyzers.usual
    folded = analyzer.folded(start)
    if not folded:
        return keyword.terms("", limit=limit)
    found: dict[str, str] = {}
    for word in _words(keyword, folded):
        term = analyzer.term(word)
        if term and (term not in found or _shorter(word, found[term])):
            found[term] = word
    counted = {word: _count(keyword, analyzers, word, term) for term, word in found.items()}
    for term, count in keyword.terms(folded, limit=limit + len(found)):
        if term not in found and not telling([term]):
            counted[term] = count
    there = [(word, count) for word, count in counted.items() if count]
    return sorted(there, key=lambda item: (-item[1], item[0]))[:limit]


def _count(keyword: KeywordSnapshot, analyzers: Analyzers, word: str, term: str) -> int:
    """How many documents have the word, whose usual term this is; attributes in their languages."""
    if not analyzers.rules:
        return keyword.frequency(term, keyword.attributes)
    of = analyzers.of
    return sum(keyword.frequency(of(name).term(word), (name,)) for name in keyword.attributes)


def _words(keyword: KeywordSnapshot, folded: str) -> list[str]:
    """The words of documents that begin so, without regard to accents, and that very word."""
    near = keyword.vocabulary.near(folded, most=0) + keyword.vocabulary.starting(folded, most=0)
    return [word for word, _ in near]


def _shorter(word: str, other: str) -> bool:
    return (len(word), plain(word), word) < (len(other), plain(other), other)
