"""What does hybrid search look like on ten thousand documents that everybody has?

The documentation of the running Python's standard library is indexed, five questions are asked
of each arm and of both together, and every arm is scored on the judged queries of
datasets/python-docs, by the kind of query. Nothing is downloaded.

    found = run(Path("docs.duckdb"))
    found.load_rate, found.ndcg["paraphrase"]["semantic"]
    show(console(), found)

`name`, `signature` and `text` are searchable, and a word counts twice in `name`: what a thing is
called says more about it than a sentence in which the word occurs.
"""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import hybridsearch
from hybridsearch.arms import arm_reports
from hybridsearch.assets import ASSETS
from hybridsearch.database import Database
from hybridsearch.errors import Conflict
from hybridsearch.evaluate import Report, read_qrels, read_queries
from hybridsearch.index import Index
from hybridsearch.jsontext import loads
from hybridsearch.request import Hit, SearchResult
from hybridsearch.stdlib_docs import documents
from hybridsearch.terminal import PlainConsole, one_line, show_table

INDEX = "python-docs"
SETTINGS: Mapping[str, Any] = {
    "searchable_attributes": ["name", "signature", "text"],
    "attribute_weights": {"name": 2.0},
    "language": "en",
}
QUESTIONS: Mapping[str, str] = {
    "read a csv file into dictionaries": "a question",
    "run a function later in another thread": "a question",
    "shutil.copytree": "an exact name",
    "random radint": "a name misspelt",
    "average of some measurements": "a paraphrase",
}
"""Chosen to show where the arms differ; the means below them are over all judged queries."""
LEGEND = "On the right, a hybrid hit's rank by words and its rank by meaning; - where not found."
MODES = ("keyword", "semantic", "hybrid")
ALL = "all"
NAME_WIDTH, ROOM = 34, 26
"""Characters of a name, and of a row of a table beside the names."""
QUERIES, QRELS = f"{INDEX}/queries.jsonl", f"{INDEX}/qrels.tsv"

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Answers:
    """What each mode answers to one question; `kind` says what sort of question it is."""

    query: str
    kind: str
    by_mode: Mapping[str, SearchResult]


@dataclass(frozen=True)
class Demonstration:
    """What the demonstration found.

    path: the database. documents: how many there are; loaded: how many of them were indexed now.
    read_seconds, load_seconds: for making them from the standard library, and until all could be
    searched. ndcg: kind of query (or "all") -> arm -> mean nDCG@10. kinds: kind -> number of
    queries. judgments, missing: how many were scored, and left out because their document is not
    there.
    """

    path: Path
    documents: int
    loaded: int
    read_seconds: float
    load_seconds: float
    answers: Sequence[Answers]
    ndcg: Mapping[str, Mapping[str, float]]
    kinds: Mapping[str, int]
    judgments: int
    missing: int

    @property
    def next(self) -> list[str]:
        """Command lines to try on the database."""
        where = f"{shlex.quote(str(self.path))} {INDEX}"
        return [
            f'{_program()} search {where} "parse command line options" --explain --limit 3',
            f'{_program()} search {where} "wait" --filter "kind = class" --facets module',
        ]

    @property
    def load_rate(self) -> float:
        """Documents indexed a second, embedding included; 0 when they were there already."""
        return self.loaded / self.load_seconds if self.loaded else 0.0

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "database": str(self.path),
            "index": INDEX,
            "documents": self.documents,
            "loaded": self.loaded,
            "read_seconds": self.read_seconds,
            "load_seconds": self.load_seconds,
            "documents_per_second": self.load_rate,
            "questions": [_answers_json(answers) for answers in self.answers],
            "ndcg@10": self.ndcg,
            "queries": self.kinds,
            "judgments": self.judgments,
            "judgments_without_document": self.missing,
            "next": self.next,
        }


def run(
    path: Path, *, limit: int = 5, progress: Progress = lambda documents: None
) -> Demonstration:
    """Index the documentation in the database at `path`, ask, and score.

    limit: hits per question and mode, 1 or more. An index that already holds the documentation is
    searched as it is. progress: called with the number of documents of each batch indexed.
    Raises Conflict when the index of this name holds something else, and what `open` raises.
    """
    with hybridsearch.open(path) as database:
        index = _index(database)
        started = time.perf_counter()
        corpus = list(documents())
        read_seconds = time.perf_counter() - started
        started = time.perf_counter()
        loaded = _load(index, corpus, progress)
        load_seconds = time.perf_counter() - started
        answers = [_ask(index, query, kind, limit) for query, kind in QUESTIONS.items()]
        ids = {str(document["id"]) for document in corpus}
        return Demonstration(
            path=path,
            documents=index.count(),
            loaded=loaded,
            read_seconds=read_seconds,
            load_seconds=load_seconds,
            answers=answers,
            **_scores(index, ids),
        )


def _index(database: Database) -> Index:
    if INDEX not in [index.uid for index in database.indexes()]:
        return database.create_index(INDEX, primary_key="id", settings=SETTINGS)
    index = database.index(INDEX)
    there = index.stats()["attributes"].keys()
    if there - {"id", "name", "module", "kind", "signature", "text", "length"}:
        raise Conflict(
            f'the index "{INDEX}" in {database.path} holds other documents; give another --path'
        )
    return index


def _load(index: Index, corpus: Sequence[Mapping[str, Any]], progress: Progress) -> int:
    if index.count() == len(corpus):
        return 0
    index.add(corpus, progress=progress)
    return len(corpus)


def _ask(index: Index, query: str, kind: str, limit: int) -> Answers:
    by_mode = {mode: index.search(query, mode=mode, limit=limit) for mode in MODES}
    return Answers(query, kind, by_mode)


def _scores(index: Index, ids: set[str]) -> dict[str, Any]:
    """The fields of `Demonstration` that come from the judged queries."""
    queries_file, qrels_file = (Path(str(ASSETS)) / name for name in (QUERIES, QRELS))
    everything = read_qrels(qrels_file)
    qrels = {
        query: {document: grade for document, grade in grades.items() if document in ids}
        for query, grades in everything.items()
    }
    reports = arm_reports(index, read_queries(queries_file), qrels, k=10)
    kind_of = _kinds(queries_file)
    queries = next(iter(reports.values())).queries
    kinds = [*dict.fromkeys(kind_of[query] for query in queries), ALL]
    members = {kind: [q for q in queries if kind in (kind_of[q], ALL)] for kind in kinds}
    judgments = sum(map(len, qrels.values()))
    return {
        "ndcg": {
            kind: {arm: _mean(report, members[kind]) for arm, report in reports.items()}
            for kind in kinds
        },
        "kinds": {kind: len(members[kind]) for kind in kinds},
        "judgments": judgments,
        "missing": sum(map(len, everything.values())) - judgments,
    }


def _kinds(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {query["_id"]: query["kind"] for query in map(loads, lines)}


def _mean(report: Report, queries: Sequence[str]) -> float:
    values = report.per_query("ndcg")
    return sum(values[query] for query in queries) / len(queries)


def _answers_json(answers: Answers) -> dict[str, Any]:
    hits = {mode: [_hit_json(hit) for hit in found] for mode, found in answers.by_mode.items()}
    return {"query": answers.query, "kind": answers.kind, **hits}


def _hit_json(hit: Hit) -> dict[str, Any]:
    names = ("id", "score", "keyword_rank", "semantic_rank")
    return {name: getattr(hit, name) for name in names}


# For people


def show(out: PlainConsole, found: Demonstration) -> None:
    """Print all of it as tables, and what to try next."""
    out.print(_loading(found), soft_wrap=True)
    out.print(LEGEND, soft_wrap=True)
    for answers in found.answers:
        _show_answers(out, answers)
    _show_ndcg(out, found)
    out.print("Try next:")
    for line in found.next:
        out.print(f"  {line}", soft_wrap=True)


def _program() -> str:
    """What to type for our program: its name, or its path where the shell would not find it."""
    here = Path(sys.argv[0])
    if here.name != "hybridsearch" or shutil.which(here.name) is not None:
        return "hybridsearch"
    return shlex.quote(str(here))


def _loading(found: Demonstration) -> str:
    version = ".".join(map(str, sys.version_info[:2]))
    read = f"{found.documents:,} documents of Python {version}'s standard library"
    if not found.loaded:
        return f"{read}, indexed before in {found.path}"
    return (
        f"{read}, read in {found.read_seconds:.1f} s and indexed in {found.load_seconds:.1f} s:"
        f" {found.load_rate:,.0f} documents/s, embedding included"
    )


def _show_answers(out: PlainConsole, answers: Answers) -> None:
    width = min(NAME_WIDTH, (out.width - ROOM) // len(MODES))
    columns = [[_name(hit, width) for hit in answers.by_mode[mode]] for mode in MODES]
    columns.append([_ranks(hit) for hit in answers.by_mode["hybrid"]])
    rows = [[str(n), *row] for n, row in enumerate(zip_longest(*columns, fillvalue=""), 1)]
    head = ["", *MODES, "words · meaning"]
    show_table(out, head, rows, title=f"“{answers.query}” ({answers.kind})")


def _name(hit: Hit, width: int) -> str:
    """The id, cut on the left where it is long: its end says most."""
    text = one_line(hit.id)
    return text if len(text) <= width else f"…{text[1 - width :]}"


def _ranks(hit: Hit) -> str:
    """The ranks of a hybrid hit in the two arms."""
    return " · ".join(str(rank or "-") for rank in (hit.keyword_rank, hit.semantic_rank))


def _show_ndcg(out: PlainConsole, found: Demonstration) -> None:
    arms = list(found.ndcg[ALL])
    rows = [
        [kind, str(found.kinds[kind]), *(f"{scores[arm]:.3f}" for arm in arms)]
        for kind, scores in found.ndcg.items()
    ]
    left = f"; {found.missing} more whose document is not there" if found.missing else ""
    title = f"nDCG@10 on {found.kinds[ALL]} judged queries ({found.judgments} judgments{left})"
    show_table(out, ["kind of query", "queries", *arms], rows, title=title, numbers=True)


__all__ = ["INDEX", "Answers", "Demonstration", "run", "show"]
