"""How are several searches asked in one request?

`POST /multi-search` answers each search by itself, in order, or, with `federation`, all of them
as one list. The first search that is refused refuses the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridsearch.server.call import Body, Call, Route
from hybridsearch.server.federation import OPTIONS, federated
from hybridsearch.server.fields import Field, read_object
from hybridsearch.server.search import find
from hybridsearch.server.search_fields import BODY_FIELDS, inside
from hybridsearch.server.wire import Refused, Reply, json_reply

__all__ = ["ROUTES"]

MOST = 1_000
UID = Field("indexUid", "text", "invalid_index_uid", missing="missing_index_uid", help="The index.")
QUERY_FIELDS = (UID, *BODY_FIELDS, OPTIONS)
FIELDS = (
    Field("queries", "list", "bad_request", missing="bad_request",
          help="The searches, each with its indexUid."),
    Field("federation", "object", "invalid_multi_search_federated",
          help="Answer with one list: limit, offset, page, hitsPerPage, facetsByIndex, mergeFacets,"
          " distinct, showPerformanceDetails."),
)  # fmt: skip


def post(call: Call) -> Reply:
    """The answers to several searches, or one to all of them."""
    queries = call.fields["queries"]
    if len(queries) > MOST:
        raise Refused(
            f"There are {len(queries)} queries; at most {MOST} are taken", code="bad_request"
        )
    read = [
        read_object(query, QUERY_FIELDS, at=f".queries[{number}]")
        for number, query in enumerate(queries)
    ]
    federation = call.fields.get("federation")
    if federation is not None:
        return json_reply(federated(call, read, federation))
    return json_reply({"results": [_one(call, number, query) for number, query in enumerate(read)]})


def _one(call: Call, number: int, query: Mapping[str, Any]) -> dict[str, Any]:
    at = f".queries[{number}]"
    if "federationOptions" in query:
        raise Refused(
            f"Inside `{at}`: `federationOptions` counts in a federation alone; remove it, or add"
            " `federation: {}` to the request",
            code="invalid_multi_search_federation_options",
        )
    with inside(at):
        return {"indexUid": query["indexUid"], **find(call, query["indexUid"], query)}


ROUTES = (
    Route(
        "POST",
        "/multi-search",
        "search",
        post,
        "The answers to several searches, or one list of all of them.",
        body=Body(fields=FIELDS),
        tenants=True,
    ),
)
