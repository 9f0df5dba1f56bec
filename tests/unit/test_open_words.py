"""A word that may be the beginning of more words than are scored finds the documents of all."""

from __future__ import annotations

import numpy as np
import pytest

from hybridsearch import keyword_kept, keyword_terms
from hybridsearch.keyword import KeywordIndex, KeywordSnapshot
from hybridsearch.keyword_plan import LAST
from hybridsearch.query import Query, Word
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


@pytest.mark.parametrize("summed", [300, 39])
@pytest.mark.parametrize("small", [100, 39])
@pytest.mark.parametrize("match", ["any", "all", "phrase"])
def test_the_beginning_of_words_finds_all_of_them(
    monkeypatch: pytest.MonkeyPatch, small: int, summed: int, match: str
) -> None:
    monkeypatch.setattr(keyword_terms, "SMALL", small)
    monkeypatch.setattr(keyword_terms, "MOST_EXPANSIONS", 20)
    monkeypatch.setattr(keyword_terms, "SUMMED", summed)
    index = KeywordIndex.open(None)
    put(index, {row: f"s{row:02}" for row in range(40)})
    snapshot, query = index.snapshot(), asked("s", prefix=True)
    for limit in (9, 30, 50):
        top = snapshot.top(query, weights=BODY, limit=limit, match=match)
        assert (len(set(top.rows.tolist())), top.total) == (min(limit, 40), 40)
    assert len(snapshot.matches(query, weights=BODY, match=match)) == 40


@pytest.mark.parametrize("together", [10_000, 3, 1])
def test_a_phrase_ends_in_whatever_begins_so(
    monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(keyword_terms, "SMALL", 3)
    monkeypatch.setattr(keyword_terms, "EXPANSIONS", 2)
    monkeypatch.setattr(keyword_terms, "TOGETHER", together)
    index = KeywordIndex.open(None)
    texts = ["c++ s", "c++ sea", "sea c++", "c++ sun", "c++ so it", "c.. so", "c++ s s.t", "c++ 5"]
    texts += ["sea", "sun", "sea sun"]
    own, none = np.arange(len(texts)), np.empty(0, np.int64)
    index.apply(deletes=none, rows=own, texts={"body": texts}, bodies=[b""] * len(texts))
    query = Query((Word("c++"), Word("s", prefix="s")), sequence=("c++", "s"))
    for _ in range(2):
        top = index.snapshot().top(query, weights=BODY, limit=9, match="phrase")
        assert sorted(top.rows.tolist()) == [0, 1, 3, 4, 6]
        assert top.total == 5
    told = index.snapshot().explain(query, 4, weights=BODY, match="phrase")
    assert [(p["term"], p["for"], p["kind"]) for p in told["parts"]] == [
        ("c++ s*", "c++ s", "phrase")
    ]


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


@pytest.mark.parametrize("kept", [slice(None, None, 2), slice(68, None), slice(69, 75)])
@pytest.mark.parametrize("text", ["s", "s blue", "blue s"])
def test_under_a_mask_the_others_stand_behind_as_without(
    monkeypatch: pytest.MonkeyPatch, kept: slice, text: str
) -> None:
    monkeypatch.setattr(keyword_terms, "SMALL", 3)
    monkeypatch.setattr(keyword_terms, "EXPANSIONS", 2)
    index = KeywordIndex.open(None)
    words = ["sun"] * 40 + ["sea"] * 30 + [f"s{row:03}" for row in range(70, 398)]
    texts = [word + " red" * row for row, word in enumerate(words)]
    put(index, dict(enumerate([*texts, "blue", "red"])))
    query, mask = asked(text, prefix=not text.endswith("blue")), np.zeros(400, bool)
    mask[kept] = True
    keeping = index.snapshot()
    whole = keeping.top(query, weights=BODY, limit=400)
    expected = whole.rows[mask[whole.rows]].tolist()
    for limit in (1, 5, 60):
        top = index._published().top(query, weights=BODY, limit=limit, mask=mask)
        assert (top.rows.tolist(), top.total) == (expected[:limit], len(expected))
        assert not top.whole or len(top.rows) == top.total
