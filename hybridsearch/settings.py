"""What can be set on an index, what each setting is when nobody sets it, and what is refused?

A `Settings` value is frozen and always valid. JSON goes both ways in the names of the
Meilisearch API (`searchableAttributes`); Python's snake_case is accepted for every name. A null
sets a name back to its default. `TABLE` is the one list of names, defaults and checks.

    settings = Settings().updated({"searchable_attributes": ["title", "overview"]})
    settings.to_json()["searchableAttributes"]       # ["title", "overview"]
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridsearch.errors import SettingsError, near
from hybridsearch.word_settings import TypoTolerance, camel, is_text, words, wrong

EVERYTHING = ("*",)
# fmt: off
LANGUAGES = (
    "ar", "ca", "da", "de", "el", "en", "es", "eu", "fi", "fr", "ga", "hi", "hu", "hy", "id", "it",
    "lt", "ne", "nl", "no", "pt", "ro", "ru", "sr", "sv", "ta", "tr", "yi",
)
# fmt: on
HEAVIEST = 1_000_000
LARGEST = 2**53 - 1
SOURCES = ("static", "userProvided", "function")


@dataclass(frozen=True)
class EmbedderSettings:
    """One embedder of an index: where its vectors come from and how long they are.

    source "static" is the bundled one; "function" is a callable given to `open(functions=...)`
    under the embedder's name; "userProvided" means that vectors come with the documents.
    """

    source: str
    dimensions: int | None = None
    document_attributes: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """The settings in their JSON form, without what was not set."""
        found: dict[str, Any] = {"source": self.source}
        if self.dimensions is not None:
            found["dimensions"] = self.dimensions
        if self.document_attributes is not None:
            found["documentAttributes"] = list(self.document_attributes)
        return found


@dataclass(frozen=True)
class Settings:
    """The settings of one index. Attribute names may be nested by dot; ("*",) means every one.

    searchable_attributes: where words are looked for. attribute_weights: attribute -> factor of
    its BM25 score, 1.0 where not given. displayed_attributes: what hits show.
    filterable_attributes, sortable_attributes: what may be filtered and sorted by; ("*",) = all.
    stop_words: words that are neither indexed nor searched. language: ISO 639-1 code to stem by,
    "auto" to detect it from the documents, "none" for no stemming. embedders: name -> settings;
    empty = the database's default embedder. distinct_attribute: one hit per value of it.
    max_values_per_facet: how many values a facet lists. sort_facet_values_by: facet (or "*") ->
    "alpha" or "count". typo_tolerance: see there; what a change leaves out stays as it was.
    """

    searchable_attributes: tuple[str, ...] = EVERYTHING
    attribute_weights: Mapping[str, float] = field(default_factory=dict)
    displayed_attributes: tuple[str, ...] = EVERYTHING
    filterable_attributes: tuple[str, ...] = EVERYTHING
    sortable_attributes: tuple[str, ...] = EVERYTHING
    stop_words: tuple[str, ...] = ()
    language: str = "auto"
    embedders: Mapping[str, EmbedderSettings] = field(default_factory=dict)
    distinct_attribute: str | None = None
    max_values_per_facet: int = 100
    sort_facet_values_by: Mapping[str, str] = field(default_factory=lambda: {"*": "alpha"})
    typo_tolerance: TypoTolerance = field(default_factory=TypoTolerance)

    def updated(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with the changes made; names as in JSON or in snake_case.

        Raises SettingsError, with the field's name, for an unknown name or an unfit value.
        """
        if not isinstance(changes, Mapping):
            raise SettingsError(f"settings must be an object, not {type(changes).__name__}")
        found: dict[str, Any] = {}
        for name, value in changes.items():
            for key, part in _spread(str(name), value):
                entry = _entry(key)
                before = found.get(entry.attribute, getattr(self, entry.attribute))
                found[entry.attribute] = entry.changed(key, part, before)
        return dataclasses.replace(self, **found)

    def to_json(self) -> dict[str, Any]:
        """Every setting in its JSON form, under its name in the API."""
        return {name: entry.show(getattr(self, entry.attribute)) for name, entry in TABLE.items()}


@dataclass(frozen=True)
class _Entry:
    attribute: str
    check: Callable[[str, Any], Any]
    show: Callable[[Any], Any]

    def changed(self, name: str, value: Any, before: Any) -> Any:
        """What the setting is from now on; a null means its default."""
        return getattr(DEFAULTS, self.attribute) if value is None else self.check(name, value)


class _Merged(_Entry):
    """A setting of several parts, of which a change may name some; the value checks them."""

    def changed(self, name: str, value: Any, before: Any) -> Any:
        """What it was before, with the parts that the value names."""
        default = getattr(DEFAULTS, self.attribute)
        return default if value is None else before.changed(name, value)


def _same(value: Any) -> Any:
    return value


def _names(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(is_text(v) and v for v in value):
        raise wrong(name, "a list of attribute names", value)
    return tuple(dict.fromkeys(value))


def _weights(name: str, value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise wrong(name, "an object of attribute: weight", value)
    for weight in value.values():
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise wrong(name, "an object of attribute: number", value)
        if not 0 <= weight <= HEAVIEST:
            raise wrong(name, "an object of attribute: number from 0 to 1,000,000", value)
    _names(name, list(value))
    return {str(key): float(weight) for key, weight in value.items()}


def _language(name: str, value: Any) -> str:
    if value not in ("auto", "none", *LANGUAGES):
        known = ["auto", "none", *LANGUAGES]
        raise SettingsError(f'unknown language "{value}"{near(str(value), known)}', field=name)
    return str(value)


def _attribute(name: str, value: Any) -> str:
    if not is_text(value) or not value:
        raise wrong(name, "the name of an attribute", value)
    return str(value)


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise wrong(name, "a whole number of 0 or more, below 2**53", value)
    return value


def _orders(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(v in ("alpha", "count") for v in value.values()):
        raise wrong(name, 'an object of facet: "alpha" or "count"', value)
    _names(name, list(value))
    return {str(key): str(order) for key, order in value.items()}


def _embedders(name: str, value: Any) -> dict[str, EmbedderSettings]:
    if not isinstance(value, Mapping):
        raise wrong(name, "an object of name: embedder", value)
    return {str(key): _embedder(f"{name}.{key}", item) for key, item in value.items()}


def _embedder(name: str, value: Any) -> EmbedderSettings:
    if not re.fullmatch(r"[^.]+\.[A-Za-z0-9_-]{1,64}", name):
        raise SettingsError(
            f'an embedder may not be called "{name.partition(".")[2]}": letters, digits, _ and -, '
            "64 at most",
            field=name,
        )
    if not isinstance(value, Mapping):
        raise wrong(name, 'an object such as {"source": "static"}', value)
    known = ("source", "dimensions", "documentAttributes")
    given = {camel(str(key)): item for key, item in value.items()}
    for key in given.keys() - set(known):
        raise SettingsError(f'unknown setting "{name}.{key}"{near(key, known)}', field=name)
    source = given.get("source")
    if source not in SOURCES:
        raise wrong(f"{name}.source", f"one of {', '.join(SOURCES)}", source)
    dimensions = given.get("dimensions")
    if dimensions is not None and not 1 <= _positive(f"{name}.dimensions", dimensions) <= 8192:
        raise wrong(f"{name}.dimensions", "between 1 and 8192", dimensions)
    if source == "userProvided" and dimensions is None:
        raise SettingsError(f'"{name}" is userProvided: it needs "dimensions"', field=name)
    attributes = given.get("documentAttributes")
    return EmbedderSettings(
        source=str(source),
        dimensions=dimensions,
        document_attributes=(
            None if attributes is None else _names(f"{name}.documentAttributes", attributes)
        ),
    )


TABLE: dict[str, _Entry] = {
    "searchableAttributes": _Entry("searchable_attributes", _names, list),
    "attributeWeights": _Entry("attribute_weights", _weights, dict),
    "displayedAttributes": _Entry("displayed_attributes", _names, list),
    "filterableAttributes": _Entry("filterable_attributes", _names, list),
    "sortableAttributes": _Entry("sortable_attributes", _names, list),
    "stopWords": _Entry("stop_words", words, list),
    "language": _Entry("language", _language, _same),
    "embedders": _Entry(
        "embedders", _embedders, lambda found: {k: v.to_json() for k, v in found.items()}
    ),
    "distinctAttribute": _Entry("distinct_attribute", _attribute, _same),
    "maxValuesPerFacet": _Entry("max_values_per_facet", _positive, _same),
    "sortFacetValuesBy": _Entry("sort_facet_values_by", _orders, dict),
    "typoTolerance": _Merged("typo_tolerance", TypoTolerance().changed, TypoTolerance.to_json),
}
DEFAULTS = Settings()


def _spread(name: str, value: Any) -> list[tuple[str, Any]]:
    """The API groups two settings under `faceting`; here they stand by themselves."""
    if name != "faceting":
        return [(name, value)]
    if value is None:
        return [("maxValuesPerFacet", None), ("sortFacetValuesBy", None)]
    if not isinstance(value, Mapping):
        raise wrong(name, "an object", value)
    return [(str(key), item) for key, item in value.items()]


def _entry(name: str) -> _Entry:
    entry = TABLE.get(name) or TABLE.get(camel(name))
    if entry is None:
        raise SettingsError(f'unknown setting "{name}"{near(camel(name), TABLE)}', field=name)
    return entry
