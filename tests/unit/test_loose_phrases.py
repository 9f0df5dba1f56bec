"""A loose phrase finds what has a place for each of its words, near enough to their order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product

import pytest

import hybridsearch
from hybridsearch import Index
from hybridsearch.sql.matching import holds_phrase

TEXTS = [" ".join(words) for size in range(1, 6) for words in product("ab", repeat=size)]
TEXTS += ["a c b", "c c a c c c b a", "a c c a c c b", "b a c c c c a"]
PHRASES = ["a a", "a b", "a a b", "a b a", "a a a", "b a a b", "a c b a"]


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    with hybridsearch.open(default_embedder=None) as db:
        made = db.create_index("texts", primary_key="id", settings={"language": "none"})
        made.add([{"id": n, "text": text} for n, text in enumerate(TEXTS)])
        yield made


def near(text: str, phrase: str, slop: int) -> bool:
    """Whether places of their own for all words lie at most `slop` steps off their order."""
    words, wanted = text.split(), phrase.split()
    for places in permutations(range(len(words)), len(wanted)):
        if [words[place] for place in places] == wanted:
            shifts = [place - number for number, place in enumerate(places)]
            if max(shifts) - min(shifts) <= slop:
                return True
    return False


def found(index: Index, query: str) -> list[str]:
    result = index.search(
        query, mode="keyword", match="query", limit=len(TEXTS), highlight=["text"]
    )
    assert all("<em>" in hit.highlights["text"] for hit in result.hits)
    return sorted(TEXTS[int(hit.id)] for hit in result.hits)


@pytest.mark.parametrize("phrase", PHRASES)
def test_each_word_of_a_loose_phrase_has_a_place_of_its_own(index: Index, phrase: str) -> None:
    for slop in (0, 1, 2, 4):
        expected = sorted(text for text in TEXTS if near(text, phrase, slop))
        assert found(index, f'"{phrase}"~{slop}') == expected, slop


@pytest.mark.parametrize("phrase", PHRASES)
def test_an_operator_finds_the_same(phrase: str) -> None:
    for slop in (0, 1, 2, 4):
        expected = [near(text, phrase, slop) for text in TEXTS]
        assert holds_phrase(TEXTS, [phrase] * len(TEXTS), [slop] * len(TEXTS)) == expected, slop


def test_a_long_loose_phrase_asks_for_its_word_twice(index: Index) -> None:
    for phrase in ("a c c a c c b", "a c c b a"):
        expected = sorted(text for text in TEXTS if near(text, phrase, 8))
        assert expected
        assert found(index, f'"{phrase}"~8') == expected
