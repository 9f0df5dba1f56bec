"""What words are taken for, as a person who searches sees it."""

from __future__ import annotations

from typing import Any

import pytest

from hybridsearch import Database, Index
from hybridsearch.errors import QueryError, SettingsError
from tests.conftest import refused

DOCUMENTS = [
    {"id": 1, "title": "Red running shoes", "text": "for long roads"},
    {"id": 2, "title": "Relational databases", "text": "rows and columns of data"},
    {"id": 3, "title": "Moon boots", "text": "winter boots for snow"},
    {"id": 4, "title": "Engine 48201", "text": "model wd40ezrz"},
    {"id": 5, "title": "Crème brûlée", "text": "burnt cream"},
]


def fill(db: Database) -> None:
    db.create_index("things", primary_key="id", settings={"language": "none"}).add(DOCUMENTS)


FILLED = {"index": fill}


@pytest.fixture
def index(memory: Database) -> Index:
    return memory.index("things")


def ids(index: Index, query: str, **options: Any) -> list[Any]:
    return [hit.id for hit in index.search(query, **options)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("shoos ", [1]),
        ("sheos ", [1]),
        ("shoess ", [1]),
        ("hsoes ", []),  # on the first letter a typo counts as two
        ("shos ", []),  # four letters have to be right
        ("runnjng", [1]),
        ("relatoinla ", [2]),  # two typos from nine letters on
        ("dtaabses ", []),  # eight letters may have one
        ("elational ", [2]),
        ("48202 ", []),  # a number is no other number
        ("wd40ezrs ", [4]),
        ("cremme ", [5]),
        ("BRULÉEE ", [5]),
        ("zzzzz ", []),
    ],
)
def test_what_a_mistyped_word_finds(index: Index, query: str, expected: list[int]) -> None:
    assert ids(index, query) == expected


def test_a_word_that_is_there_means_itself(index: Index) -> None:
    index.add([{"id": 9, "title": "shoos the cat away"}])
    assert ids(index, "shoos ") == [9]


def test_a_lenient_request_takes_words_that_are_there_for_others_too(index: Index) -> None:
    index.add([{"id": 9, "title": "shoos the cat away"}])
    assert ids(index, "shoos ", lenient=True) == [9, 1]
    exact, near = index.search("shoos ", lenient=True)
    assert near.score < exact.score / 2
    assert ids(index, "boots ", lenient=True) == [3]


def test_exact_is_before_prefix_is_before_typo(index: Index) -> None:
    index.add([{"id": n, "title": title} for n, title in enumerate(["roads", "roadside"], 20)])
    assert ids(index, "roads") == [20, 1, 21]
    assert ids(index, "roadsi") == [21, 20, 1]


def test_a_beginning_may_hold_a_typo(index: Index) -> None:
    assert ids(index, "relaito") == [2]
    assert ids(index, "relaito ") == []


def test_a_beginning_with_a_typo_finds_all_words_that_begin_so(index: Index) -> None:
    several = [f"{one}{two}" for one in "abcdef" for two in "klmnop"]
    index.add([{"id": 100 + at, "title": f"bluegra{end}"} for at, end in enumerate(several)])
    assert index.search("blxegra", limit=5, mode="keyword").total == len(several)


def test_every_word_may_be_mistyped_when_all_have_to_match(index: Index) -> None:
    assert ids(index, "runing shoos ", match="all") == [1]
    assert ids(index, "runing boots ", match="all") == []


def test_phrases_and_exclusions_are_taken_as_they_are(index: Index) -> None:
    assert ids(index, '"runing shoes"') == []
    assert ids(index, "boots -winterr ") == [3]


@pytest.mark.parametrize("query", ["shoos ", "shoos", "relatoinla "])
def test_what_was_meant_is_marked_whatever_its_distance(index: Index, query: str) -> None:
    hit = index.search(query, highlight=["title"]).hits[0]
    assert hit.highlights["title"] in (
        "Red running <em>shoes</em>",
        "<em>Relational</em> databases",
    )


@pytest.mark.parametrize(
    ("change", "query", "expected"),
    [
        ({"enabled": False}, "shoos ", []),
        ({"minWordSizeForTypos": {"oneTypo": 4}}, "shos ", [1]),
        ({"minWordSizeForTypos": {"oneTypo": 6}}, "shoos ", []),
        ({"minWordSizeForTypos": {"twoTypos": 5}}, "hsoes ", [1]),
        ({"disableOnWords": ["Shoos"]}, "shoos ", []),
        ({"disableOnWords": ["shoes"]}, "shoos ", [1]),
        ({"disableOnAttributes": ["title"]}, "shoos ", []),
        ({"disableOnAttributes": ["title"]}, "winterr ", [3]),
        ({"disableOnNumbers": True}, "wd40ezrs ", []),
    ],
)
def test_settings(index: Index, change: dict[str, Any], query: str, expected: list[int]) -> None:
    index.update_settings({"typoTolerance": change})
    assert ids(index, query) == expected


def test_a_change_of_settings_keeps_the_parts_that_it_does_not_name(index: Index) -> None:
    index.update_settings({"typo_tolerance": {"disableOnWords": ["b", "a"]}})
    index.update_settings({"typo_tolerance": {"minWordSizeForTypos": {"oneTypo": 3}}})
    assert index.settings.to_json()["typoTolerance"] == {
        "enabled": True,
        "minWordSizeForTypos": {"oneTypo": 3, "twoTypos": 9},
        "disableOnWords": ["a", "b"],
        "disableOnAttributes": [],
        "disableOnNumbers": False,
    }
    index.update_settings({"typo_tolerance": {"disableOnWords": None}})
    assert index.settings.typo_tolerance.disable_on_words == ()
    index.update_settings({"typo_tolerance": None})
    assert index.settings.typo_tolerance.one_typo == 5


@pytest.mark.parametrize(
    "change",
    [
        3,
        {"enabled": 1},
        {"minWordSizeForTypos": {"oneTypo": 10}},
        {"minWordSizeForTypos": {"oneTypo": True}},
        {"minWordSizeForTypos": {"twoTypos": 256}},
        {"minWordSizeForTypos": {"three": 1}},
        {"disableOnWords": "shoes"},
        {"disableOnAttribute": []},
    ],
)
def test_unfit_settings_are_refused(index: Index, change: object) -> None:
    with pytest.raises(SettingsError, match="typoTolerance"):
        index.update_settings({"typoTolerance": change})


@pytest.mark.parametrize(
    ("typos", "query", "expected"),
    [(0, "shoos ", []), (1, "shoos ", [1]), (1, "relatoinla ", []), (2, "relatoinla ", [2])],
)
def test_a_request_may_allow_less(
    index: Index, typos: int, query: str, expected: list[int]
) -> None:
    assert ids(index, query, typos=typos) == expected


@pytest.mark.parametrize("typos", [-1, 3, 1.0, True, "1"])
def test_an_unfit_number_of_typos_is_refused(index: Index, typos: object) -> None:
    refused(
        lambda: index.search("x", typos=typos),
        QueryError,
        "invalid_search_typos",
        "typos must be 0, 1 or 2",
        field="typos",
    )


def test_totals_facets_and_pages_count_what_was_meant(index: Index) -> None:
    found = index.search("bootz ", facets=["title"])
    assert (found.total, found.facets) == (1, {"title": {"Moon boots": 1}})


def test_words_of_documents_that_are_gone_are_not_meant(index: Index) -> None:
    index.add([{"id": 9, "title": "a shoal of fish"}])
    assert ids(index, "shoall ") == [9]
    index.delete(ids=[9])
    assert ids(index, "shoall ") == []


def test_stems_are_found_by_what_stands_in_the_texts(memory: Database) -> None:
    index = memory.create_index("english", primary_key="id", settings={"language": "en"})
    index.add([{"id": 1, "title": "government"}, {"id": 2, "title": "happiness"}])
    assert ids(index, "goverment ") == [1]
    assert ids(index, "happyness ") == [2]


def explained(index: Index, query: str, **options: Any) -> list[tuple[str, str, str]]:
    """(for, how, term) of the parts of the first hit's score that stand for something else."""
    hit = index.search(query, explain=True, **options).hits[0]
    assert hit.explanation is not None
    parts = hit.explanation["keyword"]["parts"]["parts"]
    assert sum(part["score"] for part in parts) == pytest.approx(hit.score, rel=1e-6)
    return [(part["for"], part["how"], part["term"]) for part in parts if "for" in part]


def test_words_put_together_and_taken_apart(index: Index) -> None:
    index.add([{"id": 8, "title": "a data base"}, {"id": 9, "title": "a database"}])
    assert ids(index, "data base ", match="all") == [8, 9]
    assert ids(index, "database ") == [9, 8]
    assert ids(index, "runn ing ") == [1]
    assert ids(index, "data base ", typos=0, match="all") == [8]
    assert explained(index, "runn ing ") == [
        ("runn", "joined", "running"),
        ("ing", "joined", "running"),
    ]
    assert explained(index, "moonboots ") == [("moonboots", "split", "moon boots")]
    hits = index.search("moonboots ", highlight=["title"]).hits
    assert [hit.highlights["title"] for hit in hits] == ["<em>Moon boots</em>"]


def test_explain_says_what_stands_for_what(index: Index) -> None:
    assert explained(index, "shoos ") == [("shoos", "typo", "shoes")]
    assert explained(index, "sho") == [("sho", "prefix", "shoes")]
    assert explained(index, "shoes ") == []


def test_synonyms_are_one_way_and_count_less(index: Index) -> None:
    index.add([{"id": 8, "title": "trainers"}, {"id": 9, "title": "shoes"}])
    index.update_settings({"synonyms": {"Trainers": ["running shoes", "SHOES"]}})
    assert ids(index, "trainers ") == [8, 9, 1]
    assert ids(index, "shoes ") == [9, 1]
    assert ids(index, "trainers ", typos=0) == [8, 9, 1]
    assert ("trainers", "synonym", "shoes") in explained(index, "trainers ", filter="id = 9")
    hit = index.search("trainers ", highlight=["title"], filter="id = 1").hits[0]
    assert hit.highlights["title"] == "Red <em>running shoes</em>"
    index.update_settings({"synonyms": None})
    assert ids(index, "trainers ") == [8]


def test_several_words_have_synonyms_together(index: Index) -> None:
    index.update_settings({"synonyms": {"foot wear": ["shoes"], "data store": ["databases"]}})
    assert ids(index, "red foot wear ", match="all") == [1]
    assert ids(index, "foot ") == []
    assert ids(index, "wear foot ") == []


def test_synonyms_are_no_typos(index: Index) -> None:
    change = {"disableOnAttributes": ["title"]}
    index.update_settings({"synonyms": {"sneakers": ["shoes"]}, "typoTolerance": change})
    assert ids(index, "sneakers ") == [1]


def test_a_prefix_may_be_switched_off(index: Index) -> None:
    assert ids(index, "colum") == [2]
    index.update_settings({"prefixSearch": "disabled"})
    assert ids(index, "colum") == []


@pytest.mark.parametrize(
    ("match", "query", "expected"),
    [
        ("any", "boots red ", [1, 3]),
        ("last", "boots red ", [3]),
        ("last", "red boots ", [1]),
        ("last", "absentia red boots ", [1]),
        ("last", "shoos boots ", [1]),
        ("last", "absentia ", []),
        ("frequency", "for winter ", [3]),
        ("frequency", "for columns ", [2]),
        ("all", "moon boots ", [3]),
        ("all", "moon red ", []),
    ],
)
def test_which_words_a_match_may_lack(
    index: Index, match: str, query: str, expected: list[int]
) -> None:
    result = index.search(query, match=match)
    assert sorted(hit.id for hit in result) == expected
    assert result.total == len(expected)
    assert result.hits == tuple(sorted(result.hits, key=lambda hit: -hit.score))
