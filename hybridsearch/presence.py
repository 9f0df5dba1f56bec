"""Which attributes do the documents of an index have, those inside objects too?

What is asked for by a name that no document has finds nothing, and nobody says why. So a filter
refuses such a name, and settings, which may be of documents to come, are told of.

    is_there(documents, "crew.nmae", columns)           # False: no document has it, not even null
    doubts(settings, documents, columns)
    # ['no document has "titel", which searchableAttributes names; did you mean "title"?']
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hybridsearch import filters
from hybridsearch.columns import Columns, StoredColumn, nested
from hybridsearch.document_table import DocumentTable
from hybridsearch.errors import near
from hybridsearch.expressions import parse
from hybridsearch.filterable import fits
from hybridsearch.geo import GEO, GEOJSON
from hybridsearch.intake import VECTORS
from hybridsearch.jsontext import loads
from hybridsearch.settings import Settings

__all__ = ["OWN", "doubts", "is_there", "names"]

SAMPLE = 1_000
"""So many documents are looked at for names inside objects."""
OWN = (GEO, GEOJSON, VECTORS)
"""Attributes that mean something to us whether or not a document has them."""


def is_there(documents: DocumentTable, name: str, columns: Mapping[str, StoredColumn]) -> bool:
    """Whether any document has the attribute, be it null; a dead one may be among them.

    It may look at all documents, where a name leads into objects that do not have it.
    """
    column, path = nested(name, columns)
    if column is None:
        return documents.holds(name)
    if not path:
        return True
    if column.kind != "json":
        return False
    known = {column.attribute: filters.Column(column.name, column.kind)}
    where, values = filters.to_sql(filters.existing(name), known)
    return documents.any_where(where, values)


def names(documents: DocumentTable, columns: Mapping[str, StoredColumn]) -> list[str]:
    """The attributes that documents have, and those in the objects of the first of them."""
    found = dict.fromkeys(columns)
    for _, _, body in documents.texts(documents.living()[:SAMPLE].tolist()):
        found.update(dict.fromkeys(_inside(loads(body))))
    return list(found)


def _inside(value: Any, prefix: str = "") -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            for name, part in item.items():
                yield prefix + name
                yield from _inside(part, f"{prefix}{name}.")


def doubts(settings: Settings, documents: DocumentTable, columns: Columns) -> list[str]:
    """A line for each attribute that the settings name and no document has, and where they do."""
    wanted: dict[str, list[str]] = {}
    for setting, attribute in _named(settings):
        if attribute.partition(".")[0] not in OWN:
            wanted.setdefault(attribute, []).append(setting)
    missing = [name for name in wanted if not _is_meant(name, documents, columns)]
    known = names(documents, columns) if missing else []
    return [
        f'no document has "{name}", which {" and ".join(dict.fromkeys(wanted[name]))}'
        f" {'names' if len(set(wanted[name])) == 1 else 'name'}{near(name, known)}"
        for name in missing
    ]


def _is_meant(name: str, documents: DocumentTable, columns: Columns) -> bool:
    """Whether the name or pattern means anything; a pattern may mean what is inside objects."""
    if any(fits(column, name) for column in columns):
        return True
    if "*" in name:
        return any(column.kind == "json" for column in columns.values())
    return is_there(documents, name, columns)


def _named(settings: Settings) -> Iterator[tuple[str, str]]:
    """(setting, attribute or pattern) of each that the settings name."""
    kept, listed = settings.kept, settings.sort_facet_values_by
    rules = [rule.rpartition(":")[0] for rule in kept.get("rankingRules", ()) if ":" in rule]
    localized = [name for one in kept.get("localizedAttributes") or () for name in _patterns(one)]
    found: dict[str, Iterable[str]] = {
        "searchableAttributes": settings.searchable_attributes,
        "attributeWeights": settings.attribute_weights,
        "displayedAttributes": settings.displayed_attributes,
        "filterableAttributes": settings.filterable,
        "sortableAttributes": settings.sortable_attributes,
        "distinctAttribute": [settings.distinct_attribute] if settings.distinct_attribute else (),
        "sortFacetValuesBy": [name for name in listed if name != "*"],
        "rankingRules": rules,
        "localizedAttributes": localized,
        "typoTolerance": settings.typo_tolerance.disable_on_attributes,
        "boost": parse(settings.boost).attributes if settings.boost else (),
    }
    for embedder, one in settings.embedders.items():
        found[f"embedders.{embedder}.documentAttributes"] = one.document_attributes or ()
    for setting, attributes in found.items():
        for attribute in attributes:
            yield setting, attribute


def _patterns(rule: Mapping[str, Sequence[str]]) -> Sequence[str]:
    return rule["attributePatterns"]
