"""Which conditions of the query around a subquery restrict the search that is alone in it?

A subquery or CTE of one search by words, without k or LIMIT, gives every row that matches, so it
is the same whether a condition around it holds before or after the search, but for the ranks. So
such conditions are pushed where nobody can see the ranks:

    SELECT id FROM (FROM search('docs', 'x', mode := 'keyword')) WHERE price < 5

around(statement, level, item, source, facts)       # what Pushed.around is
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from hybridsearch.sql.items import SearchItem, aliased, is_call
from hybridsearch.sql.levels import Level, Range, conjuncts, parts
from hybridsearch.sql.pushdown import QUERIES, Around, Condition, Facts, Refusal, Statement
from hybridsearch.sql.relation import Source
from hybridsearch.store import quoted

__all__ = ["around", "outside"]

PASSING = {"select", "from", "where", "order"}
"""Clauses of a SELECT that gives one row for each hit."""
RANKS = ("_rank", "_keyword_rank")
OUTSIDE = "it stands outside of the SELECT of the search"
UNNAMED = "unnamed_subquery"


class _Reader(NamedTuple):
    """The SELECT that reads another one, alone in its FROM; what the other is called there."""

    level: Level
    alias: str
    common: bool


def around(
    statement: Statement, level: Level, item: SearchItem, source: Source, facts: Facts
) -> tuple[Around, ...]:
    """The conditions around the SELECT of this search that may restrict it."""
    shown = _shown(statement, level, item, source)
    reader = None if shown is None else _reader(statement, level)
    if shown is None or reader is None or "where" not in reader.level.clauses:
        return ()
    seen = {*RANKS} if shown == source.columns else {*RANKS} & shown
    if seen and _sees(statement, reader, level, seen):
        return ()
    return tuple(
        Around(condition, reader.alias)
        for condition in _conditions(statement, reader)
        if _fits(
            Condition(statement, reader.level, *_as(item, reader, source, shown), facts, condition)
        )
    )


def outside(
    statement: Statement, level: Level, item: SearchItem, taken: Sequence[Around]
) -> list[Refusal]:
    """The conditions around the SELECT of this search that are not among those taken, and why."""
    reader = _reader(statement, level)
    if reader is None or "where" not in reader.level.clauses:
        return []
    known = {where for where, _ in taken}
    where = conjuncts(statement.tokens, statement.brackets, reader.level.clauses["where"])
    why = "it stands outside of a search with k" if "k" in item.arguments else OUTSIDE
    return [Refusal(statement.written(each), why) for each in where if each not in known]


def _shown(
    statement: Statement, level: Level, item: SearchItem, source: Source
) -> frozenset[str] | None:
    """The names that the SELECT gives, all of the source's for *; None where k or more decides."""
    given = item.arguments
    if level.combined or not (item.alone and item.plain) or not level.clauses.keys() <= PASSING:
        return None
    if "k" in given or "distinct_by" in given or source.distinct or "mode" not in given:
        return None
    if statement.tokens[given["mode"].start].value != "keyword" or _ranks_in_where(
        statement, level
    ):
        return None
    listed = level.clauses.get("select")
    if listed is None or [token.text for token in statement.of(listed)] == ["*"]:
        return source.columns
    names = [
        _plain_name(statement, part) for part in parts(statement.tokens, statement.brackets, listed)
    ]
    return None if None in names else frozenset(name for name in names if name is not None)


def _ranks_in_where(statement: Statement, level: Level) -> bool:
    where = statement.of(level.clauses.get("where", Range(0, 0)))
    return any(token.identifier in RANKS for token in where)


def _plain_name(statement: Statement, part: Range) -> str | None:
    """The name of a column that is given as it is."""
    tokens = statement.of(part)
    if len(tokens) == 3 and tokens[1].text == ".":
        tokens = tokens[2:]
    return tokens[0].identifier if len(tokens) == 1 and tokens[0].word != "distinct" else None


def _reader(statement: Statement, level: Level) -> _Reader | None:
    """Who reads the SELECT, where that is one alone."""
    tokens, before = statement.tokens, level.tokens.start - 1
    if before < 1 or statement.brackets.get(before) != level.tokens.stop:
        return None
    name = _common_name(statement, before)
    if name is not None:
        return _of_common(statement, name)
    for reader in statement.levels:
        clause = reader.clauses.get("from")
        if clause is not None and clause.start == before:
            alias, after = aliased(tokens, Range(level.tokens.stop + 1, clause.stop))
            return _Reader(reader, alias or UNNAMED, False) if after == clause.stop else None
    return None


def _common_name(statement: Statement, bracket: int) -> int | None:
    """The token with the name of the CTE whose body begins at the bracket."""
    at = bracket - 1
    while statement.tokens[at].word in ("materialized", "not"):
        at -= 1
    named = at > 0 and statement.tokens[at].word == "as" and statement.tokens[at - 1].identifier
    return at - 1 if named else None


def _of_common(statement: Statement, name: int) -> _Reader | None:
    """The one reader of a CTE."""
    tokens = statement.tokens
    called = tokens[name].identifier
    uses = [
        at
        for at, token in enumerate(tokens)
        if token.identifier == called and at != name and not _is_qualifier(statement, at)
    ]
    recursive = any(token.word == "recursive" for token in tokens[:name])
    if len(uses) != 1 or recursive:
        return None
    for reader in statement.levels:
        clause = reader.clauses.get("from")
        if clause is not None and clause.start == uses[0]:
            alias, after = aliased(tokens, Range(uses[0] + 1, clause.stop))
            return _Reader(reader, alias or called or "", True) if after == clause.stop else None
    return None


def _is_qualifier(statement: Statement, at: int) -> bool:
    return at + 1 < len(statement.tokens) and statement.tokens[at + 1].text == "."


def _sees(statement: Statement, reader: _Reader, level: Level, ranks: set[str]) -> bool:
    """Whether the reader may show the ranks, by name, by * or as a whole row."""
    whole, inner = reader.level.tokens, level.tokens
    if "select" not in reader.level.clauses:
        return True
    for at in range(*whole):
        token = statement.tokens[at]
        if inner.start <= at < inner.stop:
            continue
        star = token.text.startswith("*") and statement.tokens[at - 1].text != "("
        if star or token.identifier in ranks or token.word == "columns":
            return True
        if token.identifier == reader.alias and not _is_qualifier(statement, at):
            listed = reader.level.clauses["from"]
            if not listed.start <= at < listed.stop:
                return True
    return False


def _conditions(statement: Statement, reader: _Reader) -> Iterator[Range]:
    """The conditions of the reader that mean the same where the search is."""
    where = reader.level.clauses["where"]
    for condition in conjuncts(statement.tokens, statement.brackets, where):
        tokens = statement.of(condition)
        asks = any(token.word in QUERIES for token in tokens)
        searches = any(is_call(statement.tokens, at) for at in range(*condition))
        if not searches and not (asks and (reader.common or reader.level.withs)):
            yield condition


def _as(
    item: SearchItem, reader: _Reader, source: Source, shown: frozenset[str]
) -> tuple[SearchItem, Source]:
    """The search and the source as the reader sees them."""
    names = ", ".join(map(quoted, sorted(shown & source.columns))) or "1"
    seen = replace(
        source, columns=shown & source.columns, query=f"SELECT {names} FROM ({source.query})"
    )
    return replace(item, alias=reader.alias, alone=False), seen


def _fits(condition: Condition) -> bool:
    return condition.why_not() is None
