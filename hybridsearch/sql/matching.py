"""Does one text hold what a search operator asks for?

The operators work on any text, with or without an index: texts and queries go through the
default analyser (folded, not stemmed), so `'Café' @@@ 'cafe'` is true. They promise SQL's logic:
null in, null out. A query without a single word is true of no text.

    holds_all(["Red running shoes"], ["running shoe*"])      # [True]

A query of `@@@` may hold "phrases" and "loose phrases"~2, beginnings* and words~1 or words~2 that
may have so many typos, and any of these behind a minus is excluded; the other operators take every
word as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain

from hybridsearch.analysis import Analyzer, fold
from hybridsearch.phrases import standings
from hybridsearch.query import Phrase, Word, parse
from hybridsearch.vocabulary import typos

__all__ = [
    "PLAIN",
    "Answers",
    "Wanted",
    "holds_all",
    "holds_any",
    "holds_asked",
    "holds_phrase",
    "holds_term",
    "holds_together",
    "wanted",
]

Texts = Sequence[str | None]
Answers = list[bool | None]

PLAIN = Analyzer()
"""What the operators read texts and queries with, whatever the language."""
_with_typos = re.compile(r"(.+)~([12])").fullmatch
_pieces = re.compile(r'-?"[^"]*"?(?:~\d+)?|\S+').findall


@dataclass(frozen=True)
class Wanted:
    """What a text must hold: all words, phrases and beginnings, and nothing excluded.

    near: words with the typos that they may have. unbegun, unlike: beginnings and such words that
    are excluded.
    """

    words: frozenset[str]
    phrases: tuple[Phrase, ...] = ()
    beginnings: tuple[str, ...] = ()
    near: tuple[tuple[str, int], ...] = ()
    excluded: tuple[Phrase, ...] = ()
    unbegun: tuple[str, ...] = ()
    unlike: tuple[tuple[str, int], ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for."""
        return not self.words and self.bare

    @cached_property
    def bare(self) -> bool:
        """Whether nothing but words is asked for."""
        return not (self.phrases or self.beginnings or self.near or self.without)

    @cached_property
    def without(self) -> bool:
        """Whether anything is excluded."""
        return bool(self.excluded or self.unbegun or self.unlike)


def holds_asked(texts: Texts, queries: Texts) -> Answers:
    """`@@@`: each text holds everything that its query asks for."""
    return _answers(texts, queries, _has_asked)


def holds_any(texts: Texts, queries: Texts) -> Answers:
    """`|||`: each text holds at least one word of its query."""
    return _answers(texts, queries, lambda terms, query: not _words(query).isdisjoint(terms))


def holds_all(texts: Texts, queries: Texts) -> Answers:
    """`&&&`: each text holds every word of its query, in any order."""
    return _answers(texts, queries, lambda terms, query: _has_all(terms, _words(query)))


def holds_term(texts: Texts, terms: Sequence[Sequence[str | None] | None]) -> Answers:
    """`===`: each text holds one of the finished terms as it is; case and accents matter."""
    return [
        None if text is None or wanted is None else not set(wanted).isdisjoint(_terms(text))
        for text, wanted in zip(texts, terms, strict=True)
    ]


def holds_phrase(texts: Texts, queries: Texts, slops: Sequence[int | None]) -> Answers:
    """Each text holds the words of its query in order, side by side but for `slop` steps.

    A word in between is one step, two words that changed places are two.
    """
    return [
        None if text is None or query is None else _has_phrase(_terms(text), query, slop or 0)
        for text, query, slop in zip(texts, queries, slops, strict=True)
    ]


def _answers(texts: Texts, queries: Texts, test: Callable[[list[str], str], bool]) -> Answers:
    return [
        None if text is None or query is None else test(_terms(text), query)
        for text, query in zip(texts, queries, strict=True)
    ]


def _terms(text: str) -> list[str]:
    return PLAIN.terms(text)


@lru_cache(maxsize=256)
def _words(query: str) -> frozenset[str]:
    return frozenset(_terms(query))


def _has_all(terms: Iterable[str], words: frozenset[str]) -> bool:
    return bool(words) and words.issubset(terms)


def _has_asked(terms: list[str], query: str) -> bool:
    asked = wanted(query, PLAIN)
    if asked.bare:
        return _has_all(terms, asked.words)
    return bool(holds_together([terms], query))


def holds_together(texts: Sequence[list[str]], query: str) -> bool | None:
    """Whether texts, given as their terms, hold between them what a query of `@@@` asks for.

    A phrase has to stand in one of them. None for a query that asks nothing.
    """
    asked = wanted(query, PLAIN)
    if asked.empty:
        return None
    terms = texts[0] if len(texts) == 1 else list(chain.from_iterable(texts))
    return (
        asked.words.issubset(terms)
        and all(_begins(terms, start) for start in asked.beginnings)
        and all(_is_near(terms, *one) for one in asked.near)
        and all(_stands_in(texts, phrase) for phrase in asked.phrases)
        and not (asked.without and _has_excluded(asked, texts, terms))
    )


def _has_excluded(asked: Wanted, texts: Sequence[list[str]], terms: list[str]) -> bool:
    return (
        any(_stands_in(texts, phrase) for phrase in asked.excluded)
        or any(_begins(terms, start) for start in asked.unbegun)
        or any(_is_near(terms, *one) for one in asked.unlike)
    )


def _begins(terms: list[str], start: str) -> bool:
    return any(term.startswith(start) for term in terms)


def _is_near(terms: list[str], word: str, most: int) -> bool:
    return any(typos(word, term, most=most) <= most for term in terms)


def _stands_in(texts: Sequence[list[str]], phrase: Phrase) -> bool:
    return any(_side_by_side(terms, phrase.terms, phrase.slop) for terms in texts)


@lru_cache(maxsize=256)
def wanted(query: str, analyzer: Analyzer) -> Wanted:
    """What a query of `@@@` asks for, in the analyser's terms."""
    pieces: list[str] = _pieces(query)
    wanted, denied = _Loose(analyzer), _Loose(analyzer)
    others = [
        piece
        for piece in pieces
        if not (denied.takes(piece[1:]) if piece[0] == "-" else wanted.takes(piece))
    ]
    read = parse(" ".join(others), analyzer, prefix=False)
    return Wanted(
        words=frozenset(word.term for word in read.words),
        phrases=read.phrases,
        beginnings=tuple(wanted.beginnings),
        near=tuple(wanted.near),
        excluded=tuple(_excluded(item) for item in read.excluded),
        unbegun=tuple(denied.beginnings),
        unlike=tuple(denied.near),
    )


class _Loose:
    """The beginnings* and the words~1 among the pieces of a query."""

    def __init__(self, analyzer: Analyzer) -> None:
        self._analyzer = analyzer
        self.beginnings: list[str] = []
        self.near: list[tuple[str, int]] = []

    def takes(self, piece: str) -> bool:
        """Whether the piece, without its minus, is one of them."""
        if not piece or piece[0] == '"':
            return False
        if piece[-1] == "*":
            self.beginnings += filter(None, [fold(piece[:-1])])
            return True
        match = _with_typos(piece)
        terms = self._analyzer.terms(match[1]) if match else []
        if match is None or len(terms) != 1:
            return False
        self.near.append((terms[0], int(match[2])))
        return True


def _excluded(item: Word | Phrase) -> Phrase:
    return item if isinstance(item, Phrase) else Phrase((item.term,))


@lru_cache(maxsize=256)
def _sequence(query: str) -> tuple[str, ...]:
    return tuple(_terms(query))


def _has_phrase(terms: list[str], query: str, slop: int) -> bool:
    sequence = _sequence(query)
    return bool(sequence) and _side_by_side(terms, sequence, slop)


def _side_by_side(terms: list[str], phrase: tuple[str, ...], slop: int) -> bool:
    """Whether places for all words of the phrase lie at most `slop` steps off their order."""
    words = set(phrase)
    if not words.issubset(terms):
        return False
    if len(words) < len(phrase):
        return next(standings(terms, phrase, slop), None) is not None
    return any(last - first <= slop for first, last in _spreads(terms, phrase))


def _spreads(terms: list[str], phrase: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """(least, greatest) shift of the closest set of places that ends at each place.

    The shift of a place is how far it lies from where the phrase has its word.
    """
    shifts = sorted(
        (place - number, number)
        for number, word in enumerate(phrase)
        for place, term in enumerate(terms)
        if term == word
    )
    latest: dict[int, int] = {}
    for shift, number in shifts:
        latest[number] = shift
        if len(latest) == len(phrase):
            yield min(latest.values()), shift
