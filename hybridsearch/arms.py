"""How good is each arm of an index on judged queries, alone and together?

`arm_reports` asks every judged query in each of `ARMS` and scores the ids that come back. An
index that cannot embed a query has only its keyword arm.

    reports = arm_reports(index, queries, qrels, k=10)
    print(evaluate.table(reports, metrics=("ndcg", "recall", "mrr")))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from hybridsearch.errors import EmbedderError, QueryError, SettingsError, near
from hybridsearch.evaluate import Qrels, Report, evaluate, run_of
from hybridsearch.index import Index
from hybridsearch.request import SearchRequest, SearchResult
from hybridsearch.snapshot import Snapshot

ARMS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "keyword": {"mode": "keyword"},
        "semantic": {"mode": "semantic"},
        "hybrid rrf": {"mode": "hybrid", "fusion": "rrf"},
        "hybrid score": {"mode": "hybrid", "fusion": "score"},
        "hybrid linear": {"mode": "hybrid", "fusion": "linear"},
        "hybrid dbsf": {"mode": "hybrid", "fusion": "dbsf"},
    }
)
TRIED = ("attributeWeights", "attribute_weights", "fusion")


def arm_reports(
    index: Index, queries: Mapping[str, str], qrels: Qrels, *, k: int = 10, mode: str = "all"
) -> dict[str, Report]:
    """Name of the arm -> its report on the judged queries, in the order of `ARMS`.

    mode: "all", or "keyword", "semantic" or "hybrid" beside the keyword arm, which comes first
    to compare with. Queries without judgments are not asked.
    Raises QueryError for another mode, or one that the index cannot answer, InputError if k < 1,
    and EmbedderError where a query cannot be embedded.
    """
    asked = {query: text for query, text in queries.items() if query in qrels}
    return {
        name: evaluate(run_of(partial(_ids, index, k, ARMS[name]), asked), qrels, k=k)
        for name in _wanted(mode, has_vectors=embeds(index))
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


def embeds(index: Index) -> bool:
    """Whether there are vectors to compare with that of a query's text."""
    settings = index.settings.embedders
    return any(
        found["documents"] and (name not in settings or settings[name].source != "userProvided")
        for name, found in index.stats()["embedders"].items()
    )


def _ids(index: Index, k: int, options: Mapping[str, Any], texts: list[str]) -> list[list[str]]:
    return _ids_of(index.search_many(texts, limit=k, **options))


def _ids_of(answers: Sequence[SearchResult]) -> list[list[str]]:
    """The ids of the hits of each; what went by words alone must not pass for something else."""
    for answer in answers:
        if answer.degraded is not None:
            raise EmbedderError(answer.degraded)
    return [[str(hit.id) for hit in answer] for answer in answers]


def usual_run(index: Index, queries: Mapping[str, str], *, k: int) -> dict[str, list[str]]:
    """What a search without options finds: query -> ids of its first k hits, best first."""
    return run_of(partial(_ids, index, k, {}), queries)


def settings_reports(
    index: Index,
    queries: Mapping[str, str],
    qrels: Qrels,
    changes: Mapping[str, Any],
    *,
    k: int = 10,
) -> dict[str, Report]:
    """The reports of a usual search: "as set", and "changed", as if the changes were made.

    Raises SettingsError for settings that are none or that would need the documents anew: only
    weights and fusion can be tried out.
    """
    asked = {query: text for query, text in queries.items() if query in qrels}
    snapshot = index.snapshot()
    for name in changes:
        if name not in TRIED:
            raise SettingsError(
                f'"{name}" cannot be tried out without indexing anew; attributeWeights, fusion can',
                field=name,
            )
    state = replace(snapshot.state, settings=index.settings.updated(changes))
    several = {"as set": snapshot, "changed": Snapshot(state)}
    return {
        name: evaluate(run_of(partial(_found, one, k), asked), qrels, k=k)
        for name, one in several.items()
    }


def _found(snapshot: Snapshot, k: int, texts: list[str]) -> list[list[str]]:
    return _ids_of(snapshot.search_many([SearchRequest(text, limit=k) for text in texts]))
