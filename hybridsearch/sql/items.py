"""Which searches does the FROM clause of a SELECT hold, and what stands beside them?

for item in items(tokens, pairs, level):
    item.index, item.alias, item.arguments["k"]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hybridsearch.sql.levels import Brackets, Level, Range, parts, split
from hybridsearch.sql.tokens import Token

__all__ = ["SearchItem", "aliased", "arguments", "from_items", "is_call", "items"]

PLACES = ("index", "query", "k", "mode", "vector", "fields", "match")
"""Names of arguments that can be given by place."""
JOINS = (
    *("join", "inner", "left", "right", "full", "outer", "cross", "natural"),
    *("semi", "anti", "asof", "positional"),
)
KEEPING_ALL = {"inner", "cross", "outer", "join"}
KEEPING_LEFT = KEEPING_ALL | {"left", "semi", "anti"}
UNNAMED = "search"
AFTER = ("on", "using", "tablesample", "with", "at", "match_condition")


@dataclass(frozen=True)
class SearchItem:
    """One search() in a FROM clause.

    call: its name up to the closing bracket. arguments: name -> tokens of the value; those
    beyond PLACES are under their number. index: the name of the index where it is a plain
    string. alias: what its columns are qualified by, in small letters. named: whether the
    statement gives it. alone: nothing is beside it in the clause. kept: no join makes up rows in
    the place of its own. plain: what follows it is at most an alias.
    """

    call: Range
    arguments: Mapping[str, Range]
    index: str | None
    alias: str
    named: bool
    alone: bool
    kept: bool
    plain: bool


def items(tokens: Sequence[Token], pairs: Brackets, level: Level) -> list[SearchItem]:
    """The searches of a SELECT, in the order of its FROM clause."""
    clause = level.clauses.get("from")
    if clause is None:
        return []
    beside = list(from_items(tokens, pairs, clause))
    words = {word for joins, _ in beside for word in joins}
    found = []
    for number, (_, part) in enumerate(beside):
        kept = words <= (KEEPING_ALL if number else KEEPING_LEFT)
        item = _item(tokens, pairs, part, alone=len(beside) == 1, kept=kept)
        found += [] if item is None else [item]
    return found


def is_call(tokens: Sequence[Token], at: int) -> bool:
    """Whether a call of search() begins at the token."""
    return (
        at + 1 < len(tokens)
        and tokens[at].identifier == "search"
        and tokens[at + 1].text == "("
        and (at == 0 or tokens[at - 1].text != ".")
    )


def arguments(tokens: Sequence[Token], pairs: Brackets, inside: Range) -> dict[str, Range]:
    """name -> tokens of the value, for what stands between the brackets of a call."""
    return dict(
        _argument(tokens, number, part)
        for number, part in enumerate(parts(tokens, pairs, inside))
        if part.start < part.stop
    )


def _argument(tokens: Sequence[Token], number: int, given: Range) -> tuple[str, Range]:
    first = tokens[given.start]
    if given.start + 1 < given.stop and tokens[given.start + 1].text in (":=", "=>"):
        return first.identifier or "", Range(given.start + 2, given.stop)
    return PLACES[number] if number < len(PLACES) else str(number), given


def from_items(
    tokens: Sequence[Token], pairs: Brackets, clause: Range
) -> Iterator[tuple[list[str], Range]]:
    """(words of the join before it, tokens) for each item of a FROM clause."""
    joins: list[str] = []
    start = clause.start
    for at in split(tokens, pairs, clause):
        if tokens[at].text == "," or (
            tokens[at].word in JOINS and tokens[min(at + 1, clause.stop - 1)].text != "("
        ):
            if start < at:
                yield joins, Range(start, at)
                joins = []
            joins = [*joins, tokens[at].word] if tokens[at].word else []
            start = at + 1
    if start < clause.stop:
        yield joins, Range(start, clause.stop)


def _item(
    tokens: Sequence[Token], pairs: Brackets, part: Range, *, alone: bool, kept: bool
) -> SearchItem | None:
    at = part.start + (tokens[part.start].word == "lateral")
    if not is_call(tokens, at):
        return None
    close = pairs[at + 1]
    given = arguments(tokens, pairs, Range(at + 2, close))
    first = given.get("index")
    index = None if first is None or len(_of(tokens, first)) != 1 else tokens[first.start].value
    alias, after = aliased(tokens, Range(close + 1, part.stop))
    return SearchItem(
        call=Range(at, close + 1),
        arguments=given,
        index=index,
        alias=alias or UNNAMED,
        named=alias is not None,
        alone=alone,
        kept=kept,
        plain=after == part.stop or tokens[after].word in ("on", "using"),
    )


def aliased(tokens: Sequence[Token], rest: Range) -> tuple[str | None, int]:
    """The alias if there is one, and where what follows it begins."""
    at = rest.start
    if at < rest.stop and tokens[at].word == "as":
        at += 1
    if at < rest.stop and tokens[at].identifier and tokens[at].word not in AFTER:
        return tokens[at].identifier, at + 1
    return None, at


def _of(tokens: Sequence[Token], where: Range) -> Sequence[Token]:
    return tokens[where.start : where.stop]
