"""What do highlight(), snippet() and snippets() mark beside a search predicate?

A column takes the predicates of its own SELECT that look into it: search operators of the WHERE
(ON, QUALIFY, HAVING) on it, and each search() in FROM. Any other expression takes all of them. What
stands behind a NOT is no reason to mark anything. Each call gets one argument more:

    marking(statement)      # snippet(title) -> snippet(title, marks := [...])

A call with `query :=` says itself what it marks, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hybridsearch.errors import QueryError, near
from hybridsearch.sql.items import items
from hybridsearch.sql.levels import Level, Range, parts
from hybridsearch.sql.operators import Table, Test, innermost, is_row, predicates, tables
from hybridsearch.sql.pushdown import Statement
from hybridsearch.sql.relation import literal
from hybridsearch.sql.tokens import Edit

__all__ = ["PARAMETERS", "marking"]

TAGS = ("start_tag", "end_tag")
PARAMETERS = {
    "highlight": (*TAGS, "query", "escape"),
    "snippet": (*TAGS, "max_chars", "query", "escape"),
    "snippets": (*TAGS, "max_chars", "max_count", "query", "escape"),
}
"""function -> the names of its parameters, as in sql/macros/marks.sql."""
OWN = ("query", "marks")
"""Arguments that say what is marked."""
CASTS = {"match": "VARCHAR", "typos": "BIGINT", "fields": "VARCHAR[]"}
"""Arguments of search() that decide what its words stand for, with their types."""


class _Subject(NamedTuple):
    """What is marked. column: its name in small letters, None for an expression."""

    written: str
    qualifier: str | None
    column: str | None


def marking(statement: Statement) -> list[Edit]:
    """What is to be changed in the text.

    Raises QueryError, whose field `token` says where, for a call beside no search predicate.
    """
    edits = []
    for at in range(len(statement.tokens)):
        given = _given(statement, at)
        if not given or any(_name(statement, each) == "marks" for each in given):
            continue
        _check(statement, at, given)
        if any(_name(statement, each) in OWN for each in given):
            continue
        level, where = innermost(statement, at), Range(at, statement.brackets[at + 1] + 1)
        subject = _subject(statement, given[0])
        asks = [] if level is None else list(_asks(statement, level, subject))
        if level is None or not asks:
            raise _missing(statement.tokens[at].identifier or "", subject, at)
        close = statement.tokens[where.stop - 1]
        edits.append(Edit(close.start, close.start, f", marks := [{', '.join(asks)}]"))
    return edits


def _given(statement: Statement, at: int) -> list[Range]:
    """The arguments of the call that begins at the token; empty where none does."""
    tokens = statement.tokens
    if (
        tokens[at].identifier not in PARAMETERS
        or at + 1 == len(tokens)
        or tokens[at + 1].text != "("
    ):
        return []
    before = tokens[at - 1] if at else None
    if before is not None and (before.text == "." or before.word in ("macro", "function")):
        return []
    inside = Range(at + 2, statement.brackets[at + 1])
    found = list(parts(tokens, statement.brackets, inside))
    return found if all(part.start < part.stop for part in found) else []


def _name(statement: Statement, given: Range) -> str | None:
    """The name of an argument that is given by name, in small letters."""
    named = given.start + 1 < given.stop and statement.tokens[given.start + 1].text in (":=", "=>")
    return statement.tokens[given.start].identifier if named else None


def _check(statement: Statement, at: int, given: Sequence[Range]) -> None:
    """Raise QueryError for a parameter that the function does not have."""
    function = statement.tokens[at].identifier or ""
    for part in given:
        name = _name(statement, part)
        if name is not None and name not in PARAMETERS[function]:
            raise QueryError(
                f'{function}() has no parameter "{name}"{near(name, PARAMETERS[function])}',
                token=part.start,
            )


def _subject(statement: Statement, where: Range) -> _Subject:
    tokens = statement.of(where)
    written = " ".join(statement.written(where).split())
    names = [token.identifier for token in tokens]
    if len(tokens) == 1 and names[0] is not None:
        return _Subject(written, None, names[0])
    if len(tokens) == 3 and names[0] and names[2] and tokens[1].text == ".":
        return _Subject(written, names[0], names[2])
    return _Subject(written, None, None)


def _missing(name: str, subject: _Subject, at: int) -> QueryError:
    example = subject.written if subject.column else "title"
    return QueryError(
        f"{name}() needs a search predicate on {subject.written:.60} in its own SELECT, as in"
        f" WHERE {example} @@@ 'words' or FROM search('index', 'words'); or say what to mark with"
        f" {name}({subject.written:.60}, query := 'words')",
        token=at,
    )


# What the predicates look for


def _asks(statement: Statement, level: int, subject: _Subject) -> Iterator[str]:
    """What each predicate looks for, as SQL that gives a JSON text."""
    beside = [table for table in tables(statement, statement.levels[level]) if table is not None]
    for test in predicates(statement, level):
        if _is_denied(statement, test, statement.levels[level]):
            continue
        if any(is_row(test, table) and _is_of(subject, table) for table in beside):
            yield _of_test(statement, test, kind="row", subject=subject)
        elif _looks_into(test, subject):
            yield _of_test(statement, test, kind=test.kind, subject=subject)
    yield from _of_searches(statement, statement.levels[level], subject)


def _looks_into(test: Test, subject: _Subject) -> bool:
    if subject.column is None:
        return True
    beside = None in (test.qualifier, subject.qualifier) or test.qualifier == subject.qualifier
    return beside and test.column == subject.column


def _is_of(subject: _Subject, table: Table) -> bool:
    """Whether what is marked may be of the table's rows."""
    return subject.qualifier in (None, table.alias)


def _is_denied(statement: Statement, test: Test, level: Level) -> bool:
    """Whether a NOT stands before the test, or before brackets around it."""
    opened = [
        start
        for start, end in statement.brackets.items()
        if level.tokens.start <= start < test.where.start < end
    ]
    return any(statement.tokens[at - 1].word == "not" for at in (test.where.start, *opened))


def _of_test(statement: Statement, test: Test, *, kind: str, subject: _Subject) -> str:
    words = f"({statement.written(test.query)})"
    listed = f"[CAST({words} AS VARCHAR)]"
    if test.kind == "term":
        listed = (
            f"CASE WHEN typeof({words}) LIKE '%]' THEN CAST({words} AS VARCHAR[]) ELSE {listed} END"
        )
    slop = "0" if test.slop is None else statement.written(test.slop)
    return _json(
        kind=literal(kind), words=listed, slop=f"CAST({slop} AS BIGINT)", column=_column(subject)
    )


def _column(subject: _Subject) -> str:
    return "NULL" if subject.column is None else literal(subject.column)


def _of_searches(statement: Statement, level: Level, subject: _Subject) -> Iterator[str]:
    for item in items(statement.tokens, statement.brackets, level):
        given = item.arguments
        told = subject.qualifier in (None, item.alias) and {"index", "query"} <= given.keys()
        if not told:
            continue
        decided = {
            name: f"CAST(({statement.written(given[name])}) AS {kind})"
            for name, kind in CASTS.items()
            if name in given
        }
        yield _json(
            kind="'search'",
            index=f"CAST(({statement.written(given['index'])}) AS VARCHAR)",
            words=f"[CAST(({statement.written(given['query'])}) AS VARCHAR)]",
            column=_column(subject),
            **decided,
        )


def _json(**fields: str) -> str:
    return (
        f"to_json({{{', '.join(f'{literal(name)}: {value}' for name, value in fields.items())}}})"
    )
