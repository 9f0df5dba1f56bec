"""How is one index asked what calls of search() and similar() in SQL ask of it?

    requests = [request_of(engine, call) for call in calls]
    places(engine, requests)                         # for each of them, in order

An index over a source of the user's writes ids in a way of its own; they are turned here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeAlias

import numpy as np

from hybridsearch.analysis import Analyzer
from hybridsearch.document_table import DocumentTable
from hybridsearch.errors import QueryError, near
from hybridsearch.kept_settings import custom_rules
from hybridsearch.planning import CANDIDATES
from hybridsearch.ranking import Pages, Places
from hybridsearch.request import SearchRequest
from hybridsearch.row_ids import INTEGERS, RowIds
from hybridsearch.snapshot import Snapshot
from hybridsearch.sql.calls import Call, request
from hybridsearch.state import State
from hybridsearch.store import IndexRecord
from hybridsearch.ties import Order


class Searchable(Protocol):
    """What has to be known of an index; `engine.Engine` is one."""

    snapshot: Snapshot
    documents: DocumentTable
    record: IndexRecord
    row_ids: RowIds


Ask: TypeAlias = Callable[[Searchable, Sequence[SearchRequest]], list[Places]]


def request_of(engine: Searchable, call: Call) -> SearchRequest:
    """The call as a request to this index, checked. Raises QueryError or VectorError."""
    snapshot = engine.snapshot
    ids, mode = own_ids(engine, call.ids), call.mode or usual_mode(engine)
    limited = _limited(snapshot.state, call)
    made = request(limited._replace(ids=ids, mode=mode), count=snapshot.count)
    if call.numbers is not None:
        wanted = np.frombuffer(call.numbers, np.int64)
        made = replace(made, rows=engine.row_ids.rows(wanted, size=snapshot.state.size))
    return made if ids is None else _by_rows(engine, made, ids)


def _by_rows(engine: Searchable, made: SearchRequest, ids: Sequence[str]) -> SearchRequest:
    """The request for the rows of its ids, where they are known; rows are those allowed besides."""
    found = engine.row_ids.among(ids, size=engine.snapshot.state.size)
    if found is None:
        return made
    rows = found if made.rows is None else np.intersect1d(found, made.rows)
    return replace(made, ids=None, rows=rows)


def _limited(state: State, call: Call) -> Call:
    """The call for as many as the best by score have to be among, with the usual candidates."""
    if call.most is None or any(custom_rules(state.settings.kept)):
        return call
    candidates = CANDIDATES if call.candidates is None else call.candidates
    return call._replace(k=call.most, candidates=candidates)


def usual_mode(engine: Searchable) -> str | None:
    """The mode that a search index was made with; None where what there is decides."""
    options = (engine.record.attached or {}).get("options", {})
    mode: str | None = options.get("mode")
    return mode


def own_ids(engine: Searchable, ids: Sequence[str] | None) -> tuple[str, ...] | None:
    """The ids as this index writes them."""
    return None if ids is None else tuple(engine.row_ids.texts(ids))


def analyzer_of(engine: Searchable, field: str | None) -> Analyzer:
    """The analyser of an attribute, or the index's usual one.

    Raises QueryError for an attribute whose words are not searched.
    """
    state = engine.snapshot.state
    known = state.keyword.attributes
    if field is None:
        return state.analyzer
    if field not in known:
        raise QueryError(f'no searchable attribute "{field}"{near(field, known)}', field="field")
    return state.analyzers.of(field)


def places(engine: Searchable, requests: Sequence[SearchRequest]) -> list[Places]:
    """What each request finds, in order; equal scores go by key."""
    return engine.snapshot.places(requests, tied=_by_key(engine))


def pages(engine: Searchable, request: SearchRequest, queries: Sequence[str]) -> Pages | None:
    """What the request finds for each query; None where it is not asked by words alone."""
    return engine.snapshot.pages(request, queries, tied=_by_key(engine))


def places_like(engine: Searchable, requests: Sequence[SearchRequest]) -> list[Places]:
    """What is most like the document whose key is the query of each request, in order."""
    keys = [asked.query or "" for asked in requests]
    own = [(own_ids(engine, [key]) or (key,))[0] for key in keys]  # else it is nobody's
    made = [replace(asked, query=None) for asked in requests]
    tied, find = _by_key(engine), engine.snapshot.places_like
    return [find(*each, tied=tied) for each in zip(own, made, strict=True)]


def _by_key(engine: Searchable) -> Order:
    """The order of rows by their keys, as DuckDB orders the column of keys."""
    state = engine.snapshot.state
    column = state.columns.get(state.primary_key or "")
    own = engine.record.attached is None and column is not None and column.type in INTEGERS
    kind = column.type if column is not None and own else engine.row_ids.kind
    return partial(engine.row_ids.places, kind=kind)
