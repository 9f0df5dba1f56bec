"""What the vector index promises, one claim a test."""

from __future__ import annotations

import gzip
import json
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from hybridsearch.arrays import Rows, Scores, Vectors
from hybridsearch.embedders.static import StaticEmbedder
from hybridsearch.errors import (
    DatabaseClosed,
    FormatTooNew,
    IndexDamaged,
    StorageError,
    VectorError,
)
from hybridsearch.vectors import Tiers, VectorIndex, VectorSnapshot

CORPUS = Path(__file__).parents[2] / "../shared/data/packages/corpus.jsonl.gz"
DIM = 32
CODES = Tiers(exact=100, gathered=50, rescored=60, each=2, together=2)
NONE = np.empty(0, np.int64)
NOTHING = np.empty((0, DIM), np.float32)


def clustered(count: int, *, dim: int = DIM, seed: int = 0) -> Vectors:
    random = np.random.default_rng(seed)
    centres = random.standard_normal((max(1, count // 40), dim))
    near = centres[random.integers(0, len(centres), count)]
    return (near + 0.6 * random.standard_normal((count, dim))).astype(np.float32)


def numbers(*rows: int) -> Rows:
    return np.array(rows, np.int64)


def filled(
    count: int, *, path: Path | None = None, tiers: Tiers | None = None, seed: int = 0
) -> VectorIndex:
    index = VectorIndex.open(path, dim=DIM, tiers=tiers)
    index.apply(
        deletes=NONE, rows=np.arange(count, dtype=np.int64), vectors=clustered(count, seed=seed)
    )
    return index


def cosines(vectors: Vectors, query: Vectors) -> Scores:
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query)
    found = vectors @ query / np.where(lengths > 0, lengths, 1)
    return found.astype(np.float32)


def expected(vectors: Vectors, query: Vectors, limit: int) -> list[int]:
    order = np.argsort(-cosines(vectors, query), kind="stable")
    return [int(row) for row in order[:limit]]


def answer(snapshot: VectorSnapshot) -> tuple[list[int], list[float]]:
    rows, scores = snapshot.top(clustered(1, seed=9)[0], 10)
    return rows.tolist(), scores.tolist()


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


def test_applying_a_batch_twice_changes_nothing(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    before = answer(index.snapshot())
    index.apply(deletes=NONE, rows=np.arange(300, dtype=np.int64), vectors=clustered(300))
    assert answer(index.snapshot()) == before
    assert index.snapshot().count == 300


def test_a_held_snapshot_stays_as_it_was(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    held = index.snapshot()
    before = answer(held)
    index.apply(
        deletes=np.arange(200, dtype=np.int64),
        rows=numbers(900),
        vectors=clustered(1, seed=9),
    )
    assert answer(held) == before
    assert answer(index.snapshot()) != before


def test_what_was_applied_is_there_after_reopening(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    index.apply(deletes=numbers(5), rows=numbers(900), vectors=clustered(1, seed=9))
    before = answer(index.snapshot())
    index.close()
    again = VectorIndex.open(tmp_path, dim=DIM)
    assert answer(again.snapshot()) == before
    assert again.snapshot().count == 300


def test_a_closed_index_refuses_batches_and_keeps_its_files(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    held = index.snapshot()
    index.close()
    with pytest.raises(DatabaseClosed, match="closed"):
        index.apply(deletes=numbers(1), rows=NONE, vectors=NOTHING)
    assert answer(held) == answer(VectorIndex.open(tmp_path, dim=DIM).snapshot())


def test_small_batches_make_few_segments() -> None:
    index = VectorIndex.open(None, dim=DIM)
    vectors = clustered(6_000)
    for start in range(0, 6_000, 50):
        rows = np.arange(start, start + 50, dtype=np.int64)
        index.apply(deletes=NONE, rows=rows, vectors=vectors[start : start + 50])
    assert len(index.snapshot().parts) <= 6
    assert index.snapshot().count == 6_000


def test_a_segment_of_mostly_dead_vectors_is_written_anew() -> None:
    index = filled(1_000)
    whole = index.snapshot().memory_bytes
    index.apply(deletes=np.arange(400, dtype=np.int64), rows=NONE, vectors=NOTHING)
    assert index.snapshot().memory_bytes < 0.7 * whole
    assert index.snapshot().count == 600


def test_deleting_everything_leaves_no_segment(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    index.apply(deletes=np.arange(300, dtype=np.int64), rows=NONE, vectors=NOTHING)
    assert [file.name for file in index.files()] == ["segments.json"]


def test_nothing_to_do_writes_nothing(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    before = {file: file.stat().st_mtime_ns for file in index.files()}
    index.apply(deletes=numbers(5_000), rows=NONE, vectors=NOTHING)
    assert {file: file.stat().st_mtime_ns for file in index.files()} == before


def test_the_folder_holds_the_named_files_only(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    index.apply(deletes=NONE, rows=numbers(900), vectors=clustered(1))
    assert sorted(tmp_path.iterdir()) == sorted(index.files())


def test_leftovers_of_a_crash_are_swept(tmp_path: Path) -> None:
    filled(300, path=tmp_path).close()
    (tmp_path / "00000099.vec").write_bytes(b"torn")
    (tmp_path / "segments.json.tmp").write_bytes(b"{")
    index = VectorIndex.open(tmp_path, dim=DIM)
    assert sorted(tmp_path.iterdir()) == sorted(index.files())


@contextmanager
def no_room_for_a_segment(_: Path) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def no_way_to_replace_the_catalogue(folder: Path) -> Iterator[None]:
    (folder / "segments.json").rename(folder / "aside")
    (folder / "segments.json").mkdir()
    yield
    (folder / "segments.json").rmdir()
    (folder / "aside").rename(folder / "segments.json")


REFUSALS = [no_room_for_a_segment, no_way_to_replace_the_catalogue]
Refusal: TypeAlias = Callable[[Path], AbstractContextManager[None]]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_batch_that_the_disk_refuses_changes_nothing(tmp_path: Path, refusal: Refusal) -> None:
    index = filled(300, path=tmp_path)
    index.apply(deletes=NONE, rows=numbers(800), vectors=clustered(1, seed=8))
    before = answer(index.snapshot())
    with refusal(tmp_path), pytest.raises(StorageError):
        index.apply(deletes=numbers(1), rows=numbers(900), vectors=clustered(1, seed=9))
    assert answer(index.snapshot()) == before
    assert answer(VectorIndex.open(tmp_path, dim=DIM).snapshot()) == before


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_batch_applies_after_the_disk_refused_it_once(tmp_path: Path, refusal: Refusal) -> None:
    index = filled(300, path=tmp_path)
    with refusal(tmp_path), pytest.raises(StorageError):
        index.apply(deletes=NONE, rows=numbers(900), vectors=clustered(1, seed=9))
    index.apply(deletes=NONE, rows=numbers(900), vectors=clustered(1, seed=9))
    assert VectorIndex.open(tmp_path, dim=DIM).snapshot().count == 301


def damage_segment_missing(folder: Path) -> None:
    next(folder.glob("*.vec")).unlink()


def damage_segment_short(folder: Path) -> None:
    file = next(folder.glob("*.vec"))
    file.write_bytes(file.read_bytes()[:-64])


def damage_segment_empty(folder: Path) -> None:
    next(folder.glob("*.vec")).write_bytes(b"")


def damage_segment_tiny(folder: Path) -> None:
    next(folder.glob("*.vec")).write_bytes(b"HSVEC")


def damage_segment_header(folder: Path) -> None:
    file = next(folder.glob("*.vec"))
    file.write_bytes(b"\0" * 16 + file.read_bytes()[16:])


def damage_catalogue_missing(folder: Path) -> None:
    (folder / "segments.json").unlink()


def damage_catalogue_torn(folder: Path) -> None:
    file = folder / "segments.json"
    file.write_bytes(file.read_bytes()[:20])


def damage_catalogue_changed(folder: Path) -> None:
    file = folder / "segments.json"
    file.write_text(file.read_text().replace('"number": 1', '"number": 2'))


def damage_catalogue_other_json(folder: Path) -> None:
    (folder / "segments.json").write_text("[1]")


@pytest.mark.parametrize(
    "damage",
    [
        damage_segment_missing,
        damage_segment_short,
        damage_segment_empty,
        damage_segment_tiny,
        damage_segment_header,
        damage_catalogue_missing,
        damage_catalogue_torn,
        damage_catalogue_changed,
        damage_catalogue_other_json,
    ],
)
def test_damage_is_found_on_opening(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    filled(300, path=tmp_path).close()
    damage(tmp_path)
    with pytest.raises(IndexDamaged, match="rebuild"):
        VectorIndex.open(tmp_path, dim=DIM)


def test_another_dimension_is_damage(tmp_path: Path) -> None:
    filled(300, path=tmp_path).close()
    with pytest.raises(IndexDamaged, match="vectors of 32 numbers, not 8"):
        VectorIndex.open(tmp_path, dim=8)


def test_a_changed_byte_is_found_by_verify(tmp_path: Path) -> None:
    index = filled(300, path=tmp_path)
    index.verify()
    file = index.files()[1]
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(IndexDamaged, match=file.name):
        index.verify()


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    filled(3, path=tmp_path).close()
    file = tmp_path / "segments.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))
    with pytest.raises(FormatTooNew, match="format 99"):
        VectorIndex.open(tmp_path, dim=DIM)


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
