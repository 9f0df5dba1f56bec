"""What does a server count for a monitoring system?

Requests and their time as they are answered, the rest when it is asked for; in the text format of
Prometheus, under the names that Meilisearch's dashboards ask for.

    figures = Figures()
    figures.answered("GET", "/health", 200, 0.001)
    figures.text({"meilisearch_is_indexing": {(): 0}})           # b"# HELP ..."
"""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

MEDIA = CONTENT_TYPE_LATEST
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
GAUGES = (
    ("meilisearch_index_count", "Indexes.", ()),
    ("meilisearch_index_docs_count", "Documents of an index.", ("index",)),
    ("meilisearch_nb_tasks", "Tasks by status.", ("kind", "value")),
    ("meilisearch_is_indexing", "Whether a task is worked on.", ()),
    ("meilisearch_db_size_bytes", "Bytes of the database file.", ()),
)


class Figures:
    """What one application counts."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "meilisearch_http_requests",
            "Requests answered.",
            ["method", "path", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "meilisearch_http_response_time_seconds",
            "Seconds until the answer.",
            ["method", "path"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._gauges = {
            name: Gauge(name, text, labels, registry=self._registry)
            for name, text, labels in GAUGES
        }

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one request, under its route's path, of which there are few."""
        self._requests.labels(method, path, str(int(status))).inc()
        self._seconds.labels(method, path).observe(seconds)

    def text(self, now: Mapping[str, Mapping[tuple[str, ...], float]]) -> bytes:
        """Everything as it stands; now: gauge -> values of its labels -> figure."""
        for name, values in now.items():
            gauge = self._gauges[name]
            gauge.clear()
            for labels, value in values.items():
                (gauge.labels(*labels) if labels else gauge).set(value)
        return generate_latest(self._registry)
