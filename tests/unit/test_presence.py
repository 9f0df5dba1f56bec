"""Which names in filters and settings does no document have, and how is that told?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import hybridsearch
from hybridsearch.errors import FilterError
from hybridsearch.index import Index

DOCUMENTS: list[dict[str, Any]] = [
    {"id": 1, "name": "alien", "metadata": {"year": 1979, "crew": [{"name": "ridley"}]}},
    {"id": 2, "name": "up", "metadata": {"year": 2009, "seen": None}, "gone": None},
]


@pytest.fixture
def films() -> Iterator[Index]:
    with hybridsearch.open(default_embedder=None) as db:
        index = db.create_index("films", primary_key="id")
        index.add(DOCUMENTS)
        yield index


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ("metadata.yaer > 3", '"metadata.yaer" in filter, column 1; did you mean "metadata.year"?'),
        ("id = 1 OR NOT metadata.yaer > 3", '"metadata.yaer" in filter, column 15'),
        ("metadata.crew.nam = ridley", 'did you mean "metadata.crew.name"?'),
        ("name.first = alien", '"name.first" in filter, column 1; there is: gone, id'),
        ("metadata.yaer EXISTS", 'unknown field "metadata.yaer"'),
    ],
)
def test_a_path_that_no_document_has_is_told_like_an_unknown_field(
    films: Index, filter: str, message: str
) -> None:
    for _ in range(2):
        with pytest.raises(FilterError) as caught:
            films.search("", filter=filter)
        assert message in caught.value.message


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ("metadata.year > 2000", [2]),
        ("metadata.seen IS NULL", [2]),
        ("metadata.crew.name = ridley", [1]),
        ("metadata.crew EXISTS", [1]),
        ("metadata.seen > 1", []),
    ],
)
def test_a_path_that_some_document_has_is_known(
    films: Index, filter: str, found: list[int]
) -> None:
    assert [hit.id for hit in films.search("", filter=filter).hits] == found


def test_a_path_is_known_once_a_document_has_it(films: Index) -> None:
    with pytest.raises(FilterError):
        films.search("", filter="metadata.stars > 3")
    films.add([{"id": 3, "metadata": {"stars": 5}}])
    assert films.search("", filter="metadata.stars > 3").total == 1
    films.delete(ids=[3])
    assert films.search("", filter="metadata.stars > 3").total == 0


@pytest.mark.parametrize("allowed", ["metadata", "metadata.yaer", "metadata.*"])
def test_a_path_that_is_allowed_by_its_name_may_be_of_documents_to_come(
    films: Index, allowed: str
) -> None:
    films.update_settings({"filterable_attributes": [allowed]})
    assert films.search("", filter="metadata.yaer > 3").total == 0


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"searchable_attributes": ["titel", "name"]}, "searchableAttributes"),
        ({"attribute_weights": {"titel": 2}}, "attributeWeights"),
        ({"displayed_attributes": ["titel"]}, "displayedAttributes"),
        ({"filterable_attributes": ["titel", "meta*"]}, "filterableAttributes"),
        ({"sortable_attributes": ["titel"]}, "sortableAttributes"),
        ({"distinct_attribute": "titel"}, "distinctAttribute"),
        ({"sort_facet_values_by": {"*": "count", "titel": "alpha"}}, "sortFacetValuesBy"),
        ({"ranking_rules": ["words", "titel:desc"]}, "rankingRules"),
        ({"typo_tolerance": {"disableOnAttributes": ["titel"]}}, "typoTolerance"),
        ({"boost": "1 + titel"}, "boost"),
        (
            {"localized_attributes": [{"attributePatterns": ["titel"], "locales": ["fr"]}]},
            "localizedAttributes",
        ),
        (
            {"embedders": {"a": {"source": "userProvided", "dimensions": 2}}},
            None,
        ),
        (
            {"embedders": {"a": {"source": "static", "documentAttributes": ["titel"]}}},
            "embedders.a.documentAttributes",
        ),
    ],
)
def test_a_setting_that_names_what_no_document_has_is_told(
    films: Index, settings: dict[str, Any], setting: str | None
) -> None:
    films.update_settings(settings)
    known = "there is: gone, id, metadata, metadata.crew, metadata.crew.name"
    told = [f'no document has "titel", which {setting} names; {known}']
    assert [doubt[: len(told[0])] for doubt in films.doubts()] == (told if setting else [])


def test_the_nearest_name_is_offered_also_inside_objects(films: Index) -> None:
    films.update_settings(
        {"searchable_attributes": ["nmae", "metadata.crew.nam"], "attribute_weights": {"nmae": 3}}
    )
    assert films.doubts() == [
        'no document has "nmae", which searchableAttributes and attributeWeights name;'
        ' did you mean "name"?',
        'no document has "metadata.crew.nam", which searchableAttributes names;'
        ' did you mean "metadata.crew.name"?',
    ]


def test_what_documents_have_raises_no_doubt(films: Index) -> None:
    names = ["*", "name", "metadata", "metadata.year", "metadata.seen", "gone", "n*", "*.yaer"]
    films.update_settings({"filterable_attributes": [*names, "_geo"]})
    assert films.doubts() == []


def test_an_index_without_documents_raises_no_doubt() -> None:
    with hybridsearch.open() as db:
        settings = {"searchable_attributes": ["titel"]}
        assert db.create_index("films", settings=settings).doubts() == []
