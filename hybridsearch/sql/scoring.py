"""What is score() beside a search operator?

`score()` is the BM25 of the operators in the WHERE of its own SELECT, as an index over that table
gives it: the sum over the operators, 0 for a row that one does not match. A filter beside them
changes nothing in it. It becomes a look into the hits of a search for each operator:

    scored("SELECT id, score() FROM docs WHERE title ||| 'red shoe' ORDER BY score() DESC", columns)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hybridsearch.errors import QueryError
from hybridsearch.sql.levels import Level, Range
from hybridsearch.sql.operators import Table, Test, innermost, tables, tests
from hybridsearch.sql.pushdown import Statement
from hybridsearch.sql.relation import literal
from hybridsearch.sql.tokens import Edit, spliced
from hybridsearch.store import quoted

__all__ = ["Searched", "Tables", "scored"]

WORDS = {"asked": "all", "any": "any", "all": "all", "term": "all", "phrase": "phrase"}
"""kind of a test -> which of the words a hit must have."""


class Searched(NamedTuple):
    """An index over a table: its name, and the table's key."""

    uid: str
    key: str


Tables = Callable[[str, str], Searched | None]
"""(table, column) in small letters -> an index over the table that searches the column."""


def scored(statement: Statement, searched: Tables) -> str:
    """The text of the statement with an expression in the place of each score().

    Raises QueryError, whose field `token` says where, for a score() without a test or an index.
    """
    edits = []
    for at, token in enumerate(statement.tokens):
        if _is_score(statement, at):
            level = innermost(statement, at)
            value = _value(statement, level, at, searched)
            if level is not None and _is_column(statement, statement.levels[level], at):
                value += " AS score"
            edits.append(Edit(token.start, statement.tokens[at + 2].end, value))
    return spliced(statement.text, edits) if edits else statement.text


def _is_score(statement: Statement, at: int) -> bool:
    following = [token.text for token in statement.tokens[at + 1 : at + 3]]
    before = statement.tokens[at - 1].text if at else ""
    return statement.tokens[at].word == "score" and following == ["(", ")"] and before != "."


def _is_column(statement: Statement, level: Level, at: int) -> bool:
    """Whether the score() at a token is a whole column of the SELECT, without a name."""
    listed = level.clauses.get("select", Range(0, 0))
    after = at + 3  # behind the brackets
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
        if index is None:
            raise QueryError(
                f'score() needs a search index on "{test.column}" of {table.name}; CREATE SEARCH'
                f" INDEX name ON {table.name} ({test.column})",
                token=at,
            )
        hits = (
            f"SELECT {quoted(index.key)} AS key, _score FROM search({literal(index.uid)},"
            f" {_words(statement, test)}, mode := 'keyword',"
            f" fields := [{literal(test.column or '')}])"
        )
        parts.append(
            f"coalesce((SELECT hits._score FROM ({hits}) AS hits"
            f" WHERE hits.key = {table.qualifier}.{quoted(index.key)}), 0.0)"
        )
    return f"({' + '.join(parts)})"


def _words(statement: Statement, test: Test) -> str:
    """What a search is to look for, and which of the words its hits must have."""
    written = statement.written(test.query)
    if statement.tokens[test.query.start].text == "[":
        return f"array_to_string({written}, ' '), match := 'any'"
    return f"{written}, match := '{WORDS[test.kind]}'"


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
