"""The keyword index agrees with a dictionary of documents, whatever is applied and asked."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridsearch import keyword_terms
from hybridsearch.analysis import Analyzer
from hybridsearch.keyword import KeywordIndex
from hybridsearch.keyword_snapshot import KeywordSnapshot
from hybridsearch.query import Phrase, Query, Word, parse

PLAIN = Analyzer()
ATTRIBUTES = ("title", "text", "notes")
WEIGHTS = {"title": 2.0, "text": 1.0}
MOST_ROWS = 24

Mask: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool_]]
Document: TypeAlias = dict[str, list[str]]
"""The terms by attribute."""

terms = st.sampled_from(["a", "b", "c", "ab", "abc", "bc", "a.b", "b東"])
documents = st.fixed_dictionaries({name: st.lists(terms, max_size=6) for name in ATTRIBUTES})
row_numbers = st.integers(0, MOST_ROWS - 1)


@dataclass(frozen=True)
class Batch:
    """One apply, after which the index may be closed and opened."""

    puts: dict[int, Document] = field(default_factory=dict)
    deletes: frozenset[int] = frozenset()
    reopen: bool = False


batches = st.builds(
    Batch,
    puts=st.dictionaries(row_numbers, documents, max_size=6),
    deletes=st.frozensets(row_numbers, max_size=4),
    reopen=st.sampled_from([False] * 7 + [True]),
)
histories = st.lists(batches, min_size=1, max_size=4)
part = st.builds(
    lambda minus, quote, words: f"{minus}{quote}{' '.join(words)}{quote}",
    st.sampled_from(["", "", "", "-"]),
    st.sampled_from(["", '"']),
    st.lists(terms, min_size=1, max_size=3),
)
queries = st.builds(
    lambda parts, end: parse(" ".join(parts) + end, PLAIN),
    st.lists(part, max_size=4),
    st.sampled_from(["", " "]),
)
matches = st.sampled_from(["any", "all", "phrase"])
ties = st.sampled_from([1.0, 0.5])
masks = st.lists(st.booleans(), max_size=MOST_ROWS + 3).map(lambda kept: np.array(kept, bool))


@pytest.fixture(scope="module", params=[16, 1], autouse=True)
def scored(request: pytest.FixtureRequest) -> Iterator[None]:
    """So many of the words that begin alike are scored, the others stand behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyword_terms, "SMALL", 0)
        patch.setattr(keyword_terms, "EXPANSIONS", request.param)
        patch.setattr(keyword_terms, "SUMMED", request.param)
        patch.setattr(keyword_terms, "TOGETHER", request.param)
        yield


def apply(index: KeywordIndex, batch: Batch) -> None:
    index.apply(
        deletes=np.array(sorted(batch.deletes), np.int64),
        rows=np.array(list(batch.puts), np.int64),
        texts={n: [" ".join(d[n]) for d in batch.puts.values()] for n in ATTRIBUTES},
        bodies=[repr(document).encode() for document in batch.puts.values()],
    )


@contextmanager
def written(history: list[Batch]) -> Iterator[tuple[KeywordSnapshot, dict[int, Document]]]:
    """The index after the history, and what it should hold."""
    model: dict[int, Document] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # a reader may linger
        path = Path(folder) if any(batch.reopen for batch in history) else None
        index = KeywordIndex.open(path)
        for batch in history:
            apply(index, batch)
            model = {row: d for row, d in model.items() if row not in batch.deletes} | batch.puts
            if batch.reopen:
                index.close()
                index = KeywordIndex.open(path)
        yield index.snapshot(), model
        index.close()


def holds(words: list[str], wanted: tuple[str, ...], *, open_end: bool = False) -> bool:
    """Whether the wanted words stand side by side, the last perhaps longer than asked."""
    for at in range(len(words) - len(wanted) + 1):
        *run, last = words[at : at + len(wanted)]
        ends = last.startswith(wanted[-1]) if open_end else last == wanted[-1]
        if ends and tuple(run) == wanted[:-1]:
            return True
    return False


def anywhere(document: Document, item: Word | Phrase) -> bool:
    wanted = item.terms if isinstance(item, Phrase) else (item.term,)
    open_end = isinstance(item, Word) and item.prefix is not None
    return any(holds(document[name], wanted, open_end=open_end) for name in WEIGHTS)


def answers(document: Document, query: Query, match: str) -> bool:
    """What it means to match, said as plainly as it can be."""
    if any(anywhere(document, item) for item in query.excluded):
        return False
    if not query.sequence:
        return True
    if match == "phrase":
        last = query.words[-1] if query.words else None
        is_open = bool(last and last.prefix and last.term == query.sequence[-1])
        return any(holds(document[n], query.sequence, open_end=is_open) for n in WEIGHTS)
    words = [anywhere(document, word) for word in query.words]
    phrases = [anywhere(document, phrase) for phrase in query.phrases]
    if match == "all":
        return all(words) and all(phrases)
    return all(phrases) and (bool(phrases) or any(words))


@settings(max_examples=25, deadline=None)
@given(histories, st.lists(st.tuples(queries, matches), min_size=3, max_size=5))
def test_matches_are_those_of_a_dictionary(
    history: list[Batch], asked: list[tuple[Query, str]]
) -> None:
    with written(history) as (snapshot, model):
        assert snapshot.count == len(model)
        for query, match in asked:
            expected = sorted(r for r, d in model.items() if answers(d, query, match))
            found = snapshot.matches(query, weights=WEIGHTS, match=match)
            assert found.tolist() == expected
            assert snapshot.top(query, weights=WEIGHTS, limit=1, match=match).total == len(expected)


FEW = settings(max_examples=15, deadline=None)
"""Writing a history takes longer than asking it, so each is asked several things."""


def several(*parts: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Four questions of these parts."""
    return st.lists(st.tuples(*parts), min_size=4, max_size=4)


@FEW
@given(histories, several(queries, matches, masks, st.integers(0, 6), ties))
def test_a_masked_ranking_is_the_whole_one_filtered(
    history: list[Batch], asked: list[tuple[Query, str, Mask, int, float]]
) -> None:
    with written(history) as (snapshot, _):
        for query, match, mask, limit, tie in asked:
            whole = snapshot.top(query, weights=WEIGHTS, limit=MOST_ROWS, match=match, tie=tie)
            some = snapshot.top(
                query, weights=WEIGHTS, limit=limit, match=match, mask=mask, tie=tie
            )
            kept = [row for row in whole.rows.tolist() if row < len(mask) and mask[row]]
            score = dict(zip(whole.rows.tolist(), whole.scores.tolist(), strict=True))
            assert some.total == len(kept)
            assert len(some.rows) == min(limit, len(kept))
            assert set(some.rows.tolist()) <= set(kept)
            assert np.allclose(some.scores, [score[row] for row in kept[:limit]], rtol=1e-5)
            assert np.allclose(some.scores, [score[row] for row in some.rows.tolist()], rtol=1e-5)


@FEW
@given(histories, several(queries, matches, masks, st.integers(0, 30), ties))
def test_an_answer_out_of_kept_clauses_is_that_of_the_engine(
    history: list[Batch], asked: list[tuple[Query, str, Mask, int, float]]
) -> None:
    with written(history) as (plain, _), written(history) as (keeping, _):
        for query, match, mask, limit, tie in asked:
            keeping.foresee([(query, WEIGHTS, match, tie)] * 500, limit=10)
            same_answers(plain, keeping, query, match, mask, limit, tie)


def same_answers(
    plain: KeywordSnapshot,
    keeping: KeywordSnapshot,
    query: Query,
    match: str,
    mask: Mask,
    limit: int,
    tie: float,
) -> None:
    every = np.arange(MOST_ROWS + 3)
    scores = plain.scores(query, every, weights=WEIGHTS, match=match, tie=tie)
    for allowed in (None, mask):
        by_engine, by_kept = (
            snapshot.top(query, weights=WEIGHTS, limit=limit, match=match, mask=allowed, tie=tie)
            for snapshot in (plain, keeping)
        )
        assert by_kept.total == by_engine.total
        assert np.allclose(by_kept.scores, by_engine.scores, rtol=1e-6)
        assert np.allclose(by_kept.scores, scores[by_kept.rows], rtol=1e-6)
        assert not by_kept.whole or by_kept.total == len(by_kept.rows)
    found = keeping.scores(query, every, weights=WEIGHTS, match=match, tie=tie)
    assert np.allclose(found, scores, rtol=1e-6)
    assert keeping.matches(query, weights=WEIGHTS, match=match).tolist() == (
        plain.matches(query, weights=WEIGHTS, match=match).tolist()
    )


@FEW
@given(histories, several(queries, matches, st.none() | masks, st.integers(0, 8), st.booleans()))
def test_a_level_ranking_goes_on_to_the_end_of_a_tie(
    history: list[Batch], asked: list[tuple[Query, str, Mask | None, int, bool]]
) -> None:
    with written(history) as (snapshot, _):
        for query, match, mask, limit, foreseen in asked:
            if foreseen:
                snapshot.foresee([(query, WEIGHTS, match, 1.0)] * 500, limit=10)
            whole, some = (
                snapshot.top(
                    query, weights=WEIGHTS, limit=most, match=match, mask=mask, level=level
                )
                for most, level in ((MOST_ROWS, False), (limit, True))
            )
            least = whole.scores[:limit].min(initial=np.inf)
            end = np.count_nonzero(whole.scores >= least)
            assert some.rows.tolist() == whole.rows[:end].tolist()
            assert some.total == whole.total
            assert not some.whole or len(some.rows) == some.total


@FEW
@given(histories, several(queries, matches, ties, st.sampled_from([0.0, 0.2])))
def test_the_ranking_is_in_the_order_of_the_scores(
    history: list[Batch], asked: list[tuple[Query, str, float, float]]
) -> None:
    every = np.arange(MOST_ROWS)
    with written(history) as (snapshot, model):
        for query, match, tie, bonus in asked:
            how: Any = {"weights": WEIGHTS, "match": match, "tie": tie, "bonus": bonus}
            top = snapshot.top(query, limit=MOST_ROWS, **how)
            scores = snapshot.scores(query, every, **how)
            assert np.allclose(scores[top.rows], top.scores, rtol=1e-5)
            assert np.flatnonzero(scores).tolist() == sorted(top.rows[top.scores > 0].tolist())
            pairs = zip(-top.scores, top.rows, strict=True)
            assert (listed := list(pairs)) == sorted(listed)
            bodies = snapshot.bodies(top.rows)
            assert bodies == [repr(model[row]).encode() for row in top.rows.tolist()]


@settings(max_examples=10, deadline=None)
@given(histories, st.lists(queries, min_size=4, max_size=4))
def test_the_last_batch_applied_again_changes_no_answer(
    history: list[Batch], asked: list[Query]
) -> None:
    with written(history) as (once, _), written([*history, history[-1]]) as (twice, _):
        assert twice.count == once.count
        for query in asked:
            found = twice.matches(query, weights=WEIGHTS).tolist()
            assert found == once.matches(query, weights=WEIGHTS).tolist()
