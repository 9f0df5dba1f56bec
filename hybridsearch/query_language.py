"""What does a query ask that is written in the query language, and where is it wrong?

`hybridsearch.query` refuses nothing that people type into a box. Programs and careful people want
to be told: this reader takes the same signs, and more, and refuses what has no meaning.

    red shoes        both words
    "road race"~2    these words with at most two steps between; ~8 at most
    run*             every word that begins so
    shoos~1          the word with at most so many typos, 0, 1 or 2
    title:red        in that attribute alone; title:"road race", title:run*, title:shoos~1 too
    -boots           none of it; any of the above may stand behind the minus

All that is asked for has to hold. What is between quotes is text, whatever signs it has.

>>> read('red sho* -boots~1 "road race"', Analyzer(), attributes=("title",)).words[1].begins
'sho'
>>> read('red "road race', Analyzer(), attributes=("title",))
Traceback (most recent call last):
hybridsearch.errors.QueryError: this quote is never closed; add the other (character 5 of the query)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple, NoReturn

from hybridsearch.analysis import Analyzer
from hybridsearch.errors import QueryError, near
from hybridsearch.localized import Analyzers
from hybridsearch.query import (
    BLANK,
    MOST_SLOP,
    Part,
    Query,
    assembled,
    bound,
    plain_quotes,
    with_parents,
)

__all__ = ["plain_text", "read"]

SLOPS = tuple(map(str, range(MOST_SLOP + 1)))
TYPOS = ("0", "1", "2")
LOGIC = {
    "AND": "everything in a query has to hold anyway",
    "OR": "to ask for any of the words is another way to match, any",
    "NOT": "a minus before a word excludes it, as in -boots",
}
QUOTED = "; put the text in quotes to look for it as it is"
_name = re.compile(r'([^\s":]+):(?!//)').match
_is_name = re.compile(r"[^\W\d][\w.]*").fullmatch
_word = re.compile(r'[^\s"]+').match
_behind = re.compile(r"~(\w*)").match
_typos = re.compile(r"(.+)~(.*)", re.DOTALL).fullmatch
_bracket = re.compile(r"[()\[\]{}^]").search
_operators = re.compile(r'(?<!\S)-(?:[^\s":]+:)?(?:"[^"]*"\S*|\S+)|(?<!\S)[^\W\d][\w.]*:(?!//)').sub
_signs = re.compile(r'"(?:~\d*)?|(?<=\w)(?:\*|~\d)(?!\S)').sub


class _Piece(NamedTuple):
    """One part of a query: where it begins, from 0, and what it asks."""

    at: int
    text: str
    negated: bool
    only: str | None
    quoted: bool = False
    slop: int = 0
    begins: bool = False
    typos: int = 0


def read(
    text: str,
    analyzer: Analyzer,
    *,
    attributes: Collection[str],
    analyzers: Analyzers | None = None,
) -> Query:
    """Read a query of the language; attributes, analyzers: as `hybridsearch.query.parse` has them.

    The names of attributes may be written in any case. Raises QueryError, whose field `position`
    counts characters from 1, for what has no meaning.
    """
    names = {name.lower(): name for name in sorted(with_parents(attributes), reverse=True)}
    pieces = _pieces(bound(plain_quotes(text), analyzer), names)
    parts = [_part(piece, analyzer) for piece in pieces]
    return assembled(parts, analyzer, prefix=False, analyzers=analyzers)


def plain_text(text: str) -> str:
    """What a query asks for, without signs and without what it excludes: what is embedded.

    >>> plain_text('title:run* -boots "road race"~2')
    'run road race'
    """
    return " ".join(_signs(" ", _operators(" ", plain_quotes(text))).split())


def _part(piece: _Piece, analyzer: Analyzer) -> Part:
    """The piece with its tokens."""
    text = piece.text.replace(BLANK, " ")
    tokens = analyzer.tokens(text)
    if not tokens:
        _refuse(piece.at, "there is no word here; leave it out")
    loose = piece.begins or piece.typos
    if len(tokens) > 1 and loose and (piece.typos or piece.negated):
        _refuse(piece.at, "* and ~ stand behind one word, and here are several")
    if piece.begins and tokens[-1].end < len(text):
        _refuse(piece.at, "* stands right behind a word")
    return Part(
        text,
        tokens,
        piece.negated,
        piece.quoted,
        slop=piece.slop,
        only=piece.only,
        begins=piece.begins,
        typos=piece.typos,
    )


def _pieces(text: str, names: dict[str, str]) -> Iterator[_Piece]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        start, negated = at, text[at] == "-"
        at += negated
        if negated and (at == len(text) or text[at].isspace()):
            _refuse(start, "a minus stands right before what it excludes, as in -boots")
        only, at = _only(text, at, names)
        piece, at = _quoted(text, at) if text[at] == '"' else _bare(text, at, lone=only is None)
        yield piece._replace(negated=negated, only=only)
        if at < len(text) and not text[at].isspace():
            _refuse(at, "a blank is missing before this")


def _only(text: str, at: int, names: dict[str, str]) -> tuple[str | None, int]:
    """The attribute that is named there, and where what is asked of it begins."""
    match = _name(text, at)
    if match is None:
        return None, at
    written = match[1]
    name = names.get(written.lower())
    if name is None:
        if not _is_name(written):  # as in 12:30
            return None, at
        known = near(written, names.values())
        _refuse(at, f'no searchable attribute "{written}"{known}{QUOTED}')
    if match.end() == len(text) or text[match.end()].isspace():
        _refuse(at, f'nothing is asked of "{written}"; write a word right behind the colon')
    return name, match.end()


def _quoted(text: str, at: int) -> tuple[_Piece, int]:
    """The phrase that begins there, and where it ends."""
    end = text.find('"', at + 1)
    if end < 0:
        _refuse(at, "this quote is never closed; add the other")
    piece = _Piece(at, text[at + 1 : end], False, None, quoted=True)
    match = _behind(text, end + 1)
    if match is None:
        return piece, end + 1
    if match[1] not in SLOPS:
        _refuse(end + 1, f"behind a phrase ~ takes a number of steps from 0 to {MOST_SLOP}")
    return piece._replace(slop=int(match[1])), match.end()


def _bare(text: str, at: int, *, lone: bool) -> tuple[_Piece, int]:
    """The word that begins there, and where it ends."""
    match = _word(text, at)
    assert match is not None  # neither blank nor quote is there
    word, end = match[0], match.end()
    if lone and word in LOGIC:
        _refuse(at, f"{word} is no operator: {LOGIC[word]}{QUOTED}")
    if word[0] == "~":
        _refuse(at, f"~ stands right behind a word or a phrase, as in shoos~1{QUOTED}")
    bracket = _bracket(word)
    if bracket is not None:
        _refuse(at + bracket.start(), f'"{bracket[0]}" has no meaning in a query{QUOTED}')
    typos = _typos(word)
    if typos is not None:
        if typos[2] not in TYPOS:
            _refuse(at + typos.start(2) - 1, f"~ takes 0, 1 or 2 typos of a word{QUOTED}")
        word = typos[1]
    star = word.find("*")
    if star >= 0 and (typos or star < len(word) - 1 or not star):
        _refuse(at + star, f"* stands at the end of a word, as in run*{QUOTED}")
    piece = _Piece(at, word.removesuffix("*"), False, None, begins=star > 0)
    return piece._replace(typos=int(typos[2]) if typos else 0), end


def _refuse(at: int, why: str) -> NoReturn:
    place = f"character {at + 1} of the query"
    raise QueryError(f"{why} ({place})", field="query", position=at + 1)
