"""What does EXPLAIN SEARCH say of a statement?

One line for each thing that was decided: which conditions were pushed into a search and which
were not, with the reason; where k comes from; which arms run; whether the index is up to date;
and the statement that DuckDB gets.

    explained(lowered, state=functions.state, stale=stale)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from hybridsearch.extraction import is_wanted
from hybridsearch.planning import must_embed
from hybridsearch.request import SearchRequest
from hybridsearch.sql.constants import NotConstant, constant
from hybridsearch.sql.levels import Range
from hybridsearch.sql.lowering import Lowered, Search
from hybridsearch.sql.pushdown import Statement
from hybridsearch.sql.semijoins import Decision
from hybridsearch.state import State
from hybridsearch.vectors.nearest import Tiers

__all__ = ["Knows", "Stale", "explained"]

States = Callable[[str], State]
Stale = Callable[[str], int | None]
"""index -> how many rows of its source it lacks; None for one that has no source."""
Knows = Callable[[Decision], tuple[bool, bool]]
"""Whether an index has the rows as the statement sees them, and can answer the test."""


def explained(lowered: Lowered, *, state: States, stale: Stale, knows: Knows) -> list[str]:
    """The lines, in the order of the statement's tests and searches.

    Raises NotFound for an index.
    """
    for uid in lowered.indexes:
        state(uid)
    statement = lowered.statement
    lines = [line for decision in lowered.tests for line in _tested(decision, knows)]
    if statement is None or not (lowered.searches or lines):
        return ["search: none in this statement", f"emitted: {lowered.text}"]
    for search in lowered.searches:
        lines += _decided(statement, search)
        lines += _legs(statement, search, state(search.item.index or ""))
        rows = stale(search.item.index or "")
        if rows is not None:
            shown = "up to date" if not rows else f"stale: {rows} row{'s' * (rows != 1)}"
            lines.append(f"freshness: {shown}")
    return [*lines, *f"emitted: {lowered.text}".splitlines()]


def _tested(decision: Decision, knows: Knows) -> list[str]:
    """What was decided for a search operator."""
    held = decision.held
    if held is None:
        return [f"operator: {decision.what}", f"reads the rows: {decision.why}"]
    same, found = knows(decision)
    how = f"by index {held.uid}, whose copy is what this transaction sees"
    if not same:
        how = f"reads the rows: {decision.table} is not what index {held.uid} holds"
    elif not found:
        how = f"reads the rows: index {held.uid} cannot tell this quickly"
    return [f"operator: {decision.what}", how]


def _decided(statement: Statement, search: Search) -> Iterator[str]:
    pushed = search.pushed
    yield f"search: {_line(statement, search.item.call)}"
    outside = (condition for condition, _ in pushed.around)
    for condition in (*pushed.conditions, *pushed.outer, *outside):
        yield f"pushed: {_line(statement, condition)}"
    for refusal in pushed.refused:
        yield f"not pushed: {' '.join(refusal.what.split())}: {refusal.why}"
    if pushed.limit is not None:
        yield f"k from LIMIT: {pushed.limit}"


def _legs(statement: Statement, search: Search, state: State) -> list[str]:
    given = search.item.arguments
    mode = None
    if "mode" in given:
        try:
            mode = constant(statement, given["mode"])
        except NotConstant:
            return ["legs: as mode says at each call"]
    words = "off" if mode == "semantic" else _keyword(statement, given, state)
    return [f"leg keyword: {words}", f"leg semantic: {_semantic(state, mode, 'vector' in given)}"]


def _keyword(statement: Statement, given: Mapping[str, Range], state: State) -> str:
    """The columns that words are looked for in, and what a beginning finds."""
    names = state.keyword.attributes
    fields = _told(statement, given, "fields")
    if isinstance(fields, list):
        names = tuple(name for name in names if is_wanted(name, fields))
    over = f"BM25 over {', '.join(names)}"
    if _told(statement, given, "match") != "prefix":
        return over
    return (
        f"{over}; all words that begin like the last one, of each column the"
        f" {state.keyword.statistics.scored:,} most frequent scored"
    )


def _told(statement: Statement, given: Mapping[str, Range], name: str) -> object:
    """The value of a parameter; None where it is not given, or not the same at each call."""
    try:
        return constant(statement, given[name]) if name in given else None
    except NotConstant:
        return None


def _semantic(state: State, mode: str | None, vector: bool) -> str:
    arm = state.arm(None)
    made = SearchRequest("a", mode=mode)
    if arm is None or mode == "keyword" or not (vector or must_embed(state, made)):
        return "off"
    way = "exact" if arm.vectors.count <= Tiers().exact else "one bit a dimension, then exact"
    return f"{way}, {arm.vectors.count} vectors"


def _line(statement: Statement, where: Range) -> str:
    return " ".join(statement.written(where).split())
