"""What does a statement with searches become, so that the native functions understand it?

`lower` looks at each search() in a FROM clause and splices into the user's text what pushdown
has decided: the rows allowed, k, and an order. What it does not touch stays byte for byte.

    lowered = lower("SELECT id FROM search('docs', 'x') WHERE price < 5 LIMIT 2", sources, facts)
    lowered.text, lowered.notes
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hybridsearch.errors import QueryError, near
from hybridsearch.sql.calls import ARGUMENTS, INSIDE
from hybridsearch.sql.items import SearchItem, is_call, items
from hybridsearch.sql.levels import Level, Range, brackets, levels
from hybridsearch.sql.pushdown import Facts, Pushed, Statement, decide
from hybridsearch.sql.relation import Source
from hybridsearch.sql.tokens import Edit, scan, spliced
from hybridsearch.store import quoted

__all__ = ["Lowered", "Sources", "lower", "read"]

HIDDEN = ("ids", "rows", "numbers", "names")
PARAMETERS = [name for name in ARGUMENTS if name not in HIDDEN]
Sources = Callable[[str], Source | None]
"""name of an index -> what it is over; None where there is no such index."""


@dataclass(frozen=True)
class Search:
    """One search() of a statement with what was decided for it."""

    level: Level
    item: SearchItem
    pushed: Pushed
    source: Source


@dataclass(frozen=True)
class Lowered:
    """The statement to run; what was done to it, in lines for people; the indexes it depends on."""

    text: str
    notes: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()


def read(text: str) -> Statement | None:
    """The statement with its places; None if it cannot be read, which is for DuckDB to say."""
    tokens = scan(text)
    if not tokens:
        return None
    pairs = brackets(tokens)
    if pairs is None:
        return None
    return Statement(text, tokens, pairs, levels(tokens, pairs))


def lower(text: str, sources: Sources, facts: Facts) -> Lowered:
    """The statement as the native functions take it, the very same if there is nothing to do.

    Raises QueryError for a wrong call; its field `token` says at which token of the text.
    """
    statement = read(_numbered(text))
    if statement is None:
        return Lowered(text)
    asked: list[str] = []
    searches: list[Search] = []
    for level in statement.levels:
        for item in items(statement.tokens, statement.brackets, level):
            _check(statement, item)
            asked += [] if item.index is None else [item.index]
            source = None if item.index is None else sources(item.index)
            if source is not None:
                pushed = decide(statement, level, item, source, facts)
                searches.append(Search(level, item, pushed, source))
    made = _spliced(statement, searches)
    if any(search.pushed.outer for search in searches) and not facts.binds(made):
        searches = [replace(search, pushed=replace(search.pushed, outer=())) for search in searches]
        made = _spliced(statement, searches)
    return Lowered(
        text=made if made != statement.text else text,
        notes=tuple(_notes(statement, searches)),
        indexes=tuple(dict.fromkeys(asked)),
    )


def _check(statement: Statement, item: SearchItem) -> None:
    """Raise QueryError for a parameter that search() does not have, or one that it lacks."""
    for name, value in item.arguments.items():
        if name not in PARAMETERS and not name.isdigit():
            raise QueryError(
                f'search() has no parameter "{name}"{near(name, PARAMETERS)}',
                token=value.start - 2,
            )
    if not {"index", "query"} <= item.arguments.keys():
        raise QueryError("search() takes an index and a query", token=item.call.start)


def _numbered(text: str) -> str:
    """The text with $1, $2 ... in the place of each ?, so that a condition can stand twice."""
    found = [token for token in scan(text) or () if token.text == "?"]
    return spliced(
        text, [Edit(token.start, token.end, f"${n}") for n, token in enumerate(found, 1)]
    )


def _spliced(statement: Statement, searches: list[Search]) -> str:
    within = {at for search in searches for at in _calls(statement, search.item)}
    edits = [_inside(statement, at) for at in within]
    for search in reversed(searches):  # inner ones first: a condition is copied as it becomes
        edits += _edits(statement, search, edits)
    return spliced(statement.text, edits)


def _edits(statement: Statement, search: Search, inner: Sequence[Edit]) -> list[Edit]:
    pushed = search.pushed
    given = []
    conditions = [*pushed.conditions, *pushed.outer]
    if conditions:
        wanted = " AND ".join(f"({_rewritten(statement, each, inner)}\n)" for each in conditions)
        given.append(
            f"{search.source.parameter} := (SELECT {search.source.listed}"
            f" FROM ({search.source.query}) AS {quoted(search.item.alias)} WHERE {wanted})"
        )
    if pushed.limit is not None:
        given.append(f"k := {pushed.limit}")
    edits = []
    close = statement.tokens[search.item.call.stop - 1]
    if given:
        edits.append(Edit(close.start, close.start, ", " + ", ".join(given)))
    if pushed.by_rank and not search.item.named:
        edits.append(Edit(close.end, close.end, f" AS {quoted(search.item.alias)}"))
    if pushed.by_rank:
        edits.append(_by_rank(statement, search))
    return edits


def _by_rank(statement: Statement, search: Search) -> Edit:
    """The order in which the hits come, where the statement gives none."""
    clauses, text = search.level.clauses, f" ORDER BY {quoted(search.item.alias)}._rank "
    after = [clauses[name].start - 1 for name in ("limit", "offset") if name in clauses]
    last = min(after, default=search.level.tokens.stop) - 1
    at = statement.tokens[last].end
    return Edit(at, at, text if after else text.rstrip())


def _rewritten(statement: Statement, where: Range, edits: Sequence[Edit]) -> str:
    """The text of a range with the edits that lie in it."""
    start = statement.tokens[where.start].start
    end = statement.tokens[where.stop - 1].end
    kept = [edit for edit in edits if start <= edit.start and edit.end <= end]
    calls = (at for at in range(*where) if is_call(statement.tokens, at))
    kept += [edit for at in calls if (edit := _inside(statement, at)) not in kept]
    return spliced(
        statement.text[start:end],
        [Edit(edit.start - start, edit.end - start, edit.text) for edit in kept],
    )


def _calls(statement: Statement, item: SearchItem) -> list[int]:
    """The searches among the arguments of one."""
    return [
        at for at in range(item.call.start + 1, item.call.stop) if is_call(statement.tokens, at)
    ]


def _inside(statement: Statement, at: int) -> Edit:
    """The name for a search among the arguments of another: DuckDB lets no macro be in itself."""
    return Edit(statement.tokens[at].start, statement.tokens[at].end, INSIDE)


def _notes(statement: Statement, searches: list[Search]) -> list[str]:
    lines = []
    for search in searches:
        pushed = search.pushed
        lines.append(f"search: {statement.written(search.item.call)}")
        lines += [
            f"  pushed: {statement.written(each)}" for each in (*pushed.conditions, *pushed.outer)
        ]
        lines += [f"  not pushed: {each.what}: {each.why}" for each in pushed.refused]
        if pushed.limit is not None:
            lines.append(f"  k from LIMIT: {pushed.limit}")
    return lines
