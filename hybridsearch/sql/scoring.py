"""What are score() and search_rank() beside a search operator, or beside a search()?

Beside search() they are its `_score` and `_rank`. Else `score()` is the BM25 of the operators in
the WHERE (ON, QUALIFY, HAVING) of its own SELECT, as an index over that table gives it: the sum
over the operators, 0 for a row that one does not match. A filter beside them changes nothing in it.
Of several tables `score(alias)` takes one, with the operators that name it. It becomes a look into
the hits of a search for each operator. `search_rank()` is the place of the table's row, from 1, by
that score and then by key, among the rows that the SELECT keeps.

    scoring(read("SELECT id, score() FROM docs WHERE title ||| 'red shoe'"), columns)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Self

from hybridsearch.errors import QueryError
from hybridsearch.sql.calls import STEADY
from hybridsearch.sql.items import items
from hybridsearch.sql.levels import Range
from hybridsearch.sql.matching import PLAIN
from hybridsearch.sql.operators import Table, Test, innermost, is_row, predicates, tables
from hybridsearch.sql.pushdown import Statement
from hybridsearch.sql.relation import literal
from hybridsearch.sql.tokens import Edit
from hybridsearch.store import quoted

__all__ = ["Searched", "Tables", "scoring"]

ADDED = {"score": "_score", "search_rank": "_rank"}
"""function -> the column of search() that it is"""
WORDS = {"asked": "all", "any": "any", "all": "all", "term": "all", "phrase": "phrase"}
"""kind of a test -> which of the words a hit must have."""


class Searched(NamedTuple):
    """An index over a table: its name, the table's key, and the attribute; None is all."""

    uid: str
    key: str
    attribute: str | None = None

    @classmethod
    def by(cls, uid: str, key: str | None, names: Iterable[str], column: str | None) -> Self | None:
        """The same, if the column, in small letters, is among the attributes that it searches."""
        found = [name for name in names if column in (None, name.lower())]
        return cls(uid, key, None if column is None else found[0]) if found and key else None


_piece = re.compile(r'-?(?:[^\s":]+:)?"[^"]*"?(?:~\d+)?|\S+').findall
_with_typos = re.compile(r"(.+)~([12])").fullmatch
Tables = Callable[[str, str | None], Searched | None]
"""(table, column) in small letters -> an index over the table that searches the column by words;
without a column the one that searches most columns."""


def scoring(statement: Statement, searched: Tables) -> list[Edit]:
    """An expression in the place of each score() and search_rank() of the statement.

    Raises QueryError, whose field `token` says where, for one without a test or an index.
    """
    edits = []
    for at, token in enumerate(statement.tokens):
        call = _call(statement, at)
        if call is None:
            continue
        level = innermost(statement, at)
        value = _value(statement, level, call, searched)
        edits.append(Edit(token.start, statement.tokens[call.stop - 1].end, value))
    return edits


def _call(statement: Statement, at: int) -> Range | None:
    """The tokens of the call, as score() or score(alias), that begins at one; else None.

    What stands in the brackets has to be a table of the SELECT: else it is somebody's function.
    """
    tokens = statement.tokens
    before = tokens[at - 1].text if at else ""
    if tokens[at].word not in ADDED or before == "." or at + 1 not in statement.brackets:
        return None
    close = statement.brackets[at + 1]
    level = innermost(statement, at)
    if close == at + 3 and level is not None:
        name = tokens[at + 2].identifier
        return Range(at, close + 1) if name in _names(statement, level) else None
    return Range(at, close + 1) if close == at + 2 else None


def _names(statement: Statement, level: int) -> set[str]:
    """What the tables and searches of a SELECT are called."""
    beside = tables(statement, statement.levels[level])
    searches = items(statement.tokens, statement.brackets, statement.levels[level])
    return {table.alias for table in beside if table} | {item.alias for item in searches}


def _value(statement: Statement, level: int | None, call: Range, searched: Tables) -> str:
    """The expression that the call is."""
    at, name = call.start, statement.tokens[call.start].word
    column = None if level is None else _of_search(statement, level, call)
    if column is not None:
        return column
    found = [] if level is None else _tests(statement, level)
    if level is None or not found:
        raise QueryError(
            f"{name}() needs a search predicate, as in WHERE title @@@ 'words' or"
            " FROM search('index', 'words'), in its own SELECT",
            token=at,
        )
    table, found = _of_one(statement, level, call, found)
    if name == "search_rank" and statement.tokens[0].word == "prepare":
        raise QueryError("search_rank() cannot be prepared; take score()", token=at)
    score, index = _sum(statement, table, found, searched, at)
    if name == "score":
        return score
    key = f"{table.qualifier}.{quoted(index.key)}"
    return f"(dense_rank() OVER (ORDER BY {score} DESC, {key}))"


def _of_search(statement: Statement, level: int, call: Range) -> str | None:
    """The column of a search() that the call asks for; None where it asks for no search."""
    beside = tables(statement, statement.levels[level])
    searches = items(statement.tokens, statement.brackets, statement.levels[level])
    tokens = statement.of(call)
    if len(tokens) == 4:
        searches = [item for item in searches if item.alias == tokens[2].identifier]
    elif any(beside) and _tests(statement, level):
        return None
    if len(searches) != 1:
        return None
    [item] = searches
    alias = f"{quoted(item.alias)}." if item.named else ""
    return f"{alias}{ADDED[tokens[0].word]}"


def _sum(
    statement: Statement, table: Table, found: list[Test], searched: Tables, at: int
) -> tuple[str, Searched]:
    """The sum over the tests, and the index of the first of them."""
    search = STEADY if statement.tokens[at].word == "search_rank" else "search"
    parts: list[str] = []
    indexes: list[Searched] = []
    for test in found:
        index = searched(table.name, test.column or "")
        whole = index is None and is_row(test, table)
        index = searched(table.name, None) if whole else index
        if index is None:
            raise _without_index(table, "column" if whole else test.column or "", statement, at)
        indexes.append(index)
        fields = f", fields := [{literal(index.attribute)}]" if index.attribute else ""
        parts += [
            _score(index, table, f"{words}{fields}", search)
            for words in _words(statement, test, whole)
        ]
    return f"({' + '.join(parts)})", indexes[0]


def _without_index(table: Table, column: str, statement: Statement, at: int) -> QueryError:
    return QueryError(
        f'{statement.tokens[at].word}() needs a search index on "{column}" of {table.name};'
        f" CREATE SEARCH INDEX name ON {table.name} ({column})",
        token=at,
    )


def _score(index: Searched, table: Table, words: str, search: str) -> str:
    """The score of the table's row in one search."""
    hits = (
        f"SELECT {quoted(index.key)} AS key, _score"
        f" FROM {search}({literal(index.uid)}, {words}, mode := 'keyword')"
    )
    return (
        f"coalesce((SELECT hits._score FROM ({hits}) AS hits"
        f" WHERE hits.key = {table.qualifier}.{quoted(index.key)}), 0.0)"
    )


def _words(statement: Statement, test: Test, whole: bool) -> list[str]:
    """What searches are to look for, and which of the words their hits must have.

    Their scores are summed. What is written out is read as the operator reads it.
    """
    written, first = statement.written(test.query), statement.tokens[test.query.start]
    plain = first.value if test.query.stop - test.query.start == 1 else None
    if first.text == "[":
        return [f"array_to_string({written}, ' '), match := 'any'"]
    if plain is not None and test.kind in ("any", "all"):
        return [f"{literal(' '.join(PLAIN.terms(plain)))}, match := {literal(WORDS[test.kind])}"]
    if plain is not None and test.kind == "asked":
        return list(_pieces(plain)) or [f"{written}, match := 'all'"]
    return [f"{written}, match := {literal('any' if whole else WORDS[test.kind])}"]


def _pieces(query: str) -> Iterator[str]:
    """Searches for what `@@@` asks: words and phrases together, each beginning, each with typos."""
    kept = []
    for piece in _piece(query):
        near = _with_typos(piece)
        if piece[0] == "-":
            continue  # the rows that have it are not there
        if piece[-1] == "*" and len(piece) > 1:
            yield f"{literal(piece[:-1])}, match := 'prefix'"
        elif near and '"' not in piece:
            yield f"{literal(near[1])}, match := 'any', typos := {near[2]}"
        else:
            kept.append(piece)
    if kept:
        yield f"{literal(' '.join(kept))}, match := 'any'"


def _of_one(
    statement: Statement, level: int, call: Range, found: list[Test]
) -> tuple[Table, list[Test]]:
    """The table that is scored, and the tests of it."""
    beside = tables(statement, statement.levels[level])
    known = [table for table in beside if table is not None]
    names = {test.qualifier or test.column for test in found}
    named = statement.tokens[call.start + 2].identifier if call.stop - call.start == 4 else None
    if named is None and len(beside) == len(known) == 1:
        return known[0], found
    wanted = {named} if named else names
    chosen = [table for table in known if wanted == {table.alias}]
    if len(chosen) != 1:
        some, name = known[0].alias if known else "t", statement.tokens[call.start].word
        raise QueryError(
            f"{name}() needs one table alone in FROM, or the name of one of several before the"
            f" columns and in the brackets, as in {some}.title @@@ 'words' and {name}({some})",
            token=call.start,
        )
    [table], name = chosen, statement.tokens[call.start].word
    own = [test for test in found if test.qualifier == table.alias or is_row(test, table)]
    if not own:
        raise QueryError(
            f"{name}({table.alias}) needs a search predicate on {table.alias}, as in WHERE"
            f" {table.alias}.title @@@ 'words', in its own SELECT",
            token=call.start,
        )
    return table, own


def _tests(statement: Statement, level: int) -> list[Test]:
    """The tests of columns among the predicates, those of inner queries left out."""
    return [test for test in predicates(statement, level) if test.column is not None]
