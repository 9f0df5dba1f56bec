"""What is score() beside a search operator?

`score()` is the BM25 of the operators in the WHERE (ON, QUALIFY, HAVING) of its own SELECT, as an
index over that table gives it: the sum over the operators, 0 for a row that one does not match. A
filter beside them changes nothing in it. Of several tables `score(alias)` takes one, with the
operators that name it. It becomes a look into the hits of a search for each operator:

    scoring(read("SELECT id, score() FROM docs WHERE title ||| 'red shoe'"), columns)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Self

from hybridsearch.errors import QueryError
from hybridsearch.sql.levels import Range
from hybridsearch.sql.matching import PLAIN
from hybridsearch.sql.operators import Table, Test, innermost, is_row, predicates, tables
from hybridsearch.sql.pushdown import Statement
from hybridsearch.sql.relation import literal
from hybridsearch.sql.tokens import Edit
from hybridsearch.store import quoted

__all__ = ["Searched", "Tables", "scoring"]

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
    """An expression in the place of each score() of the statement.

    Raises QueryError, whose field `token` says where, for a score() without a test or an index.
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
    """The tokens of the score() or score(alias) that begins at one; None where none does.

    What stands in the brackets has to be a table of the SELECT: else it is somebody's function.
    """
    tokens = statement.tokens
    before = tokens[at - 1].text if at else ""
    if tokens[at].word != "score" or before == "." or at + 1 not in statement.brackets:
        return None
    close = statement.brackets[at + 1]
    level = innermost(statement, at)
    if close == at + 3 and level is not None:
        beside = tables(statement, statement.levels[level])
        named = any(table and table.alias == tokens[at + 2].identifier for table in beside)
        return Range(at, close + 1) if named else None
    return Range(at, close + 1) if close == at + 2 else None


def _value(statement: Statement, level: int | None, call: Range, searched: Tables) -> str:
    """The expression that score() is."""
    at = call.start
    found = [] if level is None else _tests(statement, level)
    if level is None or not found:
        raise QueryError(
            "score() needs a search predicate, as in WHERE title @@@ 'words', in its own SELECT",
            token=at,
        )
    table, found = _of_one(statement, level, call, found)
    parts = []
    for test in found:
        index = searched(table.name, test.column or "")
        whole = index is None and is_row(test, table)
        index = searched(table.name, None) if whole else index
        if index is None:
            raise _without_index(table, "column" if whole else test.column or "", at)
        fields = f", fields := [{literal(index.attribute)}]" if index.attribute else ""
        parts += [
            _score(index, table, f"{words}{fields}") for words in _words(statement, test, whole)
        ]
    return f"({' + '.join(parts)})"


def _without_index(table: Table, column: str, at: int) -> QueryError:
    return QueryError(
        f'score() needs a search index on "{column}" of {table.name}; CREATE SEARCH INDEX name ON'
        f" {table.name} ({column})",
        token=at,
    )


def _score(index: Searched, table: Table, words: str) -> str:
    """The score of the table's row in one search."""
    hits = (
        f"SELECT {quoted(index.key)} AS key, _score"
        f" FROM search({literal(index.uid)}, {words}, mode := 'keyword')"
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
        some = known[0].alias if known else "t"
        raise QueryError(
            "score() needs one table alone in FROM, or the name of one of several before the"
            f" columns and in the brackets, as in {some}.title @@@ 'words' and score({some})",
            token=call.start,
        )
    [table] = chosen
    own = [test for test in found if test.qualifier == table.alias or is_row(test, table)]
    if not own:
        raise QueryError(
            f"score({table.alias}) needs a search predicate on {table.alias}, as in WHERE"
            f" {table.alias}.title @@@ 'words', in its own SELECT",
            token=call.start,
        )
    return table, own


def _tests(statement: Statement, level: int) -> list[Test]:
    """The tests of columns among the predicates, those of inner queries left out."""
    return [test for test in predicates(statement, level) if test.column is not None]
