"""Does a hit show what matched, as InstantSearch and other clients expect it?"""

from __future__ import annotations

from typing import Any

import pytest

from hybridsearch.analysis import Analyzer
from hybridsearch.localized import Analyzers
from hybridsearch.query import parse
from hybridsearch.server.formatting import Look, formatted, matches

PLAIN = Analyzer()
ALONE = Analyzers(PLAIN)
ALL = Look(highlight=("*",))


def shown(document: dict[str, Any], query: str, look: Look = ALL) -> dict[str, Any]:
    return formatted(document, ALONE, parse(query, PLAIN), look)


def found(document: dict[str, Any], query: str) -> dict[str, Any]:
    return matches(document, ALONE, parse(query, PLAIN))


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("Ar", "Ariel", "<em>Ar</em>iel"),
        ("ariel ", "Ariel's", "<em>Ariel</em>'s"),
        ("ariel", "Arielle", "<em>Ariel</em>le"),
        ("ariel ", "Arielle", "Arielle"),
        ('"petit prince"', "Le Petit Prince", "Le <em>Petit Prince</em>"),
        ('"petit prince"', "Prince Petit", "Prince Petit"),
        ("petit prince", "Le Petit Prince", "Le <em>Petit</em> <em>Prince</em>"),
        ("prince -petit", "Le Petit Prince", "Le Petit <em>Prince</em>"),
        ("creme", "Crème brûlée", "<em>Crème</em> brûlée"),
        ("", "Ariel", "Ariel"),
        ("a <b>", "<b>a</b>", "<<em>b</em>><em>a</em></<em>b</em>>"),
    ],
)
def test_what_matches_is_marked(query: str, text: str, marked: str) -> None:
    assert shown({"t": text}, query) == {"t": marked}


def test_numbers_become_texts_and_other_scalars_stay() -> None:
    document = {"n": 456, "x": 1.5, "yes": True, "no": None, "big": 2**70, "list": [1, None, False]}
    assert shown(document, "45") == {
        **{"n": "<em>45</em>6", "x": "1.5", "yes": True, "no": None},
        **{"big": str(2**70), "list": ["1", None, False]},
    }


def test_lists_and_objects_are_marked_inside() -> None:
    document = {"a": [{"name": "hello world"}, ["hello"]], "o": {"name": "one hello", "id": 1}}
    assert shown(document, "hello ") == {
        "a": [{"name": "<em>hello</em> world"}, ["<em>hello</em>"]],
        "o": {"name": "one <em>hello</em>", "id": "1"},
    }


@pytest.mark.parametrize(
    ("wanted", "marked"),
    [
        (("a",), {"a": {"b": "<em>x</em>", "c": "<em>x</em>"}, "d": "x"}),
        (("a.b",), {"a": {"b": "<em>x</em>", "c": "x"}, "d": "x"}),
        (("a.*",), {"a": {"b": "<em>x</em>", "c": "<em>x</em>"}, "d": "x"}),
        (("nothing",), {"a": {"b": "x", "c": "x"}, "d": "x"}),
    ],
)
def test_only_the_attributes_asked_for_are_marked(
    wanted: tuple[str, ...], marked: dict[str, Any]
) -> None:
    document = {"a": {"b": "x", "c": "x"}, "d": "x"}
    assert shown(document, "x", Look(highlight=wanted)) == marked


def test_a_crop_is_marked_too_and_the_first_length_that_fits_counts() -> None:
    look = Look(highlight=("*",), crop={"title": 1, "*": 3}, pre="[", post="]", marker="~")
    document = {"title": "red shoes", "text": "one two shoes three four", "n": 12345}
    assert shown(document, "shoes ", look) == {
        "title": "~[shoes]",
        "text": "~two [shoes] three~",
        "n": "12345",
    }


def test_a_crop_without_a_match_begins_at_the_beginning() -> None:
    assert shown({"t": "one two three"}, "nine", Look(crop={"t": 2})) == {"t": "one two…"}
    assert shown({"t": "one two three"}, "nine", Look(crop={"t": 2}, marker="")) == {"t": "one two"}
    assert shown({"t": "one two three"}, "nine", Look(crop={"t": 0})) == {"t": "one two three"}


def test_matches_are_told_in_bytes() -> None:
    assert found({"t": "é prince", "u": "no"}, "prince") == {"t": [{"start": 3, "length": 6}]}
    assert found({"t": "東京 crème"}, "creme") == {"t": [{"start": 7, "length": 6}]}


def test_matches_in_lists_say_in_which_item() -> None:
    document = {"genre": ["fantasy", "x", "fantasy"], "crew": [{"name": ["a", "fantasy"]}]}
    assert found(document, "fantasy") == {
        "genre": [
            {"start": 0, "length": 7, "indices": [0]},
            {"start": 0, "length": 7, "indices": [2]},
        ],
        "crew.name": [{"start": 0, "length": 7, "indices": [0, 1]}],
    }


def test_a_phrase_and_the_letters_typed_are_matches_of_their_length() -> None:
    assert found({"t": "Le Petit Prince"}, '"petit prince"') == {"t": [{"start": 3, "length": 12}]}
    assert found({"t": "Ariel"}, "ar") == {"t": [{"start": 0, "length": 2}]}


def test_no_query_matches_nothing() -> None:
    assert found({"t": "text"}, "") == {}


def test_half_a_surrogate_pair_is_counted_and_not_choked_on() -> None:
    assert found({"t": "\ud800 prince"}, "prince") == {"t": [{"start": 4, "length": 6}]}
