"""What does the REST door cost, beside the library in the same run?

    python -m tests.benchmarks.bench_server [--documents N] [--requests N] [--memory]

Reads ../shared/data/packages. The server is a process of its own on this machine's loopback, as
`hybridsearch serve` starts it; requests are bounded. Times over HTTP are wall clock, for a client
waits; what the server worked for a request is CPU time of its process, which a busy machine bends
less. --memory asks 100,000 requests and prints the server's memory on the way.
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
from tests.benchmarks.__main__ import corpus, some_queries

CLIENTS = 16
LOADED = 50_000
BATCH = 5_000
PATIENCE = 60.0
MANY = 100_000
TICKS = os.sysconf("SC_CLK_TCK")
HYBRID = {"embedder": "default", "semanticRatio": 0.5}
SETTINGS = {"searchableAttributes": ["title", "text"]}

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

    def search(self, query: str) -> Any:
        """Ten hybrid hits with their documents."""
        body = {"q": query, "limit": 10, "hybrid": HYBRID}
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
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    documents = corpus(options.documents)
    queries = list(itertools.islice(itertools.cycle(some_queries(documents)), options.requests))
    folder = Path(tempfile.mkdtemp())
    table = Table("what", "over HTTP", "beside it", "ratio", "goal")
    try:
        alone = library(folder / "alone.duckdb", documents, queries)
        with server(folder / "served.duckdb") as (port, pid):
            measure(port, pid, documents, queries, alone, table)
            if options.memory:
                memory(port, pid, queries, table)
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
        found = times(lambda query: index.search(query, limit=10), queries[:300])
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
    client.ask("POST", "/indexes", {"uid": "packages", "primaryKey": "_id"})
    client.finish(client.ask("PATCH", "/indexes/packages/settings", SETTINGS)["taskUid"])
    ours = load(client, documents)
    table.add_row("bulk load", f"{ours:,.0f}/s", f"library, {rate:,.0f}/s", f"{ours / rate:.2f}",
                  ">= .5")  # fmt: skip
    times(client.search, queries[:200])
    before = worked(pid)
    single = times(client.search, queries)
    cpu = 1000 * (worked(pid) - before) / len(queries)
    median = float(np.median(single))
    table.add_row("hybrid top 10, one client, median", f"{median:.2f} ms",
                  f"library, {latency:.2f} ms", f"{median / latency:.2f}", "<= 2.5 ms")  # fmt: skip
    table.add_row("CPU of the server for it", f"{cpu:.2f} ms", "", "", "")
    idle = float(np.percentile(single, 99))
    table.add_row("its p99", f"{idle:.2f} ms", "", "", "")
    crowd(port, queries, table)
    busy = during_load(port, documents, queries)
    table.add_row(f"p99 while {LOADED:,} documents load", f"{busy:.1f} ms", f"idle, {idle:.1f} ms",
                  f"{busy / idle:.1f}", "<= 3 x")  # fmt: skip


def load(client: Client, documents: Sequence[Document]) -> float:
    """Documents a second over HTTP, until all can be found."""
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
        found.append(times(Client(port).search, own))

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

    def fill() -> None:
        client = Client(port)
        client.ask("POST", "/indexes", {"uid": "other", "primaryKey": "_id"})
        task = -1
        for start in range(0, min(LOADED, len(documents)), BATCH):
            lines = b"\n".join(json.dumps(d).encode() for d in documents[start : start + BATCH])
            path = "/indexes/other/documents"
            task = client.ask("POST", path, lines, "x-ndjson")["taskUid"]
        client.finish(task)
        ended.set()

    loading = threading.Thread(target=fill)
    loading.start()
    client, found = Client(port), []
    asked = itertools.cycle(queries)
    while not ended.is_set():
        found.append(times(client.search, [next(asked)])[0])
        time.sleep(0.005)
    loading.join()
    return float(np.percentile(found, 99))


def memory(port: int, pid: int, queries: Sequence[str], table: Table) -> None:
    """The server's memory after a tenth and after all of many requests."""
    client, chosen = Client(port), random.Random(1)
    sizes = []
    for part in (MANY // 10, MANY - MANY // 10):
        for _ in range(part):
            client.search(chosen.choice(queries))
        sizes.append(megabytes(pid))
    first, last = sizes
    table.add_row(f"memory after {MANY:,} requests", f"{last:.0f} MB",
                  f"after a tenth, {first:.0f} MB", f"{last / first:.2f}", "steady")  # fmt: skip


if __name__ == "__main__":
    main()
