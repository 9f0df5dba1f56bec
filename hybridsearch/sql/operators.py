"""Which search operators does a statement hold, over which column of which table, and where?

A `Test` is one `column @@@ 'words'` (or `||| &&& ===`), or one `match_phrase(column, 'words')`.
What stands in FROM is read as far as plain tables go: a `Table` is one of them with its alias.

    for test in tests(statement):
        test.column, statement.written(test.query)
    tables(statement, level)

An operator binds as tightly as ||, so `title @@@ 'a' || 'b'` is not what it seems; `check` refuses
it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hybridsearch.errors import QueryError
from hybridsearch.sql.items import from_items
from hybridsearch.sql.levels import Level, Range, conjuncts, parts
from hybridsearch.sql.pushdown import Statement
from hybridsearch.sql.tokens import Token
from hybridsearch.store import quoted

__all__ = [
    "OPERATORS",
    "Table",
    "Test",
    "check",
    "conditions",
    "innermost",
    "is_conjunct",
    "is_row",
    "predicates",
    "tables",
    "tests",
]

OPERATORS = {"@@@": "asked", "|||": "any", "&&&": "all", "===": "term"}
"""operator -> what `matching` calls the test."""
PHRASE = "match_phrase"
AFTER = ("::", ".", "[", "(")
"""What continues a value: a cast, a field, an item, a call."""
DECIDING = ("from", "where", "having", "qualify")
"""Clauses whose conditions decide which rows there are."""
COMPARISONS = ("=", "==", "<", ">", "<=", ">=", "<>", "!=")
"""Operators that bind less tightly than those that search."""


@dataclass(frozen=True)
class Test:
    """One test of a text.

    kind: "asked", "any", "all", "term" or "phrase". column: the last name of the left side in
    small letters, None where that is more than a name. qualifier: the name before it, if any.
    query: its tokens. slop: the tokens of a phrase's slop. where: all its tokens.
    level: number of the SELECT that it stands in, None outside of any.
    """

    __test__ = False  # what pytest looks for

    kind: str
    column: str | None
    qualifier: str | None
    query: Range
    slop: Range | None
    where: Range
    level: int | None


@dataclass(frozen=True)
class Table:
    """One plain table of a FROM clause.

    name: the last of its names, in small letters. written: as the statement has it, without the
    alias. alias: what its columns are qualified by, in small letters.
    """

    name: str
    written: str
    alias: str

    @property
    def qualifier(self) -> str:
        """The alias, fit for SQL."""
        return quoted(self.alias)


def tests(statement: Statement) -> Iterator[Test]:
    """Every test of the statement, in the order of its text."""
    for at, token in enumerate(statement.tokens):
        if token.kind == "operator" and token.text in OPERATORS:
            if 0 < at < len(statement.tokens) - 1:
                yield _infix(statement, at, OPERATORS[token.text])
        elif token.identifier == PHRASE and _text(statement, at + 1) == "(":
            found = _phrase(statement, at)
            if found is not None:
                yield found


def predicates(statement: Statement, level: int) -> list[Test]:
    """The tests that decide which rows a SELECT has, those of inner queries left out."""
    clauses = statement.levels[level].clauses
    deciding = [clauses[name] for name in DECIDING if name in clauses]
    return [
        test
        for test in tests(statement)
        if test.level == level and any(c.start <= test.where.start < c.stop for c in deciding)
    ]


def check(statement: Statement) -> None:
    """Raise QueryError, whose field `token` says where, for an operator before a bare ||."""
    for at, token in enumerate(statement.tokens):
        if token.kind == "operator" and token.text in OPERATORS:
            after = _after(statement, at + 1)
            if _text(statement, after) == "||":
                raise QueryError(
                    f"{token.text} binds as tightly as ||; put what is to its right in brackets",
                    token=at,
                )


def innermost(statement: Statement, at: int) -> int | None:
    """The number of the innermost SELECT around a token."""
    around = [
        (level.tokens.stop - level.tokens.start, -number)
        for number, level in enumerate(statement.levels)
        if level.tokens.start <= at < level.tokens.stop
    ]
    return -min(around)[1] if around else None


def tables(statement: Statement, level: Level) -> list[Table | None]:
    """What stands in the FROM clause, None for what is more than a table with an alias."""
    clause = level.clauses.get("from")
    if clause is None:
        return []
    beside = from_items(statement.tokens, statement.brackets, clause)
    return [_table(statement, part) for _, part in beside]


def is_conjunct(statement: Statement, test: Test) -> bool:
    """Whether the WHERE of the test's SELECT holds only where the test does."""
    if test.level is None:
        return False
    where = statement.levels[test.level].clauses.get("where")
    return where is not None and test.where in conditions(statement, where)


def is_row(test: Test, table: Table) -> bool:
    """Whether a test that names no column of the table asks of its whole rows."""
    return test.kind == "asked" and test.qualifier is None and test.column == table.alias


def conditions(statement: Statement, where: Range) -> list[Range]:
    """The conditions that AND joins, also those in brackets of their own."""
    found: list[Range] = []
    for each in conjuncts(statement.tokens, statement.brackets, where):
        if statement.brackets.get(each.start) == each.stop - 1:
            found += conditions(statement, Range(each.start + 1, each.stop - 1))
        else:
            found.append(each)
    return found


def _infix(statement: Statement, at: int, kind: str) -> Test:
    start = _name_before(statement, at)
    column = None if start is None else statement.tokens[at - 1].identifier
    qualified = start is not None and at - start == 3
    stop = _after(statement, at + 1)
    return Test(
        kind=kind,
        column=column,
        qualifier=statement.tokens[at - 3].identifier if qualified else None,
        query=Range(at + 1, stop),
        slop=None,
        where=Range(at - 1 if start is None else start, stop),
        level=innermost(statement, at),
    )


def _name_before(statement: Statement, at: int) -> int | None:
    """Where `name` or `name.name` begins that ends before the token; None for more than that."""
    start = at - 1
    if statement.tokens[start].identifier is None:
        return None
    if _text(statement, start - 1) == "." and statement.tokens[start - 2].identifier:
        start -= 2
    before = statement.tokens[start - 1] if start else None
    tied = before is not None and before.kind == "operator" and before.text not in COMPARISONS
    return None if tied or _text(statement, start - 1) in (".", "::") else start


def _phrase(statement: Statement, at: int) -> Test | None:
    """The test that a call of match_phrase() is; None for a call that DuckDB will refuse."""
    close = statement.brackets[at + 1]
    given = list(parts(statement.tokens, statement.brackets, Range(at + 2, close)))
    if len(given) not in (2, 3) or any(part.start == part.stop for part in given):
        return None
    left, query, *rest = given
    name = _name_before(statement, left.stop) == left.start
    slop = rest[0] if rest else None
    if slop is not None and _text(statement, slop.start + 1) in (":=", "=>"):
        slop = Range(slop.start + 2, slop.stop)
    return Test(
        kind="phrase",
        column=statement.tokens[left.stop - 1].identifier if name else None,
        qualifier=statement.tokens[left.start].identifier if left.stop - left.start == 3 else None,
        query=query,
        slop=slop,
        where=Range(at, close + 1),
        level=innermost(statement, at),
    )


def _after(statement: Statement, at: int) -> int:
    """Where the value ends that begins at the token: after its casts, calls and brackets."""
    if _text(statement, at) in ("-", "+"):
        at += 1
    at = statement.brackets.get(at, at) + 1
    while _text(statement, at) in AFTER:
        at = statement.brackets.get(at, at + 1) + 1
    return min(at, len(statement.tokens))


def _table(statement: Statement, part: Range) -> Table | None:
    tokens = statement.of(part)
    rest, start = list(tokens), part.start
    named = 0
    while named < len(rest) and rest[named].identifier:
        named += 1
        if named == len(rest) or rest[named].text != ".":
            break
        named += 1
    path, after = rest[:named], rest[named:]
    after = after[: _condition(after)]
    if after and after[0].word == "as":
        after = after[1:]
    if not path or path[-1].identifier is None or len(after) > 1:
        return None
    if after and after[0].identifier is None:
        return None
    name = path[-1].identifier
    alias = after[0].identifier if after else name
    return Table(name, statement.written(Range(start, start + named)), alias or name)


def _condition(tokens: list[Token]) -> int:
    """Where the ON or USING of a join begins."""
    words = [token.word for token in tokens]
    return min(words.index(word) if word in words else len(words) for word in ("on", "using"))


def _text(statement: Statement, at: int) -> str:
    return statement.tokens[at].text if 0 <= at < len(statement.tokens) else ""
