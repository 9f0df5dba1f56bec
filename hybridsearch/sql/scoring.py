"""What is score() beside a search operator?

`score()` is the BM25 of the operators in the WHERE of its own SELECT, as an index over that table
gives it: the sum over the operators, 0 for a row that one does not match. A filter beside them
changes nothing in it. It becomes a look into the hits of a search for each operator:

    scoring(read("SELECT id, score() FROM docs WHERE title ||| 'red shoe'"), columns)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hybridsearch.errors import QueryError
from hybridsearch.sql.levels import Level, Range
from hybridsearch.sql.operators import Table, Test, innermost, is_row, tables, tests
from hybridsearch.sql.pushdown import Statement
from hybridsearch.sql.relation import literal
from hybridsearch.sql.tokens import Edit
from hybridsearch.store import quoted

__all__ = ["Searched", "Tables", "is_column", "scoring"]

WORDS = {"asked": "all", "any": "any", "all": "all", "term": "all", "phrase": "phrase"}
"""kind of a test -> which of the words a hit must have."""


class Searched(NamedTuple):
    """An index over a table: its name, and the table's key."""

    uid: str
    key: str


Tables = Callable[[str, str | None], Searched | None]
"""(table, column) in small letters -> an index over the table that searches the column by words;
None is any column."""


def scoring(statement: Statement, searched: Tables) -> list[Edit]:
    """An expression in the place of each score() of the statement.

    Raises QueryError, whose field `token` says where, for a score() without a test or an index.
    """
    edits = []
    for at, token in enumerate(statement.tokens):
        if _is_score(statement, at):
            level = innermost(statement, at)
            value = _value(statement, level, at, searched)
            where = Range(at, at + 3)
            if level is not None and is_column(statement, statement.levels[level], where):
                value += " AS score"
            edits.append(Edit(token.start, statement.tokens[at + 2].end, value))
    return edits


def _is_score(statement: Statement, at: int) -> bool:
    following = [token.text for token in statement.tokens[at + 1 : at + 3]]
    before = statement.tokens[at - 1].text if at else ""
    return statement.tokens[at].word == "score" and following == ["(", ")"] and before != "."


def is_column(statement: Statement, level: Level, call: Range) -> bool:
    """Whether a call, all its tokens, is a whole column of the SELECT, without a name."""
    listed = level.clauses.get("select", Range(0, 0))
    at, after = call
    if not listed.start <= at < listed.stop or any(
        opened < at < closed
        for opened, closed in statement.brackets.items()
        if opened >= listed.start
    ):
        return False
    first = at == listed.start or statement.tokens[at - 1].text == ","
    return first and (after == listed.stop or statement.tokens[after].text == ",")


def _value(statement: Statement, level: int | None, at: int, searched: Tables) -> str:
    """The expression that score() is."""
    found = [] if level is None else _tests(statement, level)
    if level is None or not found:
        raise QueryError(
            "score() needs a search predicate, as in WHERE title @@@ 'words', in its own SELECT",
            token=at,
        )
    table = _table(statement, statement.levels[level], at)
    parts = []
    for test in found:
        index = searched(table.name, test.column or "")
        whole = index is None and is_row(test, table)
        index = searched(table.name, None) if whole else index
        if index is None:
            raise _without_index(table, "column" if whole else test.column or "", at)
        hits = (
            f"SELECT {quoted(index.key)} AS key, _score FROM search({literal(index.uid)},"
            f" {_words(statement, test, whole=whole)}, mode := 'keyword')"
        )
        parts.append(
            f"coalesce((SELECT hits._score FROM ({hits}) AS hits"
            f" WHERE hits.key = {table.qualifier}.{quoted(index.key)}), 0.0)"
        )
    return f"({' + '.join(parts)})"


def _without_index(table: Table, column: str, at: int) -> QueryError:
    return QueryError(
        f'score() needs a search index on "{column}" of {table.name}; CREATE SEARCH INDEX name ON'
        f" {table.name} ({column})",
        token=at,
    )


def _words(statement: Statement, test: Test, *, whole: bool) -> str:
    """What a search is to look for, which of the words its hits must have, and where."""
    written = statement.written(test.query)
    if whole:
        return f"{written}, match := 'any'"
    fields = f"fields := [{literal(test.column or '')}]"
    if statement.tokens[test.query.start].text == "[":
        return f"array_to_string({written}, ' '), match := 'any', {fields}"
    return f"{written}, match := '{WORDS[test.kind]}', {fields}"


def _table(statement: Statement, level: Level, at: int) -> Table:
    """The one table of the FROM clause."""
    found = tables(statement, level)
    if len(found) != 1 or found[0] is None:
        raise QueryError("score() needs one table alone in FROM", token=at)
    return found[0]


def _tests(statement: Statement, level: int) -> list[Test]:
    """The tests of columns in a WHERE, those of inner queries left out."""
    where = statement.levels[level].clauses.get("where", Range(0, 0))
    return [
        test
        for test in tests(statement)
        if test.level == level
        and test.column is not None
        and where.start <= test.where.start < where.stop
    ]
