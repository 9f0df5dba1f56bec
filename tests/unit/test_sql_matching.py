"""Operators tell what a text holds."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsearch.sql.matching import (
    holds_all,
    holds_any,
    holds_asked,
    holds_phrase,
    holds_term,
)

WORDS = st.lists(st.sampled_from(["red", "blue", "road", "race"]), max_size=6)


@given(text=WORDS, query=WORDS)
def test_any_and_all_are_set_questions(text: list[str], query: list[str]) -> None:
    texts, queries = [" ".join(text)], [" ".join(query)]
    assert holds_any(texts, queries) == [bool(set(text) & set(query))]
    assert holds_all(texts, queries) == [bool(query) and set(query) <= set(text)]


@given(text=WORDS, query=WORDS.filter(bool))
def test_a_phrase_without_slop_is_a_run_of_words(text: list[str], query: list[str]) -> None:
    runs = [text[at : at + len(query)] for at in range(len(text))]
    assert holds_phrase([" ".join(text)], [" ".join(query)], [0]) == [query in runs]


@given(text=WORDS, query=WORDS.filter(bool))
def test_more_slop_never_loses_a_match(text: list[str], query: list[str]) -> None:
    found = [holds_phrase([" ".join(text)], [" ".join(query)], [slop])[0] for slop in range(8)]
    assert sorted(found, key=bool) == found


@pytest.mark.parametrize("words", list(permutations(["red", "road", "race"])))
def test_enough_slop_takes_any_order(words: tuple[str, ...]) -> None:
    assert holds_phrase([" ".join(words)], ["red road race"], [4]) == [True]


@pytest.mark.parametrize("query", ['"', "-", "*", '-"', "**", "\0", '" "', "-* x*"])
def test_no_query_is_refused(query: str) -> None:
    assert holds_asked(["a text"], [query]) == [False]


def test_null_in_null_out() -> None:
    texts: list[str | None] = [None, "a", "a"]
    assert holds_asked(texts, ["a", None, "a"]) == [None, None, True]
    assert holds_term(texts, [["a"], None, ["a", None]]) == [None, None, True]
    assert holds_phrase(texts, ["a", None, "a"], [None, 0, None]) == [None, None, True]
