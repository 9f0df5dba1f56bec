"""Which texts of a document are searched, embedded and shown?"""

from __future__ import annotations

from typing import Any

import pytest

from hybridsearch.extraction import attribute_texts, embedded_attributes, is_wanted, project

ALL = ("*",)
FILM: dict[str, Any] = {
    "id": 7,
    "title": "Up",
    "crew": [{"name": "Bob", "age": 61}, {"name": "Pete"}],
    "tags": ["sky", 3, None, True, ["deep"]],
    "studio": {"name": "P", "place": {"city": "E"}},
    "seen": True,
    "note": None,
}


def test_every_text_and_number_stands_under_its_name() -> None:
    assert attribute_texts(FILM, ALL) == {
        "id": "7",
        "title": "Up",
        "crew.name": "Bob\nPete",
        "crew.age": "61",
        "tags": "sky\n3\ndeep",
        "studio.name": "P",
        "studio.place.city": "E",
    }


@pytest.mark.parametrize("document", [{"a": {"b": "x"}, "a.b": "y"}, {"a.b": "x", "a": {"b": "y"}}])
def test_a_name_that_is_nested_and_written_out_has_both_texts(document: dict[str, Any]) -> None:
    assert attribute_texts(document, ALL) == {"a.b": "x\ny"}


def test_without_numbers_only_texts_are_left() -> None:
    assert attribute_texts(FILM, ("tags", "id"), numbers=False) == {"tags": "sky\ndeep"}


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (["studio"], ["studio.name", "studio.place.city"]),
        (["studio.place"], ["studio.place.city"]),
        (["crew.name", "title"], ["title", "crew.name"]),
        (["stud*"], ["studio.name", "studio.place.city"]),
        (["stud"], []),
        ([], []),
    ],
)
def test_a_name_means_what_is_nested_in_it_too(wanted: list[str], names: list[str]) -> None:
    assert list(attribute_texts(FILM, wanted)) == names


def test_what_is_embedded_is_the_texts_without_numbers_and_key() -> None:
    document = {"id": "x7", "title": "Up", "year": 2009, "tags": ["sky"], "empty": ""}
    assert embedded_attributes(document, ALL, without="id") == {"title": "Up", "tags": "sky"}


@pytest.mark.parametrize(
    ("name", "wanted", "expected"),
    [
        ("crew.name", ["crew"], True),
        ("crews", ["crew"], False),
        ("crew", ["crew.name"], False),
        ("anything", ["*"], True),
        ("crews", ["crew*"], True),
        ("crew", [], False),
    ],
)
def test_a_name_is_wanted_by_itself_by_a_parent_or_by_a_star(
    name: str, wanted: list[str], expected: bool
) -> None:
    assert is_wanted(name, wanted) is expected


def test_a_document_is_shown_whole_where_everything_is_wanted() -> None:
    assert project(FILM, ALL) == FILM


def test_a_nested_attribute_that_is_shown_keeps_its_place() -> None:
    shown = project(FILM, ["studio.place", "title"])
    assert shown == {"title": "Up", "studio": {"place": {"city": "E"}}}
