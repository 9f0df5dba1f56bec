"""What does the REST door cost, beside the library in the same run?

    python -m tests.benchmarks.bench_server [--documents N] [--requests N] [--memory N]

Reads ../shared/data/packages. The server is a process of its own on this machine's loopback, as
`hybridsearch serve` starts it; requests are bounded. Times over HTTP are wall clock, for a client
waits; what the server worked for a request is CPU time of its process, which a busy machine bends
less. --memory asks that many different searches of nine kinds instead, and prints the server's
memory after each tenth of them (100,000 take some fifteen minutes of one core).
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import hybridsearch
from tests.benchmarks.__main__ import QUERIES, corpus, some_queries

CLIENTS = 16
LOADED = 50_000
BATCH = 5_000
PATIENCE = 60.0
TENTHS = 10
TICKS = os.sysconf("SC_CLK_TCK")
HYBRID = {"embedder": "default", "semanticRatio": 0.5}
SETTINGS = {"searchableAttributes": ["title", "text"]}
FACETED = {
    "filterableAttributes": ["section", "installed_kib"],
    "sortableAttributes": ["installed_kib"],
}
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"hybrid": HYBRID},
    {"attributesToHighlight": ["*"]},
    {"hybrid": HYBRID, "showRankingScoreDetails": True},
    {"facets": ["section"], "limit": 3},
    {"offset": 20},
    {"page": 2},
    {"sort": ["installed_kib:desc"], "showMatchesPosition": True},
)

Document = dict[str, Any]
Search = Callable[[str], Any]


class Client:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def ask(self, method: str, path: str, value: Any = None, media: str = "json") -> Any:
        """The JSON of the answer; anything but success ends the benchmark."""
        body = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
        self._connection.request(method, path, body, {"Content-Type": f"application/{media}"})
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status < 300, content
        return json.loads(content)

    def hybrid(self, query: str) -> Any:
        """Ten hybrid hits with their documents."""
        return self.search(query, hybrid=HYBRID)

    def search(self, query: str, **more: Any) -> Any:
        """Ten hits with their documents."""
        body = {"q": query, "limit": 10, **more}
        return self.ask("POST", "/indexes/packages/search", body)

    def finish(self, task: int) -> None:
        """Wait for a task."""
        while (state := self.ask("GET", f"/tasks/{task}"))["status"] in ("enqueued", "processing"):
            time.sleep(0.02)
        assert state["status"] == "succeeded", state


@contextmanager
def server(path: Path) -> Iterator[tuple[int, int]]:
    """(port, process) of a server over the database."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "hybridsearch", "serve", str(path), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            Client(port).ask("GET", "/health")
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("the server did not start")


def worked(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def megabytes(pid: int) -> float:
    """Memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def times(search: Search, queries: Sequence[str]) -> np.ndarray:
    """Milliseconds of wall clock for each query."""
    found = []
    for query in queries:
        began = time.perf_counter()
        search(query)
        found.append(1000 * (time.perf_counter() - began))
    return np.array(found)


def main() -> None:
    """Load, measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10**9)
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--memory", type=int, default=0, metavar="N")
    options = parser.parse_args()
    documents = corpus(options.documents)
    queries = list(itertools.islice(itertools.cycle(some_queries(documents)), options.requests))
    folder = Path(tempfile.mkdtemp())
    table = Table("what", "over HTTP", "beside it", "ratio", "goal")
    try:
        if options.memory:
            with server(folder / "served.duckdb") as (port, pid):
                memory(port, pid, documents, options.memory)
            return
        alone = library(folder / "alone.duckdb", documents, queries)
        with server(folder / "served.duckdb") as (port, pid):
            measure(port, pid, documents, queries, alone, table)
    finally:
        shutil.rmtree(folder)
    Console(width=130).print(table)


def library(
    path: Path, documents: Sequence[Document], queries: Sequence[str]
) -> tuple[float, float]:
    """(documents a second, milliseconds for a hybrid search) of the library, by the wall clock."""
    with hybridsearch.open(path) as db:
        index = db.create_index("packages", primary_key="_id", settings=SETTINGS)
        began = time.perf_counter()
        index.add(documents)
        rate = len(documents) / (time.perf_counter() - began)
        found = times(lambda query: index.search(query, limit=10), queries[:QUERIES])
    return rate, float(np.median(found))


def measure(
    port: int,
    pid: int,
    documents: Sequence[Document],
    queries: Sequence[str],
    alone: tuple[float, float],
    table: Table,
) -> None:
    """All rows but that of memory."""
    rate, latency = alone
    client = Client(port)
    ours = load(client, documents)
    table.add_row("bulk load", f"{ours:,.0f}/s", f"library, {rate:,.0f}/s", f"{ours / rate:.2f}",
                  ">= .5")  # fmt: skip
    new = float(np.median(times(client.hybrid, queries[:QUERIES])))
    before = worked(pid)
    single = times(client.hybrid, queries)
    cpu = 1000 * (worked(pid) - before) / len(queries)
    median = float(np.median(single))
    table.add_row("hybrid top 10, one client, median", f"{median:.2f} ms",
                  f"library, {latency:.2f} ms", f"{median / latency:.2f}", "<= 2.5 ms")  # fmt: skip
    table.add_row("CPU of the server for it", f"{cpu:.2f} ms", "", "", "")
    table.add_row("queries never asked before", f"{new:.2f} ms", "", "", "")
    known = float(np.median(single[-QUERIES:]))
    table.add_row(f"asked {len(queries) // QUERIES} times before", f"{known:.2f} ms", "", "", "")
    idle = float(np.percentile(single, 99))
    table.add_row("its p99", f"{idle:.2f} ms", "", "", "")
    crowd(port, queries, table)
    busy = during_load(port, documents, queries)
    table.add_row(f"p99 while {LOADED:,} documents load", f"{busy:.1f} ms", f"idle, {idle:.1f} ms",
                  f"{busy / idle:.1f}", "<= 3 x")  # fmt: skip


def load(client: Client, documents: Sequence[Document]) -> float:
    """Documents a second over HTTP, until all can be found, in a new index."""
    client.ask("POST", "/indexes", {"uid": "packages", "primaryKey": "_id"})
    client.finish(client.ask("PATCH", "/indexes/packages/settings", SETTINGS)["taskUid"])
    began = time.perf_counter()
    task = -1
    for start in range(0, len(documents), BATCH):
        lines = b"\n".join(json.dumps(item).encode() for item in documents[start : start + BATCH])
        path = "/indexes/packages/documents"
        task = client.ask("POST", path, lines, "x-ndjson")["taskUid"]
    client.finish(task)
    return len(documents) / (time.perf_counter() - began)


def crowd(port: int, queries: Sequence[str], table: Table) -> None:
    """Throughput and p99 of several clients at once."""
    found: list[np.ndarray] = []

    def one(number: int) -> None:
        own = queries[number::CLIENTS]
        found.append(times(Client(port).hybrid, own))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    assert len(found) == CLIENTS, "a client failed"
    p99 = float(np.percentile(np.concatenate(found), 99))
    table.add_row(f"{CLIENTS} clients", f"{len(queries) / took:,.0f}/s, p99 {p99:.1f} ms", "", "",
                  "no error")  # fmt: skip


def during_load(port: int, documents: Sequence[Document], queries: Sequence[str]) -> float:
    """p99 in milliseconds of one client while another index is filled."""
    ended = threading.Event()
    bodies = [  # made before: who loads shares an interpreter with who asks
        b"\n".join(json.dumps(item).encode() for item in documents[start : start + BATCH])
        for start in range(0, min(LOADED, len(documents)), BATCH)
    ]

    def fill() -> None:
        client = Client(port)
        client.ask("POST", "/indexes", {"uid": "other", "primaryKey": "_id"})
        path, task = "/indexes/other/documents", -1
        for body in bodies:
            task = client.ask("POST", path, body, "x-ndjson")["taskUid"]
        client.finish(task)
        ended.set()

    loading = threading.Thread(target=fill)
    loading.start()
    client, found = Client(port), []
    asked = itertools.cycle(queries)
    while not ended.is_set():
        found.append(times(client.hybrid, [next(asked)])[0])
        time.sleep(0.005)
    loading.join()
    return float(np.percentile(found, 99))


def any_search(documents: Sequence[Document], chosen: random.Random) -> dict[str, Any]:
    """Some words of a document, asked for in some way; one in nine has a filter of its own."""
    words = chosen.choice(documents)["text"].split() or ["none"]
    start = chosen.randrange(len(words))
    number = chosen.randrange(len(KINDS) + 1)
    own = {"filter": f"installed_kib > {chosen.randrange(100_000)}"}
    return {"query": " ".join(words[start : start + 3]), **([*KINDS, own][number])}


def memory(port: int, pid: int, documents: Sequence[Document], requests: int) -> None:
    """Print the server's memory, and its CPU time for a search, after each tenth of many."""
    client, chosen = Client(port), random.Random(1)
    load(client, documents)
    client.finish(client.ask("PATCH", "/indexes/packages/settings", FACETED)["taskUid"])
    before = worked(pid)
    for part in range(1, TENTHS + 1):
        for _ in range(requests // TENTHS):
            client.search(**any_search(documents, chosen))
        done = part * (requests // TENTHS)
        cpu = 1000 * (worked(pid) - before) / done
        print(f"{done:9,} searches  {megabytes(pid):6.0f} MB  {cpu:5.2f} ms each", flush=True)


if __name__ == "__main__":
    main()
