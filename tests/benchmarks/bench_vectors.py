"""How fast are the ten nearest, and are they the nearest, against the bare product in numpy?

    OPENBLAS_NUM_THREADS=1 python -m tests.benchmarks.bench_vectors [ROUNDS]

Embeds the Debian package descriptions with the bundled embedder, loads them in batches, and asks
with 200 titles, sentences and their first words. Prints microseconds of processor time a query
(median over the queries of the best of ROUNDS, 3 unless told, as neighbours disturb), bare numpy
(float32 `vectors @ query`, mask, argpartition) in the same run, the ratio and recall, where a row
as good as the tenth nearest counts as found.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from hybridsearch.arrays import Mask, Rows, Vectors
from hybridsearch.embedders.static import StaticEmbedder
from hybridsearch.vectors import VectorIndex, VectorSnapshot

CORPUS = Path(__file__).parents[2] / "../shared/data/packages/corpus.jsonl.gz"
QUERIES = 200
BATCH = 5_000
MASKS = (None, 0.5, 0.1, 0.01)
LIMITS = (10, 200)


def texts_and_queries() -> tuple[list[str], list[str]]:
    with gzip.open(CORPUS, "rt", encoding="utf-8") as file:
        documents = [json.loads(line) for line in file]
    queries = []
    for number, document in enumerate(documents[:: len(documents) // QUERIES]):
        sentence = document["text"].split(". ")[-1] if number % 3 else document["title"]
        queries.append(" ".join(sentence.split()[: 3 if number % 2 else 20]) or document["title"])
    return [f"{document['title']} {document['text']}" for document in documents], queries


def unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: Vectors = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return found


def bare(vectors: Vectors, query: Vectors, limit: int, mask: Mask | None) -> Rows:
    scores = vectors @ query
    if mask is not None:
        scores[~mask] = -2
    best = np.argpartition(scores, -limit)[-limit:]
    return best[np.argsort(-scores[best])]


def microseconds(ask: Callable[[Vectors], object], queries: Vectors, rounds: int) -> float:
    spent = np.empty((rounds, len(queries)))
    for turn in range(rounds):
        for number, query in enumerate(queries):
            begun = time.process_time_ns()
            ask(query)
            spent[turn, number] = time.process_time_ns() - begun
    return float(np.median(spent.min(axis=0))) / 1e3


def recall(snapshot: VectorSnapshot, queries: Vectors, limit: int, mask: Mask | None) -> float:
    shares = []
    for query in queries:
        least = snapshot.top(query, limit, mask=mask, exact=True)[1][-1]
        shares.append((snapshot.top(query, limit, mask=mask)[1] >= least).mean())
    return float(np.mean(shares))


def load(index: VectorIndex, vectors: Vectors) -> None:
    begun = time.process_time()
    for start in range(0, len(vectors), BATCH):
        some = vectors[start : start + BATCH]
        rows = np.arange(start, start + len(some), dtype=np.int64)
        index.apply(deletes=rows[:0], rows=rows, vectors=some)
    spent = time.process_time() - begun
    print(f"loaded {len(vectors):,} x {vectors.shape[1]} in {spent:.2f} s of processor time")
    mebibytes = index.snapshot().memory_bytes / 2**20
    print(f"{mebibytes:.1f} MiB in {len(index.files()) - 1} segments")


def rounds_of_changes(index: VectorIndex, vectors: Vectors) -> None:
    for count in (1, 1_000):
        begun = time.process_time()
        rows = np.arange(count, dtype=np.int64) + 10 * len(vectors)
        index.apply(deletes=rows[:0], rows=rows, vectors=vectors[:count])
        print(f"{count:,} more in {(time.process_time() - begun) * 1e3:.1f} ms")


def compare(snapshot: VectorSnapshot, vectors: Vectors, queries: Vectors, rounds: int) -> None:
    print(f"{'kept':>6} {'limit':>6} {'ours us':>9} {'bare us':>9} {'ratio':>6} {'recall':>7}")
    for share in MASKS:
        mask = None if share is None else np.random.default_rng(0).random(len(vectors)) < share
        for limit in LIMITS:
            ours = microseconds(
                lambda query, mask=mask, limit=limit: snapshot.top(query, limit, mask=mask),  # type: ignore[misc]  # defaults bind the loop's values
                queries,
                rounds,
            )
            theirs = microseconds(
                lambda query, mask=mask, limit=limit: bare(vectors, query, limit, mask),  # type: ignore[misc]  # as above
                queries[:40],
                rounds,
            )
            found = recall(snapshot, queries, limit, mask)
            kept = "all" if share is None else f"{share:.0%}"
            ratio = ours / theirs
            print(f"{kept:>6} {limit:>6} {ours:9.0f} {theirs:9.0f} {ratio:6.3f} {found:7.4f}")


def together(snapshot: VectorSnapshot, queries: Vectors) -> None:
    for count in (32, 128):
        some = np.resize(queries, (count, queries.shape[1]))
        begun = time.process_time()
        snapshot.top_many(some, 10)
        spent = (time.process_time() - begun) / count * 1e6
        print(f"top_many of {count}: {spent:.0f} us a query")


def main(rounds: int) -> None:
    texts, asked = texts_and_queries()
    embedder = StaticEmbedder()
    vectors, queries = unit(embedder.embed(texts)), unit(embedder.embed(asked))
    with TemporaryDirectory() as folder:
        index = VectorIndex.open(Path(folder), dim=vectors.shape[1])
        load(index, vectors)
        compare(index.snapshot(), vectors, queries, rounds)
        together(index.snapshot(), queries)
        rounds_of_changes(index, vectors)
        index.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
