"""What separates and joins words because the settings say so: index, query, phrase, mark, typo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hybridsearch
from hybridsearch.analysis import Analyzer, WordRules
from hybridsearch.database import Database
from hybridsearch.errors import SettingsError

RULES = WordRules(
    separators=("x", "§§"), joiners=("#", "++", "-"), dictionary=("J. R. R.", "東京都")
)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("12x34", ["12", "34"]),
        ("a§§b§c", ["a", "b", "c"]),
        ("C++ and C", ["c++", "and", "c"]),
        ("++ a - b", ["a", "b"]),
        ("#Tag", ["#tag"]),
        ("well-known", ["well-known"]),
        ("J. R. R. Tolkien, j. r.  r. t", ["j._r._r.", "tolkien", "j._r._r.", "t"]),
        ("AJ. R. R.", ["aj", "r", "r"]),
        ("大東京都庁 東京", ["大", "東京都", "庁", "東京"]),
    ],
)
def test_the_terms_of_a_text_under_rules(text: str, terms: list[str]) -> None:
    assert Analyzer(rules=RULES).terms(text) == terms


@given(st.text(st.characters(exclude_categories=())))
def test_tokens_are_the_terms_with_their_places(text: str) -> None:
    for language in (None, "en", "tr"):
        analyzer = Analyzer(language, rules=RULES)
        tokens = analyzer.tokens(text)
        assert [token.term for token in tokens] == analyzer.terms(text)
        assert all(0 <= token.start < token.end <= len(text) for token in tokens)
        assert analyzer.text(text).split() == analyzer.terms(text)


@given(st.text())
def test_rules_that_say_nothing_change_nothing(text: str) -> None:
    unused = Analyzer("en", rules=WordRules(separators=("\U0001f384",)))
    assert unused.terms(text) == Analyzer("en").terms(text)


def test_a_word_of_the_dictionary_is_not_stemmed() -> None:
    analyzer = Analyzer("en", rules=WordRules(dictionary=("Running Wild", "news")))
    assert analyzer.terms("news of running wild runs") == ["news", "of", "running_wild", "run"]


def test_texts_of_a_megabyte_take_no_longer_than_they_are() -> None:
    analyzer = Analyzer(rules=RULES)
    for text in ("++" * 100_000, "a+" * 100_000, "J. " * 50_000, "x" * 200_000):
        analyzer.terms(text)


FILMS = [
    {"id": 1, "title": "J. R. R. Tolkien wrote C++ #hashtags"},
    {"id": 2, "title": "J. Tolkien wrote C and hashtags"},
    {"id": 3, "title": "R. J.|R. Smith"},
]
SET = {
    "dictionary": ["J. R. R."],
    "nonSeparatorTokens": ["+", "#"],
    "separatorTokens": ["wrote"],
}


def ids(index: Any, query: str, **options: Any) -> list[int]:
    return [hit.id for hit in index.search(query, **options)]


@pytest.fixture
def films(memory: Database) -> Any:
    index = memory.create_index("films", primary_key="id", settings=SET)
    index.add(FILMS)
    return index


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("J. R. R. ", [1]),
        ("j. r. r. smith", [1, 3]),
        ("-smith j. r. r. x", [1]),
        ("c++", [1]),
        ("#hashtags", [1]),
        ("hashtags", [2]),
        ("wrote", []),
        ('"J. R. R. Tolkien"', [1]),
        ('"tolkien c++"', [1]),
        ('"tolkien c"', [2]),
        ("-c++ tolkien", [2]),
        ("title:c++", [1]),
    ],
)
def test_queries_see_the_same_words(films: Any, query: str, found: list[int]) -> None:
    assert ids(films, query) == found


@pytest.mark.parametrize(
    ("query", "marked"),
    [
        ("j. r. r. ", "<em>J. R. R.</em> Tolkien wrote C++ #hashtags"),
        ("c++ ", "J. R. R. Tolkien wrote <em>C++</em> #hashtags"),
        ("#hash", "J. R. R. Tolkien wrote C++ <em>#hash</em>tags"),
        ("#hashtgas ", "J. R. R. Tolkien wrote C++ <em>#hashtags</em>"),
        ('"j. r. r. tolkien c++"', "<em>J. R. R. Tolkien wrote C++</em> #hashtags"),
    ],
)
def test_marks_and_typos_see_the_same_words(films: Any, query: str, marked: str) -> None:
    hits = films.search(query, highlight=["title"]).hits
    assert [hit.highlights["title"] for hit in hits] == [marked]


def test_a_change_indexes_anew_and_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "films.duckdb"
    with hybridsearch.open(path, default_embedder=None) as db:
        index = db.create_index("films", primary_key="id")
        index.add(FILMS)
        assert ids(index, "c++ ") == [2, 1]
        index.update_settings(SET)
        assert ids(index, "c++ ") == [1]
    with hybridsearch.open(path, default_embedder=None) as db:
        assert ids(db.index("films"), "c++ ") == [1]
        db.index("films").update_settings(dict.fromkeys(SET))
        assert ids(db.index("films"), "c++ ") == [2, 1]


@pytest.mark.parametrize("name", ["dictionary", "separator_tokens", "nonSeparatorTokens"])
@pytest.mark.parametrize("value", ["#", [""], [" "], [1], ["\ud800"], {"a": 1}])
def test_what_is_no_list_of_texts_is_refused(memory: Database, name: str, value: Any) -> None:
    index = memory.create_index("films")
    with pytest.raises(SettingsError, match="array of texts, none of them blank"):
        index.update_settings({name: value})


def test_what_is_to_join_does_not_separate(memory: Database) -> None:
    both = {"separatorTokens": ["#"], "nonSeparatorTokens": ["#"]}
    index = memory.create_index("films", primary_key="id", settings=both)
    index.add(FILMS)
    assert ids(index, "#hashtags") == [1]
