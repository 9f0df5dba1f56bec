"""What the tests of the vector index have in common: vectors, and an index filled with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hybridsearch.arrays import Rows, Scores, Vectors
from hybridsearch.vectors import Tiers, VectorIndex, VectorSnapshot

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
