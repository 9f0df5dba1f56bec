"""How is one index searched over HTTP, and how does a hit explain itself?

`POST` and `GET /indexes/{uid}/search` answer alike; `POST /indexes/{uid}/explain` takes the same
body and says of each hit how its score came about. `find` is the whole way of one search, which
multi-search takes too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hybridsearch.errors import HybridSearchError, near
from hybridsearch.extraction import is_wanted
from hybridsearch.kept_settings import most_hits
from hybridsearch.request import SearchRequest, SearchResult
from hybridsearch.server.call import Body, Call, Route
from hybridsearch.server.search_answers import METADATA, answer, metadata, request_uid
from hybridsearch.server.search_fields import (
    BODY_FIELDS,
    GET_FIELDS,
    View,
    bounded,
    read_get,
    read_search,
    recoded,
)
from hybridsearch.server.wire import Refused, Reply, json_reply
from hybridsearch.snapshot import Snapshot

__all__ = ["ROUTES", "ask", "find"]


def post(call: Call) -> Reply:
    """The hits for a search in a body."""
    return json_reply(find(call, call.uid, call.fields))


def get(call: Call) -> Reply:
    """The hits for a search in an address."""
    return json_reply(find(call, call.uid, read_get(call.parameters)))


def explain(call: Call) -> Reply:
    """The hits for a search, each with the parts of its score."""
    snapshot = call.snapshot()
    request, view = _read(snapshot, call.fields)
    request = replace(request, explain=True)
    result = ask(snapshot, request)
    found = answer(snapshot, request, view, result)
    for shown, hit in zip(found["hits"], result.hits, strict=True):
        shown["_rankingScore"] = hit.relevance
        shown["_explanation"] = hit.explanation
    return json_reply({**found, "mode": result.mode})


def find(call: Call, uid: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one search of an index. Raises Refused and what the engine raises."""
    snapshot = call.snapshot(uid)
    request, view = _read(snapshot, fields)
    found = answer(snapshot, request, view, ask(snapshot, request))
    if call.headers.get(METADATA, "").lower() == "true":
        found["metadata"] = metadata(uid, snapshot)
    return {**found, **request_uid()}


def _read(snapshot: Snapshot, fields: Mapping[str, Any]) -> tuple[SearchRequest, View]:
    """What is asked, within what the settings of the index allow."""
    return bounded(*read_search(fields), most_hits(snapshot.state.settings.kept))


def ask(snapshot: Snapshot, request: SearchRequest) -> SearchResult:
    """The engine's answer; what it refuses has this door's codes."""
    _check_distinct(snapshot, request)
    try:
        return snapshot.search(request)
    except HybridSearchError as error:
        raise recoded(error) from None


def _check_distinct(snapshot: Snapshot, request: SearchRequest) -> None:
    allowed = snapshot.state.settings.filterable
    if request.distinct is not None and not is_wanted(request.distinct, allowed):
        raise Refused(
            f"`distinct` needs a filterable attribute, and `{request.distinct:.80}` is none"
            f"{near(request.distinct, allowed)}",
            code="invalid_search_distinct",
        )


ROUTES = (
    Route(
        "POST",
        "/indexes/{uid}/search",
        "search",
        post,
        "The documents that fit a query best.",
        body=Body(fields=BODY_FIELDS),
        tenants=True,
    ),
    Route(
        "GET",
        "/indexes/{uid}/search",
        "search",
        get,
        "The same, with everything in the address; lists are parted by commas.",
        parameters=GET_FIELDS,
        tenants=True,
    ),
    Route(
        "POST",
        "/indexes/{uid}/explain",
        "search",
        explain,
        "The documents that fit a query best, each with how its score came about.",
        body=Body(fields=BODY_FIELDS),
        tenants=True,
    ),
)
