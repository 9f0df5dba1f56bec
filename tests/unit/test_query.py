"""What a person types, read into a tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsearch.analysis import Analyzer, stop_words
from hybridsearch.query import Phrase, Query, Word, complete_words, parse

PLAIN = Analyzer()


def words(text: str) -> list[str]:
    return [word.term for word in parse(text, PLAIN).words]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("red shoes", ["red", "shoes"]),
        ("e-mail", ["e", "mail"]),
        ("- red", ["red"]),
        ("red - shoes", ["red", "shoes"]),
        ("red shoes -", ["red", "shoes"]),
        ('road "race', ["road", "race"]),
        ('5" disk', ["5", "disk"]),
        ("東京都", ["東京", "京都"]),
        ("", []),
        ('""', []),
        ("🎉", []),
    ],
)
def test_words(text: str, terms: list[str]) -> None:
    assert words(text) == terms


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("red sho", "sho"),
        ("red sho ", None),
        ("red sho,", None),
        ("red sho\n", None),
        ("red SHÔ", "sho"),
        ('"red" sho', "sho"),
        ('sho "red"', None),
        ("sho -red", None),
        ("shoes running", "running"),
    ],
)
def test_the_last_word_is_open_while_it_is_typed(text: str, prefix: str | None) -> None:
    assert parse(text, PLAIN).words[-1].prefix == prefix


def test_the_letters_typed_are_not_stemmed() -> None:
    assert parse("running", Analyzer("en")).words == (Word("run", "running", True, "running"),)


def test_no_word_is_open_without_prefix() -> None:
    assert parse("red sho", PLAIN, prefix=False).words[-1] == Word("sho", typed="sho")


def test_one_character_of_a_script_in_pairs_stands_for_its_pairs() -> None:
    assert parse("東 x ", PLAIN).words == (Word("東", "東"), Word("x", typed="x"))


@pytest.mark.parametrize("quotes", ['""', "“”", "„“", "«»"])
def test_quotes_make_a_phrase(quotes: str) -> None:
    query = parse(f"red {quotes[0]}road race{quotes[1]}", PLAIN, prefix=False)
    assert query == Query(
        words=(Word("red", typed="red"),),
        phrases=(Phrase(("road", "race")),),
        sequence=("red", "road", "race"),
    )


@pytest.mark.parametrize(
    ("text", "excluded"),
    [
        ("a -red", Word("red", typed="red")),
        ('a -"ice skate"', Phrase(("ice", "skate"))),
        ("a -ice-skate", Phrase(("ice", "skate"))),
        ("a -東", Word("東", "東")),
    ],
)
def test_a_minus_before_a_word_or_phrase_excludes(text: str, excluded: Word | Phrase) -> None:
    query = parse(text, PLAIN)
    assert query.excluded == (excluded,)
    assert [word.term for word in query.words] == ["a"]


def test_stop_words_fall_away_when_something_else_remains() -> None:
    english = Analyzer("en", stop_words("en"))
    assert [w.term for w in parse("what is the weather ", english).words] == ["weather"]
    assert [w.term for w in parse("what is the", english).words] == ["what", "is", "the"]
    assert parse('the "to be"', english).words == ()
    assert parse("state of the art", english).sequence == ("state", "of", "the", "art")


def test_only_a_query_that_asks_nothing_is_empty() -> None:
    assert parse(' "" - ', PLAIN).empty
    assert not parse("-red", PLAIN).empty


def test_ten_thousand_words_are_read() -> None:
    assert len(parse("word " * 10_000, PLAIN).words) == 10_000


@given(st.text(st.sampled_from('ab "-“東\x00\ud800 \n')) | st.text())
def test_no_text_is_refused(text: str) -> None:
    query = parse(text, Analyzer("en", stop_words("en")))
    assert query.empty or query.words or query.phrases or query.excluded
    assert set(query.sequence) >= {word.term for word in query.words}


@given(
    st.text(st.sampled_from('aThe -":東éI\u0130_ \n')) | st.text(),
    st.sampled_from([PLAIN, Analyzer("en", stop_words("en")), Analyzer("tr")]),
)
def test_complete_words_are_those_that_are_parsed(text: str, analyzer: Analyzer) -> None:
    query = parse(text, analyzer, prefix=False, attributes=("a",))
    alone = not (query.phrases or query.excluded)
    found = complete_words(text, analyzer, attributes=("a",))
    assert found == (query.words if alone else None)


@pytest.mark.parametrize(
    ("text", "words", "phrases", "excluded"),
    [
        ("title:red", [("red", "title")], [], []),
        ("crew:red", [("red", "crew")], [], []),
        ("nope:red", [("nope", None), ("red", None)], [], []),
        ("title: red", [("title", None), ("red", None)], [], []),
        ("title:", [("title", None)], [], []),
        ("-title:red", [], [], [Word("red", typed="red", only="title")]),
        ("-nope:red", [], [], [Phrase(("nope", "red"))]),
        ('title:"road race"', [], [Phrase(("road", "race"), 0, "title")], []),
        ('nope:"road race"', [("nope", None)], [Phrase(("road", "race"))], []),
        ('-title:"road race"~2', [], [], [Phrase(("road", "race"), 2, "title")]),
        ('"road race"~1 red', [("red", None)], [Phrase(("road", "race"), 1)], []),
        ('"road race"~99', [], [Phrase(("road", "race"), 8)], []),
        ('"road race"~x', [("x", None)], [Phrase(("road", "race"))], []),
        ("http://red", [("http", None), ("red", None)], [], []),
    ],
)
def test_fields_and_loose_phrases(
    text: str,
    words: list[tuple[str, str | None]],
    phrases: list[Phrase],
    excluded: list[Word | Phrase],
) -> None:
    query = parse(text, PLAIN, prefix=False, attributes=["title", "crew.name"])
    assert [(word.term, word.only) for word in query.words] == words
    assert list(query.phrases) == phrases
    assert list(query.excluded) == excluded
