"""What of a text do search operators and searches match, and how is it shown?

`highlight`, `snippet` and `snippets` in SQL mark the text of the row itself. What they look for is
a list of JSON texts, one for each predicate: `{"kind": "any", "words": ["red shoe"]}` of an
operator, read as the operator reads it, or `{"kind": "search", "index": "docs", "words": ["red
shos"], "typos": 1}` of a search, read as the index reads it: with its stems, its synonyms and the
words that a typo may have meant.

    Marks(find).lists(names, texts, asks, starts, ends, sizes)   # Arrow
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa

from hybridsearch.analysis import Analyzer
from hybridsearch.errors import HybridSearchError, QueryError
from hybridsearch.excerpts import Piece, best, pieces, shown
from hybridsearch.highlight import positions
from hybridsearch.jsontext import loads
from hybridsearch.query import Phrase, Query, Word
from hybridsearch.sql.asking import Searchable
from hybridsearch.sql.calls import fitted, request, written
from hybridsearch.sql.matching import PLAIN, Wanted, wanted
from hybridsearch.sql.whole_rows import named_parts
from hybridsearch.vocabulary import typos

__all__ = ["SIZE", "Marks", "spans"]

SIZE = 150
"""Characters of a snippet, unless another number is given."""
COUNT = 5
"""Snippets of one text, unless another number is given."""
SIZES = {"max_chars": "BIGINT", "max_count": "BIGINT", "escape": "BOOLEAN"}
LONGEST_TAG = 256
"""Characters of a tag: a text of a million words shall not become one of a million long tags."""
Find: TypeAlias = Callable[[str], Searchable]


class Reading(NamedTuple):
    """What is looked for in the terms that an analyser makes of a text.

    query: from the terms of a text to what is marked of them.
    """

    analyzer: Analyzer
    query: Callable[[list[str]], Query]


class Marks:
    """Marks texts; `find` gives the index of a name. Any thread may ask."""

    def __init__(self, find: Find) -> None:
        self._find = find

    def lists(self, *columns: pa.ChunkedArray) -> pa.Array:
        """For each text its pieces with the matches marked, null for a null text or null words.

        columns: which function, text, what is looked for, the tags before and after a match, and
        as JSON characters of a piece, how many pieces, whether to escape HTML.
        Raises QueryError for a size or a number that makes no sense.
        """
        readings: dict[str, Reading | None] = {}
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        return pa.array([self._marked(readings, *row) for row in rows], pa.list_(pa.string()))

    def _marked(
        self,
        readings: dict[str, Reading | None],
        called: str,
        text: str | None,
        asks: list[str | None] | None,
        start: str | None,
        end: str | None,
        more: str,
    ) -> list[str] | None:
        known = [self._reading(readings, ask) for ask in asks or () if ask is not None]
        chosen = [reading for reading in known if reading is not None]
        if text is None or start is None or end is None or not chosen:
            return None
        for tag in (start, end):
            if len(tag) > LONGEST_TAG:
                told = f"a tag has at most {LONGEST_TAG} characters, not {len(tag)}"
                raise QueryError(told, field="start_tag")
        sizes = _sizes(called, more)
        found = spans(text, chosen)
        wanted = _pieces(text, found, called, sizes)
        tags, escape = (start, end), sizes.escape
        return [shown(text, found, each, tags=tags, escape=escape) for each in wanted]

    def _reading(self, readings: dict[str, Reading | None], ask: str) -> Reading | None:
        if ask not in readings:
            try:
                given = loads(ask)
                words = [text for text in given.pop("words") or () if text is not None]
                readings[ask] = self._read(given, words) if words else None
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                if isinstance(error, HybridSearchError):
                    raise
                told = "marks is for what a SELECT holds; use query := 'words'"
                raise QueryError(told, field="marks") from error
        return readings[ask]

    def _read(self, given: dict[str, Any], words: list[str]) -> Reading:
        kind, column = given.pop("kind"), given.pop("column", None)
        if kind == "search":
            return _by_index(self._find(given["index"]), {**given, "query": words[0]}, column)
        if kind == "row":
            return Reading(PLAIN, _of_row(words[0], column))
        return Reading(PLAIN, _READERS[kind](words, given.get("slop") or 0))


def spans(text: str, readings: Iterable[Reading]) -> list[tuple[int, int]]:
    """The (start, length) of everything that is looked for, ascending; none overlap."""
    found = sorted(
        (at, at + length)
        for reading in readings
        for at, length in positions(
            text, reading.analyzer, reading.query(reading.analyzer.terms(text))
        )
    )
    merged: list[tuple[int, int]] = []
    for start, end in found:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return [(start, end - start) for start, end in merged]


class _Sizes(NamedTuple):
    """How long a piece is at most, how many there are, and whether HTML is escaped."""

    chars: int
    most: int
    escape: bool


@lru_cache(maxsize=256)
def _sizes(called: str, more: str) -> _Sizes:
    """The same from JSON. Raises QueryError, naming the parameter."""
    given = fitted(more, SIZES, called)
    chars = SIZE if given["max_chars"] is None else given["max_chars"]
    count = COUNT if given["max_count"] is None else given["max_count"]
    if chars < 1:
        raise QueryError(f"max_chars must be 1 or more, not {chars}", field="max_chars")
    if count < 0:
        raise QueryError(f"max_count must be 0 or more, not {count}", field="max_count")
    return _Sizes(chars, count, bool(given["escape"]))


def _pieces(text: str, found: list[tuple[int, int]], called: str, sizes: _Sizes) -> list[Piece]:
    if called == "snippets":
        return pieces(text, found, size=sizes.chars, most=sizes.most)
    whole = called == "highlight"
    return [Piece(0, len(text)) if whole else best(text, found, size=sizes.chars)]


def _by_index(engine: Searchable, given: Mapping[str, Any], column: str | None) -> Reading:
    """What a search looks for, in the terms of its index."""
    snapshot = engine.snapshot
    asked = snapshot.asked(request(written(given, None), count=0))
    query = replace(
        asked,
        words=tuple(word for word in asked.words if _is_for(word, column)),
        phrases=tuple(phrase for phrase in asked.phrases if _is_for(phrase, column)),
    )
    state = snapshot.state
    own = [name for name in state.keyword.attributes if name.lower() == column]
    analyzer = state.analyzers.of(own[0]) if own else state.analyzers.usual
    return Reading(analyzer, lambda terms: query)


def _is_for(item: Word | Phrase, column: str | None) -> bool:
    """Whether a word or phrase is looked for in a column; None is any."""
    return item.only is None or column is None or item.only.lower() == column.lower()


# What an operator looks for


def _words(words: list[str], slop: int) -> Callable[[list[str]], Query]:
    query = Query(words=tuple(map(Word, PLAIN.terms(words[0]))))
    return lambda terms: query


def _finished(words: list[str], slop: int) -> Callable[[list[str]], Query]:
    query = Query(words=tuple(map(Word, words)))
    return lambda terms: query


def _phrase(words: list[str], slop: int) -> Callable[[list[str]], Query]:
    terms = tuple(PLAIN.terms(words[0]))
    query = Query(phrases=(Phrase(terms, slop),)) if terms else Query()
    return lambda terms: query


def _asked(words: list[str], slop: int) -> Callable[[list[str]], Query]:
    want = wanted(words[0], PLAIN)
    query = Query(words=tuple(map(Word, sorted(want.words))), phrases=want.phrases)
    if not (want.near or want.beginnings):
        return lambda terms: query
    return lambda terms: replace(query, words=(*query.words, *_meant(want, terms)))


def _of_row(text: str, column: str | None) -> Callable[[list[str]], Query]:
    """What a query of a whole row looks for in one of its columns; None is any."""
    parts = [part for part in named_parts(text) if column is None or part.name in (None, column)]
    found = [_asked([part.query], 0) for part in parts]

    def query(terms: list[str]) -> Query:
        made = [each(terms) for each in found]
        return Query(
            words=tuple(word for each in made for word in each.words),
            phrases=tuple(phrase for each in made for phrase in each.phrases),
        )

    return query


def _meant(want: Wanted, terms: Iterable[str]) -> list[Word]:
    """The terms that begin as is asked, or are near a word with typos."""
    return [
        Word(term)
        for term in set(terms)
        if term.startswith(want.beginnings)
        or any(typos(word, term, most=most) <= most for word, most in want.near)
    ]


_READERS = {
    "asked": _asked,
    "any": _words,
    "all": _words,
    "term": _finished,
    "phrase": _phrase,
}
