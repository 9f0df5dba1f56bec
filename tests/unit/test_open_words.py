"""A word that may be the beginning of more words than are scored finds the documents of all."""

from __future__ import annotations

import numpy as np
import pytest

from hybridsearch import keyword_kept, keyword_terms
from hybridsearch.keyword import KeywordIndex, KeywordSnapshot
from hybridsearch.keyword_plan import LAST
from tests.unit.keyword_texts import asked, put

BODY = {"body": 1.0}
TEXTS = ["sun", "sea blue", "sea", "sun sea", "salt blue", "sand", "red", "sun", "blue"]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> KeywordSnapshot:
    """Of the words with an s only "sea" and "sun" are scored."""
    monkeypatch.setattr(keyword_terms, "SMALL", 3)
    monkeypatch.setattr(keyword_terms, "EXPANSIONS", 2)
    index = KeywordIndex.open(None)
    put(index, dict(enumerate(TEXTS)))
    return index.snapshot()


@pytest.mark.parametrize(
    ("small", "most", "total"), [(100, 300, 40), (39, 300, 40), (39, 40, 40), (39, 39, 16)]
)
def test_the_beginning_of_words_finds_all_of_them_or_the_most_frequent(
    monkeypatch: pytest.MonkeyPatch, small: int, most: int, total: int
) -> None:
    monkeypatch.setattr(keyword_terms, "SMALL", small)
    monkeypatch.setattr(keyword_terms, "MOST_UNLISTED", most)
    index = KeywordIndex.open(None)
    put(index, {row: f"s{row:02}" for row in range(40)})
    snapshot = index.snapshot()
    top = snapshot.top(asked("s", prefix=True), weights=BODY, limit=9)
    assert top.total == total == len(snapshot.matches(asked("s", prefix=True), weights=BODY))


@pytest.mark.parametrize("price", [10, 10_000])  # at the second tantivy is asked every time
@pytest.mark.parametrize("limit", [1, 4, 6, 9])
def test_what_only_others_bring_stands_last_however_often_it_is_asked_for(
    found: KeywordSnapshot, monkeypatch: pytest.MonkeyPatch, limit: int, price: int
) -> None:
    monkeypatch.setattr(keyword_kept, "FETCHED", price)
    query = asked("s", prefix=True)
    for _ in range(4):
        top = found.top(query, weights=BODY, limit=limit)
        assert top.total == 7
        assert sorted(top.rows.tolist()[5:]) == [4, 5][: max(limit - 5, 0)]
    ranked = [found.top(query, weights=BODY, limit=9).rows.tolist()[:limit], top.rows.tolist()]
    assert ranked[0] == ranked[1]
    assert set(ranked[0][:5]) <= {0, 1, 2, 3, 7}


def test_they_count_under_a_mask_and_beside_words_that_are_needed(found: KeywordSnapshot) -> None:
    query = asked("blue s", prefix=True)
    assert found.matches(query, weights=BODY, match="all").tolist() == [1, 4]
    mask = np.arange(len(TEXTS)) > 3
    top = found.top(query, weights=BODY, limit=9, mask=mask)
    assert (sorted(top.rows.tolist()), top.total) == ([4, 5, 7, 8], 4)
    assert top.rows.tolist()[-1] == 5


def test_they_add_nothing_to_what_other_words_score(found: KeywordSnapshot) -> None:
    open_, closed = asked("blue s", prefix=True), asked("blue")
    with_salt, alone = (
        found.scores(query, np.array([4]), weights=BODY).item() for query in (open_, closed)
    )
    assert with_salt == alone


def test_an_explanation_names_the_beginning(found: KeywordSnapshot) -> None:
    told = found.explain(asked("s", prefix=True), 5, weights=BODY)
    assert told["score"] == pytest.approx(LAST)
    assert [(p["term"], p["for"], p["how"], p["score"]) for p in told["parts"]] == [
        ("s*", "s", "prefix", pytest.approx(LAST))
    ]
