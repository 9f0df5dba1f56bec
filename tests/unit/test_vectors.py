"""What the vector index promises, one claim a test."""

from __future__ import annotations

import gzip
import json
import threading
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from hybridsearch.arrays import Vectors
from hybridsearch.embedders.static import StaticEmbedder
from hybridsearch.errors import (
    VectorError,
)
from hybridsearch.vectors import Tiers, VectorIndex, VectorSnapshot
from tests.unit.some_vectors import (
    CODES,
    DIM,
    NONE,
    NOTHING,
    clustered,
    cosines,
    expected,
    filled,
    numbers,
)

CORPUS = Path(__file__).parents[2] / "../shared/data/packages/corpus.jsonl.gz"


def test_top_is_brute_force_when_there_are_few() -> None:
    vectors, query = clustered(300), clustered(1, seed=1)[0]
    rows, _ = filled(300).snapshot().top(query, 10)
    assert rows.tolist() == expected(vectors, query, 10)


def test_scores_are_cosines() -> None:
    vectors, query = clustered(300), clustered(1, seed=1)[0]
    rows, scores = filled(300).snapshot().top(query, 300)
    np.testing.assert_allclose(scores, cosines(vectors, query)[rows], atol=1e-4)


def test_arrays_have_the_promised_types() -> None:
    rows, scores = filled(300).snapshot().top(clustered(1)[0], 5)
    assert (rows.dtype.name, scores.dtype.name) == ("int64", "float32")


def test_the_codes_find_what_is_nearest() -> None:
    snapshot = filled(20_000).snapshot()
    queries = clustered(60, seed=0) + 0.2 * clustered(60, seed=3)
    found = [snapshot.top(query, 10)[0] for query in queries]
    exact = [snapshot.top(query, 10, exact=True)[0] for query in queries]
    hits = [len(np.intersect1d(a, b)) for a, b in zip(found, exact, strict=True)]
    assert sum(hits) >= 0.99 * 10 * len(queries)


@pytest.mark.skipif(not CORPUS.exists(), reason="needs ../shared/data/packages")
def test_the_codes_find_what_is_nearest_in_real_text() -> None:
    with gzip.open(CORPUS, "rt", encoding="utf-8") as file:
        documents = [json.loads(line) for line in islice(file, 12_000)]
    vectors = StaticEmbedder().embed([f"{one['title']} {one['text'][:300]}" for one in documents])
    queries = StaticEmbedder().embed([" ".join(one["text"].split()[:5]) for one in documents[::80]])
    index = VectorIndex.open(None, dim=StaticEmbedder.dim)
    index.apply(deletes=NONE, rows=np.arange(len(vectors), dtype=np.int64), vectors=vectors)
    shares = [share_found(index.snapshot(), query) for query in queries]
    assert np.mean(shares) >= 0.99


def share_found(snapshot: VectorSnapshot, query: Vectors) -> float:
    tenth = snapshot.top(query, 10, exact=True)[1][-1]
    return float((snapshot.top(query, 10)[1] >= tenth).mean())


def test_more_is_found_where_more_is_compared_exactly() -> None:
    narrow = Tiers(exact=0, gathered=0, fraction=0, rescored=10, each=1)
    snapshot = filled(1_000, tiers=narrow).snapshot()
    shares = {}
    for breadth in (None, 30, 300, 1_000):
        found = []
        for query in clustered(40, seed=3):
            tenth = snapshot.top(query, 10, exact=True)[1][-1]
            found.append(float((snapshot.top(query, 10, breadth=breadth)[1] >= tenth).mean()))
        shares[breadth] = np.mean(found)
    assert shares[None] < shares[30] < shares[300] <= shares[1_000] == 1


@pytest.mark.parametrize("dim", [1, 3, 64, 65, 300, 768])
def test_the_codes_serve_any_dimension(dim: int) -> None:
    vectors = clustered(500, dim=dim)
    index = VectorIndex.open(None, dim=dim, tiers=CODES)
    index.apply(deletes=NONE, rows=np.arange(500, dtype=np.int64), vectors=vectors)
    rows, _ = index.snapshot().top(vectors[123], 1)
    assert cosines(vectors[rows], vectors[123])[0] > 0.999


@pytest.mark.parametrize("tiers", [None, CODES])
@pytest.mark.parametrize("kept", [1, 7, 60, 200, 700, 999])
def test_a_mask_never_makes_results_vanish(tiers: Tiers | None, kept: int) -> None:
    mask = np.zeros(1_000, np.bool_)
    mask[np.random.default_rng(kept).permutation(1_000)[:kept]] = True
    rows, _ = filled(1_000, tiers=tiers).snapshot().top(clustered(1, seed=5)[0], 10, mask=mask)
    assert len(rows) == min(10, kept)
    assert mask[rows].all()


def test_rows_past_the_end_of_a_mask_are_not_kept() -> None:
    rows, _ = filled(300).snapshot().top(clustered(1)[0], 300, mask=np.ones(40, np.bool_))
    assert sorted(rows.tolist()) == list(range(40))


def test_an_empty_mask_keeps_nothing() -> None:
    rows, scores = filled(300).snapshot().top(clustered(1)[0], 10, mask=np.zeros(0, np.bool_))
    assert (len(rows), len(scores)) == (0, 0)


@pytest.mark.parametrize("tiers", [None, CODES])
def test_equal_scores_are_ordered_by_row(tiers: Tiers | None) -> None:
    index = VectorIndex.open(None, dim=DIM, tiers=tiers)
    same = np.repeat(clustered(1), 700, axis=0)
    index.apply(deletes=NONE, rows=np.arange(700, dtype=np.int64)[::-1], vectors=same)
    assert index.snapshot().top(clustered(1, seed=2)[0], 5)[0].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("tiers", [None, CODES])
def test_a_row_has_the_same_score_whichever_way_found_it(tiers: Tiers | None) -> None:
    snapshot, query = filled(1_000, tiers=tiers).snapshot(), clustered(1, seed=4)[0]
    rows, scores = snapshot.top(query, 10)
    mask = np.zeros(1_000, np.bool_)
    mask[rows] = True
    assert snapshot.top(query, 10, mask=mask)[1].tolist() == scores.tolist()
    assert snapshot.similarities(query, rows).tolist() == scores.tolist()


@pytest.mark.parametrize("tiers", [None, CODES])
def test_a_zero_query_scores_zero_in_order_of_rows(tiers: Tiers | None) -> None:
    rows, scores = filled(1_000, tiers=tiers).snapshot().top(np.zeros(DIM, np.float32), 3)
    assert (rows.tolist(), scores.tolist()) == ([0, 1, 2], [0, 0, 0])


def test_a_zero_vector_is_allowed_and_scores_zero() -> None:
    index = VectorIndex.open(None, dim=DIM)
    index.apply(deletes=NONE, rows=numbers(4), vectors=np.zeros((1, DIM), np.float32))
    assert index.snapshot().top(clustered(1)[0], 3)[1].tolist() == [0]


@pytest.mark.parametrize("length", [1e-30, 1.0, 1e30])
def test_length_does_not_matter(length: float) -> None:
    vector = clustered(1) * np.float32(length)
    index = VectorIndex.open(None, dim=DIM)
    index.apply(deletes=NONE, rows=numbers(1), vectors=vector)
    _, scores = index.snapshot().top(vector[0], 1)
    np.testing.assert_allclose(scores, [1], atol=1e-5)


def test_a_limit_of_none_gives_none() -> None:
    assert len(filled(20).snapshot().top(clustered(1)[0], 0)[0]) == 0


def test_an_empty_index_answers_with_nothing() -> None:
    snapshot = VectorIndex.open(None, dim=DIM).snapshot()
    assert (len(snapshot.top(clustered(1)[0], 10)[0]), snapshot.count) == (0, 0)
    assert snapshot.top_many(clustered(3), 5)[2][0].tolist() == []


@pytest.mark.parametrize("tiers", [None, CODES])
def test_a_row_with_several_vectors_scores_its_best(tiers: Tiers | None) -> None:
    vectors = clustered(900)
    index = VectorIndex.open(None, dim=DIM, tiers=tiers)
    index.apply(deletes=NONE, rows=np.repeat(np.arange(300, dtype=np.int64), 3), vectors=vectors)
    rows, scores = index.snapshot().top(vectors[31], 300)
    best = cosines(vectors, vectors[31]).reshape(300, 3).max(axis=1)
    assert sorted(rows.tolist()) == list(range(300))
    np.testing.assert_allclose(scores, best[rows], atol=1e-4)


def test_a_row_found_by_its_second_best_vector_scores_its_best() -> None:
    vectors = clustered(3_000)
    index = VectorIndex.open(None, dim=DIM, tiers=Tiers(exact=0, gathered=0, rescored=1, each=0))
    index.apply(deletes=NONE, rows=np.repeat(np.arange(100, dtype=np.int64), 30), vectors=vectors)
    snapshot = index.snapshot()
    rows, scores = snapshot.top(clustered(1, seed=4)[0], 5)
    assert scores.tolist() == snapshot.similarities(clustered(1, seed=4)[0], rows).tolist()


@pytest.mark.parametrize("tiers", [None, CODES])
def test_many_vectors_of_one_row_do_not_crowd_out_the_others(tiers: Tiers | None) -> None:
    near, far = np.repeat(clustered(1), 600, axis=0), clustered(200, seed=8)
    index = VectorIndex.open(None, dim=DIM, tiers=tiers)
    rows = np.concatenate([np.zeros(600, np.int64), np.arange(1, 201, dtype=np.int64)])
    index.apply(deletes=NONE, rows=rows, vectors=np.concatenate([near, far]))
    assert len(index.snapshot().top(near[0], 50)[0]) == 50


@pytest.mark.parametrize("tiers", [None, CODES, Tiers(multiplied=0)])
@pytest.mark.parametrize("keep", [1.0, 0.5, 0.01])
def test_top_many_finds_what_exact_top_finds(tiers: Tiers | None, keep: float) -> None:
    snapshot, queries = filled(1_000, tiers=tiers).snapshot(), clustered(8)
    mask = np.random.default_rng(0).random(1_000) < keep
    many = snapshot.top_many(queries, 5, mask=mask)
    for query, (rows, scores) in zip(queries, many, strict=True):
        exact = snapshot.top(query, 5, mask=mask, exact=True)
        assert (rows.tolist(), scores.tolist()) == (exact[0].tolist(), exact[1].tolist())


def test_top_many_scores_rows_with_several_vectors_by_their_best() -> None:
    vectors = clustered(900)
    index = VectorIndex.open(None, dim=DIM)
    index.apply(deletes=NONE, rows=np.repeat(np.arange(300, dtype=np.int64), 3), vectors=vectors)
    many = index.snapshot().top_many(vectors[:6], 10)
    one = [index.snapshot().top(vector, 10) for vector in vectors[:6]]
    assert [r.tolist() for r, _ in many] == [r.tolist() for r, _ in one]


def test_similarities_are_nan_where_there_is_no_vector() -> None:
    found = filled(5).snapshot().similarities(clustered(1)[0], numbers(2, 77, -1, 2))
    assert np.isnan(found).tolist() == [False, True, True, False]


def test_get_returns_unit_vectors_in_the_order_asked() -> None:
    rows, vectors = filled(50).snapshot().get(numbers(7, 99, 3))
    given = clustered(50)[[7, 3]]
    assert rows.tolist() == [7, 3]
    wanted = given / np.linalg.norm(given, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, wanted, atol=1e-4)


def test_what_get_returns_is_stored_again_unchanged() -> None:
    rows, vectors = filled(50).snapshot().get(np.arange(50, dtype=np.int64))
    again = VectorIndex.open(None, dim=DIM)
    again.apply(deletes=NONE, rows=rows, vectors=vectors)
    assert np.array_equal(again.snapshot().get(rows)[1], vectors)


def test_a_row_given_again_is_replaced() -> None:
    index = filled(50)
    index.apply(deletes=NONE, rows=numbers(7), vectors=clustered(1, seed=6))
    rows, scores = index.snapshot().top(clustered(1, seed=6)[0], 1)
    assert (rows.tolist(), index.snapshot().count) == ([7], 50)
    assert scores[0] > 0.999


def test_deleted_rows_are_gone_and_unknown_ones_ignored() -> None:
    index = filled(50)
    index.apply(deletes=numbers(3, 3, 1_000), rows=NONE, vectors=NOTHING)
    assert index.snapshot().rows().tolist() == [row for row in range(50) if row != 3]


def test_a_row_both_deleted_and_given_is_there() -> None:
    index = filled(5)
    index.apply(deletes=numbers(3), rows=numbers(3), vectors=clustered(1))
    assert index.snapshot().count == 5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_vector_that_is_not_finite_is_refused_by_position(bad: float) -> None:
    index, vectors = filled(3), clustered(4)
    vectors[2, 5] = bad
    with pytest.raises(VectorError, match=r"vector 2 is .* at position 5") as caught:
        index.apply(deletes=NONE, rows=numbers(10, 11, 12, 13), vectors=vectors)
    assert caught.value.fields == {"position": 2, "row": 12}
    assert index.snapshot().count == 3


def test_vectors_of_another_length_are_refused_with_both_lengths() -> None:
    with pytest.raises(VectorError, match=r"\(1, 8\).*1 rows of 32 numbers") as caught:
        filled(3).apply(deletes=NONE, rows=numbers(9), vectors=np.zeros((1, 8), np.float32))
    assert (caught.value.fields["found"], caught.value.fields["expected"]) == (8, 32)


def test_a_query_of_another_length_is_refused_with_both_lengths() -> None:
    with pytest.raises(VectorError, match=r"\(8,\).*vectors of 32 numbers") as caught:
        filled(3).snapshot().top(np.zeros(8, np.float32), 1)
    assert (caught.value.fields["found"], caught.value.fields["expected"]) == (8, 32)


def test_a_query_that_is_not_finite_is_refused_by_position() -> None:
    query = clustered(1)[0]
    query[3] = np.nan
    with pytest.raises(VectorError, match="nan at position 3"):
        filled(3).snapshot().top(query, 1)


def test_threads_search_while_batches_are_applied(tmp_path: Path) -> None:
    index = filled(600, path=tmp_path, tiers=CODES)
    counts: list[int] = []

    def search() -> None:
        for query in clustered(50, seed=7):
            counts.append(len(index.snapshot().top(query, 10)[0]))

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for row in range(600, 620):
        index.apply(deletes=numbers(row - 600), rows=numbers(row), vectors=clustered(1, seed=row))
    for thread in threads:
        thread.join()
    assert counts == [10] * 150
