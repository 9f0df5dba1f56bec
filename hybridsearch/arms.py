"""How good is each arm of an index on judged queries, alone and together?

`arm_reports` asks every judged query in each of `ARMS` and scores the ids that come back. An
index that cannot embed a query has only its keyword arm.

    reports = arm_reports(index, queries, qrels, k=10)
    print(evaluate.table(reports, metrics=("ndcg", "recall", "mrr")))
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from hybridsearch.errors import QueryError, near
from hybridsearch.evaluate import Qrels, Report, evaluate, run_of
from hybridsearch.index import Index

ARMS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "keyword": {"mode": "keyword"},
        "semantic": {"mode": "semantic"},
        "hybrid rrf": {"mode": "hybrid", "fusion": "rrf"},
        "hybrid score": {"mode": "hybrid", "fusion": "score"},
    }
)


def arm_reports(
    index: Index, queries: Mapping[str, str], qrels: Qrels, *, k: int = 10, mode: str = "all"
) -> dict[str, Report]:
    """Name of the arm -> its report on the judged queries, in the order of `ARMS`.

    mode: "all", or "keyword", "semantic" or "hybrid" beside the keyword arm, which comes first
    to compare with. Queries without judgments are not asked.
    Raises QueryError for another mode, or one that the index cannot answer, and InputError if
    k < 1.
    """
    asked = {query: text for query, text in queries.items() if query in qrels}
    return {
        name: evaluate(run_of(partial(_ids, index, k, ARMS[name]), asked), qrels, k=k)
        for name in _wanted(mode, has_vectors=_embeds(index))
    }


def _wanted(mode: str, *, has_vectors: bool) -> list[str]:
    modes = ["all", *dict.fromkeys(str(options["mode"]) for options in ARMS.values())]
    if mode not in modes:
        raise QueryError(f'unknown mode "{mode}"{near(mode, modes)}', field="mode")
    if not has_vectors and mode in ("semantic", "hybrid"):
        raise QueryError(
            f'the index cannot compare a text with vectors, so there is no mode "{mode}"; use'
            " keyword",
            field="mode",
        )
    if not has_vectors:
        return ["keyword"]
    return [n for n, options in ARMS.items() if mode in ("all", options["mode"]) or n == "keyword"]


def _embeds(index: Index) -> bool:
    """Whether there are vectors to compare with that of a query's text."""
    settings = index.settings.embedders
    return any(
        found["documents"] and (name not in settings or settings[name].source != "userProvided")
        for name, found in index.stats()["embedders"].items()
    )


def _ids(index: Index, k: int, options: Mapping[str, Any], texts: list[str]) -> list[list[str]]:
    answers = index.search_many(texts, limit=k, **options)
    return [[str(hit.id) for hit in answer] for answer in answers]
