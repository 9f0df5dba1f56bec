"""Which values of a facet does somebody mean who begins to type one?

`POST /indexes/{uid}/facet-search` counts the values over the result set of a search and keeps
those of which a word begins like what was typed: without regard to case and accents, with one typo
from 5 letters and two from 9, of which the first letter counts double.

>>> is_meant("scien", "Science Fiction"), is_meant("ficton", "Science Fiction")
(True, True)
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hybridsearch.analysis import fold
from hybridsearch.errors import HybridSearchError, near
from hybridsearch.facets import listed
from hybridsearch.filterable import patterns_of, rule_of
from hybridsearch.server.call import Body, Call, Route
from hybridsearch.server.fields import Field
from hybridsearch.server.search_fields import HYBRID, SEARCH_FIELDS, read_search, recoded
from hybridsearch.server.wire import Refused, Reply, json_reply
from hybridsearch.snapshot import Snapshot

__all__ = ["ROUTES", "is_meant"]

MOST = 100
ONE_TYPO, TWO_TYPOS = 5, 9
SEARCH = ("q", "filter", "matchingStrategy", "attributesToSearchOn", "vector", "locales",
          "rankingScoreThreshold")  # fmt: skip
OWN_FIELDS = (
    Field("facetName", "text", "invalid_facet_search_facet_name",
          missing="missing_facet_search_facet_name", help="The attribute."),
    Field("facetQuery", "text", "invalid_facet_search_facet_query",
          help="How the value begins; every value without it."),
    Field("exhaustiveFacetCount", "boolean", "invalid_facet_search_exhaustive_facet_count",
          help="Counts are exact with or without it."),
)  # fmt: skip
IGNORED = "Taken, so that the parameters of a search can be sent as they are; means nothing here."
FIELDS = (
    *OWN_FIELDS,
    *(f if f.name in SEARCH else replace(f, help=IGNORED) for f in SEARCH_FIELDS),
    HYBRID,
)


def post(call: Call) -> Reply:
    """The values of a facet that are meant, with their counts."""
    started = time.perf_counter()
    snapshot, name = call.snapshot(), call.fields["facetName"]
    _check_facet(snapshot, name)
    given = {key: value for key, value in call.fields.items() if key in (*SEARCH, "hybrid")}
    request, _ = read_search(given)
    try:
        member = snapshot.members(request)
    except HybridSearchError as error:
        raise recoded(error) from None
    state = snapshot.state
    counts = state.selection.facet(name, state.columns, size=state.size).counts(member)
    typed = call.fields.get("facetQuery")
    meant = {value: count for value, count in counts.items() if is_meant(typed or "", value)}
    shown = listed(meant, order=state.settings.facet_order(name), limit=MOST)
    facet_hits = [{"value": value, "count": count} for value, count in shown.items()]
    took = int((time.perf_counter() - started) * 1000)
    return json_reply({"facetHits": facet_hits, "facetQuery": typed, "processingTimeMs": took})


def is_meant(typed: str, value: str) -> bool:
    """Whether what was typed begins the value, or one of its words, typos allowed."""
    wanted = _letters(typed)
    words = [fold(word) for word in value.split()]
    starts = [" ".join(words[at:]) for at in range(len(words))] or [""]
    return any(_begins(wanted, start) for start in starts)


def _letters(text: str) -> str:
    return " ".join(fold(word) for word in text.split())


def _begins(typed: str, value: str) -> bool:
    if value.startswith(typed):
        return True
    allowed = (len(typed) >= ONE_TYPO) + (len(typed) >= TWO_TYPOS)
    return bool(allowed) and _distance(typed, value[: len(typed) + allowed]) <= allowed


def _distance(typed: str, value: str) -> int:
    """The least cost of edits from `typed` to any beginning of the value.

    Optimal string alignment, where an edit of the first letter costs 2.
    """
    before: list[int] = []
    row: list[int] = [0, *range(2, len(value) + 2)]
    for i, letter in enumerate(typed, 1):
        fresh = [i + 1]
        for j, other in enumerate(value, 1):
            wrong = 2 if i == j == 1 else 1
            best = min(row[j] + 1, fresh[j - 1] + 1, row[j - 1] + (letter != other) * wrong)
            if i > 1 and j > 1 and typed[i - 2 : i] == other + value[j - 2]:
                best = min(best, before[j - 2] + (2 if i == j == 2 else 1))
            fresh.append(best)
        before, row = row, fresh
    return min(row)


def _check_facet(snapshot: Snapshot, name: str) -> None:
    settings = snapshot.state.settings
    if settings.kept.get("facetSearch") is False:
        raise Refused(
            "The facet search is disabled for this index; set `facetSearch` to true",
            code="facet_search_disabled",
        )
    rule = rule_of(settings.filterable_attributes, name)
    if rule is None or not rule.facet_search:
        known: Sequence[str] = patterns_of(settings.filterable_attributes)
        raise Refused(
            f"Attribute `{name:.80}` is not facet-searchable. Note: this attribute must be in"
            f" filterableAttributes, with the feature facetSearch{near(name, known)}",
            code="invalid_facet_search_facet_name",
        )


ROUTES: tuple[Any, ...] = (
    Route(
        "POST",
        "/indexes/{uid}/facet-search",
        "search",
        post,
        "The values of a facet that begin like what was typed, with their counts.",
        body=Body(fields=FIELDS),
        tenants=True,
    ),
)
