"""Which SELECTs does a statement hold, one inside another, and where are their clauses?

`levels` finds them from brackets and reserved words alone and keeps places instead of a tree, so
that what it does not know is left as it was written. A `Level` is one SELECT; what stands in
brackets inside it is a level of its own if it is a query.

    found = levels(tokens)
    found[0].clauses["where"]                   # a Range of token numbers
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hybridsearch.sql.tokens import Token

__all__ = [
    "Brackets",
    "Level",
    "Range",
    "beginning",
    "brackets",
    "conjuncts",
    "levels",
    "parts",
    "split",
]

CLAUSES = (
    *("select", "from", "where", "group", "having", "window"),
    *("qualify", "order", "limit", "offset", "using", "fetch"),
)
SETS = ("union", "intersect", "except")
STARTS = ("select", "from", "values", "pivot", "unpivot", "table", "describe", "show", "summarize")
TELLS = ("describe", "summarize")
"""What may stand before a query in brackets, and tell of it."""
WRITES = ("delete", "update", "merge", "alter", "drop", "set", "call", "truncate", "attach")
OPENING, CLOSING = "([{", ")]}"


class Range(NamedTuple):
    """The tokens from `start` up to but without `stop`."""

    start: int
    stop: int


Brackets = Mapping[int, int]
"""number of an opening bracket -> number of the one that closes it"""


@dataclass(frozen=True)
class Level:
    """One SELECT.

    clauses: its first word -> the tokens after that word. combined: whether it is a part of a
    UNION or the like, whose ORDER BY and LIMIT belong to the whole. parent: number of the level
    around it. withs: the WITH clauses in sight, outermost first, each up to what is in sight.
    """

    tokens: Range
    clauses: Mapping[str, Range]
    combined: bool
    parent: int | None
    withs: tuple[Range, ...]


def brackets(tokens: Sequence[Token]) -> Brackets | None:
    """Which bracket closes which; None when they do not fit."""
    open_: list[int] = []
    pairs: dict[int, int] = {}
    for number, token in enumerate(tokens):
        if token.kind != "mark":
            continue
        if token.text in OPENING:
            open_.append(number)
        elif token.text in CLOSING:
            if not open_ or OPENING.index(tokens[open_[-1]].text) != CLOSING.index(token.text):
                return None
            pairs[open_.pop()] = number
    return None if open_ else pairs


def levels(tokens: Sequence[Token], pairs: Brackets) -> list[Level]:
    """Every SELECT of the statement, outer ones before those inside them."""
    found = _Levels(tokens, pairs)
    whole = Range(0, len(tokens))
    if tokens[0].word in WRITES:
        found.inside(whole, None, ())
    else:
        found.query(Range(beginning(tokens, pairs), len(tokens)), None, ())
    return found.found


def split(tokens: Sequence[Token], pairs: Brackets, where: Range) -> Iterator[int]:
    """The numbers of the tokens that stand in no bracket of the range, brackets included."""
    at = where.start
    while at < where.stop:
        yield at
        at = pairs.get(at, at) + 1


def parts(tokens: Sequence[Token], pairs: Brackets, inside: Range) -> Iterator[Range]:
    """What commas separate, each part; nothing for an empty range."""
    if inside.start == inside.stop:
        return
    start = inside.start
    for at in split(tokens, pairs, inside):
        if tokens[at].text == "," and tokens[at].kind == "mark":
            yield Range(start, at)
            start = at + 1
    yield Range(start, inside.stop)


def conjuncts(tokens: Sequence[Token], pairs: Brackets, where: Range) -> list[Range]:
    """The conditions that AND joins; one if an OR stands among them.

    The AND of a BETWEEN and one between CASE and END belong to theirs.
    """
    found: list[Range] = []
    start, cases, betweens = where.start, 0, 0
    for at in split(tokens, pairs, where):
        word = tokens[at].word
        cases += (word == "case") - (word == "end")
        if cases or not word:
            continue
        if word == "or":
            return [where]
        if word == "between":
            betweens += 1
        elif word == "and" and betweens:
            betweens -= 1
        elif word == "and":
            found.append(Range(start, at))
            start = at + 1
    return [*found, Range(start, where.stop)]


def beginning(tokens: Sequence[Token], pairs: Brackets) -> int:
    """The token where the query of a statement begins that may make a table or view of it."""
    for at in split(tokens, pairs, Range(0, len(tokens))):
        if tokens[at].word in (*STARTS[:3], "with"):
            return at
    return 0


class _Levels:
    def __init__(self, tokens: Sequence[Token], pairs: Brackets) -> None:
        self._tokens = tokens
        self._pairs = pairs
        self.found: list[Level] = []

    def query(self, whole: Range, parent: int | None, withs: tuple[Range, ...]) -> None:
        """A query with its WITH clause and the parts of a UNION."""
        start = whole.start
        if self._tokens[start].word == "with":
            start = self._common(whole, parent, withs)
            withs = (*withs, Range(whole.start, start))
        parts = self._parts(Range(start, whole.stop))
        for part in parts:
            number = len(self.found)
            clauses = self._clauses(part)
            self.found.append(Level(part, clauses, len(parts) > 1, parent, withs))
            self.inside(part, number if clauses else parent, withs)

    def inside(self, part: Range, parent: int | None, withs: tuple[Range, ...]) -> None:
        """What stands in the brackets of a range."""
        for at in split(self._tokens, self._pairs, part):
            end = self._pairs.get(at)
            if end is None or end == at + 1:
                continue
            told = self._tokens[at + 1].word in TELLS and at + 2 < end
            inner = Range(at + 1 + told, end)
            if self._tokens[inner.start].word in (*STARTS[:3], "with"):
                self.query(inner, parent, withs)
            else:
                self.inside(Range(at + 1, end), parent, withs)

    def _common(self, whole: Range, parent: int | None, withs: tuple[Range, ...]) -> int:
        """Go through a WITH clause; where it ends."""
        body = False
        for at in split(self._tokens, self._pairs, whole):
            token = self._tokens[at]
            if token.word in STARTS or token.word in ("insert", "update", "delete"):
                return at
            if token.text == "(" and body:
                seen = self._cut(whole.start, at)
                inner = Range(at + 1, self._pairs[at])
                in_sight = withs if seen is None else (*withs, seen)
                if self._tokens[at + 1].word in (*STARTS[:3], "with"):
                    self.query(inner, parent, in_sight)
                else:
                    self.inside(inner, parent, in_sight)
            body = token.word == "as" or (body and token.word in ("not", "materialized"))
        return whole.stop

    def _cut(self, start: int, at: int) -> Range | None:
        """The WITH clause up to the last comma before a body; None before the first."""
        commas = [
            n
            for n in split(self._tokens, self._pairs, Range(start, at))
            if self._tokens[n].text == ","
        ]
        return Range(start, commas[-1]) if commas else None

    def _parts(self, whole: Range) -> list[Range]:
        parts: list[Range] = []
        start = whole.start
        for at in split(self._tokens, self._pairs, whole):
            if self._tokens[at].word in SETS:
                parts.append(Range(start, at))
                start = at + 1
                while start < whole.stop and self._tokens[start].word in (
                    *("all", "distinct", "by", "name"),
                ):
                    start += 1
        return [part for part in (*parts, Range(start, whole.stop)) if part.start < part.stop]

    def _clauses(self, part: Range) -> dict[str, Range]:
        marks: list[tuple[str, int]] = []
        for at in split(self._tokens, self._pairs, part):
            word = self._tokens[at].word
            if word in CLAUSES and not self._within(at, part):
                marks.append((word, at))
        ends = [*(at for _, at in marks), part.stop][1:]
        return {word: Range(at + 1, end) for (word, at), end in zip(marks, ends, strict=True)}

    def _within(self, at: int, part: Range) -> bool:
        """Whether a clause's word is something else here: IS DISTINCT FROM, a.using, USING (..)."""
        before = self._tokens[at - 1] if at > part.start else None
        word = self._tokens[at].word
        if before is None:
            return False
        if word == "using":
            return self._tokens[min(at + 1, part.stop - 1)].word != "sample"
        return before.text == "." or (
            word == "from"
            and before.word == "distinct"
            and at - 2 >= part.start
            and self._tokens[at - 2].word in ("is", "not")
        )
