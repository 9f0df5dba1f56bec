"""Which attributes do an index's documents have, and what may be done with each?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hybridsearch.extraction import is_wanted
from hybridsearch.filterable import FilterRule, fits, rule_of
from hybridsearch.server.call import Body, Call, Route
from hybridsearch.server.fields import Field, read_object
from hybridsearch.server.wire import Reply, json_reply
from hybridsearch.settings import Settings

PAGE = 20
NOT_FILTERABLE = FilterRule((), equality=False)
USES = ("displayed", "searchable", "sortable", "distinct", "rankingRule", "filterable")
FIELDS = (
    Field("offset", "whole", "invalid_index_offset", help="How many to pass over."),
    Field("limit", "whole", "invalid_index_limit", help="How many; 20 when not given."),
    Field("filter", "object", "invalid_index_fields_filter", help="What must be so of them."),
)
FILTER = (
    Field("attributePatterns", "texts", "invalid_index_fields_filter_attribute_patterns"),
    *(Field(use, "boolean", f"invalid_index_fields_filter_{use.lower()}") for use in USES),
)


def list_attributes(call: Call) -> Reply:
    """A page of the attributes, in the order of first sight, with what may be done with them."""
    call.must_be_ready(call.index().uid)
    state = call.index().snapshot().state
    given = call.fields
    wanted = read_object(given.get("filter", {}), FILTER, at=".filter")
    found = [attribute_json(name, state.settings) for name in state.columns]
    fitting = [one for one in found if _fits(one, wanted)]
    offset, limit = given.get("offset", 0), given.get("limit", PAGE)
    return json_reply(
        {
            "results": fitting[offset : offset + limit],
            "offset": offset,
            "limit": limit,
            "total": len(fitting),
        }
    )


def attribute_json(name: str, settings: Settings) -> dict[str, Any]:
    """One attribute and what the settings allow."""
    rule = rule_of(settings.filterable_attributes, name) or NOT_FILTERABLE
    kept = settings.to_json()
    rules: list[str] = kept["rankingRules"]
    order = next((rule.rpartition(":")[2] for rule in rules if rule.startswith(f"{name}:")), None)
    sort = settings.sort_facet_values_by
    return {
        "name": name,
        "displayed": {"enabled": is_wanted(name, settings.displayed_attributes)},
        "searchable": {"enabled": is_wanted(name, settings.searchable_attributes)},
        "sortable": {"enabled": is_wanted(name, settings.sortable_attributes)},
        "distinct": {"enabled": name == settings.distinct_attribute},
        "rankingRule": {"enabled": order is not None, "order": order},
        "filterable": {
            "enabled": rule is not NOT_FILTERABLE,
            "sortBy": sort.get(name) or sort.get("*", "alpha"),
            "facetSearch": rule.facet_search,
            "equality": rule.equality,
            "comparison": rule.comparison,
        },
        "localized": {"locales": _locales(name, kept["localizedAttributes"] or ())},
    }


def _locales(name: str, rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """The languages that the first rule about the attribute names."""
    for rule in rules:
        if any(fits(name, pattern) for pattern in rule["attributePatterns"]):
            return list(rule["locales"])
    return []


def _fits(attribute: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    patterns = wanted.get("attributePatterns")
    if patterns is not None and not is_wanted(attribute["name"], patterns):
        return False
    return all(attribute[use]["enabled"] == wanted[use] for use in USES if use in wanted)


ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/indexes/{uid}/fields",
        "indexes.get",
        list_attributes,
        "The attributes of an index's documents, and what may be done with each.",
        body=Body(fields=FIELDS),
    ),
)
