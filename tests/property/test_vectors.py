"""Laws of the vector index: it answers as a dict and a brute-force scan do, ever."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hybridsearch.arrays import Mask, Rows, Scores, Vectors
from hybridsearch.vectors import Tiers, VectorIndex, VectorSnapshot

DIM = 5
Model: TypeAlias = dict[int, list[tuple[float, ...]]]

CODES = Tiers(exact=0, gathered=0, fraction=0.0, rescored=1, each=0, multiplied=0)
TIERS = st.sampled_from([Tiers(), Tiers(exact=0, gathered=3), CODES])
NUMBERS = st.integers(-3, 3).map(float)
VECTORS = st.tuples(*[NUMBERS] * DIM)
ROWS = st.integers(0, 40)
BATCHES = st.lists(st.tuples(ROWS, VECTORS), max_size=30)
DELETES = st.lists(ROWS, max_size=6)


def array(vectors: list[tuple[float, ...]]) -> Vectors:
    return np.array(vectors, np.float32).reshape(-1, DIM)


def apply(
    index: VectorIndex, model: Model, deletes: list[int], batch: list[tuple[int, tuple[float, ...]]]
) -> None:
    for row in deletes:
        model.pop(row, None)
    for row in {row for row, _ in batch}:
        model[row] = [vector for other, vector in batch if other == row]
    index.apply(
        deletes=np.array(deletes, np.int64),
        rows=np.array([row for row, _ in batch], np.int64),
        vectors=array([vector for _, vector in batch]),
    )


def cosine(one: Vectors, other: Vectors) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths else 0.0


def brute(
    model: Mapping[int, list[tuple[float, ...]]], query: Vectors, mask: Mask | None
) -> dict[int, float]:
    return {
        row: max(cosine(vector, query) for vector in array(vectors))
        for row, vectors in model.items()
        if mask is None or (row < len(mask) and mask[row])
    }


def agree(found: tuple[Rows, Scores], truth: dict[int, float], limit: int) -> None:
    rows, scores = found
    assert len(rows) == len(set(rows.tolist())) == min(limit, len(truth))
    np.testing.assert_allclose(scores, sorted(truth.values(), reverse=True)[: len(rows)], atol=2e-4)
    sound(found, truth)


def sound(found: tuple[Rows, Scores], truth: dict[int, float]) -> None:
    rows, scores = found
    np.testing.assert_allclose(scores, [truth[row] for row in rows.tolist()], atol=2e-4)
    pairs = list(zip((-scores).tolist(), rows.tolist(), strict=True))
    assert pairs == sorted(pairs)


def state(snapshot: VectorSnapshot) -> tuple[list[int], list[float], int]:
    rows, scores = snapshot.top(np.arange(DIM, dtype=np.float32), 50)
    return rows.tolist(), scores.tolist(), snapshot.count


class Life(RuleBasedStateMachine):
    """Batches, replays and openings in any order, against a dict."""

    @initialize(tiers=TIERS)
    def begin(self, tiers: Tiers) -> None:
        self.folder = TemporaryDirectory()
        self.tiers = tiers
        self.model: Model = {}
        self.held: list[tuple[VectorSnapshot, tuple[list[int], list[float], int]]] = []
        self.last: tuple[list[int], list[tuple[int, tuple[float, ...]]]] | None = None
        self.index = VectorIndex.open(Path(self.folder.name), dim=DIM, tiers=tiers)

    @rule(deletes=DELETES, batch=BATCHES)
    def write(self, deletes: list[int], batch: list[tuple[int, tuple[float, ...]]]) -> None:
        apply(self.index, self.model, deletes, batch)
        self.last = (deletes, batch)

    @precondition(lambda self: self.last is not None)
    @rule()
    def replay(self) -> None:
        assert self.last is not None
        apply(self.index, self.model, *self.last)

    @rule()
    def reopen(self) -> None:
        before = state(self.index.snapshot())
        self.index.close()
        self.index = VectorIndex.open(Path(self.folder.name), dim=DIM, tiers=self.tiers)
        assert state(self.index.snapshot()) == before

    @rule()
    def hold(self) -> None:
        snapshot = self.index.snapshot()
        self.held.append((snapshot, state(snapshot)))

    @rule(query=VECTORS, bits=st.lists(st.booleans(), max_size=45), limit=st.integers(1, 45))
    def search(self, query: tuple[float, ...], bits: list[bool], limit: int) -> None:
        vector, mask = array([query])[0], np.array(bits, np.bool_) if bits else None
        truth = brute(self.model, vector, mask)
        snapshot = self.index.snapshot()
        agree(snapshot.top(vector, limit, mask=mask, exact=True), truth, limit)
        near = snapshot.top(vector, limit, mask=mask)
        assert len(near[0]) == min(limit, len(truth))
        sound(near, truth)

    @invariant()
    def rows_are_the_keys(self) -> None:
        assert self.index.snapshot().rows().tolist() == sorted(self.model)
        assert self.index.snapshot().count == len(self.model)

    @invariant()
    def held_snapshots_stay(self) -> None:
        assert all(state(snapshot) == before for snapshot, before in self.held)

    def teardown(self) -> None:
        self.folder.cleanup()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


@settings(max_examples=60, deadline=None)
@given(BATCHES, st.lists(VECTORS, min_size=1, max_size=6), st.integers(1, 45))
def test_top_many_is_exact_top_for_each(
    batch: list[tuple[int, tuple[float, ...]]], queries: list[tuple[float, ...]], limit: int
) -> None:
    index = VectorIndex.open(None, dim=DIM)
    apply(index, model := Model(), [], batch)
    for query, found in zip(
        array(queries), index.snapshot().top_many(array(queries), limit), strict=True
    ):
        agree(found, brute(model, query, None), limit)


@settings(max_examples=60, deadline=None)
@given(BATCHES, VECTORS, st.lists(ROWS, max_size=30))
def test_similarities_are_the_best_of_each_row(
    batch: list[tuple[int, tuple[float, ...]]], query: tuple[float, ...], rows: list[int]
) -> None:
    index = VectorIndex.open(None, dim=DIM)
    apply(index, model := Model(), [], batch)
    truth = brute(model, array([query])[0], None)
    found = index.snapshot().similarities(array([query])[0], np.array(rows, np.int64))
    np.testing.assert_allclose(found, [truth.get(row, np.nan) for row in rows], atol=2e-4)


@settings(max_examples=60, deadline=None)
@given(BATCHES, st.lists(ROWS, max_size=30))
def test_get_returns_every_vector_of_each_row(
    batch: list[tuple[int, tuple[float, ...]]], rows: list[int]
) -> None:
    index = VectorIndex.open(None, dim=DIM)
    apply(index, model := Model(), [], batch)
    found, vectors = index.snapshot().get(np.array(rows, np.int64))
    wanted = array([vector for row in rows for vector in model.get(row, [])])
    lengths = np.linalg.norm(wanted, axis=1, keepdims=True)
    assert found.tolist() == [row for row in rows for _ in model.get(row, [])]
    np.testing.assert_allclose(vectors, wanted / np.where(lengths > 0, lengths, 1), atol=2e-4)
