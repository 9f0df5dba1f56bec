"""Are settings always valid, whatever way they were given?"""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from hybridsearch.errors import SettingsError
from hybridsearch.settings import TABLE, EmbedderSettings, Settings

SOME: dict[str, Any] = {
    "searchableAttributes": ["title", "crew.name"],
    "attributeWeights": {"title": 2.0},
    "displayedAttributes": ["title"],
    "filterableAttributes": ["year"],
    "sortableAttributes": ["year"],
    "stopWords": ["a", "the"],
    "language": "en",
    "embedders": {"clip": {"source": "userProvided", "dimensions": 3}},
    "distinctAttribute": "sku",
    "maxValuesPerFacet": 7,
    "sortFacetValuesBy": {"*": "count"},
    "typoTolerance": {
        "enabled": False,
        "minWordSizeForTypos": {"oneTypo": 4, "twoTypos": 8},
        "disableOnWords": ["alien"],
        "disableOnAttributes": ["title"],
        "disableOnNumbers": True,
    },
}


def test_the_examples_below_name_every_setting() -> None:
    assert SOME.keys() == TABLE.keys()


def test_settings_come_back_from_their_json() -> None:
    settings = Settings().updated(SOME)
    assert settings.to_json() == SOME
    assert Settings().updated(settings.to_json()) == settings


@pytest.mark.parametrize("name", SOME)
def test_null_sets_a_setting_back(name: str) -> None:
    settings = Settings().updated(SOME).updated({name: None})
    assert settings.to_json() == {**SOME, name: Settings().to_json()[name]}


@pytest.mark.parametrize("name", SOME)
def test_a_setting_has_its_python_name_too(name: str) -> None:
    changes = {TABLE[name].attribute: SOME[name]}
    assert Settings().updated(changes) == Settings().updated({name: SOME[name]})


def test_a_change_leaves_the_settings_before_as_they_were() -> None:
    settings = Settings()
    settings.updated(SOME)
    assert settings == Settings()
    with pytest.raises(FrozenInstanceError):
        settings.language = "en"  # type: ignore[misc]  # that it cannot be set is the claim


def test_what_the_api_groups_under_faceting_is_taken() -> None:
    settings = Settings().updated({"faceting": {"maxValuesPerFacet": 3}})
    assert settings.max_values_per_facet == 3
    assert settings.updated({"faceting": None}).max_values_per_facet == 100


def test_names_are_kept_in_order_without_repeats() -> None:
    settings = Settings().updated({"searchable_attributes": ["b", "a", "b"]})
    assert settings.searchable_attributes == ("b", "a")


@pytest.mark.parametrize("words", [["b", "a", "b"], {"a", "b"}, ("a", "b")])
def test_stop_words_are_a_set(words: Any) -> None:
    assert Settings().updated({"stop_words": words}).stop_words == ("a", "b")


def test_an_embedder_says_no_more_than_what_was_set() -> None:
    assert EmbedderSettings("static").to_json() == {"source": "static"}


def test_a_setting_that_is_wrong_names_itself_and_what_it_must_be() -> None:
    with pytest.raises(SettingsError, match='"stopWords" must be a list of words') as caught:
        Settings().updated({"stopWords": "the"})
    assert caught.value.fields == {"field": "stopWords"}
