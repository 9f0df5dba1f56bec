"""Does a formula over attributes raise what it should, everywhere, and can it do nothing else?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import hybridsearch
from hybridsearch import Database, Index
from hybridsearch.boosting import LARGEST
from hybridsearch.errors import QueryError, SettingsError
from hybridsearch.expressions import FUNCTIONS, parse
from tests.conftest import BY_MEANING, letters, refused

NOW = datetime.now(UTC)
BOOKS: list[dict[str, Any]] = [
    {"id": 1, "title": "winter garden", "sold": 3, "fresh": True, "at": NOW.isoformat()},
    {"id": 2, "title": "winter", "sold": 0, "fresh": False, "crew": {"age": 40}},
    {"id": 3, "title": "garden in winter", "sold": 900.5, "at": (NOW - timedelta(10)).isoformat()},
    {"id": 4, "title": "a summer garden", "sold": -5, "at": "no date", "kind": "map"},
    {"id": 5, "title": "the sea", "kind": "atlas", "tags": ["x"], "at": NOW.timestamp()},
]


@pytest.fixture(scope="module")
def books() -> Iterator[Index]:
    with hybridsearch.open(default_embedder=None, functions={"letters": letters}) as db:
        index = db.create_index("books", primary_key="id", settings=BY_MEANING)
        index.add(BOOKS)
        yield index


def factors(index: Index, formula: str) -> dict[Any, float]:
    """id -> what a search without words gives, which is the factor itself."""
    return {hit.id: hit.score for hit in index.search(boost=formula)}


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("2", [2, 2, 2, 2, 2]),
        ("sold", [3, 0, 900.5, 0, 1]),
        ("-sold", [0, 0, 0, 5, 1]),
        ("1 + 2 * sold - 4 / 2", [5, 0, 1800, 0, 1]),
        ("(1 + 2) * 2 % 4", [2, 2, 2, 2, 2]),
        ("sqrt(sold)", [math.sqrt(3), 0, math.sqrt(900.5), 1, 1]),
        ("fresh", [1, 0, 1, 1, 1]),
        ("if(fresh, 3, 0.5)", [3, 0.5, 0.5, 0.5, 0.5]),
        ("CASE WHEN sold > 100 THEN 7 WHEN sold IS NULL THEN 6 END", [1, 1, 7, 1, 6]),
        ("case when not fresh or kind = 'map' then 2 else 4 end", [4, 2, 4, 2, 4]),
        ("sold > 0 and sold <= 3", [1, 0, 0, 0, 1]),
        ("title < 'garden'", [0, 0, 0, 1, 0]),
        ("crew.age / 10", [1, 4, 1, 1, 1]),
        ('coalesce("crew.age", 2)', [2, 40, 2, 2, 2]),
        ("greatest(sold, 1, 2)", [3, 2, 900.5, 2, 2]),
        ("least(coalesce(sold, 9), 5)", [3, 0, 5, 0, 5]),
        ("pow(abs(sold), 0)", [1, 1, 1, 1, 1]),
        ("nullif(sold, 3)", [1, 0, 900.5, 0, 1]),
        ("title", [1, 1, 1, 1, 1]),
        ("null", [1, 1, 1, 1, 1]),
        ("sold is not null", [1, 1, 1, 1, 0]),
        ("exp(sold)", [math.exp(3), 1, LARGEST, math.exp(-5), 1]),
    ],
)
def test_a_formula_has_the_value_that_it_has_in_sql(
    books: Index, formula: str, expected: list[float]
) -> None:
    found = factors(books, formula)
    assert [found[n] for n in range(1, 6)] == pytest.approx(expected, rel=1e-6)


def test_ages_are_counted_in_days(books: Index) -> None:
    found = factors(books, "1 + days_since(at)")
    assert [found[n] for n in (1, 3, 4, 5)] == pytest.approx([1, 11, 1, 1], abs=0.01)


def test_an_offset_from_utc_counts_in_a_date(memory: Database) -> None:
    index = memory.create_index("dates", primary_key="id")
    dates = ["2020-01-02T00:00:00Z", "2020-01-02T02:00:00+02:00", "2020-01-01T19:00:00-0500"]
    index.add([{"id": n, "at": at} for n, at in enumerate(dates)])
    assert len(set(factors(index, "days_since(at)").values())) == 1


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_of_the_language_can_be_computed(books: Index, name: str) -> None:
    arguments = ["at"] if name == "days_since" else ["sold"] * FUNCTIONS[name][0]
    found = factors(books, f"{name}({', '.join(arguments)})")
    assert all(0.0 <= factor <= LARGEST for factor in found.values())


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("1 +", "unexpected the end in boost, column 4"),
        ("sold; DROP TABLE x", 'unexpected ";" in boost, column 5'),
        ("read_text('/etc/passwd')", 'unknown function "read_text" in boost, column 1'),
        ("flor(sold)", 'did you mean "floor"?'),
        ("sould", 'no document has the attribute "sould" in boost, column 1; did you mean "sold"?'),
        ("(SELECT 1)", 'unexpected "1" in boost, column 9'),
        ("sold -- 1", None),
        ("ln(1, 2)", "ln() has 2 arguments in boost, column 1; it takes 1"),
        ("'text'", "the text 'text' stands where a number is wanted"),
        ("tags", 'the attribute "tags" is a list'),
        ("days_since(3)", "days_since() takes an attribute"),
        ("case end", '"when" is wanted there'),
        ("1 when", 'unexpected "when" in boost, column 3'),
        ("when", 'written in double quotes, "when"'),
        ("(" * 500, "it goes too deep"),
        ("1" + "+1" * 500, "it is too long"),
        ("1" + " " * 3000, "at most 2,000 are taken"),
        ("sold = 1 = 1", 'unexpected "=" in boost, column 10'),
        ("sold['x']", 'unexpected "["'),
        ("1 2", "the formula ends before it"),
    ],
)
def test_what_is_no_formula_is_refused(books: Index, formula: str, message: str | None) -> None:
    if message is None:
        assert factors(books, formula)
        return
    refused(
        lambda: books.search("winter", boost=formula),
        QueryError,
        "invalid_search_boost",
        message,
        field="boost",
    )


def test_names_of_attributes_are_never_sql(memory: Database) -> None:
    name = '"; DROP TABLE x; --'
    index = memory.create_index("odd", primary_key="id")
    index.add([{"id": 1, name: 3}, {"id": 2, name: 5, "a {b}": 2}])
    quoted = '"' + name.replace('"', '""') + '"'
    assert factors(index, f'{quoted} * "a {{b}}"') == {1: 1.0, 2: 10.0}


@pytest.mark.parametrize("mode", ["keyword", "semantic", "hybrid"])
def test_the_score_is_multiplied_and_ranked_anew(books: Index, mode: str) -> None:
    formula = "1 + greatest(sold, 0)"
    given = factors(books, formula)
    plain = books.search("winter garden", mode=mode, limit=9)
    expected = {
        hit.id: ((1 + hit.score) / 2 if mode == "semantic" else hit.score) * given[hit.id]
        for hit in plain
    }
    found = books.search("winter garden", mode=mode, boost=formula, limit=9)
    assert {hit.id: hit.score for hit in found} == pytest.approx(expected, rel=1e-5)
    scores = [hit.score for hit in found]
    assert (scores, found.total) == (sorted(scores, reverse=True), plain.total)


def test_relevance_and_its_threshold_are_those_before_the_boost(books: Index) -> None:
    plain = {hit.id: hit.relevance for hit in books.search("winter", mode="keyword")}
    boosted = {
        hit.id: hit.relevance
        for hit in books.search("winter", mode="keyword", boost="1 + greatest(sold, 0)")
    }
    assert boosted == pytest.approx(plain)
    least = sorted(plain.values())[1]
    kept = books.search("winter", mode="keyword", boost="1 / (1 + abs(sold))", threshold=least)
    assert {hit.id for hit in kept} == {id_ for id_, share in plain.items() if share >= least}


def test_a_boost_is_told_in_the_explanation(books: Index) -> None:
    for hit in books.search("winter", boost="2 + fresh", explain=True):
        assert hit.explanation is not None
        told = hit.explanation["boost"]
        assert told["formula"] == "2 + fresh"
        assert told["base"] * told["factor"] == pytest.approx(hit.score, rel=1e-6)
        assert sum(hit.explanation["fusion"]["parts"].values()) == pytest.approx(
            told["base"], rel=1e-6
        )


def test_a_sort_goes_before_a_boost(books: Index) -> None:
    found = books.search("winter", mode="keyword", sort=["sold:asc"], boost="sold")
    assert [hit.id for hit in found] == [2, 1, 3]


def test_an_index_has_a_boost_of_its_own_and_a_request_may_go_without(memory: Database) -> None:
    index = memory.create_index("books", primary_key="id", settings={"boost": "1 + sold + later"})
    index.add(BOOKS)
    assert {hit.score for hit in index.search()} == {1.0}
    index.add([{"id": 6, "title": "winter", "sold": 1, "later": 5}])
    assert factors(index, "2")[6] == 2.0
    assert next(iter(index.search())).id == 6
    assert {hit.score for hit in index.search(boost="")} == {0.0}
    index.update_settings({"boost": None})
    assert index.settings.boost is None


def test_a_boost_that_is_no_formula_cannot_be_set(memory: Database) -> None:
    refused(
        lambda: memory.create_index("x", settings={"boost": "1 +"}),
        SettingsError,
        "invalid_settings",
        'setting "boost": unexpected the end in boost, column 4',
        field="boost",
    )


def test_a_request_may_only_look_at_what_may_be_sorted_by(memory: Database) -> None:
    settings = {"sortableAttributes": ["sold"], "boost": "1 + fresh"}
    index = memory.create_index("books", primary_key="id", settings=settings)
    index.add(BOOKS)
    assert index.search("winter", boost="sold").total == 3
    refused(
        lambda: index.search("winter", boost="fresh"),
        QueryError,
        "invalid_search_boost",
        'attribute "fresh" is not sortable',
    )
    assert index.search("winter").total == 3


def test_new_documents_have_their_factors(memory: Database) -> None:
    index = memory.create_index("books", primary_key="id")
    index.add(BOOKS)
    assert len(factors(index, "sold")) == 5
    index.add([{"id": 6, "title": "new", "sold": 50}, {"id": 1, "title": "changed", "sold": 4}])
    found = factors(index, "sold")
    assert (found[6], found[1], found[3]) == (50, 4, 900.5)


def test_the_tree_says_what_it_is_about() -> None:
    formula = parse("if(a.b > 1, days_since(c), a.b)")
    assert (formula.attributes, formula.timed) == (("a.b", "c"), True)


# Ranking rules of the index


def ruled(memory: Database, rules: list[str]) -> Index:
    index = memory.create_index("shop", primary_key="id", settings={"rankingRules": rules})
    index.add(
        [
            {"id": 1, "title": "red shoe", "sold": 5},
            {"id": 2, "title": "red shoe", "sold": 50},
            {"id": 3, "title": "red boot and much more that makes this text long", "sold": 500},
            {"id": 4, "title": "red shoe"},
        ]
    )
    return index


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (["words", "typo"], [1, 2, 4, 3]),
        (["words", "sold:desc"], [2, 1, 4, 3]),
        (["words", "sold:asc"], [1, 2, 4, 3]),
        (["sold:desc", "words"], [3, 2, 1, 4]),
        (["sort", "sold:asc", "words"], [1, 2, 3, 4]),
        (["unheard:desc", "words", "sold:desc"], [2, 1, 4, 3]),
    ],
)
def test_rules_of_the_index_order_before_relevance_or_among_equals(
    memory: Database, rules: list[str], expected: list[int]
) -> None:
    found = ruled(memory, rules).search("red shoe", mode="keyword")
    assert [hit.id for hit in found] == expected


def test_a_sort_of_the_request_goes_before_every_rule(memory: Database) -> None:
    index = ruled(memory, ["sold:desc", "words"])
    assert [hit.id for hit in index.search("red", sort=["id:desc"])] == [4, 3, 2, 1]
