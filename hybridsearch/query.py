"""What did a person ask for?

`parse` reads what people type into a search box and never refuses any of it:

    red shoes        any of the words; the more, and the rarer, the better
    "road race"      these words, side by side and in this order: required
    "road race"~2    the same with at most two words between, or swapped
    title:red        this word, or title:"this phrase", in that attribute alone; -title:red too
    -boots           no document with this word
    -"ice skate"     nor with this phrase
    shoe|            the last word, still being typed, also stands for what starts with it

A space or a mark after the last word says that it is complete. A quote that is never closed and
a minus that stands alone or inside a word are no operators. Stop words of the analyser fall away
from the words when something else remains; inside a phrase they count.

Where attributes are of several languages (`hybridsearch.localized`), a query is read in the usual
one, and `Query.read` gives it as an attribute's own analyser reads it.

>>> q = parse('red -boots "road race" sho', Analyzer())
>>> [w.term for w in q.words], q.words[-1].prefix, [p.terms for p in q.phrases]
(['red', 'sho'], 'sho', [('road', 'race')])
>>> [word.term for word in q.excluded]
['boots']
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple, TypeVar

from hybridsearch.analysis import (
    LONGEST_TERM,
    LONGEST_WRITTEN,
    Analyzer,
    Token,
    is_pair_script,
    plain,
)
from hybridsearch.localized import Analyzers

__all__ = [
    "BLANK",
    "MOST_SLOP",
    "Other",
    "Part",
    "Phrase",
    "Query",
    "Word",
    "assembled",
    "bound",
    "complete_words",
    "parse",
    "plain_quotes",
    "with_parents",
]

_quotes = str.maketrans("“”„‟«»", '""""""')
_parts = re.compile(
    r'(?P<minus>-?)(?P<field>[^\s":]+:(?="[^"]*"))?"(?P<phrase>[^"]*)"(?:~(?P<slop>\d{1,9}))?'
    r"|(?P<chunk>\S+)"
).finditer
_may_be_more = re.compile(r'"|(?:^|\s)-\S|\S:\S').search
_of_field = re.compile(r"(-?)([^\s:]+):(?=\S)(.*)", re.DOTALL).fullmatch
BLANK = "\ue000"
"""Stands for a blank inside a word while a query is taken apart."""
MOST_SLOP = 8
"""More words between those of a phrase cannot be asked for; items of a list are further apart."""


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
    may have been meant (`hybridsearch.spelling`). only: the attribute that it has to be in, with
    what is nested there; None for any. begins, typos: asked for in the query language alone
    (`hybridsearch.query_language`): folded letters, and every word that begins so is meant; how
    many typos a word may have.
    """

    term: str
    prefix: str | None = None
    stemmed: bool = False
    typed: str = ""
    others: tuple[Other, ...] = ()
    only: str | None = None
    begins: str = ""
    typos: int = 0

    @property
    def loose(self) -> bool:
        """Whether other words were asked for with it."""
        return bool(self.begins or self.typos)


@dataclass(frozen=True)
class Phrase:
    """Terms that stand side by side in this order; at least one.

    slop: how many steps they may be off that, 0 to 8: a word in between is one, two words that
    changed places are two. only, typed: as of a `Word`, for each term.
    """

    terms: tuple[str, ...]
    slop: int = 0
    only: str | None = None
    typed: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Query:
    """What to look for: any word, every phrase, nothing excluded.

    sequence: every term asked for in the order typed, stop words and those of phrases included.
    strict: attributes in which words mean nothing else but synonyms. typed: what was typed for
    each term of the sequence, "" for a pair. analyzers: of the attributes, where not all have the
    same.
    """

    words: tuple[Word, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    excluded: tuple[Word | Phrase, ...] = ()
    sequence: tuple[str, ...] = ()
    strict: frozenset[str] = frozenset()
    typed: tuple[str, ...] = field(default=(), repr=False)
    analyzers: Analyzers | None = field(default=None, compare=False, repr=False)

    def read(self, analyzer: Analyzer) -> Query:
        """The same query in the terms of an analyser."""
        if self.analyzers is None or analyzer.language == self.analyzers.usual.language:
            return self
        return replace(
            self,
            words=tuple(_reread(word, analyzer) for word in self.words),
            phrases=tuple(_reread(phrase, analyzer) for phrase in self.phrases),
            excluded=tuple(_reread(item, analyzer) for item in self.excluded),
            sequence=_terms(self.sequence, self.typed, analyzer),
        )

    def readings(self) -> tuple[Query, ...]:
        """The query in the terms of every analyser of the index, the usual one first."""
        if self.analyzers is None:
            return (self,)
        return tuple(self.read(analyzer) for analyzer in self.analyzers.all)

    def item(self, item: Item, attribute: str) -> Item:
        """A word or phrase of the query in the terms of an attribute."""
        if self.analyzers is None:
            return item
        analyzer = self.analyzers.of(attribute)
        return (
            item if analyzer.language == self.analyzers.usual.language else _reread(item, analyzer)
        )

    def sequence_in(self, attribute: str) -> tuple[str, ...]:
        """The sequence in the terms of an attribute."""
        if self.analyzers is None:
            return self.sequence
        return self.read(self.analyzers.of(attribute)).sequence

    def inside(self, attribute: str) -> Query:
        """What is looked for in an attribute: without words and phrases of others alone."""
        items: tuple[Word | Phrase, ...] = (*self.words, *self.phrases)
        if all(item.only is None for item in items):
            return self
        return replace(
            self,
            words=tuple(word for word in self.words if _is_for(word, attribute)),
            phrases=tuple(phrase for phrase in self.phrases if _is_for(phrase, attribute)),
        )

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for and nothing excluded."""
        return not (self.words or self.phrases or self.excluded)


def _is_for(item: Word | Phrase, attribute: str) -> bool:
    """Whether it may be in the attribute; what is nested in the one named counts."""
    only = item.only
    return only is None or attribute == only or attribute.startswith(f"{only}.")


Item = TypeVar("Item", Word, Phrase, Word | Phrase)


def _reread(item: Item, analyzer: Analyzer) -> Item:
    """A word or phrase, read by the usual analyser, in the terms of another."""
    if isinstance(item, Phrase):
        return replace(item, terms=_terms(item.terms, item.typed, analyzer))
    if not item.typed:
        return item
    return item._replace(
        term=analyzer.term(item.typed) or item.term,
        prefix=item.prefix and analyzer.folded(item.prefix),
        begins=item.begins and analyzer.folded(item.begins),
        stemmed=analyzer.language is not None,
        others=tuple(
            other._replace(terms=tuple(analyzer.terms(other.word)) or other.terms)
            for other in item.others
        ),
    )


def _terms(terms: tuple[str, ...], typed: tuple[str, ...], analyzer: Analyzer) -> tuple[str, ...]:
    """The terms of what was typed; a pair of characters is the same in every language."""
    if len(typed) != len(terms):
        return terms
    return tuple(
        (analyzer.term(word) if word else term) or term
        for term, word in zip(terms, typed, strict=True)
    )


def parse(
    text: str,
    analyzer: Analyzer,
    *,
    prefix: bool = True,
    attributes: Collection[str] = (),
    analyzers: Analyzers | None = None,
) -> Query:
    """Read what a person typed; `prefix` lets the last word stand for longer ones.

    attributes: the names that may stand before a colon; any other is a word like all. analyzers:
    of the attributes, where these are not all read by the same.
    Returns a Query whose terms are the analyser's. Never raises.
    """
    split = _split(plain_quotes(text), analyzer, with_parents(attributes))
    return assembled(split, analyzer, prefix=prefix, analyzers=analyzers)


def assembled(
    split: Iterable[Part], analyzer: Analyzer, *, prefix: bool, analyzers: Analyzers | None
) -> Query:
    """The query of these parts, in their order; those without a token are nothing."""
    parts = [part._replace(anew=analyzers is not None) for part in split if part.tokens]
    wanted = [part for part in parts if not part.negated]
    words = [word for part in wanted if not part.quoted for word in _words(part, analyzer, prefix)]
    phrases = tuple(part.phrase for part in wanted if part.quoted)
    return Query(
        words=tuple(_telling(words, analyzer, bool(phrases))),
        phrases=phrases,
        excluded=tuple(_excluded(part, analyzer) for part in parts if part.negated),
        sequence=tuple(token.term for part in wanted for token in part.tokens),
        typed=tuple(word for part in wanted for word in part.typed),
        analyzers=analyzers,
    )


def complete_words(
    text: str, analyzer: Analyzer, *, attributes: Collection[str] = ()
) -> tuple[Word, ...] | None:
    """The words that `parse` reads without a prefix, plain ones several times as fast.

    None for a query that is not made of words alone.
    """
    if not text.isascii() or _may_be_more(text) or analyzer.rules or analyzer.language == "tr":
        query = parse(text, analyzer, prefix=False, attributes=attributes)
        return None if query.phrases or query.excluded else query.words
    stemmed = analyzer.language is not None
    made = [Word(term, None, stemmed, w) for w, term in zip(*analyzer.read(text), strict=True)]
    return tuple(_telling(made, analyzer, False))


class Part(NamedTuple):
    """A piece of a query with its tokens, as it was written but for operators.

    last: whether the query ends with it. begins, typos: as of a `Word`.
    """

    text: str
    tokens: list[Token]
    negated: bool = False
    quoted: bool = False
    last: bool = True
    slop: int = 0
    only: str | None = None
    anew: bool = False
    begins: bool = False
    typos: int = 0

    @property
    def phrase(self) -> Phrase:
        """Its tokens side by side."""
        terms = tuple(token.term for token in self.tokens)
        return Phrase(terms, self.slop, self.only, self.typed)

    @property
    def typed(self) -> tuple[str, ...]:
        """Each word in plain form; "" for a pair of characters and a word of the dictionary.

        Nothing where no other analyser is going to read it.
        """
        return tuple(_typed(self.text, token) for token in self.tokens) if self.anew else ()


def _split(text: str, analyzer: Analyzer, names: frozenset[str]) -> Iterator[Part]:
    """The parts of a query; operators count only where a part begins."""
    if '"' not in text and "-" not in text and (":" not in text or not names):
        yield Part(text, analyzer.tokens(text))
        return
    for match in _parts(bound(text, analyzer)):
        last = match.end() == len(text)
        if match["chunk"] is None:
            yield from _quoted(match, analyzer, names, last)
        else:
            yield _chunk(match["chunk"].replace(BLANK, " "), analyzer, names, last)


def plain_quotes(text: str) -> str:
    """The text, of the same length, with the quotation marks of all languages as plain ones."""
    return text.translate(_quotes)


def bound(text: str, analyzer: Analyzer) -> str:
    """The text, of the same length, where blanks inside a word of the dictionary part nothing."""
    if not analyzer.rules.dictionary:
        return text
    pieces = list(text)
    for match in analyzer.rules.walk(text):
        if len(match.group().split()) > 1:
            pieces[match.start() : match.end()] = BLANK.join(match.group().split(" "))
    return "".join(pieces)


def _quoted(
    match: re.Match[str], analyzer: Analyzer, names: frozenset[str], last: bool
) -> Iterator[Part]:
    """A phrase; what stands before its colon is a word by itself unless it is an attribute."""
    phrase, minus = match["phrase"].replace(BLANK, " "), bool(match["minus"])
    field = match["field"]
    only = field[:-1] if field else None
    if only is not None and only not in names:
        yield Part(only, analyzer.tokens(only), minus, False, False)
        only, minus = None, False
    slop = min(int(match["slop"] or 0), MOST_SLOP)
    yield Part(phrase, analyzer.tokens(phrase), minus, True, last, slop, only)


def _chunk(chunk: str, analyzer: Analyzer, names: frozenset[str], last: bool) -> Part:
    """Text without a space, behind a minus or an attribute's name if it has these."""
    match = _of_field(chunk)
    if match and match[2] in names:
        tokens = analyzer.tokens(match[3])
        return Part(match[3], tokens, bool(match[1]), False, last, only=match[2])
    negated = chunk[0] == "-"
    words = chunk[negated:]
    return Part(words, analyzer.tokens(words), negated, False, last)


def with_parents(attributes: Collection[str]) -> frozenset[str]:
    """The attributes and what they are nested in."""
    found = set(attributes)
    for name in attributes:
        while "." in name:
            name = name.rpartition(".")[0]
            found.add(name)
    return frozenset(found)


def _words(part: Part, analyzer: Analyzer, prefix: bool) -> list[Word]:
    """The words of a part; the last one is open if the whole text ends inside it."""
    words = [_word(part, token, analyzer) for token in part.tokens]
    last = part.tokens[-1]
    words[-1] = _loosened(words[-1], part, analyzer)
    if prefix and part.last and last.end == len(part.text):
        words[-1] = words[-1]._replace(prefix=analyzer.folded(part.text[last.start :]))
    return words


def _word(part: Part, token: Token, analyzer: Analyzer) -> Word:
    """One character of a script that is indexed in pairs stands for the pairs it begins."""
    term, stemmed = token.term, analyzer.language is not None
    if is_pair_script(term):
        return Word(term, term if len(term) == 1 else None, stemmed, only=part.only)
    return Word(term, None, stemmed, _typed(part.text, token), only=part.only)


def _loosened(word: Word, part: Part, analyzer: Analyzer) -> Word:
    """The last word of a part with what was asked for beside it; a pair begins nothing else."""
    if not (part.begins or part.typos) or is_pair_script(word.term):
        return word
    begins = analyzer.folded(part.text[part.tokens[-1].start :]) if part.begins else ""
    return word._replace(begins=begins, typos=part.typos)


def _typed(text: str, token: Token) -> str:
    """The word of a token in plain form; "" for a pair, and for several words kept whole, which
    no typo makes of another."""
    typed = plain(text[token.start : token.end][:LONGEST_WRITTEN])[:LONGEST_TERM]
    return "" if is_pair_script(token.term) or len(typed.split()) > 1 else typed


def _excluded(part: Part, analyzer: Analyzer) -> Word | Phrase:
    lone = len(part.tokens) == 1
    if not lone:
        return part.phrase
    return _loosened(_word(part, part.tokens[0], analyzer), part, analyzer)


def _telling(words: list[Word], analyzer: Analyzer, more: bool) -> list[Word]:
    """The words without stop words, unless nothing else is asked for."""
    if not analyzer.stop_words:
        return words
    dispensable = _dispensable(analyzer)
    telling = [word for word in words if word.loose or word.term not in dispensable]
    return telling if telling or more else words


@lru_cache(maxsize=64)
def _dispensable(analyzer: Analyzer) -> frozenset[str]:
    return frozenset(term for word in analyzer.stop_words for term in analyzer.terms(word))
