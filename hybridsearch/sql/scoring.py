"""What is score() beside a search operator?

`score()` is the BM25 of the operators in the WHERE of its own SELECT, as an index over that table
gives it: the sum over the operators, 0 for a row that one does not match. A filter beside them
changes nothing in it. It becomes a look into the hits of a search for each operator:

    scored("SELECT id, score() FROM docs WHERE title ||| 'red shoe' ORDER BY score() DESC", columns)

An operator binds as tightly as ||, so `title @@@ 'a' || 'b'` is not what it seems; it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from hybridsearch.errors import QueryError
from hybridsearch.sql.levels import Level, Range
from hybridsearch.sql.pushdown import Statement
from hybridsearch.sql.relation import literal
from hybridsearch.sql.tokens import Edit, Token, spliced
from hybridsearch.store import quoted

__all__ = ["Searched", "Tables", "scored"]

OPERATORS = {"@@@": "all", "|||": "any", "&&&": "all", "===": "all"}
"""operator -> which of the words a hit must have."""


class Searched(NamedTuple):
    """An index over a table: its name, and the table's key."""

    uid: str
    key: str


class _Test(NamedTuple):
    column: str
    query: str
    words: str


Tables = Callable[[str, str], Searched | None]
"""(table, column) in small letters -> an index over the table that searches the column."""


def scored(statement: Statement, tables: Tables) -> str:
    """The text of the statement with an expression in the place of each score().

    Raises QueryError, whose field `token` says where, for a score() without a test or an index,
    and for an operator before a bare ||.
    """
    _check_operators(statement)
    edits = []
    for at, token in enumerate(statement.tokens):
        if _is_score(statement, at):
            level = _level(statement, at)
            value = _value(statement, level, at, tables)
            value += " AS score" if level and _is_column(statement, level, at) else ""
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


def _check_operators(statement: Statement) -> None:
    tokens = statement.tokens
    for at, token in enumerate(tokens[:-2]):
        if token.kind == "operator" and token.text in OPERATORS:
            after = statement.brackets.get(at + 1, at + 1) + 1
            if after < len(tokens) and tokens[after].text == "||":
                raise QueryError(
                    f"{token.text} binds as tightly as ||; put what is to its right in brackets",
                    token=at,
                )


def _level(statement: Statement, at: int) -> Level | None:
    """The innermost SELECT around a token."""
    around = [level for level in statement.levels if level.tokens.start <= at < level.tokens.stop]
    return min(around, key=lambda level: level.tokens.stop - level.tokens.start, default=None)


def _value(statement: Statement, level: Level | None, at: int, tables: Tables) -> str:
    """The expression that score() is."""
    tests = [] if level is None else list(_tests(statement, level))
    if level is None or not tests:
        raise QueryError(
            "score() needs a search predicate, as in WHERE title @@@ 'words', in its own SELECT",
            token=at,
        )
    table, name = _table(statement, level, at)
    parts = []
    for test in tests:
        index = tables(table, test.column)
        if index is None:
            raise QueryError(
                f'score() needs a search index on "{test.column}" of {table}; CREATE SEARCH INDEX'
                f" name ON {table} ({test.column})",
                token=at,
            )
        hits = (
            f"SELECT {quoted(index.key)} AS key, _score FROM search({literal(index.uid)},"
            f" {test.query}, mode := 'keyword', fields := [{literal(test.column)}],"
            f" match := '{test.words}')"
        )
        parts.append(
            f"coalesce((SELECT hits._score FROM ({hits}) AS hits"
            f" WHERE hits.key = {name}.{quoted(index.key)}), 0.0)"
        )
    return f"({' + '.join(parts)})"


def _table(statement: Statement, level: Level, at: int) -> tuple[str, str]:
    """The one table of the FROM clause in small letters, and what its columns are qualified by."""
    clause = statement.of(level.clauses.get("from", Range(0, 0)))
    names: list[Token] = []
    rest = list(clause)
    while rest and rest[0].identifier:
        names.append(rest.pop(0))
        if not (rest and rest[0].text == "."):
            break
        rest.pop(0)
    if rest and rest[0].word == "as":
        rest.pop(0)
    if not names or len(rest) > 1 or (rest and rest[0].identifier is None):
        raise QueryError("score() needs one table alone in FROM", token=at)
    table = names[-1].identifier or ""
    return table, quoted((rest[0].identifier if rest else table) or "")


def _tests(statement: Statement, level: Level) -> Iterator[_Test]:
    """The search operators and phrases of a WHERE, those of inner queries left out."""
    where = level.clauses.get("where", Range(0, 0))
    for at in range(*where):
        token = statement.tokens[at]
        if _level(statement, at) is not level:
            continue
        if token.kind == "operator" and token.text in OPERATORS:
            column = statement.tokens[at - 1].identifier
            if column is not None:
                query = Range(at + 1, statement.brackets.get(at + 1, at + 1) + 1)
                yield _Test(column, statement.written(query), OPERATORS[token.text])
        elif token.word == "match_phrase" and statement.tokens[at + 1].text == "(":
            column = statement.tokens[at + 2].identifier
            if column is not None and statement.tokens[at + 3].text == ",":
                yield _Test(column, statement.tokens[at + 4].text, "phrase")
