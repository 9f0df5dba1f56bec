"""What the analyser makes of a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsearch.analysis import LONGEST_TERM, Analyzer, detect, fold, stop_words
from hybridsearch.errors import SettingsError

ANALYZERS = [Analyzer(), Analyzer("en"), Analyzer("ru"), Analyzer("fr")]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Red, running-shoes!", ["red", "running", "shoes"]),
        ("snake_case don't 3.14", ["snake", "case", "don", "t", "3", "14"]),
        ("Crème BRÛLÉE naïve Ångström", ["creme", "brulee", "naive", "angstrom"]),
        ("e\u0301te\u0301 ete", ["ete", "ete"]),
        ("ＡＢＣ１２ ﬁle x²", ["abc12", "file", "x2"]),  # noqa: RUF001
        ("Straße STRASSE İstanbul", ["strasse", "strasse", "istanbul"]),
        ("й ё", ["й", "е"]),  # noqa: RUF001
        ("प्रेम कहानी", ["प्रेम", "कहानी"]),
        ("東京都", ["東京", "京都"]),
        ("東 京", ["東", "京"]),
        ("北京2020年奥运", ["北京", "2020", "年奥", "奥运"]),
        ("ｶﾞｷﾞ ガギ", ["ガギ", "ガギ"]),
        ("한국어", ["한국", "국어"]),
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8", ["한국"]),
        ("วันดี", ["วั", "ัน", "นด", "ดี"]),
        ("iPhone東京", ["iphone", "東京"]),
        ("🎉 — … \x00 \ud800", []),
        ("", []),
    ],
)
def test_the_terms_of_a_text(text: str, terms: list[str]) -> None:
    assert Analyzer().terms(text) == terms


def test_a_language_stems_and_accents_go_after_the_stem() -> None:
    assert Analyzer("en").terms("Cities were RUNNING") == ["citi", "were", "run"]
    assert Analyzer("es").terms("canciones canción") == ["cancion", "cancion"]


def test_a_language_may_be_named_in_english() -> None:
    assert Analyzer("English") == Analyzer("en")


def test_an_unknown_language_offers_the_nearest() -> None:
    with pytest.raises(SettingsError, match='"englsh"; did you mean "english"'):
        Analyzer("englsh")


def test_stop_words_are_indexed_all_the_same() -> None:
    assert Analyzer("en", stop_words("en")).terms("to be or not") == ["to", "be", "or", "not"]


def test_a_word_of_a_megabyte_is_cut() -> None:
    for word in ("x" * 1_000_000, "é" * 1_000_000):
        assert list(map(len, Analyzer("en").terms(word))) == [LONGEST_TERM]


@pytest.mark.parametrize("analyzer", ANALYZERS, ids=lambda a: str(a.language))
@given(st.text(st.characters(exclude_categories=())))
def test_tokens_are_the_terms_with_their_places(analyzer: Analyzer, text: str) -> None:
    tokens = analyzer.tokens(text)
    assert [token.term for token in tokens] == analyzer.terms(text)
    assert all(0 <= token.start < token.end <= len(text) for token in tokens)
    assert [t.start for t in tokens] == sorted(t.start for t in tokens)


@pytest.mark.parametrize("analyzer", ANALYZERS, ids=lambda a: str(a.language))
@given(st.text(st.characters(exclude_categories=())))
def test_a_term_is_never_empty_long_or_split_by_a_space(analyzer: Analyzer, text: str) -> None:
    assert analyzer.text(text).split() == analyzer.terms(text)
    assert all(0 < len(term) <= LONGEST_TERM for term in analyzer.terms(text))
    analyzer.text(text).encode()


@given(st.text(), st.text())
def test_texts_side_by_side_have_the_terms_of_both(one: str, other: str) -> None:
    analyzer = Analyzer()
    assert analyzer.terms(f"{one} {other}") == analyzer.terms(one) + analyzer.terms(other)


@given(st.text())
def test_folding_twice_changes_nothing_more(word: str) -> None:
    short = word[:20]
    assert fold(fold(short)) == fold(short)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "The cat sat on the mat and looked at the birds that were in the garden. "),
        ("de", "Der Hund lief durch den Garten und sah die Katze, die nicht auf ihn wartete. "),
        ("fr", "Le chien courait dans le jardin et il a vu le chat qui ne l'attendait pas. "),
        ("es", "El perro corría por el jardín y vio al gato que no lo esperaba en la casa. "),
        ("it", "Il cane correva nel giardino e ha visto il gatto che non lo aspettava. "),
        ("pt", "O cão corria pelo jardim e viu o gato que não esperava por ele em casa. "),
        ("nl", "De hond liep door de tuin en zag de kat die niet op hem had gewacht. "),
        ("sv", "Hunden sprang genom trädgården och såg katten som inte väntade på den. "),
        ("fi", "Koira juoksi puutarhassa ja näki kissan, joka ei ollut odottanut sitä, kun se. "),
        ("ru", "Собака бежала по саду и увидела кошку, которая не ждала её, но это был он. "),
    ],
)
def test_a_language_is_detected_from_prose(code: str, text: str) -> None:
    assert detect([text] * 4) == code


@pytest.mark.parametrize(
    "text", ["", "the cat", "7zip gcc-12 libc6 " * 50, "東京都の天気は晴れです。" * 20]
)
def test_no_language_is_detected_when_unsure(text: str) -> None:
    assert detect([text]) is None


def test_a_language_without_a_list_has_no_stop_words() -> None:
    assert stop_words("yi") == frozenset()
    assert "the" in stop_words("en")
