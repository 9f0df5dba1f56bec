"""In which shape do the answers of the SQL functions reach DuckDB?

Each function gives a list of structs for every row that it is asked for. The hits of all calls of a
batch are laid into one set of arrays, whose making costs as much as that of a single call's.

    hit_lists([(scores, places), None])       # Arrow: a list of hits, an empty list
    struct_lists(TOKEN, [[(1, "red"), (2, "shoe")]])

A `Later` is a table that DuckDB reads by its name, made anew whenever it is read.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from threading import RLock
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hybridsearch.arrays import Rows, Scores
from hybridsearch.errors import Conflict
from hybridsearch.jsontext import dumps
from hybridsearch.ranking import Fragment, Pages, Places
from hybridsearch.sql.raised import remembered

__all__ = [
    "FACET",
    "HIT",
    "PLACE",
    "SUGGESTION",
    "TOKEN",
    "Later",
    "Lease",
    "Shown",
    "hit_columns",
    "hit_lists",
    "page_lists",
    "struct_lists",
]

HIT = {
    "_row": "BIGINT",
    "_rank": "BIGINT",
    "_score": "DOUBLE",
    "_keyword_rank": "BIGINT",
    "_keyword_score": "DOUBLE",
    "_semantic_rank": "BIGINT",
    "_semantic_score": "DOUBLE",
    "_highlight": "VARCHAR",
}
PLACE = "_place"
"""Where the row of a hit stands in the user's table, beside the fields of a hit."""
FACET = {"field": "VARCHAR", "value": "VARCHAR", "count": "BIGINT"}
TOKEN = {"position": "BIGINT", "term": "VARCHAR"}
SUGGESTION = {"term": "VARCHAR", "count": "BIGINT"}
ARROW = {"BIGINT": pa.int64(), "DOUBLE": pa.float64(), "VARCHAR": pa.string()}

Shown: TypeAlias = tuple[Scores, Places]
"""Hits with the scores that are shown of them."""


class Lease:
    """What a relation, those made of it and its tables hold; `back` is called once none is left.

    lend: to be called where somebody gets what may run any statement on its connection. reading:
    held by whoever runs one.
    """

    def __init__(self, back: Callable[[], None], lend: Callable[[], None]) -> None:
        self._end = weakref.finalize(self, back)
        self._end.atexit = False
        self.lend = lend
        self.reading = RLock()

    def keep(self) -> None:
        """Never call it, because something is read on that holds no lease."""
        self._end.detach()


class Later:
    """A table whose columns are known before its rows are; `make` gives them at each reading."""

    def __init__(self, schema: pa.Schema, make: Callable[[], pa.Table]) -> None:
        self._schema = schema
        self._make = make
        self.lease: Lease | None = None

    def __arrow_c_schema__(self) -> object:
        """What DuckDB asks when it binds a statement."""
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """What DuckDB asks when it runs it. Raises Conflict where a column is gone or another."""
        made = self._make()
        if made.schema != self._schema:
            try:
                made = made.select(self._schema.names).cast(self._schema)
            except (KeyError, pa.ArrowInvalid, pa.ArrowNotImplementedError):
                error = Conflict(
                    "the index has other columns than when this relation was made; make it anew"
                )
                remembered(error)
                raise error from None
        return made.__arrow_c_stream__(requested_schema)


def hit_lists(answers: Sequence[Shown | None]) -> pa.Array:
    """The hits of each call as a list of structs of `HIT`; None is an empty list."""
    lengths = [0 if answer is None else len(answer[0]) for answer in answers]
    return _lists(HIT, [0, *np.cumsum(lengths).tolist()], hit_columns(answers))


def hit_columns(answers: Sequence[Shown | None]) -> list[pa.Array]:
    """The same hits one after the other, an array for each field of `HIT`."""
    found = [answer for answer in answers if answer is not None]
    places = [each for _, each in found]
    counts = np.array([0 if answer is None else len(answer[0]) for answer in answers], np.int64)
    return _columns(
        counts,
        _joined(found, lambda answer: answer[0], np.float64),
        _joined(places, lambda each: each.rows, np.int64),
        _joined(places, lambda each: each.keyword_ranks, np.int64),
        _joined(places, lambda each: each.keyword_scores, np.float64),
        _joined(places, lambda each: each.semantic_ranks, np.int64),
        _joined(places, lambda each: each.semantic_scores, np.float64),
        _highlights(places, int(counts.sum())),
    )


def page_lists(pages: Pages, shown: Scores) -> pa.Array:
    """The hits of many calls as a list for each; shown: the scores that are shown of them."""
    places = pages.places
    columns = _columns(
        pages.counts,
        shown.astype(np.float64),
        places.rows,
        places.keyword_ranks,
        places.keyword_scores.astype(np.float64),
        places.semantic_ranks,
        places.semantic_scores.astype(np.float64),
        pa.nulls(len(places.rows), pa.string()),
    )
    return _lists(HIT, [0, *np.cumsum(pages.counts).tolist()], columns)


def _columns(
    counts: Rows,
    shown: Scores,
    rows: Rows,
    keyword_ranks: Rows,
    keyword_scores: Scores,
    semantic_ranks: Rows,
    semantic_scores: Scores,
    highlights: pa.Array,
) -> list[pa.Array]:
    """An array for each field of `HIT`, of so many hits for each call."""
    ends = np.cumsum(counts)
    return [
        pa.array(rows),
        pa.array(np.arange(1, int(counts.sum()) + 1) - np.repeat(ends - counts, counts)),
        pa.array(shown),
        *_arm(keyword_ranks, keyword_scores),
        *_arm(semantic_ranks, semantic_scores),
        highlights,
    ]


def struct_lists(fields: Mapping[str, str], answers: Sequence[Sequence[Sequence[Any]]]) -> pa.Array:
    """The rows of each answer, values in the order of the fields, as a list of structs."""
    rows = list(chain.from_iterable(answers))
    columns: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else ([] for _ in fields)
    ends = np.cumsum([0, *(len(answer) for answer in answers)]).tolist()
    made = [
        pa.array(list(column), ARROW[kind])
        for column, kind in zip(columns, fields.values(), strict=True)
    ]
    return _lists(fields, ends, made)


def _lists(fields: Mapping[str, str], ends: list[int], columns: list[pa.Array]) -> pa.Array:
    structs = pa.StructArray.from_arrays(columns, names=list(fields))
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), structs)


def _joined(parts: Sequence[Any], of: Callable[[Any], Any], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *(of(part) for part in parts)]).astype(
        dtype, copy=False
    )


def _arm(ranks: Rows, scores: Scores) -> tuple[pa.Array, pa.Array]:
    """Rank and score in one arm, null where it has not found the row."""
    absent = ranks == 0
    return pa.array(ranks, mask=absent), pa.array(scores, mask=absent)


def _fragments(found: Mapping[str, Sequence[Fragment]]) -> dict[str, Any]:
    """The same as `relation.FRAGMENTS`; SQL counts characters from 1."""
    return {
        name: [
            {
                "text": one.marked,
                "spans": [{"start": start + 1, "length": length} for start, length in one.spans],
            }
            for one in some
        ]
        for name, some in found.items()
    }


def _highlights(places: Sequence[Places], count: int) -> pa.Array:
    """JSON texts, null for the hits of calls that did not ask for them."""
    if not any(each.highlights for each in places):
        return pa.nulls(count, pa.string())
    texts: list[str | None] = []
    for each in places:
        given = [dumps(_fragments(marked)).decode() for marked in each.highlights]
        texts += given or [None] * len(each.rows)
    return pa.array(texts, pa.string())
