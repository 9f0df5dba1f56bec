"""What does a filterable attribute allow, by name, by pattern and by its features?"""

from __future__ import annotations

from typing import Any

import pytest

from hybridsearch import Database, Index
from hybridsearch.errors import FilterError, SettingsError
from hybridsearch.filterable import FilterRule, fits, patterns_of, read_rules, rule_of, rule_to_json
from hybridsearch.settings import Settings

RULES: list[Any] = [
    "genres",
    {"attributePatterns": ["price*"], "features": {"filter": {"comparison": True}}},
    {"attributePatterns": ["*"], "features": {"facetSearch": True, "filter": {"equality": False}}},
]


@pytest.mark.parametrize(
    ("name", "pattern", "found"),
    [
        ("a", "a", True), ("a.b", "a", True), ("ab", "a", False), ("ab", "a*", True),
        ("ba", "*a", True), ("bab", "*a*", True), ("b", "*a*", False), ("a", "a.*", False),
        ("a.b", "a.*", True), ("x.a", "*.a", True), ("a", "*", True),
    ],
)  # fmt: skip
def test_a_pattern_fits_by_name_parent_or_star(name: str, pattern: str, found: bool) -> None:
    assert fits(name, pattern) is found


def test_the_first_rule_that_fits_decides() -> None:
    rules = read_rules("filterableAttributes", RULES)
    assert rule_of(rules, "genres") == FilterRule(("genres",), True, True, True)
    assert rule_of(rules, "price_eur") == FilterRule(("price*",), False, True, True)
    assert rule_of(rules, "other") == FilterRule(("*",), True, False, False)
    assert rule_of(rules[:2], "other") is None
    assert patterns_of(rules) == ("genres", "price*", "*")


def test_rules_come_back_as_they_were_set() -> None:
    settings = Settings().updated({"filterableAttributes": RULES})
    shown = settings.to_json()["filterableAttributes"]
    assert shown[0] == "genres"
    assert shown[1]["features"] == {
        "facetSearch": False,
        "filter": {"equality": True, "comparison": True},
    }
    assert Settings().updated({"filterableAttributes": shown}) == settings
    assert [rule_to_json(rule) for rule in settings.filterable_attributes] == shown


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("genres", "must be a list of attribute names or objects"),
        ([1], r"filterableAttributes\[0\]"),
        ([{"attributePatterns": []}], "attributePatterns"),
        ([{"attributePatterns": ["a"], "feature": {}}], "unknown setting"),
        ([{"attributePatterns": ["a"], "features": {"filter": {"equality": 1}}}], "true or false"),
        ([{"attributePatterns": ["a"], "features": []}], "an object"),
        (["\ud800"], "an attribute's name or pattern"),
    ],
)
def test_what_is_no_rule_is_refused(value: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings().updated({"filterableAttributes": value})


def found(index: Index, filter: str) -> list[Any]:
    return [hit.id for hit in index.search("", filter=filter)]


@pytest.fixture
def index(memory: Database) -> Index:
    settings = {"filterable_attributes": [*RULES[:2], "gone_at", "never"]}
    made = memory.create_index("things", primary_key="id", settings=settings)
    made.add(
        [{"id": 1, "genres": ["a"], "price_eur": 2, "gone_at": None}, {"id": 2, "genres": "b"}]
    )
    return made


def test_an_operator_that_no_rule_allows_is_refused(index: Index) -> None:
    assert found(index, "price_eur > 1 AND genres = a") == [1]
    index.update_settings({"filterable_attributes": [{"attributePatterns": ["price_*"]}]})
    assert found(index, "price_eur = 2") == [1]
    with pytest.raises(FilterError, match="may not be filtered by comparison"):
        found(index, "price_eur > 1")


def test_an_attribute_that_was_only_ever_null_can_be_filtered_by(index: Index) -> None:
    assert found(index, "gone_at IS NULL") == [1]
    assert found(index, "gone_at EXISTS") == [1]
    assert found(index, "gone_at IS NOT NULL") == [2]
    assert found(index, "gone_at = 3 OR gone_at IS EMPTY") == []
    assert found(index, "gone_at != 3") == [1, 2]


def test_one_that_is_filterable_by_name_may_be_in_no_document(index: Index) -> None:
    assert found(index, "never = 1") == []
    assert found(index, "never NOT EXISTS AND never IS NOT NULL") == [1, 2]
    assert index.search("", facets=["never"]).facets == {"never": {}}


def test_one_that_is_null_everywhere_needs_no_name(memory: Database) -> None:
    made = memory.create_index("nulls", primary_key="id")
    made.add([{"id": 1, "gone_at": None}, {"id": 2}])
    assert found(made, "gone_at IS NULL") == [1]
    with pytest.raises(FilterError, match='unknown field "gon_at"'):
        found(made, "gon_at IS NULL")


def test_what_was_null_has_values_later(index: Index) -> None:
    assert found(index, "gone_at > 3") == []
    index.update_settings({"filterable_attributes": ["gone_at"]})
    index.add([{"id": 3, "gone_at": 5}])
    assert found(index, "gone_at > 3") == [3]
    assert found(index, "gone_at IS NULL") == [1]
