"""Which words may somebody be typing who has typed this much?"""

from __future__ import annotations

import pytest

from hybridsearch import Database, Index

TITLES = ["Wallace runs", "Wallaces running", "A crème for the runner", "walls of 1977", "数据库"]


@pytest.fixture
def index(memory: Database) -> Index:
    found = memory.create_index("films", primary_key="id", settings={"language": "en"})
    found.add([{"id": str(n), "title": title} for n, title in enumerate(TITLES)])
    return found


def suggested(index: Index, start: str, limit: int = 9) -> list[tuple[str, int]]:
    return index.snapshot().suggestions(start, limit=limit)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("walla", [("wallace", 2)]),  # never the stem "wallac"
        ("wall", [("wallace", 2), ("walls", 1)]),
        ("WALLACES", [("wallaces", 2)]),  # counted by the term of all its forms
        ("runn", [("running", 2), ("runner", 1)]),
        ("cre", [("crème", 1)]),
        ("CRÈ", [("crème", 1)]),
        ("19", [("1977", 1)]),
        ("数", [("数据", 1)]),
        ("wallac e", []),
        ("zebra", []),
    ],
)
def test_words_are_suggested_as_they_stand(
    index: Index, start: str, expected: list[tuple[str, int]]
) -> None:
    assert suggested(index, start) == expected


def test_no_more_are_suggested_than_asked_for(index: Index) -> None:
    assert suggested(index, "wall", limit=1) == [("wallace", 2)]


def test_words_that_no_document_has_any_longer_are_not_suggested(index: Index) -> None:
    index.delete(ids=["2"])
    index.rebuild()
    assert suggested(index, "cre") == []


def test_nothing_typed_gives_the_most_frequent(index: Index) -> None:
    assert suggested(index, "", limit=1) == [("run", 2)]
