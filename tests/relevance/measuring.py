"""How good are the arms, the fusions and the other libraries on one judged set?

`measured` does the work, and what it gives can be kept as JSON, so that the report can be put
together from sets that were measured one at a time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import hybridsearch
from hybridsearch.arms import arm_reports, usual_run
from hybridsearch.evaluate import Report, compare, evaluate
from tests.relevance.collections import SHARED, Judged
from tests.relevance.peers import installed

MODEL = SHARED / "models/all-MiniLM-L6-v2"
MOST_EMBEDDED = 12_000  # a model takes too long for more documents
K = 10


@dataclass(frozen=True)
class Figures:
    """One ranking's means over the queries, and the difference of its nDCG to another ranking's.

    difference, low, high: that and the 95 % interval of a paired bootstrap.
    """

    ndcg: float
    recall: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Measured:
    """One set. ours: embedder -> arm -> its figures against the better of the two arms alone;
    others: library -> its figures against our keyword arm."""

    name: str
    documents: int
    queries: int
    ours: Mapping[str, Mapping[str, Figures]]
    others: Mapping[str, Figures]

    def save(self, folder: Path) -> None:
        """Keep it for `kept`."""
        (folder / f"{self.name}.json").write_text(json.dumps(asdict(self), indent=1))


def kept(folder: Path, name: str) -> Measured | None:
    """What was measured of the set before, None if nothing was."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    told = json.loads(path.read_text())
    ours = {name: _figures(arms) for name, arms in told["ours"].items()}
    return Measured(**{**told, "ours": ours, "others": _figures(told["others"])})


def _figures(told: Mapping[str, Any]) -> dict[str, Figures]:
    return {name: Figures(**one) for name, one in told.items()}


def measured(one: Judged, work: Path) -> Measured:
    """The set measured in an index that is made in the work folder and dropped again.

    The folder keeps vectors, so that a model makes each of them once.
    """
    ours: dict[str, dict[str, Figures]] = {}
    keyword: Report | None = None
    for name, embedders in _embedders(one).items():
        reports = _reports(one, work, embedders)
        keyword = reports["keyword"]
        ours[name] = _against_the_better(reports)
    assert keyword is not None
    others = {
        name: _against(keyword, evaluate(peer(one.plain, one.queries, K), one.qrels, k=K))
        for name, peer in installed().items()
    }
    return Measured(one.name, len(one.documents), len(one.queries), ours, others)


def _embedders(one: Judged) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {"bundled": {}}
    if MODEL.is_dir() and len(one.documents) <= MOST_EMBEDDED:
        found["MiniLM"] = {"minilm": {"source": "onnx", "model": str(MODEL)}}
    return found


def _reports(one: Judged, work: Path, embedders: Mapping[str, Any]) -> dict[str, Report]:
    """Arm -> report; "usual" is a hybrid search as it comes."""
    settings = {"searchable_attributes": one.searchable, "embedders": embedders}
    with hybridsearch.open(work / "relevance.duckdb") as db:
        if any(index.uid == "judged" for index in db.indexes()):  # of a run that was interrupted
            db.drop_index("judged")
        index = db.create_index("judged", primary_key=one.key, settings=settings)
        index.add(one.documents)
        reports = arm_reports(index, one.queries, one.qrels, k=K)
        reports["usual"] = evaluate(usual_run(index, one.queries, k=K), one.qrels, k=K)
        db.drop_index("judged")
    return reports


def _against_the_better(reports: Mapping[str, Report]) -> dict[str, Figures]:
    better = max((reports["keyword"], reports["semantic"]), key=lambda one: one.mean["ndcg"])
    return {arm: _against(better, report) for arm, report in reports.items()}


def _against(first: Report, second: Report) -> Figures:
    test = compare(first, second)
    mean = second.mean
    return Figures(mean["ndcg"], mean["recall"], test.difference, test.low, test.high)
