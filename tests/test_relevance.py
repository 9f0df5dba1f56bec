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


def shared(
    name: str, *queries: str, model: bool = False, every: int = 1
) -> Iterator[dict[str, float]]:
    """The figures of a set of ../shared/data for each file of queries, by the bundled embedder or
    by MiniLM."""
    folder = SHARED / name
    for needed in (folder, *([MODEL] if model else [])):
        if not needed.is_dir():
            pytest.skip(f"needs {needed.name} in ../shared, which is not there")
    corpus = next(folder.glob("corpus.jsonl*"))
    with hybridsearch.open() as db:
        own = {"minilm": {"source": "onnx", "model": str(MODEL)}} if model else {}
        settings = {"searchable_attributes": ["title", "text"], "embedders": own}
        index = db.create_index(name, primary_key="_id", settings=settings)
        index.add(corpus)
        every_judged = read_qrels(folder / "qrels/test.tsv")
        for file in queries or ("queries.jsonl",):
            texts = dict(list(read_queries(folder / file).items())[::every])
            judged = {query: own for query, own in every_judged.items() if query in texts}
            yield {name: mean["ndcg"] for name, mean in reports(index, texts, judged).items()}


@pytest.fixture(scope="module")
def misspelt() -> Iterator[dict[str, float]]:
    yield from shared("cranfield", "queries-typo.jsonl")


@pytest.fixture(scope="module")
def chinese() -> Iterator[dict[str, float]]:
    yield from shared("drcd-zh", every=10)


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


FLOORS = [
    ("scifact", "keyword", 0.680),
    ("scifact", "hybrid", 0.682),
    ("scifact", "score", 0.692),
    ("cranfield", "keyword", 0.380),
    ("cranfield", "hybrid", 0.390),
    ("cranfield", "score", 0.392),
    ("misspelt", "keyword", 0.380),
    ("misspelt", "hybrid", 0.380),
    ("misspelt", "score", 0.390),
    ("chinese", "keyword", 0.965),
]


@pytest.mark.parametrize(("collection", "search", "floor"), FLOORS)
def test_no_figure_falls_through_its_floor(
    collection: str, search: str, floor: float, request: pytest.FixtureRequest
) -> None:
    assert round(request.getfixturevalue(collection)[search], 3) >= floor


@pytest.mark.parametrize("collection", ["scifact", "cranfield", "chinese"])
@pytest.mark.parametrize("search", ["hybrid", "score"])
def test_both_are_not_below_words(
    collection: str, search: str, request: pytest.FixtureRequest
) -> None:
    found = request.getfixturevalue(collection)
    assert found[search] >= found["keyword"]


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
    found = with_model(30, 150)
    better = max(found["keyword"], found["semantic"])
    assert found["hybrid"] >= better + 0.01
    assert found["score"] >= better + 0.01


def clears(found: Mapping[str, float], *, ranks: float, scores: float) -> bool:
    """Whether both fusions reach their floors, to three digits."""
    return round(found["hybrid"], 3) >= ranks and round(found["score"], 3) >= scores


@pytest.mark.slow
def test_cranfield_by_a_model_does_not_fall_through_its_floors() -> None:
    clean, misspelt = shared("cranfield", "queries.jsonl", "queries-typo.jsonl", model=True)
    assert clears(clean, ranks=0.428, scores=0.432)
    assert clears(misspelt, ranks=0.400, scores=0.405)


@pytest.mark.whole
def test_scifact_by_a_model_does_not_fall_through_its_floors() -> None:
    [found] = shared("scifact", model=True)
    assert clears(found, ranks=0.716, scores=0.732)


def is_not_worse(name: str, *, least: float, model: bool) -> bool:
    """Whether both fusions are at least as good as words, which reach `least`."""
    [found] = shared(name, model=model)
    return least <= found["keyword"] <= min(found["hybrid"], found["score"])


@pytest.mark.slow
@pytest.mark.parametrize("model", [False, True], ids=["bundled", "MiniLM"])
def test_spanish_is_not_worse_for_a_model_that_hardly_knows_it(model: bool) -> None:
    assert is_not_worse("xquad-r-es", least=0.810, model=model)


@pytest.mark.whole
@pytest.mark.parametrize("model", [False, True], ids=["bundled", "MiniLM"])
def test_chinese_is_not_worse_for_a_model_that_does_not_know_it(model: bool) -> None:
    assert is_not_worse("drcd-zh", least=0.965, model=model)
