"""What did a person ask for?

`parse` reads what people type into a search box and never refuses any of it:

    red shoes        any of the words; the more, and the rarer, the better
    "road race"      these words, side by side and in this order: required
    -boots           no document with this word
    -"ice skate"     nor with this phrase
    shoe|            the last word, still being typed, also stands for what starts with it

A space or a mark after the last word says that it is complete. A quote that is never closed and
a minus that stands alone or inside a word are no operators. Stop words of the analyser fall away
from the words when something else remains; inside a phrase they count.

>>> q = parse('red -boots "road race" sho', Analyzer())
>>> [w.term for w in q.words], q.words[-1].prefix, [p.terms for p in q.phrases]
(['red', 'sho'], 'sho', [('road', 'race')])
>>> [word.term for word in q.excluded]
['boots']
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from hybridsearch.analysis import LONGEST_TERM, Analyzer, Token, fold, is_pair_script, plain

__all__ = ["Other", "Phrase", "Query", "Word", "parse"]

_quotes = str.maketrans("“”„‟«»", '""""""')
_parts = re.compile(r'(?P<minus>-?)"(?P<phrase>[^"]*)"|(?P<chunk>\S+)').finditer


class Other(NamedTuple):
    """What may have been meant by a word: terms side by side, at a factor of its score.

    how: "typo", "joined", "split" or "synonym"; word: what it is in full, for explaining.
    """

    terms: tuple[str, ...]
    factor: float
    how: str
    word: str


class Word(NamedTuple):
    """One word: its term and, where it may be the start of a longer word, the letters typed.

    stemmed: the index holds stems, so a longer word can have a shorter term than what was typed.
    typed: the word in plain form, not stemmed; "" for a pair of characters. others: what else
    may have been meant (`hybridsearch.spelling`).
    """

    term: str
    prefix: str | None = None
    stemmed: bool = False
    typed: str = ""
    others: tuple[Other, ...] = ()


@dataclass(frozen=True)
class Phrase:
    """Terms that stand side by side in this order; at least one."""

    terms: tuple[str, ...]


@dataclass(frozen=True)
class Query:
    """What to look for: any word, every phrase, nothing excluded.

    sequence: every term asked for in the order typed, stop words and those of phrases included.
    strict: attributes in which words mean nothing else but synonyms.
    """

    words: tuple[Word, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    excluded: tuple[Word | Phrase, ...] = ()
    sequence: tuple[str, ...] = ()
    strict: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for and nothing excluded."""
        return not (self.words or self.phrases or self.excluded)


def parse(text: str, analyzer: Analyzer, *, prefix: bool = True) -> Query:
    """Read what a person typed; `prefix` lets the last word stand for longer ones.

    Returns a Query whose terms are the analyser's. Never raises.
    """
    parts = [part for part in _split(text.translate(_quotes), analyzer) if part.tokens]
    wanted = [part for part in parts if not part.negated]
    words = [word for part in wanted if not part.quoted for word in _words(part, analyzer, prefix)]
    phrases = tuple(Phrase(part.terms) for part in wanted if part.quoted)
    return Query(
        words=tuple(_telling(words, analyzer, bool(phrases))),
        phrases=phrases,
        excluded=tuple(_excluded(part, analyzer) for part in parts if part.negated),
        sequence=tuple(token.term for part in wanted for token in part.tokens),
    )


class _Part(NamedTuple):
    text: str
    tokens: list[Token]
    negated: bool = False
    quoted: bool = False
    last: bool = True

    @property
    def terms(self) -> tuple[str, ...]:
        return tuple(token.term for token in self.tokens)


def _split(text: str, analyzer: Analyzer) -> Iterator[_Part]:
    """The parts of a query; operators count only where a part begins."""
    if '"' not in text and "-" not in text:
        yield _Part(text, analyzer.tokens(text))
        return
    for match in _parts(text):
        chunk, last = match["chunk"], match.end() == len(text)
        if chunk is None:
            phrase = match["phrase"]
            yield _Part(phrase, analyzer.tokens(phrase), bool(match["minus"]), True, last)
        else:
            yield _Part(chunk, analyzer.tokens(chunk), chunk[0] == "-", False, last)


def _words(part: _Part, analyzer: Analyzer, prefix: bool) -> list[Word]:
    """The words of a part; the last one is open if the whole text ends inside it."""
    words = [_word(part, token, analyzer) for token in part.tokens]
    last = part.tokens[-1]
    if prefix and part.last and last.end == len(part.text):
        words[-1] = words[-1]._replace(prefix=fold(part.text[last.start :]))
    return words


def _word(part: _Part, token: Token, analyzer: Analyzer) -> Word:
    """One character of a script that is indexed in pairs stands for the pairs it begins."""
    term, stemmed = token.term, analyzer.language is not None
    if is_pair_script(term):
        return Word(term, term if len(term) == 1 else None, stemmed)
    return Word(term, None, stemmed, plain(part.text[token.start : token.end][:LONGEST_TERM]))


def _excluded(part: _Part, analyzer: Analyzer) -> Word | Phrase:
    lone = len(part.tokens) == 1
    return _word(part, part.tokens[0], analyzer) if lone else Phrase(part.terms)


def _telling(words: list[Word], analyzer: Analyzer, more: bool) -> list[Word]:
    """The words without stop words, unless nothing else is asked for."""
    if not analyzer.stop_words:
        return words
    dispensable = _dispensable(analyzer)
    telling = [word for word in words if word.term not in dispensable]
    return telling if telling or more else words


@lru_cache(maxsize=64)
def _dispensable(analyzer: Analyzer) -> frozenset[str]:
    return frozenset(term for word in analyzer.stop_words for term in analyzer.terms(word))
