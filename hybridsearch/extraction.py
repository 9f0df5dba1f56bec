"""Which texts of a document are searched, and which are embedded?

A document is a JSON object. Its texts and numbers are found under their attribute's name, nested
ones under names joined by dots; the items of a list belong to the list's attribute.

    attribute_texts({"title": "Up", "crew": [{"name": "Bob"}]}, ("*",))
    # {"title": "Up", "crew.name": "Bob"}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from hybridsearch.filterable import fits
from hybridsearch.settings import EVERYTHING


def attribute_texts(
    document: Mapping[str, Any],
    wanted: Sequence[str],
    *,
    numbers: bool = True,
    joint: str = "\n",
) -> dict[str, str]:
    """attribute -> its text, for each attribute wanted that has one, in the document's order.

    wanted: names, where "a" also means what is nested in it, and "*" everything. Items of lists
    are joined by `joint`. Numbers count as their text unless `numbers` is False; booleans and
    null never do.
    """
    found: dict[str, str] = {}
    names = tuple(wanted)
    for name, value in document.items():
        if type(value) is str and name not in found:
            found[name] = value
        elif _leads_to(name, names):
            _collect(name, value, found, numbers, joint)
    if names == EVERYTHING:
        return found
    return {name: text for name, text in found.items() if _is_wanted(name, names)}


def embedded_attributes(
    document: Mapping[str, Any], wanted: Sequence[str], *, without: str
) -> dict[str, str]:
    """attribute -> its text, for those that an embedder sees: those wanted that have a text.

    Numbers and the attribute `without` (the primary key) are left out.
    """
    texts = attribute_texts(document, wanted, numbers=False)
    return {name: text for name, text in texts.items() if text and name != without}


def is_wanted(name: str, wanted: Iterable[str]) -> bool:
    """Whether the attribute is among those wanted: by name, a parent's name, or a pattern.

    >>> is_wanted("crew.name", ["crew"]), is_wanted("crews", ["crew"])
    (True, False)
    """
    return any(fits(name, pattern) for pattern in wanted)


@lru_cache(maxsize=10_000)
def _is_wanted(name: str, wanted: tuple[str, ...]) -> bool:
    return is_wanted(name, wanted)


@lru_cache(maxsize=10_000)
def _leads_to(name: str, wanted: tuple[str, ...]) -> bool:
    """Whether the attribute, or something nested in it, may be wanted."""
    return is_wanted(name, wanted) or any(pattern.startswith(f"{name}.") for pattern in wanted)


def project(document: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, Any]:
    """The document with only the attributes wanted; a nested name keeps its place.

    >>> project({"id": 1, "crew": [{"name": "Bob", "age": 40}, 7]}, ["crew.name"])
    {'crew': [{'name': 'Bob'}]}
    """
    if tuple(wanted) == EVERYTHING:
        return dict(document)
    found: dict[str, Any] = {}
    for name, value in document.items():
        if is_wanted(name, wanted):
            found[name] = value
            continue
        inner = [want[len(name) + 1 :] for want in wanted if want.startswith(name + ".")]
        if inner and isinstance(value, dict):
            found[name] = project(value, inner)
        elif inner and isinstance(value, list):
            found[name] = [project(item, inner) for item in value if isinstance(item, dict)]
    return found


def _collect(name: str, value: Any, found: dict[str, str], numbers: bool, joint: str) -> None:
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            _collect(f"{name}.{key}", item, found, numbers, joint)
    elif kind is list:
        for item in value:
            _collect(name, item, found, numbers, joint)
    elif kind is str or (numbers and (kind is int or kind is float)):
        before = found.get(name)
        found[name] = str(value) if before is None else f"{before}{joint}{value}"
