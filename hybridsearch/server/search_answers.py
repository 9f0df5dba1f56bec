"""What does a search answer over HTTP?

`answer` lays a `SearchResult` out in the shape of the Meilisearch API: hits with their underscored
extras, totals of the kind that was asked for, facets, times. Totals are exact in both kinds.

    answer(snapshot, request, view, result)          # {"hits": [...], "query": "space", ...}
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hybridsearch.arrays import Rows
from hybridsearch.columns import nested
from hybridsearch.extraction import project
from hybridsearch.geo import located, metres
from hybridsearch.query import Query
from hybridsearch.request import Hit, SearchRequest, SearchResult
from hybridsearch.server.formatting import Look, formatted, matches
from hybridsearch.server.ranking_details import details
from hybridsearch.server.search_fields import View
from hybridsearch.snapshot import Snapshot

__all__ = ["METADATA", "answer", "hits", "metadata", "pages", "performance", "request_uid"]

METADATA = "meili-include-metadata"


def answer(
    snapshot: Snapshot, request: SearchRequest, view: View, result: SearchResult
) -> dict[str, Any]:
    """The body of the answer, without what names the index or the request."""
    found = {
        "hits": hits(snapshot, request, view, result.hits),
        "query": view.query,
        "processingTimeMs": int(result.seconds * 1000),
        **pages(view, result.total),
    }
    if view.facets:
        found |= {"facetDistribution": result.facets, "facetStats": result.facet_stats}
    if view.semantic:
        found["semanticHitCount"] = sum(hit.semantic_rank is not None for hit in result.hits)
    if result.degraded is not None:
        found["degraded"] = True
    if view.performance:
        found["performanceDetails"] = performance(result)
    return found


def hits(
    snapshot: Snapshot, request: SearchRequest, view: View, found: Sequence[Hit]
) -> list[dict[str, Any]]:
    """The hits as the view wants them."""
    if view.look and not _is_known(snapshot, view.look):
        view = replace(view, look=None)
    vectors = snapshot.vectors(_rows(found)) if view.vectors else []
    is_read = found and (view.look or view.positions or view.details)
    query = snapshot.asked(request) if is_read else Query()
    laid = [_hit(snapshot, view, query, hit) for hit in found]
    for hit, own in zip(laid, vectors, strict=False):
        hit["_vectors"] = own
    return laid


def pages(view: View, total: int) -> dict[str, int]:
    """The figures of paging, of the kind that was asked for."""
    total = total if view.most is None else min(total, view.most)
    if view.pages is None:
        return {"limit": view.limit, "offset": view.offset, "estimatedTotalHits": total}
    page, size = view.pages
    count = -(-total // size) if size else 0
    return {"hitsPerPage": size, "page": page, "totalPages": count, "totalHits": total}


def performance(result: SearchResult) -> dict[str, str]:
    """Step -> how long it took, in words."""
    steps = {f"search > {name}": _time(seconds) for name, seconds in result.stages.items()}
    return {**steps, "search": _time(result.seconds)}


def metadata(uid: str, snapshot: Snapshot) -> dict[str, Any]:
    """What the header Meili-Include-Metadata asks for."""
    key = snapshot.state.primary_key
    found = {"queryUid": str(uuid.uuid4()), "indexUid": uid}
    return found if key is None else {**found, "primaryKey": key}


def request_uid() -> dict[str, str]:
    """A number for this request that no other has."""
    return {"requestUid": str(uuid.uuid4())}


def _hit(snapshot: Snapshot, view: View, query: Query, hit: Hit) -> dict[str, Any]:
    document, analyzers = hit.document, snapshot.state.analyzers
    found = dict(document) if view.retrieve is None else project(document, view.retrieve)
    if view.look is not None:
        shown = _shown(document, view.retrieve, view.look)
        found["_formatted"] = formatted(shown, analyzers, query, view.look)
    if view.positions:
        found["_matchesPosition"] = matches(document, analyzers, query)
    if view.score:
        found["_rankingScore"] = hit.relevance
    if view.details:
        found["_rankingScoreDetails"] = details(snapshot.state, query, hit)
    place = located(document) if view.near else None
    if view.near and place:
        found["_geoDistance"] = round(metres(view.near, place))
    return found


def _shown(
    document: Mapping[str, Any], retrieve: Sequence[str] | None, look: Look
) -> dict[str, Any]:
    """What `_formatted` holds: what is retrieved, and whatever else is to be marked or cropped."""
    wanted = (*("*" if retrieve is None else retrieve), *look.highlight, *look.crop)
    return dict(document) if "*" in wanted else project(document, wanted)


def _is_known(snapshot: Snapshot, look: Look) -> bool:
    """Whether any attribute that is to be marked or cropped exists."""
    columns = snapshot.state.columns
    names = (*look.highlight, *look.crop)
    return any("*" in name or nested(name, columns)[0] is not None for name in names)


def _rows(found: Sequence[Hit]) -> Rows:
    return np.array([hit.row for hit in found], np.int64)


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.2f}ms" if seconds >= 0.001 else f"{seconds * 1e6:.2f}µs"
