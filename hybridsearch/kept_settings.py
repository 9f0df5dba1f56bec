"""Which settings are kept as Meilisearch's clients send them, whether or not they do something?

People move here with the settings that they had. What Meilisearch knows is checked, kept, and shown
again; ARCHITECTURE.md says of each what it means here, which for most is nothing. KEPT is the one
table of their names, defaults and checks.

    >>> kept({}, "searchCutoffMs", 150)
    {'searchCutoffMs': 150}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hybridsearch.errors import SettingsError
from hybridsearch.languages import locale_of

RULES = (
    *("words", "typo", "proximity", "attributeRank", "sort", "wordPosition", "exactness"),
    "attribute",
)
DEFAULT_RULES = RULES[:-1]
CUSTOM_RULE = re.compile(r"(?!_geo).+:(asc|desc)")
"""A distance is asked for by a search; no index is ordered by one."""
MOST_HITS = 1000


@dataclass(frozen=True)
class Kept:
    """One kept setting. fits: whether a value is fit; wanted: what it has to be, for the error.

    merged: an object of which a change may name some of the members.
    """

    default: Any
    wanted: str
    fits: Callable[[Any], bool]
    merged: bool = False


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, str) and item.encode(errors="ignore").decode() == item for item in value
    )


def _is_rule(text: str) -> bool:
    return text in RULES or CUSTOM_RULE.fullmatch(text) is not None


def _are_rules(value: Any) -> bool:
    if not _are_texts(value) or not all(map(_is_rule, value)):
        return False
    return not ("attribute" in value and {"attributeRank", "wordPosition"} & set(value))


def _are_synonyms(value: Any) -> bool:
    return isinstance(value, dict) and all(_are_texts(words) for words in value.values())


def _is_page(value: Any) -> bool:
    most = value.get("maxTotalHits") if isinstance(value, dict) else None
    return most is not None and set(value) == {"maxTotalHits"} and _is_whole(most)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _are_locales(value: Any) -> bool:
    names = {"attributePatterns", "locales"}
    return isinstance(value, list) and all(
        isinstance(rule, dict)
        and set(rule) == names
        and all(map(_are_texts, rule.values()))
        and all(map(locale_of, rule["locales"]))
        for rule in value
    )


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


TOKENS = Kept(
    [], "an array of texts, none of them blank", lambda v: _are_texts(v) and all(map(str.strip, v))
)
KEPT: dict[str, Kept] = {
    "rankingRules": Kept(
        list(DEFAULT_RULES),
        f"an array of {', '.join(RULES)} (not both attribute and its two parts), or"
        ' "attribute:asc" and ":desc", which no place is: _geoPoint goes into the sort of a search',
        _are_rules,
    ),
    "nonSeparatorTokens": TOKENS,
    "separatorTokens": TOKENS,
    "dictionary": TOKENS,
    "synonyms": Kept({}, "an object of word: array of words", _are_synonyms),
    "proximityPrecision": Kept(
        "byWord", '"byWord" or "byAttribute"', lambda v: v in ("byWord", "byAttribute")
    ),
    "pagination": Kept(
        {"maxTotalHits": MOST_HITS}, '{"maxTotalHits": a whole number}', _is_page, merged=True
    ),
    "searchCutoffMs": Kept(None, "a whole number of milliseconds", _is_whole),
    "localizedAttributes": Kept(
        None,
        'an array of {"attributePatterns": [...], "locales": [...]}, where locales are ISO 639'
        ' codes of languages, as "fr" or "fra"',
        _are_locales,
    ),
    "facetSearch": Kept(True, "true or false", lambda v: isinstance(v, bool)),
    "prefixSearch": Kept(
        "indexingTime", '"indexingTime" or "disabled"', lambda v: v in ("indexingTime", "disabled")
    ),
    "chat": Kept({}, "an object", lambda v: isinstance(v, dict), merged=True),
    "foreignKeys": Kept([], "an array of objects", _are_objects),
}


def kept(before: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    """The kept settings with one changed; null or its default forgets it. Raises SettingsError."""
    rest = {key: old for key, old in before.items() if key != name}
    if value is None:
        return rest
    setting = KEPT[name]
    if setting.merged and isinstance(value, Mapping):
        whole = {**setting.default, **before.get(name, {}), **value}
        value = {k: setting.default.get(k) if v is None else v for k, v in whole.items()}
        value = {key: part for key, part in value.items() if part is not None}
    plain = list(value) if isinstance(value, tuple) else value
    if not setting.fits(plain):
        raise SettingsError(
            f'setting "{name}" must be {setting.wanted}, not {value!r:.80}', field=name
        )
    return rest if plain == setting.default else {**rest, name: plain}


def shown(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Every kept setting, with the defaults of those that are not set."""
    return {name: settings.get(name, setting.default) for name, setting in KEPT.items()}


def most_hits(settings: Mapping[str, Any]) -> int | None:
    """How many hits pages may reach down to; None where nothing but the default is set.

    >>> most_hits({"pagination": {"maxTotalHits": 50}}), most_hits({})
    (50, None)
    """
    found = settings.get("pagination")
    return None if found is None else int(found["maxTotalHits"])


def cutoff_seconds(settings: Mapping[str, Any]) -> float | None:
    """How long embedding the text of a search may take; None where nothing is set.

    >>> cutoff_seconds({"searchCutoffMs": 150}), cutoff_seconds({})
    (0.15, None)
    """
    found = settings.get("searchCutoffMs")
    return None if found is None else int(found) / 1000


def still_fit(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings that were written down, without rules that were taken once and are refused now.

    >>> still_fit({"rankingRules": ["_geo:desc", "words"], "language": "fr"})
    {'rankingRules': ['words'], 'language': 'fr'}
    """
    if "rankingRules" not in stored:
        return stored
    return {**stored, "rankingRules": [rule for rule in stored["rankingRules"] if _is_rule(rule)]}


def custom_rules(settings: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The "attribute:asc" and ":desc" among the kept ranking rules: those before all of the others
    but `sort`, and the rest of them, each in their order.

    >>> custom_rules({"rankingRules": ["pinned:desc", "words", "typo", "downloads:desc"]})
    (('pinned:desc',), ('downloads:desc',))
    """
    rules = settings.get("rankingRules", DEFAULT_RULES)
    relevant = [place for place, rule in enumerate(rules) if rule in RULES and rule != "sort"]
    first = relevant[0] if relevant else len(rules)
    before = tuple(rule for rule in rules[:first] if rule not in RULES)
    return before, tuple(rule for rule in rules[first:] if rule not in RULES)
