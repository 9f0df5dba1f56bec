"""Do searches go on, whole and unhindered, while documents are written?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

import hybridsearch
from hybridsearch import engine
from hybridsearch.database import Database
from hybridsearch.errors import EmbedderError
from hybridsearch.index import Index
from hybridsearch.request import SearchRequest, SearchResult
from tests.crash.world import FUNCTION, embed

COUNT = 60
THREADS = 8
SEARCHES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("tide", {"mode": "keyword"}),
    ("tide river", {"mode": "semantic", "candidates": COUNT}),
    ("tide river", {"mode": "hybrid", "fusion": "score"}),
    ("tide", {"mode": "keyword", "filter": "version >= 0 AND id < 30"}),
    ("", {"facets": ["version", "kind"]}),
    ("", {"sort": ["version:desc", "id:asc"]}),
    ("river", {"mode": "hybrid", "highlight": ["title"], "filter": "kind = a"}),
    ("tide", {"mode": "keyword", "explain": True}),
)


def edition(version: int) -> list[dict[str, Any]]:
    """Every document of the index, all of one version."""
    return [
        {"id": i, "title": f"tide river v{version}", "version": version, "kind": "ab"[i % 2]}
        for i in range(COUNT)
    ]


@pytest.fixture
def db(tmp_path: Any) -> Iterator[Database]:
    with hybridsearch.open(tmp_path / "shop.duckdb", functions={"words": embed}) as found:
        yield found


@pytest.fixture
def index(db: Database) -> Index:
    index = db.create_index("pages", primary_key="id", settings={**FUNCTION, "language": "none"})
    index.add(edition(0))
    return index


def torn(result: SearchResult, expected: int) -> str | None:
    """What shows that a result mixes states; None when it does not."""
    versions = {hit.document["version"] for hit in result.hits}
    versions |= {int(version) for version in result.facets.get("version", {})}
    if len(versions) != 1 or result.total != expected:
        return f"versions {versions}, {result.total} instead of {expected}"
    marks = {value for hit in result.hits for value in (hit.highlights or {}).values()}
    if marks and {mark.rsplit("v", 1)[-1] for mark in marks} != {str(min(versions))}:
        return f"version {versions} with highlights {marks}"
    return None


def searched_while(
    work: Callable[[], None], search: Callable[[int], Any], *, threads: int = THREADS
) -> list[Any]:
    """What `search` found, called by many threads again and again while `work` is done."""
    ended = threading.Event()

    def go_on(number: int) -> list[Any]:
        found = []
        while not ended.is_set():
            found.append(search(number))
            number += 1
        return found

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(go_on, number) for number in range(threads)]
        try:
            work()
        finally:
            ended.set()
        return [item for one in running for item in one.result()]


def answer(index: Index, number: int) -> SearchResult:
    text, options = SEARCHES[number % len(SEARCHES)]
    return index.search(text, limit=COUNT, **options)


def essence(results: Sequence[SearchResult]) -> list[SearchResult]:
    """The results without the time that they took."""
    return [replace(result, seconds=0.0) for result in results]


def test_no_search_sees_half_a_batch(index: Index) -> None:
    def write() -> None:
        for version in range(1, 8):
            if version % 3 == 0:
                parts = [{"id": i, "version": version} for i in range(COUNT)]
                titled = [{**part, "title": f"tide river v{version}"} for part in parts]
                index.add(titled, mode="merge")
            else:
                index.add(edition(version))

    def search(number: int) -> str | None:
        options = SEARCHES[number % len(SEARCHES)][1]
        return torn(answer(index, number), COUNT // 2 if "filter" in options else COUNT)

    found = searched_while(write, search)
    assert len(found) > THREADS
    assert [item for item in found if item is not None] == []


def test_a_held_snapshot_gives_the_same_answers_through_writes_and_purges(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PURGE_AFTER", 10)
    held = index.snapshot()
    requests = [SearchRequest(query=text, limit=COUNT, **more) for text, more in SEARCHES]
    before = [held.search(request) for request in requests]
    for version in range(1, 8):
        index.add(edition(version))
    index.delete(ids=list(range(40)))
    index.rebuild()
    index.update_settings({"searchable_attributes": ["kind"]})
    assert essence([held.search(request) for request in requests]) == essence(before)


def test_a_held_snapshot_can_be_filtered_in_new_ways_after_writes_and_purges(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PURGE_AFTER", 10)
    held = index.snapshot()
    for version in range(1, 8):
        index.add(edition(version))
    index.delete(all=True)
    request = SearchRequest(query="", filter="id >= 10 AND version = 0", facets=["kind"])
    found = held.search(request)
    assert (found.total, found.facets) == (50, {"kind": {"a": 25, "b": 25}})


def test_a_held_snapshot_can_be_filtered_after_an_attribute_changed_its_type(index: Index) -> None:
    held = index.snapshot()
    index.add([{"id": 1, "title": "x", "version": {"number": "two"}, "kind": 5}])
    request = SearchRequest(query="", filter="version < 1 AND kind = 'a'", sort=["kind:asc"])
    assert held.search(request).total == COUNT // 2


def test_dead_rows_are_purged_when_nobody_holds_them(
    db: Database, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PURGE_AFTER", 10)
    for version in range(1, 8):
        index.add(edition(version))
    with db.connect() as connection:
        [(rows,)] = connection.execute("SELECT count(*) FROM hybridsearch.documents_1").fetchall()
    assert rows <= 2 * COUNT + 10


def test_a_reader_of_documents_meets_only_whole_ones(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PURGE_AFTER", 1)

    def write() -> None:
        for version in range(1, 8):
            index.add(edition(version))

    def read(number: int) -> bool:
        document = index.get(number % COUNT)
        return bool(document["title"] == f"tide river v{document['version']}")

    assert set(searched_while(write, read)) == {True}


def test_no_search_waits_for_the_writer(index: Index) -> None:
    took: list[float] = []

    def write() -> None:
        started = time.perf_counter()
        index.add([{"id": i, "title": f"stone {i} " * 20, "version": 1} for i in range(4000)])
        took.append(time.perf_counter() - started)

    def search(number: int) -> float:
        started = time.perf_counter()
        answer(index, number)
        took_here = time.perf_counter() - started
        time.sleep(took_here)  # so that the writer is there too
        return took_here

    waits = sorted(searched_while(write, search, threads=2))
    assert len(waits) > 20
    assert waits[len(waits) // 2] < took[0] / 20
    assert waits[-1] < took[0] / 2


def test_writers_on_many_threads_are_all_served_in_order(db: Database, index: Index) -> None:
    def write(thread: int) -> list[int]:
        name = f"page{thread % 2}"
        db.create_index(name, primary_key="id") if thread < 2 else None
        tasks = [index.add([{"id": 1000 * thread + i, "version": i}]) for i in range(1, 6)]
        return [task.uid for task in tasks]

    with ThreadPoolExecutor(THREADS) as pool:
        uids = list(pool.map(write, range(THREADS)))
    assert index.count() == COUNT + 5 * THREADS - 1 - 4
    assert all(one == sorted(one) for one in uids)


def test_a_write_that_was_refused_is_not_made_after_later_ones(tmp_path: Any) -> None:
    path, broken = tmp_path / "shop.duckdb", threading.Event()

    def failing(texts: list[str]) -> Any:
        if broken.is_set():
            raise OSError("the model is away")
        return embed(texts)

    with hybridsearch.open(path, functions={"words": failing}) as db:
        index = db.create_index("pages", primary_key="id", settings=FUNCTION)
        index.add([{"id": 1, "title": "one"}])
        broken.set()
        with pytest.raises(EmbedderError):
            index.add([{"id": 1, "title": "refused"}])
        broken.clear()
        index.add([{"id": 1, "title": "last"}])
    with hybridsearch.open(path, functions={"words": embed}) as db:
        assert db.index("pages").get(1)["title"] == "last"
        assert [task.status for task in db.tasks()] == ["succeeded"] * 2 + ["failed", "succeeded"]
