"""Which documents are like one that is there, over HTTP?

`POST` and `GET /indexes/{uid}/similar`: by the document's vector of the embedder named; a document
without one is compared by the words that tell it apart. It is never among its own likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hybridsearch.errors import HybridSearchError, NotFound
from hybridsearch.request import SearchRequest, SearchResult
from hybridsearch.server.call import Body, Call, Route
from hybridsearch.server.fields import Field, named
from hybridsearch.server.search_answers import hits, pages, performance
from hybridsearch.server.search_fields import View, check_share, recoded
from hybridsearch.server.wire import Refused, Reply, json_reply
from hybridsearch.snapshot import Snapshot

__all__ = ["ROUTES"]

LIMIT = 20
FIELDS = (
    Field("id", "any", "invalid_similar_id", missing="missing_similar_id", help="The document."),
    Field("embedder", "text", "invalid_similar_embedder", missing="invalid_similar_embedder",
          help="Whose vectors to compare."),
    Field("limit", "whole", "invalid_similar_limit", help="How many hits to return, 20 if absent."),
    Field("offset", "whole", "invalid_similar_offset", help="How many hits to skip."),
    Field("filter", "filter", "invalid_similar_filter", help="As in a search."),
    Field("attributesToRetrieve", "texts", "invalid_similar_attributes_to_retrieve",
          help="What hits show."),
    Field("retrieveVectors", "boolean", "invalid_similar_retrieve_vectors",
          help="Hits with their vectors."),
    Field("showRankingScore", "boolean", "invalid_similar_show_ranking_score",
          help="Relevance from 0 to 1."),
    Field("showRankingScoreDetails", "boolean", "invalid_similar_show_ranking_score_details",
          help="How it came about."),
    Field("rankingScoreThreshold", "number", "invalid_similar_ranking_score_threshold",
          help="Least relevance of a hit."),
    Field("showPerformanceDetails", "boolean", "invalid_similar_show_performance_details",
          help="How long each step took."),
)  # fmt: skip


def post(call: Call) -> Reply:
    """The documents like the one that a body names."""
    return json_reply(_likes(call, call.fields))


def get(call: Call) -> Reply:
    """The documents like the one that an address names."""
    return json_reply(_likes(call, call.parameters))


def _likes(call: Call, fields: Mapping[str, Any]) -> dict[str, Any]:
    snapshot, id_ = call.snapshot(), _id(fields["id"])
    least = fields.get("rankingScoreThreshold")
    check_share(least, "rankingScoreThreshold", "invalid_similar_ranking_score_threshold")
    view = View(
        offset=fields.get("offset", 0),
        limit=fields.get("limit", LIMIT),
        retrieve=fields.get("attributesToRetrieve"),
        score=bool(fields.get("showRankingScore")),
        details=bool(fields.get("showRankingScoreDetails")),
        performance=bool(fields.get("showPerformanceDetails")),
        vectors=bool(fields.get("retrieveVectors")),
    )
    options = {
        "embedder": fields["embedder"],
        "limit": view.limit,
        "offset": view.offset,
        "filter": fields.get("filter"),
        "threshold": least,
        "explain": view.details,
    }
    result = _found(snapshot, id_, options)
    found = {
        "hits": hits(snapshot, SearchRequest(), view, result.hits),
        "id": id_,
        "processingTimeMs": int(result.seconds * 1000),
        **pages(view, result.total),
    }
    return {**found, "performanceDetails": performance(result)} if view.performance else found


def _found(snapshot: Snapshot, id_: str, options: Mapping[str, Any]) -> SearchResult:
    try:
        request = SearchRequest(**options)
        snapshot.state.arm(request.embedder)
        if snapshot.has_vector(id_, request.embedder):
            return snapshot.similar(id_, replace(request, mode="semantic"))
        return snapshot.similar(id_, replace(request, mode="keyword", embedder=None))
    except NotFound as error:
        raise Refused(error.message, code="not_found_similar_id") from None
    except HybridSearchError as error:
        raise recoded(error, "similar") from None


def _id(value: Any) -> str:
    fit = isinstance(value, str | int) and not isinstance(value, bool)
    text = str(value) if fit else ""
    if not 0 < len(text.encode(errors="replace")) <= 511:
        raise Refused(
            f"Invalid value at `.id`: the id of a document is a whole number or a text of 1 to 511"
            f" bytes, but found {named(value)}",
            code="invalid_similar_id",
        )
    return text


ROUTES = (
    Route(
        "POST",
        "/indexes/{uid}/similar",
        "search",
        post,
        "The documents that are like one that is there.",
        body=Body(fields=FIELDS),
        tenants=True,
    ),
    Route(
        "GET",
        "/indexes/{uid}/similar",
        "search",
        get,
        "The same, with everything in the address.",
        parameters=FIELDS,
        tenants=True,
    ),
)
