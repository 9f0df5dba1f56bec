"""Does a statement name parameters that our functions have, and may they stand as they are written?

search() is checked where it is lowered, and what marks texts where that is read. For the other
functions `misnamed` raises what DuckDB would tell by a list of candidates, and `quoting` puts
quotes around a parameter that is a word of SQL, as in `suggest('docs', 'ru', limit := 3)`.

    misnamed(statement)
    edits = quoting(statement)
"""

from __future__ import annotations

from collections.abc import Iterator

from hybridsearch.errors import QueryError, near
from hybridsearch.sql.levels import Range, parts
from hybridsearch.sql.pushdown import Statement
from hybridsearch.sql.tokens import Edit

__all__ = ["NAMES", "misnamed", "quoting"]

FUSED = ("k", "wa", "wb")
NAMES = {
    "similar": (
        *("index", "key", "k", "mode", "fields", "weights", "fusion", "rrf_k", "candidates"),
        *("filter", "min_score", "distinct_by", "exact", "highlight", "tie", "embedder"),
        *("field_weights", "min_similarity", "ef", "boost", "diversity"),
    ),
    "facets": ("index", "query", "by", "filter", "mode", "limit", "match"),
    "suggest": ("index", "prefix", "limit"),
    "tokens": ("index", "field", "text"),
    "match_phrase": ("text", "query", "slop"),
    "rrf": ("a", "b", *FUSED),
    "rrf3": ("a", "b", "c", *FUSED, "wc"),
    "rrf_score": ("rank", "k", "weight"),
}
"""function -> its parameters, as the macros have them."""
RESERVED = ("limit",)


def misnamed(statement: Statement) -> None:
    """Raise QueryError, whose field `token` says where, for a parameter that there is not."""
    for function, at in _named(statement):
        name = statement.tokens[at].identifier or ""
        if name not in NAMES[function]:
            told = f'{function}() has no parameter "{name}"{near(name, NAMES[function])}'
            raise QueryError(told, token=at)


def quoting(statement: Statement) -> list[Edit]:
    """What is to be changed in the text."""
    found = [statement.tokens[at] for _, at in _named(statement)]
    return [Edit(t.start, t.end, f'"{t.text}"') for t in found if t.word in RESERVED]


def _named(statement: Statement) -> Iterator[tuple[str, int]]:
    """(function, token) of each argument that is given by name."""
    tokens, brackets = statement.tokens, statement.brackets
    for at, token in enumerate(tokens[:-1]):
        function = token.identifier
        before = tokens[at - 1] if at else None
        if function not in NAMES or tokens[at + 1].text != "(":
            continue
        if before is not None and (before.text == "." or before.word in ("macro", "function")):
            continue
        for part in parts(tokens, brackets, Range(at + 2, brackets[at + 1])):
            if part.start + 1 < part.stop and tokens[part.start + 1].text in (":=", "=>"):
                yield function, part.start
