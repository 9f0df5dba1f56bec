"""Which columns of a search may a statement read?

Only those that it names, unless it takes all of them somehow: by a star, by the name of the search
alone, by what reads rows whole. A macro names no column of the query that calls it.

    named(statement, level, item)      # {"title", "year", ...}; None where it may be any
"""

from __future__ import annotations

from hybridsearch.sql.items import SearchItem
from hybridsearch.sql.levels import Level
from hybridsearch.sql.pushdown import Statement

__all__ = ["named"]

WHOLE = {"natural", "columns", "pivot", "unpivot", "summarize", "describe", "show", "table"}
"""Words that stand for columns which are not named."""


def named(statement: Statement, level: Level, item: SearchItem) -> frozenset[str] | None:
    """Names in small letters, of whatever kind, among which is every column that may be read.

    None where columns may be read that are not named.
    """
    tokens = statement.tokens
    if "select" not in level.clauses or not item.plain:
        return None
    for at, token in enumerate(tokens):
        if token.kind == "operator" and "*" in token.text and not _counts(statement, at):
            return None
        if token.word in WHOLE or (
            token.identifier == item.alias and _is_whole(statement, item, at)
        ):
            return None
    return frozenset(token.identifier for token in tokens if token.identifier)


def _counts(statement: Statement, at: int) -> bool:
    """Whether the star is that of count(*)."""
    around = [token.text.lower() for token in statement.tokens[max(at - 2, 0) : at + 2]]
    return around == ["count", "(", "*", ")"]


def _is_whole(statement: Statement, item: SearchItem, at: int) -> bool:
    """Whether the name of the search stands for its whole row here."""
    tokens, call = statement.tokens, item.call
    if call.start <= at < call.stop:
        return False
    given = item.named and at in (call.stop, call.stop + 1)
    return not given and (at + 1 == len(tokens) or tokens[at + 1].text not in (".", "("))
