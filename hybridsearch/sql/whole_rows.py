"""Does a whole row hold what `row @@@ 'title:shoe -body:boots red'` asks for?

A row comes as the JSON of a STRUCT. A word, phrase, beginning* or word~1 with a name before it
looks into that attribute, whatever it is; one without into every text of the row. All must be
there, each in any of them, and nothing excluded. An attribute that is null holds nothing, so what
is excluded of it is not there; a row or query that is null gives null.

    holds_row(['{"title": "Red shoes", "year": 2021}'], ["title:shoe* year:2021 -boots"])   # [True]

A name that the row has not is an error; quotes make `"re:start"` text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from hybridsearch.errors import QueryError, near
from hybridsearch.jsontext import finite, loads
from hybridsearch.sql.matching import PLAIN, Answers, Texts, holds_together

__all__ = ["NO_ATTRIBUTE", "Part", "holds_attributes", "holds_row", "named_parts"]

NO_ATTRIBUTE = "the row has no attribute"
"""How what is wrong with a name begins."""
_piece = re.compile(r'(-?)(?:([^\W\d][\w.]*):(?=\S)(?!//))?("[^"]*"?(?:~\d+)?|\S+)').finditer


class Part(NamedTuple):
    """What is asked of one attribute, its name in small letters; of every text where it is None.

    written: the name as it was written.
    """

    name: str | None
    query: str
    written: str = ""


def holds_row(rows: Texts, queries: Texts) -> Answers:
    """Each row, as JSON, holds everything that its query asks for.

    Raises QueryError for the name of an attribute that the row has not.
    """
    return [
        None if row is None or query is None else holds_attributes(_read(row), query)
        for row, query in zip(rows, queries, strict=True)
    ]


def _read(row: str) -> Mapping[str, Any]:
    """The row; numbers that are none, which DuckDB writes as no JSON, are null."""
    found: dict[str, Any] = loads(finite(row.encode()))
    return found


@lru_cache(maxsize=256)
def named_parts(query: str) -> tuple[Part, ...]:
    """What the query asks, one part for each attribute that it names."""
    found: dict[str | None, tuple[str, list[str]]] = {}
    for match in _piece(query):
        minus, written, rest = match.groups()
        name = written.lower() if written else None
        found.setdefault(name, (written or "", []))[1].append(minus + rest)
    return tuple(Part(name, " ".join(pieces), written) for name, (written, pieces) in found.items())


def holds_attributes(row: Mapping[str, Any], query: str) -> bool:
    """The same of one row, attribute -> value. Raises QueryError."""
    attributes = {name.lower(): value for name, value in row.items()}
    answers = [
        holds_together(_terms(attributes, row, part), part.query) for part in named_parts(query)
    ]
    told = [answer for answer in answers if answer is not None]
    return bool(told) and all(told)


def _terms(attributes: Mapping[str, Any], row: Mapping[str, Any], part: Part) -> list[list[str]]:
    """The terms of each text that the part looks into."""
    if part.name is None:
        texts = [text for value in row.values() for text in _texts(value, numbers=False)]
    else:
        texts = list(_texts(_value(attributes, row, part), numbers=True))
    return [PLAIN.terms(text) for text in texts]


def _value(attributes: Mapping[str, Any], row: Mapping[str, Any], part: Part) -> Any:
    name = part.name or ""
    if name in attributes:
        return attributes[name]
    head, *path = name.split(".")
    if not path or head not in attributes:
        raise QueryError(
            f'{NO_ATTRIBUTE} "{part.written}"{near(part.written, row)}'
            " (words in quotes may hold a colon)",
            field=part.written,
        )
    value = attributes[head]
    for step in path:
        inner = value.items() if isinstance(value, dict) else ()
        value = {key.lower(): each for key, each in inner}.get(step)
    return value


def _texts(value: Any, *, numbers: bool) -> Iterator[str]:
    """The texts in a value; numbers and truth too if they are asked for."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each, numbers=numbers)
    elif numbers and value is not None:
        yield str(value).lower() if isinstance(value, bool) else str(value)
