"""Words that are near: the same as by comparing with every word."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridsearch.analysis import Analyzer, fold
from hybridsearch.vocabulary import Vocabulary, telling, typos

SHARED = Path(__file__).parents[2] / "../shared/data"
LETTERS = st.text("abé1ж", min_size=2, max_size=9)
WORDS = st.lists(LETTERS.filter(lambda word: word in telling([word])), max_size=30)


def distance(one: str, two: str) -> int:
    """Optimal string alignment, by the table of its definition; the first letter counts double."""
    table = [[max(i, j) for j in range(len(two) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(two) + 1):
            same = one[i - 1] == two[j - 1]
            table[i][j] = min(
                table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (not same)
            )
            if i > 1 and j > 1 and one[i - 2 : i] == two[j - 1] + two[j - 2]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1] + (one[:1] != two[:1])


@given(words=WORDS, asked=LETTERS, most=st.sampled_from([0, 1, 2]))
def test_near_is_what_comparing_with_every_word_finds(
    words: list[str], asked: str, most: int
) -> None:
    found = {(word, distance(fold(asked), fold(word))) for word in words}
    expected = sorted(
        (pair for pair in found if pair[1] <= most), key=lambda pair: (pair[1], pair[0])
    )
    assert Vocabulary.of(words).near(asked, most=most) == expected


@given(words=WORDS, more=WORDS, asked=LETTERS)
def test_a_vocabulary_that_grew_is_like_one_made_at_once(
    words: list[str], more: list[str], asked: str
) -> None:
    grown = Vocabulary.of(words)
    grown = grown.with_words(grown.missing(more))
    at_once = Vocabulary.of([*words, *more])
    assert len(grown) == len(at_once) == len({*words, *more})
    assert grown.near(asked, most=2) == at_once.near(asked, most=2)
    assert grown.missing([*words, *more]) == []


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("shoes", "shoes", 0),
        ("shoos", "shoes", 1),
        ("sheos", "shoes", 1),
        ("hsoes", "shoes", 2),
        ("hoes", "shoes", 2),
        ("boots", "shoes", 4),
    ],
)
def test_typos(one: str, two: str, expected: int) -> None:
    assert typos(one, two) == expected
    assert typos(two, one, most=2) == min(expected, 3)


def test_words_are_found_in_whatever_accents() -> None:
    vocabulary = Vocabulary.of(["préférés", "preferes"])
    assert vocabulary.near("PREFÉRES", most=0) == [("preferes", 0), ("préférés", 0)]
    assert vocabulary.near("prefres", most=1) == [("preferes", 1), ("préférés", 1)]


def test_a_word_that_is_only_begun_is_found_by_its_beginning() -> None:
    vocabulary = Vocabulary.of(["construction", "constant", "contrary", "cost"])
    assert vocabulary.starting("contsruc", most=1) == [("construction", 1)]
    assert sorted(vocabulary.starting("cons", most=0)) == [("constant", 0), ("construction", 0)]


@pytest.mark.parametrize(
    "word", ["", "a", "2019", "550e8400", "x" * 41, "東京都", "ไทย", "\ud800", "ß" * 30, "\u0345"]
)
def test_what_nothing_is_mistaken_for(word: str) -> None:
    assert telling([word]) == []
    assert Vocabulary.of(["database"]).near(word, most=2) == []
    assert Vocabulary.of([]).near(word, most=2) == []


def attested(name: str) -> Iterator[tuple[str, str, int]]:
    """(wrong, right, distance) of attested misspellings."""
    file = SHARED / "misspellings" / f"{name}.tsv"
    with file.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["distance"].isdigit() and row["wrong"].isalpha():
                yield row["wrong"].lower(), row["right"].lower(), int(row["distance"])


@pytest.fixture(scope="module")
def packages() -> Vocabulary:
    """The words of 63,665 descriptions, some 85,000."""
    if not (SHARED / "packages").is_dir():
        pytest.skip("needs the collection packages in ../shared/data, which is not there")
    analyzer, words = Analyzer(), set[str]()
    with gzip.open(SHARED / "packages/corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            document = json.loads(line)
            words.update(analyzer.read(f"{document['title']} {document['text']}")[0])
    return Vocabulary.of(telling(words))


@pytest.mark.parametrize(("apart", "least", "found"), [(1, 5, 0.99), (2, 9, 0.95)])
def test_attested_misspellings_find_the_right_word(
    packages: Vocabulary, apart: int, least: int, found: float
) -> None:
    pairs = [
        (wrong, right)
        for name in ("wikipedia", "aspell", "codespell")
        for wrong, right, distance in attested(name)
        if distance == apart and len(wrong) >= least and wrong[0] == right[0]
    ]
    absent = set(packages.missing(right for _, right in pairs))
    known = [pair for pair in pairs if pair[1] not in absent][:4000]
    near = [[word for word, _ in packages.near(wrong, most=apart)] for wrong, _ in known]
    right = sum(right in words for (_, right), words in zip(known, near, strict=True))
    assert len(known) > 1000
    assert right / len(known) >= found


def test_its_memory_is_about_fifty_bytes_a_word(packages: Vocabulary) -> None:
    assert packages.nbytes < 50 * len(packages)
