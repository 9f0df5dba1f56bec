"""What do other libraries find on the same documents, as they come?

Each function takes documents (id, text) and queries, and gives a run: query -> ids, best first.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import tantivy

Documents = Sequence[tuple[str, str]]
Run = dict[str, list[str]]
Peer = Callable[[Documents, Mapping[str, str], int], Run]


def sqlite_fts5(documents: Documents, queries: Mapping[str, str], k: int) -> Run:
    """SQLite's FTS5 with its porter tokeniser; any word of the query may match."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE d USING fts5(id UNINDEXED, text, tokenize='porter')")
    database.executemany("INSERT INTO d VALUES (?, ?)", documents)
    found: Run = {}
    for query, text in queries.items():
        words = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", text))
        rows = database.execute(
            "SELECT id FROM d WHERE d MATCH ? ORDER BY rank LIMIT ?", (words, k)
        )
        found[query] = [row[0] for row in rows] if words else []
    database.close()
    return found


def tantivy_alone(documents: Documents, queries: Mapping[str, str], k: int) -> Run:
    """tantivy-py with its English stemmer and its own query parser."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw")
    builder.add_text_field("text", tokenizer_name="en_stem")
    index = tantivy.Index(builder.build())
    writer = index.writer(heap_size=50_000_000, num_threads=1)
    for id_, text in documents:
        writer.add_document(tantivy.Document(id=id_, text=text))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()
    found: Run = {}
    for query, text in queries.items():
        words = " ".join(re.findall(r"\w+", text)).lower()
        parsed = index.parse_query_lenient(words, ["text"])[0]
        hits = searcher.search(parsed, k).hits
        found[query] = [str(searcher.doc(place)["id"][0]) for _, place in hits]
    return found


def bm25s(documents: Documents, queries: Mapping[str, str], k: int) -> Run:
    """bm25s with its usual parameters and English stop words."""
    library: Any = import_module("bm25s")
    corpus = library.tokenize([text for _, text in documents], show_progress=False)
    model = library.BM25()
    model.index(corpus, show_progress=False)
    asked = library.tokenize(list(queries.values()), show_progress=False)
    rows, _ = model.retrieve(asked, k=min(k, len(documents)), show_progress=False)
    return {
        query: [documents[int(row)][0] for row in own]
        for query, own in zip(queries, rows, strict=True)
    }


def lancedb(documents: Documents, queries: Mapping[str, str], k: int) -> Run:
    """LanceDB's full-text search with its usual tokeniser."""
    library: Any = import_module("lancedb")
    with tempfile.TemporaryDirectory() as folder:
        rows = [{"id": id_, "text": text} for id_, text in documents]
        table = library.connect(folder).create_table("d", rows)
        table.create_fts_index("text")
        found: Run = {}
        for query, text in queries.items():
            words = " ".join(re.findall(r"\w+", text))
            hits = table.search(words, query_type="fts").limit(k).to_list() if words else []
            found[query] = [str(hit["id"]) for hit in hits]
    return found


def installed() -> dict[str, Peer]:
    """Name -> peer, for those that can be imported."""
    every: dict[str, tuple[str, Peer]] = {
        "SQLite FTS5": ("sqlite3", sqlite_fts5),
        "tantivy alone": ("tantivy", tantivy_alone),
        "bm25s": ("bm25s", bm25s),
        "LanceDB, full text": ("lancedb", lancedb),
    }
    return {name: peer for name, (module, peer) in every.items() if find_spec(module) is not None}
