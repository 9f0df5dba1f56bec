"""Which fields may a search have, and what do they ask of the engine?

One search has the same fields wherever it stands: in the body of a search, in a multi-search, in
`explain`, and, with lists as comma lists, in an address. `read_search` makes the engine's request
and a `View` of them, which is all that concerns only this door.

    request, view = read_search({"q": "space", "limit": 5})
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from hybridsearch.errors import FilterError, HybridSearchError, QueryError
from hybridsearch.geo import Point, parse_point
from hybridsearch.request import SearchRequest
from hybridsearch.server.fields import Field, read_object
from hybridsearch.server.formatting import (
    CROP_LENGTH,
    CROP_MARKER,
    POST_TAG,
    PRE_TAG,
    Look,
)
from hybridsearch.server.wire import Refused

__all__ = [
    "BODY_FIELDS",
    "GET_FIELDS",
    "HYBRID",
    "SEARCH_FIELDS",
    "View",
    "bounded",
    "check_share",
    "inside",
    "read_get",
    "read_search",
    "recoded",
]

LIMIT = 20
STRATEGIES = ("last", "all", "frequency")
"""What must match; the ranking is by score in all of them. Without one any word is enough."""
SIGNS = frozenset(
    string.punctuation + string.whitespace + "\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
)
"""A query of these alone asks for nothing yet, such as the first quotation mark of a phrase."""
_COMMA = re.compile(r",(?![^()]*\))")


def _field(name: str, kind: str, code: str, help: str) -> Field:
    return Field(name, kind, f"invalid_search_{code}", help=help)


SEARCH_FIELDS = (
    _field("q", "text", "q", 'What to look for; "phrases" and -negation count.'),
    _field("offset", "whole", "offset", "How many hits to skip, 0 unless given."),
    _field("limit", "whole", "limit", "How many hits to return, 20 unless given."),
    _field("page", "whole", "page", "The page, from 1; with it or hitsPerPage totals are pages."),
    _field("hitsPerPage", "whole", "hits_per_page", "How many hits a page has."),
    _field("filter", "filter", "filter", "Filter text, or lists: AND outside, OR inside."),
    _field("sort", "texts", "sort", "attribute:asc or :desc, also _geoPoint(lat,lng):asc."),
    _field("facets", "texts", "facets", "Attributes whose values are counted, or *."),
    _field(
        "facetOrder",
        "text",
        "facet_order",
        "alpha or count: how their values are ordered and cut; as the settings say unless given.",
    ),
    _field("distinct", "text", "distinct", "One hit for each value of this attribute."),
    _field("matchingStrategy", "text", "matching_strategy", "last, all or frequency."),
    _field("attributesToSearchOn", "texts", "attributes_to_search_on", "Where to look for words."),
    _field("attributesToRetrieve", "texts", "attributes_to_retrieve", "What hits show."),
    _field("attributesToHighlight", "texts", "attributes_to_highlight", "What is marked."),
    _field("attributesToCrop", "texts", "attributes_to_crop", "What is cropped; name:N: N words."),
    _field("cropLength", "whole", "crop_length", "To how many words, 10 unless given."),
    _field("cropMarker", "text", "crop_marker", "What stands where something was cut off."),
    _field("highlightPreTag", "text", "highlight_pre_tag", "Before a match."),
    _field("highlightPostTag", "text", "highlight_post_tag", "After a match."),
    _field("showMatchesPosition", "boolean", "show_matches_position", "Places in bytes."),
    _field("showRankingScore", "boolean", "show_ranking_score", "Relevance from 0 to 1."),
    _field(
        "showRankingScoreDetails", "boolean", "show_ranking_score_details", "How it came about."
    ),
    _field(
        "showPerformanceDetails", "boolean", "show_performance_details", "How long each step took."
    ),
    _field(
        "rankingScoreThreshold", "number", "ranking_score_threshold", "Least relevance of a hit."
    ),
    _field("retrieveVectors", "boolean", "retrieve_vectors", "Hits with their vectors."),
    _field("vector", "numbers", "vector", "The vector of the query, instead of embedding q."),
    _field("boost", "text", "boost", "A formula over attributes that scores are multiplied by."),
    _field("diversity", "number", "diversity", "0 to 1: how unlike each other hits are to be."),
    _field("locales", "texts", "locales", "The languages of the query."),
)
HYBRID = _field(
    "hybrid", "object", "hybrid_query",
    "By meaning too: embedder, semanticRatio; fusion, weights, k and candidates are ours.",
)  # fmt: skip
BODY_FIELDS = (*SEARCH_FIELDS, HYBRID)
HYBRID_FIELDS = (
    Field("embedder", "text", "invalid_search_embedder", missing="invalid_search_embedder"),
    Field("semanticRatio", "number", "invalid_search_semantic_ratio"),
    Field("fusion", "text", "invalid_search_hybrid_query"),
    Field("weights", "numbers", "invalid_search_hybrid_query"),
    Field("k", "whole", "invalid_search_hybrid_query"),
    Field("candidates", "whole", "invalid_search_hybrid_query"),
)
GET_FIELDS = (
    *(
        Field(field.name, "text" if field.name == "sort" else field.kind, field.code,
              help=field.help)
        for field in SEARCH_FIELDS
    ),
    Field("hybridEmbedder", "text", "invalid_search_embedder", help="As hybrid.embedder."),
    Field("hybridSemanticRatio", "number", "invalid_search_semantic_ratio",
          help="As hybrid.semanticRatio."),
)  # fmt: skip

CODES = {
    "query": "q",
    "weights": "hybrid_query",
    "rrf_k": "hybrid_query",
    "candidates": "hybrid_query",
    "fusion": "hybrid_query",
    "match": "matching_strategy",
    "attributes": "attributes_to_search_on",
    "vector": "vector",
    "mode": "embedder",
    "locales": "locales",
}
"""Field of the engine's request -> the end of this door's error code for it."""


@dataclass(frozen=True)
class View:
    """How the answer is to look: all of a search that the engine need not know.

    pages: (page, hits a page) where pages were asked for. retrieve: what hits show, None = all
    that is displayed. look: what is marked and cropped, None where nothing is. near: the point
    that distances are told from. semantic: whether the search asks for meaning at all. most: how
    many hits are told of and can be paged to, None = all.
    """

    query: str = ""
    offset: int = 0
    limit: int = LIMIT
    pages: tuple[int, int] | None = None
    most: int | None = None
    retrieve: Sequence[str] | None = None
    look: Look | None = None
    near: Point | None = None
    facets: bool = False
    semantic: bool = False
    positions: bool = False
    score: bool = False
    details: bool = False
    performance: bool = False
    vectors: bool = False


def read_get(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of an address as the fields of a body."""
    found = dict(parameters)
    if "sort" in found:
        found["sort"] = _COMMA.split(found["sort"])
    embedder, ratio = found.pop("hybridEmbedder", None), found.pop("hybridSemanticRatio", None)
    if embedder is not None or ratio is not None:
        given = {"embedder": embedder, "semanticRatio": ratio}
        found["hybrid"] = {name: value for name, value in given.items() if value is not None}
    return found


def read_search(fields: Mapping[str, Any]) -> tuple[SearchRequest, View]:
    """What is asked of the engine, and how the answer is to look.

    Raises Refused, with the contract's code, for what is unfit.
    """
    pages, query = _pages(fields), fields.get("q") or ""
    offset, limit = fields.get("offset", 0), fields.get("limit", LIMIT)
    if pages is not None:
        offset, limit = max(pages[0] - 1, 0) * pages[1], pages[1] if pages[0] else 0
    sort = fields.get("sort") or ()
    hybrid = _hybrid(fields)
    least = fields.get("rankingScoreThreshold")
    check_share(fields.get("diversity"), "diversity", "invalid_search_diversity")
    check_share(least, "rankingScoreThreshold", "invalid_search_ranking_score_threshold")
    try:
        request = SearchRequest(
            "" if SIGNS.issuperset(query) else query,
            offset=offset,
            limit=limit,
            filter=fields.get("filter"),
            sort=sort,
            facets=fields.get("facets") or (),
            facet_order=fields.get("facetOrder"),
            distinct=fields.get("distinct"),
            match=_strategy(fields.get("matchingStrategy", "any")),
            attributes=fields.get("attributesToSearchOn"),
            threshold=least,
            lenient=True,
            boost=fields.get("boost"),
            diversity=fields.get("diversity") or 0.0,
            locales=fields.get("locales"),
            explain=bool(fields.get("showRankingScoreDetails")),
            **hybrid,
        )
    except HybridSearchError as error:
        raise recoded(error) from None
    return request, View(
        query=query,
        offset=offset,
        limit=limit,
        pages=pages,
        retrieve=fields.get("attributesToRetrieve"),
        look=_look(fields),
        near=_near(sort),
        facets=fields.get("facets") is not None,
        semantic="hybrid" in fields,
        positions=bool(fields.get("showMatchesPosition")),
        score=bool(fields.get("showRankingScore")),
        details=bool(fields.get("showRankingScoreDetails")),
        performance=bool(fields.get("showPerformanceDetails")),
        vectors=bool(fields.get("retrieveVectors")),
    )


def bounded(request: SearchRequest, view: View, most: int | None) -> tuple[SearchRequest, View]:
    """The same search, whose pages end with hit number `most`, if there is such a bound."""
    if most is None:
        return request, view
    limit = min(request.limit, max(0, most - request.offset))
    return replace(request, limit=limit), replace(view, most=most)


def recoded(error: HybridSearchError, subject: str = "search") -> HybridSearchError:
    """The engine's error under the code that this door has for it: invalid_<subject>_<field>."""
    if isinstance(error, FilterError) and error.code == FilterError.default_code:
        code = f"invalid_{subject}_filter"
    elif isinstance(error, QueryError) and error.fields.get("field") in CODES:
        code = f"invalid_{subject}_{CODES[str(error.fields['field'])]}"
    elif error.code.startswith("invalid_search_") and subject != "search":
        code = error.code.replace("search", subject, 1)
    else:
        return error
    return Refused(error.message, code=code, **error.fields)


def _pages(fields: Mapping[str, Any]) -> tuple[int, int] | None:
    page, size = fields.get("page"), fields.get("hitsPerPage")
    if page is None and size is None:
        return None
    return 1 if page is None else page, LIMIT if size is None else size


def _strategy(name: str) -> str:
    if name not in (*STRATEGIES, "any"):
        raise Refused(
            f"Unknown value `{name:.80}` at `.matchingStrategy`: expected one of `last`, `all`,"
            " `frequency`",
            code="invalid_search_matching_strategy",
        )
    return name


def _hybrid(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the semantic arm; a ratio of 0 or 1 is one arm alone."""
    vector = fields.get("vector")
    if fields.get("hybrid") is None:
        if vector is not None:
            raise Refused(
                "Invalid request: missing `hybrid` parameter when `vector` is present.",
                code="missing_search_hybrid",
            )
        return {"mode": "keyword"}
    given = read_object(fields["hybrid"], HYBRID_FIELDS, at=".hybrid")
    ratio, weights = _ratio(given), given.get("weights")
    if ratio is not None and weights is None:
        weights = (1.0 - ratio, ratio)
    modes = {0.0: "keyword", 1.0: "semantic"}
    options = {
        "mode": modes.get(-1.0 if ratio is None else ratio, "hybrid"),
        "embedder": given["embedder"],
        "vector": vector,
        "weights": None if weights is None else tuple(weights),
        "fusion": given.get("fusion"),
        "rrf_k": given.get("k"),
        "candidates": given.get("candidates"),
    }
    return {name: value for name, value in options.items() if value is not None}


def _ratio(given: Mapping[str, Any]) -> float | None:
    ratio = given.get("semanticRatio")
    check_share(ratio, "hybrid.semanticRatio", "invalid_search_semantic_ratio")
    return None if ratio is None else float(ratio)


def check_share(value: float | None, name: str, code: str) -> None:
    """Raise Refused for a number that is not from 0 to 1."""
    if value is not None and not 0 <= value <= 1:
        raise Refused(
            f"Invalid value at `.{name}`: the value of `{name.rpartition('.')[2]}` is invalid,"
            " expected a float between `0.0` and `1.0`.",
            code=code,
        )


@contextmanager
def inside(at: str) -> Iterator[None]:
    """Errors raised within say where they arose; `at` is empty for the whole request."""
    try:
        yield
    except HybridSearchError as error:
        if at:
            error.message = f"Inside `{at}`: {error.message}"
        raise


def _look(fields: Mapping[str, Any]) -> Look | None:
    marked = fields.get("attributesToHighlight") or ()
    cropped = fields.get("attributesToCrop") or ()
    if not marked and not cropped:
        return None
    usual = fields.get("cropLength", CROP_LENGTH)
    return Look(
        highlight=marked,
        crop=dict(_crop(item, usual) for item in cropped),
        pre=fields.get("highlightPreTag", PRE_TAG),
        post=fields.get("highlightPostTag", POST_TAG),
        marker=fields.get("cropMarker", CROP_MARKER),
    )


def _crop(item: str, usual: int) -> tuple[str, int]:
    name, colon, words = item.rpartition(":")
    fit = colon and words.isascii() and words.isdigit() and len(words) < 10
    return (name, int(words)) if fit else (item, usual)


def _near(sort: Sequence[str]) -> Point | None:
    for item in sort:
        if item.startswith("_geoPoint("):
            return parse_point(item.rpartition(":")[0])
    return None
