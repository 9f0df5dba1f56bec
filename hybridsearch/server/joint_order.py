"""In what order do hits of several searches stand, when each search sorts its own?

`place_of` says of a hit what its search sorts by, in a form that compares with hits of other
searches as one search compares its own: numbers before texts, texts without regard to case first,
lists by their least value, or their greatest when the order descends, and what has no value last.
Searches can be merged so when they sort alike: by as many orders, in the same directions.

>>> place_of({"year": 1979}, ["year:desc"]) < place_of({"out": 1972}, ["out:desc"])
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from hybridsearch.geo import located, metres, parse_point

__all__ = ["Place", "place_of", "sort_alike"]

Place: TypeAlias = tuple[tuple[Any, ...], ...]
NUMBER, TEXT, NOTHING = range(3)


def sort_alike(sorts: Sequence[Sequence[str]]) -> bool:
    """Whether the values that these searches sort by can be compared.

    >>> sort_alike([["year:desc"], ["out:desc"]]), sort_alike([["year:desc"], ["year:asc"]])
    (True, False)
    """
    directions = {tuple(item.rpartition(":")[2] for item in sort) for sort in sorts}
    return len(directions) == 1 and directions != {()}


def place_of(document: Mapping[str, Any], sort: Sequence[str]) -> Place:
    """What the document is sorted by; the smaller stands first."""
    return tuple(_part(document, *item.rpartition(":")[::2]) for item in sort)


def _part(document: Mapping[str, Any], attribute: str, direction: str) -> tuple[Any, ...]:
    falling = direction == "desc"
    if attribute.startswith("_geoPoint("):
        own = located(document)
        value = None if own is None else metres(parse_point(attribute), own)
    else:
        value = _value(document, attribute)
    if isinstance(value, list):
        some = sorted(value, key=lambda item: _compared(item, falling=False))
        kept = [item for item in some if item is not None]
        value = (kept[-1] if falling else kept[0]) if kept else None
    return _compared(value, falling=falling)


def _value(document: Mapping[str, Any], attribute: str) -> Any:
    """The value of an attribute, which may be nested: "crew.age"."""
    if attribute in document:
        return document[attribute]
    head, _, rest = attribute.partition(".")
    inner = document.get(head)
    return _value(inner, rest) if rest and isinstance(inner, Mapping) else None


def _compared(value: Any, *, falling: bool) -> tuple[Any, ...]:
    if isinstance(value, int | float):
        return NUMBER, -value if falling else value
    if isinstance(value, str):
        own = _Falling if falling else str
        return TEXT, own(value.lower()), own(value)
    return (NOTHING,)


class _Falling(str):
    """A text that stands before those that it would follow."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)
