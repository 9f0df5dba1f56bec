"""Which judged sets are there to measure on?

Those of ../shared/data, which may be absent, and our own on the standard library's documentation.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hybridsearch.evaluate import read_qrels, read_queries
from hybridsearch.stdlib_docs import documents as stdlib_documents
from tests.relevance.misspelling import attested, misspelt

ROOT = Path(__file__).parents[2]
SHARED = ROOT / "../shared"


class Collection(NamedTuple):
    """Where a set lies, in which language, and what it is about. `own`: it is in our repository;
    `misspelt`: its queries are to be misspelt first."""

    folder: Path
    queries: str
    qrels: str
    language: str
    about: str
    own: bool = False
    misspelt: bool = False


def _shared(name: str, language: str, about: str, queries: str = "queries.jsonl") -> Collection:
    return Collection(SHARED / "data" / name, queries, "qrels/test.tsv", language, about)


COLLECTIONS: Mapping[str, Collection] = {
    "scifact": _shared("scifact", "English", "claims against abstracts"),
    "scifact-misspelt": _shared(
        "scifact", "English", "the same, every word misspelt of which a misspelling is attested"
    )._replace(misspelt=True),
    "cranfield": _shared("cranfield", "English", "questions about aerodynamics"),
    "cranfield-misspelt": _shared(
        "cranfield", "English", "the same, their rare words misspelt", "queries-typo.jsonl"
    ),
    "python-docs": Collection(
        *(ROOT / "datasets/python-docs", "queries.jsonl", "qrels.tsv", "English"),
        "questions about the standard library",
        own=True,
    ),
    "xquad-r-es": _shared("xquad-r-es", "Spanish", "questions to sentences"),
    "drcd-zh": _shared("drcd-zh", "Chinese", "questions to paragraphs"),
}


@dataclass(frozen=True)
class Judged:
    """One set: its documents, as the index and as peers take them, and its judged queries."""

    name: str
    key: str
    searchable: list[str]
    documents: list[dict[str, Any]]
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]

    @property
    def plain(self) -> list[tuple[str, str]]:
        """(id, text) of each document."""
        return [
            (str(one[self.key]), " ".join(str(one.get(name, "")) for name in self.searchable))
            for one in self.documents
        ]


def judged(names: Sequence[str], most: int) -> Iterator[Judged]:
    """The sets of those names that are here, each with at most so many queries, evenly taken."""
    for name in names:
        where = COLLECTIONS[name]
        if not where.folder.is_dir():
            print(f"{name} is not here and is left out")
            continue
        key, searchable, documents = _documents(where)
        texts = queries_of(where, documents)
        qrels = read_qrels(where.folder / where.qrels)
        asked = [query for query in texts if any(g > 0 for g in qrels.get(query, {}).values())]
        some = asked[:: max(1, -(-len(asked) // most))]
        yield Judged(
            name,
            *(key, searchable, documents),
            queries={query: texts[query] for query in some},
            qrels={query: qrels[query] for query in some},
        )


def queries_of(where: Collection, documents: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Query -> its text, misspelt where the set says so."""
    texts = read_queries(where.folder / where.queries)
    if not where.misspelt:
        return texts
    plain = (f"{one['title']} {one['text']}" for one in documents)
    return misspelt(texts, plain, attested(SHARED / "data/misspellings"))


def _documents(where: Collection) -> tuple[str, list[str], list[dict[str, Any]]]:
    """(the key, the searchable attributes, the documents)."""
    if where.own:
        return "id", ["name", "text"], list(stdlib_documents())
    return "_id", ["title", "text"], list(corpus(next(where.folder.glob("corpus.jsonl*"))))


def corpus(path: Path) -> Iterator[dict[str, Any]]:
    """The documents of a BEIR corpus."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
