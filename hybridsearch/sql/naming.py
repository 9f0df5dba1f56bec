"""What is a column called whose expression is not the one that was written?

DuckDB names a column without an alias by its text, so what is spliced into an expression would show
in the name. `naming` gives such a column the name that it would have had, or where it is one call
of ours alone the name of that function:

    SELECT snippet(title), round(score(), 2)        -- snippet, "round(score(), 2)"
"""

from __future__ import annotations

from collections.abc import Sequence

from hybridsearch.sql.levels import Range, parts
from hybridsearch.sql.pushdown import Statement
from hybridsearch.sql.tokens import Edit
from hybridsearch.store import quoted

__all__ = ["naming"]

OURS = ("score", "search_rank", "highlight", "snippet", "snippets")
ENDS, CLOSING = ("string", "number"), (")", "]", "end", "null", "true", "false")
"""What no alias is, but what a column may end with."""


def naming(statement: Statement, edits: Sequence[Edit]) -> list[Edit]:
    """The names to be put behind columns that the edits change, as edits too."""
    found = []
    for level in statement.levels:
        listed = level.clauses.get("select", Range(0, 0))
        for part in parts(statement.tokens, statement.brackets, listed):
            if part.start < part.stop and _is_changed(statement, part, edits):
                found += _name(statement, part)
    return found


def _is_changed(statement: Statement, part: Range, edits: Sequence[Edit]) -> bool:
    start, end = statement.tokens[part.start].start, statement.tokens[part.stop - 1].end
    return any(start <= edit.start and edit.end <= end for edit in edits)


def _name(statement: Statement, part: Range) -> list[Edit]:
    """The name of a column; none where it has one, or might, or where it is several columns."""
    part = _undistinct(statement, part)
    tokens = statement.of(part)
    first, last = tokens[0], tokens[-1]
    words = [token.text.lower() for token in tokens]
    closes = last.kind in ENDS or words[-1] in CLOSING or words[-2:-1] == ["::"]
    named = words[-2:-1] == ["as"] or words[1:2] == [":"]
    if not closes or named or words[0] == "*" or words[1:3] == [".", "*"]:
        return []
    whole = statement.brackets.get(part.start + 1) == part.stop - 1
    shown = first.identifier if whole and first.identifier in OURS else None
    name = shown or " ".join(statement.written(part).split())
    return [Edit(last.end, last.end, f" AS {quoted(name)}")]


def _undistinct(statement: Statement, part: Range) -> Range:
    """The column without DISTINCT or DISTINCT ON (...) before it."""
    at = part.start
    if statement.tokens[at].word == "distinct":
        on = statement.tokens[at + 1].word == "on"
        at = statement.brackets.get(at + 2, at + 2) + 1 if on else at + 1
    return Range(at, part.stop) if at < part.stop else part
