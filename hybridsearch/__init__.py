"""Any DuckDB file becomes a search engine: BM25 and vectors in one embedded index.

    import hybridsearch

    with hybridsearch.open("shop.duckdb") as db:
        movies = db.create_index("movies", primary_key="id")
        movies.add([{"id": 1, "title": "Alien", "year": 1979}])
        for hit in movies.search("space horror", filter="year < 1990"):
            print(hit.score, hit.document["title"])

What is named in `__all__` is the public interface. Names are loaded when they are first used, so
that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hybridsearch.attached import Freshness, IndexReport, RefreshReport
    from hybridsearch.database import Database, attach, open
    from hybridsearch.definition import Item
    from hybridsearch.embedders import Embedder
    from hybridsearch.errors import HybridSearchError
    from hybridsearch.index import Index
    from hybridsearch.inspection import check
    from hybridsearch.request import Hit, SearchRequest, SearchResult
    from hybridsearch.settings import Settings
    from hybridsearch.snapshot import Snapshot
    from hybridsearch.store import Task

__version__ = "0.1.0"

__all__ = [
    "Database",
    "Embedder",
    "Freshness",
    "Hit",
    "HybridSearchError",
    "Index",
    "IndexReport",
    "Item",
    "RefreshReport",
    "SearchRequest",
    "SearchResult",
    "Settings",
    "Snapshot",
    "Task",
    "attach",
    "check",
    "open",
]

_HOMES = {
    "Database": "database",
    "Embedder": "embedders",
    "Freshness": "attached",
    "Hit": "request",
    "HybridSearchError": "errors",
    "Index": "index",
    "IndexReport": "attached",
    "Item": "definition",
    "RefreshReport": "attached",
    "SearchRequest": "request",
    "SearchResult": "request",
    "Settings": "settings",
    "Snapshot": "snapshot",
    "Task": "store",
    "attach": "database",
    "check": "inspection",
    "open": "database",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hybridsearch' has no attribute {name!r}")
    return getattr(import_module(f"hybridsearch.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
