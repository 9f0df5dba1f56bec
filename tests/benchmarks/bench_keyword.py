"""What does a keyword search cost, against tantivy-py asked for the same terms by hand?

    python -m tests.benchmarks.bench_keyword [ROUNDS]

Indexes the Debian package descriptions (attributes title and text) in one batch, in ours and in a
bare tantivy index of the same fields, and asks both for three neighbouring words of 200 random
descriptions, words of more than a fifth of the documents left out. Prints the median over the
queries of the processor time in microseconds (best of ROUNDS, 3 unless told, as neighbours
disturb) and the ratio. Under a mask the bare way is to fetch every match and apply the mask, as
an exact total needs. "first time" is a snapshot that has not seen the terms.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import tantivy

from hybridsearch.analysis import Analyzer
from hybridsearch.arrays import Mask
from hybridsearch.keyword import KeywordIndex, KeywordSnapshot
from hybridsearch.query import Query, parse

CORPUS = Path(__file__).parents[2] / "../shared/data/packages/corpus.jsonl.gz"
WEIGHTS = {"title": 1.0, "text": 1.0}
QUERIES = 200

Ask: TypeAlias = Callable[[str], object]


def columns(analyzer: Analyzer) -> dict[str, list[str]]:
    with gzip.open(CORPUS, "rt", encoding="utf-8") as file:
        documents = [json.loads(line) for line in file]
    return {name: [analyzer.text(document[name]) for document in documents] for name in WEIGHTS}


def three_words(texts: Sequence[str]) -> list[str]:
    """Three neighbouring words that are not too common, from random documents."""
    documents = Counter(term for text in texts for term in set(text.split()))
    chosen = random.Random(3)
    picked: list[str] = []
    while len(picked) < QUERIES:
        terms = chosen.choice(texts).split()
        rare = [term for term in terms if documents[term] < len(texts) / 5]
        if len(rare) >= 3:
            start = chosen.randrange(len(rare) - 2)
            picked.append(" ".join(rare[start : start + 3]))
    return picked


def ours(texts: dict[str, list[str]]) -> KeywordIndex:
    index = KeywordIndex.open(None)
    rows = np.arange(len(texts["text"]))
    none = np.empty(0, np.int64)
    index.apply(deletes=none, rows=rows, texts=texts, bodies=[b""] * len(rows))
    return index


class Bare:
    """tantivy-py as its documentation shows it, with the same terms."""

    def __init__(self, texts: dict[str, list[str]]) -> None:
        builder = tantivy.SchemaBuilder()
        builder.add_integer_field("row", fast=True, indexed=True)
        for name in texts:
            builder.add_text_field(name, tokenizer_name="whitespace")
        self.schema = builder.build()
        index = tantivy.Index(self.schema)
        writer = index.writer(128_000_000, 1)
        for row, (title, text) in enumerate(zip(texts["title"], texts["text"], strict=True)):
            document = {"row": row, "title": title, "text": text}
            writer.add_document(tantivy.Document.from_dict(document, self.schema))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        self.searcher = index.searcher()

    def top(self, text: str, limit: int) -> list[int]:
        terms = [
            (tantivy.Occur.Should, tantivy.Query.term_query(self.schema, name, term))
            for term in text.split()
            for name in WEIGHTS
        ]
        hits = self.searcher.search(tantivy.Query.boolean_query(terms), limit=limit).hits
        rows = self.searcher.fast_field_values("row", [address for _, address in hits])
        return [int(row) for row in rows if row is not None]

    def masked(self, text: str, limit: int, mask: Mask) -> tuple[list[int], int]:
        rows = np.array(self.top(text, self.searcher.num_docs), np.int64)
        kept = rows[mask[rows]]
        return kept[:limit].tolist(), len(kept)


def unseen(index: KeywordIndex) -> KeywordSnapshot:
    """A snapshot of the same documents that has answered nothing yet."""
    row = np.array([index.snapshot().count], np.int64)
    none = np.empty(0, np.int64)
    index.apply(deletes=row, rows=none, texts={}, bodies=[])
    return index.snapshot()


def microseconds(ask: Ask, queries: Sequence[str], rounds: int) -> float:
    spent = np.empty((rounds, len(queries)))
    for times in spent:
        for number, query in enumerate(queries):
            begun = time.process_time_ns()
            ask(query)
            times[number] = time.process_time_ns() - begun
    return float(np.median(spent.min(axis=0))) / 1000


def report(what: str, ask: Ask, against: Ask | None, queries: Sequence[str], rounds: int) -> None:
    cost = microseconds(ask, queries, rounds)
    bare = microseconds(against, queries, rounds) if against else float("nan")
    compared = f"{bare:9.0f} {cost / bare:7.2f}" if against else ""
    print(f"{what:<44} {cost:9.0f} {compared}")


def unmasked(snapshot: KeywordSnapshot, bare: Bare, asked: dict[str, Query], rounds: int) -> None:
    analyzer, queries = Analyzer(), list(asked)

    def top(text: str, limit: int = 10, tie: float = 1.0) -> object:
        query = parse(text, analyzer, prefix=False)
        return snapshot.top(query, weights=WEIGHTS, limit=limit, tie=tie)

    found = {
        text: snapshot.top(query, weights=WEIGHTS, limit=200).rows for text, query in asked.items()
    }
    report("parse", lambda text: parse(text, analyzer), None, queries, rounds)
    report("top 10, parsed too", top, lambda t: bare.top(t, 10), queries, rounds)
    report(
        "top 200, parsed too", lambda t: top(t, 200), lambda t: bare.top(t, 200), queries, rounds
    )
    report("top 10, tie .5", lambda text: top(text, tie=0.5), None, queries, rounds)
    report(
        "top 10, last word open",
        lambda text: snapshot.top(parse(text, analyzer), weights=WEIGHTS, limit=10),
        None,
        queries,
        rounds,
    )
    report(
        "scores of 200 rows",
        lambda text: snapshot.scores(asked[text], found[text], weights=WEIGHTS),
        None,
        queries,
        rounds,
    )
    report(
        "all matches",
        lambda text: snapshot.matches(asked[text], weights=WEIGHTS),
        None,
        queries,
        rounds,
    )
    report("10 bodies", lambda text: snapshot.bodies(found[text][:10]), None, queries, rounds)


def masked(index: KeywordIndex, bare: Bare, asked: dict[str, Query], rounds: int) -> None:
    count = index.snapshot().count
    for kept in (0.1, 0.01):
        mask = np.random.default_rng(1).random(count) < kept
        fresh = unseen(index)

        def top(text: str, snapshot: KeywordSnapshot = fresh, mask: Mask = mask) -> object:
            return snapshot.top(asked[text], weights=WEIGHTS, limit=200, mask=mask)

        def by_hand(text: str, mask: Mask = mask) -> object:
            return bare.masked(text, 200, mask)

        name = f"top 200 and total, {kept:.0%} kept"
        report(f"{name}, first time", top, by_hand, list(asked), 1)
        for query in asked.values():
            fresh.matches(query, weights=WEIGHTS)
        report(name, top, by_hand, list(asked), rounds)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    texts = columns(Analyzer())
    asked = {text: parse(text, Analyzer(), prefix=False) for text in three_words(texts["text"])}
    index, bare = ours(texts), Bare(texts)
    matching = [len(index.snapshot().matches(q, weights=WEIGHTS)) for q in asked.values()]
    print(
        f"{index.snapshot().count} documents, {len(asked)} queries,"
        f" {np.median(matching):.0f} matches each"
    )
    print(f"{'':<44} {'ours us':>9} {'bare us':>9} {'ratio':>7}")
    unmasked(unseen(index), bare, asked, rounds)
    masked(index, bare, asked, rounds)


if __name__ == "__main__":
    main()
