"""What people type into a search box, sensible or not, as they see its answer."""

from __future__ import annotations

import random
from typing import Any

import pytest

from hybridsearch import Database, Index

DOCUMENTS = [
    {"id": 1, "title": "red running shoes", "tags": ["moon light", "house boat"]},
    {"id": 2, "title": "running red shoes", "tags": "light house", "crew": {"name": "Red Adair"}},
    {"id": 3, "title": "shoes", "text": "things that are red"},
]
NONSENSE = {
    "lone surrogates": "\ud800 shoes \udfff",
    "control characters": "\x00\x01shoes\x7f\x1e",
    "zero-width": "shoes \u200d\u200b\ufeff",
    "right to left": "\u202eshoes\u202c \u0645\u0631\u062d\u0628\u0627",
    "emoji": "\U0001f469\u200d\U0001f680 shoes \U0001f389",
    "operators": 'shoes - ~ : "" -"" ~~ :: title: -',
}


def fill(db: Database) -> None:
    db.create_index("things", primary_key="id", settings={"language": "none"}).add(DOCUMENTS)


FILLED = {"index": fill}


@pytest.fixture
def index(memory: Database) -> Index:
    return memory.index("things")


def ids(index: Index, query: str, **options: Any) -> list[Any]:
    return sorted(hit.id for hit in index.search(query, **options))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"red shoes"', [2]),
        ('"red shoes"~1', [1, 2]),
        ('"shoes red"~2', [2]),
        ('title:"red shoes"~1', [1, 2]),
        ('text:"red shoes"~1', []),
        ("title:red", [1, 2]),
        ("text:red", [3]),
        ("crew:red", [2]),
        ("crew.name:red", [2]),
        ("-title:red shoes", [3]),
        ('shoes -title:"running red"', [1, 3]),
        ("nope:red", [1, 2, 3]),
        ("text:shoos ", []),
        ("title:shoos ", [1, 2, 3]),
    ],
)
def test_phrases_and_fields(index: Index, query: str, expected: list[int]) -> None:
    assert ids(index, query) == expected
    assert index.search(query).total == len(expected)


def test_a_field_that_is_not_searched_holds_nothing(index: Index) -> None:
    for match in ("any", "all", "last", "frequency"):
        assert ids(index, "title:red", match=match, attributes=["text"]) == []
    assert ids(index, "title:red", attributes=["text"], filter="id > 0") == []


@pytest.mark.parametrize("query", ['"light house"', '"light house"~1', '"light house"~99'])
def test_no_phrase_reaches_across_the_items_of_a_list(index: Index, query: str) -> None:
    assert ids(index, query) == [2]
    assert ids(index, '"moon light"') == [1]


def test_a_loose_phrase_is_marked_as_a_whole(index: Index) -> None:
    hits = index.search('"red shoes"~1', highlight=["title"]).hits
    assert [hit.highlights["title"] for hit in hits] == [
        "<em>red running shoes</em>",
        "running <em>red shoes</em>",
    ]


def test_a_loose_phrase_adds_up(index: Index) -> None:
    hit = index.search('"red shoes"~1 run', explain=True).hits[0]
    assert hit.explanation is not None
    parts = hit.explanation["keyword"]["parts"]["parts"]
    assert {part["kind"] for part in parts} == {"phrase", "word"}
    assert sum(part["score"] for part in parts) == pytest.approx(hit.score, rel=1e-6)


@pytest.mark.parametrize("query", NONSENSE.values(), ids=NONSENSE.keys())
def test_what_cannot_be_read_is_passed_over(index: Index, query: str) -> None:
    assert ids(index, query) == [1, 2, 3]


@pytest.mark.parametrize("query", ["a" * 1_000_000, "\u00e4" * 1_000_000, "\u6771" * 100_000])
def test_a_word_without_end_finds_nothing(index: Index, query: str) -> None:
    assert ids(index, query) == []


def test_ten_thousand_words_are_answered(index: Index) -> None:
    chance = random.Random(5)
    words = ["".join(chance.choices("abcdefghij", k=chance.randint(5, 12))) for _ in range(10_000)]
    assert ids(index, " ".join([*words, "shoes", "runnning"]), limit=5) == [1, 2, 3]
    assert ids(index, " ".join(f'"{word}"' for word in words[:2000])) == []
    assert ids(index, "shoes " + " ".join(f"-{word}" for word in words[:2000])) == [1, 2, 3]


def test_only_stop_words_are_words(memory: Database) -> None:
    index = memory.create_index("english", primary_key="id", settings={"language": "en"})
    index.add([{"id": 1, "title": "to be or not to be"}, {"id": 2, "title": "shoes"}])
    assert ids(index, "to be or not to be") == [1]
