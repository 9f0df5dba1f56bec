"""What does SQL cost over the Python call it makes, and over bare DuckDB?

    python -m tests.benchmarks.bench_sql               # the table; also part of `make bench`
    python -m tests.benchmarks.bench_sql --rows 1000000     # a filter over them: minutes
    python -m tests.benchmarks.bench_sql --doors            # one search by every door, at any k
                                                           # a WHERE keeps one row in ten

CPU time of this process with one DuckDB thread: the best of three rounds for each query, then the
median over queries. A batch is 10,000 queries of three neighbouring words, of which no two are
alike, joined laterally; its figure is the best of three rounds.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

import hybridsearch
from hybridsearch import Database, Index
from hybridsearch.freshness import SETTLED
from hybridsearch.sql.relation import literal

CORPUS = Path(__file__).parents[2] / "../shared/data/packages/corpus.jsonl.gz"
SINGLE, BATCH = 200, 10_000
ONE = "SELECT _id, title, _score FROM search('packages', ?, k := 10, mode := 'keyword')"
PLAIN = "SELECT section, count(*) AS n FROM packages WHERE depends > 5 GROUP BY section LIMIT 3"
SHELF = """
CREATE TABLE shelf AS
SELECT row_number() OVER () AS n, _id AS name, * EXCLUDE (_id) FROM packages
"""
LATERAL = """
SELECT count(*), max(h._id), max(h.title), max(h._score)
FROM asked, LATERAL (FROM search('packages', asked.query, k := 10, mode := 'keyword')) h
"""
WORDS = 20_000
AT_ONCE = 50_000
WARM = 12
"""So often words are asked for before they are measured, lest one way knows them better."""
KEPT = 100
"""The filter keeps one row in so many."""


def main() -> None:
    """Load the packages, or as many rows as --rows says, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--doors", action="store_true")
    given = parser.parse_args()
    count = given.rows
    table = Table("what", "ours", "beside it", "ratio", "goal")
    folder = Path(tempfile.mkdtemp())
    try:
        if count:
            many(folder / "many.duckdb", count, table)
        else:
            packages(folder / "packages.duckdb", table, doors if given.doors else sql)
    finally:
        shutil.rmtree(folder)
    Console(width=120).print(table)


def packages(path: Path, table: Table, measure: Callable[..., None]) -> None:
    """The rows of the table over the package descriptions."""
    if not CORPUS.exists():
        sys.exit(f"{CORPUS} is not there; the benchmarks need it")
    with gzip.open(CORPUS, "rt") as lines:
        read = [json.loads(line) for line in lines]
    documents = [{**document.pop("metadata"), **document} for document in read]
    settings = {"searchable_attributes": ["title", "text"]}
    with hybridsearch.open(path, default_embedder=None) as db:
        index = db.create_index("packages", primary_key="_id", settings=settings)
        index.add(documents)
        measure(db, index, [document["text"] for document in documents], table)


def sql(db: Database, index: Index, texts: Sequence[str], table: Table) -> None:
    """Single statements, statements without a search, and a batch, over the index `packages`."""
    queries = neighbours(texts, BATCH)
    with db.connect() as connection, connection.cursor() as native:
        connection.execute("SET threads = 1")
        singles(index, connection, native.bare, queries[:SINGLE], table)
        plain(connection, table)
        operators(connection, table)
        batch(index, connection, queries, "", table)
        index.rebuild()
        batch(index, connection, queries, ", rebuilt", table)


def doors(db: Database, index: Index, texts: Sequence[str], table: Table) -> None:
    """One search by each way to ask, over documents and over a table by keys of two types."""
    queries = neighbours(texts, BATCH)[:SINGLE]
    with db.connect() as front:
        front.execute(SHELF)
        for uid, key in (("by_number", "n"), ("by_name", "name")):
            front.execute(f"CREATE SEARCH INDEX {uid} ON shelf (title, text) WITH (key = '{key}')")
        front.execute("CHECKPOINT")
    time.sleep(1.1 * SETTLED)
    for uid, key in (("packages", "_id"), ("by_number", "n"), ("by_name", "name")):
        for k in (10, 100, 1_000, 10_000):
            with db.connect() as front:
                front.execute("SET threads = 1")
                by_doors(db, front, queries[: max(5, 600 // k)], table, uid=uid, key=key, k=k)


def by_doors(
    db: Database, front: Any, queries: Sequence[str], table: Table, *, uid: str, key: str, k: int
) -> None:
    """The rows of the table for one index and one k."""
    index = db.index(uid)
    text = f"SELECT {key}, title, _score FROM search('{uid}', ?, k := {k}, mode := 'keyword')"
    limited = f"SELECT {key}, title, _score FROM search('{uid}', ?, mode := 'keyword') LIMIT ?"
    kept = f"{text} WHERE installed_kib % 10 = 3"
    ways: dict[str, Callable[[str], Any]] = {
        "execute": lambda query: front.execute(text, [query]).fetchall(),
        "execute, a new text": lambda query: front.execute(
            text.replace("?", literal(query))
        ).fetchall(),
        "execute, LIMIT ?": lambda query: front.execute(limited, [query, k]).fetchall(),
        "execute, WHERE": lambda query: front.execute(kept, [query]).fetchall(),
        "sql()": lambda query: front.sql(text, params=[query]).fetchall(),
        "db.sql()": lambda query: db.sql(text, [query]).fetchall(),
        "sql(), WHERE": lambda query: front.sql(kept, params=[query]).fetchall(),
        "db.sql(), WHERE": lambda query: db.sql(kept, [query]).fetchall(),
    }

    def bare(query: str) -> Any:
        return index.search(query, mode="keyword", limit=k)

    cpu(bare, queries, rounds=WARM)
    spent = {name: cpu(ask, queries) for name, ask in ways.items()}
    python = cpu(bare, queries)
    for name, found in spent.items():
        more = f"{found - python:+,.0f} us"
        add(table, f"{uid}, k {k:,}, {name}", found, "Python", python, more, "+1,500 us")


def singles(index: Index, front: Any, native: Any, queries: Sequence[str], table: Table) -> None:
    """One search, by the front end, by the native functions, and prepared."""
    python = cpu(lambda query: index.search(query, mode="keyword", limit=10), queries)
    ways: dict[str, Callable[[str], Any]] = {
        "SQL search() k 10": lambda query: front.execute(ONE, [query]).fetchall(),
        "the same on a native connection": lambda query: native.execute(ONE, [query]).fetchall(),
    }
    native.execute(f"PREPARE one AS {ONE}")
    ways["the same, prepared"] = lambda query: native.execute(
        f"EXECUTE one({literal(query)})"
    ).fetchall()
    for what, ask in ways.items():
        found = cpu(ask, queries)
        more = f"{found - python:+,.0f} us"
        add(table, what, found, "Python", python, more, "+1,500 us")


def plain(front: Any, table: Table) -> None:
    """A statement without a search, beside the connection that is inside."""
    rounds = range(SINGLE)
    for what, text in (("SELECT 42", "SELECT 42"), ("a statement without search()", PLAIN)):
        ours = cpu(lambda _, text=text: front.execute(text).fetchall(), rounds)  # type: ignore[misc]  # the default binds the loop's value
        bare = cpu(lambda _, text=text: front.bare.execute(text).fetchall(), rounds)  # type: ignore[misc]  # as above
        add(table, what, ours, "DuckDB", bare, f"{ours - bare:+,.0f} us", "+100 us")


def operators(front: Any, table: Table) -> None:
    """Operators over a table with a search index, beside a scan by the same operator."""
    front.execute("CREATE TABLE lines AS SELECT _id AS id, title, text FROM packages")
    front.execute("CREATE SEARCH INDEX lines_idx ON lines (title, text) WITH (key = 'id')")
    for test in ("@@@ 'library'", "@@@ 'librray~1'", "||| 'python parser'", "&&& 'web server'"):
        text = f"SELECT count(*) FROM lines WHERE title {test}"
        ours = once(lambda text=text: front.execute(text).fetchall())  # type: ignore[misc]  # the default binds the loop's value
        scan = once(lambda text=text: front.bare.execute(text).fetchall())  # type: ignore[misc]  # as above
        add(table, f"title {test}", ours, "reading every row", scan, "", "")


def batch(index: Index, connection: Any, queries: Sequence[str], state: str, table: Table) -> None:
    """Queries out of a table, beside a loop and a batch in Python.

    state: of the index. A load leaves a segment for each batch, a rebuild leaves one in all.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE asked AS SELECT unnest($1) AS query", [queries]
    )
    ours = once(lambda: connection.execute(LATERAL).fetchall()) / len(queries)
    ways: dict[str, Callable[[], Any]] = {
        "a loop": lambda: [index.search(q, mode="keyword", limit=10) for q in queries],
        "search_many": lambda: index.search_many(queries, mode="keyword", limit=10),
    }
    for name, ask in ways.items():
        theirs = once(ask) / len(queries)
        what = f"LATERAL search(){state}, {1e6 / ours:,.0f}/s"
        add(table, what, ours, f"{name}, {1e6 / theirs:,.0f}/s", theirs, "", ">= 5,000/s")


def many(path: Path, count: int, table: Table) -> None:
    """A filter that keeps 1 % of the rows, as a WHERE, as text, and as a list of ids."""
    with hybridsearch.open(path, default_embedder=None) as db:
        settings = {"searchable_attributes": ["text"], "language": "none"}
        index = db.create_index("big", primary_key="id", settings=settings)
        started = time.process_time()
        for part in batches(count):
            index.add(part)
        print(f"loaded in {time.process_time() - started:.0f} s of processor time")
        asked = [f"w{number} w{number * 7 % WORDS}" for number in range(1, 61)]
        with db.connect() as connection:
            connection.execute("SET threads = 1")
            filtered(index, connection, asked, count, table)


def filtered(index: Index, connection: Any, asked: Sequence[str], count: int, table: Table) -> None:
    """Each way to filter, with a bucket that was not asked for before."""
    fresh = itertools.count()
    found = "FROM search('big', ?, k := 10, mode := 'keyword'"
    listed = "(SELECT list(id) FROM big WHERE bucket = ?)"
    ways: dict[str, Callable[[str, int], Any]] = {
        "WHERE": lambda q, n: connection.execute(f"{found}) WHERE bucket = ?", [q, n]),
        "filter := text": lambda q, n: connection.execute(
            f"{found}, filter := ?)", [q, f"bucket = {n}"]
        ),
        "filter := ids": lambda q, n: connection.execute(f"{found}, filter := {listed})", [q, n]),
        "Python, filter=": lambda q, n: (
            index.search(q, mode="keyword", filter=f"bucket = {n}", limit=10).hits
        ),
    }
    bare = cpu(
        lambda n: connection.bare.execute(
            "SELECT list(id) FROM big WHERE bucket = ?", [n]
        ).fetchall(),
        range(20),
    )
    for name, ask in ways.items():
        spent = cpu(lambda q, ask=ask: rows(ask(q, next(fresh) % KEPT)), asked, rounds=1)  # type: ignore[misc]  # the default binds the loop's value
        add(table, f"1 % of {count:,} kept, {name}", spent, "ids, DuckDB", bare, "", "<= 15,000 us")


def rows(found: Any) -> Any:
    """All rows of a result."""
    return found.fetchall() if hasattr(found, "fetchall") else found


def batches(count: int) -> Iterator[pa.Table]:
    """So many short texts of made-up words with the frequencies of a language."""
    made = np.random.default_rng(1)
    for start in range(0, count, AT_ONCE):
        words = np.minimum(made.zipf(1.2, (AT_ONCE, 12)), WORDS)
        texts = [" ".join(f"w{word}" for word in row) for row in words.tolist()]
        ids = np.arange(start, start + AT_ONCE)
        yield pa.table({"id": ids, "bucket": ids % KEPT, "text": texts})


def neighbours(texts: Sequence[str], count: int) -> list[str]:
    """Three words in a row out of random texts, no two alike, the same at every run."""
    chosen = random.Random(2)
    found: dict[str, None] = {}
    while len(found) < count:
        words = chosen.choice(texts).split()
        if len(words) > 20:
            start = chosen.randrange(len(words) - 3)
            found[" ".join(words[start : start + 3])] = None
    return list(found)


def cpu(ask: Callable[[Any], Any], items: Sequence[Any], *, rounds: int = 3) -> float:
    """The median over the items of the best CPU time of a call, in microseconds."""
    best = np.full(len(items), np.inf)
    for _ in range(rounds):
        for place, item in enumerate(items):
            started = time.process_time()
            ask(item)
            best[place] = min(best[place], time.process_time() - started)
    return float(np.median(best)) * 1e6


def once(ask: Callable[[], Any]) -> float:
    """The best CPU time of three calls, in microseconds."""
    return cpu(lambda _: ask(), [None])


def add(
    table: Table, what: str, ours: float, name: str, theirs: float, more: str, goal: str
) -> None:
    """One line of the table."""
    ratio = more or f"{ours / theirs:.2f}"
    table.add_row(what, f"{ours:,.0f} us", f"{name}: {theirs:,.0f} us", ratio, goal)


if __name__ == "__main__":
    main()
