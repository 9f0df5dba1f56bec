"""What is marked and cropped."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsearch.analysis import Analyzer
from hybridsearch.highlight import crop, mark, positions
from hybridsearch.query import parse

PLAIN, ENGLISH = Analyzer(), Analyzer("en")


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("shoes ", "Red Shoes.", "Red [Shoes]."),
        ("sho", "Red Shoes.", "Red [Sho]es."),
        ("cré", "Crème creme", "[Crè]me [cre]me"),
        ('"road race"', "road race, race road", "[road race], race road"),
        ("red -shoes", "red shoes", "[red] shoes"),
        ("東京都 ", "新東京都へ", "新[東京都]へ"),
        ("東 ", "東京", "[東]京"),
        ("zzz", "red", "red"),
        ("red", "", ""),
        ("fi", "ﬁle", "[ﬁ]le"),
    ],
)
def test_matches_are_marked(query: str, text: str, marked: str) -> None:
    assert mark(text, PLAIN, parse(query, PLAIN), pre="[", post="]") == marked


def test_a_word_with_the_same_stem_is_marked_whole() -> None:
    query = parse("cities ", ENGLISH)
    assert mark("The city", ENGLISH, query) == "The <em>city</em>"


def test_the_letters_typed_are_marked_in_a_stemmed_word() -> None:
    query = parse("runn", ENGLISH)
    assert mark("Running", ENGLISH, query) == "<em>Runn</em>ing"


def test_positions_count_characters() -> None:
    assert positions("🎉 red", PLAIN, parse("red", PLAIN)) == [(2, 3)]


@pytest.mark.parametrize(
    ("words", "cropped"),
    [
        (3, "…five shoes six…"),
        (1, "…shoes…"),
        (20, "one two three four five shoes six seven."),
        (0, "one two three four five shoes six seven."),
    ],
)
def test_a_crop_has_the_match_in_its_middle(words: int, cropped: str) -> None:
    text = "one two three four five shoes six seven."
    assert crop(text, PLAIN, parse("shoes", PLAIN), words=words) == cropped


def test_a_crop_prefers_where_most_different_words_match() -> None:
    text = "red red red a b c d e red shoes f g"
    assert crop(text, PLAIN, parse("red shoes", PLAIN), words=3, marker="~") == "~e red shoes~"


def test_a_crop_without_a_match_is_the_beginning() -> None:
    assert crop("a b c d", PLAIN, parse("zzz", PLAIN), words=2) == "a b…"


def test_a_crop_at_the_end_keeps_the_end() -> None:
    assert crop("a b c shoes!", PLAIN, parse("shoes", PLAIN), words=2) == "…c shoes!"


LETTERS = st.text(st.sampled_from('abé "-東京ﬁ\u0301 .\ud800'), max_size=40)


@given(LETTERS, LETTERS, st.integers(0, 6))
def test_marks_and_crops_only_add_or_cut(text: str, asked: str, words: int) -> None:
    query = parse(asked, ENGLISH)
    assert mark(text, ENGLISH, query, pre="<", post=">").translate({60: "", 62: ""}) == text
    assert crop(text, ENGLISH, query, words=words, marker="") in text
    spans = positions(text, ENGLISH, query)
    assert all(length > 0 for _, length in spans)
    assert all(a + n <= b for (a, n), (b, _) in pairwise(spans))


def test_of_an_odd_number_of_neighbours_one_more_stands_before() -> None:
    text = "a french book about a prince that walks on"
    assert crop(text, PLAIN, parse("prince", PLAIN), words=6) == "…book about a prince that walks…"
    assert crop(text, PLAIN, parse("prince", PLAIN), words=2) == "…a prince…"


def test_a_start_of_words_is_one_word_however_many_it_begins() -> None:
    text = "it's ted the first night of service serving soup"
    assert crop(text, PLAIN, parse("s", PLAIN), words=2) == "it's…"
