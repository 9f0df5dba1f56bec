"""How are the calls of a whole batch answered at once?

A LATERAL join asks search() of up to 2,048 rows in one call, whose arguments but the query are
mostly the same. Such a batch is checked and planned once, if it is by words alone, and its answer
is laid out in arrays that hold the hits of all.

    answered(columns, engine)          # an Arrow array with a list of hits for each row, or None
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from hybridsearch.arrays import Scores
from hybridsearch.ranking import Pages
from hybridsearch.sql.asking import Searchable, pages, request_of
from hybridsearch.sql.calls import Call, options, scores
from hybridsearch.sql.hits import page_lists

__all__ = ["answered"]

FEWEST = 2
QUERY = 1
NUMBERS = pa.list_(pa.int64())


def answered(
    columns: Sequence[pa.ChunkedArray], engine: Callable[[str | None], Searchable]
) -> pa.Array | None:
    """The hits of each row; engine: the index of a name.

    columns: index, query, the JSON of most arguments, and the others as a `Call` has them.

    None for rows that are better answered one by one: those that differ in more than the query,
    or are not by words alone. Raises HybridSearchError for what is wrong with the arguments.
    """
    queries = columns[QUERY].to_pylist()
    distinct = list(dict.fromkeys(query for query in queries if query is not None))
    if len(distinct) < FEWEST:
        return None
    values = [None if at == QUERY else _only(column) for at, column in enumerate(columns)]
    if any(value is ... for value in values):
        return None
    uid, _, given, *rest = values
    lists = _found(engine(uid), Call(uid, None, *rest, *options(given)), distinct)
    if lists is None:
        return None
    places: dict[str | None, int] = {query: at for at, query in enumerate(distinct)}
    places[None] = len(distinct)
    return lists.take(pa.array([places[query] for query in queries], pa.int64()))


def _found(searched: Searchable, call: Call, queries: Sequence[str]) -> pa.Array | None:
    """The hits of each query, and none behind them."""
    request = request_of(searched, call)
    found = pages(searched, request, queries)
    if found is None:
        return None
    kept, shown = _passing(found, scores(request, found.places), call.min_score)
    return page_lists(replace(kept, counts=np.append(kept.counts, 0)), shown)


def _passing(found: Pages, shown: Scores, least: float | None) -> tuple[Pages, Scores]:
    """The hits that score no less, with their scores."""
    if least is None:
        return found, shown
    keep = shown >= least
    searches = np.repeat(np.arange(len(found.counts)), found.counts)
    counts = np.bincount(searches[keep], minlength=len(found.counts))
    return replace(found, counts=counts, places=found.places.where(keep)), shown[keep]


def _only(column: pa.ChunkedArray) -> Any:
    """The value that all rows have, as a `Call` holds it; `...` if they differ."""
    if column.null_count == len(column):
        return None
    if column.type == NUMBERS:
        return ...
    if pa.types.is_list(column.type):
        lists = column.to_pylist()
        same = lists[0] is not None and lists.count(lists[0]) == len(lists)
        return tuple(lists[0]) if same else ...
    values = column.unique()
    return values[0].as_py() if len(values) == 1 else ...
