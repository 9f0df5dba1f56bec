"""What did CREATE SEARCH INDEX say, and which settings of an index does that mean?

A `Definition` is the statement as a value: a source, the items that are searched, a condition and
options. `Item`s are columns or expressions over the source. `OPTIONS` and `ITEM_OPTIONS` are the
lists of what may be said; what this engine cannot do otherwise is refused with the reason, so
that nothing is said in vain.

    Definition("docs_idx", "main.docs", "table", (Attribute("title", "title", "TEXT"),), key="id")
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hybridsearch.analysis import LANGUAGES, stop_words
from hybridsearch.errors import SettingsError, near
from hybridsearch.settings import Settings
from hybridsearch.store import IndexRecord

__all__ = [
    "ALTERABLE",
    "KINDS",
    "Attribute",
    "Definition",
    "Item",
    "check_mode",
    "check_weights",
    "checked_options",
    "definition_of",
    "settings_of",
    "table_of",
]

KINDS = ("TEXT", "KEYWORD", "VECTOR", "EMBED")
REFRESHES = ("check", "manual", "auto")
ALTERABLE = ("refresh", "stopwords", "synonyms", "weights", "mode")
STATIC, FUNCTION = "static", "function"


@dataclass(frozen=True)
class Item:
    """One element of the list of what is searched.

    expression: SQL text of a column or an expression over the source. alias: its name in the
    index, which an expression needs. kind: TEXT (searched by words), KEYWORD (kept whole: for
    filters and facets), VECTOR (a vector of numbers) or EMBED (a text to make a vector of); None
    infers TEXT or VECTOR from the type. options: see `ITEM_OPTIONS`.
    """

    expression: str
    alias: str | None = None
    kind: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Attribute:
    """An item once it is understood.

    name: of the attribute in the index. expression: SQL. kind: one of `KINDS`. column: the
    source's column that it is, None for an expression. dim: length of a VECTOR, else 0.
    """

    name: str
    expression: str
    kind: str
    column: str | None = None
    dim: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Definition:
    """A search index over a source of the user's.

    source: SQL text that can follow FROM. kind: "table" (or view), "files" or "query".
    columns: (name, DuckDB type) of the source when it was last read. key: the column that
    identifies its rows.
    """

    name: str
    source: str
    kind: str
    attributes: tuple[Attribute, ...]
    key: str
    columns: tuple[tuple[str, str], ...] = ()
    where: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def of_kind(self, *kinds: str) -> list[Attribute]:
        """The attributes of these kinds, in their order."""
        return [attribute for attribute in self.attributes if attribute.kind in kinds]

    @property
    def parts(self) -> int:
        """Of how many names a table's name is made: schema and table, or a catalog before."""
        return len(self.names)

    @property
    def names(self) -> list[str]:
        """Those names, as the catalog has them; none of what is no table."""
        found = _quoted_names(self.source) if self.kind == "table" else []
        return [name[1:-1].replace('""', '"') for name in found]

    @property
    def shown(self) -> str:
        """The source as messages name it: without quotes that nobody needs, and without main."""
        if self.kind != "table":
            return self.source
        return re.sub(r'"([^\W\d]\w*)"', r"\1", self.source).removeprefix("main.")

    @property
    def refresh(self) -> str:
        """check, manual or auto."""
        return str(self.options.get("refresh", REFRESHES[0]))

    @property
    def key_type(self) -> str:
        """The DuckDB type of the key."""
        return dict(self.columns)[self.key]

    def to_json(self) -> dict[str, Any]:
        """All of it, as the database keeps it."""
        return asdict(self)

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Definition:
        """The definition from what `to_json` gave."""
        return cls(
            **{
                **kept,
                "attributes": tuple(Attribute(**item) for item in kept["attributes"]),
                "columns": tuple((name, kind) for name, kind in kept["columns"]),
            }
        )


def table_of(kept: Mapping[str, Any]) -> str | None:
    """The name, without schema, of the table that a definition as it is kept is over, if any."""
    names = _quoted_names(kept["source"]) if kept["kind"] == "table" else []
    return names[-1][1:-1].replace('""', '"') if names else None


def _quoted_names(source: str) -> list[str]:
    return re.findall(r'"(?:[^"]|"")*"', source)


def definition_of(record: IndexRecord) -> Definition:
    """The definition of an attached index, under the name that it has now."""
    assert record.attached is not None  # the caller has looked
    return Definition.read({**record.attached, "name": record.uid})


def checked_options(
    options: Mapping[str, Any] | None, known: Mapping[str, Check], where: str
) -> dict[str, Any]:
    """The options, each in its one form, by lower-case name.

    Raises SettingsError for one that is unknown, unfit, or cannot be had, with the reason.
    """
    found: dict[str, Any] = {}
    for name, value in (options or {}).items():
        lower = str(name).lower()
        if lower not in known:
            raise SettingsError(
                f'unknown option "{name}" of {where}{near(lower, known)}', field=lower
            )
        found[lower] = known[lower](lower, value)
    return found


def check_weights(definition: Definition) -> None:
    """Raise SettingsError for a weight of what is not searched by words."""
    texts = [item.name for item in definition.of_kind("TEXT")]
    for name in definition.options.get("weights", {}):
        if name not in texts:
            raise SettingsError(
                f'weight for "{name}", which is no TEXT item{near(name, texts)}', field="weights"
            )


def check_mode(definition: Definition) -> None:
    """Raise SettingsError for a mode that needs vectors where the index has none."""
    mode = definition.options.get("mode")
    if mode in ("semantic", "hybrid") and not definition.of_kind("VECTOR", "EMBED"):
        raise SettingsError(
            f"option mode = {mode} needs a VECTOR or EMBED item; name one, or take mode = keyword",
            field="mode",
        )


def settings_of(definition: Definition) -> Settings:
    """The settings of the index that the definition means.

    Raises SettingsError for stemmers of items that do not go with that of the index.
    """
    texts = definition.of_kind("TEXT")
    words = definition.options.get("stopwords", [])
    weights = {item.name: item.options["weight"] for item in texts if "weight" in item.options}
    language, localized = _languages(definition)
    return Settings().updated(
        {
            "searchable_attributes": [item.name for item in texts],
            "attribute_weights": {**weights, **definition.options.get("weights", {})},
            "language": language,
            "localized_attributes": localized,
            "stop_words": words,
            "synonyms": definition.options.get("synonyms", {}),
            "embedders": {
                item.name: _embedder(item, definition.options)
                for item in definition.of_kind("VECTOR", "EMBED")
            },
        }
    )


def _languages(definition: Definition) -> tuple[str, list[dict[str, list[str]]] | None]:
    """The language of the index, and rules for the items that have one of their own."""
    usual = definition.options.get("stemmer", "none")
    own = {
        item.name: item.options["stemmer"]
        for item in definition.of_kind("TEXT")
        if item.options.get("stemmer", usual) != usual
    }
    if "none" in own.values() and usual == "auto":
        raise SettingsError(
            "stemmer = none for one item needs a language for the others, not auto", field="stemmer"
        )
    if "none" in own.values():
        texts = definition.of_kind("TEXT")
        own = {item.name: item.options.get("stemmer", usual) for item in texts}
        own, usual = {name: code for name, code in own.items() if code != "none"}, "none"
    rules = [{"attributePatterns": [name], "locales": [code]} for name, code in own.items()]
    return usual, rules or None


def _embedder(item: Attribute, options: Mapping[str, Any]) -> dict[str, Any]:
    if item.kind == "VECTOR":
        return {"source": "userProvided", "dimensions": item.dim}
    model = item.options.get("model", options.get("model", STATIC))
    made = dict(model) if isinstance(model, Mapping) else {"source": model}
    return {**made, "document_attributes": [item.name]}


# What each option may be

Check = Callable[[str, Any], Any]


def _wrong(name: str, wanted: str, value: object) -> SettingsError:
    return SettingsError(f"option {name} must be {wanted}, not {value!r:.60}", field=name)


def _name(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(name, "the name of a column", value)
    return value


def _one_of(*known: str) -> Check:
    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value.lower() not in known:
            raise _wrong(name, " or ".join(known), value)
        return value.lower()

    return check


def _only(value: Any, reason: str) -> Check:
    """An option that has one value in this engine."""

    def check(name: str, given: Any) -> Any:
        same = given.lower() if isinstance(given, str) else given
        if same != value and str(same) != str(value).lower():
            raise SettingsError(f"option {name} can only be {value}: {reason}", field=name)
        return value

    return check


def _without(reason: str) -> Check:
    """An option that means nothing to this engine."""

    def check(name: str, value: Any) -> Any:
        raise SettingsError(f"there is no option {name}: {reason}; leave it out", field=name)

    return check


def _stemmer(name: str, value: Any) -> str:
    asked = str(value).lower()
    for code, language in LANGUAGES.items():
        if asked in (code, language):
            return code
    if asked not in ("none", "auto"):
        known = ["none", "auto", *LANGUAGES, *LANGUAGES.values()]
        raise SettingsError(f'no stemmer "{value}"{near(asked, known)}', field=name)
    return asked


def _stopwords(name: str, value: Any) -> list[str]:
    if isinstance(value, str):
        language = _stemmer(name, value)
        return [] if language == "none" else sorted(stop_words(language))
    if not isinstance(value, Sequence) or not all(isinstance(word, str) for word in value):
        raise _wrong(name, "a list of words, a language or none", value)
    return list(value)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e6:
        raise _wrong(name, "a number from 0 to 1,000,000", value)
    return float(value)


def _own_stemmer(name: str, value: Any) -> str:
    found = _stemmer(name, value)
    if found == "auto":
        raise SettingsError("auto is for all of an index; an item has a language", field=name)
    return found


def _synonyms(name: str, value: Any) -> dict[str, list[str]]:
    if not isinstance(value, Mapping):
        raise _wrong(name, "a struct of word: [other, words]", value)
    for word, others in value.items():
        if not isinstance(others, Sequence) or not all(isinstance(one, str) for one in others):
            raise _wrong(f"{name}.{word}", "a list of texts", others)
    return {
        str(word): [others] if isinstance(others, str) else list(others)
        for word, others in value.items()
    }


def _weights(name: str, value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise _wrong(name, "a struct of column: number", value)
    return {str(column): _number(f"{name}.{column}", weight) for column, weight in value.items()}


def _model(name: str, value: Any) -> Any:
    if isinstance(value, Mapping) and value:
        return dict(value)
    return _one_of(STATIC, FUNCTION)(name, value)


_WORDS = "one tokenizer serves every language; Chinese, Japanese, Korean and Thai go by pairs"
_GRAPH = "vectors are scanned, there is no graph to build"
_TOKENIZER = _only("unicode_words", _WORDS)
_B = _only(0.75, "BM25 runs with k1 1.2 and b 0.75")
_METRIC = _only("cosine", "vectors are compared by their angle")
_QUANTIZATION = _only("auto", "more than 10,000 vectors are scanned by one bit a dimension")
OPTIONS: Mapping[str, Check] = {
    "key": _name,
    "refresh": _one_of(*REFRESHES),
    "stemmer": _stemmer,
    "stopwords": _stopwords,
    "synonyms": _synonyms,
    "weights": _weights,
    "mode": _one_of("keyword", "semantic", "hybrid"),
    "model": _model,
    "tokenizer": _TOKENIZER,
    "ascii_folding": _only(True, "accents are folded for every language"),
    "k1": _only(1.2, "BM25 runs with k1 1.2 and b 0.75"),
    "b": _B,
    "metric": _METRIC,
    "quantization": _QUANTIZATION,
    "m": _without(_GRAPH),
    "ef_construction": _without(_GRAPH),
    "path": _without("the files of an index lie in the folder beside the database"),
}
_VECTOR: Mapping[str, Check] = {
    "metric": _METRIC,
    "quantization": _QUANTIZATION,
    "m": _without(_GRAPH),
    "ef_construction": _without(_GRAPH),
}
ITEM_OPTIONS: Mapping[str, Mapping[str, Check]] = {
    "TEXT": {"weight": _number, "stemmer": _own_stemmer, "tokenizer": _TOKENIZER, "b": _B},
    "KEYWORD": {},
    "VECTOR": _VECTOR,
    "EMBED": {**_VECTOR, "model": _model},
}
