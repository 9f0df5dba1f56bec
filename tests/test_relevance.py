"""Floors under the relevance that was measured; a change that falls through one has to say why."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import hybridsearch
from hybridsearch.evaluate import Report, evaluate, read_qrels, read_queries, run_of
from hybridsearch.stdlib_docs import documents

ROOT = Path(__file__).parents[1]
SHARED = ROOT / "../shared/data"
MODES = ("keyword", "semantic", "hybrid")


def reports(index: hybridsearch.Index, queries: Path, qrels: Path) -> dict[str, Report]:
    texts, judged = read_queries(queries), read_qrels(qrels)

    def search(mode: str, some: list[str]) -> list[list[str]]:
        found = index.search_many(some, mode=mode, limit=10)
        return [[str(hit.id) for hit in result] for result in found]

    return {mode: evaluate(run_of(partial(search, mode), texts), judged) for mode in MODES}


def shared(name: str, queries: str = "queries.jsonl") -> Iterator[dict[str, float]]:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs the collection {name} in ../shared/data, which is not there")
    corpus = next(folder.glob("corpus.jsonl*"))
    with hybridsearch.open() as db:
        settings = {"searchable_attributes": ["title", "text"]}
        index = db.create_index(name, primary_key="_id", settings=settings)
        index.add(corpus)
        found = reports(index, folder / queries, folder / "qrels/test.tsv")
        yield {mode: report.mean["ndcg"] for mode, report in found.items()}


@pytest.fixture(scope="module")
def misspelt() -> Iterator[dict[str, float]]:
    yield from shared("cranfield", "queries-typo.jsonl")


@pytest.fixture(scope="module")
def scifact() -> Iterator[dict[str, float]]:
    yield from shared("scifact")


@pytest.fixture(scope="module")
def cranfield() -> Iterator[dict[str, float]]:
    yield from shared("cranfield")


@pytest.fixture(scope="module")
def python_docs() -> Iterator[dict[str, float]]:
    folder = ROOT / "datasets/python-docs"
    with hybridsearch.open() as db:
        settings = {"searchable_attributes": ["name", "text"]}
        index = db.create_index("python", primary_key="id", settings=settings)
        index.add(documents())
        found = reports(index, folder / "queries.jsonl", folder / "qrels.tsv")
        yield {mode: report.mean["ndcg"] for mode, report in found.items()}


def test_scifact_by_words(scifact: dict[str, float]) -> None:
    assert scifact["keyword"] >= 0.68


def test_scifact_by_both_is_not_below_words(scifact: dict[str, float]) -> None:
    assert scifact["hybrid"] >= scifact["keyword"]


def test_cranfield_by_words(cranfield: dict[str, float]) -> None:
    assert cranfield["keyword"] >= 0.38


def test_cranfield_by_both_is_not_below_words(cranfield: dict[str, float]) -> None:
    assert cranfield["hybrid"] >= cranfield["keyword"]


def test_misspelt_queries_by_words(misspelt: dict[str, float]) -> None:
    assert misspelt["keyword"] >= 0.38


def test_misspelt_queries_by_both(misspelt: dict[str, float]) -> None:
    assert misspelt["hybrid"] >= 0.38


def test_python_docs_by_both_is_not_below_words(python_docs: dict[str, float]) -> None:
    assert python_docs["hybrid"] >= python_docs["keyword"] - 0.003
