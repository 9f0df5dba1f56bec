"""Which search operators of a statement are answered by an index instead of by reading rows?

A condition `title @@@ 'words'` that the WHERE of a SELECT demands becomes a look at the keys that
an index over its table finds. The rows are the same, always: the index is given a print of keys
and texts as the statement sees them (`holders`), and where its copy has another the statement
reads the rows as it would have done.

    text, decisions = joined("SELECT id FROM docs WHERE title @@@ 'red shoe'", held)
    decisions[0].why                # None, or why the rows are read
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hybridsearch.attached import IndexReport
from hybridsearch.jsontext import dumps
from hybridsearch.sql.holders import NAMED, TEXT, WHOLE, print_of
from hybridsearch.sql.levels import Level, Range
from hybridsearch.sql.operators import Table, Test, conditions, is_conjunct, is_row, tables, tests
from hybridsearch.sql.pushdown import Statement
from hybridsearch.sql.relation import literal
from hybridsearch.sql.tokens import Edit, Token, scan, spliced
from hybridsearch.sql.whole_rows import named_parts
from hybridsearch.store import quoted

__all__ = ["STRICT", "Decision", "Held", "Indexed", "joined", "probe", "rows_held"]

SILENT = ("BOOLEAN", "INTEGER", "UINTEGER", "FLOAT", "DOUBLE", "DECIMAL")
"""Types, beside those that end in INT, whose values and lists of these hold no text."""
STRICT = "search_strict"
"""A variable of the connection: where it is true, no operator may read rows."""
FOUND, ROWS = "hybridsearch_found", "hybridsearch_rows"


class Held(NamedTuple):
    """An index over a table: its name, its attribute, the table's columns, its key and type.

    kind: where whole rows are asked of, "named" or "whole" as `holders` has it; the attribute is
    then a JSON list.
    """

    uid: str
    attribute: str
    columns: tuple[str, ...]
    key: str
    key_type: str
    kind: str | None = None


Indexed = Callable[[str, str], Held | None]
"""(table, column) in small letters -> an index over the table that searches the column."""
RowsIndexed = Callable[[Table, str | None], Held | None]
"""(table, what is asked of its rows if that is written out) -> an index that can tell."""


class Decision(NamedTuple):
    """What was decided for one test: `held` is the index that answers, `why` else the reason.

    what: the test as it was written. table: as it was written. texts, kind, slop: what is asked of
    the index. alias: what the table's columns are qualified by, as SQL.
    """

    what: str
    held: Held | None = None
    table: str = ""
    why: str | None = None
    texts: str = ""
    kind: str = ""
    slop: str = "0"
    alias: str = ""

    def refused(self) -> Decision:
        """The same, when DuckDB could not bind what the index would be asked."""
        return self if self.held is None else Decision(self.what, why="DuckDB cannot bind it")


def joined(
    statement: Statement,
    indexed: Indexed,
    of_rows: RowsIndexed,
    *,
    kept: bool = False,
    strict: bool = False,
) -> tuple[str, list[Decision]]:
    """The text with those tests asked of an index that can be, and what was decided of each.

    kept: the statement makes a view or the like, which stays as it was written. strict: where an
    index cannot tell, the statement fails.
    """
    edits: list[Edit] = []
    decisions: list[Decision] = []
    for test in tests(statement):
        what = " ".join(statement.written(test.where).split())
        found = "a view or macro is kept as it was written" if kept else _place(statement, test)
        if isinstance(found, str):
            decisions.append(Decision(what, why=found))
            continue
        table, query = found
        held = indexed(table.name, test.column or "")
        if held is None and is_row(test, table):
            held = of_rows(table, _plain(statement, test))
        why = _why_not(statement, test, table, held)
        if held is None or why is not None:
            decisions.append(Decision(what, why=why))
            continue
        slop = "0" if test.slop is None else statement.written(test.slop)
        made = Decision(
            what, held, table.written, None, query, held.kind or test.kind, slop, table.qualifier
        )
        decisions.append(made)
        where = statement.tokens[test.where.start].start, statement.tokens[test.where.stop - 1].end
        edits.append(Edit(*where, _semi_join(statement, test, made, strict=strict)))
    return spliced(statement.text, edits) if edits else statement.text, decisions


def rows_held(report: IndexReport, alias: str, query: str | None) -> Held | None:
    """The index as one that knows whole rows of its table; None if it cannot know what is asked.

    alias: what the rows are called, which no column may be. query: None where it is not written
    out: then every text that is searched may be asked of.
    """
    types = dict(report.columns)
    known = {name.lower(): name for name in report.text if types.get(name) == TEXT}
    whole = all(name in known.values() or _is_silent(kind) for name, kind in types.items())
    if not known or alias in map(str.lower, types):
        return None
    names, kind = list(known.values()), WHOLE if whole else NAMED
    if query is not None:
        asked = {part.name for part in named_parts(query)}
        if not asked or not asked <= known.keys() | ({None} if whole else set()):
            return None
        if None not in asked:
            names, kind = [name for lower, name in known.items() if lower in asked], NAMED
    attribute = dumps(names).decode()
    return Held(report.name, attribute, tuple(names), report.key, types[report.key], kind)


def _is_silent(kind: str) -> bool:
    """Whether values of the type hold no text, however deep."""
    plain = kind.partition("(")[0].partition("[")[0]
    return plain in SILENT or plain.endswith("INT")


def probe(decision: Decision) -> str:
    """A SELECT that tells of an index that would be asked now, in two columns.

    Whether its copy is what a statement sees, and whether it finds what the test asks; the latter
    is true where a parameter decides.
    """
    assert decision.held is not None  # the caller has looked
    same = _asked(decision.held, decision.table, decision.held.kind or "all", "['']", "0")
    found = "true"
    if not any(token.kind == "parameter" for token in scan(decision.texts + decision.slop) or ()):
        asked = decision.kind, decision.texts, decision.slop
        found = f"{_asked(decision.held, decision.table, *asked)} IS NOT NULL"
    return f"SELECT {same} IS NOT NULL, {found}"


def _place(statement: Statement, test: Test) -> tuple[Table, str] | str:
    """The table that is searched and the texts that are looked for, as SQL; else why not."""
    if test.column is None:
        return "what is searched is no column"
    if test.level is None or not is_conjunct(statement, test):
        return "it is no condition that WHERE joins by AND"
    query = _texts(statement, test)
    if query is None:
        return "what is looked for is neither written out nor a parameter"
    level = statement.levels[test.level]
    found = _table(tables(statement, level), test)
    if isinstance(found, str):
        return found
    if _is_common(statement, level, found.name):
        return f"{found.name} is a name of the statement's own"
    return found, query


def _table(beside: list[Table | None], test: Test) -> Table | str:
    if test.qualifier is None and len(beside) != 1:
        return "several relations stand in FROM; write table.column"
    chosen = [each for each in beside if each is not None and test.qualifier in (None, each.alias)]
    if len(chosen) != 1:
        return "what is searched is no plain table"
    return chosen[0]


def _why_not(statement: Statement, test: Test, table: Table, held: Held | None) -> str | None:
    """Why the index is not asked; None if it is."""
    if held is None and is_row(test, table):
        return f"no search index over {table.written} has all that it asks of a row"
    if held is None:
        return f"no search index over {table.written} searches {test.column}"
    level = statement.levels[test.level or 0]
    where = conditions(statement, level.clauses["where"])
    if any(_is_given(statement.of(each), table, held) for each in where):
        return f"{held.key} says which rows to read"
    return None


def _is_given(condition: Sequence[Token], table: Table, held: Held) -> bool:
    """Whether a condition gives the key, or a list of keys that is written out."""
    names = [token.identifier or token.text for token in condition]
    if names[:2] == [table.alias, "."]:
        names = names[2:]
    if len(names) < 3 or names[0] != held.key.lower():
        return False
    constant = all(
        token.kind in ("number", "string", "parameter", "mark")
        for token in condition[-len(names) + 2 :]
    )
    return constant and names[1] in ("=", "in")


def _is_common(statement: Statement, level: Level, name: str) -> bool:
    """Whether a WITH clause in sight may define the name."""
    return any(
        statement.tokens[at].identifier == name for where in level.withs for at in range(*where)
    )


def _texts(statement: Statement, test: Test) -> str | None:
    """The texts looked for as a list; None where they may depend on the row."""
    slop = () if test.slop is None else statement.of(test.slop)
    if any(token.kind not in ("number", "parameter") for token in slop):
        return None
    where = test.query
    while statement.brackets.get(where.start) == where.stop - 1 and _is_round(statement, where):
        where = Range(where.start + 1, where.stop - 1)
    tokens, written = statement.of(where), statement.written(where)
    if len(tokens) == 1 and tokens[0].kind == "string":
        return f"[{written}]"
    if len(tokens) == 1 and tokens[0].kind == "parameter" and test.kind != "term":
        return f"[CAST({written} AS VARCHAR)]"  # of === it may be a list
    if test.kind == "term" and tokens[0].text == "[":
        plain = all(token.kind == "string" or token.text in "[]," for token in tokens)
        return f"CAST({written} AS VARCHAR[])" if plain else None
    return None


def _plain(statement: Statement, test: Test) -> str | None:
    """What is looked for, where it is written out."""
    tokens = statement.of(test.query)
    return tokens[0].value if len(tokens) == 1 else None


def _is_round(statement: Statement, where: Range) -> bool:
    return statement.tokens[where.start].text == "(" and where.stop - where.start > 2


def _semi_join(statement: Statement, test: Test, made: Decision, *, strict: bool) -> str:
    """The condition on the key: what the index finds, or if it cannot tell, what the rows say."""
    assert made.held is not None  # the caller has looked
    held = made.held
    told = f"{STRICT} is set, and index {held.uid} cannot answer {made.what} for what is seen here"
    key = f"{ROWS}.{quoted(held.key)}"
    column = ROWS if held.kind else f"{ROWS}.{quoted(held.columns[0])}"
    said = f"error({literal(told)})" if strict else _said(statement, test, column)
    asked = _asked(held, made.table, made.kind, made.texts, made.slop)
    return (
        f"{made.alias}.{quoted(held.key)} IN (WITH {FOUND} AS MATERIALIZED"
        f" (SELECT {asked} AS keys)"
        f" SELECT CAST(unnest({FOUND}.keys) AS {held.key_type}) FROM {FOUND}"
        f" UNION ALL SELECT {key} FROM {made.table} AS {ROWS}, {FOUND}"
        f" WHERE CASE WHEN {FOUND}.keys IS NULL THEN {said} END)"
    )


def _asked(held: Held, table: str, kind: str, texts: str, slop: str) -> str:
    """What the index finds: a list of keys as texts, or null."""
    seen = print_of(*(f"{ROWS}.{quoted(name)}" for name in (held.key, *held.columns)))
    return (
        f"search_holders({literal(held.uid)}, {literal(held.attribute)}, {literal(kind)}, {texts},"
        f" {slop}, (SELECT {seen} FROM {table} AS {ROWS}))"
    )


def _said(statement: Statement, test: Test, column: str) -> str:
    """The test as it was written, of another column."""
    after = statement.written(Range(test.query.start - 1, test.where.stop))
    return f"match_phrase({column}{after}" if test.kind == "phrase" else f"{column} {after}"
