"""Where in a text does it match, and which piece of it is worth showing?

Works on the tokens of the attribute's analyser, so a highlight shows exactly what the search saw,
stems and accents included. A word still being typed marks only the letters typed; a phrase is
marked as one run, and only where its words stand side by side; what a query excludes is never
marked.

>>> analyzer = Analyzer("en")
>>> from hybridsearch.query import Phrase, Query, Word
>>> query = Query(words=(Word("sho", prefix="sho"),), phrases=(Phrase(("road", "race")),))
>>> mark("Shoes for road races, on the road", analyzer, query)
'<em>Sho</em>es for <em>road races</em>, on the road'
>>> crop("one two three four five shoes six seven eight", analyzer, query, words=3)
'…five shoes six…'
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

from hybridsearch.analysis import LONGEST_TERM, Analyzer, Token
from hybridsearch.phrases import standings
from hybridsearch.query import Other, Query

__all__ = ["crop", "mark", "positions"]

MOST_LOOSE = 32
"""Words of a loose phrase; longer ones are only marked where they stand side by side."""


def positions(text: str, analyzer: Analyzer, query: Query) -> list[tuple[int, int]]:
    """The (start, length) of each match in characters, ascending; none overlap."""
    tokens, query = analyzer.tokens(text), query.read(analyzer)
    spans = sorted(chain(_words(text, tokens, query, analyzer), _phrases(tokens, query)))
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return [(start, end - start) for start, end in merged]


def mark(
    text: str, analyzer: Analyzer, query: Query, *, pre: str = "<em>", post: str = "</em>"
) -> str:
    """The text with `pre` and `post` around each match; nothing is escaped."""
    pieces, done = [], 0
    for start, length in positions(text, analyzer, query):
        pieces += [text[done:start], pre, text[start : start + length], post]
        done = start + length
    return "".join([*pieces, text[done:]])


def crop(text: str, analyzer: Analyzer, query: Query, *, words: int = 10, marker: str = "…") -> str:
    """The `words` words around the best match, with `marker` on each side that was cut.

    Best is where most different words of the query are, the first such place; without a match,
    the beginning. A text of no more words, or `words` 0 or less, comes back whole. `mark` can be
    applied to the result.
    """
    tokens = analyzer.tokens(text)
    if words <= 0 or len(tokens) <= words:
        return text
    hits = _hits(text, tokens, analyzer, query)
    first = _window(hits, len(tokens), words)
    last = first + words - 1
    cut_left, cut_right = first > 0, last < len(tokens) - 1
    start = tokens[first].start if cut_left else 0
    end = tokens[last].end if cut_right else len(text)
    return (marker if cut_left else "") + text[start:end] + (marker if cut_right else "")


def _words(
    text: str, tokens: Sequence[Token], query: Query, analyzer: Analyzer
) -> Iterator[tuple[int, int]]:
    """(start, end) of each word asked for or meant, or of its letters typed so far.

    All that begins with what was asked for as a beginning is meant, and marked whole.
    """
    terms = {word.term for word in query.words}
    terms.update(other.terms[0] for other in _others(query) if len(other.terms) == 1)
    typed = tuple(word.prefix for word in query.words if word.prefix and not word.begins)
    whole = tuple(word.begins for word in query.words if word.prefix and word.begins)
    begun: dict[str, int | None] = {}
    for token in tokens:
        word = text[token.start : token.end] if typed else ""
        if typed and word not in begun:
            begun[word] = _typed(word, token.term, typed, analyzer)
        letters = begun.get(word)
        if letters is not None:
            yield token.start, token.start + letters
        elif token.term in terms or (whole and _starts(text, token, whole, analyzer)):
            yield token.start, token.end


def _starts(text: str, token: Token, starts: tuple[str, ...], analyzer: Analyzer) -> bool:
    return analyzer.folded(text[token.start : token.end]).startswith(starts)


def _typed(word: str, term: str, typed: tuple[str, ...], analyzer: Analyzer) -> int | None:
    """How many characters of the word make up the longest start that was typed."""
    whole = term if analyzer.language is None else analyzer.folded(word)
    if not whole.startswith(typed):
        return None
    start = max((start for start in typed if whole.startswith(start)), key=len)
    lengths = range(1, min(len(word), 4 * LONGEST_TERM) + 1)
    return next((n for n in lengths if analyzer.folded(word[:n]).startswith(start)), len(word))


def _phrases(tokens: Sequence[Token], query: Query) -> Iterator[tuple[int, int]]:
    """(start, end) of each run of tokens that is a phrase asked for."""
    several = {other.terms for other in _others(query) if len(other.terms) > 1}
    for phrase in query.phrases:
        if phrase.slop and len(phrase.terms) <= MOST_LOOSE:
            for first, last in _loose(tokens, phrase.terms, phrase.slop):
                yield tokens[first].start, tokens[last].end
    for terms in several.union(phrase.terms for phrase in query.phrases):
        for at in _runs(tokens, terms):
            yield tokens[at].start, tokens[at + len(terms) - 1].end


def _loose(tokens: Sequence[Token], terms: tuple[str, ...], slop: int) -> Iterator[tuple[int, int]]:
    """(first, last) numbers of the tokens of each run that is a phrase but for `slop` steps."""
    if len(set(terms)) < len(terms):
        texts = [token.term for token in tokens]
        yield from ((min(places), max(places)) for places in standings(texts, terms, slop))
        return
    shifts = sorted(
        (place - number, number, place)
        for number, term in enumerate(terms)
        for place, token in enumerate(tokens)
        if token.term == term
    )
    latest: dict[int, tuple[int, int]] = {}
    for shift, number, place in shifts:
        latest[number] = (shift, place)
        if len(latest) == len(terms) and shift - min(latest.values())[0] <= slop:
            places = [place for _, place in latest.values()]
            yield min(places), max(places)


def _others(query: Query) -> Iterator[Other]:
    """What else may have been meant by the words."""
    return chain.from_iterable(word.others for word in query.words)


def _runs(tokens: Sequence[Token], terms: tuple[str, ...]) -> Iterator[int]:
    for at in range(len(tokens) - len(terms) + 1):
        if all(tokens[at + n].term == term for n, term in enumerate(terms)):
            yield at


def _hits(
    text: str, tokens: Sequence[Token], analyzer: Analyzer, query: Query
) -> list[tuple[int, str]]:
    """(number of the token, what of it matches) of each token that a match touches, ascending."""
    spans = iter(positions(text, analyzer, query))
    hits, span = [], next(spans, None)
    for number, token in enumerate(tokens):
        while span and span[0] + span[1] <= token.start:
            span = next(spans, None)
        if span and span[0] < token.end:
            start, end = max(span[0], token.start), min(sum(span), token.end)
            hits.append((number, analyzer.folded(text[start:end])))
    return hits


def _window(hits: Sequence[tuple[int, str]], count: int, words: int) -> int:
    """The first of the `words` tokens to show, so that what matches stands in the middle."""
    inside: Counter[str] = Counter()
    richest, chosen, left = 0, (0, 0), 0
    for number, matched in hits:
        inside[matched] += 1
        while hits[left][0] <= number - words:
            inside[hits[left][1]] -= 1
            left += 1
        if len(+inside) > richest:
            richest, chosen = len(+inside), (hits[left][0], number)
    slack = words - (chosen[1] - chosen[0] + 1)
    return max(0, min(chosen[0] - (slack + 1) // 2, count - words))
