"""Are settings always valid, whatever way they were given?"""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from hybridsearch.embedder_settings import EmbedderSettings
from hybridsearch.errors import SettingsError
from hybridsearch.kept_settings import shown
from hybridsearch.settings import TABLE, Settings

SOME: dict[str, Any] = {
    "searchableAttributes": ["title", "crew.name"],
    "attributeWeights": {"title": 2.0},
    "displayedAttributes": ["title"],
    "filterableAttributes": ["year"],
    "sortableAttributes": ["year"],
    "stopWords": ["a", "the"],
    "language": "en",
    "embedders": {"clip": {"source": "userProvided", "dimensions": 3}},
    "fusion": {"mode": "rrf", "weights": [0.7, 0.3], "k": 10},
    "boost": "1 + ln(1 + sold)",
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
    assert settings.to_json() == {**SOME, **shown({})}
    assert Settings().updated(settings.to_json()) == settings


@pytest.mark.parametrize("name", SOME)
def test_null_sets_a_setting_back(name: str) -> None:
    settings = Settings().updated(SOME).updated({name: None})
    assert settings.to_json() == {**SOME, **shown({}), name: Settings().to_json()[name]}


def test_facets_go_by_the_alphabet_where_nothing_else_is_said() -> None:
    settings = Settings().updated({"faceting": {"sortFacetValuesBy": {"genre": "count"}}})
    assert settings.sort_facet_values_by == {"*": "alpha", "genre": "count"}


@pytest.mark.parametrize(
    "more", [{"distribution": {"mean": 2, "sigma": 0}}, {"distribution": 1}, {"binaryQuantized": 1}]
)
def test_what_is_kept_of_an_embedder_is_checked(more: dict[str, Any]) -> None:
    fit = {"distribution": {"mean": 0.5, "sigma": 0.1}, "binaryQuantized": False}
    given = {"source": "userProvided", "dimensions": 2, **fit}
    assert Settings().updated({"embedders": {"a": given}}).to_json()["embedders"] == {"a": given}
    with pytest.raises(SettingsError):
        Settings().updated({"embedders": {"a": {**given, **more}}})


def test_what_only_meilisearch_has_a_use_for_is_kept() -> None:
    given = {"ranking_rules": ["words"], "searchCutoffMs": 5, "pagination": {"maxTotalHits": 9}}
    settings = Settings().updated(given).updated({"rankingRules": None})
    assert settings.kept == {"searchCutoffMs": 5, "pagination": {"maxTotalHits": 9}}
    assert Settings().updated(settings.to_json()) == settings


def test_an_embedder_keeps_what_a_change_does_not_name() -> None:
    old = {"source": "ollama", "url": "http://a", "model": "m", "apiKey": "secret"}
    settings = Settings().updated({"embedders": {"a": old}})
    changed = settings.updated({"embedders": {"a": {"model": "other"}}}).embedders["a"]
    assert (changed.model, changed.api_key) == ("other", "secret")
    moved = settings.updated({"embedders": {"a": {"url": "http://b"}}}).embedders["a"]
    assert (moved.model, moved.api_key) == ("m", None)


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


SERVICE = {
    "source": "rest",
    "url": "https://example.org/embed",
    "apiKey": "sk-0123456789abcdef",
    "headers": {"X-Team": "search"},
    "request": {"input": ["{{text}}", "{{..}}"]},
    "response": {"data": ["{{embedding}}", "{{..}}"]},
}


def service(**changes: Any) -> Settings:
    return Settings().updated({"embedders": {"mine": {**SERVICE, **changes}}})


def test_secrets_are_masked_when_settings_are_read() -> None:
    shown = service().to_json()["embedders"]["mine"]
    assert (shown["apiKey"], shown["headers"]) == ("skXXXX...", {"X-Team": "XXX..."})


def test_secrets_are_whole_in_the_database_file() -> None:
    stored = service().to_storage()
    assert stored["embedders"]["mine"] == SERVICE
    assert Settings().updated(stored) == service()


def test_settings_that_were_read_can_be_given_back_with_their_masks() -> None:
    assert service().updated(service().to_json()) == service()


def test_a_masked_secret_does_not_go_to_another_address() -> None:
    changed = {**service().to_json()["embedders"]["mine"], "url": "https://evil.example"}
    assert service().updated({"embedders": {"mine": changed}}).embedders["mine"].api_key == (
        "skXXXX..."
    )


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"source": "static", "apiKey": "x"}, '"apiKey" does not belong to the source "static"'),
        ({"source": "ollama"}, 'it needs "model"'),
        ({"source": "rest", "url": "https://a"}, 'it needs "request"'),
        ({"source": "static", "docTemplate": "x"}, 'did you mean "documentTemplate"'),
        ({"source": "openAi", "url": "ftp://a"}, "an address like"),
        ({"source": "openAi", "url": "http://user:pass@host/"}, "without a user name"),
        ({"source": "openAi", "headers": {"A": "b\r\nC: d"}}, "without line ends"),
        ({"source": "onnx", "model": "m", "pooling": "max"}, "one of useModel"),
        ({"source": "onnx", "model": "m", "file": "../up.onnx"}, "in the model's folder"),
        ({"source": "onnx", "model": "m", "file": "/etc/passwd"}, "in the model's folder"),
        ({"source": "static", "passageWords": -1}, "whole number between"),
    ],
)
def test_an_unfit_embedder_says_what_is_wrong(own: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings().updated({"embedders": {"mine": own}})
    assert says in caught.value.message.replace("mine.", "").replace("embedders.", "")


def test_meilisearchs_names_of_pooling_are_taken() -> None:
    own = {"source": "huggingFace", "model": "m", "pooling": "forceMean"}
    assert Settings().updated({"embedders": {"m": own}}).embedders["m"].pooling == "mean"
