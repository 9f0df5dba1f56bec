"""What can be set on an index, what each setting is when nobody sets it, and what is refused?

A `Settings` value is frozen and always valid. JSON goes both ways in the names of the
Meilisearch API (`searchableAttributes`); Python's snake_case is accepted for every name. A null
sets a name back to its default. `TABLE` is the one list of names, defaults and checks.

    settings = Settings().updated({"searchable_attributes": ["title", "overview"]})
    settings.to_json()["searchableAttributes"]       # ["title", "overview"]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridsearch.embedder_settings import EmbedderSettings, read_embedder
from hybridsearch.errors import QueryError, SettingsError, near
from hybridsearch.expressions import parse
from hybridsearch.filterable import Rule, patterns_of, read_rules, rule_to_json
from hybridsearch.fusion_settings import FusionSettings, read_fusion
from hybridsearch.kept_settings import KEPT, kept, shown
from hybridsearch.languages import LANGUAGES
from hybridsearch.setting_values import attribute_names, camel, is_text, wrong
from hybridsearch.word_settings import TypoTolerance, words

EVERYTHING = ("*",)
HEAVIEST = 1_000_000
LARGEST = 2**53 - 1
FACETING = ("maxValuesPerFacet", "sortFacetValuesBy")
"""Two settings that the API shows as one, `faceting`."""


@dataclass(frozen=True)
class Settings:
    """The settings of one index. Attribute names may be nested by dot; ("*",) means every one.

    searchable_attributes: where words are looked for. attribute_weights: attribute -> factor of
    its BM25 score, 1.0 where not given. displayed_attributes: what hits show.
    filterable_attributes, sortable_attributes: what may be filtered and sorted by; ("*",) = all;
    `filterable` says how a rule narrows that.
    stop_words: words that are neither indexed nor searched. language: ISO 639-1 code to stem by,
    "auto" to detect it from the documents, "none" for no stemming. embedders: name -> settings;
    empty = the database's default embedder. fusion: how the arms become one ranking where a request
    does not say; None = as the embedder says. boost: a formula over attributes that scores are
    multiplied by where a request does not say; see `boosting`. distinct_attribute: one hit per
    value of it. max_values_per_facet: how many values a facet lists. sort_facet_values_by: facet
    (or "*") -> "alpha" or "count". typo_tolerance: which words may be meant otherwise; what a
    change of it does not name stays as it was. kept: what only Meilisearch has a use for; see
    `kept_settings`.
    """

    searchable_attributes: tuple[str, ...] = EVERYTHING
    attribute_weights: Mapping[str, float] = field(default_factory=dict)
    displayed_attributes: tuple[str, ...] = EVERYTHING
    filterable_attributes: tuple[Rule, ...] = EVERYTHING
    sortable_attributes: tuple[str, ...] = EVERYTHING
    stop_words: tuple[str, ...] = ()
    language: str = "auto"
    embedders: Mapping[str, EmbedderSettings] = field(default_factory=dict)
    fusion: FusionSettings | None = None
    boost: str | None = None
    distinct_attribute: str | None = None
    max_values_per_facet: int = 100
    sort_facet_values_by: Mapping[str, str] = field(default_factory=lambda: {"*": "alpha"})
    typo_tolerance: TypoTolerance = field(default_factory=TypoTolerance)
    kept: Mapping[str, Any] = field(default_factory=dict)

    def updated(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with the changes made; names as in JSON or in snake_case.

        Raises SettingsError, with the field's name, for an unknown name or an unfit value.
        """
        if not isinstance(changes, Mapping):
            raise SettingsError(f"settings must be an object, not {type(changes).__name__}")
        found: dict[str, Any] = {"kept": self.kept}
        for name, value in changes.items():
            for key, part in self._parts(str(name), value):
                if key in KEPT:
                    found["kept"] = kept(found["kept"], key, part)
                    continue
                entry = _entry(key)
                before = found.get(entry.attribute, getattr(self, entry.attribute))
                found[entry.attribute] = entry.changed(key, part, before)
        if "embedders" in found:
            found["embedders"] = self._with_secrets(found["embedders"])
        return dataclasses.replace(self, **found)

    def _with_secrets(self, fresh: Mapping[str, EmbedderSettings]) -> dict[str, EmbedderSettings]:
        """The embedders, where a masked secret that was read here is again what it was."""
        old = self.embedders
        return {n: e.with_secrets_of(old[n]) if n in old else e for n, e in fresh.items()}

    @property
    def filterable(self) -> tuple[str, ...]:
        """The names and patterns of what may be filtered by, whatever the operator."""
        return patterns_of(self.filterable_attributes)

    def facet_order(self, name: str) -> str:
        """In which order the values of a facet are listed: "alpha" or "count"."""
        orders = self.sort_facet_values_by
        return orders.get(name) or orders.get("*", "alpha")

    def to_json(self) -> dict[str, Any]:
        """Every setting in its JSON form, under its name in the API; secrets are masked."""
        found = {name: entry.show(getattr(self, entry.attribute)) for name, entry in TABLE.items()}
        return {**found, **shown(self.kept)}

    def _parts(self, name: str, value: Any) -> list[tuple[str, Any]]:
        """(name, value) of each setting that a change is about."""
        shown_as = camel(name)
        if shown_as in KEPT:
            return [(shown_as, value)]
        if name == "embedders" and isinstance(value, Mapping):
            return [(name, {**_renewed(self.embedders, value)})]
        return _spread(name, value)

    def to_storage(self) -> dict[str, Any]:
        """The same with secrets in full, for the database file alone."""
        embedders = {name: one.to_storage() for name, one in self.embedders.items()}
        return {**self.to_json(), "embedders": embedders}


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


def _weights(name: str, value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise wrong(name, "an object of attribute: weight", value)
    for weight in value.values():
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise wrong(name, "an object of attribute: number", value)
        if not 0 <= weight <= HEAVIEST:
            raise wrong(name, "an object of attribute: number from 0 to 1,000,000", value)
    attribute_names(name, list(value))
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


def _boost(name: str, value: Any) -> str:
    if not is_text(value) or not value.strip():
        raise wrong(name, 'a formula such as "ln(2 + downloads)"', value)
    try:
        return parse(str(value)).text
    except QueryError as error:
        raise SettingsError(f'setting "{name}": {error.message}', field=name) from error


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise wrong(name, "a whole number of 0 or more, below 2**53", value)
    return value


def _orders(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(v in ("alpha", "count") for v in value.values()):
        raise wrong(name, 'an object of facet: "alpha" or "count"', value)
    attribute_names(name, list(value))
    return {"*": "alpha", **{str(key): str(order) for key, order in value.items()}}


def _embedders(name: str, value: Any) -> dict[str, EmbedderSettings]:
    if not isinstance(value, Mapping):
        raise wrong(name, "an object of name: embedder", value)
    return {str(key): read_embedder(f"{name}.{key}", item) for key, item in value.items()}


def _renewed(old: Mapping[str, EmbedderSettings], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The embedders after a change: those that it does not name stay, null removes one."""
    found: dict[str, Any] = {name: embedder.to_storage() for name, embedder in old.items()}
    for name, change in changes.items():
        before = found.pop(name, {})
        if isinstance(change, Mapping):
            found[name] = _changed(before, {camel(str(key)): part for key, part in change.items()})
        elif change is not None:
            found[name] = change
    return found


def _changed(before: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """One embedder after a change: of the same source it keeps what the change does not name.

    At another address it keeps no secret: one goes only where its owner sent it.
    """
    if change.get("source", before.get("source")) != before.get("source"):
        return dict(change)
    moved = change.get("url", before.get("url")) != before.get("url")
    stays = {k: v for k, v in before.items() if not (moved and k in ("apiKey", "headers"))}
    return {key: part for key, part in {**stays, **change}.items() if part is not None}


TABLE: dict[str, _Entry] = {
    "searchableAttributes": _Entry("searchable_attributes", attribute_names, list),
    "attributeWeights": _Entry("attribute_weights", _weights, dict),
    "displayedAttributes": _Entry("displayed_attributes", attribute_names, list),
    "filterableAttributes": _Entry(
        "filterable_attributes", read_rules, lambda found: [rule_to_json(rule) for rule in found]
    ),
    "sortableAttributes": _Entry("sortable_attributes", attribute_names, list),
    "stopWords": _Entry("stop_words", words, list),
    "language": _Entry("language", _language, _same),
    "boost": _Entry("boost", _boost, _same),
    "fusion": _Entry("fusion", read_fusion, lambda found: found and found.to_json()),
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
        return [(part, None) for part in FACETING]
    if not isinstance(value, Mapping):
        raise wrong(name, "an object", value)
    for key in value:
        if camel(str(key)) not in FACETING:
            unknown = f"faceting.{key}"
            raise SettingsError(f'unknown setting "{unknown}"{near(key, FACETING)}', field=unknown)
    return [(str(key), item) for key, item in value.items()]


def _entry(name: str) -> _Entry:
    entry = TABLE.get(name) or TABLE.get(camel(name))
    if entry is None:
        raise SettingsError(
            f'unknown setting "{name}"{near(camel(name), [*TABLE, *KEPT])}', field=name
        )
    return entry
