"""Floors under the relevance that was measured; a change that falls through one has to say why."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import hybridsearch
from hybridsearch.evaluate import Qrels, evaluate, read_qrels, read_queries, run_of
from hybridsearch.stdlib_docs import documents
from tests.relevance.collections import corpus

ROOT = Path(__file__).parents[1]
SHARED = ROOT / "../shared/data"
MODEL = ROOT / "../shared/models/all-MiniLM-L6-v2"
SEARCHES: Mapping[str, Mapping[str, Any]] = {
    "keyword": {"mode": "keyword"},
    "semantic": {"mode": "semantic"},
    "hybrid": {"mode": "hybrid"},
    "score": {"mode": "hybrid", "fusion": "score"},
}


def reports(
    index: hybridsearch.Index, texts: Mapping[str, str], judged: Qrels
) -> dict[str, dict[str, float]]:
    """Search -> mean of each metric."""

    def search(options: Mapping[str, Any], some: list[str]) -> list[list[str]]:
        found = index.search_many(some, limit=10, **options)
        return [[str(hit.id) for hit in result] for result in found]

    return {
        name: evaluate(run_of(partial(search, options), texts), judged).mean
        for name, options in SEARCHES.items()
    }


def shared(name: str, queries: str = "queries.jsonl") -> Iterator[dict[str, float]]:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs the collection {name} in ../shared/data, which is not there")
    corpus = next(folder.glob("corpus.jsonl*"))
    with hybridsearch.open() as db:
        settings = {"searchable_attributes": ["title", "text"]}
        index = db.create_index(name, primary_key="_id", settings=settings)
        index.add(corpus)
        texts, judged = read_queries(folder / queries), read_qrels(folder / "qrels/test.tsv")
        yield {name: mean["ndcg"] for name, mean in reports(index, texts, judged).items()}


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
        texts, judged = read_queries(folder / "queries.jsonl"), read_qrels(folder / "qrels.tsv")
        yield {name: mean["ndcg"] for name, mean in reports(index, texts, judged).items()}


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


def with_model(most_queries: int, most_documents: int) -> dict[str, float]:
    """cranfield by MiniLM: its first queries, all that is judged for them, and other documents."""
    folder = SHARED / "cranfield"
    for needed in (folder, MODEL):
        if not needed.is_dir():
            pytest.skip(f"needs {needed.name} in ../shared, which is not there")
    texts = dict(list(read_queries(folder / "queries.jsonl").items())[:most_queries])
    judged = {q: own for q, own in read_qrels(folder / "qrels/test.tsv").items() if q in texts}
    wanted = {id_ for grades in judged.values() for id_, grade in grades.items() if grade > 0}
    every = sorted(corpus(folder / "corpus.jsonl.gz"), key=lambda one: one["_id"] not in wanted)
    settings = {
        "searchable_attributes": ["title", "text"],
        "embedders": {"minilm": {"source": "onnx", "model": str(MODEL)}},
    }
    with hybridsearch.open() as db:
        index = db.create_index("cranfield", primary_key="_id", settings=settings)
        index.add(every[: max(most_documents, len(wanted))])
        return {name: mean["ndcg"] for name, mean in reports(index, texts, judged).items()}


def test_a_model_gains_by_fusion_on_a_part_of_cranfield() -> None:
    found = with_model(30, 300)
    better = max(found["keyword"], found["semantic"])
    assert found["hybrid"] >= better + 0.01
    assert found["score"] >= better + 0.01


@pytest.mark.slow
def test_a_model_gains_by_fusion_on_the_whole_of_cranfield() -> None:
    found = with_model(225, 1400)
    assert found["hybrid"] >= 0.425
    assert found["score"] >= 0.430
    assert found["hybrid"] >= max(found["keyword"], found["semantic"]) + 0.02
