"""How do several searches become one list?

Each search of a federated multi-search ranks by itself; then the hits stand in the order of their
relevance times the weight of their search (ties: the earlier search, then the better place), each
document once, at its best place, and with `distinct` each value once. Where all searches sort, and
alike (`joint_order`), the values that they sort by come before relevance. A page of n hits needs n
of each search, so the list does not depend on where pages are cut. Totals and facets are exact:
they count the union of the result sets, not the sum.

    federated(call, queries, federation)        # {"hits": [...], "limit": 20, ...}
"""

from __future__ import annotations

import heapq
import itertools
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hybridsearch.arrays import Mask
from hybridsearch.errors import HybridSearchError
from hybridsearch.facets import listed
from hybridsearch.kept_settings import most_hits
from hybridsearch.request import Hit, SearchRequest, SearchResult
from hybridsearch.server.call import Call, checked_uid
from hybridsearch.server.fields import Field, read_object
from hybridsearch.server.joint_order import Place, place_of, sort_alike
from hybridsearch.server.search import ask
from hybridsearch.server.search_answers import (
    METADATA,
    hits,
    metadata,
    pages,
    performance,
    request_uid,
)
from hybridsearch.server.search_fields import View, inside, read_search
from hybridsearch.server.wire import Refused
from hybridsearch.snapshot import Snapshot

__all__ = ["FEDERATION_FIELDS", "OPTIONS", "federated"]

LIMIT = 20
MOST_VALUES = 100
OPTIONS = Field(
    "federationOptions", "object", "invalid_multi_search_federation_options",
    help="weight, queryPosition: how the search counts in a federation.",
)  # fmt: skip
OPTION_FIELDS = (
    Field("weight", "number", "invalid_multi_search_weight"),
    Field("remote", "text", "invalid_multi_search_remote"),
    Field("queryPosition", "whole", "invalid_multi_search_query_position"),
)
FEDERATION_FIELDS = (
    Field("limit", "whole", "invalid_search_limit"),
    Field("offset", "whole", "invalid_search_offset"),
    Field("page", "whole", "invalid_search_page"),
    Field("hitsPerPage", "whole", "invalid_search_hits_per_page"),
    Field("facetsByIndex", "object", "invalid_multi_search_facets_by_index"),
    Field("mergeFacets", "object", "invalid_multi_search_merge_facets"),
    Field("distinct", "text", "invalid_search_distinct"),
    Field("showPerformanceDetails", "boolean", "invalid_search_show_performance_details"),
)
MERGE_FIELDS = (Field("maxValuesPerFacet", "whole", "invalid_multi_search_max_values_per_facet"),)
PAGING = ("limit", "offset", "page", "hitsPerPage")

Counted = tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]
"""facet -> value -> count, and facet -> its least and greatest number."""


@dataclass(frozen=True)
class _Part:
    """One search of the federation: its place among them, and what it asks and found."""

    position: int
    uid: str
    weight: float
    snapshot: Snapshot
    request: SearchRequest
    view: View
    result: SearchResult


@dataclass(frozen=True)
class _Ranked:
    """One hit of one search, with what it weighs."""

    score: float
    part: _Part
    hit: Hit


def federated(
    call: Call, queries: Sequence[Mapping[str, Any]], federation: Mapping[str, Any]
) -> dict[str, Any]:
    """The answer to all searches as one. Raises Refused and what the engine raises."""
    started = time.perf_counter()
    given = read_object(dict(federation), FEDERATION_FIELDS, at=".federation")
    page = read_search({name: given[name] for name in PAGING if name in given})[1]
    parts = _parts(call, queries, page, given.get("distinct"))
    members = _members(parts)
    merged = list(_merged(parts, given.get("distinct")))[page.offset : page.offset + page.limit]
    found = {
        "hits": _laid(merged),
        "processingTimeMs": int((time.perf_counter() - started) * 1000),
        **pages(page, _total(members, given.get("distinct"))),
        **_facets(given, members),
    }
    if any(part.view.semantic for part in parts):
        found["semanticHitCount"] = sum(item.hit.semantic_rank is not None for item in merged)
    if any(part.result.degraded is not None for part in parts):
        found["degraded"] = True
    if given.get("showPerformanceDetails"):
        found["performanceDetails"] = _performance(parts)
    if call.headers.get(METADATA, "").lower() == "true":
        found["metadata"] = [metadata(part.uid, part.snapshot) for part in parts]
    return {**found, **request_uid()}


def _parts(
    call: Call, queries: Sequence[Mapping[str, Any]], page: View, distinct: str | None
) -> list[_Part]:
    snapshots: dict[str, Snapshot] = {}
    parts = []
    for position, fields in enumerate(queries):
        with inside(f".queries[{position}]"):
            uid = checked_uid(fields["indexUid"])
            if uid not in snapshots:
                snapshots[uid] = call.snapshot(uid)
            _check_query(fields)
            options = _options(fields, position, len(queries))
            request, view = read_search(fields)
            own, depth = distinct or request.distinct, page.offset + page.limit
            limit = min(depth, _most(snapshots[uid]))
            request = replace(request, offset=0, limit=limit, distinct=own)
            result = ask(snapshots[uid], request)
        weight, place = float(options["weight"]), int(options["queryPosition"])
        parts.append(_Part(place, uid, weight, snapshots[uid], request, view, result))
    return parts


def _check_query(fields: Mapping[str, Any]) -> None:
    for name in PAGING:
        if fields.get(name) is not None:
            raise Refused(
                f"a query of a federation has no pages of its own: put `{name}` inside"
                " `.federation`",
                code="invalid_multi_search_query_pagination",
            )
    if fields.get("facets") is not None:
        raise Refused(
            "a query of a federation has no facets of its own: put them inside"
            " `.federation.facetsByIndex`",
            code="invalid_multi_search_query_facets",
        )


def _options(fields: Mapping[str, Any], position: int, count: int) -> dict[str, Any]:
    given = read_object(
        fields.get("federationOptions") or {}, OPTION_FIELDS, at=".federationOptions"
    )
    found = {"weight": 1.0, "queryPosition": position, **given}
    if found["weight"] < 0:
        raise Refused(
            "Invalid value at `.federationOptions.weight`: the value of `weight` is invalid,"
            " expected a positive float (>= 0.0).",
            code="invalid_multi_search_weight",
        )
    if "remote" in given:
        raise Refused(
            "This server has no remotes to search, as `.federationOptions.remote` asks; send the"
            " query to that server.",
            code="invalid_multi_search_remote",
        )
    if found["queryPosition"] >= count:
        raise Refused(
            f"There are {count} queries, counted from 0: `.federationOptions.queryPosition` is"
            " beyond them.",
            code="invalid_multi_search_query_position",
        )
    return found


def _merged(parts: Sequence[_Part], distinct: str | None) -> Iterator[_Ranked]:
    """The hits in order, each document once and each value of `distinct` once.

    An index gives no more of them than its setting `pagination.maxTotalHits` says.
    """
    labels = {uid: _labels(parts, uid, distinct) for uid in {part.uid for part in parts}}
    seen: set[tuple[str, int]] = set()
    values: set[str] = set()
    left = {part.uid: _most(part.snapshot) for part in parts}
    for item in _in_order(parts):
        document = (item.part.uid, item.hit.row)
        value = labels[item.part.uid].get(item.hit.row)
        if document not in seen and value not in values and left[item.part.uid]:
            left[item.part.uid] -= 1
            yield item
        seen.add(document)
        if value is not None:
            values.add(value)


def _in_order(parts: Sequence[_Part]) -> Iterable[_Ranked]:
    """Every hit of every search: by the values that all of them sort by, else by its score."""
    found = [
        [_Ranked(hit.relevance * part.weight, part, hit) for hit in part.result.hits]
        for part in parts
    ]
    if not sort_alike([part.request.sort for part in parts]):
        return sorted(itertools.chain(*found), key=lambda item: -item.score)
    placed = [
        zip(_places(part), items, strict=True) for part, items in zip(parts, found, strict=True)
    ]
    merged = heapq.merge(*placed, key=lambda one: (one[0], -one[1].score))
    return (item for _, item in merged)


def _places(part: _Part) -> list[Place]:
    """What each hit of a search is sorted by, whether or not the hits show it."""
    rows = np.array([hit.row for hit in part.result.hits], np.int64)
    return [place_of(one, part.request.sort) for one in part.snapshot.documents(rows)]


def _labels(parts: Sequence[_Part], uid: str, distinct: str | None) -> dict[int, str]:
    """Row -> its first value of `distinct`, for the hits of an index that have one."""
    if distinct is None:
        return {}
    own = [part for part in parts if part.uid == uid]
    state = own[0].snapshot.state
    column = state.selection.facet(distinct, state.columns, size=state.size)
    codes = column.first(state.size)
    hits = {hit.row for part in own for hit in part.result.hits}
    rows = [row for row in hits if codes[row] >= 0]
    return dict(zip(rows, column.named(codes[rows]), strict=True))


def _laid(merged: Sequence[_Ranked]) -> list[dict[str, Any]]:
    """The hits as their searches want them, each with where it comes from."""
    shown: dict[int, dict[str, Any]] = {}
    for part in {id(item.part): item.part for item in merged}.values():
        own = [item for item in merged if item.part is part]
        laid = hits(part.snapshot, part.request, part.view, [item.hit for item in own])
        for item, hit in zip(own, laid, strict=True):
            hit["_federation"] = {
                "indexUid": part.uid,
                "queriesPosition": part.position,
                "weightedRankingScore": item.score,
            }
            shown[id(item)] = hit
    return [shown[id(item)] for item in merged]


def _members(parts: Sequence[_Part]) -> dict[str, tuple[Snapshot, Mask]]:
    """Index -> which of its rows any of the searches found."""
    found: dict[str, tuple[Snapshot, Mask]] = {}
    for part in parts:
        request = part.request
        if part.result.degraded is not None:
            request = replace(request, mode="keyword")
        own = part.snapshot.members(request)
        before = found.get(part.uid)
        found[part.uid] = (part.snapshot, own if before is None else own | before[1])
    return found


def _most(snapshot: Snapshot) -> int:
    """How many hits of an index a federation may have."""
    found = most_hits(snapshot.state.settings.kept)
    return sys.maxsize if found is None else found


def _total(members: Mapping[str, tuple[Snapshot, Mask]], distinct: str | None) -> int:
    most = sum(min(int(np.count_nonzero(mask)), _most(one)) for one, mask in members.values())
    return most if distinct is None else min(_values(members, distinct), most)


def _values(members: Mapping[str, tuple[Snapshot, Mask]], distinct: str) -> int:
    """How many documents are left when each value counts once."""
    values: set[str] = set()
    without = 0
    for snapshot, mask in members.values():
        state = snapshot.state
        column = state.selection.facet(distinct, state.columns, size=state.size)
        codes = column.first(state.size)[mask]
        without += int(np.count_nonzero(codes < 0))
        values.update(column.named(np.unique(codes[codes >= 0])))
    return len(values) + without


def _facets(
    given: Mapping[str, Any], members: Mapping[str, tuple[Snapshot, Mask]]
) -> dict[str, Any]:
    """What is counted: by index, or merged when that was asked for."""
    wanted = {uid: names for uid, names in (given.get("facetsByIndex") or {}).items() if names}
    if given.get("facetsByIndex") is None:
        return {}
    merge = given.get("mergeFacets")
    if merge is None:
        counted = {uid: _facets_of(Snapshot.facets_of, uid, wanted, members) for uid in wanted}
        names = ("distribution", "stats")
        return {
            "facetsByIndex": {
                uid: dict(zip(names, found, strict=True)) for uid, found in counted.items()
            }
        }
    most = read_object(merge, MERGE_FIELDS, at=".federation.mergeFacets")
    every = {uid: _facets_of(Snapshot.facet_counts, uid, wanted, members) for uid in wanted}
    orders = _orders({uid: (members[uid][0], counts) for uid, (counts, _) in every.items()})
    return _together(list(every.values()), orders, most.get("maxValuesPerFacet", MOST_VALUES))


def _facets_of(
    count: Callable[[Snapshot, Sequence[str], Mask], Counted],
    uid: str,
    wanted: Mapping[str, Any],
    members: Mapping[str, tuple[Snapshot, Mask]],
) -> Counted:
    at, names = f".federation.facetsByIndex.{uid:.80}", wanted[uid]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refused(
            f"Invalid value type at `{at}`: expected an array of strings",
            code="invalid_multi_search_facets_by_index",
        )
    if uid not in members:
        raise Refused(
            f"Inside `{at}`: index `{uid:.80}` is not used in queries",
            code="invalid_multi_search_facets",
        )
    snapshot, mask = members[uid]
    try:
        return count(snapshot, names, mask)
    except HybridSearchError as error:
        raise Refused(
            f"Inside `{at}`: {error.message}", code="invalid_multi_search_facets"
        ) from None


def _orders(counted: Mapping[str, tuple[Snapshot, Mapping[str, Any]]]) -> dict[str, str]:
    """Facet -> how its values are listed, on which all indexes that have it have to agree."""
    found: dict[str, tuple[str, str]] = {}
    for uid, (snapshot, counts) in counted.items():
        for name in counts:
            order = snapshot.state.settings.facet_order(name)
            first, other = found.setdefault(name, (order, uid))
            if first != order:
                raise Refused(
                    f"Inconsistent order for values in facet `{name:.80}`: index `{other}` orders"
                    f" by {first}, but index `{uid}` by {order}. Remove `federation.mergeFacets`,"
                    " or make `faceting.sortFacetValuesBy` agree in their settings.",
                    code="invalid_multi_search_facet_order",
                )
    return {name: order for name, (order, _) in found.items()}


def _together(found: Sequence[Counted], orders: Mapping[str, str], most: int) -> dict[str, Any]:
    counts: dict[str, dict[str, int]] = {}
    stats: dict[str, dict[str, float]] = {}
    for distribution, ends_of in found:
        for name, values in distribution.items():
            own = counts.setdefault(name, {})
            for value, count in values.items():
                own[value] = own.get(value, 0) + count
        for name, ends in ends_of.items():
            own_ends = stats.setdefault(name, dict(ends))
            own_ends["min"] = min(own_ends["min"], ends["min"])
            own_ends["max"] = max(own_ends["max"], ends["max"])
    shown = {name: listed(own, order=orders[name], limit=most) for name, own in counts.items()}
    return {"facetDistribution": shown, "facetStats": stats}


def _performance(parts: Sequence[_Part]) -> dict[str, str]:
    return {
        f"{part.position} {part.uid} > {step}": took
        for part in parts
        for step, took in performance(part.result).items()
    }
