"""The keyword index: ranking, filters, attributes."""

from __future__ import annotations

import math
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from hybridsearch.analysis import Analyzer
from hybridsearch.errors import NotFound, QueryError
from hybridsearch.keyword import KeywordIndex, KeywordSnapshot
from hybridsearch.query import parse
from tests.unit.keyword_texts import BODIES, NONE, PLAIN, TITLES, WEIGHTS, asked, filled, put, rows


@pytest.fixture(params=["memory", "folder"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> KeywordIndex:
    return filled(None if request.param == "memory" else tmp_path / "text")


@pytest.fixture
def found(index: KeywordIndex) -> KeywordSnapshot:
    return index.snapshot()


@pytest.mark.parametrize(
    ("text", "match", "expected"),
    [
        ("red", "any", [0, 2, 5]),
        ("red shoes", "any", [0, 1, 2, 5]),
        ("red shoes", "all", [0, 2]),
        ("red shoes", "phrase", [2]),
        ('"red shoes"', "any", [2]),
        ('"road race" red', "any", [1]),
        ("race -red", "any", [1]),
        ('shoes -"red shoes"', "any", [0, 1]),
        ("-red", "any", [1, 3, 4]),
        ("-red", "phrase", [1, 3, 4]),
        ("moon", "any", [3, 4]),
        ("京都 ", "any", [5]),
        ("東 ", "any", [5]),
        ("zzz", "any", []),
        ("zzz red", "all", []),
        ("", "any", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_what_matches(found: KeywordSnapshot, text: str, match: str, expected: list[int]) -> None:
    query = asked(text)
    assert found.matches(query, weights=WEIGHTS, match=match).tolist() == expected
    top = found.top(query, weights=WEIGHTS, limit=10, match=match)
    assert sorted(top.rows.tolist()) == expected
    assert top.total == len(expected)


def test_an_open_word_finds_longer_ones_behind_exact_ones(found: KeywordSnapshot) -> None:
    top = found.top(asked("moon", prefix=True), weights={"title": 1.0}, limit=10)
    assert top.rows.tolist() == [3, 4]
    closed = found.top(asked("moon"), weights={"title": 1.0}, limit=10)
    assert closed.rows.tolist() == [3]


def test_an_open_word_ends_a_phrase(found: KeywordSnapshot) -> None:
    query = asked("red sho", prefix=True)
    assert found.matches(query, weights=WEIGHTS, match="phrase").tolist() == [2]


def test_many_longer_words_do_not_outweigh_the_word_itself() -> None:
    index = KeywordIndex.open(None)
    put(index, {0: "cat x x x x x", 1: "catalog catapult catch cater cattle caterpillar"})
    top = index.snapshot().top(asked("cat", prefix=True), weights={"body": 1.0}, limit=2)
    assert top.rows.tolist() == [0, 1]


def test_letters_that_run_past_a_stem_still_find_it() -> None:
    english, index = Analyzer("en"), KeywordIndex.open(None)
    texts = {"body": [english.text("general relativity")]}
    index.apply(deletes=NONE, rows=rows(0), texts=texts, bodies=[b""])
    for typed in ("rela", "relativ", "relativi", "relativit", "relativity"):
        query = parse(typed, english)
        assert index.snapshot().matches(query, weights={"body": 1.0}).tolist() == [0], typed
    unstemmed = parse("generalx", PLAIN)
    assert index.snapshot().matches(unstemmed, weights={"body": 1.0}).tolist() == []


def bm25(frequency: int, length: int, matching: int, lengths: list[int]) -> float:
    """Robertson and Zaragoza (2009), with Lucene's idf."""
    idf = math.log(1 + (len(lengths) - matching + 0.5) / (matching + 0.5))
    mean = sum(lengths) / len(lengths)
    return idf * 2.2 * frequency / (frequency + 1.2 * (0.25 + 0.75 * length / mean))


def test_the_score_is_the_weighted_sum_of_bm25_over_attributes(found: KeywordSnapshot) -> None:
    titles = [len(PLAIN.terms(text)) for text in TITLES]
    bodies = [len(PLAIN.terms(text)) for text in BODIES]
    expected_race = 2 * bm25(1, 2, 1, titles) + bm25(2, 2, 2, bodies)
    scores = found.scores(asked("shoes race"), rows(1, 0), weights=WEIGHTS)
    assert scores.tolist() == pytest.approx([expected_race, 2 * bm25(1, 3, 1, titles)], abs=1e-5)


@pytest.mark.parametrize("tie", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("bonus", [0.0, 0.3])
@pytest.mark.parametrize("match", ["any", "all"])
@pytest.mark.parametrize("text", ["red shoes", "shoes", 'red "red shoes"', "red shoes red", "moon"])
def test_every_way_to_a_score_gives_the_same(
    found: KeywordSnapshot, text: str, match: str, bonus: float, tie: float
) -> None:
    query = asked(text, prefix=True)

    def top(mask: np.ndarray[tuple[int], np.dtype[np.bool_]] | None) -> dict[int, float]:
        ranking = found.top(
            query, weights=WEIGHTS, limit=9, match=match, mask=mask, tie=tie, bonus=bonus
        )
        return dict(zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True))

    expected = top(None)
    assert top(np.ones(9, bool)) == pytest.approx(expected, rel=1e-5)
    asked_rows = rows(5, 4, 3, 2, 1, 0, 77)
    scores = found.scores(
        query, asked_rows, weights=WEIGHTS, match=match, tie=tie, bonus=bonus
    ).tolist()
    assert scores == pytest.approx([expected.get(r, 0.0) for r in asked_rows.tolist()], rel=1e-5)
    for row in range(6):
        why = found.explain(query, row, weights=WEIGHTS, match=match, tie=tie, bonus=bonus)
        assert why["score"] == pytest.approx(expected.get(row, 0.0), rel=1e-5)
        assert sum(part["score"] for part in why["parts"]) == pytest.approx(why["score"], rel=1e-4)


def test_a_bonus_lifts_words_that_stand_together() -> None:
    index = KeywordIndex.open(None)
    put(index, {0: "red a b c shoes", 1: "a b c red shoes", 2: "other"})
    plain = index.snapshot().top(asked("red shoes"), weights={"body": 1.0}, limit=3)
    lifted = index.snapshot().top(asked("red shoes"), weights={"body": 1.0}, limit=3, bonus=0.5)
    assert plain.rows.tolist() == [0, 1]
    assert lifted.rows.tolist() == [1, 0]


def test_a_tie_below_one_makes_the_second_attribute_count_less(found: KeywordSnapshot) -> None:
    query, row = asked("race"), rows(2)
    full = found.scores(asked("red"), rows(0), weights=WEIGHTS, tie=0.5)
    assert full == found.scores(asked("red"), rows(0), weights=WEIGHTS)
    assert found.scores(query, row, weights=WEIGHTS).item() > 0
    index = KeywordIndex.open(None)
    index.apply(deletes=NONE, rows=rows(0), texts={"title": ["red"], "body": ["red"]}, bodies=[b""])
    both = {"title": 1.0, "body": 1.0}
    halved = index.snapshot().scores(asked("red"), rows(0), weights=both, tie=0.5).item()
    assert halved == pytest.approx(
        index.snapshot().scores(asked("red"), rows(0), weights=both).item() * 0.75
    )


def test_explain_names_attribute_and_term(found: KeywordSnapshot) -> None:
    parts = found.explain(asked("moon", prefix=True), 4, weights=WEIGHTS)["parts"]
    assert {(part["attribute"], part["term"], part["kind"]) for part in parts} == {
        ("title", "moonlight", "word"),
        ("body", "moon", "word"),
    }
    assert next(p["weight"] for p in parts if p["attribute"] == "title") <= 2.0 * 0.8


def test_explain_of_a_row_that_does_not_match_is_empty(found: KeywordSnapshot) -> None:
    assert found.explain(asked("moon"), 0, weights=WEIGHTS) == {"score": 0.0, "parts": []}


def test_ties_go_by_row_even_across_the_limit() -> None:
    index = KeywordIndex.open(None)
    for start in (40, 0, 20):
        put(index, {row: "same words" for row in range(start, start + 20)})
    top = index.snapshot().top(asked("same"), weights={"body": 1.0}, limit=5)
    assert top.rows.tolist() == [0, 1, 2, 3, 4]
    assert top.total == 60


def test_a_mask_may_be_short_long_or_empty(found: KeywordSnapshot) -> None:
    def top(*kept: int) -> tuple[list[int], int]:
        ranking = found.top(asked("red"), weights=WEIGHTS, limit=9, mask=np.array(kept, bool))
        return ranking.rows.tolist(), ranking.total

    assert top(1, 1) == ([0], 1)
    assert top(0, 0, 1, 1, 1, 1, 1, 1, 1)[1] == 2
    assert top() == ([], 0)
    assert top(0, 1, 0) == ([], 0)


def test_a_mask_over_only_excluded_words(found: KeywordSnapshot) -> None:
    ranking = found.top(asked("-red"), weights=WEIGHTS, limit=9, mask=np.arange(20) > 2)
    assert ranking.rows.tolist() == [3, 4]
    assert ranking.scores.tolist() == [0.0, 0.0]
    assert ranking.total == 2


def test_few_rows_among_many_matches_are_scored_alike() -> None:
    index = KeywordIndex.open(None)
    put(index, {row: f"common word{row % 7} {'x ' * (row % 5)}" for row in range(3000)})
    kept = np.zeros(3000, bool)
    kept[[5, 17, 2999]] = True
    query, weights = asked("common word3"), {"body": 1.0}
    few = index.snapshot().top(query, weights=weights, limit=2, mask=kept)
    scores = index.snapshot().scores(query, rows(2999, 5, 17), weights=weights)
    index.snapshot().matches(query, weights=weights)
    many = index.snapshot().top(query, weights=weights, limit=2, mask=kept)
    assert few.rows.tolist() == many.rows.tolist() == [17, 2999]
    assert few.total == many.total == 3
    assert scores[[2, 0]].tolist() == pytest.approx(few.scores.tolist(), rel=1e-5)


@pytest.mark.parametrize(
    "text", ["common word3", "word17 word5", '"common word5"', "common -word5"]
)
@pytest.mark.parametrize("match", ["any", "all"])
def test_how_many_of_some_rows_match_is_what_their_scores_say(text: str, match: str) -> None:
    index = KeywordIndex.open(None)
    put(index, {row: f"common word{row % 20} x{row}" for row in range(3000)})
    query, weights, some = asked(text, prefix=True), {"body": 1.0}, rows(3, 5, 17, 45, 99, 2999)
    new = index.snapshot().holding(query, some, weights=weights, match=match)
    known = index.snapshot()
    scores = known.scores(query, some, weights=weights, match=match)
    known.top(query, weights=weights, limit=3000, match=match)
    assert new == known.holding(query, some, weights=weights, match=match)
    assert new == np.count_nonzero(scores)


def test_limit_zero_counts(found: KeywordSnapshot) -> None:
    for mask in (None, np.ones(6, bool)):
        ranking = found.top(asked("red"), weights=WEIGHTS, limit=0, mask=mask)
        assert (len(ranking.rows), ranking.total) == (0, 3)


def test_unknown_and_weightless_attributes_are_not_searched(found: KeywordSnapshot) -> None:
    for weights in ({}, {"nope": 1.0}, {"title": 0.0}):
        assert found.matches(asked("red"), weights=weights).tolist() == []
        assert found.top(asked("red"), weights=weights, limit=3).total == 0


def test_another_match_is_refused(found: KeywordSnapshot) -> None:
    with pytest.raises(QueryError, match='unknown match "al"; did you mean "all"'):
        found.top(asked("red"), weights=WEIGHTS, limit=3, match="al")


def test_ten_thousand_words_are_answered(found: KeywordSnapshot) -> None:
    query = asked(" ".join(f"w{n}" for n in range(10_000)) + " red")
    assert found.top(query, weights=WEIGHTS, limit=10).total == 3


def test_bodies_come_in_the_order_asked(found: KeywordSnapshot) -> None:
    assert found.bodies(rows(4, 0, 4)) == [b"document 4", b"document 0", b"document 4"]


def test_an_absent_row_has_no_body(found: KeywordSnapshot) -> None:
    with pytest.raises(NotFound, match="no row 99"):
        found.bodies(rows(99))


def test_a_row_put_in_again_is_replaced(index: KeywordIndex) -> None:
    put(index, {0: "blue"})
    assert index.snapshot().matches(asked("blue"), weights=WEIGHTS).tolist() == [0]
    assert 0 not in index.snapshot().matches(asked("red"), weights=WEIGHTS)
    assert index.snapshot().count == len(TITLES)


def test_a_snapshot_stays_as_it_was(index: KeywordIndex, found: KeywordSnapshot) -> None:
    put(index, {7: "red"}, deletes=rows(0, 2))
    assert found.matches(asked("red"), weights=WEIGHTS).tolist() == [0, 2, 5]
    assert found.bodies(rows(0)) == [b"document 0"]
    assert index.snapshot().matches(asked("red"), weights=WEIGHTS).tolist() == [5, 7]


def test_nothing_to_apply_changes_nothing(index: KeywordIndex) -> None:
    before = index.snapshot()
    index.apply(deletes=NONE, rows=NONE, texts={}, bodies=[])
    assert index.snapshot() is before


def test_readers_are_not_disturbed_by_a_writer(index: KeywordIndex) -> None:
    wrong: list[object] = []

    def read() -> None:
        for _ in range(30):
            snapshot = index.snapshot()
            total = snapshot.top(asked("counted"), weights=WEIGHTS, limit=1).total
            matches = len(snapshot.matches(asked("counted"), weights=WEIGHTS))
            if total % 10 or total != matches:
                wrong.append((total, matches))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for batch in range(1, 6):
        put(index, {row: "counted" for row in range(batch * 10, batch * 10 + 10)})
    for reader in readers:
        reader.join()
    assert wrong == []
    assert index.snapshot().top(asked("counted"), weights=WEIGHTS, limit=1).total == 50


@pytest.mark.parametrize("text", ["red", "red shoes", "running moo", '"road races"', "nowhere"])
def test_the_reference_of_a_query_is_the_same_for_every_tie(
    found: KeywordSnapshot, text: str
) -> None:
    query = asked(text, prefix=True)
    references = {found.reference(query, weights=WEIGHTS, tie=tie) for tie in (1.0, 0.5, 0.0)}
    assert len(references) == 1
    assert references.pop() > 0


def test_a_ranking_holds_no_columns_that_the_index_let_go(found: KeywordSnapshot) -> None:
    query = asked("red road")
    found.foresee([(query, WEIGHTS, "any", 1.0)] * 1000, limit=10)
    [keys] = [keys for _, keys in found._layouts._laid.values()]
    columns = [weakref.ref(found._clauses._kept.get(key)) for key in keys]
    ranking = found.top(query, weights=WEIGHTS, limit=2)
    found._clauses._kept._values.clear()
    assert [column() for column in columns] == [None] * len(columns)
    assert ranking.total == 4


def test_a_filter_that_was_paid_for_often_is_answered_out_of_memory(
    found: KeywordSnapshot,
) -> None:
    mask = np.array([True, False, True, False, False, True])
    asked_once, *again = (
        found.top(asked("red road"), weights=WEIGHTS, limit=3, mask=mask, tie=0.5)
        for _ in range(30)
    )
    assert {tuple(one.rows.tolist()) for one in again} == {tuple(asked_once.rows.tolist())}
    assert all(np.allclose(one.scores, asked_once.scores, rtol=1e-6) for one in again)
    assert {one.total for one in again} == {asked_once.total}
