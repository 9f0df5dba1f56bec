"""Which attributes may be filtered by, with which operators, and searched for facet values?

A rule is an attribute's name or pattern, which allows everything, or a `FilterRule` with the
features that its patterns have. The first rule that fits an attribute decides.

    rules = read_rules("filterableAttributes", ["genres", {"attributePatterns": ["price*"]}])
    rule_of(rules, "price_eur").comparison            # False: a rule has only what it asks for
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hybridsearch.errors import SettingsError, near
from hybridsearch.setting_values import is_text, wrong

__all__ = ["FilterRule", "Rule", "fits", "patterns_of", "read_rules", "rule_of", "rule_to_json"]


@dataclass(frozen=True)
class FilterRule:
    """What the attributes of some patterns may be used for.

    facet_search: searching their values. equality: =, IN, EXISTS, IS NULL, CONTAINS and the like.
    comparison: <, >, TO and the like.
    """

    patterns: tuple[str, ...]
    facet_search: bool = False
    equality: bool = True
    comparison: bool = False


Rule: TypeAlias = str | FilterRule


def fits(name: str, pattern: str) -> bool:
    """Whether an attribute is meant: by name, by a parent's name, or by a pattern with "*".

    >>> fits("crew.name", "crew"), fits("crews", "crew"), fits("price_eur", "*_eur")
    (True, False, True)
    """
    if pattern in ("*", name) or name.startswith(pattern + "."):
        return True
    if pattern.startswith("*") and pattern.endswith("*"):
        return pattern.strip("*") in name
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return pattern.startswith("*") and name.endswith(pattern[1:])


def rule_of(rules: Iterable[Rule], name: str) -> FilterRule | None:
    """What an attribute may be used for; None when it is not filterable."""
    for rule in rules:
        if isinstance(rule, str):
            if fits(name, rule):
                return FilterRule((rule,), facet_search=True, comparison=True)
        elif any(fits(name, pattern) for pattern in rule.patterns):
            return rule
    return None


def patterns_of(rules: Iterable[Rule]) -> tuple[str, ...]:
    """Every name and pattern, in order, each once."""
    found = [(rule,) if isinstance(rule, str) else rule.patterns for rule in rules]
    return tuple(dict.fromkeys(pattern for patterns in found for pattern in patterns))


def rule_to_json(rule: Rule) -> Any:
    """The rule in its JSON form."""
    if isinstance(rule, str):
        return rule
    kinds = {"equality": rule.equality, "comparison": rule.comparison}
    features = {"facetSearch": rule.facet_search, "filter": kinds}
    return {"attributePatterns": list(rule.patterns), "features": features}


def read_rules(name: str, value: Any) -> tuple[Rule, ...]:
    """The rules from JSON, repeats left out. Raises SettingsError, with the place of the fault."""
    if not isinstance(value, list | tuple):
        raise wrong(name, "a list of attribute names or objects", value)
    return tuple(dict.fromkeys(_rule(f"{name}[{at}]", item) for at, item in enumerate(value)))


def _rule(at: str, value: Any) -> Rule:
    if isinstance(value, FilterRule):
        return value
    if not isinstance(value, Mapping):
        return _text(at, value)
    given = _known(at, value, ("attributePatterns", "features"))
    patterns = given.get("attributePatterns")
    if not isinstance(patterns, list | tuple) or not patterns:
        raise wrong(f"{at}.attributePatterns", "a list of names or patterns", patterns)
    features = _known(f"{at}.features", given.get("features"), ("facetSearch", "filter"))
    kinds = _known(f"{at}.features.filter", features.get("filter"), ("equality", "comparison"))
    return FilterRule(
        tuple(_text(f"{at}.attributePatterns", pattern) for pattern in patterns),
        facet_search=_flag(f"{at}.features.facetSearch", features.get("facetSearch"), False),
        equality=_flag(f"{at}.features.filter.equality", kinds.get("equality"), True),
        comparison=_flag(f"{at}.features.filter.comparison", kinds.get("comparison"), False),
    )


def _known(at: str, value: Any, names: Sequence[str]) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise wrong(at, "an object", value)
    for name in value:
        if name not in names:
            raise SettingsError(f'unknown setting "{at}.{name}"{near(str(name), names)}', field=at)
    return dict(value)


def _text(at: str, value: Any) -> str:
    if not is_text(value) or not value:
        raise wrong(at, "an attribute's name or pattern", value)
    return value


def _flag(at: str, value: Any, default: bool) -> bool:
    if value is not None and not isinstance(value, bool):
        raise wrong(at, "true or false", value)
    return default if value is None else value
