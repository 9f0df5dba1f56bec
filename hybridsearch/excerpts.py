"""Which pieces of a text are worth showing, and how do they look with their matches marked?

Counted in characters, where `highlight.crop` counts words. A piece is cut where words end if it
holds any blank to cut at, has "…" on each side where text was left out, and shows as many
different matches as fit.

>>> spans = [(16, 5), (31, 5)]
>>> best("a light pair of shoes for long road races", spans, size=12)
Piece(start=13, end=25)
>>> shown("Red <shoes>", [(5, 5)], Piece(4, 11), tags=("<b>", "</b>"), escape=True)
'…&lt;<b>shoes</b>&gt;'
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape as escaped
from typing import NamedTuple

from hybridsearch.analysis import fold

__all__ = ["Piece", "best", "pieces", "shown"]

Spans = Sequence[tuple[int, int]]
"""(start, length) of each match in characters, ascending, none overlapping."""
MORE = "…"


class Piece(NamedTuple):
    """A piece of a text, from the character `start` up to but without `end`."""

    start: int
    end: int


def best(text: str, spans: Spans, *, size: int) -> Piece:
    """The piece of at most `size` characters, 1 or more, that shows most different matches.

    Of equal ones the first; without matches, the beginning. What matches stands in its middle.
    """
    if len(text) <= size:
        return Piece(0, len(text))
    groups = list(_groups(spans, size))
    if not groups:
        return _cut(text, Piece(0, 0), size)
    first, last = max(groups, key=lambda group: _worth(text, spans, *group))
    return _cut(text, _around(spans, first, last), size)


def pieces(text: str, spans: Spans, *, size: int, most: int) -> list[Piece]:
    """At most so many pieces with matches, in the order of the text, none overlapping.

    Where there are more, those with most different matches; of equal ones the first.
    """
    found: list[tuple[tuple[int, int], Piece]] = []
    at = 0
    while at < len(spans):
        last = _last(spans, at, size)
        before = found[-1][1].end if found else 0
        piece = _cut(text, _around(spans, at, last), size)
        piece = Piece(max(piece.start, before), piece.end)
        found.append((_worth(text, spans, at, last), piece))
        at = last + 1
    chosen = sorted(range(len(found)), key=lambda n: found[n][0], reverse=True)[:most]
    return [found[number][1] for number in sorted(chosen)]


def shown(
    text: str, spans: Spans, piece: Piece, *, tags: tuple[str, str], escape: bool = False
) -> str:
    """The piece with tags around its matches; the tags themselves are never escaped."""
    start, end = piece
    parts, done = [MORE if start > 0 else ""], start
    for at, length in spans:
        left, right = max(at, start), min(at + length, end)
        if left < right:
            parts += [_text(text[done:left], escape), tags[0]]
            parts += [_text(text[left:right], escape), tags[1]]
            done = right
    return "".join([*parts, _text(text[done:end], escape), MORE if end < len(text) else ""])


def _text(text: str, escape: bool) -> str:
    return escaped(text) if escape else text


def _groups(spans: Spans, size: int) -> Iterator[tuple[int, int]]:
    """(first, last) numbers of the matches of each piece that begins with a match."""
    last = 0
    for first in range(len(spans)):
        last = _last(spans, first, size, max(last, first))
        yield first, last


def _last(spans: Spans, first: int, size: int, known: int | None = None) -> int:
    """The number of the last match that fits in a piece which begins with the first."""
    last = first if known is None else known
    while last + 1 < len(spans) and sum(spans[last + 1]) - spans[first][0] <= size:
        last += 1
    return last


def _worth(text: str, spans: Spans, first: int, last: int) -> tuple[int, int]:
    """(how many different matches, how many)"""
    matches = [fold(text[at : at + length]) for at, length in spans[first : last + 1]]
    return len(set(matches)), len(matches)


def _around(spans: Spans, first: int, last: int) -> Piece:
    return Piece(spans[first][0], sum(spans[last]))


def _cut(text: str, core: Piece, size: int) -> Piece:
    """The core in the middle of a piece of the size, without parts of words at its ends."""
    core = Piece(core.start, min(core.end, core.start + size))
    start = max(0, core.start - (size - (core.end - core.start)) // 2)
    end = min(len(text), start + size)
    start = max(0, end - size)
    if start and not (text[start - 1].isspace() or text[start].isspace()):
        blank = _blank(text, range(start, core.start))
        start = start if blank is None else blank
    if end < len(text) and not (text[end - 1].isspace() or text[end].isspace()):
        blank = _blank(text, range(end - 1, core.end - 1, -1))
        end = end if blank is None else blank
    while start < core.start and text[start].isspace():
        start += 1
    while end > max(core.end, start + 1) and text[end - 1].isspace():
        end -= 1
    return Piece(start, end)


def _blank(text: str, places: range) -> int | None:
    return next((at for at in places if text[at].isspace()), None)
