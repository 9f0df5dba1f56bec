"""Speed and memory of the whole engine, each figure beside a bare library in the same run.

    make bench                # or: python -m tests.benchmarks [--documents N]

Reads ../shared/data/packages (63,665 package descriptions). Every figure is CPU time of this
process: the best of three rounds for each query, then the median over queries, so that a busy
machine bends it less; ratios are the thing to quote. "First asked" is a single round with words
that the snapshot has not looked up before. A query is three words in a row out of a random
document.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tantivy
from rich.console import Console
from rich.table import Table

import hybridsearch
from hybridsearch.arrays import Rows, Vectors
from hybridsearch.index import Index
from tests.benchmarks.bench_sql import sql

CORPUS = Path(__file__).parents[2] / "../shared/data/packages/corpus.jsonl.gz"
QUERIES = 300
ATTRIBUTES = ("title", "text")
TENTH = "section = libs"
HUNDREDTH = "installed_kib >= 95000"

Document = dict[str, Any]


def main() -> None:
    """Load, measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10**9)
    wanted = parser.parse_args().documents
    documents = corpus(wanted)
    folder = Path(tempfile.mkdtemp())
    try:
        measure(documents, folder / "bench.duckdb")
    finally:
        shutil.rmtree(folder)


def corpus(wanted: int) -> list[Document]:
    """So many of the package descriptions."""
    if not CORPUS.exists():
        sys.exit(f"{CORPUS} is not there; the benchmarks need it")
    with gzip.open(CORPUS, "rt") as lines:
        read = [json.loads(line) for line in lines][:wanted]
    return [{**document.pop("metadata"), **document} for document in read]


def measure(documents: Sequence[Document], path: Path) -> None:
    """All rows of the table for these documents."""
    table = Table("what", "ours", "beside it", "ratio", "goal")
    with hybridsearch.open(path) as db:
        index = db.create_index(
            "packages", primary_key="_id", settings={"searchable_attributes": list(ATTRIBUTES)}
        )
        load(index, documents, path.with_name("packages.ndjson"), table)
        queries = some_queries(documents)
        keyword(index, documents, queries, table)
        vectors(index, queries, table)
        batches(index, queries, table)
        update(index, documents, table)
        sql(db, index, [document["text"] for document in documents], table)
    memory(path, documents, table)
    Console(width=120).print(table)


def load(index: Index, documents: Sequence[Document], file: Path, table: Table) -> None:
    """Documents a second of one core, from a file."""
    file.write_text("".join(f"{json.dumps(document)}\n" for document in documents))
    started = time.process_time()
    index.add(file)
    rate = len(documents) / (time.process_time() - started)
    table.add_row("bulk load with embeddings", f"{rate:,.0f} documents/s", "", "", ">= 5,000/s")


def keyword(
    index: Index, documents: Sequence[Document], queries: Sequence[str], table: Table
) -> None:
    """Keyword top 10 with documents, beside tantivy alone on the same terms in the same fields."""
    bare = bare_tantivy(index, documents)
    analyzer = index.snapshot().state.analyzer
    terms = [[word.term for word in parsed(query, analyzer)] for query in queries]
    theirs = cpu(bare, terms)
    for what, ending in (("keyword top 10, same terms", " "), ("keyword top 10, prefix too", "")):
        asked = [query + ending for query in queries]
        ours = cpu(lambda query: index.search(query, mode="keyword", limit=10), asked)
        row(table, what, ours, theirs, "tantivy alone", "<= 1.3 x" if ending else "")


def parsed(query: str, analyzer: Any) -> Any:
    """The words that the engine looks for."""
    from hybridsearch.query import parse  # noqa: PLC0415  only the benchmark looks inside

    return parse(query, analyzer).words


def bare_tantivy(index: Index, documents: Sequence[Document]) -> Callable[[list[str]], Any]:
    """A search with nothing but tantivy-py: ten rows and their stored bodies."""
    analyzer = index.snapshot().state.analyzer
    builder = tantivy.SchemaBuilder()
    for name in ATTRIBUTES:
        builder.add_text_field(name, tokenizer_name="whitespace")
    builder.add_integer_field("row", indexed=True, fast=True)
    builder.add_bytes_field("body", stored=True)
    schema = builder.build()
    bare = tantivy.Index(schema)
    writer = bare.writer(128_000_000, 1)
    for number, document in enumerate(documents):
        texts = {name: analyzer.text(document[name]) for name in ATTRIBUTES}
        body = json.dumps(document).encode()
        writer.add_document(
            tantivy.Document.from_dict({"row": number, "body": body, **texts}, schema)
        )
    writer.commit()
    bare.reload()
    searcher = bare.searcher()

    def search(terms: list[str]) -> Any:
        clauses = [
            (tantivy.Occur.Should, tantivy.Query.term_query(schema, name, term))
            for term in terms
            for name in ATTRIBUTES
        ]
        hits = searcher.search(tantivy.Query.boolean_query(clauses), 10).hits
        return [json.loads(searcher.doc(address)["body"][0]) for _, address in hits]

    return search


def vectors(index: Index, queries: Sequence[str], table: Table) -> None:
    """The arms with a given vector, beside an exact scan by numpy."""
    arm = index.snapshot().state.arm(None)
    assert arm is not None
    asked = arm.embedder.embed_query(list(queries))
    rows, matrix = arm.vectors.get(arm.vectors.rows())
    exact = [exact_top(matrix, rows, vector) for vector in asked]
    theirs = cpu(lambda vector: exact_top(matrix, rows, vector), list(asked))
    found = [index.search(vector=vector, limit=10) for vector in asked]
    shared = [
        len({hit.row for hit in result} & set(top))
        for result, top in zip(found, exact, strict=True)
    ]
    pairs = list(zip(queries, asked, strict=True))

    def search(**options: Any) -> float:
        return cpu(lambda pair: index.search(pair[0], vector=pair[1], limit=10, **options), pairs)

    for options in ({}, {"filter": TENTH}, {"filter": HUNDREDTH}):
        index.search(queries[0], **options)
    semantic = f"semantic top 10, recall {np.mean(shared) / 10:.4f}"
    numpy = "numpy, exact"
    row(table, semantic, search(mode="semantic"), theirs, numpy, "<= 800 us")
    once = cpu(lambda pair: index.search(pair[0], vector=pair[1], limit=10), pairs, rounds=1)
    row(table, "hybrid top 10", search(), theirs, numpy, "<= 1,500 us")
    row(table, "hybrid top 10, first asked", once, theirs, numpy, "")
    counted = cpu(lambda pair: index.search(pair[0], vector=pair[1]).total, pairs)
    row(table, "hybrid top 10 and its total", counted, theirs, numpy, "")
    row(table, "hybrid by score top 10", search(fusion="score"), theirs, numpy, "")
    row(table, "hybrid, 10 % kept, cached", search(filter=TENTH), theirs, numpy, "<= 1,000 us")
    row(table, "hybrid, 1 % kept, cached", search(filter=HUNDREDTH), theirs, numpy, "<= 1,000 us")
    fresh = cpu(
        lambda item: index.search(
            item[1][0], vector=item[1][1], filter=f"{HUNDREDTH} AND depends > -{item[0]}"
        ),
        list(enumerate(pairs, 1)),
        rounds=1,
    )
    row(table, "hybrid, 1 % kept, not cached", fresh, theirs, numpy, "<= 3,000 us")
    facets = search(facets=["section"])
    row(table, "hybrid with a facet", facets, theirs, numpy, "")


def exact_top(matrix: Vectors, rows: Rows, vector: Vectors) -> list[int]:
    """The rows of the ten greatest cosines, by a full scan."""
    scores = matrix @ (vector / np.linalg.norm(vector))
    best = np.argpartition(-scores, 10)[:10]
    return [int(row) for row in rows[best]]


def batches(index: Index, queries: Sequence[str], table: Table) -> None:
    """A list of queries at once, beside a loop over them."""
    together = cpu(lambda some: index.search_many(some, limit=10), [queries]) / len(queries)
    alone = cpu(lambda query: index.search(query, limit=10), queries)
    row(table, "search_many, a query of text", together, alone, "search in a loop", "")


def update(index: Index, documents: Sequence[Document], table: Table) -> None:
    """A thousand changed documents, until they can be searched."""
    changed = [{**document, "_id": f"new-{document['_id']}"} for document in documents[:1000]]
    walls = []
    for _ in range(5):
        started = time.perf_counter()
        index.add(changed)
        walls.append(time.perf_counter() - started)
    table.add_row(
        "1,000 documents until searchable", f"{np.median(walls):.3f} s", "", "", "< 0.5 s"
    )


def memory(path: Path, documents: Sequence[Document], table: Table) -> None:
    """Resident memory of a process that opened the database and searched, beside the text."""
    text = sum(len(document[name]) for document in documents for name in ATTRIBUTES) / 2**20
    code = (
        "import sys, hybridsearch, hybridsearch.database as d\n"
        "def rss():\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    return next(int(l.split()[1]) for l in lines if l.startswith('VmRSS')) / 1024\n"
        "before = rss()\n"
        "with hybridsearch.open(sys.argv[1]) as db:\n"
        "    for word in ('file', 'network', 'library', 'music'):\n"
        "        db.index('packages').search(word, limit=10)\n"
        "    print(before, rss())\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    before, after = map(float, found.stdout.split())
    table.add_row(
        "memory after opening",
        f"{after - before:.0f} MB",
        f"text {text:.0f} MB; libraries {before:.0f} MB",
        f"{(after - before) / text:.1f} x",
        "< 3 x the text",
    )


def some_queries(documents: Sequence[Document]) -> list[str]:
    """Three words in a row out of random documents, the same at every run."""
    chosen = random.Random(1)
    found: list[str] = []
    while len(found) < QUERIES:
        words = chosen.choice(documents)["text"].split()
        if len(words) > 20:
            start = chosen.randrange(len(words) - 3)
            found.append(" ".join(words[start : start + 3]))
    return found


def cpu(search: Callable[[Any], Any], items: Sequence[Any], *, rounds: int = 3) -> float:
    """The median over the items of the best CPU time of a call, in microseconds."""
    best = np.full(len(items), np.inf)
    for _ in range(rounds):
        for place, item in enumerate(items):
            started = time.process_time()
            search(item)
            best[place] = min(best[place], time.process_time() - started)
    return float(np.median(best)) * 1e6


def row(table: Table, what: str, ours: float, theirs: float, name: str, goal: str) -> None:
    """One line of the table."""
    table.add_row(
        what, f"{ours:,.0f} us", f"{name}: {theirs:,.0f} us", f"{ours / theirs:.2f}", goal
    )


if __name__ == "__main__":
    main()
